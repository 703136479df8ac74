/* cblas.h - MKL's, and the three names of OpenBLAS that the program calls. */
#ifndef SHARPSWEEP_FOREIGN_CBLAS_H
#define SHARPSWEEP_FOREIGN_CBLAS_H
#include <mkl_cblas.h>
#include <mkl_service.h>

static inline void openblas_set_num_threads(int n)
{
    mkl_set_num_threads(n);
}

static inline const char *openblas_get_config(void)
{
    static char text[256];
    if (!text[0]) mkl_get_version_string(text, (int)sizeof text);
    return text;
}

static inline const char *openblas_get_corename(void)
{
    return "what MKL chooses";
}

#endif
