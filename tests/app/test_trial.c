/* test_trial.c - the seam's other side on the synthetic set: every outcome, and what a record must hold. */
#include "../../src/app/trial.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../src/app/app.h"
#include "../suite.h"

#define BASE "data: {dataset: synthetic, synthetic_train: 64, synthetic_test: 32, synthetic_noise: 0.2}\n"
#define MODEL "model: {network: mlp, widths: [8], activation: tanh}\n"

typedef struct bench { ss_job *job; ss_study *study; ss_trial trial; } bench;

static bench bench_open(const char *text)
{
    ss_error error = {{0}};
    bench b = {.job = ss_job_parse(text, "job.yaml", &error)};
    if (b.job) b.study = ss_study_create(b.job, &error);
    if (!b.study) fprintf(stderr, "\n    %s\n", error.text);
    CU_ASSERT_PTR_NOT_NULL_FATAL(b.study);
    b.trial.study = b.study;
    return b;
}

static void bench_close(bench *b)
{
    ss_study_destroy(b->study);
    ss_job_destroy(b->job);
}

static ss_record run(const bench *b, size_t point, int expected)
{
    ss_error error = {{0}};
    ss_record r;
    ss_record_init(&r);
    CU_ASSERT_EQUAL(ss_trial_run(&b->trial, point, &r, &error), expected);
    return r;
}

static void test_outcomes(void)
{
    static const struct { const char *what, *training; int64_t status, reason, epochs, steps; } cases[] = {
        {"accuracy", "{learning_rate: 0.5, batch_size: 16, target_train_accuracy: 0.9}", SS_DONE, SS_STOP_TRAIN_ACCURACY, -1, -1},
        {"loss", "{learning_rate: 0.5, batch_size: 16, target_train_accuracy: 0, target_train_loss: 0.5}", SS_DONE,
         SS_STOP_TRAIN_LOSS, -1, -1},
        {"epochs, no target", "{max_epochs: 3, batch_size: 16, target_train_accuracy: 0}", SS_DONE, SS_STOP_MAX_EPOCHS, 3, 12},
        {"epochs, target missed", "{max_epochs: 2, batch_size: full, learning_rate: 1e-6}", SS_EPOCH_LIMIT, SS_STOP_MAX_EPOCHS,
         2, 2},
        {"steps, no target", "{max_steps: 5, batch_size: 16, target_train_accuracy: 0}", SS_DONE, SS_STOP_MAX_STEPS, 1, 5},
        {"steps, target missed", "{max_steps: 5, batch_size: 16, learning_rate: 1e-6}", SS_EPOCH_LIMIT, SS_STOP_MAX_STEPS, 1, 5},
        {"diverged", "{learning_rate: 1e30, batch_size: 16, target_train_accuracy: 0}", SS_DIVERGED, SS_STOP_DIVERGED, -1, -1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[1024];
        snprintf(text, sizeof text, BASE MODEL "training: %s\ncurvature: {curvature_examples: all}\n", cases[i].training);
        bench b = bench_open(text);
        ss_record r = run(&b, 0, 0);
        if (r.status != cases[i].status || r.stop_reason != cases[i].reason)
            fprintf(stderr, "\n    %s: %s, %s %s\n", cases[i].what, ss_status_name[r.status], ss_stop_name[r.stop_reason], r.error);
        CU_ASSERT_EQUAL(r.status, cases[i].status);
        CU_ASSERT_EQUAL(r.stop_reason, cases[i].reason);
        if (cases[i].epochs >= 0) CU_ASSERT_EQUAL(r.epochs, cases[i].epochs);
        if (cases[i].steps >= 0) CU_ASSERT_EQUAL(r.steps, cases[i].steps);
        bool diverged = cases[i].status == SS_DIVERGED;
        CU_ASSERT_EQUAL(isnan(r.lambda_max) != 0, diverged);
        CU_ASSERT_EQUAL(r.n_parameters, 64 * 8 + 8 + 8 * 4 + 4);
        CU_ASSERT(r.n_train == 64 && r.n_test == 32 && r.n_threads == 1 && r.convolutions[0] == '\0');
        CU_ASSERT_STRING_EQUAL(r.data_digest, ss_study_data_at(b.study, 0)->digest);
        CU_ASSERT(r.train_s >= 0 && r.curvature_s >= 0 && r.peak_memory_bytes > 1e6 && r.host[0] && r.finished[0]);
        if (diverged) { /* it took steps; of curvature nothing is known, which 0 would not say */
            CU_ASSERT(r.steps > 0 && r.epochs >= 0 && r.n_eigenvalues == 0);
            CU_ASSERT(r.lambda_converged == SS_UNKNOWN && r.hvp_count == SS_UNKNOWN && isnan(r.lambda_fraction));
            CU_ASSERT(r.curvature_n_examples == SS_UNKNOWN && r.curvature_ghost_examples == SS_UNKNOWN);
        } else {
            CU_ASSERT(r.lambda_converged == 0 || r.lambda_converged == 1);
            CU_ASSERT(r.lambda_fraction == 0 && r.curvature_n_examples == 64 && r.curvature_ghost_examples == 0);
            CU_ASSERT(r.hvp_count > 0 && r.lambda_residual >= 0 && r.n_eigenvalues == 1);
            CU_ASSERT(!r.lambda_converged || r.lambda_residual <= 1e-3);
            CU_ASSERT(r.lambda_upper >= r.lambda_max && r.lambda_upper < 3 * r.lambda_max + 1);
            CU_ASSERT(r.train_accuracy >= 0 && r.train_accuracy <= 1 && isfinite(r.test_loss));
            CU_ASSERT(r.history.n_rows >= 1);
        }
        ss_record_finish(&r);
        bench_close(&b);
    }
}

static void test_deterministic(void)
{
    bench b = bench_open(BASE MODEL "training: {max_epochs: 3, batch_size: 16}\ncurvature: {curvature_examples: all}\n"
                         "grid: {dropout: [0, 0.3], batch_norm: [false, true], sam_rho: [0, 0.05], seed: [0, 1]}\n");
    size_t n = ss_grid_count(ss_study_grid(b.study));
    ss_record first[16];
    CU_ASSERT_EQUAL_FATAL(n, 16);
    for (size_t i = 0; i < n; i++) first[i] = run(&b, i, 0);
    for (size_t i = n; i-- > 0;) { /* another order */
        ss_record again = run(&b, i, 0);
        CU_ASSERT(ss_record_same(&first[i], &again));
        ss_record_finish(&again);
    }
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < i; k++) CU_ASSERT(first[i].lambda_max != first[k].lambda_max); /* every axis matters */
    for (size_t i = 0; i < n; i++) ss_record_finish(&first[i]);
    bench_close(&b);
}

/* SAM's edge is always there where there is SAM, and counts as no measure; of a diverged point nothing is measured. */
static void test_sam_edge(void)
{
    static const struct { const char *training; bool edge, more; } cases[] = {
        {"sam_rho: 0.05", true, false}, {"sam_rho: 0", false, false}, {"sam_rho: 0.05, learning_rate: 1e30", false, false},
        {"sam_rho: 0", false, true},
    };
    size_t n_track, edge = 0, trace = 0;
    const ss_field *track = ss_track_fields(&n_track);
    for (size_t c = 0; c < n_track; c++) {
        if (strcmp(track[c].name, "sam_edge") == 0) edge = c;
        if (strcmp(track[c].name, "trace") == 0) trace = c;
    }
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[1024];
        snprintf(text, sizeof text, BASE MODEL "training: {%s, max_steps: 4, batch_size: 16, target_train_accuracy: 0}\n"
                 "curvature: {curvature_examples: all, track_every_steps: 2%s}\n", cases[i].training,
                 cases[i].more ? ", trace_probes: 2" : "");
        bench b = bench_open(text);
        ss_record r = run(&b, 0, 0);
        CU_ASSERT_EQUAL(isnan(r.sam_edge) == 0, cases[i].edge);
        CU_ASSERT_EQUAL(isnan(r.trace) == 0, cases[i].more);
        CU_ASSERT_EQUAL(r.measure_hvp_count, cases[i].more ? 2 : SS_UNKNOWN);
        CU_ASSERT_EQUAL(isnan(r.measure_s) == 0, cases[i].more);
        CU_ASSERT(isnan(r.measure_s) || (r.measure_s > 0 && r.measure_s <= r.curvature_s));
        CU_ASSERT(r.track.n_rows == 3 || r.status == SS_DIVERGED);
        for (size_t k = 0; k < r.track.n_rows && r.status == SS_DONE; k++) { /* not asked to be tracked: no trace */
            const double *row = r.track.value + k * n_track;
            CU_ASSERT(isnan(row[trace]) && (isnan(row[edge]) == 0) == cases[i].edge);
            double g = row[9], formula = g / 0.1 * (sqrt(1 + 0.4 / (row[2] * g)) - 1);
            if (cases[i].edge) SS_ASSERT_NEAR(row[edge], formula, 1e-6, 0);
        }
        ss_record_finish(&r);
        bench_close(&b);
    }
}

/* Memory for the Hessian decides what is computed anew, and neither a bit of the result nor which point it is. */
static void test_curvature_memory(void)
{
    static const char *const memory[] = {"auto", "0", "2M", "5M", "6M"};
    ss_record first = {0};
    char first_id[SS_ID_BYTES] = "";
    for (size_t i = 0; i < sizeof memory / sizeof *memory; i++) {
        char text[1024], id[SS_ID_BYTES];
        ss_settings s;
        snprintf(text, sizeof text, BASE "model: {network: cnn, batch_norm: true}\ntraining: {max_steps: 3, batch_size: 16, "
                 "target_train_accuracy: 0}\ncurvature: {curvature_examples: all, curvature_ghost_batch: 4, "
                 "curvature_max_hvp: 5, track_every_steps: 2}\nsweep: {curvature_memory: %s}\n", memory[i]);
        bench b = bench_open(text);
        ss_record r = run(&b, 0, 0);
        ss_grid_settings(ss_study_grid(b.study), 0, &s);
        ss_point_identify(&s, ss_study_data(b.study, &s)->digest, id);
        if (i == 0) {
            first = r;
            memcpy(first_id, id, sizeof id);
        } else {
            CU_ASSERT(ss_record_same(&first, &r));
            CU_ASSERT_STRING_EQUAL(first_id, id);
            ss_record_finish(&r);
        }
        bench_close(&b);
    }
    CU_ASSERT(first.track.n_rows == 2 && first.lambda_max > 0);
    ss_record_finish(&first);
}

/* How convolutions were computed depends on the examples per pass: of 2x2 images, eight make the difference. */
static void test_convolutions(void)
{
    static const struct { const char *norm, *training, *curvature, *text; } cases[] = {
        {"", "batch_size: 16", "curvature_examples: all", "im2col + position"},
        {"", "batch_size: 4", "curvature_examples: 4", "2 im2col"},
        {"", "batch_size: 4", "curvature_examples: 16", "2 im2col; curvature: im2col + position"},
        {"", "batch_size: 16, micro_batch: 7", "curvature_examples: 16", "2 im2col"},
        {"", "batch_size: 16, sam_rho: 0.1, sam_m: 4", "curvature_examples: 16", "2 im2col; curvature: im2col + position"},
        {"batch_norm, ", "batch_size: full, ghost_batch: 4", "curvature_examples: all", "2 im2col"},
        {"batch_norm, ", "batch_size: 16", "curvature_examples: all, curvature_ghost_batch: 4", "im2col + position; curvature: 2 im2col"},
        {"batch_norm, ", "batch_size: 16", "curvature_examples: all, curvature_batch_norm: running, curvature_ghost_batch: 4",
         "im2col + position"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[1024];
        snprintf(text, sizeof text,
                 "data: {dataset: synthetic, synthetic_size: 2, synthetic_channels: 16, synthetic_train: 32, synthetic_test: 8}\n"
                 "model: {network: layers, layers: [conv2d: {units: 32, kernel: 3, padding: 1}, %srelu, "
                 "conv2d: {units: 32, kernel: 3, padding: 1}, flatten, linear: 4]}\n"
                 "training: {max_steps: 1, %s}\ncurvature: {curvature_max_hvp: 2, %s}\n", cases[i].norm, cases[i].training,
                 cases[i].curvature);
        bench b = bench_open(text);
        ss_record r = run(&b, 0, 0);
        CU_ASSERT_STRING_EQUAL(r.convolutions, cases[i].text);
        if (strcmp(r.convolutions, cases[i].text) != 0) fprintf(stderr, "\n    %s: %s\n", cases[i].text, r.convolutions);
        ss_record_finish(&r);
        bench_close(&b);
    }
}

/* What was measured on, where words and defaults hide it: examples, ghost batches. */
static void test_curvature_examples(void)
{
    static const struct { const char *model, *training, *curvature; int64_t examples, ghost; } cases[] = {
        {"batch_norm: false", "batch_size: 16", "curvature_examples: 40", 40, 0},
        {"batch_norm: true", "batch_size: 16", "curvature_examples: 40", 40, 16},
        {"batch_norm: true", "batch_size: full, ghost_batch: 32", "curvature_examples: all", 64, 32},
        {"batch_norm: true", "batch_size: full", "curvature_examples: 24", 24, 24},
        {"batch_norm: true", "batch_size: 16", "curvature_examples: all, curvature_ghost_batch: 8", 64, 8},
        {"batch_norm: true", "batch_size: 16", "curvature_examples: all, curvature_batch_norm: running", 64, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[1024];
        snprintf(text, sizeof text, BASE "model: {network: mlp, widths: [8], %s}\ntraining: {max_epochs: 1, %s}\n"
                 "curvature: {curvature_max_hvp: 2, %s}\n", cases[i].model, cases[i].training, cases[i].curvature);
        bench b = bench_open(text);
        ss_record r = run(&b, 0, 0);
        CU_ASSERT_EQUAL(r.curvature_n_examples, cases[i].examples);
        CU_ASSERT_EQUAL(r.curvature_ghost_examples, cases[i].ghost);
        ss_record_finish(&r);
        bench_close(&b);
    }
}

static void test_tracking(void)
{
    bench b = bench_open(BASE MODEL "training: {max_steps: 6, batch_size: 16, target_train_accuracy: 0, learning_rate: 0.2}\n"
                         "curvature: {curvature_examples: all, track_every_steps: 2, track_every_epochs: 1}\n");
    ss_record r = run(&b, 0, 0);
    size_t n = r.track.n_columns;
    static const double steps[] = {0, 2, 4, 6}; /* the epoch's end at step 4 is no second row */
    CU_ASSERT_EQUAL_FATAL(r.track.n_rows, 4);
    for (size_t i = 0; i < 4; i++) {
        const double *row = r.track.value + i * n;
        CU_ASSERT(row[0] == steps[i] / 4 && row[1] == steps[i] && row[2] == 0.2);
        CU_ASSERT(row[7] == row[2] * row[3]);
        CU_ASSERT(isfinite(row[8]) && row[9] > 0);
    }
    SS_ASSERT_NEAR(r.track.value[3 * n + 3], r.lambda_max, 1e-5, 0); /* tracking and the end measure the same thing */
    CU_ASSERT(r.lr_lambda_max == 0.2 * r.lambda_max);
    ss_record_finish(&r);
    bench_close(&b);

    b = bench_open(BASE MODEL "training: {max_epochs: 4, batch_size: 16, target_train_accuracy: 0, learning_rate: 0.2}\n"
                   "curvature: {curvature_examples: all, track_every_epochs: 2}\n");
    r = run(&b, 0, 0);
    CU_ASSERT_EQUAL_FATAL(r.track.n_rows, 3); /* the start, epochs 2 and 4 */
    CU_ASSERT(r.track.value[0] == 0 && r.track.value[n] == 2 && r.track.value[2 * n] == 4);
    CU_ASSERT_EQUAL(r.history.n_rows, 4);
    ss_record_finish(&r);
    bench_close(&b);
}

/* Tracking looks and does not touch: the same end with and without it. */
static void test_tracking_is_harmless(void)
{
    bench b = bench_open(BASE MODEL "training: {max_epochs: 3, batch_size: 16}\n"
                         "curvature: {curvature_examples: all}\ngrid: {track_every_steps: [none, 1]}\n");
    ss_record plain = run(&b, 0, 0), tracked = run(&b, 1, 0);
    CU_ASSERT(plain.lambda_max == tracked.lambda_max && plain.train_loss == tracked.train_loss);
    CU_ASSERT(plain.track.n_rows == 0 && tracked.track.n_rows > 3);
    ss_record_finish(&plain);
    ss_record_finish(&tracked);
    bench_close(&b);
}

static void test_interpolation(void)
{
    bench b = bench_open(BASE MODEL "training: {max_epochs: 2, batch_size: 16, target_train_accuracy: 0, learning_rate: 0.5}\n"
                         "curvature: {curvature_examples: all}\ngrid: {interpolation_points: [0, 2, 8]}\n");
    ss_record at = run(&b, 0, 0), ends = run(&b, 1, 0), between = run(&b, 2, 0);
    CU_ASSERT(ends.lambda_max >= at.lambda_max); /* the iterate itself is one of the points */
    CU_ASSERT(between.lambda_max >= ends.lambda_max);
    CU_ASSERT(at.lambda_fraction == 0 && (ends.lambda_fraction == 0 || ends.lambda_fraction == 1));
    CU_ASSERT_EQUAL(ends.lambda_fraction == 0, ends.lambda_max == at.lambda_max);
    CU_ASSERT(between.lambda_fraction >= 0 && between.lambda_fraction <= 1);
    CU_ASSERT(between.hvp_count > ends.hvp_count && ends.hvp_count > at.hvp_count);
    CU_ASSERT(at.train_loss == between.train_loss && at.steps == between.steps); /* the step to look ahead is not taken */
    ss_record_finish(&at);
    ss_record_finish(&ends);
    ss_record_finish(&between);
    bench_close(&b);
}

static bool always(void *ctx)
{
    (void)ctx;
    return true;
}

static bool after_a_while(void *ctx)
{
    return --*(int *)ctx < 0;
}

static void test_interrupted(void)
{
    bench b = bench_open(BASE MODEL "training: {max_epochs: 3, batch_size: 16}\n"
                         "curvature: {curvature_examples: all, track_every_steps: 3}\n");
    b.trial.should_stop = always;
    ss_record r = run(&b, 0, 1);
    ss_record_finish(&r);
    b.trial.should_stop = after_a_while;
    for (int n = 1; n < 40; n += 3) { /* in a step, in a tracked measurement, wherever it falls */
        int left = n;
        b.trial.ctx = &left;
        r = run(&b, 0, 1);
        ss_record_finish(&r);
    }
    bench_close(&b);
}

static void test_failures(void)
{
    bench b = bench_open(BASE MODEL "training: {max_epochs: 1, batch_size: 16}\ncurvature: {curvature_examples: all}\n");
    long n_failed = 0;
    for (long n = 0; n < 2000; n++) {
        ss_error error = {{0}};
        ss_record r;
        ss_record_init(&r);
        ss_alloc_fail_after(n);
        int rc = ss_trial_run(&b.trial, 0, &r, &error);
        ss_alloc_fail_after(-1);
        CU_ASSERT_EQUAL(rc, 0);
        bool failed = r.status == SS_FAILED;
        if (failed) {
            n_failed++;
            CU_ASSERT(r.error[0] != '\0' && r.stop_reason == SS_STOP_ERROR && isnan(r.lambda_max) && r.history.n_rows == 0);
            CU_ASSERT(r.hvp_count == SS_UNKNOWN && r.epochs == SS_UNKNOWN && r.steps == SS_UNKNOWN);
            CU_ASSERT(r.n_train == 64 && strlen(r.data_digest) == SS_DIGEST_BYTES - 1);
        }
        ss_record_finish(&r);
        if (!failed) break;
    }
    CU_ASSERT(n_failed > 10 && n_failed < 1999);
    bench_close(&b);
}

static void test_weights(void)
{
    char dir[256], path[512], id[SS_ID_BYTES];
    const char *tmp = getenv("TMPDIR");
    ss_error error = {{0}};
    snprintf(dir, sizeof dir, "%s/sharpsweep-trial-XXXXXX", tmp ? tmp : "/tmp");
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(dir));
    bench b = bench_open(BASE MODEL "training: {max_epochs: 2, batch_size: 16}\nsweep: {save_weights: true}\n"
                         "curvature: {curvature_examples: all, eigenvalues: 3}\ngrid: {batch_norm: [true]}\n");
    ss_settings s;
    ss_grid_settings(ss_study_grid(b.study), 0, &s);
    b.trial.weights_dir = dir;
    ss_record r = run(&b, 0, 0);
    CU_ASSERT_EQUAL_FATAL(r.n_eigenvalues, 3);
    CU_ASSERT(r.eigenvalue[0] == r.lambda_max && r.eigenvalue[1] <= r.eigenvalue[0] && r.eigenvalue[2] <= r.eigenvalue[1]);
    ss_point_identify(&s, ss_study_data(b.study, &s)->digest, id);
    snprintf(path, sizeof path, "%s/%s.h5", dir, id);
    /* Loaded into a fresh network, the weights measure to the same bits. */
    const ss_dataset *data = ss_study_data(b.study, &s);
    ss_net *net = ss_model_create(&s, data, &error);
    ss_train_options training = ss_model_training(&s);
    training.seed = 99;
    ss_trainer *t = ss_trainer_create(net, data, &training, &error);
    ss_hessian_options options = ss_model_hessian(&s, data->train.n, 1e9);
    ss_hessian *h = ss_hessian_create(net, data, &options, &error);
    ss_lambda lambda = {0};
    CU_ASSERT_EQUAL_FATAL(ss_weights_load(net, path, t->theta, t->stats, &error), 0);
    CU_ASSERT_EQUAL(ss_measure(t, &s, h, NULL, NULL, &lambda, &error), 0);
    CU_ASSERT(lambda.lambda_max == r.lambda_max);
    ss_lambda_finish(&lambda);
    double loss, accuracy;
    ss_trainer_evaluate(t, &data->train, &loss, &accuracy);
    CU_ASSERT(loss == r.train_loss && accuracy == r.train_accuracy);
    CU_ASSERT_EQUAL(ss_weights_load(net, "/nonexistent/w.h5", t->theta, t->stats, &error), -1);
    ss_hessian_destroy(h);
    ss_trainer_destroy(t);
    ss_net_destroy(net);
    ss_record_finish(&r);
    bench_close(&b);
    CU_ASSERT_EQUAL(unlink(path), 0);
    CU_ASSERT_EQUAL(rmdir(dir), 0);
}

static int n_warnings;

static void count_warnings(void *ctx, ss_log_level level, const char *line)
{
    (void)ctx;
    n_warnings += level == SS_LOG_WARNING && strstr(line, "/proc/none") != NULL;
}

/* Weights that cannot be written cost the file, not the numbers. */
static void test_weights_unwritable(void)
{
    bench b = bench_open(BASE MODEL "training: {max_epochs: 2, batch_size: 16}\nsweep: {save_weights: true}\n"
                         "curvature: {curvature_examples: all}\n");
    ss_record kept = run(&b, 0, 0); /* weights_dir NULL: nothing is written */
    b.trial.weights_dir = "/proc/none/w";
    ss_log_set_sink(count_warnings, NULL);
    ss_record r = run(&b, 0, 0);
    ss_log_set_sink(NULL, NULL);
    CU_ASSERT_EQUAL(n_warnings, 1);
    CU_ASSERT(strstr(r.error, "/proc/none") != NULL && kept.error[0] == '\0');
    r.error[0] = '\0';
    CU_ASSERT(ss_record_same(&kept, &r));
    CU_ASSERT(r.status != SS_FAILED && r.lambda_max > 0 && r.history.n_rows > 0);
    ss_record_finish(&kept);
    ss_record_finish(&r);
    bench_close(&b);
}

/* The peak is that of one trial, not of everything this process ever did. */
static void test_memory_peak(void)
{
    const size_t n = (size_t)96 << 20;
    double kept = ss_memory_peak_bytes();
    unsigned char *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CU_ASSERT_FATAL(p != MAP_FAILED);
    memset(p, 1, n);
    double most = ss_memory_peak_bytes();
    CU_ASSERT(most >= 96e6 && most >= kept);
    munmap(p, n);
    if (access("/proc/self/clear_refs", W_OK) != 0) return; /* this kernel has none */
    ss_memory_peak_reset();
    CU_ASSERT(ss_memory_peak_bytes() < most - 64e6 && ss_memory_peak_bytes() > 1e6);
}

static const ss_case cases[] = {
    {"outcomes", test_outcomes},       {"deterministic", test_deterministic},
    {"SAM's edge", test_sam_edge},    {"tracking", test_tracking},       {"tracking is harmless", test_tracking_is_harmless},
    {"interpolation", test_interpolation}, {"interrupted", test_interrupted},
    {"failures", test_failures},       {"weights", test_weights},
    {"weights that cannot be written", test_weights_unwritable}, {"peak of memory", test_memory_peak},
    {"what curvature is measured on", test_curvature_examples},
    {"how convolutions were computed", test_convolutions}, {"memory for curvature", test_curvature_memory},
};
SS_SUITE("app, trial", cases)
