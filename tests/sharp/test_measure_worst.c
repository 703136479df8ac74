/* The worst case nearby: the exact maximum of a quadratic loss, SAM's point, groups. */
#include "measures.h"

static const ss_layer regression_layers[] = {{.type = "flatten"}, {.type = "linear", .units = 3, .bias = true}};
static const ss_layer sparse_layers[] = {{.type = "flatten"}, {.type = "linear", .units = 3}};

/* max of g'd + d'Hd / 2 over ||d|| <= rho, H dense positive definite: with (mu - H) d = g, ||d|| = rho, mu > lambda_max
 * (More & Sorensen 1983); mu by bisection. */
static double trust_region(size_t p, double *h, const double *g, double rho)
{
    double *w = ss_alloc(p, sizeof *w), *along = ss_alloc(p, sizeof *along);
    dense_eigen(p, h, w);
    for (size_t i = 0; i < p; i++)
        for (size_t j = 0; j < p; j++) along[i] += h[j * p + i] * g[j];
    double low = w[p - 1], high = w[p - 1] + 1, value = 0;
    for (int round = 0; round < 400; round++) {
        double mu = round < 60 ? high : 0.5 * (low + high), norm2 = 0;
        for (size_t i = 0; i < p; i++) norm2 += along[i] * along[i] / ((mu - w[i]) * (mu - w[i]));
        if (round < 60) high = norm2 > rho * rho ? 2 * high : high;
        else if (norm2 > rho * rho) low = mu;
        else high = mu;
    }
    for (size_t i = 0; i < p; i++) {
        double d = along[i] / (high - w[i]);
        value += along[i] * d + 0.5 * w[i] * d * d;
    }
    ss_free(w);
    ss_free(along);
    return value;
}

/* Of the loss at the setup's point, d measured in units of c (NULL: 1). */
static double exact_maximum(const setup *s, const ss_hessian_options *o, const ss_real *c, double rho)
{
    size_t p = s->p;
    ss_hessian *h = hessian_make(s, o);
    ss_real *g = ss_alloc(p, sizeof *g);
    double *a = dense(h), *scaled = ss_alloc(p, sizeof *scaled);
    objective(h, s, o->l2, s->theta, g);
    for (size_t i = 0; i < p; i++) {
        scaled[i] = (double)g[i] * (c ? fabs((double)c[i]) : 1);
        for (size_t j = 0; j < p; j++) a[i * p + j] *= c ? fabs((double)c[i] * (double)c[j]) : 1;
    }
    double value = trust_region(p, a, scaled, rho);
    ss_free(g);
    ss_free(a);
    ss_free(scaled);
    ss_hessian_destroy(h);
    return value;
}

static void test_quadratic(void)
{
    static const double rhos[] = {0.05, 0.5, 5};
    for (size_t i = 0; i < 3; i++)
        for (int with_l2 = 0; with_l2 < 2; with_l2++) {
            setup s = SETUP(synthetic(37, 2, 1, 3), regression_layers, "squared_error");
            ss_hessian_options o = plain_options();
            ss_measure_options mo = measure_options();
            o.l2 = with_l2 ? 0.5 : 0;
            mo.sharpness_rho = mo.adaptive_rho = rhos[i];
            mo.sharpness_steps = 500;
            ss_measures m = measure(&s, &o, &mo, "sharpness");
            double want = exact_maximum(&s, &o, NULL, rhos[i]);
            CU_ASSERT(want > 0.01);
            SS_ASSERT_NEAR(m.sharpness, want, by_precision(1e-4, 1e-10), 0);
            CU_ASSERT(isnan(m.adaptive_sharpness) && m.hvp_count == 0);
            m = measure(&s, &o, &mo, "adaptive_sharpness");
            want = exact_maximum(&s, &o, s.theta, rhos[i]);
            SS_ASSERT_NEAR(m.adaptive_sharpness, want, by_precision(1e-4, 1e-10), 1e-3);
            CU_ASSERT(isnan(m.sharpness));
            setup_drop(&s);
        }
}

/* loss(w + rho c^2 g / ||c g||) - loss(w), over these examples. */
static double one_step(const setup *s, const ss_hessian_options *o, bool adaptive, double rho, const uint32_t *index,
                       uint32_t n)
{
    ss_dataset data = part_of(s->data, index, n);
    setup part = *s;
    part.data = &data;
    ss_hessian_options all = *o;
    all.examples = 0;
    ss_hessian *h = hessian_make(&part, &all);
    ss_real *g = ss_alloc(s->p, sizeof *g), *w = ss_alloc(s->p, sizeof *w);
    double start = objective(h, &part, o->l2, s->theta, g), norm2 = 0;
    for (size_t i = 0; adaptive && i < s->p; i++) {
        double c = fabs((double)s->theta[i]);
        norm2 += c * c * (double)g[i] * (double)g[i];
        g[i] = (ss_real)(c * c * (double)g[i]);
    }
    if (!adaptive) norm2 = ss_dot(s->p, g, g);
    ss_ascend(s->p, g, 0, rho / sqrt(norm2), s->theta, w);
    double rise = objective(h, &part, o->l2, w, NULL) - start;
    ss_free(g);
    ss_free(w);
    ss_hessian_destroy(h);
    part_drop(&data);
    return rise;
}

/* The Hessian's own examples, in their order. */
static void own_examples(uint32_t n, uint32_t *index)
{
    for (uint32_t i = 0; i < n; i++) index[i] = (uint32_t)((uint64_t)i * 37 / n);
}

/* One step is SAM's perturbation; in groups of m each has its own, a short last one counts by its examples. */
static void test_one_step(void)
{
    static const uint32_t groups[] = {0, 1, 7, 10, 20, 21, 100};
    setup (*const make[])(void) = {mlp_setup, cnn_setup};
    for (size_t k = 0; k < 2; k++)
        for (size_t i = 0; i < sizeof groups / sizeof *groups; i++) {
            setup s = make[k]();
            ss_hessian_options o = plain_options();
            ss_measure_options mo = measure_options();
            uint32_t index[21], size = groups[i] == 0 || groups[i] > 21 ? 21 : groups[i];
            o.examples = 21;
            o.subset = "even";
            o.ghost_batch = 5;
            o.l2 = 0.01;
            mo.sharpness_rho = 0.1;
            mo.adaptive_rho = 0.3;
            mo.sharpness_m = groups[i];
            mo.sharpness_steps = 1;
            own_examples(21, index);
            double want[2] = {0};
            for (uint32_t first = 0; first < 21; first += size) {
                uint32_t n = 21 - first < size ? 21 - first : size;
                for (int a = 0; a < 2; a++)
                    want[a] += n / 21.0 * fmax(0, one_step(&s, &o, a, a ? 0.3 : 0.1, index + first, n));
            }
            CU_ASSERT(want[0] > 1e-3 && want[1] > 1e-3);
            SS_ASSERT_NEAR(measure(&s, &o, &mo, "sharpness").sharpness, want[0], by_precision(1e-3, 1e-11), 0);
            ss_measures m = measure(&s, &o, &mo, "adaptive_sharpness");
            SS_ASSERT_NEAR(m.adaptive_sharpness, want[1], by_precision(1e-3, 1e-11), 0);
            setup_drop(&s);
        }
}

/* More steps never find less; and no point of the ball that chance finds is above what twenty do. */
static void test_steps(void)
{
    setup s = mlp_setup();
    ss_hessian_options o = plain_options();
    ss_measure_options mo = measure_options();
    mo.sharpness_rho = 1;
    double last = 0, rho = 1;
    for (mo.sharpness_steps = 1; mo.sharpness_steps <= 20; mo.sharpness_steps++) {
        double here = measure(&s, &o, &mo, "sharpness").sharpness;
        CU_ASSERT(here >= last);
        last = here;
    }
    ss_hessian *h = hessian_make(&s, &o);
    double start = ss_hessian_loss(h, NULL);
    for (uint32_t i = 0; i < 50; i++) {
        ss_real *d = random_vector(s.p, 100 + i);
        ss_scale(s.p, rho / ss_norm(s.p, d), d);
        ss_axpy(s.p, 1, s.theta, d);
        CU_ASSERT(objective(h, &s, 0, d, NULL) - start < last);
        ss_free(d);
    }
    ss_hessian_destroy(h);
    setup_drop(&s);
}

/* Where a weight is zero the adaptive ball has no width. */
static void test_zero_weights(void)
{
    setup s = SETUP(synthetic(37, 2, 1, 3), sparse_layers, "squared_error");
    ss_hessian_options o = plain_options();
    ss_measure_options mo = measure_options();
    mo.adaptive_rho = 0.5;
    mo.sharpness_steps = 3;
    for (size_t i = 0; i < s.p; i++) s.theta[i] = 0;
    CU_ASSERT_EQUAL(measure(&s, &o, &mo, "adaptive_sharpness").adaptive_sharpness, 0);
    s.theta[4] = 2; /* the one direction there is: g d + H d^2 / 2, |d| = 2 * 0.5 */
    ss_hessian *h = hessian_make(&s, &o);
    ss_real *g = ss_alloc(s.p, sizeof *g);
    objective(h, &s, 0, s.theta, g);
    double *a = dense(h), want = fabs((double)g[4]) + 0.5 * a[4 * s.p + 4];
    SS_ASSERT_NEAR(measure(&s, &o, &mo, "adaptive_sharpness").adaptive_sharpness, want, by_precision(1e-5, 1e-12), 0);
    ss_free(a);
    ss_free(g);
    ss_hessian_destroy(h);
    setup_drop(&s);
}

static const ss_case cases[] = {
    {"a quadratic's exact maximum", test_quadratic},
    {"one step is SAM's, group by group", test_one_step},
    {"more steps find no less", test_steps},
    {"zero weights", test_zero_weights},
};

SS_SUITE("sharp/measure_worst", cases)
