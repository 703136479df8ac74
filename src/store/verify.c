/* verify.c - is everything on disk as it was written? Every entry's checksum, every record decoded, every row of the HDF5
 * file held against the journal. */
#include "checkpoint.h"
#include "verify.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sharpsweep/store.h"

enum { MAX_LINES = 20 };

void ss_verify_tell(const ss_verify *v, const char *format, ...)
{
    char line[SS_ERROR_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    if (v->say) v->say(v->ctx, line);
}

static void fault_line(void *ctx, const char *line)
{
    ss_verify *v = ctx;
    if (v->n_faults++ < MAX_LINES) ss_verify_tell(v, "%s", line);
}

static void fault(ss_verify *v, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void fault(ss_verify *v, const char *format, ...)
{
    char line[SS_ERROR_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    fault_line(v, line);
}

/* ---- the journal ------------------------------------------------------------------------------------------------ */

static void check_records(ss_verify *v)
{
    ss_error why;
    ss_record r;
    for (size_t i = 0; i < v->table->n_rows; i++) {
        const ss_row *row = &v->table->row[i];
        bool bad = ss_table_record(v->table, v->journal, row, &r, &why) != 0;
        if (bad) fault(v, "row %zu: %s", i, why.text);
        if (!bad && row->offset && (r.status != row->status || r.history.n_rows != row->n_history ||
                                    r.track.n_rows != row->n_track || r.n_eigenvalues != row->n_eigenvalues)) {
            fault(v, "row %zu: the entry at byte %llu contradicts its own record", i, (unsigned long long)row->offset);
            bad = true;
        }
        if (bad) v->journal_damaged = true;
        ss_record_finish(&r);
    }
}

/* A file without a journal that cannot be opened has nothing that could mend it, and may be no affair of ours. */
static int check_alone(const ss_verify *v, ss_error *error)
{
    ss_error why;
    ss_results_file *f = ss_results_file_open(v->path, false, &why);
    if (!f) return ss_fail(error, "%s; there is no journal beside it", why.text);
    ss_results_file_close(f);
    return 0;
}

int ss_verify_hopeless(const char *path, const char *journal_path, ss_error *error)
{
    ss_error why = {{0}};
    bool has_file = access(path, F_OK) == 0;
    ss_results_file *f = has_file ? ss_results_file_open(path, false, &why) : NULL;
    ss_journal *j = f ? NULL : ss_journal_salvage(journal_path, &why);
    uint64_t first = j ? ss_journal_find(j, ss_journal_first(), NULL) : 0;
    bool readable = f != NULL || (first != 0 && first != UINT64_MAX);
    ss_results_file_close(f);
    ss_journal_close(j);
    if (readable) return 0;
    if (has_file)
        return ss_fail(error, "neither %s nor %s can be read, so nothing in them can be saved; move both away and run the job "
                       "again, which then begins anew, or write to another file (-o)", path, journal_path);
    return ss_fail(error, "%s: is not a journal of sharpsweep, or nothing of it can be read, and there is no %s; move the "
                   "journal away and run the job again, which then begins anew, or write to another file (-o)", journal_path,
                   path);
}

static int open_journal(ss_verify *v, bool repair, ss_error *error)
{
    ss_error why;
    switch (ss_journal_peek(v->journal_path, &why)) {
    case SS_JOURNAL_HANDS_OFF: return ss_fail(error, "%s", why.text);
    case SS_JOURNAL_MISSING:
        v->journal_missing = true;
        if (access(v->path, F_OK) != 0)
            return ss_fail(error, "%s: there is neither a results file nor a journal that holds anything", v->path);
        if (access(v->journal_path, F_OK) == 0 && ss_verify_hopeless(v->path, v->journal_path, error)) return -1;
        if (check_alone(v, error)) return -1;
        fault(v, "%s (it can be made again from the results file)", why.text);
        return 0;
    case SS_JOURNAL_BAD_HEADER:
        v->journal_damaged = true;
        fault(v, "%s", why.text);
        v->journal = ss_journal_salvage(v->journal_path, error);
        break;
    case SS_JOURNAL_OURS:
        v->journal = ss_journal_open(v->journal_path, repair, error);
        break;
    }
    if (!v->journal) return -1;
    v->writer_alive = !repair && ss_lock_is_held(v->journal);
    if (ss_table_replay(v->table, v->journal, &v->replay, fault_line, v, error)) return -1;
    if (v->replay.n_faults) v->journal_damaged = true;
    if (v->replay.torn_bytes && !v->writer_alive) /* a live writer may be in the middle of its entry */
        fault(v, "%s: the last %llu bytes are no whole entry (a writer was killed); the next run cuts them", v->journal_path,
              (unsigned long long)v->replay.torn_bytes);
    check_records(v);
    return 0;
}

/* ---- the HDF5 file against it ----------------------------------------------------------------------------------- */

/* What a file of this journal does not show, because no job has asked for it (frame.c), as `true` per record field and column
 * of the track; the caller frees it. */
static bool *find_unshown(const ss_table *t, ss_error *error)
{
    size_t n;
    const ss_field *field = ss_record_fields(&n);
    ss_frame *wanted = ss_frame_of_table(t, error);
    bool *unshown = wanted ? ss_alloc(n + wanted->track.n_columns, sizeof *unshown) : NULL;
    if (wanted && !unshown) ss_fail(error, "no memory for %zu columns", n);
    for (size_t i = 0; unshown && i < n; i++) unshown[i] = field[i].key && !ss_frame_find(wanted, field[i].name);
    for (size_t c = 0; unshown && c < wanted->track.n_columns; c++) unshown[n + c] = wanted->track.absent[c];
    ss_frame_destroy(wanted);
    return unshown;
}

static void leave_out(const bool *unshown, ss_record *r)
{
    size_t n;
    const ss_field *field = ss_record_fields(&n);
    ss_record unknown;
    ss_record_init(&unknown);
    for (size_t i = 0; i < n; i++)
        if (unshown[i]) memcpy((char *)r + field[i].offset, (const char *)&unknown + field[i].offset,
                               field[i].bytes ? field[i].bytes : sizeof(double));
    for (size_t k = 0; k < r->track.n_rows * r->track.n_columns; k++)
        if (unshown[n + k % r->track.n_columns]) r->track.value[k] = NAN;
    ss_record_finish(&unknown);
}

/* The file may be older than the journal; where both hold the same attempt's record, they must agree. */
static int compare_row(ss_verify *v, const ss_results_file *f, size_t i, const bool *unshown, ss_error *error)
{
    ss_record in_file, in_journal;
    size_t at = f->frame->first + i;
    unsigned char id[SS_ID_RAW];
    const char *text = ((const char *const *)ss_frame_find(f->frame, "id")->data)[i];
    ss_record_init(&in_journal);
    int rc = ss_import_record(f, i, &in_file, error);
    int64_t row = rc == 0 && ss_id_pack(text, id) == 0 ? ss_table_find(v->table, id) : -1;
    if (rc == 0 && row != (int64_t)at) {
        fault(v, "%s: row %zu (%.32s) is %s", v->path, at, text,
              row < 0 ? "unknown to the journal" : "another row in the journal");
        v->journal_damaged |= row < 0;
    } else if (rc == 0 && in_file.status != SS_PENDING) {
        const ss_row *r = &v->table->row[row];
        if (r->offset == 0) {
            fault(v, "%s: row %zu has a record that the journal lacks", v->path, at);
            v->journal_damaged = true;
        } else if (ss_table_record(v->table, v->journal, r, &in_journal, NULL) == 0 &&
                   strcmp(in_file.finished, in_journal.finished) == 0) {
            leave_out(unshown, &in_journal);
            if (!ss_record_same(&in_file, &in_journal))
                fault(v, "%s: row %zu differs from its record in the journal", v->path, at);
        }
    }
    ss_record_finish(&in_file);
    ss_record_finish(&in_journal);
    return rc;
}

static void check_file(ss_verify *v)
{
    ss_error why;
    char uuid[2 * SS_UUID_BYTES + 1];
    if (access(v->path, F_OK) != 0) {
        fault(v, "%s: is missing (it can be made again from the journal)", v->path);
        return;
    }
    ss_results_file *f = ss_results_file_open(v->path, true, &why);
    int rc = f ? ss_frame_allocate(f->frame, ss_import_stretch(f), true, &why) : -1;
    if (rc == 0 && v->journal && !v->journal_damaged) {
        ss_uuid_format(v->journal->uuid, uuid);
        if (strcmp(uuid, f->uuid) != 0) rc = ss_fail(&why, "%s: does not belong to the journal beside it", v->path);
    }
    bool *unshown = rc == 0 ? find_unshown(v->table, &why) : NULL;
    if (!unshown) rc = -1;
    for (size_t first = 0; rc == 0 && first < f->n; first += f->frame->capacity) {
        size_t n = f->n - first < f->frame->capacity ? f->n - first : f->frame->capacity;
        rc = ss_results_file_read(f, first, n, &why);
        for (size_t i = 0; rc == 0 && v->journal && i < n; i++) rc = compare_row(v, f, i, unshown, &why);
    }
    ss_free(unshown);
    if (rc) fault(v, "%s", why.text);
    v->file_usable = rc == 0;
    ss_results_file_close(f);
}

/* ---- checkpoints: of use only where their points are still to be run ---------------------------------------------- */

typedef struct checkpoints { ss_verify *v; bool repair; size_t n_strange; double strange_bytes; } checkpoints;

static void check_checkpoint(void *ctx, const char *path, const unsigned char id[SS_ID_RAW], bool temporary)
{
    checkpoints *all = ctx;
    ss_error why;
    ss_checkpoint *c;
    struct stat st;
    char text[SS_ID_BYTES];
    if (temporary || lstat(path, &st)) return; /* unfinished ones go when the sweep is next opened */
    ss_id_format(id, text);
    int rc = ss_checkpoint_open(path, text, &c, &why);
    ss_checkpoint_close(c);
    if (rc < 0) {
        bool gone = all->repair && unlink(path) == 0;
        fault(all->v, "%s; %s", why.text, gone ? "removed, its point begins anew" : "its point would begin anew");
    } else if (rc == 1 && ss_table_find(all->v->table, id) < 0) {
        all->n_strange++;
        all->strange_bytes += (double)st.st_size;
    }
}

static void check_checkpoints(ss_verify *v, bool repair)
{
    checkpoints all = {.v = v, .repair = repair};
    ss_checkpoints_each(v->path, check_checkpoint, &all);
    if (all.n_strange)
        ss_verify_tell(v, "%s.checkpoints: %zu checkpoints (%.3g MB) are of points that %s does not know; no fault, they can be "
                       "removed", v->path, all.n_strange, 1e-6 * all.strange_bytes, v->path);
}

int ss_store_verify(const char *path, bool repair, void (*say)(void *ctx, const char *line), void *ctx, ss_error *error)
{
    ss_verify *v = ss_alloc(1, sizeof *v);
    if (!v) return ss_fail(error, "%s: no memory", path);
    v->say = say;
    v->ctx = ctx;
    v->table = ss_table_create(error);
    int rc = v->table ? 0 : -1;
    if (rc == 0) rc = ss_results_resolve(path, v->path, error);
    if (rc == 0) rc = ss_journal_path(v->path, v->journal_path, error);
    if (rc == 0) rc = open_journal(v, repair, error);
    if (rc == 0) {
        check_file(v);
        if (v->n_faults > MAX_LINES) ss_verify_tell(v, "... and %d more", v->n_faults - MAX_LINES);
        if (!v->file_usable && (!v->journal || v->table->n_rows == 0))
            rc = ss_verify_hopeless(v->path, v->journal_path, error) ? -1
                 : ss_fail(error, "%s: neither the file nor its journal can be read; move %s and %s away and run the job again",
                           path, v->path, v->journal_path);
        else if (repair && v->n_faults)
            rc = ss_repair(v, error);
        if (rc == 0) check_checkpoints(v, repair);
    }
    if (rc == 0) rc = v->n_faults;
    ss_table_destroy(v->table);
    ss_journal_close(v->journal);
    ss_free(v);
    return rc;
}
