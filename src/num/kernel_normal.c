/* kernel_normal.c - normal numbers for random directions: Box & Muller 1958 on the four numbers of a Philox block, both halves
 * of each pair. The bits are drawn as ss_stream_block has them; logarithm, sine and cosine are polynomials in double.
 *
 * ln u = e ln 2 + 2 atanh s, s = (m - 1) / (m + 1), u = 2^e m, m in [sqrt 1/2, sqrt 2): the series ends at s^21 / 21, s < 0.172.
 * 2 pi v = (q + f) pi / 2, q the integer nearest 4 v and f exact: Taylor's series on |f| pi / 2 <= pi / 4, then a quarter turn q
 * times. */
#include "kernels.h"
#include "lanes.h"
#include "philox.h"

typedef int64_t integers __attribute__((vector_size(VECTOR_BYTES)));
typedef uint32_t halves __attribute__((vector_size(WIDE * sizeof(uint32_t)), aligned(4), may_alias));
typedef double unaligned_wide __attribute__((vector_size(VECTOR_BYTES), aligned(sizeof(double)), may_alias));

INLINE wide from_bits(const uint32_t *c)
{
    const integers two_52 = (integers){0} + 0x4330000000000000;
    return (wide)(__builtin_convertvector(*(const halves *)c, integers) | two_52) - 0x1p52;
}

/* x > 0, normal */
INLINE wide logarithm(wide x)
{
    const int64_t root_half = 0x3fe6a09e667f3bcd, mantissa = 0x000fffffffffffff;
    integers bits = (integers)x - root_half, whole = bits >> 52;
    wide m = (wide)((bits & mantissa) + root_half), s = (m - 1) / (m + 1), z = s * s, p = {0};
#pragma GCC unroll 16
    for (int k = 21; k >= 3; k -= 2) p = p * z + 1.0 / k;
    wide e = (wide)((whole + 2048) | (int64_t)0x4330000000000000) - (0x1p52 + 2048);
    return e * 0.69314718055994530942 + 2 * (s + s * (z * p));
}

/* cos and sin of 2 pi v, 0 <= v < 1 */
INLINE void circle(wide v, wide *cosine, wide *sine)
{
    static const double odd[] = {-1.0 / 1307674368000, 1.0 / 6227020800, -1.0 / 39916800, 1.0 / 362880, -1.0 / 5040, 1.0 / 120,
                                 -1.0 / 6};
    static const double even[] = {1.0 / 20922789888000, -1.0 / 87178291200, 1.0 / 479001600, -1.0 / 3628800, 1.0 / 40320,
                                  -1.0 / 720, 1.0 / 24, -0.5};
    const double magic = 0x1.8p52, half_pi = 1.57079632679489661923;
    wide shifted = 4 * v + magic, t = (4 * v - (shifted - magic)) * half_pi, z = t * t, a = {0}, b = {0};
#pragma GCC unroll 16
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) a = a * z + odd[i];
#pragma GCC unroll 16
    for (size_t i = 0; i < sizeof even / sizeof *even; i++) b = b * z + even[i];
    integers q = (integers)shifted, s = (integers)(t + t * (z * a)), c = (integers)(1 + z * b), turned = -(q & 1);
    *cosine = (wide)(((turned & s) | (~turned & c)) ^ (((q + 1) & 2) << 62));
    *sine = (wide)(((turned & c) | (~turned & s)) ^ ((q & 2) << 62));
}

INLINE wide square_root(wide x)
{
    for (size_t l = 0; l < WIDE; l++) x[l] = __builtin_sqrt(x[l]);
    return x;
}

/* Two normal numbers of every pair (u, v). */
static void box_muller(const uint32_t *u, const uint32_t *v, double *one, double *two)
{
    for (size_t l = 0; l < PHILOX_BLOCKS; l += WIDE) {
        wide c, s, r = square_root(-2 * logarithm((from_bits(u + l) + 1) * 0x1p-32));
        circle(from_bits(v + l) * 0x1p-32, &c, &s);
        *(unaligned_wide *)(one + l) = r * c;
        *(unaligned_wide *)(two + l) = r * s;
    }
}

void KERNEL(normals)(const ss_stream *s, size_t n, ss_real *out)
{
    philox_blocks u;
    for (size_t i = 0; i < n; i += 4 * PHILOX_BLOCKS) {
        size_t left = n - i < 4 * PHILOX_BLOCKS ? n - i : 4 * PHILOX_BLOCKS;
        double drawn[4][PHILOX_BLOCKS];
        ss_real next[4 * PHILOX_BLOCKS];
        philox(s, i / 4, &u);
        box_muller(u.c[0], u.c[1], drawn[0], drawn[1]);
        box_muller(u.c[2], u.c[3], drawn[2], drawn[3]);
        for (size_t l = 0; l < PHILOX_BLOCKS; l++)
            for (size_t j = 0; j < 4; j++) next[4 * l + j] = (ss_real)drawn[j][l];
        memcpy(out + i, next, left * sizeof *out);
    }
}
