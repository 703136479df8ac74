/* extremes.c - measures that are the largest eigenvalue of something made of H, all by the Lanczos solver of lambda_max:
 *   lambda_min             -H, and the sign turned back. It may lie at 0, where no residual is small beside |lambda|: tolerance
 *                          and residual are relative to ||H||
 *   gauss_newton           J' (d2 loss / d logits2) J (Schraudolph 2002)
 *   adaptive_lambda_max    C H C, C = diag|w|: the second-order part of adaptive sharpness (Kwon et al. 2021;
 *                          Andriushchenko et al. 2023, arXiv 2302.07011); each weight counts in units of itself
 *   spherical_sharpness    ||w_s||^2 H_ss (Lyu, Li & Arora 2022): lambda_max at w_s / ||w_s|| of a loss that does not see
 *                          the length of w_s, the weights ahead of batch norms with batch statistics, all of them
 *                          together. There are none in networks without batch norm, nor where it uses running ones: NaN
 *   subsets                H over disjoint parts of the training subset, each as large as the Hessian's own examples, or
 *                          as an even share: example i of part s is number i * subsets + s of those chosen evenly from all
 * and gradient-eigenvector alignment, |g'u| / ||g|| (Gur-Ari, Roberts & Dyer 2018). */
#include "measurer.h"

#include <math.h>
#include <string.h>

enum { CHECK_OWN = 1 << 24 };             /* random vectors of their own, apart from those of tracked lambda_max */

/* value, residual and (vector not NULL) unit eigenvector of op on length n. */
static int largest(ss_measurer *m, ss_operator *op, void *ctx, size_t n, uint64_t check, double *value, double *residual,
                   ss_real *vector, ss_error *error)
{
    ss_lanczos_options o = m->options.lanczos;
    ss_lanczos_result r = {0};
    o.k = 1;
    o.check = CHECK_OWN + check;
    o.start = NULL;
    o.keeper = NULL;
    o.work = NULL;
    o.risk = 0;
    if (n == m->n && ss_hessian_lend_work(m->h, &o, error) != 0) return -1;
    int rc = ss_lanczos(op, ctx, n, &o, &r, error);
    if (rc == 0) {
        *value = r.eigenvalue[0];
        *residual = r.residual[0];
        if (vector) memcpy(vector, r.eigenvector, n * sizeof *vector);
    }
    ss_lanczos_finish(&r);
    return rc;
}

static int apply_negative(void *ctx, const ss_real *v, ss_real *hv, ss_error *error)
{
    ss_measurer *m = ctx;
    int rc = ss_measurer_apply(m, v, hv, error);
    if (rc == 0) ss_scale(m->n, -1, hv);
    return rc;
}

int ss_measure_lambda_min(ss_measurer *m, ss_measures *out, ss_error *error)
{
    m->options.lanczos.by_norm = true;
    int rc = largest(m, apply_negative, m, m->n, 0, &out->lambda_min, &out->lambda_min_residual, NULL, error);
    m->options.lanczos.by_norm = false;
    out->lambda_min = -out->lambda_min;
    return rc;
}

int ss_measure_gauss_newton(ss_measurer *m, ss_measures *out, ss_error *error)
{
    ss_hessian_set_matrix(m->h, SS_GAUSS_NEWTON);
    return largest(m, ss_measurer_apply, m, m->n, 0, &out->gauss_newton_lambda_max, &out->gauss_newton_residual, NULL,
                   error);
}

/* ---- C H C --------------------------------------------------------------------------------------------------------- */
typedef struct scaled { ss_measurer *m; ss_real *cv; } scaled;

static int apply_scaled(void *ctx, const ss_real *v, ss_real *hv, ss_error *error)
{
    scaled *s = ctx;
    const ss_real *w = s->m->theta;
    for (size_t i = 0; i < s->m->n; i++) s->cv[i] = (ss_real)fabs((double)w[i]) * v[i];
    int rc = ss_measurer_apply(s->m, s->cv, hv, error);
    if (rc != 0) return rc;
    for (size_t i = 0; i < s->m->n; i++) hv[i] *= (ss_real)fabs((double)w[i]);
    return 0;
}

int ss_measure_adaptive(ss_measurer *m, ss_measures *out, ss_error *error)
{
    scaled s = {m, ss_measurer_vector(m, error)};
    if (!s.cv) return -1;
    int rc = largest(m, apply_scaled, &s, m->n, 0, &out->adaptive_lambda_max, &out->adaptive_residual, NULL, error);
    ss_free(s.cv);
    return rc;
}

/* ---- H's block of the scale-invariant weights ---------------------------------------------------------------------- */
typedef struct block { ss_measurer *m; bool *mask; size_t n; ss_real *v, *hv; } block;

static int apply_block(void *ctx, const ss_real *v, ss_real *hv, ss_error *error)
{
    block *b = ctx;
    double l2 = ss_hessian_l2(b->m->h);
    size_t at = 0;
    for (size_t i = 0; i < b->m->n; i++)
        if (b->mask[i]) b->v[i] = v[at++];
    int rc = ss_measurer_apply(b->m, b->v, b->hv, error);
    if (rc != 0) return rc;
    at = 0;
    for (size_t i = 0; i < b->m->n; i++)
        if (b->mask[i]) hv[at++] = b->hv[i];
    if (l2 != 0) ss_axpy(b->n, -l2, v, hv); /* the l2 term sees every length */
    return 0;
}

int ss_measure_spherical(ss_measurer *m, ss_measures *out, ss_error *error)
{
    double length2 = 0, value = NAN, residual = NAN;
    block b = {.m = m, .mask = ss_alloc(m->n, sizeof *b.mask), .v = ss_measurer_vector(m, error),
               .hv = ss_measurer_vector(m, error)};
    int rc = b.v && b.hv ? 0 : -1;
    if (rc == 0 && !b.mask) rc = ss_fail(error, "no memory to mark %zu weights", m->n);
    if (rc == 0 && !ss_hessian_runs(m->h)) b.n = ss_net_scale_invariant(m->net, b.mask);
    if (rc == 0 && b.n > 0) rc = largest(m, apply_block, &b, b.n, 0, &value, &residual, NULL, error);
    for (size_t i = 0; rc == 0 && i < m->n; i++)
        if (b.mask[i]) length2 += (double)m->theta[i] * (double)m->theta[i];
    if (rc == 0) {
        out->spherical_sharpness = length2 * value;
        out->spherical_residual = residual;
    }
    ss_free(b.mask);
    ss_free(b.v);
    ss_free(b.hv);
    return rc;
}

/* ---- parts of the training subset ---------------------------------------------------------------------------------- */
int ss_measure_subsets(ss_measurer *m, ss_measures *out, ss_error *error)
{
    uint32_t parts = (uint32_t)m->options.subsets, own = ss_hessian_n_examples(m->h), total = m->data->train.n;
    uint32_t size = total / parts < own ? total / parts : own;
    if (size == 0)
        return ss_fail(error, "%u disjoint subsets of %u training examples: ask for at most %u", parts, total, total);
    uint32_t *index = ss_alloc(size, sizeof *index);
    double *value = ss_alloc(parts, sizeof *value), residual, most = 0, deviation;
    int rc = index && value ? 0 : ss_fail(error, "no memory for %u subsets of %u examples", parts, size);
    for (uint32_t s = 0; rc == 0 && s < parts; s++) {
        for (uint32_t i = 0; i < size; i++) index[i] = ss_even_index(i * parts + s, size * parts, total);
        rc = ss_hessian_select(m->h, index, size, error);
        if (rc == 0) rc = largest(m, ss_measurer_apply, m, m->n, 1 + s, &value[s], &residual, NULL, error);
        if (rc == 0 && !(residual <= most)) most = residual; /* NaN stays */
    }
    if (rc == 0) {
        ss_mean_error(parts, value, &out->subset_lambda_mean, &deviation);
        out->subset_lambda_deviation = deviation * sqrt(parts);
        out->subset_lambda_residual = most;
        out->subset_examples = size;
    }
    ss_free(index);
    ss_free(value);
    return rc;
}

/* ---- gradient and eigenvector -------------------------------------------------------------------------------------- */
int ss_measure_alignment(ss_measurer *m, ss_measures *out, ss_error *error)
{
    ss_real *g = ss_measurer_vector(m, error), *own = m->eigenvector ? NULL : ss_measurer_vector(m, error);
    const ss_real *u = m->eigenvector ? m->eigenvector : own;
    double value, residual;
    int rc = g && u ? 0 : -1;
    if (rc == 0 && own) rc = largest(m, ss_measurer_apply, m, m->n, 0, &value, &residual, own, error);
    if (rc == 0 && ss_measurer_stopped(m)) rc = 1;
    if (rc == 0) {
        ss_hessian_objective(m->h, g);
        double size = ss_norm(m->n, g) * ss_norm(m->n, u);
        out->alignment = size > 0 ? fabs(ss_dot(m->n, g, u)) / size : (double)NAN;
    }
    ss_free(g);
    ss_free(own);
    return rc;
}
