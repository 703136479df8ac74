/* log.c - lines for people on stderr: elapsed time, who speaks, the level where it is worth a word, the text.
 * A replaceable sink lets tests and the progress line catch them. One line is one write, so that the lines of several
 * ranks do not interleave. */
#include "sharpsweep/base.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { LINE_BYTES = 2048, WHO_BYTES = 64 };

static struct {
    ss_log_level level;
    char who[WHO_BYTES];
    ss_log_sink *sink;
    void *ctx;
    double start_s;
} state = {.level = SS_LOG_INFO};

static const char *const level_words[] = {
    [SS_LOG_ERROR] = "error: ", [SS_LOG_WARNING] = "warning: ", [SS_LOG_INFO] = "", [SS_LOG_DEBUG] = "debug: "};

void ss_log_configure(ss_log_level level, const char *who)
{
    state.level = level;
    snprintf(state.who, sizeof state.who, "%s", who ? who : "");
    if (state.start_s == 0) state.start_s = ss_clock_s();
}

void ss_log_set_sink(ss_log_sink *sink, void *ctx)
{
    state.sink = sink;
    state.ctx = ctx;
}

static void to_stderr(const char *line)
{
    char text[LINE_BYTES + 32];
    int n = snprintf(text, sizeof text, "[%9.3f s] %s\n", ss_clock_s() - state.start_s, line);
    if (n <= 0) return;
    size_t left = (size_t)n < sizeof text ? (size_t)n : sizeof text - 1;
    for (const char *at = text; left > 0;) {
        ssize_t done = write(STDERR_FILENO, at, left);
        if (done <= 0) return; /* nobody is left to tell */
        at += done;
        left -= (size_t)done;
    }
}

void ss_log(ss_log_level level, const char *format, ...)
{
    if (level > state.level) return;
    if (state.start_s == 0) state.start_s = ss_clock_s();
    char line[2 * LINE_BYTES], shown[LINE_BYTES]; /* what does not fit in the first is cut in the second */
    int n = snprintf(line, sizeof line, "%s%s%s", state.who, state.who[0] ? ": " : "", level_words[level]);
    size_t head = n > 0 ? (size_t)n : 0;
    va_list args;
    va_start(args, format);
    int wanted = vsnprintf(line + head, sizeof line - head, format, args);
    va_end(args);
    if (wanted < 0) return;
    ss_text_show(line, shown, sizeof shown);
    if (state.sink) state.sink(state.ctx, level, shown);
    else to_stderr(shown);
}
