/* gradient.c - the gradient of a batch's mean loss, accumulated over micro-batches.
 * Where no layer couples examples a micro-batch is only a matter of memory; with batch norm it is a ghost batch (Hoffer,
 * Hubara & Soudry 2017): examples that share statistics. Every pass is scaled by 1/batch, so that a short last one counts
 * by its examples. More than one pass is summed in double: the result does not drift with the number of passes. */
#include "scratch.h"

#include <assert.h>
#include <string.h>

#include "sharpsweep/num.h"

/* One pass over n <= capacity examples, the batch's numbers first .. first+n-1; `again`: those that the tape holds. */
static double run_pass(ss_trainer *t, const ss_real *theta, const ss_slice *part, bool again, bool update_stats,
                       ss_real *grad)
{
    struct ss_train_scratch *s = t->scratch;
    ss_pass pass = {.theta = theta, .stats = NULL, .n = part->n, .dropout = true, .seed = t->options.seed,
                    .step = (uint64_t)t->step, .first = part->first};
    const uint32_t *index = part->index ? part->index + part->first : NULL;
    if (!again)
        ss_dataset_batch(t->data, &t->data->train, index, part->first, part->n, ss_tape_input(s->tape),
                         ss_tape_labels(s->tape));
    double scale = 1.0 / part->of;
    double loss = ss_net_forward(t->net, &pass, s->tape, s->work, NULL);
    if (update_stats && t->net->has_batch_norm) ss_net_update_stats(t->net, s->tape, part->n, t->stats);
    ss_net_backward(t->net, &pass, scale, s->tape, s->work, grad);
    return scale * loss;
}

double ss_train_gradient(ss_trainer *t, const ss_real *theta, const ss_slice *slice, bool again, bool update_stats,
                         ss_real *grad)
{
    struct ss_train_scratch *s = t->scratch;
    size_t p = t->net->n_params;
    uint32_t micro = ss_train_micro(t, slice->n);
    if (micro == slice->n) return run_pass(t, theta, slice, again, update_stats, grad);
    assert(s->sum && s->part && micro > 0);
    memset(s->sum, 0, p * sizeof *s->sum);
    double loss = 0;
    ss_slice part = *slice;
    for (uint32_t end = slice->first + slice->n; part.first < end; part.first += part.n) {
        uint32_t left = end - part.first, in_group = s->group - part.first % s->group; /* no pass spans two groups */
        part.n = left < in_group ? left : in_group;
        if (part.n > micro) part.n = micro;
        loss += run_pass(t, theta, &part, false, update_stats, s->part);
        ss_accumulate(p, s->part, s->sum);
    }
    ss_round(p, s->sum, 1.0, grad);
    return loss;
}
