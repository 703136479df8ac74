/* kernel_im2col.c - the copies of im2col and the sums of col2im, one output line after another; see im2col.c. */
#include "kernels.h"

#include <string.h>

/* For one output position and one kernel row: which part of the kernel*c run lies inside the image. `skip` elements of
 * padding, then `count` elements from image column `ix`, the rest padding. */
typedef struct run { size_t skip, count; int ix; } run;

static inline run run_at(const ss_window *g, int ox)
{
    int x0 = ox * g->stride - g->padding, x1 = x0 + g->kernel;
    int from = x0 < 0 ? 0 : x0, to = x1 > g->w ? g->w : x1;
    if (to <= from) return (run){0, 0, 0};
    return (run){(size_t)(from - x0) * (size_t)g->c, (size_t)(to - from) * (size_t)g->c, from};
}

enum { CHUNK = 64 / sizeof(ss_real) };

/* Whole chunks where there is room for them on both sides: what they write too much, the next run overwrites. */
static inline void copy(size_t n, const ss_real *from, const ss_real *from_end, ss_real *to, const ss_real *to_end)
{
    size_t whole = (n + CHUNK - 1) / CHUNK * CHUNK;
    if (whole <= (size_t)(from_end - from) && whole <= (size_t)(to_end - to))
        for (size_t i = 0; i < whole; i += CHUNK) memcpy(to + i, from + i, CHUNK * sizeof *to);
    else
        for (size_t i = 0; i < n; i++) to[i] = from[i];
}

static inline void clear(size_t n, ss_real *to)
{
    for (size_t i = 0; i < n; i++) to[i] = 0;
}

/* col (out_w, kernel, kernel*c) of output row oy of image x; the images end at x_end */
static void copy_line(const ss_window *g, const ss_real *x, const ss_real *x_end, int oy, ss_real *col)
{
    size_t length = (size_t)g->kernel * (size_t)g->c, line = (size_t)g->w * (size_t)g->c;
    const ss_real *end = col + (size_t)g->out_w * (size_t)g->kernel * length;
    int iy0 = oy * g->stride - g->padding;
    for (int ox = 0; ox < g->out_w; ox++) {
        run r = run_at(g, ox);
        for (int ky = 0; ky < g->kernel; ky++, col += length) {
            int iy = iy0 + ky;
            if (iy < 0 || iy >= g->h || r.count == 0) {
                clear(length, col);
                continue;
            }
            clear(r.skip, col);
            copy(r.count, x + (size_t)iy * line + (size_t)r.ix * (size_t)g->c, x_end, col + r.skip, end);
            clear(length - r.skip - r.count, col + r.skip + r.count);
        }
    }
}

/* The adjoint of copy_line: adds every element of col to the input it was copied from. */
static void add_line(const ss_window *g, const ss_real *restrict col, int oy, ss_real *restrict dx)
{
    size_t length = (size_t)g->kernel * (size_t)g->c, line = (size_t)g->w * (size_t)g->c;
    int iy0 = oy * g->stride - g->padding;
    for (int ox = 0; ox < g->out_w; ox++) {
        run r = run_at(g, ox);
        for (int ky = 0; ky < g->kernel; ky++, col += length) {
            int iy = iy0 + ky;
            if (iy < 0 || iy >= g->h) continue;
            ss_real *to = dx + (size_t)iy * line + (size_t)r.ix * (size_t)g->c;
            for (size_t i = 0; i < r.count; i++) to[i] += col[r.skip + i];
        }
    }
}

static size_t image_of(const ss_window *g, size_t line) /* where the line's image begins */
{
    return line / (size_t)g->out_h * (size_t)g->h * (size_t)g->w * (size_t)g->c;
}

static size_t line_length(const ss_window *g)
{
    return (size_t)g->out_w * (size_t)g->kernel * (size_t)g->kernel * (size_t)g->c;
}

void KERNEL(im2col)(const ss_window *g, size_t n, size_t first, size_t lines, const ss_real *x, ss_real *col)
{
    const ss_real *end = x + n * (size_t)g->h * (size_t)g->w * (size_t)g->c;
    for (size_t l = first; l < first + lines; l++, col += line_length(g))
        copy_line(g, x + image_of(g, l), end, (int)(l % (size_t)g->out_h), col);
}

void KERNEL(col2im)(const ss_window *g, size_t first, size_t lines, const ss_real *col, ss_real *dx)
{
    for (size_t l = first; l < first + lines; l++, col += line_length(g))
        add_line(g, col, (int)(l % (size_t)g->out_h), dx + image_of(g, l));
}
