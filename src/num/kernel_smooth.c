/* kernel_smooth.c - exp, tanh, GELU and softmax, in double for both precisions: in float the results are then the rounded
 * exact ones but for one case in many millions, and there is one set of polynomials to trust.
 *
 * exp(x) = 2^k (1 + q), k the integer nearest x / ln 2, q = exp(r) - 1 with |r| <= ln 2 / 2 by Taylor's series to r^13 / 13!
 * (the rest is below 2^-57); ln 2 in two parts (Cody & Waite 1980), so that r is exact without FMA too.
 * tanh(x) = -t / (2 + t), t = exp(-2|x|) - 1 = 2^k q + (2^k - 1), which loses nothing near 0.
 * erfc(z) = t exp(-z^2 + P(t)), t = 2 / (2 + z), z >= 0, P a Chebyshev series (Hammer's form, as in Numerical Recipes,
 * 3rd ed., 6.2.2; the coefficients were computed anew with 40 digits). */
#include "kernels.h"
#include "lanes.h"

#include <assert.h>
#include <math.h>

typedef int64_t integers __attribute__((vector_size(VECTOR_BYTES)));
typedef double unaligned_wide __attribute__((vector_size(VECTOR_BYTES), aligned(sizeof(double)), may_alias));

INLINE wide all(double x) { return x - (wide){0}; }
INLINE wide chosen(integers which, wide a, wide b) { return (wide)((which & (integers)a) | (~which & (integers)b)); }

/* q and 2^k of exp(x); x >= -708 and <= 708, or NaN, which stays */
INLINE wide exp_parts(wide x, wide *power)
{
    const double magic = 0x1.8p52, ln2_high = 6.93147180369123816490e-01, ln2_low = 1.90821492927058770002e-10;
    static const double factor[] = {1.0 / 6227020800, 1.0 / 479001600, 1.0 / 39916800, 1.0 / 3628800, 1.0 / 362880,
                                    1.0 / 40320, 1.0 / 5040, 1.0 / 720, 1.0 / 120, 1.0 / 24, 1.0 / 6, 0.5};
    wide shifted = x * 1.4426950408889634 + magic, k = shifted - magic; /* the integer stands in the lowest bits */
    wide r = (x - k * ln2_high) - k * ln2_low, p = all(factor[0]);
#pragma GCC unroll 16
    for (size_t i = 1; i < sizeof factor / sizeof *factor; i++) p = p * r + factor[i];
    *power = (wide)(((integers)shifted + 1023) << 52);
    return r + (r * r) * p;
}

INLINE wide at_least(double low, wide x) { return chosen((integers)(x < low), all(low), x); } /* NaN stays */

INLINE wide exponential(wide x)
{
    wide power, q = exp_parts(at_least(-708, x), &power);
    return power + power * q;
}

INLINE wide magnitude(wide x) { return (wide)((integers)x & INT64_MAX); }

INLINE wide hyperbolic_tangent(wide x)
{
    wide power, q = exp_parts(at_least(-80, -2 * magnitude(x)), &power), t = power * q + (power - 1);
    return (wide)((integers)magnitude(t / (2 + t)) | ((integers)x & INT64_MIN));
}

/* Phi(x) = erfc(-x / sqrt 2) / 2 */
INLINE wide normal_cumulative(wide x)
{
    static const double chebyshev[] = {
        -1.3026537197817094, 0.64196979235649026, 0.019476473204185836, -0.0095615147868086316, -0.00094659534448203687,
        0.00036683949785276145, 4.2523324806907772e-05, -2.0278578112534243e-05, -1.6242900046470255e-06,
        1.3036558355805232e-06, 1.5626441722066143e-08, -8.5238095914926543e-08, 6.5290544390988515e-09, 5.0593434955514689e-09,
        -9.9136415649303309e-10, -2.2736512229318359e-10, 9.646791102015526e-11, 2.3940380830391147e-12,
        -6.8860275264975534e-12, 8.9448792730907257e-13, 3.1309213993429581e-13, -1.1270822361367252e-13,
        3.8109052551892321e-16, 7.1060976136092370e-15, -1.5230282014571043e-15, -9.4574945712912340e-17,
        1.2102371892242790e-16, -2.8166630877471770e-17};
    wide z = magnitude(x) * 0.70710678118654752, t = 2 / (2 + z), u = 4 * t - 2, b = {0}, before = {0};
#pragma GCC unroll 32
    for (size_t j = sizeof chebyshev / sizeof *chebyshev - 1; j > 0; j--) { /* Clenshaw */
        wide next = u * b - before + chebyshev[j];
        before = b;
        b = next;
    }
    wide upper = 0.5 * t * exponential(-z * z + 0.5 * (chebyshev[0] + u * b) - before); /* Phi(-|x|) */
    return chosen((integers)(x > 0), 1 - upper, upper);
}

INLINE wide normal_density(wide x) { return 0.39894228040143268 * exponential(-0.5 * x * x); }

/* ---- activations: WIDE elements at a time, the last few through a padded copy ---------------------------- */
INLINE void put(ss_real *to, wide v) { *(narrow *)to = __builtin_convertvector(v, narrow); }

INLINE void each(size_t n, const ss_real *x, ss_real *y, wide (*f)(wide x))
{
    size_t i = 0;
    for (; i + WIDE <= n; i += WIDE) put(y + i, f(widened(x + i)));
    if (i == n) return;
    ss_real last[WIDE] = {0};
    memcpy(last, x + i, (n - i) * sizeof *last);
    put(last, f(widened(last)));
    memcpy(y + i, last, (n - i) * sizeof *last);
}

INLINE wide gelu_value(wide x) { return x * normal_cumulative(x); }

void KERNEL(tanh)(size_t n, const ss_real *x, ss_real *y) { each(n, x, y, hyperbolic_tangent); }
void KERNEL(gelu)(size_t n, const ss_real *x, ss_real *y) { each(n, x, y, gelu_value); }

/* f' and f'' from x and y = f(x) */
typedef struct slopes { wide first, second; } slopes;

INLINE void tanh_slopes(wide x, wide y, const bool curved, slopes *s)
{
    (void)x;
    s->first = 1 - y * y;
    if (curved) s->second = -2 * y * s->first;
}

INLINE void gelu_slopes(wide x, wide y, const bool curved, slopes *s)
{
    (void)y;
    wide density = normal_density(x);
    s->first = normal_cumulative(x) + x * density;
    if (curved) s->second = density * (2 - x * x);
}

/* out = (add ? out : 0) + f' a + f'' b c */
INLINE void lanes_of_slope(const ss_slope *s, size_t i, const bool curved, const bool add,
                           void (*f)(wide x, wide y, bool curved, slopes *out))
{
    slopes d;
    f(widened(s->x + i), widened(s->y + i), curved, &d);
    wide value = d.first * widened(s->a + i);
    if (curved) value += d.second * widened(s->b + i) * widened(s->c + i);
    if (add) value += widened(s->out + i);
    put(s->out + i, value);
}

INLINE void slope(const ss_slope *s, const bool curved, const bool add, void (*f)(wide x, wide y, bool curved, slopes *out))
{
    size_t i = 0;
    for (; i + WIDE <= s->n; i += WIDE) lanes_of_slope(s, i, curved, add, f);
    if (i == s->n) return;
    ss_real last[6][WIDE] = {{0}};
    const ss_real *const in[] = {s->x, s->y, s->a, s->b, s->c, s->out};
    for (size_t k = 0; k < 6; k++)
        if (in[k]) memcpy(last[k], in[k] + i, (s->n - i) * sizeof **last);
    ss_slope rest = {WIDE, last[0], last[1], last[2], last[3], last[4], false, last[5]};
    lanes_of_slope(&rest, 0, curved, add, f);
    memcpy(s->out + i, last[5], (s->n - i) * sizeof **last);
}

void KERNEL(tanh_slope)(const ss_slope *s)
{
    if (s->b) s->add ? slope(s, true, true, tanh_slopes) : slope(s, true, false, tanh_slopes);
    else s->add ? slope(s, false, true, tanh_slopes) : slope(s, false, false, tanh_slopes);
}

void KERNEL(gelu_slope)(const ss_slope *s)
{
    if (s->b) s->add ? slope(s, true, true, gelu_slopes) : slope(s, true, false, gelu_slopes);
    else s->add ? slope(s, false, true, gelu_slopes) : slope(s, false, false, gelu_slopes);
}

/* ---- softmax --------------------------------------------------------------------------------------------- */
/* Of as many examples as fit: e = exp(z - max), and per example the maximum and the sum of e. */
enum { VALUES = 1024 };
typedef struct examples { double e[VALUES + WIDE], max[VALUES], sum[VALUES]; } examples;

static size_t fill(examples *x, size_t n, size_t k, const ss_real *z)
{
    assert(k > 0 && k <= VALUES);
    size_t rows = n < VALUES / k ? n : VALUES / k;
    for (size_t i = 0; i < rows; i++) {
        ss_real m = z[i * k];
        for (size_t j = 1; j < k; j++) {
            ss_real v = z[i * k + j];
            m = v > m || v != v ? v : m;
        }
        x->max[i] = (double)m;
        for (size_t j = 0; j < k; j++) x->e[i * k + j] = (double)z[i * k + j] - (double)m;
    }
    memset(x->e + rows * k, 0, WIDE * sizeof *x->e);
    for (size_t i = 0; i < rows * k; i += WIDE) {
        unaligned_wide *e = (unaligned_wide *)(x->e + i);
        *e = exponential(*e);
    }
    for (size_t i = 0; i < rows; i++) {
        double s = 0;
        for (size_t j = 0; j < k; j++) s += x->e[i * k + j];
        x->sum[i] = s;
    }
    return rows;
}

void KERNEL(cross_entropy)(size_t n, size_t k, const ss_real *z, const uint8_t *label, double *total)
{
    examples x;
    *total = 0;
    for (size_t done = 0, rows; done < n; done += rows, z += rows * k, label += rows) {
        rows = fill(&x, n - done, k, z);
        for (size_t i = 0; i < rows; i++) *total += log(x.sum[i]) + x.max[i] - (double)z[i * k + label[i]];
    }
}

void KERNEL(cross_entropy_delta)(size_t n, size_t k, const ss_real *z, const uint8_t *label, double scale, ss_real *dy)
{
    examples x;
    for (size_t done = 0, rows; done < n; done += rows, z += rows * k, label += rows, dy += rows * k) {
        rows = fill(&x, n - done, k, z);
        for (size_t i = 0; i < rows; i++) {
            double s = scale / x.sum[i], *e = x.e + i * k;
            for (size_t j = 0; j < k; j++) dy[i * k + j] = (ss_real)(e[j] * s);
            dy[i * k + label[i]] = (ss_real)(e[label[i]] * s - scale);
        }
    }
}

void KERNEL(cross_entropy_tangent)(size_t n, size_t k, const ss_real *z, const ss_real *tz, double scale, ss_real *tdy)
{
    examples x;
    for (size_t done = 0, rows; done < n; done += rows, z += rows * k, tz += rows * k, tdy += rows * k) {
        rows = fill(&x, n - done, k, z);
        for (size_t i = 0; i < rows; i++) {
            double s = 1 / x.sum[i], mean = 0, *e = x.e + i * k;
            for (size_t j = 0; j < k; j++) mean += e[j] * s * (double)tz[i * k + j];
            for (size_t j = 0; j < k; j++) tdy[i * k + j] = (ss_real)(scale * e[j] * s * ((double)tz[i * k + j] - mean));
        }
    }
}
