/* nets.h - the networks that the derivative tests run over: every layer, loss and preset, alone and together. */
#ifndef SHARPSWEEP_TESTS_NETS_H
#define SHARPSWEEP_TESTS_NETS_H

#include <stdlib.h>
#include <string.h>

#include "sharpsweep/nn.h"
#include "sharpsweep/num.h"

enum { NET_LAYERS = 16 };

typedef struct net_case {
    const char *name;
    ss_shape input;
    int n_classes;
    const char *loss;
    size_t batch;
    bool running;                 /* batch norm with running statistics */
    const char *preset;           /* NULL: layer */
    bool batch_norm;
    double dropout;
    bool exact;                   /* plain GEMM: a rounding of 1e-6 moves some of a deep net's many ReLUs to the other side */
    ss_layer layer[NET_LAYERS];   /* ends at the first without a type */
} net_case;

#define LINEAR(n) {.type = "linear", .units = n, .bias = true}
#define CONV(n, k, s, p) {.type = "conv2d", .units = n, .kernel = k, .stride = s, .padding = p, .bias = true}
#define CONV_PLAIN(n, k, s, p) {.type = "conv2d", .units = n, .kernel = k, .stride = s, .padding = p}
#define LAYER(t) {.type = t}
#define POOL(t, k, s, p) {.type = t, .kernel = k, .stride = s, .padding = p}

static const net_case net_cases[] = {
    {"linear", {1, 1, 7}, 4, "cross_entropy", 6, .layer = {LINEAR(4)}},
    {"linear, squared error", {1, 1, 7}, 4, "squared_error", 6, .layer = {LINEAR(4)}},
    {"linear without bias", {1, 1, 7}, 4, "cross_entropy", 6, .layer = {{.type = "linear", .units = 5}, LAYER("tanh"),
                                                                      {.type = "linear", .units = 4}}},
    {"tanh", {1, 1, 7}, 4, "cross_entropy", 6, .layer = {LINEAR(9), LAYER("tanh"), LINEAR(8), LAYER("tanh"), LINEAR(4)}},
    {"tanh, squared error", {1, 1, 7}, 4, "squared_error", 6, .layer = {LINEAR(9), LAYER("tanh"), LINEAR(4)}},
    {"gelu", {1, 1, 7}, 4, "cross_entropy", 6, .layer = {LINEAR(9), LAYER("gelu"), LINEAR(8), LAYER("gelu"), LINEAR(4)}},
    {"relu", {1, 1, 7}, 4, "cross_entropy", 6, .layer = {LINEAR(9), LAYER("relu"), LINEAR(8), LAYER("relu"), LINEAR(4)}},
    {"relu after tanh", {1, 1, 7}, 4, "squared_error", 6, .layer = {LINEAR(9), LAYER("tanh"), LAYER("relu"), LINEAR(4)}},
    {"flatten", {3, 2, 4}, 4, "cross_entropy", 5, .layer = {LAYER("flatten"), LINEAR(6), LAYER("tanh"), LINEAR(4)}},
    {"conv 3x3", {6, 5, 3}, 4, "cross_entropy", 4, .layer = {CONV(5, 3, 1, 1), LAYER("tanh"), CONV(4, 3, 1, 1), LAYER("gelu"),
                                                            LAYER("flatten"), LINEAR(4)}},
    {"conv strides, kernels", {9, 9, 2}, 3, "squared_error", 4, .layer = {CONV(4, 5, 2, 2), LAYER("tanh"), CONV_PLAIN(3, 2, 1, 0),
                                                            LAYER("tanh"), CONV(3, 1, 1, 0), LAYER("flatten"), LINEAR(3)}},
    {"max pool", {6, 6, 2}, 4, "cross_entropy", 4, .layer = {CONV(4, 3, 1, 1), LAYER("relu"), POOL("max_pool", 2, 0, 0),
                                                            CONV(4, 3, 1, 1), POOL("max_pool", 3, 2, 1), LAYER("flatten"), LINEAR(4)}},
    {"average pools", {6, 6, 2}, 4, "cross_entropy", 4, .layer = {CONV(5, 3, 1, 1), LAYER("tanh"), POOL("avg_pool", 3, 2, 1),
                                                            CONV(4, 3, 1, 1), LAYER("tanh"), LAYER("global_avg_pool")}},
    {"batch norm, linear", {1, 1, 7}, 4, "cross_entropy", 8, .layer = {LINEAR(9), LAYER("batch_norm"), LAYER("relu"), LINEAR(8),
                                                            LAYER("batch_norm"), LAYER("tanh"), LINEAR(4)}},
    {"batch norm, running", {1, 1, 7}, 4, "cross_entropy", 8, true, .layer = {LINEAR(9), LAYER("batch_norm"), LAYER("relu"),
                                                            LINEAR(8), LAYER("batch_norm"), LAYER("tanh"), LINEAR(4)}},
    {"batch norm, conv", {6, 6, 2}, 4, "squared_error", 5, .layer = {CONV_PLAIN(5, 3, 1, 1), LAYER("batch_norm"), LAYER("tanh"),
                                                            CONV(4, 3, 2, 1), LAYER("batch_norm"), LAYER("relu"),
                                                            LAYER("global_avg_pool")}},
    {"batch norm first", {1, 1, 7}, 4, "cross_entropy", 8, .layer = {LAYER("batch_norm"), LAYER("relu"), LINEAR(6), LAYER("tanh"),
                                                            LAYER("batch_norm"), LINEAR(4)}},
    {"dropout", {1, 1, 7}, 4, "cross_entropy", 6, .layer = {LINEAR(9), LAYER("relu"), {.type = "dropout", .p = 0.3}, LINEAR(8),
                                                            LAYER("tanh"), {.type = "dropout", .p = 0.5}, LINEAR(4)}},
    {"residual, identity", {5, 5, 3}, 3, "cross_entropy", 4, .layer = {CONV(3, 3, 1, 1), LAYER("tanh"), LAYER("residual"),
                                                            CONV(3, 3, 1, 1), LAYER("batch_norm"), LAYER("relu"), CONV(3, 3, 1, 1),
                                                            LAYER("end"), LAYER("relu"), LAYER("global_avg_pool")}},
    {"residual, projection", {6, 6, 2}, 4, "cross_entropy", 4, .layer = {CONV(3, 3, 1, 1), LAYER("relu"),
                                                            {.type = "residual", .projection = true, .projection_norm = true},
                                                            CONV(4, 3, 2, 1), LAYER("batch_norm"), LAYER("relu"), CONV(4, 3, 1, 1),
                                                            LAYER("end"), LAYER("relu"), LAYER("global_avg_pool")}},
    {"residual on the input", {1, 1, 4}, 4, "squared_error", 5, .layer = {LAYER("residual"), LINEAR(6), LAYER("tanh"), LINEAR(4),
                                                            LAYER("end")}},
    {"nested residual", {1, 1, 4}, 4, "cross_entropy", 5, .layer = {LINEAR(4), LAYER("residual"), LINEAR(4), LAYER("residual"),
                                                            LAYER("tanh"), LINEAR(4), LAYER("end"), LAYER("tanh"), LAYER("end"),
                                                            LAYER("tanh"), LINEAR(4)}},
    {"preset mlp", {4, 4, 1}, 3, "cross_entropy", 6, .preset = "mlp"},
    {"preset mlp, batch norm and dropout", {4, 4, 1}, 3, "cross_entropy", 6, .preset = "mlp", .batch_norm = true, .dropout = 0.2},
    {"preset cnn", {8, 8, 1}, 10, "cross_entropy", 8, .preset = "cnn"},
    {"preset cnn, batch norm", {8, 8, 3}, 10, "cross_entropy", 8, .preset = "cnn", .batch_norm = true},
    {"preset vgg11", {32, 32, 3}, 10, "cross_entropy", 2, .preset = "vgg11", .exact = true},
    {"preset vgg11, batch norm", {32, 32, 3}, 10, "cross_entropy", 3, .preset = "vgg11", .batch_norm = true, .exact = true},
    {"preset resnet18", {16, 16, 3}, 10, "cross_entropy", 2, .preset = "resnet18", .exact = true},
    {"preset resnet18, batch norm", {16, 16, 3}, 10, "cross_entropy", 3, .preset = "resnet18", .batch_norm = true, .exact = true},
};
enum { N_NET_CASES = sizeof net_cases / sizeof *net_cases };

static inline ss_net *net_build(const net_case *c, ss_error *error)
{
    static const int64_t widths[] = {8, 6};
    ss_layers list = {.exact = c->exact};
    ss_net *net = NULL;
    int status = 0;
    if (c->preset) {
        ss_model_options o = {c->preset, "tanh", widths, 2, c->batch_norm, c->dropout, c->loss};
        status = ss_model_layers(&o, c->n_classes, &list, error);
    }
    for (size_t i = 0; !c->preset && i < NET_LAYERS && c->layer[i].type; i++) status |= ss_layers_add(&list, &c->layer[i], error);
    if (status == 0) net = ss_net_create(&list, c->input, c->n_classes, c->loss, error);
    ss_layers_finish(&list);
    return net;
}

/* A network at a random point with a random batch: weights beyond their initial values (batch norm's too), random
 * running statistics. */
typedef struct fixture {
    ss_net *net;
    ss_tape *tape;
    ss_scratch *scratch;
    ss_pass pass;
    ss_real *theta, *stats, *v, *u, *grad, *hv, *other;
} fixture;

static inline void random_vector(size_t n, uint64_t seed, double scale, ss_real *x)
{
    ss_stream s = ss_stream_make(seed, SS_FOR_TEST, 0, 0);
    for (size_t i = 0; i < n; i++) x[i] = (ss_real)(scale * ss_stream_normal(&s, i));
}

static inline ss_real *vector(size_t n) { return ss_alloc(n, sizeof(ss_real)); }

static inline int fixture_init(fixture *f, const net_case *c, ss_error *error)
{
    memset(f, 0, sizeof *f);
    if (!(f->net = net_build(c, error))) return -1;
    size_t p = f->net->n_params, n = c->batch;
    f->tape = ss_tape_create(f->net, n, true, error);
    f->scratch = ss_scratch_create(f->net, n, true, error);
    f->theta = vector(p), f->stats = vector(f->net->n_stats), f->v = vector(p), f->u = vector(p), f->grad = vector(p);
    f->hv = vector(p), f->other = vector(p);
    if (!f->tape || !f->scratch || !f->other) return -1;
    ss_net_init(f->net, "pytorch", 11, f->theta, f->stats);
    random_vector(p, 1, 0.05, f->other);
    ss_axpy(p, 1, f->other, f->theta);
    random_vector(f->net->n_stats, 2, 0.1, f->stats);
    for (size_t i = 0; i < f->net->n_stats; i++) f->stats[i] = f->stats[i] * f->stats[i] + (ss_real)0.7;
    random_vector(p, 3, 1, f->v);
    ss_scale(p, 1 / ss_norm(p, f->v), f->v);
    random_vector(p, 4, 1, f->u);
    size_t size = (size_t)c->input.h * (size_t)c->input.w * (size_t)c->input.c;
    random_vector(n * size, 5, 1, ss_tape_input(f->tape));
    ss_stream s = ss_stream_make(6, SS_FOR_TEST, 0, 0);
    for (size_t i = 0; i < n; i++) ss_tape_labels(f->tape)[i] = (uint8_t)(ss_stream_u32(&s, i) % (uint32_t)c->n_classes);
    f->pass = (ss_pass){.theta = f->theta, .stats = c->running ? f->stats : NULL, .n = n, .dropout = true, .seed = 9, .step = 3,
                        .first = 2};
    return 0;
}

static inline void fixture_finish(fixture *f)
{
    ss_tape_destroy(f->tape);
    ss_scratch_destroy(f->scratch);
    ss_free(f->theta), ss_free(f->stats), ss_free(f->v), ss_free(f->u), ss_free(f->grad), ss_free(f->hv), ss_free(f->other);
    ss_net_destroy(f->net);
}

/* Mean loss at theta; grad may be NULL. */
static inline double loss_at(fixture *f, const ss_real *theta, ss_real *grad)
{
    ss_pass pass = f->pass;
    pass.theta = theta;
    double sum = ss_net_forward(f->net, &pass, f->tape, f->scratch, NULL);
    if (grad) ss_net_backward(f->net, &pass, 1 / (double)pass.n, f->tape, f->scratch, grad);
    return sum / (double)pass.n;
}

static inline void hessian_product(fixture *f, const ss_real *v, ss_real *hv)
{
    ss_net_hessian_product(f->net, &f->pass, 1 / (double)f->pass.n, f->tape, f->scratch, v, hv);
}

#endif
