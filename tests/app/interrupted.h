/* interrupted.h - a point of every kind of job, run, interrupted at a poll of the stop and gone on with: what the tests of
 * checkpoints share. */
#ifndef SHARPSWEEP_TESTS_APP_INTERRUPTED_H
#define SHARPSWEEP_TESTS_APP_INTERRUPTED_H

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../src/app/trial.h"
#include "../suite.h"

#define DATA "data: {dataset: synthetic, synthetic_train: 96, synthetic_test: 32, synthetic_noise: 1}\n"

static const char *const jobs[] = {
    /* everything at once, MLP */
    DATA "model: {network: mlp, widths: [12, 8], batch_norm: true, dropout: 0.3}\n"
    "training: {max_epochs: 5, batch_size: 20, sam_rho: 0.05, momentum: 0.9, nesterov: true, schedule: cosine,"
    " learning_rate: 0.2, weight_decay: 1e-3, target_train_accuracy: 0}\n"
    "curvature: {curvature_examples: 64, eigenvalues: 3, track_every_epochs: 1, track_every_steps: 7}\n",
    /* everything at once, a small CNN; SAM in groups, ghost batches, the study's search between iterates */
    DATA "model: {network: layers, layers: [{conv2d: {units: 4, kernel: 3, padding: 1}}, batch_norm, relu,"
    " {max_pool: {kernel: 4}}, flatten, {linear: {units: 8}}, relu, {dropout: {p: 0.2}}, {linear: {units: 4}}]}\n"
    "training: {max_epochs: 3, batch_size: 24, sam_rho: 0.05, sam_m: 16, momentum: 0.9, ghost_batch: 16,"
    " target_train_accuracy: 0, learning_rate: 0.05}\n"
    "curvature: {curvature_examples: 32, eigenvalues: 2, interpolation_points: 3, curvature_max_hvp: 20,"
    " curvature_tolerance: 0.01}\n",
    /* one part at a time */
    DATA "model: {network: mlp, widths: [12]}\n"
    "training: {max_epochs: 20, batch_size: full, learning_rate: 0.5, target_train_accuracy: 0}\n"
    "curvature: {curvature_examples: 64, track_every_steps: 5}\n",
    DATA "model: {network: mlp, widths: [12], dropout: 0.5}\n"
    "training: {max_epochs: 9, max_steps: 31, evaluate_every_epochs: 3, batch_size: 16, momentum: 0.9,"
    " target_train_accuracy: 0}\n"
    "curvature: {curvature_examples: 64, eigenvalues: 4, curvature_tolerance: 1e-6, curvature_max_hvp: 90}\n",
    /* the preset, with everything */
    "data: {dataset: synthetic, synthetic_train: 32, synthetic_test: 8, synthetic_size: 4}\n"
    "model: {network: cnn, batch_norm: true, dropout: 0.3}\n"
    "training: {max_epochs: 5, batch_size: 16, sam_rho: 0.05, momentum: 0.9, schedule: step, step_epochs: 1,"
    " warmup_epochs: 1, target_train_accuracy: 0}\n"
    "curvature: {curvature_examples: 16, curvature_batch_norm: running, track_every_epochs: 2, curvature_max_hvp: 12}\n",
    /* checks that start from one another's vectors, in training and between iterates */
    DATA "model: {network: mlp, widths: [12, 8]}\n"
    "training: {max_epochs: 3, batch_size: 24, learning_rate: 0.3, momentum: 0.9, target_train_accuracy: 0}\n"
    "curvature: {curvature_examples: 64, eigenvalues: 2, track_every_steps: 3, interpolation_points: 3}\n",
    /* every measure, at the end and in training */
    DATA "model: {network: mlp, widths: [6], batch_norm: true}\n"
    "training: {max_epochs: 2, batch_size: 48, learning_rate: 0.3, sam_rho: 0.05, target_train_accuracy: 0}\n"
    "curvature: {curvature_examples: 40, curvature_max_hvp: 6, track_every_steps: 3, trace_probes: 3, spectrum_probes: 2,"
    " spectrum_steps: 4, smallest_eigenvalue: true, gauss_newton: true, adaptive_eigenvalue: true, spherical_eigenvalue: true,"
    " gradient_alignment: true, sharpness_rho: 0.1, sharpness_m: 20, sharpness_steps: 3, adaptive_rho: 0.1,"
    " batch_sharpness_batches: 2, lambda_subsets: 2, track_measures: true}\n",
};
enum { WARM_JOB = 5, MEASURES_JOB, N_JOBS = sizeof jobs / sizeof *jobs, N_MOMENTS = 20 };

typedef struct bench {
    ss_job *job;
    ss_study *study;
    ss_trial trial;
    char dir[256], folder[300], path[400], id[SS_ID_BYTES];
    long left, polled;            /* polls until a stop is asked for, < 0: never; polls so far */
} bench;

static __attribute__((unused)) bool should_stop(void *ctx)
{
    bench *b = ctx;
    b->polled++;
    return b->left >= 0 && b->left-- == 0;
}

static __attribute__((unused)) void bench_open(bench *b, const char *text)
{
    ss_error error = {{0}};
    const char *tmp = getenv("TMPDIR");
    *b = (bench){.job = ss_job_parse(text, "job.yaml", &error), .left = -1};
    if (b->job) b->study = ss_study_create(b->job, &error);
    if (!b->study) fprintf(stderr, "\n    %s\n", error.text);
    CU_ASSERT_PTR_NOT_NULL_FATAL(b->study);
    snprintf(b->dir, sizeof b->dir, "%.200s/sharpsweep-checkpoint-XXXXXX", tmp ? tmp : "/tmp");
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(b->dir));
    ss_settings s;
    ss_grid_settings(ss_study_grid(b->study), 0, &s);
    ss_point_identify(&s, ss_study_data(b->study, &s)->digest, b->id);
    snprintf(b->folder, sizeof b->folder, "%s/results.h5.checkpoints", b->dir);
    CU_ASSERT_EQUAL_FATAL(ss_checkpoint_path(b->folder, b->id, b->path, sizeof b->path, &error), 0);
    b->trial = (ss_trial){.study = b->study, .should_stop = should_stop, .ctx = b, .checkpoint_folder = b->folder};
}

static __attribute__((unused)) void bench_close(bench *b)
{
    ss_study_destroy(b->study);
    ss_job_destroy(b->job);
    char command[2 * sizeof b->path];
    unlink(b->path);
    snprintf(command, sizeof command, "rm -f '%s'.kept-*", b->path); /* damaged ones are kept */
    CU_ASSERT_EQUAL(system(command), 0);
    rmdir(b->folder);
    CU_ASSERT_EQUAL(rmdir(b->dir), 0); /* nothing else was left */
}

/* Runs point 0; a stop is asked for at poll number `stop_at`, < 0: never. */
static __attribute__((unused)) int run(bench *b, long stop_at, ss_record *r)
{
    ss_error error = {{0}};
    b->left = stop_at;
    b->polled = 0;
    ss_record_init(r);
    return ss_trial_run(&b->trial, 0, r, &error);
}

static __attribute__((unused)) ss_record unbroken(bench *b)
{
    ss_record r;
    b->trial.checkpoint_folder = NULL;
    CU_ASSERT_EQUAL_FATAL(run(b, -1, &r), 0);
    b->trial.checkpoint_folder = b->folder;
    CU_ASSERT(r.status == SS_DONE || r.status == SS_EPOCH_LIMIT);
    return r;
}

static uint64_t seed;
static uint64_t n_drawn;

static __attribute__((unused)) long draw(long n)
{
    ss_stream stream = ss_stream_make(seed, SS_FOR_TEST, 0, 0);
    return (long)(ss_stream_uniform(&stream, n_drawn++) * (double)n);
}

static int n_warnings, n_infos;
static char last_warning[1024];

static __attribute__((unused)) void count_lines(void *ctx, ss_log_level level, const char *line)
{
    (void)ctx;
    n_warnings += level == SS_LOG_WARNING;
    n_infos += level == SS_LOG_INFO && strstr(line, "goes on from its checkpoint") != NULL;
    if (level == SS_LOG_WARNING) snprintf(last_warning, sizeof last_warning, "%s", line);
}

static __attribute__((unused)) void listen_to_log(void)
{
    n_warnings = n_infos = 0;
    last_warning[0] = '\0';
    ss_log_configure(SS_LOG_INFO, NULL);
    ss_log_set_sink(count_lines, NULL);
}

/* Interrupted at the poll `at`, then run to the end. */
static __attribute__((unused)) void interrupt_and_go_on(bench *b, const ss_record *whole, size_t job, long at)
{
    ss_record part, r;
    ss_checkpoint_head head;
    CU_ASSERT_EQUAL_FATAL(run(b, at, &part), 1);
    ss_record_finish(&part);
    CU_ASSERT_EQUAL_FATAL(ss_checkpoint_peek(b->path, &head, NULL), 1);
    CU_ASSERT_STRING_EQUAL(head.id, b->id);
    n_infos = 0;
    CU_ASSERT_EQUAL_FATAL(run(b, -1, &r), 0);
    CU_ASSERT_EQUAL(n_infos, 1);
    bool same = ss_record_same(whole, &r);
    if (!same)
        fprintf(stderr, "\n    job %zu, stopped at poll %ld (%s, step %lld, product %lld): another record; %s\n", job, at,
                head.phase, (long long)head.step, (long long)head.products, r.error);
    CU_ASSERT(same);
    CU_ASSERT(r.train_s >= head.train_s && r.curvature_s > head.curvature_s); /* the parts add up */
    CU_ASSERT(head.train_s >= 0 && (head.step == 0 || head.train_s > 0));
    ss_record_finish(&r);
    CU_ASSERT_EQUAL(unlink(b->path), 0);
}

static __attribute__((unused)) bool holds(const bench *b, const char *piece)
{
    ss_checkpoint *c;
    CU_ASSERT_EQUAL_FATAL(ss_checkpoint_open(b->path, b->id, &c, NULL), 1);
    int64_t bytes = ss_checkpoint_bytes(c, piece);
    ss_checkpoint_close(c);
    return bytes > 0;
}

static __attribute__((unused)) void expect_anew(bench *b, const ss_record *whole, const char *sentence)
{
    ss_record r;
    n_warnings = 0;
    CU_ASSERT_EQUAL(run(b, -1, &r), 0);
    if (n_warnings != 1 || !strstr(last_warning, sentence))
        fprintf(stderr, "\n    `%s` expected, %d warnings: %s\n", sentence, n_warnings, last_warning);
    CU_ASSERT_EQUAL(n_warnings, 1);
    CU_ASSERT(strstr(last_warning, "begins anew") && strstr(last_warning, sentence));
    CU_ASSERT(ss_record_same(whole, &r));
    ss_record_finish(&r);
}

static __attribute__((unused)) void leave_checkpoint(bench *b, long at)
{
    ss_record part;
    CU_ASSERT_EQUAL_FATAL(run(b, at, &part), 1);
    ss_record_finish(&part);
}

#endif
