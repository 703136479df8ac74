/* checkpoint.h - private to src/store: the folder RESULTS.h5.checkpoints as the store and `verify` see it. */
#ifndef SHARPSWEEP_STORE_CHECKPOINT_H
#define SHARPSWEEP_STORE_CHECKPOINT_H

#include "sharpsweep/store.h"
#include "table.h"

#define SS_CHECKPOINT_SUFFIX ".checkpoint"

/* Every file in the folder that is named as we name them: `id` of its point, `temporary` where it was not finished. */
typedef void ss_checkpoint_visit(void *ctx, const char *path, const unsigned char id[SS_ID_RAW], bool temporary);
void ss_checkpoints_each(const char *results, ss_checkpoint_visit *visit, void *ctx);
/* For the sweep's one writer: removes what finished points left and, with `temporaries`, killed writers; then the folder if
 * it is empty. */
void ss_checkpoints_tidy(const char *results, const ss_table *table, bool temporaries);
void ss_checkpoint_drop(const char *results, const unsigned char id[SS_ID_RAW]); /* of a point that has just finished */

#endif
