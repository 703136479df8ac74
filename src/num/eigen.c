/* eigen.c - eigenvalues and eigenvectors of small dense symmetric matrices: LAPACK's divide and conquer (dsyevd). */
#include "eigen.h"

#include <assert.h>
#include <lapacke.h>
#include <limits.h>
#include <math.h>

int ss_eigen_work_init(ss_eigen_work *work, size_t n, ss_error *error)
{
    assert(n <= 20000); /* dsyevd's workspace must fit its 32-bit lengths */
    *work = (ss_eigen_work){.n = n, .work = ss_alloc(1 + 6 * n + 2 * n * n, sizeof(double)),
                            .integers = ss_alloc(3 + 5 * n, sizeof(int))};
    if (work->work && work->integers) return 0;
    ss_eigen_work_finish(work);
    return ss_fail(error, "no memory for the eigenvalues of a %zu x %zu matrix", n, n);
}

void ss_eigen_work_finish(ss_eigen_work *work)
{
    ss_free(work->work);
    ss_free(work->integers);
    *work = (ss_eigen_work){0};
}

int ss_eigen_solve(ss_eigen_work *work, size_t n, double *a, double *w, ss_error *error)
{
    assert(n <= work->n);
    if (n == 0) return 0;
    for (size_t i = 0; i < n; i++) /* LAPACK may not return at all on a NaN */
        for (size_t j = 0; j <= i; j++)
            if (!isfinite(a[i * n + j]))
                return ss_fail(error, "element (%zu,%zu) of a symmetric matrix is %g: it has no eigenvalues", i, j,
                               a[i * n + j]);
    /* Row-major's lower triangle is column-major's upper one; column-major's eigenvectors in columns are our rows. */
    lapack_int length = (lapack_int)(1 + 6 * n + 2 * n * n), n_integers = (lapack_int)(3 + 5 * n);
    lapack_int info = LAPACKE_dsyevd_work(LAPACK_COL_MAJOR, 'V', 'U', (lapack_int)n, a, (lapack_int)n, w, work->work, length,
                                          work->integers, n_integers);
    if (info != 0) return ss_fail(error, "LAPACK's dsyevd gave up on a %zu x %zu matrix (info %d)", n, n, (int)info);
    return 0;
}

int ss_eigen_symmetric(size_t n, double *a, double *w, ss_error *error)
{
    ss_eigen_work work;
    if (ss_eigen_work_init(&work, n, error) != 0) return -1;
    int rc = ss_eigen_solve(&work, n, a, w, error);
    for (size_t i = 0; rc == 0 && i < n; i++)
        for (size_t j = 0; j < i; j++) {
            double t = a[i * n + j];
            a[i * n + j] = a[j * n + i];
            a[j * n + i] = t;
        }
    ss_eigen_work_finish(&work);
    return rc;
}
