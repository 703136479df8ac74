/* inspect.h - the one place that looks at what lies on disk under a results file's name, and changes nothing; and the policy
 * that says for each command what is read, refused or kept aside. */
#ifndef SHARPSWEEP_STORE_INSPECT_H
#define SHARPSWEEP_STORE_INSPECT_H

#include "results.h"

typedef struct ss_part {          /* the journal or the results file */
    ss_state state;
    ss_error why;                 /* of all states but WHOLE: one sentence that begins with the path */
    bool has_uuid;
    unsigned char uuid[SS_UUID_BYTES];
    ss_entries entries;           /* of one that can be read; of a DAMAGED one all its bytes, to look for entries */
    size_t n_rows;                /* of a results file */
    bool earlier, sealed;         /* a results file: its version had no entries, these are made from its columns; its seal fits */
} ss_part;

typedef enum ss_use { SS_USE_REFUSE, SS_USE_NOTHING /* begin anew */, SS_USE_JOURNAL, SS_USE_FILE, SS_USE_BOTH } ss_use;

typedef struct ss_inspection {
    char path[SS_PATH_BYTES], journal_path[SS_PATH_BYTES]; /* links followed */
    ss_part journal, file;
    ss_state weights, checkpoints; /* their folders: ABSENT, WHOLE, FOREIGN (no folder), UNREADABLE (none can be written there) */
    char weights_path[SS_PATH_BYTES], checkpoints_path[SS_PATH_BYTES];
    bool writer_alive;            /* somebody holds the journal's lock */
    ss_use use;                   /* what was loaded */
    ss_table *table;              /* of it; NULL before */
    ss_join from_journal, from_file; /* what each gave: n_new of the file are rows that the journal lacks */
    bool file_is_current;         /* it lacks nothing that the table has */
} ss_inspection;

/* Always fills *in, to be finished; -1: the path itself is of no use (too long, a loop of links), or memory is gone. */
int ss_inspect(const char *path, ss_inspection *in, ss_error *error);
void ss_inspection_finish(ss_inspection *in);

/* policy.c */
typedef enum ss_command { SS_TO_RUN, SS_TO_READ, SS_TO_MERGE, SS_TO_REPAIR, SS_N_COMMANDS } ss_command;
/* What the command uses of these two; REFUSE comes with the sentence. */
ss_use ss_policy(const ss_inspection *in, ss_command command, ss_error *error);
bool ss_journal_lacks(const ss_inspection *in); /* the file holds what the journal does not */
/* What a command that writes makes anew of all that was loaded. */
bool ss_journal_is_stale(const ss_inspection *in);
bool ss_file_is_stale(const ss_inspection *in, ss_command command);
/* Makes in->table of what the policy lets the command use, with a warning where a part that is there is left out; -1: refused.
 * With SS_USE_NOTHING the table is empty. say: repair's lines about what cannot be used. */
int ss_load(ss_inspection *in, ss_command command, void (*say)(void *ctx, const char *line), void *ctx, ss_error *error);
/* The line about what was kept aside; say NULL: into the log. */
void ss_tell_kept(const char *path, const char *kept, void (*say)(void *ctx, const char *line), void *ctx);

/* target.c: the results file as the place of what is written. */
typedef struct ss_stamp { uint64_t dev, ino, bytes, mtime_ns; } ss_stamp; /* zeroed: no file */
typedef struct ss_results_target {
    char path[SS_PATH_BYTES];
    ss_state state;               /* of what is there; all but ABSENT, EMPTY and WHOLE is kept aside */
    ss_stamp stamp;               /* as it was last seen */
    bool carries;                 /* it has objects of others, which go over into the new one */
} ss_results_target;
/* Of an inspection that is loaded; -1: objects of others that a file of n_rows rows cannot have, by name. */
int ss_results_target_check(ss_results_target *t, const ss_inspection *in, size_t n_rows, ss_error *error);
/* Makes the file anew. Where somebody has touched it since it was last seen, it is looked at again first. */
int ss_results_replace(ss_results_target *t, const ss_table *table, const ss_results_head *head,
                       void (*say)(void *ctx, const char *line), void *ctx, ss_error *error);
/* The same with a new journal, complete and not published, in which all of it stands. held: the old one's lock is ours, and the
 * file comes first, so that a full disk is noticed before the old journal goes; else the journal first, so that of two
 * processes that both begin a sweep one loses before it has written anything. What was torn or damaged is kept. -1: nothing has
 * changed. */
enum { SS_RESULTS_WITHOUT_JOURNAL = -2 }; /* the file is in place and holds everything, but the journal could not follow */
int ss_results_put(ss_results_target *t, ss_journal *new, const ss_inspection *in, bool held, const ss_table *table,
                   bool file_too,
                   void (*say)(void *ctx, const char *line), void *ctx, ss_error *error);

#endif
