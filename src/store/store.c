/* store.c - a sweep's results as their one writer sees them. Order of everything: look, check, then touch the disk; journal
 * first, then the HDF5 file, which is only ever a copy. */
#include "writer.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Rebuilding may take this share of the time, and not more often than this. */
#define REBUILD_SHARE 0.02
#define REBUILD_PAUSE_S 1.0
/* How often the journal's name is looked at while nothing is written. */
#define GUARD_PAUSE_S 1.0

/* ---- checking: all that could refuse this job, and nothing written ------------------------------------------------ */

static int check_folders(const ss_store *s, ss_error *error)
{
    if (!s->job->settings.save_weights) return 0;
    const char *folder = s->in.weights_path;
    if (strlen(folder) + SS_ID_BYTES + 4 >= SS_PATH_BYTES)
        return ss_fail(error, "%s: the name is too long to put weights beside it", s->path);
    if (s->in.weights == SS_FOREIGN)
        return ss_fail(error, "%s: is not a folder, so no weights can be kept there (save_weights: true); move it away, or "
                       "write to another file (-o)", folder);
    if (s->in.weights == SS_UNREADABLE)
        return ss_fail(error, "%s: no weights can be kept there (save_weights: true): %s", folder, strerror(EACCES));
    return 0;
}

static size_t n_new_rows(const ss_store *s)
{
    size_t n = 0;
    for (size_t i = 0; i < s->n_points; i++) n += ss_table_find(s->in.table, s->ids + i * SS_ID_RAW) < 0;
    return n;
}

static int check(ss_store *s, const char *path, const ss_provenance *p, ss_error *error)
{
    if (ss_place_check(path, s->path, error) || check_folders(s, error) ||
        ss_load(&s->in, SS_TO_RUN, NULL, NULL, error))
        return -1;
    const ss_resume resume = {s->in.table, s->path, s->job, s->grid, p, s->ids};
    if (ss_resume_check(&resume, error)) return -1;
    return ss_results_target_check(&s->target, &s->in, s->in.table->n_rows + n_new_rows(s), error);
}

static void store_free(ss_store *s)
{
    ss_inspection_finish(&s->in);
    ss_table_destroy(s->table);
    ss_journal_close(s->journal);
    ss_journal_close(s->held);
    ss_bytes_finish(&s->recent);
    ss_free(s->ids);
    ss_free(s->row);
    ss_free(s);
}

static ss_store *create(const char *path, const ss_job *job, const ss_grid *grid, const ss_provenance *p, ss_error *error)
{
    ss_store *s = ss_alloc(1, sizeof *s);
    if (!s) {
        ss_fail(error, "%s: no memory", path);
        return NULL;
    }
    s->in.journal.entries.fd = s->in.file.entries.fd = -1;
    s->job = job;
    s->grid = grid;
    s->n_points = ss_grid_count(grid);
    s->n_keys = ss_job_axis_keys(job, s->key, error);
    for (int k = 0; k < s->n_keys; k++) s->axis[k] = s->key[k]->name;
    s->ids = ss_alloc(s->n_points, SS_ID_RAW);
    if (!s->ids) ss_fail(error, "no memory for %zu points", s->n_points);
    if (s->ids && s->n_keys >= 0 && ss_store_resolve(path, s->path, error) == 0 &&
        ss_resume_identify(grid, p, s->ids, error) == 0)
        return s;
    store_free(s);
    return NULL;
}

int ss_store_check(const char *path, const ss_job *job, const ss_grid *grid, const ss_provenance *provenance, ss_error *error)
{
    ss_store *s = create(path, job, grid, provenance, error);
    if (!s) return -1;
    int rc = ss_inspect(s->path, &s->in, error) || check(s, path, provenance, error) ? -1 : 0;
    store_free(s);
    return rc;
}

bool ss_store_exists(const char *path)
{
    char real[SS_PATH_BYTES], journal_path[SS_PATH_BYTES];
    if (ss_store_resolve(path, real, NULL) || ss_journal_path(real, journal_path, NULL)) return false;
    return access(real, F_OK) == 0 || access(journal_path, F_OK) == 0;
}

/* ---- opening ---------------------------------------------------------------------------------------------------- */

/* No journal, or one that is to be replaced: it is torn, or lacks what the results file holds. Nothing appears yet. */
static int write_journal(ss_store *s, const ss_provenance *p, ss_error *error)
{
    const unsigned char *uuid = s->in.journal.has_uuid ? s->in.journal.uuid : s->in.file.has_uuid ? s->in.file.uuid : NULL;
    ss_journal *new = ss_journal_create(s->in.journal_path, uuid, error);
    if (!new) return -1;
    s->held = s->journal;
    s->journal = new;
    if (s->in.use == SS_USE_FILE || (s->in.use == SS_USE_BOTH && ss_journal_lacks(&s->in)))
        ss_log(SS_LOG_WARNING, "%s: %s; %zu results are taken over from %s", s->in.journal_path,
               s->in.use == SS_USE_BOTH ? "had lost its end" : "is missing or empty and is made again", s->in.from_file.n_new,
               s->path);
    return ss_table_settle(s->table, new, true, error) || ss_store_prepare_job(s, p, error) ? -1 : 0;
}

static int replace_journal(ss_store *s, ss_error *error)
{
    if (ss_results_put(&s->target, s->journal, &s->in, s->held != NULL, s->table, s->stale, NULL, NULL, error)) return -1;
    s->rebuilt_s = ss_clock_s();
    s->stale = false;
    return 0;
}

static int continue_journal(ss_store *s, const ss_provenance *p, ss_error *error)
{
    uint64_t end = s->journal->e.end;
    s->table->source[0] = &s->journal->e;
    int rc = ss_store_prepare_job(s, p, error);
    if (rc == 0 && s->stale) rc = ss_store_refresh(s, true, error);
    if (rc) ss_journal_cut(s->journal, end, NULL);
    return rc;
}

static int find_rows(ss_store *s, ss_error *error)
{
    s->row = ss_alloc(s->n_points, sizeof *s->row);
    if (!s->row) return ss_fail(error, "no memory for %zu points", s->n_points);
    for (size_t i = 0; i < s->n_points; i++) s->row[i] = (uint32_t)ss_table_find(s->table, s->ids + i * SS_ID_RAW);
    return 0;
}

/* All that happens on the disk, in an order in which a kill at any time loses nothing. What fails here leaves no trace. */
static int write_opening(ss_store *s, const ss_provenance *p, ss_error *error)
{
    size_t folders = ss_folder_missing(s->path);
    bool anew = ss_journal_is_stale(&s->in);
    s->stale = ss_file_is_stale(&s->in, SS_TO_RUN) || n_new_rows(s) > 0;
    s->table = s->in.table;
    s->in.table = NULL;
    int rc = ss_folder_make(s->path, error);
    if (rc == 0) rc = anew ? write_journal(s, p, error) || replace_journal(s, error) : continue_journal(s, p, error);
    if (rc == 0) rc = find_rows(s, error);
    if (rc == 0) rc = ss_journal_guard(s->journal, error);
    if (rc) ss_journal_close(s->journal), s->journal = NULL; /* with its temporary file, or the folder is not empty */
    if (rc) ss_folder_unmake(s->path, folders);
    if (rc == 0) ss_journal_note(s->journal);
    ss_journal_close(s->held);
    s->held = NULL;
    return rc ? -1 : 0;
}

/* Points that were begun and whose checkpoints lie beside results of another name would begin anew without a word. */
static void tell_astray(const ss_store *s)
{
    char name[SS_ID_BYTES + sizeof SS_CHECKPOINT_SUFFIX], folder[SS_PATH_BYTES];
    if (s->in.checkpoints != SS_ABSENT) return;
    for (size_t i = 0; i < s->n_points; i++) {
        const ss_row *row = &s->table->row[s->row[i]];
        if (row->starts == 0 || ss_row_is_finished(row)) continue;
        ss_id_format(row->id, name);
        strcat(name, SS_CHECKPOINT_SUFFIX);
        if (ss_place_astray(s->path, ".checkpoints", name, folder) == 0)
            ss_log(SS_LOG_WARNING,
                   "%s: has no checkpoints in %s, but there are some of its points in %s: to go on from them, stop, rename "
                   "that folder, and run again", s->path, s->in.checkpoints_path, folder);
        return;                   /* one point tells; to look for all would take as many looks into every folder */
    }
}

ss_store *ss_store_open(const char *path, const ss_job *job, const ss_grid *grid, const ss_provenance *provenance,
                        ss_error *error)
{
    ss_error held = {{0}};
    ss_store *s = create(path, job, grid, provenance, error);
    if (!s) return NULL;
    char journal_path[SS_PATH_BYTES], weights[SS_PATH_BYTES + 1];
    int rc = ss_journal_path(s->path, journal_path, error);
    bool there = rc == 0 && access(journal_path, F_OK) == 0;
    if (there) s->journal = ss_journal_open(journal_path, &held); /* with the lock, nothing changes while it is looked at */
    if (rc == 0) rc = ss_inspect(s->path, &s->in, error) || check(s, path, provenance, error) ? -1 : 0;
    if (rc == 0 && there && !s->journal) rc = ss_fail(error, "%s", held.text);
    if (rc == 0 && !there && s->in.journal.state != SS_ABSENT)
        rc = ss_fail(error, "%s: was just made by another process; only one sweep may write a results file", journal_path);
    if (rc == 0) rc = write_opening(s, provenance, error);
    if (rc == 0) {
        tell_astray(s);
        ss_checkpoints_tidy(s->path, s->table, true);
        ss_file_remove_temporaries(s->path);
        ss_file_remove_temporaries(journal_path);
        snprintf(weights, sizeof weights, "%s/", s->in.weights_path);
        ss_file_remove_temporaries(weights);
        ss_inspection_finish(&s->in);
        return s;
    }
    store_free(s);
    return NULL;
}

/* ---- the sweep's life ------------------------------------------------------------------------------------------- */

bool ss_store_is_finished(const ss_store *store, size_t point)
{
    return ss_row_is_finished(&store->table->row[store->row[point]]);
}

ss_status ss_store_status(const ss_store *store, size_t point)
{
    return (ss_status)store->table->row[store->row[point]].status;
}

int64_t ss_store_attempts(const ss_store *store, size_t point)
{
    return store->table->row[store->row[point]].starts;
}

/* The journal is not ours alone any more, as s->lost says: the run goes over to a copy, in which its last points end. */
static int lose(ss_store *s, ss_error *error)
{
    ss_error why = {{0}};
    struct stat st;
    bool written = stat(s->journal->e.path, &st) == 0 && (uint64_t)st.st_size >= s->journal->e.end &&
                   ss_lock_borrow(s->journal->e.path) == s->journal->e.fd; /* all of ours is in it, beside what is not */
    if (written || ss_journal_escape(s->journal, s->path, &s->recent, &why) == 0)
        return ss_journal_tell_lost(s->journal, s->path, &s->lost, s->n_recent, error);
    return ss_fail(error, "%s; %zu finished points that the results file lacks cannot be saved: %s", s->lost.text, s->n_recent,
                   why.text);
}

static int guard(ss_store *s, ss_error *error)
{
    s->guarded_s = ss_clock_s();
    if (s->lost.text[0]) return ss_journal_tell_lost(s->journal, s->path, &s->lost, s->n_recent, error);
    return ss_journal_guard(s->journal, &s->lost) ? lose(s, error) : 0;
}

int ss_store_guard(ss_store *store, ss_error *error)
{
    return ss_clock_s() - store->guarded_s < GUARD_PAUSE_S ? 0 : guard(store, error);
}

/* Appends an entry and applies it to the index. */
static int append(ss_store *s, ss_entry_kind kind, const ss_bytes *payload, bool sync, ss_error *error)
{
    ss_bytes framed = {0};
    ss_entry entry = {kind, (uint32_t)payload->n, s->journal->e.end, 0, payload->p};
    ss_entry_frame(&framed, kind, payload);
    ss_error why = {{0}};
    int rc = ss_journal_append(s->journal, &framed, sync, &why);
    if (rc != -1 && kind == SS_ENTRY_DONE) ss_bytes_raw(&s->recent, framed.p, framed.n);
    if (rc == SS_JOURNAL_LOST) {
        s->lost = why;
        s->n_recent += kind == SS_ENTRY_DONE;
        rc = lose(s, error);
    } else if (rc) {
        ss_fail(error, "%s", why.text);
    } else {
        rc = ss_table_apply(s->table, &entry, error) ? -1 : 0;
    }
    ss_bytes_finish(&framed);
    return rc;
}

int ss_store_start(ss_store *store, size_t point, int worker, ss_error *error)
{
    if (guard(store, error) || ss_store_announce(store, error)) return -1;
    ss_start_entry e = {.worker = worker, .count = 1, .time = (uint64_t)time(NULL)};
    ss_bytes payload = {0};
    memcpy(e.id, store->table->row[store->row[point]].id, SS_ID_RAW);
    ss_start_entry_encode(&e, &payload);
    int rc = append(store, SS_ENTRY_START, &payload, false, error);
    ss_bytes_finish(&payload);
    return rc;
}

int ss_store_keep(ss_store *store, size_t point, const ss_record *record, ss_error *error)
{
    ss_settings settings;
    char buffer[SS_MAX_JOB_KEYS][64];
    const char *value[SS_MAX_JOB_KEYS];
    ss_bytes payload = {0};
    const ss_table *t = store->table;
    bool lost = guard(store, NULL) != 0;
    if (ss_store_announce(store, error)) return -1;
    ss_grid_settings(store->grid, point, &settings);
    ss_store_axis_texts(store, &settings, buffer, value);
    int rc = ss_done_entry_encode(t->session[t->n_sessions - 1]->number, t->row[store->row[point]].id,
                                  (uint32_t)store->n_keys, store->axis, value, record, &payload, error);
    if (rc == 0) rc = append(store, SS_ENTRY_DONE, &payload, true, error);
    ss_bytes_finish(&payload);
    if (rc) return rc;
    const ss_row *row = &t->row[store->row[point]];
    store->n_recent += ss_row_is_finished(row);
    if (lost) return ss_journal_tell_lost(store->journal, store->path, &store->lost, store->n_recent, error);
    store->stale = true;
    if (ss_row_is_finished(row)) ss_checkpoint_drop(store->path, row->id); /* the record is safe now */
    return 0;
}

int ss_store_refresh(ss_store *store, bool now, ss_error *error)
{
    double begin_s = ss_clock_s();
    double pause_s = store->rebuild_s / REBUILD_SHARE;
    if (pause_s < REBUILD_PAUSE_S) pause_s = REBUILD_PAUSE_S;
    bool due = now || (store->stale && begin_s - store->rebuilt_s >= pause_s);
    if (due ? guard(store, error) : ss_store_guard(store, error)) return -1;
    if (!due) return 0;
    ss_results_head head = {.journal_bytes = store->journal->e.end};
    memcpy(head.uuid, store->journal->uuid, sizeof head.uuid);
    int rc = ss_results_replace(&store->target, store->table, &head, NULL, NULL, error);
    store->rebuilt_s = ss_clock_s();
    store->rebuild_s = store->rebuilt_s - begin_s;
    if (rc) return rc;
    store->stale = false;
    store->recent.n = store->job_bytes;
    store->n_recent = 0;
    return 0;
}

/* A row's settings on top of the job's; -1: a value that this program does not read. */
static int row_settings(const ss_store *s, const ss_row *row, ss_settings *out)
{
    size_t n;
    const ss_key *key = ss_keys(&n);
    *out = s->job->settings;
    for (size_t i = 0; i < n; i++) {
        const char *text = key[i].offset == (size_t)-1 ? NULL : ss_table_value(s->table, row, key[i].name);
        if (text && ss_key_parse(&key[i], text, out, NULL)) return -1;
    }
    return 0;
}

int ss_store_sample(ss_store *store, size_t most, void (*take)(void *ctx, const ss_settings *s, const ss_record *record),
                    void *ctx, ss_error *error)
{
    size_t n_finished = 0, seen = 0;
    for (size_t i = 0; i < store->table->n_rows; i++) n_finished += ss_row_is_finished(&store->table->row[i]);
    size_t step = most ? n_finished / most + 1 : SIZE_MAX;
    for (size_t i = 0; i < store->table->n_rows; i++) {
        const ss_row *row = &store->table->row[i];
        ss_settings settings;
        ss_record record;
        if (!ss_row_is_finished(row) || seen++ % step || row_settings(store, row, &settings)) continue;
        if (ss_table_record(store->table, row, &record, error)) return -1;
        take(ctx, &settings, &record);
        ss_record_finish(&record);
    }
    return 0;
}

int ss_store_weights_path(const ss_store *store, size_t point, char *out, size_t out_bytes)
{
    char id[SS_ID_BYTES];
    int n = ss_weights_folder(store->path, out, out_bytes);
    if (n < 0) return -1;
    ss_id_format(store->table->row[store->row[point]].id, id);
    int used = snprintf(out + n, out_bytes - (size_t)n, "/%s.h5", id);
    return used < 0 || (size_t)used >= out_bytes - (size_t)n ? -1 : 0;
}

int ss_store_weights_astray(const ss_store *store, size_t point, char *out, size_t out_bytes)
{
    char name[SS_ID_BYTES + 4], folder[SS_PATH_BYTES];
    ss_id_format(store->table->row[store->row[point]].id, name);
    strcat(name, ".h5");
    return ss_place_astray(store->path, ".weights", name, folder) || strlen(folder) >= out_bytes ? -1 : (strcpy(out, folder), 0);
}

int ss_store_close(ss_store *store, ss_error *error)
{
    if (!store) return 0;
    int rc = store->stale ? ss_store_refresh(store, true, error) : 0;
    if (!store->lost.text[0]) /* else they are another run's */
        ss_checkpoints_tidy(store->path, store->table, false); /* a worker that could not be waited for may be writing yet */
    store_free(store);
    return rc;
}
