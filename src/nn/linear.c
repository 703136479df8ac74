/* linear.c - y = x W' + b, x (n, in), W (out, in), b (out). */
#include "layer.h"

static int plan(ss_net *net, ss_node *node, const ss_shape *in, ss_error *error)
{
    if (in->h != 1 || in->w != 1)
        return ss_fail(error, "linear takes features but its input is %dx%dx%d (height x width x channels); "
                       "put a flatten layer before it", in->h, in->w, in->c);
    if (node->spec.units < 1) return ss_fail(error, "linear needs units >= 1, got %d", node->spec.units);
    bool failed = false;
    size_t out = (size_t)node->spec.units, dim[2] = {out, (size_t)in->c};
    node->shape = (ss_shape){1, 1, node->spec.units};
    node->window = (ss_window){.c = in->c, .out_c = node->spec.units};
    node->has_weight = true;
    node->weight = tensor_add(net, node, "weight", 2, dim, false, &failed);
    if (node->spec.bias) {
        node->has_bias = true;
        node->bias = tensor_add(net, node, "bias", 1, dim, false, &failed);
    }
    net->macs_per_example += (double)out * in->c;
    return failed ? ss_fail(error, "out of memory for the list of tensors") : 0;
}

static void forward(const layer_io *io)
{
    const ss_node *d = io->node;
    size_t in = (size_t)d->window.c, out = (size_t)d->window.out_c;
    const ss_real *theta = io->pass->theta;
    ss_gemm(SS_NO_TRANSPOSE, SS_TRANSPOSE, io->n, out, in, 1, io->x[0], in, theta + d->weight, in, 0, io->y, out);
    if (d->has_bias) ss_add_row(io->n, out, theta + d->bias, io->y);
}

static void backward(const layer_io *io)
{
    const ss_node *d = io->node;
    size_t in = (size_t)d->window.c, out = (size_t)d->window.out_c;
    if (io->grad) {
        ss_gemm(SS_TRANSPOSE, SS_NO_TRANSPOSE, out, in, io->n, 1, io->dy, out, io->x[0], in, 0, io->grad + d->weight, in);
        if (d->has_bias) {
            ss_column_sums(io->n, out, io->dy, NULL, io->sums);
            rows_to_grad(out, io->sums, io->grad + d->bias);
        }
    }
    if (io->dx[0])
        ss_gemm(SS_NO_TRANSPOSE, SS_NO_TRANSPOSE, io->n, in, out, 1, io->dy, out, io->pass->theta + d->weight, in,
                io->beta[0], io->dx[0], in);
}

static void tangent(const layer_io *io)
{
    const ss_node *d = io->node;
    size_t in = (size_t)d->window.c, out = (size_t)d->window.out_c;
    ss_gemm(SS_NO_TRANSPOSE, SS_TRANSPOSE, io->n, out, in, 1, io->x[0], in, io->v + d->weight, in, 0, io->ty, out);
    if (io->tx[0])
        ss_gemm(SS_NO_TRANSPOSE, SS_TRANSPOSE, io->n, out, in, 1, io->tx[0], in, io->pass->theta + d->weight, in, 1,
                io->ty, out);
    if (d->has_bias) ss_add_row(io->n, out, io->v + d->bias, io->ty);
}

static void tangent_backward(const layer_io *io)
{
    const ss_node *d = io->node;
    size_t in = (size_t)d->window.c, out = (size_t)d->window.out_c;
    ss_gemm(SS_TRANSPOSE, SS_NO_TRANSPOSE, out, in, io->n, 1, io->tdy, out, io->x[0], in, 0, io->hv + d->weight, in);
    if (io->tx[0])
        ss_gemm(SS_TRANSPOSE, SS_NO_TRANSPOSE, out, in, io->n, 1, io->dy, out, io->tx[0], in, 1, io->hv + d->weight, in);
    if (d->has_bias) {
        ss_column_sums(io->n, out, io->tdy, NULL, io->sums);
        rows_to_grad(out, io->sums, io->hv + d->bias);
    }
    if (!io->tdx[0]) return;
    ss_gemm(SS_NO_TRANSPOSE, SS_NO_TRANSPOSE, io->n, in, out, 1, io->tdy, out, io->pass->theta + d->weight, in, io->beta[0],
            io->tdx[0], in);
    ss_gemm(SS_NO_TRANSPOSE, SS_NO_TRANSPOSE, io->n, in, out, 1, io->dy, out, io->v + d->weight, in, 1, io->tdx[0], in);
}

const layer_ops linear_ops = {.type = "linear", .plan = plan, .forward = forward, .backward = backward,
                              .tangent = tangent, .tangent_backward = tangent_backward};
