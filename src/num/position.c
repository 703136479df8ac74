/* position.c - convolution of tiny images, position by position. One output position of all examples is a matrix (n, out_c)
 * whose rows lie an image apart, one input position (n, c) likewise; each pair of positions that the window joins is one
 * product with the weights of one tap, (c, out_c), as they stand. No multiplication with padding, which in a 2x2 image is
 * more than half of im2col's, nothing copied, no transformed weights: those would be larger than all activations. */
#include "conv.h"
#include "kernels.h"

#include <string.h>

typedef struct task {
    const ss_window *g;
    size_t n, n_terms;
    const ss_factors *f;
    const ss_real *bias;
    ss_real *to;
    bool add;
} task;

/* Whether tap k of a dimension joins output position o with an input position, and which. */
static bool input_of(const ss_window *g, int o, int k, int size, int *i)
{
    *i = o * g->stride + k - g->padding;
    return *i >= 0 && *i < size;
}

/* Which output position tap k of a dimension joins with input position i, and whether there is one. */
static bool output_of(const ss_window *g, int i, int k, int out, int *o)
{
    int at = i + g->padding - k;
    *o = at / g->stride;
    return at >= 0 && at % g->stride == 0 && *o < out;
}

static size_t pairs_along(const ss_window *g, int out, int size)
{
    size_t pairs = 0;
    int i;
    for (int o = 0; o < out; o++)
        for (int k = 0; k < g->kernel; k++) pairs += input_of(g, o, k, size, &i);
    return pairs;
}

size_t ss_position_pairs(const ss_window *g)
{
    return pairs_along(g, g->out_h, g->h) * pairs_along(g, g->out_w, g->w);
}

/* One pair: output position y, input position x, tap. `first` of what a piece sums. */
typedef void pair_visitor(const task *k, size_t y, size_t x, size_t tap, bool first);

static void forward_pair(const task *k, size_t y, size_t x, size_t tap, bool first)
{
    size_t c = (size_t)k->g->c, out_c = (size_t)k->g->out_c;
    size_t x_ld = (size_t)(k->g->h * k->g->w) * c, y_ld = (size_t)(k->g->out_h * k->g->out_w) * out_c;
    for (size_t t = 0; t < k->n_terms; t++) {
        ss_real *to = k->to + y * out_c;
        bool start = first && t == 0;
        ss_kernel->gemm(&(gemm_call){.m = k->n, .n = out_c, .k = c, .a = k->f[t].x + x * c, .lda = x_ld,
                                     .b = k->f[t].weight + tap * c * out_c, .ldb = out_c,
                                     .from = start ? k->bias : to, .ld_from = start ? 0 : y_ld, .c = to, .ldc = y_ld});
    }
}

static void data_pair(const task *k, size_t y, size_t x, size_t tap, bool first)
{
    size_t c = (size_t)k->g->c, out_c = (size_t)k->g->out_c;
    size_t x_ld = (size_t)(k->g->h * k->g->w) * c, y_ld = (size_t)(k->g->out_h * k->g->out_w) * out_c;
    for (size_t t = 0; t < k->n_terms; t++) {
        ss_real *to = k->to + x * c;
        ss_kernel->gemm(&(gemm_call){.m = k->n, .n = c, .k = out_c, .a = k->f[t].dy + y * out_c, .lda = y_ld,
                                     .b = k->f[t].weight + tap * c * out_c, .ldb = out_c, .tb = true,
                                     .from = first && t == 0 && !k->add ? NULL : to, .ld_from = x_ld, .c = to, .ldc = x_ld});
    }
}

static void weight_pair(const task *k, size_t y, size_t x, size_t tap, bool first)
{
    size_t c = (size_t)k->g->c, out_c = (size_t)k->g->out_c;
    size_t x_ld = (size_t)(k->g->h * k->g->w) * c, y_ld = (size_t)(k->g->out_h * k->g->out_w) * out_c;
    for (size_t t = 0; t < k->n_terms; t++) {
        ss_real *to = k->to + tap * c * out_c;
        ss_kernel->gemm(&(gemm_call){.m = c, .n = out_c, .k = k->n, .ta = true, .a = k->f[t].x + x * c, .lda = x_ld,
                                     .b = k->f[t].dy + y * out_c, .ldb = y_ld,
                                     .from = first && t == 0 ? NULL : to, .ld_from = out_c, .c = to, .ldc = out_c});
    }
}

/* ---- pieces: all pairs of one output position, of one input position, of one tap ------------------------------------ */
static void forward_piece(void *ctx, size_t y)
{
    const task *k = ctx;
    const ss_window *g = k->g;
    int oy = (int)y / g->out_w, ox = (int)y % g->out_w, iy, ix;
    bool first = true;
    for (int ky = 0; ky < g->kernel; ky++)
        for (int kx = 0; kx < g->kernel; kx++) {
            if (!input_of(g, oy, ky, g->h, &iy) || !input_of(g, ox, kx, g->w, &ix)) continue;
            forward_pair(k, y, (size_t)(iy * g->w + ix), (size_t)(ky * g->kernel + kx), first);
            first = false;
        }
}

static void data_piece(void *ctx, size_t x)
{
    const task *k = ctx;
    const ss_window *g = k->g;
    size_t c = (size_t)g->c;
    int iy = (int)x / g->w, ix = (int)x % g->w, oy, ox;
    bool first = true;
    for (int ky = 0; ky < g->kernel; ky++)
        for (int kx = 0; kx < g->kernel; kx++) {
            if (!output_of(g, iy, ky, g->out_h, &oy) || !output_of(g, ix, kx, g->out_w, &ox)) continue;
            data_pair(k, (size_t)(oy * g->out_w + ox), x, (size_t)(ky * g->kernel + kx), first);
            first = false;
        }
    for (size_t i = 0; first && !k->add && i < k->n; i++) /* an input that no window reads */
        memset(k->to + (i * (size_t)(g->h * g->w) + x) * c, 0, c * sizeof *k->to);
}

static void weight_piece(void *ctx, size_t tap)
{
    const task *k = ctx;
    const ss_window *g = k->g;
    int ky = (int)tap / g->kernel, kx = (int)tap % g->kernel;
    size_t size = (size_t)g->c * (size_t)g->out_c;
    bool first = true;
    for (int y = 0; y < g->out_h * g->out_w; y++) {
        int iy, ix;
        if (!input_of(g, y / g->out_w, ky, g->h, &iy) || !input_of(g, y % g->out_w, kx, g->w, &ix)) continue;
        weight_pair(k, (size_t)y, (size_t)(iy * g->w + ix), tap, first);
        first = false;
    }
    if (first) memset(k->to + tap * size, 0, size * sizeof *k->to); /* a tap that only ever meets padding */
}

static void forward(const ss_window *g, size_t n, size_t n_terms, const ss_factors *f, const ss_real *bias, ss_real *y,
                    ss_real *work)
{
    (void)work;
    task k = {g, n, n_terms, f, bias, y, false};
    ss_parallel((size_t)(g->out_h * g->out_w), forward_piece, &k);
}

static void backward_data(const ss_window *g, size_t n, size_t n_terms, const ss_factors *f, double beta, ss_real *dx,
                          ss_real *work)
{
    (void)work;
    task k = {g, n, n_terms, f, NULL, dx, beta != 0};
    ss_parallel((size_t)(g->h * g->w), data_piece, &k);
}

static void backward_weight(const ss_window *g, size_t n, size_t n_terms, const ss_factors *f, ss_real *dweight,
                            ss_real *work)
{
    (void)work;
    task k = {g, n, n_terms, f, NULL, dweight, false};
    ss_parallel((size_t)(g->kernel * g->kernel), weight_piece, &k);
}

static size_t no_work(const ss_window *g)
{
    (void)g;
    return 0;
}

const conv_way ss_position = {"position", no_work, forward, backward_data, backward_weight};
