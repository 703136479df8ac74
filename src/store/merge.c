/* merge.c - one results file from several: the slices of a sweep that more than one allocation computed. All is checked before
 * anything appears: the new journal takes its place at once, as every rebuilt file does. */
#include "merge.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

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

static int disagree(const ss_merge *m, const ss_inspection *in, const ss_row *row, const ss_record *ours,
                    const ss_record *theirs, ss_error *error)
{
    size_t n, i = 0;
    char point[400], a[80] = "one thing", b[80] = "another";
    const ss_field *field = ss_record_fields(&n);
    describe(in->table, row, point, sizeof point);
    while (i < n && ss_record_field_agrees(&field[i], ours, theirs)) i++;
    if (i < n) field_text(&field[i], ours, a, sizeof a);
    if (i < n) field_text(&field[i], theirs, b, sizeof b);
    return ss_fail(error, "point %.300s has two results: %s is %s in %.200s, %s in %.200s; runs on processors of another kind or "
                   "with another BLAS may differ like that: leave one of the files out", point,
                   i < n ? field[i].name : "its eigenvalues or curves", a,
                   m->origin[m->from[ss_table_find(m->table, row->id)]], b,
                   in->path);
}

/* What both have finished is the same, bit for bit, as far as both programs knew the fields, or there is something to be found
 * out first. */
static int compare_records(ss_merge *m, const ss_inspection *in, ss_error *error)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < in->table->n_rows; i++) {
        ss_record ours, theirs;
        const ss_row *row = &in->table->row[i];
        int64_t at = ss_row_is_finished(row) ? ss_table_find(m->table, row->id) : -1;
        if (at < 0 || !ss_row_is_finished(&m->table->row[at])) continue;
        ss_record_init(&theirs);
        rc = ss_table_record(m->table, &m->table->row[at], &ours, error);
        if (rc == 0) rc = ss_table_record(in->table, row, &theirs, error);
        if (rc == 0 && !ss_record_agrees(&ours, &theirs)) rc = disagree(m, in, row, &ours, &theirs, error);
        m->n_agreed += rc == 0;
        ss_record_finish(&ours);
        ss_record_finish(&theirs);
    }
    return rc;
}

/* Of two that agree, the one whose program knew more fields stays. */
static int is_fuller(void *ctx, size_t row, const ss_done_entry *entry, ss_error *error)
{
    ss_merge *m = ctx;
    ss_record ours, theirs;
    ss_record_init(&theirs);
    int rc = ss_table_record(m->table, &m->table->row[row], &ours, error);
    if (rc == 0) rc = ss_record_decode(entry->record, entry->record_n, &theirs, error);
    bool fuller = rc == 0 && ss_record_lacks(&ours, &theirs) && !ss_record_lacks(&theirs, &ours);
    ss_record_finish(&ours);
    ss_record_finish(&theirs);
    return rc ? -1 : fuller;
}

/* ---- inputs ----------------------------------------------------------------------------------------------------- */

/* Which input each row's record is from: those that are not in the journal yet are from this one. */
static int note_origins(ss_merge *m, uint16_t input, ss_error *error)
{
    size_t n = m->table->n_rows;
    uint16_t *from = ss_realloc(m->from, m->n_from, n, sizeof *from);
    if (!from) return ss_fail(error, "%s: no memory for %zu points", m->target.path, n);
    m->from = from;
    for (size_t i = 0; i < n; i++)
        if (i >= m->n_from || m->table->row[i].source != 0) from[i] = input;
    m->n_from = n;
    return 0;
}

/* An inspected input's journal and file, as far as the policy reads them. */
static int take(ss_merge *m, ss_inspection *in, uint16_t input, ss_error *error)
{
    if (ss_load(in, SS_TO_MERGE, NULL, NULL, error)) return -1;
    if (in->table->n_rows == 0) return ss_fail(error, "%s: holds no point", in->path);
    if (in->from_file.n_new && in->use == SS_USE_BOTH)
        ss_log(SS_LOG_WARNING, "%s: its journal has lost %zu results that it holds; they are taken from it", in->path,
               in->from_file.n_new);
    if (ss_merge_check(m, in, error) || compare_records(m, in, error)) return -1;
    ss_join journal = {.both = is_fuller, .ctx = m}, file = journal;
    if (in->file.state == SS_DAMAGED) file.goes_on = file.deep = true; /* over all bytes that are no entry */
    if (in->use != SS_USE_FILE && ss_table_join(m->table, &in->journal.entries, &journal, error)) return -1;
    if (in->use != SS_USE_JOURNAL && ss_table_join(m->table, &in->file.entries, &file, error)) return -1;
    return note_origins(m, input, error) || ss_table_settle(m->table, m->journal, false, error) ? -1 : 0;
}

static int add_input(ss_merge *m, const char *path, uint16_t input, ss_error *error)
{
    ss_inspection in;
    m->origin[input] = path;
    int rc = ss_inspect(path, &in, error);
    bool again = rc == 0 && strcmp(in.path, m->target.path) == 0; /* the file itself is in already, if it was there */
    if (rc == 0 && in.writer_alive && !again)
        rc = ss_fail(error, "%s: is being written by a running sweep; merge when it has ended, or stop it (touch %s.stop)",
                     in.path,
                     in.path);
    if (rc == 0 && !(again && m->table->n_rows)) rc = take(m, &in, input, error);
    ss_inspection_finish(&in);
    return rc;
}

/* ---- all of it -------------------------------------------------------------------------------------------------- */

/* The merged file is a results file of its own, or takes the place of the one whose points it holds; *held keeps writers away. */
static int begin(ss_merge *m, const char *out, ss_journal **held, ss_error *error)
{
    char journal_path[SS_PATH_BYTES], path[SS_PATH_BYTES];
    if (ss_store_resolve(out, path, error) || ss_place_check(out, path, error) ||
        ss_journal_path(path, journal_path, error))
        return -1;
    if (access(journal_path, F_OK) == 0 && !(*held = ss_journal_open(journal_path, error))) return -1;
    if (ss_inspect(path, &m->target, error)) return -1;
    const ss_part *j = &m->target.journal, *f = &m->target.file;
    ss_use use = ss_policy(&m->target, SS_TO_RUN, error);
    if (use == SS_USE_REFUSE) return -1;
    m->table = ss_table_create(error);
    m->journal = m->table ? ss_journal_create(journal_path, j->has_uuid ? j->uuid : f->has_uuid ? f->uuid : NULL, error) : NULL;
    if (!m->journal) return -1;
    m->table->source[0] = &m->journal->e;
    m->table->n_sources = 1;
    if (use == SS_USE_NOTHING) return 0;
    m->origin[0] = m->target.path;
    return take(m, &m->target, 0, error);
}

static void count_rows(const ss_merge *m, ss_merged *result)
{
    *result = (ss_merged){.n_points = m->table->n_rows, .n_agreed = m->n_agreed};
    for (size_t i = 0; i < m->table->n_rows; i++) {
        result->n_finished += ss_row_is_finished(&m->table->row[i]);
        result->n_failed += m->table->row[i].status == SS_FAILED;
    }
}

static int merge(ss_merge *m, const char *out, size_t n, const char *const *in, ss_journal **held, ss_error *error)
{
    if (begin(m, out, held, error)) return -1;
    for (size_t i = 0; i < n; i++)
        if (add_input(m, in[i], (uint16_t)(i + 1), error)) return -1;
    ss_results_target target;
    if (ss_results_target_check(&target, &m->target, m->table->n_rows, error)) return -1;
    int rc = ss_results_put(&target, m->journal, &m->target, *held != NULL, m->table, true, NULL, NULL, error);
    if (rc) return rc == -1 ? -1 : SS_MERGED_IN_PART;
    for (size_t i = 0; i < n; i++)
        if (ss_merge_weights(m->target.path, in[i], error)) {
            ss_fail(error, "%s; the results themselves are merged", error ? error->text : "");
            return SS_MERGED_IN_PART;
        }
    return 0;
}

int ss_store_merge(const char *out, size_t n, const char *const *in, ss_merged *result, ss_error *error)
{
    ss_journal *held = NULL;
    size_t folders = ss_folder_missing(out);
    if (n >= UINT16_MAX) return ss_fail(error, "more than %d files at once", UINT16_MAX - 1);
    ss_merge *m = ss_alloc(1, sizeof *m);
    const char **origin = ss_alloc(n + 1, sizeof *origin);
    int rc = m && origin ? ss_folder_make(out, error) : ss_fail(error, "%s: no memory", out);
    if (m) m->origin = origin;
    if (m) m->target.journal.entries.fd = m->target.file.entries.fd = -1;
    if (rc == 0) rc = merge(m, out, n, in, &held, error);
    if (rc != -1) count_rows(m, result);
    if (m) {
        ss_table_destroy(m->table);
        ss_inspection_finish(&m->target);
        ss_journal_close(m->journal);
        ss_free(m->from);
    }
    ss_journal_close(held);
    if (rc == -1) ss_folder_unmake(out, folders);
    ss_free(origin);
    ss_free(m);
    return rc;
}
