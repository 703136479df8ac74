/* activation.c - ReLU, tanh, GELU (exact, x Phi(x)): y = f(x). With f1, f2 the first and second derivatives,
 *   backward dx = f1 dy,   tangent ty = f1 tx,   tangent_backward tdx = f1 tdy + f2 tx dy.
 * ReLU's derivative at 0 is 0, as PyTorch's; it works in place, where y > 0 says all there is to know. */
#include "layer.h"

static int plan(ss_net *net, ss_node *node, const ss_shape *in, ss_error *error)
{
    (void)net, (void)error;
    node->shape = *in;
    return 0;
}

static size_t elements(const layer_io *io) { return io->n * io->node->size; }

/* ---- ReLU; where it follows a layer that applies it (fuses_relu) there is nothing left to do */
static bool is_done(const layer_io *io) { return io->node->fused; }

static void relu_forward(const layer_io *io)
{
    if (!is_done(io)) ss_relu(elements(io), io->x[0], io->y);
}

static void relu_backward(const layer_io *io)
{
    if (io->dx[0] && !is_done(io)) ss_relu_gate(elements(io), io->y, io->dy, io->beta[0] != 0, io->dx[0]);
}

static void relu_tangent(const layer_io *io)
{
    if (!is_done(io)) ss_relu_gate(elements(io), io->y, io->tx[0], false, io->ty);
}

static void relu_tangent_backward(const layer_io *io)
{
    if (io->tdx[0] && !is_done(io)) ss_relu_gate(elements(io), io->y, io->tdy, io->beta[0] != 0, io->tdx[0]);
}

/* ---- smooth activations */
static ss_slope slope(const layer_io *io, const ss_real *a, bool add, ss_real *out)
{
    return (ss_slope){.n = elements(io), .x = io->x[0], .y = io->y, .a = a, .add = add, .out = out};
}

static void smooth_backward(const layer_io *io, void (*f)(const ss_slope *s))
{
    ss_slope s = slope(io, io->dy, io->beta[0] != 0, io->dx[0]);
    if (io->dx[0]) f(&s);
}

static void smooth_tangent(const layer_io *io, void (*f)(const ss_slope *s))
{
    ss_slope s = slope(io, io->tx[0], false, io->ty);
    f(&s);
}

static void smooth_tangent_backward(const layer_io *io, void (*f)(const ss_slope *s))
{
    ss_slope s = slope(io, io->tdy, io->beta[0] != 0, io->tdx[0]);
    s.b = io->tx[0];
    s.c = io->dy;
    if (io->tdx[0]) f(&s);
}

static void tanh_forward(const layer_io *io) { ss_tanh(elements(io), io->x[0], io->y); }
static void tanh_backward(const layer_io *io) { smooth_backward(io, ss_tanh_slope); }
static void tanh_tangent(const layer_io *io) { smooth_tangent(io, ss_tanh_slope); }
static void tanh_tangent_backward(const layer_io *io) { smooth_tangent_backward(io, ss_tanh_slope); }

static void gelu_forward(const layer_io *io) { ss_gelu(elements(io), io->x[0], io->y); }
static void gelu_backward(const layer_io *io) { smooth_backward(io, ss_gelu_slope); }
static void gelu_tangent(const layer_io *io) { smooth_tangent(io, ss_gelu_slope); }
static void gelu_tangent_backward(const layer_io *io) { smooth_tangent_backward(io, ss_gelu_slope); }

const layer_ops relu_ops = {.type = "relu", .plan = plan, .forward = relu_forward, .backward = relu_backward,
                            .tangent = relu_tangent, .tangent_backward = relu_tangent_backward, .needs_output = true,
                            .in_place = true};
const layer_ops tanh_ops = {.type = "tanh", .plan = plan, .forward = tanh_forward, .backward = tanh_backward,
                            .tangent = tanh_tangent, .tangent_backward = tanh_tangent_backward, .needs_output = true};
const layer_ops gelu_ops = {.type = "gelu", .plan = plan, .forward = gelu_forward, .backward = gelu_backward,
                            .tangent = gelu_tangent, .tangent_backward = gelu_tangent_backward};
