/* test_place.c - the folders looked at, in order, and what is said when the set is in none of them. */
#include "files.h"

static ss_data_options named(const char *name, const char *dir)
{
    return (ss_data_options){.name = name, .dir = dir};
}

static void assert_loads_from(const ss_data_options *o, const char *expected)
{
    ss_error error = {""};
    ss_dataset *d = ss_dataset_load(o, &error);
    CU_ASSERT_PTR_NOT_NULL(d);
    if (!d) fprintf(stderr, "\n    %s\n", error.text);
    else CU_ASSERT_STRING_EQUAL(d->path, expected);
    ss_dataset_destroy(d);
}

/* 28 x 28 images, all of one value: the smallest set that fashion-mnist accepts. */
static void write_fashion(void)
{
    unsigned char bytes[16 + 2 * 784] = {0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 28, 0, 0, 0, 28};
    write_gzip("train-images-idx3-ubyte.gz", bytes, sizeof bytes);
    write_gzip("t10k-images-idx3-ubyte.gz", bytes, sizeof bytes);
    write_file("train-labels-idx1-ubyte", "\0\0\10\1\0\0\0\2\1\11", 10);
    write_file("t10k-labels-idx1-ubyte", "\0\0\10\1\0\0\0\2\1\11", 10);
}

static void named_folder(void)
{
    folder_make();
    write_tiny_idx(false);
    setenv("SHARPSWEEP_DATA", "/nonexistent", 1);
    ss_data_options o = named("idx", folder);
    assert_loads_from(&o, folder);
    char dotted[PATH_BYTES];
    path_in(dotted, ".");
    o = named("idx", dotted);
    assert_loads_from(&o, dotted);
    folder_remove();
}

/* $SHARPSWEEP_DATA/<usual name> comes before $SHARPSWEEP_DATA itself; with a folder named, neither is looked at. */
static void environment(void)
{
    folder_make();
    setenv("SHARPSWEEP_DATA", folder, 1);
    write_fashion();
    ss_data_options o = named("fashion-mnist", NULL);
    assert_loads_from(&o, folder);
    o.dir = "";
    assert_loads_from(&o, folder);

    char root[PATH_BYTES / 2], below[PATH_BYTES];
    strcpy(root, folder);
    path_in(below, "fashion-mnist");
    CU_ASSERT_EQUAL(mkdir(below, 0700), 0);
    assert_loads_from(&o, root); /* the folder is there, but empty */
    snprintf(folder, sizeof folder, "%s/fashion-mnist", root);
    write_fashion();
    assert_loads_from(&o, below);
    o.dir = root;
    assert_loads_from(&o, root);
    folder_clear();
    strcpy(folder, root);
    folder_remove();
    unsetenv("SHARPSWEEP_DATA");
}

static void named_folder_is_no_use(void)
{
    folder_make();
    char missing[PATH_BYTES], file[PATH_BYTES];
    path_in(missing, "missing");
    path_in(file, "file");
    write_file("file", "x", 1);
    ss_data_options o = named("fashion-mnist", missing);
    assert_refused("missing folder", &o, "data folder '@/missing': No such file or directory; expected the files of "
                   "fashion-mnist (apt install dataset-fashion-mnist)");
    o = named("cifar10", file);
    assert_refused("a file", &o, "data folder '@/file' is a file, expected the folder that holds the files of cifar10");
    o = named("fashion-mnist", folder);
    assert_refused("an empty folder", &o, "data folder '@' holds no train-images-idx3-ubyte (or .gz), expected the files of "
                   "fashion-mnist (apt install dataset-fashion-mnist)");
    write_file("data_batch_1.bin.gz", "x", 1);
    o = named("cifar10", folder);
    assert_refused("CIFAR is not read from gzip", &o, "data folder '@' holds no data_batch_1.bin, expected the files of "
                   "cifar10 (unpack cifar-10-binary.tar.gz from https://www.cs.toronto.edu/~kriz/cifar.html)");
    char longest[1100];
    memset(longest, 'x', sizeof longest);
    longest[sizeof longest - 1] = '\0';
    o = named("idx", longest);
    assert_refused("endless path", &o, "the data folder's path is 1099 bytes long, expected fewer than 1024");
    folder_remove();
}

static void found_nowhere(void)
{
    folder_make();
    ss_data_options o = named("cifar10", NULL);
    setenv("SHARPSWEEP_DATA", folder, 1);
    assert_refused("nothing there", &o, "the data set 'cifar10' was not found (looked for data_batch_1.bin in "
                   "'@/cifar-10-batches-bin' and '@'): unpack cifar-10-binary.tar.gz from "
                   "https://www.cs.toronto.edu/~kriz/cifar.html, or set SHARPSWEEP_DATA to the folder that holds "
                   "cifar-10-batches-bin, or name the folder itself (dir)");
    unsetenv("SHARPSWEEP_DATA");
    o = named("cifar100", NULL);
    assert_refused("no variable", &o, "the data set 'cifar100' was not found (looked for train.bin below $SHARPSWEEP_DATA, "
                   "which is not set): unpack cifar-100-binary.tar.gz from https://www.cs.toronto.edu/~kriz/cifar.html, or "
                   "set SHARPSWEEP_DATA to the folder that holds cifar-100-binary, or name the folder itself (dir)");
    o = named("idx", NULL);
    assert_refused("idx without a folder", &o, "the data set 'idx' needs its folder (dir): four files named as MNIST's "
                   "(train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte), "
                   "plain or .gz, in one folder");
    if (access("/usr/share/datasets/fashion-mnist", F_OK)) {
        setenv("SHARPSWEEP_DATA", folder, 1);
        o = named("fashion-mnist", NULL);
        assert_refused("no package", &o, "the data set 'fashion-mnist' was not found (looked for train-images-idx3-ubyte in "
                       "'@/fashion-mnist' and '@' and in '/usr/share/datasets/fashion-mnist'): apt install "
                       "dataset-fashion-mnist, or set SHARPSWEEP_DATA to the folder that holds fashion-mnist, or name the "
                       "folder itself (dir)");
    }
    folder_remove();
}

static const ss_case cases[] = {
    {"a named folder", named_folder},
    {"the environment's folder", environment},
    {"a named folder that is no use", named_folder_is_no_use},
    {"found nowhere", found_nowhere},
};
SS_SUITE("place", cases)
