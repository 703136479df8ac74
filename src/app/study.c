/* study.c - a job with its grid, its data sets and the sizes of its networks; the check that everything fits. */
#include "study.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "app.h"

/* Do two settings agree in every key of a section (that matters: identity keys and places of files)? */
static bool same_section(const char *section, const ss_settings *a, const ss_settings *b)
{
    size_t n = 0;
    const ss_key *keys = ss_keys(&n);
    for (size_t i = 0; i < n; i++)
        if (strcmp(keys[i].section, section) == 0 && !ss_key_equal(&keys[i], a, b)) return false;
    return true;
}

enum { DATA, MODEL };
static const char *const section_name[] = {[DATA] = "data", [MODEL] = "model"};

/* The same of points of the grid, which differ in its axes alone. */
static bool same_axes(const ss_study *study, int section, const ss_settings *a, const ss_settings *b)
{
    for (size_t i = 0; i < study->n_varying[section]; i++)
        if (!ss_key_equal(study->varying[section][i], a, b)) return false;
    return true;
}

int ss_study_list_varying(ss_study *study, ss_error *error)
{
    size_t n = 0;
    const ss_key *keys = ss_keys(&n);
    for (int section = DATA; section <= MODEL; section++) {
        study->varying[section] = ss_alloc(n, sizeof *study->varying[section]);
        if (!study->varying[section]) return ss_fail(error, "no memory for a list of axes");
        for (size_t i = 0; i < n; i++)
            if (strcmp(keys[i].section, section_name[section]) == 0 && ss_job_is_axis(study->job, &keys[i]))
                study->varying[section][study->n_varying[section]++] = &keys[i];
    }
    return 0;
}

/* Of a point of the grid; n_banks, n_shapes: none. */
static size_t find_bank(const ss_study *study, const ss_settings *s)
{
    size_t i = 0;
    while (i < study->n_banks && !same_axes(study, DATA, &study->bank[i].settings, s)) i++;
    return i;
}

static size_t find_shape(const ss_study *study, const ss_settings *s, size_t bank_index)
{
    size_t i = 0;
    while (i < study->n_shapes
           && (study->shape[i].bank != bank_index || !same_axes(study, MODEL, &study->shape[i].settings, s)))
        i++;
    return i;
}

static int add_bank(ss_study *study, const ss_settings *s, size_t point, ss_error *error)
{
    ss_bank *grown = ss_realloc(study->bank, study->n_banks, study->n_banks + 1, sizeof *grown);
    if (!grown) return ss_fail(error, "no memory for data set %zu", study->n_banks + 1);
    study->bank = grown;
    ss_data_options options = ss_model_data(s);
    ss_dataset *data = ss_dataset_load(&options, error);
    if (!data) return -1;
    grown[study->n_banks++] = (ss_bank){*s, data, point};
    return 0;
}

static double data_bytes(const ss_dataset *data)
{
    double image = (double)data->h * data->w * data->c;
    return image * ((double)data->train.n + data->test.n + 2 * sizeof(ss_real));
}

static int add_shape(ss_study *study, const ss_settings *s, size_t bank_index, ss_error *error)
{
    ss_network_size *grown = ss_realloc(study->shape, study->n_shapes, study->n_shapes + 1, sizeof *grown);
    if (!grown) return ss_fail(error, "no memory for network %zu", study->n_shapes + 1);
    study->shape = grown;
    const ss_dataset *data = study->bank[bank_index].data;
    ss_net *net = ss_model_create(s, data, error);
    if (!net) return ss_fail_in(error, "network %s on %dx%dx%d images of %s", s->network, data->h, data->w, data->c, s->dataset);
    enum { SAMPLE = 1024 };       /* per example, without what a set of deltas has once */
    size_t scratch = ss_scratch_bytes(net, 0, true);
    ss_work_size work = {
        .macs_per_example = net->macs_per_example, .n_parameters = (double)net->n_params,
        .values_per_example = (double)net->values_per_example,
        .deltas_per_example = (double)(ss_deltas_bytes(net, SAMPLE) / SAMPLE / sizeof(ss_real)),
        .n_train = data->train.n, .n_test = data->test.n, .data_bytes = data_bytes(data),
        .cache_bytes = (double)ss_model_cache_bytes(ss_memory_share_bytes()),
        .tangents_per_example = (double)((ss_scratch_bytes(net, SAMPLE, true) - scratch) / SAMPLE / sizeof(ss_real)),
        .scratch_bytes = 2 * (double)scratch, .evaluated_together = ss_evaluation_pass(net, 0),
    };
    grown[study->n_shapes++] = (ss_network_size){*s, bank_index, work, net->norms_features};
    ss_net_destroy(net);
    return 0;
}

static uint32_t without_measures(ss_settings s, uint32_t n_train)
{
    s.sharpness_rho = s.adaptive_rho = 0;
    s.lambda_subsets = SS_WORD;
    s.batch_sharpness_batches = 0;
    return ss_model_smallest_pass(&s, n_train);
}

/* More than the data set holds: what the job alone could not tell. */
static int check_counts(const ss_settings *s, uint32_t n_train, ss_error *error)
{
    int64_t examples = s->curvature_examples == SS_WORD ? n_train : s->curvature_examples;
    if (s->batch_size > (int64_t)n_train)
        return ss_fail(error, "batch_size %lld is larger than the %u training examples; write `full` for all of them",
                       (long long)s->batch_size, n_train);
    if (examples > (int64_t)n_train)
        return ss_fail(error, "curvature_examples %lld is larger than the %u training examples; write `all` for all of them",
                       (long long)examples, n_train);
    if ((s->sharpness_rho > 0 || s->adaptive_rho > 0) && s->sharpness_m > examples)
        return ss_fail(error, "sharpness_m %lld is more than the %lld examples of the Hessian; write `all` for all of them",
                       (long long)s->sharpness_m, (long long)examples);
    if (s->lambda_subsets > (int64_t)n_train)
        return ss_fail(error, "lambda_subsets %lld is more than the %u training examples; each needs one at least",
                       (long long)s->lambda_subsets, n_train);
    return ss_batches_check(s, n_train, error);
}

/* Every point's nodes are kept, in its record, the journal and the results file. */
static int check_spectrum(const ss_settings *s, double n_parameters, ss_error *error)
{
    enum { MOST_NODES = 100000 };
    int64_t steps = (double)s->spectrum_steps < n_parameters ? s->spectrum_steps : (int64_t)n_parameters;
    if (s->spectrum_probes * steps <= MOST_NODES) return 0;
    return ss_fail(error, "spectrum_probes %lld of %lld steps are %lld nodes of a spectrum; at most %d are kept: fewer probes, "
                   "or fewer spectrum_steps", (long long)s->spectrum_probes, (long long)steps,
                   (long long)(s->spectrum_probes * steps), MOST_NODES);
}

/* Batch norm needs two examples to have a variance. */
static int check_norms(const ss_settings *s, uint32_t n_train, ss_error *error)
{
    if (ss_model_smallest_pass(s, n_train) >= 2) return 0;
    if (without_measures(*s, n_train) >= 2)
        return ss_fail(error, "batch norm would see a single example, which has no variance, in a measure: in groups of "
                       "sharpness_m for sharpness_rho or adaptive_rho, in one of lambda_subsets' parts of %u training examples, "
                       "or in batches of batch_sharpness_batches; choose others", n_train);
    return ss_fail(error, "batch norm would see a single example, which has no variance: of %u training examples with "
                   "batch_size %lld and ghost_batch %lld one is left alone; choose others (-1: full)", n_train,
                   (long long)s->batch_size, (long long)s->ghost_batch);
}

static int check_point(ss_study *study, size_t point, ss_error *error)
{
    ss_settings s;
    ss_grid_settings(study->grid, point, &s);
    size_t b = find_bank(study, &s);
    if (b == study->n_banks && add_bank(study, &s, point, error)) return -1;
    uint32_t n_train = study->bank[b].data->train.n;
    if (check_counts(&s, n_train, error)) return -1;
    size_t k = find_shape(study, &s, b);
    if (k == study->n_shapes && add_shape(study, &s, b, error)) return -1;
    const ss_network_size *shape = &study->shape[k];
    if (check_spectrum(&s, shape->work.n_parameters, error)) return -1;
    return shape->norms_features ? check_norms(&s, n_train, error) : 0;
}

int ss_study_join_banks(ss_study *study, ss_error *error)
{
    size_t n_paths = 1;
    for (size_t i = 0; i < study->n_banks; i++) n_paths += strlen(study->bank[i].data->path) + 2;
    study->digests = ss_alloc(study->n_banks, SS_DIGEST_BYTES + 2);
    study->paths = ss_alloc(n_paths, 1);
    if (!study->digests || !study->paths) return ss_fail(error, "no memory for the names of %zu data sets", study->n_banks);
    char *digest = study->digests, *path = study->paths;
    for (size_t i = 0; i < study->n_banks; i++) {
        digest = stpcpy(stpcpy(digest, i ? ", " : ""), study->bank[i].data->digest);
        path = stpcpy(stpcpy(path, i ? ", " : ""), study->bank[i].data->path);
    }
    return 0;
}

ss_study *ss_study_create(const ss_job *job, ss_error *error)
{
    ss_study *study = ss_alloc(1, sizeof *study);
    if (!study) {
        ss_fail(error, "no memory for the job");
        return NULL;
    }
    study->job = job;
    study->grid = ss_grid_create(job, error);
    if (!study->grid || ss_study_list_varying(study, error)) goto fail;
    for (size_t i = 0; i < ss_grid_count(study->grid); i++) {
        if (check_point(study, i, error) == 0) continue;
        ss_fail_in(error, "%s", job->path);
        goto fail;
    }
    if (ss_study_join_banks(study, error)) goto fail;
    return study;
fail:
    ss_study_destroy(study);
    return NULL;
}

void ss_study_destroy(ss_study *study)
{
    if (!study) return;
    for (size_t i = 0; i < study->n_banks; i++) {
        if (study->mapping)
            ss_free(study->bank[i].data);
        else
            ss_dataset_destroy(study->bank[i].data);
    }
    if (study->mapping) munmap(study->mapping, study->mapping_bytes);
    if (study->mapping_fd > 0) close(study->mapping_fd);
    ss_free(study->bank);
    ss_free(study->digests);
    ss_free(study->paths);
    ss_free(study->shape);
    ss_free(study->varying[DATA]);
    ss_free(study->varying[MODEL]);
    ss_grid_destroy(study->grid);
    ss_free(study);
}

const ss_job *ss_study_job(const ss_study *study)
{
    return study->job;
}

const ss_grid *ss_study_grid(const ss_study *study)
{
    return study->grid;
}

const ss_dataset *ss_study_data(const ss_study *study, const ss_settings *s)
{
    return study->bank[find_bank(study, s)].data;
}

const ss_work_size *ss_study_work(const ss_study *study, const ss_settings *s)
{
    return &study->shape[find_shape(study, s, find_bank(study, s))].work;
}

const ss_work_size *ss_study_find_work(const ss_study *study, const ss_settings *s)
{
    for (size_t i = 0; i < study->n_shapes; i++) { /* settings of another grid, perhaps: every key counts */
        const ss_network_size *shape = &study->shape[i];
        if (same_section("model", &shape->settings, s) && same_section("data", &study->bank[shape->bank].settings, s))
            return &shape->work;
    }
    return NULL;
}

size_t ss_study_n_networks(const ss_study *study)
{
    return study->n_shapes;
}

size_t ss_study_n_data(const ss_study *study)
{
    return study->n_banks;
}

const ss_dataset *ss_study_data_at(const ss_study *study, size_t i)
{
    return study->bank[i].data;
}

const char *ss_study_digests(const ss_study *study)
{
    return study->digests;
}

const char *ss_study_data_paths(const ss_study *study)
{
    return study->paths;
}

void ss_study_costs(const ss_study *study, double flops_per_s, ss_cost *cost)
{
    for (size_t i = 0; i < ss_grid_count(study->grid); i++) {
        ss_settings s;
        ss_grid_settings(study->grid, i, &s);
        cost[i] = ss_cost_predict(&s, ss_study_work(study, &s), flops_per_s);
    }
}
