/* graph.c - from a list of layers to a network: nodes in topological order, shapes, tensors of theta. */
#include <stdio.h>
#include <string.h>

#include "layer.h"

enum { MAX_DEPTH = 8 };

/* Where a Sequential numbers its members: the top level, a residual block's body. */
typedef struct level { char prefix[64]; int n; int entry; ss_layer residual; char residual_name[80]; } level;

typedef struct planner {
    ss_net *net;
    ss_error *error;
    int current;                          /* node whose output comes next */
    level level[MAX_DEPTH];
    int depth;
    struct { char prefix[64]; int n; } group[8]; /* "features.", "classifier.": members counted so far */
    int n_groups;
    uint32_t n_draws;
} planner;

size_t tensor_add(ss_net *net, const ss_node *node, const char *suffix, int n_dims, const size_t *dim, bool is_stat,
                  bool *failed)
{
    ss_param *grown = ss_realloc(net->tensor, net->n_tensors, net->n_tensors + 1, sizeof *grown);
    if (!grown) {
        *failed = true;
        return 0;
    }
    net->tensor = grown;
    ss_param *p = &grown[net->n_tensors++];
    snprintf(p->name, sizeof p->name, "%s.%s", node->name, suffix);
    p->n_dims = n_dims;
    p->size = 1;
    for (int i = 0; i < n_dims; i++) {
        p->dim[i] = dim[i];
        p->size *= dim[i];
    }
    p->is_stat = is_stat;
    p->node = (int)(node - net->graph->node);
    size_t *total = is_stat ? &net->n_stats : &net->n_params;
    p->offset = *total;
    *total += p->size;
    return p->offset;
}

void rows_to_grad(size_t n, const double *sum, ss_real *grad)
{
    for (size_t i = 0; i < n; i++) grad[i] = (ss_real)sum[i];
}

static int group_next(planner *p, const char *prefix)
{
    for (int i = 0; i < p->n_groups; i++)
        if (!strcmp(p->group[i].prefix, prefix)) return p->group[i].n++;
    if (p->n_groups == (int)(sizeof p->group / sizeof *p->group)) return -1;
    snprintf(p->group[p->n_groups].prefix, sizeof p->group[0].prefix, "%s", prefix);
    p->group[p->n_groups++].n = 1;
    return 0;
}

/* PyTorch's module name: as given; numbered in its group ("features." -> "features.3"); numbered as in nn.Sequential. */
static void name_layer(planner *p, const ss_layer *spec, char out[80])
{
    level *l = &p->level[p->depth];
    size_t length = strlen(spec->name);
    if (length == 0)
        snprintf(out, 80, "%.60s%d", l->prefix, l->n++);
    else if (spec->name[length - 1] == '.')
        snprintf(out, 80, "%s%d", spec->name, group_next(p, spec->name));
    else
        snprintf(out, 80, "%s", spec->name);
}

static int node_add(planner *p, const layer_ops *ops, const ss_layer *spec, const char *name, int in0, int in1)
{
    ss_graph *g = p->net->graph;
    ss_node *grown = ss_realloc(g->node, (size_t)g->n_nodes, (size_t)g->n_nodes + 1, sizeof *grown);
    if (!grown) return ss_fail(p->error, "out of memory for the network's layers");
    g->node = grown;
    ss_node *node = &grown[g->n_nodes];
    *node = (ss_node){.ops = ops, .spec = *spec, .in = {in0, in1}, .n_in = in1 < 0 ? 1 : 2};
    snprintf(node->name, sizeof node->name, "%s", name);
    ss_shape in[MAX_INPUTS] = {grown[in0].shape, in1 < 0 ? (ss_shape){0} : grown[in1].shape};
    g->n_nodes++;
    size_t tensors = p->net->n_tensors;
    if (ops->plan(p->net, node, in, p->error)) return -1;
    node->size = (size_t)node->shape.h * (size_t)node->shape.w * (size_t)node->shape.c;
    node->constant = p->net->n_tensors == tensors;
    for (int k = 0; k < node->n_in; k++) node->constant &= grown[node->in[k]].constant;
    if (ops == &dropout_ops) node->draw = p->n_draws++;
    return g->n_nodes - 1;
}

static int residual_begin(planner *p, const ss_layer *spec)
{
    if (p->depth + 1 == MAX_DEPTH) return ss_fail(p->error, "residual blocks are nested more than %d deep", MAX_DEPTH - 1);
    char name[80];
    name_layer(p, spec, name);
    level *l = &p->level[++p->depth];
    *l = (level){.entry = p->current, .residual = *spec};
    snprintf(l->prefix, sizeof l->prefix, "%.50s.body.", name);
    snprintf(l->residual_name, sizeof l->residual_name, "%s", name);
    return p->current;
}

/* The shortcut: the identity, or a 1x1 convolution (and batch norm) to the body's shape. */
static int shortcut(planner *p, const level *l)
{
    if (!l->residual.projection) return l->entry;
    const ss_node *node = p->net->graph->node;
    ss_shape in = node[l->entry].shape, out = node[p->current].shape;
    int stride = out.h > 0 ? (in.h + out.h - 1) / out.h : 1;
    ss_layer conv = {.type = "conv2d", .units = out.c, .kernel = 1, .stride = stride, .bias = l->residual.bias};
    char base[64], name[80];
    if (l->residual.shortcut_name[0])
        snprintf(base, sizeof base, "%s", l->residual.shortcut_name);
    else
        snprintf(base, sizeof base, "%.50s.shortcut", l->residual_name);
    snprintf(name, sizeof name, "%s.0", base);
    int last = node_add(p, &conv2d_ops, &conv, name, l->entry, -1);
    if (last < 0 || !l->residual.projection_norm) return last;
    ss_layer norm = {.type = "batch_norm"};
    snprintf(name, sizeof name, "%s.1", base);
    return node_add(p, &batch_norm_ops, &norm, name, last, -1);
}

static int residual_end(planner *p)
{
    if (p->depth == 0) return ss_fail(p->error, "a residual block ends that was never begun");
    level l = p->level[p->depth];
    if (p->current == l.entry) return ss_fail(p->error, "a residual block needs at least one layer in its body");
    int side = shortcut(p, &l);
    if (side < 0) return -1;
    p->depth--;
    ss_layer sum = {.type = "add"};
    char name[80];
    snprintf(name, sizeof name, "%.70s.add", l.residual_name);
    return node_add(p, &add_ops, &sum, name, p->current, side);
}

static int layer_plan(planner *p, const ss_layer *spec)
{
    if (!strcmp(spec->type, "residual")) return residual_begin(p, spec);
    if (!strcmp(spec->type, "end")) return residual_end(p);
    const layer_ops *ops = layer_find(spec->type);
    if (!ops) return ss_fail(p->error, "there is no layer of this type");
    char name[80];
    name_layer(p, spec, name);
    return node_add(p, ops, spec, name, p->current, -1);
}

static int plan_layers(planner *p, const ss_layers *layers)
{
    ss_graph *g = p->net->graph;
    ss_shape in = p->net->input;
    if (!(g->node = ss_alloc(1, sizeof *g->node))) return ss_fail(p->error, "out of memory for the network's layers");
    g->node[0] = (ss_node){.shape = in, .size = (size_t)in.h * (size_t)in.w * (size_t)in.c, .constant = true, .name = "input"};
    g->n_nodes = 1;
    for (size_t i = 0; i < layers->n; i++) {
        p->current = layer_plan(p, &layers->layer[i]);
        if (p->current < 0) return ss_fail_in(p->error, "layer %zu (%s)", i + 1, layers->layer[i].type);
    }
    if (p->depth > 0) return ss_fail(p->error, "a residual block is not ended");
    if (p->current != g->n_nodes - 1 || p->current == 0) return ss_fail(p->error, "the network has no layers");
    ss_shape out = g->node[p->current].shape;
    if (out.h != 1 || out.w != 1 || out.c != p->net->n_classes)
        return ss_fail(p->error, "the last layer gives %dx%dx%d (height x width x channels) but the data has %d classes",
                       out.h, out.w, out.c, p->net->n_classes);
    if (p->net->n_params == 0) return ss_fail(p->error, "the network has no parameters to train");
    return 0;
}

/* Who may work in place, who adds to a delta instead of writing it, and how much scratch is needed. */
static void plan_buffers(ss_net *net, bool exact)
{
    ss_graph *g = net->graph;
    for (int i = 1; i < g->n_nodes; i++)
        for (int k = 0; k < g->node[i].n_in; k++) g->node[g->node[i].in[k]].n_consumers++;
    for (int i = g->n_nodes - 1; i > 0; i--) {
        ss_node *node = &g->node[i];
        for (int k = 0; k < node->n_in; k++)
            for (int j = g->n_nodes - 1; j >= i; j--)
                for (int l = 0; l < g->node[j].n_in; l++)
                    if ((j > i || l < k) && g->node[j].in[l] == node->in[k]) node->adds_delta[k] = true;
        const ss_node *in = &g->node[node->in[0]];
        bool free_input = node->in[0] != 0 && in->n_consumers == 1 && !in->ops->needs_output && !in->constant;
        node->in_place = free_input && node->ops->in_place;
        node->fused = node->in_place && node->ops == &relu_ops && in->ops->fuses_relu;
        g->node[node->in[0]].relu = node->fused;
        node->overwrites_input = free_input && node->ops == &batch_norm_ops && !in->in_place;
        node->window.exact = exact;
        size_t work = node->ops == &conv2d_ops ? ss_conv_work(&node->window) : 0;
        if (work > g->work) g->work = work;
        if ((size_t)node->shape.c > g->max_c) g->max_c = (size_t)node->shape.c;
    }
}

ss_net *ss_net_create(const ss_layers *layers, ss_shape input, int n_classes, const char *loss, ss_error *error)
{
    ss_net *net = ss_alloc(1, sizeof *net);
    if (!net || !(net->graph = ss_alloc(1, sizeof *net->graph))) {
        ss_fail(error, "out of memory for a network");
        ss_net_destroy(net);
        return NULL;
    }
    net->input = input;
    net->n_classes = n_classes;
    planner p = {.net = net, .error = error};
    if (!(net->graph->loss = loss_find(loss)))
        ss_fail(error, "loss: %s is not known; expected cross_entropy or squared_error", loss);
    if (!net->graph->loss || plan_layers(&p, layers)) {
        ss_net_destroy(net);
        return NULL;
    }
    plan_buffers(net, layers->exact);
    enum { SAMPLE = 1024 };
    net->values_per_example = ss_tape_bytes(net, SAMPLE, true) / SAMPLE / sizeof(ss_real);
    return net;
}

void ss_net_destroy(ss_net *net)
{
    if (!net) return;
    if (net->graph) ss_free(net->graph->node);
    ss_free(net->graph);
    ss_free(net->tensor);
    ss_free(net);
}

size_t ss_net_scale_invariant(const ss_net *net, bool *mask)
{
    const ss_graph *g = net->graph;
    size_t n = 0;
    memset(mask, 0, net->n_params * sizeof *mask);
    for (int i = 1; i < g->n_nodes; i++) {
        int from = g->node[i].in[0];
        const ss_node *in = &g->node[from];
        if (g->node[i].ops != &batch_norm_ops || in->n_consumers != 1) continue;
        if (in->ops != &linear_ops && in->ops != &conv2d_ops) continue;
        for (size_t t = 0; t < net->n_tensors; t++) {
            const ss_param *p = &net->tensor[t];
            if (p->is_stat || p->node != from || p->offset != in->weight) continue;
            memset(mask + p->offset, 1, p->size * sizeof *mask);
            n += p->size;
        }
    }
    return n;
}
