/* scale.c - the scheduler without MPI and without networks: the real queue, driven by the real cost model, hands points of
 * a grid to simulated workers. What a point truly takes is unknown to the model beforehand: a factor for each axis value,
 * drawn lognormally, and lognormal noise on top. Prints the makespan over its lower bound max(sum / workers, longest), for
 *
 *   file     points in file order
 *   counted  longest first by the count of work alone (which knows nothing of the factors)
 *   model    counted at first, then corrected and ranked anew as times come in: what sharpsweep does
 *   known    longest first by the true times, which no program knows
 *
 * and what rank 0's own work costs per point. Usage: bench_scale [POINTS [WORKERS]]; without arguments, the whole table. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "sharpsweep/sweep.h"

#define HANDOVER_S 0.005 /* from a result to the next point: a poll of rank 0, measured in mpi runs */
#define AXIS_SIGMA 0.6   /* of a factor's logarithm, per axis value */
#define NOISE_SIGMA 0.3  /* of a point's own */
#define MEAN_S 60.0

typedef enum policy { BY_FILE, BY_COUNT, BY_MODEL, BY_TRUTH, N_POLICIES } policy;

typedef struct world {
    ss_job *job;
    ss_grid *grid;
    size_t n;
    float *true_s, *train_s, *curvature_s; /* (n) truly; by the count of work */
    double sum_s, longest_s;
} world;

typedef struct event { double at_s; uint32_t worker; uint32_t point; } event;

typedef struct outcome { double makespan_s, scheduler_s; size_t n_fits; } outcome;

/* ---- the world -------------------------------------------------------------------------------------------------------- */

static double factor(uint64_t axis, uint64_t value)
{
    ss_stream random = ss_stream_make(11, SS_FOR_TEST, axis, 0);
    return exp(AXIS_SIGMA * ss_stream_normal(&random, value));
}

static ss_cost counted(const ss_settings *s)
{
    const ss_work_size work = {.macs_per_example = 1e5, .n_parameters = 1e4, .values_per_example = 1e3,
                               .deltas_per_example = 400, .n_train = 1000, .n_test = 100};
    return ss_cost_predict(s, &work, 1e9);
}

/* Seconds that the point takes: the count times the factors of its values, times its own luck. */
static double truth(const ss_settings *s, size_t point)
{
    ss_stream random = ss_stream_make(12, SS_FOR_TEST, 0, 0);
    ss_cost c = counted(s);
    double f = factor(0, (uint64_t)llround(100 * s->learning_rate)) * factor(1, (uint64_t)s->batch_size);
    return (c.train_s + c.curvature_s) * f * factor(2, s->batch_norm) * factor(3, (uint64_t)llround(100 * s->dropout))
           * exp(NOISE_SIGMA * ss_stream_normal(&random, point));
}

/* 1000 combinations times as many seeds as make n. */
static int build(world *w, size_t n)
{
    char text[512];
    ss_error error = {{0}};
    *w = (world){0};
    snprintf(text, sizeof text, "grid:\n  learning_rate: {linear: [0.1, 1, 10]}\n"
             "  batch_size: [10, 20, 30, 40, 50, 60, 70, 80, 90, 100]\n"
             "  batch_norm: [false, true]\n  dropout: [0, 0.1, 0.2, 0.3, 0.4]\nsweep: {seeds: %zu}\n", (n + 999) / 1000);
    w->job = ss_job_parse(text, "scale.yaml", &error);
    w->grid = w->job ? ss_grid_create(w->job, &error) : NULL;
    if (!w->grid) {
        fprintf(stderr, "scale: %s\n", error.text);
        return -1;
    }
    w->n = ss_grid_count(w->grid);
    w->true_s = ss_alloc(w->n, sizeof *w->true_s);
    w->train_s = ss_alloc(w->n, sizeof *w->train_s);
    w->curvature_s = ss_alloc(w->n, sizeof *w->curvature_s);
    if (!w->true_s || !w->train_s || !w->curvature_s) return -1;
    for (size_t i = 0; i < w->n; i++) {
        ss_settings s;
        ss_grid_settings(w->grid, i, &s);
        w->true_s[i] = (float)truth(&s, i);
        w->train_s[i] = (float)counted(&s).train_s;
        w->curvature_s[i] = (float)counted(&s).curvature_s;
        w->sum_s += (double)w->true_s[i];
    }
    double scale = MEAN_S * (double)w->n / w->sum_s;
    w->sum_s *= scale;
    for (size_t i = 0; i < w->n; i++) {
        w->true_s[i] *= (float)scale;
        w->longest_s = fmax(w->longest_s, (double)w->true_s[i]);
    }
    return 0;
}

static void tear_down(world *w)
{
    ss_free(w->true_s);
    ss_free(w->train_s);
    ss_free(w->curvature_s);
    ss_grid_destroy(w->grid);
    ss_job_destroy(w->job);
}

/* ---- events: a heap, the earliest at its root ------------------------------------------------------------------------- */

static void push(event *heap, size_t *n, event e)
{
    size_t i = (*n)++;
    for (; i > 0 && heap[(i - 1) / 2].at_s > e.at_s; i = (i - 1) / 2) heap[i] = heap[(i - 1) / 2];
    heap[i] = e;
}

static event pop(event *heap, size_t *n)
{
    event first = heap[0], last = heap[--*n];
    size_t i = 0;
    for (;;) {
        size_t child = 2 * i + 1;
        if (child + 1 < *n && heap[child + 1].at_s < heap[child].at_s) child++;
        if (child >= *n || heap[child].at_s >= last.at_s) break;
        heap[i] = heap[child];
        i = child;
    }
    heap[i] = last;
    return first;
}

/* ---- the simulation --------------------------------------------------------------------------------------------------- */

static void fill_costs(const world *w, const ss_cost_model *model, policy p, double *cost)
{
    for (size_t i = 0; i < w->n; i++) {
        ss_cost c = {.train_s = (double)w->train_s[i], .curvature_s = (double)w->curvature_s[i]};
        if (p == BY_TRUTH) {
            cost[i] = (double)w->true_s[i];
            continue;
        }
        if (model) c = ss_cost_model_correct_point(model, w->grid, i, c);
        cost[i] = c.train_s + c.curvature_s;
    }
}

static void learn(const world *w, ss_cost_model *model, size_t point)
{
    ss_settings s;
    ss_grid_settings(w->grid, point, &s);
    ss_cost c = counted(&s);
    double share = c.train_s / (c.train_s + c.curvature_s), s_true = (double)w->true_s[point];
    ss_cost_model_learn(model, &s, &c, s_true * share, s_true * (1 - share));
}

static double cpu_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int simulate(const world *w, size_t n_workers, policy p, outcome *out)
{
    *out = (outcome){0};
    double start_s = cpu_s(), *cost = ss_alloc(w->n, sizeof *cost);
    event *heap = ss_alloc(n_workers + 1, sizeof *heap);
    ss_cost_model *model = ss_cost_model_create(w->job, NULL);
    size_t n_busy = 0;
    if (!cost || !heap || !model) return -1;
    fill_costs(w, NULL, p, cost);
    ss_queue *queue = ss_queue_create(w->n, p == BY_FILE ? NULL : cost, NULL);
    if (!queue) return -1;
    for (size_t worker = 0; worker < n_workers; worker++) push(heap, &n_busy, (event){0, (uint32_t)worker, UINT32_MAX});
    while (n_busy) {
        event e = pop(heap, &n_busy);
        if (e.point != UINT32_MAX) {
            out->makespan_s = fmax(out->makespan_s, e.at_s);
            ss_queue_done(queue, e.point);
            if (p == BY_MODEL) learn(w, model, e.point);
        }
        if (p == BY_MODEL && ss_cost_model_is_due(model) && ss_queue_waiting(queue)) {
            ss_cost_model_fit(model);
            fill_costs(w, model, p, cost);
            if (ss_queue_rank(queue, cost)) return -1;
            out->n_fits++;
        }
        int64_t point = ss_queue_next(queue);
        if (point < 0) continue;
        push(heap, &n_busy, (event){e.at_s + HANDOVER_S + (double)w->true_s[point], e.worker, (uint32_t)point});
    }
    out->scheduler_s = cpu_s() - start_s;
    int rc = ss_queue_finished(queue) == w->n ? 0 : -1;
    ss_queue_destroy(queue);
    ss_cost_model_destroy(model);
    ss_free(heap);
    ss_free(cost);
    return rc;
}

/* ---- the table -------------------------------------------------------------------------------------------------------- */

static int print_row(const world *w, size_t n_workers)
{
    double bound_s = fmax(w->sum_s / (double)n_workers, w->longest_s);
    outcome o[N_POLICIES];
    for (policy p = 0; p < N_POLICIES; p++)
        if (simulate(w, n_workers, p, &o[p])) {
            fprintf(stderr, "scale: %zu points on %zu workers did not finish\n", w->n, n_workers);
            return -1;
        }
    char bound[SS_TIME_BYTES];
    ss_duration_format(bound_s, bound);
    printf("| %zu | %zu | %s%s | %.3f | %.3f | %.3f | %.3f | %.0f | %zu | %.1f |\n", w->n, n_workers, bound,
           bound_s > w->sum_s / (double)n_workers ? " (longest)" : "", o[BY_FILE].makespan_s / bound_s,
           o[BY_COUNT].makespan_s / bound_s, o[BY_MODEL].makespan_s / bound_s, o[BY_TRUTH].makespan_s / bound_s,
           100 * w->sum_s / (o[BY_MODEL].makespan_s * (double)n_workers), o[BY_MODEL].n_fits,
           1e6 * o[BY_MODEL].scheduler_s / (double)w->n);
    fflush(stdout);
    /* Longest first by true times is within 4/3 (Graham 1969); what is learnt on the way must not be far from it. */
    return o[BY_MODEL].makespan_s < 1.5 * bound_s + 0.01 * MEAN_S ? 0 : 1;
}

static int print_rows(size_t n, size_t only_workers)
{
    world w;
    if (build(&w, n)) return -1;
    int rc = 0;
    for (size_t workers = 16; workers <= 16384 && rc >= 0; workers *= 4) {
        if (only_workers ? workers != 16 : workers > w.n) continue;
        int bad = print_row(&w, only_workers ? only_workers : workers);
        rc = bad < 0 ? -1 : rc | bad;
    }
    tear_down(&w);
    return rc;
}

int main(int argc, char **argv)
{
    static const size_t all[] = {1000, 10000, 100000, 1000000};
    size_t n = argc > 1 ? strtoul(argv[1], NULL, 10) : 0, workers = argc > 2 ? strtoul(argv[2], NULL, 10) : 0;
    int rc = 0;
    printf("makespan over its lower bound; points of %.0f s on average\n\n", MEAN_S);
    printf("| points | workers | bound | file | counted | model | known | model: busy %% | fits | "
           "rank 0: CPU us per point |\n");
    printf("|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n");
    for (size_t i = 0; i < sizeof all / sizeof *all && rc >= 0; i++) {
        if (n && i) break;
        int bad = print_rows(n ? n : all[i], workers);
        rc = bad < 0 ? -1 : rc | bad;
    }
    if (rc) fprintf(stderr, "scale: the model's makespan is more than 1.5 times its bound\n");
    return rc != 0;
}
