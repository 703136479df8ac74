/* deadline.c - how long has this run? The job's own limit, or the end that Slurm has set, whichever comes first. */
#include <math.h>
#include <stdlib.h>
#include <time.h>

#include "app.h"

double ss_time_left_s(double limit_s, double start_s)
{
    double left_s = limit_s > 0 ? limit_s - (ss_clock_s() - start_s) : INFINITY;
    const char *text = getenv("SLURM_JOB_END_TIME"); /* seconds since 1970 */
    char *rest = NULL;
    double end = text ? strtod(text, &rest) : 0;
    if (text && rest != text && !*rest && end > 0) left_s = fmin(left_s, end - (double)time(NULL));
    return left_s;
}
