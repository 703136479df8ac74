/* data.h - floor 1: data sets as bytes in memory, turned into standardised numbers batch by batch.
 * The only folder that includes zlib. Pixels are stored NHWC whatever the file's order. */
#ifndef SHARPSWEEP_DATA_H
#define SHARPSWEEP_DATA_H

#include "sharpsweep/base.h"

typedef struct ss_split {                    /* one of train, test */
    uint32_t n;                              /* examples after subsetting */
    uint8_t *pixels;                         /* (n, h, w, c) */
    uint8_t *labels;                         /* (n), 0 .. n_classes-1 */
} ss_split;

typedef struct ss_dataset {
    int h, w, c, n_classes;
    ss_split train, test;
    ss_real *mean, *inv_std;                 /* (h, w, c) in units of pixel/255; from the whole training file set, before
                                                subsetting; population standard deviation; inv_std 1 where it is 0 */
    char path[1024];                         /* the folder the files were read from; "synthetic" */
    char digest[SS_DIGEST_BYTES];            /* SHA-256 over everything below that determines the numbers: bytes of the
                                                chosen pixels and labels, mean and inv_std */
} ss_dataset;

/* What to load. `name` is a row of the loader table: fashion-mnist, idx (any four files named as
 * MNIST's, plain or .gz), cifar10, cifar100, synthetic. */
typedef struct ss_data_options {
    const char *name;
    const char *dir;                         /* NULL or "": $SHARPSWEEP_DATA/<usual folder name>, then the distribution's
                                                own place (fashion-mnist: /usr/share/datasets/fashion-mnist) */
    uint32_t train_examples, test_examples;  /* 0: all */
    const char *train_subset, *test_subset;  /* "first": the first n; "even": evenly spaced, number i is floor(i*N/n) */
    const char *standardise;                 /* "pixel" (per position and channel), "channel", "none" (pixel/255) */
    /* synthetic only: `classes` prototypes plus noise, a pure function of these numbers (purpose SS_FOR_SYNTHETIC) */
    uint32_t synthetic_train, synthetic_test;
    int synthetic_size, synthetic_channels, synthetic_classes;
    double synthetic_noise;                  /* standard deviation of the noise in units of the prototypes' spread */
    uint64_t synthetic_seed;
} ss_data_options;

/* NULL and one sentence naming file, value and what was expected on anything missing, truncated, oversized or foreign. */
ss_dataset *ss_dataset_load(const ss_data_options *options, ss_error *error);
void ss_dataset_destroy(ss_dataset *data);

/* Gathers examples index[0..n-1] of a split: x (n, h, w, c) = (pixel/255 - mean) * inv_std, label (n). index NULL: first,
 * first+1, ... */
void ss_dataset_batch(const ss_dataset *data, const ss_split *split, const uint32_t *index, uint32_t first, uint32_t n,
                      ss_real *x, uint8_t *label);
/* The i-th of n examples chosen evenly out of `total`: floor(i * total / n). */
uint32_t ss_even_index(uint32_t i, uint32_t n, uint32_t total);

#endif
