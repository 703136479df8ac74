/* operator.h - inside sharp: what a Hessian lends to the measures made of it. */
#ifndef SHARPSWEEP_SHARP_OPERATOR_H
#define SHARPSWEEP_SHARP_OPERATOR_H

#include "sharpsweep/sharp.h"

/* Where the solver's vectors are kept from one measurement to the next; NULL before the first. Freed with the Hessian. */
ss_lanczos_work **ss_hessian_work(ss_hessian *h);

#endif
