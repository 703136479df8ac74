/* Trace and spectral density against dense Hessians. */
#include "measures.h"

#include <limits.h>

static const ss_layer scalar_layers[] = {{.type = "flatten"}, {.type = "linear", .units = 3}};

/* One input, no bias, squared error: H = mean(x^2) I is diagonal, and random signs meet its trace exactly. */
static void test_diagonal(void)
{
    setup s = SETUP(synthetic(37, 1, 1, 3), scalar_layers, "squared_error");
    ss_hessian_options o = plain_options();
    ss_measure_options mo = measure_options();
    double mean = 0;
    for (uint32_t i = 0; i < s.data->train.n; i++) {
        ss_real x;
        uint8_t label;
        ss_dataset_batch(s.data, &s.data->train, NULL, i, 1, &x, &label);
        mean += (double)x * (double)x / s.data->train.n;
    }
    CU_ASSERT(s.p == 3 && mean > 0.1);
    o.l2 = 0.25;
    for (mo.trace_probes = 1; mo.trace_probes <= 5; mo.trace_probes++) {
        ss_measures m = measure(&s, &o, &mo, "trace");
        SS_ASSERT_NEAR(m.trace, 3 * (mean + o.l2), by_precision(1e-6, 1e-14), 0);
        CU_ASSERT(mo.trace_probes == 1 ? isnan(m.trace_error) : m.trace_error <= by_precision(1e-6, 1e-14));
        CU_ASSERT_EQUAL(m.hvp_count, mo.trace_probes);
    }
    setup_drop(&s);
}

/* Within four standard errors; and the standard error is what theory says: the variance of z'Hz is twice the sum of the
 * squares off the diagonal. */
static void test_trace(void)
{
    setup (*const make[])(void) = {softmax_setup, mlp_setup, cnn_setup};
    for (size_t i = 0; i < 3; i++) {
        setup s = make[i]();
        ss_hessian_options o = plain_options();
        ss_measure_options mo = measure_options();
        mo.trace_probes = 200;
        o.l2 = 0.01;
        ss_hessian *h = hessian_make(&s, &o);
        double *a = dense(h), trace = 0, off = 0;
        for (size_t r = 0; r < s.p; r++)
            for (size_t c = 0; c < s.p; c++) r == c ? (trace += a[r * s.p + c]) : (off += a[r * s.p + c] * a[r * s.p + c]);
        ss_measures m = measure(&s, &o, &mo, "trace");
        CU_ASSERT(fabs(m.trace - trace) <= 4 * m.trace_error);
        SS_ASSERT_NEAR(m.trace_error, sqrt(2 * off / 200), 0.25, 0);
        CU_ASSERT_EQUAL(m.hvp_count, 200);
        ss_free(a);
        ss_hessian_destroy(h);
        setup_drop(&s);
    }
}

/* Any number of directions at once: the same bits. */
static void test_directions(void)
{
    setup s = cnn_setup();
    ss_hessian_options o = plain_options();
    ss_measure_options mo = measure_options();
    mo.trace_probes = 7;
    ss_measures one = measure(&s, &o, &mo, "trace");
    for (o.directions = 2; o.directions < 10; o.directions += 3) {
        ss_measures m = measure(&s, &o, &mo, "trace");
        CU_ASSERT_EQUAL(m.trace, one.trace);
        CU_ASSERT_EQUAL(m.trace_error, one.trace_error);
    }
    mo.seed++;
    CU_ASSERT_NOT_EQUAL(measure(&s, &o, &mo, "trace").trace, one.trace);
    setup_drop(&s);
}

/* Weights sum to 1; the first moment times n is the trace's estimate with the same probes, whatever the number of steps. */
static void test_moments(void)
{
    setup s = mlp_setup();
    ss_hessian_options o = plain_options();
    ss_measure_options mo = measure_options();
    mo.trace_probes = mo.spectrum_probes = 3;
    ss_measures trace = measure(&s, &o, &mo, "trace");
    for (mo.spectrum_steps = 1; mo.spectrum_steps <= 21; mo.spectrum_steps += 5) {
        ss_spectrum x = {0};
        ss_measures m = measure_spectrum(&s, &o, &mo, "spectrum", &x);
        double sum = 0, first = 0;
        CU_ASSERT_EQUAL(x.n, 3 * (size_t)mo.spectrum_steps);
        CU_ASSERT_EQUAL(m.hvp_count, 3 * mo.spectrum_steps);
        for (size_t i = 0; i < x.n; i++) sum += x.weight[i], first += x.weight[i] * x.eigenvalue[i];
        SS_ASSERT_NEAR(sum, 1, 1e-12, 0);
        SS_ASSERT_NEAR((double)s.p * first, trace.trace, by_precision(1e-4, 1e-11), 0);
        ss_spectrum_finish(&x);
        CU_ASSERT(x.n == 0 && !x.eigenvalue);
    }
    setup_drop(&s);
}

/* As many steps as parameters: the nodes are all eigenvalues, and their weights what z sees of each eigenvector. The measure
 * is appended to what is there. */
static void test_all_steps(void)
{
    setup s = softmax_setup();
    ss_hessian_options o = plain_options();
    ss_measure_options mo = measure_options();
    ss_hessian *h = hessian_make(&s, &o);
    double *a = dense(h), *w = ss_alloc(s.p, sizeof *w), mass = 0, below = 0;
    dense_eigen(s.p, a, w);
    mo.spectrum_probes = 1;
    mo.spectrum_steps = (int)s.p + 5;
    ss_spectrum x = {0};
    measure_spectrum(&s, &o, &mo, "spectrum", &x);
    size_t zeros = 0; /* softmax regression does not see what all classes share: 10 of 30 eigenvalues are zero, one node */
    while (fabs(w[zeros]) < 1e-5) zeros++;
    CU_ASSERT_EQUAL(zeros, 10);
    CU_ASSERT_FATAL(x.n >= s.p - zeros + 1 && x.n <= s.p);
    for (size_t i = 0; i < x.n; i++) {
        if (fabs(x.eigenvalue[i]) < 1e-5) below += x.weight[i];
        else mass += x.weight[i];
    }
    for (size_t i = zeros; i < s.p; i++) SS_ASSERT_NEAR(x.eigenvalue[x.n - s.p + i], w[i], by_precision(1e-4, 1e-10), 0.01);
    SS_ASSERT_NEAR(mass + below, 1, 1e-12, 0);
    CU_ASSERT(below > 0.05 && below < 0.8);
    size_t n = x.n;
    double first = x.eigenvalue[0];
    measure_spectrum(&s, &o, &mo, "spectrum", &x);
    CU_ASSERT_EQUAL_FATAL(x.n, 2 * n);
    CU_ASSERT(x.eigenvalue[0] == first && x.eigenvalue[n] == first && x.weight[n] == x.weight[0]);
    ss_spectrum_finish(&x);
    ss_free(a);
    ss_free(w);
    ss_hessian_destroy(h);
    setup_drop(&s);
}

/* Many probes: the density's cumulated weight up to any x is the share of eigenvalues up to there. */
static void test_density(void)
{
    setup s = mlp_setup();
    ss_hessian_options o = plain_options();
    ss_measure_options mo = measure_options();
    ss_hessian *h = hessian_make(&s, &o);
    double *a = dense(h), *w = ss_alloc(s.p, sizeof *w);
    dense_eigen(s.p, a, w);
    mo.spectrum_probes = 100;
    mo.spectrum_steps = 40;
    ss_spectrum x = {0};
    measure_spectrum(&s, &o, &mo, "spectrum", &x);
    for (double q = 0.1; q < 0.95; q += 0.2) {
        size_t i = (size_t)(q * (double)s.p);
        double at = 0.5 * (w[i] + w[i + 1]), share = 0;
        for (size_t j = 0; j < x.n; j++) share += x.eigenvalue[j] <= at ? x.weight[j] : 0;
        CU_ASSERT(fabs(share - ((double)i + 1) / (double)s.p) < 0.06);
    }
    ss_spectrum_finish(&x);
    ss_free(a);
    ss_free(w);
    ss_hessian_destroy(h);
    setup_drop(&s);
}

/* A thousand steps take no time beside a thousand products: whoever stops products stops the measure. */
static int times(void *ctx, const ss_real *v, ss_real *hv, ss_error *error)
{
    const double *diagonal = ctx;
    (void)error;
    for (size_t i = 0; i < 1200; i++) hv[i] = (ss_real)(diagonal[i] * (double)v[i]);
    return 0;
}

static void test_many_nodes(void)
{
    enum { N = 1200, STEPS = 1000 };
    double *diagonal = ss_alloc(N, sizeof *diagonal), *node = ss_alloc(STEPS, sizeof *node), *weight = ss_alloc(STEPS, sizeof *weight);
    double moment[2] = {0}, want[2] = {0}, sum = 0;
    ss_real *start = ss_alloc(N, sizeof *start);
    size_t found;
    for (size_t i = 0; i < N; i++) diagonal[i] = (double)((i * 7919) % 1201) / 600 - 0.3, start[i] = i % 3 ? 1 : -1;
    CU_ASSERT_EQUAL(ss_lanczos_quadrature(times, diagonal, N, start, STEPS, node, weight, &found, NULL), 0);
    CU_ASSERT_FATAL(found > 50);
    for (size_t i = 0; i < found; i++) {
        sum += weight[i];
        CU_ASSERT(weight[i] >= 0 && (i == 0 || node[i] >= node[i - 1]));
        moment[0] += weight[i] * node[i], moment[1] += weight[i] * pow(node[i], 4);
    }
    for (size_t i = 0; i < N; i++) want[0] += diagonal[i] / N, want[1] += pow(diagonal[i], 4) / N;
    SS_ASSERT_NEAR(sum, 1, 1e-12, 0);
    for (int k = 0; k < 2; k++) SS_ASSERT_NEAR(moment[k], want[k], by_precision(1e-5, 1e-12), 0);
    void *const all[] = {diagonal, node, weight, start};
    for (size_t i = 0; i < 4; i++) ss_free(all[i]);
}

/* As many probes as there may be, of so many steps: memory is for as many nodes as a Krylov space can have. */
static void test_steps_beyond_parameters(void)
{
    setup s = softmax_setup();
    ss_hessian_options o = plain_options();
    ss_measure_options mo = measure_options();
    mo.spectrum_probes = 2;
    mo.spectrum_steps = INT_MAX;
    ss_spectrum x = {0};
    measure_spectrum(&s, &o, &mo, "spectrum", &x);
    CU_ASSERT(x.n > 2 && x.n <= 2 * s.p);
    ss_spectrum_finish(&x);
    setup_drop(&s);
}

static const ss_case cases[] = {
    {"a thousand nodes", test_many_nodes},
    {"steps beyond the parameters", test_steps_beyond_parameters},
    {"trace of a diagonal Hessian: exact", test_diagonal},
    {"trace and its standard error", test_trace},
    {"directions at once: the same bits", test_directions},
    {"spectrum: moments", test_moments},
    {"spectrum: all steps, appended", test_all_steps},
    {"spectrum: the density", test_density},
};

SS_SUITE("sharp/measure_spectrum", cases)
