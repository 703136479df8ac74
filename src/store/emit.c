/* emit.c - from the index back to entries: what made it, without what later entries have outlived. JOB entries stand twice, for
 * a single damaged bit in the only copy would take the settings of all its points. */
#include "table.h"

#include <string.h>

bool ss_session_is_needed(const ss_table *t, uint32_t session)
{
    const ss_session *s = t->session[session];
    return s->n_listed || s->n_governed || session == t->n_sessions - 1;
}

enum { START_BYTES = SS_ENTRY_HEAD_BYTES + SS_ID_RAW + 4 + 4 + 8 };

uint64_t ss_table_emit_bytes(const ss_table *t)
{
    uint64_t n = 0;
    for (uint32_t i = 0; i < t->n_sessions; i++)
        if (ss_session_is_needed(t, i)) n += 2 * ((uint64_t)SS_ENTRY_HEAD_BYTES + t->session[i]->n_bytes);
    for (size_t i = 0; i < t->n_rows; i++) {
        if (t->row[i].starts) n += START_BYTES;
        if (t->row[i].offset) n += (uint64_t)SS_ENTRY_HEAD_BYTES + t->row[i].n_bytes;
    }
    return n;
}

/* The entry at `offset` under the number that its JOB has here; `key` must be its. */
static int renumber(const ss_table *t, uint8_t source, uint64_t offset, uint32_t key, uint32_t number, ss_bytes *payload,
                    ss_entry_kind kind, ss_error *error)
{
    ss_entry e;
    int rc = ss_entries_read(t->source[source], offset, &e, error);
    if (rc < 0) return -1;
    if (rc != 1 || e.kind != kind || e.n < 4 || ss_crc32(0, e.payload + 4, e.n - 4) != key)
        return ss_fail(error, "%s: the entry at byte %llu has changed since it was read", t->source[source]->path,
                       (unsigned long long)offset);
    payload->n = 0;
    ss_bytes_u32(payload, number);
    ss_bytes_raw(payload, e.payload + 4, e.n - 4);
    return 0;
}

static int put_session(const ss_table *t, const ss_session *s, ss_bytes *payload, ss_bytes *framed, ss_error *error)
{
    if (renumber(t, s->source, s->offset, s->key, s->number, payload, SS_ENTRY_JOB, error)) return -1;
    ss_entry_frame(framed, SS_ENTRY_JOB, payload);
    ss_entry_frame(framed, SS_ENTRY_JOB, payload);
    return 0;
}

static void put_starts(const ss_row *row, uint32_t count, ss_bytes *payload, ss_bytes *framed)
{
    ss_start_entry start = {.worker = row->worker, .count = count, .time = row->started_at};
    if (count == 0) return;
    memcpy(start.id, row->id, SS_ID_RAW);
    payload->n = 0;
    ss_start_entry_encode(&start, payload);
    ss_entry_frame(framed, SS_ENTRY_START, payload);
}

static int put_record(const ss_table *t, const ss_row *row, ss_bytes *payload, ss_bytes *framed, ss_error *error)
{
    if (row->offset == 0) return 0;
    uint32_t number = t->session[row->session]->number;
    if (renumber(t, row->source, row->offset, row->key, number, payload, SS_ENTRY_DONE, error)) return -1;
    ss_entry_frame(framed, SS_ENTRY_DONE, payload);
    return 0;
}

/* all: else what sources other than 0 hold. */
static int emit(const ss_table *t, bool all, ss_emit_put *put, void *ctx, ss_error *error)
{
    ss_bytes payload = {0}, framed = {0};
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < t->n_sessions + t->n_rows; i++) {
        framed.n = 0;
        const ss_row *row = i < t->n_sessions ? NULL : &t->row[i - t->n_sessions];
        if (row) put_starts(row, all ? row->starts : row->starts - row->settled, &payload, &framed);
        if (row && (all || row->source != 0)) rc = put_record(t, row, &payload, &framed, error);
        if (!row && (all || t->session[i]->source != 0) && ss_session_is_needed(t, (uint32_t)i))
            rc = put_session(t, t->session[i], &payload, &framed, error);
        if (framed.failed) rc = ss_fail(error, "no memory for an entry");
        if (rc == 0 && framed.n) rc = put(ctx, i, &framed, error);
    }
    ss_bytes_finish(&payload);
    ss_bytes_finish(&framed);
    return rc;
}

int ss_table_emit(const ss_table *t, ss_emit_put *put, void *ctx, ss_error *error)
{
    return emit(t, true, put, ctx, error);
}

typedef struct settling { ss_table *t; ss_journal *j; bool is_new; } settling;

static int settle(void *ctx, size_t i, const ss_bytes *framed, ss_error *error)
{
    const settling *s = ctx;
    uint64_t at = s->j->e.end;
    ss_row *row = i < s->t->n_sessions ? NULL : &s->t->row[i - s->t->n_sessions];
    if (!row) s->t->session[i]->offset = at;
    else if (row->offset && (s->is_new || row->source != 0)) row->offset = at + framed->n - SS_ENTRY_HEAD_BYTES - row->n_bytes;
    return ss_entries_append(&s->j->e, framed, error);
}

int ss_table_settle(ss_table *t, ss_journal *j, bool is_new, ss_error *error)
{
    settling s = {t, j, is_new};
    int rc = emit(t, is_new, settle, &s, error);
    for (uint32_t i = 0; i < t->n_sessions; i++) t->session[i]->source = 0;
    for (size_t i = 0; i < t->n_rows; i++) {
        t->row[i].source = 0;
        t->row[i].settled = t->row[i].starts;
    }
    t->source[0] = &j->e;
    t->n_sources = 1;
    return rc;
}
