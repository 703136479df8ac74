/* import.c - from a results file's columns back to records. Files of earlier versions have no entries: theirs are made from the
 * columns, histories included. Of every file that something else than this program has written, the columns are held against
 * the records. */
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "results.h"

enum { STRETCH_BYTES = 1 << 22 };

/* ---- rows ------------------------------------------------------------------------------------------------------- */

static const char *id_of(const ss_frame *frame, size_t i)
{
    return ((const char *const *)ss_frame_find(frame, SS_IN_ROOT, "id")->data)[i];
}

static void get_field(const ss_variable *v, size_t i, ss_record *r)
{
    char *member = (char *)r + v->field->offset;
    uint64_t bits = v->cell == SS_CELL_TEXT ? 0 : ss_cell_get(v, i);
    if (v->cell == SS_CELL_TEXT) snprintf(member, v->field->bytes, "%s", ((const char *const *)v->data)[i]);
    else memcpy(member, &bits, sizeof bits);
}

/* How many rows of this dimension the point has. */
static int64_t count_of(const ss_frame *f, ss_dim dim, size_t i)
{
    const ss_variable *v = ss_frame_find(f, ss_dimensions[dim].place, ss_dimensions[dim].count);
    return ((const int64_t *)v->data)[i];
}

static int get_series(const ss_frame *f, ss_dim dim, size_t i, ss_series *s, ss_error *error)
{
    double row[SS_MAX_SERIES_FIELDS];
    int64_t n = count_of(f, dim, i);
    if (n < 0 || (uint64_t)n > f->length[dim]) return ss_fail(error, "a count of %lld rows does not fit", (long long)n);
    for (size_t c = 0; c < SS_MAX_SERIES_FIELDS; c++) row[c] = NAN; /* what the file does not have */
    for (size_t k = 0; k < (size_t)n; k++) {
        for (size_t j = 0; j < f->n_variables; j++) {
            const ss_variable *v = &f->variable[j];
            if (v->source == SS_FROM_SERIES && v->dim == dim) row[v->column] = ((const double *)v->data)[i * f->length[dim] + k];
        }
        if (ss_series_append(s, row)) return ss_fail(error, "no memory for a history");
    }
    return 0;
}

/* Row i of the frame that was read last; ss_record_finish in any case. */
static int get_record(const ss_results_file *f, size_t i, ss_record *r, ss_error *error)
{
    const ss_frame *frame = f->frame;
    size_t n_fields;
    ss_record_init(r);
    for (size_t k = 0; k < frame->n_variables; k++) {
        const ss_variable *v = &frame->variable[k];
        if (v->source != SS_FROM_FIELD) continue;
        size_t number = (size_t)(v->field - ss_record_fields(&n_fields));
        if (v->set >= 0) get_field(v, i, r);
        else r->absent[number / 64] |= (uint64_t)1 << (number % 64); /* an earlier program's file */
    }
    if (r->status < 0 || r->status >= SS_N_STATUS || r->stop_reason < 0 || r->stop_reason >= SS_N_STOP)
        return ss_fail(error, "row %zu: status %lld or stop_reason %lld is unknown", frame->first + i, (long long)r->status,
                       (long long)r->stop_reason);
    if (r->status == SS_PENDING) return 0;
    ss_series eigenvalues = {.n_columns = 1};
    int rc = get_series(frame, SS_DIM_K, i, &eigenvalues, error);
    r->eigenvalue = eigenvalues.value;
    r->n_eigenvalues = eigenvalues.n_rows;
    if (rc || get_series(frame, SS_DIM_EPOCH, i, &r->history, error) ||
        get_series(frame, SS_DIM_CHECK, i, &r->track, error) || get_series(frame, SS_DIM_NODE, i, &r->spectrum, error))
        return ss_fail_in(error, "row %zu", frame->first + i);
    return 0;
}

/* ---- entries ---------------------------------------------------------------------------------------------------- */

/* Rows that share all settings outside the axes are listed by one JOB entry. */
typedef struct import {
    ss_entries *out;
    ss_job_entry entry;
    ss_words words;               /* the entry's texts */
    ss_points points;
    ss_bytes rows;                /* START and DONE entries of these points */
} import;

static int close_job(import *m, const ss_results_file *f, ss_error *error)
{
    ss_bytes payload = {0}, framed = {0};
    if (m->points.n == 0) return 0;
    m->entry.number++;
    for (int i = 0; i < SS_N_INFO; i++) m->entry.info[i] = f->info[i];
    m->entry.info[SS_INFO_TIME] = f->created;
    m->entry.info[SS_INFO_HOST] = "";
    m->entry.n_axes = f->n_axes;
    memcpy(m->entry.axis, f->axis, sizeof f->axis);
    ss_job_entry_encode(&m->entry, &m->points, &payload);
    ss_entry_frame(&framed, SS_ENTRY_JOB, &payload);
    int rc = ss_entries_append(m->out, &framed, error) || ss_entries_append(m->out, &m->rows, error) ? -1 : 0;
    ss_bytes_finish(&payload);
    ss_bytes_finish(&framed);
    ss_points_finish(&m->points);
    m->rows.n = 0;
    return rc;
}

/* The row's settings outside the axes; a JOB entry of other settings is closed first. */
static int read_settings(import *m, const ss_results_file *f, size_t i, ss_error *error)
{
    const ss_frame *frame = f->frame;
    char buffer[4096];
    const char *text[SS_MAX_SETTINGS];
    uint32_t n = 0;
    bool same = true;
    for (size_t k = 0; k < frame->n_variables; k++) {
        const ss_variable *v = &frame->variable[k];
        if (v->source != SS_FROM_SETTING || v->is_axis || v->set < 0) continue;
        if (n == SS_MAX_SETTINGS) return ss_fail(error, "more than %d settings", SS_MAX_SETTINGS);
        if (v->cell != SS_CELL_TEXT) ss_frame_text(v, i, true, buffer, sizeof buffer);
        text[n] = ss_words_keep(&m->words, v->cell == SS_CELL_TEXT ? ((const char *const *)v->data)[i] : buffer);
        if (!text[n]) return ss_fail(error, "no memory for the settings");
        same = same && n < m->entry.n_settings && text[n] == m->entry.text[n]; /* equal texts are kept once */
        m->entry.setting[n++] = v->name;
    }
    if (!same && close_job(m, f, error)) return -1;
    memcpy(m->entry.text, text, n * sizeof *text);
    m->entry.n_settings = n;
    return 0;
}

static int add_entries(import *m, const unsigned char id[SS_ID_RAW], uint32_t n, const char *const *axis,
                       const char *const *value, const ss_record *r, ss_error *error)
{
    ss_bytes payload = {0};
    ss_start_entry start = {.worker = -1, .count = (uint32_t)(r->attempts > INT_MAX ? INT_MAX : r->attempts)};
    int rc = 0;
    memcpy(start.id, id, SS_ID_RAW);
    if (r->attempts > 0) {
        ss_start_entry_encode(&start, &payload);
        ss_entry_frame(&m->rows, SS_ENTRY_START, &payload);
    }
    payload.n = 0;
    if (r->status != SS_PENDING) {
        rc = ss_done_entry_encode(m->entry.number + 1, id, n, axis, value, r, &payload, error);
        ss_entry_frame(&m->rows, SS_ENTRY_DONE, &payload);
    }
    ss_bytes_finish(&payload);
    return rc;
}

static int import_row(import *m, const ss_results_file *f, size_t i, ss_error *error)
{
    ss_record r;
    unsigned char id[SS_ID_RAW];
    char text[SS_MAX_FILE_AXES][128];
    const char *value[SS_MAX_FILE_AXES];
    uint32_t n = 0;
    if (ss_id_pack(id_of(f->frame, i), id))
        return ss_fail(error, "row %zu: id '%.40s' is not 32 hex digits", f->frame->first + i, id_of(f->frame, i));
    if (read_settings(m, f, i, error)) return -1;
    for (size_t k = 0; k < f->frame->n_variables; k++) {
        if (!f->frame->variable[k].is_axis) continue;
        ss_frame_text(&f->frame->variable[k], i, true, text[n], sizeof text[n]);
        value[n] = text[n];
        n++;
    }
    if (ss_points_add(&m->points, id, n, value)) return ss_fail(error, "no memory for the points");
    int rc = get_record(f, i, &r, error);
    if (rc == 0) rc = add_entries(m, id, n, f->axis, value, &r, error);
    ss_record_finish(&r);
    return rc;
}

int ss_import(ss_results_file *f, ss_entries *out, ss_error *error)
{
    import *m = ss_alloc(1, sizeof *m);
    if (!m) return ss_fail(error, "no memory");
    m->out = out;
    size_t capacity = ss_frame_stretch(f->frame, STRETCH_BYTES, f->n);
    int rc = ss_frame_allocate(f->frame, capacity, true, error);
    for (size_t i = 0; rc == 0 && i < f->n; i++) {
        if (i % capacity == 0) rc = ss_results_file_read(f, i, f->n - i < capacity ? f->n - i : capacity, error);
        if (rc == 0) rc = import_row(m, f, i % capacity, error);
    }
    if (rc == 0) rc = close_job(m, f, error);
    ss_points_finish(&m->points);
    ss_words_finish(&m->words);
    ss_bytes_finish(&m->rows);
    ss_free(m);
    return rc;
}

/* ---- columns against records ------------------------------------------------------------------------------------ */

static bool same_number(const ss_variable *a, size_t i, const ss_variable *b, size_t k)
{
    uint64_t x = ss_cell_get(a, i), y = ss_cell_get(b, k);
    double p, q;
    memcpy(&p, &x, sizeof p);
    memcpy(&q, &y, sizeof q);
    return x == y || (a->cell == SS_CELL_REAL && isnan(p) && isnan(q));
}

/* A row of a series; what one of them lacks at its end must be unknown in the other. */
static bool same_series(const ss_variable *a, size_t n_a, const ss_variable *b, size_t n_b, size_t i)
{
    for (size_t k = 0; k < n_a || k < n_b; k++) {
        double x = k < n_a ? ((const double *)a->data)[i * n_a + k] : (double)NAN;
        double y = k < n_b ? ((const double *)b->data)[i * n_b + k] : (double)NAN;
        if (x != y && !(isnan(x) && isnan(y))) return false;
    }
    return true;
}

static bool same_cell(const ss_frame *f, const ss_variable *a, const ss_frame *w, const ss_variable *b, size_t i)
{
    if (a->cell != b->cell || a->source != b->source) return false;
    if (a->source == SS_FROM_SERIES) return same_series(a, f->length[a->dim], b, w->length[b->dim], i);
    if (a->cell == SS_CELL_TEXT)
        return strcmp(((const char *const *)a->data)[i], ((const char *const *)b->data)[i]) == 0;
    return same_number(a, i, b, i);
}

static int compare_stretch(const ss_frame *f, const ss_frame *w, ss_error *error)
{
    for (size_t k = 0; k < w->n_variables; k++) {
        const ss_variable *b = &w->variable[k], *a = ss_frame_find(f, b->place, b->name);
        if (!a || a->set < 0) continue; /* a program that did not have it yet */
        for (size_t i = 0; i < f->n; i++)
            if (!same_cell(f, a, w, b, i))
                return ss_fail(error, "%s of row %zu is not what its record says", b->name, f->first + i);
    }
    return 0;
}

int ss_import_compare(ss_results_file *f, const ss_table *t, ss_error *error)
{
    ss_frame *w = ss_frame_of_table(t, error);
    if (!w) return -1;
    size_t capacity = ss_frame_stretch(f->frame, STRETCH_BYTES, f->n), other = ss_frame_stretch(w, STRETCH_BYTES, f->n);
    if (other < capacity) capacity = other;
    int rc = ss_frame_fit_spectra(w, t, error) || ss_frame_allocate(f->frame, capacity, true, error) ||
             ss_frame_allocate(w, capacity, true, error) ? -1 : 0;
    for (size_t first = 0; rc == 0 && first < f->n; first += capacity) {
        size_t n = f->n - first < capacity ? f->n - first : capacity;
        rc = ss_results_file_read(f, first, n, error) || ss_frame_fill(w, t, first, n, error) ||
             compare_stretch(f->frame, w, error) ? -1 : 0;
    }
    ss_frame_destroy(w);
    return rc;
}
