/* target.c - the results file under its name: nothing is put in its place that does not hold all of it. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "inspect.h"

static ss_stamp stamp_of(const char *path)
{
    struct stat st;
    if (stat(path, &st)) return (ss_stamp){0};
    return (ss_stamp){(uint64_t)st.st_dev, (uint64_t)st.st_ino, (uint64_t)st.st_size,
                      (uint64_t)st.st_mtim.tv_sec * 1000000000u + (uint64_t)st.st_mtim.tv_nsec};
}

static void look_for_others(void *ctx)
{
    const ss_inspection *in = *(const ss_inspection **)ctx;
    ss_carry_check(in->path, in->table, in->table->n_rows, false, NULL, NULL);
}

int ss_results_target_check(ss_results_target *t, const ss_inspection *in, size_t n_rows, ss_error *error)
{
    *t = (ss_results_target){.state = in->file.state};
    strcpy(t->path, in->path);
    t->stamp = stamp_of(in->path);
    if (in->file.state != SS_WHOLE) return 0;
    size_t n_others;
    int rc = ss_h5_survives(in->path, t->stamp.bytes, look_for_others, &in, error);
    if (rc == -1) t->state = SS_DAMAGED;
    if (rc) return rc == -1 ? 0 : -1;
    bool touched = !in->file.sealed && !in->file.earlier;
    if (ss_carry_check(in->path, in->table, n_rows, touched, &n_others, error)) return ss_fail_in(error, "%s", in->path);
    t->carries = n_others > 0;
    return 0;
}

/* Somebody has touched the file since we last saw it: it is looked at anew, with the journal beside it. */
static int look_again(ss_results_target *t, const ss_table *table, const ss_results_head *head, ss_error *error)
{
    ss_results_target seen;
    ss_inspection in;
    struct stat st;
    ss_error why = {{0}};
    int rc = ss_inspect(t->path, &in, error);
    if (rc == 0 && in.file.state == SS_UNREADABLE) rc = ss_fail(error, "%s", in.file.why.text);
    bool good = rc == 0 && in.file.state == SS_WHOLE && lstat(t->path, &st) == 0 && S_ISREG(st.st_mode) && /* no link */
                memcmp(in.file.uuid, head->uuid, SS_UUID_BYTES) == 0 && ss_load(&in, SS_TO_READ, NULL, NULL, &why) == 0 &&
                in.from_file.n_new == 0 && ss_results_target_check(&seen, &in, table->n_rows, &why) == 0;
    if (good) *t = seen;
    if (rc == 0 && !good) t->state = in.file.state == SS_ABSENT || in.file.state == SS_EMPTY ? SS_ABSENT : SS_DAMAGED;
    ss_inspection_finish(&in);
    return rc;
}

typedef struct placing { ss_results_target *t; ss_stamp seen; char kept[SS_PATH_BYTES]; } placing;

/* The last moment before the new file takes its place: what is there is as we have looked at it, or is kept. */
static int keep_before(void *ctx, ss_error *error)
{
    placing *p = ctx;
    ss_stamp now = stamp_of(p->t->path);
    bool changed = now.ino != 0 && memcmp(&now, &p->seen, sizeof now) != 0;
    return changed || p->t->state == SS_DAMAGED ? ss_file_keep(p->t->path, p->kept, error) : 0;
}

int ss_results_replace(ss_results_target *t, const ss_table *table, const ss_results_head *head,
                       void (*say)(void *ctx, const char *line), void *ctx, ss_error *error)
{
    placing p = {.t = t, .seen = stamp_of(t->path)};
    if (p.seen.ino == 0) t->state = SS_ABSENT;
    if (p.seen.ino != 0 && memcmp(&p.seen, &t->stamp, sizeof p.seen) != 0 && look_again(t, table, head, error)) return -1;
    if (ss_results_write(t->path, table, head, t->carries && t->state == SS_WHOLE, keep_before, &p, error)) {
        if (p.kept[0]) ss_file_unkeep(t->path, p.kept);
        return -1;
    }
    if (p.kept[0]) ss_tell_kept(t->path, p.kept, say, ctx);
    t->state = SS_WHOLE;
    t->stamp = stamp_of(t->path);
    return 0;
}

int ss_results_put(ss_results_target *t, ss_journal *new, const ss_inspection *in, bool held, const ss_table *table,
                   bool file_too,
                   void (*say)(void *ctx, const char *line), void *ctx, ss_error *error)
{
    char kept[SS_PATH_BYTES] = "";
    ss_results_head head = {.journal_bytes = new->e.end};
    memcpy(head.uuid, new->uuid, sizeof head.uuid);
    if (!held) {
        if (ss_journal_publish(new, false, error)) return -1;
        if (!file_too || ss_results_replace(t, table, &head, say, ctx, error) == 0) return 0;
        unlink(in->journal_path); /* we have just made it */
        return -1;
    }
    bool keeps = in->journal.state == SS_TORN || in->journal.state == SS_DAMAGED;
    int rc = keeps ? ss_file_keep(in->journal_path, kept, error) : 0;
    if (rc == 0) rc = ss_journal_sync(new, error);
    if (rc == 0 && file_too) rc = ss_results_replace(t, table, &head, say, ctx, error);
    if (rc == 0 && ss_journal_publish(new, true, error)) rc = file_too ? SS_RESULTS_WITHOUT_JOURNAL : -1;
    if (rc == 0 && keeps) ss_tell_kept(in->journal_path, kept, say, ctx);
    else if (kept[0]) ss_file_unkeep(in->journal_path, kept);
    return rc;
}
