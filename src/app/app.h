/* app.h - the command line: commands, their options, exit status, and what a running sweep tells people. Private to
 * src/app. The trial, the other half of this floor, is trial.h. */
#ifndef SHARPSWEEP_APP_H
#define SHARPSWEEP_APP_H

#include <stdio.h>
#include <time.h>

#include "sharpsweep/base.h"
#include "sharpsweep/farm.h"
#include "sharpsweep/store.h"
#include "sharpsweep/sweep.h"

/* What users and batch scripts rely on. */
enum {
    SS_EXIT_OK = 0,
    SS_EXIT_ERROR = 1,            /* an error in the middle (the disk is full): what was finished is kept */
    SS_EXIT_USAGE = 2,            /* bad command line, job or file: nothing changed */
    SS_EXIT_FAILED_POINTS = 3,    /* finished, but some points failed */
    SS_EXIT_STOPPED = 75          /* stopped early, state saved, run again (EX_TEMPFAIL) */
};

/* ---- command line ------------------------------------------------------------------------------------------------- */
enum { SS_MAX_OPTIONS = 16 };
typedef struct ss_option {
    const char *name;             /* without the dashes; NULL ends a list */
    char letter;                  /* short form, 0: none */
    const char *argument;         /* NULL: a flag */
    const char *text;
} ss_option;
typedef struct ss_arguments {
    const char *operand;          /* the file, NULL where the command takes none */
    char **more; size_t n_more;   /* the files after it, where the command takes several */
    const char *value[SS_MAX_OPTIONS]; /* by place in the command's list; a flag: "" ; NULL: not given */
} ss_arguments;
typedef struct ss_command {
    const char *name, *operand;   /* operand: "JOB.yaml"; NULL: none */
    const char *text;             /* one line */
    const char *details;          /* for --help; lines */
    const ss_option *options;
    int (*run)(const ss_arguments *arguments, ss_error *error); /* exit status; error: a sentence, if there is one to say */
    bool parallel;                /* may run on several ranks; main has called MPI_Init */
    bool many;                    /* takes further files after the first */
} ss_command;

const ss_command *ss_command_find(const char *name);
const ss_command *ss_commands(size_t *n); /* all of them */
/* The whole program but for MPI_Init and MPI_Finalize. */
int ss_app_main(int argc, char **argv);
/* 0 and the command's arguments; 1: help was printed; -1 and error. Further files move to the front of argv: out->more. */
int ss_arguments_parse(const ss_command *command, int argc, char **argv, ss_arguments *out, ss_error *error);
void ss_command_help(const ss_command *command, FILE *out);
/* A whole number from `min` to `max` given as an option's value. */
int ss_number_argument(const char *option, const char *text, int64_t min, int64_t max, int64_t *out, ss_error *error);
/* The entry of a NULL-terminated list nearest to a mistyped word; NULL if none is near. */
const char *ss_word_nearest(const char *word, const char *const *words);

int ss_cmd_run(const ss_arguments *arguments, ss_error *error);
int ss_cmd_plan(const ss_arguments *arguments, ss_error *error);
int ss_cmd_status(const ss_arguments *arguments, ss_error *error);
int ss_cmd_show(const ss_arguments *arguments, ss_error *error);
int ss_cmd_merge(const ss_arguments *arguments, ss_error *error);
int ss_cmd_submit(const ss_arguments *arguments, ss_error *error);
int ss_cmd_where(const ss_arguments *arguments, ss_error *error);
int ss_cmd_curvature(const ss_arguments *arguments, ss_error *error);
int ss_cmd_report(const ss_arguments *arguments, ss_error *error);
int ss_cmd_verify(const ss_arguments *arguments, ss_error *error);
int ss_cmd_reference(const ss_arguments *arguments, ss_error *error);

/* ---- where results go --------------------------------------------------------------------------------------------- */
/* Word for batch scripts, whole or not at all: "running PROCESS HOST", in the end "STATUS WHY". NULL: nowhere. */
void ss_status_file_begin(const char *path);
/* -1 where that would be the job, the results file (either may be NULL) or what lies beside it, or is a file of something
 * else; what became such a file later is left alone. */
int ss_status_file_check(const char *path, const char *job, const char *results, ss_error *error);
void ss_status_file_end(const char *path, int status, const char *why);
/* Can a results file, with all that stands beside it, have this name? Else -1; what lies there is the store's matter. */
int ss_results_check(const char *path, ss_error *error);
/* -o, else the job's output, else NAME.h5 beside the job file, checked; ss_free it. */
char *ss_results_path(const ss_job *job, const char *option, ss_error *error);
/* The file that stops a run: RESULTS.stop, where RESULTS is a link also beside the file itself. */
typedef struct ss_stop_file { char path[2][SS_PATH_BYTES]; double polled_s; } ss_stop_file;
int ss_stop_file_find(ss_stop_file *f, const char *results, ss_error *error);
/* One that was there before a run was meant for another. The store must be open: then no other run is going on. */
void ss_stop_file_drop_old(const ss_stop_file *f, struct timespec since);
bool ss_stop_file_appeared(ss_stop_file *f); /* looks twice a second at most */
void ss_stop_file_remove(const ss_stop_file *f);

/* ---- slices: disjoint parts of a grid, for several allocations ------------------------------------------------------- */
typedef struct ss_slice { size_t i, n; } ss_slice; /* the i-th of n, from 1; n < 2: all of it */
int ss_slice_parse(const char *text, ss_slice *out, ss_error *error); /* "2/4"; NULL: all of it */
bool ss_slice_has(const ss_slice *slice, size_t point);
char *ss_slice_path(const ss_slice *slice, const char *results, ss_error *error); /* results.slice-2-of-4.h5; ss_free it */

/* ---- other programs, started without a shell: argv NULL-terminated, at most 31 ----------------------------------------- */
enum { SS_PROCESS_LATE = -2 };
/* Its status; -1, 127: it cannot be started; SS_PROCESS_LATE: it had not ended after limit_s seconds, and was killed. */
int ss_process_read(const char *const *argv, int limit_s, char *out, size_t out_bytes);
int ss_process_feed(const char *const *argv, const char *text);            /* its status; text is its standard input */
int ss_process_become(const char *const *argv, ss_error *error);           /* instead of us; returns only on failure, -1 */

/* ---- signals: SIGINT, SIGTERM and SIGUSR1 ask for a stop; a second SIGINT kills ------------------------------------- */
void ss_signals_catch(void);
void ss_signals_endure(void);     /* a sweep outlives whoever read its output (EPIPE) */
bool ss_signal_came(void);

/* ---- provenance ----------------------------------------------------------------------------------------------------- */
const char *ss_version(void);     /* "0.1.0" */
const char *ss_commit(void);
const char *ss_cpu_name(void);    /* "model name" of /proc/cpuinfo */
const char *ss_host_name(void);
/* This process's share of the machine's memory, in bytes: all of it over the ranks on this host. */
double ss_memory_share_bytes(void);
/* The same of what control groups and Slurm grant; 0: they limit nothing. */
double ss_memory_granted_bytes(void);
/* Largest resident memory since the last reset; since the process began where the kernel does not let us reset it. */
double ss_memory_peak_bytes(void);
void ss_memory_peak_reset(void);

/* Seconds until the job's time limit (0: none) of a run that began at start_s, or until Slurm's end, if that is earlier;
 * infinite where there is neither. */
double ss_time_left_s(double limit_s, double start_s);

/* ---- outlook: what a results file says of the rest of its sweep ------------------------------------------------------- */
typedef struct ss_outlook {
    size_t n_measured, n_workers; /* points learnt from; points running now */
    double work_s;                /* of running and waiting points together; NaN: nothing has been measured */
    double left_s, spread;        /* wall time with that many workers, NaN: none; its relative standard deviation */
} ss_outlook;
int ss_outlook_make(const ss_results *r, ss_outlook *out, ss_error *error);
int ss_results_settings(const ss_results *r, size_t row, ss_settings *s); /* over what s holds; -1: a value is not readable */
double ss_results_number(const ss_results *r, const char *name, size_t row); /* NaN: no such number */

/* ---- progress: one live line on a terminal, plain lines elsewhere ---------------------------------------------------- */
typedef struct ss_progress ss_progress;
typedef enum ss_progress_mode { SS_PROGRESS_AUTO, SS_PROGRESS_LIVE, SS_PROGRESS_PLAIN, SS_PROGRESS_NONE } ss_progress_mode;
/* cost (n) may be NULL; finished points are told by ss_progress_skip before the first tick. Keeps pointers to job, grid. */
ss_progress *ss_progress_create(const ss_job *job, const ss_grid *grid, const double *cost, ss_progress_mode mode,
                                ss_error *error);
void ss_progress_destroy(ss_progress *p); /* ends the live line; NULL is fine */
void ss_progress_skip(ss_progress *p, size_t point);
void ss_progress_finished(ss_progress *p, size_t point, const ss_record *record);
/* The costs have changed in place; a sum of them is now known to a relative standard deviation of `spread`, NaN: unknown. */
void ss_progress_recount(ss_progress *p, double spread);
void ss_progress_tick(ss_progress *p); /* cheap */
double ss_progress_eta_s(const ss_progress *p); /* NaN while nothing is known */
/* "learning_rate=0.1 batch_size=full": a point's place in the grid. */
void ss_point_describe(const ss_job *job, const ss_grid *grid, size_t point, char *out, size_t out_bytes);

#endif
