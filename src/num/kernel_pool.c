/* kernel_pool.c - maximum and average pooling over NHWC images, LANES channels at a time: a window's maximum and place stay
 * in registers while the window goes by. */
#include "kernels.h"
#include "lanes.h"

#ifdef SS_REAL_DOUBLE
typedef int64_t place;
#else
typedef int32_t place;
#endif
typedef place places __attribute__((vector_size(VECTOR_BYTES)));
typedef uint32_t stored __attribute__((vector_size(LANES * sizeof(uint32_t)), aligned(sizeof(uint32_t)), may_alias));

/* The part of the window of output (oy, ox) that lies inside the image: rows y0..y1-1, columns x0..x1-1. */
typedef struct span { int y0, y1, x0, x1; } span;

static span window_span(const ss_window *g, int oy, int ox)
{
    int y = oy * g->stride - g->padding, x = ox * g->stride - g->padding;
    span s = {y < 0 ? 0 : y, y + g->kernel, x < 0 ? 0 : x, x + g->kernel};
    if (s.y1 > g->h) s.y1 = g->h;
    if (s.x1 > g->w) s.x1 = g->w;
    return s;
}

static size_t image_size(const ss_window *g) { return (size_t)g->h * (size_t)g->w * (size_t)g->c; }
static size_t offset_of(const ss_window *g, int y, int x) { return ((size_t)y * (size_t)g->w + (size_t)x) * (size_t)g->c; }

INLINE places placed(const uint32_t *at) { return __builtin_convertvector(*(const stored *)at, places); }
INLINE vec chosen(places which, vec a, vec b) { return (vec)((which & (places)a) | (~which & (places)b)); }
static const place count[] __attribute__((aligned(64))) = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

INLINE places lanes_from(size_t channel) { return *(const places *)count + (place)channel; }
INLINE places one_place(size_t offset, places lane) { return lane + (place)offset; }

/* ---- maximum --------------------------------------------------------------------------------------------- */
/* A NaN wins once and for all: a broken activation must stay visible. */
INLINE void max_lanes(const ss_window *g, const span *s, size_t channel, const ss_real *x, ss_real *y, uint32_t *argmax)
{
    size_t first = offset_of(g, s->y0, s->x0);
    vec best = load(x + first + channel);
    places lane = lanes_from(channel), at = one_place(first, lane);
    for (int iy = s->y0; iy < s->y1; iy++)
        for (int ix = s->x0; ix < s->x1; ix++) {
            size_t offset = offset_of(g, iy, ix);
            vec v = load(x + offset + channel);
            places here = one_place(offset, lane), wins = (places)(v > best) | (places)(v != v);
            best = chosen(wins, v, best);
            at = (wins & here) | (~wins & at);
        }
    store(y + channel, best);
    *(stored *)(argmax + channel) = __builtin_convertvector(at, stored);
}

INLINE void max_channel(const ss_window *g, const span *s, size_t channel, const ss_real *x, ss_real *y, uint32_t *argmax)
{
    size_t at = offset_of(g, s->y0, s->x0) + channel;
    for (int iy = s->y0; iy < s->y1; iy++)
        for (int ix = s->x0; ix < s->x1; ix++) {
            size_t here = offset_of(g, iy, ix) + channel;
            if (x[here] > x[at] || x[here] != x[here]) at = here;
        }
    y[channel] = x[at];
    argmax[channel] = (uint32_t)at;
}

void KERNEL(max_pool)(const ss_window *g, size_t n, const ss_real *x, ss_real *y, uint32_t *argmax)
{
    size_t c = (size_t)g->c;
    for (size_t i = 0; i < n; i++, x += image_size(g))
        for (int oy = 0; oy < g->out_h; oy++)
            for (int ox = 0; ox < g->out_w; ox++, y += c, argmax += c) {
                span s = window_span(g, oy, ox);
                size_t ch = 0;
                for (; ch + LANES <= c; ch += LANES) max_lanes(g, &s, ch, x, y, argmax);
                for (; ch < c; ch++) max_channel(g, &s, ch, x, y, argmax);
            }
}

/* y = x[argmax], without gathering: of each place in the window those channels whose maximum stood there. */
INLINE void gather_lanes(const ss_window *g, const span *s, size_t channel, const ss_real *x, const uint32_t *argmax,
                         ss_real *y)
{
    places lane = lanes_from(channel), at = placed(argmax + channel), sum = {0};
    for (int iy = s->y0; iy < s->y1; iy++)
        for (int ix = s->x0; ix < s->x1; ix++) {
            size_t offset = offset_of(g, iy, ix);
            sum |= (at == one_place(offset, lane)) & (places)load(x + offset + channel);
        }
    store(y + channel, (vec)sum);
}

void KERNEL(max_pool_gather)(const ss_window *g, size_t n, const ss_real *x, const uint32_t *argmax, ss_real *y)
{
    size_t c = (size_t)g->c;
    for (size_t i = 0; i < n; i++, x += image_size(g))
        for (int oy = 0; oy < g->out_h; oy++)
            for (int ox = 0; ox < g->out_w; ox++, y += c, argmax += c) {
                span s = window_span(g, oy, ox);
                size_t ch = 0;
                for (; ch + LANES <= c; ch += LANES) gather_lanes(g, &s, ch, x, argmax, y);
                for (; ch < c; ch++) y[ch] = x[argmax[ch]];
            }
}

INLINE void scatter_lanes(const ss_window *g, const span *s, bool add, size_t channel, const ss_real *dy,
                          const uint32_t *argmax, ss_real *dx)
{
    places lane = lanes_from(channel), at = placed(argmax + channel), delta = (places)load(dy + channel);
    for (int iy = s->y0; iy < s->y1; iy++)
        for (int ix = s->x0; ix < s->x1; ix++) {
            size_t offset = offset_of(g, iy, ix);
            ss_real *to = dx + offset + channel;
            vec part = (vec)((at == one_place(offset, lane)) & delta);
            store(to, add ? load(to) + part : part);
        }
}

INLINE void scatter_channel(const ss_window *g, const span *s, bool add, size_t channel, const ss_real *dy,
                            const uint32_t *argmax, ss_real *dx)
{
    for (int iy = s->y0; iy < s->y1; iy++)
        for (int ix = s->x0; ix < s->x1; ix++) {
            size_t here = offset_of(g, iy, ix) + channel;
            ss_real part = argmax[channel] == here ? dy[channel] : 0;
            dx[here] = add ? dx[here] + part : part;
        }
}

/* Windows that cover the image once, and no more: each input is written by its own window, nothing has to be cleared. */
static bool tiles(const ss_window *g)
{
    return g->kernel == g->stride && g->padding == 0 && g->out_h * g->stride == g->h && g->out_w * g->stride == g->w;
}

void KERNEL(max_pool_scatter)(const ss_window *g, size_t n, const ss_real *dy, const uint32_t *argmax, bool add, ss_real *dx)
{
    size_t c = (size_t)g->c;
    bool clear = !add && !tiles(g);
    if (clear) memset(dx, 0, n * image_size(g) * sizeof *dx);
    for (size_t i = 0; i < n; i++, dx += image_size(g))
        for (int oy = 0; oy < g->out_h; oy++)
            for (int ox = 0; ox < g->out_w; ox++, dy += c, argmax += c) {
                span s = window_span(g, oy, ox);
                size_t ch = 0;
                for (; ch + LANES <= c; ch += LANES) scatter_lanes(g, &s, add || clear, ch, dy, argmax, dx);
                for (; ch < c; ch++) scatter_channel(g, &s, add || clear, ch, dy, argmax, dx);
            }
}

/* ---- average --------------------------------------------------------------------------------------------- */
static ss_real window_weight(const ss_window *g)
{
    return (ss_real)(1.0 / ((double)g->kernel * (double)g->kernel));
}

void KERNEL(average_pool)(const ss_window *g, size_t n, const ss_real *x, ss_real *y)
{
    size_t c = (size_t)g->c;
    ss_real weight = window_weight(g);
    for (size_t i = 0; i < n; i++, x += image_size(g))
        for (int oy = 0; oy < g->out_h; oy++)
            for (int ox = 0; ox < g->out_w; ox++, y += c) {
                span s = window_span(g, oy, ox);
                ss_real *restrict to = y;
                memset(to, 0, c * sizeof *to);
                for (int iy = s.y0; iy < s.y1; iy++)
                    for (int ix = s.x0; ix < s.x1; ix++) {
                        const ss_real *restrict from = x + offset_of(g, iy, ix);
                        for (size_t ch = 0; ch < c; ch++) to[ch] += from[ch];
                    }
                for (size_t ch = 0; ch < c; ch++) to[ch] *= weight;
            }
}

void KERNEL(average_pool_scatter)(const ss_window *g, size_t n, const ss_real *dy, bool add, ss_real *dx)
{
    size_t c = (size_t)g->c;
    ss_real weight = window_weight(g);
    bool clear = !add && !tiles(g);
    if (clear) memset(dx, 0, n * image_size(g) * sizeof *dx);
    for (size_t i = 0; i < n; i++, dx += image_size(g))
        for (int oy = 0; oy < g->out_h; oy++)
            for (int ox = 0; ox < g->out_w; ox++, dy += c) {
                span s = window_span(g, oy, ox);
                for (int iy = s.y0; iy < s.y1; iy++)
                    for (int ix = s.x0; ix < s.x1; ix++) {
                        ss_real *restrict to = dx + offset_of(g, iy, ix);
                        const ss_real *restrict from = dy;
                        if (add || clear)
                            for (size_t ch = 0; ch < c; ch++) to[ch] += weight * from[ch];
                        else
                            for (size_t ch = 0; ch < c; ch++) to[ch] = weight * from[ch];
                    }
            }
}
