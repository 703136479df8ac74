/* entry.h - what the journal's three kinds of entry say, and their bytes (format: analysis/SCHEMA.md).
 *
 *   JOB    a run began: the job, its settings and axes, where and by what program; the grid points new to the file
 *   START  a point was handed to a worker
 *   DONE   a point's record */
#ifndef SHARPSWEEP_STORE_ENTRY_H
#define SHARPSWEEP_STORE_ENTRY_H

#include "sharpsweep/sweep.h"

enum { SS_ID_RAW = 16, SS_MAX_FILE_AXES = 64, SS_MAX_SETTINGS = 256 };

/* A JOB entry's texts; names and meanings are the results file's root attributes. */
typedef enum ss_info { SS_INFO_JOB_TEXT, SS_INFO_JOB_NAME, SS_INFO_TIME, SS_INFO_HOST, SS_INFO_VERSION, SS_INFO_COMMIT,
                       SS_INFO_MPI, SS_INFO_BLAS, SS_INFO_HDF5, SS_INFO_CPU, SS_INFO_DATA_PATH, SS_INFO_DATA_DIGEST,
                       SS_INFO_KERNELS, SS_N_INFO } ss_info;
extern const char *const ss_info_name[SS_N_INFO];

typedef struct ss_points {        /* the grid points of a JOB entry; zeroed = none */
    ss_words words;               /* axis values, once each */
    ss_bytes rows;                /* id, then one word number per axis */
    uint64_t n;
} ss_points;
int ss_points_add(ss_points *points, const unsigned char id[SS_ID_RAW], uint32_t n_axes, const char *const *value);
void ss_points_finish(ss_points *points);

typedef struct ss_job_entry {
    uint32_t number;              /* 1, 2, ... within the journal */
    const char *info[SS_N_INFO];
    uint32_t n_axes, n_settings;
    const char *axis[SS_MAX_FILE_AXES];
    const char *setting[SS_MAX_SETTINGS], *text[SS_MAX_SETTINGS]; /* of every key that is no axis */
} ss_job_entry;
void ss_job_entry_encode(const ss_job_entry *e, const ss_points *points, ss_bytes *out);

typedef struct ss_start_entry {
    unsigned char id[SS_ID_RAW];
    int32_t worker;
    uint32_t count;
    uint64_t time;                /* seconds since 1970; 0: not known */
} ss_start_entry;
void ss_start_entry_encode(const ss_start_entry *e, ss_bytes *out);
int ss_start_entry_decode(const unsigned char *p, size_t n, ss_start_entry *e);

typedef struct ss_done_entry {
    uint32_t job;                 /* number of the JOB entry whose settings hold */
    unsigned char id[SS_ID_RAW];
    uint8_t status;
    uint32_t n_history, n_track, n_eigenvalues;
    uint32_t n_axes;
    const char *axis[SS_MAX_FILE_AXES]; size_t axis_n[SS_MAX_FILE_AXES];  /* "name=value" */
    const unsigned char *record; size_t record_n;
} ss_done_entry;
/* axis and value (n_axes), the record's own sizes and status: the entry's other members are not read. */
int ss_done_entry_encode(uint32_t job, const unsigned char id[SS_ID_RAW], uint32_t n_axes, const char *const *axis,
                         const char *const *value, const ss_record *record, ss_bytes *out, ss_error *error);
int ss_done_entry_decode(const unsigned char *p, size_t n, ss_done_entry *e); /* points into p */
/* -1 and what, where the entry's own sizes and status are not its record's: neither can be believed. */
int ss_record_contradicts(const ss_done_entry *e, const ss_record *r, ss_error *error);

const char *ss_id_read(const char *text, unsigned char id[SS_ID_RAW]); /* what follows 32 hex digits; NULL: they are none */
int ss_id_pack(const char *text, unsigned char id[SS_ID_RAW]); /* -1: not 32 hex digits */
void ss_id_format(const unsigned char id[SS_ID_RAW], char text[SS_ID_BYTES]);

#endif
