/* test_paths.c - where results go, and making the folders that lead there. */
#include "../../src/app/app.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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

static void test_folders(void)
{
    char root[256], path[512];
    const char *tmp = getenv("TMPDIR");
    ss_error error = {{0}};
    struct stat info;
    snprintf(root, sizeof root, "%s/sharpsweep-paths-XXXXXX", tmp ? tmp : "/tmp");
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(root));
    snprintf(path, sizeof path, "%s/a//b/c.h5", root);
    CU_ASSERT_EQUAL(ss_make_folder_of(path, &error), 0);
    CU_ASSERT_EQUAL(ss_make_folder_of(path, &error), 0); /* again: nothing to do */
    snprintf(path, sizeof path, "%s/a/b", root);
    CU_ASSERT(stat(path, &info) == 0 && S_ISDIR(info.st_mode));
    CU_ASSERT_EQUAL(ss_make_folder_of("plain.h5", &error), 0);
    snprintf(path, sizeof path, "%s/file", root);
    FILE *file = fopen(path, "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    fclose(file);
    snprintf(path, sizeof path, "%s/file/below/c.h5", root);
    CU_ASSERT_EQUAL(ss_make_folder_of(path, &error), -1); /* a file stands where a folder should */
    CU_ASSERT(strstr(error.text, "cannot create the folder") != NULL);
    snprintf(path, sizeof path, "%s/file", root);
    unlink(path);
    snprintf(path, sizeof path, "%s/a/b", root);
    rmdir(path);
    snprintf(path, sizeof path, "%s/a", root);
    rmdir(path);
    CU_ASSERT_EQUAL(rmdir(root), 0);
}

static const ss_case cases[] = {{"results file", test_results}, {"folders", test_folders}};
SS_SUITE("app, paths", cases)
