/* merge.c - one results file from several: the slices of a sweep that more than one allocation computed. Entries of the
 * inputs' journals are copied as they are, JOB entries under new numbers, of each point's records only the latest that
 * counts. All is checked before anything appears: the new journal takes its place at once, as every rebuilt file does. */
#include "merge.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* ---- an input --------------------------------------------------------------------------------------------------- */

static void close_input(ss_merge_input *in)
{
    ss_table_destroy(in->table);
    ss_journal_close(in->journal);
    *in = (ss_merge_input){0};
}

/* A results file whose journal is missing: a journal is made from it, under a name that goes away when it is closed. */
static int read_file_alone(ss_merge *m, ss_merge_input *in, ss_error *error)
{
    in->journal = ss_journal_create(m->scratch, NULL, error);
    if (!in->journal || ss_import(in->path, in->table, in->journal, error)) return -1;
    in->replay.end = in->journal->end;
    return 0;
}

static int read_journal(ss_merge_input *in, const char *journal_path, ss_error *error)
{
    in->journal = ss_journal_open(journal_path, false, error);
    if (!in->journal) return -1;
    int held = in->is_target ? 0 : ss_journal_is_held(in->journal, error);
    if (held < 0) return -1;
    if (held)
        return ss_fail(error, "%s: is being written by a running sweep; merge when it has ended, or stop it (touch %s.stop)",
                       in->path, in->path);
    if (ss_table_replay(in->table, in->journal, &in->replay, NULL, NULL, error) ||
        ss_resume_check_file(in->path, in->table, in->journal, &in->n_lacking, error))
        return -1;
    if (in->n_lacking)
        ss_log(SS_LOG_WARNING, "%s: its journal has lost %zu rows that it holds; they are taken from it", in->path,
               in->n_lacking);
    return 0;
}

static int open_input(ss_merge *m, const char *path, bool file_alone, ss_merge_input *in, ss_error *error)
{
    char journal_path[SS_PATH_BYTES];
    in->table = ss_table_create(error);
    if (!in->table || ss_results_resolve(path, in->path, error) || ss_journal_path(in->path, journal_path, error)) return -1;
    in->is_target = strcmp(in->path, m->path) == 0;
    bool has_journal = !file_alone && ss_journal_exists(journal_path);
    if (!has_journal && access(in->path, F_OK))
        return ss_fail(error, "%s: there is neither a results file nor its journal", path);
    if (has_journal ? read_journal(in, journal_path, error) : read_file_alone(m, in, error)) return -1;
    return in->table->n_rows || in->n_lacking ? 0 : ss_fail(error, "%s: holds no point", path);
}

/* ---- points that both hold -------------------------------------------------------------------------------------- */

static void field_text(const ss_field *f, const ss_record *r, char *out, size_t out_bytes)
{
    const char *at = (const char *)r + f->offset;
    double real;
    int64_t integer;
    if (f->type == SS_FIELD_TEXT) {
        snprintf(out, out_bytes, "\"%.60s\"", at);
    } else if (f->type == SS_FIELD_REAL) {
        memcpy(&real, at, sizeof real);
        snprintf(out, out_bytes, "%.17g", real);
    } else {
        memcpy(&integer, at, sizeof integer);
        bool status = f->type == SS_FIELD_STATUS && integer >= 0 && integer < SS_N_STATUS;
        bool stop = f->type == SS_FIELD_STOP && integer >= 0 && integer < SS_N_STOP;
        if (status || stop)
            snprintf(out, out_bytes, "%s", status ? ss_status_name[integer] : ss_stop_name[integer]);
        else
            snprintf(out, out_bytes, "%lld", (long long)integer);
    }
}

/* "learning_rate=0.1 seed=3" */
static void describe(const ss_table *t, const ss_row *row, char *out, size_t out_bytes)
{
    const ss_session *s = t->session[row->session];
    size_t used = 0;
    out[0] = '\0';
    for (uint32_t a = 0; a < s->n_axes && used < out_bytes; a++)
        used += (size_t)snprintf(out + used, out_bytes - used, "%s%s=%.40s", a ? " " : "", s->axis[a],
                                 ss_table_value(t, row, s->axis[a]));
}

static int disagree(const ss_merge *m, const ss_merge_input *in, const ss_row *row, const ss_record *ours,
                    const ss_record *theirs, ss_error *error)
{
    size_t n;
    char point[400], a[80], b[80];
    const ss_field *field = ss_record_fields(&n);
    const char *what = "its eigenvalues or curves";
    describe(in->table, row, point, sizeof point);
    snprintf(a, sizeof a, "one thing");
    snprintf(b, sizeof b, "another");
    for (size_t i = 0; i < n; i++) {
        if (ss_record_field_agrees(&field[i], ours, theirs)) continue;
        char x[80], y[80];
        field_text(&field[i], ours, x, sizeof x);
        field_text(&field[i], theirs, y, sizeof y);
        what = field[i].name;
        memcpy(a, x, sizeof a);
        memcpy(b, y, sizeof b);
        break;
    }
    return ss_fail(error, "point %.300s has two results: %s is %s in %.200s, %s in %.200s; runs on processors of another kind or "
                   "with another BLAS may differ like that: leave one of the files out", point, what, a,
                   m->origin[m->from[ss_table_find(m->table, row->id)]], b, in->path);
}

/* Both have it finished: the same, bit for bit, as far as both programs knew the fields, or there is something to be found out
 * first. *fuller: the input's program knew more of them. */
static int compare_records(ss_merge *m, ss_merge_input *in, const ss_row *row, const ss_row *have, bool *fuller, ss_error *error)
{
    ss_record ours, theirs;
    ss_record_init(&theirs);
    int rc = ss_table_record(m->table, m->journal, have, &ours, error);
    if (rc == 0) rc = ss_table_record(in->table, in->journal, row, &theirs, error);
    if (rc == 0 && !ss_record_agrees(&ours, &theirs)) rc = disagree(m, in, row, &ours, &theirs, error);
    m->n_agreed += rc == 0;
    *fuller = rc == 0 && ss_record_lacks(&ours, &theirs) && !ss_record_lacks(&theirs, &ours);
    ss_record_finish(&ours);
    ss_record_finish(&theirs);
    return rc;
}

/* ---- copying ---------------------------------------------------------------------------------------------------- */

static int append_numbered(ss_merge *m, const ss_entry *e, uint32_t number, ss_error *error)
{
    ss_bytes payload = {0};
    ss_bytes_raw(&payload, e->payload, e->n);
    if (!payload.failed) ss_bytes_set_u32(payload.p, number); /* the JOB's number comes first in JOB and DONE entries */
    int rc = ss_table_append(m->table, m->journal, (ss_entry_kind)e->kind, &payload, false, error);
    ss_bytes_finish(&payload);
    return rc;
}

/* Which input each new row came from. */
static int note_origins(ss_merge *m, uint16_t input, ss_error *error)
{
    size_t n = m->table->n_rows;
    if (n > m->n_from) {
        uint16_t *from = ss_realloc(m->from, m->n_from, n, sizeof *from);
        if (!from) return ss_fail(error, "%s: no memory for %zu points", m->path, n);
        m->from = from;
        for (size_t i = m->n_from; i < n; i++) from[i] = input;
        m->n_from = n;
    }
    return 0;
}

static int copy_done(ss_merge *m, ss_merge_input *in, const ss_entry *e, uint32_t shift, uint16_t input, ss_error *error)
{
    ss_done_entry done;
    if (ss_done_entry_decode(e->payload, e->n, &done)) return ss_fail(error, "%s: a DONE entry does not decode", in->path);
    int64_t theirs = ss_table_find(in->table, done.id), ours = ss_table_find(m->table, done.id);
    const ss_row *row = &in->table->row[theirs];
    if (row->offset != e->offset) return 0; /* a later attempt counts */
    if (ours >= 0 && ss_row_is_finished(&m->table->row[ours])) {
        if (!ss_row_is_finished(row)) return 0;
        bool fuller;
        if (compare_records(m, in, row, &m->table->row[ours], &fuller, error)) return -1;
        if (!fuller) return 0;
    }
    if (append_numbered(m, e, done.job + shift, error) || note_origins(m, input, error)) return -1;
    m->from[ss_table_find(m->table, done.id)] = input;
    return 0;
}

/* Attempts that the merged file does not count yet. The same file merged twice counts once. */
static int copy_starts(ss_merge *m, const ss_merge_input *in, ss_error *error)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < in->table->n_rows; i++) {
        const ss_row *row = &in->table->row[i], *have = &m->table->row[ss_table_find(m->table, row->id)];
        if (row->starts <= have->starts) continue;
        ss_start_entry start = {.worker = -1, .count = row->starts - have->starts};
        ss_bytes payload = {0};
        memcpy(start.id, row->id, SS_ID_RAW);
        ss_start_entry_encode(&start, &payload);
        rc = ss_table_append(m->table, m->journal, SS_ENTRY_START, &payload, false, error);
        ss_bytes_finish(&payload);
    }
    return rc;
}

/* JOB entries worth copying: those whose settings hold for a record; all of them while they bring points that are new. */
static bool *needed_sessions(const ss_merge *m, const ss_merge_input *in, ss_error *error)
{
    const ss_table *t = in->table;
    bool *needed = ss_alloc(t->n_sessions, sizeof *needed), all = false;
    if (!needed) ss_fail(error, "%s: no memory", in->path);
    for (size_t i = 0; needed && i < t->n_rows; i++) {
        if (t->row[i].offset) needed[t->row[i].session] = true;
        all = all || ss_table_find(m->table, t->row[i].id) < 0;
    }
    for (uint32_t s = 0; needed && s < t->n_sessions; s++) needed[s] = needed[s] || all;
    return needed;
}

static int copy_input(ss_merge *m, ss_merge_input *in, uint16_t input, ss_error *error)
{
    ss_entry e;
    uint32_t n = m->table->n_sessions, shift = n ? m->table->session[n - 1]->number : 0, session = 0;
    bool *needed = needed_sessions(m, in, error);
    if (!needed) return -1;
    int rc = 0;
    for (uint64_t at = ss_journal_first(); rc == 0 && at < in->replay.end; at = e.next) {
        rc = ss_journal_read(in->journal, at, &e, error);
        if (rc >= 0 && rc != 1) rc = ss_fail(error, "%s: has changed while it was read", in->journal->path);
        if (rc < 0) break;
        rc = 0;
        if (e.kind == SS_ENTRY_JOB && needed[session++])
            rc = append_numbered(m, &e, ss_bytes_get_u32(e.payload) + shift, error);
        else if (e.kind == SS_ENTRY_DONE)
            rc = copy_done(m, in, &e, shift, input, error);
        if (rc == 0) rc = note_origins(m, input, error);
    }
    ss_free(needed);
    return rc ? -1 : copy_starts(m, in, error);
}

/* ---- all of it -------------------------------------------------------------------------------------------------- */

static int add_half(ss_merge *m, const char *path, bool file_alone, uint16_t input, size_t *n_lacking, ss_error *error)
{
    ss_merge_input in = {0};
    int rc = open_input(m, path, file_alone, &in, error);
    if (rc == 0) rc = ss_merge_check(m, &in, error);
    if (rc == 0) rc = copy_input(m, &in, input, error);
    *n_lacking = in.n_lacking;
    close_input(&in);
    return rc;
}

/* By its journal, and by the file too where the journal has lost something that the file holds. */
static int add_input(ss_merge *m, const char *path, uint16_t input, ss_error *error)
{
    size_t n_lacking, n_agreed;
    if (add_half(m, path, false, input, &n_lacking, error)) return -1;
    n_agreed = m->n_agreed;
    if (n_lacking && add_half(m, path, true, input, &n_lacking, error)) return -1;
    m->n_agreed = n_agreed;       /* with itself */
    return 0;
}

/* The merged file is a results file of its own, or takes the place of the one whose points it holds. */
static int begin(ss_merge *m, const char *out, ss_journal **target, ss_error *error)
{
    char journal_path[SS_PATH_BYTES];
    if (ss_results_resolve(out, m->path, error) || ss_journal_path(m->path, journal_path, error)) return -1;
    if (snprintf(m->scratch, sizeof m->scratch, "%s.import", journal_path) >= SS_PATH_BYTES)
        return ss_fail(error, "%.80s...: path of more than %d bytes", out, SS_PATH_BYTES - 1);
    m->exists = access(m->path, F_OK) == 0 || ss_journal_exists(journal_path);
    if (ss_journal_exists(journal_path) && !(*target = ss_journal_open(journal_path, true, error))) return -1;
    unsigned char uuid[SS_UUID_BYTES];
    bool has_uuid = *target != NULL;
    if (has_uuid) memcpy(uuid, (*target)->uuid, sizeof uuid);
    if (!has_uuid && m->exists) { /* a file that has lost its journal: the new one belongs to it at once */
        ss_results_file *f = ss_results_file_open(m->path, false, error);
        if (!f) return -1;
        has_uuid = ss_uuid_parse(f->uuid, uuid) == 0;
        ss_results_file_close(f);
    }
    m->table = ss_table_create(error);
    m->journal = m->table ? ss_journal_create(journal_path, has_uuid ? uuid : NULL, error) : NULL;
    return m->journal ? 0 : -1;
}

static int add_all(ss_merge *m, size_t n, const char *const *in, ss_error *error)
{
    char resolved[SS_PATH_BYTES];
    m->origin = ss_alloc(n + 1, sizeof *m->origin);
    if (!m->origin) return ss_fail(error, "%s: no memory", m->path);
    m->origin[0] = m->path;
    if (m->exists && add_input(m, m->path, 0, error)) return -1;
    for (size_t i = 0; i < n; i++) {
        m->origin[i + 1] = in[i];
        if (ss_results_resolve(in[i], resolved, error)) return -1;
        if (m->exists && strcmp(resolved, m->path) == 0) continue; /* it is in already */
        if (add_input(m, in[i], (uint16_t)(i + 1), error)) return -1;
    }
    return 0;
}

static void count_rows(const ss_merge *m, ss_merged *result)
{
    *result = (ss_merged){.n_points = m->table->n_rows, .n_agreed = m->n_agreed};
    for (size_t i = 0; i < m->table->n_rows; i++) {
        result->n_finished += ss_row_is_finished(&m->table->row[i]);
        result->n_failed += m->table->row[i].status == SS_FAILED;
    }
}

int ss_store_merge(const char *out, size_t n, const char *const *in, ss_merged *result, ss_error *error)
{
    ss_merge *m = ss_alloc(1, sizeof *m);
    ss_journal *target = NULL; /* of a file that is there already: its lock keeps writers away */
    if (!m) return ss_fail(error, "%s: no memory", out);
    int rc = n < UINT16_MAX ? begin(m, out, &target, error) : ss_fail(error, "more than %d files at once", UINT16_MAX - 1);
    if (rc == 0) rc = add_all(m, n, in, error);
    for (size_t i = 0; rc == 0 && i < n; i++) rc = ss_merge_weights(m, in[i], error);
    if (rc == 0) rc = ss_journal_publish(m->journal, target != NULL, error);
    if (rc == 0) rc = ss_results_write(m->path, m->table, m->journal, error);
    if (rc == 0) count_rows(m, result);
    ss_journal_close(m->journal);
    ss_journal_close(target);
    ss_table_destroy(m->table);
    ss_free(m->from);
    ss_free(m->origin);
    ss_free(m);
    return rc ? -1 : 0;
}
