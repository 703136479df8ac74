/* import.h - rows of a results file as records and journal entries. */
#ifndef SHARPSWEEP_STORE_IMPORT_H
#define SHARPSWEEP_STORE_IMPORT_H

#include "results.h"

size_t ss_import_stretch(const ss_results_file *f); /* rows to read at a time */
/* Row i of the frame that was read last; ss_record_finish in any case. */
int ss_import_record(const ss_results_file *f, size_t i, ss_record *record, ss_error *error);
/* A DONE entry for row `at` under the session that governs it; not synced. */
int ss_append_done(ss_table *t, ss_journal *j, size_t at, const ss_record *record, ss_error *error);

#endif
