/* im2col.c - convolution as im2col and GEMM, in tiles of output lines.
 * A line is one output row (out_w positions) of one image; lines are numbered through all images of the batch, and a tile
 * is a run of them, so that small images fill a tile together. Row p of a tile's matrix `col` holds the kernel*kernel*c
 * inputs under output position p, ordered as the weights' rows (ky, kx, c); with W (kernel*kernel*c, out_c):
 *     forward      Y   = col W          data gradient   dcol = dY W', dX = col2im(dcol)
 *     weight       dW += col' dY
 * The tile's size is a function of the geometry alone: the same batch gives the same bits whatever memory is left. */
#include "conv.h"
#include "kernels.h"

#include <string.h>

/* A tile stays in a core's second-level cache, unless that leaves GEMM too few rows to read the weights for. */
enum { TILE_BYTES = 512 << 10, TILE_ROWS = 192, PIECE_LINES = 4 };

static size_t row_length(const ss_window *g) /* of col */
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

static size_t work_of(const ss_window *g)
{
    return is_plain(g) || g->out_w <= 0 ? 0 : tile_lines(g) * (size_t)g->out_w * row_length(g);
}

/* A run of output lines [first, first + lines) of the batch: its rows of y, and its col. */
typedef struct tile { const ss_window *g; size_t n, first, lines, rows; const ss_real *x; ss_real *dx, *col; } tile;

static size_t total_lines(const ss_window *g, size_t n) { return g->out_w > 0 ? n * (size_t)g->out_h : 0; }

static tile tile_at(const ss_window *g, size_t n, size_t first, ss_real *col)
{
    size_t lines = tile_lines(g), left = total_lines(g, n) - first;
    if (is_plain(g) || lines > left) lines = left;
    return (tile){.g = g, .n = n, .first = first, .lines = lines, .rows = lines * (size_t)g->out_w, .col = col};
}

static size_t least(size_t a, size_t b) { return a < b ? a : b; }

static void copy_piece(void *ctx, size_t i)
{
    const tile *t = ctx;
    size_t from = i * PIECE_LINES, lines = least(PIECE_LINES, t->lines - from);
    ss_kernel->im2col(t->g, t->n, t->first + from, lines, t->x, t->col + from * (size_t)t->g->out_w * row_length(t->g));
}

/* The matrix col of a tile of x. */
static const ss_real *col_of(tile *t, const ss_real *x)
{
    if (is_plain(t->g)) return x;
    t->x = x;
    ss_parallel((t->lines + PIECE_LINES - 1) / PIECE_LINES, copy_piece, t);
    return t->col;
}

/* Pieces of col2im are whole images: neighbouring lines add to the same elements. */
static void add_piece(void *ctx, size_t i)
{
    const tile *t = ctx;
    size_t out_h = (size_t)t->g->out_h, image = t->first / out_h + i, end = t->first + t->lines;
    size_t from = image * out_h > t->first ? image * out_h : t->first, to = least(end, (image + 1) * out_h);
    ss_kernel->col2im(t->g, from, to - from, t->col + (from - t->first) * (size_t)t->g->out_w * row_length(t->g), t->dx);
}

static void col2im(tile *t, ss_real *dx)
{
    size_t out_h = (size_t)t->g->out_h;
    t->dx = dx;
    ss_parallel((t->first + t->lines - 1) / out_h - t->first / out_h + 1, add_piece, t);
}

/* C (m,n) = op(A) op(B) + beta C */
static void product(const ss_window *g, ss_transpose ta, ss_transpose tb, size_t m, size_t n, size_t k, const ss_real *a,
                    const ss_real *b, double beta, ss_real *c)
{
    size_t lda = ta == SS_TRANSPOSE ? m : k, ldb = tb == SS_TRANSPOSE ? k : n;
    (g->exact ? ss_gemm_blas : ss_gemm)(ta, tb, m, n, k, 1, a, lda, b, ldb, beta, c, n);
}

static void forward(const ss_window *g, size_t n, size_t n_terms, const ss_factors *f, const ss_real *bias, ss_real *y,
                    ss_real *work)
{
    size_t k = row_length(g), out_c = (size_t)g->out_c;
    for (size_t first = 0; first < total_lines(g, n);) {
        tile t = tile_at(g, n, first, work);
        ss_real *to = y + first * (size_t)g->out_w * out_c;
        for (size_t i = 0; i < n_terms; i++) {
            const ss_real *col = col_of(&t, f[i].x);
            if (i == 0 && !g->exact)
                ss_gemm_row(SS_NO_TRANSPOSE, SS_NO_TRANSPOSE, t.rows, out_c, k, col, k, f[i].weight, out_c, bias, to, out_c);
            else
                product(g, SS_NO_TRANSPOSE, SS_NO_TRANSPOSE, t.rows, out_c, k, col, f[i].weight, i > 0, to);
        }
        if (g->exact && bias) ss_add_row(t.rows, out_c, bias, to);
        first += t.lines;
    }
}

static void backward_data(const ss_window *g, size_t n, size_t n_terms, const ss_factors *f, double beta, ss_real *dx,
                          ss_real *work)
{
    size_t k = row_length(g), out_c = (size_t)g->out_c;
    bool plain = is_plain(g);
    if (beta == 0 && !plain) memset(dx, 0, n * (size_t)g->h * (size_t)g->w * (size_t)g->c * sizeof *dx);
    for (size_t first = 0; first < total_lines(g, n);) {
        tile t = tile_at(g, n, first, work);
        for (size_t i = 0; i < n_terms; i++)
            product(g, SS_NO_TRANSPOSE, SS_TRANSPOSE, t.rows, k, out_c, f[i].dy + first * (size_t)g->out_w * out_c,
                    f[i].weight, i > 0 ? 1 : plain ? beta : 0, plain ? dx : t.col);
        if (!plain) col2im(&t, dx);
        first += t.lines;
    }
}

static void backward_weight(const ss_window *g, size_t n, size_t n_terms, const ss_factors *f, ss_real *dweight,
                            ss_real *work)
{
    size_t k = row_length(g), out_c = (size_t)g->out_c;
    if (total_lines(g, n) == 0) memset(dweight, 0, k * out_c * sizeof *dweight); /* no example, or no position */
    for (size_t first = 0; first < total_lines(g, n);) {
        tile t = tile_at(g, n, first, work);
        for (size_t i = 0; i < n_terms; i++)
            product(g, SS_TRANSPOSE, SS_NO_TRANSPOSE, k, out_c, t.rows, col_of(&t, f[i].x),
                    f[i].dy + first * (size_t)g->out_w * out_c, first > 0 || i > 0, dweight);
        first += t.lines;
    }
}

const conv_way ss_im2col = {"im2col", work_of, forward, backward_data, backward_weight};
