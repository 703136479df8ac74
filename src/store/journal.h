/* journal.h - the append-only file that is the truth: entries with a length and a checksum, one write each. What the
 * entries say is entry.h's business. Format: analysis/SCHEMA.md. */
#ifndef SHARPSWEEP_STORE_JOURNAL_H
#define SHARPSWEEP_STORE_JOURNAL_H

#include "sharpsweep/base.h"
#include "bytes.h"

typedef enum ss_entry_kind { SS_ENTRY_JOB = 1, SS_ENTRY_START, SS_ENTRY_DONE } ss_entry_kind;
enum { SS_JOURNAL_VERSION = 1, SS_UUID_BYTES = 16, SS_NOTE_BYTES = 160 };

typedef struct ss_entry {
    uint32_t kind, n;             /* n: bytes of payload */
    uint64_t offset, next;        /* of the entry itself; of what follows it */
    const unsigned char *payload; /* until the next call on this journal */
} ss_entry;

typedef struct ss_journal {
    char path[SS_PATH_BYTES];
    int fd;
    bool writable, borrowed;      /* borrowed: a reader in the writer's own process, see lock.c */
    bool broken;                  /* an append failed and could not be undone */
    unsigned char uuid[SS_UUID_BYTES];
    uint64_t end;                 /* where the next entry goes; for readers the size when opened */
    unsigned char *window;        /* bytes of the file from window_at */
    size_t window_n, window_capacity;
    uint64_t window_at;
} ss_journal;

/* RESULTS.h5 -> its journal's name. -1: too long. */
int ss_journal_path(const char *results, char out[SS_PATH_BYTES], ss_error *error);
/* A new journal under a temporary name beside `path`, locked; it appears at `path` by publish, which fails if there is one
 * already. Closing an unpublished one removes it. uuid NULL: a new random one. */
ss_journal *ss_journal_create(const char *path, const unsigned char *uuid, ss_error *error);
int ss_journal_publish(ss_journal *j, bool replace, ss_error *error);
/* All entries of j in a journal of that uuid, published at `path` and locked. */
ss_journal *ss_journal_copy(const ss_journal *j, const unsigned char *uuid, const char *path, ss_error *error);
/* For a writer, takes the lock or says who holds it. For a reader, never disturbs a writer. Not ours, a newer version, a
 * damaged header: error. */
ss_journal *ss_journal_open(const char *path, bool writable, ss_error *error);
/* Is there a journal? An empty file is none: after a power failure a name may outlive its bytes. */
bool ss_journal_exists(const char *path);
/* Such an empty file, locked and begun anew in its place (so that of two writers one loses). uuid as for create. */
ss_journal *ss_journal_revive(const char *path, const unsigned char *uuid, ss_error *error);
ss_journal *ss_journal_scratch(ss_error *error); /* in memory, under no name: what a results file holds, to look at */
/* For repair: reads entries whatever the header says. */
ss_journal *ss_journal_salvage(const char *path, ss_error *error);
typedef enum ss_journal_state { SS_JOURNAL_OURS, SS_JOURNAL_MISSING, SS_JOURNAL_BAD_HEADER,
                                SS_JOURNAL_HANDS_OFF /* newer or unreadable */ } ss_journal_state;
ss_journal_state ss_journal_peek(const char *path, ss_error *error); /* error says why it is not OURS */
void ss_journal_close(ss_journal *j);
/* The entry at `offset`: 1; 0 at the end of the file; 2: no whole entry there; -1 error (reading, memory). */
int ss_journal_read(ss_journal *j, uint64_t offset, ss_entry *entry, ss_error *error);
/* Offset of the first whole entry at or after `from`; 0: none; UINT64_MAX: error. */
uint64_t ss_journal_find(ss_journal *j, uint64_t from, ss_error *error);
uint64_t ss_journal_first(void);  /* offset of the first entry */
/* Forgets everything from `end` on: the next entry goes there. */
int ss_journal_cut(ss_journal *j, uint64_t end, ss_error *error);
/* What a run that is refused after it began to write has to put back: the end of the whole entries and the torn bytes behind
 * it. The mark is freed by forget; restore cannot fail in a way that loses a whole entry. */
typedef struct ss_journal_mark { uint64_t whole; size_t n; unsigned char *torn; } ss_journal_mark;
int ss_journal_remember(ss_journal *j, uint64_t whole, ss_journal_mark *mark, ss_error *error);
void ss_journal_restore(ss_journal *j, const ss_journal_mark *mark);
void ss_journal_forget(ss_journal_mark *mark);
/* Writes one entry, in one write; sync: it is on the disk when this returns. On failure nothing was appended. */
int ss_journal_append(ss_journal *j, ss_entry_kind kind, const ss_bytes *payload, bool sync, ss_error *error);

/* 1: by a writer; 0, and measured again: the last one may have written until just before it ended; -1: error. */
int ss_journal_is_held(ss_journal *j, ss_error *error);

/* place.c */
bool ss_place_is_dangling(const char *path);           /* a symbolic link that leads to nothing */
int ss_place_fail_link(const char *path, ss_error *error); /* -1 and the sentence of it */

/* lock.c: one writer per journal, by a POSIX record lock on its first byte. It dies with its process, is not inherited by
 * forked trials and works across the nodes of a shared file system. */
int ss_lock_take(ss_journal *j, ss_error *error);      /* -1: "... is being written by process 12 on node3 since ..." */
void ss_lock_note(ss_journal *j);                      /* writes who we are into the header, for that sentence */
void ss_lock_forget(const ss_journal *j);              /* before the writer's descriptor is closed */
int ss_lock_borrow(int dirfd, const char *path);       /* descriptor of this process's own writer of that file, or -1 */
bool ss_lock_is_held(const ss_journal *j);             /* by any process, this one included */
/* Is the writer's file still the one under its name? One that was deleted is put back with all it held; -1: it was replaced or
 * cut by somebody else, so nothing may be written any more. */
int ss_lock_guard(ss_journal *j, ss_error *error);
bool ss_lock_is_cut(const ss_journal *j);

#endif
