/* message.h - what travels between rank 0 and the workers, all of it; private to src/farm.
 *
 *   worker -> 0   READY    ss_ready, once per sweep: I am free. A worker that was told to stop may be back for the next
 *                          sweep before rank 0 is through with this one: hence the sweep's number, and a READY that comes
 *                          while rank 0 is stopping stays where it is.
 *   0 -> worker   TASK     ss_task: run this point
 *   worker -> 0   RESULT   ss_result, then n_bytes of an encoded record or of a sentence; I am free again
 *   worker -> 0   BEAT     nothing, several times per worker_silence_s: I live
 *   0 -> worker   ALIVE    nothing, the answer to a BEAT: so do I
 *   0 -> worker   STOP     ss_stop_notice, once to each worker: interrupt what you run, answer, leave
 *   worker -> 0   BYE      ss_ready, the answer to STOP, after that of its point
 *   0 -> worker   LEAVE    ss_leave, once, at the very end: everything is saved, end together, or each by itself
 *
 * Open MPI tells nobody that a rank has died: what was sent to it may never complete, nor what it had begun to send. So nobody
 * blocks and nobody waits for one message: both sides poll, sleep between polls (ss_nap; Open MPI would spin, and rank 0 may
 * share a core with a worker), and take a side that they have not heard for long for gone. */
#ifndef SHARPSWEEP_FARM_MESSAGE_H
#define SHARPSWEEP_FARM_MESSAGE_H

#include <mpi.h>

#include "sharpsweep/farm.h"

typedef enum ss_tag { SS_TAG_READY = 1, SS_TAG_TASK, SS_TAG_RESULT, SS_TAG_STOP, SS_TAG_BEAT, SS_TAG_ALIVE,
                      SS_TAG_BYE, SS_TAG_LEAVE, SS_N_TAG } ss_tag;
extern const char *const ss_tag_name[SS_N_TAG];

typedef enum ss_outcome { SS_OUTCOME_RECORD, SS_OUTCOME_INTERRUPTED, SS_OUTCOME_ERROR, SS_N_OUTCOME } ss_outcome;
typedef struct ss_ready { int32_t sweep; } ss_ready;           /* how often its sender has worked before */
typedef struct ss_task { int64_t point; int32_t sweep; } ss_task;
typedef struct ss_result { int64_t point; int32_t sweep, outcome, n_bytes; } ss_result;
typedef struct ss_stop_notice { int32_t sweep, end; } ss_stop_notice; /* an ss_farm_end */
typedef struct ss_leave { int32_t missing; } ss_leave;         /* is a rank missing? */

/* Beats per worker_silence_s; silences after which a worker takes rank 0 for gone. */
#define SS_BEATS_PER_SILENCE 6.0
#define SS_ROOT_SILENCES 4.0
/* How long rank 0 waits for the answers of interrupted workers beyond what they were granted. */
#define SS_FARM_DRAIN_S 5.0
/* How long ranks wait for each other where nobody has work to do; where data are read and results opened, and workers for rank
 * 0 while it saves at the end: a million points on a slow file system take minutes. Both may be set, to SS_FARM_LONGEST_S at
 * most, which fits into an alarm. */
#define SS_FARM_TOGETHER_S 120.0
#define SS_FARM_OPENING_S 1800.0
#define SS_FARM_LONGEST_S 1e6

/* The communicator of this program, MPI_COMM_NULL outside join and leave. */
extern MPI_Comm ss_farm_comm;
/* The limit that ss_farm_expect_work chose, and the variable that sets it. */
double ss_farm_limit_s(void);
const char *ss_farm_limit_name(void);
void ss_farm_miss(void);          /* a rank is missing: what all do together is over */
void ss_count_message(bool sent);

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

/* Waits for a request of all ranks by polling and napping, as long as ss_farm_expect_work says; then -1 and a sentence, and a
 * rank is missing. */
int ss_request_wait(MPI_Request *request, ss_error *error);

/* A message that can be sent again and again, each time the last one has left. */
typedef struct ss_outgoing { MPI_Request request; } ss_outgoing; /* starts with MPI_REQUEST_NULL */
int ss_outgoing_is_free(ss_outgoing *o, bool *is_free, ss_error *error);
/* `data` stays until it is free again. */
int ss_outgoing_send(ss_outgoing *o, const void *data, size_t n, int rank, ss_tag tag, ss_error *error);

/* Messages that are coming in. A large one may take a while, or for ever where its sender dies in the middle. */
typedef struct ss_mail { int source, tag; unsigned char *bytes; size_t n; MPI_Request request; struct ss_mail *next; } ss_mail;
typedef struct ss_inbox { ss_mail *first; } ss_inbox;             /* zeroed: empty */
/* The next whole message from `source` (or MPI_ANY_SOURCE) with `tag` (or MPI_ANY_TAG): 1 and *mail, which ss_mail_free
 * ends; 0: none yet; -1 and error. */
int ss_inbox_take(ss_inbox *inbox, int source, int tag, ss_mail **mail, ss_error *error);
void ss_mail_free(ss_mail *mail); /* NULL is fine */
/* What never came whole stays in memory: MPI may still write into it. */
void ss_inbox_finish(ss_inbox *inbox);

#endif
