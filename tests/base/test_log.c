/* test_log.c - levels, prefix, cut lines, and the form of a line on stderr. */
#include "sharpsweep/base.h"
#include "../suite.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct catcher { int n; ss_log_level level; char line[4096]; } catcher;

static void catch(void *ctx, ss_log_level level, const char *line)
{
    catcher *c = ctx;
    c->n++;
    c->level = level;
    snprintf(c->line, sizeof c->line, "%s", line);
}

static void levels(void)
{
    for (int limit = SS_LOG_ERROR; limit <= SS_LOG_DEBUG; limit++) {
        catcher c = {0};
        ss_log_set_sink(catch, &c);
        ss_log_configure((ss_log_level)limit, NULL);
        for (int level = SS_LOG_ERROR; level <= SS_LOG_DEBUG; level++) ss_log((ss_log_level)level, "line %d", level);
        CU_ASSERT_EQUAL(c.n, limit + 1);
        CU_ASSERT_EQUAL((int)c.level, limit);
    }
    ss_log_set_sink(NULL, NULL);
}

static void prefix(void)
{
    catcher c = {0};
    char who[] = "rank 3";
    ss_log_set_sink(catch, &c);
    ss_log_configure(SS_LOG_DEBUG, who);
    who[0] = 'X'; /* it was copied */
    ss_log(SS_LOG_INFO, "a %s", "b");
    CU_ASSERT_STRING_EQUAL(c.line, "rank 3: a b");
    ss_log(SS_LOG_WARNING, "a");
    CU_ASSERT_STRING_EQUAL(c.line, "rank 3: warning: a");
    ss_log_configure(SS_LOG_DEBUG, NULL);
    ss_log(SS_LOG_ERROR, "a");
    CU_ASSERT_STRING_EQUAL(c.line, "error: a");
    ss_log_set_sink(NULL, NULL);
}

static void too_long_is_marked(void)
{
    catcher c = {0};
    char longer[10000];
    memset(longer, 'z', sizeof longer);
    longer[sizeof longer - 1] = '\0';
    ss_log_set_sink(catch, &c);
    ss_log_configure(SS_LOG_INFO, "who");
    ss_log(SS_LOG_INFO, "%s", longer);
    size_t n = strlen(c.line);
    CU_ASSERT(n > 1000 && n < 4000);
    CU_ASSERT_STRING_EQUAL(c.line + n - 4, "z...");
    ss_log_set_sink(NULL, NULL);
}

static void printable(void)
{
    catcher c = {0};
    ss_log_set_sink(catch, &c);
    ss_log_configure(SS_LOG_INFO, NULL);
    ss_log(SS_LOG_INFO, "host %s", "a\n[0.0] \x1b]0;x\x07\xc2\x9b");
    CU_ASSERT_STRING_EQUAL(c.line, "host a\\n[0.0] \\x1b]0;x\\x07\\u{9b}");
    ss_log_set_sink(NULL, NULL);
}

static void line_on_stderr(void)
{
    FILE *file = tmpfile();
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    int kept = dup(STDERR_FILENO);
    dup2(fileno(file), STDERR_FILENO);
    ss_log_configure(SS_LOG_INFO, "rank 1");
    ss_log(SS_LOG_INFO, "point 4 done");
    ss_log(SS_LOG_DEBUG, "not this");
    dup2(kept, STDERR_FILENO);
    close(kept);
    char text[256] = "";
    rewind(file);
    size_t n = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    double elapsed_s = -1;
    int after = 0;
    CU_ASSERT_EQUAL(sscanf(text, "[ %lf s] rank 1: point 4 done%n", &elapsed_s, &after), 1);
    CU_ASSERT(elapsed_s >= 0 && elapsed_s < 3600);
    CU_ASSERT_EQUAL((size_t)after + 1, n);
    CU_ASSERT_EQUAL(text[n ? n - 1 : 0], '\n');
}

static const ss_case cases[] = {
    {"levels", levels},
    {"prefix", prefix},
    {"printable", printable}, {"too long a line is marked", too_long_is_marked},
    {"a line on stderr", line_on_stderr},
};
SS_SUITE("log", cases)
