/* kernel_winograd.c - the transforms of Winograd's F(4x4, 3x3); see winograd.c for what they are for. Each is an elementwise
 * function of vectors over channels: a lane's operations do not depend on the vector's width. */
#include "kernels.h"
#include "lanes.h"
#include "transpose.h"

enum { OUT = 4, IN = 6, PLANES = IN * IN, TAPS = 9, CHUNK = 64 / sizeof(ss_real) };

#define UNROLL _Pragma("GCC unroll 8")

/* ---- the one-dimensional maps, on elements `s` apart ------------------------------------------------------------------ */
INLINE void map_bt(const vec *d, size_t s, vec *o) /* B' : 6 -> 6 */
{
    vec d0 = d[0], d1 = d[s], d2 = d[2 * s], d3 = d[3 * s], d4 = d[4 * s], d5 = d[5 * s];
    vec a = d4 - 4 * d2, b = d3 - 4 * d1, c = d4 - d2, e = d3 - d1, f = d4 - 5 * d2, g = d5 - 5 * d3;
    o[0] = f + 4 * d0;
    o[s] = a + b;
    o[2 * s] = a - b;
    o[3 * s] = c + 2 * e;
    o[4 * s] = c - 2 * e;
    o[5 * s] = g + 4 * d1;
}

INLINE void map_at(const vec *m, size_t s, vec *y) /* A' : 6 -> 4 */
{
    vec m0 = m[0], m5 = m[5 * s], sum12 = m[s] + m[2 * s], dif12 = m[s] - m[2 * s];
    vec sum34 = m[3 * s] + m[4 * s], dif34 = m[3 * s] - m[4 * s];
    y[0] = m0 + sum12 + sum34;
    y[s] = dif12 + 2 * dif34;
    y[2 * s] = sum12 + 4 * sum34;
    y[3 * s] = (dif12 + m5) + 8 * dif34;
}

INLINE void map_a(const vec *y, size_t s, vec *m) /* A : 4 -> 6 */
{
    vec y0 = y[0], y1 = y[s], y2 = y[2 * s], y3 = y[3 * s];
    vec even = y0 + y2, odd = y1 + y3, even4 = y0 + 4 * y2, odd4 = y1 + 4 * y3;
    m[0] = y0;
    m[s] = even + odd;
    m[2 * s] = even - odd;
    m[3 * s] = even4 + 2 * odd4;
    m[4 * s] = even4 - 2 * odd4;
    m[5 * s] = y3;
}

static const ss_real quarter = (ss_real)0.25, sixth = (ss_real)(1.0 / 6), twelfth = (ss_real)(1.0 / 12),
                     twentyfourth = (ss_real)(1.0 / 24);

INLINE void map_g(const vec *w, size_t s, vec *u, size_t t) /* G : 3 (s apart) -> 6 (t apart) */
{
    vec w0 = w[0], w1 = w[s], w2 = w[2 * s], outer = -sixth * (w0 + w2), middle = sixth * w1;
    vec inner = sixth * (w2 + quarter * w0);
    u[0] = quarter * w0;
    u[t] = outer - middle;
    u[2 * t] = outer + middle;
    u[3 * t] = inner + twelfth * w1;
    u[4 * t] = inner - twelfth * w1;
    u[5 * t] = w2;
}

INLINE void map_gt(const vec *u, size_t s, vec *w, size_t t) /* G' : 6 -> 3 */
{
    vec sum12 = u[s] + u[2 * s], dif12 = u[2 * s] - u[s], sum34 = u[3 * s] + u[4 * s], dif34 = u[3 * s] - u[4 * s];
    vec first = quarter * u[0] + twentyfourth * sum34, last = u[5 * s] + sixth * sum34;
    w[0] = first - sixth * sum12;
    w[t] = sixth * (dif12 + (ss_real)0.5 * dif34);
    w[2 * t] = last - sixth * sum12;
}

/* ---- tiles ------------------------------------------------------------------------------------------------------------ */
/* The part of a patch `size` high and wide, from (y, x) on, that lies in the image: bit a of rows, bit b of columns. */
typedef struct patch { ptrdiff_t at; unsigned rows, columns; } patch;

static unsigned bits_inside(int from, int size, int limit)
{
    unsigned bits = 0;
    for (int a = 0; a < size; a++) bits |= (unsigned)(from + a >= 0 && from + a < limit) << a;
    return bits;
}

static patch patch_of(const wino_tiles *t, size_t i, int size)
{
    size_t image = i / t->per_image, within = i % t->per_image;
    int y = (int)(within / t->across) * OUT - t->pad, x = (int)(within % t->across) * OUT - t->pad;
    ptrdiff_t line = (ptrdiff_t)image * t->h + y;
    return (patch){(line * t->w + x) * (ptrdiff_t)t->ld, bits_inside(y, size, t->h), bits_inside(x, size, t->w)};
}

/* `whole` is a constant where these are called: patches inside the image, by far the most in large ones, are not tested. */
INLINE bool is_inside(const bool whole, const patch *p, int a, int b)
{
    return whole || ((p->rows >> a & 1) && (p->columns >> b & 1));
}

INLINE void load_patch(const bool whole, const int size, const wino_tiles *t, const patch *p, const ss_real *image, vec *d)
{
    const ss_real *from = image + p->at;
    const ptrdiff_t ld = (ptrdiff_t)t->ld, row = t->w * ld;
UNROLL
    for (int a = 0; a < size; a++)
UNROLL
        for (int b = 0; b < size; b++)
            d[a * IN + b] = is_inside(whole, p, a, b) ? load(from + a * row + b * ld) : (vec){0};
}

/* The hardware sees no stream in patches: without this the columns that the next tile begins with come from memory while
 * everything waits. As a number, since the last tile's lie behind the image. */
INLINE void prefetch_next(const int rows, const int columns, const wino_tiles *t, const ss_real *corner)
{
    const uintptr_t from = (uintptr_t)corner, ld = t->ld * sizeof *corner, row = (uintptr_t)t->w * ld;
UNROLL
    for (uintptr_t a = 0; a < (uintptr_t)rows; a++)
UNROLL
        for (uintptr_t b = 0; b < OUT; b++) __builtin_prefetch((const void *)(from + a * row + ((uintptr_t)columns + b) * ld));
}

/* The input's patches are IN wide and high, the delta's OUT; both have IN x IN planes. */
typedef void map(const vec *d, size_t s, vec *o);

INLINE void tile_to_planes(const bool whole, const int size, map *one, const wino_tiles *t, const patch *p,
                           const ss_real *image, ss_real *planes)
{
    for (size_t j = 0; j < t->c; j += LANES) {
        vec d[PLANES];
        prefetch_next(size, size, t, image + p->at + j);
        load_patch(whole, size, t, p, image + j, d);
UNROLL
        for (size_t b = 0; b < (size_t)size; b++) one(d + b, IN, d + b);
UNROLL
        for (size_t a = 0; a < IN; a++) {
            one(d + a * IN, 1, d + a * IN);
UNROLL
            for (size_t b = 0; b < IN; b++) store(planes + (a * IN + b) * t->plane + j, d[a * IN + b]);
        }
    }
}

INLINE void output_tile(const bool whole, const wino_tiles *t, const patch *p, const ss_real *planes, const ss_real *bias,
                        bool add, ss_real *image)
{
    ss_real *to = image + p->at;
    const ptrdiff_t ld = (ptrdiff_t)t->ld, row = t->w * ld;
    for (size_t j = 0; j < t->c; j += LANES, to += LANES) {
        vec d[PLANES], start = bias ? load(bias + j) : (vec){0};
UNROLL
        for (size_t b = 0; b < IN; b++) {
UNROLL
            for (size_t a = 0; a < IN; a++) d[a * IN + b] = load(planes + (a * IN + b) * t->plane + j);
            map_at(d + b, IN, d + b);
        }
UNROLL
        for (int a = 0; a < OUT; a++) {
            map_at(d + a * IN, 1, d + a * IN);
UNROLL
            for (int b = 0; b < OUT; b++) {
                if (!is_inside(whole, p, a, b)) continue;
                ss_real *y = to + a * row + b * ld;
                store(y, d[a * IN + b] + (add ? load(y) : start));
            }
        }
    }
}

static bool is_whole(const patch *p, int size) { return (p->rows & p->columns) == (1u << size) - 1; }

INLINE void to_planes(const int size, map *one, const wino_tiles *t, const ss_real *image, ss_real *planes)
{
    for (size_t i = 0; i < t->n; i++, planes += t->c) {
        patch p = patch_of(t, t->first + i, size);
        if (is_whole(&p, size)) tile_to_planes(true, size, one, t, &p, image, planes);
        else tile_to_planes(false, size, one, t, &p, image, planes);
    }
}

void KERNEL(wino_input)(const wino_tiles *t, const ss_real *image, ss_real *planes)
{
    to_planes(IN, map_bt, t, image, planes);
}

void KERNEL(wino_delta)(const wino_tiles *t, const ss_real *image, ss_real *planes)
{
    to_planes(OUT, map_a, t, image, planes);
}

void KERNEL(wino_output)(const wino_tiles *t, const ss_real *planes, const ss_real *bias, bool add, ss_real *image)
{
    for (size_t i = 0; i < t->n; i++, planes += t->c) {
        patch p = patch_of(t, t->first + i, OUT);
        if (is_whole(&p, OUT)) output_tile(true, t, &p, planes, bias, add, image);
        else output_tile(false, t, &p, planes, bias, add, image);
    }
}

/* ---- weights ---------------------------------------------------------------------------------------------------------- */
/* One vector of each tap, `apart` from each other, to the planes. */
INLINE void weight_vector(const ss_real *w, size_t apart, ss_real *u, size_t plane)
{
    vec taps[TAPS], half[IN * 3], d[IN];
UNROLL
    for (size_t a = 0; a < TAPS; a++) taps[a] = load(w + a * apart);
UNROLL
    for (size_t b = 0; b < 3; b++) map_g(taps + b, 3, half + b, 3);
UNROLL
    for (size_t a = 0; a < IN; a++) {
        map_g(half + a * 3, 1, d, 1);
UNROLL
        for (size_t b = 0; b < IN; b++) store(u + (a * IN + b) * plane, d[b]);
    }
}

void KERNEL(wino_weight)(const wino_weights *w, const ss_real *weight, ss_real *u)
{
    const size_t apart = w->c * w->out_c;
    for (size_t i = 0; i < w->rows; i++)
        for (size_t j = 0; j < w->columns; j += LANES)
            weight_vector(weight + (w->row + i) * w->out_c + w->column + j, apart, u + i * w->columns + j, w->plane);
}

/* The same of the weights turned by 180 degrees, for the way back: rows are output channels, columns input channels. */
void KERNEL(wino_weight_back)(const wino_weights *w, const ss_real *weight, ss_real *u)
{
    const size_t apart = w->c * w->out_c;
    ss_real turned[TAPS][SIDE * CHUNK] __attribute__((aligned(64)));
    for (size_t i = 0; i < w->rows; i += SIDE)
        for (size_t j = 0; j < w->columns; j += CHUNK) {
            const ss_real *from = weight + (w->column + j) * w->out_c + w->row + i;
            for (size_t a = 0; a < TAPS; a++)
                for (size_t k = 0; k < CHUNK; k += SIDE)
                    transpose8(from + (TAPS - 1 - a) * apart + k * w->out_c, w->out_c, turned[a] + k, CHUNK);
            for (size_t r = 0; r < SIDE; r++)
                for (size_t k = 0; k < CHUNK; k += LANES)
                    weight_vector(turned[0] + r * CHUNK + k, SIDE * CHUNK, u + (i + r) * w->columns + j + k, w->plane);
        }
}

void KERNEL(wino_gradient)(const wino_weights *w, const ss_real *u, bool add, ss_real *dweight)
{
    const size_t apart = w->c * w->out_c;
    for (size_t i = 0; i < w->rows; i++)
        for (size_t j = 0; j < w->columns; j += LANES) {
            const ss_real *from = u + i * w->columns + j;
            ss_real *to = dweight + (w->row + i) * w->out_c + w->column + j;
            vec half[3 * IN], d[IN], sum[3];
UNROLL
            for (size_t b = 0; b < IN; b++) {
UNROLL
                for (size_t a = 0; a < IN; a++) d[a] = load(from + (a * IN + b) * w->plane);
                map_gt(d, 1, half + b, IN);
            }
UNROLL
            for (size_t a = 0; a < 3; a++) {
                map_gt(half + a * IN, 1, sum, 1);
UNROLL
                for (size_t b = 0; b < 3; b++) {
                    ss_real *dw = to + (a * 3 + b) * apart;
                    store(dw, add ? load(dw) + sum[b] : sum[b]);
                }
            }
        }
}
