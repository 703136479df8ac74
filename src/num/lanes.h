/* lanes.h - inside num's kernels: vectors as wide as the instruction set's registers, and sums in a fixed number of lanes.
 * Element i of a sum goes to lane i mod SUM_LANES whatever the registers' width, and the lanes are added pairwise at the end:
 * the same bits with AVX2 and AVX-512, and an error that grows with n / SUM_LANES terms. */
#ifndef SHARPSWEEP_NUM_LANES_H
#define SHARPSWEEP_NUM_LANES_H

#include "sharpsweep/num.h"

#include <string.h>

#if defined(__AVX512F__)
enum { VECTOR_BYTES = 64 };
#elif defined(__AVX__)
enum { VECTOR_BYTES = 32 };
#else
enum { VECTOR_BYTES = 16 };
#endif
enum { LANES = VECTOR_BYTES / sizeof(ss_real), WIDE = VECTOR_BYTES / sizeof(double), SUM_LANES = 32, SUMS = SUM_LANES / WIDE };

typedef ss_real vec __attribute__((vector_size(VECTOR_BYTES)));
typedef ss_real unaligned_vec __attribute__((vector_size(VECTOR_BYTES), aligned(sizeof(ss_real)), may_alias));
typedef double wide __attribute__((vector_size(VECTOR_BYTES)));
typedef ss_real narrow __attribute__((vector_size(WIDE * sizeof(ss_real)), aligned(sizeof(ss_real)), may_alias));

#define INLINE static inline __attribute__((always_inline))

INLINE vec load(const ss_real *p) { return *(const unaligned_vec *)p; }
INLINE void store(ss_real *p, vec v) { *(unaligned_vec *)p = v; }
INLINE wide widened(const ss_real *x) { return __builtin_convertvector(*(const narrow *)x, wide); }

/* sum += x . y over SUM_LANES elements */
INLINE void add_products(const ss_real *x, const ss_real *y, wide *sum)
{
#pragma GCC unroll 16
    for (size_t l = 0; l < SUMS; l++) sum[l] += widened(x + l * WIDE) * widened(y + l * WIDE);
}

/* The lanes' total, after the n < SUM_LANES elements that are left have gone to the first n lanes. */
INLINE double total(const wide *sum, size_t n, const ss_real *x, const ss_real *y)
{
    double lane[SUM_LANES];
    memcpy(lane, sum, sizeof lane);
    for (size_t l = 0; l < n; l++) lane[l] += (double)x[l] * (double)y[l];
    for (size_t half = SUM_LANES / 2; half > 0; half /= 2)
        for (size_t l = 0; l < half; l++) lane[l] += lane[l + half];
    return lane[0];
}

#endif
