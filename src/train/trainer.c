/* trainer.c - a trainer's life, and the order in which it sees the examples.
 * Everything a step needs is allocated here, so that steps and evaluations never do. */
#include "scratch.h"

#include <assert.h>

enum { EVAL_MAX = 256, EVAL_MIN = 32, EVAL_VALUES = 1 << 22 };

static uint32_t smaller(uint32_t a, uint32_t b) { return a < b ? a : b; }

uint32_t ss_train_micro(const ss_trainer *t, uint32_t n)
{
    uint32_t limit = t->net->has_batch_norm ? t->options.ghost_batch : t->options.micro_batch;
    n = smaller(n, t->scratch->group);
    return limit == 0 ? n : smaller(limit, n);
}

/* Evaluation couples no examples: as many at once as keep GEMM busy without blowing up memory for small batches. */
uint32_t ss_evaluation_pass(const ss_net *net, uint32_t micro_batch)
{
    size_t fit = EVAL_VALUES / (net->values_per_example + 1);
    uint32_t chunk = fit > EVAL_MAX ? EVAL_MAX : fit < EVAL_MIN ? EVAL_MIN : (uint32_t)fit;
    return micro_batch == 0 ? chunk : smaller(chunk, micro_batch);
}

static void size_scratch(ss_trainer *t)
{
    struct ss_train_scratch *s = t->scratch;
    uint32_t n = t->data->train.n, wanted = t->options.batch_size, m = t->options.sam_m;
    s->batch = wanted == 0 ? n : smaller(wanted, n);
    s->group = t->options.sam_rho > 0 && m != 0 ? smaller(m, s->batch) : s->batch;
    uint32_t micro = ss_train_micro(t, s->batch);
    s->eval_chunk = ss_evaluation_pass(t->net, t->options.micro_batch);
    s->capacity = micro > s->eval_chunk ? micro : s->eval_chunk;
}

static int take(size_t n, size_t size, void **out)
{
    *out = ss_alloc(n, size);
    return *out ? 0 : -1;
}

static int allocate(ss_trainer *t, ss_error *error)
{
    struct ss_train_scratch *s = t->scratch;
    size_t p = t->net->n_params, real = sizeof(ss_real);
    bool sam = t->options.sam_rho > 0, groups = s->group < s->batch;
    bool micros = ss_train_micro(t, s->batch) < s->batch;
    s->tape = ss_tape_create(t->net, s->capacity, true, error);
    if (!s->tape) return -1;
    s->work = ss_scratch_create(t->net, s->capacity, false, error);
    if (!s->work) return -1;
    if (take(p, real, (void **)&t->theta) || take(p, real, (void **)&t->velocity)
        || take(t->net->n_stats, real, (void **)&t->stats) || take(p, real, (void **)&s->grad)
        || take(t->data->train.n, sizeof *s->order, (void **)&s->order)
        || (sam && take(p, real, (void **)&s->ascent))
        || (micros && take(p, real, (void **)&s->part))
        || (micros && take(p, sizeof(double), (void **)&s->sum))
        || (groups && take(p, sizeof(double), (void **)&s->first_sum))
        || (groups && take(p, sizeof(double), (void **)&s->total)))
        return ss_fail(error, "out of memory for training %zu parameters in batches of %u; a smaller micro_batch "
                       "(ghost_batch with batch norm) needs less", p, s->batch);
    return 0;
}

ss_trainer *ss_trainer_create(const ss_net *net, const ss_dataset *data, const ss_train_options *options, ss_error *error)
{
    assert(net && data && options && data->train.n > 0 && options->sam_rho >= 0);
    ss_trainer *t = ss_alloc(1, sizeof *t);
    if (t) t->scratch = ss_alloc(1, sizeof *t->scratch);
    if (!t || !t->scratch) {
        ss_fail(error, "out of memory for a trainer");
        ss_trainer_destroy(t);
        return NULL;
    }
    t->net = net;
    t->data = data;
    t->options = *options;
    size_scratch(t);
    if (allocate(t, error) != 0) {
        ss_trainer_destroy(t);
        return NULL;
    }
    ss_net_init(net, options->init ? options->init : "pytorch", options->seed, t->theta, t->stats);
    return t;
}

void ss_trainer_destroy(ss_trainer *t)
{
    if (!t) return;
    struct ss_train_scratch *s = t->scratch;
    if (s) {
        ss_tape_destroy(s->tape);
        ss_scratch_destroy(s->work);
        ss_free(s->grad);
        ss_free(s->ascent);
        ss_free(s->part);
        ss_free(s->sum);
        ss_free(s->first_sum);
        ss_free(s->total);
        ss_free(s->order);
        ss_free(s);
    }
    ss_free(t->theta);
    ss_free(t->velocity);
    ss_free(t->stats);
    ss_free(t);
}

size_t ss_trainer_steps_per_epoch(const ss_trainer *t)
{
    return (t->data->train.n + (size_t)t->scratch->batch - 1) / t->scratch->batch;
}

void ss_trainer_order(const ss_trainer *t, int64_t epoch, uint32_t *order)
{
    uint32_t n = t->data->train.n;
    const ss_train_options *o = &t->options;
    bool ghosts = t->net->has_batch_norm && o->ghost_batch > 0 && o->ghost_batch < n;
    bool groups = o->sam_rho > 0 && o->sam_m > 0 && o->sam_m < n;
    if (t->scratch->batch == n && !ghosts && !groups) { /* a sum has no order; ghost batches and SAM's groups have */
        for (uint32_t i = 0; i < n; i++) order[i] = i;
        return;
    }
    ss_stream stream = ss_stream_make(t->options.seed, SS_FOR_SHUFFLE, (uint64_t)epoch, 0);
    ss_stream_permutation(&stream, n, order);
}
