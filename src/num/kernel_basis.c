/* kernel_basis.c - combinations of the rows of a tall basis (basis.c). */
#include "kernels.h"
#include "lanes.h"

/* Some columns at a time stay in registers while their part of every row goes by; summed in double, rounded once. */
void KERNEL(combine)(size_t rows, size_t n, const ss_real *v, size_t ldv, const double *coefficient, const ss_real *from,
                     ss_real *out)
{
    size_t j = 0;
    for (; j + SUM_LANES <= n; j += SUM_LANES) {
        wide sum[SUMS] = {{0}};
#pragma GCC unroll 16
        for (size_t l = 0; from && l < SUMS; l++) sum[l] = widened(from + j + l * WIDE);
        const ss_real *x = v + j;
        for (size_t i = 0; i < rows; i++, x += ldv)
#pragma GCC unroll 16
            for (size_t l = 0; l < SUMS; l++) sum[l] += coefficient[i] * widened(x + l * WIDE);
#pragma GCC unroll 16
        for (size_t l = 0; l < SUMS; l++) *(narrow *)(out + j + l * WIDE) = __builtin_convertvector(sum[l], narrow);
    }
    for (; j < n; j++) {
        double sum = from ? (double)from[j] : 0;
        for (size_t i = 0; i < rows; i++) sum += coefficient[i] * (double)v[i * ldv + j];
        out[j] = (ss_real)sum;
    }
}
