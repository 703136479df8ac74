#include "suite.h"

#include "fixture.h"

#include <math.h>

static const size_t lengths[] = {0, 1, 3, 4, 15, 16, 17, 31, 32, 33, 100, 4095, 4096, 4097, 10001};
enum { N_LENGTHS = sizeof lengths / sizeof *lengths };

static void test_dot(void)
{
    for (size_t l = 0; l < N_LENGTHS; l++) {
        size_t n = lengths[l];
        ss_real *x = random_vector(n + 1, 1), *y = random_vector(n + 1, 2);
        long double sum = 0, size = 0;
        for (size_t i = 0; i < n; i++) sum += (long double)x[i] * y[i], size += fabsl((long double)x[i] * y[i]);
        SS_ASSERT_NEAR(ss_dot(n, x, y), sum, 1e-14, (double)size); /* in double whatever ss_real is */
        CU_ASSERT(ss_dot(n, x, y) == ss_dot(n, x, y));
        double norm = ss_norm(n, x);
        SS_ASSERT_NEAR(norm * norm, ss_dot(n, x, x), 1e-14, 1e-300);
        /* vectors need not be aligned */
        double shifted = ss_dot(n, x, y) - (double)x[0] * (double)y[0] + (double)x[n] * (double)y[n];
        SS_ASSERT_NEAR(ss_dot(n, x + 1, y + 1), shifted, 1e-13, (double)size + 10);
        ss_free(x);
        ss_free(y);
    }
}

static void test_dot_is_in_double(void)
{
    enum { N = 100000 };
    ss_real *x = ss_alloc(N, sizeof *x);
    for (size_t i = 0; i < N; i++) x[i] = i == 0 ? (ss_real)1e3 : (ss_real)1e-3;
    SS_ASSERT_NEAR(ss_dot(N, x, x) - 1e6, (N - 1) * (double)x[1] * (double)x[1], 1e-3, 1e-300); /* lost in float */
    ss_free(x);
}

static void test_updates(void)
{
    for (size_t l = 0; l < N_LENGTHS; l++) {
        size_t n = lengths[l];
        ss_real *x = random_vector(n, 3), *y = random_vector(n, 4), *z = random_vector(n, 4);
        double *sum = ss_alloc(n, sizeof *sum);
        for (size_t i = 0; i < n; i++) sum[i] = 0.25;
        ss_axpy(n, -1.5, x, z);
        ss_accumulate(n, x, sum);
        size_t wrong = 0;
        for (size_t i = 0; i < n; i++) wrong += z[i] != (ss_real)((double)y[i] - 1.5 * (double)x[i]) &&
                                                fabs((double)z[i] - ((double)y[i] - 1.5 * (double)x[i])) > 1e-15 * 10;
        for (size_t i = 0; i < n; i++) wrong += sum[i] != 0.25 + (double)x[i];
        ss_round(n, sum, 2, z);
        for (size_t i = 0; i < n; i++) wrong += z[i] != (ss_real)(2 * sum[i]);
        ss_scale(n, 0.5, y);
        ss_real *half = random_vector(n, 4);
        for (size_t i = 0; i < n; i++) wrong += y[i] != half[i] / 2;
        CU_ASSERT_EQUAL(wrong, 0);
        ss_free(x);
        ss_free(y);
        ss_free(z);
        ss_free(half);
        ss_free(sum);
    }
}

static const ss_case cases[] = {
    {"dot and norm against long double", test_dot},
    {"sums are in double", test_dot_is_in_double},
    {"axpy, scale, accumulate, round", test_updates},
};

SS_SUITE("num/vector", cases)
