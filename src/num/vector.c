/* vector.c - vectors of ss_real and what is done to them element by element; the loops are in the kernels. Those
 * that sum run on one thread: the order of their additions is fixed. */
#include "kernels.h"

#include <math.h>
#include <stdatomic.h>

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

/* Element by element, in ranges. */
typedef struct operands { double factor, decay; const ss_real *x, *w; const double *sum; ss_real *out; double *total; } operands;

static void axpy_range(void *ctx, size_t i, size_t n)
{
    const operands *o = ctx;
    ss_kernel->axpy(n, o->factor, o->x + i, o->out + i);
}

void ss_axpy(size_t n, double a, const ss_real *x, ss_real *y)
{
    ss_parallel_ranges(n, 1, axpy_range, &(operands){.factor = a, .x = x, .out = y});
}

static void scale_range(void *ctx, size_t i, size_t n)
{
    const operands *o = ctx;
    ss_kernel->scale(n, o->factor, o->out + i);
}

void ss_scale(size_t n, double a, ss_real *x)
{
    ss_parallel_ranges(n, 1, scale_range, &(operands){.factor = a, .out = x});
}

static void accumulate_range(void *ctx, size_t i, size_t n)
{
    const operands *o = ctx;
    ss_kernel->accumulate(n, o->x + i, o->total + i);
}

void ss_accumulate(size_t n, const ss_real *x, double *sum)
{
    ss_parallel_ranges(n, 1, accumulate_range, &(operands){.x = x, .total = sum});
}

static void round_range(void *ctx, size_t i, size_t n)
{
    const operands *o = ctx;
    ss_kernel->round(n, o->sum + i, o->factor, o->out + i);
}

void ss_round(size_t n, const double *sum, double scale, ss_real *x)
{
    ss_parallel_ranges(n, 1, round_range, &(operands){.sum = sum, .factor = scale, .out = x});
}

typedef struct descending { const ss_descent *d; const ss_real *g; ss_real *w, *v; atomic_bool finite; } descending;

static void descend_range(void *ctx, size_t i, size_t n)
{
    descending *all = ctx;
    bool finite;
    ss_kernel->descend(n, all->d, all->g + i, all->w + i, all->v ? all->v + i : NULL, NULL, &finite);
    if (!finite) atomic_store(&all->finite, false);
}

/* On one thread the norm is taken in the same pass, on several before: its additions have their order. */
bool ss_descend(size_t n, const ss_descent *d, const ss_real *g, ss_real *w, ss_real *v, double *norm)
{
    bool finite;
    if (ss_threads() > 1) {
        descending all = {d, g, w, v, true};
        if (norm) *norm = ss_norm(n, g);
        ss_parallel_ranges(n, 1, descend_range, &all);
        return atomic_load(&all.finite);
    }
    ss_kernel->descend(n, d, g, w, v, norm, &finite);
    if (norm) *norm = sqrt(*norm);
    return finite;
}

static void ascend_range(void *ctx, size_t i, size_t n)
{
    const operands *o = ctx;
    ss_kernel->ascend(n, o->x + i, o->decay, o->factor, o->w + i, o->out + i);
}

void ss_ascend(size_t n, const ss_real *g, double decay, double factor, const ss_real *w, ss_real *out)
{
    ss_parallel_ranges(n, 1, ascend_range, &(operands){.x = g, .decay = decay, .factor = factor, .w = w, .out = out});
}
