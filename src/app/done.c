/* done.c - a job and the results that are there already: may it go on with them, and which points of its grid stand finished in
 * them? By identity, whatever job the file was made by. */
#include <stdlib.h>
#include <string.h>

#include "app.h"
#include "trial.h"

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

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

int ss_done_mark(const ss_study *study, const char *results, bool *done, size_t *n_done, ss_error *error)
{
    *n_done = 0;
    if (!ss_store_exists(results)) return 0;
    ss_results *r = ss_results_open(results, error);
    if (!r) return -1;
    size_t n_ids = 0;
    const char **ids = ss_alloc(r->n, sizeof *ids);
    for (size_t i = 0; ids && i < r->n; i++)
        if (r->status[i] != SS_PENDING && r->status[i] != SS_FAILED) ids[n_ids++] = r->id[i];
    if (ids) qsort(ids, n_ids, sizeof *ids, by_text);
    for (size_t i = 0; ids && i < ss_grid_count(ss_study_grid(study)); i++) {
        ss_settings s;
        char id[SS_ID_BYTES];
        const char *key = id;
        ss_grid_settings(ss_study_grid(study), i, &s);
        ss_point_identify(&s, ss_study_data(study, &s)->digest, id);
        done[i] = bsearch(&key, ids, n_ids, sizeof *ids, by_text) != NULL;
        *n_done += done[i];
    }
    int rc = ids ? 0 : ss_fail(error, "no memory for %zu points", r->n);
    ss_free(ids);
    ss_results_destroy(r);
    return rc;
}
