/* pool.c - maximum and average pooling: what is asked for is checked here, and images are shared among threads; the loops are
 * in kernel_pool.c. */
#include "kernels.h"

#include <assert.h>

typedef struct images {
    const ss_window *g;
    const ss_real *from;
    ss_real *to;
    uint32_t *argmax;             /* written by the maximum's forward pass alone */
    const uint32_t *chosen;
    bool add;
} images;

static size_t in_size(const ss_window *g) { return (size_t)g->h * (size_t)g->w * (size_t)g->c; }
static size_t out_size(const ss_window *g) { return (size_t)g->out_h * (size_t)g->out_w * (size_t)g->c; }

/* Offsets within an image fit a signed 32-bit lane, and no window lies in the padding altogether. */
static void run(size_t n, void (*range)(void *ctx, size_t first, size_t n), images p)
{
    assert((uint64_t)p.g->h * (uint64_t)p.g->w * (uint64_t)p.g->c <= INT32_MAX);
    assert(p.g->padding < p.g->kernel);
    ss_parallel_ranges(n, in_size(p.g), range, &p);
}

static void max_range(void *ctx, size_t i, size_t n)
{
    const images *p = ctx;
    size_t out = i * out_size(p->g);
    ss_kernel->max_pool(p->g, n, p->from + i * in_size(p->g), p->to + out, p->argmax + out);
}

void ss_max_pool(const ss_window *g, size_t n, const ss_real *x, ss_real *y, uint32_t *argmax)
{
    run(n, max_range, (images){.g = g, .from = x, .to = y, .argmax = argmax});
}

static void gather_range(void *ctx, size_t i, size_t n)
{
    const images *p = ctx;
    size_t out = i * out_size(p->g);
    ss_kernel->max_pool_gather(p->g, n, p->from + i * in_size(p->g), p->chosen + out, p->to + out);
}

void ss_max_pool_gather(const ss_window *g, size_t n, const ss_real *x, const uint32_t *argmax, ss_real *y)
{
    run(n, gather_range, (images){.g = g, .from = x, .chosen = argmax, .to = y});
}

static void max_scatter_range(void *ctx, size_t i, size_t n)
{
    const images *p = ctx;
    size_t out = i * out_size(p->g);
    ss_kernel->max_pool_scatter(p->g, n, p->from + out, p->chosen + out, p->add, p->to + i * in_size(p->g));
}

void ss_max_pool_scatter(const ss_window *g, size_t n, const ss_real *dy, const uint32_t *argmax, double beta, ss_real *dx)
{
    assert(beta == 0 || beta == 1);
    run(n, max_scatter_range, (images){.g = g, .from = dy, .chosen = argmax, .add = beta != 0, .to = dx});
}

static void average_range(void *ctx, size_t i, size_t n)
{
    const images *p = ctx;
    ss_kernel->average_pool(p->g, n, p->from + i * in_size(p->g), p->to + i * out_size(p->g));
}

void ss_average_pool(const ss_window *g, size_t n, const ss_real *x, ss_real *y)
{
    run(n, average_range, (images){.g = g, .from = x, .to = y});
}

static void average_scatter_range(void *ctx, size_t i, size_t n)
{
    const images *p = ctx;
    ss_kernel->average_pool_scatter(p->g, n, p->from + i * out_size(p->g), p->add, p->to + i * in_size(p->g));
}

void ss_average_pool_scatter(const ss_window *g, size_t n, const ss_real *dy, double beta, ss_real *dx)
{
    assert(beta == 0 || beta == 1);
    run(n, average_scatter_range, (images){.g = g, .from = dy, .add = beta != 0, .to = dx});
}
