/* submit.h - a sweep as a SLURM job: what cmd_submit.c works out and submit_script.c writes. Private to src/app. */
#ifndef SHARPSWEEP_SUBMIT_H
#define SHARPSWEEP_SUBMIT_H

#include "sharpsweep/base.h"

typedef struct ss_submission {
    const char *program, *job, *results;   /* absolute paths, any bytes */
    const char *name;                      /* of the job, before it is made harmless */
    const char *partition, *account, *qos, *modules, *launcher; /* NULL: not given */
    int64_t n_nodes;                       /* 0: SLURM decides */
    int64_t n_workers, threads;
    int64_t rank_mib, memory_mib;          /* that a rank needs; the same, 0 where SLURM is not asked for memory */
    int64_t minutes, stop_s;               /* time limit; how long before it the sweep is stopped */
} ss_submission;

/* -1 and error where a word is none that a #SBATCH line may hold. */
int ss_submission_check(const ss_submission *s, ss_error *error);
/* The whole batch script of a checked submission; ss_free it. */
char *ss_submission_script(const ss_submission *s, ss_error *error);
/* "[[DAYS-]HOURS:]MINUTES[:SECONDS]" as SLURM reads it, in minutes, rounded up. */
int ss_slurm_minutes(const char *text, int64_t *minutes, ss_error *error);

#endif
