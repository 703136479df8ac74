/* dispatch.c - which instruction set's kernels run here. Decided once, before main. */
#include "kernels.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern const ss_kernels ss_kernels_base;
#ifdef SS_HAVE_V3
extern const ss_kernels ss_kernels_v3;
#endif
#ifdef SS_HAVE_V4
extern const ss_kernels ss_kernels_v4;
#endif

const ss_kernels *ss_kernel = &ss_kernels_base;

/* Best first. cpuid tells what the processor has, xgetbv (which the builtin asks too) what the system saves. */
size_t ss_kernels_list(const ss_kernels *list[3])
{
    size_t n = 0;
#if defined(SS_HAVE_V3) || defined(SS_HAVE_V4)
    __builtin_cpu_init();
    bool v3 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2");
#endif
#ifdef SS_HAVE_V4
    if (v3 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512cd") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
        list[n++] = &ss_kernels_v4;
#endif
#ifdef SS_HAVE_V3
    if (v3) list[n++] = &ss_kernels_v3;
#endif
    list[n++] = &ss_kernels_base;
    return n;
}

/* Asking for what the processor does not have, or for an unknown name, gets the best there is. */
__attribute__((constructor)) static void choose(void)
{
    const ss_kernels *list[3];
    size_t n = ss_kernels_list(list);
    const char *wanted = getenv("SHARPSWEEP_ISA");
    ss_kernel = list[0];
    for (size_t i = 0; wanted && i < n; i++)
        if (strcmp(wanted, list[i]->isa) == 0) ss_kernel = list[i];
}

const char *ss_kernels_describe(void)
{
    return ss_kernel->isa;
}
