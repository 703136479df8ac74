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
