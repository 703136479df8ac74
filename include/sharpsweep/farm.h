/* farm.h - floor 2: carries points to workers and records back. A transport that decides nothing: the queue says what is
 * next, callbacks run and keep. The only folder that includes mpi.h (beside app/main.c for init and finalize). */
#ifndef SHARPSWEEP_FARM_H
#define SHARPSWEEP_FARM_H

#include "sharpsweep/base.h"
#include "sharpsweep/sweep.h"

/* What the farm calls. `should_stop` is polled often (it must be cheap): a signal came, time is up. */
typedef struct ss_farm_calls {
    void *ctx;
    /* Worker: THE SEAM. Runs one point, fills record. Returns 0; 1: interrupted, the point is to be run again later;
     * -1: an error that concerns the whole sweep (the data set is gone). One bad point is a record with status failed. */
    int (*run)(void *ctx, size_t point, ss_record *record, ss_error *error);
    /* Rank 0. Non-zero ends the sweep with that error (the disk is full). */
    int (*started)(void *ctx, size_t point, int worker, ss_error *error);
    int (*keep)(void *ctx, size_t point, const ss_record *record, ss_error *error);
    void (*idle)(void *ctx);      /* between polls, a few hundred times a second at most: progress, refresh */
    bool (*should_stop)(void *ctx);
} ss_farm_calls;

typedef enum ss_farm_end { SS_FARM_COMPLETE, SS_FARM_STOPPED, SS_FARM_ERROR = -1 } ss_farm_end;

/* One process does both. */
ss_farm_end ss_farm_serial(ss_queue *queue, const ss_farm_calls *calls, ss_error *error);

/* MPI. Between ss_farm_join and ss_farm_leave, which duplicate and free the communicator; main has called MPI_Init. */
int ss_farm_join(ss_error *error);
void ss_farm_leave(void);
int ss_farm_rank(void);           /* 0 where no farm is joined */
int ss_farm_size(void);           /* 1 where no farm is joined */
const char *ss_farm_describe(void); /* "Open MPI v4.1.4 ..." */
/* Rank 0's bytes to all: *bytes is input on rank 0, ss_alloc'ed output elsewhere. All ranks call it. */
int ss_farm_broadcast(unsigned char **bytes, size_t *n_bytes, ss_error *error);
/* All ranks tell whether they are ready (ok) and why not; every rank gets 0, or -1 and the sentence of the lowest rank
 * that is not, "rank 3 (host): ...". */
int ss_farm_agree(bool ok, ss_error *error);
/* Rank 0 of at least two: hands the queue's points to the other ranks until it is empty or stop is asked for. */
ss_farm_end ss_farm_schedule(ss_queue *queue, const ss_farm_calls *calls, ss_error *error);
/* Every other rank: runs what it is given until told to stop. */
ss_farm_end ss_farm_work(const ss_farm_calls *calls, ss_error *error);
/* Worker, in the middle of run(): has rank 0 asked to stop? Cheap. */
bool ss_farm_stop_requested(void);

#endif
