/* rules.h - inside nn: see rules.c. */
#ifndef SHARPSWEEP_NN_RULES_H
#define SHARPSWEEP_NN_RULES_H

#include "sharpsweep/nn.h"

int rule_batch_norm(ss_layers *list, ss_error *error);
int rule_dropout(ss_layers *list, double p, ss_error *error);

#endif
