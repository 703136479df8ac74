#include "sharpsweep/sweep.h"

#include <stdio.h>
#include <string.h>

#include "../suite.h"

/* What is hashed, written out: `printf '%s' "$TEXT" | sha256sum | cut -c1-32`. If this fails, every result file ever
 * written would be computed anew: a new key or default may do that only on purpose. */
static const char defaults[] =
    "network=mlp\nactivation=relu\nwidths=[200, 200]\nlayers=\nbatch_norm=false\ndropout=0\ninit=auto\nloss=cross_entropy\nnumerics=fast\n"
    "dataset=fashion-mnist\ntrain_examples=all\ntest_examples=all\ntrain_subset=even\ntest_subset=even\nstandardise=pixel\n"
    "synthetic_train=512\nsynthetic_test=256\nsynthetic_size=8\nsynthetic_channels=1\nsynthetic_classes=4\n"
    "synthetic_seed=0\nsynthetic_noise=0.5\nlearning_rate=0.1\nbatch_size=128\nmomentum=0\nnesterov=false\n"
    "weight_decay=0\nschedule=constant\nstep_epochs=30\nstep_factor=0.1\nwarmup_epochs=0\nsam_rho=0\nsam_m=batch\n"
    "sam_decay_in_ascent=false\nsam_update_statistics_twice=false\nghost_batch=1000\nmicro_batch=250\nmax_epochs=100\n"
    "evaluate_every_epochs=1\n"
    "max_steps=none\ntarget_train_accuracy=0.99\ntarget_train_loss=0\n"
    "divergence_loss=10000\nseed=0\n"
    "curvature_examples=1000\ncurvature_subset=even\ncurvature_batch_norm=batch\ncurvature_ghost_batch=auto\n"
    "curvature_weight_decay=false\ncurvature_tolerance=0.001\ncurvature_risk=0.001\ncurvature_max_hvp=200\neigenvalues=1\ncurvature_seed=0\n"
    "interpolation_points=0\ntrack_every_epochs=none\ntrack_every_steps=none\ndata_digest=abc\nnumerics=2\n";

static void known_answer(void)
{
    ss_settings s;
    ss_sha256 h;
    char id[SS_ID_BYTES], digest[SS_DIGEST_BYTES];
    ss_settings_default(&s);
    ss_point_identify(&s, "abc", id);
    ss_sha256_init(&h);
    ss_sha256_update(&h, defaults, strlen(defaults));
    ss_sha256_finish(&h, digest);
    CU_ASSERT_EQUAL(strlen(id), 32);
    CU_ASSERT(strncmp(id, digest, 32) == 0);
    CU_ASSERT_STRING_EQUAL(id, "b1ab5f2581410a6f49295d67d50420e7");
}

static void every_identity_key_counts(void)
{
    size_t n;
    const ss_key *key = ss_keys(&n);
    ss_settings base;
    char id[SS_ID_BYTES], other[SS_ID_BYTES];
    ss_settings_default(&base);
    ss_point_identify(&base, "abc", id);
    for (size_t i = 0; i < n; i++) {
        ss_settings s = base;
        const char *text = key[i].type == SS_BOOL ? (key[i].fallback[0] == 't' ? "false" : "true")
                           : key[i].type == SS_CHOICE ? key[i].choices[strcmp(key[i].choices[0], key[i].fallback) == 0]
                           : key[i].type == SS_INTS ? "[3]" : key[i].type == SS_FLOAT ? "0.123" : "7";
        if (key[i].offset == (size_t)-1) continue;
        CU_ASSERT_EQUAL(ss_key_parse(&key[i], text, &s, NULL), 0);
        ss_point_identify(&s, "abc", other);
        CU_ASSERT_EQUAL(strcmp(id, other) != 0, key[i].identity);
    }
    ss_point_identify(&base, "abd", other);
    CU_ASSERT_STRING_NOT_EQUAL(id, other);
}

/* Keys that came later change no identity until they are used, whoever spells their defaults out. */
static void optional_keys_at_their_defaults(void)
{
    static const char text[] = "curvature: {trace_probes: 0, spectrum_steps: 50, sharpness_m: all, lambda_subsets: none,"
                               " gauss_newton: false, track_measures: false, sharpness_rho: 0.0}\n";
    char id[SS_ID_BYTES], other[SS_ID_BYTES];
    ss_settings s;
    ss_settings_default(&s);
    ss_point_identify(&s, "abc", id);
    ss_job *job = ss_job_parse(text, "job.yaml", NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(job);
    ss_point_identify(&job->settings, "abc", other);
    CU_ASSERT_STRING_EQUAL(id, other);
    job->settings.trace_probes = 2;
    ss_point_identify(&job->settings, "abc", other);
    CU_ASSERT_STRING_NOT_EQUAL(id, other);
    ss_job_destroy(job);
}

/* Of a grid's points, in any order, whatever the digests. */
static void identities_of_a_grid(void)
{
    static const char text[] =
        "grid: {zip: {batch_norm: [true, false], sharpness_rho: [0, 0.25]}, learning_rate: [0.1, 1e-7, 0.3333333333],"
        " batch_size: [full, 128], trace_probes: [0, 5], exclude: [{learning_rate: [0.1], trace_probes: [5]}]}\n"
        "sweep: {seeds: 5}\n";
    char id[SS_ID_BYTES], other[SS_ID_BYTES];
    ss_settings s;
    ss_error error = {{0}};
    ss_job *job = ss_job_parse(text, "job.yaml", &error);
    ss_grid *grid = job ? ss_grid_create(job, &error) : NULL;
    ss_identities *ids = grid ? ss_identities_create(grid, &error) : NULL;
    CU_ASSERT_PTR_NOT_NULL_FATAL(ids);
    size_t n = ss_grid_count(grid);
    CU_ASSERT_EQUAL(n, 100);
    for (size_t step = 1; step < 100; step = 3 * step + 2)
        for (size_t i = 0; i < 2 * n; i++) {
            size_t point = i * step % n;
            const char *digest = i % 7 ? "abc" : "another";
            ss_grid_settings(grid, point, &s);
            ss_point_identify(&s, digest, id);
            ss_identities_at(ids, point, digest, other);
            CU_ASSERT_STRING_EQUAL(id, other);
        }
    ss_identities_destroy(ids);
    for (long left = 0; left < 200; left++) {
        ss_alloc_fail_after(left);
        ids = ss_identities_create(grid, &error);
        ss_alloc_fail_after(-1);
        if (ids) break;
        CU_ASSERT_PTR_NOT_NULL(strstr(error.text, "out of memory"));
    }
    CU_ASSERT_PTR_NOT_NULL(ids);
    ss_identities_destroy(ids);
    ss_grid_destroy(grid);
    ss_job_destroy(job);
}

/* What makes a million points plan in seconds: a point costs what its own part of the text costs. */
static void identities_are_fast(void)
{
    static const char text[] = "grid: {learning_rate: {log: [0.001, 1, 10]}, sam_rho: {linear: [0.01, 0.1, 10]}}\n"
                               "sweep: {seeds: 100}\n";
    char id[SS_ID_BYTES];
    ss_settings s;
    ss_error error = {{0}};
    ss_job *job = ss_job_parse(text, "job.yaml", &error);
    ss_grid *grid = job ? ss_grid_create(job, &error) : NULL;
    ss_identities *ids = grid ? ss_identities_create(grid, &error) : NULL;
    CU_ASSERT_PTR_NOT_NULL_FATAL(ids);
    double start_s = ss_clock_s();
    for (size_t i = 0; i < 10000; i++) {
        ss_grid_settings(grid, i, &s);
        ss_point_identify(&s, "abc", id);
    }
    double middle_s = ss_clock_s();
    for (size_t i = 0; i < 10000; i++) ss_identities_at(ids, i, "abc", id);
    double one_by_one_s = middle_s - start_s, together_s = ss_clock_s() - middle_s;
    printf("10000 identities: %.3f s one by one, %.3f s together\n", one_by_one_s, together_s);
    CU_ASSERT(3 * together_s < one_by_one_s);
    ss_identities_destroy(ids);
    ss_grid_destroy(grid);
    ss_job_destroy(job);
}

static const ss_case cases[] = {
    {"optional keys at their defaults", optional_keys_at_their_defaults},
    {"known answer", known_answer},
    {"identities of a grid", identities_of_a_grid},
    {"identities are fast", identities_are_fast},
    {"every identity key counts", every_identity_key_counts},
};
SS_SUITE("sweep/point", cases)
