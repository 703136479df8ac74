/* test_cifar.c - CIFAR's binary records: the order of pixels, the batches used, and bad files. */
#include "files.h"

enum { PIXELS = 3072 };

static ss_data_options options(const char *name)
{
    return (ss_data_options){.name = name, .dir = folder, .standardise = "none"};
}

/* Pixel (channel, row, column) of record `seed`. */
static unsigned char pixel(int seed, int c, int y, int x)
{
    return (unsigned char)(seed * 31 + c * 85 + y * 7 + x * 3);
}

/* n records whose labels are (coarse and) first, first + 1, ... */
static void write_records(const char *name, int n_labels, int n, int first)
{
    static unsigned char bytes[64 * (PIXELS + 2)];
    unsigned char *at = bytes;
    for (int i = 0; i < n; i++) {
        if (n_labels == 2) *at++ = (unsigned char)(19 - i);
        *at++ = (unsigned char)(first + i);
        for (int c = 0; c < 3; c++)
            for (int y = 0; y < 32; y++)
                for (int x = 0; x < 32; x++) *at++ = pixel(first + i, c, y, x);
    }
    write_file(name, bytes, (size_t)(at - bytes));
}

static bool pixels_right(const ss_split *split, uint32_t i, int seed)
{
    for (int y = 0; y < 32; y++)
        for (int x = 0; x < 32; x++)
            for (int c = 0; c < 3; c++)
                if (split->pixels[(size_t)i * PIXELS + (size_t)(y * 96 + x * 3 + c)] != pixel(seed, c, y, x)) return false;
    return true;
}

typedef struct caught { int n; char line[1024]; } caught;

static void catch(void *ctx, ss_log_level level, const char *line)
{
    caught *c = ctx;
    if (level != SS_LOG_WARNING) return;
    c->n++;
    snprintf(c->line, sizeof c->line, "%s", line);
}

/* Batches are used from 1 on as far as they go; a part of the set is worth one warning, the whole none. */
static void batches_in_order(void)
{
    static const struct { const char *present; uint32_t n_train; const char *warning; } rows[] = {
        {"12345", 10, ""}, {"1", 2, "1 of 5 training batches used (data_batch_2.bin is not there), 2 training examples"},
        {"1234", 8, "4 of 5 training batches used (data_batch_5.bin is not there), 8 training examples"},
        {"1245", 4, "2 of 5 training batches used (data_batch_3.bin is not there), 4 training examples"}};
    folder_make();
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        folder_clear();
        write_records("test_batch.bin", 1, 3, 7);
        for (const char *p = rows[r].present; *p; p++) {
            char name[32];
            snprintf(name, sizeof name, "data_batch_%c.bin", *p);
            write_records(name, 1, 2, *p - '1');
        }
        caught c = {0};
        ss_log_set_sink(catch, &c);
        ss_data_options o = options("cifar10");
        ss_error error = {""};
        ss_dataset *d = ss_dataset_load(&o, &error);
        ss_log_set_sink(NULL, NULL);
        CU_ASSERT_PTR_NOT_NULL_FATAL(d);
        CU_ASSERT(d->h == 32 && d->w == 32 && d->c == 3 && d->n_classes == 10);
        CU_ASSERT_EQUAL(d->train.n, rows[r].n_train);
        CU_ASSERT_EQUAL(d->test.n, 3);
        for (uint32_t i = 0; i < d->train.n; i++) {
            int label = (int)(i / 2 + i % 2);
            CU_ASSERT_EQUAL(d->train.labels[i], label);
            CU_ASSERT(pixels_right(&d->train, i, label));
        }
        for (uint32_t i = 0; i < 3; i++) CU_ASSERT(d->test.labels[i] == 7 + i && pixels_right(&d->test, i, 7 + (int)i));
        CU_ASSERT_EQUAL(c.n, rows[r].warning[0] ? 1 : 0);
        CU_ASSERT_PTR_NOT_NULL(strstr(c.line, rows[r].warning));
        ss_dataset_destroy(d);
    }
    folder_remove();
}

static void cifar100_takes_fine_labels(void)
{
    folder_make();
    write_records("train.bin", 2, 4, 96);
    write_records("test.bin", 2, 2, 40);
    ss_data_options o = options("cifar100");
    ss_dataset *d = ss_dataset_load(&o, NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(d);
    CU_ASSERT(d->n_classes == 100 && d->train.n == 4 && d->test.n == 2);
    for (uint32_t i = 0; i < 4; i++) CU_ASSERT(d->train.labels[i] == 96 + i && pixels_right(&d->train, i, 96 + (int)i));
    CU_ASSERT(d->test.labels[1] == 41 && pixels_right(&d->test, 1, 41));
    ss_dataset_destroy(d);
    folder_remove();
}

/* One file becomes n_bytes of `fill`, but for byte `at`, which becomes `value`; n_bytes < 0: a directory; -2: absent;
 * -3: sparse, 4 GiB and one byte. */
enum { MAKE_DIRECTORY = -1, MAKE_ABSENT = -2, MAKE_HUGE = -3 };
typedef struct bad_file {
    const char *set, *file;
    long n_bytes, at;
    int value;
    const char *expected;
} bad_file;

static const bad_file bad_files[] = {
    {"cifar10", "data_batch_1.bin", 0, 0, 0, "'@/data_batch_1.bin' is empty, expected records of 3073 bytes"},
    {"cifar10", "data_batch_1.bin", 3072, 0, 0, "'@/data_batch_1.bin' is 3072 bytes long, expected a multiple of 3073 (1 "
     "label and 3072 pixels): it is truncated or another format"},
    {"cifar10", "data_batch_1.bin", 3074, 0, 0, "'@/data_batch_1.bin' is 3074 bytes long, expected a multiple of 3073 (1 "
     "label and 3072 pixels): it is truncated or another format"},
    {"cifar10", "data_batch_2.bin", 1, 0, 0, "'@/data_batch_2.bin' is 1 bytes long, expected a multiple of 3073 (1 label "
     "and 3072 pixels): it is truncated or another format"},
    {"cifar10", "data_batch_2.bin", 3073, 0, 10, "'@/data_batch_2.bin': record 0 has label 10, expected 0 to 9: it is "
     "damaged or another data set"},
    {"cifar10", "test_batch.bin", 6146, 3073, 255, "'@/test_batch.bin': record 1 has label 255, expected 0 to 9: it is "
     "damaged or another data set"},
    {"cifar10", "test_batch.bin", 0, 0, 0, "'@/test_batch.bin' is empty, expected records of 3073 bytes"},
    {"cifar10", "test_batch.bin", MAKE_ABSENT, 0, 0, "'@/test_batch.bin': No such file or directory"},
    {"cifar10", "data_batch_1.bin", MAKE_DIRECTORY, 0, 0, "'@/data_batch_1.bin' is a directory, expected a file"},
    {"cifar10", "data_batch_1.bin", MAKE_ABSENT, 0, 0, "data folder '@' holds no data_batch_1.bin, expected the files of "
     "cifar10 (unpack cifar-10-binary.tar.gz from https://www.cs.toronto.edu/~kriz/cifar.html)"},
    {"cifar10", "data_batch_1.bin", MAKE_HUGE, 0, 0, "'@/data_batch_1.bin' is 4294967297 bytes long, more than the 4 GiB "
     "that are accepted"},
    {"cifar100", "train.bin", 3073, 0, 0, "'@/train.bin' is 3073 bytes long, expected a multiple of 3074 (2 labels and 3072 "
     "pixels): it is truncated or another format"},
    {"cifar100", "train.bin", 3074, 0, 20, "'@/train.bin': record 0 has coarse label 20, expected 0 to 19: it is damaged or "
     "another data set"},
    {"cifar100", "test.bin", 6148, 3075, 100, "'@/test.bin': record 1 has label 100, expected 0 to 99: it is damaged or "
     "another data set"},
    {"cifar100", "test.bin", MAKE_ABSENT, 0, 0, "'@/test.bin': No such file or directory"},
    {"cifar100", "train.bin", MAKE_ABSENT, 0, 0, "data folder '@' holds no train.bin, expected the files of cifar100 "
     "(unpack cifar-100-binary.tar.gz from https://www.cs.toronto.edu/~kriz/cifar.html)"},
};

static void put_bad(const bad_file *bad)
{
    static unsigned char bytes[2 * (PIXELS + 2)];
    char path[PATH_BYTES];
    path_in(path, bad->file);
    unlink(path);
    if (bad->n_bytes == MAKE_DIRECTORY) CU_ASSERT_EQUAL(mkdir(path, 0700), 0);
    if (bad->n_bytes == MAKE_HUGE) {
        write_file(bad->file, "", 0);
        CU_ASSERT_EQUAL(truncate(path, ((off_t)1 << 32) + 1), 0);
    }
    if (bad->n_bytes < 0) return;
    memset(bytes, 0, sizeof bytes);
    bytes[bad->at] = (unsigned char)bad->value;
    write_file(bad->file, bytes, (size_t)bad->n_bytes);
}

static void bad_files_are_refused(void)
{
    folder_make();
    for (size_t i = 0; i < sizeof bad_files / sizeof *bad_files; i++) {
        folder_clear();
        write_records("data_batch_1.bin", 1, 2, 0);
        write_records("test_batch.bin", 1, 2, 0);
        write_records("train.bin", 2, 2, 0);
        write_records("test.bin", 2, 2, 0);
        put_bad(&bad_files[i]);
        ss_data_options o = options(bad_files[i].set);
        assert_refused(bad_files[i].file, &o, bad_files[i].expected);
    }
    folder_remove();
}

static void quiet(void *ctx, ss_log_level level, const char *line)
{
    (void)ctx, (void)level, (void)line;
}

static void memory_runs_out(void)
{
    folder_make();
    write_records("data_batch_1.bin", 1, 4, 0);
    write_records("data_batch_2.bin", 1, 4, 4);
    write_records("test_batch.bin", 1, 4, 0);
    write_records("train.bin", 2, 4, 0);
    write_records("test.bin", 2, 4, 0);
    ss_log_set_sink(quiet, NULL);
    ss_data_options o = options("cifar10");
    o.test_examples = 2;
    CU_ASSERT(assert_survives_without_memory(&o) >= 10);
    o = options("cifar100");
    CU_ASSERT(assert_survives_without_memory(&o) >= 8);
    ss_log_set_sink(NULL, NULL);
    folder_remove();
}

static const ss_case cases[] = {
    {"batches in order, pixels row by row", batches_in_order},
    {"CIFAR-100 takes fine labels", cifar100_takes_fine_labels},
    {"bad files are refused", bad_files_are_refused},
    {"memory runs out", memory_runs_out},
};
SS_SUITE("cifar", cases)
