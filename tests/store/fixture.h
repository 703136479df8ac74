/* fixture.h - a folder of its own for every test, small jobs, records that are a function of a number, and comparison of
 * what lies on disk. */
#ifndef SHARPSWEEP_TESTS_STORE_FIXTURE_H
#define SHARPSWEEP_TESTS_STORE_FIXTURE_H

#include <dirent.h>
#include <fcntl.h>
#include <hdf5.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../suite.h"
#include "sharpsweep/store.h"

#define UNUSED __attribute__((unused))

static char folder[256], results[420], journal_file[440];

static void quiet(void *ctx, ss_log_level level, const char *line)
{
    (void)ctx;
    (void)level;
    (void)line;
}

static UNUSED void remove_folder(void)
{
    char command[400];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    if (system(command)) fprintf(stderr, "cannot remove %s\n", folder);
}

static UNUSED void make_folder(void)
{
    const char *base = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/sharpsweep-store-XXXXXX", base && base[0] ? base : "/tmp");
    if (!mkdtemp(folder)) abort();
    snprintf(results, sizeof results, "%s/results.h5", folder);
    snprintf(journal_file, sizeof journal_file, "%s.journal", results);
    ss_log_set_sink(quiet, NULL);
}

/* ---- jobs ------------------------------------------------------------------------------------------------------- */

static const ss_provenance provenance = {.version = "0.1", .commit = "abcdef", .mpi = "no MPI", .blas = "no BLAS",
                                         .kernels = "v3", .cpu = "a CPU", .data_path = "/data/set", .data_digest = "00112233445566778899"};

typedef struct fixture { ss_job *job; ss_grid *grid; ss_store *store; size_t n; } fixture;

/* `text` is the job; ends the test program if it is no job, for then the fixture is wrong. */
static UNUSED void begin(fixture *f, const char *text)
{
    ss_error error;
    *f = (fixture){0};
    f->job = ss_job_parse(text, "/some/where/job.yaml", &error);
    f->grid = f->job ? ss_grid_create(f->job, &error) : NULL;
    if (!f->grid) {
        fprintf(stderr, "fixture: %s\n", error.text);
        abort();
    }
    f->n = ss_grid_count(f->grid);
}

static UNUSED int open_store(fixture *f, const ss_provenance *p, ss_error *error)
{
    f->store = ss_store_open(results, f->job, f->grid, p ? p : &provenance, error);
    return f->store ? 0 : -1;
}

static UNUSED void must_open(fixture *f, const char *text)
{
    ss_error error;
    begin(f, text);
    int rc = ss_store_check(results, f->job, f->grid, &provenance, &error) || open_store(f, NULL, &error);
    if (rc) fprintf(stderr, "\n    %s\n", error.text);
    CU_ASSERT_FATAL(rc == 0);
}

static UNUSED void end(fixture *f)
{
    ss_error error;
    int rc = ss_store_close(f->store, &error);
    if (rc) fprintf(stderr, "\n    %s\n", error.text);
    CU_ASSERT(rc == 0);
    ss_grid_destroy(f->grid);
    ss_job_destroy(f->job);
    *f = (fixture){0};
}

/* ---- records ---------------------------------------------------------------------------------------------------- */

static bool with_measures;       /* records of jobs that ask for all measures; else none has any */

static UNUSED void add_measures(ss_record *r, double x)
{
    size_t n;
    const ss_field *f = ss_record_fields(&n);
    for (size_t i = 0; i < n; i++) {
        double value = x / (double)(i + 1);
        if (f[i].key && f[i].type == SS_FIELD_REAL) memcpy((char *)r + f[i].offset, &value, sizeof value);
    }
    r->measure_hvp_count = (int64_t)x;
    for (size_t k = 0; k < (size_t)x % 7; k++)
        if (ss_series_append(&r->spectrum, (double[]){x - (double)k, 1 / x})) abort();
}

static UNUSED void make_record(ss_record *r, int64_t status, size_t seed)
{
    size_t n_history, n_track;
    ss_history_fields(&n_history);
    const ss_field *track = ss_track_fields(&n_track);
    double x = (double)seed + 0.1, row[32];
    ss_record_init(r);
    r->status = status;
    r->stop_reason = status == SS_DONE ? SS_STOP_TRAIN_ACCURACY : status == SS_FAILED ? SS_STOP_ERROR : SS_STOP_MAX_EPOCHS;
    r->lambda_max = x / 3;
    r->lambda_residual = 1e-4 / x;
    r->lambda_converged = 1;
    r->hvp_count = (int64_t)(10 + seed % 50);
    r->train_loss = 1 / x;
    r->test_accuracy = 0.5 + 0.4 * sin(x); /* train_accuracy stays unknown */
    r->epochs = (int64_t)(seed % 4);
    r->steps = 7 * r->epochs;
    r->attempts = 1;
    r->worker = (int64_t)(seed % 3);
    strcpy(r->host, "node\xc3\xa9");
    ss_time_now(r->finished);
    if (status == SS_FAILED) strcpy(r->error, "it fell over");
    r->n_eigenvalues = seed % 3;
    r->eigenvalue = ss_alloc(r->n_eigenvalues, sizeof *r->eigenvalue);
    for (size_t k = 0; k < r->n_eigenvalues; k++) r->eigenvalue[k] = x / (double)(k + 1);
    for (size_t e = 0; e < seed % 4; e++) {
        for (size_t c = 0; c < n_history; c++) row[c] = c == 0 ? (double)e + 1 : x * (double)c + (double)e / 7;
        if (ss_series_append(&r->history, row)) abort();
    }
    for (size_t e = 0; e < seed % 5; e++) {
        for (size_t c = 0; c < n_track; c++) row[c] = c == 3 && e == 1 ? (double)NAN : x / (double)(c + 1) - (double)e;
        for (size_t c = 0; c < n_track; c++) if (track[c].key && !with_measures) row[c] = NAN;
        if (ss_series_append(&r->track, row)) abort();
    }
    if (with_measures) add_measures(r, x);
}

static UNUSED int keep(fixture *f, size_t point, int64_t status, size_t seed, ss_error *error)
{
    ss_record r;
    make_record(&r, status, seed);
    int rc = ss_store_start(f->store, point, (int)(seed % 3), error);
    r.attempts = ss_store_attempts(f->store, point);
    if (rc == 0) rc = ss_store_keep(f->store, point, &r, error);
    ss_record_finish(&r);
    return rc;
}

static UNUSED void must_keep(fixture *f, size_t point, int64_t status, size_t seed)
{
    ss_error error;
    int rc = keep(f, point, status, seed, &error);
    if (rc) fprintf(stderr, "\n    %s\n", error.text);
    CU_ASSERT(rc == 0);
}

/* ---- files ------------------------------------------------------------------------------------------------------ */

static UNUSED unsigned char *read_bytes(const char *path, size_t *n)
{
    FILE *in = fopen(path, "rb");
    *n = 0;
    if (!in) return NULL;
    fseek(in, 0, SEEK_END);
    long size = ftell(in);
    rewind(in);
    unsigned char *p = ss_alloc((size_t)size + 1, 1);
    *n = fread(p, 1, (size_t)size, in);
    fclose(in);
    return p;
}

static UNUSED void write_bytes(const char *path, const void *p, size_t n)
{
    FILE *out = fopen(path, "wb");
    if (!out || fwrite(p, 1, n, out) != n || fclose(out)) abort();
}

/* What the HDF5 file alone says, without the journal beside it. */
static UNUSED ss_results *open_alone(const char *path, ss_error *error)
{
    char alone[600];
    size_t n;
    unsigned char *p = read_bytes(path, &n);
    snprintf(alone, sizeof alone, "%s/../%s.alone.h5", folder, strrchr(folder, '/') + 1);
    if (p) write_bytes(alone, p, n);
    ss_free(p);
    ss_results *r = ss_results_open(alone, error);
    unlink(alone);
    return r;
}

static UNUSED int n_files(void)
{
    struct dirent **entry;
    int n = scandir(folder, &entry, NULL, alphasort);
    for (int i = 0; i < n; i++) free(entry[i]);
    free(entry);
    return n - 2;                 /* . and .. */
}

/* How many files NAME.kept-TIME there are; removes them. */
static UNUSED int forget_kept(void)
{
    struct dirent **entry;
    char path[600];
    int n_kept = 0, n = scandir(folder, &entry, NULL, alphasort);
    for (int i = 0; i < n; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, entry[i]->d_name);
        if (strstr(path, ".kept-")) n_kept += unlink(path) == 0;
        free(entry[i]);
    }
    free(entry);
    return n_kept;
}

/* How many names in the folder end so. */
static UNUSED int count_names(const char *end)
{
    int n = 0;
    DIR *dir = opendir(folder);
    for (const struct dirent *e; dir && (e = readdir(dir)) != NULL;) {
        size_t length = strlen(e->d_name), k = strlen(end);
        n += length >= k && strcmp(e->d_name + length - k, end) == 0;
    }
    if (dir) closedir(dir);
    return n;
}

/* As an earlier version has written it: columns alone, which its next reader believes. */
static UNUSED void make_earlier(const char *path)
{
    hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT);
    CU_ASSERT(H5Ldelete(file, "journal", H5P_DEFAULT) >= 0);
    H5Fclose(file);
}

/* One digest over names and contents of everything in the folder. */
static UNUSED void digest_folder(char out[SS_DIGEST_BYTES])
{
    ss_sha256 h;
    struct dirent **entry;
    char path[600];
    ss_sha256_init(&h);
    int n = scandir(folder, &entry, NULL, alphasort);
    for (int i = 0; i < n; i++) {
        size_t size;
        snprintf(path, sizeof path, "%s/%s", folder, entry[i]->d_name);
        ss_sha256_update(&h, entry[i]->d_name, strlen(entry[i]->d_name));
        struct stat st;
        bool plain = lstat(path, &st) == 0 && S_ISREG(st.st_mode); /* not a folder, nor a pipe that would wait */
        unsigned char *p = !plain ? NULL : read_bytes(path, &size);
        if (p) ss_sha256_update(&h, p, size);
        ss_free(p);
        free(entry[i]);
    }
    free(entry);
    ss_sha256_finish(&h, out);
}

static UNUSED void say(void *ctx, const char *line)
{
    if (!ctx) return;
    char *text = ctx;
    size_t used = strlen(text);
    snprintf(text + used, 8192 - used, "%s\n", line);
}

#define ASSERT_TEXT(have, part) do { \
    bool there_ = strstr((have), (part)) != NULL; \
    if (!there_) fprintf(stderr, "\n    %s:%d: \"%s\" does not contain \"%s\"\n", __FILE__, __LINE__, (have), (part)); \
    CU_ASSERT(there_); \
} while (0)

/* ---- comparing HDF5 files --------------------------------------------------------------------------------------- */

typedef struct comparison { hid_t other; int n_sets, n_differences; } comparison;

static void compare_set(hid_t a, hid_t b, const char *name, comparison *c)
{
    hid_t type = H5Dget_type(a), space = H5Dget_space(a), other = H5Dget_space(b);
    hssize_t n = H5Sget_simple_extent_npoints(space);
    bool same = n == H5Sget_simple_extent_npoints(other), is_text = H5Tget_class(type) == H5T_STRING;
    size_t size = H5Tget_size(type);
    char *x = ss_alloc((size_t)n, size), *y = ss_alloc((size_t)n, size);
    if (same && H5Dread(a, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, x) >= 0 &&
        H5Dread(b, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, y) >= 0) {
        for (hssize_t i = 0; is_text && i < n; i++)
            same = same && strcmp(((char **)(void *)x)[i], ((char **)(void *)y)[i]) == 0;
        if (!is_text) same = memcmp(x, y, (size_t)n * size) == 0;
        if (is_text) H5Dvlen_reclaim(type, space, H5P_DEFAULT, x);
        if (is_text) H5Dvlen_reclaim(type, space, H5P_DEFAULT, y);
    } else {
        same = false;
    }
    if (!same) fprintf(stderr, "\n    %s differs\n", name);
    c->n_sets++;
    c->n_differences += !same;
    ss_free(x);
    ss_free(y);
    H5Tclose(type);
    H5Sclose(space);
    H5Sclose(other);
}

static herr_t compare_object(hid_t file, const char *name, const H5O_info_t *info, void *ctx)
{
    comparison *c = ctx;
    if (info->type != H5O_TYPE_DATASET || strcmp(name, "journal/entries") == 0) return 0; /* JOB entries say when they were made */
    hid_t a = H5Dopen2(file, name, H5P_DEFAULT), b = H5Dopen2(c->other, name, H5P_DEFAULT);
    if (b < 0) c->n_differences++;
    if (b >= 0) compare_set(a, b, name, c);
    H5Dclose(a);
    if (b >= 0) H5Dclose(b);
    return 0;
}

/* Every dataset of one is in the other with the same bytes, and the other way round; attributes differ only in times. */
static UNUSED void assert_same_files(const char *one, const char *two)
{
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    hid_t a = H5Fopen(one, H5F_ACC_RDONLY, H5P_DEFAULT), b = H5Fopen(two, H5F_ACC_RDONLY, H5P_DEFAULT);
    CU_ASSERT(a >= 0 && b >= 0);
    if (a >= 0 && b >= 0) {
        comparison c = {b, 0, 0}, back = {a, 0, 0};
        H5Ovisit(a, H5_INDEX_NAME, H5_ITER_INC, compare_object, &c);
        H5Ovisit(b, H5_INDEX_NAME, H5_ITER_INC, compare_object, &back);
        CU_ASSERT(c.n_sets > 60);
        CU_ASSERT_EQUAL(c.n_sets, back.n_sets);
        CU_ASSERT_EQUAL(c.n_differences, 0);
    }
    if (a >= 0) H5Fclose(a);
    if (b >= 0) H5Fclose(b);
}

#endif
