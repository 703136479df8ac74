/* entry.c - bytes of the journal's entries. The JOB entry is decoded by table.c, straight into the index. */
#include "entry.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

const char *const ss_info_name[SS_N_INFO] = {"job_text", "job_name", "time", "host", "sharpsweep_version",
                                             "sharpsweep_commit", "mpi", "blas", "hdf5", "cpu", "data_path", "data_digest",
                                             "kernels"};

int ss_points_add(ss_points *points, const unsigned char id[SS_ID_RAW], uint32_t n_axes, const char *const *value)
{
    ss_bytes_raw(&points->rows, id, SS_ID_RAW);
    for (uint32_t a = 0; a < n_axes; a++) {
        uint32_t word = ss_words_add(&points->words, value[a], strlen(value[a]));
        if (word == SS_NO_WORD) return -1;
        ss_bytes_u32(&points->rows, word);
    }
    points->n++;
    return points->rows.failed ? -1 : 0;
}

void ss_points_finish(ss_points *points)
{
    ss_words_finish(&points->words);
    ss_bytes_finish(&points->rows);
    points->n = 0;
}

void ss_job_entry_encode(const ss_job_entry *e, const ss_points *points, ss_bytes *out)
{
    ss_bytes_u32(out, e->number);
    ss_bytes_u32(out, SS_N_INFO);
    for (int i = 0; i < SS_N_INFO; i++) ss_bytes_text(out, e->info[i]);
    ss_bytes_u32(out, e->n_axes);
    for (uint32_t a = 0; a < e->n_axes; a++) ss_bytes_text(out, e->axis[a]);
    ss_bytes_u32(out, e->n_settings);
    for (uint32_t s = 0; s < e->n_settings; s++) {
        ss_bytes_text(out, e->setting[s]);
        ss_bytes_text(out, e->text[s]);
    }
    ss_bytes_u32(out, points->words.n);
    for (uint32_t w = 0; w < points->words.n; w++) ss_bytes_text(out, points->words.text[w]);
    ss_bytes_u64(out, points->n);
    ss_bytes_raw(out, points->rows.p, points->rows.n);
    if (points->rows.failed) out->failed = true;
}

void ss_start_entry_encode(const ss_start_entry *e, ss_bytes *out)
{
    ss_bytes_raw(out, e->id, SS_ID_RAW);
    ss_bytes_u32(out, (uint32_t)e->worker);
    ss_bytes_u32(out, e->count);
    ss_bytes_u64(out, e->time);
}

int ss_start_entry_decode(const unsigned char *p, size_t n, ss_start_entry *e)
{
    ss_view v = {p, p + n, false};
    const unsigned char *id = ss_view_raw(&v, SS_ID_RAW);
    uint32_t worker = ss_view_u32(&v);
    e->count = ss_view_u32(&v);
    e->time = ss_view_left(&v) ? ss_view_u64(&v) : 0; /* the first programs did not write it */
    if (v.bad || ss_view_left(&v)) return -1;
    memcpy(e->id, id, SS_ID_RAW);
    memcpy(&e->worker, &worker, sizeof worker);
    return 0;
}

int ss_done_entry_encode(uint32_t job, const unsigned char id[SS_ID_RAW], uint32_t n_axes, const char *const *axis,
                         const char *const *value, const ss_record *record, ss_bytes *out, ss_error *error)
{
    unsigned char *bytes = NULL;
    size_t n = 0;
    if (record->status < 0 || record->status >= SS_N_STATUS || record->status == SS_PENDING)
        return ss_fail(error, "a record of status %lld cannot be kept; expected done, diverged, epoch_limit or failed",
                       (long long)record->status);
    if (record->history.n_rows > UINT32_MAX || record->track.n_rows > UINT32_MAX || record->n_eigenvalues > UINT32_MAX)
        return ss_fail(error, "a record of more than %u rows cannot be kept", UINT32_MAX);
    if (ss_record_encode(record, &bytes, &n, error)) return -1;
    ss_bytes_u32(out, job);
    ss_bytes_raw(out, id, SS_ID_RAW);
    ss_bytes_u8(out, (uint8_t)record->status);
    ss_bytes_u32(out, (uint32_t)record->history.n_rows);
    ss_bytes_u32(out, (uint32_t)record->track.n_rows);
    ss_bytes_u32(out, (uint32_t)record->n_eigenvalues);
    ss_bytes_u32(out, n_axes);
    for (uint32_t a = 0; a < n_axes; a++) {
        size_t name_n = strlen(axis[a]), value_n = strlen(value[a]);
        ss_bytes_u32(out, (uint32_t)(name_n + 1 + value_n));
        ss_bytes_raw(out, axis[a], name_n);
        ss_bytes_raw(out, "=", 1);
        ss_bytes_raw(out, value[a], value_n);
    }
    ss_bytes_u32(out, (uint32_t)n);
    ss_bytes_raw(out, bytes, n);
    ss_free(bytes);
    return 0;
}

int ss_done_entry_decode(const unsigned char *p, size_t n, ss_done_entry *e)
{
    ss_view v = {p, p + n, false};
    e->job = ss_view_u32(&v);
    const unsigned char *id = ss_view_raw(&v, SS_ID_RAW);
    e->status = ss_view_u8(&v);
    e->n_history = ss_view_u32(&v);
    e->n_track = ss_view_u32(&v);
    e->n_eigenvalues = ss_view_u32(&v);
    e->n_axes = ss_view_u32(&v);
    if (v.bad || e->n_axes > SS_MAX_FILE_AXES || e->status == SS_PENDING || e->status >= SS_N_STATUS) return -1;
    memcpy(e->id, id, SS_ID_RAW);
    for (uint32_t a = 0; a < e->n_axes; a++) {
        e->axis[a] = ss_view_text(&v, &e->axis_n[a]);
        if (!memchr(e->axis[a], '=', e->axis_n[a])) return -1;
    }
    e->record_n = ss_view_u32(&v);
    e->record = ss_view_raw(&v, e->record_n);
    if (v.bad || ss_view_left(&v)) return -1;
    size_t most = e->record_n / sizeof(double); /* a count that its record cannot hold is not believed */
    return e->n_history <= most && e->n_track <= most && e->n_eigenvalues <= most ? 0 : -1;
}

int ss_record_contradicts(const ss_done_entry *e, const ss_record *r, ss_error *error)
{
    if (r->status == e->status && r->history.n_rows == e->n_history && r->track.n_rows == e->n_track &&
        r->n_eigenvalues == e->n_eigenvalues)
        return 0;
    return ss_fail(error, "the entry contradicts its own record");
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

const char *ss_id_read(const char *text, unsigned char id[SS_ID_RAW])
{
    for (int i = 0; i < SS_ID_RAW; i++) {
        int high = hex_digit(text[2 * i]);
        int low = high < 0 ? -1 : hex_digit(text[2 * i + 1]);
        if (low < 0) return NULL;
        id[i] = (unsigned char)(high << 4 | low);
    }
    return text + 2 * SS_ID_RAW;
}

int ss_id_pack(const char *text, unsigned char id[SS_ID_RAW])
{
    const char *end = ss_id_read(text, id);
    return end && *end == '\0' ? 0 : -1;
}

void ss_id_format(const unsigned char id[SS_ID_RAW], char text[SS_ID_BYTES])
{
    for (int i = 0; i < SS_ID_RAW; i++) snprintf(text + 2 * i, 3, "%02x", id[i]);
}
