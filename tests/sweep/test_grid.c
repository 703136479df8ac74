#include "sharpsweep/sweep.h"

#include <math.h>
#include <string.h>

#include "../suite.h"

/* Every point's values of the job's axes, "0.1 32; 0.1 64; ...", in the axes' order. */
static void write_points(const ss_job *job, const ss_grid *grid, char *out, size_t bytes)
{
    size_t n = 0;
    out[0] = '\0';
    for (size_t i = 0; i < ss_grid_count(grid); i++) {
        ss_settings s;
        ss_grid_settings(grid, i, &s);
        n += (size_t)snprintf(out + n, bytes - n, "%s", i ? "; " : "");
        for (int a = 0; a < job->n_axes; a++)
            for (int k = 0; k < job->axes[a].n_keys; k++) {
                char value[64];
                ss_key_format(job->axes[a].key[k], &s, value, sizeof value);
                n += (size_t)snprintf(out + n, bytes - n, "%s%s", a + k ? " " : "", value);
            }
    }
}

struct grid_case { const char *text, *points; };
static const struct grid_case grids[] = {
    {"grid: {learning_rate: [0.1, 0.2], batch_size: [32, full]}", "0.1 32; 0.1 full; 0.2 32; 0.2 full"},
    {"grid: {batch_size: [32, full], learning_rate: [0.1, 0.2]}", "32 0.1; 32 0.2; full 0.1; full 0.2"},
    {"grid: {learning_rate: {log: [0.001, 0.1, 3]}}", "0.001; 0.01; 0.1"},
    {"grid: {learning_rate: {log: [0.1, 0.001, 3]}}", "0.1; 0.01; 0.001"},
    {"grid: {learning_rate: {log: [1e-6, 1, 7]}}", "1e-6; 1e-5; 0.0001; 0.001; 0.01; 0.1; 1"},
    {"grid: {learning_rate: {log: [0.01, 0.1, 3]}}", "0.01; 0.0316227766017; 0.1"},
    {"grid: {dropout: {linear: [0, 0.6, 7]}}", "0; 0.1; 0.2; 0.3; 0.4; 0.5; 0.6"},
    {"grid: {dropout: {linear: [0.3, 0, 4]}}", "0.3; 0.2; 0.1; 0"},
    {"grid: {learning_rate: {linear: [0.1, 0.3, 2]}}", "0.1; 0.3"},
    {"grid: {batch_size: {log: [32, 1024, 6]}}", "32; 64; 128; 256; 512; 1024"},
    {"grid: {batch_size: {log: [10, 1000, 4]}}", "10; 46; 215; 1000"},
    {"grid: {seed: {linear: [1, 10, 4]}}", "1; 4; 7; 10"},
    {"grid: {batch_norm: [false, true], loss: squared_error}", "false squared_error; true squared_error"},
    {"sweep: {seeds: 3}", "0; 1; 2"},
    {"sweep: {seeds: 2}\ngrid: {batch_size: [8, 9]}", "8 0; 8 1; 9 0; 9 1"},
    {"sweep: {seeds: none}\ngrid: {batch_size: [8, 9]}", "8; 9"},
    {"grid: {zip: {learning_rate: [0.1, 0.2, 0.4], batch_size: [32, 64, 128]}}", "0.1 32; 0.2 64; 0.4 128"},
    {"grid:\n  seed: [1, 2]\n  zip: {learning_rate: [0.1, 0.2], batch_size: [32, 64]}\n  sam_rho: [0, 0.05]",
     "1 0.1 32 0; 1 0.1 32 0.05; 1 0.2 64 0; 1 0.2 64 0.05; 2 0.1 32 0; 2 0.1 32 0.05; 2 0.2 64 0; 2 0.2 64 0.05"},
    {"grid:\n  zip:\n    - {learning_rate: [0.1, 0.2], batch_size: [32, 64]}\n    - {sam_rho: [0, 1], dropout: [0, 0.5]}",
     "0.1 32 0 0; 0.1 32 1 0.5; 0.2 64 0 0; 0.2 64 1 0.5"},
    {"grid:\n  zip: {learning_rate: {log: [0.01, 1, 3]}, batch_size: {log: [10, 1000, 3]}}", "0.01 10; 0.1 100; 1 1000"},
    {"grid: {seed: [1, 2, 3], exclude: {seed: 2}}", "1; 3"},
    {"grid: {seed: [1, 2], batch_size: [8, 9], exclude: [{seed: 1, batch_size: 9}]}", "1 8; 2 8; 2 9"},
    {"grid: {exclude: [{seed: [1, 3], batch_size: full}, {batch_size: 8, seed: 2}], seed: [1, 2, 3],\n"
     "  batch_size: [8, full]}",
     "1 8; 2 full; 3 8"},
    {"grid: {seed: [1, 2, 3], exclude: [{seed: [1, 2]}, {seed: 1}]}", "3"}, /* dropped twice is dropped */
    {"grid: {learning_rate: [0.1, 1], exclude: {learning_rate: 1e-1}}", "1"},
    {"sweep: {seeds: 3}\ngrid: {batch_size: [8, 9], exclude: {seed: 2, batch_size: 9}}", "8 0; 8 1; 8 2; 9 0; 9 1"},
    {"grid:\n  zip: {learning_rate: [0.1, 0.2], batch_size: [32, 64]}\n  exclude: {batch_size: 32, learning_rate: 0.1}",
     "0.2 64"},
};

static void check_points(const struct grid_case *c)
{
    char points[1024] = "";
    ss_error error = {""};
    ss_job *job = ss_job_parse(c->text, "job.yaml", &error);
    ss_grid *grid = job ? ss_grid_create(job, &error) : NULL;
    if (grid) write_points(job, grid, points, sizeof points);
    if (strcmp(points, c->points) != 0)
        fprintf(stderr, "\n    %s\n    expected %s\n    but got  %s %s\n", c->text, c->points, points, error.text);
    CU_ASSERT_STRING_EQUAL(points, c->points);
    ss_grid_destroy(grid);
    ss_job_destroy(job);
}

static void points_in_order(void)
{
    for (size_t i = 0; i < sizeof grids / sizeof *grids; i++) check_points(&grids[i]);
    ss_grid_destroy(NULL);
}

static void other_settings_stay(void)
{
    ss_job *job = ss_job_parse("training: {momentum: 0.9}\ngrid: {seed: [4, 5]}\n", "job.yaml", NULL);
    ss_grid *grid = ss_grid_create(job, NULL);
    ss_settings s, d;
    size_t n, differ = 0;
    const ss_key *key = ss_keys(&n);
    ss_settings_default(&d);
    ss_grid_settings(grid, 1, &s);
    for (size_t i = 0; i < n; i++) differ += !ss_key_equal(&key[i], &s, &d);
    CU_ASSERT_EQUAL(differ, 2);
    CU_ASSERT_EQUAL(s.momentum, 0.9);
    CU_ASSERT_EQUAL(s.seed, 5);
    ss_grid_destroy(grid);
    ss_job_destroy(job);
}

/* Every kind of key may be an axis; the point's value is what was written. */
static void every_axis_key(void)
{
    size_t n, n_axes = 0;
    const ss_key *key = ss_keys(&n);
    for (size_t i = 0; i < n; i++) {
        bool scalar = key[i].type != SS_TEXT && key[i].type != SS_INTS && key[i].type != SS_LAYERS;
        if (!scalar || !key[i].identity) continue;
        char text[256], value[64];
        snprintf(text, sizeof text, "curvature: {%s}\ngrid: {%s: [%s]}\n",
                 strcmp(key[i].name, "curvature_examples") ? "curvature_examples: all" : "", key[i].name, key[i].fallback);
        ss_error error = {""};
        ss_job *job = ss_job_parse(text, "job.yaml", &error);
        if (!job) fprintf(stderr, "\n    %s\n", error.text);
        CU_ASSERT_PTR_NOT_NULL_FATAL(job);
        ss_grid *grid = ss_grid_create(job, NULL);
        ss_settings s;
        ss_grid_settings(grid, 0, &s);
        ss_key_format(&key[i], &s, value, sizeof value);
        CU_ASSERT_STRING_EQUAL(value, key[i].fallback);
        CU_ASSERT(ss_job_is_axis(job, &key[i]));
        n_axes++;
        ss_grid_destroy(grid);
        ss_job_destroy(job);
    }
    CU_ASSERT(n_axes > 40);
}

static void large_grid(void)
{
    ss_job *job = ss_job_parse("grid: {seed: {linear: [1, 1000, 1000]}, batch_size: {linear: [1, 1000, 1000]},\n"
                               "  exclude: {seed: 1000, batch_size: 1000}}\n", "job.yaml", NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(job);
    ss_grid *grid = ss_grid_create(job, NULL);
    ss_settings s;
    CU_ASSERT_EQUAL(ss_grid_count(grid), 999999);
    ss_grid_settings(grid, 999998, &s);
    CU_ASSERT(s.seed == 1000 && s.batch_size == 999);
    ss_grid_destroy(grid);
    ss_job_destroy(job);
}

static void memory_gone(void)
{
    ss_job *job = ss_job_parse("grid: {seed: [1, 2], zip: {sam_rho: [0, 1], dropout: [0, 0.5]},\n"
                               "  exclude: {seed: 1, dropout: 0}}\n", "job.yaml", NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(job);
    long n = 0;
    for (; n < 100; n++) {
        ss_alloc_fail_after(n);
        ss_error error = {""};
        ss_grid *grid = ss_grid_create(job, &error);
        ss_alloc_fail_after(-1);
        if (!grid) CU_ASSERT(strncmp(error.text, "out of memory", 13) == 0);
        bool done = grid != NULL;
        ss_grid_destroy(grid);
        if (done) break;
    }
    CU_ASSERT(n > 5 && n < 100);
    ss_job_destroy(job);
}

static const ss_case cases[] = {
    {"points in order", points_in_order},
    {"other settings stay", other_settings_stay},
    {"every axis key", every_axis_key},
    {"large grid", large_grid},
    {"memory gone", memory_gone},
};
SS_SUITE("sweep/grid", cases)
