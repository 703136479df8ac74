/* batch.c - which examples there are, and examples as numbers: bytes stay bytes until a batch is asked for. */
#include "source.h"

#include <assert.h>
#include <string.h>

uint32_t ss_even_index(uint32_t i, uint32_t n, uint32_t total)
{
    assert(i < n);
    return (uint32_t)((uint64_t)i * total / n);
}

int ss_split_choose(ss_split *split, uint32_t n, const char *subset, size_t n_pixels, const char *what, ss_error *error)
{
    bool even = !subset || !*subset || strcmp(subset, "even") == 0;
    if (!even && strcmp(subset, "first") != 0)
        return ss_fail(error, "%s_subset is '%s', expected first or even", what, subset);
    if (n > split->n)
        return ss_fail(error, "%s_examples is %u, but there are %u; ask for at most that many, or for all", what, n,
                       split->n);
    if (n == 0 || n == split->n) return 0;
    ss_split chosen = {0};
    if (ss_split_alloc(&chosen, n, n_pixels, error)) {
        ss_split_free(&chosen);
        return -1;
    }
    for (uint32_t i = 0; i < n; i++) {
        uint32_t from = even ? ss_even_index(i, n, split->n) : i;
        memcpy(chosen.pixels + i * n_pixels, split->pixels + from * n_pixels, n_pixels);
        chosen.labels[i] = split->labels[from];
    }
    ss_split_free(split);
    *split = chosen;
    return 0;
}

/* For each instruction set, chosen when the program is loaded (num's kernels stand a floor beside); the bits are the same. */
#if defined(SS_HAVE_V4) && defined(__x86_64__)
#define FOR_EACH_PROCESSOR __attribute__((target_clones("default", "arch=x86-64-v3", "arch=x86-64-v4")))
#else
#define FOR_EACH_PROCESSOR
#endif

/* One example; `restrict` lets the compiler use vectors. The division is exact where a factor 1/255 would not be. */
FOR_EACH_PROCESSOR
static void convert(const uint8_t *restrict pixels, const ss_real *restrict mean, const ss_real *restrict inv_std,
                    ss_real *restrict x, size_t n_pixels)
{
    for (size_t i = 0; i < n_pixels; i++) x[i] = ((ss_real)pixels[i] / 255 - mean[i]) * inv_std[i];
}

void ss_dataset_batch(const ss_dataset *d, const ss_split *split, const uint32_t *index, uint32_t first, uint32_t n,
                      ss_real *x, uint8_t *label)
{
    size_t n_pixels = (size_t)d->h * (size_t)d->w * (size_t)d->c;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t from = index ? index[i] : first + i;
        assert(from < split->n);
        convert(split->pixels + from * n_pixels, d->mean, d->inv_std, x + i * n_pixels, n_pixels);
        label[i] = split->labels[from];
    }
}
