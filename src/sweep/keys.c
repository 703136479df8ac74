/* keys.c - the one table of job keys. Parser, defaults, reference, JSON Schema, identity, HDF5 columns and plots all read
 * it, so that a key is born, documented and checked in one row. */
#include "sharpsweep/sweep.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#define JOB_OWN ((size_t)-1)
#define MAX_COUNT 1e9
#define MAX_SEED 9007199254740991.0 /* 2^53 - 1: exact in a double, so that every reader of the results sees the same seed */

static const char *const networks[] = {"mlp", "cnn", "vgg11", "resnet18", "layers", NULL};
static const char *const activations[] = {"relu", "tanh", "gelu", NULL};
static const char *const inits[] = {"auto", "pytorch", "study", NULL};
static const char *const numerics[] = {"fast", "exact", NULL};
static const char *const losses[] = {"cross_entropy", "squared_error", NULL};
static const char *const datasets[] = {"fashion-mnist", "idx", "cifar10", "cifar100", "synthetic", NULL};
static const char *const subsets[] = {"first", "even", NULL};
static const char *const standards[] = {"pixel", "channel", "none", NULL};
static const char *const schedules[] = {"constant", "step", "cosine", NULL};
static const char *const norm_modes[] = {"batch", "running", NULL};

#define AT(m) #m, .offset = offsetof(ss_settings, m)
#define BOOL(m, f, t) {.name = AT(m), .section = S, .type = SS_BOOL, .fallback = f, .identity = ID, .optional = OPTIONAL, \
                       .unit = "", .text = t}
#define CHOICE(m, f, list, t) {.name = AT(m), .section = S, .type = SS_CHOICE, .fallback = f, .choices = list, \
                               .identity = ID, .unit = "", .text = t}
#define INT(m, f, lo, hi, u, t) {.name = AT(m), .section = S, .type = SS_INT, .fallback = f, .min = lo, .max = hi, \
                                 .identity = ID, .optional = OPTIONAL, .unit = u, .text = t}
#define COUNT(m, f, w, u, t) {.name = AT(m), .section = S, .type = SS_COUNT, .fallback = f, .word = w, .min = 1, \
                              .max = MAX_COUNT, .identity = ID, .optional = OPTIONAL, .unit = u, .text = t}
/* [ and ) as in mathematics: whether the bounds themselves are allowed. */
#define FLOAT(m, f, lo, olo, hi, ohi, u, t) {.name = AT(m), .section = S, .type = SS_FLOAT, .fallback = f, \
                                             .min = lo, .open_min = olo, .max = hi, .open_max = ohi, .identity = ID, \
                                             .optional = OPTIONAL, .unit = u, .text = t}
#define RETRIES(n, f, t) {.name = n, .section = S, .type = SS_INT, .offset = JOB_OWN, .fallback = f, .min = 0, .max = 100, \
                          .unit = "retries", .text = t}
#define SECONDS(n, f, olo, t) {.name = n, .section = S, .type = SS_FLOAT, .offset = JOB_OWN, .fallback = f, .min = 0, \
                               .open_min = olo, .max = INFINITY, .open_max = true, .unit = "s", .text = t}
#define CLOSED false
#define OPEN true

static const ss_key table[] = {
#define S "model"
#define ID true
#define OPTIONAL false
    CHOICE(network, "mlp", networks, "the network: a preset, or `layers` for the job's own list"),
    CHOICE(activation, "relu", activations, "nonlinearity of the presets mlp and cnn"),
    {.name = AT(widths), .section = S, .type = SS_INTS, .fallback = "[200, 200]", .min = 1, .max = 65536, .identity = true,
     .unit = "units", .text = "hidden widths of mlp, first to last, at most 16; `[]` is a linear classifier"},
    {.name = AT(layers), .section = S, .type = SS_LAYERS, .fallback = "", .identity = true, .unit = "",
     .text = "the network as a list of layers, for `network: layers`"},
    BOOL(batch_norm, "false", "adds batch norm after every convolution (mlp: after every hidden linear layer)"),
    FLOAT(dropout, "0", 0, CLOSED, 1, OPEN, "1", "probability of zeroing a hidden value in training"),
    CHOICE(init, "auto", inits, "initial weights: `pytorch`'s defaults or the `study`'s; `auto`: study for vgg11"),
    CHOICE(loss, "cross_entropy", losses, "mean softmax cross-entropy, or mean of 1/2 ||f(x) - onehot||^2"),
    CHOICE(numerics, "fast", numerics, "`fast`: our own products, 3x3 convolutions by Winograd's algorithm where that "
        "pays (rounding of some 1e-6); `exact`: the BLAS library's GEMM alone, whose bits depend on its build and the processor"),
#undef S
#define S "data"
    CHOICE(dataset, "fashion-mnist", datasets, "the data set; `idx` reads any four files named as MNIST's"),
    {.name = AT(data_dir), .section = S, .type = SS_TEXT, .fallback = "", .identity = false, .unit = "",
     .text = "folder of the data files; empty: $SHARPSWEEP_DATA, then the distribution's own place"},
    COUNT(train_examples, "all", "all", "examples", "how many training examples are used"),
    COUNT(test_examples, "all", "all", "examples", "how many test examples are used"),
    CHOICE(train_subset, "even", subsets, "which training examples: the first n, or n evenly spaced"),
    CHOICE(test_subset, "even", subsets, "which test examples: the first n, or n evenly spaced"),
    CHOICE(standardise, "pixel", standards, "mean 0 and deviation 1 per pixel and channel, per channel, or not at all"),
    INT(synthetic_train, "512", 1, 1e7, "examples", "size of the synthetic training set"),
    INT(synthetic_test, "256", 1, 1e7, "examples", "size of the synthetic test set"),
    INT(synthetic_size, "8", 1, 512, "pixels", "height and width of synthetic images"),
    INT(synthetic_channels, "1", 1, 16, "channels", "channels of synthetic images"),
    INT(synthetic_classes, "4", 2, 256, "classes", "classes of the synthetic set"),
    INT(synthetic_seed, "0", 0, MAX_SEED, "1", "seed of the synthetic set"),
    FLOAT(synthetic_noise, "0.5", 0, CLOSED, INFINITY, OPEN, "1",
          "noise of synthetic images, in units of the classes' spread"),
#undef S
#define S "training"
    FLOAT(learning_rate, "0.1", 0, OPEN, INFINITY, OPEN, "1", "step size of SGD, before the schedule"),
    COUNT(batch_size, "128", "full", "examples", "examples per step; `full`: the whole training subset, gradient descent"),
    FLOAT(momentum, "0", 0, CLOSED, 1, OPEN, "1", "momentum coefficient"),
    BOOL(nesterov, "false", "Nesterov's momentum in place of heavy ball; needs momentum > 0"),
    FLOAT(weight_decay, "0", 0, CLOSED, INFINITY, OPEN, "1", "L2 coefficient: adds weight_decay * w to the gradient"),
    CHOICE(schedule, "constant", schedules, "learning rate over time; see step_epochs and step_factor for `step`"),
    FLOAT(step_epochs, "30", 0, OPEN, INFINITY, OPEN, "epochs", "schedule step: epochs between two drops"),
    FLOAT(step_factor, "0.1", 0, OPEN, 1, CLOSED, "1", "schedule step: factor of each drop"),
    FLOAT(warmup_epochs, "0", 0, CLOSED, INFINITY, OPEN, "epochs", "linear warm-up of the learning rate"),
    FLOAT(sam_rho, "0", 0, CLOSED, INFINITY, OPEN, "1", "radius of SAM's perturbation; 0 is plain SGD"),
    COUNT(sam_m, "batch", "batch", "examples", "examples per SAM perturbation (m-SAM); `batch`: one for the whole batch"),
    BOOL(sam_decay_in_ascent, "false", "weight decay takes part in SAM's ascent gradient"),
    BOOL(sam_update_statistics_twice, "false",
         "SAM's second pass updates batch norm's running statistics too, as the study did"),
    INT(ghost_batch, "1000", 1, MAX_COUNT, "examples", "most examples that share batch-norm statistics in training"),
    INT(micro_batch, "250", 1, MAX_COUNT, "examples", "examples per pass where nothing couples examples: bounds memory"),
    INT(max_epochs, "100", 1, MAX_COUNT, "epochs", "stop after so many epochs"),
    INT(evaluate_every_epochs, "1", 1, MAX_COUNT, "epochs", "epochs between evaluations on the whole training and test "
        "sets: rows of the history, and when targets are looked at"),
    COUNT(max_steps, "none", "none", "steps", "stop after so many steps"),
    FLOAT(target_train_accuracy, "0.99", 0, CLOSED, 1, CLOSED, "1", "stop at this training accuracy; 0: no such target"),
    FLOAT(target_train_loss, "0", 0, CLOSED, INFINITY, OPEN, "1", "stop at this training loss; 0: no such target"),
    FLOAT(divergence_loss, "10000", 0, OPEN, INFINITY, OPEN, "1", "a batch loss above this (or not finite) is divergence"),
    INT(seed, "0", 0, MAX_SEED, "1", "seed of initial weights, shuffling and dropout"),
#undef S
#define S "curvature"
    COUNT(curvature_examples, "1000", "all", "examples", "training examples that the Hessian's loss is averaged over"),
    CHOICE(curvature_subset, "even", subsets, "which of them: the first n, or n evenly spaced"),
    CHOICE(curvature_batch_norm, "batch", norm_modes,
           "batch norm in the Hessian: ghost batches' own statistics, or running ones"),
    COUNT(curvature_ghost_batch, "auto", "auto", "examples",
          "ghost batch of the Hessian; `auto`: min(batch_size, ghost_batch)"),
    BOOL(curvature_weight_decay, "false", "includes the L2 term: adds weight_decay to every eigenvalue"),
    FLOAT(curvature_tolerance, "0.001", 0, OPEN, 1, OPEN, "1", "stop at ||Hu - lambda u|| <= tolerance * |lambda|"),
    FLOAT(curvature_risk, "0.001", 0, OPEN, 1, OPEN, "1", "probability that lambda_upper is not an upper bound of the "
        "largest eigenvalue"),
    INT(curvature_max_hvp, "200", 1, 1e6, "products", "most Hessian-vector products of one measurement"),
    INT(eigenvalues, "1", 1, 64, "eigenvalues", "how many of the largest eigenvalues are sought"),
    INT(curvature_seed, "0", 0, MAX_SEED, "1", "seed of the Lanczos start vector"),
    INT(interpolation_points, "0", 0, 1000, "points",
        "0: lambda_max at the final iterate; n >= 2: the maximum over n points to the next iterate"),
    COUNT(track_every_epochs, "none", "none", "epochs", "also measures lambda_max every so many epochs"),
    COUNT(track_every_steps, "none", "none", "steps", "also measures lambda_max every so many steps"),
#undef OPTIONAL
#define OPTIONAL true             /* from here on: what came when results existed already, see ss_key */
    INT(trace_probes, "0", 0, 1e6, "probes", "the Hessian's trace from a product each with so many vectors of random signs "
        "(Hutchinson 1990), with the standard error over them; 0: no, else at least 2"),
    INT(spectrum_probes, "0", 0, 1e4, "probes", "the density of the Hessian's eigenvalues by stochastic Lanczos quadrature "
        "(Ghorbani et al. 2019) from so many random vectors; 0: no. At most 100000 nodes a point"),
    INT(spectrum_steps, "50", 2, 1000, "products", "Lanczos steps from each of these vectors, at most the parameters: as many "
        "nodes of the density"),
    BOOL(smallest_eigenvalue, "false", "the smallest algebraic eigenvalue: how negative the curvature gets, to "
         "curvature_tolerance times the largest |eigenvalue|"),
    BOOL(gauss_newton, "false", "the largest eigenvalue of the Gauss-Newton matrix, the mean of J' (d2 loss / d logits2) J "
        "(Schraudolph 2002): the Hessian without the curvature of the network's own function"),
    BOOL(adaptive_eigenvalue, "false", "the largest eigenvalue of diag|w| H diag|w|: curvature where every weight is "
        "measured by its own size (Andriushchenko et al. 2023)"),
    BOOL(spherical_eigenvalue, "false", "spherical sharpness ||w||^2 lambda_max of the weights ahead of batch norms, whose "
        "length the loss does not see (Lyu et al. 2022); needs batch norm and curvature_batch_norm: batch"),
    BOOL(gradient_alignment, "false", "alignment |g'u| / ||g|| of the gradient with the eigenvector u of lambda_max"),
    FLOAT(sharpness_rho, "0", 0, CLOSED, INFINITY, OPEN, "1", "largest rise of the loss within this distance of the weights "
          "(Foret et al. 2021), found from below in sharpness_steps; 0: not measured"),
    COUNT(sharpness_m, "all", "all", "examples", "examples per perturbation of sharpness_rho and of adaptive_rho, then a "
          "mean over groups, as in m-SAM (Andriushchenko and Flammarion 2022); `all`: one for all"),
    FLOAT(adaptive_rho, "0", 0, CLOSED, INFINITY, OPEN, "1", "largest rise of the loss within this distance in units of "
          "|w|, weight by weight (Andriushchenko et al. 2023); 0: not measured"),
    INT(sharpness_steps, "20", 1, 1e5, "steps", "steps of gradient ascent to those largest rises; 1 is SAM's perturbation"),
    INT(batch_sharpness_batches, "0", 0, 1e6, "batches", "batch sharpness, the mean of g'Hg / ||g||^2 over so many random "
        "batches of the training's size, g and H of each batch (Andreyev and Beneventano 2024); 0: no, else at least 2 and at "
        "most as many as there are; with batch_size: full the one there is"),
    {.name = AT(lambda_subsets), .section = S, .type = SS_COUNT, .fallback = "none", .word = "none", .min = 2,
     .max = MAX_COUNT, .identity = ID, .optional = OPTIONAL, .unit = "subsets", .text = "lambda_max on so many disjoint "
     "parts of the training subset, each of curvature_examples or of all that there are over their number: mean and standard "
     "deviation, the error bar of the data where they are of curvature_examples; of fewer lambda_max is larger"},
    BOOL(track_measures, "false", "also takes the measures asked for, the spectrum aside, wherever lambda_max is tracked"),
#undef S
#undef ID
#undef OPTIONAL
#define S "sweep"
#define ID false
#define OPTIONAL false
    {.name = AT(threads), .section = S, .type = SS_COUNT, .fallback = "auto", .word = "auto", .min = 1, .max = 1024,
     .identity = ID, .unit = "threads", .text = "threads per trial, for points too large for one core; auto: Slurm's CPUs per "
     "task, 1 outside Slurm. Results do not depend on it"},
    {.name = AT(curvature_memory), .section = S, .type = SS_BYTES, .fallback = "auto", .word = "auto", .min = 0, .max = 1e15,
     .identity = ID, .unit = "bytes", .text = "what products with the Hessian may keep of the point, as 512M or 2G (1024 "
     "based); auto: a third of the rank's memory, at most 4G. With less, deltas are computed anew, then activations"},
    BOOL(save_weights, "false", "keeps every point's final weights beside the results file"),
    {.name = "output", .section = S, .type = SS_TEXT, .offset = JOB_OWN, .fallback = "", .unit = "",
     .text = "the results file; empty: named after the job file"},
    {.name = "seeds", .section = S, .type = SS_COUNT, .offset = JOB_OWN, .fallback = "none", .word = "none", .min = 1,
     .max = 1e6, .unit = "seeds", .text = "replicates: adds an axis seed = 0, 1, ... n-1"},
    {.name = "progress_s", .section = S, .type = SS_FLOAT, .offset = JOB_OWN, .fallback = "60", .min = 0, .open_min = true,
     .max = INFINITY, .open_max = true, .unit = "s", .text = "time between progress lines where output is no terminal"},
    {.name = "time_limit_s", .section = S, .type = SS_FLOAT, .offset = JOB_OWN, .fallback = "0", .min = 0, .max = INFINITY,
     .open_max = true, .unit = "s", .text = "stop in order, resumable, after this time; 0: no limit"},
    {.name = "checkpoint_interval_s", .section = S, .type = SS_FLOAT, .offset = JOB_OWN, .fallback = "60", .min = 0,
     .max = INFINITY, .open_max = true, .unit = "s", .text = "time between checkpoints of a running point; longer where "
     "saving would take more than 2 % of the time; 0: none, interrupted points start over"},
    RETRIES("crash_retries", "2", "how often a point is run again whose trial crashed or whose worker died"),
    RETRIES("timeout_retries", "1", "how often a point is run again whose trial hung or reached trial_time_limit_s"),
    RETRIES("memory_retries", "1", "how often a point is run again whose trial took more memory than it may"),
    {.name = "trial_memory", .section = S, .type = SS_BYTES, .offset = JOB_OWN, .fallback = "auto", .word = "auto",
     .min = 1048576, .max = 1e15, .unit = "bytes", .text = "a trial that takes more memory, the shared data set aside, is ended, "
     "as 700M or 2G (1024 based); auto: the rank's share of what Slurm or a control group grants, if they limit it"},
    SECONDS("trial_time_limit_s", "0", CLOSED, "a trial that takes longer is ended, a timeout; 0: no limit"),
    SECONDS("trial_silence_s", "300", CLOSED, "a trial that gets nowhere (no pass over a batch) for so long is ended, a "
            "timeout; 0: never"),
    SECONDS("worker_silence_s", "30", OPEN, "the point of a worker rank that is not heard for so long is given to another"),
    SECONDS("stop_grace_s", "20", CLOSED, "time that a running point has, at a stop, to save its state"),
};

const ss_key *ss_keys(size_t *n)
{
    *n = sizeof table / sizeof *table;
    return table;
}

const ss_key *ss_key_find(const char *name)
{
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (strcmp(table[i].name, name) == 0) return &table[i];
    return NULL;
}

void ss_settings_default(ss_settings *s)
{
    memset(s, 0, sizeof *s);
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        if (table[i].offset == JOB_OWN) continue;
        int rc = ss_key_parse(&table[i], table[i].fallback, s, NULL);
        assert(rc == 0); /* the table's own defaults lie within its own ranges */
        (void)rc;
    }
}
