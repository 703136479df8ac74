#include "sharpsweep/sweep.h"

#include <math.h>

#include "../suite.h"

static const ss_work_size work = {.macs_per_example = 1000, .n_parameters = 5000, .values_per_example = 100,
                                  .deltas_per_example = 40, .tangents_per_example = 80, .evaluated_together = 128,
                                  .n_train = 600, .n_test = 100};

static ss_settings settings(void)
{
    ss_settings s;
    ss_settings_default(&s);
    s.max_epochs = 10;
    s.batch_size = 100;
    s.curvature_examples = 200;
    return s;
}

/* Seconds at 1000 FLOP/s of `examples` forward passes and of `steps` updates. */
static double by_hand(double examples, double steps)
{
    double pass = 1000 + 12 * 100, update = 6 * 5000; /* multiply-accumulates */
    return 2.0 * (examples * pass + steps * update) / 1000;
}

static void training_by_hand(void)
{
    ss_settings s = settings();
    SS_ASSERT_NEAR(ss_cost_macs(&work), 2200, 1e-12, 0);
    /* 10 epochs of 6 steps: 600 examples at 3 passes, 700 evaluated */
    SS_ASSERT_NEAR(ss_cost_predict(&s, &work, 1000).train_s, by_hand(10 * (600 * 3 + 700), 60), 1e-12, 0);
    s.evaluate_every_epochs = 4; /* after 4, 8 and at the end */
    SS_ASSERT_NEAR(ss_cost_predict(&s, &work, 1000).train_s, by_hand(10 * 600 * 3 + 3 * 700, 60), 1e-12, 0);
    s.evaluate_every_epochs = 1;
    s.sam_rho = 0.05;
    SS_ASSERT_NEAR(ss_cost_predict(&s, &work, 1000).train_s, by_hand(10 * (600 * 6 + 700), 120), 1e-12, 0);
    s.sam_rho = 0;
    s.max_steps = 9; /* an epoch and a half */
    SS_ASSERT_NEAR(ss_cost_predict(&s, &work, 1000).train_s, by_hand(900 * 3 + 2 * 700, 9), 1e-12, 0);
    s.batch_size = SS_WORD; /* 9 full batches */
    SS_ASSERT_NEAR(ss_cost_predict(&s, &work, 1000).train_s, by_hand(9 * (600 * 3 + 700), 9), 1e-12, 0);
    s.batch_size = 100000; /* as good as full */
    SS_ASSERT_NEAR(ss_cost_predict(&s, &work, 1000).train_s, by_hand(9 * (600 * 3 + 700), 9), 1e-12, 0);
}

static void effort_needs_a_target(void)
{
    ss_settings s = settings();
    s.learning_rate = 0.1;
    s.target_train_accuracy = s.target_train_loss = 0;
    CU_ASSERT_EQUAL(ss_cost_effort(&s, &work), 0);
    s.target_train_loss = 0.1;
    SS_ASSERT_NEAR(ss_cost_effort(&s, &work), 1000, 1e-12, 0);
    s.batch_size = SS_WORD;
    SS_ASSERT_NEAR(ss_cost_effort(&s, &work), 6000, 1e-12, 0);
}

static void curvature_grows_as_it_should(void)
{
    ss_settings s = settings();
    double one = ss_cost_predict(&s, &work, 1e6).curvature_s;
    CU_ASSERT(one > 0);
    s.interpolation_points = 8;
    CU_ASSERT(ss_cost_predict(&s, &work, 1e6).curvature_s > 4 * one && ss_cost_predict(&s, &work, 1e6).curvature_s < 8 * one);
    s.interpolation_points = 0;
    s.track_every_epochs = 3;
    double warm = (ss_cost_predict(&s, &work, 1e6).curvature_s - 2 * one) / 2; /* two start at random: the first, the end */
    CU_ASSERT(warm > 0.4 * one && warm < 0.8 * one);
    s.track_every_epochs = SS_WORD;
    s.track_every_steps = 10;
    SS_ASSERT_NEAR(ss_cost_predict(&s, &work, 1e6).curvature_s, 2 * one + 5 * warm, 1e-12, 0);
    s.track_every_steps = SS_WORD;
    s.curvature_examples = SS_WORD;
    s.curvature_memory = 1 << 30;
    SS_ASSERT_NEAR(ss_cost_predict(&s, &work, 1e6).curvature_s, 3 * one, 1e-12, 0);
    s.curvature_examples = 200;
    s.curvature_max_hvp = 1;
    CU_ASSERT(ss_cost_predict(&s, &work, 1e6).curvature_s < one / 5);
}

/* 600 examples of 60 + 40 values in batches of 100: 24000 bytes of activations and 16000 of deltas each. */
static void what_is_kept(void)
{
    static const struct { int64_t memory; double activations, deltas, forwards, backwards; } rows[] = {
        {0, 1, 1, 6, 6}, {63999, 1, 1, 6, 6}, {64000, 2, 1, 5, 6}, {160000, 6, 1, 0, 6}, {176000, 6, 2, 0, 5},
        {239999, 6, 5, 0, 2}, {240000, 6, 6, 0, 0}, {1000000000000, 6, 6, 0, 0}};
    ss_settings s = settings();
    ss_work_size w = work;
    s.curvature_examples = SS_WORD;
    s.micro_batch = 100;
    s.curvature_memory = 1000000000;
    double pass_s = 2 * ss_cost_macs(&w) / 1e6;
    ss_cost all = ss_cost_predict(&s, &w, 1e6);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        s.curvature_memory = rows[i].memory;
        w.cache_bytes = 1; /* `auto`: not asked for here */
        ss_cost c = ss_cost_predict(&s, &w, 1e6);
        CU_ASSERT(c.n_batches == 6 && c.activations == rows[i].activations && c.deltas == rows[i].deltas);
        SS_ASSERT_NEAR(c.kept_bytes, rows[i].activations * 24000 + rows[i].deltas * 16000, 1e-12, 0);
        SS_ASSERT_NEAR(all.memory_bytes - c.memory_bytes, all.kept_bytes - c.kept_bytes, 1e-9, 1);
        /* each of 12 products takes so many passes over a batch of 100 again */
        SS_ASSERT_NEAR(c.curvature_s - all.curvature_s, 12 * 100 * pass_s * (rows[i].forwards + rows[i].backwards), 1e-9, 1e-6);
        w.cache_bytes = (double)rows[i].memory;
        s.curvature_memory = SS_WORD;
        ss_cost automatic = ss_cost_predict(&s, &w, 1e6);
        CU_ASSERT(automatic.activations == c.activations && automatic.deltas == c.deltas);
    }
}

/* 200 examples for curvature, batches of 100 of 600: what each measure adds, in products of 6.3 passes (all is kept). */
static void measures_by_hand(void)
{
    static const double product = 6.3, gradient = 3, point = 2, loss = 1;
    ss_settings base = settings();
    ss_work_size w = work;
    w.cache_bytes = 1e9;
    const struct { const char *key, *value; double passes; } rows[] = {
        {"trace_probes", "10", 200 * (10 * product + point)},
        {"spectrum_probes", "3", 200 * (150 * product + point)},
        {"smallest_eigenvalue", "true", 200 * (40 * product + point)},
        {"gauss_newton", "true", 200 * (12 * product + point)},
        {"adaptive_eigenvalue", "true", 200 * (12 * product + point)},
        {"spherical_eigenvalue", "true", 200 * (12 * product + point)},
        {"gradient_alignment", "true", 200 * (gradient + point)}, /* of one eigenvalue, measured at the iterate */
        {"sharpness_rho", "0.1", 200 * (20 * gradient + loss + point)},
        {"adaptive_rho", "0.1", 200 * (20 * gradient + loss + point)},
        {"batch_sharpness_batches", "4", 400 * (gradient + point + product)},
        {"batch_sharpness_batches", "40", 600 * (gradient + point + product)}, /* there are no more than six */
        {"lambda_subsets", "2", 400 * (12 * product + point)}, /* as large as the Hessian's examples */
        {"lambda_subsets", "6", 600 * (12 * product + point)},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        ss_settings s = base;
        double none = ss_cost_predict(&s, &w, 1000).curvature_s, with = by_hand(rows[i].passes, 0);
        CU_ASSERT_EQUAL(ss_key_parse(ss_key_find(rows[i].key), rows[i].value, &s, NULL), 0);
        SS_ASSERT_NEAR(ss_cost_predict(&s, &w, 1000).curvature_s - none, with, 1e-9, 0);
        s.track_every_epochs = 5; /* twice; then the end: three times, but the spectrum */
        none = ss_cost_predict(&s, &w, 1000).curvature_s;
        s.track_measures = true;
        bool spectrum = i == 1;
        SS_ASSERT_NEAR(ss_cost_predict(&s, &w, 1000).curvature_s - none, spectrum ? 0 : 2 * with, 1e-9, 1e-6);
    }
    ss_settings s = base;
    double none = ss_cost_predict(&s, &w, 1000).memory_bytes;
    s.spectrum_probes = 1; /* keeps every vector of its 50 steps */
    SS_ASSERT_NEAR(ss_cost_predict(&s, &w, 1000).memory_bytes - none, 53 * 4 * 5000.0 + 50 * 64, 1e-9, 0);
    /* as many steps as parameters at most */
    w.n_parameters = 30;
    s.spectrum_probes = 0, none = ss_cost_predict(&s, &w, 1000).memory_bytes;
    s.spectrum_probes = 7;
    ss_cost few = ss_cost_predict(&s, &w, 1000);
    CU_ASSERT_EQUAL(few.nodes, 7 * 30);
    SS_ASSERT_NEAR(few.memory_bytes - none, 33 * 4 * 30.0 + 7 * 30 * 64, 1e-9, 0);
    s.spectrum_steps = 31;
    CU_ASSERT(ss_cost_predict(&s, &w, 1000).curvature_s == few.curvature_s);
}

static double bytes_of(const ss_settings *s, const ss_work_size *w) { return ss_cost_predict(s, w, 1e9).memory_bytes; }

/* 600 training examples in batches of 100, 200 for curvature; micro-batches of 250. */
static void memory(void)
{
    ss_settings s = settings();
    ss_work_size w = work;
    double base = bytes_of(&s, &w);
    CU_ASSERT(base > 4 * w.n_parameters * 20 && base < 4 * w.n_parameters * 100 + 3e7);
    w.values_per_example += 1; /* of the trainer's passes, which evaluations make 128, and the micro-batch that the Hessian keeps */
    SS_ASSERT_NEAR(bytes_of(&s, &w) - base, (128.0 + 200) * 4, 1e-9, 0);
    w = work;
    w.tangents_per_example += 1;
    SS_ASSERT_NEAR(bytes_of(&s, &w) - base, 200 * 4, 1e-9, 0);
    w = work;
    w.scratch_bytes = 1e6;
    w.data_bytes = 12345;
    SS_ASSERT_NEAR(bytes_of(&s, &w) - base, 1e6 + 12345, 1e-9, 0);
    w = work;
    s.micro_batch = 110; /* evaluations too keep to it; curvature's 200 are two batches, of which both are kept: there is room */
    w.cache_bytes = 1e9;
    SS_ASSERT_NEAR(bytes_of(&s, &w) - base, (110.0 - 128) * 400 + (110.0 - 200) * 320 + (2 * 110.0 - 200) * 400 + 12 * 5000, 1e-9, 0);
    s = settings();
    w = work;
    s.batch_size = SS_WORD;
    base = bytes_of(&s, &w);
    s.batch_norm = true; /* then a ghost batch is together in memory, here all 600 of the training set, in one pass; curvature has 200 */
    SS_ASSERT_NEAR(bytes_of(&s, &w) - base, (600.0 - 250) * 100 * 4 - 12.0 * 5000, 1e-9, 0);
    s.batch_size = 100; /* ghost batches are no larger than batches: of 100 for the Hessian instead of 200, but two */
    base = bytes_of(&s, &w);
    s.batch_norm = false;
    SS_ASSERT_NEAR(bytes_of(&s, &w) - base, 100.0 * (80 + 100) * 4 - 12 * 5000, 1e-9, 0);
    s.curvature_examples = SS_WORD; /* 600 examples in micro-batches of 250; then all kept, and the cache's limit */
    double one = bytes_of(&s, &w);
    w.cache_bytes = 1e9; /* three micro-batches, of which the last is not full */
    SS_ASSERT_NEAR(bytes_of(&s, &w) - one, (3 * 250.0 - 250) * 100 * 4, 1e-9, 0);
}

/* Vectors as long as the weights: what each setting adds to them, in ss_real and in double. */
static void memory_of_vectors(void)
{
    static const struct { int64_t batch, micro, eigenvalues, interpolation, track; double rho; int64_t m, real, sums; } rows[] = {
        {100, 250, 11, 0, SS_WORD, 0, SS_WORD, 30, 0}, /* 10 more pairs: 20 vectors of the basis, 10 eigenvectors */
        {100, 250, 1, 0, SS_WORD, 0.1, SS_WORD, 1, 0}, /* SAM's perturbed point */
        {100, 250, 1, 0, SS_WORD, 0.1, 50, 2, 3},      /* in groups: their sums, and one pass's share */
        {SS_WORD, 250, 1, 0, SS_WORD, 0, SS_WORD, 1, 1}, /* micro-batches */
        {SS_WORD, 600, 1, 0, SS_WORD, 0, SS_WORD, 0, 0},
        {100, 250, 1, 8, SS_WORD, 0, SS_WORD, 5, 0},   /* between two iterates */
        {100, 250, 2, 8, SS_WORD, 0, SS_WORD, 9, 0},
        {100, 250, 1, 0, 1, 0, SS_WORD, 1, 0},
    };
    ss_work_size w = {.n_parameters = 1000, .n_train = 600, .n_test = 100};
    ss_settings s = settings();
    double base = bytes_of(&s, &w);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        s = settings();
        s.batch_size = rows[i].batch, s.micro_batch = rows[i].micro, s.eigenvalues = rows[i].eigenvalues;
        s.interpolation_points = rows[i].interpolation, s.track_every_steps = rows[i].track;
        s.sam_rho = rows[i].rho, s.sam_m = rows[i].m;
        SS_ASSERT_NEAR(bytes_of(&s, &w) - base, 1000.0 * (double)(4 * rows[i].real + 8 * rows[i].sums), 1e-9, 0);
    }
}

struct span { size_t n; double cost[8]; int n_ranks; double expected; };
static const struct span spans[] = {
    {0, {0}, 3, 0},
    {3, {1, 2, 3}, 1, 6},
    {3, {1, 2, 3}, 0, 6},
    {3, {1, 2, 3}, 2, 3},
    {3, {1, 2, 3}, 3, 3},
    {3, {1, 2, 3}, 99, 3},
    {5, {2, 3, 2, 3, 2}, 2, 7}, /* Graham's example: longest first takes 7 where 6 is possible */
    {7, {5, 5, 4, 4, 3, 3, 3}, 3, 11},
    {8, {1, 1, 1, 1, 1, 1, 1, 1}, 3, 3},
};

static void makespan(void)
{
    for (size_t i = 0; i < sizeof spans / sizeof *spans; i++)
        SS_ASSERT_NEAR(ss_cost_makespan(spans[i].n, spans[i].cost, spans[i].n_ranks), spans[i].expected, 1e-12, 1e-12);
    double cost[1000];
    ss_stream random = ss_stream_make(1, SS_FOR_TEST, 0, 0);
    double sum = 0, longest = 0;
    for (uint64_t i = 0; i < 1000; i++) {
        cost[i] = ss_stream_uniform(&random, i);
        sum += cost[i];
        longest = fmax(longest, cost[i]);
    }
    for (int n = 1; n < 40; n++) { /* between the trivial bound and list scheduling's */
        double span = ss_cost_makespan(1000, cost, n);
        CU_ASSERT(span >= fmax(sum / n, longest) - 1e-9 && span <= sum / n + longest);
    }
    ss_alloc_fail_after(0);
    CU_ASSERT(isnan(ss_cost_makespan(3, cost, 2)));
    ss_alloc_fail_after(-1);
}

static const ss_case cases[] = {
    {"measures by hand", measures_by_hand},
    {"training by hand", training_by_hand},
    {"effort needs a target", effort_needs_a_target},
    {"curvature grows as it should", curvature_grows_as_it_should},
    {"memory", memory},
    {"memory of vectors", memory_of_vectors},
    {"what is kept", what_is_kept},
    {"makespan", makespan},
};
SS_SUITE("sweep/cost", cases)
