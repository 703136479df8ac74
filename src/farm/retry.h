/* retry.h - which failed points are run again, and where; pure logic, private to src/farm. */
#ifndef SHARPSWEEP_FARM_RETRY_H
#define SHARPSWEEP_FARM_RETRY_H

#include "sharpsweep/farm.h"

typedef struct ss_retry ss_retry;
ss_retry *ss_retry_create(size_t n_points, const int64_t budget[SS_N_STOP], ss_error *error);
void ss_retry_destroy(ss_retry *r);
/* An attempt on `rank` ended for this reason. True: within the budget, the point waits here now. */
bool ss_retry_again(ss_retry *r, size_t point, int64_t reason, int rank);
int64_t ss_retry_count(const ss_retry *r, size_t point, int64_t reason); /* attempts that ended so */
/* A point that waits and did not fail on `rank` last; with `anywhere` also one that did. -1: none. It waits no more. */
int64_t ss_retry_next(ss_retry *r, int rank, bool anywhere);
void ss_retry_done(ss_retry *r, size_t point); /* finished: waits no more */
bool ss_retry_is_done(const ss_retry *r, size_t point);
size_t ss_retry_waiting(const ss_retry *r);

#endif
