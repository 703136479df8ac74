/* import.c - from a results file back to journal entries, histories included, so that a lost journal loses nothing: the
 * file rebuilt from the new journal equals the old one. */
#include "import.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { STRETCH_BYTES = 1 << 22, MAX_STRETCH = 4096 };

int ss_uuid_parse(const char *text, unsigned char uuid[SS_UUID_BYTES])
{
    return ss_id_pack(text, uuid);
}

void ss_uuid_format(const unsigned char uuid[SS_UUID_BYTES], char out[2 * SS_UUID_BYTES + 1])
{
    ss_id_format(uuid, out);
}

size_t ss_import_stretch(const ss_results_file *f)
{
    size_t n = STRETCH_BYTES / ss_frame_row_bytes(f->frame);
    if (n < 1) n = 1;
    if (n > MAX_STRETCH) n = MAX_STRETCH;
    return n > f->n ? f->n : n;
}

/* ---- settings: JOB entries -------------------------------------------------------------------------------------- */

/* Rows that share all settings outside the axes, as one JOB entry lists them. */
typedef struct group {
    const ss_results_file *f;
    ss_job_entry entry;
    ss_words words;               /* the entry's texts */
    ss_points points;
} group;

static uint32_t next_number(const ss_table *t)
{
    return t->n_sessions ? t->session[t->n_sessions - 1]->number + 1 : 1;
}

static int close_group(group *g, ss_table *t, ss_journal *j, ss_error *error)
{
    ss_bytes payload = {0};
    if (g->points.n == 0) return 0;
    g->entry.number = next_number(t);
    for (int i = 0; i < SS_N_INFO; i++) g->entry.info[i] = g->f->info[i];
    g->entry.info[SS_INFO_TIME] = g->f->created;
    g->entry.info[SS_INFO_HOST] = "";
    g->entry.n_axes = g->f->n_axes;
    memcpy(g->entry.axis, g->f->axis, sizeof g->f->axis);
    ss_job_entry_encode(&g->entry, &g->points, &payload);
    int rc = ss_table_append(t, j, SS_ENTRY_JOB, &payload, false, error);
    ss_bytes_finish(&payload);
    ss_points_finish(&g->points);
    return rc;
}

/* The row's settings outside the axes; *same: they are those of the group. */
static int read_settings(group *g, size_t i, bool *same, ss_error *error)
{
    const ss_frame *frame = g->f->frame;
    char buffer[4096];
    uint32_t n = 0;
    *same = true;
    for (size_t k = 0; k < frame->n_variables; k++) {
        const ss_variable *v = &frame->variable[k];
        if (v->source != SS_FROM_SETTING || v->is_axis || g->f->variable[k] < 0) continue;
        const char *text = buffer;
        if (v->cell == SS_CELL_TEXT)
            text = ((const char *const *)v->data)[i];
        else
            ss_frame_text(v, i, true, buffer, sizeof buffer);
        if (n >= g->entry.n_settings || strcmp(g->entry.text[n], text) != 0) {
            *same = false;
            g->entry.text[n] = ss_words_keep(&g->words, text);
        }
        if (!g->entry.text[n] || n + 1 == SS_MAX_SETTINGS) return ss_fail(error, "no memory for the settings");
        g->entry.setting[n++] = v->name;
    }
    g->entry.n_settings = n;
    return 0;
}

/* A row's axis values as texts in `text`; returns how many. */
static uint32_t axis_texts(const ss_frame *frame, size_t i, char text[][128], const char *value[])
{
    uint32_t n = 0;
    for (size_t k = 0; k < frame->n_variables; k++) {
        if (!frame->variable[k].is_axis) continue;
        ss_frame_text(&frame->variable[k], i, true, text[n], sizeof text[n]);
        value[n] = text[n];
        n++;
    }
    return n;
}

static const char *id_of(const ss_frame *frame, size_t i)
{
    return ((const char *const *)ss_frame_find(frame, "id")->data)[i];
}

static int add_point(group *g, size_t i, ss_error *error)
{
    const ss_frame *frame = g->f->frame;
    char text[SS_MAX_FILE_AXES][128];
    const char *value[SS_MAX_FILE_AXES];
    unsigned char id[SS_ID_RAW];
    if (ss_id_pack(id_of(frame, i), id))
        return ss_fail(error, "row %zu: id '%.40s' is not 32 hex digits", frame->first + i, id_of(frame, i));
    uint32_t n = axis_texts(frame, i, text, value);
    return ss_points_add(&g->points, id, n, value) ? ss_fail(error, "no memory for the points") : 0;
}

/* Does the journal lack row i of the frame, or its record? */
static bool is_lacking(const ss_results_file *f, const ss_table *t, size_t i)
{
    unsigned char id[SS_ID_RAW];
    int8_t status = ((const int8_t *)ss_frame_find(f->frame, "status")->data)[i];
    int64_t at = ss_id_pack(id_of(f->frame, i), id) ? -1 : ss_table_find(t, id);
    if (at < 0) return true;
    const ss_row in_file = {.status = (uint8_t)status}, *row = &t->row[at];
    if (status == SS_PENDING || ss_row_is_finished(row)) return false;
    const ss_variable *attempts = ss_frame_find(f->frame, "attempts"); /* of a failed point a later one may be lost */
    return row->offset == 0 || ss_row_is_finished(&in_file) || ((const int64_t *)attempts->data)[i] > row->starts;
}

int ss_import_lacking(ss_results_file *f, const ss_table *t, size_t *n, ss_error *error)
{
    *n = 0;
    if (ss_frame_allocate(f->frame, f->n < MAX_STRETCH ? f->n : MAX_STRETCH, false, error)) return -1;
    for (size_t first = 0; first < f->n; first += f->frame->capacity) {
        size_t n_rows = f->n - first < f->frame->capacity ? f->n - first : f->frame->capacity;
        if (ss_results_file_read_index(f, first, n_rows, error)) return -1;
        for (size_t i = 0; i < n_rows; i++) *n += is_lacking(f, t, i);
    }
    return 0;
}

/* number: (n) of the JOB entry that lists a row; 0: the journal has the row. */
static int import_jobs(ss_results_file *f, ss_table *t, ss_journal *j, uint32_t *number, ss_error *error)
{
    group *g = ss_alloc(1, sizeof *g);
    int rc = g ? 0 : ss_fail(error, "no memory");
    if (g) g->f = f;
    for (size_t first = 0; rc == 0 && first < f->n; first += f->frame->capacity) {
        size_t n = f->n - first < f->frame->capacity ? f->n - first : f->frame->capacity;
        rc = ss_results_file_read(f, first, n, error);
        for (size_t i = 0; rc == 0 && i < n; i++) {
            ss_job_entry before = g->entry;
            bool same;
            if (!is_lacking(f, t, i)) continue;
            rc = read_settings(g, i, &same, error);
            if (rc == 0 && !same && g->points.n) {
                ss_job_entry now = g->entry;
                g->entry = before;
                rc = close_group(g, t, j, error);
                g->entry = now;
            }
            if (rc == 0) rc = add_point(g, i, error);
            number[first + i] = next_number(t);
        }
    }
    if (rc == 0) rc = close_group(g, t, j, error);
    if (g) {
        ss_points_finish(&g->points);
        ss_words_finish(&g->words);
    }
    ss_free(g);
    if (rc == 0 && t->n_rows < f->n) rc = ss_fail(error, "two rows have the same id");
    return rc;
}

/* ---- records: START and DONE entries ---------------------------------------------------------------------------- */

static void get_field(const ss_variable *v, size_t i, ss_record *r)
{
    char *member = (char *)r + v->field->offset;
    int64_t whole;
    switch (v->cell) {
    case SS_CELL_INT8:
        whole = ((const int8_t *)v->data)[i];
        memcpy(member, &whole, sizeof whole);
        return;
    case SS_CELL_INT64: memcpy(member, (const int64_t *)v->data + i, sizeof whole); return;
    case SS_CELL_REAL: memcpy(member, (const double *)v->data + i, sizeof(double)); return;
    default: snprintf(member, v->field->bytes, "%s", ((const char *const *)v->data)[i]); return;
    }
}

static int get_series(const ss_matrices *m, size_t i, int64_t n_rows, ss_series *s, ss_error *error)
{
    double row[SS_MAX_SERIES_FIELDS];
    if (n_rows < 0 || (uint64_t)n_rows > m->n_rows)
        return ss_fail(error, "a count of %lld rows does not fit", (long long)n_rows);
    for (size_t k = 0; k < (size_t)n_rows; k++) {
        for (size_t c = 0; c < m->n_columns; c++) row[c] = m->absent[c] ? (double)NAN : m->value[c][i * m->n_rows + k];
        if (ss_series_append(s, row)) return ss_fail(error, "no memory for a history");
    }
    return 0;
}

static int64_t count_of(const ss_results_file *f, size_t member, size_t i)
{
    for (size_t k = 0; k < f->frame->n_variables; k++) {
        const ss_variable *v = &f->frame->variable[k];
        if (v->source == SS_FROM_COUNT && v->count_at == member) return ((const int64_t *)v->data)[i];
    }
    return 0;
}

int ss_import_record(const ss_results_file *f, size_t i, ss_record *r, ss_error *error)
{
    const ss_frame *frame = f->frame;
    size_t n_fields;
    ss_record_init(r);
    for (size_t k = 0; k < frame->n_variables; k++) {
        const ss_variable *v = &frame->variable[k];
        if (v->source != SS_FROM_FIELD) continue;
        size_t number = (size_t)(v->field - ss_record_fields(&n_fields));
        if (f->variable[k] >= 0) get_field(v, i, r);
        else r->absent[number / 64] |= (uint64_t)1 << (number % 64); /* an earlier program's file */
    }
    if (r->status < 0 || r->status >= SS_N_STATUS || r->stop_reason < 0 || r->stop_reason >= SS_N_STOP)
        return ss_fail(error, "row %zu: status %lld or stop_reason %lld is unknown", frame->first + i, (long long)r->status,
                       (long long)r->stop_reason);
    if (r->status == SS_PENDING) return 0;
    int64_t n = count_of(f, offsetof(ss_row, n_eigenvalues), i);
    if (n < 0 || (uint64_t)n > frame->n_eigenvalues)
        return ss_fail(error, "row %zu: a count of %lld eigenvalues does not fit", frame->first + i, (long long)n);
    r->eigenvalue = ss_alloc((size_t)n, sizeof *r->eigenvalue);
    if (!r->eigenvalue) return ss_fail(error, "no memory for a record");
    r->n_eigenvalues = (size_t)n;
    if (n > 0) memcpy(r->eigenvalue, frame->eigenvalue + i * frame->n_eigenvalues, (size_t)n * sizeof *r->eigenvalue);
    if (get_series(&frame->history, i, count_of(f, offsetof(ss_row, n_history), i), &r->history, error) ||
        get_series(&frame->track, i, count_of(f, offsetof(ss_row, n_track), i), &r->track, error) ||
        get_series(&frame->spectrum, i, count_of(f, SS_SPECTRUM_COUNT, i), &r->spectrum, error))
        return ss_fail_in(error, "row %zu", frame->first + i);
    return 0;
}

int ss_append_done(ss_table *t, ss_journal *j, size_t at, const ss_record *r, ss_error *error)
{
    const ss_row *row = &t->row[at];
    const ss_session *s = t->session[row->session];
    const char *value[SS_MAX_FILE_AXES];
    ss_bytes payload = {0};
    for (uint32_t a = 0; a < s->n_axes; a++) value[a] = t->words.text[s->value[(size_t)row->value * s->n_axes + a]];
    int rc = ss_done_entry_encode(s->number, row->id, s->n_axes, s->axis, value, r, &payload, error);
    if (rc == 0) rc = ss_table_append(t, j, SS_ENTRY_DONE, &payload, false, error);
    ss_bytes_finish(&payload);
    return rc;
}

/* The starts that the journal does not know of. */
static int import_starts(const unsigned char *id, int64_t attempts, ss_table *t, ss_journal *j, ss_error *error)
{
    ss_bytes payload = {0};
    ss_start_entry start = {.worker = -1};
    int64_t known = t->row[ss_table_find(t, id)].starts;
    if (attempts > INT_MAX) attempts = INT_MAX;
    if (attempts <= known) return 0;
    memcpy(start.id, id, SS_ID_RAW);
    start.count = (uint32_t)(attempts - known);
    ss_start_entry_encode(&start, &payload);
    int rc = ss_table_append(t, j, SS_ENTRY_START, &payload, false, error);
    ss_bytes_finish(&payload);
    return rc;
}

static int import_row(const ss_results_file *f, size_t i, uint32_t number, ss_table *t, ss_journal *j, ss_error *error)
{
    ss_record r;
    ss_bytes payload = {0};
    unsigned char id[SS_ID_RAW];
    char text[SS_MAX_FILE_AXES][128];
    const char *value[SS_MAX_FILE_AXES];
    int rc = ss_import_record(f, i, &r, error);
    if (rc == 0 && ss_id_pack(id_of(f->frame, i), id)) rc = ss_fail(error, "its ids have changed"); /* since import_jobs */
    if (rc == 0) rc = import_starts(id, r.attempts, t, j, error);
    if (rc == 0 && r.status != SS_PENDING) {
        uint32_t n = axis_texts(f->frame, i, text, value);
        rc = ss_done_entry_encode(number, id, n, f->axis, value, &r, &payload, error);
        if (rc == 0) rc = ss_table_append(t, j, SS_ENTRY_DONE, &payload, false, error);
    }
    ss_bytes_finish(&payload);
    ss_record_finish(&r);
    return rc;
}

int ss_import(const char *path, ss_table *t, ss_journal *j, ss_error *error)
{
    ss_results_file *f = ss_results_file_open(path, true, error);
    if (!f) return -1;
    int rc = ss_frame_allocate(f->frame, ss_import_stretch(f), true, error);
    uint32_t *number = ss_alloc(f->n, sizeof *number);
    if (rc == 0 && !number) rc = ss_fail(error, "no memory for %zu rows", f->n);
    if (rc == 0) rc = import_jobs(f, t, j, number, error);
    for (size_t first = 0; rc == 0 && first < f->n; first += f->frame->capacity) {
        size_t n = f->n - first < f->frame->capacity ? f->n - first : f->frame->capacity;
        rc = ss_results_file_read(f, first, n, error);
        for (size_t i = 0; rc == 0 && i < n; i++)
            if (number[first + i]) rc = import_row(f, i, number[first + i], t, j, error);
    }
    ss_free(number);
    ss_results_file_close(f);
    if (rc && error && !strstr(error->text, path)) ss_fail_in(error, "%s", path); /* the journal names itself */
    return rc ? -1 : 0;
}
