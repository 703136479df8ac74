/* What a job may not ask of its data and networks, found before anything runs; the look-ahead step under a schedule. */
#include "../suite.h"

#include <string.h>

#include "../../src/app/trial.h"

#define DATA "data: {dataset: synthetic, synthetic_train: 101, synthetic_test: 16, synthetic_size: 6}\n"
#define SMALL "model: {network: mlp, widths: [8]}\n"

static void refused(void)
{
    static const struct { const char *text, *says; } table[] = {
        {DATA SMALL "training: {batch_size: 50}\ncurvature: {curvature_examples: all}\ngrid: {batch_norm: [true]}\n",
         "batch norm would see a single example, which has no variance: of 101 training examples with batch_size 50"},
        {DATA SMALL "training: {batch_size: 25, ghost_batch: 1}\ncurvature: {curvature_examples: all}\ngrid: {batch_norm: [true]}\n",
         "batch norm would see a single example"},
        {DATA SMALL "training: {batch_size: full, ghost_batch: 10}\ncurvature: {curvature_examples: 20}\ngrid: {batch_norm: [true]}\n",
         "batch norm would see a single example"},
        {DATA SMALL "training: {batch_size: full}\ncurvature: {curvature_examples: all, sharpness_rho: 0.1, sharpness_m: 20}\n"
         "grid: {batch_norm: [true]}\n", "batch norm would see a single example, which has no variance, in a measure: in groups"},
        {DATA SMALL "training: {batch_size: full}\ncurvature: {curvature_examples: all, adaptive_rho: 0.1, sharpness_m: 1}\n"
         "grid: {batch_norm: [true]}\n", "in a measure: in groups of sharpness_m for sharpness_rho or adaptive_rho"},
        {DATA SMALL "training: {batch_size: full}\ncurvature: {curvature_examples: all, adaptive_rho: 0.1, sharpness_m: 20}\n"
         "grid: {batch_norm: [true]}\n", "in a measure: in groups of sharpness_m for sharpness_rho or adaptive_rho"},
        {"data: {dataset: fashion-mnist, train_examples: all}\n" SMALL "curvature: {curvature_examples: all, adaptive_rho: 1, "
         "sharpness_m: 70000}\n", "sharpness_m 70000 is more than the 60000 examples of the Hessian"},
        {"data: {dataset: fashion-mnist, train_examples: all}\n" SMALL "curvature: {batch_sharpness_batches: 2}\n"
         "training: {batch_size: 30001}\n", "batch_sharpness_batches 2 is more than the 1 whole batches of batch_size 30001"},
        {DATA SMALL "training: {batch_size: 20}\ncurvature: {curvature_examples: all, spectrum_probes: 2001}\ngrid: {seed: [0]}\n",
         "spectrum_probes 2001 of 50 steps are 100050 nodes of a spectrum; at most 100000 are kept"},
        {DATA "model: {network: mlp, widths: []}\ntraining: {batch_size: 20}\ncurvature: {curvature_examples: all, "
         "spectrum_probes: 1000, spectrum_steps: 1000}\ngrid: {seed: [0]}\n", "spectrum_probes 1000 of 148 steps are 148000 nodes"},
        {"data: {dataset: fashion-mnist, train_examples: all}\n" SMALL "curvature: {lambda_subsets: 70000}\n",
         "lambda_subsets 70000 is more than the 60000 training examples"},
        {DATA "model: {network: vgg11}\ncurvature: {curvature_examples: all}\ntraining: {batch_size: 20}\ngrid: {seed: [0]}\n",
         "network vgg11 on 6x6x1 images of synthetic: layer 11 (max_pool): a 2x2 window does not fit its input of 1x1x256"},
        {DATA "model: {network: layers, layers: [{linear: 4}]}\ncurvature: {curvature_examples: all}\n"
         "training: {batch_size: 20}\ngrid: {seed: [0]}\n",
         "layer 1 (linear): linear takes features but its input is 6x6x1"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        ss_error error = {{0}};
        ss_job *job = ss_job_parse(table[i].text, "job.yaml", &error);
        CU_ASSERT_PTR_NOT_NULL_FATAL(job);
        ss_study *study = ss_study_create(job, &error);
        CU_ASSERT_PTR_NULL(study);
        if (!strstr(error.text, table[i].says)) fprintf(stderr, "\n    expected: %s\n    got: %s\n", table[i].says, error.text);
        CU_ASSERT_PTR_NOT_NULL(strstr(error.text, table[i].says));
        ss_study_destroy(study);
        ss_job_destroy(job);
    }
}

static void smallest_pass(void)
{
    static const struct { int64_t batch, m, ghost, examples; double rho; uint32_t n, expected; } table[] = {
        {SS_WORD, SS_WORD, 1000, SS_WORD, 0, 100, 100}, {50, SS_WORD, 1000, SS_WORD, 0, 101, 1},
        {50, SS_WORD, 1000, SS_WORD, 0, 120, 20},       {50, SS_WORD, 20, SS_WORD, 0, 100, 10},
        {50, 7, 1000, SS_WORD, 0.1, 100, 1},            {50, 7, 1000, SS_WORD, 0, 100, 50},
        {50, 8, 1000, SS_WORD, 0.1, 100, 2},            {50, SS_WORD, 1000, 51, 0, 100, 1},
        {SS_WORD, SS_WORD, 33, SS_WORD, 0, 100, 1},     {300, SS_WORD, 1000, SS_WORD, 0, 100, 100},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        ss_settings s;
        ss_settings_default(&s);
        s.batch_size = table[i].batch, s.sam_m = table[i].m, s.ghost_batch = table[i].ghost, s.sam_rho = table[i].rho;
        s.curvature_examples = table[i].examples;
        uint32_t got = ss_model_smallest_pass(&s, table[i].n);
        if (got != table[i].expected) fprintf(stderr, "\n    row %zu: %u, expected %u\n", i, got, table[i].expected);
        CU_ASSERT_EQUAL(got, table[i].expected);
    }
}

/* Batches of 20 in one ghost batch, 100 examples, 100 of the Hessian: what measures add. */
static void smallest_pass_of_measures(void)
{
    static const struct { const char *key; const char *value; int64_t m; uint32_t n, expected; } table[] = {
        {"sharpness_rho", "0.1", SS_WORD, 100, 20}, {"sharpness_rho", "0.1", 30, 100, 10}, {"sharpness_rho", "0.1", 33, 100, 1},
        {"adaptive_rho", "0.1", 30, 100, 10}, {"adaptive_rho", "0.1", 33, 100, 1},
        {"sharpness_rho", "0", 33, 100, 20},        {"sharpness_rho", "0.1", 1, 100, 1},   {"sharpness_rho", "0.1", 21, 100, 1},
        {"lambda_subsets", "2", SS_WORD, 100, 10},  {"lambda_subsets", "3", SS_WORD, 100, 13}, {"lambda_subsets", "100", SS_WORD, 100, 1},
        {"batch_sharpness_batches", "2", SS_WORD, 100, 20}, {"trace_probes", "5", SS_WORD, 100, 20},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        ss_settings s;
        ss_settings_default(&s);
        s.batch_size = 20, s.curvature_examples = SS_WORD, s.sharpness_m = table[i].m;
        CU_ASSERT_EQUAL(ss_key_parse(ss_key_find(table[i].key), table[i].value, &s, NULL), 0);
        uint32_t got = ss_model_smallest_pass(&s, table[i].n);
        if (got != table[i].expected) fprintf(stderr, "\n    row %zu: %u, expected %u\n", i, got, table[i].expected);
        CU_ASSERT_EQUAL(got, table[i].expected);
        s.curvature_batch_norm = "running"; /* then measures do not matter */
        CU_ASSERT_EQUAL(ss_model_smallest_pass(&s, table[i].n), 20);
    }
}

/* Early in training lambda_max rises from a step to the next for some seeds: unless the step is none. */
static size_t maxima_ahead(const char *training)
{
    char text[1024];
    size_t ahead = 0;
    ss_error error = {{0}};
    snprintf(text, sizeof text, DATA SMALL "training: {%s, max_steps: 2, batch_size: 25, learning_rate: 0.5, "
             "target_train_accuracy: 0}\ncurvature: {curvature_examples: all, interpolation_points: 3}\n"
             "grid: {seed: [0, 1, 2, 3, 4, 5, 6, 7]}\n", training);
    ss_job *job = ss_job_parse(text, "job.yaml", &error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(job);
    ss_study *study = ss_study_create(job, &error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(study);
    for (size_t i = 0; i < 8; i++) {
        ss_settings s;
        ss_lambda lambda = {0};
        ss_train_end end;
        ss_epoch_row last;
        ss_grid_settings(ss_study_grid(study), i, &s);
        const ss_dataset *data = ss_study_data(study, &s);
        ss_net *net = ss_model_create(&s, data, &error);
        ss_train_options options = ss_model_training(&s);
        ss_hessian_options hessian = ss_model_hessian(&s, data->train.n, 1e9);
        ss_trainer *t = ss_trainer_create(net, data, &options, &error);
        ss_hessian *h = ss_hessian_create(net, data, &hessian, &error);
        CU_ASSERT_EQUAL_FATAL(ss_trainer_run(t, NULL, &end, &last, &error), 0);
        CU_ASSERT_EQUAL_FATAL(ss_measure(t, &s, h, NULL, NULL, &lambda, &error), 0);
        CU_ASSERT_STRING_EQUAL(t->options.schedule, s.schedule);
        ahead += lambda.fraction > 0;
        ss_lambda_finish(&lambda);
        ss_hessian_destroy(h);
        ss_trainer_destroy(t);
        ss_net_destroy(net);
    }
    ss_study_destroy(study);
    ss_job_destroy(job);
    return ahead;
}

/* The schedule has come to 0 when training ends; the look-ahead takes the last step's rate. */
static void look_ahead(void)
{
    CU_ASSERT(maxima_ahead("schedule: constant") > 0);
    CU_ASSERT(maxima_ahead("schedule: cosine") > 0);
}

static const ss_case cases[] = {{"refused", refused}, {"smallest pass", smallest_pass},
                                {"smallest pass of measures", smallest_pass_of_measures}, {"look-ahead step", look_ahead}};
SS_SUITE("app, study", cases)
