/* fixture.h - what the tests of num share: random vectors, and the tolerance of the precision they are built in. */
#ifndef SHARPSWEEP_TESTS_NUM_FIXTURE_H
#define SHARPSWEEP_TESTS_NUM_FIXTURE_H

#include "sharpsweep/num.h"

static inline double by_precision(double in_float, double in_double)
{
    return sizeof(ss_real) == sizeof(double) ? in_double : in_float;
}

/* n normal numbers; a different `what` gives different ones. */
static inline ss_real *random_vector(size_t n, uint32_t what)
{
    ss_real *x = ss_alloc(n, sizeof *x);
    ss_stream stream = ss_stream_make(7, SS_FOR_TEST, 0, what);
    for (size_t i = 0; x && i < n; i++) x[i] = (ss_real)ss_stream_normal(&stream, i);
    return x;
}

#endif
