/* model.c - a point's settings in the words of data, nn, train and sharp. */
#include "trial.h"

#include <stdlib.h>
#include <string.h>

static uint32_t count_or_zero(int64_t count) /* SS_WORD (all, full, batch) is 0 below */
{
    return count < 0 ? 0 : (uint32_t)count;
}

static ss_layer layer_from_text(const ss_layer_text *t)
{
    ss_layer layer = {.units = (int)t->units, .kernel = (int)t->kernel, .stride = (int)t->stride,
                      .padding = (int)t->padding, .bias = t->bias, .projection = t->projection, .p = t->p};
    const char *const *types = ss_layer_types();
    layer.type = "end";           /* closes a residual block: no row of the table */
    for (size_t i = 0; types[i]; i++)
        if (strcmp(types[i], t->type) == 0) layer.type = types[i];
    return layer;
}

static int layers_from_text(const char *text, ss_layers *list, ss_error *error)
{
    ss_layer_text t;
    const char *cursor = text;
    while (ss_layer_text_next(&cursor, &t) == 1) {
        ss_layer layer = layer_from_text(&t);
        if (ss_layers_add(list, &layer, error)) return -1;
    }
    return 0;
}

ss_net *ss_model_create(const ss_settings *s, const ss_dataset *data, ss_error *error)
{
    ss_layers list = {.exact = strcmp(s->numerics, "exact") == 0};
    ss_net *net = NULL;
    ss_shape input = {data->h, data->w, data->c};
    ss_model_options options = {
        .network = s->network, .activation = s->activation, .widths = s->widths, .n_widths = (size_t)s->n_widths,
        .batch_norm = s->batch_norm, .dropout = s->dropout, .loss = s->loss,
    };
    if (list.exact && ss_blas_reserve(error)) goto done;
    if (strcmp(s->network, "layers") == 0 && layers_from_text(s->layers, &list, error)) goto done;
    if (ss_model_layers(&options, data->n_classes, &list, error)) goto done;
    net = ss_net_create(&list, input, data->n_classes, s->loss, error);
done:
    ss_layers_finish(&list);
    return net;
}

const char *ss_model_init_scheme(const ss_settings *s)
{
    if (strcmp(s->init, "auto") != 0) return s->init;
    return strcmp(s->network, "vgg11") == 0 ? "study" : "pytorch";
}

ss_data_options ss_model_data(const ss_settings *s)
{
    return (ss_data_options){
        .name = s->dataset, .dir = s->data_dir,
        .train_examples = count_or_zero(s->train_examples), .test_examples = count_or_zero(s->test_examples),
        .train_subset = s->train_subset, .test_subset = s->test_subset, .standardise = s->standardise,
        .synthetic_train = (uint32_t)s->synthetic_train, .synthetic_test = (uint32_t)s->synthetic_test,
        .synthetic_size = (int)s->synthetic_size, .synthetic_channels = (int)s->synthetic_channels,
        .synthetic_classes = (int)s->synthetic_classes, .synthetic_noise = s->synthetic_noise,
        .synthetic_seed = (uint64_t)s->synthetic_seed,
    };
}

ss_train_options ss_model_training(const ss_settings *s)
{
    return (ss_train_options){
        .learning_rate = s->learning_rate, .momentum = s->momentum, .weight_decay = s->weight_decay, .nesterov = s->nesterov,
        .batch_size = count_or_zero(s->batch_size), .schedule = s->schedule, .step_epochs = s->step_epochs,
        .step_factor = s->step_factor, .warmup_epochs = s->warmup_epochs, .sam_rho = s->sam_rho,
        .sam_m = count_or_zero(s->sam_m), .sam_decay_in_ascent = s->sam_decay_in_ascent,
        .sam_update_statistics_twice = s->sam_update_statistics_twice, .ghost_batch = (uint32_t)s->ghost_batch,
        .micro_batch = (uint32_t)s->micro_batch, .max_epochs = s->max_epochs,
        .evaluate_every_epochs = s->evaluate_every_epochs,
        .max_steps = s->max_steps < 0 ? -1 : s->max_steps, .target_train_accuracy = s->target_train_accuracy,
        .target_train_loss = s->target_train_loss, .divergence_loss = s->divergence_loss, .seed = (uint64_t)s->seed,
        .init = ss_model_init_scheme(s),
    };
}

size_t ss_model_cache_bytes(double memory_bytes)
{
    double share = memory_bytes / 3, most = 4.0 * (1u << 30);
    return (size_t)(share < most ? share : most);
}

/* Ghost batches of the Hessian as in training: min(B, ghost_batch), B at most the training set. */
static uint32_t hessian_ghost_batch(const ss_settings *s, uint32_t n_train)
{
    if (s->curvature_ghost_batch > 0) return (uint32_t)s->curvature_ghost_batch;
    int64_t batch = s->batch_size < 0 || s->batch_size > n_train ? n_train : s->batch_size;
    return (uint32_t)(batch < s->ghost_batch ? batch : s->ghost_batch);
}

ss_hessian_options ss_model_hessian(const ss_settings *s, uint32_t n_train, double memory_bytes)
{
    uint32_t examples = count_or_zero(s->curvature_examples);
    return (ss_hessian_options){
        .examples = examples >= n_train ? 0 : examples, .subset = s->curvature_subset,
        .batch_norm = s->curvature_batch_norm, .ghost_batch = hessian_ghost_batch(s, n_train),
        .micro_batch = (uint32_t)s->micro_batch, .l2 = s->curvature_weight_decay ? s->weight_decay : 0,
        .cache_bytes = s->curvature_memory >= 0 ? (size_t)s->curvature_memory : ss_model_cache_bytes(memory_bytes),
    };
}

static uint32_t fewest(uint32_t a, uint32_t b) { return a < b ? a : b; }

uint32_t ss_model_training_pass(const ss_settings *s, uint32_t n_train, bool norm)
{
    uint32_t batch = s->batch_size < 0 ? n_train : fewest((uint32_t)s->batch_size, n_train);
    uint32_t group = s->sam_rho > 0 && s->sam_m > 0 ? fewest((uint32_t)s->sam_m, batch) : batch;
    return fewest(group, (uint32_t)(norm ? s->ghost_batch : s->micro_batch));
}

uint32_t ss_model_curvature_pass(const ss_settings *s, uint32_t n_train, bool norm)
{
    uint32_t examples = s->curvature_examples < 0 ? n_train : fewest((uint32_t)s->curvature_examples, n_train);
    bool statistics = norm && strcmp(s->curvature_batch_norm, "batch") == 0;
    return fewest(examples, statistics ? hessian_ghost_batch(s, n_train) : (uint32_t)s->micro_batch);
}

/* The smaller of a whole part and the rest when n examples are taken `part` at a time. */
static uint32_t smallest_part(uint32_t n, uint32_t part)
{
    uint32_t size = fewest(n, part), rest = n % size;
    return rest ? rest : size;
}

uint32_t ss_model_subset_examples(const ss_settings *s, uint32_t n_train)
{
    uint32_t examples = s->curvature_examples < 0 ? n_train : fewest((uint32_t)s->curvature_examples, n_train);
    return s->lambda_subsets > 0 ? fewest(examples, (uint32_t)(n_train / s->lambda_subsets)) : examples;
}

uint32_t ss_model_smallest_pass(const ss_settings *s, uint32_t n_train)
{
    uint32_t batch = s->batch_size < 0 ? n_train : fewest((uint32_t)s->batch_size, n_train), least = n_train;
    uint32_t batches[] = {batch, smallest_part(n_train, batch)};
    for (int i = 0; i < 2; i++) { /* whole batches and the last; each in SAM's groups, each of those in ghost batches */
        uint32_t group = s->sam_rho > 0 && s->sam_m > 0 ? fewest((uint32_t)s->sam_m, batches[i]) : batches[i];
        uint32_t groups[] = {group, smallest_part(batches[i], group)};
        for (int j = 0; j < 2; j++) least = fewest(least, smallest_part(groups[j], (uint32_t)s->ghost_batch));
    }
    uint32_t examples = s->curvature_examples < 0 ? n_train : fewest((uint32_t)s->curvature_examples, n_train);
    if (strcmp(s->curvature_batch_norm, "running") == 0) return least;
    uint32_t ghost = hessian_ghost_batch(s, n_train);
    least = fewest(least, smallest_part(examples, ghost));
    if ((s->sharpness_rho > 0 || s->adaptive_rho > 0) && s->sharpness_m > 0) { /* whole groups and the last */
        uint32_t group = fewest((uint32_t)s->sharpness_m, examples);
        least = fewest(least, fewest(smallest_part(group, ghost), smallest_part(smallest_part(examples, group), ghost)));
    }
    if (s->lambda_subsets > 0) {
        uint32_t size = ss_model_subset_examples(s, n_train);
        least = fewest(least, size < 2 ? 1 : smallest_part(size, ghost));
    }
    if (s->batch_sharpness_batches > 0) least = fewest(least, smallest_part(batch, ghost));
    return least;
}

ss_lanczos_options ss_model_lanczos(const ss_settings *s)
{
    return (ss_lanczos_options){.k = (int)s->eigenvalues, .tolerance = s->curvature_tolerance, .risk = s->curvature_risk,
                                .max_products = (int)s->curvature_max_hvp, .seed = (uint64_t)s->curvature_seed};
}

ss_measure_options ss_model_measures(const ss_settings *s, double learning_rate, bool tracked)
{
    ss_measure_options o = {.learning_rate = learning_rate, .sam_rho = s->sam_rho, .lanczos = ss_model_lanczos(s)};
    if (tracked && !s->track_measures) return o;
    o.trace_probes = (int)s->trace_probes;
    o.spectrum_probes = tracked ? 0 : (int)s->spectrum_probes;
    o.spectrum_steps = (int)s->spectrum_steps;
    o.smallest_eigenvalue = s->smallest_eigenvalue;
    o.gauss_newton = s->gauss_newton;
    o.adaptive = s->adaptive_eigenvalue;
    o.spherical = s->spherical_eigenvalue;
    o.alignment = s->gradient_alignment;
    o.sharpness_rho = s->sharpness_rho;
    o.adaptive_rho = s->adaptive_rho;
    o.sharpness_m = count_or_zero(s->sharpness_m);
    o.sharpness_steps = (int)s->sharpness_steps;
    o.batches = (int)s->batch_sharpness_batches;
    o.batch_size = count_or_zero(s->batch_size);
    o.subsets = (int)count_or_zero(s->lambda_subsets);
    o.seed = (uint64_t)s->curvature_seed;
    return o;
}

bool ss_model_measures_any(const ss_settings *s)
{
    ss_measure_options o = ss_model_measures(s, 0, false);
    bool any = false;
    o.sam_rho = 0;
    for (int i = 0; i < SS_N_MEASURES; i++) any = any || ss_measure_wanted(&o, i);
    return any;
}

int ss_model_threads(const ss_settings *s)
{
    const char *text = getenv("SLURM_CPUS_PER_TASK");
    long cpus = text ? strtol(text, NULL, 10) : 0;
    if (s->threads > 0) return (int)s->threads;
    return cpus > 1 && cpus <= 1024 ? (int)cpus : 1;
}
