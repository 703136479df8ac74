/* winograd.h - inside num: 3x3 convolutions with stride 1 in a quarter of the multiplications. See winograd.c. */
#ifndef SHARPSWEEP_NUM_WINOGRAD_H
#define SHARPSWEEP_NUM_WINOGRAD_H

#include "sharpsweep/num.h"

/* Does it pay for this geometry, n examples at a time? A rule of shapes alone: the same choice on every run. */
bool ss_winograd_pays(const ss_window *g, size_t n);
/* Whether it can for some n, and the ss_real of work that it then needs. */
bool ss_winograd_fits(const ss_window *g);
size_t ss_winograd_work(const ss_window *g);
/* As the ss_conv_* of num.h. */
void ss_winograd_forward(const ss_window *g, size_t n, const ss_real *x, const ss_real *weight, double beta, ss_real *y,
                         ss_real *work);
void ss_winograd_backward_data(const ss_window *g, size_t n, const ss_real *dy, const ss_real *weight, double beta,
                               ss_real *dx, ss_real *work);
void ss_winograd_backward_weight(const ss_window *g, size_t n, const ss_real *x, const ss_real *dy, double beta,
                                 ss_real *dweight, ss_real *work);

#endif
