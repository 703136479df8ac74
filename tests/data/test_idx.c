/* test_idx.c - IDX files, plain and gzipped: what is read from good ones, and what is said of each kind of bad one. */
#include "files.h"

static ss_data_options options(void)
{
    return (ss_data_options){.name = "idx", .dir = folder, .standardise = "none"};
}

static void check_tiny(const ss_dataset *d)
{
    CU_ASSERT(d->h == 2 && d->w == 2 && d->c == 1);
    CU_ASSERT_EQUAL(d->n_classes, 3);
    CU_ASSERT_EQUAL(d->train.n, 3);
    CU_ASSERT_EQUAL(d->test.n, 2);
    CU_ASSERT(memcmp(d->train.pixels, tiny_train_images + 16, 12) == 0);
    CU_ASSERT(memcmp(d->train.labels, tiny_train_labels + 8, 3) == 0);
    CU_ASSERT(memcmp(d->test.pixels, tiny_test_images + 16, 8) == 0);
    CU_ASSERT(memcmp(d->test.labels, tiny_test_labels + 8, 2) == 0);
    CU_ASSERT_STRING_EQUAL(d->path, folder);
}

static void plain_and_gzip_agree(void)
{
    folder_make();
    char digest[2][SS_DIGEST_BYTES] = {"", ""};
    for (int gzip = 0; gzip < 2; gzip++) {
        folder_clear();
        write_tiny_idx(gzip);
        ss_error error = {""};
        ss_data_options o = options();
        ss_dataset *d = ss_dataset_load(&o, &error);
        CU_ASSERT_PTR_NOT_NULL_FATAL(d);
        check_tiny(d);
        strcpy(digest[gzip], d->digest);
        ss_dataset_destroy(d);
    }
    CU_ASSERT_STRING_EQUAL(digest[0], digest[1]);
    folder_remove();
}

/* Browsers unpack on the way and keep the name; both names there: the plain file is read. */
static void names_and_contents(void)
{
    folder_make();
    write_tiny_idx(false);
    for (size_t i = 0; i < 4; i++) {
        char from[PATH_BYTES], to[PATH_BYTES + 3];
        path_in(from, tiny_files[i].name);
        snprintf(to, sizeof to, "%s.gz", from);
        CU_ASSERT_EQUAL(rename(from, to), 0);
    }
    ss_data_options o = options();
    ss_dataset *d = ss_dataset_load(&o, NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(d);
    check_tiny(d);
    ss_dataset_destroy(d);
    for (size_t i = 0; i < 4; i++) {
        char name[64];
        snprintf(name, sizeof name, "%s.gz", tiny_files[i].name);
        write_file(name, "rubbish", 7);
    }
    write_tiny_idx(false);
    d = ss_dataset_load(&o, NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(d);
    check_tiny(d);
    ss_dataset_destroy(d);
    folder_remove();
}

enum { TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS };
typedef enum form { PLAIN, GZIP, GZIP_CUT, GZIP_SUM, GZIP_DATA, DIRECTORY, FIFO, ABSENT } form;

/* One file of the tiny set becomes HEAD and n_data bytes of value `fill`, in the given form. */
typedef struct bad_file {
    int file;
    form form;
    size_t n_head;
    const char *head;
    size_t n_data;
    int fill;
    const char *expected;
} bad_file;

#define H(text) sizeof text - 1, text
#define IMAGES_3 H("\0\0\10\3\0\0\0\3\0\0\0\2\0\0\0\2")
#define LABELS_3 H("\0\0\10\1\0\0\0\3")

static const bad_file bad_files[] = {
    {TRAIN_IMAGES, PLAIN, H(""), 0, 0,
     "'@/train-images-idx3-ubyte' holds 0 bytes, expected an IDX header of 16: it is truncated; fetch it again"},
    {TRAIN_IMAGES, PLAIN, H("\0\0\10\3\0\0\0\3"), 0, 0,
     "'@/train-images-idx3-ubyte' holds 8 bytes, expected an IDX header of 16: it is truncated; fetch it again"},
    {TRAIN_IMAGES, PLAIN, H("<html><body>404 Not Found"), 0, 0,
     "'@/train-images-idx3-ubyte' starts with bytes 3c 68 74 6d, expected 00 00 08 03: it is not an IDX file"},
    {TRAIN_LABELS, PLAIN, H("\1\0\10\1\0\0\0\3"), 3, 0,
     "'@/train-labels-idx1-ubyte' starts with bytes 01 00 08 01, expected 00 00 08 01: it is not an IDX file"},
    {TRAIN_IMAGES, PLAIN, H("\0\0\15\3\0\0\0\3\0\0\0\2\0\0\0\2"), 48, 0,
     "'@/train-images-idx3-ubyte' holds elements of IDX type 0x0d, expected unsigned bytes (0x08)"},
    {TEST_LABELS, PLAIN, H("\0\0\14\1\0\0\0\2"), 8, 0,
     "'@/t10k-labels-idx1-ubyte' holds elements of IDX type 0x0c, expected unsigned bytes (0x08)"},
    {TRAIN_IMAGES, PLAIN, LABELS_3, 3, 0,
     "'@/train-images-idx3-ubyte': the number of dimensions is 1, expected 3 (images: number, height, width)"},
    {TEST_LABELS, PLAIN, IMAGES_3, 12, 0,
     "'@/t10k-labels-idx1-ubyte': the number of dimensions is 3, expected 1 (labels: number)"},
    {TRAIN_IMAGES, PLAIN, H("\0\0\10\377"), 1020, 1,
     "'@/train-images-idx3-ubyte': the number of dimensions is 255, expected 3 (images: number, height, width)"},
    {TRAIN_IMAGES, PLAIN, H("\0\0\10\3\0\0\0\0\0\0\0\2\0\0\0\2"), 0, 0,
     "'@/train-images-idx3-ubyte' holds no examples (its first dimension is 0)"},
    {TEST_LABELS, PLAIN, H("\0\0\10\1\0\0\0\0"), 0, 0,
     "'@/t10k-labels-idx1-ubyte' holds no examples (its first dimension is 0)"},
    {TRAIN_IMAGES, PLAIN, H("\0\0\10\3\0\0\0\3\0\0\0\0\0\0\0\2"), 0, 0,
     "'@/train-images-idx3-ubyte' holds images of 0 x 2 pixels, expected 1 to 16384 each way"},
    {TRAIN_IMAGES, PLAIN, H("\0\0\10\3\0\0\0\1\0\0\0\1\377\377\377\377"), 4, 0,
     "'@/train-images-idx3-ubyte' holds images of 1 x 4294967295 pixels, expected 1 to 16384 each way"},
    {TRAIN_IMAGES, PLAIN, H("\0\0\10\3\377\377\377\377\377\377\377\377\377\377\377\377"), 4, 0,
     "'@/train-images-idx3-ubyte' holds images of 4294967295 x 4294967295 pixels, expected 1 to 16384 each way"},
    {TRAIN_IMAGES, PLAIN, H("\0\0\10\3\377\377\377\377\0\0\100\0\0\0\100\0"), 4, 0,
     "'@/train-images-idx3-ubyte' announces 1152921504338411520 bytes, more than the 4 GiB that are accepted"},
    {TRAIN_IMAGES, GZIP, H("\0\0\10\3\100\0\0\0\0\0\0\2\0\0\0\3"), 4, 0,
     "'@/train-images-idx3-ubyte.gz' announces 6442450944 bytes, more than the 4 GiB that are accepted"},
    {TRAIN_IMAGES, PLAIN, IMAGES_3, 11, 0,
     "'@/train-images-idx3-ubyte' announces 12 bytes of elements, but only 11 follow: it is truncated; fetch it again"},
    {TEST_IMAGES, PLAIN, H("\0\0\10\3\0\0\0\2\0\0\0\2\0\0\0\2"), 0, 0,
     "'@/t10k-images-idx3-ubyte' announces 8 bytes of elements, but only 0 follow: it is truncated; fetch it again"},
    {TRAIN_LABELS, PLAIN, LABELS_3, 2, 0,
     "'@/train-labels-idx1-ubyte' announces 3 bytes of elements, but only 2 follow: it is truncated; fetch it again"},
    {TRAIN_IMAGES, GZIP, IMAGES_3, 11, 0,
     "'@/train-images-idx3-ubyte.gz' announces 12 bytes of elements, but only 11 follow: it is truncated; fetch it again"},
    {TRAIN_IMAGES, PLAIN, IMAGES_3, 13, 0,
     "'@/train-images-idx3-ubyte' holds more than the 12 bytes of elements it announces: header and contents disagree"},
    {TRAIN_LABELS, PLAIN, LABELS_3, 100, 0,
     "'@/train-labels-idx1-ubyte' holds more than the 3 bytes of elements it announces: header and contents disagree"},
    {TEST_IMAGES, GZIP, H("\0\0\10\3\0\0\0\2\0\0\0\2\0\0\0\2"), 30000000, 0, /* a bomb: 30 MB from 29 kB */
     "'@/t10k-images-idx3-ubyte.gz' holds more than the 8 bytes of elements it announces: header and contents disagree"},
    {TRAIN_LABELS, PLAIN, H("\0\0\10\1\0\0\0\4"), 4, 0,
     "'@/train-labels-idx1-ubyte' holds 4 labels, but its images file holds 3 images"},
    {TEST_LABELS, GZIP, H("\0\0\10\1\0\0\0\1"), 1, 0,
     "'@/t10k-labels-idx1-ubyte.gz' holds 1 labels, but its images file holds 2 images"},
    {TEST_IMAGES, PLAIN, H("\0\0\10\3\0\0\0\2\0\0\0\4\0\0\0\1"), 8, 0,
     "'@/t10k-images-idx3-ubyte' holds images of 4 x 1 pixels, expected 2 x 2 as in the training file"},
    {TRAIN_IMAGES, GZIP_CUT, IMAGES_3, 12, 0,
     "'@/train-images-idx3-ubyte.gz' ends in the middle of its gzip stream: it is truncated; fetch it again"},
    {TRAIN_LABELS, GZIP_SUM, LABELS_3, 3, 0,
     "'@/train-labels-idx1-ubyte.gz' is a corrupt gzip file (zlib: incorrect data check); fetch it again"},
    {TRAIN_LABELS, GZIP_DATA, LABELS_3, 3, 0,
     "'@/train-labels-idx1-ubyte.gz' is a corrupt gzip file (zlib: invalid block type); fetch it again"},
    {TRAIN_IMAGES, DIRECTORY, H(""), 0, 0, "'@/train-images-idx3-ubyte' is a directory, expected a file"},
    {TEST_LABELS, FIFO, H(""), 0, 0, "'@/t10k-labels-idx1-ubyte' is not a regular file"},
    {TRAIN_LABELS, ABSENT, H(""), 0, 0, "'@' holds neither train-labels-idx1-ubyte nor train-labels-idx1-ubyte.gz"},
    {TEST_IMAGES, ABSENT, H(""), 0, 0, "'@' holds neither t10k-images-idx3-ubyte nor t10k-images-idx3-ubyte.gz"},
};

static void damage_gzip(const char *name, form how)
{
    unsigned char bytes[256];
    size_t n = read_file(name, bytes, sizeof bytes);
    CU_ASSERT_FATAL(n > 20 && n < sizeof bytes);
    if (how == GZIP_CUT) n -= 12;               /* within the deflate data, 8 bytes of sum and length follow */
    else if (how == GZIP_SUM) bytes[n - 8] ^= 1;
    else bytes[10] |= 7;                         /* the first block gets type 3, which does not exist */
    write_file(name, bytes, n);
}

static void put_bad(const bad_file *bad)
{
    char name[64], path[PATH_BYTES];
    static unsigned char bytes[30000100];
    snprintf(name, sizeof name, "%s", tiny_files[bad->file].name);
    path_in(path, name);
    unlink(path);
    memcpy(bytes, bad->head, bad->n_head);
    memset(bytes + bad->n_head, bad->fill, bad->n_data);
    if (bad->form == PLAIN) write_file(name, bytes, bad->n_head + bad->n_data);
    if (bad->form == DIRECTORY) CU_ASSERT_EQUAL(mkdir(path, 0700), 0);
    if (bad->form == FIFO) CU_ASSERT_EQUAL(mkfifo(path, 0600), 0);
    if (bad->form < GZIP || bad->form > GZIP_DATA) return;
    strcat(name, ".gz");
    write_gzip(name, bytes, bad->n_head + bad->n_data);
    if (bad->form != GZIP) damage_gzip(name, bad->form);
}

static void bad_files_are_refused(void)
{
    folder_make();
    for (size_t i = 0; i < sizeof bad_files / sizeof *bad_files; i++) {
        const bad_file *bad = &bad_files[i];
        folder_clear();
        write_tiny_idx(false);
        put_bad(bad);
        ss_data_options o = options();
        assert_refused(tiny_files[bad->file].name, &o, bad->expected);
    }
    folder_remove();
}

static void announced_beyond_the_compressed_bytes(void)
{
    folder_make();
    write_tiny_idx(true);
    static const char head[] = "\0\0\10\3\0\1\0\0\0\0\0\20\0\0\0\20"; /* 16 MiB out of a few bytes */
    write_gzip("train-images-idx3-ubyte.gz", head, sizeof head - 1);
    ss_error error = {""};
    ss_data_options o = options();
    ss_alloc_fail_after(1); /* enough for the ss_dataset: the 16 MiB must not even be asked for */
    CU_ASSERT_PTR_NULL(ss_dataset_load(&o, &error));
    ss_alloc_fail_after(-1);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, "announces 16777216 bytes of elements, but only "));
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, " can come out of its compressed bytes: it is truncated"));
    folder_remove();
}

static void classes(void)
{
    folder_make();
    write_tiny_idx(false);
    ss_data_options o = options();
    write_file("train-labels-idx1-ubyte", "\0\0\10\1\0\0\0\3\0\0\0", 11);
    write_file("t10k-labels-idx1-ubyte", "\0\0\10\1\0\0\0\2\0\0", 10);
    assert_refused("one class", &o, "'@': all labels are 0, expected at least two classes");
    write_file("t10k-labels-idx1-ubyte", "\0\0\10\1\0\0\0\2\0\377", 10);
    ss_dataset *d = ss_dataset_load(&o, NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(d);
    CU_ASSERT_EQUAL(d->n_classes, 256);
    ss_dataset_destroy(d);

    o.name = "fashion-mnist";
    write_file("t10k-labels-idx1-ubyte", "\0\0\10\1\0\0\0\2\0\12", 10);
    assert_refused("label 10", &o, "'@/t10k-labels-idx1-ubyte': label 10 of example 1 is outside 0 to 9: it is damaged or "
                   "another data set");
    write_tiny_idx(false);
    assert_refused("2 x 2", &o, "'@' holds images of 2 x 2 pixels, expected Fashion-MNIST's 28 x 28; other sets in this "
                   "format load as 'idx'");
    folder_remove();
}

/* However short a file is cut, and whichever bit of a gzip file flips: an error, or the very same numbers. */
static void every_cut_and_every_flip(void)
{
    folder_make();
    write_tiny_idx(true);
    ss_data_options o = options();
    ss_dataset *whole = ss_dataset_load(&o, NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(whole);
    int n_refused = 0;
    for (size_t i = 0; i < 4; i++) {
        char name[64];
        unsigned char bytes[256];
        snprintf(name, sizeof name, "%s.gz", tiny_files[i].name);
        size_t n = read_file(name, bytes, sizeof bytes);
        for (size_t cut = 0; cut < n; cut++) {
            write_file(name, bytes, cut);
            ss_error error = {""};
            CU_ASSERT_PTR_NULL(ss_dataset_load(&o, &error));
            CU_ASSERT_PTR_NOT_NULL(strstr(error.text, name));
        }
        for (size_t bit = 0; bit < 8 * n; bit++) {
            bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
            write_file(name, bytes, n);
            bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
            ss_error error = {""};
            ss_dataset *d = ss_dataset_load(&o, &error);
            if (d) CU_ASSERT_STRING_EQUAL(d->digest, whole->digest);
            if (!d) CU_ASSERT_PTR_NOT_NULL(strstr(error.text, name));
            n_refused += !d;
            ss_dataset_destroy(d);
        }
        write_file(name, bytes, n);
    }
    CU_ASSERT(n_refused > 300);
    ss_dataset_destroy(whole);
    folder_remove();
}

static void memory_runs_out(void)
{
    folder_make();
    write_tiny_idx(true);
    ss_data_options o = options();
    o.train_examples = 2;
    CU_ASSERT(assert_survives_without_memory(&o) >= 10);
    folder_remove();
}

static const ss_case cases[] = {
    {"plain and gzip agree", plain_and_gzip_agree},
    {"names and contents", names_and_contents},
    {"bad files are refused", bad_files_are_refused},
    {"more announced than the compressed bytes can hold", announced_beyond_the_compressed_bytes},
    {"classes", classes},
    {"every cut and every flipped bit", every_cut_and_every_flip},
    {"memory runs out", memory_runs_out},
};
SS_SUITE("idx", cases)
