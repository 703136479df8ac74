/* trial.h - below the seam: from a job's settings to networks, data and numbers. Private to src/app; the only place where
 * sweep meets nn, data, train and sharp. */
#ifndef SHARPSWEEP_TRIAL_H
#define SHARPSWEEP_TRIAL_H

#include "sharpsweep/data.h"
#include "sharpsweep/measure.h"
#include "sharpsweep/nn.h"
#include "sharpsweep/sharp.h"
#include "sharpsweep/store.h"
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
/* Examples in each of lambda_subsets' parts; the Hessian's own where there are none. */
uint32_t ss_model_subset_examples(const ss_settings *s, uint32_t n_train);
/* Examples of a whole pass of training, and of curvature; `norm`: the network has a batch norm. */
uint32_t ss_model_training_pass(const ss_settings *s, uint32_t n_train, bool norm);
uint32_t ss_model_curvature_pass(const ss_settings *s, uint32_t n_train, bool norm);
size_t ss_model_cache_bytes(double memory_bytes); /* for the Hessian's activations: a third of the share, at most 4 GiB */
ss_lanczos_options ss_model_lanczos(const ss_settings *s);
/* What is measured beside lambda_max, at the end or (tracked) during training, at the last step's learning rate. */
ss_measure_options ss_model_measures(const ss_settings *s, double learning_rate, bool tracked);
bool ss_model_measures_any(const ss_settings *s); /* other than SAM's edge, which costs nothing to speak of */
int ss_model_threads(const ss_settings *s); /* the job's; auto: Slurm's CPUs per task, else 1 */

/* ---- methods.c: how convolutions are computed ------------------------------------------------------------------------ */
#define SS_METHODS_BYTES sizeof(((ss_record *)0)->convolutions)
/* Of training's whole passes, and behind "; curvature: " of curvature's where it differs. */
void ss_methods_describe(const ss_net *net, const ss_settings *s, uint32_t n_train, char text[SS_METHODS_BYTES]);

/* ---- study.c: a job with everything its points need ------------------------------------------------------------------ */
typedef struct ss_study ss_study;
/* Lays out the grid, loads every data set it names and builds every distinct network once, so that whatever does not fit
 * is an error before anything runs. Keeps a pointer to job. */
ss_study *ss_study_create(const ss_job *job, ss_error *error);
void ss_study_destroy(ss_study *study);
const ss_job *ss_study_job(const ss_study *study);
const ss_grid *ss_study_grid(const ss_study *study);
/* Of settings that a point of the grid has, in sections data and model: its data, the work of its network. */
const ss_dataset *ss_study_data(const ss_study *study, const ss_settings *s);
const ss_work_size *ss_study_work(const ss_study *study, const ss_settings *s);
const ss_work_size *ss_study_find_work(const ss_study *study, const ss_settings *s); /* any; NULL: no point has them */
size_t ss_study_n_networks(const ss_study *study);
/* The data sets in the order in which the grid first uses them. */
size_t ss_study_n_data(const ss_study *study);
const ss_dataset *ss_study_data_at(const ss_study *study, size_t i);
/* Of all of them, in that order, joined by ", ": what the results file says of the job's data. */
const char *ss_study_digests(const ss_study *study);
const char *ss_study_data_paths(const ss_study *study);
/* Predicted seconds of every point (upper bounds) into cost (count of grid). */
void ss_study_costs(const ss_study *study, double flops_per_s, ss_cost *cost);

/* ---- share.c: one copy of the data sets for all processes of a node ------------------------------------------------------ */
/* Moves the study's data sets into memory that other processes of this user on this machine can map, read-only, by `path`,
 * for as long as this process lives. -1: they stay where they are. */
int ss_study_share(ss_study *study, char *path, size_t path_bytes, ss_error *error);
/* The same job's study on data that another process shares; it knows no networks. NULL: the data cannot be reached, or this
 * process's job names others (an environment variable in data_dir). */
ss_study *ss_study_attach(const ss_job *job, const char *path, ss_error *error);
/* Where others find the data that this study shares or is attached to; "" if it does neither. */
void ss_study_shared_path(const ss_study *study, char *path, size_t path_bytes);

/* A line per distinct network and answer, of all points of the grid, to standard output. */
int ss_methods_print(const ss_study *study, ss_error *error);

/* ---- forecast.c: what every point will take, corrected by what has been measured -------------------------------------- */
typedef struct ss_forecast ss_forecast;
ss_forecast *ss_forecast_create(const ss_study *study, double flops_per_s, ss_error *error); /* keeps a pointer to study */
/* The same, corrected by what a results file (that need not exist) has measured. */
ss_forecast *ss_forecast_of(const ss_study *study, const char *results, double flops_per_s, ss_error *error);
void ss_forecast_destroy(ss_forecast *f);
/* Learns from a finished point, of this grid or another of the same file; from a store's or a file's finished rows, evenly
 * chosen where they are very many. */
void ss_forecast_learn(ss_forecast *f, const ss_settings *s, const ss_record *record);
void ss_forecast_learn_point(ss_forecast *f, size_t point, const ss_record *record);
int ss_forecast_learn_store(ss_forecast *f, ss_store *store, ss_error *error);
void ss_forecast_learn_results(ss_forecast *f, const ss_results *r);
/* Corrects all costs anew if enough was learnt since the last time, or `now`; false: they are as they were. */
bool ss_forecast_update(ss_forecast *f, bool now);
const double *ss_forecast_costs(const ss_forecast *f); /* (count of grid) seconds of each point; updates change them in place */
ss_cost ss_forecast_point(const ss_forecast *f, size_t point); /* its parts; no memory_bytes */
/* The queue ranked anew where enough was learnt; false: as it was. */
bool ss_forecast_rank(ss_forecast *f, ss_queue *queue);
/* No point starts from now on that can neither end within left_s nor save its first state, after checkpoint_s (0: none is
 * saved). True: points wait, and none of them may start. */
bool ss_forecast_keep_back(const ss_forecast *f, ss_queue *queue, double left_s, double checkpoint_s);
double ss_forecast_spread(const ss_forecast *f); /* relative standard deviation of all costs' sum */
const ss_cost_model *ss_forecast_model(const ss_forecast *f);

/* ---- done.c: a job and results that may be there already (they need not) ------------------------------------------------- */
/* What the store is told of where a study's numbers come from; keeps a pointer to it. */
ss_provenance ss_study_provenance(const ss_study *study, const char *mpi);
/* -1 and why where `run` would refuse to go on with these results. */
int ss_done_check(const ss_study *study, const char *results, ss_error *error);
/* Which points stand finished in them? done (count of grid) starts as false. */
int ss_done_mark(const ss_study *study, const char *results, bool *done, size_t *n_done, ss_error *error);

/* ---- probe.c -------------------------------------------------------------------------------------------------------------- */
/* Floating-point operations per second that gradients of this point's network reach here on one core; -1 and error. */
double ss_probe_flops(const ss_study *study, size_t point, ss_error *error);
/* The same of the study's largest network; what is usual, and *assumed, where that cannot be timed, which the log then says. */
double ss_probe_study(const ss_study *study, bool *assumed);

/* ---- measure.c: lambda_max of a trainer's state ----------------------------------------------------------------------- */
/* At t's iterate, or between it and the next one (interpolation_points). t's weights, statistics and velocity are as before
 * when it returns and whenever the keeper (NULL: none) is called. top (NULL: none) becomes the eigenvector where
 * a measure needs it (unknown where none does). 0, 1 interrupted, -1 error. */
int ss_measure(ss_trainer *t, const ss_settings *s, ss_hessian *h, ss_keeper *keeper, ss_warm *top, ss_lambda *out,
               ss_error *error);

/* ---- measures.c: what was measured beside it, in the record's words ------------------------------------------------- */
void ss_measures_note(const ss_measures *m, const ss_settings *s, ss_record *record);
int ss_measures_note_spectrum(const ss_spectrum *spectrum, ss_record *record, ss_error *error); /* appends */

/* ---- trial.c: the seam's other side ----------------------------------------------------------------------------------- */
typedef struct ss_trial {
    const ss_study *study;
    const char *weights_dir;      /* where save_weights puts ID.h5; NULL: nowhere */
    bool (*should_stop)(void *ctx); /* NULL: never */
    void *ctx;
    const char *checkpoint_folder; /* where the point's state is saved and looked for (ss_checkpoint_folder); NULL: nowhere */
    bool *checkpoint_trouble_told; /* set once it was said that saving fails; may be shared by processes; NULL: per point */
} ss_trial;
/* An ss_farm_calls.run: trains and measures one point. 0 and a record; 1: interrupted. Errors of this point (memory gone)
 * are a record with status failed and the sentence. With checkpoint_folder it goes on from the point's checkpoint, if there is
 * a sound one, and ends bit for bit as if it had never been interrupted; interrupted, it leaves one. */
int ss_trial_run(const ss_trial *trial, size_t point, ss_record *record, ss_error *error);

/* ---- crew.c: trials in processes of their own (farm.h) ------------------------------------------------------------------ */
#define SS_CREW_WORD "trial-server" /* the hidden command of a trial server that is started anew */
int ss_crew_main(char *const *arguments); /* of such a process: argv behind the word; its exit status */
int ss_crew_create(ss_error *error); /* in main, before MPI_Init: starts this rank's server */
void ss_crew_destroy(void);
bool ss_crew_is_there(void);      /* false: --in-process */
/* The job's study, all ranks together: the first rank of each node reads the data sets and shares them with the others and with
 * all trial servers; where that is not to be had, or the job names other data there, each reads its own. NULL and error. */
ss_study *ss_crew_study(const ss_job *job, ss_error *error);
int ss_crew_open(const ss_trial *trial, ss_error *error); /* tells the server what trials need, as `trial` says */
/* ss_trial_run in a process of its own, with the job's limits; trial->should_stop is asked here. */
int ss_crew_run(const ss_trial *trial, size_t point, ss_record *record, ss_error *error);
unsigned char *ss_texts_pack(const char *const *text, size_t n_texts, size_t *n_bytes); /* ss_free it; NULL: memory */
const char *ss_texts_at(const unsigned char *bytes, size_t k);

/* ---- weights.c: theta and statistics from and to a weights file --------------------------------------------------------- */
int ss_weights_save(const ss_net *net, const ss_real *theta, const ss_real *stats, const char *path, ss_error *error);
int ss_weights_load(const ss_net *net, const char *path, ss_real *theta, ss_real *stats, ss_error *error);

#endif
