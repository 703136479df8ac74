/* The edge of stability, small and fast: full-batch training of a tanh MLP on 200 synthetic images drives lambda_max up to
 * the largest curvature at which the optimiser is stable, and holds it there. Theory gives that number, so the whole chain
 * of network, derivatives, step and eigensolver is right or this fails:
 *   gradient descent            2 / lr                                  Cohen et al. 2021, arXiv 2103.00065
 *   heavy-ball momentum         (2 + 2 beta) / lr
 *   Nesterov momentum           (2 + 2 beta) / (lr (1 + 2 beta))
 *   SAM                         (g / 2 rho) (sqrt(1 + 8 rho / (lr g)) - 1), g the gradient's norm; Long & Bartlett 2023 */
#include "../suite.h"

#include <math.h>
#include <string.h>

#include "sharpsweep/sharp.h"
#include "sharpsweep/train.h"

typedef struct lab {
    ss_dataset *data;
    ss_net *net;
    ss_trainer *trainer;
    ss_hessian *hessian;
    uint32_t index[200];
} lab;

static const uint32_t n_examples = 200;

static int lab_init(lab *l, const ss_train_options *options, ss_error *error)
{
    static const int64_t widths[] = {32, 32};
    ss_data_options data = {.name = "synthetic", .standardise = "pixel", .synthetic_train = n_examples, .synthetic_test = 16,
                            .synthetic_size = 6, .synthetic_channels = 1, .synthetic_classes = 4, .synthetic_noise = 2,
                            .synthetic_seed = 1};
    ss_model_options model = {"mlp", "tanh", widths, 2, false, 0, "squared_error"};
    ss_hessian_options hessian = {.subset = "first", .batch_norm = "batch", .ghost_batch = 1000, .micro_batch = 1000,
                                  .cache_bytes = 1u << 26};
    ss_layers layers = {0};
    memset(l, 0, sizeof *l);
    if (!(l->data = ss_dataset_load(&data, error))) return -1;
    int status = ss_model_layers(&model, l->data->n_classes, &layers, error);
    if (status == 0) l->net = ss_net_create(&layers, (ss_shape){6, 6, 1}, l->data->n_classes, "squared_error", error);
    ss_layers_finish(&layers);
    if (!l->net) return -1;
    for (uint32_t i = 0; i < n_examples; i++) l->index[i] = i;
    l->trainer = ss_trainer_create(l->net, l->data, options, error);
    l->hessian = ss_hessian_create(l->net, l->data, &hessian, error);
    return l->trainer && l->hessian ? 0 : -1;
}

static void lab_finish(lab *l)
{
    ss_hessian_destroy(l->hessian);
    ss_trainer_destroy(l->trainer);
    ss_net_destroy(l->net);
    ss_dataset_destroy(l->data);
}

static double lambda_now(lab *l)
{
    ss_error error;
    ss_lambda lambda = {0};
    ss_lanczos_options lanczos = {.k = 1, .tolerance = 1e-3, .max_products = 100, .seed = 1};
    int status = ss_lambda_measure(l->hessian, l->trainer->theta, l->trainer->stats, &lanczos, &lambda, &error);
    CU_ASSERT(status == 0 && lambda.converged);
    double value = lambda.lambda_max;
    ss_lambda_finish(&lambda);
    return value;
}

static ss_train_options options(double lr, double beta, bool nesterov, double rho)
{
    return (ss_train_options){.learning_rate = lr, .momentum = beta, .nesterov = nesterov, .sam_rho = rho,
                              .schedule = "constant", .ghost_batch = 1000, .micro_batch = 1000, .max_epochs = 100000,
                              .max_steps = -1, .divergence_loss = 1e4, .init = "pytorch"};
}

/* Trains `steps` and compares the mean of lambda_max / edge over the last part, 20 samples, with 1. */
static void plateau(const char *what, ss_train_options o, int steps, double tolerance)
{
    ss_error error;
    lab l;
    CU_ASSERT_FATAL(lab_init(&l, &o, &error) == 0);
    double start = lambda_now(&l), sum = 0;
    int samples = 0;
    double limit = o.nesterov ? (2 + 2 * o.momentum) / (1 + 2 * o.momentum) : 2 + 2 * o.momentum;
    for (int s = 0; s < steps; s++) {
        CU_ASSERT_FATAL(ss_trainer_step(l.trainer, l.index, n_examples) == SS_TRAIN_RUNNING);
        if (s < steps / 2 || s % (steps / 40) != 0) continue;
        double g = l.trainer->gradient_norm, rho = o.sam_rho, edge = limit / o.learning_rate;
        if (rho > 0) edge = g / (2 * rho) * (sqrt(1 + 8 * rho / (o.learning_rate * g)) - 1);
        sum += lambda_now(&l) / edge;
        samples++;
    }
    printf("\n    %s: lambda_max starts at %.3f; over the last half of %d steps it is %.4f of the edge\n", what, start, steps,
           sum / samples);
    CU_ASSERT(start * o.learning_rate < 0.9 * limit);
    CU_ASSERT(fabs(sum / samples - 1) <= tolerance);
    lab_finish(&l);
}

static void gradient_descent(void) { plateau("gradient descent", options(0.3, 0, false, 0), 4000, 0.01); }
static void heavy_ball(void) { plateau("heavy ball", options(0.5, 0.5, false, 0), 4000, 0.02); }
static void nesterov(void) { plateau("Nesterov", options(0.25, 0.5, true, 0), 4000, 0.02); }
static void sam(void) { plateau("SAM", options(0.3, 0, false, 0.1), 6000, 0.06); }

static const ss_case cases[] = {{"gradient descent: 2 / lr", gradient_descent}, {"heavy ball: (2 + 2 beta) / lr", heavy_ball},
                                {"Nesterov: (2 + 2 beta) / (lr (1 + 2 beta))", nesterov}, {"SAM's edge", sam}};
SS_SUITE("edge of stability", cases)
