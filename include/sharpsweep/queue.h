/* queue.h - floor 1, src/sweep's second half: what is next, and what will it cost? Included by sweep.h, which it needs. */
#ifndef SHARPSWEEP_QUEUE_H
#define SHARPSWEEP_QUEUE_H

#include "sharpsweep/sweep.h"

/* ---- identities: ss_point_identify of a grid's points, much faster where many are asked for, best in their order ------- */
typedef struct ss_identities ss_identities;
ss_identities *ss_identities_create(const ss_grid *grid, ss_error *error); /* keeps a pointer to grid */
void ss_identities_destroy(ss_identities *ids);
void ss_identities_at(ss_identities *ids, size_t point, const char *data_digest, char id[SS_ID_BYTES]);

/* ---- queue: what next? -------------------------------------------------------------------------------------------- */
typedef struct ss_queue ss_queue;
ss_queue *ss_queue_create(size_t n_points, const double *cost, ss_error *error); /* cost NULL: in order; else longest first,
                                                                                   ties in order; copied */
void ss_queue_destroy(ss_queue *q);
void ss_queue_skip(ss_queue *q, size_t point);          /* already finished: never handed out */
int64_t ss_queue_next(ss_queue *q);                     /* a waiting point, now running; -1: none (within the limit) */
void ss_queue_done(ss_queue *q, size_t point);          /* running -> done; ignored if it is done already */
void ss_queue_lost(ss_queue *q, size_t point);          /* running -> waiting again, ahead of its cost's place */
/* New costs (n_points) for all that wait; running, finished, lost points keep their places. -1: memory, nothing changed. */
int ss_queue_rank(ss_queue *q, const double *cost);
/* Only points that cost no more are handed out from now on, the longest of these first; INFINITY: all (the beginning). */
void ss_queue_limit(ss_queue *q, double cost);
bool ss_queue_has_next(ss_queue *q);                    /* would ss_queue_next find one? */
size_t ss_queue_waiting(const ss_queue *q);
size_t ss_queue_running(const ss_queue *q);
size_t ss_queue_finished(const ss_queue *q);

/* ---- cost: a count of work, before anything is measured --------------------------------------------------------------- */
typedef struct ss_work_size {     /* of one network, given by app from nn */
    double macs_per_example;      /* multiply-accumulates of one forward pass */
    double n_parameters, values_per_example, deltas_per_example; /* values of both passes; those of the backward pass */
    double n_train, n_test, cache_bytes, data_bytes; /* curvature_memory's `auto`; of the data set in memory */
    double tangents_per_example;  /* values that products with the Hessian need of one batch beside what is kept */
    double scratch_bytes;         /* of trainer and Hessian, whatever the batch: tiles of convolutions */
    double evaluated_together;    /* examples that an evaluation takes at a time where micro_batch allows */
} ss_work_size;
typedef struct ss_cost { double train_s, curvature_s, memory_bytes, /* upper bounds: all of max_epochs; of the Hessian: */
    n_batches, activations, deltas, kept_bytes, /* its batches; those that keep them (ss_keep), and how much; of its spectrum */
    nodes; } ss_cost;
ss_cost ss_cost_predict(const ss_settings *s, const ss_work_size *w, double flops_per_s);
double ss_cost_macs(const ss_work_size *w); /* of one example's forward pass, the work per value in units of it included */
/* What the number of epochs up to a target is taken to grow with, until it is measured; 0: no target, all of max_epochs. */
double ss_cost_effort(const ss_settings *s, const ss_work_size *w);
/* Wall time of n_ranks workers taking points longest first. */
double ss_cost_makespan(size_t n, const double *cost_s, int n_ranks);

/* ---- cost model: the count, corrected by what finished points took ---------------------------------------------------- */
typedef struct ss_cost_model ss_cost_model;
ss_cost_model *ss_cost_model_create(const ss_job *job, ss_error *error); /* keeps a pointer to job */
void ss_cost_model_destroy(ss_cost_model *m);
/* A finished point of these settings, of this grid or another: what was predicted of it by the count, what it took. */
void ss_cost_model_learn(ss_cost_model *m, const ss_settings *s, const ss_cost *predicted, double train_s,
                         double curvature_s);
size_t ss_cost_model_count(const ss_cost_model *m);     /* points it has learnt from */
bool ss_cost_model_is_due(const ss_cost_model *m);      /* enough was learnt since the last fit to make another one */
void ss_cost_model_fit(ss_cost_model *m);               /* milliseconds, whatever was learnt */
ss_cost ss_cost_model_correct(const ss_cost_model *m, const ss_settings *s, ss_cost predicted);
ss_cost ss_cost_model_correct_point(const ss_cost_model *m, const ss_grid *grid, size_t point, ss_cost predicted); /* fast */
double ss_cost_model_spread(const ss_cost_model *m);    /* standard deviation of log(actual / corrected) of one point */
/* Relative standard deviation of a sum of corrected costs: points scatter independently, the correction errs for all. */
double ss_cost_model_sum_spread(const ss_cost_model *m, size_t n, const double *cost_s);

#endif
