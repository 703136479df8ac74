/* kernel_table.c - one instruction set's kernels, as a table. */
#include "kernels.h"

extern const ss_kernels SS_JOIN(ss_kernels, SS_VARIANT);

const ss_kernels SS_JOIN(ss_kernels, SS_VARIANT) = {
    .isa = SS_TEXT_OF(SS_VARIANT),
#define K(name, args) .name = KERNEL(name),
#include "kernels.def"
#undef K
};
