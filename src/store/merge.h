/* merge.h - joining results files: what merge.c, merge_check.c and merge_weights.c share. */
#ifndef SHARPSWEEP_STORE_MERGE_H
#define SHARPSWEEP_STORE_MERGE_H

#include "inspect.h"
#include "resume.h"

typedef struct ss_merge {
    ss_inspection target;         /* the file to be made, as it was before */
    ss_table *table;
    ss_journal *journal;          /* not published until all is in */
    const char **origin;          /* names of the inputs; 0: the file itself */
    uint16_t *from; size_t n_from; /* (n_rows) which of them a row's record is from */
    size_t n_agreed;
} ss_merge;

/* -1 and the differences, where the input is of another job, other data or other numerics than what is merged so far. */
int ss_merge_check(const ss_merge *m, const ss_inspection *in, ss_error *error);
/* The weights files that lie beside an input, beside the merged file too. */
int ss_merge_weights(const char *target, const char *in, ss_error *error);

#endif
