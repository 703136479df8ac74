#include "sharpsweep/sweep.h"

#include <stdlib.h>
#include <string.h>

#include "../suite.h"

static char *text_of(const char *plain)
{
    char *text = NULL;
    size_t n = 0;
    FILE *out = open_memstream(&text, &n);
    CU_ASSERT_PTR_NOT_NULL_FATAL(out);
    ss_manual_write_text(out, plain);
    fclose(out);
    return text;
}

/* roff takes a line that begins with a dot or an apostrophe for a command, and a backslash for the start of one. */
static void texts_are_plain_to_roff(void)
{
    static const struct { const char *plain, *roff; } table[] = {
        {"two words", "two words\n"},
        {"  blanks   and\nline ends \n", "blanks and line ends\n"},
        {"", "\n"},
        {".Sh NAME", "\\&.Sh NAME\n"},
        {"'tis", "\\&'tis\n"},
        {"it ends. Here it goes on", "it ends.\nHere it goes on\n"},
        {"it ends. .It does", "it ends.\n\\&.It does\n"},
        {"and `-o a. b` is bold.", "and \\fB\\-o a. b\\fR is bold.\n"},
        {"a\\b ^ ~ well-known --option", "a\\eb \\(ha \\(ti well-known \\-\\-option\n"},
        {"(--output) 1 - 2", "(\\-\\-output) 1 \\- 2\n"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        char *roff = text_of(table[i].plain);
        if (strcmp(roff, table[i].roff) != 0) fprintf(stderr, "\n    %s: %s", table[i].plain, roff);
        CU_ASSERT_STRING_EQUAL(roff, table[i].roff);
        free(roff);
    }
}

static void long_texts_are_wrapped(void)
{
    char plain[2000] = "", *roff;
    for (int i = 0; i < 100; i++) strcat(plain, i % 3 ? "word " : "`bold` ");
    roff = text_of(plain);
    size_t n_words = 0;
    for (char *line = strtok(roff, "\n"); line; line = strtok(NULL, "\n")) {
        CU_ASSERT(strlen(line) <= 78);
        for (const char *p = line; *p; p++) n_words += *p == ' ';
        n_words++;
    }
    CU_ASSERT_EQUAL(n_words, 100);
    free(roff);
}

static void every_key_has_an_entry(void)
{
    char *text = NULL, entry[128];
    size_t n_bytes = 0, n;
    const ss_key *key = ss_keys(&n);
    FILE *out = open_memstream(&text, &n_bytes);
    CU_ASSERT_PTR_NOT_NULL_FATAL(out);
    ss_job_write_manual(out);
    fclose(out);
    for (size_t i = 0; i < n; i++) {
        snprintf(entry, sizeof entry, key[i].fallback[0] ? "\n.It Ic %s Pq Li \"%s\"\n" : "\n.It Ic %s%s\n", key[i].name, key[i].fallback);
        CU_ASSERT_PTR_NOT_NULL(strstr(text, entry));
    }
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "Takes a number greater than 0"));
    free(text);
}

static const ss_case cases[] = {
    {"texts are plain to roff", texts_are_plain_to_roff},
    {"long texts are wrapped", long_texts_are_wrapped},
    {"every key has an entry", every_key_has_an_entry},
};
SS_SUITE("sweep/manual", cases)
