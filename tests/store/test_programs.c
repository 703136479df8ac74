/* test_programs.c - the same point computed by an earlier program, whose records lack fields, and by this one: the files merge in
 * either order, with their journals or without, and what is known stays known. Spectra: rows as long as the longest. */
#include "fixture.h"

static const char *const job =
    "model:\n  widths: [8]\ndata:\n  dataset: synthetic\ntraining:\n  sam_rho: 0.05\ncurvature:\n  curvature_examples: 100\n"
    "  track_every_epochs: 1\ngrid:\n  learning_rate: [0.1, 0.2, 0.3]\n";

static char file[3][300];         /* earlier, now, merged */

static void hide(ss_record *r, const char *name)
{
    size_t n, i = 0;
    const ss_field *f = ss_record_fields(&n);
    while (strcmp(f[i].name, name) != 0) i++;
    r->absent[i / 64] |= (uint64_t)1 << (i % 64);
}

/* Both know lambda_max and so on alike; this program SAM's edge and how convolutions were computed as well. */
static void fill(ss_record *r, size_t point, bool earlier)
{
    size_t n, edge = 0;
    const ss_field *track = ss_track_fields(&n);
    while (strcmp(track[edge].name, "sam_edge") != 0) edge++;
    make_record(r, SS_DONE, 4 + point);
    strcpy(r->finished, earlier ? "2025-01-01T00:00:00Z" : "2026-01-01T00:00:00Z");
    if (earlier) hide(r, "convolutions");
    else strcpy(r->convolutions, "im2col");
    if (!earlier) r->sam_edge = 0.5 + (double)point;
    for (size_t i = 0; i < r->track.n_rows && !earlier; i++) r->track.value[i * r->track.n_columns + edge] = 0.25;
}

static void make_file(const char *path, bool earlier, double lambda_shift)
{
    fixture f;
    char journal[440];
    must_open(&f, job);
    for (size_t i = 0; i < f.n; i++) {
        ss_record r;
        fill(&r, i, earlier);
        r.lambda_max += lambda_shift;
        CU_ASSERT_EQUAL(ss_store_start(f.store, i, 0, NULL), 0);
        CU_ASSERT_EQUAL(ss_store_keep(f.store, i, &r, NULL), 0);
        ss_record_finish(&r);
    }
    end(&f);
    snprintf(journal, sizeof journal, "%.400s.journal", path);
    CU_ASSERT(rename(results, path) == 0 && rename(journal_file, journal) == 0);
}

static void drop(const char *path, bool with_file)
{
    char journal[440];
    snprintf(journal, sizeof journal, "%.400s.journal", path);
    if (with_file) unlink(path);
    unlink(journal);
}

/* An earlier program's file has no such columns. */
static void forget_columns(const char *path)
{
    static const char *const names[] = {"convolutions", "sam_edge", "history/track_sam_edge"};
    hid_t at = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT);
    for (size_t i = 0; i < 3; i++) CU_ASSERT(H5Ldelete(at, names[i], H5P_DEFAULT) >= 0);
    CU_ASSERT(H5Fclose(at) >= 0);
}

static void begin_files(double lambda_shift)
{
    make_folder();
    snprintf(file[0], sizeof file[0], "%s/earlier.h5", folder);
    snprintf(file[1], sizeof file[1], "%s/now.h5", folder);
    snprintf(file[2], sizeof file[2], "%s/all.h5", folder);
    make_file(file[0], true, 0);
    forget_columns(file[0]);
    make_file(file[1], false, lambda_shift);
}

static void check_merged(void)
{
    ss_results *r = open_alone(file[2], NULL);
    CU_ASSERT_FATAL(r && r->n == 3);
    const ss_column *edge = ss_results_column(r, "sam_edge"), *convolutions = ss_results_column(r, "convolutions");
    for (size_t i = 0; i < 3; i++) CU_ASSERT(edge && edge->number[i] == 0.5 + (double)i);
    for (size_t i = 0; i < 3; i++) CU_ASSERT(convolutions && strcmp(convolutions->text[i], "im2col") == 0);
    ss_results_destroy(r);
    char lines[8192] = "";
    CU_ASSERT_EQUAL(ss_store_verify(file[2], false, say, lines, NULL), 0);
    if (lines[0]) fprintf(stderr, "\n    %s", lines);
}

static void merge_in_either_order(void)
{
    for (int first = 0; first < 2; first++)
        for (int lost = 0; lost < 3; lost++) { /* whose journal is lost: the earlier's, this one's, nobody's */
            begin_files(0);
            if (lost < 2) drop(file[lost], false);
            const char *const in[] = {file[first], file[1 - first]};
            ss_merged merged;
            ss_error error = {{0}};
            int rc = ss_store_merge(file[2], 2, in, &merged, &error);
            if (rc) fprintf(stderr, "\n    %s\n", error.text);
            CU_ASSERT(rc == 0);
            if (rc == 0) CU_ASSERT(merged.n_points == 3 && merged.n_finished == 3 && merged.n_agreed == 3);
            if (rc == 0) check_merged();
            /* once more, into what is there */
            CU_ASSERT_EQUAL(ss_store_merge(file[2], 2, in, &merged, NULL), 0);
            check_merged();
            remove_folder();
        }
}

/* What both knew must agree. */
static void two_results(void)
{
    begin_files(1);
    for (int first = 0; first < 2; first++) {
        const char *const in[] = {file[first], file[1 - first]};
        ss_merged merged;
        ss_error error = {{0}};
        CU_ASSERT_EQUAL(ss_store_merge(file[2], 2, in, &merged, &error), -1);
        ASSERT_TEXT(error.text, "has two results: lambda_max is ");
    }
    remove_folder();
}

static hsize_t columns_of(const char *name)
{
    hsize_t dim[2] = {0, 0};
    hid_t at = H5Fopen(results, H5F_ACC_RDONLY, H5P_DEFAULT), set = H5Dopen2(at, name, H5P_DEFAULT), space = H5Dget_space(set);
    H5Sget_simple_extent_dims(space, dim, NULL);
    H5Sclose(space);
    H5Dclose(set);
    H5Fclose(at);
    return dim[1];
}

/* Ten thousand probes of a thousand steps may be ten nodes. */
static void spectra_as_long_as_they_are(void)
{
    fixture f;
    make_folder();
    must_open(&f, "data:\n  dataset: synthetic\ncurvature:\n  curvature_examples: 100\n  spectrum_probes: 10000\n"
                  "  spectrum_steps: 1000\ngrid:\n  learning_rate: [0.1, 0.2, 0.3]\n");
    for (size_t i = 0; i < f.n; i++) {
        ss_record r;
        make_record(&r, SS_DONE, 3 + i);
        for (size_t k = 0; k < 4 * i; k++) CU_ASSERT_EQUAL(ss_series_append(&r.spectrum, (double[]){(double)k, 0.1}), 0);
        CU_ASSERT_EQUAL(ss_store_start(f.store, i, 0, NULL), 0);
        CU_ASSERT_EQUAL(ss_store_keep(f.store, i, &r, NULL), 0);
        ss_record_finish(&r);
        if (i == 0) { /* no node at all: a dimension of one, which no reader takes for unlimited */
            CU_ASSERT_EQUAL(ss_store_refresh(f.store, true, NULL), 0);
            CU_ASSERT_EQUAL(columns_of("/spectrum/weight"), 1);
        }
    }
    end(&f);
    CU_ASSERT_EQUAL(columns_of("/spectrum/weight"), 8);
    CU_ASSERT_EQUAL(columns_of("/spectrum/eigenvalue"), 8);
    CU_ASSERT_EQUAL(ss_store_verify(results, false, say, NULL, NULL), 0);
    remove_folder();
}

static const ss_case cases[] = {{"merged in either order", merge_in_either_order}, {"two results", two_results},
                                {"spectra as long as they are", spectra_as_long_as_they_are}};
SS_SUITE("store, programs", cases)
