/* The Gauss-Newton product of every layer, and which weights batch norms make scale-invariant.
 * The witness takes no derivative of a network but its gradients. Cross-entropy of class t has the gradient J'(p - e_t), so
 * gradients of one example with different labels differ by rows of J (J'(e_0 - e_t)), and losses give p; with that,
 * Gv = sum of p_t r_t (r_t'v), r_t = J'(e_t - p): Fisher's matrix (Martens 2020). For the squared error the part of J along
 * (1, ..., 1) counts as well; there u'Gv = (Ju).(Jv) with Jv from differences of the logits, which the last bias's gradient
 * shows. */
#include "../suite.h"

#include <math.h>

#include "nets.h"

static const bool is_double = sizeof(ss_real) == sizeof(double);

static void product(fixture *f, const ss_real *v, ss_real *gv)
{
    ss_net_gauss_newton_product(f->net, &f->pass, 1 / (double)f->pass.n, f->tape, f->scratch, v, gv);
}

/* gv += p_t r_t (r_t'v) over the classes t of example i; gradient (k, p), row t: with label t. */
static void add_example(const fixture *f, const double *loss, ss_real *gradient, double *gv)
{
    size_t p = f->net->n_params, k = (size_t)f->net->n_classes;
    double sum = 0, q[16], n = (double)f->pass.n;
    ss_real *mean = vector(p);
    for (size_t t = 0; t < k; t++) q[t] = exp(n * (loss[0] - loss[t])), sum += q[t];
    for (size_t t = 0; t < k; t++) { /* row t becomes n (gradient t - gradient 0) = J'(e_0 - e_t) */
        if (t > 0) ss_axpy(p, -1, gradient, gradient + t * p);
        if (t > 0) ss_scale(p, n, gradient + t * p);
    }
    memset(gradient, 0, p * sizeof *gradient);
    for (size_t t = 0; t < k; t++) ss_axpy(p, q[t] / sum, gradient + t * p, mean);
    for (size_t t = 0; t < k; t++) {
        ss_axpy(p, -1, mean, gradient + t * p);
        double along = ss_dot(p, gradient + t * p, f->v);
        for (size_t j = 0; j < p; j++) gv[j] += q[t] / sum * along * (double)gradient[t * p + j] / n;
    }
    ss_free(mean);
}

static double against_fisher(fixture *f)
{
    size_t p = f->net->n_params, k = (size_t)f->net->n_classes;
    double loss[16], d2 = 0, s2 = 0, *gv = ss_alloc(p, sizeof *gv);
    ss_real *gradient = vector(k * p);
    uint8_t *label = ss_tape_labels(f->tape);
    loss_at(f, f->theta, NULL);
    product(f, f->v, f->hv);
    for (size_t i = 0; i < f->pass.n; i++) {
        uint8_t kept = label[i];
        for (size_t t = 0; t < k; t++) {
            label[i] = (uint8_t)t;
            loss[t] = loss_at(f, f->theta, gradient + t * p);
        }
        label[i] = kept;
        add_example(f, loss, gradient, gv);
    }
    for (size_t j = 0; j < p; j++) {
        d2 += (gv[j] - (double)f->hv[j]) * (gv[j] - (double)f->hv[j]);
        s2 += gv[j] * gv[j];
    }
    CU_ASSERT(s2 > 0 && ss_dot(p, f->v, f->hv) > 0); /* positive semidefinite */
    ss_free(gradient);
    ss_free(gv);
    return sqrt(d2 / s2);
}

/* The last layer is made smaller until the classes are in doubt: where p is 1 but for 1e-13, the rest is rounding. */
static void keep_in_doubt(fixture *f)
{
    const ss_param *last = &f->net->tensor[f->net->n_tensors - 2];
    while (last->is_stat) last--;
    while (loss_at(f, f->theta, NULL) > 5)
        for (size_t j = last->offset; j < f->net->n_params; j++) f->theta[j] *= (ss_real)0.5;
}

static void every_layer(void)
{
    ss_error error;
    for (size_t i = 0; i < N_NET_CASES; i++) {
        fixture f;
        const net_case *c = &net_cases[i];
        if (strcmp(c->loss, "cross_entropy") != 0 || c->exact) continue; /* exact: the large presets, of the same layers */
        CU_ASSERT_EQUAL_FATAL(fixture_init(&f, c, &error), 0);
        if (c->preset) keep_in_doubt(&f);
        double off = against_fisher(&f), bound = is_double ? 1e-10 : 2e-3;
        if (!(off <= bound)) fprintf(stderr, "\n    %s: Gv is off by %.3g > %.3g\n", c->name, off, bound);
        CU_ASSERT(off <= bound);
        fixture_finish(&f);
    }
}

/* The logits of the batch (n, k) at theta + h v, one example at a time: the gradient of a bias behind which nothing comes is
 * z - e_t. */
static void logits(fixture *f, double h, const ss_real *v, double *z)
{
    size_t p = f->net->n_params, k = (size_t)f->net->n_classes, n = f->pass.n;
    size_t size = (size_t)f->net->input.h * (size_t)f->net->input.w * (size_t)f->net->input.c;
    ss_real *theta = vector(p), *input = vector(n * size), *x = ss_tape_input(f->tape);
    uint8_t label[16], *l = ss_tape_labels(f->tape);
    memcpy(theta, f->theta, p * sizeof *theta);
    ss_axpy(p, h, v, theta);
    memcpy(input, x, n * size * sizeof *x);
    memcpy(label, l, n);
    f->pass.n = 1;
    f->pass.dropout = false;
    for (size_t i = 0; i < n; i++) {
        memcpy(x, input + i * size, size * sizeof *x);
        l[0] = 0;
        loss_at(f, theta, f->grad);
        for (size_t c = 0; c < k; c++) z[i * k + c] = (double)f->grad[p - k + c] + (c == 0);
    }
    f->pass.n = n;
    memcpy(x, input, n * size * sizeof *x);
    memcpy(l, label, n);
    ss_free(theta);
    ss_free(input);
}

/* Jv along u and v, by central differences in double. */
static void squared_error(void)
{
    static const net_case c = {"tanh and gelu", {1, 1, 7}, 4, "squared_error", 6, .layer = {LINEAR(9), LAYER("tanh"),
                               LINEAR(8), LAYER("gelu"), LINEAR(4)}};
    enum { VALUES = 24 };
    ss_error error;
    fixture f;
    double z[4][VALUES], along = 0, size = 0, h = 1e-5;
    if (!is_double) return;
    CU_ASSERT_EQUAL_FATAL(fixture_init(&f, &c, &error), 0);
    size_t p = f.net->n_params;
    ss_scale(p, 1 / ss_norm(p, f.u), f.u);
    for (int i = 0; i < 4; i++) logits(&f, i % 2 ? -h : h, i < 2 ? f.u : f.v, z[i]);
    loss_at(&f, f.theta, f.grad);
    product(&f, f.v, f.hv);
    for (size_t i = 0; i < VALUES; i++) {
        double ju = (z[0][i] - z[1][i]) / (2 * h), jv = (z[2][i] - z[3][i]) / (2 * h);
        along += ju * jv / 6;
        size += ju * ju / 6;
    }
    CU_ASSERT(fabs(along) > 1e-4);
    SS_ASSERT_NEAR(ss_dot(p, f.u, f.hv), along, 1e-8, size);
    product(&f, f.u, f.other);
    SS_ASSERT_NEAR(ss_dot(p, f.u, f.other), size, 1e-8, 0);
    SS_ASSERT_NEAR(ss_dot(p, f.v, f.other), along, 1e-8, size);
    fixture_finish(&f);
}

/* A network that is linear in its parameters has no curvature of its own: G is the Hessian. */
static void linear_networks(void)
{
    ss_error error;
    for (size_t i = 0; i < 2; i++) {
        fixture f;
        CU_ASSERT_EQUAL_FATAL(fixture_init(&f, &net_cases[i], &error), 0);
        loss_at(&f, f.theta, f.grad);
        hessian_product(&f, f.v, f.hv);
        product(&f, f.v, f.other);
        size_t p = f.net->n_params;
        double size = ss_norm(p, f.hv);
        CU_ASSERT(size > 0);
        for (size_t j = 0; j < p; j++) SS_ASSERT_NEAR(f.other[j], f.hv[j], is_double ? 1e-14 : 1e-6, size);
        fixture_finish(&f);
    }
}

/* ---- scale invariance ---------------------------------------------------------------------------------------------- */
static bool is_marked(const ss_net *net, const bool *mask, const char *name)
{
    for (size_t i = 0; i < net->n_tensors; i++) {
        const ss_param *t = &net->tensor[i];
        if (strcmp(t->name, name) != 0) continue;
        size_t n = 0;
        for (size_t j = 0; j < t->size; j++) n += mask[t->offset + j];
        CU_ASSERT(n == 0 || n == t->size);
        return n > 0;
    }
    fprintf(stderr, "\n    no tensor %s\n", name);
    CU_FAIL("a tensor is missing");
    return false;
}

static void scale_invariant(void)
{
    static const struct { const char *net; size_t n; const char *marked[4], *unmarked[6]; } table[] = {
        {"read twice", 0, {0}, {"0.weight"}}, /* by the sum that ends the block, too */
        {"linear", 0, {0}, {"0.weight"}},
        {"batch norm, linear", 63 + 72, {"0.weight", "3.weight"}, {"0.bias", "3.bias", "6.weight", "1.weight", "4.bias"}},
        {"batch norm, conv", 90 + 180, {"0.weight", "3.weight"}, {"1.weight", "1.bias", "4.weight"}},
        {"batch norm first", 0, {0}, {"0.weight", "2.weight", "5.weight"}}, /* tanh stands between */
        {"residual, identity", 81, {"2.body.0.weight"}, {"0.weight", "2.body.1.weight", "2.body.3.weight"}},
        {"residual, projection", 108 + 12, {"2.body.0.weight", "2.shortcut.0.weight"}, {"0.weight", "2.body.3.weight"}},
    };
    static const net_case read_twice = {"read twice", {1, 1, 7}, 4, "cross_entropy", 6, .layer = {LINEAR(4),
                                        LAYER("residual"), LAYER("batch_norm"), LAYER("tanh"), LINEAR(4), LAYER("end")}};
    ss_error error;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        const net_case *c = net_cases;
        while (i > 0 && strcmp(c->name, table[i].net) != 0) c++;
        if (i == 0) c = &read_twice;
        ss_net *net = net_build(c, &error);
        bool *mask = ss_alloc(net->n_params, sizeof *mask);
        size_t n = 0;
        memset(mask, 1, net->n_params * sizeof *mask);
        CU_ASSERT_EQUAL(ss_net_scale_invariant(net, mask), table[i].n);
        for (size_t j = 0; j < net->n_params; j++) n += mask[j];
        CU_ASSERT_EQUAL(n, table[i].n);
        for (size_t j = 0; j < 4 && table[i].marked[j]; j++) CU_ASSERT(is_marked(net, mask, table[i].marked[j]));
        for (size_t j = 0; j < 6 && table[i].unmarked[j]; j++) CU_ASSERT(!is_marked(net, mask, table[i].unmarked[j]));
        ss_free(mask);
        ss_net_destroy(net);
    }
}

/* The loss of every network stays where the marked weights are made longer. */
static void scaling_changes_nothing(void)
{
    ss_error error;
    size_t seen = 0;
    for (size_t i = 0; i < N_NET_CASES; i++) {
        fixture f;
        if (net_cases[i].running || net_cases[i].exact) continue;
        CU_ASSERT_EQUAL_FATAL(fixture_init(&f, &net_cases[i], &error), 0);
        size_t p = f.net->n_params;
        bool *mask = ss_alloc(p, sizeof *mask);
        ss_real *theta = vector(p);
        if (ss_net_scale_invariant(f.net, mask) > 0) {
            seen++;
            for (size_t j = 0; j < p; j++) f.theta[j] *= mask[j] ? 100 : 1; /* far from the epsilon */
            for (size_t j = 0; j < p; j++) theta[j] = f.theta[j] * (mask[j] ? 3 : 1);
            double loss = loss_at(&f, f.theta, NULL);
            SS_ASSERT_NEAR(loss_at(&f, theta, NULL), loss, 1e-3, 0);
        }
        ss_free(mask);
        ss_free(theta);
        fixture_finish(&f);
    }
    CU_ASSERT(seen >= 6);
}

static const ss_case cases[] = {
    {"cross-entropy: Fisher's matrix, every layer", every_layer},
    {"squared error: products of the logits' derivatives", squared_error},
    {"linear networks: the Hessian", linear_networks},
    {"weights ahead of batch norms", scale_invariant},
    {"their length changes no loss", scaling_changes_nothing},
};

SS_SUITE("nn/gauss_newton", cases)
