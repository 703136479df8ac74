/* nn.h - floor 2: networks as graphs of layers over one flat parameter vector theta (n_params).
 * Four passes: forward, backward, tangent (directional derivative of forward along v) and the tangent of backward, whose
 * last result is the exact Hessian-vector product. A layer is one row of a table (src/nn/layer.h), one file each.
 * Activations are NHWC; a network draws no random number: its dropout masks are a function of the pass's counters. */
#ifndef SHARPSWEEP_NN_H
#define SHARPSWEEP_NN_H

#include "sharpsweep/base.h"

typedef struct ss_shape { int h, w, c; } ss_shape; /* features: h = w = 1 */

/* ---- description: a list of layers ------------------------------------------------------------------------------- */
typedef struct ss_layer {
    const char *type;             /* a row of ss_layer_types, or "residual" ... "end" around a residual block's body */
    char name[64];                /* PyTorch's module name; "": numbered as nn.Sequential would */
    char shortcut_name[64];       /* residual: module that holds the projection's convolution ".0" and batch norm ".1" */
    int units;                    /* linear: outputs; conv2d: output channels */
    int kernel, stride, padding;  /* conv2d and pools; kernel 0 or stride 0: 1 (conv2d), kernel (pools) */
    bool bias;                    /* linear, conv2d */
    bool projection;              /* residual: the shortcut is a 1x1 convolution to the body's shape (else the identity) */
    bool projection_norm;         /* residual: and a batch norm after it */
    double p;                     /* dropout: probability of zero, 0 <= p < 1 */
} ss_layer;
typedef struct ss_layers {
    size_t n, capacity;
    ss_layer *layer;
    bool exact;                   /* convolutions by GEMM alone (ss_window.exact) */
} ss_layers;                      /* zeroed = empty */

const char *const *ss_layer_types(void); /* NULL-terminated: linear conv2d batch_norm relu tanh gelu max_pool avg_pool
                                            global_avg_pool dropout flatten residual */
int ss_layers_add(ss_layers *list, const ss_layer *layer, ss_error *error);
void ss_layers_finish(ss_layers *list);

/* What presets and axes do to a list. batch_norm: a batch norm after every convolution, projections too; in a network
 * without convolutions, after every linear layer but the last. dropout: after the activation of every hidden linear
 * layer; in a network without one, before the last linear layer. A `layers` list that has its own batch_norm (dropout)
 * layers refuses the axis. */
typedef struct ss_model_options {
    const char *network;          /* mlp | cnn | vgg11 | resnet18 | layers (list given) */
    const char *activation;       /* relu | tanh | gelu; mlp and cnn */
    const int64_t *widths; size_t n_widths; /* mlp */
    bool batch_norm;
    double dropout;
    const char *loss;             /* cross_entropy | squared_error */
} ss_model_options;
/* Appends the preset's layers (network != layers), then applies batch_norm and dropout. */
int ss_model_layers(const ss_model_options *options, int n_classes, ss_layers *list, ss_error *error);

/* ---- network ------------------------------------------------------------------------------------------------------ */
typedef struct ss_param {         /* one tensor of theta or of the running statistics */
    char name[96];                /* "features.0.weight", "1.running_mean" */
    int n_dims; size_t dim[4];    /* PyTorch's shape: (out,in), (out,in,kh,kw), (c) */
    size_t offset, size;          /* in theta, or in stats if is_stat */
    bool is_stat;
    int node;                     /* the layer it belongs to */
} ss_param;

typedef struct ss_net {
    size_t n_params, n_stats, n_tensors;
    ss_param *tensor;             /* (n_tensors) in PyTorch's order */
    ss_shape input;
    int n_classes;
    bool has_batch_norm;          /* with batch statistics, examples are coupled */
    bool norms_features;          /* some batch norm has one position per example: of a single one there is no variance */
    double macs_per_example;      /* of one forward pass, convolutions and linear layers */
    size_t values_per_example;    /* activations that a tape keeps per example */
    struct ss_graph *graph;
} ss_net;

/* NULL and "layer 3 (linear): ..." with both shapes where layers do not fit each other or the classes. */
ss_net *ss_net_create(const ss_layers *layers, ss_shape input, int n_classes, const char *loss, ss_error *error);
void ss_net_destroy(ss_net *net);
/* How passes over n examples compute the convolutions (ss_conv_method), in the network's order, equal ones in a row counted:
 * "im2col + 3 winograd + 2 position"; "" without any. In totals where that does not fit into text (size). */
void ss_net_convolutions(const ss_net *net, size_t n, char *text, size_t size);
/* scheme "pytorch": PyTorch's defaults (U(+-1/sqrt(fan_in)) for weight and bias); "study": convolutions N(0, 2/(k^2 out)),
 * bias 0, linear as PyTorch. A pure function of (seed, tensor, element). stats: mean 0, variance 1. */
void ss_net_init(const ss_net *net, const char *scheme, uint64_t seed, ss_real *theta, ss_real *stats);
/* A tensor of a theta-like (or stats-like) vector in PyTorch's element order, and back. */
void ss_net_export(const ss_net *net, size_t tensor, const ss_real *vector, ss_real *out);
void ss_net_import(const ss_net *net, size_t tensor, const ss_real *in, ss_real *vector);

/* ---- passes over one micro-batch ------------------------------------------------------------------------------------ */
typedef struct ss_pass {
    const ss_real *theta;
    const ss_real *stats;         /* batch norm: running statistics to use; NULL: the batch's own */
    size_t n;                     /* examples, <= the tape's capacity */
    bool dropout;                 /* masks keyed by (seed, step, layer) and the example's place `first` + i in its batch */
    uint64_t seed, step;
    size_t first;
} ss_pass;

/* Values of a forward pass (y of every layer and what backward needs) and, with_backward, of a backward pass (dy). */
typedef struct ss_tape ss_tape;
ss_tape *ss_tape_create(const ss_net *net, size_t capacity, bool with_backward, ss_error *error);
void ss_tape_destroy(ss_tape *tape);
size_t ss_tape_bytes(const ss_net *net, size_t capacity, bool with_backward);
ss_real *ss_tape_input(ss_tape *tape);      /* (capacity, h, w, c), to be filled */
uint8_t *ss_tape_labels(ss_tape *tape);     /* (capacity) */
/* A backward pass's values apart, where they are to be kept (or not) by themselves: an attached tape's backward writes them
 * and its Hessian product reads them. One may serve many tapes, one after the other; it must outlive their use of it. */
typedef struct ss_deltas ss_deltas;
ss_deltas *ss_deltas_create(const ss_net *net, size_t capacity, ss_error *error);
void ss_deltas_destroy(ss_deltas *deltas);
size_t ss_deltas_bytes(const ss_net *net, size_t capacity);
void ss_tape_attach(ss_tape *tape, const ss_deltas *deltas);
/* Scratch shared by the tapes of one thread: tangents, im2col tiles. */
typedef struct ss_scratch ss_scratch;
ss_scratch *ss_scratch_create(const ss_net *net, size_t capacity, bool with_tangents, ss_error *error);
void ss_scratch_destroy(ss_scratch *scratch);
size_t ss_scratch_bytes(const ss_net *net, size_t capacity, bool with_tangents);

/* Sum (not mean) of the examples' losses; n_correct (may be NULL): argmax equals label, NaN never does. */
double ss_net_forward(const ss_net *net, const ss_pass *pass, ss_tape *tape, ss_scratch *scratch, size_t *n_correct);
/* After forward: grad (n_params) = gradient of scale * sum of losses; NULL: only the deltas. */
void ss_net_backward(const ss_net *net, const ss_pass *pass, double scale, ss_tape *tape, ss_scratch *scratch, ss_real *grad);
/* After backward (same pass and scale): hv (n_params) = Hessian of scale * sum of losses, times v. Tape unchanged. */
void ss_net_hessian_product(const ss_net *net, const ss_pass *pass, double scale, const ss_tape *tape, ss_scratch *scratch,
                            const ss_real *v, ss_real *hv);
/* After forward, backward or not: gv (n_params) = J' (d2 (scale * sum of losses) / d logits2) J v, J = d logits / d theta,
 * the Gauss-Newton matrix times v. Tape unchanged. */
void ss_net_gauss_newton_product(const ss_net *net, const ss_pass *pass, double scale, const ss_tape *tape,
                                 ss_scratch *scratch, const ss_real *v, ss_real *gv);
/* mask (n_params): the weights of linear and conv2d layers that only a batch norm reads. Where it uses batch statistics, the
 * loss does not depend on their length (but for the epsilon). Returns how many. */
size_t ss_net_scale_invariant(const ss_net *net, bool *mask);
/* stats = (1 - 0.1) stats + 0.1 * the batch statistics of the last forward (variance unbiased), as PyTorch does. */
void ss_net_update_stats(const ss_net *net, const ss_tape *tape, size_t n, ss_real *stats);

#endif
