/* test_paths.c - where results go, and where they cannot. */
#include "../../src/app/app.h"

#include <string.h>

#include "../suite.h"

static void test_results(void)
{
    static const struct { const char *job, *output, *option, *path; } cases[] = {
        {"jobs/quick.yaml", NULL, NULL, "jobs/quick.h5"},
        {"quick.yaml", NULL, NULL, "quick.h5"},
        {"quick", NULL, NULL, "quick.h5"},
        {"a.b/quick", NULL, NULL, "a.b/quick.h5"},
        {"a.b/.hidden", NULL, NULL, "a.b/.hidden.h5"},
        {"x.y.yaml", "", NULL, "x.y.h5"},
        {"jobs/quick.yaml", "results/q.h5", NULL, "results/q.h5"},
        {"jobs/quick.yaml", "results/q.h5", "other.h5", "other.h5"},
        {"jobs/quick.yaml", NULL, "other.h5", "other.h5"},
        {"jobs/quick.yaml", NULL, "", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char job_path[64], output[64] = "";
        ss_job job = {0};
        ss_error error = {{0}};
        snprintf(job_path, sizeof job_path, "%s", cases[i].job);
        job.path = job_path;
        if (cases[i].output) snprintf(output, sizeof output, "%s", cases[i].output);
        job.output = cases[i].output ? output : NULL;
        char *path = ss_results_path(&job, cases[i].option, &error);
        CU_ASSERT_EQUAL(path != NULL, cases[i].path != NULL);
        if (path && cases[i].path) CU_ASSERT_STRING_EQUAL(path, cases[i].path);
        if (!path) CU_ASSERT(strstr(error.text, "results file") != NULL);
        ss_free(path);
    }
}

/* What no results file can be called, said before anything is made. */
static void test_names(void)
{
    char path[5000];
    ss_error error = {{0}};
    CU_ASSERT_EQUAL(ss_results_check("a/", &error), -1);
    CU_ASSERT_STRING_EQUAL(error.text, "a/: names a folder; the name of a results file is expected, such as a/results.h5");
    CU_ASSERT_EQUAL(ss_results_check("/", &error), -1);
    CU_ASSERT_EQUAL(ss_results_check("/tmp", &error), -1);
    CU_ASSERT_STRING_EQUAL(error.text, "/tmp: is a folder; the name of a results file is expected, such as /tmp/results.h5");
    CU_ASSERT_EQUAL(ss_results_check(".", &error), -1);
    for (size_t n = 1; n < 256; n++) { /* 187 = 255 - 8 for .journal - 60 for a temporary name */
        memset(path, 'n', n);
        path[n] = '\0';
        CU_ASSERT_EQUAL(ss_results_check(path, &error), n <= 187 ? 0 : -1);
    }
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, "nnn...: a name of 255 bytes, too long for the files beside it; at most 187 are "));
    for (size_t n = 0; n + 3 <= sizeof path; n += 2) memcpy(path + n, "d/", 3);
    CU_ASSERT_EQUAL(ss_results_check(path + 1000, &error), -1);
    path[sizeof path - 3] = '\0'; /* ends in a name */
    CU_ASSERT_EQUAL(ss_results_check(path + 1, &error), -1);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, "bytes, too long for the files below it"));
    CU_ASSERT_EQUAL(ss_results_check(path + 1101, &error), 0);
}

static const ss_case cases[] = {{"results file", test_results}, {"names", test_names}};
SS_SUITE("app, paths", cases)
