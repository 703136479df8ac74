/* options.c - arguments of a command, read after its own table; help made from the same table. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "app.h"

/* Levenshtein's distance of two short words; INT_MAX where one is too long to be a slip of the other. */
static int edit_distance(const char *a, const char *b)
{
    enum { MOST = 40 };
    int row[MOST + 1];
    size_t n_a = strlen(a), n_b = strlen(b);
    if (n_a > MOST || n_b > MOST) return INT_MAX;
    for (size_t j = 0; j <= n_b; j++) row[j] = (int)j;
    for (size_t i = 1; i <= n_a; i++) {
        int diagonal = row[0];
        row[0] = (int)i;
        for (size_t j = 1; j <= n_b; j++) {
            int above = row[j], best = diagonal + (a[i - 1] != b[j - 1]);
            if (above + 1 < best) best = above + 1;
            if (row[j - 1] + 1 < best) best = row[j - 1] + 1;
            row[j] = best;
            diagonal = above;
        }
    }
    return row[n_b];
}

const char *ss_word_nearest(const char *word, const char *const *words)
{
    const char *nearest = NULL;
    int least = (int)strlen(word) / 2 + 1;
    for (; *words; words++) {
        int d = edit_distance(word, *words);
        if (d < least) {
            least = d;
            nearest = *words;
        }
    }
    return nearest;
}

static const ss_option *find_option(const ss_command *command, const char *name, size_t length)
{
    for (const ss_option *o = command->options; o->name; o++)
        if (strlen(o->name) == length && strncmp(o->name, name, length) == 0) return o;
    return NULL;
}

static const ss_option *find_letter(const ss_command *command, char letter)
{
    for (const ss_option *o = command->options; o->name; o++)
        if (o->letter && o->letter == letter) return o;
    return NULL;
}

static int unknown_option(const ss_command *command, const char *name, int length, ss_error *error)
{
    const char *words[SS_MAX_OPTIONS + 2] = {"help"};
    char word[64];
    size_t n = 1;
    for (const ss_option *o = command->options; o->name; o++) words[n++] = o->name;
    words[n] = NULL;
    snprintf(word, sizeof word, "%.*s", length, name);
    const char *nearest = ss_word_nearest(word, words);
    if (nearest) return ss_fail(error, "%s has no option --%s; did you mean --%s?", command->name, word, nearest);
    return ss_fail(error, "%s has no option --%s; `sharpsweep %s --help` lists them", command->name, word, command->name);
}

static int set_option(const ss_command *command, const ss_option *o, const char *value, ss_arguments *out, ss_error *error)
{
    size_t place = (size_t)(o - command->options);
    if (out->value[place]) return ss_fail(error, "--%s is given twice", o->name);
    out->value[place] = value;
    return 0;
}

/* The option at argv[*i]; a value may follow as the next argument or behind `=`. */
static int parse_option(const ss_command *command, int argc, char **argv, int *i, ss_arguments *out, ss_error *error)
{
    const char *text = argv[*i], *value = NULL;
    const ss_option *o;
    if (text[1] == '-') {
        const char *name = text + 2, *equals = strchr(name, '=');
        size_t length = equals ? (size_t)(equals - name) : strlen(name);
        o = find_option(command, name, length);
        if (!o) return unknown_option(command, name, (int)(length < 60 ? length : 60), error);
        value = equals ? equals + 1 : NULL;
    } else {
        o = find_letter(command, text[1]);
        if (!o) return ss_fail(error, "%s has no option -%c; `sharpsweep %s --help` lists them", command->name, text[1],
                               command->name);
        value = text[2] ? text + 2 : NULL;
    }
    if (!o->argument && value) return ss_fail(error, "--%s takes no value, but `%s` is given", o->name, value);
    if (o->argument && !value) {
        if (*i + 1 >= argc) return ss_fail(error, "--%s needs a value: --%s %s", o->name, o->name, o->argument);
        value = argv[++*i];
    }
    return set_option(command, o, value ? value : "", out, error);
}

int ss_arguments_parse(const ss_command *command, int argc, char **argv, ss_arguments *out, ss_error *error)
{
    bool only_operands = false;
    memset(out, 0, sizeof *out);
    for (int i = 0; i < argc; i++) {
        const char *text = argv[i];
        if (!only_operands && strcmp(text, "--") == 0) {
            only_operands = true;
        } else if (!only_operands && (strcmp(text, "--help") == 0 || strcmp(text, "-h") == 0)) {
            ss_command_help(command, stdout);
            return 1;
        } else if (!only_operands && text[0] == '-' && text[1]) {
            if (parse_option(command, argc, argv, &i, out, error)) return -1;
        } else if (!command->operand) {
            return ss_fail(error, "%s takes no file, but `%s` is given", command->name, text);
        } else if (out->operand && command->many) {
            argv[out->n_more++] = argv[i]; /* i is past them */
            out->more = argv;
        } else if (out->operand) {
            return ss_fail(error, "%s takes one %s, but `%s` and `%s` are given", command->name, command->operand, out->operand,
                           text);
        } else {
            out->operand = text;
        }
    }
    if (command->operand && !out->operand)
        return ss_fail(error, "%s needs a file: sharpsweep %s %s", command->name, command->name, command->operand);
    return 0;
}

void ss_command_help(const ss_command *command, FILE *out)
{
    bool any = command->options->name != NULL;
    fprintf(out, "Usage: sharpsweep %s%s%s%s\n\n%s.\n", command->name, command->operand ? " " : "",
            command->operand ? command->operand : "", any ? " [OPTIONS]" : "", command->text);
    if (command->details) fprintf(out, "\n%s", command->details);
    fprintf(out, "\nOptions:\n");
    for (const ss_option *o = command->options; o->name; o++) {
        char head[64];
        snprintf(head, sizeof head, "%c%c%s--%s%s%s", o->letter ? '-' : ' ', o->letter ? o->letter : ' ', o->letter ? ", " : "  ",
                 o->name, o->argument ? " " : "", o->argument ? o->argument : "");
        fprintf(out, "  %-29s %s\n", head, o->text);
    }
    fprintf(out, "  %-29s %s\n", "-h, --help", "this text");
}

int ss_number_argument(const char *option, const char *text, int64_t min, int64_t max, int64_t *out, ss_error *error)
{
    char *end = NULL;
    long long v = strtoll(text, &end, 10);
    bool digits = text[0] >= '0' && text[0] <= '9';
    if (!digits || *end || v < min || v > max)
        return ss_fail(error, "--%s %s: a whole number from %lld to %lld is expected", option, text, (long long)min,
                       (long long)max);
    *out = v;
    return 0;
}
