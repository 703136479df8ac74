/* kernel_gemm.c - C = op(A) op(B) + from, in tiles of C held in registers (Goto & van de Geijn, "Anatomy of
 * high-performance matrix multiplication", ACM TOMS 34, 2008), with three departures for the sizes networks have: an operand
 * is packed only where its layout asks for it, so that a batch of 32 does not pay for packing the weights; columns too few
 * for a vector (10 classes, the last 8 of 200 units) are worked out as rows where A allows it; and the sum over k is one
 * chain of FMAs per element and block of DEPTH, whatever the tile, so that an element's bits depend on neither m, n, the
 * instruction set's width nor how C is divided among threads. */
#include "kernels.h"
#include "lanes.h"
#include "transpose.h"

#include <assert.h>

#if defined(__AVX512F__)
enum { ROWS = 12 };
#else
enum { ROWS = 6 };
#endif

/* A tile is ROWS x (PANEL columns); DEPTH x PANEL of B stay in the first-level cache, ROW_BLOCK x DEPTH of A and
 * DEPTH x COLUMN_BLOCK of B in the second. */
enum { VECTORS = 2, PANEL = VECTORS * LANES, DEPTH = 512, ROW_BLOCK = 96, COLUMN_BLOCK = 512 };

static _Thread_local ss_real packed_a[ROW_BLOCK * DEPTH] __attribute__((aligned(64)));
static _Thread_local ss_real packed_b[COLUMN_BLOCK * DEPTH] __attribute__((aligned(64)));

/* How the inner loop reads A: `by_row`, element (i,p) at a[i * ld + p]; else at a[p * ld + i]. */
typedef struct left { const ss_real *a; size_t ld; bool by_row; } left;
/* Where a tile starts from and goes to. Its first `skip` < LANES columns are other tiles': C keeps them. */
typedef struct target { const ss_real *from; size_t ld_from; ss_real *c; size_t ldc, skip; } target;

typedef __typeof__((vec){0} < (vec){0}) lane_mask;

INLINE vec with_first_of(vec old, vec value, size_t skip)
{
    static const ss_real number[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    const lane_mask is_old = load(number) < (ss_real)skip;
    return (vec)(((lane_mask)old & is_old) | ((lane_mask)value & ~is_old));
}

/* C = from + sum, for the vector that begins at column j of row i of a tile. */
INLINE void put(const target *t, size_t i, size_t j, vec sum)
{
    ss_real *c = t->c + i * t->ldc + j;
    if (t->from) sum = load(t->from + i * t->ld_from + j) + sum;
    if (j == 0 && t->skip > 0) sum = with_first_of(load(c), sum, t->skip);
    store(c, sum);
}

/* rows, vectors and by_row are constants where this is called: everything unrolls into registers. */
INLINE void tile(const size_t rows, const size_t vectors, const bool by_row, size_t k, const left *l, const ss_real *b,
                 size_t ldb, const target *t)
{
    vec sum[ROWS][VECTORS];
    const ss_real *a = l->a;
    const size_t ld = l->ld;
    const target to = *t;         /* a copy, which no store to C can change */
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < vectors; j++) sum[i][j] = (vec){0};
    for (size_t p = 0; p < k; p++, b += ldb) {
        vec right[VECTORS];
        for (size_t j = 0; j < vectors; j++) right[j] = load(b + j * LANES);
#pragma GCC unroll 16
        for (size_t i = 0; i < rows; i++) {
            const ss_real factor = by_row ? a[i * ld + p] : a[p * ld + i];
            for (size_t j = 0; j < vectors; j++) sum[i][j] += factor * right[j];
        }
    }
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < vectors; j++) put(&to, i, j * LANES, sum[i][j]);
}

#define FEWER_ROWS(n) \
    case n: tile(n, vectors, by_row, k, l, b, ldb, t); break;

INLINE void tile_of(size_t rows, const size_t vectors, const bool by_row, size_t k, const left *l, const ss_real *b,
                    size_t ldb, const target *t)
{
    switch (rows) {
        FEWER_ROWS(1) FEWER_ROWS(2) FEWER_ROWS(3) FEWER_ROWS(4) FEWER_ROWS(5) FEWER_ROWS(6)
#if defined(__AVX512F__)
        FEWER_ROWS(7) FEWER_ROWS(8) FEWER_ROWS(9) FEWER_ROWS(10) FEWER_ROWS(11) FEWER_ROWS(12)
#endif
    default: assert(false && "rows of a tile");
    }
}

static void wide_by_row(size_t rows, size_t k, const left *l, const ss_real *b, size_t ldb, const target *t)
{
    tile_of(rows, VECTORS, true, k, l, b, ldb, t);
}

static void wide_by_column(size_t rows, size_t k, const left *l, const ss_real *b, size_t ldb, const target *t)
{
    tile_of(rows, VECTORS, false, k, l, b, ldb, t);
}

static void narrow_by_row(size_t rows, size_t k, const left *l, const ss_real *b, size_t ldb, const target *t)
{
    tile_of(rows, 1, true, k, l, b, ldb, t);
}

static void narrow_by_column(size_t rows, size_t k, const left *l, const ss_real *b, size_t ldb, const target *t)
{
    tile_of(rows, 1, false, k, l, b, ldb, t);
}

static size_t least(size_t a, size_t b) { return a < b ? a : b; }
static size_t width_of(size_t columns) { return columns > LANES ? PANEL : LANES; }

static void any_tile(size_t rows, size_t width, size_t k, const left *l, const ss_real *b, size_t ldb, const target *t)
{
    if (width == PANEL) (l->by_row ? wide_by_row : wide_by_column)(rows, k, l, b, ldb, t);
    else (l->by_row ? narrow_by_row : narrow_by_column)(rows, k, l, b, ldb, t);
}

/* A tile of a C that has fewer columns than its width: through a tile of whole vectors. */
static void small_tile(size_t rows, size_t columns, size_t k, const left *l, const ss_real *b, size_t ldb, const target *t)
{
    ss_real whole[ROWS * PANEL] __attribute__((aligned(64)));
    target inner = {.from = t->from ? whole : NULL, .ld_from = PANEL, .c = whole, .ldc = PANEL};
    if (t->from) {
        memset(whole, 0, sizeof whole);
        for (size_t i = 0; i < rows; i++) memcpy(whole + i * PANEL, t->from + i * t->ld_from, columns * sizeof *whole);
    }
    any_tile(rows, width_of(columns), k, l, b, ldb, &inner);
    for (size_t i = 0; i < rows; i++) memcpy(t->c + i * t->ldc, whole + i * PANEL, columns * sizeof *whole);
}

/* ---- packing ------------------------------------------------------------------------------------------------------------- */
/* columns <= PANEL of B, depth rows -> (depth, PANEL), the rest of each row zero. */
static void pack_b(size_t depth, size_t columns, const ss_real *b, size_t ldb, ss_real *to)
{
    if (columns == PANEL) {
        for (size_t p = 0; p < depth; p++, b += ldb, to += PANEL)
            for (size_t j = 0; j < VECTORS; j++) store(to + j * LANES, load(b + j * LANES));
        return;
    }
    memset(to, 0, depth * PANEL * sizeof *to);
    for (size_t p = 0; p < depth; p++) memcpy(to + p * PANEL, b + p * ldb, columns * sizeof *to);
}

/* Rows of `from` (n, depth) become columns of `to` (depth, width). */
static void transpose(size_t n, size_t depth, const ss_real *from, size_t ld, ss_real *to, size_t width)
{
    size_t i = 0;
    for (; i + SIDE <= n; i += SIDE) {
        const ss_real *rows = from + i * ld;
        size_t p = 0;
        for (; p + SIDE <= depth; p += SIDE) transpose8(rows + p, ld, to + p * width + i, width);
        for (; p < depth; p++)
            for (size_t r = 0; r < SIDE; r++) to[p * width + i + r] = rows[r * ld + p];
    }
    for (; i < n; i++)
        for (size_t p = 0; p < depth; p++) to[p * width + i] = from[i * ld + p];
}

static void pack_b_transposed(size_t depth, size_t columns, const ss_real *b, size_t ldb, ss_real *to)
{
    if (columns < PANEL) memset(to, 0, depth * PANEL * sizeof *to);
    transpose(columns, depth, b, ldb, to, PANEL);
}

/* A block of A as slivers (depth, ROWS), one after another. */
static void pack_a(const gemm_call *g, size_t i0, size_t rows, size_t p0, size_t depth)
{
    for (size_t i = 0; i < rows; i += ROWS) {
        size_t n = least(ROWS, rows - i);
        ss_real *to = packed_a + i * depth;
        if (!g->ta) {
            transpose(n, depth, g->a + (i0 + i) * g->lda + p0, g->lda, to, ROWS);
            continue;
        }
        const ss_real *from = g->a + p0 * g->lda + i0 + i;
        if (n == ROWS)
            for (size_t p = 0; p < depth; p++, from += g->lda, to += ROWS) memcpy(to, from, ROWS * sizeof *to);
        else
            for (size_t p = 0; p < depth; p++, from += g->lda, to += ROWS) memcpy(to, from, n * sizeof *to);
    }
}

/* ---- blocks --------------------------------------------------------------------------------------------------------------- */
/* An operand is packed where many tiles use it and its rows lie so far apart that each is a page or collides in the cache;
 * otherwise it is read in place, which was faster throughout (tests/bench/bench_kernels). */
typedef struct plan { bool pack_a, pack_b; } plan;

static plan plan_of(const gemm_call *g)
{
    enum { PANELS_TO_PACK_A = 4, TILES_TO_PACK_B = 16, FAR_BYTES = 4096 };
    return (plan){.pack_a = g->n >= PANELS_TO_PACK_A * PANEL && g->lda * sizeof(ss_real) >= FAR_BYTES,
                  .pack_b = g->tb || (g->m >= TILES_TO_PACK_B * ROWS && g->ldb * sizeof(ss_real) >= FAR_BYTES)};
}

typedef struct block { size_t i0, rows, j0, columns, p0, depth; } block; /* of C, and of k */

/* The panel at column j of a block as the tiles read it: packed, or in place. The last one, if it is not a whole number of
 * vectors, begins `skip` columns early, in columns of the panel before; where there are none, it is padded with zeros. */
typedef struct panel { const ss_real *b; size_t ldb, columns, skip; bool packed; } panel;

static panel panel_at(const gemm_call *g, const plan *w, const block *k, size_t j)
{
    panel p = {.columns = least(PANEL, k->columns - j), .packed = w->pack_b};
    size_t missing = width_of(p.columns) - p.columns;
    if (missing <= k->j0 + j) p.skip = missing;
    else p.packed = true;
    p.b = p.packed ? packed_b + j * k->depth : g->b + k->p0 * g->ldb + k->j0 + j - p.skip;
    p.ldb = p.packed ? PANEL : g->ldb;
    return p;
}

static void pack_panels(const gemm_call *g, const plan *w, const block *k)
{
    for (size_t j = 0; j < k->columns; j += PANEL) {
        panel p = panel_at(g, w, k, j);
        ss_real *to = packed_b + j * k->depth;
        size_t first = k->j0 + j - p.skip, n = p.columns + p.skip;
        if (!p.packed) continue;
        if (g->tb) pack_b_transposed(k->depth, n, g->b + first * g->ldb + k->p0, g->ldb, to);
        else pack_b(k->depth, n, g->b + k->p0 * g->ldb + first, g->ldb, to);
    }
}

static left left_at(const gemm_call *g, const plan *w, const block *k, size_t i)
{
    if (w->pack_a) return (left){packed_a + i * k->depth, ROWS, false};
    if (g->ta) return (left){g->a + k->p0 * g->lda + k->i0 + i, g->lda, false};
    return (left){g->a + (k->i0 + i) * g->lda + k->p0, g->lda, true};
}

/* Where the tile of `skip` columns before row i, column j of a block starts from and goes to. */
static target target_at(const gemm_call *g, const block *k, size_t i, size_t j, size_t skip)
{
    size_t column = k->j0 + j - skip;
    ss_real *c = g->c + (k->i0 + i) * g->ldc + column;
    target t = {.from = c, .ld_from = g->ldc, .c = c, .ldc = g->ldc, .skip = skip};
    if (k->p0 > 0) return t;
    t.from = g->from ? g->from + (k->i0 + i) * g->ld_from + column : NULL;
    t.ld_from = g->ld_from;
    return t;
}

/* Columns too few for a vector, of an A whose rows lie side by side: a tile of C' that has `width` of A's rows as its columns,
 * transposed on its way to C. l is where A begins; as everywhere an element is one chain of FMAs. */
static void tall_tile(size_t width, size_t depth, const left *l, const panel *p, const target *t)
{
    ss_real across[ROWS * PANEL] __attribute__((aligned(64))), down[PANEL * LANES] __attribute__((aligned(64)));
    const size_t columns = p->columns, skip = p->skip;
    assert(columns <= ROWS && columns + skip <= LANES && width <= PANEL);
    any_tile(columns, width, depth, &(left){p->b + skip, p->ldb, false}, l->a, l->ld, &(target){.c = across, .ldc = PANEL});
    transpose(columns, width, across, PANEL, down + skip, LANES);
    if (columns + skip == LANES)
        for (size_t i = 0; i < width; i++) put(t, i, 0, load(down + i * LANES));
    else
        for (size_t i = 0; i < width; i++)
            for (size_t j = 0; j < columns; j++)
                t->c[i * t->ldc + j] = t->from ? t->from[i * t->ld_from + j] + down[i * LANES + j] : down[i * LANES + j];
}

/* The panel's tiles that are tall, from the block's first row on; how many rows they take. */
static size_t tall_tiles(const gemm_call *g, const plan *w, const block *k, size_t j, const panel *p)
{
    size_t i = 0;
    if (p->columns >= LANES || p->columns > ROWS || w->pack_a || !g->ta) return 0;
    for (size_t width; i + LANES <= k->rows; i += width) {
        left l = left_at(g, w, k, i);
        target t = target_at(g, k, i, j, p->skip);
        width = width_of(k->rows - i);
        if (i + width > k->rows) width = LANES;
        tall_tile(width, k->depth, &l, p, &t);
    }
    return i;
}

static void multiply_block(const gemm_call *g, const plan *w, const block *k)
{
    for (size_t j = 0; j < k->columns; j += PANEL) {
        panel p = panel_at(g, w, k, j);
        size_t width = width_of(p.columns);
        for (size_t i = tall_tiles(g, w, k, j, &p); i < k->rows; i += ROWS) {
            size_t rows = least(ROWS, k->rows - i);
            left l = left_at(g, w, k, i);
            target t = target_at(g, k, i, j, p.skip);
            if (p.columns + p.skip == width) any_tile(rows, width, k->depth, &l, p.b, p.ldb, &t);
            else small_tile(rows, p.columns, k->depth, &l, p.b, p.ldb, &t);
        }
    }
}

/* Equal blocks of k of at most DEPTH: a function of k alone. */
static size_t depth_of(size_t k)
{
    size_t blocks = (k + DEPTH - 1) / DEPTH;
    return (k + blocks - 1) / blocks;
}

void KERNEL(gemm)(const gemm_call *g)
{
    plan w = plan_of(g);
    size_t depth = depth_of(g->k);
    block k;
    for (k.j0 = 0; k.j0 < g->n; k.j0 += COLUMN_BLOCK) {
        k.columns = least(COLUMN_BLOCK, g->n - k.j0);
        for (k.p0 = 0; k.p0 < g->k; k.p0 += depth) {
            k.depth = least(depth, g->k - k.p0);
            pack_panels(g, &w, &k);
            for (k.i0 = 0; k.i0 < g->m; k.i0 += ROW_BLOCK) {
                k.rows = least(ROW_BLOCK, g->m - k.i0);
                if (w.pack_a) pack_a(g, k.i0, k.rows, k.p0, k.depth);
                multiply_block(g, &w, &k);
            }
        }
    }
}
