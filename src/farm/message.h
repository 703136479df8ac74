/* message.h - what travels between rank 0 and the workers, all of it; private to src/farm.
 *
 *   worker -> 0   READY    ss_ready, once per sweep: I am free. A worker that was told to stop may be back for the next
 *                          sweep before rank 0 is through with this one: hence the sweep's number, and a READY that comes
 *                          while rank 0 is stopping stays where it is.
 *   0 -> worker   TASK     ss_task: run this point
 *   worker -> 0   RESULT   ss_result, then n_bytes of an encoded record or of a sentence; I am free again
 *   0 -> worker   STOP     ss_stop_notice, once to each worker: interrupt what you run, answer, leave
 *
 * Nobody blocks: Open MPI spins while it waits, and rank 0 may share a core with a worker. So both sides poll, and sleep
 * between polls (ss_nap). */
#ifndef SHARPSWEEP_FARM_MESSAGE_H
#define SHARPSWEEP_FARM_MESSAGE_H

#include <mpi.h>

#include "sharpsweep/farm.h"

typedef enum ss_tag { SS_TAG_READY = 1, SS_TAG_TASK, SS_TAG_RESULT, SS_TAG_STOP, SS_N_TAG } ss_tag;
extern const char *const ss_tag_name[SS_N_TAG];

typedef enum ss_outcome { SS_OUTCOME_RECORD, SS_OUTCOME_INTERRUPTED, SS_OUTCOME_ERROR, SS_N_OUTCOME } ss_outcome;
typedef struct ss_ready { int32_t sweep; } ss_ready;           /* how often its sender has worked before */
typedef struct ss_task { int64_t point; } ss_task;
typedef struct ss_result { int64_t point; int32_t outcome; int32_t n_bytes; } ss_result;
typedef struct ss_stop_notice { int32_t end; } ss_stop_notice; /* an ss_farm_end */

/* How long rank 0 waits for the answers of interrupted workers, and a worker for rank 0 to take its last answer. */
#define SS_FARM_DRAIN_S 20.0

/* The communicator of this program, MPI_COMM_NULL outside join and leave. */
extern MPI_Comm ss_farm_comm;

/* Wraps every MPI call: names the call and says what MPI says. */
#define MPI_TRY(call) do { \
    int rc_ = (call); \
    if (rc_ != MPI_SUCCESS) return ss_mpi_fail(error, #call, rc_); \
} while (0)
int ss_mpi_fail(ss_error *error, const char *call, int rc); /* always -1 */

/* Naps that grow from 0.1 ms to a few ms while nothing happens; any event sets them back. */
typedef struct ss_nap { double seconds; } ss_nap;
void ss_nap_reset(ss_nap *nap);
void ss_nap_take(ss_nap *nap);

/* Waits for one request by polling and napping. */
int ss_request_wait(MPI_Request *request, ss_error *error);
/* The same, at most limit_s; 1: the limit came first and the request was given up. */
int ss_request_wait_for(MPI_Request *request, double limit_s, ss_error *error);

/* Takes the next message from `source` (or MPI_ANY_SOURCE) with `tag` (or MPI_ANY_TAG), if there is one: 1 and the status and
 * an ss_alloc'ed copy of its bytes (one zero behind them), 0 if there is none, -1 on an error. */
int ss_message_take(int source, int tag, MPI_Status *status, unsigned char **bytes, size_t *n_bytes, ss_error *error);

#endif
