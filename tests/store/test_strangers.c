/* test_strangers.c - HDF5 files made to harm: what leads out of the file, hangs, or claims more than it holds is refused by
 * name, quickly, in little memory, and read by no command. */
#include "fixture.h"

#include <sys/resource.h>

static const char small[] = "model:\n  network: mlp\n  widths: [8]\ndata:\n  dataset: synthetic\ncurvature:\n"
                            "  curvature_examples: all\ngrid:\n  learning_rate: [0.1, 0.2, 0.3]\n";
static const char many[] = "model:\n  network: mlp\n  widths: [8]\ndata:\n  dataset: synthetic\ncurvature:\n"
                           "  curvature_examples: all\ngrid:\n  seed: {linear: [0, 199, 200]}\n";
static const char *job;
static size_t n_rows;
static unsigned char *whole;
static size_t whole_n;
static const char alien_text[] = "numbers of somebody else's";

static void begin_strangers(const char *text)
{
    fixture f;
    job = text;
    make_folder();
    must_open(&f, job);
    for (size_t i = 0; i < 3; i++) must_keep(&f, i, SS_DONE, i + 3);
    n_rows = f.n;
    end(&f);
    unlink(journal_file);
    whole = read_bytes(results, &whole_n);
}

static void end_strangers(void)
{
    ss_free(whole);
    remove_folder();
}

static hid_t change(void)
{
    write_bytes(results, whole, whole_n);
    return H5Fopen(results, H5F_ACC_RDWR, H5P_DEFAULT);
}

/* Seconds and memory count too: what is believed shows there. */
static void expect(const char *expected)
{
    ss_error error = {{0}};
    fixture f;
    size_t n, now;
    unsigned char *before = read_bytes(results, &n);
    double start = ss_clock_s();
    alarm(60);
    ss_results *r = ss_results_open(results, &error);
    CU_ASSERT_PTR_NULL(r);
    ASSERT_TEXT(error.text, expected);
    ASSERT_TEXT(error.text, results);
    CU_ASSERT(ss_clock_s() - start < 5);
    ss_results_destroy(r);
    begin(&f, job);
    CU_ASSERT(open_store(&f, NULL, &error) == -1); /* nor imported */
    CU_ASSERT(access(journal_file, F_OK) != 0);
    end(&f);
    alarm(0);
    unsigned char *after = read_bytes(results, &now);
    CU_ASSERT(n == now && memcmp(before, after, n) == 0);
    ss_free(before);
    ss_free(after);
}

/* ---- what leads out of the file ------------------------------------------------------------------------------------ */

static hid_t make_set(hid_t at, const char *name, hid_t type, int rank, const hsize_t *dim, hid_t plan)
{
    hid_t space = H5Screate_simple(rank, dim, NULL);
    hid_t set = H5Dcreate2(at, name, type, space, H5P_DEFAULT, plan, H5P_DEFAULT);
    H5Sclose(space);
    return set;
}

/* A dataset in the place of `name` with a plan of ours; written with zeros where `write`. */
static void put_set(const char *name, hid_t type, int rank, const hsize_t *dim, hid_t plan, bool write)
{
    hid_t file = change();
    if (H5Lexists(file, name, H5P_DEFAULT) > 0) H5Ldelete(file, name, H5P_DEFAULT);
    hid_t set = make_set(file, name, type, rank, dim, plan);
    CU_ASSERT(set >= 0);
    size_t n = H5Tget_size(type);
    for (int d = 0; d < rank; d++) n *= dim[d];
    void *zeros = write ? ss_alloc(n, 1) : NULL;
    if (write) CU_ASSERT(H5Dwrite(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, zeros) >= 0);
    ss_free(zeros);
    H5Dclose(set);
    H5Fclose(file);
}

static hid_t no_traverse(const char *link, hid_t at, const void *value, size_t n, hid_t plan, hid_t transfer)
{
    (void)link, (void)at, (void)value, (void)n, (void)plan, (void)transfer;
    CU_FAIL("a user-defined link was followed");
    return -1;
}

static void test_links(void)
{
    char other[500];
    begin_strangers(small);
    snprintf(other, sizeof other, "%s/other.h5", folder);
    write_bytes(other, whole, whole_n);
    const H5L_class_t user = {.version = H5L_LINK_CLASS_T_VERS, .id = (H5L_type_t)200, .comment = "test",
                              .trav_func = no_traverse};
    CU_ASSERT(H5Lregister(&user) >= 0);
    static const char *const name[] = {"lambda_max", "id", "point", "history", "history/train_loss", "journal", "journal/entries"};
    for (size_t i = 0; i < sizeof name / sizeof *name; i++) {
        if (i == 4) {             /* of columns that only an import reads */
            ss_error error = {{0}};
            fixture f;
            hid_t file = change();
            H5Ldelete(file, name[i], H5P_DEFAULT);
            H5Lcreate_external(other, name[i], file, name[i], H5P_DEFAULT, H5P_DEFAULT);
            H5Fclose(file);
            begin(&f, job);
            CU_ASSERT(open_store(&f, NULL, &error) == -1);
            ASSERT_TEXT(error.text, "train_loss: is an external link");
            end(&f);
            continue;
        }
        hid_t file = change();
        H5Lmove(file, name[i], file, "elsewhere", H5P_DEFAULT, H5P_DEFAULT);
        H5Lcreate_soft("/elsewhere", file, name[i], H5P_DEFAULT, H5P_DEFAULT);
        H5Fclose(file);
        expect("is a soft link, and data are read only where they lie in this file itself");
        file = change();
        H5Ldelete(file, name[i], H5P_DEFAULT);
        H5Lcreate_external(other, name[i], file, name[i], H5P_DEFAULT, H5P_DEFAULT);
        H5Fclose(file);
        expect("is an external link");
        file = change();
        H5Ldelete(file, name[i], H5P_DEFAULT);
        CU_ASSERT(H5Lcreate_ud(file, name[i], (H5L_type_t)200, "x", 1, H5P_DEFAULT, H5P_DEFAULT) >= 0);
        H5Fclose(file);
        expect("is a user-defined link");
    }
    H5Lunregister((H5L_type_t)200);
    end_strangers();
}

/* A pipe is the worst: whoever opens it waits for ever. */
static void test_other_files(void)
{
    char alien[500], pipe[500];
    begin_strangers(small);
    hsize_t dim = n_rows;
    snprintf(alien, sizeof alien, "%s/alien", folder);
    snprintf(pipe, sizeof pipe, "%s/pipe", folder);
    write_bytes(alien, alien_text, sizeof alien_text);
    CU_ASSERT(mkfifo(pipe, 0600) == 0);
    const char *const file[] = {alien, pipe, "/etc/passwd"};
    for (int i = 0; i < 3; i++) {
        hid_t plan = H5Pcreate(H5P_DATASET_CREATE), space = H5Screate_simple(1, &dim, NULL);
        H5Pset_external(plan, file[i], 0, dim * 8);
        put_set("lambda_max", H5T_IEEE_F64LE, 1, &dim, plan, false);
        expect("lambda_max: has external storage");
        H5Pclose(plan);
        plan = H5Pcreate(H5P_DATASET_CREATE);
        CU_ASSERT(H5Pset_virtual(plan, space, file[i], "lambda_max", space) >= 0);
        put_set("lambda_max", H5T_IEEE_F64LE, 1, &dim, plan, false);
        expect("lambda_max: is a virtual dataset");
        H5Pclose(plan);
        H5Sclose(space);
    }
    end_strangers();
}

static void test_filters(void)
{
    begin_strangers(small);
    hsize_t dim = n_rows;
    for (int kind = 0; kind < 3; kind++) {
        hid_t plan = H5Pcreate(H5P_DATASET_CREATE);
        H5Pset_chunk(plan, 1, &dim);
        if (kind == 0) H5Pset_nbit(plan);
        if (kind > 0) H5Pset_deflate(plan, 1);
        if (kind == 1) H5Pset_deflate(plan, 1);
        if (kind == 2) H5Pset_filter(plan, 32000, H5Z_FLAG_OPTIONAL, 0, NULL); /* h5py's lzf, a plugin elsewhere */
        put_set("train_loss", H5T_IEEE_F64LE, 1, &dim, plan, true);
        expect(kind == 0 ? "train_loss: is packed by filter 5" : kind == 1 ? "train_loss: is packed by a second filter 1" :
               "train_loss: is packed by filter 32000");
        H5Pclose(plan);
    }
    hid_t plan = H5Pcreate(H5P_DATASET_CREATE); /* what people's tools do is read */
    H5Pset_chunk(plan, 1, &dim);
    H5Pset_fletcher32(plan);
    H5Pset_shuffle(plan);
    H5Pset_deflate(plan, 9);
    put_set("train_loss", H5T_IEEE_F32BE, 1, &dim, plan, true);
    H5Pclose(plan);
    make_earlier(results);
    ss_results *r = ss_results_open(results, NULL);
    CU_ASSERT(r && ss_results_column(r, "train_loss")->number[0] == 0);
    ss_results_destroy(r);
    end_strangers();
}

/* Groups that contain themselves, and what else a user may have put beside ours: nobody goes there. */
static void test_loops(void)
{
    begin_strangers(small);
    hid_t file = change();
    H5Lcreate_hard(file, "/", file, "itself", H5P_DEFAULT, H5P_DEFAULT);
    H5Lcreate_hard(file, "/", file, "history/up", H5P_DEFAULT, H5P_DEFAULT);
    H5Lcreate_external("/nowhere.h5", "/", file, "mine", H5P_DEFAULT, H5P_DEFAULT);
    H5Fclose(file);
    alarm(60);
    ss_results *r = ss_results_open(results, NULL);
    CU_ASSERT_PTR_NOT_NULL(r);
    ss_results_destroy(r);
    alarm(0);
    file = change();
    H5Ldelete(file, "history", H5P_DEFAULT);
    H5Lcreate_hard(file, "lambda_max", file, "history", H5P_DEFAULT, H5P_DEFAULT);
    H5Fclose(file);
    expect("history: is not a group");
    file = change();
    H5Ldelete(file, "lambda_max", H5P_DEFAULT);
    H5Lcreate_hard(file, "history", file, "lambda_max", H5P_DEFAULT, H5P_DEFAULT);
    H5Fclose(file);
    expect("lambda_max: is not a dataset");
    put_set("lambda_max", H5T_STD_REF_OBJ, 1, (hsize_t[]){n_rows}, H5P_DEFAULT, true);
    expect("lambda_max does not have the type");
    end_strangers();
}

static void test_axes(void)
{
    static const struct { const char *axes, *expected; } cases[] = {
        {"learning_rate lambda_max", "attribute axes names lambda_max, which is no setting, or twice"},
        {"learning_rate learning_rate", "attribute axes names learning_rate"},
        {"learning_rate n_eigenvalues", "attribute axes names n_eigenvalues"},
        {"learning_rate id", "attribute axes names id"},
        {"learning_rate history/../id", "is a path, not a name"},
        {"learning_rate .", "is a path, not a name"},
        {"learning_rate eigenvalue", "attribute axes names eigenvalue, which is no setting"},
    };
    begin_strangers(small);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        hid_t file = change(), type = H5Tcopy(H5T_C_S1), space = H5Screate(H5S_SCALAR);
        H5Tset_size(type, H5T_VARIABLE);
        H5Adelete(file, "axes");
        hid_t attribute = H5Acreate2(file, "axes", type, space, H5P_DEFAULT, H5P_DEFAULT);
        H5Awrite(attribute, type, &cases[i].axes);
        H5Aclose(attribute);
        H5Sclose(space);
        H5Tclose(type);
        H5Fclose(file);
        expect(cases[i].expected);
    }
    end_strangers();
}

/* ---- sizes that are claims ------------------------------------------------------------------------------------------ */

#ifdef __has_feature
#define HAS_FEATURE(name) __has_feature(name)
#else
#define HAS_FEATURE(name) 0
#endif
#if defined __SANITIZE_ADDRESS__ || HAS_FEATURE(address_sanitizer)
enum { MOST_MIB = 1024 };        /* what was freed stays with the sanitizer for a while */
#else
enum { MOST_MIB = 256 };
#endif

/* In a process of its own, whose largest memory is then its. */
static void in_little_memory(void (*run)(void))
{
    struct rusage use;
    int status = 0;
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        unsigned before = CU_get_number_of_failures();
        run();
        _exit(CU_get_number_of_failures() != before);
    }
    CU_ASSERT(child > 0 && wait4(child, &status, 0, &use) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
    CU_ASSERT(use.ru_maxrss < MOST_MIB * 1024);
    if (use.ru_maxrss >= MOST_MIB * 1024) fprintf(stderr, "\n    it took %ld MiB\n", use.ru_maxrss / 1024);
}

static void import_expects(const char *expected)
{
    ss_error error = {{0}};
    fixture f;
    double start = ss_clock_s();
    begin(&f, job);
    CU_ASSERT(open_store(&f, NULL, &error) == -1);
    ASSERT_TEXT(error.text, expected);
    CU_ASSERT(ss_clock_s() - start < 5);
    end(&f);
}

/* The history's other columns would contradict. */
static void drop_history(void)
{
    static const char *const name[] = {"epochs", "step", "learning_rate", "train_loss", "train_accuracy", "test_loss",
                                       "test_accuracy", "gradient_norm"};
    char path[80];
    hid_t file = change();
    for (size_t i = 0; i < sizeof name / sizeof *name; i++) {
        snprintf(path, sizeof path, "history/%s", name[i]);
        CU_ASSERT(H5Ldelete(file, path, H5P_DEFAULT) >= 0);
    }
    H5Fclose(file);
    ss_free(whole);
    whole = read_bytes(results, &whole_n);
}

static void long_history(void)
{
    drop_history();
    const hsize_t dim[2] = {n_rows, 10000000};
    hid_t plan = H5Pcreate(H5P_DATASET_CREATE);
    put_set("history/train_loss", H5T_IEEE_F64LE, 2, dim, plan, false); /* hollow */
    import_expects("train_loss: is said to have 240000000 bytes, but the file holds 0 of them");
    H5Pset_chunk(plan, 2, (const hsize_t[]){1, 100000});
    H5Pset_deflate(plan, 9);
    put_set("history/train_loss", H5T_IEEE_F64LE, 2, dim, plan, false);
    hid_t file = H5Fopen(results, H5F_ACC_RDWR, H5P_DEFAULT), set = H5Dopen2(file, "history/train_loss", H5P_DEFAULT);
    hid_t space = H5Dget_space(set), one = H5Screate(H5S_SCALAR);
    for (hsize_t k = 0; k < 20; k++) { /* some of it is there, and deflated as far as it goes */
        const hsize_t at[2] = {0, k * 100000}, count[2] = {1, 1};
        double zero = 0;
        H5Sselect_hyperslab(space, H5S_SELECT_SET, at, NULL, count, NULL);
        H5Dwrite(set, H5T_NATIVE_DOUBLE, one, space, H5P_DEFAULT, &zero);
    }
    H5Sclose(one);
    H5Sclose(space);
    H5Dclose(set);
    H5Fclose(file);
    import_expects("train_loss: is said to have 240000000 bytes");
    H5Pclose(plan);
    plan = H5Pcreate(H5P_DATASET_CREATE); /* a chunk larger than the whole */
    H5Pset_chunk(plan, 1, (const hsize_t[]){400000000});
    H5Pset_deflate(plan, 9);
    hsize_t now = n_rows, most = H5S_UNLIMITED;
    file = change();
    H5Ldelete(file, "lambda_max", H5P_DEFAULT);
    space = H5Screate_simple(1, &now, &most);
    H5Dclose(H5Dcreate2(file, "lambda_max", H5T_IEEE_F64LE, space, H5P_DEFAULT, plan, H5P_DEFAULT));
    H5Sclose(space);
    H5Fclose(file);
    expect("lambda_max: has chunks of 3200000000 bytes for data of");
    H5Pclose(plan);
}

static void test_long_history(void)
{
    begin_strangers(small);
    in_little_memory(long_history);
    end_strangers();
}

/* 4 MB of rows that deflate to nothing, and ids of which there is not one. */
static void many_rows(void)
{
    const hsize_t dim = 500000;
    hid_t plan = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_chunk(plan, 1, &dim);
    H5Pset_deflate(plan, 9);
    put_set("point", H5T_STD_I64LE, 1, &dim, plan, true);
    expect("has 500000 rows, but");
    H5Pclose(plan);
}

static void test_many_rows(void)
{
    begin_strangers(small);
    in_little_memory(many_rows);
    end_strangers();
}

static void test_wide_numbers(void)
{
    begin_strangers(small);
    hsize_t dim = n_rows;
    hid_t wide = H5Tcopy(H5T_IEEE_F64LE); /* HDF5 would convert them in gigabytes */
    H5Tset_size(wide, 1 << 20);
    put_set("lambda_max", wide, 1, &dim, H5P_DEFAULT, true);
    expect("lambda_max: has numbers of 1048576 bytes, at most 16 are expected");
    H5Tclose(wide);
    hid_t file = change(), space = H5Screate(H5S_SCALAR);
    wide = H5Tcopy(H5T_STD_I64LE);
    H5Tset_size(wide, 1 << 15);
    H5Adelete(file, "schema_version");
    hid_t attribute = H5Acreate2(file, "schema_version", wide, space, H5P_DEFAULT, H5P_DEFAULT);
    CU_ASSERT(attribute >= 0);
    H5Aclose(attribute);
    H5Sclose(space);
    H5Tclose(wide);
    H5Fclose(file);
    expect("attribute schema_version is not one integer of at most 64 bits");
    end_strangers();
}

/* Every row of text variable `name` becomes row 0's reference: no writer does it, but HDF5 reads it. */
static void share_text(const char *name, const char *text)
{
    hid_t file = change(), set = H5Dopen2(file, name, H5P_DEFAULT), type = H5Dget_type(set);
    const char **value = ss_alloc(n_rows, sizeof *value);
    for (size_t i = 0; i < n_rows; i++) value[i] = i ? "" : text;
    CU_ASSERT(H5Dwrite(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, value) >= 0);
    ss_free(value);
    haddr_t at = H5Dget_offset(set);
    H5Tclose(type);
    H5Dclose(set);
    H5Fclose(file);
    size_t n;
    unsigned char *bytes = read_bytes(results, &n);
    for (size_t i = 1; i < n_rows; i++) memcpy(bytes + at + 16 * i, bytes + at, 16);
    write_bytes(results, bytes, n);
    ss_free(bytes);
}

static char long_text[(1 << 20) + 1];

static void long_texts(void)
{
    memset(long_text, 'x', 1 << 20);
    share_text("error", long_text);
    expect("error: a text of 1048577 bytes, at most 256 are expected");
    share_text("activation", long_text);
    expect("activation: a text of 1048577 bytes, at most 65536 are expected");
    long_text[60000] = '\0';
    share_text("activation", long_text);
    expect("activation: its texts have more bytes than the file");
}

static void test_long_texts(void)
{
    begin_strangers(many);
    in_little_memory(long_texts);
    end_strangers();
}

/* Datasets that all claim the same bytes of the file. */
static void shared_bytes(void)
{
    drop_history();
    static const char *const name[] = {"history/train_loss", "history/test_loss", "history/train_accuracy", "eigenvalue"};
    const hsize_t dim[2] = {n_rows, 100000}, bytes = 8 * dim[0] * dim[1];
    hid_t file = change();
    for (int i = 0; i < 4; i++) {
        if (i == 3) H5Ldelete(file, name[i], H5P_DEFAULT);
        hid_t set = make_set(file, name[i], H5T_IEEE_F64LE, 2, dim, H5P_DEFAULT);
        double *zeros = ss_alloc(bytes, 1);
        if (i == 3) CU_ASSERT(H5Dwrite(set, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, zeros) >= 0);
        ss_free(zeros);
        H5Dclose(set);
    }
    hid_t set = H5Dopen2(file, "eigenvalue", H5P_DEFAULT);
    haddr_t at = H5Dget_offset(set);
    H5Dclose(set);
    H5Fclose(file);
    size_t n, changed = 0;
    unsigned char *p = read_bytes(results, &n), hollow[16];
    memset(hollow, 0xff, 8);
    memcpy(hollow + 8, &bytes, 8);
    for (size_t i = 0; i + 16 <= n; i++) {
        if (memcmp(p + i, hollow, 16) != 0) continue;
        memcpy(p + i, &at, 8);
        changed++;
    }
    CU_ASSERT_EQUAL(changed, 3);
    write_bytes(results, p, n);
    ss_free(p);
    import_expects("its variables are said to have");
}

static void test_shared_bytes(void)
{
    begin_strangers(small);
    in_little_memory(shared_bytes);
    end_strangers();
}

static const ss_case cases[] = {
    {"links", test_links}, {"other files", test_other_files}, {"filters", test_filters}, {"loops", test_loops},
    {"axes", test_axes}, {"a long history", test_long_history}, {"many rows", test_many_rows},
    {"wide numbers", test_wide_numbers}, {"long texts", test_long_texts}, {"shared bytes", test_shared_bytes},
};
SS_SUITE("strangers", cases)
