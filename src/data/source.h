/* source.h - inside data: what every file format provides, and what the formats share. */
#ifndef SHARPSWEEP_DATA_SOURCE_H
#define SHARPSWEEP_DATA_SOURCE_H

#include "sharpsweep/data.h"

enum { SS_SOURCE_BYTES = 1200 };                        /* a folder (ss_dataset.path) and a file name */
#define SS_DATA_LIMIT_BYTES ((uint64_t)1 << 32)       /* of one file: more than any of the known sets, less than a node */

/* One row of the loader table. `load` fills h, w, c, n_classes, train and test with everything the files hold, from the
 * folder d->path; what it has allocated when it fails, ss_dataset_destroy frees. */
typedef struct ss_loader {
    const char *name;
    const char *first_file;                           /* its presence tells the folder; NULL: the set needs no folder */
    bool gzip;                                        /* its files may be gzipped, with .gz behind the name */
    const char *usual_folder;                         /* below $SHARPSWEEP_DATA; NULL: there is none */
    const char *system_folder;                        /* where the distribution puts it; NULL: nowhere */
    const char *advice;                               /* how to get it */
    int (*load)(const ss_data_options *options, ss_dataset *d, ss_error *error);
} ss_loader;

int ss_idx_load(const ss_data_options *options, ss_dataset *d, ss_error *error);
int ss_fashion_load(const ss_data_options *options, ss_dataset *d, ss_error *error);
int ss_cifar10_load(const ss_data_options *options, ss_dataset *d, ss_error *error);
int ss_cifar100_load(const ss_data_options *options, ss_dataset *d, ss_error *error);
int ss_synthetic_load(const ss_data_options *options, ss_dataset *d, ss_error *error);

/* Fills d->path with the folder that holds the set, or names every place looked at. */
int ss_place_find(const ss_loader *loader, const char *dir, ss_dataset *d, ss_error *error);
/* FOLDER/NAME into path. */
int ss_place_join(char path[SS_SOURCE_BYTES], const char *folder, const char *name, ss_error *error);
/* Size of the regular file at path; fails on anything else there. ss_place_has: is there anything at FOLDER/NAME? */
int ss_place_size(const char *path, uint64_t *n_bytes, ss_error *error);
bool ss_place_has(const char *folder, const char *name);

/* Room for n examples of n_pixels bytes each. */
int ss_split_alloc(ss_split *split, uint32_t n, size_t n_pixels, ss_error *error);
void ss_split_free(ss_split *split);
/* Keeps n of the split's examples: "first" or "even". `what` ("training") names them in errors. */
int ss_split_choose(ss_split *split, uint32_t n, const char *subset, size_t n_pixels, const char *what, ss_error *error);

/* mean and inv_std of d->train by the named rule. */
int ss_standardise(ss_dataset *d, const char *rule, ss_error *error);

#endif
