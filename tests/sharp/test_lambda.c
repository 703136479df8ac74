#include "suite.h"

#include "fixture.h"
#include "lapack.h"

#include <math.h>

static ss_lanczos_options solver(int k)
{
    return (ss_lanczos_options){.k = k, .tolerance = by_precision(1e-3, 1e-8), .max_products = 3000, .seed = 1};
}

/* The k largest eigenvalues by LAPACK of the Hessian built column by column. */
static void largest(ss_hessian *h, size_t k, double *out)
{
    size_t p = ss_hessian_n_params(h);
    double *a = dense(h), *w = ss_alloc(p, sizeof *w);
    for (size_t i = 0; i < p; i++)
        for (size_t j = 0; j < i; j++) a[i * p + j] = a[j * p + i] = (a[i * p + j] + a[j * p + i]) / 2;
    CU_ASSERT_EQUAL(lapack_eigen(p, a, w), 0);
    CU_ASSERT(w[0] < 0.1 * w[p - 1]);
    for (size_t i = 0; i < k; i++) out[i] = w[p - 1 - i];
    ss_free(a);
    ss_free(w);
}

static void test_dense(void)
{
    setup (*const make[])(void) = {softmax_setup, mlp_setup, cnn_setup};
    for (size_t m = 0; m < 3; m++)
        for (int variant = 0; variant < 4; variant++) {
            setup s = make[m]();
            ss_hessian_options o = plain_options();
            o.batch_norm = variant & 1 ? "running" : "batch";
            o.examples = variant & 2 ? 20 : 0;
            o.subset = "even";
            ss_hessian *h = hessian_make(&s, &o);
            ss_lambda l;
            ss_lanczos_options lanczos = solver(3);
            double want[3];
            CU_ASSERT_EQUAL(ss_lambda_measure(h, s.theta, s.stats, &lanczos, &l, NULL), 0);
            largest(h, 3, want);
            CU_ASSERT(l.converged && l.k == 3 && l.residual <= lanczos.tolerance && l.hvp_count > 3);
            CU_ASSERT(l.lambda_max == l.eigenvalue[0]);
            for (size_t i = 0; i < 3; i++) SS_ASSERT_NEAR(l.eigenvalue[i], want[i], by_precision(1e-4, 1e-8), 0);
            ss_lambda_finish(&l);
            ss_hessian_destroy(h);
            setup_drop(&s);
        }
}

/* Linear regression with 1/2 ||f - onehot||^2: the Hessian is I (classes) kron the second-moment matrix of (x, 1), so its
 * largest eigenvalue is that matrix's, once per class. */
static void test_linear_regression(void)
{
    setup s = SETUP(synthetic(37, 3, 1, 3), softmax_layers, "squared_error");
    enum { D = 10, N = 37 };
    ss_real x[N * (D - 1)];
    uint8_t label[N];
    double a[D * D] = {0}, w[D];
    ss_dataset_batch(s.data, &s.data->train, NULL, 0, N, x, label);
    for (size_t e = 0; e < N; e++)
        for (size_t i = 0; i < D; i++)
            for (size_t j = 0; j < D; j++)
                a[i * D + j] += (i < D - 1 ? (double)x[e * (D - 1) + i] : 1) *
                                (j < D - 1 ? (double)x[e * (D - 1) + j] : 1) / N;
    CU_ASSERT_EQUAL(lapack_eigen(D, a, w), 0);
    ss_hessian_options o = plain_options();
    ss_hessian *h = hessian_make(&s, &o);
    ss_lanczos_options lanczos = solver(4);
    ss_lambda l;
    CU_ASSERT_EQUAL(ss_lambda_measure(h, s.theta, s.stats, &lanczos, &l, NULL), 0);
    CU_ASSERT(l.converged);
    for (size_t i = 0; i < 4; i++)
        SS_ASSERT_NEAR(l.eigenvalue[i], i < 3 ? w[D - 1] : w[D - 2], by_precision(1e-5, 1e-10), 0);
    ss_lambda_finish(&l);
    ss_hessian_destroy(h);
    setup_drop(&s);
}

static void test_l2_shifts(void)
{
    setup s = cnn_setup();
    ss_lanczos_options lanczos = solver(2);
    double value[2][2];
    for (int with = 0; with < 2; with++) {
        ss_hessian_options o = plain_options();
        o.l2 = with ? 0.5 : 0;
        ss_hessian *h = hessian_make(&s, &o);
        ss_lambda l;
        CU_ASSERT_EQUAL(ss_lambda_measure(h, s.theta, s.stats, &lanczos, &l, NULL), 0);
        CU_ASSERT(l.converged);
        memcpy(value[with], l.eigenvalue, sizeof value[with]);
        ss_lambda_finish(&l);
        ss_hessian_destroy(h);
    }
    for (int i = 0; i < 2; i++) SS_ASSERT_NEAR(value[1][i] - value[0][i], 0.5, by_precision(1e-4, 1e-10), 0);
    setup_drop(&s);
}

static void test_nothing_is_touched(void)
{
    setup s = cnn_setup();
    ss_hessian_options o = plain_options();
    ss_hessian *h = hessian_make(&s, &o);
    ss_lanczos_options lanczos = solver(1);
    ss_real *theta = ss_alloc(s.p, sizeof *theta), *stats = ss_alloc(s.net->n_stats, sizeof *stats);
    memcpy(theta, s.theta, s.p * sizeof *theta);
    memcpy(stats, s.stats, s.net->n_stats * sizeof *stats);
    ss_lambda one, two;
    CU_ASSERT_EQUAL(ss_lambda_measure(h, s.theta, s.stats, &lanczos, &one, NULL), 0);
    CU_ASSERT(memcmp(theta, s.theta, s.p * sizeof *theta) == 0);
    CU_ASSERT(memcmp(stats, s.stats, s.net->n_stats * sizeof *stats) == 0);
    CU_ASSERT_EQUAL(ss_lambda_measure(h, s.theta, s.stats, &lanczos, &two, NULL), 0);
    CU_ASSERT(one.lambda_max == two.lambda_max && one.residual == two.residual && one.hvp_count == two.hvp_count);
    ss_lambda_finish(&one);
    ss_lambda_finish(&two);
    ss_free(theta);
    ss_free(stats);
    ss_hessian_destroy(h);
    setup_drop(&s);
}

/* ---- between two iterates ------------------------------------------------------------------------------------------- */
static void test_between(void)
{
    setup s = cnn_setup();
    ss_hessian_options o = plain_options();
    ss_hessian *h = hessian_make(&s, &o);
    ss_lanczos_options lanczos = solver(2);
    ss_real *next = random_vector(s.p, 9), *point = ss_alloc(s.p, sizeof *point);
    for (size_t i = 0; i < s.p; i++) next[i] = s.theta[i] + next[i] * (ss_real)0.3;
    for (int n = 2; n <= 8; n += 3) {
        ss_lambda l, here, alone;
        ss_warm warm = {0};
        int64_t products = 0;
        double best = -INFINITY, fraction = -1, residual = 0;
        CU_ASSERT_EQUAL(ss_lambda_measure_between(h, s.theta, next, s.stats, n, &lanczos, &l, NULL), 0);
        for (int i = 0; i < n; i++) {
            double f = (double)i / (n - 1);
            for (size_t e = 0; e < s.p; e++)
                point[e] = (ss_real)((double)s.theta[e] + f * ((double)next[e] - (double)s.theta[e]));
            const ss_real *at = i == n - 1 ? next : point;
            CU_ASSERT_EQUAL(ss_lambda_track(h, at, s.stats, &lanczos, (uint64_t)i, &warm, NULL, &here, NULL), 0);
            CU_ASSERT_EQUAL(ss_lambda_measure(h, at, s.stats, &lanczos, &alone, NULL), 0);
            CU_ASSERT(i > 0 || here.lambda_max == alone.lambda_max); /* the iterate itself: as by itself */
            SS_ASSERT_NEAR(here.lambda_max, alone.lambda_max, by_precision(1e-4, 1e-8), 0);
            products += here.hvp_count;
            if (here.lambda_max > best) best = here.lambda_max, fraction = f, residual = here.residual;
            ss_lambda_finish(&here);
            ss_lambda_finish(&alone);
        }
        CU_ASSERT(l.lambda_max == best && l.residual == residual && l.fraction == fraction);
        CU_ASSERT(l.converged && l.k == 2 && l.eigenvalue[0] == best && l.eigenvalue[1] <= best);
        CU_ASSERT_EQUAL(l.hvp_count, products);
        ss_lambda_finish(&l);
        ss_warm_finish(&warm);
    }
    /* Backwards, the maximum is the same point seen from the other side. */
    ss_lambda there, back;
    CU_ASSERT_EQUAL(ss_lambda_measure_between(h, s.theta, next, s.stats, 5, &lanczos, &there, NULL), 0);
    CU_ASSERT_EQUAL(ss_lambda_measure_between(h, next, s.theta, s.stats, 5, &lanczos, &back, NULL), 0);
    SS_ASSERT_NEAR(there.lambda_max, back.lambda_max, by_precision(1e-3, 1e-8), 0);
    SS_ASSERT_NEAR(there.fraction, 1 - back.fraction, 1e-12, 1);
    ss_lambda_finish(&there);
    ss_lambda_finish(&back);
    ss_free(next);
    ss_free(point);
    ss_hessian_destroy(h);
    setup_drop(&s);
}

static bool stop_after(void *ctx)
{
    int *left = ctx;
    return (*left)-- <= 0;
}

/* ---- tracking ----------------------------------------------------------------------------------------------------- */
/* A walk of small steps down the gradient, far enough that lambda_max changes: tracked, each check starts from the last
 * one's vector and takes fewer products. */
static const ss_layer wide_layers[] = {{.type = "flatten"}, {.type = "linear", .units = 40, .bias = true}, {.type = "tanh"},
    {.type = "linear", .units = 30, .bias = true}, {.type = "tanh"}, {.type = "linear", .units = 4, .bias = true}};
enum { CHECKS = 12, RESUME_AT = 5 };

typedef struct walk { setup s; ss_hessian *h; ss_real *grad; } walk;

static walk walk_start(void)
{
    walk w = {.s = SETUP(synthetic(120, 8, 1, 4), wide_layers, "cross_entropy")};
    ss_hessian_options o = plain_options();
    w.h = hessian_make(&w.s, &o);
    w.grad = ss_alloc(w.s.p, sizeof *w.grad);
    return w;
}

static void walk_end(walk *w)
{
    ss_hessian_destroy(w->h);
    ss_free(w->grad);
    setup_drop(&w->s);
}

static ss_lambda walk_check(walk *w, uint64_t check, const ss_lanczos_options *lanczos, ss_warm *warm)
{
    ss_lambda l;
    CU_ASSERT_EQUAL(ss_lambda_track(w->h, w->s.theta, w->s.stats, lanczos, check, warm, NULL, &l, NULL), 0);
    ss_hessian_loss(w->h, w->grad);
    ss_axpy(w->s.p, -0.3, w->grad, w->s.theta);
    return l;
}

static void test_tracking(void)
{
    for (int k = 1; k <= 3; k += 2) {
        walk cold = walk_start(), warm = walk_start();
        ss_lanczos_options lanczos = solver(k);
        ss_warm from = {0};
        int64_t n_cold = 0, n_warm = 0;
        double first = 0, last = 0;
        lanczos.risk = 0.01;
        for (uint64_t check = 0; check < CHECKS; check++) {
            ss_lambda a = walk_check(&cold, check, &lanczos, NULL), b = walk_check(&warm, check, &lanczos, &from);
            CU_ASSERT(a.converged && b.converged && b.residual <= lanczos.tolerance && from.known);
            CU_ASSERT(a.upper >= b.lambda_max && b.upper >= a.lambda_max);
            for (int i = 0; i < k; i++) SS_ASSERT_NEAR(a.eigenvalue[i], b.eigenvalue[i], by_precision(1e-4, 1e-8), 0);
            CU_ASSERT(check > 0 || a.lambda_max == b.lambda_max); /* the first has nothing to start from */
            if (check > 0) n_cold += a.hvp_count, n_warm += b.hvp_count;
            last = a.lambda_max;
            if (check == 0) first = last;
            ss_lambda_finish(&a);
            ss_lambda_finish(&b);
        }
        CU_ASSERT(fabs(last - first) > 0.05 * first);
        double most = k == 1 ? by_precision(0.8, 0.9) : 0.95; /* of several, most products check that none was missed, from a random start */
        if ((double)n_warm > most * (double)n_cold)
            fprintf(stderr, "\n    k %d: %d products warm, %d cold\n", k, (int)n_warm, (int)n_cold);
        CU_ASSERT((double)n_warm <= most * (double)n_cold);
        ss_warm_finish(&from);
        walk_end(&cold);
        walk_end(&warm);
    }
}

/* The weights and the warm vector are all there is: put aside and taken up elsewhere, the rest has the same bits. Without
 * the vector it has not, nor with another's. And an interrupted check leaves it as it was. */
static void test_tracking_resumes(void)
{
    walk w = walk_start();
    ss_lanczos_options lanczos = solver(2);
    ss_warm warm = {0}, kept = {0};
    ss_real *theta = ss_alloc(w.s.p, sizeof *theta);
    double want[CHECKS], residual[CHECKS];
    for (uint64_t check = 0; check < CHECKS; check++) {
        if (check == RESUME_AT) {
            kept = (ss_warm){warm.known, ss_alloc(w.s.p, sizeof *theta)};
            memcpy(kept.vector, warm.vector, w.s.p * sizeof *theta);
            memcpy(theta, w.s.theta, w.s.p * sizeof *theta);
            int left = 2;
            ss_lambda l;
            ss_hessian_set_stop(w.h, stop_after, &left);
            CU_ASSERT_EQUAL(ss_lambda_track(w.h, theta, w.s.stats, &lanczos, check, &warm, NULL, &l, NULL), 1);
            CU_ASSERT(warm.known && memcmp(kept.vector, warm.vector, w.s.p * sizeof *theta) == 0);
            ss_hessian_set_stop(w.h, NULL, NULL);
        }
        ss_lambda l = walk_check(&w, check, &lanczos, &warm);
        want[check] = l.lambda_max, residual[check] = l.residual;
        ss_lambda_finish(&l);
    }
    walk_end(&w);
    for (int without = 0; without < 2; without++) {
        w = walk_start();
        memcpy(w.s.theta, theta, w.s.p * sizeof *theta);
        if (without) kept.known = false;
        for (uint64_t check = RESUME_AT; check < CHECKS; check++) {
            ss_lambda l = walk_check(&w, check, &lanczos, &kept);
            bool same = l.lambda_max == want[check] && l.residual == residual[check];
            CU_ASSERT(without ? check != RESUME_AT || !same : same);
            ss_lambda_finish(&l);
        }
        walk_end(&w);
    }
    ss_warm_finish(&warm);
    ss_warm_finish(&kept);
    ss_free(theta);
}

/* ---- outcomes, stops, memory ---------------------------------------------------------------------------------------- */
static void test_limit(void)
{
    setup s = mlp_setup();
    ss_hessian_options o = plain_options();
    ss_hessian *h = hessian_make(&s, &o);
    ss_lanczos_options lanczos = solver(1);
    lanczos.max_products = 3;
    lanczos.tolerance = 1e-7;
    ss_lambda l;
    CU_ASSERT_EQUAL(ss_lambda_measure(h, s.theta, s.stats, &lanczos, &l, NULL), 0);
    CU_ASSERT(!l.converged && l.hvp_count == 3);
    CU_ASSERT(isfinite(l.lambda_max) && l.residual > 1e-7);
    ss_lambda_finish(&l);
    CU_ASSERT_EQUAL(ss_lambda_measure_between(h, s.theta, s.theta, s.stats, 2, &lanczos, &l, NULL), 0);
    CU_ASSERT(!l.converged && l.hvp_count == 6);
    ss_lambda_finish(&l);
    ss_hessian_destroy(h);
    setup_drop(&s);
}

static void test_not_finite(void)
{
    setup s = mlp_setup();
    ss_hessian_options o = plain_options();
    ss_hessian *h = hessian_make(&s, &o);
    ss_lanczos_options lanczos = solver(2);
    ss_real *broken = ss_alloc(s.p, sizeof *broken);
    memcpy(broken, s.theta, s.p * sizeof *broken);
    broken[s.p / 2] = (ss_real)NAN;
    ss_lambda l, good;
    CU_ASSERT_EQUAL(ss_lambda_measure(h, broken, s.stats, &lanczos, &l, NULL), 0); /* an outcome, not an error */
    CU_ASSERT(!l.converged && isnan(l.lambda_max) && isnan(l.residual) && l.hvp_count == 1);
    ss_lambda_finish(&l);
    CU_ASSERT_EQUAL(ss_lambda_measure(h, s.theta, s.stats, &lanczos, &good, NULL), 0);
    for (int swapped = 0; swapped < 2; swapped++) { /* the maximum of what could be measured, marked */
        const ss_real *from = swapped ? broken : s.theta, *to = swapped ? s.theta : broken;
        CU_ASSERT_EQUAL(ss_lambda_measure_between(h, from, to, s.stats, 2, &lanczos, &l, NULL), 0);
        CU_ASSERT(!l.converged && l.fraction == swapped && l.hvp_count > 2);
        SS_ASSERT_NEAR(l.lambda_max, good.lambda_max, by_precision(1e-4, 1e-8), 0);
        ss_lambda_finish(&l);
    }
    ss_lambda_finish(&good);
    ss_free(broken);
    ss_hessian_destroy(h);
    setup_drop(&s);
}

static void test_stop(void)
{
    setup s = mlp_setup();
    ss_hessian_options o = plain_options();
    ss_hessian *h = hessian_make(&s, &o);
    ss_lanczos_options lanczos = solver(1);
    ss_lambda l;
    CU_ASSERT_EQUAL(ss_lambda_measure(h, s.theta, s.stats, &lanczos, &l, NULL), 0);
    int needed = (int)l.hvp_count;
    ss_lambda_finish(&l);
    for (int at = 0; at <= needed; at++) {
        int left = at;
        ss_hessian_set_stop(h, stop_after, &left);
        CU_ASSERT_EQUAL(ss_lambda_measure(h, s.theta, s.stats, &lanczos, &l, NULL), at < needed);
        CU_ASSERT((l.eigenvalue == NULL) == (at < needed));
        ss_lambda_finish(&l);
        left = needed + at; /* in the second point of three */
        CU_ASSERT_EQUAL(ss_lambda_measure_between(h, s.theta, s.theta, s.stats, 3, &lanczos, &l, NULL), 1);
        CU_ASSERT_PTR_NULL(l.eigenvalue);
        ss_lambda_finish(&l);
    }
    ss_hessian_destroy(h);
    setup_drop(&s);
}

static void test_memory(void)
{
    setup s = mlp_setup();
    ss_hessian_options o = plain_options();
    ss_hessian *h = hessian_make(&s, &o);
    ss_lanczos_options lanczos = solver(1);
    int rc = -1;
    long n = 0;
    for (; rc != 0 && n < 100; n++) {
        ss_lambda l;
        ss_error error = {{0}};
        ss_alloc_fail_after(n);
        rc = ss_lambda_measure_between(h, s.theta, s.theta, s.stats, 2, &lanczos, &l, &error);
        ss_alloc_fail_after(-1);
        if (rc != 0) CU_ASSERT(rc == -1 && strstr(error.text, "memory") && l.eigenvalue == NULL);
        ss_lambda_finish(&l);
    }
    CU_ASSERT(n > 20 && n < 100);
    ss_hessian_destroy(h);
    setup_drop(&s);
}

static const ss_case cases[] = {
    {"tiny networks against LAPACK", test_dense},
    {"linear regression: the second-moment matrix", test_linear_regression},
    {"L2 shifts every eigenvalue", test_l2_shifts},
    {"measuring touches nothing", test_nothing_is_touched},
    {"the maximum between two iterates", test_between},
    {"tracking takes fewer products", test_tracking},
    {"tracking resumes with the same bits", test_tracking_resumes},
    {"the limit is an outcome", test_limit},
    {"not finite is an outcome", test_not_finite},
    {"stop", test_stop},
    {"memory", test_memory},
};

SS_SUITE("sharp/lambda", cases)
