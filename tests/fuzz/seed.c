/* seed.c - writes the seed inputs of the binary formats below FOLDER/TARGET/: made by the program itself, so that they
 * follow the formats, and never committed; what is committed in corpus/ are past findings and a few hand-written inputs. */
#include <hdf5.h>
#include <zlib.h>

#include "sample.h"

static char out[2048];

static const char *target(const char *root, const char *name, const char *file)
{
    snprintf(out, sizeof out, "%s/%s", root, name);
    mkdir(out, 0777);
    snprintf(out, sizeof out, "%s/%s/%s", root, name, file);
    return out;
}

/* `head` bytes, then data. */
static void write_seed(const char *path, int head, const void *data, size_t n)
{
    FILE *file = fopen(path, "wb");
    if (!file || (head >= 0 && fputc(head, file) == EOF) || fwrite(data, 1, n, file) != n || fclose(file)) {
        perror(path);
        exit(1);
    }
}

/* The record as a trial's end, in the frame of src/farm/wire.h: head, ss_ended, ss_answer, record. */
static void seed_frame(const char *root, const char *name, const unsigned char *record, size_t n)
{
    unsigned char *p = ss_alloc(16 + 32 + 16 + n, 1);
    if (!p) exit(1);
    const uint32_t head[4] = {0x46575353u, 6, (uint32_t)(32 + 16 + n), 0}, answer[4] = {0, 0x57414e53u, (uint32_t)n, 0};
    memcpy(p, head, sizeof head);
    memcpy(p + 48, answer, sizeof answer);
    memcpy(p + 64, record, n);
    write_seed(target(root, "wire", name), 20, p, 64 + n);
    ss_free(p);
}

static void seed_records(const char *root)
{
    for (int64_t i = 0; i < 2; i++) {
        ss_record r;
        unsigned char *bytes;
        size_t n;
        char name[32];
        sample_record(&r, i);
        if (ss_record_encode(&r, &bytes, &n, NULL)) exit(1);
        snprintf(name, sizeof name, "seed-%lld", (long long)i);
        write_seed(target(root, "record", name), -1, bytes, n);
        seed_frame(root, name, bytes, n);
        ss_free(bytes);
        ss_record_finish(&r);
    }
}

/* What strangers' files have, where lambda_max or a curve is expected. */
static void replace_link(hid_t file, int kind)
{
    const hsize_t size[2] = {4, 50000000}, chunk[2] = {1, 1000000};
    hid_t create = H5Pcreate(H5P_DATASET_CREATE);
    hid_t space = H5Screate_simple(kind == 3 ? 2 : 1, size, NULL), set = -1;
    const char *name = kind == 3 ? "history/train_loss" : "lambda_max";
    H5Ldelete(file, name, H5P_DEFAULT);
    switch (kind) {
    case 0: H5Lcreate_external("other.h5", "/lambda_max", file, name, H5P_DEFAULT, H5P_DEFAULT); break;
    case 1: H5Lcreate_soft("/train_loss", file, name, H5P_DEFAULT, H5P_DEFAULT); break;
    case 2: H5Pset_external(create, "/etc/hostname", 0, 32); break;
    default: H5Pset_chunk(create, 2, chunk); H5Pset_deflate(create, 1); break;
    }
    if (kind >= 2) set = H5Dcreate2(file, name, H5T_NATIVE_DOUBLE, space, H5P_DEFAULT, create, H5P_DEFAULT);
    if (set >= 0) H5Dclose(set);
    H5Sclose(space);
    H5Pclose(create);
}

static void seed_results(const char *root, const char *results)
{
    static const char *const names[] = {"external-link", "soft-link", "external-storage", "huge-history"};
    size_t n;
    for (int kind = 0; kind < 4; kind++) {
        unsigned char *bytes = sample_read(results, &n);
        scratch_write("variant.h5", bytes, n);
        ss_free(bytes);
        hid_t file = H5Fopen(scratch_path("variant.h5"), H5F_ACC_RDWR, H5P_DEFAULT);
        if (file < 0) exit(1);
        replace_link(file, kind);
        H5Fclose(file);
        bytes = sample_read(scratch_path("variant.h5"), &n);
        write_seed(target(root, "results", names[kind]), 0x3c, bytes, n);
        ss_free(bytes);
    }
}

static void seed_journal(const char *root)
{
    char results[600], journal[640];
    size_t n;
    snprintf(results, sizeof results, "%s/seed.h5", scratch_folder);
    snprintf(journal, sizeof journal, "%s.journal", results);
    sample_sweep(results);
    void *bytes = sample_read(journal, &n);
    write_seed(target(root, "journal", "seed"), 0, bytes, n);
    write_seed(target(root, "journal", "seed-checked"), 1, bytes, n); /* see fuzz_journal.c for the first byte */
    write_seed(target(root, "journal", "seed-shown"), 0x41, bytes, n);
    write_seed(target(root, "journal", "seed-repaired"), 0x3f, bytes, n);
    ss_free(bytes);
    seed_results(root, results);
    bytes = sample_read(results, &n); /* without its checksum, and sealed again by the target */
    write_seed(target(root, "results", "seed"), 0, bytes, n - 20);
    write_seed(target(root, "results", "seed-sealed"), 2, bytes, n - 20);
    write_seed(target(root, "results", "seed-repaired"), 0x1d, bytes, n - 20);
    write_seed(target(root, "results", "seed-merged"), 0x21, bytes, n - 20);
    ss_free(bytes);
    write_seed(target(root, "frame", "seed"), 3, "\100\4\0\1\0\0\101\24\0\5\0\0", 12);
}

static void seed_weights(const char *root)
{
    float weight[6] = {1, 2, 3, 4, 5, 6}, bias[2] = {0.5f, -0.5f};
    const ss_tensor tensor[] = {{"0.weight", 2, {2, 3}, weight}, {"0.bias", 1, {2}, bias}};
    ss_error error = {{0}};
    size_t n;
    if (ss_weights_write(scratch_path("seed.h5"), 2, tensor, &error)) {
        fprintf(stderr, "seed weights: %s\n", error.text);
        exit(1);
    }
    unsigned char *bytes = sample_read(scratch_path("seed.h5"), &n);
    write_seed(target(root, "weights", "seed-sealed"), -1, bytes, n);
    write_seed(target(root, "weights", "seed"), -1, bytes, n - 20); /* without its checksum, as PyTorch's users write them */
    ss_free(bytes);
}

static void seed_checkpoint(const char *root)
{
    float theta[8] = {1, 2, 3};
    int64_t counters[3] = {4, 5, 6};
    ss_checkpoint_head head = {.id = "0123456789abcdef0123456789abcdef", .phase = "train", .epoch = 2, .step = 30};
    ss_error error = {{0}};
    ss_pieces state = {0};
    size_t n;
    char path[600];
    ss_pieces_add(&state, "theta", theta, sizeof theta);
    ss_pieces_add(&state, "counters", counters, sizeof counters);
    ss_pieces_add(&state, "history", NULL, 0);
    snprintf(path, sizeof path, "%s/c/seed.checkpoint", scratch_folder);
    if (ss_checkpoint_write(path, &head, &state, &error)) {
        fprintf(stderr, "seed checkpoint: %s\n", error.text);
        exit(1);
    }
    void *bytes = sample_read(path, &n);
    write_seed(target(root, "checkpoint", "seed"), 0, bytes, n);
    write_seed(target(root, "checkpoint", "seed-checked"), 1, bytes, n);
    ss_free(bytes);
}

static void seed_images(const char *root)
{
    static const unsigned char images[] = {0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 2, 1, 2, 3, 4, 5, 6, 7, 8};
    static const unsigned char labels[] = {0, 0, 8, 1, 0, 0, 0, 2, 0, 1};
    size_t n;
    for (int file = 0; file < 4; file++) {
        const unsigned char *data = file % 2 ? labels : images;
        size_t n_data = file % 2 ? sizeof labels : sizeof images;
        char name[32];
        snprintf(name, sizeof name, "seed-%d", file);
        write_seed(target(root, "idx", name), file, data, n_data);
        gzFile gz = gzopen(scratch_path("seed.gz"), "wb");
        if (!gz || gzwrite(gz, data, (unsigned)n_data) != (int)n_data || gzclose(gz) != Z_OK) exit(1);
        void *zipped = sample_read(scratch_path("seed.gz"), &n);
        snprintf(name, sizeof name, "seed-gz-%d", file);
        write_seed(target(root, "idx", name), file | 4, zipped, n);
        ss_free(zipped);
    }
    write_seed(target(root, "cifar", "seed-10"), 4, "\1\2\3", 3);
    write_seed(target(root, "cifar", "seed-100"), 5, "\1\11\2\77", 4);
    write_seed(target(root, "cifar", "seed-test"), 6, "\11", 1);
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: fuzz_seed FOLDER\n");
        return 2;
    }
    scratch_make();
    scratch_silence();
    seed_records(argv[1]);
    seed_journal(argv[1]);
    seed_weights(argv[1]);
    seed_checkpoint(argv[1]);
    seed_images(argv[1]);
    return 0;
}
