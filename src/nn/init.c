/* init.c - initial weights, and tensors in PyTorch's element order. */
#include <math.h>
#include <string.h>

#include "layer.h"

size_t tensor_index(const ss_param *p, size_t e)
{
    if (p->n_dims == 2) return e % p->dim[1] * p->dim[0] + e / p->dim[1];   /* (out, in) -> (in, out) */
    if (p->n_dims != 4) return e;
    size_t out = p->dim[0], in = p->dim[1], area = p->dim[2] * p->dim[3]; /* (o in + i) area + a  ->  (a in + i) out + o */
    size_t a = e % area, i = e / area % in, o = e / area / in;
    return (a * in + i) * out + o;
}

void ss_net_export(const ss_net *net, size_t tensor, const ss_real *vector, ss_real *out)
{
    const ss_param *p = &net->tensor[tensor];
    for (size_t e = 0; e < p->size; e++) out[e] = vector[p->offset + tensor_index(p, e)];
}

void ss_net_import(const ss_net *net, size_t tensor, const ss_real *in, ss_real *vector)
{
    const ss_param *p = &net->tensor[tensor];
    for (size_t e = 0; e < p->size; e++) vector[p->offset + tensor_index(p, e)] = in[e];
}

static bool ends_with(const char *name, const char *suffix)
{
    size_t n = strlen(name), m = strlen(suffix);
    return n >= m && !strcmp(name + n - m, suffix);
}

static void fill(const ss_param *p, double value, ss_real *vector)
{
    for (size_t e = 0; e < p->size; e++) vector[p->offset + e] = (ss_real)value;
}

static void fill_uniform(const ss_param *p, const ss_stream *s, double bound, ss_real *theta)
{
    for (size_t e = 0; e < p->size; e++)
        theta[p->offset + tensor_index(p, e)] = (ss_real)(bound * (2 * ss_stream_uniform(s, e) - 1));
}

static void fill_normal(const ss_param *p, const ss_stream *s, double deviation, ss_real *theta)
{
    for (size_t e = 0; e < p->size; e++)
        theta[p->offset + tensor_index(p, e)] = (ss_real)(deviation * ss_stream_normal(s, e));
}

/* PyTorch: kaiming_uniform(a = sqrt 5) for weights and U(+-1/sqrt(fan_in)) for biases are the same bound. */
static void init_weighted(const ss_net *net, const ss_param *p, bool study, const ss_stream *s, ss_real *theta)
{
    const ss_node *node = &net->graph->node[p->node];
    bool conv = node->ops == &conv2d_ops;
    double area = conv ? (double)node->window.kernel * node->window.kernel : 1, fan_in = (double)node->window.c * area;
    bool bias = ends_with(p->name, ".bias");
    if (study && conv && bias)
        fill(p, 0, theta);
    else if (study && conv)
        fill_normal(p, s, sqrt(2 / (area * (double)node->window.out_c)), theta);
    else
        fill_uniform(p, s, 1 / sqrt(fan_in), theta);
}

void ss_net_init(const ss_net *net, const char *scheme, uint64_t seed, ss_real *theta, ss_real *stats)
{
    bool study = !strcmp(scheme, "study");
    for (size_t i = 0; i < net->n_tensors; i++) {
        const ss_param *p = &net->tensor[i];
        ss_stream s = ss_stream_make(seed, SS_FOR_INIT, 0, (uint32_t)i);
        bool norm = net->graph->node[p->node].ops == &batch_norm_ops;
        if (norm)
            fill(p, ends_with(p->name, "weight") || ends_with(p->name, "var") ? 1 : 0, p->is_stat ? stats : theta);
        else
            init_weighted(net, p, study, &s, theta);
    }
}
