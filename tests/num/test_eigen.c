#include "suite.h"

#include "../../src/num/eigen.h"
#include "lapack.h"

#include <math.h>
#include <string.h>

/* Ours over memory of its own; eigenvectors in rows. */
static int solve(size_t n, double *a, double *w, ss_error *error)
{
    ss_eigen_work work;
    if (ss_eigen_work_init(&work, n, error) != 0) return -1;
    int rc = ss_eigen_solve(&work, n, a, w, error);
    ss_eigen_work_finish(&work);
    return rc;
}

static void test_known(void)
{
    /* The second difference matrix has eigenvalues 2 - 2 cos(pi i / (n+1)). */
    enum { N = 30 };
    double *a = ss_alloc(N * N, sizeof *a), w[N];
    for (size_t i = 0; i < N; i++) {
        a[i * N + i] = 2;
        if (i + 1 < N) a[i * N + i + 1] = a[(i + 1) * N + i] = -1;
    }
    CU_ASSERT_EQUAL(solve(N, a, w, NULL), 0);
    for (size_t i = 0; i < N; i++) SS_ASSERT_NEAR(w[i], 2 - 2 * cos(acos(-1) * (double)(i + 1) / (N + 1)), 1e-13, 1);
    ss_free(a);
}

static void check_random(size_t n)
{
    double *a = ss_alloc(n * n, sizeof *a), *v = ss_alloc(n * n, sizeof *v), *w = ss_alloc(n, sizeof *w);
    ss_stream stream = ss_stream_make(1, SS_FOR_TEST, 0, 0);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j <= i; j++) a[i * n + j] = a[j * n + i] = ss_stream_normal(&stream, i * n + j);
    memcpy(v, a, n * n * sizeof *a);
    CU_ASSERT_EQUAL(solve(n, v, w, NULL), 0);
    double worst = 0, skew = 0;
    for (size_t e = 0; e < n; e++) {
        if (e > 0) CU_ASSERT(w[e - 1] <= w[e]);
        for (size_t i = 0; i < n; i++) { /* row e of v: A v = w v, rows orthonormal */
            double av = 0, dot = 0;
            for (size_t j = 0; j < n; j++) av += a[i * n + j] * v[e * n + j], dot += v[i * n + j] * v[e * n + j];
            worst = fmax(worst, fabs(av - w[e] * v[e * n + i]));
            skew = fmax(skew, fabs(dot - (i == e)));
        }
    }
    CU_ASSERT(worst < 1e-12 * (double)(n + 1));
    double *theirs = ss_alloc(n, sizeof *theirs);
    CU_ASSERT_EQUAL(lapack_eigen(n, a, theirs), 0);
    for (size_t e = 0; e < n; e++) SS_ASSERT_NEAR(w[e], theirs[e], 1e-13, (double)n);
    ss_free(theirs);
    CU_ASSERT(skew < 1e-13 * (double)(n + 1));
    ss_free(a);
    ss_free(v);
    ss_free(w);
}

/* Where QL has a name for trouble: copies of an eigenvalue, blocks that fall apart, sizes 1e-150 .. 1e150 beside each other,
 * what Lanczos makes of a restart (an arrow). */
static void check_hard(size_t n, double (*element)(size_t i, size_t j))
{
    double *a = ss_alloc(n * n, sizeof *a), *b = ss_alloc(n * n, sizeof *b), *w = ss_alloc(n, sizeof *w);
    double *theirs = ss_alloc(n, sizeof *theirs), size = 0;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++) a[i * n + j] = b[i * n + j] = i >= j ? element(i, j) : element(j, i);
    CU_ASSERT_EQUAL(solve(n, a, w, NULL), 0);
    CU_ASSERT_EQUAL(lapack_eigen(n, b, theirs), 0);
    for (size_t e = 0; e < n; e++) size = fmax(size, fabs(theirs[e]));
    for (size_t e = 0; e < n; e++) SS_ASSERT_NEAR(w[e], theirs[e], 1e-14, 100 * size);
    ss_free(a);
    ss_free(b);
    ss_free(w);
    ss_free(theirs);
}

static double zero(size_t i, size_t j) { return 0 * (double)(i + j); }
static double identity(size_t i, size_t j) { return i == j; }
static double ones(size_t i, size_t j) { return (void)i, (void)j, 1; }
static double halves(size_t i, size_t j) { return i / 20 == j / 20 ? 1.0 / (double)(i + j + 1) : 0; }
static double graded(size_t i, size_t j) { return i == j ? pow(10, 150 - 10 * (double)i) : 0; }
static double arrow(size_t i, size_t j) { return i == j ? (double)(i + 1) : i == 39 ? 1 / (double)(j + 1) : 0; }
static double wilkinson(size_t i, size_t j) { return i == j ? fabs((double)i - 20) : i == j + 1; }

static void test_hard(void)
{
    double (*const all[])(size_t, size_t) = {zero, identity, ones, halves, graded, arrow, wilkinson};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) check_hard(i == 4 ? 31 : 40, all[i]);
}

static void test_random(void)
{
    static const size_t sizes[] = {0, 1, 2, 3, 10, 40, 77};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) check_random(sizes[i]);
}

static void test_bad(void)
{
    ss_error error = {{0}};
    double w[2], a[] = {1, 2, NAN, 3};
    CU_ASSERT_EQUAL(solve(2, a, w, &error), -1);
    CU_ASSERT(strstr(error.text, "(1,0)") && strstr(error.text, "nan"));
    double b[] = {1, 2, 2, INFINITY};
    CU_ASSERT_EQUAL(solve(2, b, w, &error), -1);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, "(1,1)"));
}

static void test_memory(void)
{
    int rc = -1;
    long n = 0;
    for (; rc != 0 && n < 10; n++) {
        double w[2], a[] = {2, 1, 1, 2};
        ss_error error = {{0}};
        ss_alloc_fail_after(n);
        rc = solve(2, a, w, &error);
        ss_alloc_fail_after(-1);
        if (rc == 0) SS_ASSERT_NEAR(w[1], 3, 1e-15, 1);
        else CU_ASSERT_PTR_NOT_NULL(strstr(error.text, "2 x 2"));
    }
    CU_ASSERT(n > 1 && n < 10);
}

static const ss_case cases[] = {
    {"second differences", test_known},
    {"random matrices: A v = w v, orthonormal", test_random},
    {"copies, blocks, graded, arrow, Wilkinson's: as LAPACK", test_hard},
    {"not finite", test_bad},
    {"memory", test_memory},
};

SS_SUITE("num/eigen", cases)
