/* table.h - the index over a journal: a row per point, small, so that a million points fit rank 0. Histories stay in the
 * journal, where `offset` finds them. Made by replaying entries in order; the row number is the row of the results file. */
#ifndef SHARPSWEEP_STORE_TABLE_H
#define SHARPSWEEP_STORE_TABLE_H

#include "entry.h"
#include "journal.h"

typedef struct ss_session {       /* one JOB entry: a run of the program */
    uint32_t number, n_axes, n_settings;
    const char *info[SS_N_INFO];
    const char **axis, **setting, **text;  /* (n_axes), (n_settings), (n_settings) */
    uint32_t *value;              /* (n_values, n_axes) word numbers of the axis values of the rows it governs */
    size_t n_values, capacity;
} ss_session;

typedef struct ss_row {
    unsigned char id[SS_ID_RAW];
    uint64_t offset;              /* of the DONE entry that holds its record; 0: none */
    uint32_t session, value;      /* settings: those of this session plus this row of its values */
    uint32_t starts;              /* times it was started */
    uint32_t started_in;          /* 1 + session of a start that no DONE followed; 0: none */
    uint32_t started_at;          /* seconds since 1970 of the latest start; 0: not known */
    int32_t worker;               /* of the latest start */
    uint32_t n_history, n_track, n_eigenvalues;
    uint8_t status;
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
} ss_table;

ss_table *ss_table_create(ss_error *error);
void ss_table_destroy(ss_table *t);
/* 0; 1: the entry makes no sense here (error says why; nothing changed); -1: memory. */
int ss_table_apply(ss_table *t, const ss_entry *entry, ss_error *error);
int64_t ss_table_find(const ss_table *t, const unsigned char id[SS_ID_RAW]); /* -1: unknown */
/* Of a key that is no axis; the default of an optional one that the session does not know; NULL: unknown. */
const char *ss_session_setting(const ss_session *s, const char *name);
int ss_session_axis(const ss_session *s, const char *name);                  /* its place among the axes; -1 */
/* A row's value of any setting as text; NULL where its session does not know the key. */
const char *ss_table_value(const ss_table *t, const ss_row *row, const char *name);
bool ss_table_uses(const ss_table *t, const ss_key *key); /* has any session had other than the key's default? */
bool ss_row_is_running(const ss_table *t, const ss_row *row); /* if a writer is alive */
bool ss_row_is_finished(const ss_row *row);

/* Appends an entry to the journal and applies it. */
int ss_table_append(ss_table *t, ss_journal *j, ss_entry_kind kind, const ss_bytes *payload, bool sync, ss_error *error);
/* A row's record from the journal. */
int ss_table_record(const ss_table *t, ss_journal *j, const ss_row *row, ss_record *record, ss_error *error);

typedef struct ss_replay {
    uint64_t n_entries, end;      /* end: offset behind the last whole entry */
    uint64_t torn_bytes;          /* what follows it */
    int n_faults;                 /* other than a torn end */
} ss_replay;
/* Applies a whole journal. With `say`, every fault is a line and reading goes on; without, the first is the error. */
int ss_table_replay(ss_table *t, ss_journal *j, ss_replay *replay, void (*say)(void *ctx, const char *line), void *ctx,
                    ss_error *error);

#endif
