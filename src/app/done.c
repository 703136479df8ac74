/* done.c - a job and the results that are there already: may it go on with them, and which points of its grid stand finished in
 * them? By identity, whatever job the file was made by. */
#include <string.h>

#include "app.h"
#include "trial.h"

static const char *point_digest(const void *ctx, const ss_settings *settings)
{
    return ss_study_data(ctx, settings)->digest;
}

ss_provenance ss_study_provenance(const ss_study *study, const char *mpi)
{
    return (ss_provenance){
        .version = ss_version(), .commit = ss_commit(), .mpi = mpi, .blas = ss_blas_describe(),
        .kernels = ss_kernels_describe(), .cpu = ss_cpu_name(), .data_path = ss_study_data_paths(study),
        .data_digest = ss_study_digests(study), .point_digest = point_digest, .ctx = study,
    };
}

int ss_done_check(const ss_study *study, const char *results, ss_error *error)
{
    const ss_provenance provenance = ss_study_provenance(study, "none");
    return ss_store_check(results, ss_study_job(study), ss_study_grid(study), &provenance, error);
}

/* A set of identities: a hash table of which at most half is taken. They are hashes themselves. */
typedef struct set { size_t n_places; const char **id; } set;

/* Where the identity stands, or is to stand. */
static const char **place_of(const set *t, const char *id)
{
    uint64_t hash = 0;
    for (int k = 0; k < 16 && id[k]; k++) hash = hash << 4 | (uint64_t)((id[k] & 15) + (id[k] > '9' ? 9 : 0));
    size_t i = (size_t)hash & (t->n_places - 1);
    while (t->id[i] && strcmp(t->id[i], id) != 0) i = (i + 1) & (t->n_places - 1);
    return &t->id[i];
}

static int collect_finished(set *t, const ss_results *r, ss_error *error)
{
    t->n_places = 16;
    while (t->n_places < 2 * r->n) t->n_places *= 2;
    t->id = ss_alloc(t->n_places, sizeof *t->id);
    if (!t->id) return ss_fail(error, "no memory for %zu points", r->n);
    for (size_t i = 0; i < r->n; i++)
        if (r->status[i] != SS_PENDING && r->status[i] != SS_FAILED) *place_of(t, r->id[i]) = r->id[i];
    return 0;
}

static size_t mark(const ss_study *study, ss_identities *ids, const set *finished, bool *done)
{
    ss_settings s;
    char id[SS_ID_BYTES];
    size_t n_done = 0;
    for (size_t i = 0; i < ss_grid_count(ss_study_grid(study)); i++) {
        ss_grid_settings(ss_study_grid(study), i, &s);
        ss_identities_at(ids, i, ss_study_data(study, &s)->digest, id);
        done[i] = *place_of(finished, id) != NULL;
        n_done += done[i];
    }
    return n_done;
}

int ss_done_mark(const ss_study *study, const char *results, bool *done, size_t *n_done, ss_error *error)
{
    set finished = {0};
    *n_done = 0;
    if (!ss_store_exists(results)) return 0;
    ss_results *r = ss_results_open(results, error);
    if (!r) return -1;
    ss_identities *ids = ss_identities_create(ss_study_grid(study), error);
    int rc = ids ? collect_finished(&finished, r, error) : -1;
    if (rc == 0) *n_done = mark(study, ids, &finished, done);
    ss_free(finished.id);
    ss_identities_destroy(ids);
    ss_results_destroy(r);
    return rc;
}
