/* probe.c - how fast is this machine at what the sweep will do? A few gradients of one of its networks, timed. */
#include <math.h>
#include <time.h>

#include "app.h"
#include "trial.h"

/* Forward, and backward twice that: 3 passes of 2 operations per multiply-accumulate, counted as the cost model counts. */
#define FLOPS_PER_MAC 6.0
#define PROBE_S 0.3
/* Nobody expects `plan` on a login node to take the memory of the sweep: at most this, and this share of what there is. */
#define MOST_BYTES 1073741824.0
#define MOST_SHARE 0.25
#define ASSUMED_FLOPS_PER_S 5e10

static uint32_t probe_batch(const ss_settings *s, uint32_t n_train)
{
    int64_t n = s->batch_size < 0 || s->batch_size > s->micro_batch ? s->micro_batch : s->batch_size;
    n = n > 64 ? 64 : n;
    return (uint32_t)(n < n_train ? n : n_train);
}

/* A gradient of *n examples, or of as many as fit; -1: not even one does. */
static int fit_memory(const ss_net *net, uint32_t *n, ss_error *error)
{
    double most = fmin(MOST_BYTES, MOST_SHARE * ss_memory_share_bytes()), fixed = 2.0 * sizeof(ss_real) * (double)net->n_params;
    while (*n > 1 && fixed + (double)ss_tape_bytes(net, *n, true) > most) *n /= 2;
    double need = fixed + (double)ss_tape_bytes(net, *n, true);
    if (need <= most) return 0;
    return ss_fail(error, "a network of %zu parameters is too large to be timed here: a gradient takes %.3g GiB, and at most "
                   "%.3g are spent on that", net->n_params, need / 1073741824, most / 1073741824);
}

/* Of this process: what a core can do, however many others want it just now. */
static double processor_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double time_gradients(const ss_net *net, ss_tape *tape, ss_scratch *scratch, ss_real *theta, ss_real *grad, size_t n)
{
    ss_pass pass = {.theta = theta, .n = n};
    double start_s = 0, took_s;
    int n_timed = -1;             /* the first one warms up */
    do {
        if (n_timed == 0) start_s = processor_s();
        ss_net_forward(net, &pass, tape, scratch, NULL);
        ss_net_backward(net, &pass, 1.0 / (double)n, tape, scratch, grad);
        took_s = ++n_timed > 0 ? processor_s() - start_s : 0;
    } while (n_timed < 2 || took_s < PROBE_S);
    return took_s / n_timed;
}

double ss_probe_flops(const ss_study *study, size_t point, ss_error *error)
{
    ss_settings s;
    double flops = -1;
    ss_tape *tape = NULL;
    ss_scratch *scratch = NULL;
    ss_real *theta = NULL, *stats = NULL, *grad = NULL;
    ss_grid_settings(ss_study_grid(study), point, &s);
    const ss_dataset *data = ss_study_data(study, &s);
    uint32_t n = probe_batch(&s, data->train.n);
    ss_net *net = ss_model_create(&s, data, error);
    if (!net || fit_memory(net, &n, error)) goto done;
    ss_threads_set(1);
    tape = ss_tape_create(net, n, true, error);
    scratch = tape ? ss_scratch_create(net, n, false, error) : NULL;
    if (!scratch) goto done;
    theta = ss_alloc(net->n_params, sizeof *theta);
    grad = ss_alloc(net->n_params, sizeof *grad);
    stats = ss_alloc(net->n_stats, sizeof *stats);
    if (!theta || !grad || !stats) {
        ss_fail(error, "no memory to time a gradient of %zu parameters", net->n_params);
        goto done;
    }
    ss_net_init(net, ss_model_init_scheme(&s), 0, theta, stats);
    ss_dataset_batch(data, &data->train, NULL, 0, n, ss_tape_input(tape), ss_tape_labels(tape));
    const ss_work_size work = {.macs_per_example = net->macs_per_example, .values_per_example = (double)net->values_per_example};
    flops = FLOPS_PER_MAC * ss_cost_macs(&work) * n / time_gradients(net, tape, scratch, theta, grad, n);
done:
    ss_free(theta);
    ss_free(grad);
    ss_free(stats);
    ss_scratch_destroy(scratch);
    ss_tape_destroy(tape);
    ss_net_destroy(net);
    return flops;
}

/* The point with the largest network decides where the time goes. */
static size_t largest_network(const ss_study *study)
{
    size_t best = 0;
    double most = -1;
    for (size_t i = 0; i < ss_grid_count(ss_study_grid(study)); i++) {
        ss_settings s;
        ss_grid_settings(ss_study_grid(study), i, &s);
        double macs = ss_study_work(study, &s)->macs_per_example;
        if (macs > most) {
            most = macs;
            best = i;
        }
    }
    return best;
}

double ss_probe_study(const ss_study *study, bool *assumed)
{
    ss_error why = {{0}};
    double flops_per_s = ss_probe_flops(study, largest_network(study), &why);
    *assumed = flops_per_s <= 0;
    if (!*assumed) return flops_per_s;
    /* Too large for this machine, perhaps: what it needs is the more worth saying. */
    ss_log(SS_LOG_WARNING, "%s; %g GFLOP/s are assumed", why.text, ASSUMED_FLOPS_PER_S / 1e9);
    return ASSUMED_FLOPS_PER_S;
}
