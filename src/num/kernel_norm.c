/* kernel_norm.c - batch norm's passes over x (rows, columns): sums down the columns, and per-column linear combinations.
 * nn's batch_norm.c has the formulas. A column is summed eight rows at a time in ss_real and from there on in double:
 * widening every element would cost more than reading it, and three roundings of ss_real average out over the rows. What
 * may cancel, the moments and ss_column_sums of products, is in double throughout. */
#include "kernels.h"
#include "lanes.h"

enum { ROWS = 8 };

/* restrict for parameters of inlined functions alone: each array is reached through one of them */
#define IN const ss_real *restrict
#define SUM double *restrict

/* ---- sums ------------------------------------------------------------------------------------------------ */
/* The sum of ROWS values, or of one. */
INLINE ss_real sum_of(const size_t rows, const ss_real *v)
{
    return rows == 1 ? v[0] : ((v[0] + v[1]) + (v[2] + v[3])) + ((v[4] + v[5]) + (v[6] + v[7]));
}

/* Products, whose sum may cancel, are formed and summed in double. */
INLINE void add_sums(const size_t rows, const bool product, size_t columns, size_t ld, IN x, IN y, SUM sum)
{
    for (size_t j = 0; j < columns; j++) {
        ss_real v[ROWS];
        double products = 0;
#pragma GCC unroll 8
        for (size_t r = 0; r < rows; r++) {
            v[r] = x[r * ld + j];
            if (product) products += (double)v[r] * (double)y[r * ld + j];
        }
        sum[j] += product ? products : (double)sum_of(rows, v);
    }
}

INLINE void column_sums(const bool product, size_t rows, size_t columns, size_t ld, const ss_real *x, const ss_real *y,
                        double *sum)
{
    size_t r = 0, step = product ? ld : 0;
    memset(sum, 0, columns * sizeof *sum);
    for (; r + ROWS <= rows; r += ROWS) add_sums(ROWS, product, columns, ld, x + r * ld, y + r * step, sum);
    for (; r < rows; r++) add_sums(1, product, columns, ld, x + r * ld, y + r * step, sum);
}

void KERNEL(column_sums)(size_t rows, size_t columns, size_t ld, const ss_real *x, const ss_real *y, double *sum)
{
    if (y) column_sums(true, rows, columns, ld, x, y, sum);
    else column_sums(false, rows, columns, ld, x, x, sum);
}

void KERNEL(add_row)(size_t rows, size_t columns, const ss_real *restrict b, ss_real *restrict y)
{
    for (size_t r = 0; r < rows; r++, y += columns)
        for (size_t j = 0; j < columns; j++) y[j] += b[j];
}

INLINE void add_moments(const size_t rows, size_t columns, size_t ld, IN x, IN first, SUM sum, SUM square)
{
    for (size_t j = 0; j < columns; j++) {
        double s = sum[j], q = square[j], shift = (double)first[j];
#pragma GCC unroll 8
        for (size_t r = 0; r < rows; r++) {
            double d = (double)x[r * ld + j] - shift;
            s += d;
            q += d * d;
        }
        sum[j] = s;
        square[j] = q;
    }
}

/* Mean and variance in one pass, in double, of differences to the first row. The variance is at least (x_1 - mean)^2 / rows:
 * what the subtraction cancels is at most `rows` times what is left, so that the worst there can be is a relative error of
 * some rows * 1e-15. */
void KERNEL(column_moments)(size_t rows, size_t columns, size_t ld, const ss_real *x, double *mean, double *variance)
{
    size_t r = 0;
    memset(mean, 0, columns * sizeof *mean);
    memset(variance, 0, columns * sizeof *variance);
    for (; r + ROWS <= rows; r += ROWS) add_moments(ROWS, columns, ld, x + r * ld, x, mean, variance);
    for (; r < rows; r++) add_moments(1, columns, ld, x + r * ld, x, mean, variance);
    for (size_t j = 0; j < columns; j++) {
        double m = mean[j] / (double)rows, v = variance[j] / (double)rows - m * m;
        mean[j] = (double)x[j] + m;
        variance[j] = v < 0 ? 0 : v;
    }
}

/* ReLU's gate in a pass backward: whether gain xhat + bias, worked out as forward did, is positive. */
INLINE ss_real gated(const bool relu, ss_real gain, ss_real xhat, ss_real bias, ss_real value)
{
    return !relu || gain * xhat + bias > 0 ? value : 0;
}

INLINE void add_norm_sums(const size_t rows, const bool relu, size_t columns, size_t ld, IN gain, IN bias, IN xhat, IN dy,
                          SUM sum, SUM sum_xhat)
{
    for (size_t j = 0; j < columns; j++) {
        ss_real g = relu ? gain[j] : 0, b = relu ? bias[j] : 0, d[ROWS], p[ROWS];
#pragma GCC unroll 8
        for (size_t r = 0; r < rows; r++) {
            ss_real h = xhat[r * ld + j];
            d[r] = gated(relu, g, h, b, dy[r * ld + j]);
            p[r] = d[r] * h;
        }
        sum[j] += (double)sum_of(rows, d);
        sum_xhat[j] += (double)sum_of(rows, p);
    }
}

INLINE void norm_sums(const bool relu, const ss_norm_data *n, size_t ld, const ss_real *dy, double *sum, double *sum_xhat)
{
    size_t r = 0, c = n->columns;
    memset(sum, 0, c * sizeof *sum);
    memset(sum_xhat, 0, c * sizeof *sum_xhat);
    for (; r + ROWS <= n->rows; r += ROWS)
        add_norm_sums(ROWS, relu, c, ld, n->gain, n->bias, n->xhat + r * ld, dy + r * ld, sum, sum_xhat);
    for (; r < n->rows; r++)
        add_norm_sums(1, relu, c, ld, n->gain, n->bias, n->xhat + r * ld, dy + r * ld, sum, sum_xhat);
}

void KERNEL(norm_sums)(const ss_norm_data *n, size_t ld, bool gate, const ss_real *dy, double *sum, double *sum_xhat)
{
    if (gate) norm_sums(true, n, ld, dy, sum, sum_xhat);
    else norm_sums(false, n, ld, dy, sum, sum_xhat);
}

INLINE void add_second_sums(const size_t rows, const bool relu, const bool moves, size_t columns, size_t ld, IN gain, IN bias,
                            IN xhat, IN dy, IN tdy, IN tx, SUM d_sum, SUM d_xhat, SUM t_sum, SUM t_xhat, SUM d_tx)
{
    for (size_t j = 0; j < columns; j++) {
        ss_real g = relu ? gain[j] : 0, b = relu ? bias[j] : 0, d = 0, dh = 0, t = 0, th = 0, dt = 0;
#pragma GCC unroll 8
        for (size_t r = 0; r < rows; r++) { /* one after another: five trees of sums would not fit the registers */
            ss_real h = xhat[r * ld + j];
            ss_real di = gated(relu, g, h, b, dy[r * ld + j]), ti = gated(relu, g, h, b, tdy[r * ld + j]);
            d += di;
            dh += di * h;
            t += ti;
            th += ti * h;
            if (moves) dt += di * tx[r * ld + j];
        }
        d_sum[j] += (double)d;
        d_xhat[j] += (double)dh;
        t_sum[j] += (double)t;
        t_xhat[j] += (double)th;
        if (moves) d_tx[j] += (double)dt;
    }
}

INLINE void second_sums(const bool relu, const bool moves, const ss_norm_data *n, size_t ld, const ss_real *dy,
                        const ss_real *tdy, const ss_real *tx, double *sum)
{
    size_t r = 0, c = n->columns, step = moves ? ld : 0;
    for (size_t k = 0; k < 5; k++) memset(sum + k * ld, 0, c * sizeof *sum);
    for (; r + ROWS <= n->rows; r += ROWS)
        add_second_sums(ROWS, relu, moves, c, ld, n->gain, n->bias, n->xhat + r * ld, dy + r * ld, tdy + r * ld, tx + r * step,
                        sum, sum + ld, sum + 2 * ld, sum + 3 * ld, sum + 4 * ld);
    for (; r < n->rows; r++)
        add_second_sums(1, relu, moves, c, ld, n->gain, n->bias, n->xhat + r * ld, dy + r * ld, tdy + r * ld, tx + r * step,
                        sum, sum + ld, sum + 2 * ld, sum + 3 * ld, sum + 4 * ld);
}

void KERNEL(norm_second_sums)(const ss_norm_data *n, size_t ld, const ss_real *dy, const ss_real *tdy, const ss_real *tx,
                              double *sum)
{
    if (n->relu && tx) second_sums(true, true, n, ld, dy, tdy, tx, sum);
    else if (n->relu) second_sums(true, false, n, ld, dy, tdy, dy, sum);
    else if (tx) second_sums(false, true, n, ld, dy, tdy, tx, sum);
    else second_sums(false, false, n, ld, dy, tdy, dy, sum);
}

/* ---- element by element ---------------------------------------------------------------------------------- */
INLINE ss_real positive(const bool relu, ss_real y) { return !relu || y > 0 || y != y ? y : 0; } /* NaN stays */

INLINE void normalise_row(const bool relu, size_t columns, IN gain, IN bias, IN mean, IN scale, IN x, ss_real *restrict xhat,
                          ss_real *restrict y)
{
    for (size_t j = 0; j < columns; j++) {
        ss_real h = (x[j] - mean[j]) * scale[j];
        xhat[j] = h;
        y[j] = positive(relu, gain[j] * h + bias[j]);
    }
}

/* The same where the normalised values replace x. */
INLINE void renormalise_row(const bool relu, size_t columns, IN gain, IN bias, IN mean, IN scale, ss_real *restrict xhat,
                            ss_real *restrict y)
{
    for (size_t j = 0; j < columns; j++) {
        ss_real h = (xhat[j] - mean[j]) * scale[j];
        xhat[j] = h;
        y[j] = positive(relu, gain[j] * h + bias[j]);
    }
}

void KERNEL(norm_forward)(const ss_norm_data *n, const ss_real *mean, const ss_real *scale, const ss_real *x, ss_real *y)
{
    size_t c = n->columns;
    ss_real *xhat = n->xhat;
    for (size_t r = 0; r < n->rows; r++, x += c, xhat += c, y += c) {
        if (x == xhat && n->relu) renormalise_row(true, c, n->gain, n->bias, mean, scale, xhat, y);
        else if (x == xhat) renormalise_row(false, c, n->gain, n->bias, mean, scale, xhat, y);
        else if (n->relu) normalise_row(true, c, n->gain, n->bias, mean, scale, x, xhat, y);
        else normalise_row(false, c, n->gain, n->bias, mean, scale, x, xhat, y);
    }
}

INLINE void backward_row(const bool relu, const bool add, size_t columns, IN gain, IN bias, IN k, IN xhat, IN dy,
                         ss_real *restrict dx)
{
    const ss_real *k_xhat = k + columns, *k_dy = k + 2 * columns;
    for (size_t j = 0; j < columns; j++) {
        ss_real d = gated(relu, relu ? gain[j] : 0, xhat[j], relu ? bias[j] : 0, dy[j]);
        ss_real value = k_dy[j] * d + (k_xhat[j] * xhat[j] + k[j]);
        dx[j] = add ? dx[j] + value : value;
    }
}

void KERNEL(norm_backward)(const ss_norm_data *n, const ss_real *k, const ss_real *dy, bool add, ss_real *dx)
{
    size_t c = n->columns;
    const ss_real *xhat = n->xhat;
    for (size_t r = 0; r < n->rows; r++, xhat += c, dy += c, dx += c) {
        if (n->relu && add) backward_row(true, true, c, n->gain, n->bias, k, xhat, dy, dx);
        else if (n->relu) backward_row(true, false, c, n->gain, n->bias, k, xhat, dy, dx);
        else if (add) backward_row(false, true, c, n->gain, n->bias, k, xhat, dy, dx);
        else backward_row(false, false, c, n->gain, n->bias, k, xhat, dy, dx);
    }
}

INLINE void tangent_row(const bool relu, const bool moves, size_t columns, IN gain, IN bias, IN k, IN xhat, IN tx,
                        ss_real *restrict ty)
{
    const ss_real *k_xhat = k + columns, *k_tx = k + 2 * columns;
    for (size_t j = 0; j < columns; j++) {
        ss_real value = k_xhat[j] * xhat[j] + k[j];
        if (moves) value = k_tx[j] * tx[j] + value;
        ty[j] = gated(relu, relu ? gain[j] : 0, xhat[j], relu ? bias[j] : 0, value);
    }
}

void KERNEL(norm_tangent)(const ss_norm_data *n, const ss_real *k, const ss_real *tx, ss_real *ty)
{
    size_t c = n->columns;
    const ss_real *xhat = n->xhat;
    for (size_t r = 0; r < n->rows; r++, xhat += c, ty += c) {
        if (n->relu && tx) tangent_row(true, true, c, n->gain, n->bias, k, xhat, tx + r * c, ty);
        else if (n->relu) tangent_row(true, false, c, n->gain, n->bias, k, xhat, NULL, ty);
        else if (tx) tangent_row(false, true, c, n->gain, n->bias, k, xhat, tx + r * c, ty);
        else tangent_row(false, false, c, n->gain, n->bias, k, xhat, NULL, ty);
    }
}

INLINE void second_row(const bool relu, const bool moves, const bool add, size_t columns, IN gain, IN bias, IN k, IN xhat,
                       IN dy, IN tdy, IN tx, ss_real *restrict tdx)
{
    const ss_real *k_xhat = k + columns, *k_dy = k + 2 * columns, *k_tdy = k + 3 * columns, *k_tx = k + 4 * columns;
    for (size_t j = 0; j < columns; j++) {
        ss_real g = relu ? gain[j] : 0, b = relu ? bias[j] : 0;
        ss_real value = k_xhat[j] * xhat[j] + k[j];
        value = k_dy[j] * gated(relu, g, xhat[j], b, dy[j]) + value;
        value = k_tdy[j] * gated(relu, g, xhat[j], b, tdy[j]) + value;
        if (moves) value = k_tx[j] * tx[j] + value;
        tdx[j] = add ? tdx[j] + value : value;
    }
}

INLINE void second_rows(const bool relu, const bool moves, const bool add, const ss_norm_data *n, const ss_real *k,
                        const ss_real *dy, const ss_real *tdy, const ss_real *tx, ss_real *tdx)
{
    size_t c = n->columns;
    for (size_t r = 0; r < n->rows; r++)
        second_row(relu, moves, add, c, n->gain, n->bias, k, n->xhat + r * c, dy + r * c, tdy + r * c,
                   moves ? tx + r * c : NULL, tdx + r * c);
}

void KERNEL(norm_second_backward)(const ss_norm_data *n, const ss_real *k, const ss_real *dy, const ss_real *tdy,
                                  const ss_real *tx, bool add, ss_real *tdx)
{
    if (n->relu && tx && add) second_rows(true, true, true, n, k, dy, tdy, tx, tdx);
    else if (n->relu && tx) second_rows(true, true, false, n, k, dy, tdy, tx, tdx);
    else if (tx && add) second_rows(false, true, true, n, k, dy, tdy, tx, tdx);
    else if (tx) second_rows(false, true, false, n, k, dy, tdy, tx, tdx);
    else if (n->relu) second_rows(true, false, add, n, k, dy, tdy, tx, tdx);
    else second_rows(false, false, add, n, k, dy, tdy, tx, tdx);
}
