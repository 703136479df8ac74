/* state.c - what a trainer carries from one step to the next, as pieces: with its options, its data and its network it is all
 * that the next step depends on, since order, masks and learning rate are functions of the counters. */
#include "scratch.h"

void ss_trainer_pieces(ss_trainer *t, ss_pieces *list)
{
    size_t p = t->net->n_params;
    ss_pieces_add(list, "epoch", &t->epoch, sizeof t->epoch);
    ss_pieces_add(list, "step", &t->step, sizeof t->step);
    ss_pieces_add(list, "batch_loss", &t->batch_loss, sizeof t->batch_loss);
    ss_pieces_add(list, "gradient_norm", &t->gradient_norm, sizeof t->gradient_norm);
    ss_pieces_add(list, "theta", t->theta, p * sizeof *t->theta);
    ss_pieces_add(list, "stats", t->stats, t->net->n_stats * sizeof *t->stats);
    ss_pieces_add(list, "velocity", t->velocity, t->options.momentum != 0 ? p * sizeof *t->velocity : 0);
}

int ss_trainer_restore(ss_trainer *t, ss_keeper *keeper, ss_error *error)
{
    ss_pieces list = {0};
    int64_t per_epoch = (int64_t)ss_trainer_steps_per_epoch(t);
    ss_trainer_pieces(t, &list);
    if (ss_keeper_read(keeper, &list, error)) return -1;
    bool sound = t->epoch >= 0 && t->epoch <= t->options.max_epochs && t->step >= t->epoch * per_epoch
              && t->step - t->epoch * per_epoch < per_epoch;
    return sound ? 0 : ss_keeper_refuse(keeper, error, "step %lld in epoch %lld of %lld, with %lld steps an epoch",
                                        (long long)t->step, (long long)t->epoch, (long long)t->options.max_epochs,
                                        (long long)per_epoch);
}
