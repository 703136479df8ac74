/* hessian.c - the Hessian of the mean training loss over chosen examples, as an operator.
 * The examples are cut into batches: ghost batches where batch norm couples examples through their statistics, otherwise
 * micro-batches, which are only a matter of memory. The mean is over examples: every batch is scaled by 1/examples, so
 * that a short last one counts by what it holds. Of a batch at the point, a tape holds the activations and a set of deltas
 * the backward pass. As many batches as cache_bytes allows keep theirs between products (ss_keep_plan); the rest share the
 * last tape, or the last set of deltas, and compute theirs anew for every product, or once for several directions
 * (ss_hessian_apply_block). Whatever is kept, the same calls are made on the same numbers and the sum runs in double in
 * the batches' order: the bits are equal. */
#include "sharpsweep/sharp.h"

#include <assert.h>
#include <string.h>

#include "operator.h"

#define NO_BATCH UINT32_MAX

struct ss_hessian {
    const ss_net *net;
    const ss_dataset *data;
    uint32_t n_examples, batch, n_batches; /* batch: examples in each but the last */
    const uint32_t *index;        /* (n_examples); NULL: the first ones */
    uint32_t n_own, limit;        /* examples of its own; the options' examples per batch, however few there are */
    uint32_t *own, *other;        /* (n_own) or NULL, (n_other): what index points to, or may later */
    uint32_t n_other, room, n_losses; /* examples that a tape has room for; batches that `loss` has */
    bool running;                 /* batch norm by the running statistics */
    ss_matrix matrix;
    double l2;
    size_t cache_bytes;
    ss_real *theta, *stats;
    double *loss;                 /* (n_losses) mean-scaled share of each batch, as far as its pass was run */
    uint32_t n_tapes, n_deltas;
    ss_tape **tape;               /* (n_tapes) batch b has number b, those above the last one share that */
    ss_deltas **deltas;           /* (n_deltas) likewise */
    uint32_t *held, *held_deltas; /* (n_tapes), (n_deltas) whose forward, whose backward pass stands in it */
    ss_scratch *scratch;
    size_t directions;
    double *sum;                  /* (directions, n_params) over batches, and one batch's share; with one batch neither is */
    ss_real *part;                /* needed */
    ss_lanczos_work *work;        /* see operator.h */
    bool (*should_stop)(void *ctx);
    void *stop_ctx;
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

/* Which examples, and how they are cut. */
static void cut(ss_hessian *h, const uint32_t *index, uint32_t n)
{
    h->index = index;
    h->n_examples = n;
    h->batch = h->limit < n ? h->limit : n;
    h->n_batches = (n - 1) / h->batch + 1;
}

/* What sums over so many batches need. */
static int create_sums(ss_hessian *h, uint32_t n_batches, ss_error *error)
{
    size_t p = h->net->n_params;
    bool several = n_batches > 1;
    if (several && !h->sum && p <= SIZE_MAX / h->directions) h->sum = ss_alloc(h->directions * p, sizeof *h->sum);
    if (several && !h->part) h->part = ss_alloc(p, sizeof *h->part);
    double *loss = n_batches > h->n_losses ? ss_realloc(h->loss, h->n_losses, n_batches, sizeof *loss) : h->loss;
    if (!loss || (several && (!h->sum || !h->part)))
        return ss_fail(error, "no memory for the Hessian of %zu parameters over %u batches", p, n_batches);
    h->loss = loss;
    if (n_batches > h->n_losses) h->n_losses = n_batches;
    return 0;
}

static int create_vectors(ss_hessian *h, bool even, ss_error *error)
{
    size_t p = h->net->n_params;
    h->theta = ss_alloc(p, sizeof *h->theta);
    h->stats = ss_alloc(h->net->n_stats, sizeof *h->stats);
    if (even) h->own = ss_alloc(h->n_own, sizeof *h->own);
    if (!h->theta || !h->stats || (even && !h->own))
        return ss_fail(error, "no memory for the Hessian of %zu parameters over %u batches", p, h->n_batches);
    for (uint32_t i = 0; even && i < h->n_own; i++) h->own[i] = ss_even_index(i, h->n_own, h->data->train.n);
    h->index = h->own;
    return create_sums(h, h->n_batches, error);
}

ss_keep ss_keep_plan(uint32_t n_batches, size_t activation_bytes, size_t delta_bytes, size_t cache_bytes)
{
    size_t n = n_batches, left = cache_bytes;
    if (activation_bytes == 0 || delta_bytes == 0) return (ss_keep){n_batches, n_batches};
    if (left / n >= activation_bytes && left - n * activation_bytes >= delta_bytes) {
        size_t deltas = (left - n * activation_bytes) / delta_bytes;
        return (ss_keep){n_batches, deltas < n ? (uint32_t)deltas : n_batches};
    }
    size_t activations = left > delta_bytes ? (left - delta_bytes) / activation_bytes : 0;
    return (ss_keep){activations < 1 ? 1 : activations < n ? (uint32_t)activations : n_batches, 1};
}

static int create_scratch(ss_hessian *h, ss_keep keep, ss_error *error)
{
    h->tape = ss_alloc(keep.activations, sizeof *h->tape);
    h->deltas = ss_alloc(keep.deltas, sizeof *h->deltas);
    h->held = ss_alloc(keep.activations, sizeof *h->held);
    h->held_deltas = ss_alloc(keep.deltas, sizeof *h->held_deltas);
    if (!h->tape || !h->deltas || !h->held || !h->held_deltas)
        return ss_fail(error, "no memory for a list of %u tapes", keep.activations);
    h->scratch = ss_scratch_create(h->net, h->room, true, error);
    return h->scratch ? 0 : ss_fail_in(error, "curvature");
}

/* One tape and one set of deltas there must be; memory for fewer than were planned only means slower, the same bits. */
static int create_tapes(ss_hessian *h, uint32_t n_batches, ss_error *error)
{
    size_t tape_bytes = ss_tape_bytes(h->net, h->room, false), delta_bytes = ss_deltas_bytes(h->net, h->room);
    ss_keep keep = ss_keep_plan(n_batches, tape_bytes, delta_bytes, h->cache_bytes);
    if (create_scratch(h, keep, error) != 0) return -1;
    for (; h->n_tapes < keep.activations; h->n_tapes++) {
        ss_tape *tape = ss_tape_create(h->net, h->room, false, error);
        if (!tape) break;
        h->tape[h->n_tapes] = tape;
    }
    for (; h->n_tapes > 0 && h->n_deltas < keep.deltas; h->n_deltas++) {
        ss_deltas *deltas = ss_deltas_create(h->net, h->room, error);
        if (!deltas) break;
        h->deltas[h->n_deltas] = deltas;
    }
    return h->n_deltas > 0 ? 0 : ss_fail_in(error, "curvature");
}

static void destroy_tapes(ss_hessian *h)
{
    for (uint32_t i = 0; i < h->n_tapes; i++) ss_tape_destroy(h->tape[i]);
    for (uint32_t i = 0; i < h->n_deltas; i++) ss_deltas_destroy(h->deltas[i]);
    ss_scratch_destroy(h->scratch);
    ss_free(h->tape);
    ss_free(h->deltas);
    ss_free(h->held);
    ss_free(h->held_deltas);
}

static void forget(ss_hessian *h)
{
    for (uint32_t i = 0; i < h->n_tapes; i++) h->held[i] = NO_BATCH;
    for (uint32_t i = 0; i < h->n_deltas; i++) h->held_deltas[i] = NO_BATCH;
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
    h->directions = options->directions ? options->directions : 1;
    h->running = strcmp(options->batch_norm, "running") == 0;
    h->cache_bytes = options->cache_bytes;
    h->n_own = options->examples ? options->examples : data->train.n;
    h->limit = net->has_batch_norm && !h->running ? options->ghost_batch : options->micro_batch;
    cut(h, NULL, h->n_own);
    h->room = h->batch;
    if (create_vectors(h, strcmp(options->subset, "even") == 0, error) != 0 || create_tapes(h, h->n_batches, error) != 0) {
        ss_hessian_destroy(h);
        return NULL;
    }
    forget(h);
    return h;
}

void ss_hessian_destroy(ss_hessian *h)
{
    if (!h) return;
    destroy_tapes(h);
    ss_lanczos_work_destroy(h->work);
    ss_free(h->own);
    ss_free(h->other);
    ss_free(h->theta);
    ss_free(h->stats);
    ss_free(h->loss);
    ss_free(h->sum);
    ss_free(h->part);
    ss_free(h);
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
    forget(h);
}

/* The new ones stand before the old ones go, which are still there where memory does not suffice. */
static int grow_tapes(ss_hessian *h, uint32_t room, uint32_t n_batches, ss_error *error)
{
    ss_hessian old = *h;
    h->n_tapes = h->n_deltas = 0;
    h->tape = NULL, h->deltas = NULL, h->held = h->held_deltas = NULL, h->scratch = NULL;
    h->room = room;
    if (create_tapes(h, n_batches, error) == 0) {
        destroy_tapes(&old);
        forget(h);
        return 0;
    }
    destroy_tapes(h);
    *h = old;
    return -1;
}

int ss_hessian_select(ss_hessian *h, const uint32_t *index, uint32_t n, ss_error *error)
{
    if (!index) n = h->n_own;
    assert(n > 0);
    uint32_t batch = h->limit < n ? h->limit : n, n_batches = (n - 1) / batch + 1;
    if (index && n > h->n_other) {
        uint32_t *grown = ss_realloc(h->other, h->n_other, n, sizeof *grown);
        if (!grown) return ss_fail(error, "no memory for a list of %u examples", n);
        if (h->index == h->other) h->index = grown;
        h->other = grown;
        h->n_other = n;
    }
    if (create_sums(h, n_batches, error) != 0) return -1;
    if (batch > h->room && grow_tapes(h, batch, n_batches > h->n_batches ? n_batches : h->n_batches, error) != 0) return -1;
    if (index) memcpy(h->other, index, n * sizeof *index);
    cut(h, index ? h->other : h->own, n);
    forget(h);
    return 0;
}

void ss_hessian_set_matrix(ss_hessian *h, ss_matrix matrix)
{
    h->matrix = matrix;
}

ss_lanczos_work **ss_hessian_work(ss_hessian *h)
{
    return &h->work;
}

ss_keep ss_hessian_kept(const ss_hessian *h)
{
    return (ss_keep){h->n_tapes, h->n_deltas};
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

/* The tape of batch b with its forward pass run at the point. deltas: and its backward pass; grad (NULL: not wanted): that
 * gives its share of the gradient. */
static ss_tape *ready_tape(ss_hessian *h, uint32_t b, bool deltas, ss_real *grad)
{
    uint32_t i = b < h->n_tapes ? b : h->n_tapes - 1, j = b < h->n_deltas ? b : h->n_deltas - 1;
    ss_tape *tape = h->tape[i];
    ss_pass pass = pass_of(h, b);
    ss_tape_attach(tape, h->deltas[j]);
    if (h->held[i] != b) {
        uint32_t first = b * h->batch;
        ss_dataset_batch(h->data, &h->data->train, h->index ? h->index + first : NULL, first, (uint32_t)pass.n,
                         ss_tape_input(tape), ss_tape_labels(tape));
        h->loss[b] = scale_of(h) * ss_net_forward(h->net, &pass, tape, h->scratch, NULL);
        h->held[i] = b;
    }
    if (grad || (deltas && h->held_deltas[j] != b)) {
        ss_net_backward(h->net, &pass, scale_of(h), tape, h->scratch, grad);
        h->held_deltas[j] = b;
    }
    return tape;
}

/* At most `directions` products. */
static void apply_some(ss_hessian *h, size_t k, const ss_real *const *v, ss_real *const *hv)
{
    size_t p = h->net->n_params;
    bool several = h->n_batches > 1, full = h->matrix == SS_HESSIAN;
    if (several) memset(h->sum, 0, k * p * sizeof *h->sum);
    for (uint32_t b = 0; b < h->n_batches; b++) {
        ss_tape *tape = ready_tape(h, b, full, NULL);
        ss_pass pass = pass_of(h, b);
        for (size_t i = 0; i < k; i++) {
            ss_real *product = several ? h->part : hv[i];
            if (full) ss_net_hessian_product(h->net, &pass, scale_of(h), tape, h->scratch, v[i], product);
            else ss_net_gauss_newton_product(h->net, &pass, scale_of(h), tape, h->scratch, v[i], product);
            if (several) ss_accumulate(p, h->part, h->sum + i * p);
        }
    }
    for (size_t i = 0; i < k; i++) {
        if (several) ss_round(p, h->sum + i * p, 1, hv[i]);
        if (h->l2 != 0) ss_axpy(p, h->l2, v[i], hv[i]);
    }
}

int ss_hessian_apply_block(ss_hessian *h, size_t k, const ss_real *const *v, ss_real *const *hv, ss_error *error)
{
    (void)error;
    for (size_t i = 0; i < k; i += h->directions) {
        if (h->should_stop && h->should_stop(h->stop_ctx)) return 1;
        apply_some(h, k - i < h->directions ? k - i : h->directions, v + i, hv + i);
    }
    return 0;
}

int ss_hessian_apply(void *ctx, const ss_real *v, ss_real *hv, ss_error *error)
{
    return ss_hessian_apply_block(ctx, 1, &v, &hv, error);
}

double ss_hessian_loss(ss_hessian *h, ss_real *grad)
{
    size_t p = h->net->n_params;
    bool several = h->n_batches > 1;
    double loss = 0;
    if (grad && several) memset(h->sum, 0, p * sizeof *h->sum);
    for (uint32_t b = 0; b < h->n_batches; b++) {
        ready_tape(h, b, false, grad && several ? h->part : grad);
        loss += h->loss[b];
        if (grad && several) ss_accumulate(p, h->part, h->sum);
    }
    if (grad && several) ss_round(p, h->sum, 1, grad);
    return loss;
}

double ss_hessian_objective(ss_hessian *h, ss_real *grad)
{
    size_t p = h->net->n_params;
    double loss = ss_hessian_loss(h, grad);
    if (h->l2 == 0) return loss;
    if (grad) ss_axpy(p, h->l2, h->theta, grad);
    return loss + 0.5 * h->l2 * ss_dot(p, h->theta, h->theta);
}

double ss_hessian_l2(const ss_hessian *h)
{
    return h->l2;
}

bool ss_hessian_runs(const ss_hessian *h)
{
    return h->running;
}

size_t ss_hessian_directions(const ss_hessian *h)
{
    return h->directions;
}

uint32_t ss_hessian_n_examples(const ss_hessian *h)
{
    return h->n_own;
}

uint32_t ss_hessian_example(const ss_hessian *h, uint32_t i)
{
    assert(i < h->n_own);
    return h->own ? h->own[i] : i;
}
