/* parallel.c - work divided among threads. The pieces are the caller's, a function of the problem alone; the threads only
 * choose who does which, so that no bit of a result depends on their number. */
#include "sharpsweep/num.h"

static int n_threads = 1;

void ss_threads_set(int n)
{
    n_threads = n < 1 ? 1 : n;
}

int ss_threads(void)
{
#ifdef _OPENMP
    return n_threads;
#else
    return 1;
#endif
}

void ss_parallel(size_t n, void (*piece)(void *ctx, size_t i), void *ctx)
{
#ifdef _OPENMP
    if (n_threads > 1 && n > 1) {
#pragma omp parallel for schedule(dynamic, 1) num_threads(n_threads)
        for (size_t i = 0; i < n; i++) piece(ctx, i);
        return;
    }
#endif
    for (size_t i = 0; i < n; i++) piece(ctx, i);
}

/* A run is large enough to be worth handing over, a multiple of what kernels take at a time, and not all of a cache. */
enum { RUN_ELEMENTS = 1 << 14, LEAST_RUNS = 4 };

typedef struct runs { size_t n, length; void (*range)(void *ctx, size_t first, size_t items); void *ctx; } runs;

static void one_run(void *ctx, size_t i)
{
    const runs *r = ctx;
    size_t first = i * r->length, left = r->n - first;
    r->range(r->ctx, first, left < r->length ? left : r->length);
}

void ss_parallel_ranges(size_t n, size_t size, void (*range)(void *ctx, size_t first, size_t items), void *ctx)
{
    runs r = {n, size < RUN_ELEMENTS ? RUN_ELEMENTS / (size ? size : 1) : 1, range, ctx};
    if (ss_threads() == 1 || n == 0 || n * size < LEAST_RUNS * RUN_ELEMENTS) range(ctx, 0, n);
    else ss_parallel((n + r.length - 1) / r.length, one_run, &r);
}
