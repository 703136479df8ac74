/* kernel_elementwise.c - ReLU and its gate, sums, masks. Where the output may be the input the loop is written with one
 * pointer: told of two, a compiler must assume that they overlap in some other way. */
#include "kernels.h"
#include "lanes.h"
#include "philox.h"

INLINE ss_real relu(ss_real x) { return x > 0 ? x : (x != x ? x : 0); } /* NaN stays */

void KERNEL(relu)(size_t n, const ss_real *restrict x, ss_real *restrict y)
{
    if (x == y)
        for (size_t i = 0; i < n; i++) y[i] = relu(y[i]);
    else
        for (size_t i = 0; i < n; i++) y[i] = relu(x[i]);
}

void KERNEL(gate)(size_t n, const ss_real *restrict y, const ss_real *restrict in, bool add, ss_real *restrict out)
{
    if (add)
        for (size_t i = 0; i < n; i++) out[i] += y[i] > 0 ? in[i] : 0;
    else if (in == out)
        for (size_t i = 0; i < n; i++) out[i] = y[i] > 0 ? out[i] : 0;
    else
        for (size_t i = 0; i < n; i++) out[i] = y[i] > 0 ? in[i] : 0;
}

INLINE void add(const bool positive, size_t n, const ss_real *restrict a, const ss_real *restrict b, ss_real *restrict y)
{
    for (size_t i = 0; i < n; i++) y[i] = positive ? relu(a[i] + b[i]) : a[i] + b[i];
}

void KERNEL(add)(size_t n, const ss_real *restrict a, const ss_real *restrict b, bool positive, ss_real *restrict y)
{
    if (y == b && positive)
        for (size_t i = 0; i < n; i++) y[i] = relu(y[i] + a[i]);
    else if (y == b)
        for (size_t i = 0; i < n; i++) y[i] += a[i];
    else if (positive) add(true, n, a, b, y);
    else add(false, n, a, b, y);
}

void KERNEL(mask)(size_t n, const ss_real *restrict mask, const ss_real *restrict in, bool add_to, ss_real *restrict out)
{
    if (add_to)
        for (size_t i = 0; i < n; i++) out[i] += mask[i] * in[i];
    else
        for (size_t i = 0; i < n; i++) out[i] = mask[i] * in[i];
}

/* ---- dropout --------------------------------------------------------------------------------------------- */
/* mask (n): numbers 4 first .. 4 first + n-1 of the stream, 0 where below the threshold (of 2^32), else `keep`. */
void KERNEL(dropout_mask)(const ss_stream *s, uint64_t first, size_t n, uint64_t threshold, ss_real keep, ss_real *mask)
{
    philox_blocks u;
    for (size_t i = 0; i < n; i += 4 * PHILOX_BLOCKS) {
        size_t left = n - i < 4 * PHILOX_BLOCKS ? n - i : 4 * PHILOX_BLOCKS;
        ss_real drawn[4 * PHILOX_BLOCKS];
        philox(s, first + i / 4, &u);
        for (size_t l = 0; l < PHILOX_BLOCKS; l++)
            for (size_t j = 0; j < 4; j++) drawn[4 * l + j] = u.c[j][l] < threshold ? 0 : keep;
        memcpy(mask + i, drawn, left * sizeof *mask);
    }
}
