/* cost.c - what a point costs, before it runs: a count of multiply-accumulates and of the large arrays. An upper bound in
 * that training is taken to run to max_epochs or max_steps; the targets usually end it earlier. */
#include "parts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* In units of one forward pass of one example: backward costs twice as much, so a gradient is 3. A product with the Hessian
 * is a tangent of both passes, at 2 to 2.7 gradients as measured; what is cached of the point costs one gradient first. */
enum { GRADIENT = 3, FLOPS_PER_MAC = 2 };
static const double product_gradients = 2.4;
/* Work that counts no multiply-accumulate, in units of one: on a value that a layer makes (activations, pooling, batch
 * norm, the copies of a convolution), and on a parameter in one step (gradient, its double accumulator, update). Both wait
 * for memory; rough figures, for the order before anything is measured: the cost model corrects them. */
static const double value_macs = 12, update_macs = 6;
enum { USUAL_PRODUCTS = 12, LANCZOS_BASIS = 20, REAL_BYTES = 4 };
static const double PROGRAM_BYTES = 20 << 20; /* code, MPI, BLAS and HDF5, as measured */

static double chosen(int64_t wanted, double n)
{
    return wanted == SS_WORD || (double)wanted > n ? n : (double)wanted;
}

static double batch_of(const ss_settings *s, const ss_work_size *w)
{
    return fmax(1, chosen(s->batch_size, w->n_train));
}

static double n_steps(const ss_settings *s, const ss_work_size *w)
{
    double steps = (double)s->max_epochs * ceil(w->n_train / batch_of(s, w));
    return s->max_steps == SS_WORD ? steps : fmin(steps, (double)s->max_steps);
}

static double n_epochs(const ss_settings *s, const ss_work_size *w)
{
    return fmin((double)s->max_epochs, ceil(n_steps(s, w) * batch_of(s, w) / fmax(1, w->n_train)));
}

double ss_cost_macs(const ss_work_size *w)
{
    return w->macs_per_example + value_macs * w->values_per_example;
}

/* Multiply-accumulates that training takes, its evaluations included. */
static double training_macs(const ss_settings *s, const ss_work_size *w)
{
    double n_evaluations = ceil(n_epochs(s, w) / (double)s->evaluate_every_epochs), passes = s->sam_rho > 0 ? 2 : 1;
    double trained = fmin(n_steps(s, w) * batch_of(s, w), (double)s->max_epochs * w->n_train);
    double examples = trained * GRADIENT * passes + n_evaluations * (w->n_train + w->n_test);
    return examples * ss_cost_macs(w) + n_steps(s, w) * passes * update_macs * w->n_parameters;
}

/* The iterate moves by lr times a gradient in each of n/batch steps of an epoch: the way to a given loss takes a number of
 * epochs that grows with batch/lr, as long as the steps are small. */
double ss_cost_effort(const ss_settings *s, const ss_work_size *w)
{
    bool target = s->target_train_accuracy > 0 || s->target_train_loss > 0;
    return target && s->learning_rate > 0 ? batch_of(s, w) / s->learning_rate : 0;
}

static double n_measurements(const ss_settings *s, const ss_work_size *w)
{
    double n = s->interpolation_points >= 2 ? (double)s->interpolation_points : 1;
    if (s->track_every_epochs != SS_WORD) n += floor(n_epochs(s, w) / (double)s->track_every_epochs);
    if (s->track_every_steps != SS_WORD) n += floor(n_steps(s, w) / (double)s->track_every_steps);
    return n;
}

static double curvature_macs(const ss_settings *s, const ss_work_size *w)
{
    double examples = chosen(s->curvature_examples, w->n_train);
    double products = fmin((double)s->curvature_max_hvp, USUAL_PRODUCTS * (double)s->eigenvalues);
    return n_measurements(s, w) * examples * GRADIENT * (1 + products * product_gradients) * ss_cost_macs(w);
}

/* Examples that the trainer takes at a time: in training, or where that is more, in evaluation. */
static double trained_together(const ss_settings *s, const ss_work_size *w)
{
    double batch = batch_of(s, w), group = s->sam_rho > 0 && s->sam_m != SS_WORD ? fmin((double)s->sam_m, batch) : batch;
    double training = s->batch_norm ? fmin((double)s->ghost_batch, group) : fmin((double)s->micro_batch, group);
    return fmax(training, fmin((double)s->micro_batch, fmax(w->n_train, w->n_test)));
}

/* Examples of one of the Hessian's passes. */
static double measured_together(const ss_settings *s, const ss_work_size *w)
{
    double examples = chosen(s->curvature_examples, w->n_train);
    if (!s->batch_norm || strcmp(s->curvature_batch_norm, "running") == 0) return fmin((double)s->micro_batch, examples);
    double ghost = fmin(batch_of(s, w), (double)s->ghost_batch);
    return fmin(s->curvature_ghost_batch == SS_WORD ? ghost : (double)s->curvature_ghost_batch, examples);
}

/* Training and curvature live side by side while lambda_max is tracked, and the trainer still holds its buffers at the end:
 * so the sum. The Hessian keeps as many passes of values and deltas as its cache allows, at least one, and the tangents of
 * one. */
static double memory_bytes(const ss_settings *s, const ss_work_size *w)
{
    double basis = 2 * (double)s->eigenvalues + LANCZOS_BASIS + 2 + (double)s->eigenvalues;
    /* Trainer: theta, gradient, velocity, the double accumulator, SAM's copy. Operator: theta, v, Hv, accumulator. */
    double vectors = 3 * REAL_BYTES + 8 + (s->sam_rho > 0 ? REAL_BYTES : 0) + 3 * REAL_BYTES + 8 + basis * REAL_BYTES;
    double per_example = w->values_per_example * REAL_BYTES, examples = chosen(s->curvature_examples, w->n_train);
    double one = measured_together(s, w) * per_example, kept = fmax(one, fmin(w->cache_bytes, examples * per_example));
    return PROGRAM_BYTES + w->n_parameters * vectors + trained_together(s, w) * per_example + one + kept + w->data_bytes;
}

ss_cost ss_cost_predict(const ss_settings *s, const ss_work_size *w, double flops_per_s)
{
    double mac_s = FLOPS_PER_MAC / flops_per_s;
    return (ss_cost){training_macs(s, w) * mac_s, curvature_macs(s, w) * mac_s, memory_bytes(s, w)};
}

static int falling(const void *a, const void *b)
{
    double x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return x > y ? -1 : x < y;
}

/* free_at (n) is a heap with the earliest at its root; the root has grown. */
static void sift_down(double *free_at, size_t n)
{
    for (size_t i = 0;;) {
        size_t least = i;
        for (size_t child = 2 * i + 1; child <= 2 * i + 2; child++)
            if (child < n && free_at[child] < free_at[least]) least = child;
        if (least == i) return;
        double t = free_at[i];
        free_at[i] = free_at[least];
        free_at[least] = t;
        i = least;
    }
}

double ss_cost_makespan(size_t n, const double *cost_s, int n_ranks)
{
    size_t n_workers = n_ranks < 1 ? 1 : (size_t)n_ranks;
    double end = 0, *cost = ss_alloc(n, sizeof *cost), *free_at = ss_alloc(n_workers, sizeof *free_at);
    if (!cost || !free_at) {
        end = NAN;
        goto done;
    }
    if (n) memcpy(cost, cost_s, n * sizeof *cost);
    qsort(cost, n, sizeof *cost, falling);
    for (size_t i = 0; i < n; i++) {
        free_at[0] += cost[i];
        end = fmax(end, free_at[0]);
        sift_down(free_at, n_workers);
    }
done:
    ss_free(cost);
    ss_free(free_at);
    return end;
}
