/* cost_measures.c - what the measures beside lambda_max cost, each time that they are taken, in the units of cost.c. Those
 * that are eigenvalues take as many products as such usually do; the others' number is a setting. */
#include "parts.h"

#include <math.h>

enum { GRADIENT = 3, LOSS = 1, POINT = 2 }; /* forward passes; POINT: what is kept of a point, for a product */
/* Products of a Lanczos run from a random vector: for the largest eigenvalue of anything (7 to 11 on a trained MLP of 1000
 * images); for the smallest, which lies nearer to its neighbours (26 to 47 there). */
enum { LARGEST = 12, SMALLEST = 40 };

static double least(double a, double b) { return a < b ? a : b; }

static double of_lanczos(const ss_settings *s, double usual)
{
    return least(usual, (double)s->curvature_max_hvp);
}

/* Steps of the quadrature: a Krylov space has no more dimensions than there are parameters. */
static double spectrum_steps(const ss_settings *s, double n_parameters)
{
    return least((double)s->spectrum_steps, n_parameters);
}

double ss_cost_nodes(const ss_settings *s, double n_parameters)
{
    return (double)s->spectrum_probes * spectrum_steps(s, n_parameters);
}

/* Products and gradients on the Hessian's own examples. */
static double own_passes(const ss_settings *s, double product, double n_parameters)
{
    double products = (double)s->trace_probes + ss_cost_nodes(s, n_parameters), passes = 0;
    if (s->smallest_eigenvalue) products += of_lanczos(s, SMALLEST);
    if (s->gauss_newton) products += of_lanczos(s, LARGEST);
    if (s->adaptive_eigenvalue) products += of_lanczos(s, LARGEST);
    if (s->spherical_eigenvalue) products += of_lanczos(s, LARGEST);
    if (s->gradient_alignment) passes += GRADIENT;
    if (s->gradient_alignment && (s->eigenvalues > 1 || s->interpolation_points >= 2)) products += of_lanczos(s, LARGEST);
    if (s->sharpness_rho > 0) passes += GRADIENT * (double)s->sharpness_steps + LOSS;
    if (s->adaptive_rho > 0) passes += GRADIENT * (double)s->sharpness_steps + LOSS;
    return passes + products * product + (passes + products > 0 ? POINT : 0);
}

double ss_cost_measures(const ss_settings *s, double product, double examples, double batch, const ss_work_size *w)
{
    double passes = examples * own_passes(s, product, w->n_parameters), n_train = w->n_train;
    if (s->batch_sharpness_batches > 0) {
        double batches = least((double)s->batch_sharpness_batches, floor(n_train / batch));
        passes += batches * batch * (GRADIENT + POINT + product);
    }
    if (s->lambda_subsets != SS_WORD) {
        double parts = (double)s->lambda_subsets, size = least(examples, floor(n_train / parts));
        passes += parts * size * (POINT + of_lanczos(s, LARGEST) * product);
    }
    return passes;
}

/* Of the parameters' length, beside lambda_max's own: those of the measure that has the most. SAM's edge needs one gradient,
 * for which there is the place of lambda_max's eigenvector. */
double ss_cost_measure_vectors(const ss_settings *s, double n_parameters)
{
    enum { LANCZOS = 24 };        /* a run on a part of the parameters has memory of its own */
    double most = 0, kept = s->gradient_alignment ? 1 : 0;
    const struct { bool wanted; double vectors; } rows[] = {
        {s->trace_probes > 0, 2}, {s->spectrum_probes > 0, spectrum_steps(s, n_parameters) + 3}, {s->adaptive_eigenvalue, 1},
        {s->spherical_eigenvalue, LANCZOS + 2}, {s->gradient_alignment, 2}, {s->sharpness_rho > 0 || s->adaptive_rho > 0, 2},
        {s->batch_sharpness_batches > 0, 2},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].wanted) most = fmax(most, rows[i].vectors);
    return most + kept;
}
