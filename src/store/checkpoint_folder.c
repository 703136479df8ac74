/* checkpoint_folder.c - where checkpoints lie, and which of them are still of use. A finished point's goes once its record is
 * safe; a failed one's stays, for the point may be run again with more time or memory; one whose point the grid no longer
 * has stays too, for the grid may have it again. */
#include "checkpoint.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "results.h"

int ss_checkpoint_folder(const char *results, char *out, size_t out_bytes, ss_error *error)
{
    char path[SS_PATH_BYTES];
    if (ss_store_resolve(results, path, error)) return -1;
    int n = snprintf(out, out_bytes, "%s.checkpoints", path);
    return n >= 0 && (size_t)n < out_bytes ? 0 : ss_fail(error, "%s: the name is too long to put checkpoints beside it", results);
}

int ss_checkpoint_path(const char *folder, const char *id, char *out, size_t out_bytes, ss_error *error)
{
    int n = snprintf(out, out_bytes, "%s/%s" SS_CHECKPOINT_SUFFIX, folder, id);
    return n >= 0 && (size_t)n < out_bytes ? 0 : ss_fail(error, "%s: the name is too long to put checkpoints there", folder);
}

/* ID.checkpoint, or ID.checkpoint.HOST.PID-N.tmp (.new: earlier versions). */
static bool parse_name(const char *name, unsigned char id[SS_ID_RAW], bool *temporary)
{
    const char *rest = ss_id_read(name, id);
    if (!rest || strncmp(rest, SS_CHECKPOINT_SUFFIX, strlen(SS_CHECKPOINT_SUFFIX)) != 0) return false;
    rest += strlen(SS_CHECKPOINT_SUFFIX);
    size_t n = strlen(rest);
    *temporary = n > 4 && rest[0] == '.' && (strcmp(rest + n - 4, ".tmp") == 0 || strcmp(rest + n - 4, ".new") == 0);
    return n == 0 || *temporary;
}

void ss_checkpoints_each(const char *results, ss_checkpoint_visit *visit, void *ctx)
{
    char folder[SS_PATH_BYTES], path[SS_PATH_BYTES + 256];
    unsigned char id[SS_ID_RAW];
    bool temporary;
    if (ss_checkpoint_folder(results, folder, sizeof folder, NULL)) return;
    DIR *dir = opendir(folder);
    if (!dir) return;
    for (const struct dirent *d; (d = readdir(dir)) != NULL;) {
        if (!parse_name(d->d_name, id, &temporary)) continue;
        snprintf(path, sizeof path, "%s/%s", folder, d->d_name);
        visit(ctx, path, id, temporary);
    }
    closedir(dir);
}

typedef struct tidying { const ss_table *table; bool temporaries; } tidying;

/* Is what lies there the state of this point, as we wrote it? */
static bool is_proven(const char *path, const unsigned char id[SS_ID_RAW])
{
    ss_checkpoint_head head;
    char text[SS_ID_BYTES];
    ss_id_format(id, text);
    return ss_checkpoint_peek(path, &head, NULL) == 1 && strcmp(head.id, text) == 0;
}

static void tidy(void *ctx, const char *path, const unsigned char id[SS_ID_RAW], bool temporary)
{
    const tidying *t = ctx;
    int64_t row = ss_table_find(t->table, id);
    if (row < 0) return;
    bool finished = ss_row_is_finished(&t->table->row[row]);
    if (temporary ? t->temporaries : finished && is_proven(path, id)) unlink(path);
}

void ss_checkpoints_tidy(const char *results, const ss_table *table, bool temporaries)
{
    char folder[SS_PATH_BYTES];
    tidying t = {table, temporaries};
    ss_checkpoints_each(results, tidy, &t);
    if (ss_checkpoint_folder(results, folder, sizeof folder, NULL) == 0) rmdir(folder); /* only where it is empty */
}

void ss_checkpoint_drop(const char *results, const unsigned char id[SS_ID_RAW])
{
    char folder[SS_PATH_BYTES], path[SS_PATH_BYTES], text[SS_ID_BYTES];
    ss_id_format(id, text);
    if (ss_checkpoint_folder(results, folder, sizeof folder, NULL) == 0 &&
        ss_checkpoint_path(folder, text, path, sizeof path, NULL) == 0 && is_proven(path, id))
        unlink(path);
}
