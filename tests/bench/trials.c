/* trials.c - a thousand trials in one process leave its memory as it was: of every kind of point one after the other, each
 * kind run once before counting begins, for what is made once and kept. Counts what malloc has handed out and not got back,
 * byte by byte, and holds resident memory against it. Prints both; exit 1 where either grew. */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../src/app/app.h"
#include "../../src/app/trial.h"

enum { N_TRIALS = 1000, MOST_BYTES = 0, MOST_RESIDENT_BYTES = 4 << 20 }; /* resident: a fragment here and there */

static const char job_text[] =
    "model: {network: layers, layers: [conv2d: {units: 4, kernel: 3, padding: 1}, relu, max_pool: 2, flatten, linear: 12, "
    "tanh, linear: 4]}\n"
    "data: {dataset: synthetic, synthetic_train: 24, synthetic_test: 8, synthetic_size: 8}\n"
    "training: {max_epochs: 2, target_train_accuracy: 0, momentum: 0.5}\n"
    "curvature: {curvature_examples: 16, track_every_epochs: 1}\n"
    "grid:\n"
    "  batch_size: [8, full]\n"
    "  sam_rho: [0, 0.05]\n"
    "  batch_norm: [false, true]\n"
    "  dropout: [0, 0.3]\n"
    "  learning_rate: [0.1, 1e30]\n"; /* the last diverges */

static size_t allocated_bytes(void)
{
    struct mallinfo2 m = mallinfo2();
    return m.uordblks + m.hblkhd;
}

static size_t resident_bytes(void)
{
    unsigned long total = 0, resident = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    if (!f || fscanf(f, "%lu %lu", &total, &resident) != 2) resident = 0;
    if (f) fclose(f);
    return resident * (size_t)sysconf(_SC_PAGESIZE);
}

static int run_point(const ss_trial *trial, size_t point, bool check, ss_error *error)
{
    ss_record record;
    ss_record_init(&record);
    int rc = ss_trial_run(trial, point, &record, error);
    if (rc == 0 && check && record.status != SS_DONE && record.status != SS_DIVERGED)
        rc = ss_fail(error, "point %zu: %s", point, record.error);
    ss_record_finish(&record);
    return rc;
}

static int run_trials(const ss_study *study, ss_error *error)
{
    ss_trial trial = {.study = study};
    size_t n = ss_grid_count(ss_study_grid(study));
    for (size_t i = 0; i < n; i++)
        if (run_point(&trial, i, true, error)) return -1;
    size_t before = allocated_bytes(), resident_before = resident_bytes();
    for (size_t i = 0; i < N_TRIALS; i++)
        if (run_point(&trial, i % n, false, error)) return -1;
    size_t after = allocated_bytes(), resident_after = resident_bytes();
    printf("%d trials of %zu kinds: allocated %zu bytes before, %zu after; resident %zu KiB before, %zu after\n", N_TRIALS,
           n, before, after, resident_before >> 10, resident_after >> 10);
    if (before == 0 || resident_before == 0) return ss_fail(error, "memory cannot be counted here");
    if (after > before + MOST_BYTES) return ss_fail(error, "%zu bytes were not given back", after - before);
    if (resident_after > resident_before + MOST_RESIDENT_BYTES)
        return ss_fail(error, "resident memory grew by %zu bytes", resident_after - resident_before);
    return 0;
}

int main(void)
{
    ss_error error = {""};
    ss_study *study = NULL;
    ss_job *job = ss_job_parse(job_text, "job.yaml", &error);
    if (job) study = ss_study_create(job, &error);
    int rc = study ? run_trials(study, &error) : -1;
    if (rc) fprintf(stderr, "trials: %s\n", error.text);
    ss_study_destroy(study);
    ss_job_destroy(job);
    return rc ? 1 : 0;
}
