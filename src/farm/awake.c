/* awake.c - a clock that stands still while the process is suspended; see awake.h. */
#include "awake.h"

#include "sharpsweep/base.h"

ss_awake ss_awake_start(void)
{
    double now_s = ss_clock_s();
    return (ss_awake){now_s, now_s};
}

double ss_awake_look(ss_awake *a)
{
    double now_s = ss_clock_s(), gap_s = now_s - a->looked_s;
    a->looked_s = now_s;
    a->now_s += gap_s < SS_AWAKE_LOOK_S ? gap_s : SS_AWAKE_LOOK_S;
    return a->now_s;
}
