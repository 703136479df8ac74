/* dropout.c - y = x * mask, mask 0 with probability p, else 1/(1-p) (inverted dropout, as PyTorch's). The mask is a pure
 * function of (seed, step, which dropout layer, place in the batch, element), so that SAM's second pass, a micro-batch
 * and a resumed run all see the same one. Without pass->dropout the layer is the identity. */
#include <string.h>

#include "layer.h"

static int plan(ss_net *net, ss_node *node, const ss_shape *in, ss_error *error)
{
    (void)net;
    if (!(node->spec.p >= 0 && node->spec.p < 1))
        return ss_fail(error, "dropout needs 0 <= p < 1, got %g", node->spec.p);
    node->shape = *in;
    return 0;
}

static size_t elements(const layer_io *io) { return io->n * io->node->size; }

/* Of examples first .. first+n-1: each has blocks of its own in the layer's stream. */
static void draw_masks(void *ctx, size_t first, size_t n)
{
    const layer_io *io = ctx;
    const ss_pass *pass = io->pass;
    ss_real *mask = io->saved;
    size_t size = io->node->size, blocks = (size + 3) / 4;
    ss_stream stream = ss_stream_make(pass->seed, SS_FOR_DROPOUT, pass->step, io->node->draw);
    for (size_t i = first; i < first + n; i++)
        ss_dropout_mask(&stream, (pass->first + i) * blocks, size, io->node->spec.p, mask + i * size);
}

/* out = beta out + mask in */
static void apply(const layer_io *io, const ss_real *in, double beta, ss_real *out)
{
    size_t n = elements(io);
    if (io->pass->dropout) ss_mask(n, io->saved, in, beta != 0, out);
    else if (beta != 0) ss_add(n, in, out, false, out);
    else memcpy(out, in, n * sizeof *out);
}

static void forward(const layer_io *io)
{
    layer_io copy = *io;
    if (io->pass->dropout) ss_parallel_ranges(io->n, io->node->size, draw_masks, &copy);
    apply(io, io->x[0], 0, io->y);
}

static void backward(const layer_io *io)
{
    if (io->dx[0]) apply(io, io->dy, io->beta[0], io->dx[0]);
}

static void tangent(const layer_io *io) { apply(io, io->tx[0], 0, io->ty); }

static void tangent_backward(const layer_io *io)
{
    if (io->tdx[0]) apply(io, io->tdy, io->beta[0], io->tdx[0]);
}

static size_t saved_bytes(const ss_node *node, size_t n) { return n * node->size * sizeof(ss_real); }

const layer_ops dropout_ops = {.type = "dropout", .plan = plan, .forward = forward, .backward = backward,
                               .tangent = tangent, .tangent_backward = tangent_backward, .saved_bytes = saved_bytes};
