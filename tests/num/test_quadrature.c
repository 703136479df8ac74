/* Lanczos quadrature against what it is of: diagonal operators, whose eigenvalues and weights are known. */
#include "../suite.h"

#include <math.h>
#include <string.h>

#include "fixture.h"

typedef struct diagonal { size_t n; const double *d; int n_products, stop_at; double broken; } diagonal;

static int apply(void *ctx, const ss_real *v, ss_real *hv, ss_error *error)
{
    diagonal *a = ctx;
    (void)error;
    if (a->n_products == a->stop_at) return 7;
    a->n_products++;
    for (size_t i = 0; i < a->n; i++) hv[i] = (ss_real)(a->d[i] * (double)v[i]);
    if (a->n_products == 2) hv[0] += (ss_real)a->broken;
    return 0;
}

enum { N = 8 };
static const double spread[N] = {-3, -1, -0.5, 0.25, 1, 2, 5, 11};

static diagonal spread_operator(void) { return (diagonal){.n = N, .d = spread, .stop_at = -1}; }

/* As many steps as there are eigenvalues: the measure itself. More make no difference. */
static void all_steps(void)
{
    for (size_t steps = N; steps <= N + 3; steps += 3) {
        diagonal a = spread_operator();
        ss_real *v = random_vector(N, 1);
        double node[N + 3], weight[N + 3], size = ss_norm(N, v);
        size_t found = 0;
        CU_ASSERT_EQUAL(ss_lanczos_quadrature(apply, &a, N, v, steps, node, weight, &found, NULL), 0);
        CU_ASSERT(found == N && a.n_products == N);
        for (size_t i = 0; i < N && found == N; i++) {
            SS_ASSERT_NEAR(node[i], spread[i], by_precision(1e-5, 1e-13), 11);
            SS_ASSERT_NEAR(weight[i], (double)v[i] * (double)v[i] / size / size, by_precision(1e-4, 1e-12), 0);
        }
        ss_free(v);
    }
}

/* k steps: polynomials up to degree 2k - 1, and not 2k. */
static void moments(void)
{
    for (size_t k = 1; k < N; k++) {
        diagonal a = spread_operator();
        ss_real *v = random_vector(N, 2);
        double node[N], weight[N];
        size_t found = 0;
        CU_ASSERT_EQUAL(ss_lanczos_quadrature(apply, &a, N, v, k, node, weight, &found, NULL), 0);
        CU_ASSERT(found == k && (size_t)a.n_products == k);
        for (size_t degree = 0; degree <= 2 * k; degree++) {
            double got = 0, want = 0, size = 0;
            for (size_t i = 0; i < found; i++) got += weight[i] * pow(node[i] / 11, (double)degree);
            for (size_t i = 0; i < N; i++) {
                double w = (double)v[i] * (double)v[i] / ss_dot(N, v, v), m = pow(spread[i] / 11, (double)degree);
                want += w * m;
                size += w * fabs(m);
            }
            if (degree < 2 * k) SS_ASSERT_NEAR(got, want, by_precision(1e-5, 1e-13), size);
            else if (k < 4) CU_ASSERT(fabs(got - want) > by_precision(1e-5, 1e-13) * size);
        }
        ss_free(v);
    }
}

/* A start vector that sees three eigenvalues, one of them twice over: three nodes, exact, and no more products. */
static void breakdown(void)
{
    static const double twice[] = {4, 4, 1, -2, 7, 9};
    diagonal a = {.n = 6, .d = twice, .stop_at = -1};
    const ss_real v[6] = {2, 1, 2, 4, 0, 0};
    double node[6], weight[6];
    size_t found = 0;
    CU_ASSERT_EQUAL(ss_lanczos_quadrature(apply, &a, 6, v, 6, node, weight, &found, NULL), 0);
    CU_ASSERT_EQUAL_FATAL(found, 3);
    CU_ASSERT_EQUAL(a.n_products, 3);
    static const double want[] = {-2, 1, 4}, share[] = {16, 4, 5};
    for (size_t i = 0; i < 3; i++) {
        SS_ASSERT_NEAR(node[i], want[i], by_precision(1e-5, 1e-13), 1);
        SS_ASSERT_NEAR(weight[i], share[i] / 25, by_precision(1e-5, 1e-13), 0);
    }
    static const double zero[6] = {0};
    a = (diagonal){.n = 6, .d = zero, .stop_at = -1};
    CU_ASSERT_EQUAL(ss_lanczos_quadrature(apply, &a, 6, v, 6, node, weight, &found, NULL), 0);
    CU_ASSERT(found == 1 && node[0] == 0 && weight[0] == 1);
}

/* A large operator with a dense spectrum: without reorthogonalisation the largest eigenvalue would come up in copies. */
static void no_copies(void)
{
    enum { LARGE = 400, STEPS = 120 };
    static double d[LARGE], node[STEPS], weight[STEPS];
    for (size_t i = 0; i < LARGE; i++) d[i] = i == 0 ? 50 : (double)i / LARGE;
    diagonal a = {.n = LARGE, .d = d, .stop_at = -1};
    ss_real *v = random_vector(LARGE, 3);
    size_t found = 0, at_top = 0;
    double sum = 0, top = 0;
    CU_ASSERT_EQUAL(ss_lanczos_quadrature(apply, &a, LARGE, v, STEPS, node, weight, &found, NULL), 0);
    CU_ASSERT_EQUAL(found, STEPS);
    for (size_t i = 0; i < found; i++) {
        sum += weight[i];
        if (node[i] > 2) at_top++, top = weight[i];
    }
    CU_ASSERT_EQUAL(at_top, 1);
    SS_ASSERT_NEAR(sum, 1, 1e-12, 0);
    SS_ASSERT_NEAR(top, (double)v[0] * (double)v[0] / ss_dot(LARGE, v, v), by_precision(1e-5, 1e-12), 0);
    ss_free(v);
}

static void outcomes(void)
{
    ss_real *v = random_vector(N, 1), zero[N] = {0};
    double node[N], weight[N];
    size_t found = 9;
    diagonal a = spread_operator();
    CU_ASSERT_EQUAL(ss_lanczos_quadrature(apply, &a, N, zero, N, node, weight, &found, NULL), 0); /* no direction */
    CU_ASSERT(found == 0 && a.n_products == 0);
    CU_ASSERT_EQUAL(ss_lanczos_quadrature(apply, &a, N, v, 0, node, weight, &found, NULL), 0);
    CU_ASSERT_EQUAL(found, 0);
    static const double bad[] = {NAN, INFINITY};
    for (size_t i = 0; i < 2; i++) {
        a = spread_operator();
        a.broken = bad[i];
        CU_ASSERT_EQUAL(ss_lanczos_quadrature(apply, &a, N, v, N, node, weight, &found, NULL), 0);
        CU_ASSERT(found == 0 && a.n_products == 2);
    }
    for (int at = 0; at < N; at++) { /* what the operator returns is handed on */
        a = spread_operator();
        a.stop_at = at;
        CU_ASSERT_EQUAL(ss_lanczos_quadrature(apply, &a, N, v, N, node, weight, &found, NULL), 7);
        CU_ASSERT_EQUAL(found, 0);
    }
    int rc = -1;
    long n = 0;
    for (; rc != 0 && n < 50; n++) {
        ss_error error = {{0}};
        a = spread_operator();
        ss_alloc_fail_after(n);
        rc = ss_lanczos_quadrature(apply, &a, N, v, 3, node, weight, &found, &error);
        ss_alloc_fail_after(-1);
        if (rc != 0) CU_ASSERT(rc == -1 && found == 0 && strstr(error.text, "memory"));
    }
    CU_ASSERT(n > 6 && n < 50);
    ss_free(v);
}

static const ss_case cases[] = {
    {"all steps", all_steps},
    {"moments", moments},
    {"breakdown", breakdown},
    {"no copies", no_copies},
    {"outcomes", outcomes},
};

SS_SUITE("num/quadrature", cases)
