/* dataset.c - the table of data sets, and the steps all of them share: find the folder, read everything, standardise by
 * the whole training set, keep the chosen examples, sign the result. */
#include "source.h"

#include <string.h>

static const ss_loader loaders[] = {
    {"fashion-mnist", "train-images-idx3-ubyte", true, "fashion-mnist", "/usr/share/datasets/fashion-mnist",
     "apt install dataset-fashion-mnist", ss_fashion_load},
    {"idx", "train-images-idx3-ubyte", true, NULL, NULL,
     "four files named as MNIST's (train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte, "
     "t10k-labels-idx1-ubyte), plain or .gz, in one folder", ss_idx_load},
    {"cifar10", "data_batch_1.bin", false, "cifar-10-batches-bin", NULL,
     "unpack cifar-10-binary.tar.gz from https://www.cs.toronto.edu/~kriz/cifar.html", ss_cifar10_load},
    {"cifar100", "train.bin", false, "cifar-100-binary", NULL,
     "unpack cifar-100-binary.tar.gz from https://www.cs.toronto.edu/~kriz/cifar.html", ss_cifar100_load},
    {"synthetic", NULL, false, NULL, NULL, NULL, ss_synthetic_load},
};
enum { N_LOADERS = sizeof loaders / sizeof *loaders };

static const ss_loader *find_loader(const char *name, ss_error *error)
{
    char known[256] = "";
    size_t at = 0;
    for (size_t i = 0; i < N_LOADERS; i++) {
        if (name && strcmp(name, loaders[i].name) == 0) return &loaders[i];
        if (i) at = (size_t)(stpcpy(known + at, ", ") - known);
        at = (size_t)(stpcpy(known + at, loaders[i].name) - known);
    }
    ss_fail(error, "unknown data set '%s', expected one of %s", name ? name : "", known);
    return NULL;
}

int ss_split_alloc(ss_split *split, uint32_t n, size_t n_pixels, ss_error *error)
{
    split->pixels = ss_alloc(n, n_pixels);
    split->labels = ss_alloc(n, 1);
    if (!split->pixels || !split->labels)
        return ss_fail(error, "out of memory: %u examples of %zu bytes were not to be had", n, n_pixels);
    split->n = n;
    return 0;
}

void ss_split_free(ss_split *split)
{
    ss_free(split->pixels);
    ss_free(split->labels);
    *split = (ss_split){0};
}

void ss_dataset_destroy(ss_dataset *d)
{
    if (!d) return;
    ss_split_free(&d->train);
    ss_split_free(&d->test);
    ss_free(d->mean);
    ss_free(d->inv_std);
    ss_free(d);
}

static void digest_split(ss_sha256 *h, const ss_split *split, size_t n_pixels)
{
    ss_sha256_update(h, &split->n, sizeof split->n);
    ss_sha256_update(h, split->pixels, split->n * n_pixels);
    ss_sha256_update(h, split->labels, split->n);
}

/* Shape, chosen examples and tables (as floats, so that both precisions sign alike). */
static void digest(ss_dataset *d)
{
    size_t n_pixels = (size_t)d->h * (size_t)d->w * (size_t)d->c;
    const int32_t shape[4] = {d->h, d->w, d->c, d->n_classes};
    ss_sha256 h;
    ss_sha256_init(&h);
    ss_sha256_update(&h, shape, sizeof shape);
    digest_split(&h, &d->train, n_pixels);
    digest_split(&h, &d->test, n_pixels);
    for (size_t i = 0; i < n_pixels; i++) {
        const float row[2] = {(float)d->mean[i], (float)d->inv_std[i]};
        ss_sha256_update(&h, row, sizeof row);
    }
    ss_sha256_finish(&h, d->digest);
}

static int fill(const ss_loader *loader, const ss_data_options *o, ss_dataset *d, ss_error *error)
{
    if (ss_place_find(loader, o->dir, d, error) || loader->load(o, d, error)) return -1;
    size_t n_pixels = (size_t)d->h * (size_t)d->w * (size_t)d->c;
    if (ss_standardise(d, o->standardise, error)) return -1;
    if (ss_split_choose(&d->train, o->train_examples, o->train_subset, n_pixels, "train", error) ||
        ss_split_choose(&d->test, o->test_examples, o->test_subset, n_pixels, "test", error))
        return ss_fail_in(error, "%s in '%s'", loader->name, d->path);
    digest(d);
    return 0;
}

ss_dataset *ss_dataset_load(const ss_data_options *options, ss_error *error)
{
    const ss_loader *loader = find_loader(options->name, error);
    if (!loader) return NULL;
    ss_dataset *d = ss_alloc(1, sizeof *d);
    if (!d) {
        ss_fail(error, "out of memory: %zu bytes for the data set '%s'", sizeof *d, loader->name);
        return NULL;
    }
    if (fill(loader, options, d, error) == 0) return d;
    ss_dataset_destroy(d);
    return NULL;
}
