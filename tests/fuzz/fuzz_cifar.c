/* fuzz_cifar.c - bit 0 of the first byte: CIFAR-10 or 100; bit 1: the input replaces the test file, not the training file;
 * bit 2: the input is the labels of whole records (no random input has their length), else the file's bytes. */
#include "scratch.h"
#include "sharpsweep/data.h"

enum { PIXELS = 3072, MOST = 6 };
static unsigned char whole[MOST * (PIXELS + 2)];

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    scratch_make();
    scratch_silence();
    return 0;
}

/* Records of these labels; all other bytes are a pattern. */
static size_t records(const uint8_t *label, size_t n, int n_labels)
{
    size_t used = 0;
    for (size_t i = 0; i + (size_t)n_labels <= n && used + PIXELS + 2 <= sizeof whole; i += (size_t)n_labels) {
        memcpy(whole + used, label + i, (size_t)n_labels);
        memset(whole + used + n_labels, (int)(i * 37 + 1) & 255, PIXELS);
        used += (size_t)n_labels + PIXELS;
    }
    return used;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static const uint8_t good[] = {1, 2, 3, 4};
    ss_error error = {{0}};
    if (n < 1) return 0;
    int hundred = data[0] & 1, test = data[0] >> 1 & 1, n_labels = 1 + hundred;
    const char *const name[2] = {hundred ? "train.bin" : "data_batch_1.bin", hundred ? "test.bin" : "test_batch.bin"};
    scratch_write(name[!test], whole, records(good, sizeof good, n_labels));
    if (data[0] & 4)
        scratch_write(name[test], whole, records(data + 1, n - 1, n_labels));
    else
        scratch_write(name[test], data + 1, n - 1);
    const ss_data_options options = {.name = hundred ? "cifar100" : "cifar10", .dir = scratch_folder,
                                     .train_subset = "first", .test_subset = "even", .standardise = "channel"};
    ss_dataset *d = ss_dataset_load(&options, &error);
    FUZZ_MUST(d || error.text[0]);
    for (uint32_t i = 0; d && i < d->test.n; i++) FUZZ_MUST(d->test.labels[i] < d->n_classes);
    ss_dataset_destroy(d);
    return 0;
}
