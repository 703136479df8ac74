/* basis.h - an orthonormal basis of long vectors in ss_real, one vector per row, and what Lanczos does to it. */
#ifndef SHARPSWEEP_NUM_BASIS_H
#define SHARPSWEEP_NUM_BASIS_H

#include "sharpsweep/num.h"

typedef struct ss_basis {
    size_t n, rows;               /* length of a vector; vectors there is room for */
    ss_real *v;                   /* (rows, n) */
    ss_real *block;               /* (rows, 1024) for ss_basis_rotate */
    double *dots;                 /* (rows) of the second pass */
} ss_basis;

int ss_basis_init(ss_basis *basis, size_t n, size_t rows, ss_error *error);
void ss_basis_finish(ss_basis *basis); /* a zeroed one is fine */
ss_real *ss_basis_row(const ss_basis *basis, size_t row);
/* Makes w (n) orthogonal to rows 0..m-1; h (m) = the coefficients taken out. Returns the norm that is left. w is known to
 * lie mainly along rows last..m-1 (in Lanczos the last two): those go first, then one pass of classical Gram-Schmidt takes
 * what is left along all of them, and where that still cancels, a second one (Kahan's "twice is enough"). last == m: only
 * passes over all rows. */
double ss_basis_orthogonalise(ss_basis *basis, size_t m, size_t last, ss_real *w, double *h);
/* out (n) = sum over i < m of coefficient[i] * row i, summed in double and rounded once. */
void ss_basis_combine(const ss_basis *basis, size_t m, const double *coefficient, ss_real *out);
/* Rows 0..p-1 become the p combinations of rows 0..m-1 whose coefficients are rows of s (p, m; row length lds), which may
 * run backwards through memory (lds < 0). */
void ss_basis_rotate(ss_basis *basis, size_t m, size_t p, const double *s, ptrdiff_t lds);

#endif
