/* measures.h - one measure at a setup's point, and its witnesses: dense matrices, gradients, data sets cut by hand. */
#ifndef SHARPSWEEP_TESTS_SHARP_MEASURES_H
#define SHARPSWEEP_TESTS_SHARP_MEASURES_H

#include "sharpsweep/measure.h"

#include "../suite.h"
#include "../lapack.h"
#include "fixture.h"

#include <math.h>

static inline int measure_index(const char *name)
{
    for (int i = 0; i < SS_N_MEASURES; i++)
        if (strcmp(ss_measure_name(i), name) == 0) return i;
    fprintf(stderr, "no measure %s\n", name);
    abort();
}

static inline ss_measure_options measure_options(void)
{
    return (ss_measure_options){.seed = 5, .lanczos = {.k = 1, .tolerance = by_precision(1e-4, 1e-9), .max_products = 400,
                                                       .seed = 5}};
}

static inline ss_measures measure_spectrum(const setup *s, const ss_hessian_options *o, const ss_measure_options *mo,
                                           const char *name, ss_spectrum *spectrum)
{
    ss_error error = {{0}};
    ss_measures m;
    ss_hessian *h = hessian_make(s, o);
    ss_measurer *measurer = ss_measurer_create(h, s->net, s->data, mo, &error);
    ss_measures_init(&m);
    CU_ASSERT(ss_measure_wanted(mo, measure_index(name)));
    int rc = ss_measurer_run(measurer, measure_index(name), s->theta, s->stats, NULL, &m, spectrum, &error);
    if (rc != 0) fprintf(stderr, "\n    %s: %d, %s\n", name, rc, error.text);
    CU_ASSERT_EQUAL(rc, 0);
    ss_measurer_destroy(measurer);
    ss_hessian_destroy(h);
    return m;
}

static inline ss_measures measure(const setup *s, const ss_hessian_options *o, const ss_measure_options *mo,
                                  const char *name)
{
    return measure_spectrum(s, o, mo, name, NULL);
}

/* The data set with these training examples alone, standardised alike. Freed with part_drop. */
static inline ss_dataset part_of(const ss_dataset *all, const uint32_t *index, uint32_t n)
{
    ss_dataset part = *all;
    size_t size = (size_t)all->h * (size_t)all->w * (size_t)all->c;
    part.train = (ss_split){n, ss_alloc(n, size), ss_alloc(n, 1)};
    for (uint32_t i = 0; i < n; i++) {
        memcpy(part.train.pixels + i * size, all->train.pixels + index[i] * size, size);
        part.train.labels[i] = all->train.labels[index[i]];
    }
    return part;
}

static inline void part_drop(ss_dataset *part)
{
    ss_free(part->train.pixels);
    ss_free(part->train.labels);
}

/* Eigenvalues ascending into w (p), eigenvectors in a's columns. */
static inline void dense_eigen(size_t p, double *a, double *w)
{
    for (size_t i = 0; i < p; i++)
        for (size_t j = 0; j < i; j++) a[i * p + j] = a[j * p + i] = 0.5 * (a[i * p + j] + a[j * p + i]);
    CU_ASSERT_EQUAL(lapack_eigen(p, a, w), 0);
}

/* Loss with the l2 term, and its gradient (p), of a Hessian at theta. */
static inline double objective(ss_hessian *h, const setup *s, double l2, const ss_real *theta, ss_real *g)
{
    ss_hessian_set(h, theta, s->stats);
    double loss = ss_hessian_loss(h, g);
    if (g) ss_axpy(s->p, l2, theta, g);
    return loss + 0.5 * l2 * ss_dot(s->p, theta, theta);
}

#endif
