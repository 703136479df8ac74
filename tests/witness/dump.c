/* dump.c - what sharpsweep computes at given weights on a given batch, for an independent witness to compare. Built twice:
 * in float, and in double, where rounding neither grows along a path nor decides on which side of 0 a ReLU's input lies.
 *
 *   witness_dump NETWORK ACTIVATION BATCH_NORM LOSS SIZE CHANNELS EXAMPLES BATCH RATE RHO DIR
 *
 * reads  DIR/weights.h5 (a PyTorch state dict), DIR/v.h5 (a vector, one dataset per parameter),
 *        DIR/pixels.u8 (EXAMPLES,SIZE,SIZE,CHANNELS), DIR/labels.u8 (EXAMPLES); inputs are x = 4 (pixel/255 - 0.5)
 * writes DIR/gradient_MODE.h5, DIR/product_MODE.h5 (Hv), DIR/gauss_newton_MODE.h5 (Gauss-Newton matrix times v) with MODE
 *        batch and, with batch norm, running, over all examples;
 *        DIR/sgd.h5, DIR/sam.h5: weights and statistics after 20 steps from weights.h5; step k takes examples
 *        (k BATCH + i) mod EXAMPLES; 
 * from double the same with .f64 for .h5, the parameters alone, tensor after tensor (the trajectories not of the largest
 * networks without batch norm, whose rounding does not grow much)
 * prints "name value" lines: loss_MODE, from double measures (see dump_measures), and from float lambda_MODE,
 * residual_MODE, products_MODE (running only for small networks). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sharpsweep/measure.h"
#include "sharpsweep/num.h"
#include "sharpsweep/sharp.h"
#include "sharpsweep/store.h"
#include "sharpsweep/train.h"

enum { N_STEPS = 20, SMALL = 1000000 };

typedef struct plan {
    ss_model_options model;
    int size, channels;
    uint32_t examples, batch;
    double rate, rho;
    const char *dir;
} plan;

typedef struct bench {            /* the network and what was read */
    ss_net *net;
    ss_dataset data;
    ss_real *theta, *stats, *v, *out, *work;
    char path[1200];
} bench;

static const char *in_dir(bench *b, const plan *p, const char *stem, const char *tail)
{
    snprintf(b->path, sizeof b->path, "%s/%s%s", p->dir, stem, tail);
    return b->path;
}

/* ---- reading and writing ------------------------------------------------------------------------------------------- */
static int read_bytes(const char *path, uint8_t *out, size_t n, ss_error *error)
{
    FILE *f = fopen(path, "rb");
    if (!f) return ss_fail(error, "%s cannot be opened", path);
    size_t got = fread(out, 1, n, f);
    fclose(f);
    return got == n ? 0 : ss_fail(error, "%s has %zu bytes, expected %zu", path, got, n);
}

static void widen(size_t n, const float *from, ss_real *to)
{
    for (size_t i = 0; i < n; i++) to[i] = from[i];
}

static void narrow(size_t n, const ss_real *from, float *to)
{
    for (size_t i = 0; i < n; i++) to[i] = (float)from[i];
}

static void free_tensors(size_t n, ss_tensor *tensor)
{
    for (size_t i = 0; tensor && i < n; i++) ss_free(tensor[i].value);
    ss_free(tensor);
}

/* One file tensor per network tensor, with room for its values; with_stats: running statistics too. */
static ss_tensor *make_tensors(const ss_net *net, bool with_stats, size_t *n, ss_error *error)
{
    ss_tensor *tensor = ss_alloc(net->n_tensors, sizeof *tensor);
    *n = 0;
    if (!tensor) ss_fail(error, "out of memory");
    for (size_t i = 0; tensor && i < net->n_tensors; i++) {
        const ss_param *p = &net->tensor[i];
        if (p->is_stat && !with_stats) continue;
        ss_tensor *t = &tensor[(*n)++];
        snprintf(t->name, sizeof t->name, "%s", p->name);
        t->n_dims = p->n_dims;
        memcpy(t->dim, p->dim, sizeof t->dim);
        t->value = ss_alloc(p->size, sizeof *t->value);
        if (t->value) continue;
        ss_fail(error, "out of memory");
        free_tensors(*n, tensor);
        return NULL;
    }
    return tensor;
}

static int read_vector(const ss_net *net, const char *path, ss_real *theta, ss_real *stats, ss_error *error)
{
    size_t n, k = 0;
    ss_tensor *tensor = make_tensors(net, stats != NULL, &n, error);
    if (!tensor) return -1;
    int status = ss_weights_read(path, n, tensor, error);
    for (size_t i = 0; status == 0 && i < net->n_tensors; i++) {
        if (net->tensor[i].is_stat && !stats) continue;
        ss_real *values = ss_alloc(net->tensor[i].size, sizeof *values);
        if (!values) status = ss_fail(error, "out of memory");
        if (status == 0) widen(net->tensor[i].size, tensor[k++].value, values);
        if (status == 0) ss_net_import(net, i, values, net->tensor[i].is_stat ? stats : theta);
        ss_free(values);
    }
    free_tensors(n, tensor);
    return status;
}

static int write_vector(const ss_net *net, const char *path, const ss_real *theta, const ss_real *stats, ss_error *error)
{
    size_t n, k = 0;
    ss_tensor *tensor = make_tensors(net, stats != NULL, &n, error);
    if (!tensor) return -1;
    int status = 0;
    for (size_t i = 0; status == 0 && i < net->n_tensors; i++) {
        if (net->tensor[i].is_stat && !stats) continue;
        ss_real *values = ss_alloc(net->tensor[i].size, sizeof *values);
        if (!values) status = ss_fail(error, "out of memory");
        if (status == 0) ss_net_export(net, i, net->tensor[i].is_stat ? stats : theta, values);
        if (status == 0) narrow(net->tensor[i].size, values, tensor[k++].value);
        ss_free(values);
    }
    if (status == 0) status = ss_weights_write(path, n, tensor, error);
    free_tensors(n, tensor);
    return status;
}

/* The weights as ss_real, tensor after tensor in PyTorch's order. */
static int write_raw(const ss_net *net, const char *path, const ss_real *theta, ss_real *work, ss_error *error)
{
    FILE *f = fopen(path, "wb");
    if (!f) return ss_fail(error, "%s cannot be written", path);
    bool good = true;
    for (size_t i = 0; i < net->n_tensors; i++) {
        if (net->tensor[i].is_stat) continue;
        ss_net_export(net, i, theta, work);
        good = fwrite(work, sizeof *work, net->tensor[i].size, f) == net->tensor[i].size && good;
    }
    return fclose(f) == 0 && good ? 0 : ss_fail(error, "%s cannot be written", path);
}

/* ---- setting up ------------------------------------------------------------------------------------------------------ */
static int make_data(bench *b, const plan *p, ss_error *error)
{
    size_t pixels = (size_t)p->size * (size_t)p->size * (size_t)p->channels;
    ss_dataset *d = &b->data;
    d->h = d->w = p->size;
    d->c = p->channels;
    d->n_classes = 10;
    d->train.n = p->examples;
    d->train.pixels = ss_alloc(p->examples * pixels, 1);
    d->train.labels = ss_alloc(p->examples, 1);
    d->mean = ss_alloc(pixels, sizeof *d->mean);
    d->inv_std = ss_alloc(pixels, sizeof *d->inv_std);
    if (!d->train.pixels || !d->train.labels || !d->mean || !d->inv_std) return ss_fail(error, "out of memory");
    for (size_t i = 0; i < pixels; i++) {
        d->mean[i] = (ss_real)0.5;
        d->inv_std[i] = 4;
    }
    if (read_bytes(in_dir(b, p, "pixels", ".u8"), d->train.pixels, p->examples * pixels, error)) return -1;
    return read_bytes(in_dir(b, p, "labels", ".u8"), d->train.labels, p->examples, error);
}

static int make_net(bench *b, const plan *p, ss_error *error)
{
    /* In float a rounding of 1e-6 (Winograd) would take a few of many ReLUs to the other side of their kink, where derivatives
     * honestly differ: plain GEMM there. Networks without kinks are compared as they are by default. */
    bool kinks = strcmp(p->model.activation, "relu") == 0 || strcmp(p->model.network, "cnn") != 0;
    ss_layers list = {.exact = sizeof(ss_real) == sizeof(float) && kinks};
    ss_shape input = {p->size, p->size, p->channels};
    if (ss_model_layers(&p->model, 10, &list, error) == 0) b->net = ss_net_create(&list, input, 10, p->model.loss, error);
    ss_layers_finish(&list);
    if (!b->net) return -1;
    b->theta = ss_alloc(b->net->n_params, sizeof *b->theta);
    b->stats = ss_alloc(b->net->n_stats, sizeof *b->stats);
    b->v = ss_alloc(b->net->n_params, sizeof *b->v);
    b->out = ss_alloc(b->net->n_params, sizeof *b->out);
    b->work = ss_alloc(b->net->n_params, sizeof *b->work);
    if (!b->theta || !b->stats || !b->v || !b->out || !b->work) return ss_fail(error, "out of memory");
    if (read_vector(b->net, in_dir(b, p, "weights", ".h5"), b->theta, b->stats, error)) return -1;
    return read_vector(b->net, in_dir(b, p, "v", ".h5"), b->v, NULL, error);
}

static void finish(bench *b)
{
    ss_net_destroy(b->net);
    ss_free(b->theta);
    ss_free(b->stats);
    ss_free(b->v);
    ss_free(b->out);
    ss_free(b->work);
    ss_free(b->data.train.pixels);
    ss_free(b->data.train.labels);
    ss_free(b->data.mean);
    ss_free(b->data.inv_std);
}

/* ---- what is dumped ----------------------------------------------------------------------------------------------- */
/* A vector of n_params under the precision's own kind of file. */
static int write_result(bench *b, const plan *p, const char *name, const ss_real *vector, const ss_real *stats,
                        ss_error *error)
{
    if (sizeof(ss_real) == sizeof(float)) return write_vector(b->net, in_dir(b, p, name, ".h5"), vector, stats, error);
    return write_raw(b->net, in_dir(b, p, name, ".f64"), vector, b->work, error);
}

/* Those that PyTorch knows from a few gradients and one product; lr and rho are the trajectory's. */
static int dump_measures(bench *b, const plan *p, const char *mode, ss_hessian *h, ss_error *error)
{
    const ss_measure_options options = {.sharpness_rho = p->rho, .adaptive_rho = p->rho, .sharpness_steps = 2, .batches = 1,
                                        .learning_rate = p->rate, .sam_rho = p->rho, .seed = 1};
    ss_measures m;
    ss_measures_init(&m);
    ss_measurer *measurer = ss_measurer_create(h, b->net, &b->data, &options, error);
    if (!measurer) return -1;
    int status = 0;
    for (int i = 0; status == 0 && i < SS_N_MEASURES; i++)
        if (ss_measure_wanted(&options, i)) status = ss_measurer_run(measurer, i, b->theta, b->stats, NULL, &m, NULL, error);
    printf("sharpness_%s %.17g\nadaptive_sharpness_%s %.17g\n", mode, m.sharpness, mode, m.adaptive_sharpness);
    printf("batch_sharpness_%s %.17g\nsam_edge_%s %.17g\n", mode, m.batch_sharpness, mode, m.sam_edge);
    ss_measurer_destroy(measurer);
    return status;
}

static int dump_mode(bench *b, const plan *p, const char *mode, ss_error *error)
{
    ss_hessian_options options = {.subset = "first", .batch_norm = mode, .ghost_batch = p->examples,
                                  .micro_batch = p->examples, .cache_bytes = (size_t)1 << 30};
    ss_lanczos_options lanczos = {.k = 1, .tolerance = 1e-3, .max_products = 300, .seed = 1};
    ss_lambda lambda = {0};
    char gradient[32], product[32], gauss_newton[32];
    snprintf(gauss_newton, sizeof gauss_newton, "gauss_newton_%s", mode);
    snprintf(gradient, sizeof gradient, "gradient_%s", mode);
    snprintf(product, sizeof product, "product_%s", mode);
    ss_hessian *h = ss_hessian_create(b->net, &b->data, &options, error);
    if (!h) return -1;
    int status = -1;
    ss_hessian_set(h, b->theta, b->stats);
    printf("loss_%s %.17g\n", mode, ss_hessian_loss(h, b->out));
    if (write_result(b, p, gradient, b->out, NULL, error)) goto done;
    if (ss_hessian_apply(h, b->v, b->out, error)) goto done;
    if (write_result(b, p, product, b->out, NULL, error)) goto done;
    ss_hessian_set_matrix(h, SS_GAUSS_NEWTON);
    if (ss_hessian_apply(h, b->v, b->out, error)) goto done;
    ss_hessian_set_matrix(h, SS_HESSIAN);
    if (write_result(b, p, gauss_newton, b->out, NULL, error)) goto done;
    if (sizeof(ss_real) == sizeof(double) && dump_measures(b, p, mode, h, error)) goto done;
    if (sizeof(ss_real) == sizeof(double) || (!strcmp(mode, "running") && b->net->n_params > SMALL)) {
        status = 0;
        goto done;
    }
    if (ss_lambda_measure(h, b->theta, b->stats, &lanczos, &lambda, error)) goto done;
    printf("lambda_%s %.9g\nresidual_%s %.3g\nproducts_%s %lld\n", mode, lambda.lambda_max, mode, lambda.residual, mode,
           (long long)lambda.hvp_count);
    status = 0;
done:
    ss_lambda_finish(&lambda);
    ss_hessian_destroy(h);
    return status;
}

static int dump_trajectory(bench *b, const plan *p, const char *name, double rho, ss_error *error)
{
    ss_train_options o = {.learning_rate = p->rate, .momentum = 0.9, .weight_decay = 5e-3, .batch_size = p->batch,
        .schedule = "constant", .sam_rho = rho, .ghost_batch = p->batch, .micro_batch = p->batch, .max_epochs = 1,
        .max_steps = -1, .divergence_loss = 1e6, .seed = 1};
    ss_trainer *t = ss_trainer_create(b->net, &b->data, &o, error);
    if (!t) return -1;
    int status = 0;
    memcpy(t->theta, b->theta, b->net->n_params * sizeof *t->theta);
    memcpy(t->stats, b->stats, b->net->n_stats * sizeof *t->stats);
    uint32_t *index = ss_alloc(p->batch, sizeof *index);
    if (!index) status = ss_fail(error, "out of memory");
    for (uint32_t k = 0; status == 0 && k < N_STEPS; k++) {
        for (uint32_t i = 0; i < p->batch; i++) index[i] = (k * p->batch + i) % p->examples;
        if (ss_trainer_step(t, index, p->batch) != SS_TRAIN_RUNNING) status = ss_fail(error, "%s: diverged", name);
    }
    if (status == 0) status = write_result(b, p, name, t->theta, t->stats, error);
    ss_free(index);
    ss_trainer_destroy(t);
    return status;
}

static int dump(bench *b, const plan *p, ss_error *error)
{
    if (make_data(b, p, error) || make_net(b, p, error)) return -1;
    if (dump_mode(b, p, "batch", error)) return -1;
    if (p->model.batch_norm && dump_mode(b, p, "running", error)) return -1;
    if (sizeof(ss_real) == sizeof(double) && !p->model.batch_norm && b->net->n_params > SMALL) return 0;
    return dump_trajectory(b, p, "sgd", 0, error) || dump_trajectory(b, p, "sam", p->rho, error) ? -1 : 0;
}

int main(int argc, char **argv)
{
    static const int64_t widths[] = {48, 32};
    if (argc != 12) {
        fprintf(stderr, "usage: %s NETWORK ACTIVATION BATCH_NORM LOSS SIZE CHANNELS EXAMPLES BATCH RATE RHO DIR\n", argv[0]);
        return 2;
    }
    plan p = {.model = {.network = argv[1], .activation = argv[2], .widths = widths, .n_widths = 2,
                        .batch_norm = atoi(argv[3]) != 0, .loss = argv[4]},
              .size = atoi(argv[5]), .channels = atoi(argv[6]), .examples = (uint32_t)atoi(argv[7]),
              .batch = (uint32_t)atoi(argv[8]), .rate = atof(argv[9]), .rho = atof(argv[10]), .dir = argv[11]};
    bench b = {0};
    ss_error error = {""};
    ss_threads_set(1);
    int status = dump(&b, &p, &error);
    if (status != 0) fprintf(stderr, "witness_dump: %s\n", error.text);
    finish(&b);
    return status == 0 ? 0 : 1;
}
