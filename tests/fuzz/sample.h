/* sample.h - a sweep of a few points for the fuzz targets of the store: two axes, records with every part. */
#ifndef SHARPSWEEP_TESTS_FUZZ_SAMPLE_H
#define SHARPSWEEP_TESTS_FUZZ_SAMPLE_H

#include <sys/resource.h>
#include <sys/stat.h>

#include "scratch.h"
#include "sharpsweep/store.h"

static UNUSED void sample_record(ss_record *r, int64_t i)
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

static UNUSED const ss_provenance sample_provenance = {.version = "0", .commit = "0", .mpi = "none", .blas = "b", .cpu = "c",
                                                .data_path = "synthetic", .data_digest = "00"};

static UNUSED ss_job *sample_job(void)
{
    static const char text[] = "model: {network: mlp, widths: [2]}\ndata: {dataset: synthetic}\n"
                               "grid: {learning_rate: [0.1, 0.2], batch_size: [8, full]}\n";
    ss_error error = {{0}};
    ss_job *job = ss_job_parse(text, "seed.yaml", &error);
    if (job) return job;
    fprintf(stderr, "%s\n", error.text);
    exit(1);
}

/* Results and journal under PATH, three of four points finished. */
static UNUSED void sample_sweep(const char *path)
{
    ss_error error = {{0}};
    ss_job *job = sample_job();
    ss_grid *grid = ss_grid_create(job, &error);
    ss_store *store = grid ? ss_store_open(path, job, grid, &sample_provenance, &error) : NULL;
    for (size_t i = 0; store && i < 3; i++) {
        ss_record r;
        sample_record(&r, (int64_t)i);
        if (ss_store_start(store, i, 1, &error) || ss_store_keep(store, i, &r, &error)) break;
        ss_record_finish(&r);
    }
    if (!store || error.text[0] || ss_store_close(store, &error)) {
        fprintf(stderr, "%s: %s\n", path, error.text);
        exit(1);
    }
    ss_grid_destroy(grid);
    ss_job_destroy(job);
}

static UNUSED unsigned char *sample_read(const char *path, size_t *n)
{
    struct stat st;
    FILE *file = fopen(path, "rb");
    unsigned char *data = file && stat(path, &st) == 0 ? ss_alloc((size_t)st.st_size + 1, 1) : NULL;
    *n = data ? fread(data, 1, (size_t)st.st_size, file) : 0;
    if (!data || *n != (size_t)st.st_size) {
        perror(path);
        exit(1);
    }
    fclose(file);
    return data;
}

static inline uint32_t sample_u32(const unsigned char *p)
{
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static inline void sample_set_u32(unsigned char *p, uint32_t v)
{
    for (int i = 0; i < 4; i++) p[i] = (unsigned char)(v >> 8 * i);
}

/* Sets the checksum right of every entry of a journal that its lengths lead to, wherever entries begin. */
static UNUSED void sample_set_checksums(unsigned char *p, size_t n)
{
    for (size_t at = 0; at + 16 <= n; at++) {
        if (memcmp(p + at, "SSJE", 4) != 0) continue;
        size_t length = sample_u32(p + at + 8);
        if (length > n - at - 16) continue;
        sample_set_u32(p + at + 12, ss_crc32(ss_crc32(0, p + at + 4, 8), p + at + 16, length));
        at += 15 + length;
    }
}

/* No input may cost more than this, however large the counts in it; far more is never given, so that the machine does not suffer.
 * libFuzzer's builds are held to it by run.sh, the sanitizers' by neither. */
enum { MOST_BYTES = 256 << 20 };
#ifndef SANITIZED
/* In place of libc's: every ss_alloc comes here. */
void *aligned_alloc(size_t alignment, size_t n)
{
    void *p = NULL;
    FUZZ_MUST(n < MOST_BYTES);
    return posix_memalign(&p, alignment, n) ? NULL : p;
}

static UNUSED void sample_check_memory(void)
{
    long kib = 0;
    char line[128];
    FILE *file = fopen("/proc/self/status", "r");
    while (file && fgets(line, sizeof line, file)) sscanf(line, "VmHWM: %ld", &kib);
    if (file) fclose(file);
    FUZZ_MUST(kib < MOST_BYTES / 1024);
}

static UNUSED void sample_limit_memory(void)
{
    const struct rlimit limit = {4ul * MOST_BYTES, 4ul * MOST_BYTES};
    setrlimit(RLIMIT_DATA, &limit);
}
#else
static UNUSED void sample_check_memory(void) {}
static UNUSED void sample_limit_memory(void) {}
#endif

static UNUSED void sample_remove_all(void)
{
    nftw(scratch_folder, scratch_remove_one, 16, FTW_DEPTH | FTW_PHYS);
    mkdir(scratch_folder, 0700);
}

#endif
