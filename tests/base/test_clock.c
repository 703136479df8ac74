/* test_clock.c - intervals, naps, stamps and durations. */
#include "sharpsweep/base.h"
#include "../suite.h"

#include <math.h>
#include <string.h>
#include <time.h>

static void clock_runs_forward(void)
{
    double a = ss_clock_s();
    ss_sleep_s(0.02);
    double b = ss_clock_s();
    CU_ASSERT(b - a >= 0.019);
    CU_ASSERT(b - a < 10);
    double before = ss_clock_s();
    ss_sleep_s(0);
    ss_sleep_s(-1);
    ss_sleep_s(NAN);
    CU_ASSERT(ss_clock_s() - before < 1);
}

static void time_stamp(void)
{
    char text[SS_TIME_BYTES];
    ss_time_now(text);
    struct tm t = {0};
    const char *end = strptime(text, "%Y-%m-%dT%H:%M:%SZ", &t);
    CU_ASSERT_PTR_NOT_NULL_FATAL(end);
    CU_ASSERT_EQUAL(*end, '\0');
    CU_ASSERT_EQUAL(strlen(text), 20);
    double difference_s = difftime(time(NULL), timegm(&t));
    CU_ASSERT(difference_s >= 0 && difference_s < 10);
}

static void durations(void)
{
    static const struct { double s; const char *text; } rows[] = {
        {0, "0 s"}, {0.4, "0 s"}, {0.6, "1 s"}, {42, "42 s"}, {59.4, "59 s"}, {59.6, "1 min 00 s"}, {60, "1 min 00 s"},
        {185, "3 min 05 s"}, {3599, "59 min 59 s"}, {3599.7, "1 h 00 min"}, {7800, "2 h 10 min"}, {86399, "23 h 59 min"},
        {86400, "1 d 00 h"}, {3 * 86400 + 4 * 3600 + 59, "3 d 04 h"}, {1e9, "11574 d 01 h"},
        {-5, "0 s"}, {NAN, "?"}, {INFINITY, "?"}, {-INFINITY, "?"}, {1e300, "?"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[SS_TIME_BYTES];
        ss_duration_format(rows[i].s, text);
        CU_ASSERT_STRING_EQUAL(text, rows[i].text);
        if (strcmp(text, rows[i].text) != 0)
            fprintf(stderr, "\n    %g s: \"%s\", expected \"%s\"\n", rows[i].s, text, rows[i].text);
    }
}

static const ss_case cases[] = {
    {"the clock runs forward", clock_runs_forward},
    {"time stamp", time_stamp},
    {"durations", durations},
};
SS_SUITE("clock", cases)
