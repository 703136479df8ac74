/* operator.h - inside sharp: what a Hessian lends to the measures made of it. */
#ifndef SHARPSWEEP_SHARP_OPERATOR_H
#define SHARPSWEEP_SHARP_OPERATOR_H

#include "sharpsweep/sharp.h"

/* Where the solver's vectors are kept from one measurement to the next; NULL before the first. Freed with the Hessian. */
ss_lanczos_work **ss_hessian_work(ss_hessian *h);
/* options->work = that memory, made anew where it does not fit them. 0 or -1. */
int ss_hessian_lend_work(ss_hessian *h, ss_lanczos_options *options, ss_error *error);
/* What the matrix is the Hessian of: loss and gradient with the l2 term. */
double ss_hessian_objective(ss_hessian *h, ss_real *grad);
double ss_hessian_l2(const ss_hessian *h);
bool ss_hessian_runs(const ss_hessian *h);            /* batch norm by running statistics */
size_t ss_hessian_directions(const ss_hessian *h);
uint32_t ss_hessian_n_examples(const ss_hessian *h);  /* its own, whatever is selected */
uint32_t ss_hessian_example(const ss_hessian *h, uint32_t i); /* the i-th of its own in the training subset */

#endif
