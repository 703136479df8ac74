/* test_memory.c - alignment, zeroes, overflow, the fault switch, and the arena's two passes. */
#include "sharpsweep/base.h"
#include "../suite.h"

#include <string.h>

static bool aligned(const void *p)
{
    return (uintptr_t)p % 64 == 0;
}

static bool all_zero(const unsigned char *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (p[i]) return false;
    return true;
}

static void alloc_aligned_and_zeroed(void)
{
    for (size_t n = 0; n < 200; n += 7) {
        unsigned char *p = ss_alloc(n, 3);
        CU_ASSERT_PTR_NOT_NULL_FATAL(p);
        CU_ASSERT(aligned(p));
        CU_ASSERT(all_zero(p, 3 * n));
        memset(p, 0xff, 3 * n); /* dirty, so that the next one has to be cleared */
        ss_free(p);
    }
    ss_free(NULL);
}

static void impossible_sizes(void)
{
    static const struct { size_t n, size; } rows[] = {
        {SIZE_MAX, 1}, {SIZE_MAX, 2}, {SIZE_MAX / 2 + 1, 2}, {PTRDIFF_MAX, 1}, {(size_t)1 << 33, (size_t)1 << 33}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        CU_ASSERT_PTR_NULL(ss_alloc(rows[i].n, rows[i].size));
        CU_ASSERT_PTR_NULL(ss_realloc(NULL, 0, rows[i].n, rows[i].size));
    }
}

static void realloc_keeps_and_clears(void)
{
    unsigned char *p = ss_realloc(NULL, 0, 10, 1);
    CU_ASSERT_PTR_NOT_NULL_FATAL(p);
    CU_ASSERT(all_zero(p, 10));
    memset(p, 7, 10);
    p = ss_realloc(p, 10, 1000, 1);
    CU_ASSERT_PTR_NOT_NULL_FATAL(p);
    CU_ASSERT(aligned(p));
    CU_ASSERT(p[0] == 7 && p[9] == 7 && all_zero(p + 10, 990));
    p[1] = 9;
    p = ss_realloc(p, 1000, 2, 1);
    CU_ASSERT_PTR_NOT_NULL_FATAL(p);
    CU_ASSERT(p[0] == 7 && p[1] == 9);
    ss_alloc_fail_after(0);
    CU_ASSERT_PTR_NULL(ss_realloc(p, 2, 100, 1));
    ss_alloc_fail_after(-1);
    CU_ASSERT(p[0] == 7 && p[1] == 9); /* the old block lives */
    ss_free(p);
}

static void fault_switch(void)
{
    for (long n = 0; n < 4; n++) {
        ss_alloc_fail_after(n);
        for (long i = 0; i < 6; i++) {
            void *p = ss_alloc(1, 1);
            CU_ASSERT((p != NULL) == (i < n));
            ss_free(p);
        }
    }
    ss_alloc_fail_after(-1);
    char *copy = ss_strdup("sharp");
    CU_ASSERT_PTR_NOT_NULL_FATAL(copy);
    CU_ASSERT_STRING_EQUAL(copy, "sharp");
    ss_free(copy);
    ss_alloc_fail_after(0);
    CU_ASSERT_PTR_NULL(ss_strdup("sharp"));
    ss_alloc_fail_after(-1);
}

typedef struct layout { double *a; char *b; float *c; } layout;

static layout lay_out(ss_arena *arena)
{
    layout l;
    l.a = ss_arena_take(arena, 100, sizeof *l.a);
    l.b = ss_arena_take(arena, 1, 1);
    l.c = ss_arena_take(arena, 33, sizeof *l.c);
    return l;
}

static void arena_two_passes(void)
{
    ss_arena measure = {0}, arena = {0};
    layout l = lay_out(&measure);
    CU_ASSERT(!l.a && !l.b && !l.c);
    CU_ASSERT(measure.used >= 100 * sizeof(double) + 1 + 33 * sizeof(float));
    CU_ASSERT_EQUAL_FATAL(ss_arena_init(&arena, measure.used, NULL), 0);
    l = lay_out(&arena);
    CU_ASSERT_EQUAL(arena.used, measure.used);
    CU_ASSERT(aligned(l.a) && aligned(l.b) && aligned(l.c));
    CU_ASSERT(all_zero((unsigned char *)l.c, 33 * sizeof(float)));
    memset(l.a, 1, 100 * sizeof *l.a);
    *l.b = 2;
    memset(l.c, 3, 33 * sizeof *l.c);
    CU_ASSERT_EQUAL(*l.b, 2);
    CU_ASSERT(((unsigned char *)l.a)[799] == 1);
    ss_arena_finish(&arena);
    CU_ASSERT(!arena.base && arena.used == 0);
    ss_arena_finish(&arena);
}

static void arena_errors(void)
{
    ss_error e;
    ss_arena arena;
    ss_alloc_fail_after(0);
    CU_ASSERT_EQUAL(ss_arena_init(&arena, 1048576, &e), -1);
    ss_alloc_fail_after(-1);
    CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "1048576 bytes (1.0 MiB)"));
    ss_arena_finish(&arena);
    /* A layout that overflows while measuring ends as an error, not as a small number. */
    ss_arena measure = {0};
    ss_arena_take(&measure, SIZE_MAX / 2, 4);
    ss_arena_take(&measure, 1, 4);
    CU_ASSERT_EQUAL(ss_arena_init(&arena, measure.used, &e), -1);
    measure = (ss_arena){0};
    for (int i = 0; i < 5; i++) ss_arena_take(&measure, PTRDIFF_MAX / 2, 1);
    CU_ASSERT_EQUAL(ss_arena_init(&arena, measure.used, &e), -1);
}

static const ss_case cases[] = {
    {"alloc is aligned and zeroed", alloc_aligned_and_zeroed},
    {"impossible sizes", impossible_sizes},
    {"realloc keeps and clears", realloc_keeps_and_clears},
    {"fault switch", fault_switch},
    {"arena in two passes", arena_two_passes},
    {"arena errors", arena_errors},
};
SS_SUITE("memory", cases)
