/* verify.c - is everything on disk as it was written? Every entry's checksum, every record decoded, the file against its entries,
 * checkpoints. And repair: journal and file are made anew of all that either can prove. */
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "checkpoint.h"
#include "inspect.h"
#include "sharpsweep/store.h"

enum { MAX_LINES = 20 };

typedef struct verification {
    ss_inspection in;
    void (*say)(void *ctx, const char *line);
    void *ctx;
    bool repair;
    int n_faults;
    ss_journal *journal;          /* repair: the one that is there, locked */
} verification;

static void tell(verification *v, bool is_fault, const char *format, ...) __attribute__((format(printf, 3, 4)));
static void tell(verification *v, bool is_fault, const char *format, ...)
{
    char line[SS_ERROR_BYTES];
    va_list args;
    if (is_fault && v->n_faults++ >= MAX_LINES) return;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    if (v->say) v->say(v->ctx, line);
}

static void fault(void *ctx, const char *line)
{
    tell(ctx, true, "%s", line);
}

/* ---- looking ---------------------------------------------------------------------------------------------------- */

static void report_states(verification *v)
{
    const ss_part *j = &v->in.journal, *f = &v->in.file;
    if (j->state == SS_ABSENT || j->state == SS_EMPTY)
        tell(v, true, "%s (it can be made again from the results file)", j->why.text);
    else if (j->state == SS_TORN && !v->in.writer_alive)
        tell(v, true, "%s (the next run goes on without them and keeps them aside)", j->why.text);
    else if (j->state == SS_DAMAGED && !j->has_uuid) fault(v, j->why.text); /* else the entries are told one by one */
    if (f->state == SS_ABSENT || f->state == SS_EMPTY) tell(v, true, "%s (it can be made again from the journal)", f->why.text);
    else if (f->state == SS_DAMAGED) fault(v, f->why.text);
}

/* ---- checkpoints: of use only where their points are still to be run ---------------------------------------------- */

typedef struct checkpoints { verification *v; bool move; size_t n_strange; double strange_bytes; } checkpoints;

static void check_checkpoint(void *ctx, const char *path, const unsigned char id[SS_ID_RAW], bool temporary)
{
    checkpoints *all = ctx;
    ss_error why;
    ss_checkpoint *c;
    struct stat st;
    char text[SS_ID_BYTES], kept[SS_PATH_BYTES];
    if (temporary || lstat(path, &st)) return; /* unfinished ones go when the sweep is next opened */
    ss_id_format(id, text);
    int rc = ss_checkpoint_open(path, text, &c, &why);
    ss_checkpoint_close(c);
    if (rc < 0 && all->move) {
        if (ss_file_keep(path, kept, NULL) == 0) unlink(path); /* without hard links it has that name already */
    } else if (rc < 0) {
        tell(all->v, true, "%s; %s", why.text,
             all->v->repair ? "kept aside, its point begins anew" : "its point would begin anew");
    } else if (rc == 1 && ss_table_find(all->v->in.table, id) < 0) {
        all->n_strange++;
        all->strange_bytes += (double)st.st_size;
    }
}

static void check_checkpoints(verification *v, bool move)
{
    checkpoints all = {.v = v, .move = move};
    ss_checkpoints_each(v->in.path, check_checkpoint, &all);
    if (all.n_strange && !move)
        tell(v, false, "%s: %zu checkpoints (%.3g MB) are of points that %s does not know; no fault, they can be removed",
             v->in.checkpoints_path, all.n_strange, 1e-6 * all.strange_bytes, v->in.path);
}

/* ---- repairing -------------------------------------------------------------------------------------------------- */

/* A point that was started has had a result, or is to have one; where none can be proven, it runs again. */
static void list_given_up(verification *v)
{
    char id[SS_ID_BYTES];
    size_t n_saved = 0, n = 0;
    for (size_t i = 0; i < v->in.table->n_rows; i++) {
        const ss_row *row = &v->in.table->row[i];
        n_saved += row->offset != 0;
        if (row->offset || row->starts == 0) continue;
        ss_id_format(row->id, id);
        if (n++ < MAX_LINES)
            tell(v, false, "point %zu (%s): was started, and no result of it can be proven; the next run computes it", i, id);
    }
    if (n > MAX_LINES) tell(v, false, "and %zu more points", n - MAX_LINES);
    tell(v, false, "%s: %zu points, %zu results saved", v->in.path, v->in.table->n_rows, n_saved);
}

static int repair(verification *v, ss_error *error)
{
    const ss_part *j = &v->in.journal, *f = &v->in.file;
    ss_results_target target;
    if (v->in.table->n_rows == 0)
        return ss_fail(error,
                       "neither %s nor %s holds a result that can be proven, so nothing in them can be saved; move both away "
                       "and run the job again, which then begins anew, or write to another file (-o)", v->in.path,
                       v->in.journal_path);
    if (ss_results_target_check(&target, &v->in, v->in.table->n_rows, error)) return -1;
    bool stale = ss_file_is_stale(&v->in, SS_TO_REPAIR);
    ss_results_head head = {.journal_bytes = v->in.journal.entries.end};
    memcpy(head.uuid, j->uuid, sizeof head.uuid);
    if (ss_journal_is_stale(&v->in)) {
        ss_journal *new = ss_journal_create(v->in.journal_path, j->has_uuid ? j->uuid : f->has_uuid ? f->uuid : NULL, error);
        int rc = new ? ss_table_settle(v->in.table, new, true, error) : -1;
        if (rc == 0) rc = ss_results_put(&target, new, &v->in, v->journal != NULL, v->in.table, stale, v->say, v->ctx, error);
        ss_journal_close(new);
        if (rc) return rc;
        tell(v, false, "%s: made anew", v->in.journal_path);
    } else if (stale && ss_results_replace(&target, v->in.table, &head, v->say, v->ctx, error)) {
        return -1;
    }
    if (stale) tell(v, false, "%s: made anew", v->in.path);
    if (j->state != SS_WHOLE || f->state != SS_WHOLE) list_given_up(v);
    return 0;
}

static int open_all(verification *v, const char *path, ss_error *error)
{
    char real[SS_PATH_BYTES], journal_path[SS_PATH_BYTES];
    ss_error held = {{0}};
    if (ss_store_resolve(path, real, error) || ss_journal_path(real, journal_path, error)) return -1;
    bool there = access(journal_path, F_OK) == 0;
    if (v->repair && there) v->journal = ss_journal_open(journal_path, &held);
    if (ss_inspect(path, &v->in, error)) return -1;
    if (v->journal) v->in.writer_alive = false; /* it is we who hold the lock */
    ss_error refusal;
    if (ss_policy(&v->in, SS_TO_REPAIR, &refusal) == SS_USE_REFUSE) return ss_fail(error, "%s", refusal.text);
    if (v->repair && there && !v->journal) return ss_fail(error, "%s", held.text);
    report_states(v);
    if (ss_load(&v->in, SS_TO_REPAIR, fault, v, error)) return -1;
    if (v->in.from_journal.n_faults) v->in.journal.state = SS_DAMAGED; /* a record that does not decode, for one */
    if (v->in.from_file.n_faults && v->in.file.state == SS_WHOLE) v->in.file.state = SS_DAMAGED;
    return 0;
}

int ss_store_verify(const char *path, bool repair_it, void (*say)(void *ctx, const char *line), void *ctx, ss_error *error)
{
    verification *v = ss_alloc(1, sizeof *v);
    if (!v) return ss_fail(error, "%s: no memory", path);
    v->say = say;
    v->ctx = ctx;
    v->repair = repair_it;
    v->in.journal.entries.fd = v->in.file.entries.fd = -1;
    int rc = open_all(v, path, error);
    if (rc == 0) {
        if (v->in.use == SS_USE_BOTH && ss_journal_lacks(&v->in) && v->in.file.state == SS_WHOLE)
            tell(v, true, "%s: lacks %zu results that the results file holds", v->in.journal_path, v->in.from_file.n_new);
        check_checkpoints(v, false);
        if (v->n_faults > MAX_LINES) tell(v, false, "... and %d more", v->n_faults - MAX_LINES);
        if (v->n_faults && repair_it) rc = repair(v, error);
        if (v->n_faults && repair_it && rc == 0) check_checkpoints(v, true);
    }
    if (rc == 0) rc = v->n_faults;
    ss_inspection_finish(&v->in);
    ss_journal_close(v->journal);
    ss_free(v);
    return rc;
}
