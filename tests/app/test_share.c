/* test_share.c - data sets that processes share: the same numbers, mapped and not copied; what is not theirs is refused. */
#include "../suite.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../src/app/trial.h"

#define JOB "model: {network: mlp, widths: [8]}\n" \
            "data: {dataset: synthetic, synthetic_train: 101, synthetic_test: 16, synthetic_size: 6, data_dir: \"${SHARE_TEST}\"}\n" \
            "curvature: {curvature_examples: 20}\ntraining: {batch_size: 20}\ngrid: {standardise: [pixel, none], seed: [0, 1]}\n"

static ss_job *job_of(const char *text)
{
    ss_error error = {{0}};
    ss_job *job = ss_job_parse(text, "job.yaml", &error);
    if (!job) fprintf(stderr, "\n    %s\n", error.text);
    CU_ASSERT_PTR_NOT_NULL_FATAL(job);
    return job;
}

static void same_batches(const ss_study *a, const ss_study *b)
{
    ss_real x[36], y[36];
    uint8_t label_x, label_y;
    CU_ASSERT_EQUAL_FATAL(ss_study_n_data(a), 2);
    CU_ASSERT_EQUAL_FATAL(ss_study_n_data(b), 2);
    for (size_t k = 0; k < 2; k++) {
        const ss_dataset *d = ss_study_data_at(a, k), *e = ss_study_data_at(b, k);
        CU_ASSERT_STRING_EQUAL(d->digest, e->digest);
        for (uint32_t i = 0; i < d->train.n; i++) {
            ss_dataset_batch(d, &d->train, NULL, i, 1, x, &label_x);
            ss_dataset_batch(e, &e->train, NULL, i, 1, y, &label_y);
            CU_ASSERT(memcmp(x, y, sizeof x) == 0 && label_x == label_y);
        }
    }
    CU_ASSERT_STRING_EQUAL(ss_study_digests(a), ss_study_digests(b));
}

static void shared(void)
{
    char path[64];
    ss_error error = {{0}};
    setenv("SHARE_TEST", "here", 1);
    ss_job *job = job_of(JOB);
    ss_study *own = ss_study_create(job, &error), *giver = ss_study_create(job, &error);
    CU_ASSERT_FATAL(own && giver);
    ss_study_shared_path(own, path, sizeof path);
    CU_ASSERT_STRING_EQUAL(path, "");
    CU_ASSERT_EQUAL_FATAL(ss_study_share(giver, path, sizeof path, &error), 0);
    same_batches(own, giver);
    ss_study *taker = ss_study_attach(job, path, &error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(taker);
    ss_study_destroy(giver);      /* the memory lives as long as somebody maps it */
    same_batches(own, taker);
    ss_settings s;
    ss_grid_settings(ss_study_grid(taker), 3, &s);
    CU_ASSERT_PTR_EQUAL(ss_study_data(taker, &s), ss_study_data_at(taker, 1));
    /* Nobody can write to it. */
    pid_t pid = fork();
    if (pid == 0) {
        signal(SIGSEGV, SIG_DFL);
        ss_study_data_at(taker, 0)->train.pixels[0] = 1;
        _exit(0);
    }
    int status = 0;
    CU_ASSERT(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
    ss_study_destroy(taker);
    ss_study_destroy(own);
    ss_job_destroy(job);
}

static void refused(void)
{
    char path[64], other[64];
    ss_error error = {{0}};
    setenv("SHARE_TEST", "here", 1);
    ss_job *job = job_of(JOB);
    ss_study *giver = ss_study_create(job, &error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(giver);
    CU_ASSERT_EQUAL_FATAL(ss_study_share(giver, path, sizeof path, &error), 0);
    setenv("SHARE_TEST", "there", 1); /* another rank's environment names another folder */
    ss_job *elsewhere = job_of(JOB);
    CU_ASSERT_PTR_NULL(ss_study_attach(elsewhere, path, &error));
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, "data_dir is "));
    CU_ASSERT_PTR_NULL(ss_study_attach(job, "/proc/self/fd/9999", &error));
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, "cannot be opened"));
    CU_ASSERT_PTR_NULL(ss_study_attach(job, "/dev/null", &error));
    /* An image cut short, and one whose head lies. */
    unsigned char bytes[4096];
    int from = open(path, O_RDONLY), fd = memfd_create("test", 0);
    CU_ASSERT_FATAL(from >= 0 && fd >= 0 && read(from, bytes, sizeof bytes) == sizeof bytes);
    CU_ASSERT(write(fd, bytes, sizeof bytes) == sizeof bytes);
    snprintf(other, sizeof other, "/proc/self/fd/%d", fd);
    CU_ASSERT_PTR_NULL(ss_study_attach(job, other, &error));
    const uint64_t n = sizeof bytes;
    memcpy(bytes + 16, &n, sizeof n); /* n_bytes: what the file has, but not its arrays */
    CU_ASSERT(pwrite(fd, bytes, sizeof bytes, 0) == sizeof bytes);
    CU_ASSERT_PTR_NULL(ss_study_attach(job, other, &error));
    close(from);
    close(fd);
    ss_study_destroy(giver);
    ss_job_destroy(job);
    ss_job_destroy(elsewhere);
}

static const ss_case cases[] = {
    {"shared", shared},
    {"refused", refused},
};
SS_SUITE("app, shared data", cases)
