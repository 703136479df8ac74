/* lanczos.h - private to src/num: the solver's state between two products, and how it is kept and brought back. */
#ifndef SHARPSWEEP_NUM_LANCZOS_H
#define SHARPSWEEP_NUM_LANCZOS_H

#include "basis.h"
#include "bound.h"
#include "eigen.h"

enum { SS_SOLVER_NUMBERS = 16, SS_SOLVER_REALS = 4 };

typedef struct ss_solver {
    ss_operator *op;
    void *ctx;
    size_t n, k;
    size_t limit;                 /* of the basis, before a restart */
    const ss_lanczos_options *options;
    ss_lanczos_result *result;
    ss_basis basis;               /* limit + 1 vectors, and a last one for certificates; the work's, where one was given */
    ss_eigen_work eigen;
    size_t m;                     /* rows of V that H was applied to; row m is the next vector */
    double beta;                  /* norm of the residual that became row m; 0 if row m is a fresh vector */
    double *t;                    /* (limit, limit), lower triangle; row length `limit` */
    double *below;                /* (limit) H v_j's coefficient of row kept (j < kept) or j + 1 (else) */
    size_t kept;                  /* Ritz vectors of the last restart; 0 before one */
    bool recurrent;               /* T and `below` are all of H V: every row is a product's, or a restart's combination */
    double *s, *theta, *h;        /* eigenvectors of T in rows, its eigenvalues ascending, (limit + 1) coefficients */
    double norm;                  /* a lower estimate of ||H||: the largest |Ritz value| and ||Hv|| seen */
    double wanted;                /* the least size of the k largest Ritz values at the last look; 0: T has fewer */
    double share;                 /* of the random vector in the start vector, see ss_krylov_upper; 1: it is all of it */
    uint64_t n_fresh;             /* random vectors drawn */
    bool spanned;                 /* V spans R^n: T holds every eigenvalue */
    bool certified;               /* the result's pairs hold with the tolerance, and only their completeness is checked */
    bool current;                 /* the result's pairs are those of T as it is */
    bool broken;                  /* a product was not finite */
    bool certifying, good;        /* a certificate is being made; no pair of it has failed yet */
    size_t pair, found;           /* of it: the pair whose product comes next, and how many it has */
    ss_krylov krylov;             /* the first cycle's recurrence, until a restart or a fresh vector ends it */
    size_t n_failed, next_certificate; /* failed certificates; products to be spent before the next */
    int64_t image[SS_SOLVER_NUMBERS]; /* these numbers as a keeper sees them: lanczos_state.c */
    double image_real[SS_SOLVER_REALS];
} ss_solver;

/* Vectors that the basis holds before a restart. */
size_t ss_solver_basis_limit(size_t n, const ss_lanczos_options *options);
ss_basis *ss_lanczos_work_basis(ss_lanczos_work *work);
/* Before each product the state is whole: the keeper, if there is one, may save it. */
void ss_solver_offer(ss_solver *s, bool last);
/* The state that the keeper reads, into a solver just made with the same options; what cannot be one is refused. 0 or -1. */
int ss_solver_restore(ss_solver *s, ss_error *error);

#endif
