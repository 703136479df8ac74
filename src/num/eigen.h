/* eigen.h - the symmetric eigensolver over memory of its caller, for loops that must not allocate. */
#ifndef SHARPSWEEP_NUM_EIGEN_H
#define SHARPSWEEP_NUM_EIGEN_H

#include "sharpsweep/num.h"

typedef struct ss_eigen_work { size_t n; double *off; } ss_eigen_work;

int ss_eigen_work_init(ss_eigen_work *work, size_t n, ss_error *error); /* for matrices up to (n,n) */
void ss_eigen_work_finish(ss_eigen_work *work);                         /* a zeroed one is fine */
/* a (n,n), only its lower triangle (row >= column) is read; on return ROW i of a is the eigenvector of w[i]; w ascending. */
int ss_eigen_solve(ss_eigen_work *work, size_t n, double *a, double *w, ss_error *error);

/* Of the symmetric tridiagonal matrix with diagonal w (n) and off (n - 1 are read; destroyed, room for n) beside it: w becomes
 * its eigenvalues, ascending, first (n) the first components of their eigenvectors. In n^2 operations (Golub & Welsch 1969). */
int ss_eigen_tridiagonal(size_t n, double *w, double *off, double *first, ss_error *error);

#endif
