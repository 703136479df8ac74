/* basis.c - Gram-Schmidt and combinations over a tall basis, block of columns by block of columns.
 * The vectors are far longer than the caches and the work is bound by memory, so each pass is arranged to read the basis
 * once: a block of the new vector stays in the first-level cache while the same block of every row goes by. */
#include "basis.h"
#include "kernels.h"

#include <math.h>
#include <string.h>

enum { BLOCK = 1024 };

int ss_basis_init(ss_basis *basis, size_t n, size_t rows, ss_error *error)
{
    *basis = (ss_basis){.n = n, .rows = rows};
    if (n == 0 || rows <= SIZE_MAX / n) basis->v = ss_alloc(rows * n, sizeof(ss_real));
    basis->block = ss_alloc(rows * BLOCK, sizeof(ss_real));
    basis->dots = ss_alloc(rows, sizeof(double));
    if (basis->v && basis->block && basis->dots) return 0;
    ss_basis_finish(basis);
    return ss_fail(error, "no memory for a basis of %zu vectors of %zu numbers (%.3g GB): lower `basis` or k", rows, n,
                   1e-9 * (double)rows * (double)n * (double)sizeof(ss_real));
}

void ss_basis_finish(ss_basis *basis)
{
    ss_free(basis->v);
    ss_free(basis->block);
    ss_free(basis->dots);
    *basis = (ss_basis){0};
}

ss_real *ss_basis_row(const ss_basis *basis, size_t row)
{
    return basis->v + row * basis->n;
}

static void add_dots(const ss_basis *basis, size_t first, size_t m, size_t from, size_t count, const ss_real *w, double *dots)
{
    for (size_t i = first; i < m; i++) dots[i] += ss_dot(count, ss_basis_row(basis, i) + from, w);
}

/* w (count) += the combination of rows first..m-1; `from` is where the block begins. */
static void add_block(const ss_basis *basis, size_t first, size_t m, size_t from, size_t count, const double *h, ss_real *w)
{
    ss_kernel->combine(m - first, count, ss_basis_row(basis, first) + from, basis->n, h + first, w, w);
}

static size_t block_length(size_t n, size_t from)
{
    return n - from < BLOCK ? n - from : BLOCK;
}

/* dots (m) = the rows' inner products with w. */
static void dot_rows(const ss_basis *basis, size_t m, const ss_real *w, double *dots)
{
    memset(dots, 0, m * sizeof *dots);
    for (size_t from = 0; from < basis->n; from += BLOCK)
        add_dots(basis, 0, m, from, block_length(basis->n, from), w + from, dots);
}

/* w -= sum of dots[i] * row i; returns the square of the norm that is left. dots are turned round. */
static double subtract_rows(const ss_basis *basis, size_t m, double *dots, ss_real *w)
{
    double norm2 = 0;
    for (size_t i = 0; i < m; i++) dots[i] = -dots[i];
    for (size_t from = 0; from < basis->n; from += BLOCK) {
        size_t count = block_length(basis->n, from);
        add_block(basis, 0, m, from, count, dots, w + from);
        norm2 += ss_dot(count, w + from, w + from);
    }
    return norm2;
}

/* h, turned round: the last rows alone. Then, in one pass over the basis, dots: of what is left with all of them. */
static void take_out_last(const ss_basis *basis, size_t m, size_t last, ss_real *w, double *h, double *dots)
{
    size_t n = basis->n;
    memset(h, 0, m * sizeof *h);
    memset(dots, 0, m * sizeof *dots);
    for (size_t from = 0; last < m && from < n; from += BLOCK)
        add_dots(basis, last, m, from, block_length(n, from), w + from, h);
    for (size_t i = last; i < m; i++) h[i] = -h[i];
    for (size_t from = 0; from < n; from += BLOCK) {
        size_t count = block_length(n, from);
        if (last < m) add_block(basis, last, m, from, count, h, w + from);
        add_dots(basis, 0, m, from, count, w + from, dots);
    }
}

double ss_basis_orthogonalise(ss_basis *basis, size_t m, size_t last, ss_real *w, double *h)
{
    double *dots = basis->dots, norm2, taken2 = 0;
    take_out_last(basis, m, last, w, h, dots);
    norm2 = subtract_rows(basis, m, dots, w);
    for (size_t i = 0; i < m; i++) {
        h[i] = -(h[i] + dots[i]);
        taken2 += dots[i] * dots[i];
    }
    if (taken2 > norm2) { /* cancellation: what rounding left along the rows is no longer small. Twice is enough */
        dot_rows(basis, m, w, dots);
        norm2 = subtract_rows(basis, m, dots, w);
        for (size_t i = 0; i < m; i++) h[i] -= dots[i];
    }
    return sqrt(norm2);
}

void ss_basis_combine(const ss_basis *basis, size_t m, const double *coefficient, ss_real *out)
{
    for (size_t from = 0; from < basis->n; from += BLOCK)
        ss_kernel->combine(m, block_length(basis->n, from), basis->v + from, basis->n, coefficient, NULL, out + from);
}

void ss_basis_rotate(ss_basis *basis, size_t m, size_t p, const double *s, ptrdiff_t lds)
{
    for (size_t from = 0; from < basis->n; from += BLOCK) {
        size_t count = block_length(basis->n, from);
        for (size_t i = 0; i < m; i++) /* the rows are overwritten: work from a copy of the block */
            memcpy(basis->block + i * BLOCK, ss_basis_row(basis, i) + from, count * sizeof(ss_real));
        for (size_t r = 0; r < p; r++)
            ss_kernel->combine(m, count, basis->block, BLOCK, s + (ptrdiff_t)r * lds, NULL, ss_basis_row(basis, r) + from);
    }
}
