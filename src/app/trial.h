/* trial.h - below the seam: from a job's settings to networks, data and numbers. Private to src/app; the only place where
 * sweep meets nn, data, train and sharp. */
#ifndef SHARPSWEEP_TRIAL_H
#define SHARPSWEEP_TRIAL_H

#include "sharpsweep/data.h"
#include "sharpsweep/nn.h"
#include "sharpsweep/sharp.h"
#include "sharpsweep/sweep.h"
#include "sharpsweep/train.h"

/* ---- model.c: settings translated ----------------------------------------------------------------------------------- */
ss_net *ss_model_create(const ss_settings *s, const ss_dataset *data, ss_error *error);
const char *ss_model_init_scheme(const ss_settings *s); /* `auto` resolved */
ss_data_options ss_model_data(const ss_settings *s);
ss_train_options ss_model_training(const ss_settings *s);
ss_hessian_options ss_model_hessian(const ss_settings *s, uint32_t n_train, double memory_bytes);
/* The fewest examples that any pass of training or curvature takes together where batch norm uses their statistics. */
uint32_t ss_model_smallest_pass(const ss_settings *s, uint32_t n_train);
size_t ss_model_cache_bytes(double memory_bytes); /* for the Hessian's activations: a third of the share, at most 4 GiB */
ss_lanczos_options ss_model_lanczos(const ss_settings *s);
int ss_model_threads(const ss_settings *s); /* the job's; auto: Slurm's CPUs per task, else 1 */

/* ---- study.c: a job with everything its points need ------------------------------------------------------------------ */
typedef struct ss_study ss_study;
/* Lays out the grid, loads every data set it names and builds every distinct network once, so that whatever does not fit
 * is an error before anything runs. Keeps a pointer to job. */
ss_study *ss_study_create(const ss_job *job, ss_error *error);
void ss_study_destroy(ss_study *study);
const ss_job *ss_study_job(const ss_study *study);
const ss_grid *ss_study_grid(const ss_study *study);
const ss_dataset *ss_study_data(const ss_study *study, const ss_settings *s);
const ss_work_size *ss_study_work(const ss_study *study, const ss_settings *s); /* of the point's network and data */
size_t ss_study_n_networks(const ss_study *study);
/* The data sets in the order in which the grid first uses them. */
size_t ss_study_n_data(const ss_study *study);
const ss_dataset *ss_study_data_at(const ss_study *study, size_t i);
/* Of all of them, in that order, joined by ", ": what the results file says of the job's data. */
const char *ss_study_digests(const ss_study *study);
const char *ss_study_data_paths(const ss_study *study);
/* Predicted seconds of every point (upper bounds) into cost (count of grid). */
void ss_study_costs(const ss_study *study, double flops_per_s, ss_cost *cost);

/* ---- probe.c -------------------------------------------------------------------------------------------------------------- */
/* Floating-point operations per second that gradients of this point's network reach here on one core; -1 and error. */
double ss_probe_flops(const ss_study *study, size_t point, ss_error *error);

/* ---- measure.c: lambda_max of a trainer's state ----------------------------------------------------------------------- */
/* At t's iterate, or between it and the next one (interpolation_points). t's weights, statistics and velocity are as before
 * when it returns. 0, 1 interrupted, -1 error. */
int ss_measure(ss_trainer *t, const ss_settings *s, ss_hessian *h, ss_lambda *out, ss_error *error);

/* ---- trial.c: the seam's other side ----------------------------------------------------------------------------------- */
typedef struct ss_trial {
    const ss_study *study;
    const char *weights_dir;      /* where save_weights puts ID.h5; NULL: nowhere */
    bool (*should_stop)(void *ctx); /* NULL: never */
    void *ctx;
} ss_trial;
/* An ss_farm_calls.run: trains and measures one point. 0 and a record; 1: interrupted. Errors of this point (memory gone)
 * are a record with status failed and the sentence. */
int ss_trial_run(const ss_trial *trial, size_t point, ss_record *record, ss_error *error);

/* ---- weights.c: theta and statistics from and to a weights file --------------------------------------------------------- */
int ss_weights_save(const ss_net *net, const ss_real *theta, const ss_real *stats, const char *path, ss_error *error);
int ss_weights_load(const ss_net *net, const char *path, ss_real *theta, ss_real *stats, ss_error *error);

#endif
