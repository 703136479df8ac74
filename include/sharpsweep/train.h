/* train.h - floor 3: SGD, momentum, SAM, schedules, the epoch loop, stopping rules.
 * A trainer is plain state plus pure functions of counters, so that saving and restoring it continues bit for bit. */
#ifndef SHARPSWEEP_TRAIN_H
#define SHARPSWEEP_TRAIN_H

#include "sharpsweep/data.h"
#include "sharpsweep/nn.h"

typedef struct ss_train_options {
    double learning_rate, momentum, weight_decay;
    bool nesterov;
    uint32_t batch_size;          /* 0: full */
    const char *schedule;         /* constant | step | cosine; see ss_learning_rate */
    double step_epochs, step_factor, warmup_epochs;
    double sam_rho;               /* 0: SGD */
    uint32_t sam_m;               /* examples per perturbation; 0: the whole batch */
    bool sam_decay_in_ascent, sam_update_statistics_twice;
    uint32_t ghost_batch;         /* examples that share batch-norm statistics */
    uint32_t micro_batch;         /* examples per pass where no layer couples examples */
    int64_t max_epochs, max_steps;/* max_steps < 0: none */
    int64_t evaluate_every_epochs;/* evaluation, history and targets after every so many epochs; 0: 1 */
    double target_train_accuracy, target_train_loss; /* 0: none */
    double divergence_loss;       /* a batch loss above this, or not finite, is divergence */
    uint64_t seed;
    const char *init;             /* scheme of ss_net_init; NULL: "pytorch" */
} ss_train_options;

typedef enum ss_train_end { SS_TRAIN_RUNNING, SS_TRAIN_ACCURACY, SS_TRAIN_LOSS, SS_TRAIN_MAX_EPOCHS, SS_TRAIN_MAX_STEPS,
                            SS_TRAIN_DIVERGED, SS_TRAIN_INTERRUPTED } ss_train_end;

typedef struct ss_trainer {
    const ss_net *net;
    const ss_dataset *data;
    ss_train_options options;
    int64_t epoch, step;          /* completed */
    ss_real *theta, *velocity;    /* (n_params) */
    ss_real *stats;               /* (n_stats) running statistics of batch norm */
    double batch_loss, gradient_norm; /* of the last step: mean loss of its batch, norm of its (first) gradient */
    struct ss_train_scratch *scratch;
} ss_trainer;

/* theta and stats are set by ss_net_init(init, seed). NULL and error: memory. */
ss_trainer *ss_trainer_create(const ss_net *net, const ss_dataset *data, const ss_train_options *options, ss_error *error);
void ss_trainer_destroy(ss_trainer *t);
size_t ss_trainer_steps_per_epoch(const ss_trainer *t);
/* Learning rate of 0-based step: schedule times linear warm-up min(1, (step+1) / warmup steps).
 * step: lr * step_factor^floor(epoch / step_epochs); cosine: lr (1 + cos(pi step / total steps)) / 2. */
double ss_learning_rate(const ss_train_options *o, int64_t step, int64_t steps_per_epoch);
/* One step on training examples index[0..n-1]. 0, or SS_TRAIN_DIVERGED. Formulas: src/train/step.c. */
ss_train_end ss_trainer_step(ss_trainer *t, const uint32_t *index, uint32_t n);
/* The examples of epoch e in order: a permutation keyed by (seed, epoch); the identity for full batches, unless ghost
 * batches or SAM's groups divide them. */
void ss_trainer_order(const ss_trainer *t, int64_t epoch, uint32_t *order);
/* Examples that an evaluation takes at a time; micro_batch 0: no limit. */
uint32_t ss_evaluation_pass(const ss_net *net, uint32_t micro_batch);
/* Mean loss and accuracy in eval mode (running statistics, no dropout). */
void ss_trainer_evaluate(ss_trainer *t, const ss_split *split, double *loss, double *accuracy);

/* Where a trainer stands: saved between two steps and read into a trainer of the same network, data and options, it goes on
 * bit for bit. Restore refuses counters that are none; what the trainer then holds is to be thrown away. 0 or -1. */
void ss_trainer_pieces(ss_trainer *t, ss_pieces *list);
int ss_trainer_restore(ss_trainer *t, ss_keeper *keeper, ss_error *error);

/* epoch = step / steps per epoch: a fraction where max_steps ended in the middle of one. */
typedef struct ss_epoch_row { double epoch, step, learning_rate, train_loss, train_accuracy, test_loss, test_accuracy,
                              gradient_norm; } ss_epoch_row;
typedef struct ss_train_hooks {
    void *ctx;
    int (*on_epoch)(void *ctx, ss_trainer *t, const ss_epoch_row *row, ss_error *error); /* after each evaluation */
    int (*on_step)(void *ctx, ss_trainer *t, ss_error *error); /* before each step and after the last; may be NULL */
    bool (*should_stop)(void *ctx);                            /* polled each step; may be NULL */
} ss_train_hooks;
/* Trains until a stopping rule holds (checked after every epoch; max_steps and divergence after every step). `last` gets
 * the final row; cut short (diverged in a step, interrupted) it is not evaluated: train_loss is the last batch's, the rest
 * NaN. Goes on from the counters of a restored trainer. 0 and *end, or -1 and error (from a hook). */
int ss_trainer_run(ss_trainer *t, const ss_train_hooks *hooks, ss_train_end *end, ss_epoch_row *last, ss_error *error);

#endif
