/* measure.c - lambda_max of a trainer's state: at the iterate, or the study's maximum between it and the next one. */
#include "trial.h"

#include <string.h>

/* What one step changes, put aside and back. */
typedef struct state { ss_real *theta, *velocity, *stats; int64_t epoch, step; double batch_loss, gradient_norm; } state;

static void state_finish(state *a)
{
    ss_free(a->theta);
    ss_free(a->velocity);
    ss_free(a->stats);
}

static int state_save(state *a, const ss_trainer *t, ss_error *error)
{
    size_t n = t->net->n_params, n_stats = t->net->n_stats;
    a->theta = ss_alloc(n, sizeof *a->theta);
    a->velocity = ss_alloc(n, sizeof *a->velocity);
    a->stats = ss_alloc(n_stats, sizeof *a->stats);
    if (!a->theta || !a->velocity || !a->stats) {
        state_finish(a);
        return ss_fail(error, "no memory to keep %zu weights aside", n);
    }
    memcpy(a->theta, t->theta, n * sizeof *a->theta);
    if (t->velocity) memcpy(a->velocity, t->velocity, n * sizeof *a->velocity);
    if (t->stats) memcpy(a->stats, t->stats, n_stats * sizeof *a->stats);
    a->epoch = t->epoch;
    a->step = t->step;
    a->batch_loss = t->batch_loss;
    a->gradient_norm = t->gradient_norm;
    return 0;
}

/* Everything back in its place; what the step made of it stays behind in `a`. */
static void state_swap(state *a, ss_trainer *t)
{
    state now = {t->theta, t->velocity, t->stats, t->epoch, t->step, t->batch_loss, t->gradient_norm};
    t->theta = a->theta;
    t->velocity = a->velocity;
    t->stats = a->stats;
    t->epoch = a->epoch;
    t->step = a->step;
    t->batch_loss = a->batch_loss;
    t->gradient_norm = a->gradient_norm;
    *a = now;
}

/* The step that training would have taken next, of the same optimiser on the next batch of the epoch's order, at the last
 * step's learning rate: a schedule that has come to its end would make it no step at all. */
static ss_train_end next_step(ss_trainer *t, uint32_t *order)
{
    uint32_t n = t->data->train.n;
    uint32_t batch = t->options.batch_size == 0 || t->options.batch_size > n ? n : t->options.batch_size;
    int64_t per_epoch = (int64_t)ss_trainer_steps_per_epoch(t);
    uint32_t first = (uint32_t)(t->step - t->epoch * per_epoch) * batch;
    ss_train_options kept = t->options;
    t->options.learning_rate = ss_learning_rate(&kept, t->step > 0 ? t->step - 1 : 0, per_epoch);
    t->options.schedule = "constant";
    t->options.warmup_epochs = 0;
    ss_trainer_order(t, t->epoch, order);
    ss_train_end end = ss_trainer_step(t, order + first, n - first < batch ? n - first : batch);
    t->options = kept;
    return end;
}

static int measure_between(ss_trainer *t, const ss_settings *s, ss_hessian *h, ss_keeper *keeper, ss_lambda *out,
                           ss_error *error)
{
    state next = {0};
    ss_lanczos_options lanczos = ss_model_lanczos(s);
    uint32_t *order = ss_alloc(t->data->train.n, sizeof *order);
    int rc = -1;
    lanczos.keeper = keeper;
    if (!order) {
        ss_fail(error, "no memory for the order of %u examples", t->data->train.n);
        goto done;
    }
    if (state_save(&next, t, error)) goto done;
    ss_train_end end = next_step(t, order);
    state_swap(&next, t);
    if (end == SS_TRAIN_DIVERGED) /* there is no next iterate to look towards */
        rc = ss_lambda_measure(h, t->theta, t->stats, &lanczos, out, error);
    else
        rc = ss_lambda_measure_between(h, t->theta, next.theta, t->stats, (int)s->interpolation_points, &lanczos, out, error);
    state_finish(&next);
done:
    ss_free(order);
    return rc;
}

int ss_measure(ss_trainer *t, const ss_settings *s, ss_hessian *h, ss_keeper *keeper, ss_warm *top, ss_lambda *out,
               ss_error *error)
{
    if (top) top->known = false;  /* of a check before */
    if (s->interpolation_points >= 2) return measure_between(t, s, h, keeper, out, error);
    ss_lanczos_options lanczos = ss_model_lanczos(s);
    lanczos.keeper = keeper;
    bool wanted = s->gradient_alignment && s->eigenvalues == 1;
    return ss_lambda_track(h, t->theta, t->stats, &lanczos, 0, NULL, wanted ? top : NULL, out, error);
}
