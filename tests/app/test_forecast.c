/* test_forecast.c - predicted against actual times: a small real sweep over mixed networks and settings, half of it learnt
 * from, the other half held against what is predicted of it. */
#include "../../src/app/trial.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../suite.h"

#define SMALL "data: {dataset: synthetic, synthetic_train: 64, synthetic_test: 8}\n"

static const char mixed[] =
    "model:\n  widths: [48, 48]\n  layers:\n    - conv2d: {units: 6, kernel: 3, padding: 1}\n    - relu\n    - max_pool: 2\n"
    "    - flatten\n    - linear: 10\n"
    "data: {dataset: synthetic, synthetic_train: 600, synthetic_test: 200, synthetic_size: 12, synthetic_channels: 1,\n"
    "       synthetic_classes: 10, synthetic_noise: 1}\n"
    "training: {max_epochs: 20, target_train_accuracy: 0.8}\n"
    "curvature: {curvature_examples: 300, curvature_max_hvp: 8, curvature_tolerance: 1e-12}\n"
    "grid:\n  network: [mlp, layers]\n  learning_rate: [0.003, 0.03, 0.3]\n  batch_size: [4, 20, full]\n"
    "  sam_rho: [0, 0.05]\n  batch_norm: [false, true]\n";

typedef struct bench {
    ss_job *job;
    ss_study *study;
    ss_forecast *forecast;
    size_t n;
    ss_record *record;
    double *actual_s;
} bench;

static double cpu_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void bench_open(bench *b, const char *text)
{
    ss_error error = {{0}};
    *b = (bench){.job = ss_job_parse(text, "mixed.yaml", &error)};
    if (b->job) b->study = ss_study_create(b->job, &error);
    if (b->study) b->forecast = ss_forecast_create(b->study, 5e9, &error);
    if (!b->forecast) fprintf(stderr, "\n    %s\n", error.text);
    CU_ASSERT_PTR_NOT_NULL_FATAL(b->forecast);
    b->n = ss_grid_count(ss_study_grid(b->study));
    b->record = ss_alloc(b->n, sizeof *b->record);
    b->actual_s = ss_alloc(b->n, sizeof *b->actual_s);
}

static void bench_close(bench *b)
{
    for (size_t i = 0; i < b->n; i++) ss_record_finish(&b->record[i]);
    ss_free(b->record);
    ss_free(b->actual_s);
    ss_forecast_destroy(b->forecast);
    ss_study_destroy(b->study);
    ss_job_destroy(b->job);
}

/* A test machine is busy with other tests: the point takes what this process had of the processor, shared out between its
 * parts as the record's times are. */
static void run_all(bench *b)
{
    const ss_trial trial = {.study = b->study};
    ss_error error = {{0}};
    for (size_t i = 0; i < b->n; i++) {
        ss_record *r = &b->record[i];
        double cpu = cpu_s();
        ss_record_init(r);
        CU_ASSERT_EQUAL(ss_trial_run(&trial, i, r, &error), 0);
        b->actual_s[i] = cpu_s() - cpu;
        double share = b->actual_s[i] / (r->train_s + r->curvature_s);
        r->train_s *= share;
        r->curvature_s *= share;
    }
}

/* Spearman's rank correlation of two lists without ties. */
static double rank_correlation(size_t n, const double *a, const double *b)
{
    double squares = 0;
    for (size_t i = 0; i < n; i++) {
        double rank_a = 0, rank_b = 0;
        for (size_t k = 0; k < n; k++) {
            rank_a += a[k] < a[i];
            rank_b += b[k] < b[i];
        }
        squares += (rank_a - rank_b) * (rank_a - rank_b);
    }
    double m = (double)n;
    return 1 - 6 * squares / (m * (m * m - 1));
}

static size_t n_within(size_t n, const double *a, const double *b, double factor)
{
    size_t k = 0;
    for (size_t i = 0; i < n; i++) k += fabs(log(a[i] / b[i])) <= log(factor);
    return k;
}

/* The points that were not learnt from: predicted and actual seconds; their number. */
static size_t unseen(const bench *b, double *predicted, double *actual)
{
    size_t n = 0;
    for (size_t i = 0; i < b->n; i++) {
        if (i * 7 % 5 < 2) continue;
        predicted[n] = ss_forecast_costs(b->forecast)[i];
        actual[n++] = b->actual_s[i];
    }
    return n;
}

static void predicted_against_actual(void)
{
    bench b;
    bench_open(&b, mixed);
    run_all(&b);
    double *predicted = ss_alloc(b.n, sizeof *predicted), *actual = ss_alloc(b.n, sizeof *actual);
    size_t n = unseen(&b, predicted, actual);
    double counted = rank_correlation(n, predicted, actual);
    CU_ASSERT(counted > 0.5); /* by the count of work alone */
    for (size_t i = 0; i < b.n; i++)
        if (i * 7 % 5 < 2) ss_forecast_learn_point(b.forecast, i, &b.record[i]);
    CU_ASSERT(ss_forecast_update(b.forecast, true));
    CU_ASSERT(!ss_forecast_update(b.forecast, false)); /* nothing new since */
    unseen(&b, predicted, actual);
    double corrected = rank_correlation(n, predicted, actual);
    size_t within = n_within(n, predicted, actual, 2);
    printf("\n    %zu points, %zu learnt from: rank correlation %.3f counted, %.3f corrected; %zu of %zu unseen within a "
           "factor of 2; spread %.2f\n", b.n, b.n - n, counted, corrected, within, n,
           ss_cost_model_spread(ss_forecast_model(b.forecast)));
    CU_ASSERT(corrected > 0.8);
    CU_ASSERT(within * 10 >= n * 7); /* other programs run on this machine too */
    double sum_predicted = 0, sum_actual = 0;
    for (size_t i = 0; i < n; i++) {
        sum_predicted += predicted[i];
        sum_actual += actual[i];
    }
    double spread = ss_cost_model_sum_spread(ss_forecast_model(b.forecast), n, predicted);
    CU_ASSERT(fabs(log(sum_predicted / sum_actual)) < 3 * spread); /* the interval that is shown is an honest one */
    ss_free(predicted);
    ss_free(actual);
    bench_close(&b);
}

/* Failed points, and points of networks or data that this study does not have, teach nothing. */
static void what_cannot_be_compared(void)
{
    bench b;
    bench_open(&b, SMALL "grid: {learning_rate: [0.1, 0.2]}\n");
    ss_record r;
    ss_settings s;
    ss_record_init(&r);
    r.train_s = 1;
    r.curvature_s = 1;
    r.status = SS_FAILED;
    ss_forecast_learn_point(b.forecast, 0, &r);
    r.status = SS_DONE;
    ss_grid_settings(ss_study_grid(b.study), 0, &s);
    s.network = "cnn";
    ss_forecast_learn(b.forecast, &s, &r);
    s = ss_study_job(b.study)->settings;
    s.synthetic_train = 99;
    ss_forecast_learn(b.forecast, &s, &r);
    CU_ASSERT_EQUAL(ss_cost_model_count(ss_forecast_model(b.forecast)), 0);
    CU_ASSERT(!ss_forecast_update(b.forecast, true));
    ss_forecast_learn_point(b.forecast, 0, &r);
    CU_ASSERT_EQUAL(ss_cost_model_count(ss_forecast_model(b.forecast)), 1);
    bench_close(&b);
    ss_forecast_destroy(NULL);
}

/* A target makes points of a small learning rate and a large batch the long ones; without one all take all epochs. */
static void targets_shorten(void)
{
    bench b;
    bench_open(&b, SMALL "training: {target_train_accuracy: 0.9}\n"
               "grid: {learning_rate: [0.01, 1]}\n");
    SS_ASSERT_NEAR(ss_forecast_point(b.forecast, 0).train_s, 10 * ss_forecast_point(b.forecast, 1).train_s, 1e-5, 0);
    bench_close(&b);
    bench_open(&b, SMALL "training: {target_train_accuracy: 0}\n"
               "grid: {learning_rate: [0.01, 1]}\n");
    const double *cost_s = ss_forecast_costs(b.forecast);
    SS_ASSERT_NEAR(cost_s[0], cost_s[1], 1e-6, 0);
    bench_close(&b);
}

static void memory_gone(void)
{
    ss_error error = {{0}};
    bench b;
    bench_open(&b, SMALL "grid: {learning_rate: [0.1, 0.2]}\n");
    for (long n = 0; n < 8; n++) {
        ss_alloc_fail_after(n);
        CU_ASSERT_PTR_NULL(ss_forecast_create(b.study, 1e9, &error));
        ss_alloc_fail_after(-1);
        CU_ASSERT_STRING_EQUAL(error.text, "no memory to forecast what the points will take");
    }
    bench_close(&b);
}

static const ss_case cases[] = {
    {"predicted against actual on a mixed grid", predicted_against_actual},
    {"what cannot be compared", what_cannot_be_compared},
    {"targets shorten", targets_shorten},
    {"memory gone", memory_gone},
};
SS_SUITE("app/forecast", cases)
