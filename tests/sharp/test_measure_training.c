/* What training's gradients see of the curvature: SAM's edge by its law, batch sharpness batch by batch. */
#include "measures.h"

#include <float.h>

static const ss_layer regression_layers[] = {{.type = "flatten"}, {.type = "linear", .units = 3, .bias = true}};

static setup regression_setup(void) { return SETUP(synthetic(37, 2, 1, 3), regression_layers, "squared_error"); }

/* theta = the minimiser of the quadratic loss, plus a times the unit eigenvector of lambda_max. Returns lambda_max. */
static double from_minimum(setup *s, const ss_hessian_options *o, double a)
{
    size_t p = s->p;
    ss_hessian *h = hessian_make(s, o);
    double *v = dense(h), *w = ss_alloc(p, sizeof *w);
    ss_real *g = ss_alloc(p, sizeof *g);
    dense_eigen(p, v, w);
    for (int round = 0; round < 2; round++) { /* Newton's step is exact but for rounding */
        objective(h, s, o->l2, s->theta, g);
        for (size_t i = 0; i < p; i++) {
            double along = 0;
            for (size_t j = 0; j < p; j++) along += v[j * p + i] * (double)g[j];
            for (size_t j = 0; j < p; j++) s->theta[j] -= (ss_real)(along / w[i] * v[j * p + i]);
        }
    }
    CU_ASSERT(w[0] > 1e-3);
    for (size_t j = 0; j < p; j++) s->theta[j] += (ss_real)(a * v[j * p + p - 1]);
    double lambda = w[p - 1];
    ss_free(v);
    ss_free(w);
    ss_free(g);
    ss_hessian_destroy(h);
    return lambda;
}

/* SAM on a quadratic ends in a 2-cycle of amplitude lr lambda rho / (2 - lr lambda), and there the edge is lambda exactly.
 * The cycle is run as well: a step of SAM leads to the other side. */
static void test_sam_edge(void)
{
    static const double table[][2] = {{0.05, 0.3}, {0.5, 0.3}, {0.05, 1.2}, {0.01, 1.9}}; /* rho, lr lambda */
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        setup s = regression_setup();
        ss_hessian_options o = plain_options();
        ss_measure_options mo = measure_options();
        o.l2 = 0.125;
        setup flat = regression_setup();
        double lambda = from_minimum(&flat, &o, 0), rho = table[i][0], lr = table[i][1] / lambda;
        double amplitude = lr * lambda * rho / (2 - lr * lambda);
        from_minimum(&s, &o, amplitude);
        mo.sam_rho = rho;
        mo.learning_rate = lr;
        ss_measures m = measure(&s, &o, &mo, "sam_edge");
        SS_ASSERT_NEAR(m.sam_edge, lambda, by_precision(1e-3, 1e-9), 0);
        CU_ASSERT_EQUAL(m.hvp_count, 0);
        ss_hessian *h = hessian_make(&s, &o);
        ss_real *g = ss_alloc(s.p, sizeof *g), *w = ss_alloc(s.p, sizeof *w);
        objective(h, &s, o.l2, s.theta, g);
        double size = ss_norm(s.p, g), by_formula = size / (2 * rho) * (sqrt(1 + 8 * rho / (lr * size)) - 1);
        SS_ASSERT_NEAR(m.sam_edge, by_formula, by_precision(1e-4, 1e-12), 0);
        ss_ascend(s.p, g, 0, rho / size, s.theta, w);
        objective(h, &s, o.l2, w, g);
        memcpy(w, s.theta, s.p * sizeof *w);
        ss_axpy(s.p, -lr, g, w);
        SS_ASSERT_NEAR(distance(s.p, w, flat.theta), amplitude, by_precision(1e-2, 1e-8), 0);
        SS_ASSERT_NEAR(distance(s.p, w, s.theta), 2 * amplitude, by_precision(1e-2, 1e-8), 0);
        ss_free(g);
        ss_free(w);
        ss_hessian_destroy(h);
        setup_drop(&s);
        setup_drop(&flat);
    }
}

/* Against gradient and Hessian of each batch by itself. */
static double ratio_of(const setup *s, const ss_hessian_options *o, const uint32_t *index, uint32_t n)
{
    ss_dataset data = part_of(s->data, index, n);
    setup part = *s;
    part.data = &data;
    ss_hessian_options all = *o;
    all.examples = 0;
    ss_hessian *h = hessian_make(&part, &all);
    ss_real *g = ss_alloc(s->p, sizeof *g);
    double *a = dense(h), gg = 0, ghg = 0;
    objective(h, &part, o->l2, s->theta, g);
    for (size_t r = 0; r < s->p; r++) {
        gg += (double)g[r] * (double)g[r];
        for (size_t c = 0; c < s->p; c++) ghg += (double)g[r] * a[r * s->p + c] * (double)g[c];
    }
    ss_free(g);
    ss_free(a);
    ss_hessian_destroy(h);
    part_drop(&data);
    return ghg / gg;
}

static void test_batch_sharpness(void)
{
    static const struct { uint32_t batch; int wanted; uint32_t n; } table[] = {
        {10, 100, 3}, {10, 2, 2}, {1, 5, 5}, {37, 4, 1}, {0, 4, 1}, {50, 1, 1}, {18, 1, 1}};
    setup (*const make[])(void) = {mlp_setup, cnn_setup};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        for (size_t k = 0; k < 2; k++) {
            setup s = make[k]();
            ss_hessian_options o = plain_options();
            ss_measure_options mo = measure_options();
            o.ghost_batch = 4;
            o.examples = 6; /* of lambda_max; batches are training's */
            o.l2 = 0.05;
            mo.batches = table[i].wanted;
            mo.batch_size = table[i].batch;
            uint32_t order[37], size = table[i].batch == 0 || table[i].batch > 37 ? 37 : table[i].batch, n = table[i].n;
            for (uint32_t j = 0; j < 37; j++) order[j] = j;
            ss_stream stream = ss_stream_make(mo.seed, SS_FOR_PROBE, 2, 0);
            if (size < 37) ss_stream_permutation(&stream, 37, order);
            double mean = 0, variance = 0, ratio[8];
            for (uint32_t b = 0; b < n; b++) mean += (ratio[b] = ratio_of(&s, &o, order + b * size, size)) / n;
            for (uint32_t b = 0; n > 1 && b < n; b++) variance += (ratio[b] - mean) * (ratio[b] - mean) / (n - 1);
            ss_measures m = measure(&s, &o, &mo, "batch_sharpness");
            CU_ASSERT(fabs(mean) > 1e-3);
            SS_ASSERT_NEAR(m.batch_sharpness, mean, by_precision(1e-3, 1e-11), 0);
            if (n > 1) SS_ASSERT_NEAR(m.batch_sharpness_error, sqrt(variance / n), by_precision(1e-2, 1e-9), 0);
            else CU_ASSERT(size == 37 ? m.batch_sharpness_error == 0 : isnan(m.batch_sharpness_error));
            CU_ASSERT_EQUAL(m.hvp_count, n);
            setup_drop(&s);
        }
}

/* On a quadratic with full batches: the Rayleigh quotient of the gradient, here along an eigenvector. */
static void test_quadratic(void)
{
    setup s = regression_setup();
    ss_hessian_options o = plain_options();
    ss_measure_options mo = measure_options();
    mo.batches = 1;
    double lambda = from_minimum(&s, &o, 1);
    SS_ASSERT_NEAR(measure(&s, &o, &mo, "batch_sharpness").batch_sharpness, lambda, by_precision(1e-5, 1e-12), 0);
    setup_drop(&s);
}

/* Softmax regression on the examples of class 0 alone, which a bias tells with certainty: the larger the bias, the smaller the
 * gradient. */
static setup certain_setup(double bias, ss_dataset *data)
{
    setup s = softmax_setup();
    uint32_t index[64], n = 0;
    for (uint32_t i = 0; i < s.data->train.n; i++)
        if (s.data->train.labels[i] == 0) index[n++] = i;
    *data = part_of(s.data, index, n);
    CU_ASSERT_FATAL(n > 3);
    memset(s.theta, 0, s.p * sizeof *s.theta);
    s.theta[tensor_named(s.net, "1.bias")->offset] = (ss_real)bias;
    return s;
}

/* In float the passes' products of numbers like 1e-25 vanish. */
static void test_small_gradient(void)
{
    for (double bias = 10; bias < 65; bias += 18) {
        ss_dataset data;
        setup s = certain_setup(bias, &data), part = s;
        ss_hessian_options o = plain_options();
        ss_measure_options mo = measure_options();
        uint32_t all[64];
        part.data = &data;
        mo.batches = 1;
        for (uint32_t i = 0; i < data.train.n; i++) all[i] = i;
        ss_measures m = measure(&part, &o, &mo, "batch_sharpness");
        CU_ASSERT(m.batch_sharpness > 0);
        SS_ASSERT_NEAR(m.batch_sharpness, ratio_of(&part, &o, all, data.train.n), 1e-3, 0); /* 1 - p is rounding */
        part_drop(&data);
        setup_drop(&s);
    }
}

/* What the header says of a gradient that is zero, and of one that is no number. */
static void test_no_gradient(void)
{
    static const struct { double bias; bool finite; } table[] = {{1e4, true}, {INFINITY, false}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        ss_dataset data;
        setup s = certain_setup(table[i].bias, &data), part = s;
        ss_hessian_options o = plain_options();
        ss_measure_options mo = measure_options();
        part.data = &data;
        mo.batches = 1, mo.alignment = true, mo.sam_rho = mo.sharpness_rho = mo.adaptive_rho = 0.1, mo.learning_rate = 1;
        mo.sharpness_steps = 2;
        CU_ASSERT(isnan(measure(&part, &o, &mo, "batch_sharpness").batch_sharpness));
        CU_ASSERT(isnan(measure(&part, &o, &mo, "alignment").alignment));
        double edge = measure(&part, &o, &mo, "sam_edge").sam_edge, rise = measure(&part, &o, &mo, "sharpness").sharpness,
               adaptive = measure(&part, &o, &mo, "adaptive_sharpness").adaptive_sharpness;
        CU_ASSERT(table[i].finite ? edge == 0 && rise == 0 && adaptive == 0 : isnan(edge) && isnan(rise) && isnan(adaptive));
        part_drop(&data);
        setup_drop(&s);
    }
}

/* Squares of errors that overflow in the loss' gradient alone: it is infinite, and so is its norm. */
static void test_infinite_gradient(void)
{
    setup s = regression_setup();
    ss_hessian_options o = plain_options();
    ss_measure_options mo = measure_options();
    for (size_t i = 0; i < s.p; i++) s.theta[i] = 0;
    s.theta[tensor_named(s.net, "1.bias")->offset] = (ss_real)by_precision(FLT_MAX, DBL_MAX);
    o.l2 = 4;
    mo.sam_rho = 0.1, mo.learning_rate = 1;
    ss_hessian *h = hessian_make(&s, &o);
    ss_real *g = ss_alloc(s.p, sizeof *g);
    objective(h, &s, o.l2, s.theta, g);
    CU_ASSERT(isinf(ss_norm(s.p, g)));
    CU_ASSERT(isnan(measure(&s, &o, &mo, "sam_edge").sam_edge));
    ss_free(g);
    ss_hessian_destroy(h);
    setup_drop(&s);
}

static const ss_case cases[] = {
    {"a small gradient", test_small_gradient},
    {"no gradient", test_no_gradient},
    {"an infinite gradient", test_infinite_gradient},
    {"SAM's edge on a quadratic", test_sam_edge},
    {"batch sharpness, batch by batch", test_batch_sharpness},
    {"batch sharpness of a quadratic", test_quadratic},
};

SS_SUITE("sharp/measure_training", cases)
