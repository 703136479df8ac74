/* winograd.c - convolution by Winograd's F(4x4, 3x3) (Lavin & Gray, "Fast algorithms for convolutional neural networks",
 * CVPR 2016). A 4x4 tile of the output needs a 6x6 patch of the input; with the small matrices A, B, G (kernel_winograd.c),
 *     Y = A' [ (B' X B) . (G W G') ] A,     . elementwise, summed over input channels:
 * 36 products V_k U_k of (tiles, c) with (c, out_c) instead of 144 multiplications per tile and channel pair. The data
 * gradient is the same algorithm with the weights turned by 180 degrees and transposed, the weight gradient its transpose,
 *     dW = G' (sum over tiles of V_k' D_k) G,     D = A dY A'.
 * In float the result differs from direct convolution by about 1e-6 of its size.
 *
 * Blocks: the tiles are taken in groups, whose V stands in `work`. Small weights are transformed once, and a group is what
 * fits in a core's second-level cache. Large ones, beside which a batch's tiles are few (deep layers), are transformed block
 * by block, each block used for the whole group while it is in the cache: transformed weights, four times the size of the
 * weights, never travel to memory and back. */
#include "conv.h"
#include "kernels.h"

enum { OUT = 4, PLANES = 36, LANES = 64 / sizeof(ss_real), MAX_TERMS = 2, PIECE_TILES = 16 };
/* Transformed weights up to WHOLE are kept whole; V and D of a group then take GROUP; else LARGE_GROUP, or a quarter of what
 * the transformed weights would if that is more, so that transforming them again for each group stays cheap. */
enum { WHOLE_BYTES = 640 << 10, GROUP_BYTES = 768 << 10, LARGE_GROUP_BYTES = 4 << 20, DEPTH = 128, COLUMNS = 32 };

/* The convolution from one image to another that a pass computes, and its blocks. */
typedef struct layout {
    int h, w, pad, out_h, out_w;
    size_t c, out_c;
    size_t across, per_image, total, group;     /* tiles of the output; `total` in the batch */
    bool whole;
    size_t depth, columns;                      /* of a block of weights (c, out_c) */
    size_t v_plane, u_plane, m_plane;
} layout;

static size_t round_up(size_t a, size_t b) { return (a + b - 1) / b * b; }
static size_t least(size_t a, size_t b) { return a < b ? a : b; }

/* Planes begin on different sets of the caches, although their sizes are powers of two. */
static size_t plane_of(size_t elements) { return round_up(elements, LANES) + LANES; }

static size_t weight_bytes(const layout *l) { return PLANES * l->c * l->out_c * sizeof(ss_real); }

static size_t group_bytes(const layout *l)
{
    if (l->whole) return GROUP_BYTES;
    return weight_bytes(l) / 4 > LARGE_GROUP_BYTES ? weight_bytes(l) / 4 : LARGE_GROUP_BYTES;
}

static layout lay_out(const ss_window *g, size_t n, bool back)
{
    layout l = {.h = g->h, .w = g->w, .pad = g->padding, .out_h = g->out_h, .out_w = g->out_w, .c = (size_t)g->c,
                .out_c = (size_t)g->out_c};
    if (back)
        l = (layout){.h = g->out_h, .w = g->out_w, .pad = 2 - g->padding, .out_h = g->h, .out_w = g->w,
                     .c = (size_t)g->out_c, .out_c = (size_t)g->c};
    l.across = ((size_t)l.out_w + OUT - 1) / OUT;
    l.per_image = l.across * (((size_t)l.out_h + OUT - 1) / OUT);
    l.total = n * l.per_image;
    l.whole = weight_bytes(&l) <= WHOLE_BYTES;
    l.depth = l.whole ? l.c : least(l.c, DEPTH);
    l.columns = l.whole ? l.out_c : least(l.out_c, COLUMNS);
    size_t most = group_bytes(&l) / (PLANES * sizeof(ss_real) * (l.c + l.out_c));
    size_t groups = (l.total + most - 1) / most;
    l.group = groups == 0 ? most : (l.total + groups - 1) / groups;
    l.v_plane = plane_of(l.group * l.c);
    l.u_plane = plane_of(l.depth * l.columns);
    l.m_plane = plane_of(l.group * l.out_c);
    return l;
}

bool ss_winograd_fits(const ss_window *g)
{
    return g->kernel == 3 && g->stride == 1 && g->padding <= 2 && g->c % LANES == 0 && g->out_c % LANES == 0;
}

size_t ss_winograd_tiles(const ss_window *g) { return lay_out(g, 1, false).per_image; }

/* Small weights take both terms of a sum at once; of large ones, transformed in blocks, only V stands there for both. */
static size_t kept_terms(const layout *l) { return l->whole ? MAX_TERMS : 1; }

static size_t work_of(const layout *l)
{
    return PLANES * (MAX_TERMS * l->v_plane + kept_terms(l) * (l->m_plane + l->u_plane));
}

static size_t most_work(const ss_window *g)
{
    layout on = lay_out(g, 0, false), back = lay_out(g, 0, true); /* of groups as large as they get */
    return work_of(&on) > work_of(&back) ? work_of(&on) : work_of(&back);
}

/* Where the planes stand in `work`, of each term; M takes the place of the first D. */
typedef struct planes { ss_real *v[MAX_TERMS], *u[MAX_TERMS], *m[MAX_TERMS]; } planes;

static planes place_planes(const layout *l, ss_real *work)
{
    planes p;
    ss_real *m = work + PLANES * MAX_TERMS * l->v_plane, *u = m + PLANES * kept_terms(l) * l->m_plane;
    for (size_t t = 0; t < MAX_TERMS; t++) {
        size_t kept = l->whole ? t : 0;
        p.v[t] = work + PLANES * t * l->v_plane;
        p.m[t] = m + PLANES * kept * l->m_plane;
        p.u[t] = u + PLANES * kept * l->u_plane;
    }
    return p;
}

/* ---- stages, each divided among the threads --------------------------------------------------------------------------- */
typedef struct transform {
    wino_tiles tiles;
    const ss_real *image, *bias;
    ss_real *planes, *y;
    bool add;
} transform;

static wino_tiles piece_of(const transform *t, size_t i)
{
    wino_tiles piece = t->tiles;
    piece.first += i * PIECE_TILES;
    piece.n = least(PIECE_TILES, t->tiles.n - i * PIECE_TILES);
    return piece;
}

static void input_piece(void *ctx, size_t i)
{
    const transform *t = ctx;
    wino_tiles piece = piece_of(t, i);
    ss_kernel->wino_input(&piece, t->image, t->planes + i * PIECE_TILES * piece.c);
}

static void delta_piece(void *ctx, size_t i)
{
    const transform *t = ctx;
    wino_tiles piece = piece_of(t, i);
    ss_kernel->wino_delta(&piece, t->image, t->planes + i * PIECE_TILES * piece.c);
}

static void output_piece(void *ctx, size_t i)
{
    const transform *t = ctx;
    wino_tiles piece = piece_of(t, i);
    ss_kernel->wino_output(&piece, t->planes + i * PIECE_TILES * piece.c, t->bias, t->add, t->y);
}

static void run_transform(const transform *t, void (*piece)(void *ctx, size_t i))
{
    transform copy = *t;
    ss_parallel((t->tiles.n + PIECE_TILES - 1) / PIECE_TILES, piece, &copy);
}

static wino_tiles input_tiles(const layout *l, size_t first, size_t n)
{
    return (wino_tiles){l->h, l->w, l->pad, l->c, l->c, l->across, l->per_image, first, n, l->v_plane};
}

/* Channels of the output from `column` on. */
static wino_tiles output_tiles(const layout *l, size_t first, size_t n, size_t columns)
{
    return (wino_tiles){l->out_h, l->out_w, 0, l->out_c, columns, l->across, l->per_image, first, n, l->m_plane};
}

typedef struct products { gemm_call call; size_t a_plane, b_plane, c_plane; } products;

static void one_product(void *ctx, size_t k)
{
    const products *p = ctx;
    gemm_call call = p->call;
    call.a += k * p->a_plane;
    call.b += k * p->b_plane;
    call.c += k * p->c_plane;
    if (call.from) call.from += k * p->c_plane;
    ss_kernel->gemm(&call);
}

/* A block of the weights, and its rows in pieces. */
typedef struct weights {
    wino_weights block;
    const ss_real *weight;
    ss_real *u, *dweight;
    bool back, add;
} weights;

enum { PIECE_ROWS = 16 };

static void weight_piece(void *ctx, size_t i)
{
    const weights *w = ctx;
    wino_weights piece = w->block;
    piece.row += i * PIECE_ROWS;
    piece.rows = least(PIECE_ROWS, w->block.rows - i * PIECE_ROWS);
    ss_real *u = w->u + i * PIECE_ROWS * piece.columns;
    if (w->dweight) ss_kernel->wino_gradient(&piece, u, w->add, w->dweight);
    else (w->back ? ss_kernel->wino_weight_back : ss_kernel->wino_weight)(&piece, w->weight, u);
}

static void run_weights(const weights *w)
{
    weights copy = *w;
    ss_parallel((w->block.rows + PIECE_ROWS - 1) / PIECE_ROWS, weight_piece, &copy);
}

/* The block of U_k (c, out_c) at row d, column o. */
static wino_weights block_at(const ss_window *g, const layout *l, size_t d, size_t o)
{
    return (wino_weights){(size_t)g->c, (size_t)g->out_c, d, least(l->depth, l->c - d), o, least(l->columns, l->out_c - o),
                          l->u_plane};
}

/* ---- forward and data gradient: y = add y + sum of terms + bias ------------------------------------------------------- */
typedef struct task {
    const ss_window *g;
    size_t n_terms;
    const ss_real *image[MAX_TERMS], *weight[MAX_TERMS], *bias;
    bool back, add;
    ss_real *y;
} task;

static void transform_weights(const task *k, const layout *l, size_t term, size_t d, size_t o, ss_real *u)
{
    run_weights(&(weights){.block = block_at(k->g, l, d, o), .weight = k->weight[term], .u = u, .back = k->back});
}

/* M_k = (or +=) V_k U_k, over the block at (d, o) */
static void multiply(const layout *l, size_t n, const wino_weights *b, const ss_real *v, const ss_real *u, bool add,
                     ss_real *m)
{
    products p = {{.m = n, .n = b->columns, .k = b->rows, .a = v + b->row, .lda = l->c, .b = u, .ldb = b->columns,
                   .from = add ? m : NULL, .ld_from = b->columns, .c = m, .ldc = b->columns},
                  l->v_plane, l->u_plane, l->m_plane};
    ss_parallel(PLANES, one_product, &p);
}

static void convolve_group(const task *k, const layout *l, const planes *p, size_t first, size_t n)
{
    for (size_t t = 0; t < k->n_terms; t++)
        run_transform(&(transform){.tiles = input_tiles(l, first, n), .image = k->image[t], .planes = p->v[t]}, input_piece);
    for (size_t o = 0; o < l->out_c; o += l->columns) {
        bool add = false;
        for (size_t d = 0; d < l->c; d += l->depth)
            for (size_t t = 0; t < k->n_terms; t++, add = true) {
                wino_weights block = block_at(k->g, l, d, o);
                ss_real *u = p->u[t];
                if (!l->whole) transform_weights(k, l, t, d, o, u);
                multiply(l, n, &block, p->v[t], u, add, p->m[0]);
            }
        run_transform(&(transform){.tiles = output_tiles(l, first, n, least(l->columns, l->out_c - o)), .planes = p->m[0],
                                   .bias = k->bias ? k->bias + o : NULL, .add = k->add, .y = k->y + o}, output_piece);
    }
}

static void convolve(const task *k, size_t n, ss_real *work)
{
    layout l = lay_out(k->g, n, k->back);
    planes p = place_planes(&l, work);
    for (size_t t = 0; l.whole && t < k->n_terms; t++) transform_weights(k, &l, t, 0, 0, p.u[t]);
    for (size_t first = 0; first < l.total; first += l.group)
        convolve_group(k, &l, &p, first, least(l.group, l.total - first));
}

static void forward(const ss_window *g, size_t n, size_t n_terms, const ss_factors *f, const ss_real *bias, ss_real *y,
                    ss_real *work)
{
    task k = {.g = g, .n_terms = n_terms, .bias = bias, .y = y};
    for (size_t t = 0; t < n_terms; t++) k.image[t] = f[t].x, k.weight[t] = f[t].weight;
    convolve(&k, n, work);
}

static void backward_data(const ss_window *g, size_t n, size_t n_terms, const ss_factors *f, double beta, ss_real *dx,
                          ss_real *work)
{
    task k = {.g = g, .n_terms = n_terms, .back = true, .add = beta != 0, .y = dx};
    for (size_t t = 0; t < n_terms; t++) k.image[t] = f[t].dy, k.weight[t] = f[t].weight;
    convolve(&k, n, work);
}

/* ---- weight gradient: in blocks of (c, out_c) as above; small ones wait for the sum over all groups ------------------- */
/* dU_k = (or +=) V_k' D_k */
static void collect(const layout *l, size_t n, const wino_weights *b, const ss_real *v, const ss_real *d, bool add,
                    ss_real *u)
{
    products p = {{.m = b->rows, .n = b->columns, .k = n, .ta = true, .a = v + b->row, .lda = l->c, .b = d + b->column,
                   .ldb = l->out_c, .from = add ? u : NULL, .ld_from = b->columns, .c = u, .ldc = b->columns},
                  l->v_plane, l->m_plane, l->u_plane};
    ss_parallel(PLANES, one_product, &p);
}

/* The terms f[0 .. n_terms), of a group; `fresh`: nothing has been collected before. */
static void collect_group(const ss_window *g, const layout *l, const planes *p, size_t n_terms, const ss_factors *f,
                          size_t first, size_t n, bool fresh, ss_real *dweight)
{
    for (size_t t = 0; t < n_terms; t++) {
        run_transform(&(transform){.tiles = input_tiles(l, first, n), .image = f[t].x, .planes = p->v[t]}, input_piece);
        run_transform(&(transform){.tiles = output_tiles(l, first, n, l->out_c), .image = f[t].dy, .planes = p->m[t]},
                      delta_piece);
    }
    for (size_t o = 0; o < l->out_c; o += l->columns)
        for (size_t d = 0; d < l->c; d += l->depth) {
            wino_weights block = block_at(g, l, d, o);
            for (size_t t = 0; t < n_terms; t++)
                collect(l, n, &block, p->v[t], p->m[t], t > 0 || (l->whole && !fresh), p->u[0]);
            if (l->whole && first + n < l->total) continue;
            run_weights(&(weights){.block = block, .u = p->u[0], .dweight = dweight, .add = !l->whole && !fresh});
        }
}

/* Large groups take one term at a time: two together would leave the caches. */
static void backward_weight(const ss_window *g, size_t n, size_t n_terms, const ss_factors *f, ss_real *dweight,
                            ss_real *work)
{
    layout l = lay_out(g, n, false);
    planes p = place_planes(&l, work);
    size_t together = l.whole ? n_terms : 1;
    for (size_t t = 0; t < n_terms; t += together)
        for (size_t first = 0; first < l.total; first += l.group)
            collect_group(g, &l, &p, together, f + t, first, least(l.group, l.total - first), t == 0 && first == 0, dweight);
}

const conv_way ss_winograd = {"winograd", most_work, forward, backward_data, backward_weight};
