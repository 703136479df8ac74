/* test_weights.c - weights files: what is written is read back, PyTorch's habits are understood, everything else is one
 * clear sentence. */
#include "../../src/store/h5.h"
#include "fixture.h"

static float weight[24], bias[4], mean[4];
static char path[400];

static void fill(float *p, size_t n, float first)
{
    for (size_t i = 0; i < n; i++) p[i] = first + (float)i / 3;
}

static size_t make_tensors(ss_tensor *t)
{
    t[0] = (ss_tensor){"features.0.weight", 4, {4, 3, 2, 1}, weight};
    t[1] = (ss_tensor){"features.0.bias", 1, {4}, bias};
    t[2] = (ss_tensor){"features.1.running_mean", 1, {4}, mean};
    return 3;
}

static void begin_weights(ss_tensor *t)
{
    ss_error error;
    make_folder();
    snprintf(path, sizeof path, "%s/w.h5", folder);
    fill(weight, 24, 1);
    fill(bias, 4, -5);
    fill(mean, 4, 1e-30f);
    size_t n = make_tensors(t);
    CU_ASSERT_FATAL(ss_weights_write(path, n, t, &error) == 0);
}

static void test_round_trip(void)
{
    ss_tensor t[3];
    float w[24], b[4], m[4];
    ss_error error;
    begin_weights(t);
    memcpy(w, weight, sizeof w);
    memcpy(b, bias, sizeof b);
    memcpy(m, mean, sizeof m);
    memset(weight, 0, sizeof weight);
    memset(bias, 0, sizeof bias);
    memset(mean, 0, sizeof mean);
    CU_ASSERT(ss_weights_read(path, 3, t, &error) == 0);
    CU_ASSERT(memcmp(w, weight, sizeof w) == 0 && memcmp(b, bias, sizeof b) == 0 && memcmp(m, mean, sizeof m) == 0);
    remove_folder();
}

static hid_t add_set(hid_t file, const char *name, hid_t type, int rank, const hsize_t *dim, const void *data)
{
    hid_t space = rank ? H5Screate_simple(rank, dim, NULL) : H5Screate(H5S_SCALAR);
    hid_t set = H5Dcreate2(file, name, type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    if (data) H5Dwrite(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data);
    H5Dclose(set);
    H5Sclose(space);
    return file;
}

/* As h5py writes a state dict: doubles, counters, other attributes. */
static void test_from_pytorch(void)
{
    ss_tensor t[3];
    double w[24], b[4] = {1, 2, 3, 4};
    int64_t count = 7;
    ss_error error;
    begin_weights(t);
    for (int i = 0; i < 24; i++) w[i] = i + 0.25;
    hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    add_set(file, t[0].name, H5T_NATIVE_DOUBLE, 4, (hsize_t[]){4, 3, 2, 1}, w);
    add_set(file, t[1].name, H5T_NATIVE_DOUBLE, 1, (hsize_t[]){4}, b);
    add_set(file, t[2].name, H5T_NATIVE_DOUBLE, 1, (hsize_t[]){4}, b);
    add_set(file, "features.1.num_batches_tracked", H5T_NATIVE_INT64, 0, NULL, &count);
    H5Fclose(file);
    int rc = ss_weights_read(path, 3, t, &error);
    CU_ASSERT(rc == 0);
    if (rc) fprintf(stderr, "\n    %s\n", error.text);
    CU_ASSERT(weight[23] == 23.25f && bias[2] == 3);
    remove_folder();
}

static void expect(ss_tensor *t, size_t n, const char *expected)
{
    ss_error error = {{0}};
    CU_ASSERT(ss_weights_read(path, n, t, &error) == -1);
    ASSERT_TEXT(error.text, expected);
    ASSERT_TEXT(error.text, path);
}

static void replace(const char *name, hid_t type, int rank, const hsize_t *dim, const void *data)
{
    hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT);
    H5Ldelete(file, name, H5P_DEFAULT);
    if (rank >= 0) add_set(file, name, type, rank, dim, data);
    H5Fclose(file);
}

static void test_bad_files(void)
{
    ss_tensor t[3];
    size_t n_bytes;
    begin_weights(t);
    unsigned char *whole = read_bytes(path, &n_bytes);
    expect(t, 2, "holds 'features.1.running_mean', which this network does not have");
    replace(t[1].name, H5T_NATIVE_FLOAT, 1, (hsize_t[]){5}, weight);
    expect(t, 3, "tensor features.0.bias: shape (5), expected (4)");
    replace(t[1].name, H5T_NATIVE_FLOAT, 2, (hsize_t[]){2, 2}, weight);
    expect(t, 3, "tensor features.0.bias: shape (2,2), expected (4)");
    replace(t[1].name, H5T_NATIVE_FLOAT, 1, (hsize_t[]){1ull << 60}, NULL);
    expect(t, 3, "tensor features.0.bias: shape (1152921504606846976), expected (4)");
    replace(t[1].name, H5T_NATIVE_INT, 1, (hsize_t[]){4}, weight);
    expect(t, 3, "tensor features.0.bias: is not of a floating-point type");
    hid_t wide = H5Tcopy(H5T_IEEE_F32LE); /* a type that HDF5 would convert in a buffer of gigabytes */
    H5Tset_size(wide, 1u << 20);
    replace(t[1].name, wide, 1, (hsize_t[]){4}, NULL);
    H5Tclose(wide);
    expect(t, 3, "tensor features.0.bias: has numbers of 1048576 bytes, at most 16 are expected");
    replace(t[1].name, H5T_NATIVE_FLOAT, 1, (hsize_t[]){4}, NULL);
    expect(t, 3, "tensor features.0.bias: is said to have 16 bytes, but the file holds 0 of them");
    replace(t[1].name, H5T_NATIVE_FLOAT, 1, (hsize_t[]){4}, (const float[]){1, 2, NAN, 4});
    expect(t, 3, "tensor features.0.bias: element 2 is nan");
    replace(t[1].name, H5T_NATIVE_FLOAT, -1, NULL, NULL);
    expect(t, 3, "tensor features.0.bias: is missing");
    hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT);
    H5Gclose(H5Gcreate2(file, t[1].name, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    H5Fclose(file);
    expect(t, 3, "features.0.bias: is not a dataset");
    for (size_t cut = 0; cut < n_bytes - 20; cut += 97) { /* cut short anywhere: an error, not a crash (20: checksum) */
        write_bytes(path, whole, cut);
        expect(t, 3, cut < 9 ? "is not an HDF5 file" : "");
    }
    unlink(path);
    expect(t, 3, "No such file");
    ss_free(whole);
    remove_folder();
}

static void put(const char *name, hid_t plan, const hsize_t dim)
{
    hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT), space = H5Screate_simple(1, &dim, NULL);
    H5Ldelete(file, name, H5P_DEFAULT);
    hid_t set = H5Dcreate2(file, name, H5T_IEEE_F32LE, space, H5P_DEFAULT, plan, H5P_DEFAULT);
    CU_ASSERT(set >= 0);
    H5Dclose(set);
    H5Sclose(space);
    H5Fclose(file);
    H5Pclose(plan);
}

/* Tensors that are not in the file, or claim more than it holds. A pipe would be waited for. */
static void test_strangers(void)
{
    ss_tensor t[3];
    char pipe[420];
    size_t n;
    begin_weights(t);
    unsigned char *whole = read_bytes(path, &n);
    snprintf(pipe, sizeof pipe, "%s/pipe", folder);
    CU_ASSERT(mkfifo(pipe, 0600) == 0);
    alarm(60);
    hid_t plan = H5Pcreate(H5P_DATASET_CREATE), space = H5Screate_simple(1, (hsize_t[]){4}, NULL);
    H5Pset_external(plan, pipe, 0, 16);
    put(t[1].name, plan, 4);
    expect(t, 3, "features.0.bias: has external storage");
    plan = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_virtual(plan, space, pipe, "x", space);
    put(t[1].name, plan, 4);
    expect(t, 3, "features.0.bias: is a virtual dataset");
    plan = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_chunk(plan, 1, (hsize_t[]){4});
    H5Pset_filter(plan, 32000, H5Z_FLAG_OPTIONAL, 0, NULL);
    put(t[1].name, plan, 4);
    expect(t, 3, "features.0.bias: is packed by filter 32000, and only deflate (gzip), shuffle and fletcher32 are read");
    plan = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_chunk(plan, 1, (hsize_t[]){4});
    H5Pset_deflate(plan, 1);
    put(t[1].name, plan, 4);      /* never written */
    expect(t, 3, "features.0.bias: is said to have 16 bytes, but the file holds 0 of them");
    for (int kind = 0; kind < 2; kind++) {
        write_bytes(path, whole, n);
        hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT);
        H5Ldelete(file, t[1].name, H5P_DEFAULT);
        if (kind) H5Lcreate_external(pipe, "/x", file, t[1].name, H5P_DEFAULT, H5P_DEFAULT);
        else H5Lcreate_soft(t[2].name, file, t[1].name, H5P_DEFAULT, H5P_DEFAULT);
        H5Fclose(file);
        expect(t, 3, kind ? "features.0.bias: is an external link" : "features.0.bias: is a soft link");
    }
    unlink(path);
    CU_ASSERT(symlink("pipe", path) == 0); /* the file itself */
    expect(t, 3, "is not a regular file");
    alarm(0);
    H5Sclose(space);
    ss_free(whole);
    remove_folder();
}

static void test_bad_writes(void)
{
    ss_tensor t[3];
    size_t n, after;
    ss_error error;
    begin_weights(t);
    unsigned char *whole = read_bytes(path, &n);
    strcpy(t[1].name, "a/b");
    CU_ASSERT(ss_weights_write(path, 3, t, &error) == -1); /* the old file stays, nothing lies beside it */
    ASSERT_TEXT(error.text, "a/b");
    strcpy(t[1].name, t[0].name);
    CU_ASSERT(ss_weights_write(path, 3, t, &error) == -1);
    ASSERT_TEXT(error.text, "H5Dcreate2");
    unsigned char *now = read_bytes(path, &after);
    CU_ASSERT(after == n && memcmp(whole, now, n) == 0);
    CU_ASSERT_EQUAL(count_names(".tmp"), 0);
    CU_ASSERT(ss_weights_write("/nowhere/at/all.h5", 3, t, &error) == -1);
    ASSERT_TEXT(error.text, "/nowhere/at/all.h5: cannot be made: No such file");
    strcpy(t[1].name, "features.0.bias");
    unlink(path);
    CU_ASSERT(mkdir(path, 0700) == 0);
    CU_ASSERT(ss_weights_write(path, 3, t, &error) == -1);
    ASSERT_TEXT(error.text, "w.h5: cannot be put in place: Is a directory");
    CU_ASSERT_EQUAL(count_names(".tmp"), 0);
    rmdir(path);
    write_bytes(path, "notes of somebody's", 19);
    CU_ASSERT(ss_weights_write(path, 3, t, &error) == 0 && forget_kept() == 1);
    hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT); /* what a user has added */
    CU_ASSERT(ss_h5_put_text(file, "note", "mine", NULL) == 0 && H5Fclose(file) >= 0);
    CU_ASSERT(ss_weights_write(path, 3, t, &error) == 0 && forget_kept() == 1);
    CU_ASSERT(ss_weights_write(path, 3, t, &error) == 0 && forget_kept() == 0);
    unlink(path);
    char old[420];                /* what lies under a name that a program could guess is not followed */
    snprintf(old, sizeof old, "%s.tmp", path);
    CU_ASSERT(symlink("victim", old) == 0 && ss_weights_write(path, 3, t, &error) == 0);
    struct stat st;
    CU_ASSERT(lstat(path, &st) == 0 && S_ISREG(st.st_mode) && count_names("victim") == 0);
    ss_free(whole);
    ss_free(now);
    remove_folder();
}

/* Nothing in the file tells when it was made. */
static void test_same_bytes(void)
{
    ss_tensor t[3];
    size_t n, now;
    begin_weights(t);
    unsigned char *first = read_bytes(path, &n);
    ss_sleep_s(1.1);              /* HDF5 dates by seconds */
    CU_ASSERT(ss_weights_write(path, 3, t, NULL) == 0);
    unsigned char *second = read_bytes(path, &now);
    CU_ASSERT(n == now && memcmp(first, second, n) == 0);
    ss_free(first);
    ss_free(second);
    remove_folder();
}

static const ss_case cases[] = {
    {"round trip", test_round_trip}, {"as PyTorch users write them", test_from_pytorch}, {"bad files", test_bad_files},
    {"strangers' files", test_strangers},
    {"bad writes", test_bad_writes}, {"equal contents, equal bytes", test_same_bytes},
};
SS_SUITE("weights", cases)
