/* entries.h - a stretch of a file that holds entries: the journal, the dataset journal/entries of a results file, or any bytes in
 * which entries are looked for. What the entries say is entry.h's business. Format: analysis/SCHEMA.md, section 2. */
#ifndef SHARPSWEEP_STORE_ENTRIES_H
#define SHARPSWEEP_STORE_ENTRIES_H

#include "sharpsweep/base.h"

typedef enum ss_entry_kind { SS_ENTRY_JOB = 1, SS_ENTRY_START, SS_ENTRY_DONE } ss_entry_kind;
enum { SS_ENTRY_HEAD_BYTES = 16 };

typedef struct ss_entry {
    uint32_t kind, n;             /* n: bytes of payload */
    uint64_t offset, next;        /* of the entry itself; of what follows it */
    const unsigned char *payload; /* until the next call on these entries */
} ss_entry;

typedef struct ss_entries {       /* zeroed, fd -1: none */
    char path[SS_PATH_BYTES];     /* of the file, for sentences */
    int fd;
    bool borrowed;                /* the descriptor is somebody else's to close */
    uint64_t first, end;          /* offsets in the file */
    unsigned char *window;        /* bytes of the file from window_at */
    size_t window_n, window_capacity;
    uint64_t window_at, wasted;   /* wasted: bytes looked at for entries that were none */
} ss_entries;

int ss_entries_scratch(ss_entries *e, const char *path, ss_error *error); /* an empty file in memory; path: for sentences */
void ss_entries_close(ss_entries *e);
/* The entry at `offset`: 1; 0 at the end; 2: no whole entry there; -1 error (reading, memory). */
int ss_entries_read(ss_entries *e, uint64_t offset, ss_entry *entry, ss_error *error);
/* Offset of the first whole entry at or after `from`: 1; 0: none; -1 error. */
int ss_entries_find(ss_entries *e, uint64_t from, uint64_t *at, ss_error *error);
int ss_entries_append(ss_entries *e, const ss_bytes *framed, ss_error *error); /* at the end, which moves */
/* Puts an entry's bytes, head and payload, behind what `out` holds; no memory, or a payload that failed, is `failed`. */
void ss_entry_frame(ss_bytes *out, ss_entry_kind kind, const ss_bytes *payload);

#endif
