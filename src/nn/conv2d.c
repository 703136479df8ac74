/* conv2d.c - 2-D convolution (cross-correlation, as PyTorch's): y = conv(x, W) + b, W held as (kh, kw, in, out). */
#include "layer.h"

static int plan(ss_net *net, ss_node *node, const ss_shape *in, ss_error *error)
{
    const ss_layer *s = &node->spec;
    int kernel = s->kernel ? s->kernel : 1, stride = s->stride ? s->stride : 1;
    int out_h = ss_window_out(in->h, kernel, stride, s->padding), out_w = ss_window_out(in->w, kernel, stride, s->padding);
    if (s->units < 1 || kernel < 1 || stride < 1 || s->padding < 0)
        return ss_fail(error, "conv2d needs units, kernel, stride >= 1 and padding >= 0, got %d, %d, %d, %d", s->units,
                       kernel, stride, s->padding);
    if (out_h < 1 || out_w < 1)
        return ss_fail(error, "a %dx%d kernel with padding %d does not fit its input of %dx%dx%d "
                       "(height x width x channels)", kernel, kernel, s->padding, in->h, in->w, in->c);
    bool failed = false;
    size_t k = (size_t)kernel, dim[4] = {(size_t)s->units, (size_t)in->c, k, k};
    node->window = (ss_window){in->h, in->w, in->c, out_h, out_w, s->units, kernel, stride, s->padding, false};
    node->shape = (ss_shape){out_h, out_w, s->units};
    node->has_weight = true;
    node->weight = tensor_add(net, node, "weight", 4, dim, false, &failed);
    if (s->bias) {
        node->has_bias = true;
        node->bias = tensor_add(net, node, "bias", 1, dim, false, &failed);
    }
    net->macs_per_example += (double)out_h * out_w * s->units * kernel * kernel * in->c;
    return failed ? ss_fail(error, "out of memory for the list of tensors") : 0;
}

static size_t rows(const layer_io *io) { return io->n * (size_t)io->node->window.out_h * (size_t)io->node->window.out_w; }

static const ss_real *bias_of(const ss_node *d, const ss_real *vector) { return d->has_bias ? vector + d->bias : NULL; }

static void forward(const layer_io *io)
{
    const ss_node *d = io->node;
    ss_factors f = {.x = io->x[0], .weight = io->pass->theta + d->weight};
    ss_conv_forward(&d->window, io->n, 1, &f, bias_of(d, io->pass->theta), io->y, io->work);
}

static void bias_gradient(const layer_io *io, const ss_real *dy, ss_real *grad)
{
    if (!io->node->has_bias) return;
    size_t out = (size_t)io->node->window.out_c;
    ss_column_sums(rows(io), out, dy, NULL, io->sums);
    rows_to_grad(out, io->sums, grad + io->node->bias);
}

static void backward(const layer_io *io)
{
    const ss_node *d = io->node;
    ss_factors f = {.x = io->x[0], .weight = io->pass->theta + d->weight, .dy = io->dy};
    if (io->grad) {
        ss_conv_backward_weight(&d->window, io->n, 1, &f, io->grad + d->weight, io->work);
        bias_gradient(io, io->dy, io->grad);
    }
    if (io->dx[0]) ss_conv_backward_data(&d->window, io->n, 1, &f, io->beta[0], io->dx[0], io->work);
}

/* Derivatives along v of what forward and backward compute: by the product rule two terms, the second only where the input
 * has a tangent. */
static void tangent(const layer_io *io)
{
    const ss_node *d = io->node;
    ss_factors f[] = {{.x = io->x[0], .weight = io->v + d->weight}, {.x = io->tx[0], .weight = io->pass->theta + d->weight}};
    ss_conv_forward(&d->window, io->n, io->tx[0] ? 2 : 1, f, bias_of(d, io->v), io->ty, io->work);
}

static void tangent_backward(const layer_io *io)
{
    const ss_node *d = io->node;
    ss_factors f[] = {{.x = io->x[0], .weight = io->pass->theta + d->weight, .dy = io->tdy},
                      {.x = io->tx[0], .weight = io->v + d->weight, .dy = io->dy}};
    ss_conv_backward_weight(&d->window, io->n, io->tx[0] ? 2 : 1, f, io->hv + d->weight, io->work);
    bias_gradient(io, io->tdy, io->hv);
    if (io->tdx[0]) ss_conv_backward_data(&d->window, io->n, 2, f, io->beta[0], io->tdx[0], io->work);
}

const layer_ops conv2d_ops = {.type = "conv2d", .plan = plan, .forward = forward, .backward = backward,
                              .tangent = tangent, .tangent_backward = tangent_backward};
