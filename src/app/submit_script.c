/* submit_script.c - the text of a batch script. No byte of any name may end up as a command: paths stand in single quotes,
 * in which the shell reads nothing but the closing quote (and \x27 and the like where they begin with a dollar), and #SBATCH
 * lines hold only numbers and checked words. sbatch itself stops reading #SBATCH lines at the first command, which comes before
 * any quoted text. */
#include "submit.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const unsigned char sweep_script[] = {
#include "sweep_script.inc"
};

typedef struct buffer { char *p; size_t n, capacity; bool failed; } buffer;

static void add_bytes(buffer *t, const void *bytes, size_t n)
{
    if (t->failed) return;
    if (t->n + n + 1 > t->capacity) {
        size_t capacity = 2 * (t->n + n + 1);
        char *p = ss_realloc(t->p, t->capacity, capacity, 1);
        if (!p) {
            t->failed = true;
            return;
        }
        t->p = p;
        t->capacity = capacity;
    }
    memcpy(t->p + t->n, bytes, n);
    t->n += n;
    t->p[t->n] = '\0';
}

static void add(buffer *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void add(buffer *t, const char *format, ...)
{
    char line[512];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    if (n < 0 || n >= (int)sizeof line) t->failed = true;
    else add_bytes(t, line, (size_t)n);
}

/* $'it\x27s': the same where the script, which is printed, would else hold what no terminal should be sent. */
static void add_escaped(buffer *t, const char *word)
{
    add(t, "$'");
    for (; *word; word++) {
        bool plain = *word >= 0x20 && *word <= 0x7e && *word != '\'' && *word != '\\';
        if (plain) add_bytes(t, word, 1);
        else add(t, "\\x%02x", (unsigned)(unsigned char)*word);
    }
    add(t, "'");
}

/* 'it'\''s': any bytes, for the shell one word. */
static void add_quoted(buffer *t, const char *word)
{
    if (ss_text_printable(word, NULL, 0) != strlen(word)) {
        add_escaped(t, word);
        return;
    }
    add_bytes(t, "'", 1);
    for (; *word; word++)
        if (*word == '\'') add_bytes(t, "'\\''", 4);
        else add_bytes(t, word, 1);
    add_bytes(t, "'", 1);
}

/* What partitions, accounts and the like are called; lists of them too. */
static int check_word(const char *option, const char *word, ss_error *error)
{
    static const char also[] = "_.,:=+@%/&|()[]*-";
    if (!word) return 0;
    bool good = word[0] && word[0] != '-' && strlen(word) <= 200;
    for (const char *c = word; good && *c; c++) good = isalnum((unsigned char)*c) || strchr(also, *c);
    return good ? 0 : ss_fail(error, "--%s %.200s: letters, digits and any of %s are expected", option, word, also);
}

int ss_submission_check(const ss_submission *s, ss_error *error)
{
    bool bad = check_word("partition", s->partition, error) || check_word("account", s->account, error)
               || check_word("qos", s->qos, error);
    return bad ? -1 : 0;
}

/* The job's name in SLURM's lists and in the log's: whatever is not plain becomes `_`. */
static void plain_name(const char *name, char out[65])
{
    size_t n = 0;
    for (; name[n] && n < 64; n++) out[n] = isalnum((unsigned char)name[n]) || strchr("._-", name[n]) ? name[n] : '_';
    out[n] = '\0';
    if (out[0] == '-' || out[0] == '.') out[0] = '_';
    if (!n) strcpy(out, "sweep");
}

static void add_directives(buffer *t, const ss_submission *s)
{
    char name[65];
    plain_name(s->name, name);
    add(t, "#!/bin/bash\n# Written by `sharpsweep submit`; slurm/README.md says what it does.\n");
    add(t, "#SBATCH --job-name=%s\n#SBATCH --output=%%x-%%j.log\n#SBATCH --open-mode=append\n#SBATCH --requeue\n", name);
    if (s->n_nodes) add(t, "#SBATCH --nodes=%lld\n", (long long)s->n_nodes);
    add(t, "#SBATCH --ntasks=%lld\n#SBATCH --cpus-per-task=%lld\n", (long long)s->n_workers, (long long)s->threads);
    if (s->memory_mib) /* of a CPU, rounded up; rank 0 adds little */
        add(t, "#SBATCH --mem-per-cpu=%lldM\n", (long long)((s->memory_mib + s->threads - 1) / s->threads));
    add(t, "#SBATCH --time=%lld\n#SBATCH --signal=B:USR1@%lld\n", (long long)s->minutes, (long long)s->stop_s);
    if (s->partition) add(t, "#SBATCH --partition=%s\n", s->partition);
    if (s->account) add(t, "#SBATCH --account=%s\n", s->account);
    if (s->qos) add(t, "#SBATCH --qos=%s\n", s->qos);
}

char *ss_submission_script(const ss_submission *s, ss_error *error)
{
    static const char begin[] = "# ---- knobs";
    buffer t = {0};
    add_directives(&t, s);
    add(&t, "set --"); /* the script's arguments */
    add_bytes(&t, " ", 1);
    add_quoted(&t, s->job);
    add_bytes(&t, " ", 1);
    add_quoted(&t, s->results);
    add(&t, "\nSWEEP_PROGRAM=");
    add_quoted(&t, s->program);
    add(&t, "\nSWEEP_STOP_S=%lld\n", (long long)(s->stop_s * 4 / 5));
    if (s->modules) {
        add(&t, "SWEEP_MODULES=");
        add_quoted(&t, s->modules);
        add(&t, "\n");
    }
    if (s->launcher) add(&t, "SWEEP_LAUNCHER=%s\n", s->launcher);
    const unsigned char *knobs = memmem(sweep_script, sizeof sweep_script, begin, sizeof begin - 1);
    add_bytes(&t, knobs, sizeof sweep_script - (size_t)(knobs - sweep_script));
    if (!t.failed) return t.p;
    ss_fail(error, "no memory for the batch script");
    ss_free(t.p);
    return NULL;
}

int ss_slurm_minutes(const char *text, int64_t *minutes, ss_error *error)
{
    long long part[3] = {0}, days = 0;
    int n = 0;
    const char *at = text;
    char *end;
    bool dash = strchr(text, '-') != NULL, good = true;
    while (good && n < 3 + dash) {
        good = at[0] >= '0' && at[0] <= '9';
        if (!good) break;
        long long v = strtoll(at, &end, 10);
        good = v <= 1000000;
        if (dash && n == 0) days = v;
        else part[n - dash] = v;
        n++;
        at = end;
        if (*at != (dash && n == 1 ? '-' : ':')) break;
        at++;
    }
    good = good && *at == '\0' && !(n > 0 && (at[-1] == ':' || at[-1] == '-'));
    if (!good)
        return ss_fail(error, "--time %s: MINUTES, HOURS:MINUTES:SECONDS or DAYS-HOURS:MINUTES:SECONDS is expected", text);
    int fields = n - dash; /* SLURM: M, M:S, H:M:S; with days D-H, D-H:M, D-H:M:S */
    long long h = 0, m = 0, sec = 0;
    if (dash || fields == 3) h = part[0], m = part[1], sec = part[2];
    else m = part[0], sec = part[1];
    *minutes = days * 1440 + h * 60 + m + (sec + 59) / 60;
    return *minutes > 0 ? 0 : ss_fail(error, "--time %s: more than nothing is expected", text);
}
