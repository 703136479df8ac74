/* test_results.c - results files that are foreign, cut short or made to harm: one sentence, no crash, nothing believed. */
#include "fixture.h"

static const char job[] = "model:\n  network: mlp\n  widths: [8]\ndata:\n  dataset: synthetic\ncurvature:\n"
                          "  curvature_examples: all\n  spectrum_probes: 2\ngrid:\n"
                          "  learning_rate: [0.1, 0.2, 0.3]\n  batch_norm: [true, false]\n";

static void begin_results(void)
{
    fixture f;
    make_folder();
    must_open(&f, job);
    for (size_t i = 0; i < f.n; i++) must_keep(&f, i, SS_DONE, i + 2);
    end(&f);
    unlink(journal_file);
}

static void expect(const char *expected)
{
    ss_error error = {{0}};
    fixture f;
    ss_results *r = open_alone(results, &error);
    CU_ASSERT_PTR_NULL(r);
    ASSERT_TEXT(error.text, expected);
    ASSERT_TEXT(error.text, ".alone.h5");
    ss_results_destroy(r);
    begin(&f, job); /* nor is it imported */
    CU_ASSERT(open_store(&f, NULL, &error) == -1);
    CU_ASSERT(access(journal_file, F_OK) != 0);
    end(&f);
}

static void replace(const char *name, hid_t type, int rank, const hsize_t *dim)
{
    hid_t file = H5Fopen(results, H5F_ACC_RDWR, H5P_DEFAULT);
    H5Ldelete(file, name, H5P_DEFAULT);
    if (rank >= 0) {
        hid_t space = H5Screate_simple(rank, dim, NULL);
        H5Dclose(H5Dcreate2(file, name, type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
        H5Sclose(space);
    }
    H5Fclose(file);
}

static void test_wrong_shapes(void)
{
    size_t n;
    begin_results();
    unsigned char *whole = read_bytes(results, &n);
    hid_t text = H5Tcopy(H5T_C_S1);
    H5Tset_size(text, 12);
    const struct { const char *name; hid_t type; int rank; hsize_t dim[2]; const char *expected; } cases[] = {
        {"point", H5T_NATIVE_INT64, 1, {1ull << 40}, "point: is said to have 8796093022208 bytes"},
        {"point", H5T_NATIVE_INT64, 1, {0}, "has 0 rows"},
        {"point", H5T_NATIVE_DOUBLE, 1, {6}, "variable point does not have the type"},
        {"point", H5T_NATIVE_INT64, -1, {0}, "dimension point is missing"},
        {"status", H5T_NATIVE_INT8, 1, {5}, "variable status does not have the type or the shape"},
        {"status", H5T_NATIVE_INT8, 2, {6, 1}, "variable status does not have the type or the shape"},
        {"status", H5T_NATIVE_DOUBLE, 1, {6}, "variable status does not have the type or the shape"},
        {"status", H5T_NATIVE_INT8, -1, {0}, "variable status is missing"},
        {"id", H5T_NATIVE_INT64, 1, {6}, "variable id does not have the type or the shape"},
        {"id", text, 1, {6}, "variable id does not have the type or the shape"},
        {"learning_rate", H5T_NATIVE_DOUBLE, -1, {0}, "variable learning_rate is missing"},
        {"lambda_max", H5T_NATIVE_DOUBLE, 1, {7}, "variable lambda_max does not have the type or the shape"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        write_bytes(results, whole, n);
        replace(cases[i].name, cases[i].type, cases[i].rank, cases[i].dim);
        expect(cases[i].expected);
    }
    H5Tclose(text);
    ss_free(whole);
    remove_folder();
}

static void set_first(const char *name, hid_t type, const void *value)
{
    hid_t file = H5Fopen(results, H5F_ACC_RDWR, H5P_DEFAULT), set = H5Dopen2(file, name, H5P_DEFAULT);
    hid_t space = H5Dget_space(set), one = H5Screate(H5S_SCALAR);
    hsize_t at[2] = {0, 0}, count[2] = {1, 1};
    H5Sselect_hyperslab(space, H5S_SELECT_SET, at, NULL, count, NULL);
    CU_ASSERT(H5Dwrite(set, type, one, space, H5P_DEFAULT, value) >= 0);
    H5Sclose(one);
    H5Sclose(space);
    H5Dclose(set);
    H5Fclose(file);
}

/* Well-shaped nonsense: found by import and verify at the latest. */
static void test_wrong_contents(void)
{
    size_t n;
    ss_error error;
    fixture f;
    begin_results();
    unsigned char *whole = read_bytes(results, &n);
    const int64_t many = 1000, negative = -3;
    const int8_t code = 77;
    hid_t text = H5Tcopy(H5T_C_S1);
    H5Tset_size(text, H5T_VARIABLE);
    H5Tset_cset(text, H5T_CSET_UTF8);
    const char *bad_id = "not hex";
    const char *long_text = "a very long name of a host, longer than the sixty-four bytes that a record has";
    const struct { const char *name; hid_t type; const void *value; const char *expected; } cases[] = {
        {"history/n_epochs", H5T_NATIVE_INT64, &many, "row 0: a count of 1000 rows does not fit"},
        {"history/n_checks", H5T_NATIVE_INT64, &negative, "row 0: a count of -3 rows does not fit"},
        {"spectrum/n_nodes", H5T_NATIVE_INT64, &many, "row 0: a count of 1000 rows does not fit"},
        {"n_eigenvalues", H5T_NATIVE_INT64, &many, "row 0: a count of 1000 rows does not fit"},
        {"status", H5T_NATIVE_INT8, &code, "status 77"},
        {"id", text, &bad_id, "id 'not hex' is not 32 hex digits"},
        {"host", text, &long_text, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        write_bytes(results, whole, n);
        set_first("lambda_max", H5T_NATIVE_DOUBLE, &(double){0.125});
        expect("lambda_max of row 0 is not what its record says");
        make_earlier(results);
        set_first(cases[i].name, cases[i].type, cases[i].value);
        begin(&f, job);
        int rc = open_store(&f, NULL, &error);
        CU_ASSERT_EQUAL(rc, cases[i].expected ? -1 : 0);
        if (rc && cases[i].expected) ASSERT_TEXT(error.text, cases[i].expected);
        if (rc && !cases[i].expected) fprintf(stderr, "\n    %s\n", error.text);
        end(&f);
        CU_ASSERT_EQUAL(access(journal_file, F_OK) == 0, rc == 0);
        unlink(journal_file);
    }
    H5Tclose(text);
    ss_free(whole);
    remove_folder();
}

static void test_cut_files(void)
{
    size_t n;
    begin_results();
    unsigned char *whole = read_bytes(results, &n);
    const size_t seal = 20; /* without its checksum the file is still whole */
    for (size_t cut = 0; cut < n - seal; cut += n / 50) {
        ss_error error = {{0}};
        write_bytes(results, whole, cut);
        ss_results *r = open_alone(results, &error);
        CU_ASSERT_PTR_NULL(r);
        ASSERT_TEXT(error.text, ".alone.h5");
        ss_results_destroy(r);
    }
    for (size_t kept = 0; kept <= seal; kept++) {
        write_bytes(results, whole, n - kept);
        ss_results *r = open_alone(results, NULL);
        CU_ASSERT_PTR_NOT_NULL(r);
        ss_results_destroy(r);
    }
    ss_free(whole);
    remove_folder();
}

/* One flipped bit anywhere is found before HDF5, which may crash on it, looks at the file. */
static void test_flipped_bits(void)
{
    size_t n;
    begin_results();
    unsigned char *whole = read_bytes(results, &n);
    for (size_t at = 0; at < n - 20; at += at < 2000 ? 1 : 331) {
        ss_error error = {{0}};
        whole[at] ^= (unsigned char)(1u << at % 8);
        write_bytes(results, whole, n);
        whole[at] ^= (unsigned char)(1u << at % 8);
        ss_results *r = open_alone(results, &error);
        CU_ASSERT_PTR_NULL(r);
        CU_ASSERT(strstr(error.text, "is damaged") || strstr(error.text, "is not an HDF5 file"));
        ss_results_destroy(r);
        if (at % 37 == 0) CU_ASSERT(ss_store_verify(results, false, say, NULL, NULL) > 0);
    }
    ss_free(whole);
    remove_folder();
}

/* A file that was cut is made anew from the good journal beside it, and a link to a results file is followed. */
static void test_beside_a_journal(void)
{
    fixture f;
    char link_path[400], real[420];
    make_folder();
    must_open(&f, job);
    must_keep(&f, 1, SS_DONE, 3);
    end(&f);
    size_t n;
    unsigned char *whole = read_bytes(results, &n);
    write_bytes(results, whole, n / 2); /* cut, but ours: its entries say so */
    must_open(&f, job);
    CU_ASSERT(ss_store_is_finished(f.store, 1));
    end(&f);
    snprintf(link_path, sizeof link_path, "%s/link.h5", folder);
    strcpy(real, results);
    CU_ASSERT(symlink(results, link_path) == 0);
    snprintf(results, sizeof results, "%s", link_path);
    must_open(&f, job);
    CU_ASSERT(ss_store_is_finished(f.store, 1));
    must_keep(&f, 2, SS_DONE, 4);
    end(&f);
    ss_free(whole);
    struct stat st;
    CU_ASSERT(lstat(link_path, &st) == 0 && S_ISLNK(st.st_mode));
    ss_results *r = open_alone(real, NULL);
    CU_ASSERT(r && r->status[2] == SS_DONE);
    ss_results_destroy(r);
    r = ss_results_open(link_path, NULL);
    CU_ASSERT(r && r->status[2] == SS_DONE);
    ss_results_destroy(r);
    remove_folder();
}

static void test_texts(void)
{
    fixture f;
    ss_record record;
    make_folder();
    must_open(&f, job);
    make_record(&record, SS_FAILED, 3);
    memset(record.error, 'x', sizeof record.error - 1);
    strcpy(record.error + sizeof record.error - 3, "\xc3"); /* cut in the middle of a letter */
    strcpy(record.host, "a\xff\xed\xa0\x80z");
    CU_ASSERT(ss_store_keep(f.store, 0, &record, NULL) == 0);
    ss_record_finish(&record);
    ss_record_init(&record);
    ss_error error;
    CU_ASSERT(ss_store_keep(f.store, 1, &record, &error) == -1); /* pending is no result */
    ASSERT_TEXT(error.text, "status 0 cannot be kept");
    end(&f);
    ss_results *r = open_alone(results, NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(r);
    const char *text = ss_results_column(r, "error")->text[0];
    CU_ASSERT_EQUAL(strlen(text), sizeof record.error - 2);
    CU_ASSERT_EQUAL(text[strlen(text) - 1], '?');
    CU_ASSERT_STRING_EQUAL(ss_results_column(r, "host")->text[0], "a????z");
    CU_ASSERT_STRING_EQUAL(ss_results_column(r, "train_accuracy")->text[0], "nan");
    CU_ASSERT_STRING_EQUAL(ss_results_column(r, "train_accuracy")->text[1], "");
    CU_ASSERT_STRING_EQUAL(ss_results_column(r, "batch_norm")->text[0], "true");
    CU_ASSERT_STRING_EQUAL(ss_results_column(r, "max_steps")->text[0], "none");
    CU_ASSERT(isnan(ss_results_column(r, "max_steps")->number[0]));
    CU_ASSERT_PTR_NULL(ss_results_column(r, "nothing"));
    ss_results_destroy(r);
    remove_folder();
}

/* What was not measured: the fill value in the file, an empty cell for people, through journal and import alike. */
static void test_unknown_counts(void)
{
    fixture f;
    ss_record r;
    make_folder();
    must_open(&f, job);
    ss_record_init(&r);
    r.status = SS_DIVERGED;
    r.steps = 0;                  /* that is known */
    CU_ASSERT(ss_store_keep(f.store, 0, &r, NULL) == 0);
    ss_record_finish(&r);
    end(&f);
    for (int turn = 0; turn < 3; turn++) { /* from the journal, from the file, from the file's import */
        if (turn == 2) unlink(journal_file);
        if (turn == 2) must_open(&f, job);
        if (turn == 2) end(&f);
        ss_results *read = turn == 1 ? open_alone(results, NULL) : ss_results_open(results, NULL);
        CU_ASSERT_PTR_NOT_NULL_FATAL(read);
        static const char *const unknown[] = {"hvp_count", "lambda_converged", "n_train", "n_threads", "worker", "epochs"};
        for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++) {
            const ss_column *c = ss_results_column(read, unknown[i]);
            CU_ASSERT_PTR_NOT_NULL_FATAL(c);
            CU_ASSERT(isnan(c->number[0]) && c->text[0][0] == '\0');
        }
        CU_ASSERT_STRING_EQUAL(ss_results_column(read, "steps")->text[0], "0");
        CU_ASSERT_STRING_EQUAL(ss_results_column(read, "attempts")->text[1], "0");
        ss_results_destroy(read);
        hid_t file = H5Fopen(results, H5F_ACC_RDONLY, H5P_DEFAULT), set = H5Dopen2(file, "hvp_count", H5P_DEFAULT);
        int64_t value[6];
        CU_ASSERT(H5Dread(set, H5T_NATIVE_INT64, H5S_ALL, H5S_ALL, H5P_DEFAULT, value) >= 0 && value[0] == -1);
        H5Dclose(set);
        H5Fclose(file);
    }
    remove_folder();
}

static const ss_case cases[] = {
    {"wrong shapes", test_wrong_shapes}, {"wrong contents", test_wrong_contents}, {"cut files", test_cut_files},
    {"flipped bits", test_flipped_bits},
    {"beside a journal", test_beside_a_journal}, {"texts", test_texts}, {"unknown counts", test_unknown_counts},
};
SS_SUITE("results", cases)
