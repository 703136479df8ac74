/* conv.c - convolution as im2col and GEMM, in tiles of output lines.
 * A line is one output row (out_w positions) of one image; lines are numbered through all images of the batch, and a tile
 * is a run of them, so that small images fill a tile together. Row p of a tile's matrix `col` holds the kernel*kernel*c
 * inputs under output position p, ordered as a weight row (ky, kx, c); with W (out_c, kernel*kernel*c):
 *     forward      Y   = col W^T          data gradient   dcol = dY W, dX = col2im(dcol)
 *     weight       dW += dY^T col
 * The tile's size is a function of the geometry alone: the same batch gives the same bits whatever memory is left. */
#include "winograd.h"

#include <assert.h>
#include <string.h>

/* A tile of about 1 MiB stays in a core's second-level cache; fewer than 256 rows would make GEMM spend its time packing
 * the weights. The second rule wins where they disagree (deep layers of many channels and few positions). */
enum { TILE_BYTES = 1 << 20, TILE_ROWS = 256 };

int ss_window_out(int size, int kernel, int stride, int padding)
{
    assert(kernel > 0 && stride > 0 && padding >= 0);
    int room = size + 2 * padding - kernel;
    return room < 0 ? 0 : room / stride + 1;
}

static size_t row_length(const ss_window *g) /* of col, and of a weight row */
{
    return (size_t)g->kernel * (size_t)g->kernel * (size_t)g->c;
}

/* x as it stands is already `col`: 1x1 kernels that visit every position, and kernels as large as the image. */
static bool is_plain(const ss_window *g)
{
    if (g->padding != 0) return false;
    return (g->kernel == 1 && g->stride == 1) || (g->kernel == g->h && g->kernel == g->w);
}

static size_t tile_lines(const ss_window *g)
{
    size_t positions = (size_t)g->out_w, line_bytes = positions * row_length(g) * sizeof(ss_real);
    size_t by_cache = TILE_BYTES / line_bytes, by_rows = (TILE_ROWS + positions - 1) / positions;
    return by_cache > by_rows ? by_cache : by_rows;
}

size_t ss_conv_work(const ss_window *g)
{
    if (is_plain(g) || g->out_w <= 0) return 0;
    size_t plain = tile_lines(g) * (size_t)g->out_w * row_length(g);
    size_t winograd = !g->exact && ss_winograd_fits(g) ? ss_winograd_work(g) : 0;
    return plain > winograd ? plain : winograd;
}

static bool by_winograd(const ss_window *g, size_t n) { return !g->exact && ss_winograd_pays(g, n); }

/* For one output position and one kernel row: which part of the kernel*c run lies inside the image. `skip` elements of
 * padding, then `count` elements from image column `ix`, the rest padding. */
typedef struct run { size_t skip, count; int ix; } run;

static run kernel_run(const ss_window *g, int ox)
{
    int x0 = ox * g->stride - g->padding, x1 = x0 + g->kernel;
    int from = x0 < 0 ? 0 : x0, to = x1 > g->w ? g->w : x1;
    if (to <= from) return (run){0, 0, 0};
    return (run){(size_t)(from - x0) * (size_t)g->c, (size_t)(to - from) * (size_t)g->c, from};
}

static void copy_run(size_t n, const ss_real *restrict from, ss_real *restrict to)
{
    if (n >= 64) memcpy(to, from, n * sizeof *to);
    else for (size_t i = 0; i < n; i++) to[i] = from[i];
}

/* One output line: col (out_w, kernel, kernel*c) from image x. */
static void im2col_line(const ss_window *g, const ss_real *x, int oy, ss_real *col)
{
    size_t run_length = (size_t)g->kernel * (size_t)g->c, image_line = (size_t)g->w * (size_t)g->c;
    int iy0 = oy * g->stride - g->padding;
    for (int ox = 0; ox < g->out_w; ox++) {
        run r = kernel_run(g, ox);
        for (int ky = 0; ky < g->kernel; ky++, col += run_length) {
            int iy = iy0 + ky;
            if (iy < 0 || iy >= g->h || r.count == 0) {
                memset(col, 0, run_length * sizeof *col);
                continue;
            }
            const ss_real *from = x + (size_t)iy * image_line + (size_t)r.ix * (size_t)g->c;
            for (size_t i = 0; i < r.skip; i++) col[i] = 0;
            copy_run(r.count, from, col + r.skip);
            for (size_t i = r.skip + r.count; i < run_length; i++) col[i] = 0;
        }
    }
}

static void add_run(size_t n, const ss_real *restrict from, ss_real *restrict to)
{
    for (size_t i = 0; i < n; i++) to[i] += from[i];
}

/* The adjoint of im2col_line: adds every element of col to the input it was copied from. */
static void col2im_line(const ss_window *g, const ss_real *col, int oy, ss_real *dx)
{
    size_t run_length = (size_t)g->kernel * (size_t)g->c, image_line = (size_t)g->w * (size_t)g->c;
    int iy0 = oy * g->stride - g->padding;
    for (int ox = 0; ox < g->out_w; ox++) {
        run r = kernel_run(g, ox);
        for (int ky = 0; ky < g->kernel; ky++, col += run_length) {
            int iy = iy0 + ky;
            if (iy < 0 || iy >= g->h) continue;
            add_run(r.count, col + r.skip, dx + (size_t)iy * image_line + (size_t)r.ix * (size_t)g->c);
        }
    }
}

/* A run of output lines [first, first + lines) of the batch: its rows of y, and its col. */
typedef struct tile { size_t first, lines, rows; } tile;

static size_t total_lines(const ss_window *g, size_t n)
{
    return n * (size_t)g->out_h;
}

static tile tile_at(const ss_window *g, size_t n, size_t first)
{
    size_t lines = tile_lines(g), left = total_lines(g, n) - first;
    if (lines > left) lines = left;
    return (tile){first, lines, lines * (size_t)g->out_w};
}

static size_t image_of(const ss_window *g, size_t line) /* where the line's image begins */
{
    return line / (size_t)g->out_h * (size_t)g->h * (size_t)g->w * (size_t)g->c;
}

static void im2col(const ss_window *g, const tile *t, const ss_real *x, ss_real *col)
{
    size_t line_length = (size_t)g->out_w * row_length(g);
    for (size_t l = t->first; l < t->first + t->lines; l++, col += line_length)
        im2col_line(g, x + image_of(g, l), (int)(l % (size_t)g->out_h), col);
}

static void col2im(const ss_window *g, const tile *t, const ss_real *col, ss_real *dx)
{
    size_t line_length = (size_t)g->out_w * row_length(g);
    for (size_t l = t->first; l < t->first + t->lines; l++, col += line_length)
        col2im_line(g, col, (int)(l % (size_t)g->out_h), dx + image_of(g, l));
}

void ss_conv_forward(const ss_window *g, size_t n, const ss_real *x, const ss_real *weight, double beta, ss_real *y,
                     ss_real *work)
{
    size_t k = row_length(g), out_c = (size_t)g->out_c, positions = (size_t)g->out_w;
    if (by_winograd(g, n)) {
        ss_winograd_forward(g, n, x, weight, beta, y, work);
        return;
    }
    if (is_plain(g)) {
        ss_gemm(SS_NO_TRANSPOSE, SS_TRANSPOSE, total_lines(g, n) * positions, out_c, k, 1, x, k, weight, k, beta, y, out_c);
        return;
    }
    for (size_t first = 0; first < total_lines(g, n);) {
        tile t = tile_at(g, n, first);
        im2col(g, &t, x, work);
        ss_gemm(SS_NO_TRANSPOSE, SS_TRANSPOSE, t.rows, out_c, k, 1, work, k, weight, k, beta, y + first * positions * out_c,
                out_c);
        first += t.lines;
    }
}

void ss_conv_backward_data(const ss_window *g, size_t n, const ss_real *dy, const ss_real *weight, double beta, ss_real *dx,
                           ss_real *work)
{
    assert(beta == 0 || beta == 1);
    size_t k = row_length(g), out_c = (size_t)g->out_c, positions = (size_t)g->out_w;
    if (by_winograd(g, n)) {
        ss_winograd_backward_data(g, n, dy, weight, beta, dx, work);
        return;
    }
    if (is_plain(g)) {
        ss_gemm(SS_NO_TRANSPOSE, SS_NO_TRANSPOSE, total_lines(g, n) * positions, k, out_c, 1, dy, out_c, weight, k, beta, dx,
                k);
        return;
    }
    if (beta == 0) memset(dx, 0, n * (size_t)g->h * (size_t)g->w * (size_t)g->c * sizeof *dx);
    for (size_t first = 0; first < total_lines(g, n);) {
        tile t = tile_at(g, n, first);
        ss_gemm(SS_NO_TRANSPOSE, SS_NO_TRANSPOSE, t.rows, k, out_c, 1, dy + first * positions * out_c, out_c, weight, k, 0,
                work, k);
        col2im(g, &t, work, dx);
        first += t.lines;
    }
}

void ss_conv_backward_weight(const ss_window *g, size_t n, const ss_real *x, const ss_real *dy, double beta,
                             ss_real *dweight, ss_real *work)
{
    size_t k = row_length(g), out_c = (size_t)g->out_c, positions = (size_t)g->out_w;
    if (by_winograd(g, n)) {
        ss_winograd_backward_weight(g, n, x, dy, beta, dweight, work);
        return;
    }
    if (is_plain(g) || n == 0) {
        ss_gemm(SS_TRANSPOSE, SS_NO_TRANSPOSE, out_c, k, total_lines(g, n) * positions, 1, dy, out_c, x, k, beta, dweight,
                k);
        return;
    }
    for (size_t first = 0; first < total_lines(g, n);) {
        tile t = tile_at(g, n, first);
        im2col(g, &t, x, work);
        ss_gemm(SS_TRANSPOSE, SS_NO_TRANSPOSE, out_c, k, t.rows, 1, dy + first * positions * out_c, out_c, work, k,
                first == 0 ? beta : 1, dweight, k);
        first += t.lines;
    }
}
