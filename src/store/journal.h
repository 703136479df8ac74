/* journal.h - the append-only file that is the truth while a sweep runs: a header, then entries, one write each. */
#ifndef SHARPSWEEP_STORE_JOURNAL_H
#define SHARPSWEEP_STORE_JOURNAL_H

#include "entries.h"

enum { SS_JOURNAL_VERSION = 1, SS_UUID_BYTES = 16, SS_NOTE_BYTES = 160, SS_JOURNAL_HEADER_BYTES = 256 };

typedef struct ss_journal {
    ss_entries e;                 /* its descriptor appends */
    ss_replacement new;           /* a journal that is not published yet: its temporary file */
    unsigned char uuid[SS_UUID_BYTES];
    char note[SS_NOTE_BYTES];     /* as the header has it; "": not noted yet */
    bool broken;                  /* an append failed and could not be undone */
} ss_journal;

/* RESULTS.h5 -> its journal's name. -1: too long. */
int ss_journal_path(const char *results, char out[SS_PATH_BYTES], ss_error *error);
/* A new journal under a temporary name, locked; it appears at `path` by publish (replace: whatever is there gives way; else it
 * fails where there is something). Closing an unpublished one removes it. uuid NULL: a new random one. */
ss_journal *ss_journal_create(const char *path, const unsigned char *uuid, ss_error *error);
int ss_journal_sync(ss_journal *j, ss_error *error); /* before it is published: what can fail then, fails now */
int ss_journal_publish(ss_journal *j, bool replace, ss_error *error);
/* For the one writer: takes the lock, or says who holds it. The header is looked at by inspect.c. */
ss_journal *ss_journal_open(const char *path, ss_error *error);
void ss_journal_close(ss_journal *j);
int ss_journal_cut(ss_journal *j, uint64_t end, ss_error *error); /* forgets everything from `end` on */
/* Writes an entry, or several framed one behind the other, in one write; sync: on the disk when this returns. -1: nothing was
 * appended; SS_JOURNAL_LOST: somebody else has written or cut the file, and the entry may be in it. */
enum { SS_JOURNAL_LOST = -2 };
int ss_journal_append(ss_journal *j, const ss_bytes *framed, bool sync, ss_error *error);
/* Is the writer's file still the one under its name, with nothing in it that is not ours? -1: somebody else has deleted,
 * replaced, cut or written it. */
int ss_journal_guard(ss_journal *j, ss_error *error);
/* in its header, that we are the writer; from then on another writer's note is noticed too */
void ss_journal_note(ss_journal *j);
/* The writer goes on in a copy of its still open file, RESULTS.kept-TIME.h5.journal; where that was cut, `recent` follows the
 * header: entries that no other file holds. */
int ss_journal_escape(ss_journal *j, const char *results, const ss_bytes *recent, ss_error *error);
/* Always -1: how it was lost, and where what this run has finished stands, with the command that joins it to the results. */
int ss_journal_tell_lost(const ss_journal *j, const char *results, const ss_error *lost, size_t n_recent, ss_error *error);

/* For readers. 1: of ours (*version, *uuid; damaged: the checksum fails, both are not to be believed), 0: no header of ours,
 * -1: errno. */
int ss_journal_header(int fd, uint32_t *version, unsigned char uuid[SS_UUID_BYTES], bool *damaged);

/* lock.c: one writer per journal, by a POSIX record lock on its first byte. It dies with its process, is not inherited by
 * forked trials and works across the nodes of a shared file system. */
int ss_lock_take(int fd, const char *path, ss_error *error); /* -1: "... is being written by process 12 on node3 since ..." */
void ss_lock_forget(int fd);                           /* before the writer's descriptor is closed */
int ss_lock_borrow(const char *path);                  /* descriptor of this process's own writer of that file, or -1 */
bool ss_lock_is_held(int fd);                          /* by any process, this one included */
void ss_lock_describe(char out[SS_NOTE_BYTES]);        /* "process 12 on node3 since ..." */
int ss_lock_note(int fd, const char note[SS_NOTE_BYTES]); /* into the header */
bool ss_lock_is_noted(int fd, const char note[SS_NOTE_BYTES]);

#endif
