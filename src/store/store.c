/* store.c - a sweep's results as their one writer sees them. Order of everything: check, then touch the disk; journal
 * first, then the HDF5 file, which is only ever a copy. */
#include "resume.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Rebuilding may take this share of the time, and not more often than this. */
#define REBUILD_SHARE 0.02
#define REBUILD_PAUSE_S 1.0

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
};

const char *ss_store_describe(void)
{
    return ss_h5_version();
}

/* ---- opening ---------------------------------------------------------------------------------------------------- */

static int open_existing(ss_store *s, const char *journal_path, ss_replay *replay, ss_error *error)
{
    s->journal = ss_journal_open(journal_path, true, error);
    if (!s->journal || ss_table_replay(s->table, s->journal, replay, NULL, NULL, error)) return -1;
    return ss_resume_check_file(s->path, s->journal, error);
}

/* No journal: a new one, filled from the results file if there is one. Nothing appears under its name yet. */
static int open_new(ss_store *s, const char *journal_path, ss_error *error)
{
    unsigned char uuid[SS_UUID_BYTES];
    bool has_uuid = false, has_file = access(s->path, F_OK) == 0;
    if (has_file) {
        ss_results_file *f = ss_results_file_open(s->path, false, error);
        if (!f) return -1;
        has_uuid = ss_uuid_parse(f->uuid, uuid) == 0;
        ss_results_file_close(f);
    }
    s->journal = ss_journal_create(journal_path, has_uuid ? uuid : NULL, error);
    if (!s->journal) return -1;
    if (!has_file) return 0;
    ss_log(SS_LOG_WARNING, "%s: its journal is missing and is made again from it", s->path);
    return ss_import(s->path, s->table, s->journal, error);
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

static int point_id(const ss_store *s, size_t point, const char *digest, ss_settings *settings, unsigned char id[SS_ID_RAW])
{
    char text[SS_ID_BYTES];
    ss_grid_settings(s->grid, point, settings);
    ss_point_identify(settings, digest, text);
    return ss_id_pack(text, id);
}

/* The grid points that the file does not know; `ids` gets every point's identity. */
static int new_points(const ss_store *s, const char *digest, ss_points *points, unsigned char *ids, ss_error *error)
{
    ss_settings settings;
    char buffer[SS_MAX_JOB_KEYS][64];
    const char *value[SS_MAX_JOB_KEYS];
    for (size_t i = 0; i < s->n_points; i++) {
        unsigned char *id = ids + i * SS_ID_RAW;
        if (point_id(s, i, digest, &settings, id)) return ss_fail(error, "point %zu: its identity is not 32 hex digits", i);
        if (ss_table_find(s->table, id) >= 0) continue;
        axis_texts(s, &settings, buffer, value);
        if (ss_points_add(points, id, (uint32_t)s->n_keys, value)) return ss_fail(error, "no memory for the grid's points");
    }
    return 0;
}

static int append_job(ss_store *s, const ss_provenance *p, unsigned char *ids, ss_error *error)
{
    char now[SS_TIME_BYTES];
    const char *slash = s->job->path ? strrchr(s->job->path, '/') : NULL;
    ss_words words = {0};
    ss_points points = {0};
    ss_bytes payload = {0};
    ss_job_entry *e = ss_alloc(1, sizeof *e);
    int rc = e ? 0 : ss_fail(error, "no memory for a JOB entry");
    ss_time_now(now);
    if (e) {
        const char *info[SS_N_INFO] = {s->job->text, slash ? slash + 1 : s->job->path, now, host_name(), p->version,
                                       p->commit, p->mpi, p->blas, ss_h5_version(), p->cpu, p->data_path, p->data_digest};
        memcpy(e->info, info, sizeof info);
        e->number = s->table->n_sessions ? s->table->session[s->table->n_sessions - 1]->number + 1 : 1;
        e->n_axes = (uint32_t)s->n_keys;
        memcpy(e->axis, s->axis, sizeof s->axis);
        rc = job_settings(s, e, &words, error);
    }
    if (rc == 0) rc = new_points(s, p->data_digest ? p->data_digest : "", &points, ids, error);
    if (rc == 0) {
        ss_job_entry_encode(e, &points, &payload);
        rc = ss_table_append(s->table, s->journal, SS_ENTRY_JOB, &payload, true, error);
    }
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

static int open_checked(ss_store *s, const ss_provenance *p, ss_error *error)
{
    char journal_path[SS_PATH_BYTES];
    ss_replay replay = {0};
    if (ss_journal_path(s->path, journal_path, error)) return -1;
    bool exists = access(journal_path, F_OK) == 0;
    if (exists ? open_existing(s, journal_path, &replay, error) : open_new(s, journal_path, error)) return -1;
    if (ss_resume_check(s->table, s->path, s->job, p, error)) return -1;
    /* From here on the disk changes. */
    if (replay.torn_bytes) {
        ss_log(SS_LOG_WARNING, "%s: the last %llu bytes are no whole entry (its writer was killed) and are cut",
               journal_path, (unsigned long long)replay.torn_bytes);
        if (ss_journal_cut(s->journal, replay.end, error)) return -1;
    }
    unsigned char *ids = ss_alloc(s->n_points, SS_ID_RAW);
    int rc = ids ? append_job(s, p, ids, error) : ss_fail(error, "no memory for %zu points", s->n_points);
    if (rc == 0) rc = find_rows(s, ids, error);
    ss_free(ids);
    if (rc) return -1;
    ss_lock_note(s->journal);
    if (!exists && ss_journal_publish(s->journal, false, error)) return -1;
    s->stale = true;
    return ss_store_refresh(s, true, error);
}

static void store_free(ss_store *s)
{
    ss_table_destroy(s->table);
    ss_journal_close(s->journal);
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
        open_checked(s, provenance, error) == 0)
        return s;
    store_free(s);
    return NULL;
}

/* ---- the sweep's life ------------------------------------------------------------------------------------------- */

bool ss_store_is_finished(const ss_store *store, size_t point)
{
    return ss_row_is_finished(&store->table->row[store->row[point]]);
}

int64_t ss_store_attempts(const ss_store *store, size_t point)
{
    return store->table->row[store->row[point]].starts;
}

int ss_store_start(ss_store *store, size_t point, int worker, ss_error *error)
{
    ss_start_entry e = {.worker = worker, .count = 1};
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
    ss_grid_settings(store->grid, point, &settings);
    axis_texts(store, &settings, buffer, value);
    int rc = ss_done_entry_encode(t->session[t->n_sessions - 1]->number, t->row[store->row[point]].id,
                                  (uint32_t)store->n_keys, store->axis, value, record, &payload, error);
    if (rc == 0) rc = ss_table_append(store->table, store->journal, SS_ENTRY_DONE, &payload, true, error);
    ss_bytes_finish(&payload);
    if (rc == 0) store->stale = true;
    return rc;
}

int ss_store_refresh(ss_store *store, bool now, ss_error *error)
{
    double begin_s = ss_clock_s();
    if (!now) {
        double pause_s = store->rebuild_s / REBUILD_SHARE;
        if (!store->stale || begin_s - store->rebuilt_s < (pause_s > REBUILD_PAUSE_S ? pause_s : REBUILD_PAUSE_S)) return 0;
    }
    int rc = ss_results_write(store->path, store->table, store->journal, error);
    store->rebuilt_s = ss_clock_s();
    store->rebuild_s = store->rebuilt_s - begin_s;
    if (rc == 0) store->stale = false;
    return rc;
}

int ss_store_weights_path(const ss_store *store, size_t point, char *out, size_t out_bytes)
{
    char id[SS_ID_BYTES];
    size_t n = strlen(store->path);
    if (n > 3 && strcmp(store->path + n - 3, ".h5") == 0) n -= 3;
    ss_id_format(store->table->row[store->row[point]].id, id);
    int used = snprintf(out, out_bytes, "%.*s.weights", (int)n, store->path);
    if (used < 0 || (size_t)used + 1 + strlen(id) + 3 >= out_bytes) return -1;
    if (mkdir(out, 0777) && errno != EEXIST) return -1;
    snprintf(out + used, out_bytes - (size_t)used, "/%s.h5", id);
    return 0;
}

int ss_store_close(ss_store *store, ss_error *error)
{
    if (!store) return 0;
    int rc = store->stale ? ss_store_refresh(store, true, error) : 0;
    store_free(store);
    return rc;
}
