/* bookmark.c - saving at intervals, stretched to what saving costs. */
#include "bookmark.h"

#include <stdio.h>
#include <string.h>

/* Before anything was measured: a slow disk. Wrong guesses are made good by waiting longer after the first save. */
#define GUESS_FIXED_S 0.005
#define GUESS_BYTES_PER_S 1e8
enum { SMALL_BYTES = 1 << 20 };   /* up to here a save's time says what any save takes, beyond it what its bytes do */

int ss_bookmark_open(ss_bookmark *b, const char *folder, const char *id, double interval_s, bool *told, ss_error *error)
{
    double now_s = ss_clock_s();
    *b = (ss_bookmark){.interval_s = interval_s, .began_s = now_s, .saved_s = now_s, .fixed_s = GUESS_FIXED_S,
                       .bytes_per_s = GUESS_BYTES_PER_S, .told = told};
    snprintf(b->id, sizeof b->id, "%s", id);
    if (!folder || !(interval_s > 0)) return 0;
    if (ss_checkpoint_path(folder, id, b->path, sizeof b->path, error) == 0) return 0;
    b->path[0] = '\0';
    return -1;
}

bool ss_bookmark_is_due(const ss_bookmark *b, size_t bytes, double now_s)
{
    if (!b->path[0] || now_s - b->saved_s < b->interval_s) return false;
    double cost_s = b->fixed_s + (double)bytes / b->bytes_per_s;
    return b->spent_s + cost_s <= SS_CHECKPOINT_SHARE * (now_s - b->began_s);
}

void ss_bookmark_charge(ss_bookmark *b, size_t bytes, double took_s, double now_s)
{
    b->spent_s += took_s;
    b->saved_s = now_s;
    if (bytes <= SMALL_BYTES || took_s <= b->fixed_s) b->fixed_s = took_s;
    else b->bytes_per_s = (double)bytes / (took_s - b->fixed_s);
}

static void tell(ss_bookmark *b, const ss_error *why)
{
    bool *told = b->told ? b->told : &b->own_told;
    if (*told) return;
    *told = true;
    ss_log(SS_LOG_WARNING, "a checkpoint cannot be saved: %s; the sweep goes on, but of a point that is interrupted now what "
           "came after its last checkpoint is lost; this is said once", why->text);
}

void ss_bookmark_save(ss_bookmark *b, const ss_checkpoint_head *head, const ss_pieces *state)
{
    ss_error why = {{0}};
    double start_s = ss_clock_s();
    if (!b->path[0]) return;
    if (ss_checkpoint_write(b->path, head, state, &why)) tell(b, &why);
    else b->n_saved++;
    double end_s = ss_clock_s();
    ss_bookmark_charge(b, ss_pieces_bytes(state), end_s - start_s, end_s);
}
