/* test_options.c - argument parsing, suggestions, the table of commands. */
#include "../../src/app/app.h"

#include <string.h>

#include "../suite.h"

static const ss_option options[] = {
    {"output", 'o', "FILE", "where to"}, {"csv", 0, NULL, "a flag"}, {"ranks", 'n', "N", "how many"}, {0}};
static const ss_command with_file = {"run", "JOB.yaml", "Run", NULL, options, NULL, false, false};
static const ss_command without_file = {"reference", NULL, "Print", NULL, options, NULL, false, false};

enum { MOST = 6 };

static int count(const char *const *words)
{
    int n = 0;
    while (n < MOST && words[n]) n++;
    return n;
}

static int parse(const ss_command *command, const char *const *words, ss_arguments *out, ss_error *error)
{
    char text[MOST][64], *argv[MOST];
    int n = count(words);
    static char kept[MOST][64]; /* arguments point into argv */
    for (int i = 0; i < n; i++) {
        snprintf(text[i], sizeof text[i], "%s", words[i]);
        memcpy(kept[i], text[i], sizeof kept[i]);
        argv[i] = kept[i];
    }
    return ss_arguments_parse(command, n, argv, out, error);
}

static void test_good(void)
{
    static const struct { const char *words[MOST]; const char *operand, *output, *csv, *ranks; } cases[] = {
        {{"job.yaml"}, "job.yaml", NULL, NULL, NULL},
        {{"job.yaml", "-o", "r.h5"}, "job.yaml", "r.h5", NULL, NULL},
        {{"-or.h5", "job.yaml"}, "job.yaml", "r.h5", NULL, NULL},
        {{"--output=r.h5", "job.yaml", "--csv"}, "job.yaml", "r.h5", "", NULL},
        {{"--output", "r.h5", "--ranks", "4", "job.yaml"}, "job.yaml", "r.h5", NULL, "4"},
        {{"--output=", "job.yaml"}, "job.yaml", "", NULL, NULL},
        {{"--", "-odd.yaml"}, "-odd.yaml", NULL, NULL, NULL},
        {{"-"}, "-", NULL, NULL, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ss_arguments a;
        ss_error error = {{0}};
        CU_ASSERT_EQUAL_FATAL(parse(&with_file, cases[i].words, &a, &error), 0);
        CU_ASSERT_STRING_EQUAL(a.operand, cases[i].operand);
        const char *const wanted[] = {cases[i].output, cases[i].csv, cases[i].ranks};
        for (size_t k = 0; k < 3; k++) {
            CU_ASSERT_EQUAL(a.value[k] != NULL, wanted[k] != NULL);
            if (a.value[k] && wanted[k]) CU_ASSERT_STRING_EQUAL(a.value[k], wanted[k]);
        }
    }
}

static void test_bad(void)
{
    static const struct { const ss_command *command; const char *words[MOST]; const char *text; } cases[] = {
        {&with_file, {NULL}, "run needs a file: sharpsweep run JOB.yaml"},
        {&with_file, {"a.yaml", "b.yaml"}, "run takes one JOB.yaml, but `a.yaml` and `b.yaml` are given"},
        {&with_file, {"a.yaml", "--outptu", "x"}, "run has no option --outptu; did you mean --output?"},
        {&with_file, {"a.yaml", "--zzzzzzzzzzzz"}, "run has no option --zzzzzzzzzzzz; `sharpsweep run --help` lists them"},
        {&with_file, {"a.yaml", "-z"}, "run has no option -z; `sharpsweep run --help` lists them"},
        {&with_file, {"a.yaml", "--output"}, "--output needs a value: --output FILE"},
        {&with_file, {"a.yaml", "-o"}, "--output needs a value: --output FILE"},
        {&with_file, {"a.yaml", "--csv=1"}, "--csv takes no value, but `1` is given"},
        {&with_file, {"a.yaml", "-o", "x", "--output=y"}, "--output is given twice"},
        {&without_file, {"a.yaml"}, "reference takes no file, but `a.yaml` is given"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ss_arguments a;
        ss_error error = {{0}};
        CU_ASSERT_EQUAL(parse(cases[i].command, cases[i].words, &a, &error), -1);
        CU_ASSERT_STRING_EQUAL(error.text, cases[i].text);
    }
}

static void test_numbers(void)
{
    static const struct { const char *text; int rc; int64_t value; } cases[] = {
        {"0", 0, 0}, {"12", 0, 12}, {"100", 0, 100}, {"101", -1, 0}, {"-1", -1, 0}, {"", -1, 0}, {"3x", -1, 0},
        {" 3", -1, 0}, {"+3", -1, 0}, {"99999999999999999999", -1, 0}, {"1e2", -1, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t v = 0;
        ss_error error = {{0}};
        CU_ASSERT_EQUAL(ss_number_argument("point", cases[i].text, 0, 100, &v, &error), cases[i].rc);
        CU_ASSERT_EQUAL(v, cases[i].value);
        CU_ASSERT_EQUAL(error.text[0] != '\0', cases[i].rc != 0);
    }
}

static void test_nearest(void)
{
    static const char *const words[] = {"run", "plan", "status", "show", "curvature", NULL};
    static const struct { const char *word, *nearest; } cases[] = {
        {"rum", "run"}, {"plann", "plan"}, {"statsu", "status"}, {"sho", "show"}, {"curvatrue", "curvature"},
        {"xyzxyz", NULL}, {"", NULL},
        {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *got = ss_word_nearest(cases[i].word, words);
        CU_ASSERT_EQUAL(got != NULL, cases[i].nearest != NULL);
        if (got && cases[i].nearest) CU_ASSERT_STRING_EQUAL(got, cases[i].nearest);
    }
}

static void test_commands(void)
{
    static const char *const names[] = {"run", "plan", "status", "show", "curvature", "verify", "reference"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const ss_command *c = ss_command_find(names[i]);
        CU_ASSERT_PTR_NOT_NULL_FATAL(c);
        CU_ASSERT_EQUAL(c->parallel, i == 0);
        size_t n = 0;
        while (c->options[n].name) n++;
        CU_ASSERT(n <= SS_MAX_OPTIONS);
    }
    CU_ASSERT_PTR_NULL(ss_command_find("rum"));
    CU_ASSERT_PTR_NULL(ss_command_find(NULL));
}

static const ss_case cases[] = {
    {"good command lines", test_good}, {"bad command lines", test_bad}, {"numbers", test_numbers},
    {"nearest word", test_nearest},    {"commands", test_commands},
};
SS_SUITE("app, options", cases)
