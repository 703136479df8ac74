/* quadrature.c - Gauss quadrature of a symmetric operator's spectrum as one vector sees it, by Lanczos (Golub & Meurant
 * 1994).
 * With v0 the start vector's direction and T the tridiagonal matrix of k steps, the sum over T's eigenvalues t, weighted by
 * the squares of their eigenvectors' first components, of any polynomial of degree up to 2k - 1 is v0' p(H) v0. So the nodes
 * and weights stand for the spectral measure sum (v0'u)^2 delta(lambda): averaged over random v0, for the density of
 * eigenvalues (Ubaru, Chen & Saad 2017; Ghorbani, Krishnan & Xiao 2019).
 * Every vector is orthogonalised against all before it: without that, Lanczos brings up copies of eigenvalues whose weights
 * are no longer those of the measure. Where what is left of a product is rounding the Krylov space is exhausted: the
 * quadrature is then exact, and ends there. Of T's eigenvectors only the first components are worked out (Golub & Welsch 1969):
 * that takes no time beside a product, so that whoever stops the operator stops the quadrature. */
#include "basis.h"
#include "eigen.h"

#include <float.h>
#include <math.h>
#include <string.h>

#ifdef SS_REAL_DOUBLE
#define BREAKDOWN (8 * DBL_EPSILON)
#else
#define BREAKDOWN (8 * (double)FLT_EPSILON)
#endif

typedef struct recurrence {
    size_t n, steps, m;           /* length of a vector; steps wanted, and made */
    ss_basis basis;               /* steps + 1 rows */
    double *alpha, *beta;         /* (steps) T's diagonal, and what stands beside it */
    double *h;                    /* (steps + 1) coefficients */
} recurrence;

static int recurrence_init(recurrence *r, size_t n, size_t steps, ss_error *error)
{
    *r = (recurrence){.n = n, .steps = steps};
    if (ss_basis_init(&r->basis, n, steps + 1, error) != 0) return -1;
    r->alpha = ss_alloc(steps, sizeof *r->alpha);
    r->beta = ss_alloc(steps, sizeof *r->beta);
    r->h = ss_alloc(steps + 1, sizeof *r->h);
    return r->alpha && r->beta && r->h ? 0 : ss_fail(error, "no memory for a quadrature of %zu nodes", steps);
}

static void recurrence_finish(recurrence *r)
{
    ss_basis_finish(&r->basis);
    ss_free(r->alpha);
    ss_free(r->beta);
    ss_free(r->h);
}

/* *finite: every product was. */
static int run(recurrence *r, ss_operator *op, void *ctx, bool *finite, ss_error *error)
{
    double norm = 0;
    *finite = true;
    for (; r->m < r->steps; r->m++) {
        ss_real *next = ss_basis_row(&r->basis, r->m + 1);
        int rc = op(ctx, ss_basis_row(&r->basis, r->m), next, error);
        if (rc != 0) return rc;
        double size = ss_norm(r->n, next);
        *finite = isfinite(size);
        if (!*finite) return 0;
        if (size > norm) norm = size;
        double left = ss_basis_orthogonalise(&r->basis, r->m + 1, r->m > 0 ? r->m - 1 : 0, next, r->h);
        r->alpha[r->m] = r->h[r->m];
        if (r->m + 1 == r->n || left <= BREAKDOWN * norm) {
            r->m++;
            return 0;
        }
        r->beta[r->m] = left;
        ss_scale(r->n, 1 / left, next);
    }
    return 0;
}

static int solve(recurrence *r, double *node, double *weight, ss_error *error)
{
    memcpy(node, r->alpha, r->m * sizeof *node);
    if (ss_eigen_tridiagonal(r->m, node, r->beta, weight, error) != 0) return -1;
    for (size_t i = 0; i < r->m; i++) weight[i] *= weight[i];
    return 0;
}

int ss_lanczos_quadrature(ss_operator *op, void *ctx, size_t n, const ss_real *start, size_t steps, double *node,
                          double *weight, size_t *found, ss_error *error)
{
    recurrence r;
    double size = ss_norm(n, start);
    bool finite = false;
    *found = 0;
    if (!(size > 0 && isfinite(size)) || steps == 0) return 0;
    int rc = recurrence_init(&r, n, steps < n ? steps : n, error);
    if (rc == 0) {
        memcpy(ss_basis_row(&r.basis, 0), start, n * sizeof *start);
        ss_scale(n, 1 / size, ss_basis_row(&r.basis, 0));
        rc = run(&r, op, ctx, &finite, error);
    }
    if (rc == 0 && finite) rc = solve(&r, node, weight, error);
    if (rc == 0 && finite) *found = r.m;
    recurrence_finish(&r);
    return rc;
}
