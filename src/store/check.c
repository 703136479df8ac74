/* check.c - what a run with this job and these results would refuse, told without touching them: for those who plan it and
 * submit it. The rule itself is resume.c's. */
#include "resume.h"

#include <unistd.h>

static int check_journal(ss_resume *r, ss_table *t, const char *journal_path, size_t *n_lacking, ss_error *error)
{
    ss_replay replay;
    ss_journal *j = ss_journal_open(journal_path, false, error);
    r->table = t;
    int rc = !j || ss_table_replay(t, j, &replay, NULL, NULL, error) || ss_resume_check_file(r->path, t, j, n_lacking, error) ||
             ss_resume_check(r, j, error) ? -1 : 0;
    ss_journal_close(j);
    return rc;
}

/* What the results file holds, by way of a journal that nobody sees. */
static int check_file(ss_resume *r, ss_table *t, const char *journal_path, size_t n_lacking, ss_error *error)
{
    ss_journal *j = ss_journal_scratch(error);
    r->table = t;
    int rc = !j || ss_import(r->path, t, j, error) ? -1 : 0;
    if (rc && n_lacking) ss_resume_fail_lost(journal_path, n_lacking, error);
    if (rc == 0) rc = ss_resume_check(r, j, error);
    ss_journal_close(j);
    return rc;
}

static int check_existing(ss_resume *r, ss_error *error)
{
    char journal_path[SS_PATH_BYTES];
    size_t n_lacking = 0;
    int rc = ss_resume_check_weights(r->path, r->job, error) || ss_journal_path(r->path, journal_path, error) ? -1 : 0;
    if (rc) return -1;
    bool has_journal = ss_journal_exists(journal_path), has_file = access(r->path, F_OK) == 0;
    if (has_journal) {
        ss_table *t = ss_table_create(error);
        rc = t ? check_journal(r, t, journal_path, &n_lacking, error) : -1;
        if (rc && ss_journal_peek(journal_path, NULL) == SS_JOURNAL_BAD_HEADER) ss_verify_hopeless(r->path, journal_path, error);
        ss_table_destroy(t);
    }
    if (rc == 0 && has_file && (!has_journal || n_lacking)) {
        ss_table *t = ss_table_create(error);
        rc = t ? check_file(r, t, journal_path, n_lacking, error) : -1;
        if (rc && !has_journal && access(journal_path, F_OK) == 0) ss_verify_hopeless(r->path, journal_path, error);
        ss_table_destroy(t);
    }
    return rc;
}

int ss_store_check(const char *path, const ss_job *job, const ss_grid *grid, const ss_provenance *provenance, ss_error *error)
{
    char real[SS_PATH_BYTES];
    unsigned char *ids = ss_alloc(ss_grid_count(grid), SS_ID_RAW);
    ss_resume r = {.path = real, .job = job, .grid = grid, .provenance = provenance, .ids = ids};
    int rc = ids ? 0 : ss_fail(error, "no memory for %zu points", ss_grid_count(grid));
    if (rc == 0) rc = ss_results_resolve(path, real, error);
    if (rc == 0) rc = ss_place_check(path, real, error);
    if (rc == 0) rc = ss_resume_identify(grid, provenance, ids, error);
    if (rc == 0) rc = check_existing(&r, error);
    ss_free(ids);
    return rc;
}

bool ss_store_exists(const char *path)
{
    char real[SS_PATH_BYTES], journal_path[SS_PATH_BYTES];
    if (ss_results_resolve(path, real, NULL) || ss_journal_path(real, journal_path, NULL)) return false;
    return access(real, F_OK) == 0 || ss_journal_exists(journal_path);
}
