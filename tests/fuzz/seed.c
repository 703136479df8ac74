/* seed.c - writes the seed inputs of the binary formats below FOLDER/TARGET/: made by the program itself, so that they
 * follow the formats, and never committed; what is committed in corpus/ are past findings and a few hand-written inputs. */
#include <sys/stat.h>
#include <zlib.h>

#include "scratch.h"
#include "sharpsweep/store.h"

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

static void *read_whole(const char *path, size_t *n)
{
    struct stat st;
    FILE *file = fopen(path, "rb");
    unsigned char *data = file && stat(path, &st) == 0 ? ss_alloc((size_t)st.st_size, 1) : NULL;
    *n = data ? fread(data, 1, (size_t)st.st_size, file) : 0;
    if (!data || *n != (size_t)st.st_size) {
        perror(path);
        exit(1);
    }
    fclose(file);
    return data;
}

static void fill_record(ss_record *r, int64_t i)
{
    static const double row[32] = {1, 2, 0.1, 0.5, 0.9, 0.6, 0.8, 1.5, 0, 0}; /* at least as long as either table */
    ss_record_init(r);
    r->status = i % 3 ? SS_DONE : SS_FAILED;
    r->lambda_max = 12.5 + (double)i;
    r->epochs = i;
    r->steps = 10 * i;
    snprintf(r->host, sizeof r->host, "node%lld", (long long)i);
    snprintf(r->error, sizeof r->error, "%s", i % 3 ? "" : "no memory for a tape");
    r->eigenvalue = ss_alloc(2, sizeof *r->eigenvalue);
    r->n_eigenvalues = r->eigenvalue ? 2 : 0;
    if (i % 2) r->trace = 3.5;
    if (i % 2 && ss_series_append(&r->spectrum, row)) exit(1);
    if (ss_series_append(&r->history, row) || ss_series_append(&r->track, row)) exit(1);
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
        fill_record(&r, i);
        if (ss_record_encode(&r, &bytes, &n, NULL)) exit(1);
        snprintf(name, sizeof name, "seed-%lld", (long long)i);
        write_seed(target(root, "record", name), -1, bytes, n);
        seed_frame(root, name, bytes, n);
        ss_free(bytes);
        ss_record_finish(&r);
    }
}

static void seed_journal(const char *root)
{
    static const char text[] = "model: {network: mlp, widths: [2]}\ndata: {dataset: synthetic}\n"
                               "grid: {learning_rate: [0.1, 0.2], batch_size: [8, full]}\n";
    const ss_provenance provenance = {.version = "0", .commit = "0", .mpi = "none", .blas = "b", .cpu = "c",
                                      .data_path = "synthetic", .data_digest = "00"};
    char results[600], journal[640];
    size_t n;
    ss_error error = {{0}};
    ss_job *job = ss_job_parse(text, "seed.yaml", &error);
    ss_grid *grid = job ? ss_grid_create(job, &error) : NULL;
    snprintf(results, sizeof results, "%s/seed.h5", scratch_folder);
    snprintf(journal, sizeof journal, "%s.journal", results);
    ss_store *store = grid ? ss_store_open(results, job, grid, &provenance, &error) : NULL;
    for (size_t i = 0; store && i < 3; i++) {
        ss_record r;
        fill_record(&r, (int64_t)i);
        if (ss_store_start(store, i, 1, &error) || ss_store_keep(store, i, &r, &error)) break;
        ss_record_finish(&r);
    }
    if (!store || error.text[0] || ss_store_close(store, &error)) {
        fprintf(stderr, "seed journal: %s\n", error.text);
        exit(1);
    }
    void *bytes = read_whole(journal, &n);
    write_seed(target(root, "journal", "seed"), 0, bytes, n);
    write_seed(target(root, "journal", "seed-checked"), 1, bytes, n); /* see fuzz_journal.c for the first byte */
    write_seed(target(root, "journal", "seed-shown"), 0x41, bytes, n);
    write_seed(target(root, "journal", "seed-repaired"), 0x3f, bytes, n);
    ss_free(bytes);
    ss_grid_destroy(grid);
    ss_job_destroy(job);
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
    unsigned char *bytes = read_whole(scratch_path("seed.h5"), &n);
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
    void *bytes = read_whole(path, &n);
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
        void *zipped = read_whole(scratch_path("seed.gz"), &n);
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
