#include "sharpsweep/sweep.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../suite.h"

/* A truth that the model can express, and noise: each point's seconds are the predicted ones times a factor
 * for its learning rate, batch size and batch norm, times noise. */
static const char text[] = "grid:\n  learning_rate: {log: [0.01, 1, 7]}\n  batch_size: [16, 64, 256, full]\n"
                           "  batch_norm: [false, true]\n  sam_rho: [0, 0.05]\nsweep: {seeds: 3}\n";

typedef struct world { ss_job *job; ss_grid *grid; ss_cost_model *model; size_t n; double noise; } world;

static void begin(world *w, const char *job_text, double noise)
{
    ss_error error = {{0}};
    *w = (world){.noise = noise};
    w->job = ss_job_parse(job_text, "job.yaml", &error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(w->job);
    w->grid = ss_grid_create(w->job, &error);
    w->model = ss_cost_model_create(w->job, &error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(w->model);
    w->n = ss_grid_count(w->grid);
}

static void end(world *w)
{
    ss_cost_model_destroy(w->model);
    ss_grid_destroy(w->grid);
    ss_job_destroy(w->job);
}

static const ss_cost predicted = {.train_s = 10, .curvature_s = 2, .memory_bytes = 1e6};

static double noise(const world *w, size_t point)
{
    ss_stream random = ss_stream_make(7, SS_FOR_TEST, point, 0);
    return exp(w->noise * ss_stream_normal(&random, 0));
}

/* Where nothing is random: seconds of training and of curvature. */
static ss_cost truth(const world *w, size_t point)
{
    ss_settings s;
    ss_grid_settings(w->grid, point, &s);
    double train = 0.3 * pow(s.learning_rate, -0.8) * (s.batch_norm ? 1.7 : 1);
    train *= s.batch_size == SS_WORD ? 9 : pow((double)s.batch_size / 16, 0.4);
    return (ss_cost){.train_s = predicted.train_s * train, .curvature_s = predicted.curvature_s * (s.batch_norm ? 2.5 : 0.8)};
}

static void learn(world *w, size_t point, double outlier)
{
    ss_settings s;
    ss_cost t = truth(w, point);
    ss_grid_settings(w->grid, point, &s);
    ss_cost_model_learn(w->model, &s, &predicted, t.train_s * noise(w, point) * outlier,
                        t.curvature_s * noise(w, point + 1000000));
}

/* Median and largest of |log(corrected / truth)| of the sum, over all points. */
static void errors(const world *w, double *median, double *most)
{
    double *e = ss_alloc(w->n, sizeof *e);
    *most = 0;
    for (size_t i = 0; i < w->n; i++) {
        ss_cost t = truth(w, i), c = ss_cost_model_correct_point(w->model, w->grid, i, predicted);
        e[i] = fabs(log((c.train_s + c.curvature_s) / (t.train_s + t.curvature_s)));
        *most = fmax(*most, e[i]);
    }
    for (size_t i = 0; i < w->n; i++) /* the median by selection */
        for (size_t k = i + 1; k < w->n; k++)
            if (e[k] < e[i]) {
                double swap = e[i];
                e[i] = e[k];
                e[k] = swap;
            }
    *median = e[w->n / 2];
    ss_free(e);
}

static void nothing_measured_nothing_corrected(void)
{
    world w;
    begin(&w, text, 0);
    CU_ASSERT_EQUAL(ss_cost_model_count(w.model), 0);
    CU_ASSERT(!ss_cost_model_is_due(w.model));
    ss_cost_model_fit(w.model);
    ss_cost c = ss_cost_model_correct_point(w.model, w.grid, 5, predicted);
    CU_ASSERT(c.train_s == 10 && c.curvature_s == 2 && c.memory_bytes == 1e6);
    SS_ASSERT_NEAR(ss_cost_model_spread(w.model), 1, 1e-12, 0); /* a factor of e either way */
    end(&w);
}

static void finds_the_truth(void)
{
    world w;
    double median, most;
    begin(&w, text, 0.1);
    for (size_t i = 0; i < w.n; i += 2) learn(&w, i, 1); /* half of the points */
    ss_cost_model_fit(w.model);
    errors(&w, &median, &most);
    CU_ASSERT(median < 0.05);
    CU_ASSERT(most < 0.25);
    double spread = ss_cost_model_spread(w.model);
    CU_ASSERT(spread > 0.06 && spread < 0.16); /* the noise of a sum of both parts is a little less than 0.1 */
    for (size_t i = 0; i < w.n; i += 17) { /* the slow way says the same */
        ss_settings s;
        ss_grid_settings(w.grid, i, &s);
        ss_cost a = ss_cost_model_correct(w.model, &s, predicted);
        ss_cost b = ss_cost_model_correct_point(w.model, w.grid, i, predicted);
        SS_ASSERT_NEAR(a.train_s, b.train_s, 1e-9, 0);
        SS_ASSERT_NEAR(a.curvature_s, b.curvature_s, 1e-9, 0);
    }
    end(&w);
}

/* A handful of points, as at the beginning of a sweep: better than nothing, and not sure of itself. */
static void few_points_move_little(void)
{
    world w;
    double before, after, most;
    begin(&w, text, 0.1);
    errors(&w, &before, &most);
    for (size_t i = 0; i < 6; i++) learn(&w, i * 53 % w.n, 1);
    CU_ASSERT(ss_cost_model_is_due(w.model));
    ss_cost_model_fit(w.model);
    CU_ASSERT(!ss_cost_model_is_due(w.model));
    errors(&w, &after, &most);
    CU_ASSERT(after < before);
    CU_ASSERT(ss_cost_model_spread(w.model) > 0.3);
    end(&w);
}

/* Learning rates that were never tried follow the line through those that were. */
static void slopes_carry_over(void)
{
    world w;
    begin(&w, text, 0.05);
    for (size_t i = 0; i < w.n; i++) {
        ss_settings s;
        ss_grid_settings(w.grid, i, &s);
        if (s.learning_rate > 0.03 && s.learning_rate < 0.5) learn(&w, i, 1);
    }
    ss_cost_model_fit(w.model);
    double worst = 0;
    for (size_t i = 0; i < w.n; i++) {
        ss_cost t = truth(&w, i), c = ss_cost_model_correct_point(w.model, w.grid, i, predicted);
        worst = fmax(worst, fabs(log(c.train_s / t.train_s)));
    }
    CU_ASSERT(worst < 0.7); /* the factor between the ends is 40 */
    end(&w);
}

static void outliers_are_held_down(void)
{
    world w;
    double median, most;
    begin(&w, text, 0.1);
    for (size_t i = 0; i < w.n; i += 2) learn(&w, i, i % 20 == 0 ? 30 : 1); /* a tenth ran on a node that swapped */
    ss_cost_model_fit(w.model);
    errors(&w, &median, &most);
    CU_ASSERT(median < 0.15);
    end(&w);
}

/* Longest first by corrected costs: what the whole is for. */
static void ranks_are_right(void)
{
    world w;
    begin(&w, text, 0.1);
    for (size_t i = 0; i < w.n; i += 4) learn(&w, i, 1);
    ss_cost_model_fit(w.model);
    double concordant = 0, pairs = 0;
    for (size_t i = 0; i < w.n; i++)
        for (size_t k = 0; k < i; k++) {
            ss_cost a = truth(&w, i), b = truth(&w, k);
            ss_cost c = ss_cost_model_correct_point(w.model, w.grid, i, predicted);
            ss_cost d = ss_cost_model_correct_point(w.model, w.grid, k, predicted);
            double actual = a.train_s + a.curvature_s - b.train_s - b.curvature_s;
            double guess = c.train_s + c.curvature_s - d.train_s - d.curvature_s;
            if (fabs(actual) < 1e-9) continue; /* seeds and SAM are the same here */
            pairs++;
            concordant += (actual > 0) == (guess > 0);
        }
    CU_ASSERT(concordant / pairs > 0.95);
    end(&w);
}

/* Times that no clock reads, predictions of nothing, other sweeps' settings, an axis of more values than have levels. */
static void odd_measurements(void)
{
    world w;
    begin(&w, "grid: {seed: {linear: [1, 1000, 1000]}, learning_rate: [0.1, 0.2]}\n", 0);
    ss_settings s;
    ss_grid_settings(w.grid, 0, &s);
    const ss_cost none = {0}, half = {.curvature_s = 1};
    ss_cost_model_learn(w.model, &s, &predicted, NAN, 1);
    ss_cost_model_learn(w.model, &s, &predicted, 0, 0);
    ss_cost_model_learn(w.model, &s, &none, 1, 1);
    CU_ASSERT_EQUAL(ss_cost_model_count(w.model), 0);
    s.learning_rate = 7; /* of no value of this grid */
    for (int i = 0; i < 50; i++) {
        s.seed = i;
        ss_cost_model_learn(w.model, &s, &half, 3, 4);
        ss_cost_model_learn(w.model, &s, &predicted, 20, 2);
    }
    ss_cost_model_fit(w.model);
    ss_cost c = ss_cost_model_correct_point(w.model, w.grid, 1999, predicted);
    SS_ASSERT_NEAR(c.train_s, 20, 0.02, 0);
    CU_ASSERT(c.curvature_s > 2 && c.curvature_s < 8);
    end(&w);
}

/* More than are kept: the time of a fit does not grow, and the sample is a fair one. */
static void very_many(void)
{
    world w;
    begin(&w, "grid: {learning_rate: [0.1, 0.2]}\nsweep: {seeds: 2}\n", 0);
    ss_settings s;
    ss_grid_settings(w.grid, 0, &s);
    size_t n_fits = 0;
    double worst_s = 0;
    for (int i = 0; i < 100000; i++) {
        ss_cost_model_learn(w.model, &s, &predicted, i < 50000 ? 10 : 40, 2);
        if (!ss_cost_model_is_due(w.model)) continue;
        double start_s = ss_clock_s();
        ss_cost_model_fit(w.model);
        worst_s = fmax(worst_s, ss_clock_s() - start_s);
        n_fits++;
    }
    CU_ASSERT(n_fits > 10 && n_fits < 60);
    CU_ASSERT(worst_s < 2);
    ss_cost c = ss_cost_model_correct_point(w.model, w.grid, 0, predicted);
    CU_ASSERT(c.train_s > 14 && c.train_s < 30); /* half and half: 20 */
    end(&w);
}

static void sums_scatter_less(void)
{
    world w;
    begin(&w, text, 0.1);
    double cost[100];
    for (int i = 0; i < 100; i++) cost[i] = 3;
    double before = ss_cost_model_sum_spread(w.model, 100, cost);
    CU_ASSERT(before > 0.9 && before < 1.2); /* nothing is known of all of them alike */
    for (size_t i = 0; i < w.n; i++) learn(&w, i, 1);
    ss_cost_model_fit(w.model);
    double after = ss_cost_model_sum_spread(w.model, 100, cost), one = ss_cost_model_sum_spread(w.model, 1, cost);
    CU_ASSERT(after < 0.5 * one);
    CU_ASSERT_EQUAL(ss_cost_model_sum_spread(w.model, 0, cost), 0);
    end(&w);
}

static void memory_gone(void)
{
    ss_error error = {{0}};
    world w;
    begin(&w, text, 0);
    for (long n = 0; n < 12; n++) {
        ss_alloc_fail_after(n);
        CU_ASSERT_PTR_NULL(ss_cost_model_create(w.job, &error));
    }
    for (size_t i = 0; i < 70; i++) { /* some are learnt, some are not; nothing breaks */
        ss_alloc_fail_after(i % 5 ? -1 : 1);
        learn(&w, i, 1);
        ss_cost_model_fit(w.model);
    }
    ss_alloc_fail_after(-1);
    CU_ASSERT(ss_cost_model_spread(w.model) > 0);
    end(&w);
    ss_cost_model_destroy(NULL);
}

static const ss_case cases[] = {
    {"nothing measured, nothing corrected", nothing_measured_nothing_corrected},
    {"finds the truth", finds_the_truth},
    {"few points move little", few_points_move_little},
    {"slopes carry over", slopes_carry_over},
    {"outliers are held down", outliers_are_held_down},
    {"ranks are right", ranks_are_right},
    {"odd measurements", odd_measurements},
    {"very many", very_many},
    {"sums scatter less", sums_scatter_less},
    {"memory gone", memory_gone},
};
SS_SUITE("sweep/cost_model", cases)
