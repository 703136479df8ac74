/* Our product against the definition, against the BLAS library, and the promise that nothing but an element's own row,
 * column and k decides its bits: not the shape around it, the operands' layout, threads or the instruction set. */
#include "suite.h"

#include "../../src/num/kernels.h"
#include "fixture.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Around every border: tiles of 6 and 12 rows, panels of 8, 16 and 32 columns, blocks of 96, 512 and of k. */
static const size_t sizes[][3] = {
    {1, 1, 1}, {1, 10, 200}, {5, 7, 3}, {6, 8, 2}, {7, 15, 9}, {11, 16, 513}, {12, 17, 31}, {13, 31, 64}, {23, 33, 5},
    {24, 32, 128}, {32, 200, 784}, {95, 40, 70}, {97, 513, 40}, {193, 48, 600}, {250, 520, 33}, {200, 10, 32}, {9, 32, 1025},
    {65, 40, 600}, {193, 1030, 20},
};
enum { N_SIZES = sizeof sizes / sizeof *sizes };

typedef struct problem { size_t m, n, k, lda, ldb, ldc; ss_transpose ta, tb; ss_real *a, *b, *c; } problem;

static problem make(const size_t size[3], int layout)
{
    problem p = {.m = size[0], .n = size[1], .k = size[2], .ta = (ss_transpose)(layout & 1), .tb = (ss_transpose)(layout >> 1)};
    p.lda = (p.ta ? p.m : p.k) + 3;
    p.ldb = (p.tb ? p.k : p.n) + 1;
    p.ldc = p.n + 2;
    p.a = random_vector((p.ta ? p.k : p.m) * p.lda, 1);
    p.b = random_vector((p.tb ? p.n : p.k) * p.ldb, 2);
    p.c = random_vector(p.m * p.ldc, 3);
    return p;
}

static void finish(problem *p)
{
    ss_free(p->a);
    ss_free(p->b);
    ss_free(p->c);
}

static double left(const problem *p, size_t i, size_t k) { return (double)p->a[p->ta ? k * p->lda + i : i * p->lda + k]; }
static double right(const problem *p, size_t k, size_t j) { return (double)p->b[p->tb ? j * p->ldb + k : k * p->ldb + j]; }

/* The error of a sum of k products is at most about k epsilon times the sum of their sizes. */
static void check(const problem *p, double alpha, const ss_real *from, size_t ld_from, double beta)
{
    size_t wrong = 0;
    for (size_t i = 0; i < p->m; i++)
        for (size_t j = 0; j < p->n; j++) {
            double sum = 0, size = 0, start = from ? beta * (double)from[i * ld_from + j] : 0;
            for (size_t k = 0; k < p->k; k++) {
                sum += left(p, i, k) * right(p, k, j);
                size += fabs(left(p, i, k) * right(p, k, j));
            }
            double want = start + alpha * sum, room = fabs(start) + fabs(alpha) * size;
            wrong += !(fabs((double)p->c[i * p->ldc + j] - want) <= (8 + sqrt((double)p->k)) * by_precision(6e-8, 2e-16) * room);
        }
    CU_ASSERT(wrong == 0);
}

static void test_definition(void)
{
    static const double factors[][2] = {{1, 0}, {1, 1}, {-0.5, 0.25}};
    for (int s = 0; s < N_SIZES; s++)
        for (int layout = 0; layout < 4; layout++)
            for (size_t f = 0; f < 3; f++) {
                problem p = make(sizes[s], layout);
                ss_real *before = random_vector(p.m * p.ldc, 3);
                if (factors[f][1] == 0) /* what stood there is gone, NaN too; the gap after each row stays */
                    for (size_t i = 0; i < p.m; i++)
                        for (size_t j = 0; j < p.n; j++) p.c[i * p.ldc + j] = (ss_real)NAN;
                ss_gemm(p.ta, p.tb, p.m, p.n, p.k, factors[f][0], p.a, p.lda, p.b, p.ldb, factors[f][1], p.c, p.ldc);
                check(&p, factors[f][0], before, p.ldc, factors[f][1]);
                for (size_t i = 0; i < p.m; i++)
                    CU_ASSERT(memcmp(p.c + i * p.ldc + p.n, before + i * p.ldc + p.n, 2 * sizeof *before) == 0);
                ss_free(before);
                finish(&p);
            }
}

static void test_row(void)
{
    for (int s = 0; s < N_SIZES; s++)
        for (int layout = 0; layout < 4; layout++) {
            problem p = make(sizes[s], layout);
            ss_real *row = random_vector(p.n, 4);
            ss_gemm_row(p.ta, p.tb, p.m, p.n, p.k, p.a, p.lda, p.b, p.ldb, row, p.c, p.ldc);
            check(&p, 1, row, 0, 1);
            ss_gemm_row(p.ta, p.tb, p.m, p.n, p.k, p.a, p.lda, p.b, p.ldb, NULL, p.c, p.ldc);
            check(&p, 1, NULL, 0, 0);
            ss_free(row);
            finish(&p);
        }
}

static void test_library(void)
{
    for (int s = 0; s < N_SIZES; s++)
        for (int layout = 0; layout < 4; layout++) {
            problem p = make(sizes[s], layout);
            ss_gemm_blas(p.ta, p.tb, p.m, p.n, p.k, 1, p.a, p.lda, p.b, p.ldb, 0, p.c, p.ldc);
            check(&p, 1, NULL, 0, 0);
            finish(&p);
        }
}

/* The same product by parts of C, each of another shape, in the other layouts, and on threads. */
static bool same(const problem *p, const ss_real *whole)
{
    for (size_t i = 0; i < p->m; i++)
        if (memcmp(p->c + i * p->ldc, whole + i * p->ldc, p->n * sizeof *whole) != 0) return false;
    return true;
}

static void test_bits_of_an_element(void)
{
    for (int s = 0; s < N_SIZES; s++) {
        ss_real *whole = NULL;
        for (int layout = 0; layout < 4; layout++) {
            problem p = make(sizes[s], layout), first = make(sizes[s], 0);
            for (size_t i = 0; i < p.m; i++) /* the same matrices in every layout */
                for (size_t k = 0; k < p.k; k++) p.a[p.ta ? k * p.lda + i : i * p.lda + k] = first.a[i * first.lda + k];
            for (size_t k = 0; k < p.k; k++)
                for (size_t j = 0; j < p.n; j++) p.b[p.tb ? j * p.ldb + k : k * p.ldb + j] = first.b[k * first.ldb + j];
            ss_gemm(p.ta, p.tb, p.m, p.n, p.k, 1, p.a, p.lda, p.b, p.ldb, 0, p.c, p.ldc);
            if (!whole) {
                whole = ss_alloc(p.m * p.ldc, sizeof *whole);
                memcpy(whole, p.c, p.m * p.ldc * sizeof *whole);
            }
            CU_ASSERT(same(&p, whole));
            size_t i0 = p.m / 3, j0 = p.n / 2;
            const ss_real *a = p.a + (p.ta ? i0 : i0 * p.lda), *b = p.b + (p.tb ? j0 * p.ldb : j0);
            memset(p.c, 0, p.m * p.ldc * sizeof *p.c);
            ss_gemm(p.ta, p.tb, i0, p.n, p.k, 1, p.a, p.lda, p.b, p.ldb, 0, p.c, p.ldc);
            ss_gemm(p.ta, p.tb, p.m - i0, j0, p.k, 1, a, p.lda, p.b, p.ldb, 0, p.c + i0 * p.ldc, p.ldc);
            ss_gemm(p.ta, p.tb, p.m - i0, p.n - j0, p.k, 1, a, p.lda, b, p.ldb, 0, p.c + i0 * p.ldc + j0, p.ldc);
            CU_ASSERT(same(&p, whole));
            ss_threads_set(3);
            ss_gemm(p.ta, p.tb, p.m, p.n, p.k, 1, p.a, p.lda, p.b, p.ldb, 0, p.c, p.ldc);
            ss_threads_set(1);
            CU_ASSERT(same(&p, whole));
            finish(&p);
            finish(&first);
        }
        ss_free(whole);
    }
}

#ifdef SS_HAVE_V4
extern const ss_kernels ss_kernels_v3, ss_kernels_v4;

static void test_instruction_sets(void)
{
    if (strcmp(ss_kernel->isa, "v4") != 0) {
        printf("SKIP: AVX2 against AVX-512: this processor (or SHARPSWEEP_ISA) gives %s\n", ss_kernel->isa);
        return;
    }
    for (int s = 0; s < N_SIZES; s++)
        for (int layout = 0; layout < 4; layout++) {
            problem p = make(sizes[s], layout);
            gemm_call call = {.m = p.m, .n = p.n, .k = p.k, .a = p.a, .b = p.b, .lda = p.lda, .ldb = p.ldb, .ldc = p.ldc,
                              .ta = p.ta, .tb = p.tb, .from = p.c, .ld_from = p.ldc, .c = p.c};
            problem other = make(sizes[s], layout);
            ss_kernels_v4.gemm(&call);
            call.from = call.c = other.c;
            ss_kernels_v3.gemm(&call);
            CU_ASSERT(same(&p, other.c));
            finish(&p);
            finish(&other);
        }
}
#else
static void test_instruction_sets(void)
{
    printf("SKIP: AVX2 against AVX-512: this compiler builds neither\n");
}
#endif

static const ss_case cases[] = {
    {"against the definition", test_definition},
    {"with a row added", test_row},
    {"the library's", test_library},
    {"an element's bits depend on nothing else", test_bits_of_an_element},
    {"AVX2 and AVX-512 give the same bits", test_instruction_sets},
};

SS_SUITE("num/gemm", cases)
