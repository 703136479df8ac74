/* verify.h - what verify.c found and repair.c mends. */
#ifndef SHARPSWEEP_STORE_VERIFY_H
#define SHARPSWEEP_STORE_VERIFY_H

#include "import.h"

typedef struct ss_verify {
    char path[SS_PATH_BYTES], journal_path[SS_PATH_BYTES];
    void (*say)(void *ctx, const char *line);
    void *ctx;
    int n_faults;
    bool journal_damaged;         /* more than a torn end: it has to be made anew */
    bool journal_missing, file_usable, writer_alive;
    ss_journal *journal;          /* what can be read of it; NULL */
    ss_table *table;
    ss_replay replay;
} ss_verify;

void ss_verify_tell(const ss_verify *v, const char *format, ...) __attribute__((format(printf, 2, 3)));
int ss_repair(ss_verify *v, ss_error *error);
/* Where neither the file nor its journal holds anything that can be saved: -1 and what to do; else 0. */
int ss_verify_hopeless(const char *path, const char *journal_path, ss_error *error);

#endif
