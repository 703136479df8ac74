/* results_read.c - results for people and programs above: columns of numbers and texts, from the HDF5 file or, live, from
 * the journal, which is read beside its writer without a lock. */
#include "inspect.h"
#include "sharpsweep/store.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Links whose target does not exist yet, which realpath does not follow. Returns the length. */
static int follow(char path[SS_PATH_BYTES])
{
    char target[SS_PATH_BYTES], joined[2 * SS_PATH_BYTES];
    int n = (int)strlen(path);
    for (int hops = 0; hops < 64; hops++) { /* no loop: realpath would have said so */
        ssize_t length = readlink(path, target, sizeof target - 1);
        if (length < 0) break;
        target[length] = '\0';
        const char *slash = target[0] == '/' ? NULL : strrchr(path, '/');
        n = snprintf(joined, sizeof joined, "%.*s%s", slash ? (int)(slash + 1 - path) : 0, path, target);
        if (n >= SS_PATH_BYTES) break;
        memcpy(path, joined, (size_t)n + 1);
    }
    return n;
}

int ss_store_resolve(const char *path, char out[SS_PATH_BYTES], ss_error *error)
{
    char *real = realpath(path, NULL);
    if (!real && errno == ELOOP) return ss_fail(error, "%s: is a symbolic link that leads back to itself", path);
    int n = snprintf(out, SS_PATH_BYTES, "%s", real ? real : path);
    if (!real && n < SS_PATH_BYTES) n = follow(out);
    free(real); /* libc's */
    return n < SS_PATH_BYTES ? 0 : ss_fail(error, "%.80s...: path of more than %d bytes", path, SS_PATH_BYTES - 1);
}

int ss_weights_folder(const char *results, char *out, size_t out_bytes)
{
    size_t n = strlen(results);
    if (n > 3 && strcmp(results + n - 3, ".h5") == 0) n -= 3;
    int used = snprintf(out, out_bytes, "%.*s.weights", (int)n, results);
    return used < 0 || (size_t)used >= out_bytes ? -1 : used;
}

/* ---- columns ---------------------------------------------------------------------------------------------------- */

static char *keep(ss_results *r, const char *text)
{
    return (char *)(uintptr_t)ss_words_keep(r->words, text ? text : "");
}

static int add_column(ss_results *r, const ss_variable *v, ss_error *error)
{
    ss_column *c = &r->column[r->n_columns++];
    snprintf(c->name, sizeof c->name, "%s", v->name);
    c->is_setting = v->source == SS_FROM_SETTING;
    c->is_axis = v->is_axis;
    c->text = ss_alloc(r->n, sizeof *c->text);
    if (v->cell != SS_CELL_TEXT) c->number = ss_alloc(r->n, sizeof *c->number);
    return c->text && (v->cell == SS_CELL_TEXT || c->number) ? 0 : ss_fail(error, "no memory for column %s", v->name);
}

/* Most cells of a large sweep say what the cell above says, and then share its text. */
static int fill_column(ss_results *r, ss_column *c, const ss_variable *v, size_t first, size_t n, ss_error *error)
{
    char buffer[4096];
    const char *above = NULL;
    for (size_t i = 0; i < n; i++) {
        size_t row = first + i;
        bool has_record = r->status[row] != SS_PENDING, same = i > 0;
        const char *text = buffer;
        if (v->cell == SS_CELL_TEXT) {
            text = ((const char *const *)v->data)[i];
            same = same && text == above;
            above = text;
        } else {
            c->number[row] = ss_frame_number(v, i);
            same = same && ss_cell_get(v, i) == ss_cell_get(v, i - 1) && has_record == (r->status[row - 1] != SS_PENDING);
            if (!same) ss_frame_text(v, i, has_record, buffer, sizeof buffer);
        }
        c->text[row] = same ? c->text[row - 1] : keep(r, text);
        if (!c->text[row]) return ss_fail(error, "no memory for column %s", v->name);
    }
    return 0;
}

static double age_s(const char *finished, time_t now)
{
    struct tm tm = {0};
    const char *end = finished[0] ? strptime(finished, "%Y-%m-%dT%H:%M:%S", &tm) : NULL;
    return end ? difftime(now, timegm(&tm)) : (double)NAN;
}

static int add_rows(ss_results *r, const ss_frame *f, ss_error *error)
{
    r->words = ss_alloc(1, sizeof(ss_words));
    r->status = ss_alloc(r->n, sizeof *r->status);
    r->running = ss_alloc(r->n, sizeof *r->running);
    r->finished_age_s = ss_alloc(r->n, sizeof *r->finished_age_s);
    r->running_s = ss_alloc(r->n, sizeof *r->running_s);
    r->worker = ss_alloc(r->n, sizeof *r->worker);
    r->id = ss_alloc(r->n, sizeof *r->id);
    r->column = ss_alloc(f->n_variables, sizeof *r->column);
    if (!r->words || !r->status || !r->running || !r->finished_age_s || !r->running_s || !r->worker || !r->id || !r->column)
        return ss_fail(error, "no memory for %zu rows", r->n);
    for (size_t i = 0; i < f->n_variables; i++) {
        const ss_variable *v = &f->variable[i];
        if ((v->source == SS_FROM_FIELD || v->source == SS_FROM_SETTING) && add_column(r, v, error)) return -1;
    }
    return 0;
}

static int fill_rows(ss_results *r, const ss_frame *f, size_t first, size_t n, ss_error *error)
{
    const ss_variable *status = ss_frame_find(f, SS_IN_ROOT, "status"), *end = ss_frame_find(f, SS_IN_ROOT, "finished");
    const char *const *id = ss_frame_find(f, SS_IN_ROOT, "id")->data;
    time_t now = time(NULL);
    for (size_t i = 0; i < n; i++) {
        size_t row = first + i;
        r->status[row] = ((const int8_t *)status->data)[i];
        if (r->status[row] < 0 || r->status[row] >= SS_N_STATUS)
            return ss_fail(error, "row %zu: status %lld is unknown", row, (long long)r->status[row]);
        r->finished_age_s[row] = end ? age_s(((const char *const *)end->data)[i], now) : (double)NAN;
        r->running_s[row] = NAN;
        r->worker[row] = -1;
        if (!(r->id[row] = keep(r, id[i]))) return ss_fail(error, "no memory for %zu rows", r->n);
    }
    for (size_t i = 0, c = 0; i < f->n_variables; i++) {
        const ss_variable *v = &f->variable[i];
        if (v->source != SS_FROM_FIELD && v->source != SS_FROM_SETTING) continue;
        if (fill_column(r, &r->column[c++], v, first, n, error)) return -1;
    }
    return 0;
}

/* ---- from the index ----------------------------------------------------------------------------------------------- */

static void fill_running(ss_results *r, const ss_table *t)
{
    time_t now = time(NULL);
    for (size_t i = 0; i < r->n; i++) {
        const ss_row *row = &t->row[i];
        r->running[i] = r->writer_alive && ss_row_is_running(t, row);
        if (row->starts) r->worker[i] = row->worker;
        if (r->running[i] && row->started_at) r->running_s[i] = difftime(now, (time_t)row->started_at);
    }
}

static int fill(ss_results *r, const ss_table *t, ss_error *error)
{
    enum { STRETCH_ROWS = 4096 };
    if (t->n_sessions == 0 || t->n_rows == 0) return ss_fail(error, "holds no point");
    const ss_session *newest = t->session[t->n_sessions - 1];
    ss_frame *f = ss_frame_of_table(t, error);
    if (!f) return -1;
    r->n = t->n_rows;
    size_t capacity = r->n < STRETCH_ROWS ? r->n : STRETCH_ROWS;
    int rc = ss_frame_allocate(f, capacity, false, error) || add_rows(r, f, error) ? -1 : 0;
    for (size_t at = 0; rc == 0 && at < r->n; at += capacity) {
        size_t n = r->n - at < capacity ? r->n - at : capacity;
        rc = ss_frame_fill(f, t, at, n, error) || fill_rows(r, f, at, n, error) ? -1 : 0;
    }
    ss_frame_destroy(f);
    if (rc) return rc;
    r->job_text = keep(r, newest->info[SS_INFO_JOB_TEXT]);
    if (!r->job_text) return ss_fail(error, "no memory for the results");
    fill_running(r, t);
    r->session_s = age_s(newest->info[SS_INFO_TIME], time(NULL));
    return 0;
}

ss_results *ss_results_open(const char *path, ss_error *error)
{
    ss_inspection in;
    ss_results *r = ss_alloc(1, sizeof *r);
    if (!r) {
        ss_fail(error, "%s: no memory", path);
        return NULL;
    }
    int rc = ss_inspect(path, &in, error) || ss_load(&in, SS_TO_READ, NULL, NULL, error) ? -1 : 0;
    r->writer_alive = in.writer_alive;
    if (rc == 0 && (rc = fill(r, in.table, error)) != 0) ss_fail_in(error, "%s", in.path);
    ss_inspection_finish(&in);
    if (rc == 0) return r;
    ss_results_destroy(r);
    return NULL;
}

int ss_results_snapshot(const char *path, const char *to, ss_error *error)
{
    ss_inspection in;
    ss_results_head head = {.journal_bytes = 0};
    int rc = ss_inspect(path, &in, error) || ss_load(&in, SS_TO_READ, NULL, NULL, error) ? -1 : 0;
    bool lags = rc == 0 && !in.file_is_current;
    memcpy(head.uuid, in.journal.uuid, sizeof head.uuid);
    if (lags) rc = ss_results_write(to, in.table, &head, false, NULL, NULL, error) ? -1 : 1;
    ss_inspection_finish(&in);
    return rc;
}

void ss_results_destroy(ss_results *r)
{
    if (!r) return;
    for (size_t c = 0; c < r->n_columns; c++) {
        ss_free(r->column[c].number);
        ss_free(r->column[c].text);
    }
    ss_free(r->column);
    ss_free(r->status);
    ss_free(r->running);
    ss_free(r->finished_age_s);
    ss_free(r->running_s);
    ss_free(r->worker);
    ss_free(r->id);
    if (r->words) ss_words_finish(r->words);
    ss_free(r->words);
    ss_free(r);
}

const ss_column *ss_results_column(const ss_results *r, const char *name)
{
    for (size_t c = 0; c < r->n_columns; c++)
        if (strcmp(r->column[c].name, name) == 0) return &r->column[c];
    return NULL;
}
