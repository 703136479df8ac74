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
 * nobody else reads it. A ReLU that follows is applied here: then dy, tdy stand for what passes its gate, and ty for what
 * comes out of it. The passes over memory and their sums in double are num's. */
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

static ss_norm_data data_of(const layer_io *io)
{
    const ss_node *d = io->node;
    return (ss_norm_data){.rows = rows(io), .columns = channels(d), .gain = io->pass->theta + d->weight,
                          .bias = io->pass->theta + d->bias, .xhat = normalised(io), .relu = d->relu};
}

/* stat: mean (c), variance (c), inverse standard deviation (c). */
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
        ss_column_moments(rows(io), c, io->x[0], mean, var);
    for (size_t j = 0; j < c; j++) s[j] = 1 / sqrt(var[j] + epsilon);
}

static void forward(const layer_io *io)
{
    size_t c = channels(io->node);
    choose_statistics(io);
    ss_norm_data b = data_of(io);
    ss_real *mean = (ss_real *)io->sums, *scale = mean + c;
    for (size_t j = 0; j < c; j++) {
        mean[j] = (ss_real)io->stat[j];
        scale[j] = (ss_real)io->stat[2 * c + j];
    }
    ss_norm_forward(&b, mean, scale, io->x[0], io->y);
}

/* 1/M, by which sums become the means that depend on x; with running statistics nothing does. */
static double mean_factor(const layer_io *io) { return io->pass->stats ? 0 : 1 / (double)rows(io); }

static void backward(const layer_io *io)
{
    size_t c = channels(io->node);
    ss_norm_data b = data_of(io);
    double *dy = io->sums, *dy_xhat = dy + c, scale = mean_factor(io);
    ss_norm_sums(&b, true, io->dy, dy, dy_xhat);
    if (io->grad) {
        rows_to_grad(c, dy_xhat, io->grad + io->node->weight);
        rows_to_grad(c, dy, io->grad + io->node->bias);
    }
    if (!io->dx[0]) return;
    ss_real *k = (ss_real *)(io->sums + 2 * c);
    for (size_t j = 0; j < c; j++) {
        double gs = (double)b.gain[j] * io->stat[2 * c + j];
        k[j] = (ss_real)(-gs * scale * dy[j]);
        k[c + j] = (ss_real)(-gs * scale * dy_xhat[j]);
        k[2 * c + j] = (ss_real)gs;
    }
    ss_norm_backward(&b, k, io->dy, io->beta[0] != 0, io->dx[0]);
}

static void tangent(const layer_io *io)
{
    size_t c = channels(io->node);
    ss_norm_data b = data_of(io);
    const ss_real *tg = io->v + io->node->weight, *tb = io->v + io->node->bias, *tx = io->tx[0];
    double *mean_tx = io->tstat, *a = mean_tx + c, scale = mean_factor(io);
    if (tx && scale != 0) ss_norm_sums(&b, false, tx, mean_tx, a);
    else memset(mean_tx, 0, 2 * c * sizeof *mean_tx);
    for (size_t j = 0; j < 2 * c; j++) mean_tx[j] *= scale;
    ss_real *k = (ss_real *)io->sums;
    for (size_t j = 0; j < c; j++) {
        double gs = (double)b.gain[j] * io->stat[2 * c + j];
        k[j] = (ss_real)((double)tb[j] - gs * mean_tx[j]);
        k[c + j] = (ss_real)((double)tg[j] - gs * a[j]);
        k[2 * c + j] = (ss_real)gs;
    }
    ss_norm_tangent(&b, k, tx, io->ty);
}

/* The factors of tdx, collected from the formula above. */
static void second_factors(const layer_io *io, const double *dy, const double *dy_xhat, const double *tdy,
                           const double *tdy_xhat, const double *dy_txhat, ss_real *k)
{
    size_t c = channels(io->node);
    const ss_real *g = io->pass->theta + io->node->weight, *tg = io->v + io->node->weight;
    double scale = mean_factor(io);
    for (size_t j = 0; j < c; j++) {
        double s = io->stat[2 * c + j], mean_tx = io->tstat[j], a = io->tstat[c + j], gj = (double)g[j], tgj = (double)tg[j];
        double m1 = scale * gj * dy[j], m2 = scale * gj * dy_xhat[j], tm1 = scale * (tgj * dy[j] + gj * tdy[j]);
        double tm2 = scale * (tgj * dy_xhat[j] + gj * tdy_xhat[j] + gj * dy_txhat[j]);
        k[j] = (ss_real)(s * s * (mean_tx * m2 + a * m1) - s * tm1);
        k[c + j] = (ss_real)(2 * s * s * a * m2 - s * tm2);
        k[2 * c + j] = (ss_real)(s * tgj - s * s * a * gj);
        k[3 * c + j] = (ss_real)(s * gj);
        k[4 * c + j] = (ss_real)(-s * s * m2);
    }
}

static void tangent_backward(const layer_io *io)
{
    size_t c = channels(io->node);
    ss_norm_data b = data_of(io);
    const double *s = io->stat + 2 * c, *mean_tx = io->tstat, *a = mean_tx + c;
    double *dy = io->sums, *dy_xhat = dy + c, *tdy = dy + 2 * c, *tdy_xhat = dy + 3 * c, *dy_txhat = dy + 4 * c;
    ss_norm_second_sums(&b, io->dy, io->tdy, io->tx[0], io->sums);
    for (size_t j = 0; io->tx[0] && j < c; j++) /* sum(dy txhat) from sum(dy tx): no txhat is stored */
        dy_txhat[j] = s[j] * (dy_txhat[j] - mean_tx[j] * dy[j] - a[j] * dy_xhat[j]);
    for (size_t j = 0; j < c; j++) io->hv[io->node->weight + j] = (ss_real)(tdy_xhat[j] + dy_txhat[j]);
    rows_to_grad(c, tdy, io->hv + io->node->bias);
    if (!io->tdx[0]) return;
    ss_real *k = (ss_real *)(io->sums + 5 * c);
    second_factors(io, dy, dy_xhat, tdy, tdy_xhat, dy_txhat, k);
    ss_norm_second_backward(&b, k, io->dy, io->tdy, io->tx[0], io->beta[0] != 0, io->tdx[0]);
}

static size_t saved_bytes(const ss_node *node, size_t n) { return node->overwrites_input ? 0 : n * node->size * sizeof(ss_real); }

const layer_ops batch_norm_ops = {.type = "batch_norm", .plan = plan, .forward = forward, .backward = backward,
                                  .tangent = tangent, .tangent_backward = tangent_backward, .saved_bytes = saved_bytes,
                                  .keeps_stat = true, .fuses_relu = true};
