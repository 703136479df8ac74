/* A matrix that changes from check to check, each check starting where the last one said to look: the value must be that of
 * whichever eigenvector is the first by then, and cost less than from random starts. */
#include "suite.h"

#include "fixture.h"

#include <math.h>
#include <string.h>

enum { N = 40000, CHECKS = 30, SEEDS = 3 };

typedef struct spectrum { const char *name; void (*at)(int check, double *d); } spectrum;

static int diagonal(void *ctx, const ss_real *v, ss_real *hv, ss_error *error)
{
    (void)error;
    const double *d = ctx;
    for (size_t i = 0; i < N; i++) hv[i] = (ss_real)(d[i] * (double)v[i]);
    return 0;
}

/* As of a network: most eigenvalues near zero, a few outliers, of which the first is at 20. */
static void background(double *d)
{
    for (size_t i = 0; i < N; i++) d[i] = 2e-4 * (double)(i * 7919 % 1000) - 0.06;
    for (size_t i = 0; i < 8; i++) d[10 + i] = 2 + 0.8 * (double)i;
    d[0] = 20;
}

static void slow_crossing(int check, double *d) { d[1] = 20 + 0.05 * (check - 10); }
static void crossing(int check, double *d) { d[1] = 20 + 0.5 * (check - 10); }
static void three(int check, double *d) { d[1] = 20 + 0.1 * (check - 8), d[2] = 20 + 0.2 * (check - 16); }
static void out_of_the_rest(int check, double *d) { d[1] = check > 5 ? 5 * (check - 5) : 0.1; }
static void nothing_changes(int check, double *d) { (void)check, (void)d; }

static const spectrum spectra[] = {{"a slow crossing", slow_crossing}, {"a crossing", crossing}, {"three of them", three},
                                   {"out of the rest", out_of_the_rest}, {"nothing changes", nothing_changes}};
enum { N_SPECTRA = sizeof spectra / sizeof *spectra };

static double largest(const double *d)
{
    double top = d[0];
    for (size_t i = 1; i < N; i++) top = fmax(top, d[i]);
    return top;
}

static int solve(double *d, const ss_lanczos_options *o, double *value)
{
    ss_lanczos_result r;
    CU_ASSERT_FATAL(ss_lanczos(diagonal, d, N, o, &r, NULL) == 0);
    CU_ASSERT(r.converged);
    *value = r.eigenvalue[0];
    int products = r.n_products;
    ss_lanczos_finish(&r);
    return products;
}

/* A residual of at most 1e-3 leaves that much of an error, and no more. */
static void follow(const spectrum *s, int k)
{
    double *d = ss_alloc(N, sizeof *d);
    ss_real *place = ss_alloc(N, sizeof *place);
    int warm = 0, cold = 0, wrong = 0;
    for (uint64_t seed = 0; seed < SEEDS; seed++)
        for (int check = 0; check < CHECKS; check++) {
            double value, again;
            ss_lanczos_options o = {.k = k, .tolerance = 1e-3, .max_products = 200, .seed = seed, .check = (uint64_t)check};
            background(d);
            s->at(check, d);
            cold += solve(d, &o, &again);
            o.start = check > 0 ? place : NULL;
            o.next = place;
            warm += solve(d, &o, &value);
            wrong += !(fabs(value / largest(d) - 1) <= 1e-3);
        }
    if (wrong) printf("\n    %s, k %d: %d of %d checks are wrong\n", s->name, k, wrong, SEEDS * CHECKS);
    CU_ASSERT_EQUAL(wrong, 0);
    CU_ASSERT(warm < cold);
    ss_free(d);
    ss_free(place);
}

static void test_changes(void)
{
    for (size_t i = 0; i < N_SPECTRA; i++)
        for (int k = 1; k <= 2; k++) follow(&spectra[i], k);
}

/* Of few products and of small matrices there is always something to hand on; of a broken one nothing. */
static int broken(void *ctx, const ss_real *v, ss_real *hv, ss_error *error)
{
    (void)ctx, (void)v, (void)error;
    for (size_t i = 0; i < 3; i++) hv[i] = (ss_real)NAN;
    return 0;
}

static int identity(void *ctx, const ss_real *v, ss_real *hv, ss_error *error)
{
    (void)ctx, (void)error;
    memcpy(hv, v, 3 * sizeof *hv);
    return 0;
}

static void test_small(void)
{
    for (int products = 1; products <= 6; products++) {
        ss_real place[3] = {0, 0, 0};
        ss_lanczos_result r;
        ss_lanczos_options o = {.k = 1, .tolerance = 1e-3, .max_products = products, .next = place};
        CU_ASSERT_FATAL(ss_lanczos(identity, NULL, 3, &o, &r, NULL) == 0);
        double norm = ss_norm(3, place);
        CU_ASSERT(isfinite(norm) && norm > 0.5);
        ss_lanczos_finish(&r);
        place[0] = 5;
        CU_ASSERT_FATAL(ss_lanczos(broken, NULL, 3, &o, &r, NULL) == 0);
        CU_ASSERT(place[0] == 5);
        ss_lanczos_finish(&r);
    }
}

static const ss_case cases[] = {{"an eigenvector that overtakes the first is found", test_changes}, {"small ones", test_small}};

SS_SUITE("num/tracking", cases)
