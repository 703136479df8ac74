/* running.h - one point while it runs, and its state between two steps or products. Private to src/app. */
#ifndef SHARPSWEEP_RUNNING_H
#define SHARPSWEEP_RUNNING_H

#include "bookmark.h"
#include "trial.h"

/* TRACK: curvature during training. MEASURES: those that come after lambda_max, at the end or during training. */
typedef enum ss_phase { SS_PHASE_TRAIN, SS_PHASE_TRACK, SS_PHASE_CURVATURE, SS_PHASE_TRACK_MEASURES, SS_PHASE_MEASURES,
                        SS_N_PHASES } ss_phase;

enum { SS_RUNNING_NUMBERS = 9, SS_RUNNING_REALS = 11, SS_MAX_TRACK_COLUMNS = 32 };

typedef struct ss_running {
    const ss_trial *trial;
    ss_settings settings;
    const ss_dataset *data;
    ss_record *record;
    ss_net *net;
    ss_trainer *trainer;
    ss_hessian *hessian;          /* made when first needed */
    ss_real *grad;                /* (n_params) for tracked rows */
    ss_warm warm;                 /* from one tracked check to the next */
    ss_phase phase;
    ss_train_end end;             /* how training ended; `last` is its final row */
    ss_epoch_row last;
    double train_s, curvature_s, measure_s; /* over all attempts that this one goes on from; curvature_s: lambda_max's */
    double *account, mark_s;      /* which of them time goes to, and since when */
    bool interrupted;
    ss_bookmark bookmark;
    ss_checkpoint *source;        /* what the point goes on from; NULL: the beginning */
    ss_keeper keeper;             /* of the measurement that is going on */
    int64_t products;             /* of it */
    ss_measures measured;         /* in the phases of measures: so far */
    int next;                     /* the measure that is to come */
    double row[SS_MAX_TRACK_COLUMNS]; /* the tracked row that they complete */
    ss_warm top;                  /* the last lambda_max's eigenvector, where a measure needs it */
    int64_t image[SS_RUNNING_NUMBERS]; /* numbers of the checkpoint */
    double image_real[SS_RUNNING_REALS];
} ss_running;

bool ss_running_should_stop(void *running);
/* Time up to now goes to the account that ran, from now on to this one: &r->train_s or one of the others. */
void ss_running_charge(ss_running *r, double *account);
/* Is curvature tracked before the trainer's next step? */
bool ss_running_is_tracked(const ss_running *r);
/* Between two steps: saves if it is time, or if the point ends here, interrupted (last). */
void ss_running_offer(ss_running *r, bool last);
void ss_running_offer_measures(ss_running *r, bool last); /* the same between two measures, in their phase */
/* The keeper for a measurement that begins now, or goes on; NULL where no checkpoints are kept. */
ss_keeper *ss_running_keeper(ss_running *r);
/* Goes on from the point's checkpoint if it has one; everything is allocated. 0, or -1: r->keeper.refused is set, and the
 * trainer and the record hold nothing of use. */
int ss_running_resume(ss_running *r, ss_error *error);
void ss_running_leave(ss_running *r); /* closes the checkpoint that was gone on from */

/* ---- measures.c: r->hessian is made; gone on with where r->phase is theirs already. 0, -1, or 1: interrupted, and saved --- */
int ss_running_measure(ss_running *r, ss_error *error);     /* at the end, into r->record */
int ss_running_measure_row(ss_running *r, ss_error *error); /* during training, into r->row, whose other columns are filled */

#endif
