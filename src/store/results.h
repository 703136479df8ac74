/* results.h - the HDF5 results file: written whole, read back as columns or journal entries. Layout: analysis/SCHEMA.md. */
#ifndef SHARPSWEEP_STORE_RESULTS_H
#define SHARPSWEEP_STORE_RESULTS_H

#include "frame.h"
#include "h5.h"

enum { SS_SCHEMA_VERSION = 1 };
#define SS_SCHEMA_NAME "sharpsweep results"

/* results_write.c: the file made anew from the journal, put in place at once. */
int ss_results_write(const char *path, const ss_table *t, ss_journal *j, ss_error *error);
/* Names within their group: in `history` a track's columns are told apart from the epochs' by "track_". */
void ss_series_name(const ss_frame *f, const ss_matrices *m, size_t column, char out[64]);

/* results_file.c: an existing file, checked before anything of it is believed. */
typedef struct ss_results_file {
    hid_t file, group, density;   /* the groups history and spectrum, -1 where there is none */
    size_t n;                     /* rows */
    uint32_t n_axes; char *axes_text; const char *axis[SS_MAX_FILE_AXES];
    char *created, *updated, *uuid, *info[SS_N_INFO];
    ss_frame *frame;
    hid_t *variable;              /* (frame->n_variables) -1: not in this file */
    hid_t history[SS_MAX_SERIES_FIELDS], track[SS_MAX_SERIES_FIELDS], spectrum[SS_MAX_SERIES_FIELDS], eigenvalue;
} ss_results_file;
ss_results_file *ss_results_file_open(const char *path, bool with_series, ss_error *error);
void ss_results_file_close(ss_results_file *f);
/* Rows into the frame, which has been allocated. Texts live until the next call. */
int ss_results_file_read(ss_results_file *f, size_t first, size_t n, ss_error *error);
int ss_results_file_read_index(ss_results_file *f, size_t first, size_t n, ss_error *error); /* id, status, attempts */

/* import.c */
int ss_uuid_parse(const char *text, unsigned char uuid[SS_UUID_BYTES]); /* -1: none */
void ss_uuid_format(const unsigned char uuid[SS_UUID_BYTES], char out[2 * SS_UUID_BYTES + 1]);
/* How many rows of an open results file the journal lacks: points that it does not know, records that it does not have.
 * Identities and status alone are read. */
int ss_import_lacking(ss_results_file *f, const ss_table *t, size_t *n, ss_error *error);
/* Appends these rows to the journal and its index: JOB entries, points in row order, records with their histories. */
int ss_import(const char *path, ss_table *t, ss_journal *j, ss_error *error);

/* store.c: a symbolic link to a results file is followed, so that journal and file lie side by side. */
int ss_results_resolve(const char *path, char out[SS_PATH_BYTES], ss_error *error);
/* RESULTS.weights; returns its length, or -1: it does not fit. */
int ss_weights_folder(const char *results, char *out, size_t out_bytes);

#endif
