/* matrix.c - products, by our own kernels or through CBLAS. */
#include "kernels.h"

#include <assert.h>
#include <cblas.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

/* The library always works on one thread: several ranks share a node, and with other thread counts it rounds differently.
 * It must hold before the first product of any caller, so it is done when the program is loaded (after OpenBLAS itself). */
__attribute__((constructor)) static void one_thread(void)
{
    openblas_set_num_threads(1);
}

/* OpenBLAS starts its threads when it is loaded, before any code of ours, unless this function of its own, in place of which it
 * finds ours, names one. Such a thread that gets no memory (ulimit -v) tries for ever, and the program's exit waits for it.
 * Weak: an OpenBLAS that is linked statically keeps its own. */
int openblas_num_threads_env(void);
__attribute__((weak)) int openblas_num_threads_env(void)
{
    return 1;
}

const char *ss_blas_describe(void)
{
    static char text[256];
    if (!text[0]) snprintf(text, sizeof text, "%s, running as %s", openblas_get_config(), openblas_get_corename());
    return text;
}

/* OpenBLAS takes this much address space at most for its packed panels, once, and tries for ever where there is less. */
#ifdef OPENBLAS_VERSION
#define PANEL_BYTES ((size_t)256 << 20)
#else
#define PANEL_BYTES ((size_t)0)
#endif

int ss_blas_reserve(ss_error *error)
{
    enum { N = 128 };             /* too large for a product without panels */
    static bool has_panels = PANEL_BYTES == 0;
    if (has_panels) return 0;
    void *probe = mmap(NULL, PANEL_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ss_real *a = ss_alloc((size_t)N * N, 2 * sizeof *a);
    int rc = probe != MAP_FAILED && a ? 0 : ss_fail(error, "numerics: exact needs %zu MiB of address space for the BLAS library, "
        "more than this process may take; raise the limit (ulimit -v), or write numerics: fast", PANEL_BYTES >> 20);
    if (probe != MAP_FAILED) munmap(probe, PANEL_BYTES);
    if (rc == 0) ss_gemm_blas(SS_NO_TRANSPOSE, SS_TRANSPOSE, N, N, N, 1, a, N, a, N, 0, a + N * N, N); /* panels are kept */
    has_panels = rc == 0;
    ss_free(a);
    return rc;
}

/* C = beta C; beta = 0 overwrites, so that whatever stood there (NaN too) is gone, as BLAS defines it. */
static void scale_rows(size_t m, size_t n, double beta, ss_real *c, size_t ldc)
{
    for (size_t i = 0; i < m; i++) {
        if (beta == 0) memset(c + i * ldc, 0, n * sizeof *c);
        else if (beta != 1) ss_scale(n, beta, c + i * ldc);
    }
}

static int blas_int(size_t n)
{
    assert(n <= INT_MAX);
    return (int)n;
}

void ss_gemm_blas(ss_transpose ta, ss_transpose tb, size_t m, size_t n, size_t k, double alpha, const ss_real *a, size_t lda,
                  const ss_real *b, size_t ldb, double beta, ss_real *c, size_t ldc)
{
    if (m == 0 || n == 0) return;
    if (k == 0) {
        scale_rows(m, n, beta, c, ldc);
        return;
    }
    CBLAS_TRANSPOSE transpose_a = ta == SS_TRANSPOSE ? CblasTrans : CblasNoTrans;
    CBLAS_TRANSPOSE transpose_b = tb == SS_TRANSPOSE ? CblasTrans : CblasNoTrans;
#ifdef SS_REAL_DOUBLE
    cblas_dgemm(CblasRowMajor, transpose_a, transpose_b, blas_int(m), blas_int(n), blas_int(k), alpha, a, blas_int(lda), b,
                blas_int(ldb), beta, c, blas_int(ldc));
#else
    cblas_sgemm(CblasRowMajor, transpose_a, transpose_b, blas_int(m), blas_int(n), blas_int(k), (float)alpha, a,
                blas_int(lda), b, blas_int(ldb), (float)beta, c, blas_int(ldc));
#endif
}

/* Pieces of C: whole tiles of every instruction set, enough of them to share, none too small to be worth a thread. */
typedef struct pieces { const gemm_call *call; size_t rows, columns, n_across; } pieces;

static void one_piece(void *ctx, size_t i)
{
    const pieces *p = ctx;
    gemm_call call = *p->call;
    size_t i0 = i / p->n_across * p->rows, j0 = i % p->n_across * p->columns;
    call.m = call.m - i0 < p->rows ? call.m - i0 : p->rows;
    call.n = call.n - j0 < p->columns ? call.n - j0 : p->columns;
    call.a += call.ta ? i0 : i0 * call.lda;
    call.b += call.tb ? j0 * call.ldb : j0;
    if (call.from) call.from += i0 * call.ld_from + j0;
    call.c += i0 * call.ldc + j0;
    ss_kernel->gemm(&call);
}

static void multiply(const gemm_call *call)
{
    enum { WORTH_SHARING = 1 << 20, PIECE_ROWS = 96, PIECE_COLUMNS = 256 };
    if (ss_threads() == 1 || call->m * call->n * call->k < WORTH_SHARING) {
        ss_kernel->gemm(call);
        return;
    }
    pieces p = {call, PIECE_ROWS, PIECE_COLUMNS, (call->n + PIECE_COLUMNS - 1) / PIECE_COLUMNS};
    ss_parallel(p.n_across * ((call->m + PIECE_ROWS - 1) / PIECE_ROWS), one_piece, &p);
}

void ss_gemm(ss_transpose ta, ss_transpose tb, size_t m, size_t n, size_t k, double alpha, const ss_real *a, size_t lda,
             const ss_real *b, size_t ldb, double beta, ss_real *c, size_t ldc)
{
    if (m == 0 || n == 0) return;
    if (k == 0 || alpha == 0) {
        scale_rows(m, n, beta, c, ldc);
        return;
    }
    /* alpha (beta / alpha C + AB): the product itself is only added, so that no compiler may fuse the factor on one
     * instruction set and not on another. */
    if (beta != 0 && beta != alpha) scale_rows(m, n, beta / alpha, c, ldc);
    gemm_call call = {.m = m, .n = n, .k = k, .a = a, .b = b, .lda = lda, .ldb = ldb, .ldc = ldc, .ta = ta == SS_TRANSPOSE,
                      .tb = tb == SS_TRANSPOSE, .from = beta != 0 ? c : NULL, .ld_from = ldc, .c = c};
    multiply(&call);
    if (alpha != 1) scale_rows(m, n, alpha, c, ldc);
}

void ss_gemm_row(ss_transpose ta, ss_transpose tb, size_t m, size_t n, size_t k, const ss_real *a, size_t lda,
                 const ss_real *b, size_t ldb, const ss_real *row, ss_real *c, size_t ldc)
{
    assert(k > 0);
    if (m == 0 || n == 0) return;
    gemm_call call = {.m = m, .n = n, .k = k, .a = a, .b = b, .lda = lda, .ldb = ldb, .ldc = ldc, .ta = ta == SS_TRANSPOSE,
                      .tb = tb == SS_TRANSPOSE, .from = row, .c = c};
    multiply(&call);
}
