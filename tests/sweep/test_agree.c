/* test_agree.c - records of the same point by two programs, of which one did not know all fields yet. */
#include "sharpsweep/sweep.h"

#include <math.h>
#include <string.h>

#include "../suite.h"

static void hide(ss_record *r, const char *name)
{
    size_t n, i = 0;
    const ss_field *f = ss_record_fields(&n);
    while (strcmp(f[i].name, name) != 0) i++;
    r->absent[i / 64] |= (uint64_t)1 << (i % 64);
}

/* What is there after a journey through bytes. */
static void carry(ss_record *r)
{
    unsigned char *bytes;
    size_t n;
    CU_ASSERT_EQUAL_FATAL(ss_record_encode(r, &bytes, &n, NULL), 0);
    ss_record_finish(r);
    CU_ASSERT_EQUAL_FATAL(ss_record_decode(bytes, n, r, NULL), 0);
    ss_free(bytes);
}

static void unknown_column(ss_record *r, const char *name)
{
    size_t n, c = 0;
    const ss_field *f = ss_track_fields(&n);
    while (strcmp(f[c].name, name) != 0) c++;
    for (size_t i = 0; i < r->track.n_rows; i++) r->track.value[i * r->track.n_columns + c] = NAN;
}

/* Symmetric, and who lacks what. */
static void assert_agrees(const ss_record *a, const ss_record *b, bool agrees, bool a_lacks, bool b_lacks)
{
    CU_ASSERT(ss_record_agrees(a, b) == agrees && ss_record_agrees(b, a) == agrees);
    CU_ASSERT(ss_record_lacks(a, b) == a_lacks && ss_record_lacks(b, a) == b_lacks);
}

static void program(ss_record *r, bool earlier)
{
    size_t n_track;
    double row[64] = {0};
    ss_track_fields(&n_track);
    ss_record_init(r);
    r->status = SS_DONE;
    r->lambda_max = 0.1;
    r->trace = 17.5;
    for (size_t c = 0; c < n_track; c++) row[c] = 1 + (double)c / 16;
    for (int i = 0; i < 3; i++) CU_ASSERT_EQUAL(ss_series_append(&r->track, row), 0);
    r->sam_edge = 0.25;
    r->subset_lambda_mean = 3, r->subset_lambda_deviation = 1, r->subset_lambda_residual = 1e-4, r->subset_examples = 50;
    snprintf(r->convolutions, sizeof r->convolutions, "im2col");
    if (!earlier) return;
    r->convolutions[0] = 0;
    hide(r, "convolutions");
    r->sam_edge = NAN;
    unknown_column(r, "sam_edge");
}

static void programs_that_knew_less_agree(void)
{
    ss_record old, now;
    program(&old, true), program(&now, false);
    carry(&old), carry(&now);
    CU_ASSERT_FALSE(ss_record_same(&old, &now)); /* a file and its own journal must not differ like that */
    assert_agrees(&old, &now, true, true, false);
    assert_agrees(&old, &old, true, false, false);
    carry(&old); /* once more: it stays what it is */
    assert_agrees(&old, &now, true, true, false);
    old.trace = NAN; /* known then, and NaN: no, for all that the bytes tell */
    now.lambda_max = nextafter(now.lambda_max, 9);
    assert_agrees(&old, &now, false, true, false);
    now.lambda_max = old.lambda_max;
    now.test_accuracy = 0.5; /* known to be unknown in the old one */
    assert_agrees(&old, &now, false, true, false);
    ss_record_finish(&old), ss_record_finish(&now);
    /* of one age, a measure that is NaN is a result, unless others of it are known */
    program(&old, false), program(&now, false);
    old.sam_edge = NAN;
    carry(&old), carry(&now);
    assert_agrees(&old, &now, false, false, false);
    old.sam_edge = now.sam_edge;
    old.subset_examples = SS_UNKNOWN, old.subset_lambda_residual = NAN;
    unknown_column(&old, "subset_lambda_residual");
    carry(&old);
    assert_agrees(&old, &now, true, true, false);
    old.subset_lambda_mean = NAN, old.subset_lambda_deviation = NAN;
    carry(&old);
    assert_agrees(&old, &now, false, true, false);
    ss_record_finish(&old), ss_record_finish(&now);
}

static const ss_case cases[] = {{"programs that knew less agree", programs_that_knew_less_agree}};
SS_SUITE("sweep, records of two programs", cases)
