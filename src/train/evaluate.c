/* evaluate.c - mean loss and accuracy of a split in eval mode: running statistics, no dropout. */
#include "scratch.h"

#include <math.h>

void ss_trainer_evaluate(ss_trainer *t, const ss_split *split, double *loss, double *accuracy)
{
    struct ss_train_scratch *s = t->scratch;
    ss_pass pass = {.theta = t->theta, .stats = t->stats};
    double sum = 0;
    size_t n_correct = 0;
    for (uint32_t first = 0; first < split->n; first += s->eval_chunk) {
        uint32_t n = split->n - first < s->eval_chunk ? split->n - first : s->eval_chunk;
        size_t correct = 0;
        ss_dataset_batch(t->data, split, NULL, first, n, ss_tape_input(s->tape), ss_tape_labels(s->tape));
        pass.n = n;
        pass.first = first;
        sum += ss_net_forward(t->net, &pass, s->tape, s->work, &correct);
        n_correct += correct;
    }
    *loss = split->n ? sum / split->n : NAN;
    *accuracy = split->n ? (double)n_correct / split->n : NAN;
}
