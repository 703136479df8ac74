/* farm.h - floor 2: carries points to workers and records back; trials in processes of their own. A transport that decides
 * nothing: the queue says what is next, callbacks run and keep. The only folder that includes mpi.h (beside app/main.c). */
#ifndef SHARPSWEEP_FARM_H
#define SHARPSWEEP_FARM_H

#include "sharpsweep/base.h"
#include "sharpsweep/sweep.h"

/* ---- the farm -------------------------------------------------------------------------------------------------------- */
typedef struct ss_farm_limits {
    /* How often a point is run again whose record says failed, by its stop_reason: crash, timeout, memory; 0 elsewhere. */
    int64_t retries[SS_N_STOP];
    double worker_silence_s;      /* a worker that is not heard for so long loses its point (it may come back) */
    double stop_grace_s;          /* a stop waits so long for the answers of busy workers */
} ss_farm_limits;
extern const ss_farm_limits ss_farm_limits_default; /* no retries, 30 s, 20 s */

/* What the farm calls. `should_stop` is polled often (it must be cheap): a signal came, time is up. */
typedef struct ss_farm_calls {
    void *ctx;
    /* Worker: THE SEAM. Runs one point, fills record. Returns 0; 1: interrupted, the point is to be run again later;
     * -1: an error that concerns the whole sweep (the data set is gone). One bad point is a record with status failed.
     * Meanwhile it calls ss_farm_stop_requested, which also tells rank 0 that this worker lives. */
    int (*run)(void *ctx, size_t point, ss_record *record, ss_error *error);
    /* Rank 0. Non-zero ends the sweep with that error (the disk is full). `started` comes again for every retry. */
    int (*started)(void *ctx, size_t point, int worker, ss_error *error);
    int (*keep)(void *ctx, size_t point, const ss_record *record, ss_error *error);
    void (*idle)(void *ctx);      /* between polls, a few hundred times a second at most: progress, refresh */
    bool (*should_stop)(void *ctx);
    const ss_farm_limits *limits; /* NULL: the defaults; the same on all ranks */
} ss_farm_calls;

typedef enum ss_farm_end { SS_FARM_COMPLETE, SS_FARM_STOPPED, SS_FARM_DESERTED /* no worker answers any more */,
                           SS_FARM_ERROR = -1 } ss_farm_end;

/* One process does both. */
ss_farm_end ss_farm_serial(ss_queue *queue, const ss_farm_calls *calls, ss_error *error);

/* MPI. Between ss_farm_join and ss_farm_leave, which duplicate and free the communicator; main has called MPI_Init. Whatever
 * dies, nothing here waits for ever. What all ranks do together fails after ss_farm_patience_s, or, where this rank expects
 * that others have work to do first (data to read, results to open), after ss_farm_opening_s, as long as workers wait in the
 * end for rank 0 to save. A rank that did that work itself expects none: everybody else has been waiting for it. */
double ss_farm_patience_s(void);  /* 120, or SHARPSWEEP_TOGETHER_S of the environment */
double ss_farm_opening_s(void);   /* 1800, or SHARPSWEEP_OPEN_S */
void ss_farm_expect_work(bool others_work); /* from now on; false after ss_farm_join */
int ss_farm_join(ss_error *error);
/* False where a rank is missing, so that MPI_Finalize might wait for it for ever: leave with _exit instead. */
bool ss_farm_leave(void);
bool ss_farm_is_whole(void);      /* false once a rank was missed */
int ss_farm_rank(void);           /* 0 where no farm is joined */
int ss_farm_size(void);           /* 1 where no farm is joined */
const char *ss_farm_describe(void); /* "Open MPI v4.1.4 ..." */
/* Rank 0's bytes to all: *bytes is input on rank 0, ss_alloc'ed output elsewhere. All ranks call it. */
int ss_farm_broadcast(unsigned char **bytes, size_t *n_bytes, ss_error *error);
/* The same among the ranks of one node: from the first of them, for which ss_farm_leads_node is true, to the others. */
int ss_farm_node_broadcast(unsigned char **bytes, size_t *n_bytes, ss_error *error);
bool ss_farm_leads_node(void);    /* true where no farm is joined */
/* All ranks tell whether they are ready (ok) and why not; every rank gets 0, or -1 and the sentence of the lowest rank
 * that is not, "rank 3 (host): ...". */
int ss_farm_agree(bool ok, ss_error *error);
/* Rank 0 of at least two: hands the queue's points to the other ranks until it is empty or stop is asked for. */
ss_farm_end ss_farm_schedule(ss_queue *queue, const ss_farm_calls *calls, ss_error *error);
/* Every other rank: runs what it is given until told to stop. */
ss_farm_end ss_farm_work(const ss_farm_calls *calls, ss_error *error);
/* Worker, in the middle of run(): has rank 0 asked to stop, or fallen silent? Cheap. */
bool ss_farm_stop_requested(void);
/* Of this rank, since it joined. */
typedef struct ss_farm_traffic { uint64_t n_received, n_sent; double seconds, processor_s; } ss_farm_traffic;
ss_farm_traffic ss_farm_count(void);

/* ---- trials in processes of their own ----------------------------------------------------------------------------------
 *
 *   rank (supervisor) --socket-- server, started before MPI_Init --fork--> trial: one per point
 *
 * Whatever becomes of a trial, the rank lives on. Nothing outlives the rank: each process is killed when its parent ends. */
typedef struct ss_server_calls {  /* what runs in the server's process and in the trials' */
    void *ctx;
    int (*open)(void *ctx, const unsigned char *bytes, size_t n_bytes, ss_error *error); /* once, before any trial */
    /* As ss_farm_calls.run; beats (ss_pulse_beat) while it gets on, and ends soon after ss_pulse_stop_asked. */
    int (*run)(void *ctx, size_t point, ss_record *record, ss_error *error);
} ss_server_calls;

typedef struct ss_trial_limits {
    double memory_bytes;          /* of its own, shared mappings aside; 0: none */
    double time_s, silence_s;     /* in all; without a beat; 0: none */
    double grace_s;               /* from the wish to stop to the kill */
} ss_trial_limits;

typedef struct ss_supervisor ss_supervisor;
/* Starts the server; before MPI_Init, and before threads. Should it die, another is started: by running this program again
 * with the arguments `word`, socket, page, parent (main then calls ss_server_main), or, word NULL, by fork. */
ss_supervisor *ss_supervisor_create(const ss_server_calls *calls, const char *word, ss_error *error);
/* Has the server call `open` with these bytes, and every later one. -1 and its sentence if it fails. */
int ss_supervisor_open(ss_supervisor *s, const unsigned char *bytes, size_t n_bytes, ss_error *error);
/* An ss_farm_calls.run: one trial. A crash, a hang, too much memory or time are a record with status failed, the reason and
 * a sentence. `should_stop` is polled some ten times a second at least, and may take its time. */
int ss_supervisor_run(ss_supervisor *s, size_t point, const ss_trial_limits *limits, bool (*should_stop)(void *ctx), void *ctx,
                      ss_record *record, ss_error *error);
void ss_supervisor_destroy(ss_supervisor *s); /* ends server and trial; NULL is fine */
int ss_server_main(char *const *arguments, const ss_server_calls *calls); /* argv behind `word`; its exit status */

#endif
