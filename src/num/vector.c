/* vector.c - vectors of ss_real with reductions in double.
 * A reduction may not be reordered by the compiler (we build without -ffast-math), so the order is written out: element i
 * goes to lane i mod LANES, and the lanes are added pairwise at the end. That is what lets it vectorise, it shortens the
 * error's growth to n / LANES terms, and it gives the same bits for the same input at every call. The lanes are vectors of
 * the compilers' own extension (GCC and clang), as an array of accumulators would live in memory, not in registers. */
#include "sharpsweep/num.h"

#include <math.h>
#include <string.h>

enum { WIDTH = 4, VECTORS = 4, LANES = WIDTH * VECTORS };

typedef double wide __attribute__((vector_size(WIDTH * sizeof(double))));
typedef ss_real narrow __attribute__((vector_size(WIDTH * sizeof(ss_real))));

static inline void load(const ss_real *x, wide *out)
{
    narrow v;
    memcpy(&v, x, sizeof v);
    *out = __builtin_convertvector(v, wide);
}

double ss_dot(size_t n, const ss_real *x, const ss_real *y)
{
    wide sum[VECTORS] = {{0}};
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (size_t l = 0; l < VECTORS; l++) {
            wide a, b;
            load(x + i + l * WIDTH, &a);
            load(y + i + l * WIDTH, &b);
            sum[l] += a * b;
        }
    wide lanes = (sum[0] + sum[1]) + (sum[2] + sum[3]);
    double rest = 0;
    for (; i < n; i++) rest += (double)x[i] * (double)y[i];
    return ((lanes[0] + lanes[1]) + (lanes[2] + lanes[3])) + rest;
}

double ss_norm(size_t n, const ss_real *x)
{
    return sqrt(ss_dot(n, x, x));
}

void ss_axpy(size_t n, double a, const ss_real *x, ss_real *y)
{
    for (size_t i = 0; i < n; i++) y[i] = (ss_real)((double)y[i] + a * (double)x[i]);
}

void ss_scale(size_t n, double a, ss_real *x)
{
    for (size_t i = 0; i < n; i++) x[i] = (ss_real)(a * (double)x[i]);
}

void ss_accumulate(size_t n, const ss_real *x, double *sum)
{
    for (size_t i = 0; i < n; i++) sum[i] += (double)x[i];
}

void ss_round(size_t n, const double *sum, double scale, ss_real *x)
{
    for (size_t i = 0; i < n; i++) x[i] = (ss_real)(scale * sum[i]);
}

/* x - x is 0 where x is finite, NaN where it is not. Blocks, so that a long vector is left soon after the first NaN and
 * the loop inside has no branch. */
bool ss_all_finite(size_t n, const ss_real *x)
{
    enum { BLOCK = 4096 };
    for (size_t start = 0; start < n; start += BLOCK) {
        size_t end = n - start < BLOCK ? n : start + BLOCK;
        int bad = 0;
        for (size_t i = start; i < end; i++) bad |= (x[i] - x[i]) != 0;
        if (bad) return false;
    }
    return true;
}
