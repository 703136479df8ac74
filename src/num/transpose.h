/* transpose.h - inside num's kernels: 8 x 8 blocks transposed in registers, by three rounds of exchanges. */
#ifndef SHARPSWEEP_NUM_TRANSPOSE_H
#define SHARPSWEEP_NUM_TRANSPOSE_H

#include "sharpsweep/num.h"

enum { SIDE = 8 };
typedef ss_real row8 __attribute__((vector_size(SIDE * sizeof(ss_real))));
typedef ss_real unaligned_row8 __attribute__((vector_size(SIDE * sizeof(ss_real)), aligned(sizeof(ss_real)), may_alias));

/* Rows i and j exchange halves of every group of the round's size. */
#define EXCHANGE(in, out, i, j, A0, A1, A2, A3, A4, A5, A6, A7, B0, B1, B2, B3, B4, B5, B6, B7) \
    out[i] = __builtin_shufflevector(in[i], in[j], A0, A1, A2, A3, A4, A5, A6, A7), \
    out[j] = __builtin_shufflevector(in[i], in[j], B0, B1, B2, B3, B4, B5, B6, B7)
#define SINGLES(in, out, i, j) EXCHANGE(in, out, i, j, 0, 8, 2, 10, 4, 12, 6, 14, 1, 9, 3, 11, 5, 13, 7, 15)
#define PAIRS(in, out, i, j) EXCHANGE(in, out, i, j, 0, 1, 8, 9, 4, 5, 12, 13, 2, 3, 10, 11, 6, 7, 14, 15)
#define FOURS(in, out, i, j) EXCHANGE(in, out, i, j, 0, 1, 2, 3, 8, 9, 10, 11, 4, 5, 6, 7, 12, 13, 14, 15)

static inline __attribute__((always_inline)) void transpose8(const ss_real *from, size_t ld, ss_real *to, size_t width)
{
    row8 a[SIDE], b[SIDE];
    for (size_t r = 0; r < SIDE; r++) a[r] = *(const unaligned_row8 *)(from + r * ld);
    SINGLES(a, b, 0, 1), SINGLES(a, b, 2, 3), SINGLES(a, b, 4, 5), SINGLES(a, b, 6, 7);
    PAIRS(b, a, 0, 2), PAIRS(b, a, 1, 3), PAIRS(b, a, 4, 6), PAIRS(b, a, 5, 7);
    FOURS(a, b, 0, 4), FOURS(a, b, 1, 5), FOURS(a, b, 2, 6), FOURS(a, b, 3, 7);
    for (size_t r = 0; r < SIDE; r++) *(unaligned_row8 *)(to + r * width) = b[r];
}

#endif
