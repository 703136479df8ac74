/* test_fashion.c - the real Fashion-MNIST: what its authors say of it, and the digests of an independent reader. */
#include "real.h"

/* 6,000 training and 1,000 test images of each class (Xiao, Rasul, Vollgraf 2017); the file's first labels; the mean 0.2860
 * and deviation 0.3530 that everybody normalises with. */
static void known_facts(void)
{
    ss_dataset *d = real_load("fashion-mnist", real_folder, 0, 0, NULL, "channel");
    CU_ASSERT(d->h == 28 && d->w == 28 && d->c == 1 && d->n_classes == 10);
    CU_ASSERT(d->train.n == 60000 && d->test.n == 10000);
    int train[10] = {0}, test[10] = {0};
    for (uint32_t i = 0; i < 60000; i++) train[d->train.labels[i]]++;
    for (uint32_t i = 0; i < 10000; i++) test[d->test.labels[i]]++;
    for (int k = 0; k < 10; k++) CU_ASSERT(train[k] == 6000 && test[k] == 1000);
    CU_ASSERT(memcmp(d->train.labels, "\11\0\0\3\0\2\7\2\5\5", 10) == 0);
    CU_ASSERT(memcmp(d->test.labels, "\11\2\1\1\6\1\4\6\5\7", 10) == 0);
    SS_ASSERT_NEAR(d->mean[0], 0.2860, 5e-5, 1);
    SS_ASSERT_NEAR(1 / d->inv_std[0], 0.3530, 5e-5, 1);
    ss_dataset_destroy(d);
}

static void digests(void)
{
    assert_digest("fashion-mnist", real_folder, 1000, 200, "even", "pixel",
                  "6477b60d2c85d7f30fbc377c66c22a66adb5168a2ec3dddde1751b35c6c015d1");
    assert_digest("idx", real_folder, 500, 100, "first", "channel",
                  "dc9bac145b1e46a04c3433a95bd8f4b1b024bebe36a3bb99993ccae34593c3fd");
}

static void found_without_a_folder(void)
{
    ss_dataset *d = real_load("fashion-mnist", NULL, 10, 10, NULL, NULL);
    CU_ASSERT_STRING_EQUAL(d->path, real_folder);
    ss_dataset_destroy(d);
}

/* The study's 1k set: every 60th training example. */
static void every_sixtieth(void)
{
    ss_dataset *all = real_load("fashion-mnist", real_folder, 0, 0, NULL, "none");
    ss_dataset *some = real_load("fashion-mnist", real_folder, 1000, 0, "even", "none");
    for (uint32_t i = 0; i < 1000; i++)
        CU_ASSERT(memcmp(some->train.pixels + i * 784, all->train.pixels + (size_t)i * 60 * 784, 784) == 0);
    ss_dataset_destroy(all);
    ss_dataset_destroy(some);
}

static bool there(void)
{
    static const char file[] = "train-images-idx3-ubyte.gz";
    return real_there(getenv("SHARPSWEEP_DATA"), "fashion-mnist", file) ||
           real_there("/usr/share/datasets", "fashion-mnist", file);
}

static const ss_case cases[] = {
    {"known facts", known_facts},
    {"digests of an independent reader", digests},
    {"found without a folder", found_without_a_folder},
    {"every 60th", every_sixtieth},
};
SS_REAL_SUITE("fashion-mnist", cases, there(), "neither $SHARPSWEEP_DATA/fashion-mnist nor "
              "/usr/share/datasets/fashion-mnist (apt install dataset-fashion-mnist)")
