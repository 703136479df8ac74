/* batch_norm.c - y = g xhat + b, xhat = (x - mu) s, s = (var + eps)^-1/2, per channel over the M = n h w rows.
 *
 * With the batch's own statistics (Ioffe & Szegedy 2015), mu and var depend on x, at second order too. Writing D = g dy,
 * m1 = mean(D), m2 = mean(D xhat):
 *   backward           dx = s (D - m1 - xhat m2),  dg = sum(dy xhat),  db = sum(dy)
 *   tangent            a = mean(xhat tx):  txhat = s (tx - mean(tx) - xhat a),  ty = tg xhat + g txhat + tb
 *                      (ds = -s^2 a, exact with eps because var enters through s alone)
 *   tangent_backward   tD = tg dy + g tdy,  tm1 = mean(tD),  tm2 = mean(tD xhat + D txhat):
 *                      tdx = s (tD - tm1 - txhat m2 - xhat tm2) - s^2 a (D - m1 - xhat m2)
 *                      tdg = sum(tdy xhat + dy txhat),  tdb = sum(tdy)
 * With running statistics mu and s are constants: the means and a vanish. The normalised values replace the input's where
 * nobody else reads it. Column sums run in double. */
#include <math.h>
#include <string.h>

#include "layer.h"

static const double epsilon = 1e-5;       /* PyTorch's default */

static size_t channels(const ss_node *d) { return (size_t)d->shape.c; }
static size_t rows(const layer_io *io) { return io->n * (size_t)io->node->shape.h * (size_t)io->node->shape.w; }
static ss_real *normalised(const layer_io *io) { return io->node->overwrites_input ? io->x[0] : io->saved; }

static int plan(ss_net *net, ss_node *node, const ss_shape *in, ss_error *error)
{
    bool failed = false;
    size_t dim[1] = {(size_t)in->c};
    node->shape = *in;
    node->has_weight = node->has_bias = true;
    node->weight = tensor_add(net, node, "weight", 1, dim, false, &failed);
    node->bias = tensor_add(net, node, "bias", 1, dim, false, &failed);
    node->stat = tensor_add(net, node, "running_mean", 1, dim, true, &failed);
    tensor_add(net, node, "running_var", 1, dim, true, &failed);
    net->has_batch_norm = true;
    net->norms_features |= in->h == 1 && in->w == 1;
    return failed ? ss_fail(error, "out of memory for the list of tensors") : 0;
}

/* stat: mean (c), variance (c), inverse standard deviation (c). Two passes, so that a large mean does not cancel. */
static void batch_statistics(const layer_io *io)
{
    size_t m = rows(io), c = channels(io->node);
    const ss_real *x = io->x[0];
    double *mean = io->stat, *var = mean + c;
    ss_column_sums(m, c, x, NULL, mean);
    for (size_t j = 0; j < c; j++) mean[j] /= (double)m;
    memset(var, 0, c * sizeof *var);
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < c; j++) {
            double d = (double)x[i * c + j] - mean[j];
            var[j] += d * d;
        }
    for (size_t j = 0; j < c; j++) var[j] /= (double)m;
}

static void choose_statistics(const layer_io *io)
{
    size_t c = channels(io->node);
    double *mean = io->stat, *var = mean + c, *s = var + c;
    if (io->pass->stats)
        for (size_t j = 0; j < c; j++) {
            mean[j] = (double)io->pass->stats[io->node->stat + j];
            var[j] = (double)io->pass->stats[io->node->stat + c + j];
        }
    else
        batch_statistics(io);
    for (size_t j = 0; j < c; j++) s[j] = 1 / sqrt(var[j] + epsilon);
}

static void forward(const layer_io *io)
{
    size_t m = rows(io), c = channels(io->node);
    choose_statistics(io);
    const double *mean = io->stat, *s = io->stat + 2 * c;
    const ss_real *g = io->pass->theta + io->node->weight, *b = io->pass->theta + io->node->bias, *x = io->x[0];
    ss_real *xhat = normalised(io), *y = io->y;
    ss_real *scale = (ss_real *)io->sums, *shift = scale + c;
    for (size_t j = 0; j < c; j++) {
        scale[j] = (ss_real)s[j];
        shift[j] = (ss_real)mean[j];
    }
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < c; j++) {
            ss_real h = (x[i * c + j] - shift[j]) * scale[j];
            if (xhat) xhat[i * c + j] = h;
            y[i * c + j] = g[j] * h + b[j];
        }
}

/* m1 = mean(D), m2 = mean(D xhat) from sums of dy: g factors out. Zero where the statistics are constants. */
static void delta_means(const layer_io *io, ss_real *m1, ss_real *m2, const double *sum_dy, const double *sum_dy_xhat)
{
    size_t c = channels(io->node);
    const ss_real *g = io->pass->theta + io->node->weight;
    double scale = io->pass->stats ? 0 : 1 / (double)rows(io);
    for (size_t j = 0; j < c; j++) {
        m1[j] = (ss_real)((double)g[j] * sum_dy[j] * scale);
        m2[j] = (ss_real)((double)g[j] * sum_dy_xhat[j] * scale);
    }
}

static void backward(const layer_io *io)
{
    size_t m = rows(io), c = channels(io->node);
    const ss_real *g = io->pass->theta + io->node->weight, *xhat = normalised(io), *dy = io->dy;
    double *sum_dy = io->sums, *sum_dy_xhat = sum_dy + c;
    ss_column_sums(m, c, dy, NULL, sum_dy);
    ss_column_sums(m, c, dy, xhat, sum_dy_xhat);
    if (io->grad) {
        rows_to_grad(c, sum_dy_xhat, io->grad + io->node->weight);
        rows_to_grad(c, sum_dy, io->grad + io->node->bias);
    }
    ss_real *dx = io->dx[0];
    if (!dx) return;
    ss_real *m1 = (ss_real *)(io->sums + 2 * c), *m2 = m1 + c, *s = m2 + c, beta = (ss_real)io->beta[0];
    delta_means(io, m1, m2, sum_dy, sum_dy_xhat);
    for (size_t j = 0; j < c; j++) s[j] = (ss_real)io->stat[2 * c + j];
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < c; j++) {
            size_t e = i * c + j;
            ss_real d = s[j] * (g[j] * dy[e] - m1[j] - xhat[e] * m2[j]);
            dx[e] = beta != 0 ? beta * dx[e] + d : d;
        }
}

static void tangent(const layer_io *io)
{
    size_t m = rows(io), c = channels(io->node);
    const ss_real *g = io->pass->theta + io->node->weight, *xhat = normalised(io), *tx = io->tx[0];
    const ss_real *tg = io->v + io->node->weight, *tb = io->v + io->node->bias;
    double *mean_tx = io->tstat, *a = mean_tx + c;
    memset(mean_tx, 0, 2 * c * sizeof *mean_tx);
    if (tx && !io->pass->stats) {
        ss_column_sums(m, c, tx, NULL, mean_tx);
        ss_column_sums(m, c, tx, xhat, a);
        for (size_t j = 0; j < 2 * c; j++) mean_tx[j] /= (double)m;
    }
    ss_real *mt = (ss_real *)io->sums, *at = mt + c, *gs = at + c;
    for (size_t j = 0; j < c; j++) {
        mt[j] = (ss_real)mean_tx[j];
        at[j] = (ss_real)a[j];
        gs[j] = (ss_real)((double)g[j] * io->stat[2 * c + j]);
    }
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < c; j++) {
            size_t e = i * c + j;
            ss_real d = tx ? gs[j] * (tx[e] - mt[j] - xhat[e] * at[j]) : 0;
            io->ty[e] = tg[j] * xhat[e] + d + tb[j];
        }
}

/* sum(dy txhat) = s (sum(dy tx) - mean(tx) sum(dy) - a sum(dy xhat)); no txhat is stored. */
static void sum_delta_tangent(const layer_io *io, const double *sum_dy, const double *sum_dy_xhat, double *out)
{
    size_t m = rows(io), c = channels(io->node);
    const double *s = io->stat + 2 * c, *mean_tx = io->tstat, *a = mean_tx + c;
    memset(out, 0, c * sizeof *out);
    if (!io->tx[0]) return;
    ss_column_sums(m, c, io->dy, io->tx[0], out);
    for (size_t j = 0; j < c; j++) out[j] = s[j] * (out[j] - mean_tx[j] * sum_dy[j] - a[j] * sum_dy_xhat[j]);
}

/* Per-channel coefficients of tdx, so that the loop over rows is a plain sum of products. */
typedef struct coefficients { ss_real *s, *g, *tg, *m1, *m2, *tm1, *tm2, *s2a, *mt, *a; } coefficients;

static coefficients tangent_coefficients(const layer_io *io, const double *dy, const double *dy_xhat, const double *tdy,
                                         const double *tdy_xhat, const double *dy_txhat)
{
    size_t c = channels(io->node);
    ss_real *r = (ss_real *)(io->sums + 5 * c);
    coefficients k = {r, r + c, r + 2 * c, r + 3 * c, r + 4 * c, r + 5 * c, r + 6 * c, r + 7 * c, r + 8 * c, r + 9 * c};
    const ss_real *g = io->pass->theta + io->node->weight, *tg = io->v + io->node->weight;
    double scale = io->pass->stats ? 0 : 1 / (double)rows(io);
    for (size_t j = 0; j < c; j++) {
        double s = io->stat[2 * c + j], gj = (double)g[j], tgj = (double)tg[j];
        k.s[j] = (ss_real)s;
        k.g[j] = g[j];
        k.tg[j] = tg[j];
        k.m1[j] = (ss_real)(scale * gj * dy[j]);
        k.m2[j] = (ss_real)(scale * gj * dy_xhat[j]);
        k.tm1[j] = (ss_real)(scale * (tgj * dy[j] + gj * tdy[j]));
        k.tm2[j] = (ss_real)(scale * (tgj * dy_xhat[j] + gj * tdy_xhat[j] + gj * dy_txhat[j]));
        k.s2a[j] = (ss_real)(s * s * io->tstat[c + j]);
        k.mt[j] = (ss_real)io->tstat[j];
        k.a[j] = (ss_real)io->tstat[c + j];
    }
    return k;
}

static void tangent_backward(const layer_io *io)
{
    size_t m = rows(io), c = channels(io->node);
    const ss_real *xhat = normalised(io), *dy = io->dy, *tdy = io->tdy, *tx = io->tx[0];
    double *sum_dy = io->sums, *sum_dy_xhat = sum_dy + c, *sum_tdy = sum_dy + 2 * c, *sum_tdy_xhat = sum_dy + 3 * c;
    double *sum_dy_txhat = sum_dy + 4 * c;
    ss_column_sums(m, c, dy, NULL, sum_dy);
    ss_column_sums(m, c, dy, xhat, sum_dy_xhat);
    ss_column_sums(m, c, tdy, NULL, sum_tdy);
    ss_column_sums(m, c, tdy, xhat, sum_tdy_xhat);
    sum_delta_tangent(io, sum_dy, sum_dy_xhat, sum_dy_txhat);
    for (size_t j = 0; j < c; j++)
        io->hv[io->node->weight + j] = (ss_real)(sum_tdy_xhat[j] + sum_dy_txhat[j]);
    rows_to_grad(c, sum_tdy, io->hv + io->node->bias);
    ss_real *tdx = io->tdx[0], beta = (ss_real)io->beta[0];
    if (!tdx) return;
    coefficients k = tangent_coefficients(io, sum_dy, sum_dy_xhat, sum_tdy, sum_tdy_xhat, sum_dy_txhat);
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < c; j++) {
            size_t e = i * c + j;
            ss_real delta = k.g[j] * dy[e], tdelta = k.tg[j] * dy[e] + k.g[j] * tdy[e];
            ss_real txhat = tx ? k.s[j] * (tx[e] - k.mt[j] - xhat[e] * k.a[j]) : 0;
            ss_real d = k.s[j] * (tdelta - k.tm1[j] - txhat * k.m2[j] - xhat[e] * k.tm2[j])
                        - k.s2a[j] * (delta - k.m1[j] - xhat[e] * k.m2[j]);
            tdx[e] = beta != 0 ? beta * tdx[e] + d : d;
        }
}

static size_t saved_bytes(const ss_node *node, size_t n) { return node->overwrites_input ? 0 : n * node->size * sizeof(ss_real); }

const layer_ops batch_norm_ops = {.type = "batch_norm", .plan = plan, .forward = forward, .backward = backward,
                                  .tangent = tangent, .tangent_backward = tangent_backward, .saved_bytes = saved_bytes,
                                  .keeps_stat = true};
