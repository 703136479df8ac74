/* test_standardise.c - means and deviations against plain double sums, before subsetting, and constant pixels. */
#include "files.h"

#include <math.h>

static const double tol = sizeof(ss_real) == 4 ? 1e-6 : 1e-13;

static ss_data_options options(const char *rule)
{
    return (ss_data_options){.name = "synthetic", .standardise = rule, .synthetic_train = 300, .synthetic_test = 20,
                             .synthetic_size = 4, .synthetic_channels = 3, .synthetic_classes = 3, .synthetic_noise = 1};
}

static ss_dataset *load(const ss_data_options *o)
{
    ss_error error = {""};
    ss_dataset *d = ss_dataset_load(o, &error);
    if (!d) fprintf(stderr, "\n    %s\n", error.text);
    CU_ASSERT_PTR_NOT_NULL_FATAL(d);
    return d;
}

/* Two passes over pixel/255 in double: positions first, first + stride, ... of each example. */
static void direct(const ss_dataset *d, size_t first, size_t stride, double *mean, double *deviation)
{
    size_t n_pixels = 48, n = 0;
    double sum = 0, square = 0;
    for (uint32_t k = 0; k < d->train.n; k++)
        for (size_t i = first; i < n_pixels; i += stride, n++) sum += d->train.pixels[k * n_pixels + i] / 255.;
    *mean = sum / (double)n;
    for (uint32_t k = 0; k < d->train.n; k++)
        for (size_t i = first; i < n_pixels; i += stride) square += pow(d->train.pixels[k * n_pixels + i] / 255. - *mean, 2);
    *deviation = sqrt(square / (double)n);
}

static void per_pixel(void)
{
    ss_data_options o = options("pixel");
    ss_dataset *d = load(&o);
    for (size_t i = 0; i < 48; i++) {
        double mean, deviation;
        direct(d, i, 48, &mean, &deviation);
        SS_ASSERT_NEAR(d->mean[i], mean, tol, 1e-3);
        SS_ASSERT_NEAR(d->inv_std[i], 1 / deviation, tol, 1e-3);
    }
    ss_dataset_destroy(d);
}

static void per_channel(void)
{
    ss_data_options o = options("channel");
    ss_dataset *d = load(&o);
    for (size_t i = 0; i < 48; i++) {
        double mean, deviation;
        direct(d, i % 3, 3, &mean, &deviation);
        SS_ASSERT_NEAR(d->mean[i], mean, tol, 1e-3);
        SS_ASSERT_NEAR(d->inv_std[i], 1 / deviation, tol, 1e-3);
    }
    ss_dataset_destroy(d);
}

static void none(void)
{
    ss_data_options o = options("none");
    ss_dataset *d = load(&o);
    for (size_t i = 0; i < 48; i++) CU_ASSERT(d->mean[i] == 0 && d->inv_std[i] == 1);
    ss_dataset_destroy(d);
}

/* By hand: pixels of the tiny set are (0,51,102), (10,20,60), 255 thrice, (3,3,9); the table is that of all three examples
 * when only one is kept, and a constant pixel has inv_std 1. */
static void by_hand_and_before_subsetting(void)
{
    folder_make();
    write_tiny_idx(false);
    ss_data_options o = {.name = "idx", .dir = folder, .train_examples = 1, .train_subset = "first", .standardise = "pixel"};
    ss_dataset *d = load(&o);
    CU_ASSERT_EQUAL(d->train.n, 1);
    SS_ASSERT_NEAR(d->mean[0], 0.2, tol, 0);
    SS_ASSERT_NEAR(d->inv_std[0], 1 / sqrt(0.08 / 3), tol, 0);
    SS_ASSERT_NEAR(d->mean[1], 30. / 255, tol, 0);
    SS_ASSERT_NEAR(d->inv_std[1], 255 / sqrt(1400. / 3), tol, 0);
    CU_ASSERT(d->mean[2] == 1 && d->inv_std[2] == 1);
    SS_ASSERT_NEAR(d->inv_std[3], 255 / sqrt(8), tol, 0);
    ss_dataset_destroy(d);
    folder_remove();
}

static void rules(void)
{
    ss_data_options by_default = options(NULL), empty = options(""), pixel = options("pixel"), bad = options("pixels");
    ss_dataset *a = load(&by_default), *b = load(&empty), *c = load(&pixel);
    CU_ASSERT_STRING_EQUAL(a->digest, c->digest);
    CU_ASSERT_STRING_EQUAL(b->digest, c->digest);
    ss_dataset_destroy(a);
    ss_dataset_destroy(b);
    ss_dataset_destroy(c);
    strcpy(folder, "\1");
    assert_refused("rule", &bad, "standardise is 'pixels', expected pixel, channel or none");
}

static const ss_case cases[] = {
    {"per pixel", per_pixel},
    {"per channel", per_channel},
    {"none", none},
    {"by hand, and before subsetting", by_hand_and_before_subsetting},
    {"rules", rules},
};
SS_SUITE("standardise", cases)
