/* results.h - the HDF5 results file: written whole, read back as columns or journal entries. Layout: analysis/SCHEMA.md. */
#ifndef SHARPSWEEP_STORE_RESULTS_H
#define SHARPSWEEP_STORE_RESULTS_H

#include "carry.h"
#include "h5.h"
#include "journal.h"
#include "sharpsweep/store.h"

typedef enum ss_state {
    SS_ABSENT,                    /* there is nothing of that name */
    SS_EMPTY,                     /* a file of no bytes */
    SS_WHOLE,
    SS_TORN,                      /* a journal whose last bytes are no whole entry: a writer was killed, or is writing */
    SS_DAMAGED,                   /* ours, but not as it was written */
    SS_FOREIGN,                   /* not ours */
    SS_OTHER,                     /* a results file that does not belong to the journal beside it */
    SS_NEWER,                     /* of a later version */
    SS_UNREADABLE,                /* no right to read it, an error of the disk, not a regular file */
    SS_N_STATES
} ss_state;
extern const char *const ss_state_name[SS_N_STATES];

enum { SS_SCHEMA_VERSION = 1 };
#define SS_SCHEMA_NAME "sharpsweep results"

/* results_write.c: the file made anew from the index and its entries, put in place at once. */
/* Of the journal beside it. */
typedef struct ss_results_head { unsigned char uuid[SS_UUID_BYTES]; uint64_t journal_bytes; } ss_results_head;
/* carry: the file that is there has objects of others, which go over (carry.h). */
int ss_results_write(const char *path, const ss_table *t, const ss_results_head *head, bool carry,
                     int (*ready)(void *ctx, ss_error *error), void *ctx, ss_error *error); /* ready: before it takes its place */
/* results_file.c: an existing file, checked before anything of it is believed. */
typedef struct ss_results_file {
    hid_t place[SS_N_PLACES];     /* the file itself, and its groups; -1: there is none */
    size_t n;                     /* rows */
    hsize_t n_bytes;
    uint32_t n_axes; char *axes_text; const char *axis[SS_MAX_FILE_AXES];
    char *created, *uuid, *info[SS_N_INFO];
    ss_frame *frame;              /* of ss_results_file_columns */
} ss_results_file;
/* fd: an HDF5 file whose seal fits, or has none. Where it cannot be opened *state says why: DAMAGED, FOREIGN or NEWER. */
ss_results_file *ss_results_file_open(int fd, const char *path, ss_state *state, ss_error *error);
int ss_results_file_columns(ss_results_file *f, ss_error *error); /* opens them all; errors do not name the file */
void ss_results_file_close(ss_results_file *f);
/* Rows into the frame, which has been allocated. Texts live until the next call. */
int ss_results_file_read(ss_results_file *f, size_t first, size_t n, ss_error *error);

/* A cell's type, in the file or in memory; to be closed. */
hid_t ss_cell_type(ss_cell cell, bool in_file);

/* import.c: files of earlier versions, which have no entries: what their columns hold, as entries in memory (first, end). */
int ss_import(ss_results_file *f, ss_entries *out, ss_error *error);
/* -1 and where, if the file's columns are not what the records of the table, which has as many rows, say. */
int ss_import_compare(ss_results_file *f, const ss_table *t, ss_error *error);

bool ss_weights_are_ours(const char *path); /* weights.c: does it say so? */

/* place.c */
/* A folder beside the results whose name ends so and that has a file `name`: weights or checkpoints that were not moved or
 * renamed along with their results. 0, -1: none. */
int ss_place_astray(const char *results, const char *ending, const char *name, char out[SS_PATH_BYTES]);
/* can results be written at `path`, which leads to `real`? -1: a link that leads to nothing, no right to. */
int ss_place_check(const char *path, const char *real, ss_error *error);
int ss_place_fail_link(const char *path, ss_error *error); /* -1: a symbolic link that leads to nothing */
/* RESULTS.weights; returns its length, or -1: it does not fit. */
int ss_weights_folder(const char *results, char *out, size_t out_bytes);

#endif
