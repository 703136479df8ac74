/* bound.h - a probabilistic upper bound of the largest eigenvalue, from the recurrence of a Lanczos run. */
#ifndef SHARPSWEEP_NUM_BOUND_H
#define SHARPSWEEP_NUM_BOUND_H

#include "sharpsweep/num.h"

typedef struct ss_krylov {        /* the tridiagonal matrix of the first cycle: alpha[j], and beta[j] to its right */
    size_t n, capacity;
    double *alpha, *beta;         /* beta[n-1] is the norm of the last residual; 0: the Krylov space is exhausted */
} ss_krylov;

int ss_krylov_init(ss_krylov *k, size_t capacity, ss_error *error);
void ss_krylov_finish(ss_krylov *k);
void ss_krylov_add(ss_krylov *k, double alpha, double beta); /* ignored when full */
/* The largest eigenvalue of an operator on R^n is below this with probability >= 1 - risk over start vectors. share 1: the
 * start is uniform on the sphere. Less: it is c u + share z of norm 1, z uniform on the sphere and independent of u, of c
 * and of the operator; u and c may be anything. NaN where no step was made. */
double ss_krylov_upper(const ss_krylov *k, size_t n, double risk, double share);

#endif
