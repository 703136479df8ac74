/* test_carry.c - what a user adds to results.h5 is in the file that takes its place, or is refused by name before that is
 * made. */
#include "fixture.h"

#include <hdf5_hl.h>

#include "../../src/store/carry.h"

static const char job[] = "model:\n  network: mlp\n  widths: [8]\ndata:\n  dataset: synthetic\ncurvature:\n"
                          "  curvature_examples: all\n  spectrum_probes: 2\n  trace_probes: 2\n  track_every_epochs: 1\n"
                          "  track_measures: true\ngrid:\n  learning_rate: [0.1, 0.2, 0.3]\n  batch_norm: [true, false]\n";
enum { N = 6 };
static unsigned char *whole;     /* as the program wrote it */
static size_t whole_n;
static char fresh[440];

static void begin_carry(void)
{
    fixture f;
    make_folder();
    with_measures = true;
    must_open(&f, job);
    for (size_t i = 0; i < f.n; i++) must_keep(&f, i, SS_DONE, i + 2);
    end(&f);
    with_measures = false;
    whole = read_bytes(results, &whole_n);
    snprintf(fresh, sizeof fresh, "%s/fresh.h5", folder);
}

static void end_carry(void)
{
    ss_free(whole);
    remove_folder();
}

static hid_t change(void)
{
    write_bytes(results, whole, whole_n);
    return H5Fopen(results, H5F_ACC_RDWR, H5P_DEFAULT);
}

static hid_t make(hid_t at, const char *name, int rank, const hsize_t *dim, hid_t plan)
{
    hid_t space = H5Screate_simple(rank, dim, NULL);
    hid_t set = H5Dcreate2(at, name, H5T_IEEE_F64LE, space, H5P_DEFAULT, plan, H5P_DEFAULT);
    size_t n = 1;
    double value[64];
    for (int d = 0; d < rank; d++) n *= dim[d];
    for (size_t i = 0; i < n && i < 64; i++) value[i] = (double)i / 4;
    CU_ASSERT(set >= 0 && n <= 64 && H5Dwrite(set, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, value) >= 0);
    H5Sclose(space);
    return set;
}

static void attach(hid_t file, const char *set, const char *scale, unsigned dim)
{
    hid_t a = H5Dopen2(file, set, H5P_DEFAULT), b = H5Dopen2(file, scale, H5P_DEFAULT);
    CU_ASSERT(H5DSattach_scale(a, b, dim) >= 0);
    H5Dclose(a);
    H5Dclose(b);
}

static void note(hid_t file, const char *path, const char *name, const char *value)
{
    ss_error error;
    hid_t at = H5Oopen(file, path, H5P_DEFAULT);
    CU_ASSERT(at >= 0 && ss_h5_put_text(at, name, value, &error) == 0);
    H5Oclose(at);
}

/* results.h5 is the old file; its things go into `fresh`, made of the program's own. The number of things, or -1. */
static int carry(size_t n_rows, ss_error *error)
{
    size_t n = 0;
    const ss_table none = {.n_rows = N}; /* no settings of other versions */
    write_bytes(fresh, whole, whole_n);
    int rc = ss_carry_check(results, &none, n_rows, false, &n, error);
    if (rc == 0) {
        hid_t file = H5Fopen(fresh, H5F_ACC_RDWR, H5P_DEFAULT);
        rc = ss_carry_copy(results, file, &none, error);
        H5Fclose(file);
    }
    CU_ASSERT_EQUAL(H5Fget_obj_count((hid_t)H5F_OBJ_ALL, H5F_OBJ_ALL & ~H5F_OBJ_DATATYPE), 0);
    return rc ? -1 : (int)n;
}

static int must_carry(void)
{
    ss_error error = {{0}};
    int n = carry(N, &error);
    if (n < 0) fprintf(stderr, "\n    %s\n", error.text);
    return n;
}

static void refuses(const char *expected)
{
    ss_error error = {{0}};
    CU_ASSERT_EQUAL(carry(N, &error), -1);
    ASSERT_TEXT(error.text, expected);
}

/* ---- what is carried ------------------------------------------------------------------------------------------------ */

typedef struct scales { int n; char path[4][64]; } scales;

static herr_t list_scale(hid_t set, unsigned dim, hid_t scale, void *ctx)
{
    scales *s = ctx;
    (void)set;
    (void)dim;
    H5Iget_name(scale, s->path[s->n++ % 4], 64);
    return 0;
}

static void is_attached(hid_t file, const char *name, unsigned dim, const char *scale)
{
    hid_t set = H5Dopen2(file, name, H5P_DEFAULT), other = H5Dopen2(file, scale, H5P_DEFAULT);
    scales s = {0};
    CU_ASSERT(H5DSiterate_scales(set, dim, NULL, list_scale, &s) == 0);
    CU_ASSERT_EQUAL(s.n, 1);
    CU_ASSERT_STRING_EQUAL(s.path[0], scale);
    CU_ASSERT(H5DSis_attached(set, other, dim) > 0);
    H5Dclose(other);
    H5Dclose(set);
}

static void holds(hid_t file, const char *name, size_t n)
{
    double value[64] = {0};
    hid_t set = H5Dopen2(file, name, H5P_DEFAULT);
    CU_ASSERT(set >= 0 && H5Dread(set, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, value) >= 0);
    for (size_t i = 0; i < n; i++) CU_ASSERT_EQUAL(value[i], (double)i / 4);
    H5Dclose(set);
}

static void notes(hid_t file, const char *path, const char *name, const char *expected)
{
    char *text = NULL;
    hid_t at = H5Oopen(file, path, H5P_DEFAULT);
    CU_ASSERT(at >= 0 && ss_h5_get_text(at, name, &text, NULL) == 0 && strcmp(text, expected) == 0);
    ss_free(text);
    H5Oclose(at);
}

static const struct { const char *name; int rank; hsize_t dim[2]; } sets[] = {
    {"mine/deep/table", 2, {N, 3}}, {"score", 1, {N}}, {"cuts", 2, {N, 3}}, {"history/smooth", 1, {N}}, {"journal_of_mine", 1, {3}},
    {"cut", 1, {3}}};
static const struct { const char *set, *scale; unsigned dim; } attached[] = {
    {"mine/deep/table", "/point", 0}, {"mine/deep/table", "/cut", 1}, {"score", "/point", 0}, {"cuts", "/point", 0}, {"cuts", "/cut", 1},
    {"history/smooth", "/point", 0}};
static const char *const noted[][3] = {{"/", "my_note", "checked by hand"}, {"history", "source", "elsewhere"},
                                       {"lambda_max", "seen_by", "me"}, {"history/step", "seen_by", "you"}, {"score", "units", "points"}};

static void add_things(hid_t file)
{
    const hsize_t three = 3;
    static const int32_t numbers[3] = {7, 8, 9};
    H5Gclose(H5Gcreate2(file, "mine", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    H5Gclose(H5Gcreate2(file, "mine/deep", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    for (size_t i = 0; i < 6; i++) H5Dclose(make(file, sets[i].name, sets[i].rank, sets[i].dim, H5P_DEFAULT));
    hid_t scale = H5Dopen2(file, "cut", H5P_DEFAULT);
    CU_ASSERT(H5DSset_scale(scale, "cut") >= 0);
    H5Dclose(scale);
    for (size_t i = 0; i < 6; i++) attach(file, attached[i].set, attached[i].scale, attached[i].dim);
    for (size_t i = 0; i < 5; i++) note(file, noted[i][0], noted[i][1], noted[i][2]);
    for (char name[] = "a"; name[0] <= 'p'; name[0]++) { /* so many that HDF5 stores them in another way */
        note(file, "cuts", name, "of many");
        note(file, "mine", name, "of many");
    }
    hid_t set = H5Dopen2(file, "lambda_max", H5P_DEFAULT), space = H5Screate_simple(1, &three, NULL), empty = H5Screate(H5S_NULL);
    hid_t attribute = H5Acreate2(set, "numbers", H5T_STD_I32LE, space, H5P_DEFAULT, H5P_DEFAULT);
    H5Awrite(attribute, H5T_NATIVE_INT32, numbers);
    H5Aclose(attribute);
    H5Aclose(H5Acreate2(set, "empty", H5T_STD_I32LE, empty, H5P_DEFAULT, H5P_DEFAULT));
    H5Sclose(empty);
    H5Sclose(space);
    H5Dclose(set);
}

static void check_things(hid_t file)
{
    int32_t numbers[3] = {0};
    for (size_t i = 0; i < 6; i++) holds(file, sets[i].name, sets[i].dim[0] * (sets[i].rank == 2 ? 3 : 1));
    for (size_t i = 0; i < 6; i++) is_attached(file, attached[i].set, attached[i].dim, attached[i].scale);
    is_attached(file, "lambda_max", 0, "/point");
    for (size_t i = 0; i < 5; i++) notes(file, noted[i][0], noted[i][1], noted[i][2]);
    for (char name[] = "a"; name[0] <= 'p'; name[0]++) {
        notes(file, "cuts", name, "of many");
        notes(file, "mine", name, "of many");
    }
    hid_t set = H5Dopen2(file, "lambda_max", H5P_DEFAULT), attribute = H5Aopen(set, "numbers", H5P_DEFAULT);
    CU_ASSERT(H5Aread(attribute, H5T_NATIVE_INT32, numbers) >= 0 && numbers[2] == 9);
    H5Aclose(attribute);
    CU_ASSERT(H5Aexists(set, "empty") > 0);
    H5Dclose(set);
}

static void test_things(void)
{
    begin_carry();
    CU_ASSERT_EQUAL(must_carry(), 0); /* of a file that nobody touched */
    hid_t file = change();
    add_things(file);
    H5Fclose(file);
    for (int turn = 0; turn < 3; turn++) { /* as often as the file is made anew */
        CU_ASSERT_EQUAL(must_carry(), 49);
        file = H5Fopen(fresh, H5F_ACC_RDONLY, H5P_DEFAULT);
        check_things(file);
        H5Fclose(file);
        CU_ASSERT(rename(fresh, results) == 0);
    }
    ss_results *r = ss_results_open(results, NULL);
    CU_ASSERT(r && r->n == N);
    ss_results_destroy(r);
    ss_error error;
    CU_ASSERT_EQUAL(carry(N + 1, &error), -1);
    ASSERT_TEXT(error.text, "cuts: has 6 values along point, and the file is to have 7 rows; move it to a file of its own");
    end_carry();
}

/* Loops and second names: nothing is walked for ever. */
static void test_hard_links(void)
{
    static const char *const link[][2] = {{"a", "a/itself"}, {"a", "b/other"}, {"a/set", "set"}};
    const hsize_t rows = N;
    begin_carry();
    for (int i = 0; i < 3; i++) {
        hid_t file = change();
        H5Gclose(H5Gcreate2(file, "a", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
        H5Gclose(H5Gcreate2(file, "b", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
        H5Dclose(make(file, "a/set", 1, &rows, H5P_DEFAULT));
        H5Lcreate_hard(file, link[i][0], file, link[i][1], H5P_DEFAULT, H5P_DEFAULT);
        H5Fclose(file);
        alarm(60);
        refuses("has a second name, which cannot be carried over; copy its data instead");
        alarm(0);
    }
    hid_t file = change(), type = H5Tcopy(H5T_STD_I32LE);
    CU_ASSERT(H5Tcommit2(file, "a_type", type, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT) >= 0);
    H5Tclose(type);
    H5Fclose(file);
    refuses("a_type: is neither a group nor a variable; move it to a file of its own");
    end_carry();
}

/* Variables of ours that this program would not write now are no user's: other versions' settings, measures not asked for. */
static void test_ours(void)
{
    const hsize_t rows = N;
    ss_error error;
    begin_carry();
    hid_t file = change();
    H5Dclose(make(file, "old_setting", 1, &rows, H5P_DEFAULT));
    H5Dclose(make(file, "sharpness", 1, &rows, H5P_DEFAULT));
    note(file, "lambda_max", "_Netcdf4Dimid", "0");
    H5Adelete(file, "cpu");
    note(file, "/", "cpu", "another");
    H5Fclose(file);
    const char *name[] = {"old_setting"}, *text[] = {""};
    ss_session session = {.n_settings = 1, .setting = name, .text = text}, *sessions = &session;
    const ss_table t = {.n_sessions = 1, .session = &sessions};
    size_t n = 1;
    CU_ASSERT(ss_carry_check(results, &t, N, false, &n, &error) == 0 && n == 0);
    CU_ASSERT_EQUAL(must_carry(), 1); /* nobody knows of the setting: a user's */
    end_carry();
}

/* ---- what is refused ------------------------------------------------------------------------------------------------ */

static void refuses_set(const char *name, hid_t type, hid_t plan, const char *expected)
{
    const hsize_t rows = N;
    hid_t file = change(), space = H5Screate_simple(1, &rows, NULL);
    hid_t set = H5Dcreate2(file, name, type, space, H5P_DEFAULT, plan, H5P_DEFAULT);
    CU_ASSERT(set >= 0);
    H5Dclose(set);
    H5Sclose(space);
    H5Fclose(file);
    H5Pclose(plan);
    refuses(expected);
}

static void test_refusals(void)
{
    const hsize_t rows = N;
    begin_carry();
    hid_t space = H5Screate_simple(1, &rows, NULL), plan = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_external(plan, "/etc/passwd", 0, N * 8);
    refuses_set("mine", H5T_IEEE_F64LE, plan, "mine: has external storage");
    plan = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_virtual(plan, space, "other.h5", "x", space);
    refuses_set("history/mine", H5T_IEEE_F64LE, plan, "history/mine: is a virtual dataset");
    plan = H5Pcreate(H5P_DATASET_CREATE);
    refuses_set("mine", H5T_STD_REF_OBJ, plan, "mine: holds references to objects, which will lie elsewhere");
    static const char *const link[] = {"mine", "spectrum/mine", "group/deep"};
    for (int i = 0; i < 3; i++) for (int kind = 0; kind < 3; kind++) {
        hid_t file = change();
        if (i == 2) H5Gclose(H5Gcreate2(file, "group", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
        if (kind == 0) H5Lcreate_soft("/lambda_max", file, link[i], H5P_DEFAULT, H5P_DEFAULT);
        if (kind == 1) H5Lcreate_external("other.h5", "/x", file, link[i], H5P_DEFAULT, H5P_DEFAULT);
        if (kind == 2) H5Lcreate_hard(file, "lambda_max", file, link[i], H5P_DEFAULT, H5P_DEFAULT);
        H5Fclose(file);
        char expected[128];
        snprintf(expected, sizeof expected, kind == 2 ? "has a second name, which cannot be carried over" :
                 "%s: is a link that is no hard one; copy its data instead", link[i]);
        refuses(expected);
    }
    hid_t file = change();
    H5Lcreate_hard(file, "/", file, "itself", H5P_DEFAULT, H5P_DEFAULT);
    H5Fclose(file);
    refuses("itself: has a second name, which cannot be carried over");
    file = change();
    hobj_ref_t reference;
    H5Rcreate(&reference, file, "id", H5R_OBJECT, -1);
    hid_t set = H5Dopen2(file, "id", H5P_DEFAULT);
    hid_t attribute = H5Acreate2(set, "leads", H5T_STD_REF_OBJ, space, H5P_DEFAULT, H5P_DEFAULT);
    H5Aclose(attribute);
    H5Dclose(set);
    H5Fclose(file);
    refuses("id: attribute leads refers to objects");
    file = change();
    H5Dclose(make(file, "history/mine", 1, &rows, H5P_DEFAULT));
    attach(file, "history/mine", "history/epoch", 0);
    H5Fclose(file);
    refuses("history/mine: has the dimension history/epoch, whose length may change; move it to a file of its own");
    file = change();
    hid_t at = file;
    for (int i = 0; i < 200; i++) { /* a walk that goes in would end with the stack */
        hid_t next = H5Gcreate2(at, "g", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
        if (at != file) H5Gclose(at);
        at = next;
    }
    H5Gclose(at);
    H5Fclose(file);
    refuses("lies too deep in groups; move it to a file of its own");
    H5Sclose(space);
    end_carry();
}

/* A filter that is not there here, as of h5py's lzf: the bytes are copied as they lie. */
static void test_foreign_filter(void)
{
    const hsize_t rows = N;
    double value[N] = {0};
    begin_carry();
    hid_t file = change(), plan = H5Pcreate(H5P_DATASET_CREATE), space = H5Screate_simple(1, &rows, NULL);
    H5Pset_chunk(plan, 1, &rows);
    H5Pset_filter(plan, 32000, H5Z_FLAG_OPTIONAL, 0, NULL);
    hid_t set = H5Dcreate2(file, "mine", H5T_IEEE_F64LE, space, H5P_DEFAULT, plan, H5P_DEFAULT);
    CU_ASSERT(H5Dwrite_chunk(set, H5P_DEFAULT, 0, (const hsize_t[]){0}, 5, "bytes") >= 0);
    H5Dclose(set);
    H5Fclose(file);
    CU_ASSERT_EQUAL(must_carry(), 1);
    file = H5Fopen(fresh, H5F_ACC_RDONLY, H5P_DEFAULT);
    set = H5Dopen2(file, "mine", H5P_DEFAULT);
    uint32_t mask;
    CU_ASSERT(H5Dread_chunk(set, H5P_DEFAULT, (const hsize_t[]){0}, &mask, value) >= 0 && memcmp(value, "bytes", 5) == 0);
    H5Dclose(set);
    H5Fclose(file);
    H5Pclose(plan);
    plan = H5Pcreate(H5P_DATASET_CREATE);
    hid_t text = ss_h5_text_type(); /* of texts they would have to be unpacked */
    H5Pset_chunk(plan, 1, &rows);
    H5Pset_filter(plan, 32000, H5Z_FLAG_OPTIONAL, 0, NULL);
    refuses_set("mine", text, plan, "mine: is packed by filter 32000");
    H5Tclose(text);
    H5Sclose(space);
    end_carry();
}

/* ---- as xarray and h5py write and read them -------------------------------------------------------------------------- */

static const char add_script[] =
    "import sys, numpy as np, xarray as xr, h5py\n"
    "path, engine = sys.argv[1:]\n"
    "n = xr.open_dataset(path, engine=engine).sizes['point']\n"
    "new = xr.Dataset({'score': ('point', np.arange(n) * 1.5), 'table': (('point', 'cut'), np.ones((n, 3))),\n"
    "                  'word': ('point', np.array(['w%d' % i for i in range(n)], dtype=object))},\n"
    "                 coords={'cut': [1., 2., 3.]}, attrs={'my_note': 'checked by hand'})\n"
    "new.to_netcdf(path, mode='a', engine=engine)\n"
    "new.to_netcdf(path, mode='a', engine=engine, group='mine')\n"
    "with h5py.File(path, 'a') as f:\n"
    "    f['raw/plain'] = np.arange(5)\n"
    "    f.create_dataset('raw/packed', data=np.arange(100.), compression='lzf')\n"
    "    f['lambda_max'].attrs['seen_by'] = 'me'\n"
    "    f['id'].attrs['flag_meanings'] = f['seed'].attrs['flag_meanings'] = f['status'].attrs['units'] = 'mine'\n";
static const char check_script[] =
    "import sys, numpy as np, xarray as xr, h5py\n"
    "for engine in 'netcdf4', 'h5netcdf':\n"
    "    for group in None, 'mine':\n"
    "        with xr.open_dataset(sys.argv[1], engine=engine, group=group) as d:\n"
    "            assert (d.score.values == np.arange(d.sizes['point']) * 1.5).all() and d.score.dims == ('point',)\n"
    "            assert d.table.dims == ('point', 'cut') and (d.table.values == 1).all() and d.word.values[2] == 'w2'\n"
    "            assert list(d.cut.values) == [1, 2, 3] and d.attrs['my_note'] == 'checked by hand'\n"
    "            assert group or (d.lambda_max.dims == ('point',) and d.lambda_max.attrs['seen_by'] == 'me')\n"
    "with h5py.File(sys.argv[1]) as f:\n"
    "    assert list(f['raw/plain']) == list(range(5)) and f['raw/packed'][99] == 99\n"
    "    assert f['id'].attrs['flag_meanings'] == f['seed'].attrs['flag_meanings'] == f['status'].attrs['units'] == 'mine'\n";

static int python(const char *script, const char *path, const char *engine)
{
    char name[440], command[2000];
    snprintf(name, sizeof name, "%s/script.py", folder);
    write_bytes(name, script, strlen(script));
    snprintf(command, sizeof command, "/usr/bin/python3 '%s' '%s' %s", name, path, engine);
    return system(command);
}

/* Many rows, texts of no length, no rows at all, and rows that share one long text. */
static void test_texts(void)
{
    enum { ROWS = 9001 };
    static char word[ROWS][8], long_text[100001];
    static const char *text[ROWS];
    const hsize_t rows = ROWS, none = 0;
    begin_carry();
    hid_t file = change(), type = ss_h5_text_type(), space = H5Screate_simple(1, &rows, NULL), empty = H5Screate(H5S_NULL);
    hid_t no_rows = H5Screate_simple(1, &none, NULL), one = H5Screate(H5S_SCALAR);
    for (int i = 0; i < ROWS; i++) {
        snprintf(word[i], sizeof word[i], "w%d", i);
        text[i] = i % 5 ? word[i] : i % 10 ? "" : NULL;
    }
    hid_t set = H5Dcreate2(file, "words", type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    CU_ASSERT(H5Dwrite(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, text) >= 0);
    H5Dclose(set);
    H5Dclose(H5Dcreate2(file, "nothing", type, empty, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    H5Dclose(H5Dcreate2(file, "no_rows", type, no_rows, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    set = H5Dcreate2(file, "one", type, one, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    CU_ASSERT(H5Dwrite(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, &text[1]) >= 0);
    H5Dclose(set);
    H5Fclose(file);
    CU_ASSERT_EQUAL(must_carry(), 4);
    file = H5Fopen(fresh, H5F_ACC_RDONLY, H5P_DEFAULT);
    char **back = ss_alloc(ROWS, sizeof *back), *single = NULL;
    set = H5Dopen2(file, "words", H5P_DEFAULT);
    CU_ASSERT(H5Dread(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, back) >= 0);
    int wrong = 0;
    for (int i = 0; i < ROWS; i++) wrong += strcmp(back[i] ? back[i] : "", text[i] ? text[i] : "") != 0;
    CU_ASSERT_EQUAL(wrong, 0);
    H5Dvlen_reclaim(type, space, H5P_DEFAULT, back);
    ss_free(back);
    H5Dclose(set);
    set = H5Dopen2(file, "one", H5P_DEFAULT);
    CU_ASSERT(H5Dread(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, &single) >= 0 && strcmp(single, "w1") == 0);
    H5Dvlen_reclaim(type, one, H5P_DEFAULT, &single);
    H5Dclose(set);
    H5Fclose(file);

    memset(long_text, 'x', sizeof long_text - 1);
    for (int i = 0; i < ROWS; i++) text[i] = i ? NULL : long_text;
    file = change();
    set = H5Dcreate2(file, "shared", type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    CU_ASSERT(H5Dwrite(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, text) >= 0);
    haddr_t at = H5Dget_offset(set);
    H5Dclose(set);
    H5Fclose(file);
    size_t n;
    unsigned char *bytes = read_bytes(results, &n);
    for (size_t i = 1; i < ROWS; i++) memcpy(bytes + at + 16 * i, bytes + at, 16);
    write_bytes(results, bytes, n);
    ss_free(bytes);
    refuses("cannot be carried over to the file made anew: shared: its texts have more bytes than the file");
    H5Tclose(type);
    H5Sclose(space);
    H5Sclose(empty);
    H5Sclose(no_rows);
    H5Sclose(one);
    end_carry();
}

static void test_xarray(void)
{
    static const char *const engine[] = {"netcdf4", "h5netcdf"};
    begin_carry();
    if (python("import xarray, h5py, netCDF4, h5netcdf\n", "", "2>/dev/null") != 0) {
        fprintf(stderr, "skipped: /usr/bin/python3 lacks xarray, h5py, netCDF4 or h5netcdf ");
        CU_PASS("skipped");
        end_carry();
        return;
    }
    for (int i = 0; i < 2; i++) {
        write_bytes(results, whole, whole_n);
        CU_ASSERT(python(add_script, results, engine[i]) == 0);
        for (int turn = 0; turn < 2; turn++) {
            CU_ASSERT(must_carry() > 5);
            CU_ASSERT(python(check_script, fresh, "") == 0);
            CU_ASSERT(rename(fresh, results) == 0);
        }
        ss_results *r = ss_results_open(results, NULL);
        CU_ASSERT_PTR_NOT_NULL(r);
        ss_results_destroy(r);
    }
    end_carry();
}

static const ss_case cases[] = {
    {"things", test_things}, {"hard links", test_hard_links}, {"ours", test_ours}, {"refusals", test_refusals},
    {"a foreign filter", test_foreign_filter}, {"texts", test_texts}, {"xarray", test_xarray},
};
SS_SUITE("carry", cases)
