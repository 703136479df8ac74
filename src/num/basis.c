/* basis.c - Gram-Schmidt and combinations over a tall basis, block of columns by block of columns.
 * The vectors are far longer than the caches and the work is bound by memory, so each pass is arranged to read the basis
 * once: a block of the new vector stays in the first-level cache while the same block of every row goes by. */
#include "basis.h"

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

/* w (count) -= sum of h[i] * rows, in double, rounded once; `from` is where the block begins. */
static void subtract_block(const ss_basis *basis, size_t m, size_t from, size_t count, const double *h, ss_real *w)
{
    double sum[BLOCK];
    for (size_t j = 0; j < count; j++) sum[j] = (double)w[j];
    for (size_t i = 0; i < m; i++) {
        const ss_real *v = ss_basis_row(basis, i) + from;
        double a = h[i];
        for (size_t j = 0; j < count; j++) sum[j] -= a * (double)v[j];
    }
    for (size_t j = 0; j < count; j++) w[j] = (ss_real)sum[j];
}

static void add_dots(const ss_basis *basis, size_t m, size_t from, size_t count, const ss_real *w, double *dots)
{
    for (size_t i = 0; i < m; i++) dots[i] += ss_dot(count, ss_basis_row(basis, i) + from, w);
}

static size_t block_length(size_t n, size_t from)
{
    return n - from < BLOCK ? n - from : BLOCK;
}

double ss_basis_orthogonalise(ss_basis *basis, size_t m, ss_real *w, double *h)
{
    size_t n = basis->n;
    double *dots = basis->dots, norm2 = 0;
    memset(h, 0, m * sizeof *h);
    memset(dots, 0, m * sizeof *dots);
    for (size_t from = 0; from < n; from += BLOCK) add_dots(basis, m, from, block_length(n, from), w + from, h);
    for (size_t from = 0; from < n; from += BLOCK) { /* first pass, and the second pass's coefficients of what it leaves */
        size_t count = block_length(n, from);
        subtract_block(basis, m, from, count, h, w + from);
        add_dots(basis, m, from, count, w + from, dots);
    }
    for (size_t from = 0; from < n; from += BLOCK) {
        size_t count = block_length(n, from);
        subtract_block(basis, m, from, count, dots, w + from);
        norm2 += ss_dot(count, w + from, w + from);
    }
    for (size_t i = 0; i < m; i++) h[i] += dots[i];
    return sqrt(norm2);
}

static void combine_block(size_t m, size_t count, const ss_real *v, size_t ldv, const double *coefficient, ss_real *out)
{
    double sum[BLOCK] = {0};
    for (size_t i = 0; i < m; i++) {
        const ss_real *row = v + i * ldv;
        double a = coefficient[i];
        for (size_t j = 0; j < count; j++) sum[j] += a * (double)row[j];
    }
    for (size_t j = 0; j < count; j++) out[j] = (ss_real)sum[j];
}

void ss_basis_combine(const ss_basis *basis, size_t m, const double *coefficient, ss_real *out)
{
    for (size_t from = 0; from < basis->n; from += BLOCK)
        combine_block(m, block_length(basis->n, from), basis->v + from, basis->n, coefficient, out + from);
}

void ss_basis_rotate(ss_basis *basis, size_t m, size_t p, const double *s, ptrdiff_t lds)
{
    for (size_t from = 0; from < basis->n; from += BLOCK) {
        size_t count = block_length(basis->n, from);
        for (size_t i = 0; i < m; i++) /* the rows are overwritten: work from a copy of the block */
            memcpy(basis->block + i * BLOCK, ss_basis_row(basis, i) + from, count * sizeof(ss_real));
        for (size_t r = 0; r < p; r++)
            combine_block(m, count, basis->block, BLOCK, s + (ptrdiff_t)r * lds, ss_basis_row(basis, r) + from);
    }
}
