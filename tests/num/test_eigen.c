#include "suite.h"

#include "sharpsweep/num.h"

#include <math.h>
#include <string.h>

static void test_known(void)
{
    /* The second difference matrix has eigenvalues 2 - 2 cos(pi i / (n+1)). */
    enum { N = 30 };
    double *a = ss_alloc(N * N, sizeof *a), w[N];
    for (size_t i = 0; i < N; i++) {
        a[i * N + i] = 2;
        if (i + 1 < N) a[i * N + i + 1] = a[(i + 1) * N + i] = -1;
    }
    CU_ASSERT_EQUAL(ss_eigen_symmetric(N, a, w, NULL), 0);
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
    CU_ASSERT_EQUAL(ss_eigen_symmetric(n, v, w, NULL), 0);
    double worst = 0, skew = 0;
    for (size_t e = 0; e < n; e++) {
        if (e > 0) CU_ASSERT(w[e - 1] <= w[e]);
        for (size_t i = 0; i < n; i++) { /* column e of v: A v = w v, columns orthonormal */
            double av = 0, dot = 0;
            for (size_t j = 0; j < n; j++) av += a[i * n + j] * v[j * n + e], dot += v[j * n + i] * v[j * n + e];
            worst = fmax(worst, fabs(av - w[e] * v[i * n + e]));
            skew = fmax(skew, fabs(dot - (i == e)));
        }
    }
    CU_ASSERT(worst < 1e-12 * (double)(n + 1));
    CU_ASSERT(skew < 1e-13 * (double)(n + 1));
    ss_free(a);
    ss_free(v);
    ss_free(w);
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
    CU_ASSERT_EQUAL(ss_eigen_symmetric(2, a, w, &error), -1);
    CU_ASSERT(strstr(error.text, "(1,0)") && strstr(error.text, "nan"));
    double b[] = {1, 2, 2, INFINITY};
    CU_ASSERT_EQUAL(ss_eigen_symmetric(2, b, w, &error), -1);
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
        rc = ss_eigen_symmetric(2, a, w, &error);
        ss_alloc_fail_after(-1);
        if (rc == 0) SS_ASSERT_NEAR(w[1], 3, 1e-15, 1);
        else CU_ASSERT_PTR_NOT_NULL(strstr(error.text, "2 x 2"));
    }
    CU_ASSERT(n > 1 && n < 10);
}

static const ss_case cases[] = {
    {"second differences", test_known},
    {"random matrices: A v = w v, orthonormal", test_random},
    {"not finite", test_bad},
    {"memory", test_memory},
};

SS_SUITE("num/eigen", cases)
