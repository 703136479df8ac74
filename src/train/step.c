/* step.c - one step of SGD or SAM.
 *
 * SGD, with PyTorch's conventions (torch.optim.SGD; Sutskever et al. 2013):
 *   d = g + weight_decay w;  momentum: v = beta v + d, then d = v, or d = d + beta v (Nesterov);  w = w - lr d
 * SAM (Foret et al. 2021), per group of m examples (default: the whole batch), all groups from the same w:
 *   a = gradient at w (+ weight_decay w if sam_decay_in_ascent);  e = rho a / (||a|| + 1e-12), 0 where a = 0
 *   g = gradient at w + e, averaged over the groups by their examples; then SGD's update with that g.
 * The perturbed point lives in a buffer of its own: w needs no restoring and keeps its bits. Both gradients see the same
 * dropout masks, and batch norm's running statistics follow the first alone unless sam_update_statistics_twice. */
#include "scratch.h"

#include <math.h>
#include <string.h>

#include "sharpsweep/num.h"

/* s->ascent = w + rho a / (||a|| + 1e-12). `share` is what the group's gradient g was scaled by beside its own mean. */
static void ascend(ss_trainer *t, const ss_real *g, double share)
{
    struct ss_train_scratch *s = t->scratch;
    const ss_train_options *o = &t->options;
    size_t p = t->net->n_params;
    double decay = o->sam_decay_in_ascent ? o->weight_decay : 0;
    ss_real *e = s->ascent;
    memcpy(e, g, p * sizeof *e);
    if (decay != 0) ss_axpy(p, decay * share, t->theta, e);
    double norm = ss_norm(p, e) / share; /* of the group's mean */
    double factor = norm > 0 || isnan(norm) ? o->sam_rho / ((norm + 1e-12) * share) : 0;
    ss_scale(p, factor, e);
    ss_axpy(p, 1.0, t->theta, e);
}

/* The whole batch is one group: both passes in place. */
static double sam_whole(ss_trainer *t, const ss_slice *batch, double *second_loss)
{
    struct ss_train_scratch *s = t->scratch;
    double loss = ss_train_gradient(t, t->theta, batch, true, s->grad);
    t->gradient_norm = ss_norm(t->net->n_params, s->grad);
    ascend(t, s->grad, 1.0);
    *second_loss = ss_train_gradient(t, s->ascent, batch, t->options.sam_update_statistics_twice, s->grad);
    return loss;
}

static double sam_groups(ss_trainer *t, const ss_slice *batch, double *second_loss)
{
    struct ss_train_scratch *s = t->scratch;
    size_t p = t->net->n_params;
    double loss = 0;
    memset(s->first_sum, 0, p * sizeof(double));
    memset(s->total, 0, p * sizeof(double));
    for (uint32_t done = 0; done < batch->n; done += s->group) {
        ss_slice group = *batch;
        group.first = done;
        group.n = batch->n - done < s->group ? batch->n - done : s->group;
        loss += ss_train_gradient(t, t->theta, &group, true, s->grad);
        ss_accumulate(p, s->grad, s->first_sum);
        ascend(t, s->grad, (double)group.n / batch->n);
        *second_loss += ss_train_gradient(t, s->ascent, &group, t->options.sam_update_statistics_twice, s->grad);
        ss_accumulate(p, s->grad, s->total);
    }
    ss_round(p, s->first_sum, 1.0, s->grad);
    t->gradient_norm = ss_norm(p, s->grad);
    ss_round(p, s->total, 1.0, s->grad);
    return loss;
}

/* s->grad = what the update uses; batch_loss and gradient_norm are those at w. False: the numbers are no good. */
static bool batch_gradient(ss_trainer *t, const uint32_t *index, uint32_t n)
{
    struct ss_train_scratch *s = t->scratch;
    ss_slice batch = {index, 0, n, n};
    double second_loss = 0;
    if (t->options.sam_rho > 0)
        t->batch_loss = s->group < n ? sam_groups(t, &batch, &second_loss) : sam_whole(t, &batch, &second_loss);
    else {
        t->batch_loss = ss_train_gradient(t, t->theta, &batch, true, s->grad);
        t->gradient_norm = ss_norm(t->net->n_params, s->grad);
    }
    return isfinite(t->batch_loss) && t->batch_loss <= t->options.divergence_loss && isfinite(second_loss)
           && isfinite(t->gradient_norm);
}

typedef struct rates { ss_real lr, beta, decay; bool nesterov; } rates;

static void update_plain(size_t n, rates r, const ss_real *restrict g, ss_real *restrict w)
{
    for (size_t i = 0; i < n; i++) w[i] -= r.lr * (g[i] + r.decay * w[i]);
}

static void update_momentum(size_t n, rates r, const ss_real *restrict g, ss_real *restrict w, ss_real *restrict v)
{
    for (size_t i = 0; i < n; i++) {
        ss_real d = g[i] + r.decay * w[i];
        v[i] = r.beta * v[i] + d;
        w[i] -= r.lr * (r.nesterov ? d + r.beta * v[i] : v[i]);
    }
}

/* Updates block by block, so that the check for finite weights reads what is still in the cache. */
static bool update(ss_trainer *t, double learning_rate)
{
    enum { BLOCK = 4096 };
    const ss_train_options *o = &t->options;
    rates r = {(ss_real)learning_rate, (ss_real)o->momentum, (ss_real)o->weight_decay, o->nesterov};
    const ss_real *g = t->scratch->grad;
    size_t p = t->net->n_params;
    bool finite = true;
    for (size_t i = 0; i < p; i += BLOCK) {
        size_t n = p - i < BLOCK ? p - i : BLOCK;
        if (o->momentum != 0) update_momentum(n, r, g + i, t->theta + i, t->velocity + i);
        else update_plain(n, r, g + i, t->theta + i);
        finite = ss_all_finite(n, t->theta + i) && finite;
    }
    return finite;
}

ss_train_end ss_trainer_step(ss_trainer *t, const uint32_t *index, uint32_t n)
{
    double lr = ss_learning_rate(&t->options, t->step, (int64_t)ss_trainer_steps_per_epoch(t));
    if (!batch_gradient(t, index, n)) return SS_TRAIN_DIVERGED;
    t->step++;
    return update(t, lr) ? SS_TRAIN_RUNNING : SS_TRAIN_DIVERGED;
}
