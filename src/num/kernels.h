/* kernels.h - inside num: the inner loops, compiled once per instruction set and chosen when the program is loaded.
 * Every file kernel_*.c is built as x86-64 (base: any other processor's too), x86-64-v3 (AVX2, FMA) and x86-64-v4 (AVX-512).
 * v3 and v4 give the same bits: a result is one fixed sequence of operations, contracted to FMA in both, and sums over a
 * vector run in a fixed number of lanes, never the machine's. base has no FMA and rounds differently.
 * The environment variable SHARPSWEEP_ISA (base, v3, v4) asks for a lower one. */
#ifndef SHARPSWEEP_NUM_KERNELS_H
#define SHARPSWEEP_NUM_KERNELS_H

#include "sharpsweep/num.h"

/* C (m,n) = op(A) op(B) + from, where `from` is nothing (NULL), C itself or one row added to every row. */
typedef struct gemm_call {
    size_t m, n, k;
    const ss_real *a, *b;
    size_t lda, ldb, ldc;
    bool ta, tb;                  /* stored transposed: A as (k,m), B as (n,k) */
    const ss_real *from;
    size_t ld_from;               /* ldc for C, 0 for one row */
    ss_real *c;
} gemm_call;

/* Winograd's tiles first .. first+n-1 of images (h, w, ld), of whose channels c from a pointer on are taken: tile (i,j) begins
 * at row 4i - pad, column 4j - pad. Element (k, tile, channel) of the planes stands at k * plane + tile * c + channel. */
typedef struct wino_tiles { int h, w, pad; size_t ld, c, across, per_image, first, n, plane; } wino_tiles;
/* A block of the transformed weights: U_k (rows, columns) at k * plane, of input channels x output channels. */
typedef struct wino_weights { size_t c, out_c, row, rows, column, columns, plane; } wino_weights;

typedef struct ss_kernels {
    const char *isa;
#define K(name, args) void (*name) args;
#include "kernels.def"
#undef K
} ss_kernels;

extern const ss_kernels *ss_kernel;
size_t ss_kernels_list(const ss_kernels *list[3]); /* those that this processor can run, best first */

#define SS_JOIN_TOO(a, b) a##_##b
#define SS_JOIN(a, b) SS_JOIN_TOO(a, b)
#define SS_TEXT_OF_TOO(a) #a
#define SS_TEXT_OF(a) SS_TEXT_OF_TOO(a)

#ifdef SS_VARIANT /* in a kernel's own file */
#define KERNEL(name) SS_JOIN(ss_kernel_##name, SS_VARIANT)
#define K(name, args) void KERNEL(name) args;
#include "kernels.def"
#undef K
#endif

#endif
