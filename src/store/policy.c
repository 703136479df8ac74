/* policy.c - what each command does with a journal and a results file in each pair of states. This table is the only place
 * where that is decided; analysis/check_policy.py walks every cell. */
#include <stdio.h>
#include <string.h>

#include "inspect.h"

/* Four letters: run; read (show, status, report); an input of merge; verify --repair.
 *   -  begin anew      j  the journal      f  the file      b  both, joined      !  refuse
 * Of a file that is DAMAGED its entries are read, each proven by its checksum, wherever they lie. What is not read as it stands
 * is warned of; what is replaced although it is DAMAGED or TORN is kept as NAME.kept-TIME. A journal that is TORN is read like a
 * whole one. */
static const char rule[SS_N_STATES][SS_N_STATES][SS_N_COMMANDS + 1] = {
    /* file:            absent  empty   whole   torn    damaged foreign other   newer   unreadable */
    [SS_ABSENT]     = {"-!!!", "-!!!", "ffff", "", "!!!f", "!!!!", "!!!!", "!!!!", "!!!!"},
    [SS_EMPTY]      = {"-!!!", "-!!!", "ffff", "", "!!!f", "!!!!", "!!!!", "!!!!", "!!!!"},
    [SS_WHOLE]      = {"jjjj", "jjjj", "bbbb", "", "bbbb", "!!!!", "!!!!", "!!!!", "!!!!"},
    [SS_TORN]       = {"jjjj", "jjjj", "bbbb", "", "bbbb", "!!!!", "!!!!", "!!!!", "!!!!"},
    [SS_DAMAGED]    = {"!!!j", "!!!j", "!f!b", "", "!!!b", "!!!!", "!!!!", "!!!!", "!!!!"},
    [SS_FOREIGN]    = {"!!!!", "!!!!", "!f!!", "", "!!!!", "!!!!", "!!!!", "!!!!", "!!!!"},
    [SS_OTHER]      = {"", "", "", "", "", "", "", "", ""}, /* it is the file that is of another sweep */
    [SS_NEWER]      = {"!!!!", "!!!!", "!!!!", "", "!!!!", "!!!!", "!!!!", "!!!!", "!!!!"},
    [SS_UNREADABLE] = {"!!!!", "!!!!", "!f!!", "", "!!!!", "!!!!", "!!!!", "!!!!", "!!!!"},
};

/* The way out of a state, behind the sentence that says what it is. */
static const char *const way_out[SS_N_STATES] = {
    [SS_ABSENT] = "", [SS_EMPTY] = "remove it", [SS_WHOLE] = "", [SS_TORN] = "",
    [SS_DAMAGED] = "`sharpsweep verify --repair` saves what can be proven",
    [SS_FOREIGN] = "move it away and run the job again, or write to another file (-o)",
    [SS_OTHER] = "move one of them away, or write to another file (-o)",
    [SS_NEWER] = "", [SS_UNREADABLE] = "make it readable, or move it away and run the job again, or write to another file (-o)",
};

/* Which of the two is in the way? The one in the worse state; the file where both are alike. */
static const ss_part *blame(const ss_inspection *in)
{
    return in->journal.state > in->file.state ? &in->journal : &in->file;
}

static int refuse(const ss_inspection *in, ss_error *error)
{
    const ss_part *part = blame(in);
    const char *way = way_out[part->state];
    if (in->journal.state == SS_ABSENT && in->file.state == SS_ABSENT)
        return ss_fail(error, "%s: there is neither a results file nor its journal", in->path);
    bool foreign = in->journal.state == SS_FOREIGN || in->file.state == SS_FOREIGN;
    if (foreign && in->journal.state >= SS_FOREIGN && in->file.state >= SS_FOREIGN && part->state != SS_NEWER)
        return ss_fail(error,
                       "%s; %s; move both away and run the job again, which then begins anew, or write to another file (-o)",
                       in->file.why.text, in->journal.why.text);
    return ss_fail(error, "%s%s%s", part->why.text, way[0] ? "; " : "", way);
}

ss_use ss_policy(const ss_inspection *in, ss_command command, ss_error *error)
{
    switch (rule[in->journal.state][in->file.state][command]) {
    case '-': return SS_USE_NOTHING;
    case 'j': return SS_USE_JOURNAL;
    case 'f': return SS_USE_FILE;
    case 'b': return SS_USE_BOTH;
    default: refuse(in, error); return SS_USE_REFUSE;
    }
}

/* ---- loading ---------------------------------------------------------------------------------------------------- */

static void warn_of(const ss_part *part, const char *instead)
{
    if (part->state != SS_ABSENT && part->state != SS_WHOLE)
        ss_log(SS_LOG_WARNING, "%s; %s%s", part->why.text, instead,
               part->state == SS_DAMAGED ? "; `sharpsweep verify` says more" : "");
}

/* The file lacks nothing, so that it need not be made anew. */
static bool is_current(const ss_inspection *in)
{
    const ss_join *f = &in->from_file;
    size_t n_records = 0;
    for (size_t i = 0; i < in->table->n_rows; i++) n_records += in->table->row[i].offset != 0;
    if (in->file.state != SS_WHOLE || in->file.n_rows != in->table->n_rows || f->n_records < n_records) return false;
    return in->file.earlier || f->n_same + f->n_new >= n_records;
}

bool ss_journal_lacks(const ss_inspection *in)
{
    return in->use == SS_USE_FILE || (in->use == SS_USE_BOTH && (in->from_file.n_new || in->from_file.n_new_sessions));
}

bool ss_journal_is_stale(const ss_inspection *in)
{
    return in->journal.state != SS_WHOLE || ss_journal_lacks(in);
}

bool ss_file_is_stale(const ss_inspection *in, ss_command command)
{
    return in->file.state != SS_WHOLE || !in->file_is_current || (command == SS_TO_REPAIR && in->file.earlier);
}

int ss_load(ss_inspection *in, ss_command command, void (*say)(void *ctx, const char *line), void *ctx, ss_error *error)
{
    ss_use use = ss_policy(in, command, error);
    bool repair = command == SS_TO_REPAIR;
    if (use == SS_USE_REFUSE) return -1;
    in->use = use;
    if (repair || use == SS_USE_FILE || !in->table) { /* the inspection's is of the journal, and not checked record by record */
        ss_table_destroy(in->table);
        if (!(in->table = ss_table_create(error))) return -1;
        in->from_journal = (ss_join){.goes_on = true, .say = say, .ctx = ctx, .deep = repair};
        if ((use == SS_USE_JOURNAL || use == SS_USE_BOTH) &&
            ss_table_join(in->table, &in->journal.entries, &in->from_journal, error))
            return -1;
    }
    if (use == SS_USE_FILE || use == SS_USE_BOTH) {
        bool raw = in->file.state == SS_DAMAGED; /* most of its bytes are HDF5's, which is no news */
        in->from_file = (ss_join){.goes_on = true, .say = raw ? NULL : say, .ctx = ctx, .deep = repair || raw};
        if (ss_table_join(in->table, &in->file.entries, &in->from_file, error)) return -1;
    }
    in->file_is_current = use == SS_USE_FILE || use == SS_USE_BOTH ? is_current(in) : false;
    if (repair) return 0;
    if (use == SS_USE_FILE && in->file.earlier && !in->file.sealed)
        ss_log(SS_LOG_WARNING, "%s: has neither entries nor a seal: its columns are believed as they stand", in->path);
    if (use == SS_USE_FILE) warn_of(&in->journal, "what the results file holds is read in its place");
    if (use != SS_USE_FILE) warn_of(&in->file, "the journal is read in its place");
    return 0;
}

void ss_tell_kept(const char *path, const char *kept, void (*say)(void *ctx, const char *line), void *ctx)
{
    char line[2 * SS_PATH_BYTES + 64];
    snprintf(line, sizeof line, "%s: is made anew, and the old one, which may hold what cannot be proven, is kept as %s", path,
             kept);
    if (say) say(ctx, line);
    else ss_log(SS_LOG_WARNING, "%s", line);
}
