/* conv.c - which way a convolution is computed: by a rule of its window and the number of examples alone. */
#include "conv.h"

#include <assert.h>

int ss_window_out(int size, int kernel, int stride, int padding)
{
    assert(kernel > 0 && stride > 0 && padding >= 0);
    int room = size + 2 * padding - kernel;
    return room < 0 ? 0 : room / stride + 1;
}

/* The least estimated time, in multiplications of GEMM per example and pair of channels. Measured on Zen 5 with AVX-512:
 * Winograd's transforms cost about as much as 60 % of its multiplications and, per weight, as 200 examples' multiplications;
 * copying costs im2col 5 %; products position by position read and write their target each time.
 *
 * Why no F(2x2, 3x3): it needs 16 multiplications per 2x2 tile, so 64 where F(4x4, 3x3) needs 36, and fewer only where a 4x4
 * tile would mostly lie outside the image: up to 2x2, where a position's pairs are 16 as well, without any transform. Measured
 * with bench_kernels on one core: its products alone, nothing transformed, take 1.1 to 1.3 of what all of F(4x4) takes on 7x7
 * images (64 channels, batches of 8 to 128) and 0.9 to 1.2 on VGG-11's 4x4 layers (32 and 128), 0.6 to 0.9 of what positions
 * take on its 2x2 layers. Its transforms of weights, images and products come on top, a third of that and more, so that at
 * the very most a step of VGG-11 would be 3 % shorter (7 % in batches of 8). */
static const conv_way *choose(const ss_window *g, size_t n)
{
    enum { LEAST_EXAMPLES = 8 };
    if (g->exact || n == 0 || g->out_w <= 0) return &ss_im2col;
    double im2col = 1.05 * g->kernel * g->kernel * g->out_h * g->out_w, best = im2col;
    const conv_way *choice = &ss_im2col;
    if (n >= LEAST_EXAMPLES && g->padding < g->kernel && g->kernel > 1) {
        double position = (double)ss_position_pairs(g) * (1 + 24.0 / g->c);
        if (position < best) best = position, choice = &ss_position;
    }
    if (ss_winograd_fits(g)) {
        double winograd = 36 * (double)ss_winograd_tiles(g) * 1.3 + 200.0 / (double)n;
        if (winograd < best) best = winograd, choice = &ss_winograd;
    }
    return choice;
}

const char *ss_conv_method(const ss_window *g, size_t n)
{
    return choose(g, n)->name;
}

size_t ss_conv_work(const ss_window *g)
{
    size_t im2col = ss_im2col.work(g), winograd = !g->exact && ss_winograd_fits(g) ? ss_winograd.work(g) : 0;
    return im2col > winograd ? im2col : winograd;
}

void ss_conv_forward(const ss_window *g, size_t n, size_t n_terms, const ss_factors *f, const ss_real *bias, ss_real *y,
                     ss_real *work)
{
    assert(n_terms == 1 || n_terms == 2);
    choose(g, n)->forward(g, n, n_terms, f, bias, y, work);
}

void ss_conv_backward_data(const ss_window *g, size_t n, size_t n_terms, const ss_factors *f, double beta, ss_real *dx,
                           ss_real *work)
{
    assert((n_terms == 1 || n_terms == 2) && (beta == 0 || beta == 1));
    choose(g, n)->backward_data(g, n, n_terms, f, beta, dx, work);
}

void ss_conv_backward_weight(const ss_window *g, size_t n, size_t n_terms, const ss_factors *f, ss_real *dweight,
                             ss_real *work)
{
    assert(n_terms == 1 || n_terms == 2);
    choose(g, n)->backward_weight(g, n, n_terms, f, dweight, work);
}
