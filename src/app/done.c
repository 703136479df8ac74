/* done.c - which points of a grid stand finished in a results file? By identity, whatever job the file was made by. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app.h"
#include "trial.h"

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

int ss_done_mark(const ss_study *study, const char *results, bool *done, size_t *n_done, ss_error *error)
{
    *n_done = 0;
    if (access(results, F_OK)) return 0;
    ss_results *r = ss_results_open(results, true, error);
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
