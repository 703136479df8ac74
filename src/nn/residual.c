/* residual.c - the sum that ends a residual block: y = body + shortcut. Either may lack a tangent (data straight from the
 * input); the delta goes to both. A ReLU that follows is applied here. */
#include <string.h>

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

static void forward(const layer_io *io) { ss_add(elements(io), io->x[0], io->x[1], io->node->relu, io->y); }

static void tangent(const layer_io *io)
{
    const ss_real *a = io->tx[0] ? io->tx[0] : io->tx[1], *b = io->tx[0] ? io->tx[1] : NULL;
    if (io->node->relu) {
        ss_relu_gate(elements(io), io->y, a, false, io->ty);
        if (b) ss_relu_gate(elements(io), io->y, b, true, io->ty);
    } else if (b) ss_add(elements(io), a, b, false, io->ty);
    else memcpy(io->ty, a, elements(io) * sizeof *a);
}

static void hand_down(const layer_io *io, const ss_real *dy, ss_real *const *dx)
{
    for (int k = 0; k < 2; k++) {
        if (!dx[k]) continue;
        if (io->node->relu) ss_relu_gate(elements(io), io->y, dy, io->beta[k] != 0, dx[k]);
        else if (io->beta[k] != 0) ss_add(elements(io), dy, dx[k], false, dx[k]);
        else memcpy(dx[k], dy, elements(io) * sizeof *dy);
    }
}

static void backward(const layer_io *io) { hand_down(io, io->dy, io->dx); }

static void tangent_backward(const layer_io *io) { hand_down(io, io->tdy, io->tdx); }

const layer_ops add_ops = {.type = "add", .plan = plan, .forward = forward, .backward = backward, .tangent = tangent,
                           .tangent_backward = tangent_backward, .fuses_relu = true};
