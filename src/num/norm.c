/* norm.c - sums down the columns of a matrix, and batch norm's passes; the loops are in kernel_norm.c. */
#include "kernels.h"

#include <assert.h>

void ss_column_sums(size_t rows, size_t columns, const ss_real *x, const ss_real *y, double *sum)
{
    ss_kernel->column_sums(rows, columns, x, y, sum);
}

void ss_column_moments(size_t rows, size_t columns, const ss_real *x, double *mean, double *variance)
{
    assert(rows > 0);
    ss_kernel->column_moments(rows, columns, x, mean, variance);
}

void ss_add_row(size_t rows, size_t columns, const ss_real *b, ss_real *y)
{
    ss_kernel->add_row(rows, columns, b, y);
}

void ss_norm_forward(const ss_norm_data *b, const ss_real *mean, const ss_real *scale, const ss_real *x, ss_real *y)
{
    ss_kernel->norm_forward(b, mean, scale, x, y);
}

void ss_norm_sums(const ss_norm_data *b, bool gate, const ss_real *dy, double *sum, double *sum_xhat)
{
    ss_kernel->norm_sums(b, gate && b->relu, dy, sum, sum_xhat);
}

void ss_norm_second_sums(const ss_norm_data *b, const ss_real *dy, const ss_real *tdy, const ss_real *tx, double *sum5)
{
    ss_kernel->norm_second_sums(b, dy, tdy, tx, sum5);
}

void ss_norm_backward(const ss_norm_data *b, const ss_real *k, const ss_real *dy, bool add, ss_real *dx)
{
    ss_kernel->norm_backward(b, k, dy, add, dx);
}

void ss_norm_tangent(const ss_norm_data *b, const ss_real *k, const ss_real *tx, ss_real *ty)
{
    ss_kernel->norm_tangent(b, k, tx, ty);
}

void ss_norm_second_backward(const ss_norm_data *b, const ss_real *k, const ss_real *dy, const ss_real *tdy,
                             const ss_real *tx, bool add, ss_real *tdx)
{
    ss_kernel->norm_second_backward(b, k, dy, tdy, tx, add, tdx);
}
