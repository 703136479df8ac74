/* test_model.c - settings in the words of the lower floors; jobs whose networks and data do not fit. */
#include "../../src/app/trial.h"

#include "../../src/app/app.h"

#include <stdlib.h>
#include <string.h>

#include "../suite.h"

static ss_job *parse(const char *text)
{
    ss_error error = {{0}};
    ss_job *job = ss_job_parse(text, "job.yaml", &error);
    if (!job) fprintf(stderr, "\n    %s\n", error.text);
    return job;
}

static void test_words(void)
{
    ss_settings s;
    ss_settings_default(&s);
    s.batch_size = s.sam_m = s.max_steps = s.train_examples = SS_WORD;
    s.test_examples = 7;
    ss_train_options t = ss_model_training(&s);
    CU_ASSERT_EQUAL(t.batch_size, 0);
    CU_ASSERT_EQUAL(t.sam_m, 0);
    CU_ASSERT_EQUAL(t.max_steps, -1);
    CU_ASSERT_STRING_EQUAL(t.init, "pytorch");
    ss_data_options d = ss_model_data(&s);
    CU_ASSERT_EQUAL(d.train_examples, 0);
    CU_ASSERT_EQUAL(d.test_examples, 7);
    s.batch_size = 32;
    s.sam_m = 8;
    s.max_steps = 5;
    s.network = "vgg11";
    t = ss_model_training(&s);
    CU_ASSERT(t.batch_size == 32 && t.sam_m == 8 && t.max_steps == 5);
    CU_ASSERT_STRING_EQUAL(t.init, "study");
    s.init = "pytorch";
    CU_ASSERT_STRING_EQUAL(ss_model_init_scheme(&s), "pytorch");
    s.network = "mlp";
    s.init = "study";
    CU_ASSERT_STRING_EQUAL(ss_model_init_scheme(&s), "study");
}

/* Every key of a measure arrives, one by one; at checks of training all but the spectrum, if they are wanted there. */
static void test_measures(void)
{
    static const struct { const char *key, *value, *measure; } rows[] = {
        {"trace_probes", "5", "trace"}, {"spectrum_probes", "2", "spectrum"}, {"smallest_eigenvalue", "true", "lambda_min"},
        {"gauss_newton", "true", "gauss_newton"}, {"adaptive_eigenvalue", "true", "adaptive_lambda_max"},
        {"spherical_eigenvalue", "true", "spherical_sharpness"}, {"gradient_alignment", "true", "alignment"},
        {"sharpness_rho", "0.1", "sharpness"}, {"adaptive_rho", "0.1", "adaptive_sharpness"},
        {"batch_sharpness_batches", "3", "batch_sharpness"}, {"lambda_subsets", "2", "subsets"}, {"sam_rho", "0.05", "sam_edge"},
    };
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        ss_settings s;
        ss_settings_default(&s);
        bool edge = strcmp(rows[r].measure, "sam_edge") == 0, spectrum = strcmp(rows[r].measure, "spectrum") == 0;
        CU_ASSERT(!ss_model_measures_any(&s));
        CU_ASSERT_EQUAL(ss_key_parse(ss_key_find(rows[r].key), rows[r].value, &s, NULL), 0);
        CU_ASSERT_EQUAL(ss_model_measures_any(&s), !edge);
        ss_measure_options end = ss_model_measures(&s, 0.1, false), check = ss_model_measures(&s, 0.1, true);
        s.track_measures = true;
        ss_measure_options tracked = ss_model_measures(&s, 0.1, true);
        for (int i = 0; i < SS_N_MEASURES; i++) {
            bool mine = strcmp(ss_measure_name(i), rows[r].measure) == 0;
            CU_ASSERT_EQUAL(ss_measure_wanted(&end, i), mine);
            CU_ASSERT_EQUAL(ss_measure_wanted(&check, i), mine && edge);
            CU_ASSERT_EQUAL(ss_measure_wanted(&tracked, i), mine && !spectrum);
        }
    }
    ss_settings s;
    ss_settings_default(&s);
    s.batch_size = s.sharpness_m = SS_WORD, s.curvature_seed = 9, s.sharpness_steps = 3, s.spectrum_steps = 7;
    s.curvature_max_hvp = 11;
    ss_measure_options o = ss_model_measures(&s, 0.25, false);
    CU_ASSERT(o.batch_size == 0 && o.sharpness_m == 0 && o.seed == 9 && o.sharpness_steps == 3 && o.spectrum_steps == 7);
    CU_ASSERT(o.lanczos.max_products == 11 && o.learning_rate == 0.25);
}

static void test_threads(void)
{
    ss_settings s;
    ss_settings_default(&s);
    static const struct { const char *cpus; int64_t job; int expected; } cases[] = {
        {NULL, SS_WORD, 1}, {NULL, 1, 1},         {NULL, 4, 4},           {"8", SS_WORD, 8}, {"8", 1, 1}, {"8", 2, 2},
        {"1", SS_WORD, 1},  {"", SS_WORD, 1},     {"junk", SS_WORD, 1},   {"-3", SS_WORD, 1}, {"99999999", SS_WORD, 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (cases[i].cpus)
            setenv("SLURM_CPUS_PER_TASK", cases[i].cpus, 1);
        else
            unsetenv("SLURM_CPUS_PER_TASK");
        s.threads = cases[i].job;
        CU_ASSERT_EQUAL(ss_model_threads(&s), cases[i].expected);
    }
    unsetenv("SLURM_CPUS_PER_TASK");
}

static void test_hessian(void)
{
    static const struct { int64_t batch, ghost, curvature_ghost, examples; uint32_t n_train, expected_ghost, expected_examples; }
    cases[] = {
        {32, 1000, SS_WORD, 1000, 60000, 32, 1000},
        {5000, 1000, SS_WORD, 1000, 60000, 1000, 1000},
        {SS_WORD, 1000, SS_WORD, SS_WORD, 60000, 1000, 0},
        {SS_WORD, 1000, SS_WORD, 1000, 300, 300, 0}, /* more than there are: all */
        {32, 1000, 64, 300, 300, 64, 0},
        {100, 50, SS_WORD, 10, 300, 50, 10},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ss_settings s;
        ss_settings_default(&s);
        s.batch_size = cases[i].batch;
        s.ghost_batch = cases[i].ghost;
        s.curvature_ghost_batch = cases[i].curvature_ghost;
        s.curvature_examples = cases[i].examples;
        s.weight_decay = 0.25;
        ss_hessian_options h = ss_model_hessian(&s, cases[i].n_train, 3e9);
        CU_ASSERT_EQUAL(h.ghost_batch, cases[i].expected_ghost);
        CU_ASSERT_EQUAL(h.examples, cases[i].expected_examples);
        CU_ASSERT(h.l2 == 0 && h.cache_bytes <= 1000000000u && h.cache_bytes > 0);
        s.curvature_memory = 12345; /* the job's word goes before the machine's share */
        CU_ASSERT(ss_model_hessian(&s, cases[i].n_train, 3e9).cache_bytes == 12345);
        s.curvature_weight_decay = true;
        CU_ASSERT(ss_model_hessian(&s, cases[i].n_train, 3e9).l2 == 0.25);
    }
}

static void test_study(void)
{
    ss_error error = {{0}};
    ss_job *job = parse("data: {dataset: synthetic, synthetic_train: 64, synthetic_test: 32}\n"
                        "model: {network: mlp, widths: [8]}\n"
                        "training: {batch_size: 16}\ncurvature: {curvature_examples: all}\n"
                        "grid: {batch_norm: [false, true], learning_rate: [0.1, 0.2], train_examples: [32, 64]}\n");
    CU_ASSERT_PTR_NOT_NULL_FATAL(job);
    ss_study *study = ss_study_create(job, &error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(study);
    CU_ASSERT_EQUAL(ss_grid_count(ss_study_grid(study)), 8);
    CU_ASSERT_EQUAL(ss_study_n_networks(study), 4); /* batch norm or not, on each of two subsets */
    CU_ASSERT_EQUAL_FATAL(ss_study_n_data(study), 2);
    char digests[2 * SS_DIGEST_BYTES + 2];
    snprintf(digests, sizeof digests, "%s, %s", ss_study_data_at(study, 0)->digest, ss_study_data_at(study, 1)->digest);
    CU_ASSERT_STRING_EQUAL(ss_study_digests(study), digests);
    CU_ASSERT_STRING_EQUAL(ss_study_data_paths(study), "synthetic, synthetic");
    CU_ASSERT_STRING_NOT_EQUAL(ss_study_data_at(study, 0)->digest, ss_study_data_at(study, 1)->digest);
    for (size_t i = 0; i < 8; i++) {
        ss_settings s;
        ss_grid_settings(ss_study_grid(study), i, &s);
        CU_ASSERT_EQUAL(ss_study_data(study, &s)->train.n, (uint32_t)s.train_examples);
        const ss_work_size *w = ss_study_work(study, &s);
        /* 64 pixels, 8 hidden units, 4 classes; batch norm adds scale and shift of 8 */
        CU_ASSERT_EQUAL(w->n_parameters, 64 * 8 + 8 + 8 * 4 + 4 + (s.batch_norm ? 16 : 0));
        CU_ASSERT_EQUAL(w->n_train, (double)s.train_examples);
    }
    ss_cost cost[8];
    ss_study_costs(study, 1e9, cost);
    CU_ASSERT(cost[0].train_s > 0 && cost[0].curvature_s > 0 && cost[1].train_s > cost[0].train_s);
    ss_study_destroy(study);
    ss_job_destroy(job);
}

#define SET "data: {dataset: synthetic, synthetic_train: 64, synthetic_test: 32}\ncurvature: {curvature_examples: all}\n"
#define SYNTHETIC SET "training: {batch_size: 16}\n"

/* Jobs that parse and whose points cannot run; every part of the sentence that must be there. */
static void test_misfits(void)
{
    static const struct { const char *text, *part[3]; } cases[] = {
        {SYNTHETIC "model: {network: layers, layers: [flatten, {linear: {units: 3}}]}\n", {"job.yaml", "3", "4"}},
        {SYNTHETIC "model: {network: layers, layers: [{conv2d: {units: 4, kernel: 9}}, flatten, {linear: {units: 4}}]}\n",
         {"job.yaml", "conv2d", "8"}},
        {SYNTHETIC "model: {network: layers, layers: [{conv2d: {units: 4, kernel: 3}}, relu]}\n", {"job.yaml", "4", NULL}},
        {SYNTHETIC "model: {network: vgg11}\n", {"job.yaml", "vgg11", "8"}},
        {"data: {dataset: idx, data_dir: does-not-exist}\n", {"does-not-exist", NULL, NULL}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ss_error error = {{0}};
        ss_job *job = parse(cases[i].text);
        CU_ASSERT_PTR_NOT_NULL(job);
        if (!job) continue;
        ss_study *study = ss_study_create(job, &error);
        CU_ASSERT_PTR_NULL(study);
        for (size_t k = 0; k < 3 && cases[i].part[k]; k++) {
            if (!strstr(error.text, cases[i].part[k]))
                fprintf(stderr, "\n    case %zu: `%s` lacks `%s`\n", i, error.text, cases[i].part[k]);
            CU_ASSERT(strstr(error.text, cases[i].part[k]) != NULL);
        }
        ss_study_destroy(study);
        ss_job_destroy(job);
    }
}

/* What `plan` says is kept is what a trial's Hessian keeps, and as large, with batch norm or without. */
static void test_kept(void)
{
    static const char *const memory[] = {"0", "1M", "1600K", "2M", "2500K", "3M", "4M", "6M", "auto"};
    enum { N = sizeof memory / sizeof *memory };
    uint32_t n_levels[3] = {0};
    for (size_t i = 0; i < 2 * N; i++) {
        char text[512];
        ss_error error = {{0}};
        snprintf(text, sizeof text, SET "model: {network: cnn, batch_norm: %s}\ntraining: {batch_size: 8, micro_batch: 8}\n"
                 "sweep: {curvature_memory: %s}\n", i < N ? "false" : "true", memory[i % N]);
        ss_job *job = parse(text);
        CU_ASSERT_PTR_NOT_NULL_FATAL(job);
        ss_study *study = ss_study_create(job, &error);
        CU_ASSERT_PTR_NOT_NULL_FATAL(study);
        ss_settings s;
        ss_cost cost;
        ss_grid_settings(ss_study_grid(study), 0, &s);
        ss_study_costs(study, 1e9, &cost);
        const ss_dataset *data = ss_study_data(study, &s);
        ss_net *net = ss_model_create(&s, data, &error);
        ss_hessian_options o = ss_model_hessian(&s, data->train.n, ss_memory_share_bytes());
        ss_hessian *h = ss_hessian_create(net, data, &o, &error);
        CU_ASSERT_PTR_NOT_NULL_FATAL(h);
        ss_keep kept = ss_hessian_kept(h);
        CU_ASSERT(cost.n_batches == 8 && cost.activations == kept.activations && cost.deltas == kept.deltas);
        double bytes = (double)(kept.activations * ss_tape_bytes(net, 8, false) + kept.deltas * ss_deltas_bytes(net, 8));
        SS_ASSERT_NEAR(cost.kept_bytes, bytes, 0.03, 0);
        n_levels[kept.activations < 8 ? 0 : kept.deltas < 8 ? 1 : 2]++;
        ss_hessian_destroy(h);
        ss_net_destroy(net);
        ss_study_destroy(study);
        ss_job_destroy(job);
    }
    for (int level = 0; level < 3; level++) CU_ASSERT(n_levels[level] >= 2);
}

static const ss_case cases[] = {
    {"what is kept", test_kept},
    {"words and counts", test_words}, {"measures", test_measures}, {"threads", test_threads}, {"Hessian options", test_hessian},
    {"study", test_study}, {"misfits", test_misfits}};
SS_SUITE("app, model", cases)
