/* test_cifar10.c - the real CIFAR-10, binary release: its first batch and its test batch, which suffice. */
#include "real.h"

#include <limits.h>

static void quiet(void *ctx, ss_log_level level, const char *line)
{
    (void)ctx, (void)level, (void)line;
}

/* A folder in which only these two are: the same test with the whole release and with a part of it. */
static void link_two(void)
{
    static const char *const names[] = {"data_batch_1.bin", "test_batch.bin"};
    ss_log_set_sink(quiet, NULL); /* that three batches are missing is known here */
    folder_make();
    for (int i = 0; i < 2; i++) {
        char from[PATH_BYTES + 64], whole[PATH_MAX], to[PATH_BYTES];
        snprintf(from, sizeof from, "%s/%s", real_folder, names[i]);
        path_in(to, names[i]);
        CU_ASSERT_PTR_NOT_NULL_FATAL(realpath(from, whole));
        CU_ASSERT_EQUAL_FATAL(symlink(whole, to), 0);
    }
}

/* The first labels (frog, truck, truck, deer, automobile; cat, ship, ship, airplane, frog), the first image's first pixels
 * (59,62,63), (43,46,45), and 1,000 test images of each class. */
static void known_facts(void)
{
    link_two();
    ss_dataset *d = real_load("cifar10", folder, 0, 0, NULL, "none");
    CU_ASSERT(d->h == 32 && d->w == 32 && d->c == 3 && d->n_classes == 10);
    CU_ASSERT(d->train.n == 10000 && d->test.n == 10000);
    CU_ASSERT(memcmp(d->train.labels, "\6\11\11\4\1", 5) == 0);
    CU_ASSERT(memcmp(d->test.labels, "\3\10\10\0\6", 5) == 0);
    static const uint8_t first[6] = {59, 62, 63, 43, 46, 45};
    CU_ASSERT(memcmp(d->train.pixels, first, 6) == 0);
    int count[10] = {0};
    for (uint32_t i = 0; i < 10000; i++) count[d->test.labels[i]]++;
    for (int k = 0; k < 10; k++) CU_ASSERT_EQUAL(count[k], 1000);
    ss_dataset_destroy(d);
    folder_remove();
}

static void digests(void)
{
    link_two();
    assert_digest("cifar10", folder, 1000, 200, "even", "pixel",
                  "24b861e48a20cb69fcae63044c623470192f4d2baf34269e6a545e8d2f515e01");
    assert_digest("cifar10", folder, 500, 100, "first", "channel",
                  "5187dbc05db218a85bf4bc33d0d5e526b329b79c7748fa18e1b1934663c707c2");
    folder_remove();
}

static const ss_case cases[] = {
    {"known facts", known_facts},
    {"digests of an independent reader", digests},
};
SS_REAL_SUITE("cifar10", cases, real_there(getenv("SHARPSWEEP_DATA"), "cifar-10-batches-bin", "data_batch_1.bin"),
              "no $SHARPSWEEP_DATA/cifar-10-batches-bin/data_batch_1.bin "
              "(cifar-10-binary.tar.gz from https://www.cs.toronto.edu/~kriz/cifar.html)")
