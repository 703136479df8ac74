/* layer.h - inside nn: what a layer is. A new layer is one new file and one new row in layers.c. */
#ifndef SHARPSWEEP_NN_LAYER_H
#define SHARPSWEEP_NN_LAYER_H

#include "sharpsweep/nn.h"
#include "sharpsweep/num.h"

enum { MAX_INPUTS = 2, SUMS_PER_CHANNEL = 16 };

typedef struct ss_node ss_node;

/* One call of one layer over n examples. Pointers that are NULL mean: x has no tangent (data), nobody wants this delta,
 * no gradient is asked for. dx and tdx are written as beta * old + new. */
typedef struct layer_io {
    const ss_node *node;
    const ss_pass *pass;
    size_t n;
    ss_real *x[MAX_INPUTS], *y;           /* inputs, output; y == x[0] where the node works in place */
    const ss_real *dy;                    /* delta: d(scale * loss)/dy */
    ss_real *dx[MAX_INPUTS];
    double beta[MAX_INPUTS];
    ss_real *grad;
    const ss_real *v;                     /* direction in parameter space; tx, ty: tangents along it */
    const ss_real *tx[MAX_INPUTS];
    ss_real *ty;
    const ss_real *tdy;                   /* tangent of the delta */
    ss_real *tdx[MAX_INPUTS];
    ss_real *hv;
    void *saved;                          /* what forward keeps for the other passes, ops->saved_bytes */
    double *stat;                         /* 3 c doubles that forward keeps (batch norm) */
    ss_real *work;                        /* convolution tiles */
    double *sums;                         /* SUMS_PER_CHANNEL c doubles of scratch, free between calls */
    double *tstat;                        /* 2 c doubles that tangent keeps for tangent_backward */
} layer_io;

typedef struct layer_ops {
    const char *type;
    /* Sets node->shape, window, params from spec and the inputs' shapes; -1 and a sentence where they do not fit. */
    int (*plan)(ss_net *net, ss_node *node, const ss_shape *in, ss_error *error);
    void (*forward)(const layer_io *io);
    void (*backward)(const layer_io *io);
    void (*tangent)(const layer_io *io);
    void (*tangent_backward)(const layer_io *io);
    size_t (*saved_bytes)(const ss_node *node, size_t n); /* NULL: nothing */
    bool needs_output;                    /* later passes read y: nobody may overwrite it */
    bool in_place;                        /* may overwrite its input where nobody else needs that */
    bool keeps_stat;
    bool fuses_relu;                      /* can apply a ReLU that follows in place: node->relu */
} layer_ops;

struct ss_node {
    const layer_ops *ops;
    ss_layer spec;
    char name[80];                        /* module name */
    int in[MAX_INPUTS], n_in;             /* nodes; 0 is the network's input */
    ss_shape shape;
    size_t size;                          /* h * w * c */
    ss_window window;
    size_t weight, bias;                  /* offsets in theta; valid where has_* */
    bool has_weight, has_bias;
    size_t stat;                          /* batch norm: offset of running mean, then variance, in stats */
    bool constant;                        /* no parameter upstream or here: no delta, no tangent */
    bool adds_delta[MAX_INPUTS];          /* a later consumer of in[k] has written its delta already */
    bool in_place;                        /* y is x[0] */
    bool relu, fused;                     /* applies the ReLU that follows; is such a ReLU */
    bool overwrites_input;                /* batch norm: the normalised values replace x[0] */
    int n_consumers;
    uint32_t draw;                        /* dropout: which of the network's dropout layers */
};

typedef struct ss_graph {
    int n_nodes;
    ss_node *node;                        /* topological order; node[0] is the input, the last gives the logits */
    const struct loss_ops *loss;
    size_t work;                          /* ss_real of convolution tiles */
    size_t max_c;
} ss_graph;

typedef struct loss_ops {
    const char *name;
    double (*sum)(size_t n, size_t k, const ss_real *logits, const uint8_t *label);
    void (*delta)(size_t n, size_t k, const ss_real *logits, const uint8_t *label, double scale, ss_real *dy);
    void (*tangent)(size_t n, size_t k, const ss_real *logits, const ss_real *tz, double scale, ss_real *tdy);
} loss_ops;

extern const layer_ops linear_ops, conv2d_ops, batch_norm_ops, relu_ops, tanh_ops, gelu_ops, max_pool_ops, avg_pool_ops,
    global_avg_pool_ops, dropout_ops, flatten_ops, add_ops;

const layer_ops *layer_find(const char *type);   /* NULL if unknown */
const loss_ops *loss_find(const char *name);
/* Appends a tensor of theta (or of the running statistics); returns its offset there. -1 in *failed: memory. */
size_t tensor_add(ss_net *net, const ss_node *node, const char *suffix, int n_dims, const size_t *dim, bool is_stat,
                  bool *failed);
/* Where element e of PyTorch's order lies within the tensor as we hold it: linear (in, out), convolutions (kh, kw, in,
 * out). */
size_t tensor_index(const ss_param *p, size_t e);
void rows_to_grad(size_t n, const double *sum, ss_real *grad);

/* The passes' view of a tape and a scratch. */
struct ss_tape {
    size_t capacity;
    ss_arena arena;
    ss_real **y;                          /* per node */
    ss_real **dy;                         /* per node, of the attached deltas; NULL: none */
    ss_deltas *own;
    void **saved;
    double **stat;
    const ss_real *logits;                /* of the last forward pass */
    uint8_t *label;
};
struct ss_deltas {
    size_t capacity;
    ss_arena arena;
    ss_real **dy;                         /* per node */
};
struct ss_scratch {
    ss_arena arena;
    ss_real **ty, **tdy;
    double **tstat;
    ss_real *work;
    double *sums;
};

#endif
