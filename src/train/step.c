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

/* s->ascent = w + rho a / (||a|| + 1e-12); returns ||g||. `share` is what the group's gradient g was scaled by beside its
 * own mean. */
static double ascend(ss_trainer *t, const ss_real *g, double share)
{
    struct ss_train_scratch *s = t->scratch;
    const ss_train_options *o = &t->options;
    size_t p = t->net->n_params;
    double decay = o->sam_decay_in_ascent ? o->weight_decay * share : 0, gradient = ss_norm(p, g);
    double norm = (decay != 0 ? ss_norm_sum(p, g, decay, t->theta) : gradient) / share; /* of the group's mean */
    double factor = norm > 0 || isnan(norm) ? o->sam_rho / ((norm + 1e-12) * share) : 0;
    ss_ascend(p, g, decay, factor, t->theta, s->ascent);
    return gradient;
}

/* The whole batch is one group: both passes in place. */
static double sam_whole(ss_trainer *t, const ss_slice *batch, double *second_loss)
{
    struct ss_train_scratch *s = t->scratch;
    double loss = ss_train_gradient(t, t->theta, batch, false, true, s->grad);
    t->gradient_norm = ascend(t, s->grad, 1.0);
    *second_loss = ss_train_gradient(t, s->ascent, batch, true, t->options.sam_update_statistics_twice, s->grad);
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
        loss += ss_train_gradient(t, t->theta, &group, false, true, s->grad);
        ss_accumulate(p, s->grad, s->first_sum);
        ascend(t, s->grad, (double)group.n / batch->n);
        *second_loss += ss_train_gradient(t, s->ascent, &group, true, t->options.sam_update_statistics_twice, s->grad);
        ss_accumulate(p, s->grad, s->total);
    }
    ss_round(p, s->first_sum, 1.0, s->grad);
    t->gradient_norm = ss_norm(p, s->grad);
    ss_round(p, s->total, 1.0, s->grad);
    return loss;
}

/* s->grad = what the update uses; batch_loss is the one at w, and with SAM gradient_norm too. False: the numbers are no
 * good. */
static bool batch_gradient(ss_trainer *t, const uint32_t *index, uint32_t n)
{
    struct ss_train_scratch *s = t->scratch;
    ss_slice batch = {index, 0, n, n};
    double second_loss = 0;
    t->gradient_norm = 0;
    if (t->options.sam_rho > 0)
        t->batch_loss = s->group < n ? sam_groups(t, &batch, &second_loss) : sam_whole(t, &batch, &second_loss);
    else
        t->batch_loss = ss_train_gradient(t, t->theta, &batch, false, true, s->grad);
    return isfinite(t->batch_loss) && t->batch_loss <= t->options.divergence_loss && isfinite(second_loss)
           && isfinite(t->gradient_norm);
}

/* One pass over memory takes the gradient's norm, which SAM knows already, updates and looks whether the weights stay
 * finite. */
static bool update(ss_trainer *t, double learning_rate)
{
    const ss_train_options *o = &t->options;
    const ss_descent descent = {learning_rate, o->momentum, o->weight_decay, o->nesterov};
    double *norm = o->sam_rho > 0 ? NULL : &t->gradient_norm;
    bool finite = ss_descend(t->net->n_params, &descent, t->scratch->grad, t->theta, t->velocity, norm);
    return finite && isfinite(t->gradient_norm);
}

ss_train_end ss_trainer_step(ss_trainer *t, const uint32_t *index, uint32_t n)
{
    double lr = ss_learning_rate(&t->options, t->step, (int64_t)ss_trainer_steps_per_epoch(t));
    if (!batch_gradient(t, index, n)) return SS_TRAIN_DIVERGED;
    t->step++;
    return update(t, lr) ? SS_TRAIN_RUNNING : SS_TRAIN_DIVERGED;
}
