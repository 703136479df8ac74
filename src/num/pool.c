/* pool.c - maximum and average pooling over NHWC images. The loop over channels is innermost and vectorises. */
#include "sharpsweep/num.h"

#include <assert.h>
#include <math.h>
#include <string.h>

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

static size_t image_size(const ss_window *g)
{
    return (size_t)g->h * (size_t)g->w * (size_t)g->c;
}

static size_t output_size(const ss_window *g)
{
    return (size_t)g->out_h * (size_t)g->out_w * (size_t)g->c;
}

/* y, argmax (c) take over where x (c) is larger. A NaN wins once and for all: a broken activation must stay visible. */
static void take_larger(size_t c, const ss_real *restrict x, uint32_t offset, ss_real *restrict y, uint32_t *restrict argmax)
{
    for (size_t ch = 0; ch < c; ch++) {
        ss_real v = x[ch];
        bool wins = v > y[ch] || v != v;
        y[ch] = wins ? v : y[ch];
        argmax[ch] = wins ? offset + (uint32_t)ch : argmax[ch];
    }
}

static void max_image(const ss_window *g, const ss_real *x, ss_real *y, uint32_t *argmax)
{
    size_t c = (size_t)g->c;
    for (int oy = 0; oy < g->out_h; oy++)
        for (int ox = 0; ox < g->out_w; ox++, y += c, argmax += c) {
            span s = window_span(g, oy, ox);
            assert(s.y0 < s.y1 && s.x0 < s.x1); /* padding < kernel, or a window would hold nothing */
            for (int iy = s.y0; iy < s.y1; iy++)
                for (int ix = s.x0; ix < s.x1; ix++) {
                    size_t offset = ((size_t)iy * (size_t)g->w + (size_t)ix) * c;
                    if (iy == s.y0 && ix == s.x0)
                        for (size_t ch = 0; ch < c; ch++) y[ch] = x[offset + ch], argmax[ch] = (uint32_t)(offset + ch);
                    else take_larger(c, x + offset, (uint32_t)offset, y, argmax);
                }
        }
}

void ss_max_pool(const ss_window *g, size_t n, const ss_real *x, ss_real *y, uint32_t *argmax)
{
    size_t in = image_size(g), out = output_size(g);
    assert(in <= UINT32_MAX);
    for (size_t i = 0; i < n; i++) max_image(g, x + i * in, y + i * out, argmax + i * out);
}

void ss_max_pool_gather(const ss_window *g, size_t n, const ss_real *x, const uint32_t *argmax, ss_real *y)
{
    size_t in = image_size(g), out = output_size(g);
    for (size_t i = 0; i < n; i++, x += in, y += out, argmax += out)
        for (size_t o = 0; o < out; o++) y[o] = x[argmax[o]];
}

static void scale_input(const ss_window *g, size_t n, double beta, ss_real *dx)
{
    if (beta == 0) memset(dx, 0, n * image_size(g) * sizeof *dx);
    else if (beta != 1) ss_scale(n * image_size(g), beta, dx);
}

void ss_max_pool_scatter(const ss_window *g, size_t n, const ss_real *dy, const uint32_t *argmax, double beta, ss_real *dx)
{
    size_t in = image_size(g), out = output_size(g);
    scale_input(g, n, beta, dx);
    for (size_t i = 0; i < n; i++, dx += in, dy += out, argmax += out)
        for (size_t o = 0; o < out; o++) dx[argmax[o]] += dy[o];
}

static ss_real window_weight(const ss_window *g)
{
    return (ss_real)(1.0 / ((double)g->kernel * (double)g->kernel));
}

static void add(size_t c, const ss_real *restrict x, ss_real *restrict y)
{
    for (size_t ch = 0; ch < c; ch++) y[ch] += x[ch];
}

void ss_average_pool(const ss_window *g, size_t n, const ss_real *x, ss_real *y)
{
    size_t c = (size_t)g->c, in = image_size(g);
    ss_real weight = window_weight(g);
    for (size_t i = 0; i < n; i++, x += in)
        for (int oy = 0; oy < g->out_h; oy++)
            for (int ox = 0; ox < g->out_w; ox++, y += c) {
                span s = window_span(g, oy, ox);
                memset(y, 0, c * sizeof *y);
                for (int iy = s.y0; iy < s.y1; iy++)
                    for (int ix = s.x0; ix < s.x1; ix++) add(c, x + ((size_t)iy * (size_t)g->w + (size_t)ix) * c, y);
                for (size_t ch = 0; ch < c; ch++) y[ch] *= weight;
            }
}

static void add_weighted(size_t c, ss_real weight, const ss_real *restrict x, ss_real *restrict y)
{
    for (size_t ch = 0; ch < c; ch++) y[ch] += weight * x[ch];
}

void ss_average_pool_scatter(const ss_window *g, size_t n, const ss_real *dy, double beta, ss_real *dx)
{
    size_t c = (size_t)g->c, in = image_size(g);
    ss_real weight = window_weight(g);
    scale_input(g, n, beta, dx);
    for (size_t i = 0; i < n; i++, dx += in)
        for (int oy = 0; oy < g->out_h; oy++)
            for (int ox = 0; ox < g->out_w; ox++, dy += c) {
                span s = window_span(g, oy, ox);
                for (int iy = s.y0; iy < s.y1; iy++)
                    for (int ix = s.x0; ix < s.x1; ix++)
                        add_weighted(c, weight, dy, dx + ((size_t)iy * (size_t)g->w + (size_t)ix) * c);
            }
}
