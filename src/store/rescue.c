/* rescue.c - a run whose journal was replaced, cut or cannot be put back writes nothing there any more, but what it finished is
 * still in hand: the file that has lost its name, or, where that was cut, the records in memory that the results file lacks.
 * They go into a journal under a name of its own, which `sharpsweep merge` joins to the results. */
#include "rescue.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "results.h"

enum { MAX_NAMES = 100 };

void ss_rescue_begin(ss_rescue *r, const ss_bytes *job)
{
    r->recent = ss_journal_scratch(NULL);
    if (r->recent && ss_journal_append(r->recent, SS_ENTRY_JOB, job, false, NULL)) {
        ss_journal_close(r->recent);
        r->recent = NULL;
    }
    r->job_end = r->recent ? r->recent->end : 0;
}

void ss_rescue_keep(ss_rescue *r, const ss_bytes *done, bool finished)
{
    if (r->recent) ss_journal_append(r->recent, SS_ENTRY_DONE, done, false, NULL);
    r->n_recent += finished;
}

void ss_rescue_rebuilt(ss_rescue *r)
{
    if (r->recent) ss_journal_cut(r->recent, r->job_end, NULL);
    r->n_recent = 0;
}

/* ---- making ------------------------------------------------------------------------------------------------------------ */

static int stem_length(const char *results)
{
    size_t n = strlen(results);
    return (int)(n > 3 && strcmp(results + n - 3, ".h5") == 0 ? n - 3 : n);
}

/* Another host's process may have had our number. */
static int choose_name(ss_rescue *r, char journal_path[SS_PATH_BYTES], ss_error *error)
{
    const char *results = r->results;
    char path[SS_PATH_BYTES], again[8] = "";
    for (int k = 2; k < MAX_NAMES; k++) {
        int n = snprintf(path, sizeof path, "%.*s.rescued-%ld%s.h5", stem_length(results), results, (long)getpid(), again);
        if (n >= SS_PATH_BYTES) return ss_fail(error, "%.80s...: path of more than %d bytes", results, SS_PATH_BYTES - 1);
        if (ss_journal_path(path, journal_path, error)) return -1;
        if (access(journal_path, F_OK) && access(path, F_OK)) return 0;
        snprintf(again, sizeof again, "-%d", k);
    }
    return ss_fail(error, "%s: there are rescued journals of every name beside it", results);
}

int ss_rescue_make(ss_rescue *r, const char *results, const ss_table *t, ss_journal *j, const ss_error *why, ss_error *error)
{
    char path[SS_PATH_BYTES];
    struct stat st;
    r->why = *why;
    snprintf(r->results, sizeof r->results, "%s", results);
    if (choose_name(r, path, &r->failure) == 0) {
        r->journal = ss_lock_is_cut(j) ? NULL : ss_journal_copy(j, j->uuid, path, &r->failure);
        if (!r->journal && r->recent) r->journal = ss_journal_copy(r->recent, j->uuid, path, &r->failure);
        if (!r->journal && !r->failure.text[0]) ss_fail(&r->failure, "its bytes are gone");
    }
    bool gone = stat(j->path, &st) && errno == ENOENT; /* and nobody writes the results file */
    if (gone && ss_results_write(results, t, j, NULL) == 0) ss_rescue_rebuilt(r);
    return ss_rescue_tell(r, error);
}

void ss_rescue_late(ss_rescue *r, const ss_bytes *done, bool finished)
{
    if (r->journal && ss_journal_append(r->journal, SS_ENTRY_DONE, done, true, NULL) == 0) r->n_recent += finished;
}

/* ---- telling ----------------------------------------------------------------------------------------------------------- */

/* " path", as the shell reads it as one word and the program as no option. */
static void add_word(char *out, size_t out_bytes, const char *path)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_./+=:@%,-";
    size_t n = strlen(out);
    bool quote = path[strspn(path, plain)] != '\0';
    if (n + 8 >= out_bytes) return;
    n += (size_t)snprintf(out + n, out_bytes - n, " %s%s", quote ? "'" : "", path[0] == '-' ? "./" : "");
    for (; *path && n + 8 < out_bytes; path++) {
        bool apostrophe = *path == '\'';
        if (apostrophe) n += (size_t)snprintf(out + n, out_bytes - n, "'\\''");
        else out[n++] = *path;
    }
    snprintf(out + n, out_bytes - n, "%s", quote ? "'" : "");
}

int ss_rescue_tell(const ss_rescue *r, ss_error *error)
{
    char command[SS_ERROR_BYTES] = "sharpsweep merge", path[SS_PATH_BYTES + 16];
    const char *s = r->n_recent == 1 ? "" : "s";
    if (!r->journal && r->n_recent)
        return ss_fail(error, "%s; %zu finished point%s that the results file lacks cannot be saved: %s", r->why.text,
                       r->n_recent, s, r->failure.text);
    if (!r->journal) return ss_fail(error, "%s; the results file lacks no finished point", r->why.text);
    snprintf(path, sizeof path, "%.*s.new.h5", stem_length(r->results), r->results);
    add_word(command, sizeof command, path);
    add_word(command, sizeof command, r->results);
    snprintf(path, sizeof path, "%s", r->journal->path);
    path[strlen(path) - strlen(".journal")] = '\0';
    add_word(command, sizeof command, path);
    return ss_fail(error, "%s; the results file lacks %zu finished point%s of this run: when no other writes it any more, `%s` "
                   "joins them", r->why.text, r->n_recent, s, command);
}

void ss_rescue_finish(ss_rescue *r)
{
    ss_journal_close(r->recent);
    ss_journal_close(r->journal);
    *r = (ss_rescue){0};
}
