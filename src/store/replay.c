/* replay.c - from a journal to its index. What a killed writer leaves (a torn end) is tolerated; damage is not. */
#include "table.h"

#include <stdarg.h>
#include <stdio.h>

typedef struct listener { void (*say)(void *ctx, const char *line); void *ctx; } listener;

static void tell(const listener *l, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void tell(const listener *l, const char *format, ...)
{
    char line[SS_ERROR_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    l->say(l->ctx, line);
}

/* No whole entry at *at. Where none follows either, it is the torn end: *at becomes the journal's end. */
static int skip_damage(ss_journal *j, uint64_t *at, ss_replay *replay, const listener *l, ss_error *error)
{
    uint64_t next = ss_journal_find(j, *at + 1, error);
    if (next == UINT64_MAX) return -1;
    if (next == 0) {
        replay->torn_bytes = j->end - *at;
        *at = j->end;
        return 0;
    }
    if (!l->say)
        return ss_fail(error, "%s: bytes %llu to %llu are damaged (whole entries follow them); run `sharpsweep verify "
                       "--repair`", j->path, (unsigned long long)*at, (unsigned long long)(next - 1));
    tell(l, "%s: bytes %llu to %llu are damaged", j->path, (unsigned long long)*at, (unsigned long long)(next - 1));
    replay->n_faults++;
    *at = next;
    return 0;
}

int ss_table_replay(ss_table *t, ss_journal *j, ss_replay *replay, void (*say)(void *ctx, const char *line), void *ctx,
                    ss_error *error)
{
    listener l = {say, ctx};
    ss_error why;
    ss_entry entry;
    *replay = (ss_replay){.end = ss_journal_first()};
    for (uint64_t at = ss_journal_first();;) {
        int rc = ss_journal_read(j, at, &entry, error);
        if (rc <= 0) return rc;
        if (rc == 2) {
            if (skip_damage(j, &at, replay, &l, error)) return -1;
            continue;
        }
        rc = ss_table_apply(t, &entry, &why);
        if (rc < 0) return ss_fail(error, "%s", why.text);
        if (rc > 0 && !say)
            return ss_fail(error, "%s: byte %llu: %s; run `sharpsweep verify --repair`", j->path, (unsigned long long)at,
                           why.text);
        if (rc > 0) {
            tell(&l, "%s: byte %llu: %s", j->path, (unsigned long long)at, why.text);
            replay->n_faults++;
        }
        replay->n_entries++;
        at = replay->end = entry.next;
    }
}
