/* memory.c - aligned, zeroed memory with a switch that makes allocations fail, and the bump allocator over it. */
#include "sharpsweep/base.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { ALIGN = 64 }; /* a cache line, and the widest vector register */

static long allocations_left = -1;
static size_t n_refused;

void ss_alloc_fail_after(long n)
{
    allocations_left = n;
}

/* Bytes of n elements, rounded up to ALIGN (at least one line); false when that does not fit. */
static bool rounded_bytes(size_t n, size_t size, size_t *bytes)
{
    size_t product;
    if (__builtin_mul_overflow(n, size, &product) || product > PTRDIFF_MAX - ALIGN) return false;
    if (product == 0) product = 1;
    *bytes = (product + ALIGN - 1) / ALIGN * ALIGN;
    return true;
}

/* Raw memory of rounded_bytes; counts as one allocation for the fault switch. */
static void *take(size_t n, size_t size, size_t *bytes)
{
    void *p = NULL;
    if (allocations_left != 0 && rounded_bytes(n, size, bytes)) p = aligned_alloc(ALIGN, *bytes);
    if (allocations_left > 0) allocations_left--;
    n_refused += !p;
    return p;
}

size_t ss_alloc_refused(size_t n)
{
    return n_refused += n;
}

void *ss_alloc(size_t n, size_t size)
{
    size_t bytes;
    void *p = take(n, size, &bytes);
    if (p) memset(p, 0, bytes);
    return p;
}

/* libc's realloc loses the alignment, so contents move by hand. */
void *ss_realloc(void *old, size_t old_n, size_t new_n, size_t size)
{
    size_t bytes;
    unsigned char *p = take(new_n, size, &bytes);
    if (!p) return NULL;
    size_t kept = old ? (old_n < new_n ? old_n : new_n) * size : 0;
    if (kept) memcpy(p, old, kept);
    memset(p + kept, 0, bytes - kept);
    free(old);
    return p;
}

char *ss_strdup(const char *text)
{
    size_t n = strlen(text) + 1;
    char *copy = ss_alloc(n, 1);
    if (copy) memcpy(copy, text, n);
    return copy;
}

void ss_free(void *p)
{
    free(p);
}

int ss_arena_init(ss_arena *arena, size_t bytes, ss_error *error)
{
    *arena = (ss_arena){.size = bytes};
    arena->base = ss_alloc(bytes, 1);
    if (!arena->base)
        return ss_fail(error, "out of memory: %zu bytes (%.1f MiB) of buffers were not to be had; try smaller micro-batches "
                       "or a smaller model", bytes, (double)bytes / 1048576);
    return 0;
}

void *ss_arena_take(ss_arena *arena, size_t n, size_t size)
{
    size_t bytes = 0, used;
    if (!rounded_bytes(n, size, &bytes) || __builtin_add_overflow(arena->used, bytes, &used) || used > PTRDIFF_MAX) {
        /* Only possible while measuring: from here on the total stays more than any allocator gives. */
        assert(!arena->base);
        arena->used = PTRDIFF_MAX;
        return NULL;
    }
    void *p = arena->base ? arena->base + arena->used : NULL;
    assert(!arena->base || used <= arena->size); /* the layout differs from the one that was measured */
    arena->used = used;
    return p;
}

void ss_arena_finish(ss_arena *arena)
{
    ss_free(arena->base);
    *arena = (ss_arena){0};
}
