/* pool.c - max-pool, average pool and global average pool over square windows. Max-pool keeps where each maximum stood;
 * given that choice all four passes are linear. */
#include "layer.h"

static int plan_window(ss_node *node, const ss_shape *in, int kernel, int stride, int padding, ss_error *error)
{
    if (kernel < 1 || stride < 1 || padding < 0 || padding > kernel / 2)
        return ss_fail(error, "pooling needs kernel >= 1, stride >= 1 and 0 <= padding <= kernel/2, got %d, %d, %d", kernel,
                       stride, padding);
    int h = ss_window_out(in->h, kernel, stride, padding), w = ss_window_out(in->w, kernel, stride, padding);
    if (h < 1 || w < 1)
        return ss_fail(error, "a %dx%d window does not fit its input of %dx%dx%d (height x width x channels)", kernel,
                       kernel, in->h, in->w, in->c);
    node->window = (ss_window){in->h, in->w, in->c, h, w, in->c, kernel, stride, padding, false};
    node->shape = (ss_shape){h, w, in->c};
    return 0;
}

static int plan(ss_net *net, ss_node *node, const ss_shape *in, ss_error *error)
{
    (void)net;
    const ss_layer *s = &node->spec;
    return plan_window(node, in, s->kernel, s->stride ? s->stride : s->kernel, s->padding, error);
}

static int plan_global(ss_net *net, ss_node *node, const ss_shape *in, ss_error *error)
{
    (void)net;
    if (in->h != in->w)
        return ss_fail(error, "global average pooling takes square images, its input is %dx%dx%d", in->h, in->w, in->c);
    return plan_window(node, in, in->h, in->h, 0, error);
}

static size_t argmax_bytes(const ss_node *node, size_t n) { return n * node->size * sizeof(uint32_t); }

static void max_forward(const layer_io *io) { ss_max_pool(&io->node->window, io->n, io->x[0], io->y, io->saved); }

static void max_backward(const layer_io *io)
{
    if (io->dx[0]) ss_max_pool_scatter(&io->node->window, io->n, io->dy, io->saved, io->beta[0], io->dx[0]);
}

static void max_tangent(const layer_io *io) { ss_max_pool_gather(&io->node->window, io->n, io->tx[0], io->saved, io->ty); }

static void max_tangent_backward(const layer_io *io)
{
    if (io->tdx[0]) ss_max_pool_scatter(&io->node->window, io->n, io->tdy, io->saved, io->beta[0], io->tdx[0]);
}

static void average_forward(const layer_io *io) { ss_average_pool(&io->node->window, io->n, io->x[0], io->y); }

static void average_backward(const layer_io *io)
{
    if (io->dx[0]) ss_average_pool_scatter(&io->node->window, io->n, io->dy, io->beta[0], io->dx[0]);
}

static void average_tangent(const layer_io *io) { ss_average_pool(&io->node->window, io->n, io->tx[0], io->ty); }

static void average_tangent_backward(const layer_io *io)
{
    if (io->tdx[0]) ss_average_pool_scatter(&io->node->window, io->n, io->tdy, io->beta[0], io->tdx[0]);
}

const layer_ops max_pool_ops = {.type = "max_pool", .plan = plan, .forward = max_forward, .backward = max_backward,
                                .tangent = max_tangent, .tangent_backward = max_tangent_backward,
                                .saved_bytes = argmax_bytes};
const layer_ops avg_pool_ops = {.type = "avg_pool", .plan = plan, .forward = average_forward, .backward = average_backward,
                                .tangent = average_tangent, .tangent_backward = average_tangent_backward};
const layer_ops global_avg_pool_ops = {.type = "global_avg_pool", .plan = plan_global, .forward = average_forward,
                                       .backward = average_backward, .tangent = average_tangent,
                                       .tangent_backward = average_tangent_backward};
