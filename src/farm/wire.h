/* wire.h - what supervisor and trial server say to each other over their socket; private to src/farm.
 *
 *   supervisor -> server   OPEN     bytes for ss_server_calls.open
 *   server -> supervisor   OPENED   ss_opened, then a sentence where it failed
 *   supervisor -> server   RUN      ss_order: fork a trial of this point
 *   server -> supervisor   STARTED  ss_started
 *   supervisor -> server   KILL     nothing: kill the trial
 *   server -> supervisor   ENDED    ss_ended, then what the trial wrote into its pipe: ss_answer and n_bytes of an encoded
 *                                   record or of a sentence, if it came to that
 *
 * Both run on one machine and are one program: structs travel as they are. */
#ifndef SHARPSWEEP_FARM_WIRE_H
#define SHARPSWEEP_FARM_WIRE_H

#include "sharpsweep/farm.h"

typedef enum ss_frame_kind { SS_FRAME_OPEN = 1, SS_FRAME_OPENED, SS_FRAME_RUN, SS_FRAME_STARTED, SS_FRAME_KILL,
                             SS_FRAME_ENDED, SS_N_FRAME } ss_frame_kind;
typedef struct ss_opened { int32_t failed; } ss_opened;
typedef struct ss_order { uint64_t point; } ss_order;
typedef struct ss_started { int64_t trial; } ss_started;            /* process number; -1: fork failed */
typedef struct ss_ended { int32_t wait_status, place; double user_s, system_s, peak_bytes; } ss_ended;
typedef struct ss_answer { int32_t outcome; uint32_t magic; uint64_t n_bytes; } ss_answer; /* outcome: of run() */
#define SS_ANSWER_MAGIC 0x57414e53u

/* One end of the socket, and what has arrived on it. */
typedef struct ss_wire { int fd; unsigned char *bytes; size_t n, capacity, taken; } ss_wire;
typedef struct ss_frame { uint32_t kind; const unsigned char *bytes; size_t n; } ss_frame;

void ss_wire_init(ss_wire *w, int fd);
void ss_wire_finish(ss_wire *w); /* closes fd */
/* 0, or -1: the other end is gone, or takes nothing for limit_s. */
int ss_wire_send(ss_wire *w, ss_frame_kind kind, const void *head, size_t n_head, const void *body, size_t n_body,
                 double limit_s);
/* The next frame within wait_s: 1 and *frame, whose bytes hold until the next call; 0: none; -1: the other end is gone, or
 * speaks nonsense, or memory is. A signal ends the wait early. */
int ss_wire_take(ss_wire *w, double wait_s, ss_frame *frame);

/* The server's loop, until the other end is gone; parent: who must live for it to go on. */
int ss_server_serve(int fd, ss_pulse *page, long parent, const ss_server_calls *calls);
enum { SS_PAGE_BYTES = 4096 };
ss_pulse *ss_page_map(int fd);   /* NULL: it cannot be mapped */

#endif
