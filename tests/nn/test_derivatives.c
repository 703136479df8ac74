/* Gradient and Hessian-vector product of every layer, loss and preset against central differences, in double; symmetry
 * and determinism in both precisions. */
#include "../suite.h"

#include <math.h>

#include "nets.h"

static const bool is_double = sizeof(ss_real) == sizeof(double);

static double relative_error(size_t n, const ss_real *a, const ss_real *b)
{
    double d = 0, s = 0;
    for (size_t i = 0; i < n; i++) {
        d += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]);
        s += (double)b[i] * (double)b[i];
    }
    return sqrt(d / s);
}

static void check(const net_case *c, const char *what, double error, double bound)
{
    if (!(error <= bound)) fprintf(stderr, "\n    %s: %s is off by %.3g > %.3g\n", c->name, what, error, bound);
    CU_ASSERT(error <= bound);
}

static void shifted(const fixture *f, double h, ss_real *theta)
{
    memcpy(theta, f->theta, f->net->n_params * sizeof *theta);
    ss_axpy(f->net->n_params, h, f->v, theta);
}

/* d loss(theta + h v)/dh against grad . v, and d grad(theta + h v)/dh against Hv, by five-point central differences:
 * (8 (f(h) - f(-h)) - (f(2h) - f(-2h))) / 12h. The error is h^4 times a fifth derivative plus rounding of 1e-16/h: about
 * 1e-11 at h = 1e-4 along a v of unit norm, where hardly a ReLU changes side. */
static void against_differences(const net_case *c, fixture *f)
{
    static const double at[] = {1, -1, 2, -2}, weight[] = {8, -8, -1, 1};
    size_t p = f->net->n_params;
    double h = 1e-4, slope_difference = 0;
    ss_real *theta = vector(p), *grad = vector(p), *difference = vector(p);
    loss_at(f, f->theta, f->grad);
    double slope = ss_dot(p, f->grad, f->v);
    hessian_product(f, f->v, f->hv);
    for (int i = 0; i < 4; i++) {
        shifted(f, at[i] * h, theta);
        slope_difference += weight[i] * loss_at(f, theta, grad) / (12 * h);
        ss_axpy(p, weight[i] / (12 * h), grad, difference);
    }
    /* Millions of terms round more; a loss of 2.3, whose difference quotient has only 1e-16 * 2.3 / h to go by, the most. */
    check(c, "gradient along v", fabs(slope - slope_difference) / (fabs(slope) + 1e-2), c->preset ? 2e-8 : 1e-9);
    check(c, "Hessian-vector product", relative_error(p, f->hv, difference), c->preset ? 4e-9 : 1e-9);
    ss_free(theta), ss_free(grad), ss_free(difference);
}

static void derivatives(void)
{
    ss_error error;
    for (size_t i = 0; i < N_NET_CASES; i++) {
        fixture f;
        if (fixture_init(&f, &net_cases[i], &error)) {
            fprintf(stderr, "\n    %s: %s\n", net_cases[i].name, error.text);
            CU_FAIL("network not built");
            continue;
        }
        size_t p = f.net->n_params;
        loss_at(&f, f.theta, f.grad);
        hessian_product(&f, f.v, f.hv);
        hessian_product(&f, f.u, f.other);
        double uhv = ss_dot(p, f.u, f.hv), vhu = ss_dot(p, f.v, f.other);
        double size = ss_norm(p, f.u) * ss_norm(p, f.hv);
        check(&net_cases[i], "symmetry u'Hv = v'Hu", fabs(uhv - vhu) / size, is_double ? 1e-13 : 1e-5);
        if (is_double) against_differences(&net_cases[i], &f);
        fixture_finish(&f);
    }
}

/* A gradient of coordinates, one by one, where the directional test could hide compensating errors. */
static void single_coordinates(void)
{
    if (!is_double) {
        CU_PASS("differences need double");
        return;
    }
    ss_error error;
    for (size_t i = 0; i < N_NET_CASES; i++) {
        fixture f;
        if (net_cases[i].preset || fixture_init(&f, &net_cases[i], &error)) continue;
        size_t p = f.net->n_params;
        loss_at(&f, f.theta, f.grad);
        double norm = ss_norm(p, f.grad), worst = 0;
        memcpy(f.other, f.theta, p * sizeof *f.other);
        for (size_t j = 0; j < p; j++) {
            double h = 1e-6, t = (double)f.theta[j];
            f.other[j] = (ss_real)(t + h);
            double plus = loss_at(&f, f.other, NULL);
            f.other[j] = (ss_real)(t - h);
            double minus = loss_at(&f, f.other, NULL);
            f.other[j] = f.theta[j];
            double e = fabs((plus - minus) / (2 * h) - (double)f.grad[j]) / norm;
            if (e > worst) worst = e;
        }
        check(&net_cases[i], "a coordinate of the gradient", worst, 1e-7);
        fixture_finish(&f);
    }
}

/* The same input gives the same bits, whatever ran before on the tape. */
static void same_bits_again(void)
{
    ss_error error;
    for (size_t i = 0; i < N_NET_CASES; i++) {
        fixture f;
        if (fixture_init(&f, &net_cases[i], &error)) continue;
        size_t bytes = f.net->n_params * sizeof(ss_real);
        double loss = loss_at(&f, f.theta, f.grad);
        hessian_product(&f, f.v, f.hv);
        loss_at(&f, f.u, f.other);
        CU_ASSERT(loss_at(&f, f.theta, f.other) == loss);
        CU_ASSERT(memcmp(f.other, f.grad, bytes) == 0);
        hessian_product(&f, f.v, f.other);
        CU_ASSERT(memcmp(f.other, f.hv, bytes) == 0);
        ss_net_backward(f.net, &f.pass, 1 / (double)f.pass.n, f.tape, f.scratch, NULL);
        hessian_product(&f, f.v, f.other);
        CU_ASSERT(memcmp(f.other, f.hv, bytes) == 0);
        fixture_finish(&f);
    }
}

/* Batch norm ahead of which weights are scaled by c: the loss stays, and the block of the Hessian is divided by c^2
 * (PROTOCOL, exactly true no. 4), up to eps in the variance. */
static void batch_norm_scale_invariance(void)
{
    ss_error error;
    static const net_case c = {"scale", {6, 6, 2}, 4, "cross_entropy", 12,
                               .layer = {CONV_PLAIN(5, 3, 1, 1), LAYER("batch_norm"), LAYER("tanh"), LAYER("global_avg_pool"),
                                         LINEAR(4)}};
    fixture f;
    CU_ASSERT_FATAL(fixture_init(&f, &c, &error) == 0);
    size_t p = f.net->n_params, conv = f.net->tensor[0].size;
    CU_ASSERT(!strcmp(f.net->tensor[0].name, "0.weight"));
    ss_scale(conv, 30, f.theta); /* variance far above eps */
    memset(f.v + conv, 0, (p - conv) * sizeof *f.v);
    double loss = loss_at(&f, f.theta, f.grad), norm = ss_norm(conv, f.grad);
    hessian_product(&f, f.v, f.hv);
    double block = ss_dot(conv, f.v, f.hv), factor = 4;
    ss_scale(conv, factor, f.theta);
    SS_ASSERT_NEAR(loss_at(&f, f.theta, f.grad), loss, is_double ? 1e-6 : 1e-5, 0);
    SS_ASSERT_NEAR(ss_norm(conv, f.grad) * factor, norm, 1e-5 + (is_double ? 0 : 1e-4), 0);
    hessian_product(&f, f.v, f.hv);
    SS_ASSERT_NEAR(ss_dot(conv, f.v, f.hv) * factor * factor, block, 1e-5 + (is_double ? 0 : 1e-3), 0);
    fixture_finish(&f);
}

static const ss_case cases[] = {
    {"gradient and Hv of every network against differences; symmetry", derivatives},
    {"every coordinate of the gradient", single_coordinates},
    {"same bits again", same_bits_again},
    {"batch norm: scale invariance", batch_norm_scale_invariance},
};
SS_SUITE("nn derivatives", cases)
