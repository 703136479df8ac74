/* cost.c - what a point costs, before it runs: a count of multiply-accumulates and of the large arrays. An upper bound in
 * that training is taken to run to max_epochs or max_steps; the targets usually end it earlier. */
#include "parts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* In units of one forward pass of one example: backward costs twice as much, so a gradient is 3. A product with the Hessian
 * is a tangent of both passes, at 2 gradients; what is kept of the point costs a forward pass and its deltas first, and of
 * the batches that keep nothing every product costs that. Products of one measurement, and of one that starts from the
 * last one's vector, as they usually are. */
enum { GRADIENT = 3, FORWARD = 1, DELTAS = 1, FLOPS_PER_MAC = 2 };
static const double product_gradients = 2.1;
enum { USUAL_PRODUCTS = 12, WARM_PRODUCTS = 8, LANCZOS_BASIS = 20, REAL_BYTES = 4 };
enum { NODE_BYTES = 64 }; /* of a spectrum: value and weight while it is made, in the record, twice as bytes on their way out */
/* Work that counts no multiply-accumulate, in units of one: on a value that a layer makes (activations, pooling, batch
 * norm, the copies of a convolution), and on a parameter in one step (gradient, its double accumulator, update). Both wait
 * for memory; rough figures, for the order before anything is measured: the cost model corrects them. */
static const double value_macs = 12, update_macs = 6;
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

/* Checks of curvature during training. */
static double n_tracked(const ss_settings *s, const ss_work_size *w)
{
    double tracked = 0;
    if (s->track_every_epochs != SS_WORD) tracked += floor(n_epochs(s, w) / (double)s->track_every_epochs);
    if (s->track_every_steps != SS_WORD) tracked += floor(n_steps(s, w) / (double)s->track_every_steps);
    return tracked;
}

/* Products of all measurements: the first of a chain starts at random, the others from its vector. *n: how many there are. */
static double all_products(const ss_settings *s, const ss_work_size *w, double *n)
{
    double tracked = n_tracked(s, w), between = s->interpolation_points >= 2 ? (double)s->interpolation_points : 1;
    double first = fmin((double)s->curvature_max_hvp, USUAL_PRODUCTS * (double)s->eigenvalues);
    double later = fmin((double)s->curvature_max_hvp, WARM_PRODUCTS * (double)s->eigenvalues);
    *n = between + tracked;
    return first + (between - 1) * later + (tracked > 0 ? first + (tracked - 1) * later : 0);
}

/* Examples per perturbation: SAM's groups, or the batch. */
static double group_of(const ss_settings *s, const ss_work_size *w)
{
    double batch = batch_of(s, w);
    return s->sam_rho > 0 && s->sam_m != SS_WORD ? fmin((double)s->sam_m, batch) : batch;
}

/* Examples per pass of training. */
static double trained_together(const ss_settings *s, const ss_work_size *w)
{
    return fmin(group_of(s, w), (double)(s->batch_norm ? s->ghost_batch : s->micro_batch));
}

/* Examples of one of the Hessian's passes. */
static double measured_together(const ss_settings *s, const ss_work_size *w)
{
    double examples = chosen(s->curvature_examples, w->n_train);
    if (!s->batch_norm || strcmp(s->curvature_batch_norm, "running") == 0) return fmin((double)s->micro_batch, examples);
    double ghost = fmin(batch_of(s, w), (double)s->ghost_batch);
    return fmin(s->curvature_ghost_batch == SS_WORD ? ghost : (double)s->curvature_ghost_batch, examples);
}

/* What the Hessian keeps of its batches within its memory, as ss_keep_plan (sharp.h) says: one of each at least, then
 * activations, then deltas. */
static void plan_kept(const ss_settings *s, const ss_work_size *w, ss_cost *cost)
{
    double together = measured_together(s, w), n = ceil(chosen(s->curvature_examples, w->n_train) / together);
    double deltas = together * w->deltas_per_example * REAL_BYTES;
    double activations = together * (w->values_per_example - w->deltas_per_example) * REAL_BYTES;
    double left = s->curvature_memory == SS_WORD ? w->cache_bytes : (double)s->curvature_memory;
    cost->n_batches = n;
    cost->activations = fmin(n, fmax(1, floor((left - deltas) / activations)));
    cost->deltas = cost->activations < n ? 1 : fmin(n, fmax(1, floor((left - n * activations) / deltas)));
    cost->kept_bytes = cost->activations * activations + cost->deltas * deltas;
}

/* Batches that are computed anew for every product: where not all keep theirs, the last that does is shared. */
static double anew(double n, double kept)
{
    return kept >= n ? 0 : n - kept + 1;
}

static double curvature_passes(const ss_settings *s, const ss_work_size *w, const ss_cost *kept)
{
    double n_measurements, products = all_products(s, w, &n_measurements), n = kept->n_batches;
    double again = (FORWARD * anew(n, kept->activations) + DELTAS * anew(n, kept->deltas)) / n;
    double examples = chosen(s->curvature_examples, w->n_train);
    double product = GRADIENT * product_gradients + again, measured = n_measurements * (FORWARD + DELTAS) + products * product;
    double more = ss_cost_measures(s, product, examples, batch_of(s, w), w);
    if (s->track_measures) {      /* in training all but the spectrum */
        ss_settings tracked = *s;
        tracked.spectrum_probes = 0;
        more += n_tracked(s, w) * ss_cost_measures(&tracked, product, examples, batch_of(s, w), w);
    }
    return examples * measured + more;
}

/* Bytes per parameter: vectors of ss_real, sums in double. */
static double vectors(const ss_settings *s, const ss_work_size *w, const ss_cost *kept)
{
    enum { SUM_BYTES = 8 };
    double k = (double)s->eigenvalues, training = trained_together(s, w);
    double real = 5 + (2 * k + LANCZOS_BASIS + 2) + k; /* theta, velocity, gradients; the Hessian's theta; basis, eigenvectors */
    double sums = 0;
    if (s->sam_rho > 0) real += 1;                     /* the perturbed point */
    if (training < batch_of(s, w)) real += 1, sums += 1; /* one pass's share, and their sum */
    if (group_of(s, w) < batch_of(s, w)) sums += 2;    /* of SAM's groups: first and second gradients */
    if (kept->n_batches > 1) real += 1, sums += 1;     /* of the Hessian's batches likewise */
    if (s->interpolation_points >= 2) real += 4 + k;   /* iterate, next one, point between; start and best eigenvectors */
    if (s->track_every_epochs != SS_WORD || s->track_every_steps != SS_WORD) real += 1; /* the start of the next check */
    real += ss_cost_measure_vectors(s, w->n_parameters);
    return real * REAL_BYTES + sums * SUM_BYTES;
}

/* Training and curvature live side by side while lambda_max is tracked, and the trainer still holds its buffers at the end:
 * so the sum. The trainer's are those of its passes or, where they take more examples, of evaluations; beside what it keeps,
 * the Hessian has the tangents of one batch. */
static double memory_bytes(const ss_settings *s, const ss_work_size *w, const ss_cost *kept)
{
    double trainer = fmax(trained_together(s, w), fmin((double)s->micro_batch, w->evaluated_together)) * w->values_per_example;
    double tangents = measured_together(s, w) * w->tangents_per_example;
    return PROGRAM_BYTES + w->n_parameters * vectors(s, w, kept) + (trainer + tangents) * REAL_BYTES + w->scratch_bytes
           + kept->kept_bytes + w->data_bytes + NODE_BYTES * kept->nodes;
}

ss_cost ss_cost_predict(const ss_settings *s, const ss_work_size *w, double flops_per_s)
{
    double mac_s = FLOPS_PER_MAC / flops_per_s;
    ss_cost cost = {.train_s = training_macs(s, w) * mac_s};
    plan_kept(s, w, &cost);
    cost.nodes = ss_cost_nodes(s, w->n_parameters);
    cost.curvature_s = curvature_passes(s, w, &cost) * ss_cost_macs(w) * mac_s;
    cost.memory_bytes = memory_bytes(s, w, &cost);
    return cost;
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
