/* awake.h - time as a process lives it: it stands still while the process is suspended; private to src/farm. */
#ifndef SHARPSWEEP_FARM_AWAKE_H
#define SHARPSWEEP_FARM_AWAKE_H

/* For limits on what others take, whose job may be suspended as a whole (scontrol suspend, SIGSTOP): they cannot get on then.
 * Whoever waits looks often; what lies between two looks counts as SS_AWAKE_LOOK_S at most, so that somebody whose looks are
 * always slow still comes to an end. */
#define SS_AWAKE_LOOK_S 0.25
typedef struct ss_awake { double now_s, looked_s; } ss_awake;

ss_awake ss_awake_start(void);
double ss_awake_look(ss_awake *a); /* the new now_s, in seconds since some start */

#endif
