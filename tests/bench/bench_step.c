/* bench_step.c - CPU milliseconds of one training step, SAM step, gradient and Hessian-vector product.
 *
 *   bench_step NETWORK BATCH_NORM BATCH [ROUNDS [EXAMPLES [THREADS]]]   NETWORK: mlp | mlp:400,400 | cnn | vgg11 | resnet18
 *
 * With ROUNDS it measures by itself: every round runs one block of each measure, so that noise hits all of them alike, and
 * the medians over the rounds are printed. Without, or with 0, it serves a partner (analysis/bench_*.py): for each line of
 * standard input that names a measure it runs one block and prints its milliseconds. A block is repeated calls for at least
 * BLOCK_S.
 *   step        one SGD step with momentum            sam           one SAM step
 *   gradient    loss and its gradient                 hv_cached     Hv, activations of the point kept
 *   hv_fresh    Hv, activations computed again        forward       losses of the batch, running statistics
 * The Hessian's loss is the mean over EXAMPLES (default: BATCH), taken BATCH at a time. With THREADS given, be it 1, times are
 * wall-clock times. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../../src/train/scratch.h"
#include "sharpsweep/num.h"
#include "sharpsweep/sharp.h"
#include "sharpsweep/train.h"

enum { MAX_ROUNDS = 1000, MAX_WIDTHS = 16 };
static const double BLOCK_S = 0.1, SLOW_S = 0.3; /* a call that takes SLOW_S needs no call before it to warm the caches */

typedef struct bench {
    ss_dataset *data;
    ss_net *net;
    ss_trainer *sgd, *sam;
    ss_hessian *hessian;
    ss_real *v, *out;
    uint32_t batch, examples;
    clockid_t clock;
    double last_s[8];             /* per measure: seconds of one call when it last ran; 0: it has not */
} bench;

static double seconds(const bench *b)
{
    struct timespec t;
    clock_gettime(b->clock, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ---- what is measured -------------------------------------------------------------------------------------------- */
static void run_step(bench *b) { ss_trainer_step(b->sgd, NULL, b->batch); }
static void run_sam(bench *b) { ss_trainer_step(b->sam, NULL, b->batch); }
static void run_gradient(bench *b)
{
    ss_train_gradient(b->sgd, b->sgd->theta, &(ss_slice){NULL, 0, b->batch, b->batch}, false, false, b->out);
}
static void run_cached(bench *b) { ss_hessian_apply(b->hessian, b->v, b->out, NULL); }

static void run_fresh(bench *b)
{
    ss_hessian_set(b->hessian, b->sgd->theta, b->sgd->stats); /* forgets the activations */
    run_cached(b);
}

static void run_forward(bench *b)
{
    double loss, accuracy;
    ss_split part = b->data->train;
    part.n = b->batch;
    ss_trainer_evaluate(b->sgd, &part, &loss, &accuracy);
}

static const struct measure { const char *name; void (*run)(bench *b); } measures[] = {
    {"step", run_step}, {"sam", run_sam}, {"gradient", run_gradient}, {"hv_cached", run_cached},
    {"hv_fresh", run_fresh}, {"forward", run_forward},
};
enum { N_MEASURES = sizeof measures / sizeof *measures };

/* Milliseconds per call over one block; the first call warms up and is not counted. */
static double run_block(bench *b, int which)
{
    const struct measure *m = &measures[which];
    if (b->last_s[which] < SLOW_S) m->run(b);
    double start = seconds(b), now;
    int n = 0;
    do {
        m->run(b);
        n++;
        now = seconds(b);
    } while (now - start < BLOCK_S);
    b->last_s[which] = (now - start) / n;
    return 1e3 * b->last_s[which];
}

/* ---- setting up -------------------------------------------------------------------------------------------------- */
/* "mlp:400,300" is an mlp of widths 400 and 300. */
static size_t read_widths(const char *network, int64_t *widths)
{
    size_t n = 0;
    const char *at = strchr(network, ':');
    for (; at && n < MAX_WIDTHS; at = strchr(at + 1, ',')) widths[n++] = atoll(at + 1);
    if (n == 0) {
        widths[0] = widths[1] = 200;
        n = 2;
    }
    return n;
}

static int make_net(bench *b, const char *argument, bool batch_norm, ss_error *error)
{
    int64_t widths[MAX_WIDTHS];
    size_t n_widths = read_widths(argument, widths);
    const char *network = strncmp(argument, "mlp:", 4) == 0 ? "mlp" : argument;
    bool grey = !strcmp(network, "mlp") || !strcmp(network, "cnn");
    ss_data_options data = {.name = "synthetic", .train_subset = "first", .test_subset = "first", .standardise = "channel",
        .synthetic_train = b->batch > b->examples ? b->batch : b->examples, .synthetic_test = 1,
        .synthetic_size = grey ? 28 : 32, .synthetic_channels = grey ? 1 : 3, .synthetic_classes = 10, .synthetic_noise = 1};
    ss_model_options model = {.network = network, .activation = "relu", .widths = widths, .n_widths = n_widths,
                              .batch_norm = batch_norm, .loss = "cross_entropy"};
    ss_layers list = {0};
    b->data = ss_dataset_load(&data, error);
    if (!b->data) return -1;
    ss_shape input = {b->data->h, b->data->w, b->data->c};
    if (ss_model_layers(&model, 10, &list, error) == 0) b->net = ss_net_create(&list, input, 10, model.loss, error);
    ss_layers_finish(&list);
    return b->net ? 0 : -1;
}

static int make_machines(bench *b, ss_error *error)
{
    ss_train_options o = {.learning_rate = 1e-4, .momentum = 0.9, .schedule = "constant", .ghost_batch = b->batch,
                          .micro_batch = b->batch, .max_epochs = 1, .max_steps = -1, .divergence_loss = 1e30, .seed = 1};
    ss_hessian_options h = {.examples = b->examples, .subset = "first", .batch_norm = "batch", .ghost_batch = b->batch,
                            .micro_batch = b->batch, .cache_bytes = (size_t)8 << 30};
    size_t p = b->net->n_params;
    b->sgd = ss_trainer_create(b->net, b->data, &o, error);
    o.sam_rho = 0.05;
    b->sam = ss_trainer_create(b->net, b->data, &o, error);
    b->hessian = ss_hessian_create(b->net, b->data, &h, error);
    if (!b->sgd || !b->sam || !b->hessian) return -1;
    b->v = ss_alloc(p, sizeof *b->v);
    b->out = ss_alloc(p, sizeof *b->out);
    if (!b->v || !b->out) return ss_fail(error, "out of memory");
    ss_stream stream = ss_stream_make(1, SS_FOR_PROBE, 0, 0);
    for (size_t i = 0; i < p; i++) b->v[i] = (ss_real)ss_stream_normal(&stream, i);
    ss_hessian_set(b->hessian, b->sgd->theta, b->sgd->stats);
    return 0;
}

static void finish(bench *b)
{
    ss_trainer_destroy(b->sgd);
    ss_trainer_destroy(b->sam);
    ss_hessian_destroy(b->hessian);
    ss_net_destroy(b->net);
    ss_dataset_destroy(b->data);
    ss_free(b->v);
    ss_free(b->out);
}

/* ---- the two ways to run ----------------------------------------------------------------------------------------- */
static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void run_alone(bench *b, int rounds)
{
    static double ms[N_MEASURES][MAX_ROUNDS];
    for (int r = 0; r < rounds; r++)
        for (int m = 0; m < N_MEASURES; m++) ms[m][r] = run_block(b, m);
    for (int m = 0; m < N_MEASURES; m++) {
        qsort(ms[m], (size_t)rounds, sizeof(double), ascending);
        printf("%-10s %10.3f ms (median of %d), %.3f at best\n", measures[m].name, ms[m][rounds / 2], rounds, ms[m][0]);
    }
}

static int serve(bench *b)
{
    char line[64];
    printf("parameters %zu macs %.0f\n", b->net->n_params, b->net->macs_per_example); /* the partner counts its own */
    fflush(stdout);
    while (fgets(line, sizeof line, stdin)) {
        line[strcspn(line, "\n")] = '\0';
        int m = 0;
        while (m < N_MEASURES && strcmp(line, measures[m].name) != 0) m++;
        if (m == N_MEASURES) {
            fprintf(stderr, "bench_step: %s is not a measure\n", line);
            return 1;
        }
        printf("%.6f\n", run_block(b, m));
        fflush(stdout);
    }
    return 0;
}

int main(int argc, char **argv)
{
    int rounds = argc > 4 ? atoi(argv[4]) : 0, threads = argc > 6 ? atoi(argv[6]) : 1;
    bench b = {.batch = argc >= 4 ? (uint32_t)atoi(argv[3]) : 0, .examples = argc > 5 ? (uint32_t)atoi(argv[5]) : 0,
               .clock = argc > 6 ? CLOCK_MONOTONIC : CLOCK_PROCESS_CPUTIME_ID};
    if (argc < 4 || argc > 7 || b.batch == 0 || threads < 1 || rounds < 0 || rounds > MAX_ROUNDS) {
        fprintf(stderr, "usage: %s mlp[:WIDTH,...]|cnn|vgg11|resnet18 BATCH_NORM(0|1) BATCH [ROUNDS(0..%d) [EXAMPLES "
                "[THREADS]]]\n", argv[0], MAX_ROUNDS);
        return 2;
    }
    if (b.examples == 0) b.examples = b.batch;
    ss_error error = {""};
    ss_threads_set(threads);
    int status = 1;
    if (make_net(&b, argv[1], atoi(argv[2]) != 0, &error) || make_machines(&b, &error))
        fprintf(stderr, "bench_step: %s\n", error.text);
    else if (rounds == 0)
        status = serve(&b);
    else {
        run_alone(&b, rounds);
        status = 0;
    }
    finish(&b);
    return status;
}
