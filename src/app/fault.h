/* fault.h - faults on purpose, for tests. Private to src/app. */
#ifndef SHARPSWEEP_FAULT_H
#define SHARPSWEEP_FAULT_H

#include "sharpsweep/sweep.h"

/* The environment's SHARPSWEEP_FAULT, which tests set: faults separated by `;`, each KIND@WHERE, WHERE a list of
 *   point=N     of this point (default: any)
 *   phase=P     train or curvature (default: any)
 *   after=N     at the N-th look (one per step or product) that fits; default 1
 *   once=FILE   only if FILE does not exist; it is made
 * slow@phase=open,after=N and slow@phase=close,after=N: rank 0 takes N seconds more to open its results, to save them.
 * Kinds: segv, abort, fpe, exit, kill, stop (SIGSTOP), hang (loops without a beat), spin (with beats), oom, nan (in the
 * record). Trials look, ranks never do, that delay aside. */
void ss_fault_arm(size_t point);  /* a trial begins */
void ss_fault_poll(void);
void ss_fault_spoil(ss_record *record);
void ss_fault_delay(const char *phase); /* open or close */

#endif
