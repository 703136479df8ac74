/* fixture.h - tiny networks on tiny data, and their dense Hessians. */
#ifndef SHARPSWEEP_TESTS_SHARP_FIXTURE_H
#define SHARPSWEEP_TESTS_SHARP_FIXTURE_H

#include "sharpsweep/sharp.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static inline double by_precision(double in_float, double in_double)
{
    return sizeof(ss_real) == sizeof(double) ? in_double : in_float;
}

typedef struct setup {
    ss_dataset *data;
    ss_net *net;
    size_t p;
    ss_real *theta, *stats;
} setup;

static inline ss_dataset *synthetic(uint32_t n, int size, int channels, int classes)
{
    ss_data_options o = {.name = "synthetic", .train_subset = "first", .test_subset = "first", .standardise = "pixel",
                         .synthetic_train = n, .synthetic_test = 4, .synthetic_size = size, .synthetic_channels = channels,
                         .synthetic_classes = classes, .synthetic_noise = 1, .synthetic_seed = 3};
    ss_error error = {{0}};
    ss_dataset *data = ss_dataset_load(&o, &error);
    if (!data) fprintf(stderr, "%s\n", error.text), abort();
    return data;
}

static inline setup setup_make(ss_dataset *data, const ss_layer *layer, size_t n_layers, const char *loss)
{
    setup s = {.data = data};
    ss_layers list = {0};
    ss_error error = {{0}};
    for (size_t i = 0; i < n_layers; i++)
        if (ss_layers_add(&list, &layer[i], &error) != 0) fprintf(stderr, "%s\n", error.text), abort();
    s.net = ss_net_create(&list, (ss_shape){data->h, data->w, data->c}, data->n_classes, loss, &error);
    if (!s.net) fprintf(stderr, "%s\n", error.text), abort();
    ss_layers_finish(&list);
    s.p = s.net->n_params;
    s.theta = ss_alloc(s.p, sizeof(ss_real));
    s.stats = ss_alloc(s.net->n_stats, sizeof(ss_real));
    ss_net_init(s.net, "pytorch", 1, s.theta, s.stats);
    return s;
}

static inline void setup_drop(setup *s)
{
    ss_net_destroy(s->net);
    ss_dataset_destroy(s->data);
    ss_free(s->theta);
    ss_free(s->stats);
}

static const ss_layer softmax_layers[] = {{.type = "flatten"}, {.type = "linear", .units = 3, .bias = true}};
static const ss_layer mlp_layers[] = {{.type = "flatten"}, {.type = "linear", .units = 5, .bias = true}, {.type = "tanh"},
    {.type = "linear", .units = 4, .bias = true}, {.type = "gelu"}, {.type = "linear", .units = 3, .bias = true}};
static const ss_layer cnn_layers[] = {
    {.type = "conv2d", .units = 3, .kernel = 3, .padding = 1, .bias = true}, {.type = "batch_norm"}, {.type = "tanh"},
    {.type = "max_pool", .kernel = 2}, {.type = "conv2d", .units = 4, .kernel = 2}, {.type = "batch_norm"},
    {.type = "gelu"}, {.type = "flatten"}, {.type = "linear", .units = 3, .bias = true}};
#define SETUP(data, layers, loss) setup_make(data, layers, sizeof layers / sizeof *layers, loss)

static inline setup softmax_setup(void) { return SETUP(synthetic(37, 3, 1, 3), softmax_layers, "cross_entropy"); }
static inline setup mlp_setup(void) { return SETUP(synthetic(37, 3, 1, 3), mlp_layers, "cross_entropy"); }
static inline setup cnn_setup(void) { return SETUP(synthetic(37, 4, 2, 3), cnn_layers, "cross_entropy"); }

static inline ss_hessian_options plain_options(void)
{
    return (ss_hessian_options){.subset = "first", .batch_norm = "batch", .ghost_batch = 16, .micro_batch = 10,
                                .cache_bytes = SIZE_MAX};
}

/* The operator at the setup's point. */
static inline ss_hessian *hessian_make(const setup *s, const ss_hessian_options *o)
{
    ss_error error = {{0}};
    ss_hessian *h = ss_hessian_create(s->net, s->data, o, &error);
    if (!h) fprintf(stderr, "%s\n", error.text), abort();
    ss_hessian_set(h, s->theta, s->stats);
    return h;
}

static inline ss_real *random_vector(size_t n, uint32_t what)
{
    ss_real *x = ss_alloc(n, sizeof *x);
    ss_stream stream = ss_stream_make(7, SS_FOR_TEST, 0, what);
    for (size_t i = 0; x && i < n; i++) x[i] = (ss_real)ss_stream_normal(&stream, i);
    return x;
}

/* Column by column: (p, p). */
static inline double *dense(ss_hessian *h)
{
    size_t p = ss_hessian_n_params(h);
    double *a = ss_alloc(p * p, sizeof *a);
    ss_real *e = ss_alloc(p, sizeof *e), *column = ss_alloc(p, sizeof *column);
    for (size_t j = 0; j < p; j++) {
        e[j] = 1;
        ss_hessian_apply(h, e, column, NULL);
        e[j] = 0;
        for (size_t i = 0; i < p; i++) a[i * p + j] = (double)column[i];
    }
    ss_free(e);
    ss_free(column);
    return a;
}

static inline double distance(size_t n, const ss_real *x, const ss_real *y)
{
    ss_real *d = ss_alloc(n, sizeof *d);
    memcpy(d, x, n * sizeof *d);
    ss_axpy(n, -1, y, d);
    double norm = ss_norm(n, d);
    ss_free(d);
    return norm;
}

static inline const ss_param *tensor_named(const ss_net *net, const char *name)
{
    for (size_t i = 0; i < net->n_tensors; i++)
        if (strcmp(net->tensor[i].name, name) == 0) return &net->tensor[i];
    fprintf(stderr, "no tensor %s\n", name);
    abort();
}

#endif
