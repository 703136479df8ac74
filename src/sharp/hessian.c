/* hessian.c - the Hessian of the mean training loss over chosen examples, as an operator.
 * The examples are cut into batches: ghost batches where batch norm couples examples through their statistics, otherwise
 * micro-batches, which are only a matter of memory. The mean is over examples: every batch is scaled by 1/examples, so
 * that a short last one counts by what it holds. A tape holds one batch's activations and deltas at the point; as many
 * batches as cache_bytes allows keep their own, the rest share one and are computed anew for every product. Either way
 * the same calls are made on the same numbers and the sum runs in double in the batches' order: the bits are equal. */
#include "sharpsweep/sharp.h"

#include <assert.h>
#include <string.h>

#define NO_BATCH UINT32_MAX

struct ss_hessian {
    const ss_net *net;
    const ss_dataset *data;
    uint32_t n_examples, batch, n_batches; /* batch: examples in each but the last */
    bool running;                 /* batch norm by the running statistics */
    double l2;
    uint32_t *index;              /* (n_examples); NULL: the first ones */
    ss_real *theta, *stats;
    double *loss;                 /* (n_batches) mean-scaled share of each batch, as far as its pass was run */
    uint32_t n_tapes;
    ss_tape **tape;               /* (n_tapes) */
    uint32_t *held;               /* (n_tapes) whose passes stand in it */
    ss_scratch *scratch;
    double *sum;                  /* (n_params) over batches, and one batch's share; with one batch neither is needed */
    ss_real *part;
    bool (*should_stop)(void *ctx);
    void *stop_ctx;
    size_t bytes;
};

static int check_options(const ss_net *net, const ss_dataset *data, const ss_hessian_options *o, ss_error *error)
{
    if (net->input.h != data->h || net->input.w != data->w || net->input.c != data->c)
        return ss_fail(error, "the network takes examples of %d x %d x %d, the data set %s has %d x %d x %d", net->input.h,
                       net->input.w, net->input.c, data->path, data->h, data->w, data->c);
    if (net->n_classes < data->n_classes)
        return ss_fail(error, "the network tells %d classes apart, the data set %s has %d", net->n_classes, data->path,
                       data->n_classes);
    if (data->train.n == 0) return ss_fail(error, "the data set %s has no training examples", data->path);
    if (o->examples > data->train.n)
        return ss_fail(error, "curvature over %u examples: the training subset holds %u; use that many, or 0 for all",
                       o->examples, data->train.n);
    if (strcmp(o->subset, "first") != 0 && strcmp(o->subset, "even") != 0)
        return ss_fail(error, "curvature subset \"%s\": expected \"first\" or \"even\"", o->subset);
    if (strcmp(o->batch_norm, "batch") != 0 && strcmp(o->batch_norm, "running") != 0)
        return ss_fail(error, "curvature batch norm \"%s\": expected \"batch\" or \"running\"", o->batch_norm);
    if (o->ghost_batch == 0 || o->micro_batch == 0)
        return ss_fail(error, "curvature ghost batch %u, micro-batch %u: expected at least 1 example", o->ghost_batch,
                       o->micro_batch);
    return 0;
}

static uint32_t batch_examples(const ss_hessian *h, uint32_t b)
{
    uint32_t left = h->n_examples - b * h->batch;
    return left < h->batch ? left : h->batch;
}

static void *take(ss_hessian *h, size_t n, size_t size)
{
    h->bytes += n * size;
    return ss_alloc(n, size);
}

static int create_vectors(ss_hessian *h, bool even, ss_error *error)
{
    size_t p = h->net->n_params;
    bool several = h->n_batches > 1;
    h->theta = take(h, p, sizeof *h->theta);
    h->stats = take(h, h->net->n_stats, sizeof *h->stats);
    h->loss = take(h, h->n_batches, sizeof *h->loss);
    if (even) h->index = take(h, h->n_examples, sizeof *h->index);
    if (several) h->sum = take(h, p, sizeof *h->sum);
    if (several) h->part = take(h, p, sizeof *h->part);
    if (!h->theta || !h->stats || !h->loss || (even && !h->index) || (several && (!h->sum || !h->part)))
        return ss_fail(error, "no memory for the Hessian of %zu parameters over %u batches", p, h->n_batches);
    for (uint32_t i = 0; even && i < h->n_examples; i++) h->index[i] = ss_even_index(i, h->n_examples, h->data->train.n);
    return 0;
}

static int create_tapes(ss_hessian *h, size_t cache_bytes, ss_error *error)
{
    size_t each = ss_tape_bytes(h->net, h->batch, true), fit = cache_bytes / each;
    h->n_tapes = fit < 1 ? 1 : fit < h->n_batches ? (uint32_t)fit : h->n_batches;
    h->tape = take(h, h->n_tapes, sizeof *h->tape);
    h->held = take(h, h->n_tapes, sizeof *h->held);
    if (!h->tape || !h->held) return ss_fail(error, "no memory for a list of %u tapes", h->n_tapes);
    h->scratch = ss_scratch_create(h->net, h->batch, true, error);
    if (!h->scratch) return ss_fail_in(error, "curvature");
    h->bytes += ss_scratch_bytes(h->net, h->batch, true);
    for (uint32_t i = 0; i < h->n_tapes; i++) {
        h->held[i] = NO_BATCH;
        h->tape[i] = ss_tape_create(h->net, h->batch, true, error);
        if (!h->tape[i] && i == 0) return ss_fail_in(error, "curvature");
        if (!h->tape[i]) h->n_tapes = i; /* memory for a smaller cache only: slower, the same bits */
        else h->bytes += each;
    }
    return 0;
}

ss_hessian *ss_hessian_create(const ss_net *net, const ss_dataset *data, const ss_hessian_options *options, ss_error *error)
{
    if (check_options(net, data, options, error) != 0) return NULL;
    ss_hessian *h = ss_alloc(1, sizeof *h);
    if (!h) {
        ss_fail(error, "no memory for the Hessian");
        return NULL;
    }
    h->net = net, h->data = data, h->l2 = options->l2;
    h->bytes = sizeof *h;
    h->running = strcmp(options->batch_norm, "running") == 0;
    h->n_examples = options->examples ? options->examples : data->train.n;
    h->batch = net->has_batch_norm && !h->running ? options->ghost_batch : options->micro_batch;
    if (h->batch > h->n_examples) h->batch = h->n_examples;
    h->n_batches = (h->n_examples - 1) / h->batch + 1;
    if (create_vectors(h, strcmp(options->subset, "even") == 0, error) != 0 ||
        create_tapes(h, options->cache_bytes, error) != 0) {
        ss_hessian_destroy(h);
        return NULL;
    }
    return h;
}

void ss_hessian_destroy(ss_hessian *h)
{
    if (!h) return;
    for (uint32_t i = 0; h->tape && i < h->n_tapes; i++) ss_tape_destroy(h->tape[i]);
    ss_scratch_destroy(h->scratch);
    ss_free(h->tape);
    ss_free(h->held);
    ss_free(h->index);
    ss_free(h->theta);
    ss_free(h->stats);
    ss_free(h->loss);
    ss_free(h->sum);
    ss_free(h->part);
    ss_free(h);
}

size_t ss_hessian_bytes(const ss_hessian *h)
{
    return h->bytes;
}

size_t ss_hessian_n_params(const ss_hessian *h)
{
    return h->net->n_params;
}

void ss_hessian_set(ss_hessian *h, const ss_real *theta, const ss_real *stats)
{
    assert(stats || h->net->n_stats == 0);
    memcpy(h->theta, theta, h->net->n_params * sizeof *theta);
    if (h->net->n_stats > 0) memcpy(h->stats, stats, h->net->n_stats * sizeof *stats);
    for (uint32_t i = 0; i < h->n_tapes; i++) h->held[i] = NO_BATCH;
}

void ss_hessian_set_stop(ss_hessian *h, bool (*should_stop)(void *ctx), void *ctx)
{
    h->should_stop = should_stop;
    h->stop_ctx = ctx;
}

static double scale_of(const ss_hessian *h)
{
    return 1.0 / h->n_examples;
}

static ss_pass pass_of(const ss_hessian *h, uint32_t b)
{
    return (ss_pass){.theta = h->theta, .stats = h->running ? h->stats : NULL, .n = batch_examples(h, b),
                     .first = (size_t)b * h->batch};
}

/* The tape of batch b with its forward and backward pass run at the point. grad: also its share of the gradient. */
static ss_tape *ready_tape(ss_hessian *h, uint32_t b, ss_real *grad)
{
    uint32_t slot = b < h->n_tapes ? b : h->n_tapes - 1;
    ss_tape *tape = h->tape[slot];
    ss_pass pass = pass_of(h, b);
    bool held = h->held[slot] == b;
    if (!held) {
        uint32_t first = b * h->batch;
        ss_dataset_batch(h->data, &h->data->train, h->index ? h->index + first : NULL, first, (uint32_t)pass.n,
                         ss_tape_input(tape), ss_tape_labels(tape));
        h->loss[b] = scale_of(h) * ss_net_forward(h->net, &pass, tape, h->scratch, NULL);
    }
    if (!held || grad) ss_net_backward(h->net, &pass, scale_of(h), tape, h->scratch, grad);
    h->held[slot] = b;
    return tape;
}

int ss_hessian_apply(void *ctx, const ss_real *v, ss_real *hv, ss_error *error)
{
    ss_hessian *h = ctx;
    size_t p = h->net->n_params;
    bool several = h->n_batches > 1;
    (void)error;
    if (h->should_stop && h->should_stop(h->stop_ctx)) return 1;
    if (several) memset(h->sum, 0, p * sizeof *h->sum);
    for (uint32_t b = 0; b < h->n_batches; b++) {
        ss_tape *tape = ready_tape(h, b, NULL);
        ss_pass pass = pass_of(h, b);
        ss_net_hessian_product(h->net, &pass, scale_of(h), tape, h->scratch, v, several ? h->part : hv);
        if (several) ss_accumulate(p, h->part, h->sum);
    }
    if (several) ss_round(p, h->sum, 1, hv);
    if (h->l2 != 0) ss_axpy(p, h->l2, v, hv);
    return 0;
}

double ss_hessian_loss(ss_hessian *h, ss_real *grad)
{
    size_t p = h->net->n_params;
    bool several = h->n_batches > 1;
    double loss = 0;
    if (grad && several) memset(h->sum, 0, p * sizeof *h->sum);
    for (uint32_t b = 0; b < h->n_batches; b++) {
        ready_tape(h, b, grad && several ? h->part : grad);
        loss += h->loss[b];
        if (grad && several) ss_accumulate(p, h->part, h->sum);
    }
    if (grad && several) ss_round(p, h->sum, 1, grad);
    return loss;
}
