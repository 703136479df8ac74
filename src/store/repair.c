/* repair.c - a damaged journal is made anew from the results file and from every whole entry of the old one, which is kept
 * as RESULTS.h5.journal.damaged; the results file is then made anew from the journal. */
#include "verify.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

typedef struct salvage {
    ss_verify *v;
    ss_table *table;              /* of the new journal */
    ss_journal *journal;
    size_t n_imported;            /* rows that came from the results file, starts included */
    uint32_t n_jobs, from[4096], to[4096]; /* numbers of JOB entries, old and new */
} salvage;

static uint32_t new_number(const salvage *s, uint32_t old)
{
    for (uint32_t i = s->n_jobs; i-- > 0;)
        if (s->from[i] == old) return s->to[i];
    return 0;
}

/* A copy of the entry with its first number, the JOB's, replaced. */
static int copy_entry(salvage *s, const ss_entry *e, uint32_t number, ss_error *error)
{
    ss_bytes payload = {0};
    ss_bytes_raw(&payload, e->payload, e->n);
    if (!payload.failed) ss_bytes_set_u32(payload.p, number);
    int rc = ss_table_append(s->table, s->journal, (ss_entry_kind)e->kind, &payload, false, error);
    ss_bytes_finish(&payload);
    return rc;
}

static int salvage_job(salvage *s, const ss_entry *e, ss_error *error)
{
    if (s->n_jobs == sizeof s->from / sizeof *s->from) return ss_fail(error, "more than %u JOB entries", s->n_jobs);
    uint32_t number = s->table->n_sessions ? s->table->session[s->table->n_sessions - 1]->number + 1 : 1;
    s->from[s->n_jobs] = ss_bytes_get_u32(e->payload);
    s->to[s->n_jobs++] = number;
    return copy_entry(s, e, number, error);
}

static int salvage_start(salvage *s, const ss_entry *e, ss_error *error)
{
    ss_start_entry start;
    ss_bytes payload = {0};
    if (ss_start_entry_decode(e->payload, e->n, &start)) return 0;
    int64_t row = ss_table_find(s->table, start.id);
    if (row < 0 || (size_t)row < s->n_imported) return 0; /* the file's `attempts` counts it already */
    ss_bytes_raw(&payload, e->payload, e->n);
    int rc = ss_table_append(s->table, s->journal, SS_ENTRY_START, &payload, false, error);
    ss_bytes_finish(&payload);
    return rc;
}

/* An entry whose sizes or status are not its record's: neither can be believed. */
static bool contradicts(const ss_done_entry *e, const ss_record *r)
{
    return r->status != e->status || r->history.n_rows != e->n_history || r->track.n_rows != e->n_track ||
           r->n_eigenvalues != e->n_eigenvalues;
}

static int salvage_done(salvage *s, const ss_entry *e, ss_error *error)
{
    ss_done_entry done;
    ss_record r;
    char id[SS_ID_BYTES];
    if (ss_done_entry_decode(e->payload, e->n, &done)) return 0;
    ss_id_format(done.id, id);
    int64_t row = ss_table_find(s->table, done.id);
    bool finished = row >= 0 && ss_row_is_finished(&s->table->row[row]);
    if (finished && done.status == SS_FAILED) return 0; /* an attempt before the one that we have */
    bool decodes = ss_record_decode(done.record, done.record_n, &r, NULL) == 0;
    if (!decodes || contradicts(&done, &r)) {
        ss_verify_tell(s->v, "%s: byte %llu: the record of point %s %s and is dropped, it will run again", s->v->journal_path,
                       (unsigned long long)e->offset, id, decodes ? "is not what its entry says" : "does not decode");
        ss_record_finish(&r);
        return 0;
    }
    uint32_t number = new_number(s, done.job);
    int rc = 0;
    if (number)
        rc = copy_entry(s, e, number, error);
    else if (row >= 0) /* its JOB entry is lost, but the results file knew the point's settings */
        rc = ss_append_done(s->table, s->journal, (size_t)row, &r, error);
    else
        ss_verify_tell(s->v, "point %s: its settings stood in a damaged JOB entry; its record is dropped, it will run again",
                       id);
    ss_record_finish(&r);
    return rc;
}

static int salvage_entries(salvage *s, ss_error *error)
{
    ss_journal *old = s->v->journal;
    ss_table *check = ss_table_create(error); /* tells which JOB entries make sense */
    ss_entry e;
    ss_error why;
    int rc = check ? 0 : -1;
    for (uint64_t at = old && rc == 0 ? ss_journal_find(old, ss_journal_first(), error) : 0; at && rc == 0;) {
        if (at == UINT64_MAX || ss_journal_read(old, at, &e, error) != 1) {
            rc = -1;
            break;
        }
        int use = e.kind == SS_ENTRY_JOB ? ss_table_apply(check, &e, &why) : 0;
        if (use < 0) rc = ss_fail(error, "%s", why.text);
        uint64_t next = e.next;
        if (use == 0 && e.kind == SS_ENTRY_JOB) rc = salvage_job(s, &e, error);
        if (rc == 0 && e.kind == SS_ENTRY_START) rc = salvage_start(s, &e, error);
        if (rc == 0 && e.kind == SS_ENTRY_DONE) rc = salvage_done(s, &e, error);
        if (rc == 0) at = ss_journal_find(old, next, error);
    }
    ss_table_destroy(check);
    return rc;
}

static int keep_aside(const ss_verify *v, ss_error *error)
{
    char aside[SS_PATH_BYTES + 16];
    if (v->journal_missing) return 0;
    snprintf(aside, sizeof aside, "%s.damaged", v->journal_path);
    if (rename(v->journal_path, aside))
        return ss_fail(error, "%s: cannot be kept as %s: %s", v->journal_path, aside, strerror(errno));
    ss_verify_tell(v, "%s: kept as %s", v->journal_path, aside);
    return 0;
}

static int rebuild_journal(ss_verify *v, ss_error *error)
{
    unsigned char uuid[SS_UUID_BYTES], none[SS_UUID_BYTES] = {0};
    bool has_uuid = v->journal && memcmp(v->journal->uuid, none, sizeof none) != 0;
    if (has_uuid) memcpy(uuid, v->journal->uuid, sizeof uuid);
    if (v->file_usable && !has_uuid) {
        ss_results_file *f = ss_results_file_open(v->path, false, error);
        if (!f) return -1;
        has_uuid = ss_uuid_parse(f->uuid, uuid) == 0;
        ss_results_file_close(f);
    }
    salvage *s = ss_alloc(1, sizeof *s);
    if (!s) return ss_fail(error, "%s: no memory", v->path);
    s->v = v;
    s->table = ss_table_create(error);
    s->journal = s->table ? ss_journal_create(v->journal_path, has_uuid ? uuid : NULL, error) : NULL;
    int rc = s->journal ? 0 : -1;
    if (rc == 0 && v->file_usable) rc = ss_import(v->path, s->table, s->journal, error);
    if (rc == 0) s->n_imported = s->table->n_rows;
    if (rc == 0) rc = salvage_entries(s, error);
    if (rc == 0 && s->table->n_rows == 0) rc = ss_fail(error, "%s: nothing can be saved", v->journal_path);
    if (rc == 0) rc = keep_aside(v, error);
    if (rc == 0) rc = ss_journal_publish(s->journal, true, error);
    if (rc == 0) {
        ss_journal_close(v->journal);
        ss_table_destroy(v->table);
        v->journal = s->journal;
        v->table = s->table;
        s->journal = NULL;
        s->table = NULL;
        ss_verify_tell(v, "%s: made anew, %zu points", v->journal_path, v->table->n_rows);
    }
    ss_journal_close(s->journal);
    ss_table_destroy(s->table);
    ss_free(s);
    return rc;
}

int ss_repair(ss_verify *v, ss_error *error)
{
    if (v->journal_damaged || v->journal_missing) {
        if (rebuild_journal(v, error)) return -1;
    } else if (v->replay.torn_bytes) {
        if (ss_journal_cut(v->journal, v->replay.end, error)) return -1;
        ss_verify_tell(v, "%s: %llu bytes cut", v->journal_path, (unsigned long long)v->replay.torn_bytes);
    }
    if (ss_results_write(v->path, v->table, v->journal, error)) return -1;
    ss_verify_tell(v, "%s: made anew", v->path);
    return 0;
}
