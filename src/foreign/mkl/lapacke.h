/* lapacke.h - MKL's. */
#include <mkl_lapacke.h>
