/* cifar.c - the binary releases of CIFAR-10 and CIFAR-100 (https://www.cs.toronto.edu/~kriz/cifar.html): records of one
 * or two label bytes and 3072 pixels in the order channel, row, column. In memory pixels lie row, column, channel. */
#include "source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { SIDE = 32, AREA = SIDE * SIDE, CHANNELS = 3, PIXELS = CHANNELS * AREA, MAX_LABELS = 2, N_BATCHES = 5, N_COARSE = 20 };

typedef struct record_form { int n_labels; int n_classes; } record_form;
static const record_form form10 = {1, 10}, form100 = {2, 100}; /* CIFAR-100: the coarse label, then the fine one */

static size_t record_bytes(const record_form *form)
{
    return (size_t)form->n_labels + PIXELS;
}

/* Number of records of a file, by its size. */
static int count_records(const char *path, const record_form *form, uint32_t *n, ss_error *error)
{
    uint64_t size;
    size_t record = record_bytes(form);
    if (ss_place_size(path, &size, error)) return -1;
    if (size == 0) return ss_fail(error, "'%s' is empty, expected records of %zu bytes", path, record);
    if (size > SS_DATA_LIMIT_BYTES)
        return ss_fail(error, "'%s' is %llu bytes long, more than the 4 GiB that are accepted", path,
                       (unsigned long long)size);
    if (size % record)
        return ss_fail(error, "'%s' is %llu bytes long, expected a multiple of %zu (%d label%s and %d pixels): it is "
                       "truncated or another format", path, (unsigned long long)size, record, form->n_labels,
                       form->n_labels > 1 ? "s" : "", PIXELS);
    *n = (uint32_t)(size / record);
    return 0;
}

static void unpack(const unsigned char *planes, uint8_t *pixels)
{
    for (size_t i = 0; i < AREA; i++)
        for (size_t c = 0; c < CHANNELS; c++) pixels[CHANNELS * i + c] = planes[AREA * c + i];
}

static int check_label(const char *path, uint32_t i, const char *what, int label, int n, ss_error *error)
{
    if (label < n) return 0;
    return ss_fail(error, "'%s': record %u has %slabel %d, expected 0 to %d: it is damaged or another data set", path, i,
                   what, label, n - 1);
}

/* The n records of a file into the split from example `first` on. */
static int read_records(const char *path, const record_form *form, ss_split *split, uint32_t first, uint32_t n,
                        ss_error *error)
{
    int fd = ss_file_open(path, O_RDONLY, NULL, error);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "rb");
    if (fd >= 0 && !file) close(fd), ss_fail(error, "'%s' cannot be opened: %s", path, strerror(errno));
    if (!file) return -1;
    unsigned char record[MAX_LABELS + PIXELS];
    int rc = -1;
    for (uint32_t i = 0; i < n; i++) {
        if (fread(record, record_bytes(form), 1, file) != 1) {
            ss_fail(error, "'%s' cannot be read beyond record %u of %u: %s", path, i, n,
                    ferror(file) ? strerror(errno) : "it became shorter");
            goto done;
        }
        int fine = record[form->n_labels - 1];
        if (form->n_labels == 2 && check_label(path, i, "coarse ", record[0], N_COARSE, error)) goto done;
        if (check_label(path, i, "", fine, form->n_classes, error)) goto done;
        split->labels[first + i] = (uint8_t)fine;
        unpack(record + form->n_labels, split->pixels + (size_t)(first + i) * PIXELS);
    }
    rc = 0;
done:
    fclose(file);
    return rc;
}

/* The files `name` (n_files of them) one after the other as one split. */
static int read_split(const ss_dataset *d, const record_form *form, const char *const *name, int n_files, ss_split *split,
                      ss_error *error)
{
    char path[N_BATCHES][SS_SOURCE_BYTES];
    uint32_t n[N_BATCHES] = {0};
    uint64_t total = 0;
    for (int i = 0; i < n_files; i++) {
        if (ss_place_join(path[i], d->path, name[i], error) || count_records(path[i], form, &n[i], error)) return -1;
        total += n[i];
    }
    if (ss_split_alloc(split, (uint32_t)total, PIXELS, error)) return -1;
    uint32_t first = 0;
    for (int i = 0; i < n_files; first += n[i++])
        if (read_records(path[i], form, split, first, n[i], error)) return -1;
    return 0;
}

static void set_form(ss_dataset *d, const record_form *form)
{
    d->h = d->w = SIDE;
    d->c = CHANNELS;
    d->n_classes = form->n_classes;
}

/* Batches count from 1 and are used as far as they go without a gap; part of the set is a set, but worth a word. */
int ss_cifar10_load(const ss_data_options *options, ss_dataset *d, ss_error *error)
{
    static const char *const batches[N_BATCHES] = {"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin",
                                                   "data_batch_4.bin", "data_batch_5.bin"};
    static const char *const test[] = {"test_batch.bin"};
    (void)options;
    int n = 0;
    while (n < N_BATCHES && ss_place_has(d->path, batches[n])) n++;
    set_form(d, &form10);
    if (n == 0) return ss_fail(error, "'%s' holds no %s", d->path, batches[0]); /* it went away since the folder was found */
    if (read_split(d, &form10, batches, n, &d->train, error) || read_split(d, &form10, test, 1, &d->test, error)) return -1;
    if (n < N_BATCHES)
        ss_log(SS_LOG_WARNING, "cifar10 in '%s': %d of %d training batches used (%s is not there), %u training examples",
               d->path, n, N_BATCHES, batches[n], d->train.n);
    return 0;
}

int ss_cifar100_load(const ss_data_options *options, ss_dataset *d, ss_error *error)
{
    static const char *const train[] = {"train.bin"}, *const test[] = {"test.bin"};
    (void)options;
    set_form(d, &form100);
    if (read_split(d, &form100, train, 1, &d->train, error) || read_split(d, &form100, test, 1, &d->test, error)) return -1;
    return 0;
}
