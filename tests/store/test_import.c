/* test_import.c - a lost journal is made again from the results file and nothing is lost: histories, eigenvalues, tracks,
 * counts of attempts, order of rows, several jobs' settings. Also reading live, and time and memory at 10,000 points. */
#include <sys/resource.h>

#include "fixture.h"

#define HEAD "model:\n  network: mlp\n  widths: [8]\ndata:\n  dataset: synthetic\ncurvature:\n  curvature_examples: all\n"
static const char first_job[] = HEAD "grid:\n  learning_rate: [0.1, 0.2, 1e-3]\n  batch_size: [32, full]\n";
static const char second_job[] = HEAD "sweep:\n  save_weights: true\ngrid:\n  batch_norm: [false, true]\n"
                                      "  learning_rate: [0.1, 0.2]\n  batch_size: [32, full]\n  activation: [relu, tanh]\n";

#define MEASURES "  spectrum_probes: 3\n  spectrum_steps: 4\n  smallest_eigenvalue: true\n  gauss_newton: true\n" \
    "  adaptive_eigenvalue: true\n  spherical_eigenvalue: true\n  gradient_alignment: true\n  sharpness_rho: 0.1\n" \
    "  adaptive_rho: 0.2\n  batch_sharpness_batches: 4\n  lambda_subsets: 2\n  track_measures: true\n  track_every_steps: 9\n"
/* Points without measures and with them; an axis of a measure grows from its default. */
static const struct kind { const char *first, *second; bool measures; } kinds[] = {
    {first_job, second_job, false},
    {HEAD MEASURES "training:\n  sam_rho: 0.05\ngrid:\n  trace_probes: [0, 8]\n  batch_norm: [true]\n"
     "  learning_rate: [0.1, 0.2, 1e-3]\n",
     HEAD MEASURES "training:\n  sam_rho: 0.05\ngrid:\n  trace_probes: [0, 8, 9]\n  batch_norm: [true]\n"
     "  learning_rate: [0.1, 0.2, 1e-3]\n  batch_size: [128, full]\n", true},
};
static const struct kind *kind = &kinds[0];

/* In this program the disk is not waited for, but every wait is counted. */
static size_t n_syncs;

int fdatasync(int fd)
{
    (void)fd;
    n_syncs++;
    return 0;
}

static void run_two_jobs(void)
{
    fixture f;
    must_open(&f, kind->first);
    must_keep(&f, 3, SS_DONE, 7);
    must_keep(&f, 0, SS_FAILED, 2);
    must_keep(&f, 0, SS_FAILED, 3);
    must_keep(&f, 5, SS_EPOCH_LIMIT, 11);
    CU_ASSERT(ss_store_start(f.store, 4, 1, NULL) == 0); /* started, never done */
    end(&f);
    must_open(&f, kind->second);
    for (size_t i = 0; i < f.n; i += 3)
        if (!ss_store_is_finished(f.store, i)) must_keep(&f, i, i % 2 ? SS_DONE : SS_DIVERGED, 20 + i);
    end(&f);
}

/* Columns of what no job of the file ever asked for are not there. */
static void check_columns(const ss_results *r)
{
    static const char *const names[] = {"trace", "lambda_min", "spherical_residual", "sam_edge", "measure_hvp_count", "measure_s",
                                        "trace_probes", "gauss_newton", "lambda_subsets", "sharpness_rho"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        CU_ASSERT_EQUAL(ss_results_column(r, names[i]) != NULL, kind->measures);
    CU_ASSERT_PTR_NULL(ss_results_column(r, "sharpness_m")); /* at its default everywhere */
    CU_ASSERT_PTR_NOT_NULL(ss_results_column(r, "sam_rho")); /* no optional key */
    static const char *const sets[] = {"/history/track_trace", "/history/track_sam_edge", "/spectrum"};
    hid_t file = H5Fopen(results, H5F_ACC_RDONLY, H5P_DEFAULT);
    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++)
        CU_ASSERT_EQUAL(H5Lexists(file, sets[i], H5P_DEFAULT) > 0, kind->measures);
    H5Fclose(file);
}

static void round_trip(void)
{
    char old[400];
    ss_record record;
    fixture f;
    make_folder();
    snprintf(old, sizeof old, "%s/old.h5", folder);
    run_two_jobs();
    size_t n;
    unsigned char *p = read_bytes(results, &n);
    write_bytes(old, p, n);
    ss_free(p);
    unlink(journal_file);
    must_open(&f, kind->second);
    end(&f);
    assert_same_files(old, results);
    /* The journal that was made is as good as the first: the file made from it alone is the same again. */
    unlink(results);
    must_open(&f, kind->second);
    CU_ASSERT_EQUAL(ss_store_attempts(f.store, 0), 3); /* two of the first job, one of the second */
    end(&f);
    assert_same_files(old, results);
    ss_results *r = open_alone(results, NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(r);
    make_record(&record, SS_DONE, 7);
    CU_ASSERT_EQUAL(ss_results_column(r, "lambda_max")->number[3], record.lambda_max);
    ss_record_finish(&record);
    CU_ASSERT_EQUAL(ss_results_column(r, "attempts")->number[4], 1);
    CU_ASSERT_EQUAL(r->status[4], SS_PENDING);
    check_columns(r);
    ss_results_destroy(r);
    remove_folder();
}

static void test_round_trip(void)
{
    for (kind = &kinds[0]; kind <= &kinds[1]; kind++) {
        with_measures = kind->measures;
        round_trip();
    }
}

static void repair_makes_the_same(void)
{
    char old[400];
    size_t n;
    make_folder();
    snprintf(old, sizeof old, "%s/old.h5", folder);
    run_two_jobs();
    unsigned char *p = read_bytes(results, &n);
    write_bytes(old, p, n);
    ss_free(p);
    CU_ASSERT_EQUAL(ss_store_verify(results, false, say, NULL, NULL), 0);
    unlink(journal_file);
    CU_ASSERT_EQUAL(ss_store_verify(results, false, say, NULL, NULL), 1);
    CU_ASSERT_EQUAL(ss_store_verify(results, true, say, NULL, NULL), 1);
    CU_ASSERT_EQUAL(ss_store_verify(results, false, say, NULL, NULL), 0);
    assert_same_files(old, results);
    unlink(results);
    CU_ASSERT_EQUAL(ss_store_verify(results, true, say, NULL, NULL), 1);
    CU_ASSERT_EQUAL(ss_store_verify(results, false, say, NULL, NULL), 0);
    assert_same_files(old, results);
    unlink(results);
    unlink(journal_file);
    CU_ASSERT_EQUAL(ss_store_verify(results, true, say, NULL, NULL), -1);
    remove_folder();
}

static void test_repair_makes_the_same(void)
{
    for (kind = &kinds[0]; kind <= &kinds[1]; kind++) {
        with_measures = kind->measures;
        repair_makes_the_same();
    }
    with_measures = false;
}

static void test_live(void)
{
    fixture f;
    ss_error error;
    make_folder();
    must_open(&f, first_job);
    must_keep(&f, 1, SS_DONE, 5);
    CU_ASSERT(ss_store_start(f.store, 2, 1, &error) == 0);
    ss_results *r = open_alone(results, &error), *live = ss_results_open(results, &error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(r);
    CU_ASSERT_PTR_NOT_NULL_FATAL(live);
    CU_ASSERT_EQUAL(r->status[1], SS_PENDING); /* not rebuilt since */
    CU_ASSERT_EQUAL(live->status[1], SS_DONE);
    CU_ASSERT(live->writer_alive && live->running[2] && !live->running[1] && !live->running[0]);
    CU_ASSERT(live->finished_age_s[1] >= 0 && live->finished_age_s[1] < 60 && isnan(live->finished_age_s[0]));
    CU_ASSERT_EQUAL(live->n_columns, r->n_columns);
    ss_results_destroy(r);
    ss_results_destroy(live);
    /* Reading in the writer's own process has not dropped its lock. */
    pid_t child = fork();
    if (child == 0) {
        fixture g;
        begin(&g, first_job);
        _exit(open_store(&g, NULL, &error) == -1 && strstr(error.text, "is being written by process") ? 0 : 1);
    }
    int status;
    CU_ASSERT(waitpid(child, &status, 0) == child && status == 0);
    end(&f);
    r = open_alone(results, &error);
    live = ss_results_open(results, &error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(r);
    CU_ASSERT_PTR_NOT_NULL_FATAL(live);
    CU_ASSERT(!live->writer_alive && !live->running[2]);
    /* Both sources give the same columns, in the same order, cell by cell. */
    CU_ASSERT_EQUAL_FATAL(live->n_columns, r->n_columns);
    for (size_t c = 0; c < r->n_columns; c++) {
        CU_ASSERT_STRING_EQUAL(live->column[c].name, r->column[c].name);
        for (size_t i = 0; i < r->n; i++) {
            CU_ASSERT_STRING_EQUAL(live->column[c].text[i], r->column[c].text[i]);
            CU_ASSERT((live->column[c].number != NULL) == (r->column[c].number != NULL));
        }
    }
    ss_results_destroy(r);
    ss_results_destroy(live);
    remove_folder();
}

/* 10,000 points of 3 rows of history each, through journal, rebuild, reopening and import. */
static void test_many_points(void)
{
    enum { N = 10000 };
    static const char job[] = HEAD "grid:\n  learning_rate: {log: [1e-4, 1, 100]}\n  seed: {linear: [0, 99, 100]}\n";
    fixture f;
    ss_record r;
    struct rusage usage;
    make_folder();
    must_open(&f, job);
    CU_ASSERT_EQUAL_FATAL(f.n, N);
    n_syncs = 0;
    double s = ss_clock_s();
    for (size_t i = 0; i < N; i++) {
        make_record(&r, SS_DONE, i);
        if (ss_store_keep(f.store, i, &r, NULL)) CU_FAIL("keep");
        ss_record_finish(&r);
    }
    CU_ASSERT_EQUAL(n_syncs, N); /* one per finished point, no more and no less */
    fprintf(stderr, "\n    10,000 records kept, the disk's own time aside: %.2f s\n", ss_clock_s() - s);
    s = ss_clock_s();
    CU_ASSERT(ss_store_refresh(f.store, true, NULL) == 0);
    double rebuild_s = ss_clock_s() - s;
    fprintf(stderr, "    rebuild of the HDF5 file: %.2f s\n", rebuild_s);
    CU_ASSERT(rebuild_s < 60);
    end(&f);
    s = ss_clock_s();
    must_open(&f, job);
    fprintf(stderr, "    opening and replaying the journal, with a rebuild: %.2f s\n", ss_clock_s() - s);
    size_t n_finished = 0;
    for (size_t i = 0; i < N; i++) n_finished += ss_store_is_finished(f.store, i);
    CU_ASSERT_EQUAL(n_finished, N);
    end(&f);
    unlink(journal_file);
    s = ss_clock_s();
    must_open(&f, job);
    fprintf(stderr, "    importing the HDF5 file, with a rebuild: %.2f s\n", ss_clock_s() - s);
    end(&f);
    ss_results *back = ss_results_open(results, NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(back);
    CU_ASSERT_EQUAL(back->n, N);
    for (size_t i = 0; i < N; i += 997) {
        make_record(&r, SS_DONE, i);
        CU_ASSERT_EQUAL(ss_results_column(back, "lambda_max")->number[i], r.lambda_max);
        ss_record_finish(&r);
    }
    ss_results_destroy(back);
    getrusage(RUSAGE_SELF, &usage);
    fprintf(stderr, "    peak memory %.0f MB ... ", (double)usage.ru_maxrss / 1024);
    remove_folder();
}

static const ss_case cases[] = {
    {"round trip through a lost journal", test_round_trip},
    {"verify and repair give the same file", test_repair_makes_the_same},
    {"live reading", test_live}, {"10,000 points", test_many_points},
};
SS_SUITE("import", cases)
