/* table.h - the index over entries: a row per point, small, so that a million points fit rank 0. Histories stay in the
 * entries, where `source` and `offset` find them. The row number is the row of the results file. */
#ifndef SHARPSWEEP_STORE_TABLE_H
#define SHARPSWEEP_STORE_TABLE_H

#include "entries.h"
#include "entry.h"
#include "journal.h"

enum { SS_MAX_SOURCES = 8 };

typedef struct ss_session {       /* one JOB entry: a run of the program */
    uint32_t number, n_axes, n_settings;
    const char *info[SS_N_INFO];
    const char **axis, **setting, **text;  /* (n_axes), (n_settings), (n_settings) */
    uint32_t *value;              /* (n_values, n_axes) word numbers of the axis values of the rows it governs */
    size_t n_values, capacity, n_listed; /* n_listed: points that no earlier entry named */
    size_t n_governed;            /* rows */
    uint64_t offset;              /* of the entry in its source */
    uint32_t n_bytes, key;        /* of its payload; CRC-32 of what follows the number */
    uint8_t source;
} ss_session;

typedef struct ss_row {
    unsigned char id[SS_ID_RAW];
    uint64_t offset;              /* of the DONE entry that holds its record; 0: none */
    uint32_t n_bytes, key;        /* of that entry's payload; CRC-32 of what follows the JOB's number */
    uint32_t session, value;      /* settings: those of this session plus this row of its values */
    uint32_t starts, joined, settled; /* times it was started; the same in the source that is being joined; in source 0 */
    uint32_t started_in;          /* 1 + session of a start that no DONE followed; 0: none */
    uint32_t started_at;          /* seconds since 1970 of the latest start; 0: not known */
    int32_t worker;               /* of the latest start */
    uint32_t n_history, n_track, n_eigenvalues;
    uint8_t status, source;
} ss_row;

typedef struct ss_table {
    ss_words words;
    size_t n_rows, row_capacity, n_slots;
    ss_row *row;
    uint32_t *slot;               /* (n_slots) 1 + row, 0 free */
    uint32_t n_sessions;
    ss_session **session;         /* oldest first */
    uint32_t n_axes;              /* of the file: those of the newest session, then those only older ones had */
    const char *axis[SS_MAX_FILE_AXES];
    uint8_t n_sources;
    ss_entries *source[SS_MAX_SOURCES]; /* not owned */
} ss_table;

ss_table *ss_table_create(ss_error *error);
void ss_table_destroy(ss_table *t);

/* How a source is joined to what the table holds, and what was found. Of a point that both have finished, what is there stays; a
 * finished record replaces a failed one. Sessions that both have are one. */
typedef struct ss_join {
    bool goes_on;                 /* over faults; else the first is the error */
    void (*say)(void *ctx, const char *line); /* of every fault that it goes over; or NULL */
    /* Another source has finished this row already, with other bytes: 0 it stays, 1 the entry replaces it, -1 error. NULL:
     * stays. */
    int (*both)(void *ctx, size_t row, const struct ss_done_entry *theirs, ss_error *error);
    void *ctx;
    bool deep;                    /* every record is decoded; one that does not decode is a fault */
    uint64_t end, torn_bytes;     /* out: behind the last whole entry; what follows it */
    int n_faults;                 /* other than a torn end */
    size_t n_records, n_new;      /* DONE entries; records that the table took from it */
    size_t n_same;                /* records that the table has from another source, byte for byte */
    uint32_t n_same_sessions, n_new_sessions;
} ss_join;
/* The source must outlive the table's use of it. */
int ss_table_join(ss_table *t, ss_entries *source, ss_join *join, ss_error *error);
/* An entry that was just appended to source 0. 0, 1: makes no sense (error says why; nothing changed), -1: memory. */
int ss_table_apply(ss_table *t, const ss_entry *entry, ss_error *error);
/* The row of this identity, made where there is none, governed by the session with these values from now on; NULL: memory. */
ss_row *ss_table_govern(ss_table *t, const unsigned char *id, uint32_t session, const uint32_t *word, ss_error *error);
void ss_session_destroy(ss_session *s);
int64_t ss_table_find(const ss_table *t, const unsigned char id[SS_ID_RAW]); /* -1: unknown */
/* Of a key that is no axis; the default of an optional one that the session does not know; NULL: unknown. */
const char *ss_session_setting(const ss_session *s, const char *name);
int ss_session_axis(const ss_session *s, const char *name);                  /* its place among the axes; -1 */
/* A row's value of any setting as text; NULL where its session does not know the key. */
const char *ss_table_value(const ss_table *t, const ss_row *row, const char *name);
bool ss_table_uses(const ss_table *t, const ss_key *key); /* has any session had other than the key's default? */
bool ss_row_is_running(const ss_table *t, const ss_row *row); /* if a writer is alive */
bool ss_row_is_finished(const ss_row *row);

/* A row's record. */
int ss_table_record(const ss_table *t, const ss_row *row, ss_record *record, ss_error *error);

/* emit.c: all that the table holds as entries, framed, each JOB twice, in an order that gives the same rows: what a new journal
 * and the dataset journal/entries of a results file are made of. */
/* A JOB and its copy, or a row's START and DONE; i: number of the session, behind them of the row. */
typedef int ss_emit_put(void *ctx, size_t i, const ss_bytes *framed, ss_error *error);
int ss_table_emit(const ss_table *t, ss_emit_put *put, void *ctx, ss_error *error);
uint64_t ss_table_emit_bytes(const ss_table *t);
/* Appends to the journal what other sources than it (source 0) hold, or, where it is new, everything; then the table needs no
 * other source. Not synced. */
int ss_table_settle(ss_table *t, ss_journal *j, bool is_new, ss_error *error);
bool ss_session_is_needed(const ss_table *t, uint32_t session); /* else its entry says nothing that others do not */

#endif
