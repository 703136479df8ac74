/* manual.c - the table of keys as a manual page: mdoc(7), the macros that groff and mandoc both read. The page around it is
 * src/install/sharpsweep-job.5. */
#include "parts.h"

#include <string.h>

enum { COLUMNS = 78, MOST_BYTES = 120 /* of a word */ };

/* A word as roff wants it, into at most 4 times its bytes and a zero; *bold says whether it stands between backticks. */
static size_t escape_word(char *out, const char *word, size_t n, bool *bold)
{
    char *to = out;
    bool option = word[0] == '-' || (n > 1 && word[1] == '-');
    for (size_t i = 0; i < n; i++) {
        switch (word[i]) {
        case '`': to = stpcpy(to, *bold ? "\\fR" : "\\fB"); *bold = !*bold; break;
        case '\\': to = stpcpy(to, "\\e"); break;
        case '^': to = stpcpy(to, "\\(ha"); break;
        case '~': to = stpcpy(to, "\\(ti"); break;
        case '-': to = stpcpy(to, *bold || option ? "\\-" : "-"); break; /* an option's dash can be copied from the page */
        default: *to++ = word[i];
        }
    }
    *to = '\0';
    return (size_t)(to - out);
}

void ss_manual_write_text(FILE *out, const char *text)
{
    size_t column = 0;
    bool bold = false, ends = false; /* the last word ended a sentence: the next one begins a line */
    for (const char *p = text + strspn(text, " \n"); *p; p += strspn(p, " \n")) {
        char word[4 * MOST_BYTES + 1];
        size_t taken = strcspn(p, " \n");
        if (taken > MOST_BYTES) taken = MOST_BYTES;
        size_t n = escape_word(word, p, taken, &bold);
        if (column > 0 && (ends || column + 1 + n > COLUMNS)) {
            fputc('\n', out);
            column = 0;
        } else if (column > 0) {
            fputc(' ', out);
            column++;
        }
        if (column == 0 && (p[0] == '.' || p[0] == '\'')) fputs("\\&", out); /* else it were a macro */
        fputs(word, out);
        column += n;
        ends = !bold && n > 1 && (word[n - 1] == '.' || word[n - 1] == '?');
        p += taken;
    }
    fputc('\n', out);
}

static void write_key(FILE *out, const ss_key *key)
{
    char expected[256], text[1024];
    ss_key_expected(key, expected, sizeof expected);
    fprintf(out, ".It Ic %s", key->name);
    if (key->fallback[0]) fprintf(out, " Pq Li \"%s\"", key->fallback);
    fputc('\n', out);
    snprintf(text, sizeof text, "%s. Takes %s.", key->text, expected);
    ss_manual_write_text(out, text);
}

void ss_job_write_manual(FILE *out)
{
    size_t n;
    const ss_key *key = ss_keys(&n);
    for (const ss_section *section = ss_sections; section->name; section++) {
        fprintf(out, ".Ss %s\n", section->name);
        ss_manual_write_text(out, section->text);
        fprintf(out, ".Bl -tag -width Ds\n");
        for (size_t i = 0; i < n; i++)
            if (strcmp(key[i].section, section->name) == 0) write_key(out, &key[i]);
        fprintf(out, ".El\n");
    }
}
