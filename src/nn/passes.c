/* passes.c - the four passes over the graph: forward, backward, tangent, tangent of backward.
 * Hv by the R-operator (Pearlmutter 1994): the tangent pass carries ty = dy/dtheta . v forward, the last pass is the
 * derivative of the backward pass along v, so that what it leaves per tensor is exactly (d2 loss / dtheta2) v. With the
 * ordinary backward pass in its place it leaves the Gauss-Newton product (Schraudolph, Neural Computation 14, 2002). */
#include <assert.h>
#include <math.h>

#include "layer.h"

static layer_io io_make(const ss_net *net, const ss_pass *pass, const ss_tape *tape, ss_scratch *scratch, int i)
{
    const ss_node *d = &net->graph->node[i];
    layer_io io = {.node = d, .pass = pass, .n = pass->n, .y = tape->y[i], .dy = tape->dy ? tape->dy[i] : NULL,
                   .saved = tape->saved[i], .stat = tape->stat[i], .work = scratch->work, .sums = scratch->sums,
                   .tstat = scratch->tstat[i], .ty = scratch->ty[i], .tdy = scratch->tdy[i]};
    for (int k = 0; k < d->n_in; k++) {
        io.x[k] = tape->y[d->in[k]];
        io.tx[k] = scratch->ty[d->in[k]];       /* NULL for constants: they have no tangent */
        io.beta[k] = d->adds_delta[k] ? 1 : 0;
    }
    return io;
}

static size_t count_correct(size_t n, size_t k, const ss_real *z, const uint8_t *label)
{
    size_t correct = 0;
    for (size_t i = 0; i < n; i++, z += k) {
        size_t best = 0;
        bool finite = true;
        for (size_t j = 0; j < k; j++) {
            if (z[j] > z[best]) best = j;
            finite &= isfinite((double)z[j]) != 0;
        }
        correct += finite && best == label[i];
    }
    return correct;
}

double ss_net_forward(const ss_net *net, const ss_pass *pass, ss_tape *tape, ss_scratch *scratch, size_t *n_correct)
{
    const ss_graph *g = net->graph;
    assert(pass->n <= tape->capacity);
    ss_pulse_beat();
    for (int i = 1; i < g->n_nodes; i++) {
        layer_io io = io_make(net, pass, tape, scratch, i);
        g->node[i].ops->forward(&io);
    }
    size_t k = (size_t)net->n_classes;
    tape->logits = tape->y[g->n_nodes - 1];
    if (n_correct) *n_correct = count_correct(pass->n, k, tape->logits, tape->label);
    return g->loss->sum(pass->n, k, tape->logits, tape->label);
}

void ss_net_backward(const ss_net *net, const ss_pass *pass, double scale, ss_tape *tape, ss_scratch *scratch, ss_real *grad)
{
    const ss_graph *g = net->graph;
    int last = g->n_nodes - 1;
    assert(tape->dy);
    g->loss->delta(pass->n, (size_t)net->n_classes, tape->y[last], tape->label, scale, tape->dy[last]);
    for (int i = last; i > 0; i--) {
        const ss_node *d = &g->node[i];
        if (d->constant) continue;
        layer_io io = io_make(net, pass, tape, scratch, i);
        io.grad = grad;
        for (int k = 0; k < d->n_in; k++) io.dx[k] = tape->dy[d->in[k]];
        d->ops->backward(&io);
    }
}

/* ty of every node along v, then tdy of the logits: the loss's second derivative times ty. */
static void pass_tangent(const ss_net *net, const ss_pass *pass, double scale, const ss_tape *tape, ss_scratch *scratch,
                         const ss_real *v)
{
    const ss_graph *g = net->graph;
    int last = g->n_nodes - 1;
    assert(scratch->ty[last]);
    ss_pulse_beat();
    for (int i = 1; i <= last; i++) {
        if (g->node[i].constant) continue;
        layer_io io = io_make(net, pass, tape, scratch, i);
        io.v = v;
        g->node[i].ops->tangent(&io);
    }
    g->loss->tangent(pass->n, (size_t)net->n_classes, tape->y[last], scratch->ty[last], scale, scratch->tdy[last]);
}

void ss_net_hessian_product(const ss_net *net, const ss_pass *pass, double scale, const ss_tape *tape, ss_scratch *scratch,
                            const ss_real *v, ss_real *hv)
{
    const ss_graph *g = net->graph;
    assert(tape->dy);
    pass_tangent(net, pass, scale, tape, scratch, v);
    for (int i = g->n_nodes - 1; i > 0; i--) {
        const ss_node *d = &g->node[i];
        if (d->constant) continue;
        layer_io io = io_make(net, pass, tape, scratch, i);
        io.v = v;
        io.hv = hv;
        for (int k = 0; k < d->n_in; k++) io.tdx[k] = scratch->tdy[d->in[k]];
        d->ops->tangent_backward(&io);
    }
}

/* tdy of the logits goes down by the ordinary backward pass, as deltas do: their places are laid out alike, shared where a
 * layer works in place. */
void ss_net_gauss_newton_product(const ss_net *net, const ss_pass *pass, double scale, const ss_tape *tape,
                                 ss_scratch *scratch, const ss_real *v, ss_real *gv)
{
    const ss_graph *g = net->graph;
    pass_tangent(net, pass, scale, tape, scratch, v);
    for (int i = g->n_nodes - 1; i > 0; i--) {
        const ss_node *d = &g->node[i];
        if (d->constant) continue;
        layer_io io = io_make(net, pass, tape, scratch, i);
        io.dy = scratch->tdy[i];
        io.grad = gv;
        for (int k = 0; k < d->n_in; k++) io.dx[k] = scratch->tdy[d->in[k]];
        d->ops->backward(&io);
    }
}

void ss_net_update_stats(const ss_net *net, const ss_tape *tape, size_t n, ss_real *stats)
{
    const double momentum = 0.1;               /* PyTorch's default */
    for (int i = 1; i < net->graph->n_nodes; i++) {
        const ss_node *d = &net->graph->node[i];
        if (!d->ops->keeps_stat) continue;
        size_t c = (size_t)d->shape.c;
        double m = (double)n * d->shape.h * d->shape.w, unbiased = m > 1 ? m / (m - 1) : 1;
        for (size_t j = 0; j < c; j++) {
            ss_real *mean = &stats[d->stat + j], *var = &stats[d->stat + c + j];
            *mean = (ss_real)((1 - momentum) * (double)*mean + momentum * tape->stat[i][j]);
            *var = (ss_real)((1 - momentum) * (double)*var + momentum * unbiased * tape->stat[i][c + j]);
        }
    }
}
