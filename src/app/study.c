/* study.c - a job with its grid, its data sets and the sizes of its networks; the check that everything fits. */
#include "trial.h"

#include <stdio.h>
#include <string.h>

#include "app.h"

typedef struct bank { ss_settings settings; ss_dataset *data; } bank;          /* one distinct data section */
typedef struct shape { ss_settings settings; size_t bank; ss_work_size work; } shape; /* one distinct network on one bank */

struct ss_study {
    const ss_job *job;
    ss_grid *grid;
    size_t n_banks, n_shapes;
    bank *bank;
    shape *shape;
    char digest[SS_DIGEST_BYTES];
};

/* Do two points agree in every key of a section (that matters: identity keys and places of files)? */
static bool same_section(const char *section, const ss_settings *a, const ss_settings *b)
{
    size_t n = 0;
    const ss_key *keys = ss_keys(&n);
    for (size_t i = 0; i < n; i++)
        if (strcmp(keys[i].section, section) == 0 && !ss_key_equal(&keys[i], a, b)) return false;
    return true;
}

static size_t find_bank(const ss_study *study, const ss_settings *s)
{
    size_t i = 0;
    while (i < study->n_banks && !same_section("data", &study->bank[i].settings, s)) i++;
    return i;
}

static size_t find_shape(const ss_study *study, const ss_settings *s, size_t bank_index)
{
    size_t i = 0;
    while (i < study->n_shapes
           && (study->shape[i].bank != bank_index || !same_section("model", &study->shape[i].settings, s)))
        i++;
    return i;
}

static int add_bank(ss_study *study, const ss_settings *s, ss_error *error)
{
    bank *grown = ss_realloc(study->bank, study->n_banks, study->n_banks + 1, sizeof *grown);
    if (!grown) return ss_fail(error, "no memory for data set %zu", study->n_banks + 1);
    study->bank = grown;
    ss_data_options options = ss_model_data(s);
    ss_dataset *data = ss_dataset_load(&options, error);
    if (!data) return -1;
    grown[study->n_banks++] = (bank){*s, data};
    return 0;
}

static int add_shape(ss_study *study, const ss_settings *s, size_t bank_index, ss_error *error)
{
    shape *grown = ss_realloc(study->shape, study->n_shapes, study->n_shapes + 1, sizeof *grown);
    if (!grown) return ss_fail(error, "no memory for network %zu", study->n_shapes + 1);
    study->shape = grown;
    const ss_dataset *data = study->bank[bank_index].data;
    ss_net *net = ss_model_create(s, data, error);
    if (!net) return ss_fail_in(error, "network %s on %dx%dx%d images of %s", s->network, data->h, data->w, data->c, s->dataset);
    ss_work_size work = {net->macs_per_example, (double)net->n_params, (double)net->values_per_example,
                         (double)data->train.n, (double)data->test.n};
    grown[study->n_shapes++] = (shape){*s, bank_index, work};
    ss_net_destroy(net);
    return 0;
}

static int check_point(ss_study *study, size_t point, ss_error *error)
{
    ss_settings s;
    ss_grid_settings(study->grid, point, &s);
    size_t b = find_bank(study, &s);
    if (b == study->n_banks && add_bank(study, &s, error)) return -1;
    uint32_t n_train = study->bank[b].data->train.n;
    if (s.batch_size > (int64_t)n_train)
        return ss_fail(error, "batch_size %lld is larger than the %u training examples; write `full` for all of them",
                       (long long)s.batch_size, n_train);
    if (find_shape(study, &s, b) == study->n_shapes && add_shape(study, &s, b, error)) return -1;
    return 0;
}

static void make_digest(ss_study *study)
{
    if (study->n_banks == 1) {
        memcpy(study->digest, study->bank[0].data->digest, sizeof study->digest);
        return;
    }
    ss_sha256 h;
    ss_sha256_init(&h);
    for (size_t i = 0; i < study->n_banks; i++)
        ss_sha256_update(&h, study->bank[i].data->digest, strlen(study->bank[i].data->digest));
    ss_sha256_finish(&h, study->digest);
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
    if (!study->grid) goto fail;
    for (size_t i = 0; i < ss_grid_count(study->grid); i++) {
        if (check_point(study, i, error) == 0) continue;
        ss_fail_in(error, "%s", job->path);
        goto fail;
    }
    make_digest(study);
    return study;
fail:
    ss_study_destroy(study);
    return NULL;
}

void ss_study_destroy(ss_study *study)
{
    if (!study) return;
    for (size_t i = 0; i < study->n_banks; i++) ss_dataset_destroy(study->bank[i].data);
    ss_free(study->bank);
    ss_free(study->shape);
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

size_t ss_study_n_networks(const ss_study *study)
{
    return study->n_shapes;
}

const char *ss_study_digest(const ss_study *study)
{
    return study->digest;
}

const char *ss_study_data_path(const ss_study *study)
{
    return study->bank[0].data->path;
}

void ss_study_costs(const ss_study *study, double flops_per_s, ss_cost *cost)
{
    for (size_t i = 0; i < ss_grid_count(study->grid); i++) {
        ss_settings s;
        ss_grid_settings(study->grid, i, &s);
        cost[i] = ss_cost_predict(&s, ss_study_work(study, &s), flops_per_s);
    }
}
