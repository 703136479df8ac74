/* files.h - a folder of its own for each test program, and data files in it, good and bad. */
#ifndef SHARPSWEEP_TESTS_DATA_FILES_H
#define SHARPSWEEP_TESTS_DATA_FILES_H

#include "sharpsweep/data.h"
#include "../suite.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

enum { PATH_BYTES = 512 };
static char folder[PATH_BYTES / 2];

static inline void path_in(char path[PATH_BYTES], const char *name)
{
    snprintf(path, PATH_BYTES, "%s/%s", folder, name);
}

static inline void folder_make(void)
{
    const char *root = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/ss-data-XXXXXX", root && *root && strlen(root) < 200 ? root : "/tmp");
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(folder));
}

static inline void folder_clear(void)
{
    DIR *dir = opendir(folder);
    CU_ASSERT_PTR_NOT_NULL_FATAL(dir);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        char path[PATH_BYTES + 256];
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..") && unlink(path)) rmdir(path);
    }
    closedir(dir);
}

static inline void folder_remove(void)
{
    folder_clear();
    CU_ASSERT_EQUAL(rmdir(folder), 0);
}

static inline void write_file(const char *name, const void *bytes, size_t n)
{
    char path[PATH_BYTES];
    path_in(path, name);
    FILE *f = fopen(path, "wb");
    CU_ASSERT_PTR_NOT_NULL_FATAL(f);
    CU_ASSERT_EQUAL(fwrite(bytes, 1, n, f), n);
    fclose(f);
}

/* Reads back at most `most` bytes. */
static inline size_t read_file(const char *name, unsigned char *bytes, size_t most)
{
    char path[PATH_BYTES];
    path_in(path, name);
    FILE *f = fopen(path, "rb");
    CU_ASSERT_PTR_NOT_NULL_FATAL(f);
    size_t n = fread(bytes, 1, most, f);
    fclose(f);
    return n;
}

static inline void write_gzip(const char *name, const void *bytes, size_t n)
{
    char path[PATH_BYTES];
    path_in(path, name);
    gzFile f = gzopen(path, "wb9");
    CU_ASSERT_PTR_NOT_NULL_FATAL(f);
    CU_ASSERT_EQUAL(gzwrite(f, bytes, (unsigned)n), (int)n);
    gzclose(f);
}

/* The error's text with the test's folder written "@"; the same buffer each time. */
static inline const char *without_folder(const ss_error *error)
{
    static char text[SS_ERROR_BYTES];
    size_t at = 0, n = strlen(folder);
    for (const char *from = error->text; *from && at < sizeof text - 1;) {
        bool here = strncmp(from, folder, n) == 0;
        text[at++] = here ? '@' : *from;
        from += here ? n : 1;
    }
    text[at] = '\0';
    return text;
}

/* The load fails, and with exactly this sentence. */
static inline void assert_refused(const char *what, const ss_data_options *options, const char *expected)
{
    ss_error error = {""};
    ss_dataset *d = ss_dataset_load(options, &error);
    CU_ASSERT_PTR_NULL(d);
    const char *text = without_folder(&error);
    CU_ASSERT_STRING_EQUAL(text, expected);
    if (d || strcmp(text, expected)) fprintf(stderr, "\n    %s\n    says:     %s\n    expected: %s\n", what, text, expected);
    ss_dataset_destroy(d);
}

/* Allocation 0, then 1, then 2 ... fails until a load succeeds; each failure says so. Returns how many failed. */
static inline int assert_survives_without_memory(const ss_data_options *options)
{
    for (int n = 0; n < 100; n++) {
        ss_error error = {""};
        ss_alloc_fail_after(n);
        ss_dataset *d = ss_dataset_load(options, &error);
        ss_alloc_fail_after(-1);
        if (d) {
            ss_dataset_destroy(d);
            return n;
        }
        CU_ASSERT_PTR_NOT_NULL(strstr(error.text, "out of memory"));
    }
    CU_FAIL("no load succeeded");
    return -1;
}

/* The smallest set in MNIST's form: 3 training and 2 test images of 2 x 2. */
static const unsigned char tiny_train_images[] = {0, 0, 8, 3, 0, 0, 0, 3, 0, 0, 0, 2, 0, 0, 0, 2,
                                                  0, 10, 255, 3, 51, 20, 255, 3, 102, 60, 255, 9};
static const unsigned char tiny_train_labels[] = {0, 0, 8, 1, 0, 0, 0, 3, 2, 0, 1};
static const unsigned char tiny_test_images[] = {0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 2, 1, 2, 3, 4, 5, 6, 7, 8};
static const unsigned char tiny_test_labels[] = {0, 0, 8, 1, 0, 0, 0, 2, 1, 0};

typedef struct tiny_file { const char *name; const unsigned char *bytes; size_t n; } tiny_file;
static const tiny_file tiny_files[4] = {
    {"train-images-idx3-ubyte", tiny_train_images, sizeof tiny_train_images},
    {"train-labels-idx1-ubyte", tiny_train_labels, sizeof tiny_train_labels},
    {"t10k-images-idx3-ubyte", tiny_test_images, sizeof tiny_test_images},
    {"t10k-labels-idx1-ubyte", tiny_test_labels, sizeof tiny_test_labels}};

static inline void write_tiny_idx(bool gzip)
{
    for (size_t i = 0; i < 4; i++) {
        char name[64];
        snprintf(name, sizeof name, "%s%s", tiny_files[i].name, gzip ? ".gz" : "");
        if (gzip) write_gzip(name, tiny_files[i].bytes, tiny_files[i].n);
        else write_file(name, tiny_files[i].bytes, tiny_files[i].n);
    }
}

#endif
