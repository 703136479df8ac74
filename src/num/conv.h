/* conv.h - inside num: the ways to compute a convolution; conv.c chooses among them. Arguments as in num.h. */
#ifndef SHARPSWEEP_NUM_CONV_H
#define SHARPSWEEP_NUM_CONV_H

#include "sharpsweep/num.h"

typedef struct conv_way {
    const char *name;
    size_t (*work)(const ss_window *g);
    void (*forward)(const ss_window *g, size_t n, size_t n_terms, const ss_factors *f, const ss_real *bias, ss_real *y,
                    ss_real *work);
    void (*backward_data)(const ss_window *g, size_t n, size_t n_terms, const ss_factors *f, double beta, ss_real *dx,
                          ss_real *work);
    void (*backward_weight)(const ss_window *g, size_t n, size_t n_terms, const ss_factors *f, ss_real *dweight,
                            ss_real *work);
} conv_way;

/* im2col and GEMM, by the BLAS library if the window is `exact`: works for every window. */
extern const conv_way ss_im2col;

/* Position by position, for padding < kernel; no work. Pairs of positions that the window joins: its multiplications. */
extern const conv_way ss_position;
size_t ss_position_pairs(const ss_window *g);

/* Winograd's F(4x4, 3x3): 3x3, stride 1, whole vectors of channels. 36 multiplications per tile. */
extern const conv_way ss_winograd;
bool ss_winograd_fits(const ss_window *g);
size_t ss_winograd_tiles(const ss_window *g); /* per example */

#endif
