/* cmd_where.c - what batch scripts ask before and after a run: where do the results go, and has anything been achieved? */
#include <dirent.h>
#include <stdio.h>

#include "app.h"

/* How far the checkpoints are, as a number that does not depend on the order of the folder: a point that goes on from its
 * checkpoint changes it, one that is begun anew and stopped at the same place does not. */
static uint32_t sum_checkpoints(const char *results, size_t *n)
{
    char folder[4096], path[4096 + 300], line[256];
    ss_checkpoint_head h;
    uint32_t sum = 0;
    *n = 0;
    DIR *dir = ss_checkpoint_folder(results, folder, sizeof folder, NULL) == 0 ? opendir(folder) : NULL;
    for (const struct dirent *e; dir && (e = readdir(dir)) != NULL;) {
        snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        if (e->d_name[0] == '.' || ss_checkpoint_peek(path, &h, NULL) != 1) continue;
        int bytes = snprintf(line, sizeof line, "%s %s %lld %lld %lld", h.id, h.phase, (long long)h.epoch, (long long)h.step,
                             (long long)h.products);
        sum += ss_crc32(0, line, (size_t)bytes);
        ++*n;
    }
    if (dir) closedir(dir);
    return sum;
}

/* Two runs that finish nothing and advance no checkpoint leave the same mark. */
static int print_mark(const char *results, ss_error *error)
{
    ss_results *r = ss_results_open(results, error);
    if (!r) return -1;
    size_t n_finished = 0, n_failed = 0, n_checkpoints;
    for (size_t i = 0; i < r->n; i++) {
        n_failed += r->status[i] == SS_FAILED;
        n_finished += r->status[i] != SS_FAILED && r->status[i] != SS_PENDING;
    }
    uint32_t sum = sum_checkpoints(results, &n_checkpoints);
    printf("finished %zu of %zu, failed %zu, checkpoints %zu at %08x\n", n_finished, r->n, n_failed, n_checkpoints, sum);
    ss_results_destroy(r);
    return 0;
}

int ss_cmd_where(const ss_arguments *arguments, ss_error *error)
{
    ss_slice slice;
    char *whole = NULL, *path = NULL;
    int status = SS_EXIT_USAGE;
    ss_job *job = ss_slice_parse(arguments->value[1], &slice, error) ? NULL : ss_job_load(arguments->operand, error);
    if (job) whole = ss_results_path(job, arguments->value[0], error);
    if (whole) path = ss_slice_path(&slice, whole, error);
    if (path && arguments->value[2]) {
        if (print_mark(path, error) == 0) status = SS_EXIT_OK;
    } else if (path) {
        printf("%s\n", path);    /* byte for byte: a script opens it */
        status = SS_EXIT_OK;
    }
    ss_free(path);
    ss_free(whole);
    ss_job_destroy(job);
    return status;
}
