/* residual.c - the sum that ends a residual block: y = body + shortcut. Either may lack a tangent (data straight from the
 * input); the delta goes to both. */
#include "layer.h"

static int plan(ss_net *net, ss_node *node, const ss_shape *in, ss_error *error)
{
    (void)net;
    if (in[0].h != in[1].h || in[0].w != in[1].w || in[0].c != in[1].c)
        return ss_fail(error, "the residual block's body gives %dx%dx%d but its shortcut %dx%dx%d (height x width x "
                       "channels); use projection: true or make them equal", in[0].h, in[0].w, in[0].c, in[1].h, in[1].w,
                       in[1].c);
    node->shape = in[0];
    return 0;
}

static size_t elements(const layer_io *io) { return io->n * io->node->size; }

static void sum(size_t n, const ss_real *a, const ss_real *b, ss_real *y)
{
    for (size_t i = 0; i < n; i++) y[i] = (a ? a[i] : 0) + (b ? b[i] : 0);
}

static void forward(const layer_io *io) { sum(elements(io), io->x[0], io->x[1], io->y); }

static void tangent(const layer_io *io) { sum(elements(io), io->tx[0], io->tx[1], io->ty); }

static void hand_down(const layer_io *io, const ss_real *dy, ss_real *const *dx)
{
    for (int k = 0; k < 2; k++)
        if (dx[k]) sum(elements(io), dy, io->beta[k] != 0 ? dx[k] : NULL, dx[k]);
}

static void backward(const layer_io *io) { hand_down(io, io->dy, io->dx); }

static void tangent_backward(const layer_io *io) { hand_down(io, io->tdy, io->tdx); }

const layer_ops add_ops = {.type = "add", .plan = plan, .forward = forward, .backward = backward, .tangent = tangent,
                           .tangent_backward = tangent_backward};
