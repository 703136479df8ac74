/* lapack.h - dense symmetric eigenproblems by LAPACK: the witness of our own solver. */
#ifndef SHARPSWEEP_TESTS_LAPACK_H
#define SHARPSWEEP_TESTS_LAPACK_H

#include <lapacke.h>

/* a (n,n) symmetric -> eigenvectors in its columns; eigenvalues, ascending, into w (n). 0, or LAPACK's info. */
static inline int lapack_eigen(size_t n, double *a, double *w)
{
    return n == 0 ? 0 : (int)LAPACKE_dsyevd(LAPACK_ROW_MAJOR, 'V', 'L', (lapack_int)n, a, (lapack_int)n, w);
}

#endif
