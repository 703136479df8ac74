/* rescue.h - what a run still has in hand when somebody takes its journal away: it becomes a journal of its own. */
#ifndef SHARPSWEEP_STORE_RESCUE_H
#define SHARPSWEEP_STORE_RESCUE_H

#include "journal.h"
#include "table.h"

typedef struct ss_rescue {        /* zeroed: nothing to be rescued yet */
    ss_journal *recent;           /* in memory: the run's JOB entry, and the records that the results file lacks */
    uint64_t job_end;             /* of it, behind the JOB entry */
    size_t n_recent;              /* finished points among these records */
    ss_journal *journal;          /* RESULTS.rescued-PID.h5.journal, once it had to be made */
    ss_error why, failure;        /* what happened to the journal ("": nothing); why there is no rescued one */
    char results[SS_PATH_BYTES];
} ss_rescue;

/* The run's JOB entry, without points. Where there is no memory for a journal, only the copy on the disk can be rescued. */
void ss_rescue_begin(ss_rescue *r, const ss_bytes *job);
void ss_rescue_keep(ss_rescue *r, const ss_bytes *done, bool finished); /* a DONE entry that the journal has taken */
void ss_rescue_rebuilt(ss_rescue *r);                                  /* the results file holds all of it */
/* The journal is lost for this run, as `why` says: makes the rescued one, rebuilds a results file that nobody else can be
 * writing; -1 and the sentence of tell. */
int ss_rescue_make(ss_rescue *r, const char *results, const ss_table *t, ss_journal *j, const ss_error *why, ss_error *error);
void ss_rescue_late(ss_rescue *r, const ss_bytes *done, bool finished); /* a record that came in afterwards */
/* -1: what happened, how many finished points the results file lacks, and the command that joins them to it. */
int ss_rescue_tell(const ss_rescue *r, ss_error *error);
void ss_rescue_finish(ss_rescue *r);

#endif
