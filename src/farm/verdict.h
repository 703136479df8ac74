/* verdict.h - what became of a trial that left no record; private to src/farm. */
#ifndef SHARPSWEEP_FARM_VERDICT_H
#define SHARPSWEEP_FARM_VERDICT_H

#include <sys/types.h>

#include "sharpsweep/farm.h"

typedef enum ss_cause { SS_CAUSE_NONE /* it ended by itself */, SS_CAUSE_MEMORY, SS_CAUSE_TIME, SS_CAUSE_SILENCE, SS_CAUSE_STOP,
                        SS_CAUSE_FORK, SS_CAUSE_SERVER } ss_cause;

typedef struct ss_verdict {
    ss_cause cause;
    double value;                 /* the limit that was passed */
    int wait_status, server_status, place;
    double seconds, processor_s, peak_bytes;
    long n_oom_kills;             /* of this machine before the trial; -1: unknown */
} ss_verdict;

/* A record with status failed, stop_reason crash, timeout or memory, and the sentence. */
void ss_verdict_record(const ss_verdict *v, ss_record *record);
double ss_process_bytes(pid_t pid); /* resident memory of its own, what it shares aside; 0: unknown */
long ss_oom_kills(void);

#endif
