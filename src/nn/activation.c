/* activation.c - ReLU, tanh, GELU (exact, x Phi(x)): y = f(x). With f1, f2 the first and second derivatives,
 *   backward dx = f1 dy,   tangent ty = f1 tx,   tangent_backward tdx = f1 tdy + f2 tx dy.
 * ReLU's derivative at 0 is 0, as PyTorch's; it works in place, where y > 0 says all there is to know. */
#include <math.h>

#include "layer.h"

static int plan(ss_net *net, ss_node *node, const ss_shape *in, ss_error *error)
{
    (void)net, (void)error;
    node->shape = *in;
    return 0;
}

static size_t elements(const layer_io *io) { return io->n * io->node->size; }

/* ---- ReLU */
static void relu_forward(const layer_io *io)
{
    const ss_real *x = io->x[0];
    ss_real *y = io->y;
    for (size_t i = 0, n = elements(io); i < n; i++) y[i] = x[i] > 0 ? x[i] : (x[i] != x[i] ? x[i] : 0); /* NaN stays */
}

/* out = beta out + (y > 0) in; the one rule for delta, tangent and tangent of delta. out may be in. */
static void gate(size_t n, const ss_real *y, const ss_real *in, double beta, ss_real *out)
{
    if (beta != 0)
        for (size_t i = 0; i < n; i++) out[i] += y[i] > 0 ? in[i] : 0;
    else
        for (size_t i = 0; i < n; i++) out[i] = y[i] > 0 ? in[i] : 0;
}

static void relu_backward(const layer_io *io)
{
    if (io->dx[0]) gate(elements(io), io->y, io->dy, io->beta[0], io->dx[0]);
}

static void relu_tangent(const layer_io *io) { gate(elements(io), io->y, io->tx[0], 0, io->ty); }

static void relu_tangent_backward(const layer_io *io)
{
    if (io->tdx[0]) gate(elements(io), io->y, io->tdy, io->beta[0], io->tdx[0]);
}

/* ---- smooth activations: derivatives from x and y */
typedef void derivatives(ss_real x, ss_real y, ss_real *f1, ss_real *f2);

static inline void tanh_derivatives(ss_real x, ss_real y, ss_real *f1, ss_real *f2)
{
    (void)x;
    *f1 = 1 - y * y;
    *f2 = -2 * y * *f1;
}

static inline void gelu_derivatives(ss_real x, ss_real y, ss_real *f1, ss_real *f2)
{
    (void)y;
    double d = (double)x, density = exp(-0.5 * d * d) * 0.3989422804014327, cumulative = 0.5 * erfc(-d * 0.7071067811865476);
    *f1 = (ss_real)(cumulative + d * density);
    *f2 = (ss_real)(density * (2 - d * d));
}

static inline void smooth_backward(const layer_io *io, derivatives *f)
{
    ss_real f1, f2, beta = (ss_real)io->beta[0];
    if (!io->dx[0]) return;
    for (size_t i = 0, n = elements(io); i < n; i++) {
        f(io->x[0][i], io->y[i], &f1, &f2);
        io->dx[0][i] = (beta != 0 ? io->dx[0][i] : 0) + f1 * io->dy[i];
    }
}

static inline void smooth_tangent(const layer_io *io, derivatives *f)
{
    ss_real f1, f2;
    for (size_t i = 0, n = elements(io); i < n; i++) {
        f(io->x[0][i], io->y[i], &f1, &f2);
        io->ty[i] = f1 * io->tx[0][i];
    }
}

static inline void smooth_tangent_backward(const layer_io *io, derivatives *f)
{
    ss_real f1, f2, beta = (ss_real)io->beta[0];
    if (!io->tdx[0]) return;
    for (size_t i = 0, n = elements(io); i < n; i++) {
        f(io->x[0][i], io->y[i], &f1, &f2);
        io->tdx[0][i] = (beta != 0 ? io->tdx[0][i] : 0) + f1 * io->tdy[i] + f2 * io->tx[0][i] * io->dy[i];
    }
}

static void tanh_forward(const layer_io *io)
{
    for (size_t i = 0, n = elements(io); i < n; i++)
        io->y[i] = sizeof(ss_real) == sizeof(float) ? (ss_real)tanhf((float)io->x[0][i]) : (ss_real)tanh((double)io->x[0][i]);
}
static void tanh_backward(const layer_io *io) { smooth_backward(io, tanh_derivatives); }
static void tanh_tangent(const layer_io *io) { smooth_tangent(io, tanh_derivatives); }
static void tanh_tangent_backward(const layer_io *io) { smooth_tangent_backward(io, tanh_derivatives); }

static void gelu_forward(const layer_io *io)
{
    for (size_t i = 0, n = elements(io); i < n; i++) {
        double x = (double)io->x[0][i];
        io->y[i] = (ss_real)(0.5 * x * erfc(-x * 0.7071067811865476));
    }
}
static void gelu_backward(const layer_io *io) { smooth_backward(io, gelu_derivatives); }
static void gelu_tangent(const layer_io *io) { smooth_tangent(io, gelu_derivatives); }
static void gelu_tangent_backward(const layer_io *io) { smooth_tangent_backward(io, gelu_derivatives); }

const layer_ops relu_ops = {.type = "relu", .plan = plan, .forward = relu_forward, .backward = relu_backward,
                            .tangent = relu_tangent, .tangent_backward = relu_tangent_backward, .needs_output = true,
                            .in_place = true};
const layer_ops tanh_ops = {.type = "tanh", .plan = plan, .forward = tanh_forward, .backward = tanh_backward,
                            .tangent = tanh_tangent, .tangent_backward = tanh_tangent_backward, .needs_output = true};
const layer_ops gelu_ops = {.type = "gelu", .plan = plan, .forward = gelu_forward, .backward = gelu_backward,
                            .tangent = gelu_tangent, .tangent_backward = gelu_tangent_backward};
