/* import.c - from a results file's columns back to records. Files of earlier versions have no entries: theirs are made from the
 * columns, histories included. Of every file that something else than this program has written, the columns are held against
 * the records. */
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "results.h"

enum { STRETCH_BYTES = 1 << 22 };

/* ---- rows, a stretch at a time ---------------------------------------------------------------------------------- */

/* Calls visit for every row; the row is number i of the frame. */
static int each_row(ss_results_file *f, int (*visit)(void *ctx, const ss_results_file *f, size_t i, ss_error *error), void *ctx,
                    ss_error *error)
{
    size_t capacity = ss_frame_stretch(f->frame, STRETCH_BYTES, f->n);
    if (ss_frame_allocate(f->frame, capacity, true, error)) return -1;
    for (size_t first = 0; first < f->n; first += capacity) {
        size_t n = f->n - first < capacity ? f->n - first : capacity;
        if (ss_results_file_read(f, first, n, error)) return -1;
        for (size_t i = 0; i < n; i++)
            if (visit(ctx, f, i, error)) return -1;
    }
    return 0;
}

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

static int get_eigenvalues(const ss_frame *f, size_t i, ss_record *r, ss_error *error)
{
    int64_t n = count_of(f, SS_DIM_K, i);
    const ss_variable *v = ss_frame_find(f, SS_IN_ROOT, "eigenvalue");
    if (n < 0 || (uint64_t)n > f->length[SS_DIM_K])
        return ss_fail(error, "a count of %lld eigenvalues does not fit", (long long)n);
    r->eigenvalue = ss_alloc((size_t)n, sizeof *r->eigenvalue);
    if (!r->eigenvalue) return ss_fail(error, "no memory for a record");
    r->n_eigenvalues = (size_t)n;
    const double *row = v ? (const double *)v->data + i * f->length[SS_DIM_K] : NULL;
    for (size_t k = 0; k < (size_t)n; k++) r->eigenvalue[k] = row ? row[k] : (double)NAN;
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
    if (get_eigenvalues(frame, i, r, error) || get_series(frame, SS_DIM_EPOCH, i, &r->history, error) ||
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

static int import_row(void *ctx, const ss_results_file *f, size_t i, ss_error *error)
{
    import *m = ctx;
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
    int rc = each_row(f, import_row, m, error);
    if (rc == 0) rc = close_job(m, f, error);
    ss_points_finish(&m->points);
    ss_words_finish(&m->words);
    ss_bytes_finish(&m->rows);
    ss_free(m);
    return rc;
}

/* ---- columns against records ------------------------------------------------------------------------------------ */

typedef struct comparison { const ss_table *table; bool lags, *unshown; } comparison;

/* What a file of this table does not show, because no job has asked for it (frame.c). */
static int find_unshown(comparison *c, const ss_frame *f, ss_error *error)
{
    ss_frame *wanted = ss_frame_of_table(c->table, error);
    if (!wanted) return -1;
    c->unshown = ss_alloc(f->n_variables, sizeof *c->unshown);
    for (size_t k = 0; c->unshown && k < f->n_variables; k++) {
        const ss_variable *v = &f->variable[k];
        c->unshown[k] = v->field && v->field->key && !ss_frame_find(wanted, v->place, v->name);
    }
    ss_frame_destroy(wanted);
    return c->unshown ? 0 : ss_fail(error, "no memory for %zu columns", f->n_variables);
}

static void leave_out(const bool *unshown, const ss_frame *f, ss_record *r)
{
    ss_record unknown;
    ss_record_init(&unknown);
    for (size_t k = 0; k < f->n_variables; k++) {
        const ss_variable *v = &f->variable[k];
        if (unshown[k] && v->source == SS_FROM_FIELD)
            memcpy((char *)r + v->field->offset, (const char *)&unknown + v->field->offset,
                   v->field->bytes ? v->field->bytes : sizeof(double));
        for (size_t i = 0; unshown[k] && v->source == SS_FROM_SERIES && i < r->track.n_rows; i++)
            r->track.value[i * r->track.n_columns + v->column] = NAN;
    }
    ss_record_finish(&unknown);
}

static int differ(const ss_record *file, const ss_record *record, size_t at, ss_error *error)
{
    size_t n;
    const ss_field *field = ss_record_fields(&n);
    const char *what = "its eigenvalues or curves";
    for (size_t i = n; i-- > 0;)
        if (!ss_record_field_agrees(&field[i], file, record)) what = field[i].name;
    return ss_fail(error, "%s of row %zu is not what its record says", what, at);
}

static int compare_settings(const ss_table *t, const ss_row *row, const ss_results_file *f, size_t i, ss_error *error)
{
    char text[4096];
    ss_settings a, b;
    for (size_t k = 0; k < f->frame->n_variables; k++) {
        const ss_variable *v = &f->frame->variable[k];
        const char *known = v->source == SS_FROM_SETTING && v->set >= 0 ? ss_table_value(t, row, v->name) : NULL;
        if (!known) continue;
        ss_frame_text(v, i, true, text, sizeof text);
        if (strncmp(text, known, sizeof text - 1) == 0) continue;
        if (v->key && ss_key_parse(v->key, text, &a, NULL) == 0 && ss_key_parse(v->key, known, &b, NULL) == 0 &&
            ss_key_equal(v->key, &a, &b))
            continue; /* an earlier version's way of writing a number */
        return ss_fail(error, "%s of row %zu is not what its record says", v->name, f->frame->first + i);
    }
    return 0;
}

static int compare_row(void *ctx, const ss_results_file *f, size_t i, ss_error *error)
{
    const comparison *c = ctx;
    ss_record in_file, known;
    unsigned char id[SS_ID_RAW];
    size_t at = f->frame->first + i;
    int64_t row = ss_id_pack(id_of(f->frame, i), id) ? -1 : ss_table_find(c->table, id);
    if (row != (int64_t)at)
        return ss_fail(error, "row %zu (%.32s) is %s", at, id_of(f->frame, i),
                       row < 0 ? "not among its entries" : "another row there");
    if (compare_settings(c->table, &c->table->row[row], f, i, error)) return -1;
    ss_record_init(&known);
    int rc = get_record(f, i, &in_file, error);
    if (rc == 0) rc = ss_table_record(c->table, &c->table->row[row], &known, error);
    bool older = c->lags && (in_file.status == SS_PENDING || strcmp(in_file.finished, known.finished) != 0);
    if (rc == 0 && !older) {
        leave_out(c->unshown, f->frame, &known);
        if (!ss_record_same(&in_file, &known)) rc = differ(&in_file, &known, at, error);
    }
    ss_record_finish(&in_file);
    ss_record_finish(&known);
    return rc;
}

int ss_import_compare(ss_results_file *f, const ss_table *t, bool lags, ss_error *error)
{
    comparison c = {.table = t, .lags = lags};
    int rc = find_unshown(&c, f->frame, error);
    if (rc == 0) rc = each_row(f, compare_row, &c, error);
    ss_free(c.unshown);
    return rc;
}
