/* manual.c - what is installed beside the program and names its commands, options and keys: the manual pages and what bash
 * completes. The prose stands in src/install; a line of a page that holds a mark is replaced by what the tables say. */
#include <string.h>

#include "app.h"
#include "config.h"
#include "manual.h"

static const unsigned char program_page[] = {
#include "sharpsweep.1.inc"
};
static const unsigned char job_page[] = {
#include "sharpsweep-job.5.inc"
};
static const unsigned char completion[] = {
#include "completion.bash.inc"
};

static void write_system(FILE *out)
{
    fprintf(out, ".Os \"sharpsweep %s\"\n", ss_version());
}

/* ---- manual pages ---------------------------------------------------------------------------------------------------- */

/* Paragraphs, which empty lines separate. */
static void write_paragraphs(FILE *out, const char *text)
{
    char paragraph[2048];
    while (*text) {
        const char *end = strstr(text, "\n\n");
        size_t n = end ? (size_t)(end - text) : strlen(text);
        snprintf(paragraph, sizeof paragraph, "%.*s", (int)n, text);
        fprintf(out, ".Pp\n");
        ss_manual_write_text(out, paragraph);
        text += n + strspn(text + n, "\n");
    }
}

static void write_option(FILE *out, const ss_option *o)
{
    fprintf(out, ".It ");
    if (o->letter) fprintf(out, "Fl %c , ", o->letter);
    fprintf(out, "Fl -%s", o->name);
    if (o->argument) fprintf(out, " Ar %s", o->argument);
    fputc('\n', out);
    ss_manual_write_text(out, o->text);
}

static void write_command(FILE *out, const ss_command *command)
{
    char sentence[256];
    /* \& at the end: the dots of "IN.h5..." end no sentence */
    fprintf(out, ".Ss sharpsweep %s%s%s\\&\n", command->name, command->operand ? " " : "",
            command->operand ? command->operand : "");
    snprintf(sentence, sizeof sentence, "%s.", command->text);
    ss_manual_write_text(out, sentence);
    if (command->details) write_paragraphs(out, command->details);
    if (!command->options->name) return;
    fprintf(out, ".Bl -tag -width Ds\n");
    for (const ss_option *o = command->options; o->name; o++) write_option(out, o);
    fprintf(out, ".El\n");
}

static void write_commands(FILE *out)
{
    size_t n;
    const ss_command *command = ss_commands(&n);
    for (size_t i = 0; i < n; i++) write_command(out, &command[i]);
}

/* ---- bash ------------------------------------------------------------------------------------------------------------ */

/* One word that says which files a command takes: "job", "results", "none"; "+" behind it: several. */
static void write_kind(FILE *out, const ss_command *command)
{
    const char *operand = command->operand;
    const char *kind = !operand ? "none" : strstr(operand, ".yaml") ? "job" : "results";
    fprintf(out, "%s%s", kind, command->many ? "+" : "");
}

static void write_shell_table(FILE *out)
{
    size_t n;
    const ss_command *command = ss_commands(&n);
    fprintf(out, "_sharpsweep_commands='");
    for (size_t i = 0; i < n; i++) fprintf(out, "%s%s", i ? " " : "", command[i].name);
    fprintf(out, "'\n# What a command takes: its files, then its options, with `=` where a value follows.\n"
                 "_sharpsweep_takes() {\n    case $1 in\n");
    for (size_t i = 0; i < n; i++) {
        fprintf(out, "    %s) echo '", command[i].name);
        write_kind(out, &command[i]);
        for (const ss_option *o = command[i].options; o->name; o++) {
            if (o->letter) fprintf(out, " -%c%s", o->letter, o->argument ? "=" : "");
            fprintf(out, " --%s%s", o->name, o->argument ? "=" : "");
        }
        fprintf(out, " --help' ;;\n");
    }
    fprintf(out, "    esac\n}\n");
}

/* ---- marks ----------------------------------------------------------------------------------------------------------- */

static const struct mark { const char *line; void (*write)(FILE *out); } marks[] = {
    {".\\\" @system", write_system},
    {".\\\" @commands", write_commands},
    {".\\\" @keys", ss_job_write_manual},
    {"# @commands", write_shell_table},
};

static const struct place { const char *word, *path; } places[] = {{"@datadir@", SS_DATA_DIR}, {"@docdir@", SS_DOC_DIR}};

/* A line as it stands, but for the folders where things were installed. */
static void write_places(FILE *out, const char *line, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct place *place = NULL;
        for (size_t k = 0; k < sizeof places / sizeof *places; k++) {
            size_t length = strlen(places[k].word);
            if (length <= n - i && memcmp(line + i, places[k].word, length) == 0) place = &places[k];
        }
        if (place) {
            fputs(place->path, out);
            i += strlen(place->word) - 1;
        } else {
            fputc(line[i], out);
        }
    }
    fputc('\n', out);
}

static void write_line(FILE *out, const char *line, size_t n)
{
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++) {
        if (strlen(marks[i].line) == n && memcmp(marks[i].line, line, n) == 0) {
            marks[i].write(out);
            return;
        }
    }
    write_places(out, line, n);
}

static void write_page(FILE *out, const unsigned char *page, size_t n_bytes)
{
    const char *p = (const char *)page, *end = p + n_bytes;
    while (p < end) {
        const char *newline = memchr(p, '\n', (size_t)(end - p));
        size_t n = (size_t)((newline ? newline : end) - p);
        write_line(out, p, n);
        p += n + 1;
    }
}

int ss_manual_write(const char *section, FILE *out, ss_error *error)
{
    if (strcmp(section, "1") == 0) write_page(out, program_page, sizeof program_page);
    else if (strcmp(section, "5") == 0) write_page(out, job_page, sizeof job_page);
    else return ss_fail(error, "--man %.80s: 1 (the program) or 5 (the job file) is expected", section);
    return 0;
}

void ss_completion_write(FILE *out)
{
    write_page(out, completion, sizeof completion);
}
