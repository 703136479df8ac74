/* pool.c - maximum and average pooling: what is asked for is checked here, the loops are in kernel_pool.c. */
#include "kernels.h"

#include <assert.h>

/* Offsets within an image fit a signed 32-bit lane, and no window lies in the padding altogether. */
static void check(const ss_window *g)
{
    assert((uint64_t)g->h * (uint64_t)g->w * (uint64_t)g->c <= INT32_MAX);
    assert(g->padding < g->kernel);
}

void ss_max_pool(const ss_window *g, size_t n, const ss_real *x, ss_real *y, uint32_t *argmax)
{
    check(g);
    ss_kernel->max_pool(g, n, x, y, argmax);
}

void ss_max_pool_gather(const ss_window *g, size_t n, const ss_real *x, const uint32_t *argmax, ss_real *y)
{
    check(g);
    ss_kernel->max_pool_gather(g, n, x, argmax, y);
}

void ss_max_pool_scatter(const ss_window *g, size_t n, const ss_real *dy, const uint32_t *argmax, double beta, ss_real *dx)
{
    check(g);
    assert(beta == 0 || beta == 1);
    ss_kernel->max_pool_scatter(g, n, dy, argmax, beta != 0, dx);
}

void ss_average_pool(const ss_window *g, size_t n, const ss_real *x, ss_real *y)
{
    check(g);
    ss_kernel->average_pool(g, n, x, y);
}

void ss_average_pool_scatter(const ss_window *g, size_t n, const ss_real *dy, double beta, ss_real *dx)
{
    check(g);
    assert(beta == 0 || beta == 1);
    ss_kernel->average_pool_scatter(g, n, dy, beta != 0, dx);
}
