/* kernel_vector.c - vectors of ss_real: sums in double, and the optimisers' updates in one pass over memory each. */
#include "kernels.h"
#include "lanes.h"

INLINE double dot(size_t n, const ss_real *x, const ss_real *y)
{
    wide sum[SUMS] = {{0}};
    size_t i = 0;
    for (; i + SUM_LANES <= n; i += SUM_LANES) add_products(x + i, y + i, sum);
    return total(sum, n - i, x + i, y + i);
}

void KERNEL(dot)(size_t n, const ss_real *x, const ss_real *y, double *out)
{
    *out = x == y ? dot(n, x, x) : dot(n, x, y); /* a norm is loaded and widened once */
}

void KERNEL(axpy)(size_t n, double a, const ss_real *restrict x, ss_real *restrict y)
{
    for (size_t i = 0; i < n; i++) y[i] = (ss_real)((double)y[i] + a * (double)x[i]);
}

void KERNEL(scale)(size_t n, double a, ss_real *x)
{
    for (size_t i = 0; i < n; i++) x[i] = (ss_real)(a * (double)x[i]);
}

void KERNEL(accumulate)(size_t n, const ss_real *restrict x, double *restrict sum)
{
    for (size_t i = 0; i < n; i++) sum[i] += (double)x[i];
}

void KERNEL(round)(size_t n, const double *restrict sum, double scale, ss_real *restrict x)
{
    for (size_t i = 0; i < n; i++) x[i] = (ss_real)(scale * sum[i]);
}

/* ---- steps of an optimiser ------------------------------------------------------------------------------- */
/* One run of elements with everything known at compile time but the numbers; returns whether all w are finite. */
INLINE int descend(const bool momentum, const bool nesterov, size_t n, const ss_descent *d, const ss_real *restrict g,
                   ss_real *restrict w, ss_real *restrict v)
{
    const ss_real lr = (ss_real)d->learning_rate, beta = (ss_real)d->momentum, decay = (ss_real)d->weight_decay;
    int bad = 0;
    for (size_t i = 0; i < n; i++) {
        ss_real step = g[i] + decay * w[i];
        if (momentum) {
            ss_real velocity = beta * v[i] + step;
            v[i] = velocity;
            step = nesterov ? step + beta * velocity : velocity;
        }
        w[i] -= lr * step;
        bad |= (w[i] - w[i]) != 0;
    }
    return bad;
}

/* Block by block, so that the sum (if wanted) reads what is about to be used: g, w and v pass through the core once. */
void KERNEL(descend)(size_t n, const ss_descent *d, const ss_real *g, ss_real *w, ss_real *v, double *square, bool *finite)
{
    enum { BLOCK = 512 };
    wide sum[SUMS] = {{0}};
    int bad = 0;
    if (square) *square = 0;
    for (size_t i = 0; i < n; i += BLOCK) {
        size_t m = n - i < BLOCK ? n - i : BLOCK, j = i;
        for (; square && j + SUM_LANES <= i + m; j += SUM_LANES) add_products(g + j, g + j, sum);
        if (square && i + m == n) *square = total(sum, n - j, g + j, g + j);
        if (d->momentum == 0) bad |= descend(false, false, m, d, g + i, w + i, v + i);
        else if (d->nesterov) bad |= descend(true, true, m, d, g + i, w + i, v + i);
        else bad |= descend(true, false, m, d, g + i, w + i, v + i);
    }
    *finite = !bad;
}

/* The square of g + decay w. */
void KERNEL(sum_square)(size_t n, const ss_real *g, double decay, const ss_real *w, double *square)
{
    wide sum[SUMS] = {{0}};
    size_t i = 0;
    for (; i + SUM_LANES <= n; i += SUM_LANES)
#pragma GCC unroll 16
        for (size_t l = 0; l < SUMS; l++) {
            wide a = widened(g + i + l * WIDE) + decay * widened(w + i + l * WIDE);
            sum[l] += a * a;
        }
    *square = total(sum, 0, NULL, NULL);
    for (; i < n; i++) {
        double a = (double)g[i] + decay * (double)w[i];
        *square += a * a;
    }
}

/* In ss_real: where to look need not be exact, and the loop is then bound by memory alone. */
void KERNEL(ascend)(size_t n, const ss_real *restrict g, double decay, double factor, const ss_real *restrict w,
                    ss_real *restrict out)
{
    const ss_real f = (ss_real)factor, d = (ss_real)decay;
    for (size_t i = 0; i < n; i++) out[i] = w[i] + f * (g[i] + d * w[i]);
}
