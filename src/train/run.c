/* run.c - the epoch loop and its stopping rules.
 * The trainer's counters say where it stands: a restored trainer goes on in the middle of its epoch with the same examples.
 * Where several rules hold at once a target counts before a limit, because reaching it is what the run was for. */
#include "scratch.h"

#include <math.h>

static ss_epoch_row make_row(const ss_trainer *t)
{
    int64_t per_epoch = (int64_t)ss_trainer_steps_per_epoch(t);
    return (ss_epoch_row){.epoch = (double)t->step / (double)per_epoch, .step = (double)t->step,
        .learning_rate = ss_learning_rate(&t->options, t->step > 0 ? t->step - 1 : 0, per_epoch),
        .train_loss = NAN, .train_accuracy = NAN, .test_loss = NAN, .test_accuracy = NAN,
        .gradient_norm = t->gradient_norm};
}

static void evaluate(ss_trainer *t, ss_epoch_row *row)
{
    *row = make_row(t);
    ss_trainer_evaluate(t, &t->data->train, &row->train_loss, &row->train_accuracy);
    ss_trainer_evaluate(t, &t->data->test, &row->test_loss, &row->test_accuracy);
}

static bool at_step_limit(const ss_trainer *t) { return t->options.max_steps >= 0 && t->step >= t->options.max_steps; }

/* Between two epochs: is this one of those after which the run looks at itself? Its end always is. */
static bool is_evaluation_due(const ss_trainer *t)
{
    int64_t every = t->options.evaluate_every_epochs > 0 ? t->options.evaluate_every_epochs : 1;
    return t->epoch % every == 0 || t->epoch >= t->options.max_epochs || at_step_limit(t);
}

/* Which rule the evaluated trainer stops by. With running statistics a loss may be large for a while before they have
 * settled, so that only without batch norm the limit holds for the evaluated loss as it does for a batch's. */
static ss_train_end judge(const ss_trainer *t, const ss_epoch_row *row)
{
    const ss_train_options *o = &t->options;
    if (!isfinite(row->train_loss)) return SS_TRAIN_DIVERGED;
    if (!t->net->has_batch_norm && row->train_loss > o->divergence_loss) return SS_TRAIN_DIVERGED;
    if (o->target_train_accuracy > 0 && row->train_accuracy >= o->target_train_accuracy) return SS_TRAIN_ACCURACY;
    if (o->target_train_loss > 0 && row->train_loss <= o->target_train_loss) return SS_TRAIN_LOSS;
    if (t->epoch >= o->max_epochs) return SS_TRAIN_MAX_EPOCHS;
    return at_step_limit(t) ? SS_TRAIN_MAX_STEPS : SS_TRAIN_RUNNING;
}

/* The rest of the running epoch. *end stays RUNNING when the epoch is complete or max_steps is reached. */
static int run_epoch(ss_trainer *t, const ss_train_hooks *hooks, ss_train_end *end, ss_error *error)
{
    struct ss_train_scratch *s = t->scratch;
    int64_t per_epoch = (int64_t)ss_trainer_steps_per_epoch(t), start = t->epoch * per_epoch;
    uint32_t n = t->data->train.n;
    ss_trainer_order(t, t->epoch, s->order);
    while (t->step < start + per_epoch && !at_step_limit(t) && *end == SS_TRAIN_RUNNING) {
        if (hooks->on_step && hooks->on_step(hooks->ctx, t, error) != 0) return -1;
        if (hooks->should_stop && hooks->should_stop(hooks->ctx)) {
            *end = SS_TRAIN_INTERRUPTED;
            return 0;
        }
        uint32_t first = (uint32_t)(t->step - start) * s->batch;
        *end = ss_trainer_step(t, s->order + first, n - first < s->batch ? n - first : s->batch);
    }
    if (*end == SS_TRAIN_RUNNING && t->step == start + per_epoch) t->epoch++;
    return 0;
}

/* A restored trainer at the border of two epochs may have been stopped by a rule before it was saved: look again. A fresh
 * one is only stopped by limits of 0. */
static ss_train_end resume(ss_trainer *t, ss_epoch_row *last)
{
    bool border = t->epoch > 0 && t->step == t->epoch * (int64_t)ss_trainer_steps_per_epoch(t);
    bool over = t->epoch >= t->options.max_epochs || at_step_limit(t);
    if (!over && !(border && is_evaluation_due(t))) return SS_TRAIN_RUNNING;
    evaluate(t, last);
    return judge(t, last);
}

int ss_trainer_run(ss_trainer *t, const ss_train_hooks *hooks, ss_train_end *end, ss_epoch_row *last, ss_error *error)
{
    static const ss_train_hooks none = {0};
    if (!hooks) hooks = &none;
    *last = make_row(t);
    *end = resume(t, last);
    while (*end == SS_TRAIN_RUNNING) {
        if (run_epoch(t, hooks, end, error) != 0) return -1;
        if (*end != SS_TRAIN_RUNNING) { /* cut short: what is known without evaluating */
            *last = make_row(t);
            last->train_loss = t->batch_loss;
            return 0;
        }
        if (!is_evaluation_due(t)) continue;
        evaluate(t, last);
        if (hooks->on_epoch && hooks->on_epoch(hooks->ctx, t, last, error) != 0) return -1;
        *end = judge(t, last);
    }
    if (*end != SS_TRAIN_DIVERGED && hooks->on_step && hooks->on_step(hooks->ctx, t, error) != 0) return -1;
    return 0;
}
