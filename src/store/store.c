/* store.c - a sweep's results as their one writer sees them. Order of everything: check, then touch the disk; journal
 * first, then the HDF5 file, which is only ever a copy. */
#include "checkpoint.h"
#include "rescue.h"
#include "resume.h"

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

struct ss_store {
    char path[SS_PATH_BYTES];
    ss_journal *journal;
    ss_table *table;
    const ss_job *job;
    const ss_grid *grid;
    size_t n_points;
    uint32_t *row;                /* (n_points) of the table */
    int n_keys;
    const ss_key *key[SS_MAX_JOB_KEYS]; /* of the job's axes */
    const char *axis[SS_MAX_JOB_KEYS];
    bool stale;                   /* the HDF5 file lacks something */
    double rebuild_s, rebuilt_s;  /* how long the last rebuild took; when it ended */
    double guarded_s;             /* when the journal was last seen under its name */
    ss_rescue rescue;             /* for the case that it no longer is */
};

/* ---- opening ---------------------------------------------------------------------------------------------------- */

/* The results file's uuid, where there is a file: 1, 0: there is none, -1: it is none of ours. */
static int file_uuid(const ss_store *s, unsigned char uuid[SS_UUID_BYTES], ss_error *error)
{
    if (access(s->path, F_OK)) return 0;
    ss_results_file *f = ss_results_file_open(s->path, false, error);
    int rc = !f ? -1 : ss_uuid_parse(f->uuid, uuid) == 0;
    ss_results_file_close(f);
    return rc;
}

/* An empty journal is begun anew in its place, and takes over what the results file holds like one that has lost its end. */
static ss_journal *open_empty(const ss_store *s, const char *journal_path, ss_error *error)
{
    unsigned char uuid[SS_UUID_BYTES];
    int has_uuid = file_uuid(s, uuid, error);
    return has_uuid < 0 ? NULL : ss_journal_revive(journal_path, has_uuid ? uuid : NULL, error);
}

static int open_existing(ss_store *s, const char *journal_path, bool empty, ss_replay *replay, size_t *n_lacking,
                         ss_error *error)
{
    s->journal = empty ? open_empty(s, journal_path, error) : ss_journal_open(journal_path, true, error);
    if (!s->journal && (empty || ss_journal_peek(journal_path, NULL) == SS_JOURNAL_BAD_HEADER))
        ss_verify_hopeless(s->path, journal_path, error);
    if (!s->journal || ss_table_replay(s->table, s->journal, replay, NULL, NULL, error)) return -1;
    return ss_resume_check_file(s->path, s->table, s->journal, n_lacking, error);
}

/* No journal: a new one, filled from the results file if there is one. Nothing appears under its name yet. */
static int open_new(ss_store *s, const char *journal_path, ss_error *error)
{
    unsigned char uuid[SS_UUID_BYTES];
    int has_uuid = file_uuid(s, uuid, error);
    if (has_uuid < 0) return -1;
    s->journal = ss_journal_create(journal_path, has_uuid ? uuid : NULL, error);
    if (!s->journal) return -1;
    if (access(s->path, F_OK)) return 0;
    ss_log(SS_LOG_WARNING, "%s: its journal is missing and is made again from it", s->path);
    return ss_import(s->path, s->table, s->journal, error);
}

int ss_weights_folder(const char *results, char *out, size_t out_bytes)
{
    size_t n = strlen(results);
    if (n > 3 && strcmp(results + n - 3, ".h5") == 0) n -= 3;
    int used = snprintf(out, out_bytes, "%.*s.weights", (int)n, results);
    return used < 0 || (size_t)used >= out_bytes ? -1 : used;
}

static const char *host_name(void)
{
    static char host[64];
    if (gethostname(host, sizeof host - 1)) strcpy(host, "unknown");
    return host;
}

static int job_settings(const ss_store *s, ss_job_entry *e, ss_words *words, ss_error *error)
{
    size_t n;
    char buffer[512];
    const ss_key *key = ss_keys(&n);
    for (size_t i = 0; i < n; i++) {
        if (key[i].offset == (size_t)-1 || ss_job_is_axis(s->job, &key[i])) continue;
        if (e->n_settings == SS_MAX_SETTINGS) return ss_fail(error, "more than %d settings", SS_MAX_SETTINGS);
        const char *text = ss_words_keep(words, ss_setting_text(&key[i], &s->job->settings, buffer, sizeof buffer));
        if (!text) return ss_fail(error, "no memory for the job's settings");
        e->setting[e->n_settings] = key[i].name;
        e->text[e->n_settings++] = text;
    }
    return 0;
}

/* Texts of a grid point's axis values, in `buffer`. */
static void axis_texts(const ss_store *s, const ss_settings *settings, char buffer[][64], const char *value[])
{
    for (int k = 0; k < s->n_keys; k++) value[k] = ss_setting_text(s->key[k], settings, buffer[k], 64);
}

/* The grid points that the file does not know. */
static int new_points(const ss_store *s, const unsigned char *ids, ss_points *points, ss_error *error)
{
    ss_settings settings;
    char buffer[SS_MAX_JOB_KEYS][64];
    const char *value[SS_MAX_JOB_KEYS];
    for (size_t i = 0; i < s->n_points; i++) {
        const unsigned char *id = ids + i * SS_ID_RAW;
        if (ss_table_find(s->table, id) >= 0) continue;
        ss_grid_settings(s->grid, i, &settings);
        axis_texts(s, &settings, buffer, value);
        if (ss_points_add(points, id, (uint32_t)s->n_keys, value)) return ss_fail(error, "no memory for the grid's points");
    }
    return 0;
}

static int append_job(ss_store *s, const ss_provenance *p, const unsigned char *ids, ss_error *error)
{
    char now[SS_TIME_BYTES];
    const char *slash = s->job->path ? strrchr(s->job->path, '/') : NULL;
    ss_words words = {0};
    ss_points points = {0};
    ss_bytes payload = {0}, bare = {0};
    ss_job_entry *e = ss_alloc(1, sizeof *e);
    int rc = e ? 0 : ss_fail(error, "no memory for a JOB entry");
    ss_time_now(now);
    if (e) {
        const char *info[SS_N_INFO] = {s->job->text, slash ? slash + 1 : s->job->path, now, host_name(), p->version,
                                       p->commit, p->mpi, p->blas, ss_h5_version(), p->cpu, p->data_path, p->data_digest,
                                       p->kernels};
        memcpy(e->info, info, sizeof info);
        e->number = s->table->n_sessions ? s->table->session[s->table->n_sessions - 1]->number + 1 : 1;
        e->n_axes = (uint32_t)s->n_keys;
        memcpy(e->axis, s->axis, sizeof s->axis);
        rc = job_settings(s, e, &words, error);
    }
    if (rc == 0) rc = new_points(s, ids, &points, error);
    if (rc == 0) {
        ss_job_entry_encode(e, &points, &payload);
        rc = ss_table_append(s->table, s->journal, SS_ENTRY_JOB, &payload, true, error);
        ss_job_entry_encode(e, &(ss_points){0}, &bare);
        if (rc == 0) ss_rescue_begin(&s->rescue, &bare);
    }
    ss_bytes_finish(&bare);
    ss_bytes_finish(&payload);
    ss_points_finish(&points);
    ss_words_finish(&words);
    ss_free(e);
    return rc;
}

static int find_rows(ss_store *s, const unsigned char *ids, ss_error *error)
{
    s->row = ss_alloc(s->n_points, sizeof *s->row);
    if (!s->row) return ss_fail(error, "no memory for %zu points", s->n_points);
    for (size_t i = 0; i < s->n_points; i++) {
        int64_t row = ss_table_find(s->table, ids + i * SS_ID_RAW);
        if (row < 0) return ss_fail(error, "point %zu has no row", i);
        s->row[i] = (uint32_t)row;
    }
    return 0;
}

static int cut_torn(ss_store *s, const ss_replay *replay, ss_error *error)
{
    if (!replay->torn_bytes) return 0;
    ss_log(SS_LOG_WARNING, "%s: the last %llu bytes are no whole entry (its writer was killed) and are cut",
           s->journal->path, (unsigned long long)replay->torn_bytes);
    return ss_journal_cut(s->journal, replay->end, error);
}

/* The journal is the truth, but only as long as it has its end: what just the file still holds is not computed again. */
static int take_over(ss_store *s, size_t n_lacking, ss_error *error)
{
    bool all = s->table->n_sessions == 0;
    if (ss_import(s->path, s->table, s->journal, error)) return ss_resume_fail_lost(s->journal->path, n_lacking, error);
    ss_log(SS_LOG_WARNING, "%s: had lost %s; %zu rows were taken over from %s", s->journal->path,
           all ? "all that it held" : "its end", n_lacking, s->path);
    return 0;
}

/* All that happens on the disk, in an order in which a kill at any time loses nothing. */
static int write_opening(ss_store *s, const ss_resume *resume, const ss_replay *replay, size_t n_lacking, bool exists,
                         bool *begun, ss_error *error)
{
    *begun = *begun || n_lacking > 0;
    if (n_lacking && (cut_torn(s, replay, error) || take_over(s, n_lacking, error))) return -1;
    if (ss_resume_check(resume, s->journal, error)) return -1;
    *begun = true;
    if (!n_lacking && cut_torn(s, replay, error)) return -1;
    if (append_job(s, resume->provenance, resume->ids, error) || find_rows(s, resume->ids, error)) return -1;
    if (!exists && ss_journal_publish(s->journal, false, error)) return -1;
    s->stale = true;
    return ss_store_refresh(s, true, error);
}

static int open_checked(ss_store *s, const ss_provenance *p, const unsigned char *ids, ss_error *error)
{
    char journal_path[SS_PATH_BYTES];
    ss_replay replay = {0};
    ss_journal_mark mark;
    size_t n_lacking = 0;
    const ss_resume resume = {s->table, s->path, s->job, s->grid, p, ids};
    if (ss_resume_check_weights(s->path, s->job, error) || ss_journal_path(s->path, journal_path, error)) return -1;
    bool exists = access(journal_path, F_OK) == 0, empty = exists && !ss_journal_exists(journal_path), begun = empty;
    int rc = exists ? open_existing(s, journal_path, empty, &replay, &n_lacking, error) : open_new(s, journal_path, error);
    if (rc == 0) rc = ss_journal_remember(s->journal, exists ? replay.end : s->journal->end, &mark, error);
    if (empty && s->journal && rc) ss_journal_cut(s->journal, 0, NULL);
    if (rc) return -1;
    if (empty) mark.whole = 0;
    rc = write_opening(s, &resume, &replay, n_lacking, exists, &begun, error);
    if (rc && exists && begun) ss_journal_restore(s->journal, &mark); /* refused: as if nothing had been */
    if (rc && !exists && strcmp(s->journal->path, journal_path) == 0) unlink(journal_path); /* published by us just now */
    ss_journal_forget(&mark);
    if (rc == 0) ss_lock_note(s->journal);
    return rc;
}

/* Identities first: the check needs them. */
static int open_identified(ss_store *s, const ss_provenance *p, ss_error *error)
{
    unsigned char *ids = ss_alloc(s->n_points, SS_ID_RAW);
    if (!ids) return ss_fail(error, "no memory for %zu points", s->n_points);
    int rc = ss_resume_identify(s->grid, p, ids, error) || open_checked(s, p, ids, error) ? -1 : 0;
    ss_free(ids);
    return rc;
}

static void store_free(ss_store *s)
{
    ss_table_destroy(s->table);
    ss_journal_close(s->journal);
    ss_rescue_finish(&s->rescue);
    ss_free(s->row);
    ss_free(s);
}

ss_store *ss_store_open(const char *path, const ss_job *job, const ss_grid *grid, const ss_provenance *provenance,
                        ss_error *error)
{
    ss_store *s = ss_alloc(1, sizeof *s);
    if (!s) {
        ss_fail(error, "%s: no memory", path);
        return NULL;
    }
    s->job = job;
    s->grid = grid;
    s->n_points = ss_grid_count(grid);
    s->n_keys = ss_job_axis_keys(job, s->key, error);
    for (int k = 0; k < s->n_keys; k++) s->axis[k] = s->key[k]->name;
    s->table = ss_table_create(error);
    if (s->n_keys >= 0 && s->table && ss_results_resolve(path, s->path, error) == 0 &&
        ss_place_check(path, s->path, error) == 0 && open_identified(s, provenance, error) == 0) {
        ss_checkpoints_tidy(s->path, s->table, true);
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

static int guard(ss_store *s, ss_error *error)
{
    ss_error why = {{0}};
    s->guarded_s = ss_clock_s();
    if (s->rescue.why.text[0]) return ss_rescue_tell(&s->rescue, error);
    if (ss_lock_guard(s->journal, &why) == 0) return 0;
    return ss_rescue_make(&s->rescue, s->path, s->table, s->journal, &why, error);
}

int ss_store_guard(ss_store *store, ss_error *error)
{
    return ss_clock_s() - store->guarded_s < GUARD_PAUSE_S ? 0 : guard(store, error);
}

int ss_store_start(ss_store *store, size_t point, int worker, ss_error *error)
{
    if (guard(store, error)) return -1;
    ss_start_entry e = {.worker = worker, .count = 1, .time = (uint64_t)time(NULL)};
    ss_bytes payload = {0};
    memcpy(e.id, store->table->row[store->row[point]].id, SS_ID_RAW);
    ss_start_entry_encode(&e, &payload);
    int rc = ss_table_append(store->table, store->journal, SS_ENTRY_START, &payload, false, error);
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
    bool finished = record->status != SS_PENDING && record->status != SS_FAILED, lost = guard(store, error) != 0;
    ss_grid_settings(store->grid, point, &settings);
    axis_texts(store, &settings, buffer, value);
    int rc = ss_done_entry_encode(t->session[t->n_sessions - 1]->number, t->row[store->row[point]].id,
                                  (uint32_t)store->n_keys, store->axis, value, record, &payload, lost ? NULL : error);
    if (rc == 0 && lost) {
        ss_rescue_late(&store->rescue, &payload, finished);
        rc = ss_rescue_tell(&store->rescue, error);
    } else if (rc == 0) {
        rc = ss_table_append(store->table, store->journal, SS_ENTRY_DONE, &payload, true, error);
        if (rc == 0) ss_rescue_keep(&store->rescue, &payload, finished);
    }
    ss_bytes_finish(&payload);
    if (rc) return rc;
    store->stale = true;
    const ss_row *row = &t->row[store->row[point]];
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
    int rc = ss_results_write(store->path, store->table, store->journal, error);
    store->rebuilt_s = ss_clock_s();
    store->rebuild_s = store->rebuilt_s - begin_s;
    if (rc == 0) store->stale = false;
    if (rc == 0) ss_rescue_rebuilt(&store->rescue);
    return rc;
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
        if (ss_table_record(store->table, store->journal, row, &record, error)) return -1;
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

int ss_store_close(ss_store *store, ss_error *error)
{
    if (!store) return 0;
    int rc = store->stale ? ss_store_refresh(store, true, error) : 0;
    if (!store->rescue.why.text[0]) /* else they are another run's */
        ss_checkpoints_tidy(store->path, store->table, false); /* a worker that could not be waited for may be writing yet */
    store_free(store);
    return rc;
}
