/* Measures that are extreme eigenvalues against LAPACK's of dense matrices. */
#include "measures.h"

static setup (*const make[])(void) = {softmax_setup, mlp_setup, cnn_setup};
enum { N_SETUPS = sizeof make / sizeof *make };

/* H dense at the setup's point, and its eigenvalues ascending. */
typedef struct spectrum { double *a, *v, *w; } spectrum;

static spectrum spectrum_make(const setup *s, const ss_hessian_options *o)
{
    ss_hessian *h = hessian_make(s, o);
    spectrum x = {.a = dense(h), .v = ss_alloc(s->p * s->p, sizeof(double)), .w = ss_alloc(s->p, sizeof(double))};
    memcpy(x.v, x.a, s->p * s->p * sizeof(double));
    dense_eigen(s->p, x.v, x.w);
    ss_hessian_destroy(h);
    return x;
}

static void spectrum_drop(spectrum *x)
{
    ss_free(x->a);
    ss_free(x->v);
    ss_free(x->w);
}

static void test_lambda_min(void)
{
    for (size_t i = 1; i < N_SETUPS; i++)
        for (int with_l2 = 0; with_l2 < 2; with_l2++) {
            setup s = make[i]();
            ss_hessian_options o = plain_options();
            ss_measure_options mo = measure_options();
            o.l2 = with_l2 ? 0.02 : 0;
            mo.smallest_eigenvalue = true;
            spectrum x = spectrum_make(&s, &o);
            ss_measures m = measure(&s, &o, &mo, "lambda_min");
            CU_ASSERT(x.w[0] < 0);
            SS_ASSERT_NEAR(m.lambda_min, x.w[0], by_precision(1e-3, 1e-9), 0);
            CU_ASSERT(m.lambda_min_residual <= by_precision(1e-2, 1e-9) && m.hvp_count > 3);
            spectrum_drop(&x);
            setup_drop(&s);
        }
}

/* H + l2 I with the smallest eigenvalue a hundred thousandth of the largest: beside |lambda_min| no residual of float is small. */
static void test_lambda_min_near_zero(void)
{
    setup s = mlp_setup();
    ss_hessian_options o = plain_options();
    ss_measure_options mo = measure_options();
    spectrum x = spectrum_make(&s, &o);
    mo.smallest_eigenvalue = true;
    mo.lanczos.tolerance = 1e-3;
    for (int sign = -1; sign <= 1; sign += 2) {
        o.l2 = -x.w[0] * (1 + 1e-5 * sign);
        double least = x.w[0] + o.l2, most = x.w[s.p - 1] + o.l2;
        ss_measures m = measure(&s, &o, &mo, "lambda_min");
        CU_ASSERT(fabs(least) < 2e-5 * most);
        CU_ASSERT(m.lambda_min_residual <= mo.lanczos.tolerance && m.lambda_min_residual >= 0);
        CU_ASSERT(m.hvp_count < 100 && fabs(m.lambda_min - least) <= mo.lanczos.tolerance * most);
    }
    spectrum_drop(&x);
    setup_drop(&s);
}

/* Softmax regression is linear in its parameters: G = H. Elsewhere G is dense from its own products, which tests/nn holds
 * to Fisher's matrix: symmetric, positive semidefinite, not H. */
static void test_gauss_newton(void)
{
    for (size_t i = 0; i < N_SETUPS; i++)
        for (int running = 0; running < 2; running++) {
            setup s = make[i]();
            ss_hessian_options o = plain_options();
            ss_measure_options mo = measure_options();
            o.l2 = 0.02;
            o.batch_norm = running ? "running" : "batch";
            mo.gauss_newton = true;
            ss_hessian *h = hessian_make(&s, &o);
            spectrum x = spectrum_make(&s, &o);
            ss_hessian_set_matrix(h, SS_GAUSS_NEWTON);
            double *g = dense(h), *w = ss_alloc(s.p, sizeof *w), apart = 0, size = 0;
            for (size_t e = 0; e < s.p * s.p; e++) apart += (g[e] - x.a[e]) * (g[e] - x.a[e]), size += g[e] * g[e];
            for (size_t r = 0; r < s.p; r++)
                for (size_t c = 0; c < r; c++)
                    SS_ASSERT_NEAR(g[r * s.p + c], g[c * s.p + r], by_precision(1e-6, 1e-14), sqrt(size));
            if (i == 0) CU_ASSERT(sqrt(apart / size) < by_precision(1e-6, 1e-14));
            if (i > 0) CU_ASSERT(sqrt(apart / size) > 0.01);
            dense_eigen(s.p, g, w);
            CU_ASSERT(w[0] >= o.l2 - by_precision(1e-5, 1e-13));
            ss_measures m = measure(&s, &o, &mo, "gauss_newton");
            SS_ASSERT_NEAR(m.gauss_newton_lambda_max, w[s.p - 1], by_precision(1e-4, 1e-9), 0);
            CU_ASSERT(m.gauss_newton_residual <= by_precision(1e-3, 1e-9));
            ss_free(g);
            ss_free(w);
            spectrum_drop(&x);
            ss_hessian_destroy(h);
            setup_drop(&s);
        }
}

static void test_adaptive(void)
{
    for (size_t i = 0; i < N_SETUPS; i++) {
        setup s = make[i]();
        ss_hessian_options o = plain_options();
        ss_measure_options mo = measure_options();
        mo.adaptive = true;
        o.l2 = 0.02;
        spectrum x = spectrum_make(&s, &o);
        for (size_t r = 0; r < s.p; r++)
            for (size_t c = 0; c < s.p; c++) x.a[r * s.p + c] *= fabs((double)s.theta[r] * (double)s.theta[c]);
        dense_eigen(s.p, x.a, x.w);
        ss_measures m = measure(&s, &o, &mo, "adaptive_lambda_max");
        SS_ASSERT_NEAR(m.adaptive_lambda_max, x.w[s.p - 1], by_precision(1e-3, 1e-9), 0);
        CU_ASSERT(m.adaptive_residual <= by_precision(1e-2, 1e-9));
        spectrum_drop(&x);
        setup_drop(&s);
    }
}

/* ---- spherical ----------------------------------------------------------------------------------------------------- */
static const char *const invariant[] = {"0.weight", "4.weight"}; /* of cnn_layers */

static void scale_invariant_weights(setup *s, double c)
{
    for (size_t t = 0; t < 2; t++) {
        const ss_param *p = tensor_named(s->net, invariant[t]);
        ss_scale(p->size, c, s->theta + p->offset);
    }
}

/* ||w_s||^2 lambda_max of the block of the dense Hessian. */
static double spherical(const setup *s, const spectrum *x)
{
    size_t n = 0, *at = ss_alloc(s->p, sizeof *at);
    double length2 = 0;
    for (size_t t = 0; t < 2; t++) {
        const ss_param *p = tensor_named(s->net, invariant[t]);
        for (size_t j = 0; j < p->size; j++) at[n++] = p->offset + j;
    }
    double *block = ss_alloc(n * n, sizeof *block), *w = ss_alloc(n, sizeof *w);
    for (size_t r = 0; r < n; r++) {
        length2 += (double)s->theta[at[r]] * (double)s->theta[at[r]];
        for (size_t c = 0; c < n; c++) block[r * n + c] = x->a[at[r] * s->p + at[c]];
    }
    dense_eigen(n, block, w);
    double value = length2 * w[n - 1];
    ss_free(at);
    ss_free(block);
    ss_free(w);
    return value;
}

static void test_spherical(void)
{
    setup s = cnn_setup();
    ss_hessian_options o = plain_options();
    ss_measure_options mo = measure_options();
    mo.spherical = true;
    spectrum x = spectrum_make(&s, &o);
    double want = spherical(&s, &x);
    ss_measures m = measure(&s, &o, &mo, "spherical_sharpness");
    CU_ASSERT(want > 0.01);
    SS_ASSERT_NEAR(m.spherical_sharpness, want, by_precision(1e-3, 1e-9), 0);
    CU_ASSERT(m.spherical_residual <= by_precision(1e-2, 1e-9));
    o.l2 = 3; /* is left out */
    SS_ASSERT_NEAR(measure(&s, &o, &mo, "spherical_sharpness").spherical_sharpness, want, by_precision(1e-3, 1e-9), 0);
    spectrum_drop(&x);
    setup_drop(&s);
}

/* The loss does not see the length of these weights, and spherical sharpness does not either (far from batch norm's
 * epsilon). */
static void test_spherical_is_invariant(void)
{
    setup s = cnn_setup();
    ss_hessian_options o = plain_options();
    ss_measure_options mo = measure_options();
    mo.spherical = true;
    mo.lanczos.max_products = 800;
    scale_invariant_weights(&s, by_precision(1e2, 1e4));
    ss_measures one = measure(&s, &o, &mo, "spherical_sharpness");
    scale_invariant_weights(&s, 7);
    ss_measures two = measure(&s, &o, &mo, "spherical_sharpness");
    CU_ASSERT(one.spherical_sharpness > 0);
    SS_ASSERT_NEAR(two.spherical_sharpness, one.spherical_sharpness, by_precision(1e-3, 1e-7), 0);
    setup_drop(&s);
}

static void test_no_spherical(void)
{
    ss_measure_options mo = measure_options();
    mo.spherical = true;
    setup without = mlp_setup(), with = cnn_setup();
    ss_hessian_options batch = plain_options(), running = plain_options();
    running.batch_norm = "running";
    const ss_measures m[] = {measure(&without, &batch, &mo, "spherical_sharpness"),
                             measure(&with, &running, &mo, "spherical_sharpness")};
    for (size_t i = 0; i < 2; i++)
        CU_ASSERT(isnan(m[i].spherical_sharpness) && isnan(m[i].spherical_residual) && m[i].hvp_count == 0);
    setup_drop(&without);
    setup_drop(&with);
}

/* ---- subsets ------------------------------------------------------------------------------------------------------- */
/* Each part's lambda_max from a Hessian of its own over a data set of its own. */
static double part_lambda(const setup *s, const ss_hessian_options *o, const uint32_t *index, uint32_t n)
{
    ss_dataset data = part_of(s->data, index, n);
    setup part = *s;
    part.data = &data;
    ss_hessian_options all = *o;
    all.examples = 0;
    spectrum x = spectrum_make(&part, &all);
    double value = x.w[s->p - 1];
    spectrum_drop(&x);
    part_drop(&data);
    return value;
}

static void test_subsets(void)
{
    static const struct { int parts; uint32_t examples, size; } table[] = {{2, 0, 18}, {3, 10, 10}, {5, 30, 7}, {37, 0, 1}};
    setup (*const own[])(void) = {mlp_setup, cnn_setup};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        for (size_t k = 0; k < 2; k++) {
            setup s = own[k]();
            ss_hessian_options o = plain_options();
            ss_measure_options mo = measure_options();
            uint32_t parts = (uint32_t)table[i].parts, size = table[i].size, seen[37] = {0};
            double value[37], mean = 0, deviation = 0;
            mo.subsets = table[i].parts;
            o.examples = table[i].examples;
            o.subset = "even";
            for (uint32_t part = 0; part < parts; part++) {
                uint32_t index[37];
                for (uint32_t j = 0; j < size; j++) {
                    index[j] = (uint32_t)((uint64_t)(j * parts + part) * 37 / (size * parts));
                    seen[index[j]]++;
                }
                value[part] = part_lambda(&s, &o, index, size);
                mean += value[part] / parts;
            }
            for (uint32_t j = 0; j < 37; j++) CU_ASSERT(seen[j] <= 1);
            for (uint32_t part = 0; part < parts; part++)
                deviation += (value[part] - mean) * (value[part] - mean) / (parts - 1);
            ss_measures m = measure(&s, &o, &mo, "subsets");
            SS_ASSERT_NEAR(m.subset_lambda_mean, mean, by_precision(1e-3, 1e-8), 0);
            SS_ASSERT_NEAR(m.subset_lambda_deviation, sqrt(deviation), by_precision(1e-2, 1e-7), 0);
            CU_ASSERT(m.subset_examples == size && m.subset_lambda_residual <= by_precision(1e-3, 1e-9));
            mo.lanczos.max_products = 2; /* the worst of them */
            m = measure(&s, &o, &mo, "subsets");
            CU_ASSERT(m.subset_lambda_residual > 1e-3);
            setup_drop(&s);
        }
}

static void test_too_many_subsets(void)
{
    setup s = mlp_setup();
    ss_hessian_options o = plain_options();
    ss_measure_options mo = measure_options();
    ss_error error = {{0}};
    ss_measures m, kept;
    mo.subsets = 38;
    ss_hessian *h = hessian_make(&s, &o);
    ss_measurer *measurer = ss_measurer_create(h, s.net, s.data, &mo, &error);
    ss_measures_init(&m);
    kept = m;
    CU_ASSERT_EQUAL(ss_measurer_run(measurer, measure_index("subsets"), s.theta, s.stats, NULL, &m, NULL, &error), -1);
    CU_ASSERT(strstr(error.text, "38") && strstr(error.text, "37") && strstr(error.text, "subsets"));
    CU_ASSERT(memcmp(&m, &kept, sizeof m) == 0);
    ss_measurer_destroy(measurer);
    ss_hessian_destroy(h);
    setup_drop(&s);
}

/* ---- alignment ----------------------------------------------------------------------------------------------------- */
static void test_alignment(void)
{
    for (size_t i = 0; i < N_SETUPS; i++) {
        setup s = make[i]();
        ss_hessian_options o = plain_options();
        ss_measure_options mo = measure_options();
        ss_error error = {{0}};
        o.l2 = 0.5;
        mo.alignment = true;
        spectrum x = spectrum_make(&s, &o);
        ss_hessian *h = hessian_make(&s, &o);
        ss_real *g = ss_alloc(s.p, sizeof *g), *u = ss_alloc(s.p, sizeof *u);
        objective(h, &s, o.l2, s.theta, g);
        double along = 0;
        for (size_t j = 0; j < s.p; j++) {
            along += (double)g[j] * x.v[j * s.p + s.p - 1];
            u[j] = (ss_real)(-2 * x.v[j * s.p + s.p - 1]); /* its length and sign are nothing */
        }
        double want = fabs(along) / ss_norm(s.p, g);
        CU_ASSERT(want > 1e-3 && want < 0.999);
        ss_measures m = measure(&s, &o, &mo, "alignment");
        SS_ASSERT_NEAR(m.alignment, want, by_precision(1e-2, 1e-6), 0);
        CU_ASSERT(m.hvp_count > 1);
        ss_measurer *measurer = ss_measurer_create(h, s.net, s.data, &mo, &error);
        ss_measures_init(&m);
        CU_ASSERT_EQUAL(ss_measurer_run(measurer, measure_index("alignment"), s.theta, s.stats, u, &m, NULL, &error), 0);
        SS_ASSERT_NEAR(m.alignment, want, by_precision(1e-4, 1e-12), 0);
        CU_ASSERT_EQUAL(m.hvp_count, 0); /* nothing had to be worked out */
        ss_measurer_destroy(measurer);
        ss_hessian_destroy(h);
        ss_free(g);
        ss_free(u);
        spectrum_drop(&x);
        setup_drop(&s);
    }
}

static const ss_case cases[] = {
    {"lambda_min", test_lambda_min},
    {"lambda_min near zero", test_lambda_min_near_zero},
    {"Gauss-Newton", test_gauss_newton},
    {"adaptive lambda_max", test_adaptive},
    {"spherical sharpness", test_spherical},
    {"spherical sharpness does not see lengths", test_spherical_is_invariant},
    {"no spherical sharpness", test_no_spherical},
    {"subsets against Hessians of their own", test_subsets},
    {"too many subsets", test_too_many_subsets},
    {"alignment", test_alignment},
};

SS_SUITE("sharp/measure_extremes", cases)
