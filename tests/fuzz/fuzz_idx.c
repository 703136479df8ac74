/* fuzz_idx.c - the first byte chooses which of a small set's four IDX files the rest of the input replaces (bits 0-1), and
 * whether under its .gz name (bit 2); the other three are whole. */
#include "scratch.h"
#include "sharpsweep/data.h"

static const char *const names[4] = {"train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte",
                                     "t10k-labels-idx1-ubyte"};
static const unsigned char images[] = {0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 2, 1, 2, 3, 4, 5, 6, 7, 8};
static const unsigned char labels[] = {0, 0, 8, 1, 0, 0, 0, 2, 0, 1};

static void write_whole(int file)
{
    if (file % 2)
        scratch_write(names[file], labels, sizeof labels);
    else
        scratch_write(names[file], images, sizeof images);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    scratch_make();
    scratch_silence();
    for (int i = 0; i < 4; i++) write_whole(i);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static const char *const rules[] = {"pixel", "channel", "none"};
    ss_error error = {{0}};
    char zipped[64];
    if (n < 1) return 0;
    int file = data[0] & 3;
    bool zip = data[0] & 4;
    snprintf(zipped, sizeof zipped, "%s.gz", names[file]);
    if (zip) unlink(scratch_path(names[file]));
    scratch_write(zip ? zipped : names[file], data + 1, n - 1);
    const ss_data_options options = {.name = "idx", .dir = scratch_folder, .train_subset = "even", .test_subset = "first",
                                     .standardise = rules[(data[0] >> 3) % 3]};
    ss_dataset *d = ss_dataset_load(&options, &error);
    FUZZ_MUST(d || error.text[0]);
    for (uint32_t i = 0; d && i < d->train.n; i++) FUZZ_MUST(d->train.labels[i] < d->n_classes);
    ss_dataset_destroy(d);
    if (zip) unlink(scratch_path(zipped));
    write_whole(file);
    return 0;
}
