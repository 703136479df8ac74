/* measure.h - floor 3: what is measured at a point beside lambda_max, all of it from the same exact products Hv.
 * L is the mean training loss over the Hessian's examples (ss_hessian_loss), g its gradient, H its Hessian (with l2, of
 * L + l2/2 ||w||^2), w the parameters (n). Every measure is a pure function of (weights, options, seed). */
#ifndef SHARPSWEEP_MEASURE_H
#define SHARPSWEEP_MEASURE_H

#include "sharpsweep/sharp.h"

typedef struct ss_measure_options {
    /* Zeroed: nothing is measured. */
    int trace_probes;             /* Hutchinson's estimator: random signs, >= 2 for an error */
    int spectrum_probes, spectrum_steps; /* stochastic Lanczos quadrature: start vectors, and Lanczos steps from each */
    bool smallest_eigenvalue, gauss_newton, spherical, alignment;
    bool adaptive;                /* adaptive_lambda_max */
    double sharpness_rho;         /* radius of the worst case; 0: not measured */
    double adaptive_rho;          /* the same in units of |w|, element by element; 0: not measured */
    uint32_t sharpness_m;         /* examples per perturbation of both, as in m-SAM; 0: all of the Hessian's */
    int sharpness_steps;          /* linearised maximisations; 1 is SAM's own perturbation */
    int batches;                  /* of the training's size, for batch sharpness, as far as there are; 0: not measured */
    uint32_t batch_size;          /* of training */
    int subsets;                  /* disjoint parts of the training subset, for lambda_max's error bar; 0 or >= 2 */
    double learning_rate, sam_rho; /* of training, for SAM's edge; sam_rho 0: none */
    uint64_t seed;                /* of probes and batches */
    ss_lanczos_options lanczos;   /* of all that are eigenvalues; its keeper, start and work are not used */
} ss_measure_options;

/* NaN: not asked for, or not to be had: a loss, a gradient or a product that is not finite, a gradient that is zero where it
 * is divided by (batch sharpness, alignment; SAM's edge and the worst cases are 0 there), a network without weights ahead of a
 * batch norm with batch statistics (spherical), one batch of several alone (its error). Residuals: ||Hu - lambda u|| / |lambda|
 * of the matrix at hand, but for lambda_min's. */
typedef struct ss_measures {
    double trace, trace_error;    /* of H; standard error over probes */
    double lambda_min, lambda_min_residual; /* ||Hu - lambda u|| / ||H||, ||H||: the largest |eigenvalue|, as seen on the way */
    double gauss_newton_lambda_max, gauss_newton_residual; /* of J' (d2 loss / d logits2) J */
    double sam_edge;              /* (||g|| / 2 rho) (sqrt(1 + 8 rho / (lr ||g||)) - 1) */
    double batch_sharpness, batch_sharpness_error; /* mean of g_B' H_B g_B / ||g_B||^2, standard error over batches */
    double adaptive_lambda_max, adaptive_residual; /* of diag|w| H diag|w| */
    /* The worst of the points that sharpness_steps linearised maximisations visit: a lower bound of the maximum, >= 0. With
     * sharpness_m: the mean over groups of each one's own, by its own loss. */
    double adaptive_sharpness;    /* max of L(w + d) - L(w), ||d / |w| || <= adaptive_rho */
    double sharpness;             /* max of L(w + d) - L(w), ||d|| <= sharpness_rho */
    double spherical_sharpness, spherical_residual; /* ||w_s||^2 times lambda_max of H's block of w_s, w_s: the weights
                                     ahead of batch norms, whose length the loss does not see; l2 is left out */
    double alignment;             /* |g'u| / ||g||, u the unit eigenvector of lambda_max */
    double subset_lambda_mean, subset_lambda_deviation; /* over the disjoint subsets; sample standard deviation. Of fewer
                                     examples lambda_max is larger: they compare with lambda_max on as many alone */
    double subset_lambda_residual, subset_examples; /* the largest of them; examples in each subset */
    double hvp_count;             /* products with H or the Gauss-Newton matrix that all of these took */
} ss_measures;

/* The measures, one after the other, so that whoever calls can stop and save in between. */
enum { SS_N_MEASURES = 12 };
const char *ss_measure_name(int i); /* "trace", "spectrum", ... */
bool ss_measure_wanted(const ss_measure_options *o, int i);
void ss_measures_init(ss_measures *m); /* NaN, hvp_count 0 */

typedef struct ss_measurer ss_measurer;
/* h: the Hessian that lambda_max was measured with. Other examples and groups are h's for a while (ss_hessian_select), so
 * that there is no second set of activations; after every call h has its own again, at (theta, stats). Keeps no vectors
 * between calls. The pointers must outlive it. */
ss_measurer *ss_measurer_create(ss_hessian *h, const ss_net *net, const ss_dataset *data, const ss_measure_options *options,
                                ss_error *error);
void ss_measurer_destroy(ss_measurer *m);
/* Polled like ss_hessian_set_stop's, and before every loss; h's is set to it too. */
void ss_measurer_set_stop(ss_measurer *m, bool (*should_stop)(void *ctx), void *ctx);
/* Measure i at (theta, stats) into *out. eigenvector (n): of lambda_max at theta, for alignment; NULL: worked out anew.
 * spectrum: two columns, eigenvalue and weight (weights sum to 1), appended to; NULL: none is kept.
 * 0, -1 error, 1 interrupted: nothing of measure i is in *out. */
typedef struct ss_spectrum { size_t n; double *eigenvalue, *weight; } ss_spectrum; /* owned: ss_spectrum_finish */
int ss_measurer_run(ss_measurer *m, int i, const ss_real *theta, const ss_real *stats, const ss_real *eigenvector,
                    ss_measures *out, ss_spectrum *spectrum, ss_error *error);
void ss_spectrum_finish(ss_spectrum *s);

#endif
