#include "../../src/app/app.h"

#include <math.h>
#include <stdlib.h>
#include <time.h>

#include "../suite.h"

static void end_in(long seconds)
{
    char text[32];
    snprintf(text, sizeof text, "%ld", (long)time(NULL) + seconds);
    setenv("SLURM_JOB_END_TIME", text, 1);
}

static void the_earlier_end_counts(void)
{
    double now_s = ss_clock_s();
    unsetenv("SLURM_JOB_END_TIME");
    CU_ASSERT(isinf(ss_time_left_s(0, now_s)));
    SS_ASSERT_NEAR(ss_time_left_s(100, now_s - 30), 70, 0.05, 0);
    CU_ASSERT(ss_time_left_s(100, now_s - 200) < 0);
    end_in(50);
    SS_ASSERT_NEAR(ss_time_left_s(0, now_s), 50, 0.1, 0);
    SS_ASSERT_NEAR(ss_time_left_s(100, now_s - 30), 50, 0.1, 0);
    SS_ASSERT_NEAR(ss_time_left_s(20, now_s), 20, 0.1, 0);
    end_in(-5);
    CU_ASSERT(ss_time_left_s(100, now_s) < 0);
}

static void what_is_no_time_does_not_count(void)
{
    static const char *const texts[] = {"", "soon", "0", "-1", "123x", "nan"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        setenv("SLURM_JOB_END_TIME", texts[i], 1);
        CU_ASSERT(isinf(ss_time_left_s(0, 0)));
    }
    unsetenv("SLURM_JOB_END_TIME");
}

static const ss_case cases[] = {
    {"the earlier end counts", the_earlier_end_counts},
    {"what is no time does not count", what_is_no_time_does_not_count},
};
SS_SUITE("app/deadline", cases)
