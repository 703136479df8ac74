/* sharp.h - floor 3: the Hessian of the mean training loss as an operator, and what is measured of it.
 * Hv is exact: Pearlmutter's R-operator (Neural Computation 6, 1994), layer by layer (nn.h), accumulated over
 * micro-batches in double. Dropout is off. Measuring never touches weights or running statistics. */
#ifndef SHARPSWEEP_SHARP_H
#define SHARPSWEEP_SHARP_H

#include "sharpsweep/data.h"
#include "sharpsweep/nn.h"
#include "sharpsweep/num.h"

typedef struct ss_hessian_options {
    uint32_t examples;            /* 0: all of the training subset */
    const char *subset;           /* "first" | "even" */
    const char *batch_norm;       /* "batch": statistics of ghost batches taken in order; "running" */
    uint32_t ghost_batch;         /* examples per ghost batch; a short last one counts by its examples */
    uint32_t micro_batch;         /* examples per pass where nothing couples examples */
    double l2;                    /* adds l2 * I: the weight decay, where the L2 term is to be included; else 0 */
    size_t cache_bytes;           /* activations and deltas of the point are kept between products up to this much */
} ss_hessian_options;

typedef struct ss_hessian ss_hessian;
ss_hessian *ss_hessian_create(const ss_net *net, const ss_dataset *data, const ss_hessian_options *options, ss_error *error);
void ss_hessian_destroy(ss_hessian *h);
/* The point of linearisation; both are copied. Forgets what was cached. */
void ss_hessian_set(ss_hessian *h, const ss_real *theta, const ss_real *stats);
/* An ss_operator: hv = (Hessian + l2 I) v, both (n_params). `ctx` is the ss_hessian. */
int ss_hessian_apply(void *ctx, const ss_real *v, ss_real *hv, ss_error *error);
/* Polled once per product; true makes apply return 1 (interrupted). */
void ss_hessian_set_stop(ss_hessian *h, bool (*should_stop)(void *ctx), void *ctx);
/* Mean loss and its gradient over the same examples in the same mode (grad may be NULL). */
double ss_hessian_loss(ss_hessian *h, ss_real *grad);
size_t ss_hessian_bytes(const ss_hessian *h);
size_t ss_hessian_n_params(const ss_hessian *h); /* length of v and hv */

typedef struct ss_lambda {
    double lambda_max, residual;
    double upper;                 /* see ss_lanczos_result; between iterates the largest of the points' */
    int64_t hvp_count;
    bool converged;
    int k;
    double *eigenvalue;           /* (k) owned: ss_lambda_finish */
    double fraction;              /* where between the two iterates the maximum was found; 0 at the iterate itself */
} ss_lambda;
/* lambda_max at (theta, stats). 0, -1 error, 1 interrupted: what options->keeper was last offered is to be gone on from with
 * the same arguments. */
int ss_lambda_measure(ss_hessian *h, const ss_real *theta, const ss_real *stats, const ss_lanczos_options *options,
                      ss_lambda *out, ss_error *error);
/* The study's measure for oscillating iterates: the maximum of lambda_max at n >= 2 points theta + i/(n-1) (next - theta).
 * hvp_count is the sum; residual, eigenvalues and converged are those of the maximum (converged: of all). */
int ss_lambda_measure_between(ss_hessian *h, const ss_real *theta, const ss_real *next, const ss_real *stats, int n,
                              const ss_lanczos_options *options, ss_lambda *out, ss_error *error);
void ss_lambda_finish(ss_lambda *l);

#endif
