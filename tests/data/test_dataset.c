/* test_dataset.c - the table of data sets, and the digest that signs what was loaded. */
#include "files.h"

static void unknown_names(void)
{
    strcpy(folder, "\1");
    static const struct { const char *name, *expected; } rows[] = {
        {"cifar-10", "unknown data set 'cifar-10', expected one of fashion-mnist, idx, cifar10, cifar100, synthetic"},
        {"", "unknown data set '', expected one of fashion-mnist, idx, cifar10, cifar100, synthetic"},
        {NULL, "unknown data set '', expected one of fashion-mnist, idx, cifar10, cifar100, synthetic"},
        {"CIFAR10", "unknown data set 'CIFAR10', expected one of fashion-mnist, idx, cifar10, cifar100, synthetic"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        ss_data_options o = {.name = rows[i].name};
        assert_refused("name", &o, rows[i].expected);
        CU_ASSERT_PTR_NULL(ss_dataset_load(&o, NULL));
    }
    ss_dataset_destroy(NULL);
}

/* By the description in data.h: shape, train, test (number, pixels, labels), then mean and inv_std as floats. */
static void digest_is_as_described(void)
{
    folder_make();
    write_tiny_idx(true);
    ss_data_options o = {.name = "idx", .dir = folder, .standardise = "none"};
    ss_dataset *d = ss_dataset_load(&o, NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(d);
    static const int32_t shape[4] = {2, 2, 1, 3};
    static const uint32_t n_train = 3, n_test = 2;
    static const float table[8] = {0, 1, 0, 1, 0, 1, 0, 1};
    ss_sha256 h;
    char digest[SS_DIGEST_BYTES];
    ss_sha256_init(&h);
    ss_sha256_update(&h, shape, sizeof shape);
    ss_sha256_update(&h, &n_train, 4);
    ss_sha256_update(&h, tiny_train_images + 16, 12);
    ss_sha256_update(&h, tiny_train_labels + 8, 3);
    ss_sha256_update(&h, &n_test, 4);
    ss_sha256_update(&h, tiny_test_images + 16, 8);
    ss_sha256_update(&h, tiny_test_labels + 8, 2);
    ss_sha256_update(&h, table, sizeof table);
    ss_sha256_finish(&h, digest);
    CU_ASSERT_STRING_EQUAL(d->digest, digest);
    ss_dataset_destroy(d);
    folder_remove();
}

/* One changed pixel, label or rule is another digest; another folder is not. */
static void digest_tells_apart(void)
{
    folder_make();
    char digest[6][SS_DIGEST_BYTES];
    for (int i = 0; i < 6; i++) {
        ss_data_options o = {.name = "idx", .dir = folder, .standardise = i == 4 ? "channel" : "pixel"};
        folder_clear();
        write_tiny_idx(i == 5);
        unsigned char bytes[64];
        size_t n = sizeof tiny_test_images;
        memcpy(bytes, tiny_test_images, n);
        bytes[n - 1]++;
        if (i == 1) write_file("t10k-images-idx3-ubyte", bytes, n);
        if (i == 2) write_file("t10k-labels-idx1-ubyte", "\0\0\10\1\0\0\0\2\1\1", 10);
        if (i == 3) write_file("train-labels-idx1-ubyte", "\0\0\10\1\0\0\0\3\2\0\2", 11);
        ss_dataset *d = ss_dataset_load(&o, NULL);
        CU_ASSERT_PTR_NOT_NULL_FATAL(d);
        strcpy(digest[i], d->digest);
        ss_dataset_destroy(d);
    }
    for (int i = 0; i < 5; i++)
        for (int j = 0; j < i; j++) CU_ASSERT_STRING_NOT_EQUAL(digest[i], digest[j]);
    CU_ASSERT_STRING_EQUAL(digest[5], digest[0]);
    folder_remove();
}

static const ss_case cases[] = {
    {"unknown names", unknown_names},
    {"the digest is as described", digest_is_as_described},
    {"the digest tells apart", digest_tells_apart},
};
SS_SUITE("dataset", cases)
