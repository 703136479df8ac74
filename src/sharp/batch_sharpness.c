/* batch_sharpness.c - what training's own gradients see of the curvature.
 * Batch sharpness (Andreyev & Beneventano 2024, arXiv 2412.20553): the mean over training's batches B of
 * g_B' H_B g_B / ||g_B||^2, gradient and Hessian both of B's mean loss (batch norm by ghost batches within B, as the
 * Hessian's options say). B: the first whole batches of one random order of the training subset, as many as there are at
 * most; all of it, where training's batch is.
 * SAM's edge (Long & Bartlett 2023): (||g|| / 2 rho) (sqrt(1 + 8 rho / (lr ||g||)) - 1), g of the Hessian's own loss: where
 * lambda_max settles under SAM with full batches. */
#include "measurer.h"

#include <math.h>

int ss_measure_sam_edge(ss_measurer *m, ss_measures *out, ss_error *error)
{
    double rho = m->options.sam_rho, lr = m->options.learning_rate;
    ss_real *g = ss_measurer_vector(m, error);
    if (!g) return -1;
    if (ss_measurer_stopped(m)) {
        ss_free(g);
        return 1;
    }
    ss_hessian_objective(m->h, g);
    double size = ss_norm(m->n, g);
    /* The formula without its difference of two numbers that may be nearly equal; its limit for no gradient is 0. */
    if (isfinite(size)) out->sam_edge = size == 0 ? 0 : 4 / (lr * (sqrt(1 + 8 * rho / (lr * size)) + 1));
    ss_free(g);
    return 0;
}

/* *ratio = g'Hg / g'g over the examples; a gradient of zero has none: NaN. The product is with g's direction, whatever its
 * length: of a g of 1e-25 the passes' products of small numbers would be below what float holds. */
static int rayleigh(ss_measurer *m, const uint32_t *index, uint32_t n, ss_real *g, ss_real *hg, double *ratio,
                    ss_error *error)
{
    if (ss_hessian_select(m->h, index, n, error) != 0) return -1;
    if (ss_measurer_stopped(m)) return 1;
    ss_hessian_objective(m->h, g);
    double size = ss_norm(m->n, g);
    for (size_t i = 0; i < m->n; i++) g[i] = (ss_real)((double)g[i] / size);
    int rc = ss_measurer_apply(m, g, hg, error);
    if (rc == 0) *ratio = ss_dot(m->n, g, hg) / ss_dot(m->n, g, g);
    return rc;
}

int ss_measure_batch_sharpness(ss_measurer *m, ss_measures *out, ss_error *error)
{
    uint32_t total = m->data->train.n, wanted = m->options.batch_size, size = wanted == 0 || wanted > total ? total : wanted;
    uint32_t n = total / size < (uint32_t)m->options.batches ? total / size : (uint32_t)m->options.batches;
    uint32_t *order = ss_alloc(total, sizeof *order);
    double *ratio = ss_alloc(n, sizeof *ratio);
    ss_real *g = ss_measurer_vector(m, error), *hg = ss_measurer_vector(m, error);
    int rc = g && hg ? 0 : -1;
    if (rc == 0 && (!order || !ratio)) rc = ss_fail(error, "no memory for the order of %u examples", total);
    if (rc == 0) {
        ss_stream stream = ss_stream_make(m->options.seed, SS_FOR_PROBE, 2, 0);
        for (uint32_t i = 0; i < total; i++) order[i] = i;
        if (size < total) ss_stream_permutation(&stream, total, order);
    }
    for (uint32_t i = 0; rc == 0 && i < n; i++) rc = rayleigh(m, order + (size_t)i * size, size, g, hg, &ratio[i], error);
    if (rc == 0) {
        ss_mean_error(n, ratio, &out->batch_sharpness, &out->batch_sharpness_error);
        if (size == total) out->batch_sharpness_error = 0; /* there is no other batch */
    }
    ss_free(order);
    ss_free(ratio);
    ss_free(g);
    ss_free(hg);
    return rc;
}
