/* vector.c - vectors of ss_real and what is done to them element by element; the loops are in the kernels. */
#include "kernels.h"

#include <math.h>

double ss_dot(size_t n, const ss_real *x, const ss_real *y)
{
    double sum;
    ss_kernel->dot(n, x, y, &sum);
    return sum;
}

double ss_norm(size_t n, const ss_real *x)
{
    return sqrt(ss_dot(n, x, x));
}

double ss_norm_sum(size_t n, const ss_real *x, double a, const ss_real *y)
{
    double square;
    ss_kernel->sum_square(n, x, a, y, &square);
    return sqrt(square);
}

void ss_axpy(size_t n, double a, const ss_real *x, ss_real *y) { ss_kernel->axpy(n, a, x, y); }
void ss_scale(size_t n, double a, ss_real *x) { ss_kernel->scale(n, a, x); }
void ss_accumulate(size_t n, const ss_real *x, double *sum) { ss_kernel->accumulate(n, x, sum); }
void ss_round(size_t n, const double *sum, double scale, ss_real *x) { ss_kernel->round(n, sum, scale, x); }

bool ss_descend(size_t n, const ss_descent *d, const ss_real *g, ss_real *w, ss_real *v, double *norm)
{
    bool finite;
    ss_kernel->descend(n, d, g, w, v, norm, &finite);
    if (norm) *norm = sqrt(*norm);
    return finite;
}

void ss_ascend(size_t n, const ss_real *g, double decay, double factor, const ss_real *w, ss_real *out)
{
    ss_kernel->ascend(n, g, decay, factor, w, out);
}

void ss_relu(size_t n, const ss_real *x, ss_real *y) { ss_kernel->relu(n, x, y); }

void ss_relu_gate(size_t n, const ss_real *y, const ss_real *in, bool add, ss_real *out)
{
    ss_kernel->gate(n, y, in, add, out);
}

void ss_add(size_t n, const ss_real *a, const ss_real *b, bool relu, ss_real *y) { ss_kernel->add(n, a, b, relu, y); }

void ss_mask(size_t n, const ss_real *mask, const ss_real *in, bool add, ss_real *out)
{
    ss_kernel->mask(n, mask, in, add, out);
}

void ss_dropout_mask(const ss_stream *stream, uint64_t first, size_t n, double p, ss_real *mask)
{
    ss_kernel->dropout_mask(stream, first, n, (uint64_t)(p * 4294967296.0), (ss_real)(1 / (1 - p)), mask);
}

void ss_tanh(size_t n, const ss_real *x, ss_real *y) { ss_kernel->tanh(n, x, y); }
void ss_gelu(size_t n, const ss_real *x, ss_real *y) { ss_kernel->gelu(n, x, y); }
void ss_tanh_slope(const ss_slope *s) { ss_kernel->tanh_slope(s); }
void ss_gelu_slope(const ss_slope *s) { ss_kernel->gelu_slope(s); }

double ss_cross_entropy(size_t n, size_t k, const ss_real *z, const uint8_t *label)
{
    double total;
    ss_kernel->cross_entropy(n, k, z, label, &total);
    return total;
}

void ss_cross_entropy_delta(size_t n, size_t k, const ss_real *z, const uint8_t *label, double scale, ss_real *dy)
{
    ss_kernel->cross_entropy_delta(n, k, z, label, scale, dy);
}

void ss_cross_entropy_tangent(size_t n, size_t k, const ss_real *z, const ss_real *tz, double scale, ss_real *tdy)
{
    ss_kernel->cross_entropy_tangent(n, k, z, tz, scale, tdy);
}
