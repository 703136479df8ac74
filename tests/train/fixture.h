/* fixture.h - a small synthetic data set and a small network for the tests of src/train. */
#ifndef SHARPSWEEP_TESTS_TRAIN_FIXTURE_H
#define SHARPSWEEP_TESTS_TRAIN_FIXTURE_H

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/train/scratch.h"
#include "../suite.h"
#include "sharpsweep/num.h"
#include "sharpsweep/train.h"

enum { N_TRAIN = 40, N_TEST = 15 };
#define PICK(single, twice) (sizeof(ss_real) == sizeof(float) ? (single) : (twice))

typedef struct fixture { ss_dataset *data; ss_net *net; } fixture;

static inline ss_dataset *make_data(void)
{
    ss_data_options o = {.name = "synthetic", .train_subset = "first", .test_subset = "first", .standardise = "none",
        .synthetic_train = N_TRAIN, .synthetic_test = N_TEST, .synthetic_size = 4, .synthetic_channels = 1,
        .synthetic_classes = 3, .synthetic_noise = 0.5, .synthetic_seed = 7};
    ss_error error = {""};
    ss_dataset *data = ss_dataset_load(&o, &error);
    if (!data) fprintf(stderr, "%s\n", error.text);
    CU_ASSERT_PTR_NOT_NULL_FATAL(data);
    return data;
}

/* network "mlp" with one hidden layer of 8, or "linear": a single linear layer on the pixels. */
static inline fixture make(const char *network, const char *loss, bool batch_norm, double dropout)
{
    const int64_t width = 8;
    fixture f = {.data = make_data()};
    ss_model_options m = {.network = "mlp", .activation = "tanh", .widths = &width,
        .n_widths = strcmp(network, "linear") == 0 ? 0 : 1, .batch_norm = batch_norm, .dropout = dropout, .loss = loss};
    ss_shape input = {f.data->h, f.data->w, f.data->c};
    ss_layers list = {0};
    ss_error error = {""};
    if (m.n_widths == 0) {
        CU_ASSERT_EQUAL_FATAL(ss_layers_add(&list, &(ss_layer){.type = "flatten"}, &error), 0);
        CU_ASSERT_EQUAL_FATAL(ss_layers_add(&list, &(ss_layer){.type = "linear", .units = 3, .bias = true}, &error), 0);
    } else if (ss_model_layers(&m, f.data->n_classes, &list, &error) != 0) {
        fprintf(stderr, "%s\n", error.text);
    }
    f.net = ss_net_create(&list, input, f.data->n_classes, loss, &error);
    if (!f.net) fprintf(stderr, "%s\n", error.text);
    CU_ASSERT_PTR_NOT_NULL_FATAL(f.net);
    ss_layers_finish(&list);
    return f;
}

static inline void finish(fixture *f)
{
    ss_net_destroy(f->net);
    ss_dataset_destroy(f->data);
}

static inline ss_train_options plain_options(void)
{
    return (ss_train_options){.learning_rate = 0.1, .batch_size = 16, .schedule = "constant", .step_epochs = 1,
        .step_factor = 1, .ghost_batch = 1000, .micro_batch = 1000, .max_epochs = 3, .max_steps = -1,
        .divergence_loss = 1e6, .seed = 5};
}

static inline ss_trainer *make_trainer(const fixture *f, const ss_train_options *o)
{
    ss_error error = {""};
    ss_trainer *t = ss_trainer_create(f->net, f->data, o, &error);
    if (!t) fprintf(stderr, "%s\n", error.text);
    CU_ASSERT_PTR_NOT_NULL_FATAL(t);
    return t;
}

static inline ss_real *vector(size_t n)
{
    ss_real *v = ss_alloc(n, sizeof *v);
    CU_ASSERT_PTR_NOT_NULL_FATAL(v);
    return v;
}

/* Of the mean loss over the batch that the next step would use, at any theta. */
static inline double batch_gradient(ss_trainer *t, const ss_real *theta, const uint32_t *index, uint32_t n, ss_real *grad)
{
    return ss_train_gradient(t, theta, &(ss_slice){index, 0, n, n}, false, false, grad);
}

static inline bool same_bits(size_t n, const ss_real *a, const ss_real *b) { return memcmp(a, b, n * sizeof *a) == 0; }

/* ||a - b|| / ||b|| */
static inline double distance(size_t n, const ss_real *a, const ss_real *b)
{
    double d = 0, s = 0;
    for (size_t i = 0; i < n; i++) {
        d += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]);
        s += (double)b[i] * (double)b[i];
    }
    return s > 0 ? sqrt(d / s) : sqrt(d);
}

#endif
