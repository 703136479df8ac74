/* clock.c - time as the program needs it: intervals, naps, a time stamp, a duration people can read. */
#include "sharpsweep/base.h"

#include <math.h>
#include <stdio.h>
#include <time.h>

double ss_clock_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

void ss_sleep_s(double seconds)
{
    if (!(seconds > 0)) return;
    if (seconds > 1e9) seconds = 1e9; /* keeps the conversion to time_t defined */
    struct timespec t = {.tv_sec = (time_t)seconds};
    t.tv_nsec = (long)((seconds - (double)t.tv_sec) * 1e9);
    nanosleep(&t, NULL);
}

void ss_time_now(char out[SS_TIME_BYTES])
{
    time_t now = time(NULL);
    struct tm utc;
    if (!gmtime_r(&now, &utc) || strftime(out, SS_TIME_BYTES, "%Y-%m-%dT%H:%M:%SZ", &utc) == 0)
        snprintf(out, SS_TIME_BYTES, "1970-01-01T00:00:00Z");
}

void ss_duration_format(double seconds, char out[SS_TIME_BYTES])
{
    if (!isfinite(seconds) || seconds > 1e12) {
        snprintf(out, SS_TIME_BYTES, "?");
        return;
    }
    long long s = seconds > 0 ? llround(seconds) : 0;
    if (s < 60) snprintf(out, SS_TIME_BYTES, "%lld s", s);
    else if (s < 3600) snprintf(out, SS_TIME_BYTES, "%lld min %02lld s", s / 60, s % 60);
    else if (s < 86400) snprintf(out, SS_TIME_BYTES, "%lld h %02lld min", s / 3600, s % 3600 / 60);
    else snprintf(out, SS_TIME_BYTES, "%lld d %02lld h", s / 86400, s % 86400 / 3600);
}
