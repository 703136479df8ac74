/* test_store.c - a sweep's life: begin, keep, resume, grow; and everything that is refused without touching the disk. */
#include "fixture.h"

#define HEAD "model:\n  network: mlp\n  widths: [8]\ndata:\n  dataset: synthetic\ncurvature:\n  curvature_examples: all\n"
#define TRAIN "training:\n  max_epochs: 10\n"
static const char small[] = HEAD TRAIN "grid:\n  learning_rate: [0.1, 0.2]\n  batch_size: [32, full]\n";

static size_t row_of(const ss_results *r, const char *a, const char *va, const char *b, const char *vb)
{
    for (size_t i = 0; i < r->n; i++)
        if (strcmp(ss_results_column(r, a)->text[i], va) == 0 && strcmp(ss_results_column(r, b)->text[i], vb) == 0) return i;
    return SIZE_MAX;
}

static void test_life(void)
{
    fixture f;
    ss_error error;
    make_folder();
    must_open(&f, small);
    CU_ASSERT_EQUAL(f.n, 4);
    ss_results *r = open_alone(results, &error); /* whole from the first moment */
    CU_ASSERT_PTR_NOT_NULL_FATAL(r);
    CU_ASSERT_EQUAL(r->n, 4);
    for (size_t i = 0; i < 4; i++) CU_ASSERT_EQUAL(r->status[i], SS_PENDING);
    ss_results_destroy(r);
    must_keep(&f, 0, SS_DONE, 4);
    must_keep(&f, 2, SS_FAILED, 5);
    must_keep(&f, 3, SS_DIVERGED, 6);
    CU_ASSERT(ss_store_is_finished(f.store, 0) && ss_store_is_finished(f.store, 3));
    CU_ASSERT(!ss_store_is_finished(f.store, 1) && !ss_store_is_finished(f.store, 2));
    end(&f);
    must_open(&f, small);
    CU_ASSERT(ss_store_is_finished(f.store, 0) && ss_store_is_finished(f.store, 3));
    CU_ASSERT(!ss_store_is_finished(f.store, 1) && !ss_store_is_finished(f.store, 2)); /* failed ones run again */
    CU_ASSERT_EQUAL(ss_store_attempts(f.store, 2), 1);
    must_keep(&f, 2, SS_DONE, 7);
    CU_ASSERT_EQUAL(ss_store_attempts(f.store, 2), 2);
    CU_ASSERT(ss_store_is_finished(f.store, 2));
    end(&f);
    r = open_alone(results, &error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(r);
    size_t i = row_of(r, "learning_rate", "0.2", "batch_size", "32");
    CU_ASSERT_FATAL(i != SIZE_MAX);
    CU_ASSERT_EQUAL(r->status[i], SS_DONE);
    CU_ASSERT_EQUAL(ss_results_column(r, "attempts")->number[i], 2);
    CU_ASSERT_STRING_EQUAL(ss_results_column(r, "status")->text[i], "done");
    CU_ASSERT_EQUAL(ss_results_column(r, "lambda_max")->number[i], 7.1 / 3);
    CU_ASSERT_STRING_EQUAL(ss_results_column(r, "error")->text[i], "");
    CU_ASSERT(r->column[0].is_axis && r->column[1].is_axis && !r->column[2].is_axis);
    CU_ASSERT_STRING_EQUAL(ss_results_column(r, "max_epochs")->text[i], "10");
    CU_ASSERT_STRING_EQUAL(r->job_text, small);
    ss_results_destroy(r);
    remove_folder();
}

static void test_growth(void)
{
    fixture f;
    ss_error error;
    ss_record r0;
    make_folder();
    must_open(&f, small);
    for (size_t i = 0; i < f.n; i++) must_keep(&f, i, SS_DONE, i);
    end(&f);
    /* New values in front; a fixed setting becomes an axis; an old value leaves the grid. */
    must_open(&f, HEAD TRAIN "grid:\n  dropout: [0, 0.5]\n  learning_rate: [0.05, 0.1]\n  batch_size: [32, full]\n");
    CU_ASSERT_EQUAL(f.n, 8);
    size_t n_finished = 0;
    for (size_t i = 0; i < f.n; i++) n_finished += ss_store_is_finished(f.store, i);
    CU_ASSERT_EQUAL(n_finished, 2); /* lr 0.1 at dropout 0 */
    for (size_t i = 0; i < f.n; i++)
        if (!ss_store_is_finished(f.store, i)) must_keep(&f, i, SS_DONE, 100 + i);
    end(&f);
    ss_results *r = open_alone(results, &error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(r);
    CU_ASSERT_EQUAL(r->n, 10);
    for (size_t i = 0; i < 4; i++) { /* known rows kept their places and records */
        make_record(&r0, SS_DONE, i);
        CU_ASSERT_EQUAL(ss_results_column(r, "lambda_max")->number[i], r0.lambda_max);
        CU_ASSERT_STRING_EQUAL(ss_results_column(r, "dropout")->text[i], "0");
        ss_record_finish(&r0);
    }
    CU_ASSERT_STRING_EQUAL(ss_results_column(r, "learning_rate")->text[4], "0.05"); /* new ones follow in grid order */
    CU_ASSERT(ss_results_column(r, "dropout")->is_axis);
    ss_results_destroy(r);
    /* Back to the first job: dropout is an axis of the file, its other values may stay. */
    must_open(&f, small);
    for (size_t i = 0; i < f.n; i++) CU_ASSERT(ss_store_is_finished(f.store, i));
    end(&f);
    remove_folder();
}

static void test_refusals(void)
{
    static const struct { const char *job, *digest, *expected; } cases[] = {
        {HEAD "training:\n  max_epochs: 20\ngrid:\n  learning_rate: [0.1, 0.2]\n  batch_size: [32, full]\n", NULL,
         "max_epochs: 10 in results.h5, 20 in job.yaml"},
        {HEAD TRAIN "  momentum: 0.9\ngrid:\n  learning_rate: [0.1]\n", NULL, "momentum: 0 in results.h5, 0.9 in job.yaml"},
        {"model:\n  network: mlp\n  widths: [9]\ndata:\n  dataset: synthetic\ncurvature:\n  curvature_examples: all\n"
         TRAIN "grid:\n  learning_rate: [0.1]\n", NULL, "widths: [8] in results.h5, [9] in job.yaml"},
        {HEAD "training:\n  max_epochs: 20\n  momentum: 0.9\ngrid:\n  learning_rate: [0.1]\n", NULL,
         "momentum: 0 in results.h5, 0.9 in job.yaml; max_epochs: 10 in results.h5, 20 in job.yaml"},
        {small, "ffff33445566778899", "digest 0011223344556677... then (from /data/set), ffff334455667788... now"},
    };
    fixture f;
    ss_error error, why;
    char before[SS_DIGEST_BYTES], after[SS_DIGEST_BYTES];
    for (int without_journal = 0; without_journal < 2; without_journal++) {
        make_folder();
        must_open(&f, small);
        must_keep(&f, 1, SS_DONE, 1);
        end(&f);
        if (without_journal) unlink(journal_file);
        digest_folder(before);
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            ss_provenance p = provenance;
            if (cases[i].digest) p.data_digest = cases[i].digest;
            begin(&f, cases[i].job);
            error.text[0] = '\0';
            CU_ASSERT(open_store(&f, &p, &error) == -1);
            ASSERT_TEXT(error.text, cases[i].expected);
            CU_ASSERT(ss_store_check(results, f.job, f.grid, &p, &why) == -1); /* `plan` says the same */
            CU_ASSERT_STRING_EQUAL(why.text, error.text);
            end(&f);
            digest_folder(after);
            CU_ASSERT_STRING_EQUAL(before, after);
        }
        must_open(&f, small); /* and the right job still goes on */
        CU_ASSERT(ss_store_is_finished(f.store, 1));
        end(&f);
        remove_folder();
    }
}

/* ---- every point is identified by the data set that it uses -------------------------------------------------------- */

#define GRID "\n  learning_rate: [0.1, 0.2]\n"
static const char *salt = ""; /* another salt, other data */

/* As if loaded: a digest of the data section. */
static const char *made_digest(const void *ctx, const ss_settings *s)
{
    static char digest[4][SS_DIGEST_BYTES];
    static int turn;
    char text[256];
    ss_sha256 h;
    CU_ASSERT_PTR_EQUAL(ctx, salt);
    snprintf(text, sizeof text, "%s %s %lld %s %lld", salt, s->dataset, (long long)s->train_examples, s->standardise,
             (long long)s->synthetic_seed);
    ss_sha256_init(&h);
    ss_sha256_update(&h, text, strlen(text));
    turn = (turn + 1) % 4;
    ss_sha256_finish(&h, digest[turn]);
    return digest[turn];
}

static ss_provenance made_provenance(const char *list)
{
    ss_provenance p = provenance;
    p.data_digest = list;
    p.point_digest = made_digest;
    p.ctx = salt;
    return p;
}

static int open_made(fixture *f, const char *text, ss_error *error)
{
    ss_settings s;
    char list[8 * SS_DIGEST_BYTES] = "";
    begin(f, text);
    for (size_t i = 0; i < f->n && i < 7; i++) { /* repetitions do not matter */
        ss_grid_settings(f->grid, i, &s);
        size_t used = strlen(list);
        snprintf(list + used, sizeof list - used, "%s%s", i ? ", " : "", made_digest(salt, &s));
    }
    ss_provenance p = made_provenance(list);
    return open_store(f, &p, error);
}

static void keep_made(fixture *f, size_t point)
{
    ss_record r;
    ss_settings s;
    ss_error error;
    ss_grid_settings(f->grid, point, &s);
    make_record(&r, SS_DONE, 10 + point);
    snprintf(r.data_digest, sizeof r.data_digest, "%s", made_digest(salt, &s));
    CU_ASSERT(ss_store_start(f->store, point, 0, &error) == 0 && ss_store_keep(f->store, point, &r, &error) == 0);
    ss_record_finish(&r);
}

static void ids_of(char id[][SS_ID_BYTES], size_t n)
{
    ss_results *r = ss_results_open(results, NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(r);
    CU_ASSERT_EQUAL_FATAL(r->n, n);
    for (size_t i = 0; i < n; i++) snprintf(id[i], SS_ID_BYTES, "%s", r->id[i]);
    ss_results_destroy(r);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(a, b);
}

static void test_data_axes(void)
{
    static const struct { const char *axis, *old, *grown; } cases[] = {
        {"train_examples", "[100]", "[100, 150]"}, {"standardise", "[pixel]", "[none, pixel]"},
        {"synthetic_seed", "[0]", "[0, 1]"}, {"dataset", "[synthetic]", "[synthetic, cifar10]"},
    };
    static const char head[] = "model:\n  network: mlp\ncurvature:\n  curvature_examples: all\ntraining:\n  batch_size: 50\n";
    for (size_t i = 0; i < 2 * sizeof cases / sizeof *cases; i++) {
        bool without_journal = i % 2;
        char old[512], grown[512], id[4][SS_ID_BYTES], fresh[4][SS_ID_BYTES], before[SS_DIGEST_BYTES], after[SS_DIGEST_BYTES];
        const char *data = strcmp(cases[i / 2].axis, "dataset") == 0 ? "" : "data:\n  dataset: synthetic\n";
        snprintf(old, sizeof old, "%s%sgrid:\n  %s: %s" GRID, head, data, cases[i / 2].axis, cases[i / 2].old);
        snprintf(grown, sizeof grown, "%s%sgrid:\n  %s: %s" GRID, head, data, cases[i / 2].axis, cases[i / 2].grown);
        fixture f;
        ss_error error = {{0}};
        make_folder();
        CU_ASSERT_FATAL(open_made(&f, grown, &error) == 0);
        end(&f);
        ids_of(fresh, 4);
        remove_folder();
        make_folder();
        CU_ASSERT_FATAL(open_made(&f, old, &error) == 0);
        keep_made(&f, 0); /* one finished, one pending */
        end(&f);
        if (without_journal) unlink(journal_file);
        int rc = open_made(&f, grown, &error);
        if (rc) fprintf(stderr, "\n    %s: %s\n", cases[i / 2].axis, error.text);
        CU_ASSERT_FATAL(rc == 0);
        size_t n_finished = 0;
        for (size_t k = 0; k < f.n; k++) n_finished += ss_store_is_finished(f.store, k);
        CU_ASSERT(f.n == 4 && n_finished == 1);
        end(&f);
        ids_of(id, 4);
        qsort(id, 4, sizeof *id, by_text);
        qsort(fresh, 4, sizeof *fresh, by_text);
        CU_ASSERT(memcmp(id, fresh, sizeof id) == 0);
        CU_ASSERT(open_made(&f, old, &error) == 0); /* and back: the new value's points may stay */
        CU_ASSERT(ss_store_is_finished(f.store, 0));
        end(&f);
        digest_folder(before);
        salt = "changed";
        CU_ASSERT(open_made(&f, grown, &error) == -1);
        ASSERT_TEXT(error.text, "the data set has changed since point ");
        end(&f);
        CU_ASSERT(open_made(&f, old, &error) == -1);
        ASSERT_TEXT(error.text, "restore the data, or write to another file (-o)");
        end(&f);
        salt = "";
        digest_folder(after);
        CU_ASSERT_STRING_EQUAL(before, after);
        remove_folder();
    }
}

/* Data that changed are found also where no grid point equals a stored one: they are the same data by their settings. */
static void test_changed_data_elsewhere(void)
{
    fixture f;
    ss_error error;
    make_folder();
    CU_ASSERT_FATAL(open_made(&f, HEAD TRAIN "grid:\n  learning_rate: [0.1]\n", &error) == 0);
    keep_made(&f, 0);
    end(&f);
    salt = "changed";
    CU_ASSERT(open_made(&f, HEAD TRAIN "grid:\n  learning_rate: [0.3]\n", &error) == -1);
    ASSERT_TEXT(error.text, "the data set has changed since point ");
    end(&f);
    salt = "";
    CU_ASSERT(open_made(&f, HEAD TRAIN "grid:\n  learning_rate: [0.3]\n", &error) == 0);
    end(&f);
    remove_folder();
}

/* Settings that do not determine the result may change. */
static void test_allowed_changes(void)
{
    fixture f;
    make_folder();
    must_open(&f, small);
    must_keep(&f, 1, SS_DONE, 1);
    end(&f);
    must_open(&f, HEAD TRAIN "grid:\n  learning_rate: [0.1, 0.2]\n  batch_size: [32, full]\nsweep:\n  save_weights: true\n");
    CU_ASSERT(ss_store_is_finished(f.store, 1));
    must_keep(&f, 0, SS_DONE, 2);
    end(&f);
    ss_results *r = ss_results_open(results, NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(r);
    CU_ASSERT_STRING_EQUAL(ss_results_column(r, "save_weights")->text[0], "true");
    CU_ASSERT_STRING_EQUAL(ss_results_column(r, "save_weights")->text[1], "false");
    ss_results_destroy(r);
    remove_folder();
}

static void expect_refusal(const char *expected)
{
    fixture f;
    ss_error error;
    char before[SS_DIGEST_BYTES], after[SS_DIGEST_BYTES];
    begin(&f, small);
    error.text[0] = '\0';
    digest_folder(before);
    CU_ASSERT(open_store(&f, NULL, &error) == -1);
    digest_folder(after);
    ASSERT_TEXT(error.text, expected);
    CU_ASSERT_STRING_EQUAL(before, after);
    end(&f);
}

static void set_attribute(const char *name, int64_t number, const char *text)
{
    hid_t file = H5Fopen(results, H5F_ACC_RDWR, H5P_DEFAULT);
    hid_t a = H5Aopen(file, name, H5P_DEFAULT), type = H5Aget_type(a);
    CU_ASSERT(H5Awrite(a, type, text ? (const void *)&text : (const void *)&number) >= 0);
    H5Tclose(type);
    H5Aclose(a);
    H5Fclose(file);
}

static void test_foreign_files(void)
{
    fixture f;
    make_folder();
    write_bytes(results, "not HDF5 at all", 15);
    expect_refusal("is not an HDF5 file");
    write_bytes(results, "", 0);  /* as good as none */
    must_open(&f, small);
    end(&f);
    unlink(journal_file);
    hid_t file = H5Fcreate(results, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    H5Fclose(file);
    expect_refusal("no results file of sharpsweep");
    unlink(results);
    write_bytes(journal_file, "something else", 14);
    expect_refusal("is not a journal of sharpsweep");
    unlink(journal_file);
    must_open(&f, small);
    end(&f);
    set_attribute("journal_uuid", 0, "00000000000000000000000000000000");
    expect_refusal("does not belong to the journal beside it");
    set_attribute("schema_version", 2, NULL);
    expect_refusal("has schema version 2, this program knows 1");
    unlink(journal_file);
    expect_refusal("has schema version 2, this program knows 1");
    set_attribute("schema", 0, "somebody else's");
    expect_refusal("no results file of sharpsweep");
    remove_folder();
}

static void test_newer_journal(void)
{
    fixture f;
    size_t n;
    make_folder();
    must_open(&f, small);
    end(&f);
    unsigned char *p = read_bytes(journal_file, &n);
    p[8] = 2; /* the version; its CRC is made to fit */
    uint32_t crc = ss_crc32(0, p, 28);
    for (int i = 0; i < 4; i++) p[28 + i] = (unsigned char)(crc >> (8 * i));
    write_bytes(journal_file, p, n);
    expect_refusal("has format version 2, this program knows 1");
    CU_ASSERT(ss_store_verify(results, true, say, NULL, NULL) == -1); /* nor does repair touch it */
    p[8] = 1; /* the CRC no longer fits */
    write_bytes(journal_file, p, n);
    expect_refusal("verify --repair");
    ss_free(p);
    remove_folder();
}

/* A program whose identities differ (raised SS_NUMERICS) must not continue the file: simulated by a changed identity. */
static void test_other_numerics(void)
{
    fixture f;
    make_folder();
    must_open(&f, small);
    must_keep(&f, 0, SS_DONE, 0);
    end(&f);
    unlink(journal_file);
    make_earlier(results);
    hid_t file = H5Fopen(results, H5F_ACC_RDWR, H5P_DEFAULT), set = H5Dopen2(file, "id", H5P_DEFAULT);
    hid_t type = H5Dget_type(set);
    const char *id[4] = {"00000000000000000000000000000001", "00000000000000000000000000000002",
                         "00000000000000000000000000000003", "00000000000000000000000000000004"};
    CU_ASSERT(H5Dwrite(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, id) >= 0);
    H5Tclose(type);
    H5Dclose(set);
    H5Fclose(file);
    expect_refusal("whose numbers this version does not continue");
    remove_folder();
}

static void test_refresh_policy(void)
{
    fixture f;
    struct stat before, after;
    make_folder();
    must_open(&f, small);
    double begin_s = ss_clock_s();
    CU_ASSERT(ss_store_refresh(f.store, true, NULL) == 0);
    double rebuild_s = ss_clock_s() - begin_s;
    must_keep(&f, 0, SS_DONE, 0);
    CU_ASSERT(stat(results, &before) == 0);
    CU_ASSERT(ss_store_refresh(f.store, false, NULL) == 0); /* too soon after the last */
    CU_ASSERT(stat(results, &after) == 0);
    CU_ASSERT_EQUAL(before.st_ino, after.st_ino);
    while (ss_clock_s() - begin_s < 5 + 100 * rebuild_s && before.st_ino == after.st_ino) {
        ss_sleep_s(0.05);
        CU_ASSERT(ss_store_refresh(f.store, false, NULL) == 0);
        CU_ASSERT(stat(results, &after) == 0);
    }
    CU_ASSERT(before.st_ino != after.st_ino);
    CU_ASSERT(ss_clock_s() - begin_s > 40 * rebuild_s || rebuild_s < 0.025); /* about 2 % of the time, not more */
    CU_ASSERT(stat(results, &before) == 0);
    CU_ASSERT(ss_store_refresh(f.store, true, NULL) == 0);
    CU_ASSERT(stat(results, &after) == 0);
    CU_ASSERT(before.st_ino != after.st_ino);
    end(&f);
    remove_folder();
}

static void test_weights_path(void)
{
    fixture f;
    char path[400], expected[400];
    make_folder();
    must_open(&f, small);
    CU_ASSERT(ss_store_weights_path(f.store, 0, path, sizeof path) == 0);
    snprintf(expected, sizeof expected, "%s/results.weights/", folder);
    CU_ASSERT(strncmp(path, expected, strlen(expected)) == 0);
    CU_ASSERT_EQUAL(strlen(path), strlen(expected) + 32 + 3);
    CU_ASSERT(ss_store_weights_path(f.store, 0, path, 20) == -1);
    CU_ASSERT(ss_store_weights_path(f.store, 0, path, strlen(expected) + 35) == -1);
    CU_ASSERT(ss_store_weights_path(f.store, 0, path, strlen(expected) + 36) == 0);
    expected[strlen(expected) - 1] = '\0';
    CU_ASSERT(access(expected, F_OK) != 0); /* a name, no folder */
    CU_ASSERT_EQUAL(ss_store_status(f.store, 0), SS_PENDING);
    must_keep(&f, 0, SS_DIVERGED, 1);
    CU_ASSERT_EQUAL(ss_store_status(f.store, 0), SS_DIVERGED);
    end(&f);
    remove_folder();
}

static void test_nowhere(void)
{
    fixture f;
    ss_error error;
    begin(&f, small);
    f.store = ss_store_open("/dev/null/at/all/results.h5", f.job, f.grid, &provenance, &error);
    CU_ASSERT_PTR_NULL(f.store);
    ASSERT_TEXT(error.text, "/dev/null/at/all/results.h5");
    CU_ASSERT(ss_store_close(NULL, NULL) == 0);
    end(&f);
    CU_ASSERT_PTR_NULL(ss_results_open("/dev/null/at/all/results.h5", &error));
    ASSERT_TEXT(error.text, "/dev/null/at/all/results.h5");
}

static const ss_case cases[] = {
    {"a sweep's life", test_life}, {"grids grow", test_growth}, {"refusals change nothing", test_refusals},
    {"changes that do not matter", test_allowed_changes}, {"foreign files", test_foreign_files},
    {"data axes grow", test_data_axes}, {"changed data elsewhere", test_changed_data_elsewhere},
    {"newer and damaged headers", test_newer_journal}, {"other numerics", test_other_numerics},
    {"refresh policy", test_refresh_policy}, {"weights paths", test_weights_path}, {"nowhere", test_nowhere},
};
SS_SUITE("store", cases)
