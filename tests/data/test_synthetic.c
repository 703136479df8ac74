/* test_synthetic.c - the set made of nothing: pure in its options, balanced, as noisy as asked, and refused where absurd. */
#include "files.h"

#include <math.h>

static ss_data_options options(void)
{
    return (ss_data_options){.name = "synthetic", .synthetic_train = 400, .synthetic_test = 200, .synthetic_size = 6,
                             .synthetic_channels = 2, .synthetic_classes = 4, .synthetic_noise = 0.5, .synthetic_seed = 1};
}

static ss_dataset *load(const ss_data_options *o)
{
    ss_error error = {""};
    ss_dataset *d = ss_dataset_load(o, &error);
    if (!d) fprintf(stderr, "\n    %s\n", error.text);
    CU_ASSERT_PTR_NOT_NULL_FATAL(d);
    return d;
}

static void shape_and_balance(void)
{
    ss_data_options o = options();
    ss_dataset *d = load(&o);
    CU_ASSERT(d->h == 6 && d->w == 6 && d->c == 2 && d->n_classes == 4);
    CU_ASSERT(d->train.n == 400 && d->test.n == 200);
    CU_ASSERT_STRING_EQUAL(d->path, "synthetic");
    int count[4] = {0};
    for (uint32_t i = 0; i < 400; i++) count[d->train.labels[i]]++;
    for (int k = 0; k < 4; k++) CU_ASSERT(count[k] > 60 && count[k] < 140); /* 100 +- 9 */
    ss_dataset_destroy(d);
}

/* The bytes on every machine and in both precisions: the numbers of another program (analysis/witness_synthetic.py). */
static void known_bytes(void)
{
    static const uint8_t labels[8] = {2, 2, 1, 3, 2, 1, 3, 1};
    static const uint8_t pixels[8] = {135, 108, 115, 153, 131, 95, 144, 158};
    ss_data_options o = options();
    ss_dataset *d = load(&o);
    CU_ASSERT(memcmp(d->train.labels, labels, sizeof labels) == 0);
    CU_ASSERT(memcmp(d->train.pixels, pixels, sizeof pixels) == 0);
    ss_dataset_destroy(d);
}

static void every_option_counts(void)
{
    ss_data_options o[8];
    for (int i = 0; i < 8; i++) o[i] = options();
    o[1].synthetic_seed = 2;
    o[2].synthetic_noise = 0.6;
    o[3].synthetic_classes = 5;
    o[4].synthetic_channels = 1;
    o[5].synthetic_size = 5;
    o[6].synthetic_train = 401;
    o[7].synthetic_test = 201;
    char digest[8][SS_DIGEST_BYTES];
    for (int i = 0; i < 8; i++) {
        ss_dataset *d = load(&o[i]);
        strcpy(digest[i], d->digest);
        ss_dataset_destroy(d);
        for (int j = 0; j < i; j++) CU_ASSERT_STRING_NOT_EQUAL(digest[i], digest[j]);
    }
    ss_dataset *d = load(&o[0]);
    CU_ASSERT_STRING_EQUAL(d->digest, digest[0]);
    ss_dataset_destroy(d);
}

/* Example i does not depend on how many there are. */
static void examples_do_not_depend_on_their_number(void)
{
    ss_data_options o = options();
    ss_dataset *few = load(&o);
    o.synthetic_train = 1000;
    ss_dataset *many = load(&o);
    CU_ASSERT(memcmp(few->train.pixels, many->train.pixels, 400 * 72) == 0);
    CU_ASSERT(memcmp(few->train.labels, many->train.labels, 400) == 0);
    CU_ASSERT(memcmp(few->test.pixels, few->train.pixels, 200 * 72) != 0);
    ss_dataset_destroy(few);
    ss_dataset_destroy(many);
}

/* Without noise an example is its class's prototype; with noise s, it lies s prototype spreads away from it. */
static void noise_is_as_asked(void)
{
    ss_data_options o = options();
    o.synthetic_noise = 0;
    o.synthetic_size = 20;
    ss_dataset *clean = load(&o);
    size_t n = 800;
    double proto = 0, noise = 0;
    for (uint32_t i = 1; i < 400; i++) {
        uint32_t j = 0;
        while (clean->train.labels[j] != clean->train.labels[i]) j++;
        CU_ASSERT_FATAL(memcmp(clean->train.pixels + i * n, clean->train.pixels + j * n, n) == 0);
    }
    o.synthetic_noise = 0.5;
    ss_dataset *noisy = load(&o);
    for (size_t k = 0; k < 400 * n; k++) {
        double p = clean->train.pixels[k] - 127.5, e = noisy->train.pixels[k] - (double)clean->train.pixels[k];
        proto += p * p / (double)(400 * n);
        noise += e * e / (double)(400 * n);
    }
    CU_ASSERT(fabs(sqrt(noise / proto) - 0.5) < 0.01);
    CU_ASSERT(fabs(sqrt(proto) - 32) < 1.5);
    ss_dataset_destroy(clean);
    ss_dataset_destroy(noisy);
    o.synthetic_noise = 1e300; /* bytes saturate; nothing overflows */
    noisy = load(&o);
    ss_dataset_destroy(noisy);
}

static void absurd_options(void)
{
    ss_data_options o[11];
    static const char *const expected[11] = {
        "synthetic data of 0 training and 200 test examples, expected at least 1 of each",
        "synthetic data of 400 training and 0 test examples, expected at least 1 of each",
        "synthetic_size is 0, expected 1 to 1024",
        "synthetic_size is 1025, expected 1 to 1024",
        "synthetic_channels is -1, expected 1 to 16",
        "synthetic_channels is 17, expected 1 to 16",
        "synthetic_classes is 1, expected 2 to 256",
        "synthetic_classes is 257, expected 2 to 256",
        "synthetic_noise is -0.1, expected a number of at least 0",
        "synthetic_noise is nan, expected a number of at least 0",
        "synthetic data of 4294967295 and 200 examples of 72 bytes are more than the 4 GiB that are accepted"};
    for (int i = 0; i < 11; i++) o[i] = options();
    o[0].synthetic_train = 0;
    o[1].synthetic_test = 0;
    o[2].synthetic_size = 0;
    o[3].synthetic_size = 1025;
    o[4].synthetic_channels = -1;
    o[5].synthetic_channels = 17;
    o[6].synthetic_classes = 1;
    o[7].synthetic_classes = 257;
    o[8].synthetic_noise = -0.1;
    o[9].synthetic_noise = (double)NAN;
    o[10].synthetic_train = UINT32_MAX;
    strcpy(folder, "\1"); /* no folder in these sentences */
    for (int i = 0; i < 11; i++) assert_refused("synthetic", &o[i], expected[i]);
}

static void memory_runs_out(void)
{
    ss_data_options o = options();
    o.train_examples = 100;
    o.test_examples = 50;
    CU_ASSERT(assert_survives_without_memory(&o) >= 12);
}

static const ss_case cases[] = {
    {"shape and balance", shape_and_balance},
    {"known bytes", known_bytes},
    {"every option counts", every_option_counts},
    {"examples do not depend on their number", examples_do_not_depend_on_their_number},
    {"noise is as asked", noise_is_as_asked},
    {"absurd options", absurd_options},
    {"memory runs out", memory_runs_out},
};
SS_SUITE("synthetic", cases)
