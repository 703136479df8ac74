/* session.c - the JOB entry: what a run is, under which settings, and the points that it adds. */
#include "writer.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

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
void ss_store_axis_texts(const ss_store *s, const ss_settings *settings, char buffer[][64], const char *value[])
{
    for (int k = 0; k < s->n_keys; k++) value[k] = ss_setting_text(s->key[k], settings, buffer[k], 64);
}

/* The grid points that the file does not know. */
static int new_points(const ss_store *s, ss_points *points, ss_error *error)
{
    ss_settings settings;
    char buffer[SS_MAX_JOB_KEYS][64];
    const char *value[SS_MAX_JOB_KEYS];
    for (size_t i = 0; i < s->n_points; i++) {
        const unsigned char *id = s->ids + i * SS_ID_RAW;
        if (ss_table_find(s->table, id) >= 0) continue;
        ss_grid_settings(s->grid, i, &settings);
        ss_store_axis_texts(s, &settings, buffer, value);
        if (ss_points_add(points, id, (uint32_t)s->n_keys, value)) return ss_fail(error, "no memory for the grid's points");
    }
    return 0;
}

/* Two copies, in one write; the index gets the first. */
static int append_job_entry(ss_store *s, const unsigned char *payload, size_t n, ss_error *error)
{
    ss_bytes framed = {0}, copy = {0};
    ss_bytes_raw(&copy, payload, n);
    for (int k = 0; k < 2; k++) ss_entry_frame(&framed, SS_ENTRY_JOB, &copy);
    const ss_entry entry = {SS_ENTRY_JOB, (uint32_t)n, s->journal->e.end, s->journal->e.end + framed.n / 2, copy.p};
    int rc = ss_journal_append(s->journal, &framed, true, error);
    if (rc == 0) rc = ss_table_apply(s->table, &entry, error) ? -1 : 0;
    if (rc == 0) s->announced = true;
    ss_bytes_finish(&copy);
    ss_bytes_finish(&framed);
    return rc;
}

/* Where it lists no points it waits until one is started: with nothing to do neither file is touched. */
static int put_job_entry(ss_store *s, const ss_job_entry *e, const ss_points *points, ss_error *error)
{
    ss_bytes payload = {0};
    ss_job_entry_encode(e, points, &payload);
    int rc = payload.failed ? ss_fail(error, "no memory for a JOB entry") : 0;
    if (rc == 0 && points->n) rc = append_job_entry(s, payload.p, payload.n, error);
    payload.n = 0;
    ss_job_entry_encode(e, &(ss_points){0}, &payload);
    ss_entry_frame(&s->recent, SS_ENTRY_JOB, &payload);
    s->job_bytes = s->recent.n;
    ss_bytes_finish(&payload);
    return rc;
}

int ss_store_announce(ss_store *s, ss_error *error)
{
    if (s->announced) return 0;
    if (s->recent.failed) return ss_fail(error, "no memory for a JOB entry");
    return append_job_entry(s, s->recent.p + SS_ENTRY_HEAD_BYTES, s->job_bytes - SS_ENTRY_HEAD_BYTES, error);
}

int ss_store_prepare_job(ss_store *s, const ss_provenance *p, ss_error *error)
{
    char now[SS_TIME_BYTES], host[64] = "unknown";
    const char *slash = s->job->path ? strrchr(s->job->path, '/') : NULL;
    ss_words words = {0};
    ss_points points = {0};
    ss_job_entry *e = ss_alloc(1, sizeof *e);
    if (!e) return ss_fail(error, "no memory for a JOB entry");
    ss_time_now(now);
    gethostname(host, sizeof host - 1);
    const char *info[SS_N_INFO] = {s->job->text, slash ? slash + 1 : s->job->path, now, host, p->version,
                                   p->commit, p->mpi, p->blas, ss_h5_version(), p->cpu, p->data_path, p->data_digest,
                                   p->kernels};
    memcpy(e->info, info, sizeof info);
    e->number = s->table->n_sessions ? s->table->session[s->table->n_sessions - 1]->number + 1 : 1;
    e->n_axes = (uint32_t)s->n_keys;
    memcpy(e->axis, s->axis, sizeof s->axis);
    int rc = job_settings(s, e, &words, error) || new_points(s, &points, error) || put_job_entry(s, e, &points, error) ? -1 : 0;
    ss_points_finish(&points);
    ss_words_finish(&words);
    ss_free(e);
    return rc;
}
