#include "suite.h"

#include "fixture.h"

#include <math.h>
#include <string.h>

typedef struct product { size_t m, n, k; double alpha, beta; } product;

static const product product_table[] = {
    {1, 1, 1, 1, 0}, {3, 5, 7, 1, 0}, {3, 5, 7, 2, 1}, {17, 9, 33, -0.5, 0.25}, {64, 64, 64, 1, 1}, {1, 100, 3, 1, 0},
    {100, 1, 300, 1, 0}, {4, 4, 0, 1, 0}, {4, 4, 0, 1, 1}, {4, 4, 0, 1, 0.5}, {0, 4, 4, 1, 0}, {4, 0, 4, 1, 0},
    {0, 0, 0, 1, 1},
};

static double element(const ss_real *a, size_t ld, ss_transpose t, size_t i, size_t j)
{
    return (double)(t == SS_TRANSPOSE ? a[j * ld + i] : a[i * ld + j]);
}

static void check_product(const product *p, ss_transpose ta, ss_transpose tb)
{
    size_t lda = (ta == SS_TRANSPOSE ? p->m : p->k) + 2, ldb = (tb == SS_TRANSPOSE ? p->k : p->n) + 1, ldc = p->n + 3;
    size_t rows_a = ta == SS_TRANSPOSE ? p->k : p->m, rows_b = tb == SS_TRANSPOSE ? p->n : p->k;
    ss_real *a = random_vector(rows_a * lda, 1), *b = random_vector(rows_b * ldb, 2);
    ss_real *c = random_vector(p->m * ldc, 3), *before = random_vector(p->m * ldc, 3);
    if (p->beta == 0) /* beta 0 overwrites, whatever stood there */
        for (size_t i = 0; i < p->m; i++)
            for (size_t j = 0; j < p->n; j++) c[i * ldc + j] = (ss_real)NAN;
    ss_gemm(ta, tb, p->m, p->n, p->k, p->alpha, a, lda, b, ldb, p->beta, c, ldc);
    double worst = 0;
    for (size_t i = 0; i < p->m; i++) {
        for (size_t j = 0; j < p->n; j++) {
            double sum = 0;
            for (size_t k = 0; k < p->k; k++) sum += element(a, lda, ta, i, k) * element(b, ldb, tb, k, j);
            double want = p->alpha * sum + (p->beta == 0 ? 0 : p->beta * (double)before[i * ldc + j]);
            double error = fabs((double)c[i * ldc + j] - want);
            if (!(error <= worst)) worst = error;
        }
        for (size_t j = p->n; j < ldc; j++) CU_ASSERT(c[i * ldc + j] == before[i * ldc + j]); /* the gap is not ours */
    }
    CU_ASSERT(worst <= by_precision(1e-4, 1e-12));
    ss_free(a);
    ss_free(b);
    ss_free(c);
    ss_free(before);
}

static void test_gemm(void)
{
    for (size_t i = 0; i < sizeof product_table / sizeof *product_table; i++)
        for (int ta = 0; ta < 2; ta++)
            for (int tb = 0; tb < 2; tb++) check_product(&product_table[i], (ss_transpose)ta, (ss_transpose)tb);
}

static void test_column_sums(void)
{
    static const size_t sizes[][2] = {{0, 3}, {1, 1}, {7, 5}, {8, 5}, {9, 64}, {1000, 10}, {333, 17}, {16, 0}};
    for (size_t t = 0; t < sizeof sizes / sizeof *sizes; t++) {
        size_t rows = sizes[t][0], columns = sizes[t][1];
        ss_real *x = random_vector(rows * columns, 1), *y = random_vector(rows * columns, 2);
        double *sum = ss_alloc(columns, sizeof *sum), *products = ss_alloc(columns, sizeof *products);
        for (size_t j = 0; j < columns; j++) sum[j] = products[j] = NAN;
        ss_column_sums(rows, columns, x, NULL, sum);
        ss_column_sums(rows, columns, x, y, products);
        for (size_t j = 0; j < columns; j++) {
            double want = 0, want_product = 0, size = 1;
            for (size_t i = 0; i < rows; i++) {
                want += (double)x[i * columns + j];
                want_product += (double)x[i * columns + j] * (double)y[i * columns + j];
                size += fabs((double)x[i * columns + j]);
            }
            SS_ASSERT_NEAR(sum[j], want, by_precision(2e-7, 1e-14), size);
            SS_ASSERT_NEAR(products[j], want_product, 1e-13, size); /* products are summed in double in either precision */
        }
        ss_free(x);
        ss_free(y);
        ss_free(sum);
        ss_free(products);
    }
}

static void test_column_sums_do_not_drift(void)
{
    enum { ROWS = 200000 };
    ss_real *x = ss_alloc(ROWS * 2, sizeof *x);
    for (size_t i = 0; i < ROWS; i++) x[2 * i] = (ss_real)0.1, x[2 * i + 1] = (ss_real)-0.1;
    double sum[2];
    ss_column_sums(ROWS, 2, x, NULL, sum);
    SS_ASSERT_NEAR(sum[0], 0.1 * ROWS, by_precision(2e-7, 1e-10), 0); /* a plain float sum is off by 1e-3 */
    CU_ASSERT(sum[0] == -sum[1]);
    ss_free(x);
}

static void test_add_row(void)
{
    enum { ROWS = 5, COLUMNS = 7 };
    ss_real *y = random_vector(ROWS * COLUMNS, 1), *before = random_vector(ROWS * COLUMNS, 1);
    ss_real *b = random_vector(COLUMNS, 2);
    ss_add_row(ROWS, COLUMNS, b, y);
    for (size_t i = 0; i < ROWS * COLUMNS; i++) CU_ASSERT(y[i] == before[i] + b[i % COLUMNS]);
    ss_add_row(0, COLUMNS, b, NULL);
    ss_free(y);
    ss_free(before);
    ss_free(b);
}

static void test_describe(void)
{
    CU_ASSERT(strncmp(ss_blas_describe(), "OpenBLAS", 8) == 0);
    CU_ASSERT(strlen(ss_blas_describe()) > 10);
}

static const ss_case cases[] = {
    {"gemm against the definition", test_gemm},
    {"column sums", test_column_sums},
    {"long column sums do not drift", test_column_sums_do_not_drift},
    {"adding a row", test_add_row},
    {"describe", test_describe},
};

SS_SUITE("num/matrix", cases)
