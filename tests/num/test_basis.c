/* What Lanczos is made of: orthogonalisation, combinations and random directions, and that AVX2 and AVX-512 give the same
 * bits. */
#include "../suite.h"

#include <math.h>
#include <string.h>

#include "../../src/num/basis.h"
#include "../../src/num/kernels.h"
#include "fixture.h"

static const size_t sizes[] = {1, 2, 31, 32, 33, 200, 1023, 1024, 1025, 5000};
enum { N_SIZES = sizeof sizes / sizeof *sizes, ROWS = 9 };

static void check_combination(const ss_kernels *k, size_t n, size_t m, bool with_start)
{
    ss_real *v = random_vector(n * ROWS, 1), *from = random_vector(n, 2), *out = ss_alloc(n, sizeof *out);
    double c[ROWS];
    size_t wrong = 0;
    for (size_t i = 0; i < ROWS; i++) c[i] = sin(1.0 + (double)i);
    k->combine(m, n, v, n, c, with_start ? from : NULL, out);
    for (size_t j = 0; j < n; j++) {
        double sum = with_start ? (double)from[j] : 0;
        for (size_t i = 0; i < m; i++) sum += c[i] * (double)v[i * n + j];
        wrong += !(fabs((double)out[j] - sum) <= by_precision(1e-6, 1e-14) * 20);
    }
    CU_ASSERT_EQUAL(wrong, 0);
    k->combine(m, n, v, n, c, from, from); /* in place */
    if (with_start) CU_ASSERT(memcmp(from, out, n * sizeof *out) == 0);
    ss_free(v);
    ss_free(from);
    ss_free(out);
}

static void test_combinations(void)
{
    const ss_kernels *list[3];
    size_t n_lists = ss_kernels_list(list);
    for (size_t l = 0; l < n_lists; l++)
        for (size_t s = 0; s < N_SIZES; s++)
            for (size_t m = 0; m <= ROWS; m += 3)
                for (int start = 0; start < 2; start++) check_combination(list[l], sizes[s], m, start);
}

/* Whatever w is: nothing is left along the rows, what was taken out and what is left make w again. */
static void check_orthogonal(size_t n, size_t m, size_t last, ss_real *w)
{
    ss_basis basis;
    double h[ROWS + 1], epsilon = by_precision(1.2e-7, 2.3e-16), size = ss_norm(n, w);
    CU_ASSERT_EQUAL_FATAL(ss_basis_init(&basis, n, ROWS + 1, NULL), 0);
    for (size_t i = 0; i < m; i++) { /* rows: random, made orthonormal by the same function */
        ss_real *row = ss_basis_row(&basis, i), *r = random_vector(n, 10 + (uint32_t)i);
        memcpy(row, r, n * sizeof *r);
        ss_free(r);
        for (int twice = 0; twice < 2; twice++) ss_scale(n, 1 / ss_basis_orthogonalise(&basis, i, i, row, h), row);
    }
    ss_real *again = ss_alloc(n, sizeof *again), *left = ss_alloc(n, sizeof *left);
    memcpy(left, w, n * sizeof *w);
    double norm = ss_basis_orthogonalise(&basis, m, last, left, h);
    SS_ASSERT_NEAR(norm, ss_norm(n, left), 1e-6, 1e-30);
    for (size_t i = 0; i < m; i++) CU_ASSERT(fabs(ss_dot(n, ss_basis_row(&basis, i), left)) <= 8 * epsilon * norm + epsilon * epsilon * size);
    ss_basis_combine(&basis, m, h, again);
    ss_axpy(n, 1, left, again);
    ss_axpy(n, -1, w, again);
    CU_ASSERT(ss_norm(n, again) <= 8 * epsilon * size);
    ss_free(again);
    ss_free(left);
    ss_basis_finish(&basis);
}

static void test_orthogonalise(void)
{
    for (size_t s = 5; s < N_SIZES; s++)
        for (size_t m = 0; m <= ROWS; m++)
            for (size_t last = 0; last <= m; last++) {
                size_t n = sizes[s];
                ss_real *w = random_vector(n, 99), *along = random_vector(n, 10);
                check_orthogonal(n, m, last, w);
                ss_axpy(n, 1e3, along, w); /* nearly along row 0: cancellation, also where `last` leaves that row out */
                check_orthogonal(n, m, last, w);
                ss_free(w);
                ss_free(along);
            }
}

/* ---- random directions --------------------------------------------------------------------------------------------- */
static void test_normals(void)
{
    const double two_pi = 2 * acos(-1);
    const ss_kernels *list[3];
    size_t n_lists = ss_kernels_list(list);
    enum { N = 4003 };
    ss_stream stream = ss_stream_make(3, SS_FOR_LANCZOS, 4, 5);
    for (size_t l = 0; l < n_lists; l++)
        for (size_t n = 0; n <= N; n = n < 70 ? n + 1 : n == N ? n + 1 : N) {
            ss_real *x = ss_alloc(n + 1, sizeof *x);
            size_t wrong = 0;
            x[n] = 42;
            list[l]->normals(&stream, n, x);
            for (size_t i = 0; i < n; i++) {
                uint32_t u[4];
                ss_stream_block(&stream, i / 4, u);
                const uint32_t *pair = u + 2 * (i / 2 % 2);
                double angle = two_pi * (pair[1] * 0x1p-32), r = sqrt(-2 * log(((double)pair[0] + 1) * 0x1p-32));
                double want = r * (i % 2 ? sin(angle) : cos(angle));
                wrong += !(fabs((double)x[i] - want) <= by_precision(5e-7, 1e-14));
            }
            CU_ASSERT(wrong == 0 && x[n] == 42);
            ss_free(x);
        }
}

/* Moments of a million, at 5 standard deviations. */
static void test_moments(void)
{
    enum { N = 1 << 20 };
    ss_stream stream = ss_stream_make(1, SS_FOR_LANCZOS, 0, 0);
    ss_real *x = ss_alloc(N, sizeof *x);
    double m[5] = {0}, neighbours = 0;
    ss_kernel->normals(&stream, N, x);
    for (size_t i = 0; i < N; i++) {
        double v = (double)x[i], p = v;
        for (int k = 1; k <= 4; k++, p *= v) m[k] += p / N;
        neighbours += (double)x[i] * (double)x[i ^ 1] / N;
    }
    double unit = 5 / sqrt(N);
    CU_ASSERT(fabs(m[1]) < unit && fabs(m[2] - 1) < unit * sqrt(2) && fabs(m[3]) < unit * sqrt(15));
    CU_ASSERT(fabs(m[4] - 3) < unit * sqrt(96) && fabs(neighbours) < unit);
    ss_free(x);
}

static void test_same_bits(void)
{
    const ss_kernels *list[3];
    size_t n_lists = ss_kernels_list(list), n = 5000;
    ss_stream stream = ss_stream_make(3, SS_FOR_LANCZOS, 4, 5);
    ss_real *one = ss_alloc(n, sizeof *one), *two = ss_alloc(n, sizeof *two), *v = random_vector(n * ROWS, 1);
    const double c[ROWS] = {0.1, -2, 3.3, 1e-5, 7, 0.9, -0.4, 5e3, 1};
    if (n_lists < 2 || strcmp(list[1]->isa, "base") == 0) fprintf(stderr, "\n    nothing to compare with here\n");
    for (size_t l = 1; l < n_lists && strcmp(list[l]->isa, "base") != 0; l++) {
        list[0]->normals(&stream, n, one);
        list[l]->normals(&stream, n, two);
        CU_ASSERT(memcmp(one, two, n * sizeof *one) == 0);
        for (size_t m = 0; m < n; m += 977) {
            list[0]->combine(ROWS, n - m, v, n, c, one, one);
            list[l]->combine(ROWS, n - m, v, n, c, two, two);
            CU_ASSERT(memcmp(one, two, n * sizeof *one) == 0);
        }
    }
    ss_free(one);
    ss_free(two);
    ss_free(v);
}

static const ss_case cases[] = {{"combinations", test_combinations}, {"orthogonalisation", test_orthogonalise},
                                {"normal numbers", test_normals}, {"their moments", test_moments},
                                {"the same bits", test_same_bits}};
SS_SUITE("num basis", cases)
