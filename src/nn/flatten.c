/* flatten.c - images to features in PyTorch's order: channel, then row, then column. We hold images as (row, column,
 * channel), so this is a transposition of each example; weights files then fit PyTorch's linear layers as they are. */
#include <string.h>

#include "layer.h"

static int plan(ss_net *net, ss_node *node, const ss_shape *in, ss_error *error)
{
    (void)net;
    if ((int64_t)in->h * in->w * in->c > INT32_MAX)
        return ss_fail(error, "an image of %dx%dx%d is too large to flatten", in->h, in->w, in->c);
    node->window = (ss_window){.h = in->h, .w = in->w, .c = in->c};
    node->shape = (ss_shape){1, 1, in->h * in->w * in->c};
    return 0;
}

/* out (n, c, hw) = in (n, hw, c) */
static void to_features(const layer_io *io, const ss_real *in, ss_real *out)
{
    const ss_window *g = &io->node->window;
    size_t hw = (size_t)g->h * (size_t)g->w, c = (size_t)g->c, size = io->node->size;
    if (hw == 1 || c == 1) {
        memcpy(out, in, io->n * size * sizeof *out);
        return;
    }
    for (size_t i = 0; i < io->n; i++)
        for (size_t j = 0; j < c; j++)
            for (size_t p = 0; p < hw; p++) out[i * size + j * hw + p] = in[i * size + p * c + j];
}

/* out (n, hw, c) = beta out + in (n, c, hw) */
static void to_images(const layer_io *io, const ss_real *in, double beta, ss_real *out)
{
    const ss_window *g = &io->node->window;
    size_t hw = (size_t)g->h * (size_t)g->w, c = (size_t)g->c, size = io->node->size;
    for (size_t i = 0; i < io->n; i++)
        for (size_t p = 0; p < hw; p++)
            for (size_t j = 0; j < c; j++) {
                size_t e = i * size + p * c + j;
                out[e] = (beta != 0 ? out[e] : 0) + in[i * size + j * hw + p];
            }
}

static void forward(const layer_io *io) { to_features(io, io->x[0], io->y); }

static void backward(const layer_io *io)
{
    if (io->dx[0]) to_images(io, io->dy, io->beta[0], io->dx[0]);
}

static void tangent(const layer_io *io) { to_features(io, io->tx[0], io->ty); }

static void tangent_backward(const layer_io *io)
{
    if (io->tdx[0]) to_images(io, io->tdy, io->beta[0], io->tdx[0]);
}

const layer_ops flatten_ops = {.type = "flatten", .plan = plan, .forward = forward, .backward = backward,
                               .tangent = tangent, .tangent_backward = tangent_backward};
