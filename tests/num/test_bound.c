/* The probabilistic upper bound: its coverage over start vectors on diagonal matrices whose spectrum is known, hard ones
 * included, at few and at many products; and that it closes in on the eigenvalue as the tolerance does. */
#include "../suite.h"

#include <math.h>

#include "../../src/num/bound.h"
#include "fixture.h"

enum { N = 200 };

static int diagonal(void *ctx, const ss_real *v, ss_real *hv, ss_error *error)
{
    (void)error;
    const double *d = ctx;
    for (size_t i = 0; i < N; i++) hv[i] = (ss_real)(d[i] * (double)v[i]);
    return 0;
}

static double uniform(size_t i) { return (double)(i + 1) / N; }
static double isolated(size_t i) { return i == 17 ? 10 : 0.001 * (double)(i % 50); }
static double tiny_gaps(size_t i) { return 1 - 1e-7 * (double)i; }
static double clustered_top(size_t i) { return i < 6 ? 5 + 1e-4 * (double)i : 0.01 * (double)i; }
static double negative_outliers(size_t i) { return i < 3 ? -100 - (double)i : 0.005 * (double)i; }
static double all_negative(size_t i) { return -1 - (double)i; }

static const struct spectrum { const char *name; double (*value)(size_t i); } spectra[] = {
    {"uniform", uniform}, {"isolated", isolated}, {"tiny gaps", tiny_gaps}, {"clustered top", clustered_top},
    {"negative outliers", negative_outliers}, {"all negative", all_negative},
};
enum { N_SPECTRA = sizeof spectra / sizeof *spectra };

static double fill(const struct spectrum *s, double *d)
{
    double top = -INFINITY;
    for (size_t i = 0; i < N; i++) {
        d[i] = (double)(ss_real)s->value(i);
        if (d[i] > top) top = d[i];
    }
    return top;
}

static double upper_of(double *d, int max_products, double tolerance, double risk, uint64_t seed, double *lambda)
{
    ss_error error;
    ss_lanczos_result r = {0};
    ss_lanczos_options o = {.k = 1, .tolerance = tolerance, .max_products = max_products, .seed = seed, .risk = risk};
    CU_ASSERT_FATAL(ss_lanczos(diagonal, d, N, &o, &r, &error) == 0);
    double upper = r.upper;
    *lambda = r.eigenvalue[0];
    ss_lanczos_finish(&r);
    return upper;
}

/* At most risk of the start vectors may give a bound below the largest eigenvalue: 4 standard deviations of slack, and
 * rounding of the products relative to the spectrum's size. */
static void coverage(void)
{
    static const int products[] = {2, 4, 8, 16};
    static const double risks[] = {0.2, 0.02};
    enum { STARTS = 500 };
    for (size_t i = 0; i < N_SPECTRA; i++)
        for (size_t p = 0; p < 4; p++)
            for (size_t k = 0; k < 2; k++) {
                double d[N], top = fill(&spectra[i], d), lambda, risk = risks[k];
                double rounding = by_precision(1e-5, 1e-12) * fmax(fabs(top), 100);
                int missed = 0;
                for (uint64_t seed = 0; seed < STARTS; seed++)
                    missed += !(upper_of(d, products[p], 1e-14, risk, seed, &lambda) >= top - rounding);
                double most = risk * STARTS + 4 * sqrt(risk * (1 - risk) * STARTS);
                if (missed > most)
                    fprintf(stderr, "\n    %s, %d products: %d of %d bounds failed at risk %g\n", spectra[i].name, products[p],
                            missed, STARTS, risk);
                CU_ASSERT(missed <= most);
            }
}

/* Warm starts: wherever the given vector lies, chosen against the bound or not, its random part keeps the promise. */
static void coverage_of_warm_starts(void)
{
    static const double toward_top[] = {0, 1, -1, 0.3, -1e-2, 1e-3}; /* the given vector's component along the top */
    enum { STARTS = 300 };
    for (size_t i = 0; i < N_SPECTRA; i++)
        for (size_t t = 0; t < sizeof toward_top / sizeof *toward_top; t++)
            for (int products = 1; products <= 8; products *= 2) {
                double d[N], top = fill(&spectra[i], d), risk = 0.1, rounding = by_precision(1e-5, 1e-12) * fmax(fabs(top), 100);
                ss_real start[N] = {0};
                int missed = 0;
                size_t at = 0;
                while (d[at] < top) at++;
                start[at] = (ss_real)toward_top[t];
                start[(at + 1) % N] = (ss_real)sqrt(1 - toward_top[t] * toward_top[t]);
                for (uint64_t check = 0; check < STARTS; check++) {
                    ss_error error;
                    ss_lanczos_result r = {0};
                    ss_lanczos_options o = {.k = 1, .tolerance = 1e-14, .max_products = products, .check = check,
                                            .start = start, .risk = risk};
                    CU_ASSERT_FATAL(ss_lanczos(diagonal, d, N, &o, &r, &error) == 0);
                    missed += !(r.upper >= top - rounding) && !isnan(r.upper);
                    ss_lanczos_finish(&r);
                }
                CU_ASSERT(missed <= risk * STARTS + 4 * sqrt(risk * (1 - risk) * STARTS));
            }
}

/* One step again, from a warm start: delta shrinks by the share. */
static void share_by_hand(void)
{
    ss_error error;
    ss_krylov k;
    CU_ASSERT_FATAL(ss_krylov_init(&k, 4, &error) == 0);
    ss_krylov_add(&k, 2, 0.5);
    SS_ASSERT_NEAR(ss_krylov_upper(&k, 3, 0.1, 0.4), 2 + 0.5 / (0.4 * 0.1), 1e-12, 0);
    SS_ASSERT_NEAR(ss_krylov_upper(&k, 1, 0.1, 0.4), 2 + 0.5 / 0.4, 1e-12, 0);
    /* On a circle the component is densest at its ends: cos of an angle within pi * risk of 0. */
    SS_ASSERT_NEAR(ss_krylov_upper(&k, 2, 0.1, 0.4), 2 + 0.5 / (0.4 * 0.5 * (1 - cos(acos(-1) * 0.1))), 1e-12, 0);
    CU_ASSERT(ss_krylov_upper(&k, 2, 0.1, 1) < ss_krylov_upper(&k, 2, 0.1, 0.999999));
    ss_krylov_finish(&k);
}

/* With one step the bound is explicit: p_1(t) = (t - alpha) / beta, so it is alpha + beta / delta. For n = 3 a component
 * is uniform in [-1, 1] (Archimedes): delta = risk exactly. */
static void one_step_by_hand(void)
{
    ss_error error;
    ss_krylov k;
    CU_ASSERT_FATAL(ss_krylov_init(&k, 4, &error) == 0);
    CU_ASSERT(isnan(ss_krylov_upper(&k, 3, 0.1, 1)));
    ss_krylov_add(&k, 2, 0.5);
    SS_ASSERT_NEAR(ss_krylov_upper(&k, 3, 0.1, 1), 2 + 0.5 / 0.1, 1e-12, 0);
    SS_ASSERT_NEAR(ss_krylov_upper(&k, 1, 0.1, 1), 2.5, 1e-12, 0);
    ss_krylov_finish(&k);
    ss_krylov_init(&k, 4, &error);
    ss_krylov_add(&k, 2, 1);
    ss_krylov_add(&k, 2, 0); /* exhausted: the eigenvalues are those of [2 1; 1 2] */
    SS_ASSERT_NEAR(ss_krylov_upper(&k, 50, 0.1, 1), 3, 1e-12, 0);
    ss_krylov_finish(&k);
}

/* Above the estimate always, and close to it once that has converged well. */
static void closes_in(void)
{
    double d[N], top = fill(&spectra[1], d), lambda;
    double loose = upper_of(d, 100, 1e-1, 1e-3, 1, &lambda), close = upper_of(d, 100, by_precision(1e-5, 1e-10), 1e-3, 1, &lambda);
    CU_ASSERT(loose >= top * (1 - 1e-6) && close >= top * (1 - 1e-6));
    CU_ASSERT(close <= loose);
    SS_ASSERT_NEAR(close, top, by_precision(2e-3, 1e-5), 0);
    CU_ASSERT(isnan(upper_of(d, 100, 1e-3, 0, 1, &lambda)));
}

static const ss_case cases[] = {{"coverage", coverage}, {"coverage of warm starts", coverage_of_warm_starts},
                                {"the share by hand", share_by_hand}, {"one step by hand", one_step_by_hand}, {"closes in", closes_in}};
SS_SUITE("num bound", cases)
