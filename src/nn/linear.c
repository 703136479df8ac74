/* linear.c - y = x W + b, x (n, in), W (in, out), b (out). PyTorch's weight is our W transposed (tensor_index): as it stands
 * here, the products of a forward pass and of the weight gradient read both operands in place. */
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

/* C = op(A) op(B) + beta C */
static void product(const layer_io *io, ss_transpose ta, ss_transpose tb, size_t m, size_t n, size_t k, const ss_real *a,
                    const ss_real *b, double beta, ss_real *c)
{
    size_t lda = ta == SS_TRANSPOSE ? m : k, ldb = tb == SS_TRANSPOSE ? k : n;
    (io->node->window.exact ? ss_gemm_blas : ss_gemm)(ta, tb, m, n, k, 1, a, lda, b, ldb, beta, c, n);
}

/* y = x weight + bias, or y = y + x weight */
static void apply(const layer_io *io, const ss_real *x, const ss_real *vector, bool add, ss_real *y)
{
    const ss_node *d = io->node;
    size_t in = (size_t)d->window.c, out = (size_t)d->window.out_c;
    const ss_real *bias = d->has_bias && !add ? vector + d->bias : NULL;
    if (!d->window.exact && bias) {
        ss_gemm_row(SS_NO_TRANSPOSE, SS_NO_TRANSPOSE, io->n, out, in, x, in, vector + d->weight, out, bias, y, out);
        return;
    }
    product(io, SS_NO_TRANSPOSE, SS_NO_TRANSPOSE, io->n, out, in, x, vector + d->weight, add, y);
    if (bias) ss_add_row(io->n, out, bias, y);
}

/* dweight = x' delta + add dweight; with !add also dbias = the sum of delta over examples */
static void collect(const layer_io *io, const ss_real *x, const ss_real *delta, bool add, ss_real *gradient)
{
    const ss_node *d = io->node;
    size_t in = (size_t)d->window.c, out = (size_t)d->window.out_c;
    product(io, SS_TRANSPOSE, SS_NO_TRANSPOSE, in, out, io->n, x, delta, add, gradient + d->weight);
    if (!d->has_bias || add) return;
    ss_column_sums(io->n, out, delta, NULL, io->sums);
    rows_to_grad(out, io->sums, gradient + d->bias);
}

/* dx = delta weight' + beta dx */
static void pass_back(const layer_io *io, const ss_real *delta, const ss_real *vector, double beta, ss_real *dx)
{
    const ss_node *d = io->node;
    size_t in = (size_t)d->window.c, out = (size_t)d->window.out_c;
    product(io, SS_NO_TRANSPOSE, SS_TRANSPOSE, io->n, in, out, delta, vector + d->weight, beta, dx);
}

static void forward(const layer_io *io) { apply(io, io->x[0], io->pass->theta, false, io->y); }

static void backward(const layer_io *io)
{
    if (io->grad) collect(io, io->x[0], io->dy, false, io->grad);
    if (io->dx[0]) pass_back(io, io->dy, io->pass->theta, io->beta[0], io->dx[0]);
}

static void tangent(const layer_io *io)
{
    apply(io, io->x[0], io->v, false, io->ty);
    if (io->tx[0]) apply(io, io->tx[0], io->pass->theta, true, io->ty);
}

static void tangent_backward(const layer_io *io)
{
    collect(io, io->x[0], io->tdy, false, io->hv);
    if (io->tx[0]) collect(io, io->tx[0], io->dy, true, io->hv);
    if (!io->tdx[0]) return;
    pass_back(io, io->tdy, io->pass->theta, io->beta[0], io->tdx[0]);
    pass_back(io, io->dy, io->v, 1, io->tdx[0]);
}

const layer_ops linear_ops = {.type = "linear", .plan = plan, .forward = forward, .backward = backward,
                              .tangent = tangent, .tangent_backward = tangent_backward};
