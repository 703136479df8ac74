/* eigen.c - eigenvalues and eigenvectors of small dense symmetric matrices: reduction to tridiagonal form by Householder's
 * reflections, then the implicit QL algorithm (Martin, Reinsch & Wilkinson 1968, Bowdler et al. 1968: EISPACK's tred2 and
 * tql2). Our own and in plain C: LAPACK's last bits depend on the kernels that the BLAS library chooses for a processor, and
 * lambda_max would with them. */
#include "eigen.h"

#include <assert.h>
#include <float.h>
#include <math.h>
#include <string.h>

int ss_eigen_work_init(ss_eigen_work *work, size_t n, ss_error *error)
{
    *work = (ss_eigen_work){.n = n, .off = ss_alloc(n, sizeof(double))};
    return work->off ? 0 : ss_fail(error, "no memory for the eigenvalues of a %zu x %zu matrix", n, n);
}

void ss_eigen_work_finish(ss_eigen_work *work)
{
    ss_free(work->off);
    *work = (ss_eigen_work){0};
}

/* Of the leading i x i block z (ld n): the reflection that leaves of row i its last element alone; it is kept in row i, scaled
 * so that the sum of its squares is 2 * d. Returns that element. */
static double reflect_row(size_t n, size_t i, double *z, double *d)
{
    double *row = z + i * n, scale = 0, h = 0;
    *d = 0;
    for (size_t k = 0; k < i; k++) scale += fabs(row[k]);
    if (i < 2 || scale == 0) return i > 0 ? row[i - 1] : 0;
    for (size_t k = 0; k < i; k++) {
        row[k] /= scale;
        h += row[k] * row[k];
    }
    double f = row[i - 1], g = f >= 0 ? -sqrt(h) : sqrt(h);
    *d = h - f * g;
    row[i - 1] = f - g;
    return scale * g;
}

/* The block itself is reflected from both sides: z -= u q' + q u', of which the lower triangle is kept. Column i: u / h. */
static void reflect_block(size_t n, size_t i, double *z, double h, double *q)
{
    const double *u = z + i * n;
    double f = 0;
    for (size_t j = 0; j < i; j++) {
        double g = 0;
        z[j * n + i] = u[j] / h;
        for (size_t k = 0; k <= j; k++) g += z[j * n + k] * u[k];
        for (size_t k = j + 1; k < i; k++) g += z[k * n + j] * u[k];
        q[j] = g / h;
        f += q[j] * u[j];
    }
    for (size_t j = 0; j < i; j++) {
        q[j] -= f / (h + h) * u[j];
        for (size_t k = 0; k <= j; k++) z[j * n + k] -= u[j] * q[k] + q[j] * u[k];
    }
}

/* z becomes the product of the reflections, block by block; d the diagonal, e what is left beside it (e[0] unused). */
static void tridiagonalise(size_t n, double *z, double *d, double *e)
{
    for (size_t i = n; i-- > 1;) {
        e[i] = reflect_row(n, i, z, &d[i]);
        if (d[i] != 0) reflect_block(n, i, z, d[i], e);
    }
    d[0] = e[0] = 0;
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; d[i] != 0 && j < i; j++) {
            double g = 0;
            for (size_t k = 0; k < i; k++) g += z[i * n + k] * z[k * n + j];
            for (size_t k = 0; k < i; k++) z[k * n + j] -= g * z[k * n + i];
        }
        d[i] = z[i * n + i];
        z[i * n + i] = 1;
        for (size_t j = 0; j < i; j++) z[i * n + j] = z[j * n + i] = 0;
    }
}

static void transpose(size_t n, double *z)
{
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < i; j++) {
            double t = z[i * n + j];
            z[i * n + j] = z[j * n + i];
            z[j * n + i] = t;
        }
}

/* One sweep of plane rotations over the block l..m; rows of v, of k numbers each, turn with it. */
static void sweep(size_t k, size_t l, size_t m, double *v, double *d, double *e)
{
    double g = (d[l + 1] - d[l]) / (2 * e[l]), r = hypot(g, 1), s = 1, c = 1, p = 0;
    g = d[m] - d[l] + e[l] / (g + (g >= 0 ? r : -r));
    for (size_t i = m; i-- > l;) {
        double f = s * e[i], b = c * e[i];
        r = hypot(f, g);
        e[i + 1] = r;
        if (r == 0) { /* the block falls apart here */
            d[i + 1] -= p;
            e[m] = 0;
            return;
        }
        s = f / r;
        c = g / r;
        g = d[i + 1] - p;
        r = (d[i] - g) * s + 2 * c * b;
        p = s * r;
        d[i + 1] = g + p;
        g = c * r - b;
        for (size_t j = 0; j < k; j++) {
            double t = v[(i + 1) * k + j];
            v[(i + 1) * k + j] = s * v[i * k + j] + c * t;
            v[i * k + j] = c * v[i * k + j] - s * t;
        }
    }
    d[l] -= p;
    e[l] = g;
    e[m] = 0;
}

/* -1: no convergence. e[i] stands beside d[i] and d[i + 1]; v (n, k). */
static int diagonalise(size_t n, size_t k, double *v, double *d, double *e, ss_error *error)
{
    enum { MOST_SWEEPS = 60 };
    e[n - 1] = 0;
    for (size_t l = 0; l < n; l++)
        for (int sweeps = 0;; sweeps++) {
            size_t m = l;
            while (m + 1 < n && fabs(e[m]) > DBL_EPSILON * (fabs(d[m]) + fabs(d[m + 1]))) m++;
            if (m == l) break;
            if (sweeps == MOST_SWEEPS) return ss_fail(error, "the eigenvalues of a %zu x %zu matrix did not converge", n, n);
            sweep(k, l, m, v, d, e);
        }
    return 0;
}

static void sort(size_t n, size_t k, double *v, double *w)
{
    for (size_t i = 0; i + 1 < n; i++) {
        size_t least = i;
        for (size_t j = i + 1; j < n; j++)
            if (w[j] < w[least]) least = j;
        double t = w[i];
        w[i] = w[least];
        w[least] = t;
        for (size_t j = 0; least != i && j < k; j++) {
            t = v[i * k + j];
            v[i * k + j] = v[least * k + j];
            v[least * k + j] = t;
        }
    }
}

int ss_eigen_solve(ss_eigen_work *work, size_t n, double *a, double *w, ss_error *error)
{
    assert(n <= work->n);
    if (n == 0) return 0;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j <= i; j++)
            if (!isfinite(a[i * n + j]))
                return ss_fail(error, "element (%zu,%zu) of a symmetric matrix is %g: it has no eigenvalues", i, j,
                               a[i * n + j]);
    tridiagonalise(n, a, w, work->off);
    transpose(n, a);
    memmove(work->off, work->off + 1, (n - 1) * sizeof *work->off);
    if (diagonalise(n, n, a, w, work->off, error) != 0) return -1;
    sort(n, n, a, w);
    return 0;
}

int ss_eigen_tridiagonal(size_t n, double *w, double *off, double *first, ss_error *error)
{
    if (n == 0) return 0;
    for (size_t i = 0; i < n; i++) first[i] = i == 0;
    if (diagonalise(n, 1, first, w, off, error) != 0) return -1;
    sort(n, 1, first, w);
    return 0;
}
