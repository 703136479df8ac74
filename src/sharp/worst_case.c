/* worst_case.c - sharpness as the worst loss nearby (Keskar et al. 2017; Foret et al. 2021): max of L(w + d) - L(w) over
 * ||d / c|| <= rho, with c = 1, or c = |w| for adaptive sharpness (Kwon et al. 2021; Andriushchenko et al. 2023).
 * The maximum itself is not to be had. Each step goes to the maximiser of the loss linearised where the last one came to,
 *     d <- rho c^2 g(w + d) / ||c g(w + d)||,
 * the first from d = 0: with c = 1 that is SAM's own perturbation. On a convex loss no step goes down (the generalised power
 * method: Journee et al. 2010); in general it may, so the best point counts, w itself among them. What is reported is
 * therefore a lower bound of the maximum, and not negative.
 * With groups of m examples, as in m-SAM (Andriushchenko & Flammarion 2022), each group has its own worst case by its own
 * loss, and the mean is over examples. */
#include "measurer.h"

#include <math.h>

typedef struct search {
    ss_measurer *m;
    bool adaptive;
    double rho;
    ss_real *g, *point;
} search;

static double unit(const search *s, size_t i)
{
    return s->adaptive ? fabs((double)s->m->theta[i]) : 1;
}

/* ||c g||: 0 where g leads nowhere. */
static double length(const search *s)
{
    double norm2 = 0;
    for (size_t i = 0; i < s->m->n; i++) {
        double cg = unit(s, i) * (double)s->g[i];
        norm2 += cg * cg;
    }
    return sqrt(norm2);
}

/* point = w + the maximiser of the loss linearised where g is the gradient, ||c g|| = length > 0. */
static void step(search *s, double length)
{
    const ss_real *w = s->m->theta;
    double factor = s->rho / length;
    for (size_t i = 0; i < s->m->n; i++) {
        double c = unit(s, i);
        s->point[i] = (ss_real)((double)w[i] + factor * c * c * (double)s->g[i]);
    }
}

/* *value = the largest rise of the selected examples' loss; NaN where a loss or a gradient is not finite. */
static int rise(search *s, double *value)
{
    ss_measurer *m = s->m;
    ss_hessian_set(m->h, m->theta, m->stats);
    if (ss_measurer_stopped(m)) return 1;
    double start = ss_hessian_objective(m->h, s->g), size = length(s);
    *value = isfinite(start) ? 0 : (double)NAN;
    for (int i = 0; i < m->options.sharpness_steps && size > 0 && isfinite(size); i++) {
        if (ss_measurer_stopped(m)) return 1;
        step(s, size);
        ss_hessian_set(m->h, s->point, m->stats);
        bool last = i + 1 == m->options.sharpness_steps;
        double here = ss_hessian_objective(m->h, last ? NULL : s->g) - start;
        if (!isfinite(here)) size = NAN;
        else if (here > *value) *value = here;
        if (isfinite(size) && !last) size = length(s);
    }
    if (!isfinite(size)) *value = NAN;
    return 0;
}

/* The mean of all groups' rises, by their examples. */
static int rise_of_groups(search *s, uint32_t size, double *value, ss_error *error)
{
    ss_measurer *m = s->m;
    uint32_t total = ss_hessian_n_examples(m->h);
    uint32_t *index = ss_alloc(total, sizeof *index);
    if (!index) return ss_fail(error, "no memory for a list of %u examples", total);
    double sum = 0;
    int rc = 0;
    for (uint32_t i = 0; i < total; i++) index[i] = ss_hessian_example(m->h, i);
    for (uint32_t first = 0, n; rc == 0 && first < total; first += n) {
        double one;
        n = total - first < size ? total - first : size;
        rc = ss_hessian_select(m->h, index + first, n, error);
        if (rc == 0) rc = rise(s, &one);
        if (rc == 0) sum += n * one;
    }
    if (rc == 0) *value = sum / total;
    ss_free(index);
    return rc;
}

static int worst_case(ss_measurer *m, bool adaptive, double rho, double *value, ss_error *error)
{
    search s = {m, adaptive, rho, ss_measurer_vector(m, error), ss_measurer_vector(m, error)};
    uint32_t size = m->options.sharpness_m;
    int rc = -1;
    if (s.g && s.point)
        rc = size == 0 || size >= ss_hessian_n_examples(m->h) ? rise(&s, value) : rise_of_groups(&s, size, value, error);
    ss_free(s.g);
    ss_free(s.point);
    return rc;
}

int ss_measure_sharpness(ss_measurer *m, ss_measures *out, ss_error *error)
{
    return worst_case(m, false, m->options.sharpness_rho, &out->sharpness, error);
}

int ss_measure_adaptive_sharpness(ss_measurer *m, ss_measures *out, ss_error *error)
{
    return worst_case(m, true, m->options.adaptive_rho, &out->adaptive_sharpness, error);
}
