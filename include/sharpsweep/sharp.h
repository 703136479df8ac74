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
    uint32_t directions;          /* that ss_hessian_apply_block takes at once, each at 8 bytes per parameter; 0: 1 */
} ss_hessian_options;

/* How many of a Hessian's batches keep their activations, and their deltas, between products. Whoever keeps none shares
 * the last one's and computes anew, so one of each there always is. */
typedef struct ss_keep { uint32_t activations, deltas; } ss_keep;
/* What fits into cache_bytes. Where not all does, deltas are dropped first, batch by batch from the last: to compute them
 * takes a backward pass without weight gradients. Then activations go likewise: a forward pass more. */
ss_keep ss_keep_plan(uint32_t n_batches, size_t activation_bytes, size_t delta_bytes, size_t cache_bytes);

typedef struct ss_hessian ss_hessian;
ss_hessian *ss_hessian_create(const ss_net *net, const ss_dataset *data, const ss_hessian_options *options, ss_error *error);
void ss_hessian_destroy(ss_hessian *h);
/* The point of linearisation; both are copied. Forgets what was cached. */
void ss_hessian_set(ss_hessian *h, const ss_real *theta, const ss_real *stats);
/* An ss_operator: hv = (Hessian + l2 I) v, both (n_params). `ctx` is the ss_hessian. */
int ss_hessian_apply(void *ctx, const ss_real *v, ss_real *hv, ss_error *error);
/* hv[i] = (Hessian + l2 I) v[i] for k directions, the bits of k calls of ss_hessian_apply; what is not kept of the point is
 * computed once for `directions` of them. */
int ss_hessian_apply_block(ss_hessian *h, size_t k, const ss_real *const *v, ss_real *const *hv, ss_error *error);
/* Other examples: index[0 .. n-1] of the training subset (copied), in this order, cut into batches as the options say; with
 * index NULL its own again. What is kept of the point is forgotten. The bits are those of a Hessian made for these
 * examples; memory grows only where ghost or micro-batches become larger than any before. -1: memory, and h is as it was. */
int ss_hessian_select(ss_hessian *h, const uint32_t *index, uint32_t n, ss_error *error);
/* Which matrix apply multiplies by: the Hessian, or the Gauss-Newton matrix J' (d2 loss / d logits2) J, J = d logits / d w:
 * the Hessian without the curvature of the network itself, positive semidefinite (Schraudolph 2002). Both with l2 I. */
typedef enum ss_matrix { SS_HESSIAN, SS_GAUSS_NEWTON } ss_matrix;
void ss_hessian_set_matrix(ss_hessian *h, ss_matrix matrix);
ss_keep ss_hessian_kept(const ss_hessian *h);
/* Polled once per product (per `directions` of them); true makes apply return 1 (interrupted). */
void ss_hessian_set_stop(ss_hessian *h, bool (*should_stop)(void *ctx), void *ctx);
/* Mean loss and its gradient over the same examples in the same mode (grad may be NULL). */
double ss_hessian_loss(ss_hessian *h, ss_real *grad);
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
/* A vector that one measurement hands on: to the next check where lambda_max is tracked, where to look; to a measure, the
 * first eigenvector. State of a point's run like its weights: saved and restored with them, the run ends with the same bits.
 * Zeroed: nothing is known yet. */
typedef struct ss_warm { bool known; ss_real *vector; /* (n_params) NULL before the first */ } ss_warm;
/* As ss_lambda_measure, from warm->vector and a random part, and warm gets where the next check is to look (`start` and `next`
 * of ss_lanczos_options); top gets the first eigenvector. Either may be NULL. Every check of a run has its own number.
 * Interrupted or failed, both are as before. */
int ss_lambda_track(ss_hessian *h, const ss_real *theta, const ss_real *stats, const ss_lanczos_options *options,
                    uint64_t check, ss_warm *warm, ss_warm *top, ss_lambda *out, ss_error *error);
/* Its vector of n numbers as a piece, empty where nothing is known; and a known one's back from a keeper: 0 or -1. */
void ss_warm_list(const ss_warm *warm, size_t n, const char *name, ss_pieces *list);
int ss_warm_read(ss_warm *warm, size_t n, const char *name, ss_keeper *keeper, ss_error *error);
void ss_warm_finish(ss_warm *warm);
/* The study's measure for oscillating iterates: the maximum of lambda_max at n >= 2 points theta + i/(n-1) (next - theta).
 * The first is measured as by itself, each later one tracked from the one before.
 * hvp_count is the sum; residual, eigenvalues and converged are those of the maximum (converged: of all). */
int ss_lambda_measure_between(ss_hessian *h, const ss_real *theta, const ss_real *next, const ss_real *stats, int n,
                              const ss_lanczos_options *options, ss_lambda *out, ss_error *error);
void ss_lambda_finish(ss_lambda *l);

#endif
