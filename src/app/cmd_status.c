/* cmd_status.c - how far is a sweep? Read from the results file and the journal beside it, without disturbing its writer. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "app.h"
#include "table.h"

enum { MOST_REASONS = 10, MOST_RUNNING = 24, MOST_VALUES = 40, RATE_POINTS = 20 };
#define NINE_IN_TEN 1.645         /* standard deviations */

typedef struct tally { size_t n, finished, diverged, limit, failed, running, waiting; } tally;

static void count(const ss_results *r, size_t i, tally *t)
{
    t->n++;
    if (r->running[i]) {
        t->running++;             /* a failed point that is being tried again is running */
        return;
    }
    switch (r->status[i]) {
    case SS_FAILED: t->failed++; break;
    case SS_PENDING: t->waiting++; break;
    default:
        t->finished++;
        t->diverged += r->status[i] == SS_DIVERGED;
        t->limit += r->status[i] == SS_EPOCH_LIMIT;
    }
}

/* ---- how fast, how long ----------------------------------------------------------------------------------------------- */

static int by_number(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Points per second over the last RATE_POINTS finished; NaN where fewer than two are known. */
static double rate_per_s(const ss_results *r)
{
    double *age_s = ss_alloc(r->n, sizeof *age_s), rate = NAN;
    size_t n = 0;
    for (size_t i = 0; age_s && i < r->n; i++)
        if (isfinite(r->finished_age_s[i]) && r->status[i] != SS_PENDING) age_s[n++] = r->finished_age_s[i];
    if (n >= 2) {
        qsort(age_s, n, sizeof *age_s, by_number);
        size_t last = n < RATE_POINTS ? n - 1 : RATE_POINTS - 1;
        if (age_s[last] > 0) rate = (double)last / age_s[last];
    }
    ss_free(age_s);
    return rate;
}

static void print_rate(const ss_results *r)
{
    double rate = rate_per_s(r);
    if (isfinite(rate) && rate >= 0.1 / 60)
        printf(", %.3g points per minute", 60 * rate);
    else if (isfinite(rate))
        printf(", %.3g points per hour", 3600 * rate);
}

/* "about 3 h 10 min left (2 h 40 min to 3 h 50 min)". */
static void print_left(const ss_outlook *o)
{
    char left[SS_TIME_BYTES], low[SS_TIME_BYTES], high[SS_TIME_BYTES];
    if (!isfinite(o->left_s)) return;
    ss_duration_format(o->left_s, left);
    ss_duration_format(o->left_s * exp(-NINE_IN_TEN * o->spread), low);
    ss_duration_format(o->left_s * exp(NINE_IN_TEN * o->spread), high);
    printf(", about %s left", left);
    if (strcmp(low, high) != 0)
        printf(" (nine times in ten from %s to %s, by %zu measured points)", low, high, o->n_measured);
}

static void print_head(const char *path, const ss_results *r, const tally *t, const ss_outlook *o)
{
    printf("%s: %zu %s: %zu finished", ss_printable_of(path).text, t->n, t->n == 1 ? "point" : "points", t->finished);
    if (t->diverged || t->limit) printf(" (%zu diverged, %zu at the epoch limit)", t->diverged, t->limit);
    printf(", %zu running, %zu waiting, %zu failed\n", t->running, t->waiting, t->failed);
    if (r->writer_alive) {
        char since[SS_TIME_BYTES];
        printf("running now");
        if (isfinite(r->session_s)) {
            ss_duration_format(r->session_s, since);
            printf(" for %s", since);
        }
        print_rate(r);
        print_left(o);
        printf("\n");
    } else if (t->waiting || t->failed) {
        printf("not running; `sharpsweep run` with the same job and results file goes on");
        if (o->work_s > 0) printf(" (about %.3g core-hours are left)", o->work_s / 3600);
        printf("\n");
    } else {
        printf("complete; see the results with `sharpsweep show %s`\n", ss_printable_of(path).text);
    }
}

/* ---- per axis --------------------------------------------------------------------------------------------------------- */

/* Tallies of the axis's distinct values in order of appearance. Equal texts of a results file are one text. */
static size_t tally_values(const ss_results *r, const ss_column *column, const char **value, tally *t)
{
    size_t n_values = 0, k = 0;
    for (size_t i = 0; i < r->n; i++) {
        if (k >= n_values || value[k] != column->text[i])
            for (k = 0; k < n_values && value[k] != column->text[i]; k++) {}
        if (k == n_values) value[n_values++] = column->text[i];
        count(r, i, &t[k]);
    }
    return n_values;
}

static int fill_axis(ss_table *table, const ss_column *column, const char *const *value, const tally *t, size_t n,
                     ss_error *error)
{
    static const char *const heads[] = {"finished", "running", "waiting", "failed"};
    table->head[0] = column->name;
    for (size_t c = 1; c < 5; c++) {
        table->head[c] = heads[c - 1];
        table->right[c] = true;
    }
    for (size_t k = 0; k < n; k++) {
        const size_t numbers[] = {t[k].finished, t[k].running, t[k].waiting, t[k].failed};
        if (ss_table_set(table, k, 0, error, "%s", value[k])) return -1;
        for (size_t c = 0; c < 4; c++)
            if (ss_table_set(table, k, c + 1, error, "%zu", numbers[c])) return -1;
    }
    return 0;
}

static int print_axis(const ss_results *r, const ss_column *column, ss_error *error)
{
    const char **value = ss_alloc(r->n, sizeof *value);
    tally *t = ss_alloc(r->n, sizeof *t);
    ss_table table = {0};
    int rc = value && t ? 0 : ss_fail(error, "no memory for %zu values", r->n);
    size_t n_values = rc ? 0 : tally_values(r, column, value, t), n = n_values < MOST_VALUES ? n_values : MOST_VALUES;
    if (rc == 0) rc = ss_table_init(&table, 5, n, error);
    if (rc == 0) rc = fill_axis(&table, column, value, t, n, error);
    if (rc == 0) {
        printf("\n");
        rc = ss_table_print(&table, stdout, error);
        if (n_values > n) printf("and %zu more values\n", n_values - n);
    }
    ss_table_finish(&table);
    ss_free(value);
    ss_free(t);
    return rc;
}

/* ---- what runs, what failed ------------------------------------------------------------------------------------------- */

static void print_place(const ss_results *r, size_t i)
{
    for (size_t k = 0; k < r->n_columns; k++)
        if (r->column[k].is_axis)
            printf(" %s=%s", ss_printable_of(r->column[k].name).text, ss_printable_of(r->column[k].text[i]).text);
}

/* Where a worker's latest point of this run was finished; NULL: it has finished none. */
static const char *host_of(const ss_results *r, int64_t worker)
{
    const ss_column *host = ss_results_column(r, "host");
    const char *found = NULL;
    double age_s = r->session_s;
    for (size_t i = 0; host && i < r->n; i++) {
        if (!(r->finished_age_s[i] <= age_s) || ss_results_number(r, "worker", i) != (double)worker) continue;
        age_s = r->finished_age_s[i];
        found = host->text[i];
    }
    return found && found[0] ? found : NULL;
}

static void print_running(const ss_results *r, size_t n_running)
{
    size_t n = 0;
    if (n_running) printf("\nrunning points:\n");
    for (size_t i = 0; i < r->n && n < MOST_RUNNING && n_running; i++) {
        char since[SS_TIME_BYTES];
        if (!r->running[i]) continue;
        n++;
        printf(" ");
        print_place(r, i);
        if (r->worker[i] >= 0) {
            const char *host = host_of(r, r->worker[i]);
            printf(": rank %lld%s%s%s", (long long)r->worker[i], host ? " (" : "", ss_printable_of(host).text, host ? ")" : "");
        }
        if (isfinite(r->running_s[i])) {
            ss_duration_format(r->running_s[i], since);
            printf(", for %s", since);
        }
        printf("\n");
    }
    if (n_running > n) printf("  and %zu more\n", n_running - n);
}

/* The same but for its numbers (seconds, bytes, process numbers)? */
static bool is_alike(const char *a, const char *b)
{
    static const char number[] = "0123456789.";
    for (;; a++, b++) {
        a += strspn(a, number);
        b += strspn(b, number);
        if (*a != *b) return false;
        if (!*a) return true;
    }
}

/* Characters of a reason before what was measured of one point: "... (0.1 s, 0.0 s of processor, 12 MiB)". */
static size_t unmeasured_length(const char *reason)
{
    size_t n = strlen(reason);
    const char *tail = n > 5 && strcmp(reason + n - 5, " MiB)") == 0 ? strrchr(reason, '(') : NULL;
    return tail && tail > reason && strstr(tail, " s, ") ? (size_t)(tail - reason) - 1 : n;
}

/* One reason: how many points, the first of them, where that one ran. */
static size_t print_reason(const ss_results *r, size_t first, const char *reason)
{
    const ss_column *why = ss_results_column(r, "error"), *host = ss_results_column(r, "host");
    double attempts = ss_results_number(r, "attempts", first);
    size_t n = 0;
    for (size_t i = first; i < r->n; i++) n += r->status[i] == SS_FAILED && (!why || is_alike(why->text[i], reason));
    ss_printable shown = ss_printable_of(reason);
    if (n > 1) shown.text[unmeasured_length(shown.text)] = '\0';
    printf("  %zu %s: %s\n   ", n, n == 1 ? "point" : "points", reason[0] ? shown.text : "no reason is recorded");
    print_place(r, first);
    if (host && host->text[first][0])
        printf("; on %s, rank %lld", ss_printable_of(host->text[first]).text, (long long)r->worker[first]);
    if (attempts > 1) printf(", attempt %.0f", attempts);
    printf("%s\n", n > 1 ? "; and others" : "");
    return n;
}

/* Each reason once. */
static void print_failures(const char *path, const ss_results *r, size_t n_failed)
{
    const ss_column *why = ss_results_column(r, "error");
    const char *told[MOST_REASONS];
    size_t n_reasons = 0, n_told = 0;
    if (n_failed == 0) return;
    printf("\nfailed points (`run` tries them again):\n");
    for (size_t i = 0; i < r->n && n_reasons < MOST_REASONS; i++) {
        const char *reason = why ? why->text[i] : "";
        size_t k = 0;
        if (r->status[i] != SS_FAILED) continue;
        while (k < n_reasons && !is_alike(told[k], reason)) k++;
        if (k < n_reasons) continue;
        told[n_reasons++] = reason;
        n_told += print_reason(r, i, reason);
    }
    if (n_failed > n_told) printf("  and %zu more with other reasons\n", n_failed - n_told);
    printf("The run's log (its standard error; under SLURM the job's output file) has a line `failed: ...` for each with\n"
           "its time and host; `sharpsweep show %s --csv` lists all (columns status, error, host, worker, attempts).\n",
           ss_printable_of(path).text);
}

int ss_cmd_status(const ss_arguments *arguments, ss_error *error)
{
    tally t = {0};
    ss_outlook outlook;
    ss_error why = {{0}};
    ss_results *r = ss_results_open(arguments->operand, error);
    if (!r) return SS_EXIT_USAGE;
    size_t n_failed = 0;
    for (size_t i = 0; i < r->n; i++) {
        count(r, i, &t);
        n_failed += r->status[i] == SS_FAILED;
    }
    if (ss_outlook_make(r, &outlook, &why)) ss_log(SS_LOG_WARNING, "nothing can be said of the time left: %s", why.text);
    print_head(arguments->operand, r, &t, &outlook);
    int rc = 0;
    for (size_t k = 0; k < r->n_columns && rc == 0; k++)
        if (r->column[k].is_axis) rc = print_axis(r, &r->column[k], error);
    if (rc == 0) print_running(r, t.running);
    if (rc == 0) print_failures(arguments->operand, r, n_failed);
    ss_results_destroy(r);
    return rc ? SS_EXIT_ERROR : SS_EXIT_OK;
}
