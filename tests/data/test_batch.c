/* test_batch.c - which examples are chosen, and the numbers that come out of a batch. */
#include "files.h"

static ss_data_options options(void)
{
    return (ss_data_options){.name = "synthetic", .synthetic_train = 100, .synthetic_test = 37, .synthetic_size = 5,
                             .synthetic_channels = 2, .synthetic_classes = 3, .synthetic_noise = 1};
}

enum { PIXELS = 50 };

static ss_dataset *load(const ss_data_options *o)
{
    ss_error error = {""};
    ss_dataset *d = ss_dataset_load(o, &error);
    if (!d) fprintf(stderr, "\n    %s\n", error.text);
    CU_ASSERT_PTR_NOT_NULL_FATAL(d);
    return d;
}

static void even_index(void)
{
    static const struct { uint32_t i, n, total, index; } rows[] = {
        {0, 1, 1, 0}, {0, 1, 100, 0}, {1, 2, 3, 1}, {2, 3, 10, 6}, {999, 1000, 60000, 59940}, {1, 1000, 60000, 60},
        {1, 1000, 50000, 50}, {99999, 100000, 4000000000u, 3999960000u}};
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++)
        CU_ASSERT_EQUAL(ss_even_index(rows[r].i, rows[r].n, rows[r].total), rows[r].index);
    for (uint32_t n = 1; n <= 50; n++) /* distinct, in order, in range; all of them when n = total */
        for (uint32_t i = 0; i < n; i++) {
            uint32_t at = ss_even_index(i, n, 50);
            CU_ASSERT(at < 50 && (i == 0 ? at == 0 : at > ss_even_index(i - 1, n, 50)));
        }
}

static bool same_example(const ss_split *a, uint32_t i, const ss_split *b, uint32_t j)
{
    return a->labels[i] == b->labels[j] && memcmp(a->pixels + i * PIXELS, b->pixels + j * PIXELS, PIXELS) == 0;
}

static void subsets(void)
{
    ss_data_options o = options();
    ss_dataset *all = load(&o);
    o.train_examples = 7, o.train_subset = "first", o.test_examples = 10, o.test_subset = "even";
    ss_dataset *some = load(&o);
    CU_ASSERT(some->train.n == 7 && some->test.n == 10);
    for (uint32_t i = 0; i < 7; i++) CU_ASSERT(same_example(&some->train, i, &all->train, i));
    for (uint32_t i = 0; i < 10; i++) CU_ASSERT(same_example(&some->test, i, &all->test, i * 37 / 10));
    CU_ASSERT(memcmp(some->mean, all->mean, PIXELS * sizeof(ss_real)) == 0);
    CU_ASSERT_STRING_NOT_EQUAL(some->digest, all->digest);
    o.train_examples = 100, o.test_examples = 37;
    ss_dataset *whole = load(&o); /* all by number is all */
    CU_ASSERT_STRING_EQUAL(whole->digest, all->digest);
    ss_dataset_destroy(all);
    ss_dataset_destroy(some);
    ss_dataset_destroy(whole);
}

static void impossible_subsets(void)
{
    strcpy(folder, "\1");
    ss_data_options o = options();
    o.train_examples = 101;
    assert_refused("one too many", &o, "synthetic in 'synthetic': train_examples is 101, but there are 100; ask for at most "
                   "that many, or for all");
    o = options();
    o.test_examples = UINT32_MAX;
    assert_refused("far too many", &o, "synthetic in 'synthetic': test_examples is 4294967295, but there are 37; ask for at "
                   "most that many, or for all");
    o = options();
    o.train_subset = "random";
    assert_refused("subset", &o, "synthetic in 'synthetic': train_subset is 'random', expected first or even");
    o = options();
    o.test_subset = "last";
    assert_refused("subset", &o, "synthetic in 'synthetic': test_subset is 'last', expected first or even");
    folder_make();
    write_tiny_idx(true);
    o = (ss_data_options){.name = "idx", .dir = folder, .train_examples = 4};
    assert_refused("of a file", &o, "idx in '@': train_examples is 4, but there are 3; ask for at most that many, or for "
                   "all");
    folder_remove();
}

/* Each number is the header's formula, evaluated in the type itself. */
static void check_batch(const ss_dataset *d, const ss_split *split, const uint32_t *index, uint32_t first, uint32_t n)
{
    ss_real x[100 * PIXELS + 1];
    uint8_t label[101];
    x[n * PIXELS] = 77;
    label[n] = 77;
    ss_dataset_batch(d, split, index, first, n, x, label);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t from = index ? index[i] : first + i;
        CU_ASSERT_EQUAL(label[i], split->labels[from]);
        for (size_t p = 0; p < PIXELS; p++) {
            double expected = (split->pixels[from * PIXELS + p] / 255. - (double)d->mean[p]) * (double)d->inv_std[p];
            SS_ASSERT_NEAR(x[i * PIXELS + p], expected, sizeof(ss_real) == 4 ? 1e-6 : 1e-14, 1);
        }
    }
    CU_ASSERT(x[n * PIXELS] == 77 && label[n] == 77);
}

static void batches(void)
{
    ss_data_options o = options();
    static const char *const rules[] = {"pixel", "channel", "none"};
    static const uint32_t index[] = {99, 0, 50, 50, 7};
    for (int r = 0; r < 3; r++) {
        o.standardise = rules[r];
        ss_dataset *d = load(&o);
        check_batch(d, &d->train, NULL, 0, 100);
        check_batch(d, &d->train, NULL, 90, 10);
        check_batch(d, &d->train, index, 0, 5);
        check_batch(d, &d->test, NULL, 36, 1);
        check_batch(d, &d->test, NULL, 37, 0);
        ss_dataset_destroy(d);
    }
}

/* Standardised per pixel, the training set has mean 0 and deviation 1 in every pixel. */
static void whitened(void)
{
    ss_data_options o = options();
    ss_dataset *d = load(&o);
    ss_real x[100 * PIXELS];
    uint8_t label[100];
    ss_dataset_batch(d, &d->train, NULL, 0, 100, x, label);
    for (int p = 0; p < PIXELS; p++) {
        double m1 = 0, m2 = 0;
        for (int i = 0; i < 100; i++) {
            double v = (double)x[i * PIXELS + p];
            m1 += v / 100;
            m2 += v * v / 100;
        }
        SS_ASSERT_NEAR(m1, 0, sizeof(ss_real) == 4 ? 1e-5 : 1e-12, 1);
        SS_ASSERT_NEAR(m2, 1, sizeof(ss_real) == 4 ? 1e-5 : 1e-12, 1);
    }
    ss_dataset_destroy(d);
}

static const ss_case cases[] = {
    {"even index", even_index},
    {"subsets", subsets},
    {"impossible subsets", impossible_subsets},
    {"batches", batches},
    {"whitened", whitened},
};
SS_SUITE("batch", cases)
