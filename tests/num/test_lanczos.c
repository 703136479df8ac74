#include "suite.h"

#include "fixture.h"
#include "lapack.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- operators ---------------------------------------------------------------------------------------------------- */
typedef struct matrix {
    size_t n;
    double *diagonal;             /* either this */
    double *dense;                /* or (n,n) */
    int n_products;
    int stop_at, stop_with;       /* product number stop_at returns stop_with */
    int nan_at;                   /* product number nan_at holds a NaN */
} matrix;

static int multiply(void *ctx, const ss_real *v, ss_real *hv, ss_error *error)
{
    matrix *a = ctx;
    a->n_products++;
    if (a->n_products == a->stop_at) return a->stop_with < 0 ? ss_fail(error, "product %d", a->n_products) : a->stop_with;
    for (size_t i = 0; i < a->n; i++) {
        double sum = 0;
        if (a->diagonal) sum = a->diagonal[i] * (double)v[i];
        for (size_t j = 0; a->dense && j < a->n; j++) sum += a->dense[i * a->n + j] * (double)v[j];
        hv[i] = (ss_real)sum;
    }
    if (a->n_products == a->nan_at) hv[a->n / 2] = (ss_real)NAN;
    return 0;
}

static int descending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x < y) - (x > y);
}

/* ---- spectra ------------------------------------------------------------------------------------------------------ */
typedef double spectrum(size_t i, size_t n); /* eigenvalue i of n, in any order */

static double linear_spectrum(size_t i, size_t n) { (void)n; return (double)i; }
static double tiny_gap(size_t i, size_t n) { return i == 0 ? 1 + 1e-3 : (double)i / (double)n; }
static double clustered(size_t i, size_t n) { return i < 5 ? 10 + 1e-2 * (double)i : (double)i / (double)n; }
static double negative_outliers(size_t i, size_t n) { return i < 4 ? -1000 - (double)i : (double)i / (double)n; }
static double all_negative(size_t i, size_t n) { (void)n; return -1 - (double)i; }
static double triple(size_t i, size_t n) { return i < 3 ? 7 : (double)i / (double)n; }
static double pairs(size_t i, size_t n) { (void)n; return (double)(i / 2); }
static double identity(size_t i, size_t n) { (void)i; (void)n; return 3; }
static double zero(size_t i, size_t n) { (void)i; (void)n; return 0; }
static double one_positive(size_t i, size_t n) { (void)n; return i == 1 ? 5 : 0; }
static double negative_with_zeros(size_t i, size_t n) { return i < n / 2 ? 0 : -(double)i; }
static double geometric(size_t i, size_t n) { (void)n; return pow(0.9, (double)i); }
static double hessian_like(size_t i, size_t n)
{
    if (i < 9) return 50 / (double)(i + 1);
    return i == 9 ? -4 : 0.1 * sin((double)i) + 1e-6 * (double)n;
}

typedef struct row { spectrum *of; size_t n; int k, basis, max_products; double tolerance; } row;

static const row table[] = {
    {linear_spectrum, 1, 1, 0, 10, 1e-9}, {linear_spectrum, 2, 1, 0, 10, 1e-9}, {linear_spectrum, 2, 2, 0, 20, 1e-9},
    {linear_spectrum, 3, 3, 0, 20, 1e-9}, {linear_spectrum, 3, 7, 0, 20, 1e-9}, {linear_spectrum, 10, 10, 0, 60, 1e-9},
    {linear_spectrum, 200, 1, 0, 400, 1e-9}, {linear_spectrum, 200, 3, 0, 600, 1e-9},
    {linear_spectrum, 200, 3, 8, 2000, 1e-8},
    {linear_spectrum, 100, 1, 3, 2000, 1e-6}, {linear_spectrum, 100, 1, 100, 300, 1e-9},
    {linear_spectrum, 100, 1, 5000, 300, 1e-9},
    {tiny_gap, 300, 1, 0, 2000, 1e-8}, {tiny_gap, 300, 1, 10, 4000, 1e-6}, {clustered, 400, 1, 0, 2000, 1e-8},
    {clustered, 400, 5, 0, 3000, 1e-8}, {clustered, 400, 3, 9, 4000, 1e-7}, {negative_outliers, 250, 1, 0, 2000, 1e-6},
    {negative_outliers, 250, 2, 0, 3000, 1e-6}, {all_negative, 80, 1, 0, 500, 1e-9}, {all_negative, 80, 4, 0, 1000, 1e-9},
    {all_negative, 1, 1, 0, 5, 1e-9}, {triple, 100, 1, 0, 300, 1e-9}, {triple, 100, 2, 0, 500, 1e-9},
    {triple, 100, 3, 0, 500, 1e-9}, {triple, 100, 4, 0, 3000, 1e-8}, {pairs, 60, 5, 0, 3000, 1e-8},
    {pairs, 9, 9, 0, 100, 1e-9},
    {identity, 1, 1, 0, 5, 1e-12}, {identity, 50, 1, 0, 10, 1e-12}, {identity, 50, 6, 0, 100, 1e-12},
    {identity, 4, 4, 0, 100, 1e-12}, {zero, 1, 1, 0, 5, 1e-9}, {zero, 40, 1, 0, 10, 1e-9}, {zero, 40, 3, 0, 100, 1e-9},
    {one_positive, 60, 1, 0, 50, 1e-9}, {one_positive, 60, 3, 0, 200, 1e-9}, {negative_with_zeros, 50, 1, 0, 300, 1e-9},
    {negative_with_zeros, 50, 3, 0, 500, 1e-9}, {geometric, 150, 1, 0, 300, 1e-9}, {geometric, 150, 6, 0, 1000, 1e-9},
    {hessian_like, 3000, 1, 0, 300, 1e-9}, {hessian_like, 3000, 8, 0, 500, 1e-8}, {hessian_like, 3000, 1, 4, 500, 1e-6},
};

static double *make_spectrum(const row *r)
{
    double *d = ss_alloc(r->n, sizeof *d);
    for (size_t i = 0; i < r->n; i++) d[i] = r->of(i, r->n);
    return d;
}

/* At least ||A||: the largest sum of a row's sizes. */
static double norm_above(const matrix *a)
{
    double norm = 0;
    for (size_t i = 0; i < a->n; i++) {
        double sum = a->diagonal ? fabs(a->diagonal[i]) : 0;
        for (size_t j = 0; a->dense && j < a->n; j++) sum += fabs(a->dense[i * a->n + j]);
        norm = fmax(norm, sum);
    }
    return norm;
}

/* What holds of any result: unit eigenvectors, and a certificate that is true when it is worked out again: never better than
 * a product says, nor worse by more than the allowance for rounding. */
static void check_certificate(const matrix *a, const ss_lanczos_result *r, double tolerance)
{
    ss_real *hu = ss_alloc(a->n, sizeof *hu);
    matrix copy = *a;
    copy.stop_at = copy.nan_at = 0;
    double norm = norm_above(a), epsilon = by_precision(1.2e-7, 2.3e-16);
    double allowance = 8 * epsilon * norm * sqrt(1 + r->n_products), slack = by_precision(1e-6, 1e-14) * norm;
    for (int p = 0; p < r->k; p++) {
        ss_real *u = r->eigenvector + (size_t)p * a->n;
        SS_ASSERT_NEAR(ss_norm(a->n, u), 1, by_precision(1e-6, 1e-14), 1);
        multiply(&copy, u, hu, NULL);
        SS_ASSERT_NEAR(ss_dot(a->n, u, hu), r->eigenvalue[p], by_precision(1e-6, 1e-13), norm);
        ss_axpy(a->n, -r->eigenvalue[p], u, hu);
        double residual = ss_norm(a->n, hu), lambda = fabs(r->eigenvalue[p]);
        double said = r->residual[p] * lambda;
        CU_ASSERT(said >= 0.99 * residual - slack);
        CU_ASSERT(said <= 1.01 * hypot(residual, allowance) + slack);
        if (p > 0) CU_ASSERT(r->eigenvalue[p] <= r->eigenvalue[p - 1]);
        double zero_level = 64 * epsilon * norm;
        if (r->converged) CU_ASSERT(r->residual[p] <= tolerance || (lambda <= zero_level && residual <= 1.1 * zero_level));
        for (int q = 0; q < p; q++)
            CU_ASSERT(fabs(ss_dot(a->n, u, r->eigenvector + (size_t)q * a->n)) < by_precision(1e-3, 1e-4));
    }
    ss_free(hu);
}

static void test_spectra(void)
{
    for (size_t t = 0; t < sizeof table / sizeof *table; t++)
        for (uint64_t seed = 0; seed < 3; seed++) {
            const row *r = &table[t];
            double tolerance = fmax(r->tolerance, by_precision(1e-4, 0)), norm = 0;
            matrix a = {.n = r->n, .diagonal = make_spectrum(r)};
            ss_lanczos_options o = {.k = r->k, .tolerance = tolerance, .max_products = r->max_products, .basis = r->basis,
                                    .seed = seed};
            ss_lanczos_result got = {0};
            ss_error error = {{0}};
            int rc = ss_lanczos(multiply, &a, a.n, &o, &got, &error);
            CU_ASSERT_EQUAL(rc, 0);
            CU_ASSERT_EQUAL(got.n_products, a.n_products);
            CU_ASSERT(got.n_products <= r->max_products);
            CU_ASSERT_EQUAL(got.k, (int)r->n < r->k ? (int)r->n : r->k);
            if (!got.converged)
                fprintf(stderr, "\n    row %zu: not converged, %g residual %g, %d products\n", t, got.eigenvalue[0],
                        got.residual[0], got.n_products);
            CU_ASSERT(got.converged);
            check_certificate(&a, &got, tolerance);
            qsort(a.diagonal, a.n, sizeof(double), descending);
            norm = fmax(fabs(a.diagonal[0]), fabs(a.diagonal[a.n - 1]));
            for (int p = 0; p < got.k; p++) { /* a residual bounds the eigenvalue's error */
                double bound = tolerance * fabs(a.diagonal[p]) + by_precision(1e-5, 1e-13) * norm;
                if (!(fabs(got.eigenvalue[p] - a.diagonal[p]) <= bound))
                    fprintf(stderr, "\n    row %zu: eigenvalue %d is %.12g, not %.12g\n", t, p, got.eigenvalue[p],
                            a.diagonal[p]);
                CU_ASSERT(fabs(got.eigenvalue[p] - a.diagonal[p]) <= bound);
            }
            ss_lanczos_finish(&got);
            ss_free(a.diagonal);
        }
}

static void test_dense(void)
{
    static const size_t sizes[] = {1, 2, 5, 30, 120};
    for (size_t t = 0; t < sizeof sizes / sizeof *sizes; t++) {
        size_t n = sizes[t];
        matrix a = {.n = n, .dense = ss_alloc(n * n, sizeof(double))};
        ss_stream stream = ss_stream_make(3, SS_FOR_TEST, n, 0);
        for (size_t i = 0; i < n; i++)
            for (size_t j = 0; j <= i; j++) a.dense[i * n + j] = a.dense[j * n + i] = ss_stream_normal(&stream, i * n + j);
        double *v = ss_alloc(n * n, sizeof *v), *w = ss_alloc(n, sizeof *w);
        memcpy(v, a.dense, n * n * sizeof *v);
        CU_ASSERT_EQUAL(lapack_eigen(n, v, w), 0);
        ss_lanczos_options o = {.k = 3, .tolerance = by_precision(1e-4, 1e-9), .max_products = 2000};
        ss_lanczos_result got = {0};
        CU_ASSERT_EQUAL(ss_lanczos(multiply, &a, n, &o, &got, NULL), 0);
        CU_ASSERT(got.converged);
        check_certificate(&a, &got, o.tolerance);
        for (int p = 0; p < got.k; p++)
            SS_ASSERT_NEAR(got.eigenvalue[p], w[n - 1 - (size_t)p], by_precision(1e-5, 1e-10), fabs(w[n - 1]));
        ss_lanczos_finish(&got);
        ss_free(a.dense);
        ss_free(v);
        ss_free(w);
    }
}

/* ---- limits, stops, bad numbers ------------------------------------------------------------------------------------ */
static ss_lanczos_result solve(matrix *a, ss_lanczos_options o, int expected)
{
    ss_lanczos_result got = {0};
    ss_error error = {{0}};
    CU_ASSERT_EQUAL(ss_lanczos(multiply, a, a->n, &o, &got, &error), expected);
    return got;
}

static void test_limit(void)
{
    row r = {tiny_gap, 300, 1, 0, 0, 0};
    for (int k = 1; k <= 3; k++)
        for (int limit = 0; limit < 12; limit++) {
            matrix a = {.n = r.n, .diagonal = make_spectrum(&r)};
            ss_lanczos_result got = solve(&a, (ss_lanczos_options){.k = k, .tolerance = 1e-12, .max_products = limit}, 0);
            CU_ASSERT(got.n_products <= limit && got.n_products >= (limit >= 2 * k ? limit : limit - 1)); /* all are used */
            CU_ASSERT_EQUAL(a.n_products, got.n_products);
            CU_ASSERT(!got.converged);
            if (limit > 0) { /* the certificate is there, and honest */
                double value = got.eigenvalue[0], residual = got.residual[0] * fabs(value);
                bool near_one = false;
                CU_ASSERT(isfinite(value) && got.residual[0] > 1e-6);
                for (size_t i = 0; i < a.n; i++) near_one |= fabs(a.diagonal[i] - value) <= residual * (1 + 1e-6);
                CU_ASSERT(near_one);
            } else {
                CU_ASSERT(isnan(got.eigenvalue[0]) && isnan(got.residual[0]));
            }
            if (limit >= 2 * k) check_certificate(&a, &got, 1e-12);
            else CU_ASSERT(k == 1 || isnan(got.eigenvalue[k - 1])); /* the basis holds fewer than k yet */
            ss_lanczos_finish(&got);
            ss_free(a.diagonal);
        }
}

/* The estimate may promise what float cannot hold: then every product is spent and the residual says so. */
static void test_tolerance_out_of_reach(void)
{
    row r = {linear_spectrum, 200, 2, 0, 0, 0};
    matrix a = {.n = r.n, .diagonal = make_spectrum(&r)};
    ss_lanczos_result got = solve(&a, (ss_lanczos_options){.k = 2, .tolerance = 1e-30, .max_products = 500}, 0);
    CU_ASSERT(!got.converged);
    CU_ASSERT(got.n_products <= 500);
    CU_ASSERT(got.residual[0] > 0);
    CU_ASSERT(got.residual[0] < by_precision(1e-5, 1e-13));
    SS_ASSERT_NEAR(got.eigenvalue[0], 199, by_precision(1e-6, 1e-13), 1);
    ss_lanczos_finish(&got);
    ss_free(a.diagonal);
}

static void test_stop(void)
{
    row r = {linear_spectrum, 100, 1, 0, 0, 0};
    static const int codes[] = {1, 17, -1};
    int n_products = 0;
    for (int at = 1; n_products == 0; at++) { /* at every product, the certificate's too, until none is left to stop */
        for (size_t c = 0; c < 3; c++) {
            matrix a = {.n = r.n, .diagonal = make_spectrum(&r), .stop_at = at, .stop_with = codes[c]};
            ss_lanczos_options o = {.k = 2, .tolerance = 1e-3, .max_products = 300};
            ss_lanczos_result got = {0};
            ss_error error = {{0}};
            int rc = ss_lanczos(multiply, &a, a.n, &o, &got, &error);
            if (a.n_products < at) {
                CU_ASSERT_EQUAL(rc, 0);
                n_products = at;
            } else {
                CU_ASSERT_EQUAL(rc, codes[c]);
                CU_ASSERT_EQUAL(a.n_products, at);
                CU_ASSERT_PTR_NULL(got.eigenvalue);
                if (rc < 0) CU_ASSERT_PTR_NOT_NULL(strstr(error.text, "product"));
            }
            ss_lanczos_finish(&got);
            ss_free(a.diagonal);
        }
    }
    CU_ASSERT(n_products > 10);
}

static void test_not_finite(void)
{
    row r = {linear_spectrum, 100, 1, 0, 0, 0};
    bool clean = false;
    for (int at = 1; !clean && at < 400; at++) {
        matrix a = {.n = r.n, .diagonal = make_spectrum(&r), .nan_at = at};
        ss_lanczos_result got = solve(&a, (ss_lanczos_options){.k = 2, .tolerance = 1e-3, .max_products = 300}, 0);
        clean = a.n_products < at;
        CU_ASSERT(got.converged == clean);
        for (int p = 0; p < 2 && !clean; p++) CU_ASSERT(isnan(got.eigenvalue[p]) && isnan(got.residual[p]));
        if (!clean) CU_ASSERT_EQUAL(got.n_products, at); /* stops at once */
        ss_lanczos_finish(&got);
        ss_free(a.diagonal);
    }
    CU_ASSERT(clean);
}

static void test_same_bits(void)
{
    row r = {clustered, 300, 3, 9, 0, 0};
    matrix a = {.n = r.n, .diagonal = make_spectrum(&r)};
    ss_lanczos_options o = {.k = 3, .tolerance = by_precision(1e-4, 1e-8), .max_products = 1000, .basis = 9, .seed = 5};
    ss_lanczos_result one = solve(&a, o, 0), two = solve(&a, o, 0);
    CU_ASSERT_EQUAL(one.n_products, two.n_products);
    CU_ASSERT(memcmp(one.eigenvalue, two.eigenvalue, 3 * sizeof(double)) == 0);
    CU_ASSERT(memcmp(one.residual, two.residual, 3 * sizeof(double)) == 0);
    CU_ASSERT(memcmp(one.eigenvector, two.eigenvector, 3 * r.n * sizeof(ss_real)) == 0);
    o.seed = 6;
    ss_lanczos_result three = solve(&a, o, 0);
    CU_ASSERT(memcmp(one.eigenvector, three.eigenvector, 3 * r.n * sizeof(ss_real)) != 0); /* the seed is used */
    SS_ASSERT_NEAR(one.eigenvalue[0], three.eigenvalue[0], by_precision(1e-5, 1e-12), 0);
    ss_lanczos_finish(&one);
    ss_lanczos_finish(&two);
    ss_lanczos_finish(&three);
    ss_free(a.diagonal);
}

/* ---- what is saved ---------------------------------------------------------------------------------------------------- */
/* Four distinct eigenvalues: four products span the Krylov space, and the fifth that a certificate would take is not spent,
 * not even held back. */
static double four_values(size_t i, size_t n) { (void)n; return 1 + (double)(i % 4) * (double)(i % 4); }

static void test_certificate_is_free(void)
{
    row r = {four_values, 120, 1, 0, 0, 0};
    for (int max = 4; max <= 50; max += 46)
        for (uint64_t seed = 0; seed < 20; seed++) {
            matrix a = {.n = r.n, .diagonal = make_spectrum(&r)};
            ss_lanczos_options o = {.k = 1, .tolerance = by_precision(1e-3, 1e-9), .max_products = max, .seed = seed};
            ss_lanczos_result got = solve(&a, o, 0);
            CU_ASSERT(got.converged && got.n_products <= 4);
            SS_ASSERT_NEAR(got.eigenvalue[0], 10, by_precision(1e-5, 1e-12), 0);
            check_certificate(&a, &got, o.tolerance);
            ss_lanczos_finish(&got);
            ss_free(a.diagonal);
        }
}

/* Through restarts the recurrence holds on: no product beside those of the basis, whose number a long basis shows. */
static void test_certificate_after_restarts(void)
{
    row r = {linear_spectrum, 400, 1, 0, 0, 0};
    matrix a = {.n = r.n, .diagonal = make_spectrum(&r)};
    int n_restarted = 0;
    for (double tolerance = 1e-1; tolerance > by_precision(2e-4, 1e-9); tolerance *= 0.5) {
        ss_lanczos_options o = {.k = 1, .tolerance = tolerance, .max_products = 2000, .basis = 12};
        ss_lanczos_result got = solve(&a, o, 0);
        CU_ASSERT(got.converged);
        check_certificate(&a, &got, tolerance);
        n_restarted += got.n_products > 12;
        int needed = got.n_products;
        ss_lanczos_finish(&got);
        o.max_products = needed; /* the last one was a basis vector's: nothing was held back */
        got = solve(&a, o, 0);
        CU_ASSERT(got.converged && got.n_products == needed);
        ss_lanczos_finish(&got);
    }
    CU_ASSERT(n_restarted >= 5);
    ss_free(a.diagonal);
}

/* ---- warm starts -------------------------------------------------------------------------------------------------------- */
static double close_to_linear(size_t i, size_t n)
{
    return i + 1 == n ? 1.5 * (double)n : (double)i;
}

/* Near the eigenvector: fewer products, the same value. From anywhere else: the same value all the same. */
static void test_warm_start(void)
{
    row r = {close_to_linear, 500, 1, 0, 0, 0};
    static const struct { size_t at; double amount; bool fewer; } starts[] = {
        {499, 1, true}, {499, -20, true}, {499, 0.05, true}, {0, 1, false}, {250, 3, false}, {498, 1, false}};
    for (size_t t = 0; t < sizeof starts / sizeof *starts; t++) {
        int n_saved = 0;
        for (uint64_t seed = 0; seed < 5; seed++) {
            matrix a = {.n = r.n, .diagonal = make_spectrum(&r)};
            ss_lanczos_options o = {.k = 1, .tolerance = by_precision(1e-4, 1e-6), .max_products = 500, .seed = seed};
            ss_real *start = ss_alloc(r.n, sizeof *start);
            for (size_t i = 0; i < r.n; i++) start[i] = (ss_real)(0.001 * sin((double)i));
            start[starts[t].at] += (ss_real)starts[t].amount;
            ss_lanczos_result cold = solve(&a, o, 0);
            o.start = start;
            ss_lanczos_result warm = solve(&a, o, 0), again = solve(&a, o, 0);
            o.check = 1;
            ss_lanczos_result other = solve(&a, o, 0);
            CU_ASSERT(cold.converged && warm.converged);
            check_certificate(&a, &warm, o.tolerance);
            SS_ASSERT_NEAR(warm.eigenvalue[0], 750, by_precision(1e-5, 1e-10), 0);
            n_saved += cold.n_products - warm.n_products;
            CU_ASSERT(warm.n_products <= cold.n_products + 3);
            CU_ASSERT(memcmp(warm.eigenvector, again.eigenvector, r.n * sizeof *start) == 0);
            CU_ASSERT(memcmp(warm.eigenvector, other.eigenvector, r.n * sizeof *start) != 0); /* a check draws its own */
            ss_lanczos_result *const all[] = {&cold, &warm, &again, &other};
            for (size_t i = 0; i < 4; i++) ss_lanczos_finish(all[i]);
            ss_free(start);
            ss_free(a.diagonal);
        }
        CU_ASSERT(starts[t].fewer ? n_saved >= 2 * 5 : n_saved <= 5);
    }
}

/* A start that says nothing is no start. */
static void test_useless_start(void)
{
    row r = {linear_spectrum, 60, 1, 0, 0, 0};
    matrix a = {.n = r.n, .diagonal = make_spectrum(&r)};
    ss_lanczos_options o = {.k = 1, .tolerance = 1e-3, .max_products = 300, .risk = 0.01};
    ss_lanczos_result cold = solve(&a, o, 0);
    const double values[] = {0, NAN, INFINITY};
    for (size_t t = 0; t < 3; t++) {
        ss_real *start = ss_alloc(r.n, sizeof *start);
        start[7] = (ss_real)values[t];
        o.start = start;
        ss_lanczos_result got = solve(&a, o, 0);
        CU_ASSERT(memcmp(got.eigenvector, cold.eigenvector, r.n * sizeof *start) == 0 && got.upper == cold.upper);
        ss_lanczos_finish(&got);
        ss_free(start);
    }
    ss_lanczos_finish(&cold);
    ss_free(a.diagonal);
}

/* Memory that was used before, for other matrices, changes no bit. */
static void test_work(void)
{
    static const row rows[] = {{linear_spectrum, 90, 2, 0, 0, 0}, {tiny_gap, 90, 2, 0, 0, 0}, {triple, 90, 2, 0, 0, 0}};
    ss_lanczos_options o = {.k = 2, .tolerance = by_precision(1e-3, 1e-8), .max_products = 400, .risk = 0.1};
    o.work = ss_lanczos_work_create(90, &o, NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(o.work);
    CU_ASSERT(ss_lanczos_work_fits(o.work, 90, &o) && !ss_lanczos_work_fits(o.work, 91, &o));
    for (int k = 1; k < 9; k++) {
        ss_lanczos_options other = {.k = k, .basis = k == 8 ? 24 : 0};
        CU_ASSERT(ss_lanczos_work_fits(o.work, 90, &other) == (k == 2 || k == 8));
    }
    for (size_t t = 0; t < 6; t++) {
        matrix a = {.n = 90, .diagonal = make_spectrum(&rows[t % 3])};
        ss_lanczos_options own = o;
        own.work = NULL;
        ss_lanczos_result one = solve(&a, o, 0), two = solve(&a, own, 0);
        CU_ASSERT(one.n_products == two.n_products && one.upper == two.upper);
        CU_ASSERT(memcmp(one.eigenvector, two.eigenvector, 2 * 90 * sizeof(ss_real)) == 0);
        ss_lanczos_finish(&one);
        ss_lanczos_finish(&two);
        ss_free(a.diagonal);
    }
    ss_lanczos_work_destroy(o.work);
    ss_lanczos_work_destroy(NULL);
}

/* A restart must not forget: a basis of 22 finds the largest of 1000 with little more than one without a limit. */
static void test_restart_is_thick(void)
{
    matrix a = {.n = 1000, .diagonal = ss_alloc(1000, sizeof(double))};
    for (size_t i = 0; i < a.n; i++) a.diagonal[i] = sqrt((double)i); /* slow: about 100 products */
    ss_lanczos_options o = {.k = 1, .tolerance = by_precision(1e-4, 1e-6), .max_products = 1000, .basis = 1000};
    ss_lanczos_result whole = solve(&a, o, 0);
    o.basis = 0;
    ss_lanczos_result thick = solve(&a, o, 0);
    CU_ASSERT(whole.converged && thick.converged);
    CU_ASSERT(thick.n_products > 24); /* the basis did run full */
    CU_ASSERT(thick.n_products <= 2 * whole.n_products);
    ss_lanczos_finish(&whole);
    ss_lanczos_finish(&thick);
    ss_free(a.diagonal);
}

static void test_memory(void)
{
    row r = {linear_spectrum, 50, 2, 0, 0, 0};
    matrix a = {.n = r.n, .diagonal = make_spectrum(&r)};
    ss_lanczos_options o = {.k = 2, .tolerance = 1e-3, .max_products = 300};
    int rc = -1;
    long n = 0;
    for (; rc != 0 && n < 50; n++) {
        ss_lanczos_result got = {0};
        ss_error error = {{0}};
        ss_alloc_fail_after(n);
        rc = ss_lanczos(multiply, &a, a.n, &o, &got, &error);
        ss_alloc_fail_after(-1);
        if (rc != 0) CU_ASSERT(rc == -1 && strstr(error.text, "memory") && got.eigenvalue == NULL);
        ss_lanczos_finish(&got);
    }
    CU_ASSERT(n > 10 && n < 50);
    ss_free(a.diagonal);
}

static const ss_case cases[] = {
    {"spectra", test_spectra},
    {"dense matrices against LAPACK", test_dense},
    {"limit of products", test_limit},
    {"tolerance out of reach", test_tolerance_out_of_reach},
    {"the operator stops", test_stop},
    {"the operator is not finite", test_not_finite},
    {"same input, same bits", test_same_bits},
    {"restarts are thick", test_restart_is_thick},
    {"the certificate costs no product", test_certificate_is_free},
    {"nor after restarts", test_certificate_after_restarts},
    {"warm starts", test_warm_start},
    {"useless starts", test_useless_start},
    {"used memory", test_work},
    {"memory", test_memory},
};

SS_SUITE("num/lanczos", cases)
