/* conv.c - which way a convolution is computed: by a rule of its window and the number of examples alone. */
#include "conv.h"

#include <assert.h>

int ss_window_out(int size, int kernel, int stride, int padding)
{
    assert(kernel > 0 && stride > 0 && padding >= 0);
    int room = size + 2 * padding - kernel;
    return room < 0 ? 0 : room / stride + 1;
}

typedef enum method { IM2COL, POSITION, WINOGRAD } method;

/* The least estimated time, in multiplications of GEMM per example and pair of channels. Measured on Zen 5 with AVX-512:
 * Winograd's transforms cost about as much as 60 % of its multiplications and, per weight, as 200 examples' multiplications;
 * copying costs im2col 5 %; products position by position read and write their target each time. */
static method choose(const ss_window *g, size_t n)
{
    enum { LEAST_EXAMPLES = 8 };
    if (g->exact || n == 0 || g->out_w <= 0) return IM2COL;
    double im2col = 1.05 * g->kernel * g->kernel * g->out_h * g->out_w, best = im2col;
    method choice = IM2COL;
    if (n >= LEAST_EXAMPLES && g->padding < g->kernel && g->kernel > 1) {
        double position = (double)ss_position_pairs(g) * (1 + 24.0 / g->c);
        if (position < best) best = position, choice = POSITION;
    }
    if (ss_winograd_fits(g)) {
        double winograd = 36 * (double)ss_winograd_tiles(g) * 1.3 + 200.0 / (double)n;
        if (winograd < best) best = winograd, choice = WINOGRAD;
    }
    return choice;
}

const char *ss_conv_method(const ss_window *g, size_t n)
{
    static const char *const names[] = {[IM2COL] = "im2col", [POSITION] = "position", [WINOGRAD] = "winograd"};
    return names[choose(g, n)];
}

size_t ss_conv_work(const ss_window *g)
{
    size_t im2col = ss_im2col_work(g), winograd = !g->exact && ss_winograd_fits(g) ? ss_winograd_work(g) : 0;
    return im2col > winograd ? im2col : winograd;
}

void ss_conv_forward(const ss_window *g, size_t n, size_t n_terms, const ss_factors *f, const ss_real *bias, ss_real *y,
                     ss_real *work)
{
    assert(n_terms == 1 || n_terms == 2);
    switch (choose(g, n)) {
    case IM2COL: ss_im2col_forward(g, n, n_terms, f, bias, y, work); break;
    case POSITION: ss_position_forward(g, n, n_terms, f, bias, y); break;
    case WINOGRAD: ss_winograd_forward(g, n, n_terms, f, bias, y, work); break;
    }
}

void ss_conv_backward_data(const ss_window *g, size_t n, size_t n_terms, const ss_factors *f, double beta, ss_real *dx,
                           ss_real *work)
{
    assert((n_terms == 1 || n_terms == 2) && (beta == 0 || beta == 1));
    switch (choose(g, n)) {
    case IM2COL: ss_im2col_backward_data(g, n, n_terms, f, beta, dx, work); break;
    case POSITION: ss_position_backward_data(g, n, n_terms, f, beta, dx); break;
    case WINOGRAD: ss_winograd_backward_data(g, n, n_terms, f, beta, dx, work); break;
    }
}

void ss_conv_backward_weight(const ss_window *g, size_t n, size_t n_terms, const ss_factors *f, ss_real *dweight,
                             ss_real *work)
{
    assert(n_terms == 1 || n_terms == 2);
    switch (choose(g, n)) {
    case IM2COL: ss_im2col_backward_weight(g, n, n_terms, f, dweight, work); break;
    case POSITION: ss_position_backward_weight(g, n, n_terms, f, dweight); break;
    case WINOGRAD: ss_winograd_backward_weight(g, n, n_terms, f, dweight, work); break;
    }
}
