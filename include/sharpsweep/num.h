/* num.h - floor 1: dense linear algebra, convolution and pooling kernels, Lanczos. Knows no network.
 * Matrices are row-major. Images are NHWC: (examples, height, width, channels). Reductions run in double and in a fixed
 * order, so that the same input gives the same bits whatever else runs. The only folder that includes cblas and lapacke. */
#ifndef SHARPSWEEP_NUM_H
#define SHARPSWEEP_NUM_H

#include "sharpsweep/base.h"

/* ---- vectors (n) ------------------------------------------------------------------------------------------------ */
double ss_dot(size_t n, const ss_real *x, const ss_real *y);              /* accumulated in double */
double ss_norm(size_t n, const ss_real *x);                               /* Euclidean, accumulated in double */
void ss_axpy(size_t n, double a, const ss_real *x, ss_real *y);           /* y += a x */
void ss_scale(size_t n, double a, ss_real *x);
void ss_accumulate(size_t n, const ss_real *x, double *sum);              /* sum += x, sum in double */
void ss_round(size_t n, const double *sum, double scale, ss_real *x);     /* x = scale * sum */
bool ss_all_finite(size_t n, const ss_real *x);

/* ---- matrices --------------------------------------------------------------------------------------------------- */
typedef enum ss_transpose { SS_NO_TRANSPOSE, SS_TRANSPOSE } ss_transpose;
/* C (m,n) = alpha op(A) op(B) + beta C, op(A) (m,k), op(B) (k,n); ld* are row lengths as stored. Any of m, n, k may be 0. */
void ss_gemm(ss_transpose ta, ss_transpose tb, size_t m, size_t n, size_t k, double alpha, const ss_real *a, size_t lda,
             const ss_real *b, size_t ldb, double beta, ss_real *c, size_t ldc);
/* Sums over rows of x (rows, columns) into sum (columns), in double; with y: sums of x*y. */
void ss_column_sums(size_t rows, size_t columns, const ss_real *x, const ss_real *y, double *sum);
/* y (rows, columns) += row vector b (columns), to every row. */
void ss_add_row(size_t rows, size_t columns, const ss_real *b, ss_real *y);
/* Eigenvalues, ascending, into w (n); eigenvectors into the columns of a (n,n), which holds the symmetric matrix. 0 or -1. */
int ss_eigen_symmetric(size_t n, double *a, double *w, ss_error *error);
void ss_blas_set_threads(int n_threads);
const char *ss_blas_describe(void);          /* e.g. "OpenBLAS 0.3.21 ... Haswell" */

/* ---- convolution: im2col in tiles of output lines, then GEMM; or, for 3x3 with stride 1 and enough channels and tiles,
 * Winograd's F(4x4, 3x3), unless the window says `exact`. The choice is a function of the window and n alone. ------------- */
typedef struct ss_window {                   /* geometry of a convolution or pooling window */
    int h, w, c;                             /* input (h, w, c) */
    int out_h, out_w, out_c;                 /* output; pooling has out_c == c */
    int kernel, stride, padding;             /* square */
    bool exact;                              /* convolution: by GEMM alone, never by Winograd's algorithm */
} ss_window;
/* floor((size + 2 padding - kernel) / stride) + 1, or 0 where the kernel does not fit. */
int ss_window_out(int size, int kernel, int stride, int padding);
size_t ss_conv_work(const ss_window *g);     /* ss_real elements of `work` that the calls below need */
/* x (n,h,w,c), weight (out_c, kernel, kernel, c), y and dy (n,out_h,out_w,out_c).  y = beta*y + conv(x, weight) */
void ss_conv_forward(const ss_window *g, size_t n, const ss_real *x, const ss_real *weight, double beta, ss_real *y,
                     ss_real *work);
/* dx = beta*dx + conv^T(dy, weight), beta 0 or 1 */
void ss_conv_backward_data(const ss_window *g, size_t n, const ss_real *dy, const ss_real *weight, double beta, ss_real *dx,
                           ss_real *work);
/* dweight = beta*dweight + dy^T im2col(x) */
void ss_conv_backward_weight(const ss_window *g, size_t n, const ss_real *x, const ss_real *dy, double beta,
                             ss_real *dweight, ss_real *work);

/* ---- pooling ---------------------------------------------------------------------------------------------------- */
/* The maximum of each window and where it stood: argmax holds, per output, the offset of the winner within its example's
 * (h,w,c) block. Ties go to the first in scan order; padding never wins. */
void ss_max_pool(const ss_window *g, size_t n, const ss_real *x, ss_real *y, uint32_t *argmax);
void ss_max_pool_gather(const ss_window *g, size_t n, const ss_real *x, const uint32_t *argmax, ss_real *y); /* y = x[argmax] */
void ss_max_pool_scatter(const ss_window *g, size_t n, const ss_real *dy, const uint32_t *argmax, double beta, ss_real *dx);
/* Mean over the window; padding counts as zeros (PyTorch's count_include_pad). */
void ss_average_pool(const ss_window *g, size_t n, const ss_real *x, ss_real *y);
void ss_average_pool_scatter(const ss_window *g, size_t n, const ss_real *dy, double beta, ss_real *dx);

/* ---- Lanczos: the largest algebraic eigenvalues of a symmetric operator ------------------------------------------- */
/* Hv = H v; both (n). Must be the same linear function at every call. Non-zero stops the solver (interrupt, error). */
typedef int ss_operator(void *ctx, const ss_real *v, ss_real *hv, ss_error *error);

typedef struct ss_lanczos_options {
    int k;                                   /* eigenpairs wanted, largest algebraic first; >= 1, at most n */
    double tolerance;                        /* on ||Hu - lambda u|| / |lambda|, ||u|| = 1 */
    int max_products;                        /* limit on Hv; reaching it is an outcome, not an error */
    int basis;                               /* vectors kept before a thick restart; 0: a default >= 2k + 20 */
    uint64_t seed;                           /* of the start vector */
    double risk;                             /* probability that `upper` fails, 0 < risk < 1; 0: no bound is asked for */
    ss_keeper *keeper;                       /* is offered the state before every product and when the operator stops the
                                                solver, and gives back an earlier one: then the result is bit for bit that of
                                                an unbroken run with the same options. NULL: none */
} ss_lanczos_options;

typedef struct ss_lanczos_result {
    int k;                                   /* pairs found: min(k, n) */
    double *eigenvalue;                      /* (k) Rayleigh quotients u'Hu, descending; NaN where no product was left for
                                                one, and everywhere if a product was not finite */
    double *residual;                        /* (k) ||Hu - lambda u|| / |lambda|, from an explicit product with u */
    ss_real *eigenvector;                    /* (k, n) unit norm */
    double upper;                            /* the largest eigenvalue lies below this with probability >= 1 - risk over
                                                start vectors (van Dorsselaer, Hochstenbach & van der Vorst 2000): what a
                                                residual alone cannot say, that nothing larger was missed. NaN: none */
    int n_products;                          /* Hv spent, the certificate's own included */
    bool converged;                          /* every residual <= tolerance; an eigenvalue that is zero to working precision
                                                (|lambda| and ||Hu - lambda u|| <= 64 epsilon ||H||) counts as well */
} ss_lanczos_result;

/* Returns 0 (converged or not), -1 with `error` (memory), or the operator's own non-zero value. The result is owned by
 * the caller: ss_lanczos_finish frees it (a zeroed result is fine). */
int ss_lanczos(ss_operator *op, void *ctx, size_t n, const ss_lanczos_options *options, ss_lanczos_result *result,
               ss_error *error);
void ss_lanczos_finish(ss_lanczos_result *result);

#endif
