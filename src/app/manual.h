/* manual.h - documents that `reference` prints and `meson install` installs. Private to src/app. */
#ifndef SHARPSWEEP_MANUAL_H
#define SHARPSWEEP_MANUAL_H

#include <stdio.h>

#include "sharpsweep/base.h"

/* The manual page of section "1" or "5", in mdoc(7). -1 and a sentence: there is no such page. */
int ss_manual_write(const char *section, FILE *out, ss_error *error);
void ss_completion_write(FILE *out); /* what bash completes */

#endif
