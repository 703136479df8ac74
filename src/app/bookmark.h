/* bookmark.h - when a running point is saved, and what that costs. Private to src/app. */
#ifndef SHARPSWEEP_BOOKMARK_H
#define SHARPSWEEP_BOOKMARK_H

#include "sharpsweep/store.h"

#define SS_CHECKPOINT_SHARE 0.02  /* of the time: what saving may take */

typedef struct ss_bookmark {
    char path[4096];              /* of the checkpoint; "": none is kept */
    char id[SS_ID_BYTES];
    double interval_s;            /* at least so long between two saves */
    double began_s, saved_s;      /* clock: when this attempt began; when it was last saved (or began) */
    double spent_s;               /* on saving */
    double fixed_s, bytes_per_s;  /* what a save takes, as measured; cautious guesses at first */
    int64_t n_saved;
    bool *told;                   /* that saving fails: said once */
    bool own_told;
} ss_bookmark;

/* folder NULL or interval_s 0: nothing is ever saved. `told` may be shared by several processes; NULL: this point's own. */
int ss_bookmark_open(ss_bookmark *b, const char *folder, const char *id, double interval_s, bool *told, ss_error *error);
/* Is it time to save so many bytes: has the interval passed, and would all saving stay within its share of the time? */
bool ss_bookmark_is_due(const ss_bookmark *b, size_t bytes, double now_s);
/* Counts what a save of so many bytes took. */
void ss_bookmark_charge(ss_bookmark *b, size_t bytes, double took_s, double now_s);
/* Saves, whether due or not. That it fails is told, and ends nothing: what was saved before still stands. */
void ss_bookmark_save(ss_bookmark *b, const ss_checkpoint_head *head, const ss_pieces *state);

#endif
