/* scratch.h - private to src/train: a trainer's buffers, sized once by ss_trainer_create. */
#ifndef SHARPSWEEP_TRAIN_SCRATCH_H
#define SHARPSWEEP_TRAIN_SCRATCH_H

#include "sharpsweep/train.h"

struct ss_train_scratch {
    ss_tape *tape;
    ss_scratch *work;
    size_t capacity;              /* examples per pass that tape and work take */
    uint32_t batch;               /* examples of a full step, at most the training subset */
    uint32_t group;               /* examples per perturbation (SAM), else batch */
    uint32_t eval_chunk;          /* examples per pass of an evaluation */
    ss_real *grad;                /* (n_params) what the update uses */
    ss_real *ascent;              /* (n_params) SAM's perturbed point w + e: theta itself is never touched; or NULL */
    ss_real *part;                /* (n_params) one micro-batch's share; NULL if one pass takes a batch */
    double *sum;                  /* (n_params) over micro-batches; likewise */
    double *first_sum, *total;    /* (n_params) over groups: first gradients, second gradients; NULL with one group */
    uint32_t *order;              /* (train.n) the running epoch's examples */
};

/* Examples [first, first + n) of a batch of `of` examples: index[i] in the training subset, NULL for i itself. */
typedef struct ss_slice { const uint32_t *index; uint32_t first, n, of; } ss_slice;

/* grad = gradient at theta of (1/of) * sum of the slice's losses; returns that weighted loss. In train mode with the
 * masks of step t->step; again: of the slice of the last call; update_stats: the passes' batch statistics go into the
 * running ones. See gradient.c. */
double ss_train_gradient(ss_trainer *t, const ss_real *theta, const ss_slice *slice, bool again, bool update_stats,
                         ss_real *grad);
/* Examples per pass over n of a batch, within one group: where batch norm couples examples, a ghost batch. */
uint32_t ss_train_micro(const ss_trainer *t, uint32_t n);

#endif
