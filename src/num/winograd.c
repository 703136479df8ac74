/* winograd.c - convolution by Winograd's F(4x4, 3x3) (Lavin & Gray, "Fast algorithms for convolutional neural networks",
 * CVPR 2016). A 4x4 tile of the output needs a 6x6 patch of the input; with the small matrices A, B, G below,
 *     Y = A' [ (B' X B) . (G W G') ] A,     . elementwise, summed over input channels:
 * 36 products of (tiles, c) with (c, out_c) instead of 144 multiplications per tile and channel pair. Both gradients are the
 * transposes of the same maps: with D = A dY A',
 *     dX = B (D_k U_k) B'  added where patches overlap,     dW = G' (sum over tiles of D_k' V_k) G.
 * Everything is vectorised over channels, which are contiguous; the products are GEMMs. Tiles are taken in blocks so that
 * their transforms stay near the core. In float the result differs from direct convolution by a few 1e-7 of its size. */
#include "winograd.h"

#include <string.h>

enum { OUT = 4, IN = 6, PRODUCTS = IN * IN, LANES = 64 / sizeof(ss_real), BLOCK_BYTES = 2 << 20, LEAST_TILES = 32 };

typedef ss_real vec __attribute__((vector_size(64)));

/* By pointer: vectors wider than the processor's own are never passed by value. */
static inline void load(const ss_real *p, vec *v) { memcpy(v, p, sizeof *v); }
static inline void store(ss_real *p, const vec *v) { memcpy(p, v, sizeof *v); }

static inline void load_if(bool inside, const ss_real *p, vec *v)
{
    if (inside) load(p, v);
    else memset(v, 0, sizeof *v);
}

/* p = beta p + v; with beta 0, p is not read */
static inline void store_sum(ss_real beta, ss_real *p, const vec *v)
{
    vec sum = *v;
    if (beta != 0) {
        load(p, &sum);
        sum = beta * sum + *v;
    }
    store(p, &sum);
}

/* ---- the one-dimensional maps, on elements `s` apart ------------------------------------------------------------------- */
static inline void map_bt(const vec *d, size_t s, vec *o) /* B' : 6 -> 6 */
{
    vec d0 = d[0], d1 = d[s], d2 = d[2 * s], d3 = d[3 * s], d4 = d[4 * s], d5 = d[5 * s];
    o[0] = 4 * d0 - 5 * d2 + d4;
    o[s] = d3 + d4 - 4 * (d1 + d2);
    o[2 * s] = 4 * (d1 - d2) - d3 + d4;
    o[3 * s] = 2 * (d3 - d1) + (d4 - d2);
    o[4 * s] = 2 * (d1 - d3) + (d4 - d2);
    o[5 * s] = 4 * d1 - 5 * d3 + d5;
}

static inline void map_b(const vec *e, size_t s, vec *d) /* B : 6 -> 6 */
{
    vec e0 = e[0], e1 = e[s], e2 = e[2 * s], e3 = e[3 * s], e4 = e[4 * s], e5 = e[5 * s];
    d[0] = 4 * e0;
    d[s] = 4 * (e2 - e1) + 2 * (e4 - e3) + 4 * e5;
    d[2 * s] = -5 * e0 - 4 * (e1 + e2) - (e3 + e4);
    d[3 * s] = (e1 - e2) + 2 * (e3 - e4) - 5 * e5;
    d[4 * s] = e0 + (e1 + e2) + (e3 + e4);
    d[5 * s] = e5;
}

static inline void map_at(const vec *m, size_t s, vec *y) /* A' : 6 -> 4 */
{
    vec m0 = m[0], m5 = m[5 * s], sum12 = m[s] + m[2 * s], dif12 = m[s] - m[2 * s];
    vec sum34 = m[3 * s] + m[4 * s], dif34 = m[3 * s] - m[4 * s];
    y[0] = m0 + sum12 + sum34;
    y[s] = dif12 + 2 * dif34;
    y[2 * s] = sum12 + 4 * sum34;
    y[3 * s] = dif12 + 8 * dif34 + m5;
}

static inline void map_a(const vec *y, size_t s, vec *m) /* A : 4 -> 6 */
{
    vec y0 = y[0], y1 = y[s], y2 = y[2 * s], y3 = y[3 * s];
    vec even = y0 + y2, odd = y1 + y3, even4 = y0 + 4 * y2, odd8 = 2 * y1 + 8 * y3;
    m[0] = y0;
    m[s] = even + odd;
    m[2 * s] = even - odd;
    m[3 * s] = even4 + odd8;
    m[4 * s] = even4 - odd8;
    m[5 * s] = y3;
}

static const ss_real sixth = (ss_real)(1.0 / 6), twelfth = (ss_real)(1.0 / 12), twentyfourth = (ss_real)(1.0 / 24);

static inline void map_g(const vec *w, size_t s, vec *u, size_t t) /* G : 3 (s apart) -> 6 (t apart) */
{
    vec w0 = w[0], w1 = w[s], w2 = w[2 * s], outer = sixth * (w0 + w2), inner = twentyfourth * w0 + sixth * w2;
    u[0] = (ss_real)0.25 * w0;
    u[t] = -outer - sixth * w1;
    u[2 * t] = sixth * w1 - outer;
    u[3 * t] = inner + twelfth * w1;
    u[4 * t] = inner - twelfth * w1;
    u[5 * t] = w2;
}

static inline void map_gt(const vec *u, size_t s, vec *w, size_t t) /* G' : 6 -> 3 */
{
    vec sum12 = u[s] + u[2 * s], dif12 = u[2 * s] - u[s], sum34 = u[3 * s] + u[4 * s], dif34 = u[3 * s] - u[4 * s];
    w[0] = (ss_real)0.25 * u[0] - sixth * sum12 + twentyfourth * sum34;
    w[t] = sixth * dif12 + twelfth * dif34;
    w[2 * t] = sixth * (sum34 - sum12) + u[5 * s];
}

/* ---- tiles ---------------------------------------------------------------------------------------------------------------- */
typedef struct tiling { size_t across, down, per_image, block; } tiling;

static tiling tile(const ss_window *g)
{
    size_t across = ((size_t)g->out_w + OUT - 1) / OUT, down = ((size_t)g->out_h + OUT - 1) / OUT;
    size_t bytes = PRODUCTS * ((size_t)g->c + (size_t)g->out_c) * sizeof(ss_real), block = BLOCK_BYTES / bytes;
    return (tiling){across, down, across * down, block < LEAST_TILES ? LEAST_TILES : block};
}

bool ss_winograd_fits(const ss_window *g)
{
    size_t whole = (size_t)g->out_h * (size_t)g->out_w, covered = tile(g).per_image * OUT * OUT;
    return g->kernel == 3 && g->stride == 1 && g->padding <= 2 && g->c % LANES == 0 && g->out_c % LANES == 0 &&
           2 * whole > covered; /* at least half of what the tiles compute is wanted */
}

bool ss_winograd_pays(const ss_window *g, size_t n)
{
    return ss_winograd_fits(g) && n * tile(g).per_image >= LEAST_TILES; /* else transforming the weights costs too much */
}

size_t ss_winograd_work(const ss_window *g)
{
    size_t c = (size_t)g->c, out_c = (size_t)g->out_c;
    return PRODUCTS * (out_c * c + tile(g).block * (c + out_c));
}

/* Where a tile lies: its image, the output row and column of its corner. */
typedef struct place { size_t image; int y, x; } place;

static place place_of(const tiling *t, size_t i)
{
    size_t within = i % t->per_image;
    return (place){i / t->per_image, (int)(within / t->across) * OUT, (int)(within % t->across) * OUT};
}

/* V_k (tiles, c) = (B' X B)_k for tiles first .. first+m-1; planes `plane` apart. */
static void transform_input(const ss_window *g, const tiling *t, size_t first, size_t m, const ss_real *x,
                            ss_real *v, size_t plane)
{
    size_t c = (size_t)g->c, row = (size_t)g->w * c;
    for (size_t i = 0; i < m; i++) {
        place p = place_of(t, first + i);
        int y0 = p.y - g->padding, x0 = p.x - g->padding;
        const ss_real *image = x + p.image * (size_t)g->h * row;
        for (size_t j = 0; j < c; j += LANES) {
            vec d[PRODUCTS];
            for (int a = 0; a < IN; a++)
                for (int b = 0; b < IN; b++) {
                    bool inside = y0 + a >= 0 && y0 + a < g->h && x0 + b >= 0 && x0 + b < g->w;
                    ptrdiff_t at = (ptrdiff_t)(y0 + a) * (ptrdiff_t)row + (ptrdiff_t)(x0 + b) * (ptrdiff_t)c;
                    load_if(inside, inside ? image + at + j : image, &d[a * IN + b]);
                }
            for (size_t b = 0; b < IN; b++) map_bt(d + b, IN, d + b);
            for (size_t a = 0; a < IN; a++) map_bt(d + a * IN, 1, d + a * IN);
            for (size_t k = 0; k < PRODUCTS; k++) store(v + k * plane + i * c + j, &d[k]);
        }
    }
}

/* The transpose: dX += B (V_k) B'. */
static void scatter_input(const ss_window *g, const tiling *t, size_t first, size_t m, const ss_real *v,
                          size_t plane, ss_real *dx)
{
    size_t c = (size_t)g->c, row = (size_t)g->w * c;
    for (size_t i = 0; i < m; i++) {
        place p = place_of(t, first + i);
        int y0 = p.y - g->padding, x0 = p.x - g->padding;
        ss_real *image = dx + p.image * (size_t)g->h * row;
        for (size_t j = 0; j < c; j += LANES) {
            vec d[PRODUCTS];
            for (size_t k = 0; k < PRODUCTS; k++) load(v + k * plane + i * c + j, &d[k]);
            for (size_t b = 0; b < IN; b++) map_b(d + b, IN, d + b);
            for (size_t a = 0; a < IN; a++) map_b(d + a * IN, 1, d + a * IN);
            for (int a = 0; a < IN; a++)
                for (int b = 0; b < IN; b++) {
                    if (y0 + a < 0 || y0 + a >= g->h || x0 + b < 0 || x0 + b >= g->w) continue;
                    store_sum(1, image + (size_t)(y0 + a) * row + (size_t)(x0 + b) * c + j, &d[a * IN + b]);
                }
        }
    }
}

/* Y = beta Y + A' (M_k) A */
static void transform_output(const ss_window *g, const tiling *t, size_t first, size_t m, const ss_real *product, size_t plane,
                             ss_real beta, ss_real *y)
{
    size_t c = (size_t)g->out_c, row = (size_t)g->out_w * c;
    for (size_t i = 0; i < m; i++) {
        place p = place_of(t, first + i);
        ss_real *image = y + p.image * (size_t)g->out_h * row;
        for (size_t j = 0; j < c; j += LANES) {
            vec d[PRODUCTS];
            for (size_t k = 0; k < PRODUCTS; k++) load(product + k * plane + i * c + j, &d[k]);
            for (size_t b = 0; b < IN; b++) map_at(d + b, IN, d + b);
            for (size_t a = 0; a < OUT; a++) map_at(d + a * IN, 1, d + a * IN);
            for (int a = 0; a < OUT && p.y + a < g->out_h; a++)
                for (int b = 0; b < OUT && p.x + b < g->out_w; b++) {
                    store_sum(beta, image + (size_t)(p.y + a) * row + (size_t)(p.x + b) * c + j, &d[a * IN + b]);
                }
        }
    }
}

/* D_k (tiles, out_c) = (A dY A')_k */
static void gather_output(const ss_window *g, const tiling *t, size_t first, size_t m, const ss_real *dy,
                          ss_real *out, size_t plane)
{
    size_t c = (size_t)g->out_c, row = (size_t)g->out_w * c;
    for (size_t i = 0; i < m; i++) {
        place p = place_of(t, first + i);
        const ss_real *image = dy + p.image * (size_t)g->out_h * row;
        for (size_t j = 0; j < c; j += LANES) {
            vec d[PRODUCTS];
            for (int a = 0; a < OUT; a++)
                for (int b = 0; b < OUT; b++) {
                    bool inside = p.y + a < g->out_h && p.x + b < g->out_w;
                    size_t at = (size_t)(p.y + a) * row + (size_t)(p.x + b) * c;
                    load_if(inside, inside ? image + at + j : image, &d[a * IN + b]);
                }
            for (size_t b = 0; b < OUT; b++) map_a(d + b, IN, d + b);
            for (size_t a = 0; a < IN; a++) map_a(d + a * IN, 1, d + a * IN);
            for (size_t k = 0; k < PRODUCTS; k++) store(out + k * plane + i * c + j, &d[k]);
        }
    }
}

/* ---- weights: (out_c, 3, 3, c) and U_k (out_c, c) -------------------------------------------------------------------------- */
static void transform_weight(const ss_window *g, const ss_real *weight, ss_real *u)
{
    size_t c = (size_t)g->c, plane = (size_t)g->out_c * c;
    for (size_t o = 0; o < (size_t)g->out_c; o++)
        for (size_t j = 0; j < c; j += LANES) {
            vec w[9], half[18], d[PRODUCTS];
            for (size_t a = 0; a < 9; a++) load(weight + (o * 9 + a) * c + j, &w[a]);
            for (size_t b = 0; b < 3; b++) map_g(w + b, 3, half + b, 3);
            for (size_t a = 0; a < IN; a++) map_g(half + a * 3, 1, d + a * IN, 1);
            for (size_t k = 0; k < PRODUCTS; k++) store(u + k * plane + o * c + j, &d[k]);
        }
}

static void gather_weight(const ss_window *g, const ss_real *u, ss_real beta, ss_real *dweight)
{
    size_t c = (size_t)g->c, plane = (size_t)g->out_c * c;
    for (size_t o = 0; o < (size_t)g->out_c; o++)
        for (size_t j = 0; j < c; j += LANES) {
            vec w[9], half[18], d[PRODUCTS];
            for (size_t k = 0; k < PRODUCTS; k++) load(u + k * plane + o * c + j, &d[k]);
            for (size_t b = 0; b < IN; b++) map_gt(d + b, IN, half + b, IN);
            for (size_t a = 0; a < 3; a++) map_gt(half + a * IN, 1, w + a * 3, 1);
            for (size_t a = 0; a < 9; a++) store_sum(beta, dweight + (o * 9 + a) * c + j, &w[a]);
        }
}

/* ---- the three passes ---------------------------------------------------------------------------------------------- */
typedef struct buffers { ss_real *u, *in, *out; size_t u_plane, in_plane, out_plane; } buffers;

static buffers lay_out(const ss_window *g, const tiling *t, ss_real *work)
{
    size_t c = (size_t)g->c, out_c = (size_t)g->out_c;
    buffers b = {.u = work, .u_plane = out_c * c, .in_plane = t->block * c, .out_plane = t->block * out_c};
    b.in = b.u + PRODUCTS * b.u_plane;
    b.out = b.in + PRODUCTS * b.in_plane;
    return b;
}

static size_t block_at(const tiling *t, size_t n, size_t first)
{
    size_t left = n * t->per_image - first;
    return left < t->block ? left : t->block;
}

void ss_winograd_forward(const ss_window *g, size_t n, const ss_real *x, const ss_real *weight, double beta, ss_real *y,
                         ss_real *work)
{
    tiling t = tile(g);
    buffers b = lay_out(g, &t, work);
    size_t c = (size_t)g->c, out_c = (size_t)g->out_c;
    transform_weight(g, weight, b.u);
    for (size_t first = 0, m; first < n * t.per_image; first += m) {
        m = block_at(&t, n, first);
        transform_input(g, &t, first, m, x, b.in, b.in_plane);
        for (size_t k = 0; k < PRODUCTS; k++)
            ss_gemm(SS_NO_TRANSPOSE, SS_TRANSPOSE, m, out_c, c, 1, b.in + k * b.in_plane, c, b.u + k * b.u_plane, c, 0,
                    b.out + k * b.out_plane, out_c);
        transform_output(g, &t, first, m, b.out, b.out_plane, (ss_real)beta, y);
    }
}

void ss_winograd_backward_data(const ss_window *g, size_t n, const ss_real *dy, const ss_real *weight, double beta,
                               ss_real *dx, ss_real *work)
{
    tiling t = tile(g);
    buffers b = lay_out(g, &t, work);
    size_t c = (size_t)g->c, out_c = (size_t)g->out_c;
    transform_weight(g, weight, b.u);
    if (beta == 0) memset(dx, 0, n * (size_t)g->h * (size_t)g->w * c * sizeof *dx);
    for (size_t first = 0, m; first < n * t.per_image; first += m) {
        m = block_at(&t, n, first);
        gather_output(g, &t, first, m, dy, b.out, b.out_plane);
        for (size_t k = 0; k < PRODUCTS; k++)
            ss_gemm(SS_NO_TRANSPOSE, SS_NO_TRANSPOSE, m, c, out_c, 1, b.out + k * b.out_plane, out_c, b.u + k * b.u_plane, c,
                    0, b.in + k * b.in_plane, c);
        scatter_input(g, &t, first, m, b.in, b.in_plane, dx);
    }
}

void ss_winograd_backward_weight(const ss_window *g, size_t n, const ss_real *x, const ss_real *dy, double beta,
                                 ss_real *dweight, ss_real *work)
{
    tiling t = tile(g);
    buffers b = lay_out(g, &t, work);
    size_t c = (size_t)g->c, out_c = (size_t)g->out_c;
    for (size_t first = 0, m; first < n * t.per_image; first += m) {
        m = block_at(&t, n, first);
        transform_input(g, &t, first, m, x, b.in, b.in_plane);
        gather_output(g, &t, first, m, dy, b.out, b.out_plane);
        for (size_t k = 0; k < PRODUCTS; k++)
            ss_gemm(SS_TRANSPOSE, SS_NO_TRANSPOSE, out_c, c, m, 1, b.out + k * b.out_plane, out_c, b.in + k * b.in_plane, c,
                    first == 0 ? 0 : 1, b.u + k * b.u_plane, c);
    }
    gather_weight(g, b.u, (ss_real)beta, dweight);
}
