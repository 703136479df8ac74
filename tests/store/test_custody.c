/* test_custody.c - nothing is replaced that is not wholly held by what replaces it, and no value is believed that no entry vouches
 * for: what strangers did to the store, and what it did then. */
#include "../../src/store/inspect.h"
#include "fixture.h"

static const char job[] = "model:\n  network: mlp\n  widths: [8]\ndata:\n  dataset: synthetic\ncurvature:\n"
                          "  curvature_examples: all\ngrid:\n  learning_rate: [0.1, 0.2, 0.3]\n";
static const char wider[] = "model:\n  network: mlp\n  widths: [8]\ndata:\n  dataset: synthetic\ncurvature:\n"
                            "  curvature_examples: all\ngrid:\n  learning_rate: [0.1, 0.2, 0.3, 0.4]\n";

static void begin_sweep(void)
{
    fixture f;
    make_folder();
    must_open(&f, job);
    for (size_t i = 0; i < 2; i++) must_keep(&f, i, SS_DONE, i + 3);
    end(&f);
}

static void copy(const char *from, const char *to)
{
    size_t n;
    unsigned char *p = read_bytes(from, &n);
    write_bytes(to, p, n);
    ss_free(p);
}

static bool same_bytes(const char *a, const char *b)
{
    size_t n, m;
    unsigned char *p = read_bytes(a, &n), *q = read_bytes(b, &m);
    bool same = p && q && n == m && memcmp(p, q, n) == 0;
    ss_free(p);
    ss_free(q);
    return same;
}

static void set_cell(const char *name, hid_t type, const void *value, hsize_t at)
{
    hid_t file = H5Fopen(results, H5F_ACC_RDWR, H5P_DEFAULT), set = H5Dopen2(file, name, H5P_DEFAULT);
    hid_t space = H5Dget_space(set), one = H5Screate(H5S_SCALAR);
    H5Sselect_elements(space, H5S_SELECT_SET, 1, &at);
    CU_ASSERT(H5Dwrite(set, type, one, space, H5P_DEFAULT, value) >= 0);
    H5Sclose(one);
    H5Sclose(space);
    H5Dclose(set);
    H5Fclose(file);
}

static void expect_refused(const char *text)
{
    ss_error error = {{0}};
    ss_results *r = ss_results_open(results, &error);
    CU_ASSERT_PTR_NULL(r);
    ASSERT_TEXT(error.text, text);
    ss_results_destroy(r);
}

/* While a run writes, its results file is replaced: by another sweep's, by a link to another sweep's. */
static void test_replaced_under_a_run(void)
{
    char other[500], before[500];
    for (int link = 0; link < 2; link++) {
        fixture f;
        ss_error error;
        begin_sweep();
        snprintf(other, sizeof other, "%s/other.h5", folder);
        snprintf(before, sizeof before, "%s/before.h5", folder);
        rename(results, other);
        unlink(journal_file);
        copy(other, before);
        must_open(&f, job);       /* a sweep of its own */
        must_keep(&f, 2, SS_DONE, 9);
        unlink(results);
        if (link) CU_ASSERT(symlink(other, results) == 0);
        if (!link) copy(other, results);
        CU_ASSERT(ss_store_refresh(f.store, true, &error) == 0);
        CU_ASSERT(same_bytes(other, before));
        CU_ASSERT_EQUAL(forget_kept(), 1);
        end(&f);
        ss_results *r = ss_results_open(results, &error);
        CU_ASSERT(r && r->status[2] == SS_DONE && r->status[0] == SS_PENDING);
        ss_results_destroy(r);
        remove_folder();
    }
}

/* What somebody changed in a file without a seal is found in every column, times and hosts included. */
static void test_changed_columns(void)
{
    static const char *const name[] = {"lambda_max", "train_s", "learning_rate"};
    char whole[500];
    begin_sweep();
    unlink(journal_file);
    snprintf(whole, sizeof whole, "%s/whole.h5", folder);
    copy(results, whole);
    for (size_t i = 0; i < sizeof name / sizeof *name; i++) {
        copy(whole, results);
        set_cell(name[i], H5T_NATIVE_DOUBLE, &(double){0.125}, 0);
        expect_refused("of row 0 is not what its record says");
    }
    remove_folder();
}

/* Columns alone beside a journal: what the journal contradicts is kept aside, not believed and not lost. */
static void test_columns_beside_a_journal(void)
{
    fixture f;
    ss_error error;
    begin_sweep();
    make_earlier(results);
    set_cell("lambda_max", H5T_NATIVE_DOUBLE, &(double){77}, 0);
    CU_ASSERT(ss_store_verify(results, false, say, NULL, &error) > 0);
    ss_results *r = ss_results_open(results, &error);
    CU_ASSERT(r && ss_results_column(r, "lambda_max")->number[0] != 77);
    ss_results_destroy(r);
    must_open(&f, wider);
    end(&f);
    CU_ASSERT_EQUAL(forget_kept(), 1);
    remove_folder();
}

static void test_equal_identities(void)
{
    begin_sweep();
    make_earlier(results);
    unlink(journal_file);
    hid_t file = H5Fopen(results, H5F_ACC_RDWR, H5P_DEFAULT), set = H5Dopen2(file, "id", H5P_DEFAULT), type = H5Dget_type(set);
    char *id[3];
    CU_ASSERT(H5Dread(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, id) >= 0);
    const char *twice[3] = {id[0], id[0], id[2]};
    CU_ASSERT(H5Dwrite(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, twice) >= 0);
    for (int i = 0; i < 3; i++) H5free_memory(id[i]);
    H5Tclose(type);
    H5Dclose(set);
    H5Fclose(file);
    expect_refused("are not those of its 3 rows");
    remove_folder();
}

/* A seal is no proof of entries: somebody else can write one. */
static void test_hollow_entries(void)
{
    size_t n;
    begin_sweep();
    unlink(journal_file);
    hid_t file = H5Fopen(results, H5F_ACC_RDONLY, H5P_DEFAULT), set = H5Dopen2(file, "journal/entries", H5P_DEFAULT);
    haddr_t at = H5Dget_offset(set);
    hsize_t size = H5Dget_storage_size(set);
    H5Dclose(set);
    H5Fclose(file);
    unsigned char *p = read_bytes(results, &n);
    memset(p + at, 0, size);
    uint32_t crc = ss_crc32(0, p, n - 20);
    for (int i = 0; i < 4; i++) p[n - 4 + (size_t)i] = (unsigned char)(crc >> (8 * i));
    write_bytes(results, p, n);
    ss_free(p);
    expect_refused("its entries are not those of its 3 rows");
    fixture f;
    ss_error error;
    begin(&f, job);
    CU_ASSERT(open_store(&f, NULL, &error) == -1);
    end(&f);
    remove_folder();
}

static void test_checkpoint_of_somebody_else(void)
{
    char path[600];
    ss_error error;
    ss_checkpoint_head head = {.id = "00112233445566778899aabbccddeeff", .phase = "train"};
    ss_pieces state = {0};
    make_folder();
    snprintf(path, sizeof path, "%s/%s.checkpoint", folder, head.id);
    write_bytes(path, "precious", 8);
    CU_ASSERT(ss_checkpoint_write(path, &head, &state, &error) == 0 && ss_checkpoint_peek(path, &head, &error) == 1);
    CU_ASSERT_EQUAL(forget_kept(), 1);
    CU_ASSERT(ss_checkpoint_write(path, &head, &state, &error) == 0); /* its own gives way */
    CU_ASSERT_EQUAL(forget_kept(), 0);
    remove_folder();
}

/* With nothing to do neither file is touched but for the note in the journal's header, even where others have points to compute. */
static void test_nothing_to_do(void)
{
    enum { HEADER_BYTES = 256 };
    fixture f;
    struct stat one, two;
    size_t n, m;
    begin_sweep();
    CU_ASSERT(stat(results, &one) == 0);
    unsigned char *p = read_bytes(journal_file, &n);
    must_open(&f, job);
    end(&f);
    unsigned char *q = read_bytes(journal_file, &m);
    CU_ASSERT(stat(results, &two) == 0 && one.st_ino == two.st_ino);
    CU_ASSERT(p && q && n == m && memcmp(p + HEADER_BYTES, q + HEADER_BYTES, n - HEADER_BYTES) == 0);
    ss_free(p);
    ss_free(q);
    remove_folder();
}

/* Where memory runs out a whole file is not called damaged: it would be put aside, with all that a user has added. */
static void test_short_memory(void)
{
    ss_inspection in;
    ss_error error;
    int n_unreadable = 0;
    double value = 77;
    begin_sweep();
    set_cell("train_s", H5T_NATIVE_DOUBLE, &value, 2); /* which cuts the seal off, so that all columns are read, */
    value = NAN;
    set_cell("train_s", H5T_NATIVE_DOUBLE, &value, 2); /* but a pending row's value is what it was */
    for (long n = 0; n < 5000; n += n < 20 ? 1 : 13) {
        ss_alloc_fail_after(n);
        int rc = ss_inspect(results, &in, &error);
        ss_alloc_fail_after(-1);
        bool good = in.file.state == SS_WHOLE && in.journal.state == SS_WHOLE;
        n_unreadable += in.file.state == SS_UNREADABLE;
        if (rc == 0) CU_ASSERT(good || in.file.state == SS_UNREADABLE || in.journal.state == SS_UNREADABLE);
        ss_inspection_finish(&in);
        if (rc == 0 && good) break;
        CU_ASSERT(n < 4900);
    }
    CU_ASSERT(n_unreadable > 10);
    remove_folder();
}

static const ss_case cases[] = {
    {"a results file that is replaced under a run", test_replaced_under_a_run}, {"changed columns", test_changed_columns},
    {"columns beside a journal", test_columns_beside_a_journal}, {"two rows of one identity", test_equal_identities},
    {"a seal over hollow entries", test_hollow_entries}, {"a checkpoint of somebody else", test_checkpoint_of_somebody_else},
    {"nothing to do", test_nothing_to_do}, {"short memory", test_short_memory},
};
SS_SUITE("custody", cases)
