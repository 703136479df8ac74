/* num.h - floor 1: dense linear algebra, convolution and pooling kernels, Lanczos. Knows no network.
 * Matrices are row-major. Images are NHWC: (examples, height, width, channels). Reductions run in double and in a fixed
 * order, so that the same input gives the same bits whatever else runs. The only folder that includes cblas. */
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
double ss_norm_sum(size_t n, const ss_real *x, double a, const ss_real *y);  /* of x + a y */
/* A step of gradient descent: d = g + weight_decay w; with momentum v = momentum v + d, then d = v, or with nesterov
 * d + momentum v; w -= learning_rate d. *norm (NULL: not wanted) = ||g||; returns whether all of w is finite. v: NULL
 * without momentum. */
typedef struct ss_descent { double learning_rate, momentum, weight_decay; bool nesterov; } ss_descent;
bool ss_descend(size_t n, const ss_descent *d, const ss_real *g, ss_real *w, ss_real *v, double *norm);
/* out = w + factor (g + decay w): where SAM looks, rounded once. */
void ss_ascend(size_t n, const ss_real *g, double decay, double factor, const ss_real *w, ss_real *out);

/* ---- elements (n); `add`: out += what else is out = ------------------------------------------------------------------ */
void ss_relu(size_t n, const ss_real *x, ss_real *y);                        /* NaN stays; y may be x */
void ss_relu_gate(size_t n, const ss_real *y, const ss_real *in, bool add, ss_real *out); /* in where y > 0, else 0; out may
                                                                                be in */
void ss_add(size_t n, const ss_real *a, const ss_real *b, bool relu, ss_real *y); /* y = a + b, or its ReLU; y may be b */
void ss_mask(size_t n, const ss_real *mask, const ss_real *in, bool add, ss_real *out); /* mask in */
/* mask from numbers 4 first .. of the stream: 0 with probability p, else 1/(1-p). */
void ss_dropout_mask(const ss_stream *stream, uint64_t first, size_t n, double p, ss_real *mask);
void ss_tanh(size_t n, const ss_real *x, ss_real *y);
void ss_gelu(size_t n, const ss_real *x, ss_real *y);                        /* x Phi(x) */
/* out = f'(x) a + f''(x) b c, y = f(x); b and c NULL: the first term alone. */
typedef struct ss_slope { size_t n; const ss_real *x, *y, *a, *b, *c; bool add; ss_real *out; } ss_slope;
void ss_tanh_slope(const ss_slope *s);
void ss_gelu_slope(const ss_slope *s);
/* log sum exp z - z[label], summed over n rows of k <= 1024 logits; scale times its gradient; scale times the gradient's
 * derivative along tz. Probabilities in double. */
double ss_cross_entropy(size_t n, size_t k, const ss_real *z, const uint8_t *label);
void ss_cross_entropy_delta(size_t n, size_t k, const ss_real *z, const uint8_t *label, double scale, ss_real *dy);
void ss_cross_entropy_tangent(size_t n, size_t k, const ss_real *z, const ss_real *tz, double scale, ss_real *tdy);

/* ---- matrices --------------------------------------------------------------------------------------------------- */
typedef enum ss_transpose { SS_NO_TRANSPOSE, SS_TRANSPOSE } ss_transpose;
/* C (m,n) = alpha op(A) op(B) + beta C, op(A) (m,k), op(B) (k,n); ld* are row lengths as stored. Any of m, n, k may be 0.
 * An element's bits depend on its row of A, its column of B and k alone: not on m, n, threads or the other elements. */
void ss_gemm(ss_transpose ta, ss_transpose tb, size_t m, size_t n, size_t k, double alpha, const ss_real *a, size_t lda,
             const ss_real *b, size_t ldb, double beta, ss_real *c, size_t ldc);
/* C = op(A) op(B) + the same row (n), NULL for none, in every row of C; k > 0. */
void ss_gemm_row(ss_transpose ta, ss_transpose tb, size_t m, size_t n, size_t k, const ss_real *a, size_t lda,
                 const ss_real *b, size_t ldb, const ss_real *row, ss_real *c, size_t ldc);
/* ss_gemm by the BLAS library, whose bits depend on its version, processor and thread count: `numerics: exact`. */
void ss_gemm_blas(ss_transpose ta, ss_transpose tb, size_t m, size_t n, size_t k, double alpha, const ss_real *a, size_t lda,
                  const ss_real *b, size_t ldb, double beta, ss_real *c, size_t ldc);
/* Sums over rows of x (rows, columns) into sum (columns), in double; with y: sums of x*y. */
void ss_column_sums(size_t rows, size_t columns, const ss_real *x, const ss_real *y, double *sum);
/* y (rows, columns) += row vector b (columns), to every row. */
void ss_add_row(size_t rows, size_t columns, const ss_real *b, ss_real *y);
void ss_column_moments(size_t rows, size_t columns, const ss_real *x, double *mean, double *variance); /* population's */

/* ---- batch norm: y = gain xhat + bias down every column, then ReLU if `relu`; its gate is worked out again from xhat ---- */
typedef struct ss_norm_data { size_t rows, columns; const ss_real *gain, *bias; ss_real *xhat; bool relu; } ss_norm_data;
/* xhat = (x - mean) scale, which may replace x, and y. */
void ss_norm_forward(const ss_norm_data *b, const ss_real *mean, const ss_real *scale, const ss_real *x, ss_real *y);
/* Sums (columns each, double) of d and d xhat, d = dy behind the gate; with !gate, of dy itself. The second: of d, d xhat,
 * t = tdy behind the gate, t xhat, and d tx (tx NULL: 0). */
void ss_norm_sums(const ss_norm_data *b, bool gate, const ss_real *dy, double *sum, double *sum_xhat);
void ss_norm_second_sums(const ss_norm_data *b, const ss_real *dy, const ss_real *tdy, const ss_real *tx, double *sum5);
/* k: rows of per-column factors. dx = k0 + k1 xhat + k2 d;  ty = k0 + k1 xhat + k2 tx, behind the gate;
 * tdx = k0 + k1 xhat + k2 d + k3 t + k4 tx. tx NULL: no such term. */
void ss_norm_backward(const ss_norm_data *b, const ss_real *k, const ss_real *dy, bool add, ss_real *dx);
void ss_norm_tangent(const ss_norm_data *b, const ss_real *k, const ss_real *tx, ss_real *ty);
void ss_norm_second_backward(const ss_norm_data *b, const ss_real *k, const ss_real *dy, const ss_real *tdy,
                             const ss_real *tx, bool add, ss_real *tdx);
int ss_blas_reserve(ss_error *error);        /* before the first of these products: is there the memory that they need? */
const char *ss_blas_describe(void);          /* e.g. "OpenBLAS 0.3.21 ... Haswell" */
const char *ss_kernels_describe(void);       /* instruction set of our own kernels here: "base", "v3", "v4" (x86-64-v3, ...) */

/* ---- threads: for points too large for one core. Results do not depend on their number. ------------------------------ */
void ss_threads_set(int n);                  /* 1 at the start; without OpenMP always 1 */
int ss_threads(void);
void ss_parallel(size_t n, void (*piece)(void *ctx, size_t i), void *ctx); /* piece(ctx, 0 .. n-1), in any order */
/* n items of `size` elements each, all alike and independent: range(ctx, first item, items) over runs of them; one run of all
 * where there are few elements, or one thread. */
void ss_parallel_ranges(size_t n, size_t size, void (*range)(void *ctx, size_t first, size_t items), void *ctx);

/* ---- convolution: by im2col in tiles of output lines and GEMM; position by position where images are tiny; or, for 3x3
 * with stride 1 and enough channels and tiles, by Winograd's F(4x4, 3x3). The choice is a function of the window and n
 * alone; the window can ask for `exact`: im2col and the BLAS library. ------------------------------------------------ */
typedef struct ss_window {                   /* geometry of a convolution or pooling window */
    int h, w, c;                             /* input (h, w, c) */
    int out_h, out_w, out_c;                 /* output; pooling has out_c == c */
    int kernel, stride, padding;             /* square */
    bool exact;                              /* convolution: by the BLAS library's GEMM, never by Winograd's algorithm */
} ss_window;
/* floor((size + 2 padding - kernel) / stride) + 1, or 0 where the kernel does not fit. */
int ss_window_out(int size, int kernel, int stride, int padding);
size_t ss_conv_work(const ss_window *g);     /* ss_real elements of `work` that the calls below need */
/* How convolutions of this window are computed, n examples at a time: "im2col", "position", "winograd". */
const char *ss_conv_method(const ss_window *g, size_t n);
/* One term of a sum of convolutions; each pass reads two of the three. x (n,h,w,c), weight (kernel, kernel, c, out_c),
 * dy (n,out_h,out_w,out_c). One term or two: derivatives along a direction are sums of two, and share what they can. */
typedef struct ss_factors { const ss_real *x, *weight, *dy; } ss_factors;
/* y = sum over terms of conv(x, weight) + bias (out_c, NULL for none) at every position */
void ss_conv_forward(const ss_window *g, size_t n, size_t n_terms, const ss_factors *f, const ss_real *bias, ss_real *y,
                     ss_real *work);
/* dx = beta*dx + sum over terms of conv^T(dy, weight), beta 0 or 1 */
void ss_conv_backward_data(const ss_window *g, size_t n, size_t n_terms, const ss_factors *f, double beta, ss_real *dx,
                           ss_real *work);
/* dweight = sum over terms of im2col(x)^T dy */
void ss_conv_backward_weight(const ss_window *g, size_t n, size_t n_terms, const ss_factors *f, ss_real *dweight,
                             ss_real *work);

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

typedef struct ss_lanczos_work ss_lanczos_work; /* the solver's vectors, for calls one after the other */
typedef struct ss_lanczos_options {
    int k;                                   /* eigenpairs wanted, largest algebraic first; >= 1, at most n */
    double tolerance;                        /* on ||Hu - lambda u|| / |lambda|, ||u|| = 1 */
    bool by_norm;                            /* and the residuals that are told: relative to the largest ||Hv||, ||v|| = 1, that
                                                was seen instead, for eigenvalues near 0; that approaches ||H|| from below */
    int max_products;                        /* limit on Hv; reaching it is an outcome, not an error */
    int basis;                               /* vectors kept before a thick restart; 0: a default >= 2k + 20 */
    uint64_t seed, check;                    /* of the random vectors. Checks that start from one another's vectors are told
                                                apart by `check`, so that each draws its own */
    const ss_real *start;                    /* (n) where to look, any length: the start is 0.9 of its direction and 0.44 of a
                                                random one; NULL: random alone. An eigenvector that `start` has nothing of may
                                                be missed: its share of the random part is 1/sqrt(n) */
    ss_real *next;                           /* (n) gets the start for a matrix near this one: the k + 2 leading Ritz vectors in
                                                equal parts, among which the first may then change. It may be `start`; it stays
                                                as it is where a product was not finite. NULL: not wanted */
    double risk;                             /* probability that `upper` fails, 0 < risk < 1; 0: no bound is asked for */
    ss_lanczos_work *work;                   /* one that fits n, k and basis; NULL: the call makes its own */
    ss_keeper *keeper;                       /* is offered the state before every product and when the operator stops the
                                                solver, and gives back an earlier one: then the result is bit for bit that of
                                                an unbroken run with the same options. NULL: none */
} ss_lanczos_options;

typedef struct ss_lanczos_result {
    int k;                                   /* pairs found: min(k, n) */
    double *eigenvalue;                      /* (k) Rayleigh quotients u'Hu, descending; NaN where no product was left for
                                                one, and everywhere if a product was not finite */
    double *residual;                        /* (k) ||Hu - lambda u|| / |lambda|, Hu combined from the products that u was made
                                                of, rounding allowed for; or, where that is not small, from a product with u */
    ss_real *eigenvector;                    /* (k, n) unit norm */
    double upper;                            /* the largest eigenvalue lies below this with probability >= 1 - risk over
                                                start vectors (van Dorsselaer, Hochstenbach & van der Vorst 2000): what a
                                                residual alone cannot say, that nothing larger was missed. NaN: none */
    int n_products;                          /* Hv spent, those of certificates included */
    bool converged;                          /* every residual <= tolerance; an eigenvalue that is zero to working precision
                                                (|lambda| and ||Hu - lambda u|| <= 64 epsilon ||H||) counts as well */
} ss_lanczos_result;

/* Returns 0 (converged or not), -1 with `error` (memory), or the operator's own non-zero value. The result is owned by
 * the caller: ss_lanczos_finish frees it (a zeroed result is fine). */
int ss_lanczos(ss_operator *op, void *ctx, size_t n, const ss_lanczos_options *options, ss_lanczos_result *result,
               ss_error *error);
void ss_lanczos_finish(ss_lanczos_result *result);
ss_lanczos_work *ss_lanczos_work_create(size_t n, const ss_lanczos_options *options, ss_error *error);
void ss_lanczos_work_destroy(ss_lanczos_work *work);
bool ss_lanczos_work_fits(const ss_lanczos_work *work, size_t n, const ss_lanczos_options *options);
/* Nodes (eigenvalue estimates, ascending) and weights (sum 1) of the Gauss quadrature that `steps` Lanczos steps from start
 * (n, not zero) give; both (steps). *found <= min(steps, n): fewer where the Krylov space is exhausted, whereupon they are
 * exact; 0 where a product was not finite. One product a node. Returns as ss_lanczos. */
int ss_lanczos_quadrature(ss_operator *op, void *ctx, size_t n, const ss_real *start, size_t steps, double *node,
                          double *weight, size_t *found, ss_error *error);

#endif
