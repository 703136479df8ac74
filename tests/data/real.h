/* real.h - a main for tests of real data sets: the program is skipped (status 77, as meson takes it), by name and with the
 * reason, where the set is not there. Its presence is looked up here and not by the loader under test. */
#ifndef SHARPSWEEP_TESTS_DATA_REAL_H
#define SHARPSWEEP_TESTS_DATA_REAL_H

#include "files.h"

static char real_folder[PATH_BYTES];

static inline bool real_there(const char *root, const char *below, const char *file)
{
    if (!root || !*root) return false;
    snprintf(real_folder, sizeof real_folder, "%s/%s", root, below);
    char path[PATH_BYTES + 64];
    snprintf(path, sizeof path, "%s/%s", real_folder, file);
    return access(path, R_OK) == 0;
}

static inline ss_dataset *real_load(const char *name, const char *dir, uint32_t n_train, uint32_t n_test, const char *subset,
                                    const char *standardise)
{
    ss_data_options o = {.name = name, .dir = dir, .train_examples = n_train, .test_examples = n_test,
                         .train_subset = subset, .test_subset = subset, .standardise = standardise};
    ss_error error = {""};
    ss_dataset *d = ss_dataset_load(&o, &error);
    if (!d) fprintf(stderr, "\n    %s\n", error.text);
    CU_ASSERT_PTR_NOT_NULL_FATAL(d);
    return d;
}

/* The digest that analysis/witness_data.py gives for the same choice. */
static inline void assert_digest(const char *name, const char *dir, uint32_t n_train, uint32_t n_test, const char *subset,
                                 const char *standardise, const char *expected)
{
    ss_dataset *d = real_load(name, dir, n_train, n_test, subset, standardise);
    CU_ASSERT(d->train.n == n_train && d->test.n == n_test);
    CU_ASSERT_STRING_EQUAL(d->digest, expected);
    ss_dataset_destroy(d);
}

#define SS_REAL_SUITE(name, cases, there, reason) int main(void) \
{ \
    if (!(there)) { \
        printf("SKIPPED %s: %s\n", name, reason); \
        return 77; \
    } \
    return ss_suite_run(name, cases, sizeof cases / sizeof *cases); \
}

#endif
