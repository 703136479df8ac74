/* merge.h - joining results files: what merge.c, merge_check.c and merge_weights.c share. */
#ifndef SHARPSWEEP_STORE_MERGE_H
#define SHARPSWEEP_STORE_MERGE_H

#include "import.h"
#include "resume.h"

typedef struct ss_merge {
    char path[SS_PATH_BYTES], scratch[SS_PATH_BYTES]; /* the file to be made; a name for journals made only to be read */
    bool exists;                  /* it is there already: its points are the first input */
    ss_table *table;
    ss_journal *journal;          /* not published until all is in */
    const char **origin;          /* names of the inputs; 0: the file itself */
    uint16_t *from; size_t n_from; /* (n_rows) which of them a row's record is from */
    size_t n_agreed;
} ss_merge;

typedef struct ss_merge_input {
    char path[SS_PATH_BYTES];
    bool is_target;
    ss_table *table;
    ss_journal *journal;
    ss_replay replay;
    size_t n_lacking;             /* rows that its journal has lost, but the file holds */
} ss_merge_input;

/* -1 and the differences, where the input is of another job, other data or other numerics than what is merged so far. */
int ss_merge_check(const ss_merge *m, const ss_merge_input *in, ss_error *error);
/* The weights files that lie beside an input, beside the merged file too. */
int ss_merge_weights(const ss_merge *m, const char *in, ss_error *error);

#endif
