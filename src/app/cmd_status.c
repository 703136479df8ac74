/* cmd_status.c - how far is a sweep? Read from the results file and the journal beside it, without disturbing its writer. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "app.h"
#include "table.h"

enum { MOST_REASONS = 10, RATE_POINTS = 20 };

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

static void print_head(const char *path, const ss_results *r, const tally *t)
{
    char eta[SS_TIME_BYTES];
    printf("%s: %zu %s: %zu finished", path, t->n, t->n == 1 ? "point" : "points", t->finished);
    if (t->diverged || t->limit) printf(" (%zu diverged, %zu at the epoch limit)", t->diverged, t->limit);
    printf(", %zu running, %zu waiting, %zu failed\n", t->running, t->waiting, t->failed);
    double rate = rate_per_s(r);
    if (r->writer_alive && isfinite(rate)) {
        ss_duration_format((double)(t->running + t->waiting) / rate, eta);
        printf("running now, %.3g points per minute, about %s left\n", 60 * rate, eta);
    } else if (r->writer_alive) {
        printf("running now\n");
    } else if (t->waiting || t->failed) {
        printf("not running; `sharpsweep run` with the same job and results file goes on\n");
    } else {
        printf("complete; see the results with `sharpsweep show %s`\n", path);
    }
}

/* The distinct values of an axis in order of appearance. */
static size_t distinct(const ss_column *column, size_t n, const char **value)
{
    size_t n_values = 0;
    for (size_t i = 0; i < n; i++) {
        size_t k = 0;
        while (k < n_values && strcmp(value[k], column->text[i]) != 0) k++;
        if (k == n_values) value[n_values++] = column->text[i];
    }
    return n_values;
}

static int print_axis(const ss_results *r, const ss_column *column, ss_error *error)
{
    static const char *const heads[] = {"finished", "running", "waiting", "failed"};
    const char **value = ss_alloc(r->n, sizeof *value);
    ss_table table = {0};
    int rc = -1;
    if (!value) return ss_fail(error, "no memory for %zu values", r->n);
    size_t n_values = distinct(column, r->n, value);
    if (ss_table_init(&table, 5, n_values, error)) goto done;
    table.head[0] = column->name;
    for (size_t c = 1; c < 5; c++) {
        table.head[c] = heads[c - 1];
        table.right[c] = true;
    }
    for (size_t k = 0; k < n_values; k++) {
        tally t = {0};
        for (size_t i = 0; i < r->n; i++)
            if (strcmp(column->text[i], value[k]) == 0) count(r, i, &t);
        const size_t numbers[] = {t.finished, t.running, t.waiting, t.failed};
        if (ss_table_set(&table, k, 0, error, "%s", value[k])) goto done;
        for (size_t c = 0; c < 4; c++)
            if (ss_table_set(&table, k, c + 1, error, "%zu", numbers[c])) goto done;
    }
    printf("\n");
    rc = ss_table_print(&table, stdout, error);
done:
    ss_table_finish(&table);
    ss_free(value);
    return rc;
}

static void print_failures(const ss_results *r, size_t n_failed)
{
    const ss_column *why = ss_results_column(r, "error");
    size_t n = 0;
    if (n_failed) printf("\nfailed points (`run` tries them again):\n");
    for (size_t i = 0; i < r->n && n < MOST_REASONS && n_failed; i++) {
        if (r->status[i] != SS_FAILED) continue;
        n++;
        printf(" ");
        for (size_t k = 0; k < r->n_columns; k++)
            if (r->column[k].is_axis) printf(" %s=%s", r->column[k].name, r->column[k].text[i]);
        printf(": %s\n", why && why->text[i][0] ? why->text[i] : "no reason is recorded");
    }
    if (n_failed > n) printf("  and %zu more\n", n_failed - n);
}

int ss_cmd_status(const ss_arguments *arguments, ss_error *error)
{
    tally t = {0};
    ss_results *r = ss_results_open(arguments->operand, true, error);
    if (!r) return SS_EXIT_USAGE;
    size_t n_failed = 0;
    for (size_t i = 0; i < r->n; i++) {
        count(r, i, &t);
        n_failed += r->status[i] == SS_FAILED;
    }
    print_head(arguments->operand, r, &t);
    int rc = 0;
    for (size_t k = 0; k < r->n_columns && rc == 0; k++)
        if (r->column[k].is_axis) rc = print_axis(r, &r->column[k], error);
    print_failures(r, n_failed);
    ss_results_destroy(r);
    return rc ? SS_EXIT_ERROR : SS_EXIT_OK;
}
