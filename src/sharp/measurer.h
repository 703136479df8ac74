/* measurer.h - inside sharp: what a measure sees of the point, and the measures: a new one is one function here, one row in
 * measure.c's table and its fields in measure.h. */
#ifndef SHARPSWEEP_SHARP_MEASURER_H
#define SHARPSWEEP_SHARP_MEASURER_H

#include "operator.h"
#include "sharpsweep/measure.h"

struct ss_measurer {
    ss_hessian *h;
    const ss_net *net;
    const ss_dataset *data;
    ss_measure_options options;
    size_t n;                             /* parameters */
    bool (*should_stop)(void *ctx);
    void *stop_ctx;
    const ss_real *theta, *stats, *eigenvector; /* of the call; the last may be NULL */
    ss_spectrum *spectrum;                /* NULL: not kept */
    double n_products;                    /* of the call */
};

/* Each finds h at (theta, stats) with its own examples, may leave it anywhere, and writes to `out` alone. 0, -1 or 1. */
typedef int ss_measure_run(ss_measurer *m, ss_measures *out, ss_error *error);
ss_measure_run ss_measure_trace, ss_measure_spectrum, ss_measure_lambda_min, ss_measure_gauss_newton, ss_measure_sam_edge,
    ss_measure_batch_sharpness, ss_measure_adaptive, ss_measure_adaptive_sharpness, ss_measure_sharpness,
    ss_measure_spherical, ss_measure_alignment, ss_measure_subsets;

/* ss_hessian_apply, counted; `ctx` is the measurer. */
int ss_measurer_apply(void *ctx, const ss_real *v, ss_real *hv, ss_error *error);
bool ss_measurer_stopped(const ss_measurer *m);
/* A vector of the parameters' length, zeroed; NULL and a sentence. */
ss_real *ss_measurer_vector(const ss_measurer *m, ss_error *error);
/* The i-th random vector of signs, +1 and -1. */
void ss_measurer_signs(const ss_measurer *m, int i, ss_real *z);
/* Mean of n values and its standard error: the sample standard deviation / sqrt(n); NaN for one value. */
void ss_mean_error(size_t n, const double *x, double *mean, double *error);

#endif
