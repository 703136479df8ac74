#include "suite.h"

#include "fixture.h"

#include <math.h>

/* ---- closed forms -------------------------------------------------------------------------------------------------- */
/* Softmax regression: H = 1/n sum of (diag(p) - p p') kron (x~ x~'), x~ = (x, 1). */
static void test_softmax_regression(void)
{
    setup s = softmax_setup();
    ss_hessian_options o = plain_options();
    ss_hessian *h = hessian_make(&s, &o);
    const ss_param *weight = tensor_named(s.net, "1.weight"), *bias = tensor_named(s.net, "1.bias");
    size_t d = weight->dim[1], k = weight->dim[0], n = s.data->train.n;
    CU_ASSERT(d == 9 && k == 3);
    ss_real *x = ss_alloc(n * d, sizeof *x), *v = random_vector(s.p, 1), *hv = ss_alloc(s.p, sizeof *hv);
    uint8_t *label = ss_alloc(n, 1);
    double *want = ss_alloc(s.p, sizeof *want);
    ss_dataset_batch(s.data, &s.data->train, NULL, 0, (uint32_t)n, x, label);
    for (size_t i = 0; i < n; i++) {
        double p[3], z[3], tz[3], sum = 0, mean = 0;
        for (size_t c = 0; c < k; c++) {
            z[c] = (double)s.theta[bias->offset + c], tz[c] = (double)v[bias->offset + c];
            for (size_t j = 0; j < d; j++) {
                z[c] += (double)s.theta[weight->offset + j * k + c] * (double)x[i * d + j];
                tz[c] += (double)v[weight->offset + j * k + c] * (double)x[i * d + j];
            }
            sum += exp(z[c]);
        }
        for (size_t c = 0; c < k; c++) p[c] = exp(z[c]) / sum, mean += p[c] * tz[c];
        for (size_t c = 0; c < k; c++) {
            double delta = p[c] * (tz[c] - mean) / (double)n;
            want[bias->offset + c] += delta;
            for (size_t j = 0; j < d; j++) want[weight->offset + j * k + c] += delta * (double)x[i * d + j];
        }
    }
    CU_ASSERT_EQUAL(ss_hessian_apply(h, v, hv, NULL), 0);
    double size = ss_norm(s.p, hv);
    CU_ASSERT(size > 0.1);
    for (size_t i = 0; i < s.p; i++) SS_ASSERT_NEAR(hv[i], want[i], by_precision(1e-5, 1e-13), size);
    ss_free(x);
    ss_free(v);
    ss_free(hv);
    ss_free(label);
    ss_free(want);
    ss_hessian_destroy(h);
    setup_drop(&s);
}

/* ---- the dense Hessian --------------------------------------------------------------------------------------------- */
static void test_symmetry(void)
{
    setup (*const make[])(void) = {softmax_setup, mlp_setup, cnn_setup};
    for (size_t m = 0; m < 3; m++)
        for (int running = 0; running < 2; running++) {
            setup s = make[m]();
            ss_hessian_options o = plain_options();
            o.batch_norm = running ? "running" : "batch";
            ss_hessian *h = hessian_make(&s, &o);
            ss_real *u = random_vector(s.p, 1), *v = random_vector(s.p, 2);
            ss_real *hu = ss_alloc(s.p, sizeof *hu), *hv = ss_alloc(s.p, sizeof *hv);
            ss_hessian_apply(h, u, hu, NULL);
            ss_hessian_apply(h, v, hv, NULL);
            double size = ss_norm(s.p, u) * ss_norm(s.p, hv);
            CU_ASSERT(size > 1e-3);
            SS_ASSERT_NEAR(ss_dot(s.p, u, hv), ss_dot(s.p, v, hu), by_precision(1e-5, 1e-13), size);
            ss_real *const all[] = {u, v, hu, hv};
            for (size_t i = 0; i < 4; i++) ss_free(all[i]);
            ss_hessian_destroy(h);
            setup_drop(&s);
        }
}

/* Against central differences of the gradient that ss_hessian_loss gives, and that against differences of the loss. */
static void test_differences(void)
{
    setup (*const make[])(void) = {mlp_setup, cnn_setup};
    double step = by_precision(3e-4, 1e-5);
    for (size_t m = 0; m < 2; m++)
        for (int running = 0; running < 2; running++) {
            setup s = make[m]();
            ss_hessian_options o = plain_options();
            o.batch_norm = running ? "running" : "batch";
            ss_hessian *h = hessian_make(&s, &o);
            ss_real *v = random_vector(s.p, 1), *hv = ss_alloc(s.p, sizeof *hv), *point = ss_alloc(s.p, sizeof *point);
            ss_real *g[3];
            double loss[2];
            ss_scale(s.p, 1 / ss_norm(s.p, v), v);
            ss_hessian_apply(h, v, hv, NULL);
            for (int i = 0; i < 3; i++) g[i] = ss_alloc(s.p, sizeof *g[i]);
            ss_hessian_loss(h, g[2]);
            for (int i = 0; i < 2; i++) {
                memcpy(point, s.theta, s.p * sizeof *point);
                ss_axpy(s.p, i == 0 ? step : -step, v, point);
                ss_hessian_set(h, point, s.stats);
                loss[i] = ss_hessian_loss(h, g[i]);
            }
            ss_axpy(s.p, -1, g[1], g[0]);
            ss_scale(s.p, 1 / (2 * step), g[0]);
            CU_ASSERT(distance(s.p, hv, g[0]) < by_precision(3e-2, 1e-8) * ss_norm(s.p, hv));
            SS_ASSERT_NEAR((loss[0] - loss[1]) / (2 * step), ss_dot(s.p, g[2], v), by_precision(3e-2, 1e-7), 0.01);
            for (int i = 0; i < 3; i++) ss_free(g[i]);
            ss_free(v);
            ss_free(hv);
            ss_free(point);
            ss_hessian_destroy(h);
            setup_drop(&s);
        }
}

/* Convolution weights ahead of batch norm times c: the same loss, their block of the Hessian divided by c^2. Exact but for
 * batch norm's epsilon, so the weights are made large first. */
static void test_scale_invariance(void)
{
    setup s = cnn_setup();
    ss_hessian_options o = plain_options();
    const ss_param *w = tensor_named(s.net, "0.weight");
    const double c = 3;
    ss_scale(w->size, by_precision(1e2, 1e4), s.theta + w->offset);
    ss_hessian *h = hessian_make(&s, &o);
    ss_real *v = ss_alloc(s.p, sizeof *v), *r = random_vector(w->size, 1);
    ss_real *one = ss_alloc(s.p, sizeof *one), *two = ss_alloc(s.p, sizeof *two);
    memcpy(v + w->offset, r, w->size * sizeof *v);
    double loss = ss_hessian_loss(h, NULL);
    ss_hessian_apply(h, v, one, NULL);
    ss_scale(w->size, c, s.theta + w->offset);
    ss_hessian_set(h, s.theta, s.stats);
    ss_hessian_apply(h, v, two, NULL);
    SS_ASSERT_NEAR(ss_hessian_loss(h, NULL), loss, by_precision(1e-5, 1e-9), 0);
    ss_scale(w->size, c * c, two + w->offset);
    double size = ss_norm(w->size, one + w->offset);
    CU_ASSERT(size > 0);
    CU_ASSERT(distance(w->size, one + w->offset, two + w->offset) < by_precision(1e-3, 1e-8) * size);
    ss_real *const all[] = {v, r, one, two};
    for (size_t i = 0; i < 4; i++) ss_free(all[i]);
    ss_hessian_destroy(h);
    setup_drop(&s);
}

/* ---- batches, cache, subsets ---------------------------------------------------------------------------------------- */
static ss_real *product(const setup *s, const ss_hessian_options *o)
{
    ss_hessian *h = hessian_make(s, o);
    ss_real *v = random_vector(s->p, 1), *hv = ss_alloc(s->p, sizeof *hv);
    ss_hessian_apply(h, v, hv, NULL);
    ss_free(v);
    ss_hessian_destroy(h);
    return hv;
}

static void check_same(const setup *s, const ss_hessian_options *a, const ss_hessian_options *b, bool same_bits, bool near)
{
    ss_real *x = product(s, a), *y = product(s, b);
    double d = distance(s->p, x, y), size = ss_norm(s->p, x);
    CU_ASSERT((memcmp(x, y, s->p * sizeof *x) == 0) == same_bits);
    CU_ASSERT((d <= by_precision(1e-5, 1e-13) * size) == near);
    ss_free(x);
    ss_free(y);
}

static void test_batches(void)
{
    setup mlp = mlp_setup(), cnn = cnn_setup();
    ss_hessian_options a = plain_options(), b = plain_options();
    b.micro_batch = 37; /* 10, 10, 10, 7 against 37 at once: a short last one counts by its examples */
    check_same(&mlp, &a, &b, false, true);
    check_same(&cnn, &a, &b, true, true); /* batch statistics: the ghost batch decides, not the micro-batch */
    b.micro_batch = 1000;
    check_same(&mlp, &a, &b, false, true);
    b = plain_options();
    b.ghost_batch = 12;
    check_same(&mlp, &a, &b, true, true);   /* without batch norm there are no ghosts */
    check_same(&cnn, &a, &b, false, false); /* another function */
    b = plain_options();
    b.batch_norm = "running";
    check_same(&mlp, &a, &b, true, true);
    check_same(&cnn, &a, &b, false, false);
    a.batch_norm = "running", a.ghost_batch = 5, b.micro_batch = 37;
    check_same(&cnn, &a, &b, false, true); /* running statistics couple nothing */
    setup_drop(&mlp);
    setup_drop(&cnn);
}

static void test_statistics_are_used(void)
{
    setup s = cnn_setup();
    ss_hessian_options o = plain_options();
    for (int running = 0; running < 2; running++) {
        o.batch_norm = running ? "running" : "batch";
        ss_real *before = product(&s, &o);
        for (size_t i = 0; i < s.net->n_stats; i++) s.stats[i] += (ss_real)0.5;
        ss_real *after = product(&s, &o);
        CU_ASSERT((memcmp(before, after, s.p * sizeof *before) != 0) == (running == 1));
        ss_free(before);
        ss_free(after);
    }
    setup_drop(&s);
}

static void test_cache(void)
{
    setup (*const make[])(void) = {mlp_setup, cnn_setup};
    for (size_t m = 0; m < 2; m++) {
        setup s = make[m]();
        ss_hessian_options o = plain_options();
        o.ghost_batch = o.micro_batch = 9;
        size_t tape = ss_tape_bytes(s.net, 9, false), deltas = ss_deltas_bytes(s.net, 9);
        CU_ASSERT_EQUAL(ss_tape_bytes(s.net, 9, true), tape + deltas);
        ss_real *v = random_vector(s.p, 1), *want = NULL, *want_grad = NULL;
        for (uint32_t level = 0; level < 10; level++) { /* of five batches' activations, then deltas, so many fit */
            uint32_t n_tapes = level < 5 ? level : 5, n_deltas = level < 5 ? 1 : level - 4;
            o.cache_bytes = n_tapes * tape + n_deltas * deltas;
            ss_hessian *h = hessian_make(&s, &o);
            ss_real *hv = ss_alloc(s.p, sizeof *hv), *grad = ss_alloc(s.p, sizeof *grad);
            for (int again = 0; again < 2; again++) { /* the second product finds the first one's tapes, and the loss's */
                ss_hessian_apply(h, v, hv, NULL);
                if (!want) want = ss_alloc(s.p, sizeof *want), memcpy(want, hv, s.p * sizeof *hv);
                CU_ASSERT(memcmp(hv, want, s.p * sizeof *hv) == 0);
                ss_hessian_loss(h, grad);
                if (!want_grad) want_grad = ss_alloc(s.p, sizeof *grad), memcpy(want_grad, grad, s.p * sizeof *grad);
                CU_ASSERT(memcmp(grad, want_grad, s.p * sizeof *grad) == 0);
            }
            ss_keep kept = ss_hessian_kept(h);
            CU_ASSERT(kept.activations == (n_tapes ? n_tapes : 1) && kept.deltas == (n_deltas < 5 ? n_deltas : 5));
            /* Setting a point forgets the cache. */
            ss_scale(s.p, 2, s.theta);
            ss_hessian_set(h, s.theta, s.stats);
            ss_scale(s.p, 0.5, s.theta); /* the point was copied */
            ss_hessian_apply(h, v, hv, NULL);
            CU_ASSERT(memcmp(hv, want, s.p * sizeof *hv) != 0);
            ss_hessian_set(h, s.theta, s.stats);
            ss_hessian_apply(h, v, hv, NULL);
            CU_ASSERT(memcmp(hv, want, s.p * sizeof *hv) == 0);
            ss_hessian_destroy(h);
            ss_free(hv);
            ss_free(grad);
        }
        ss_free(v);
        ss_free(want);
        ss_free(want_grad);
        setup_drop(&s);
    }
}

static void test_keep_plan(void)
{
    static const struct { uint32_t n; size_t a, d, cache; uint32_t activations, deltas; } rows[] = {
        {4, 10, 7, 0, 1, 1}, {4, 10, 7, 16, 1, 1}, {4, 10, 7, 17, 1, 1}, {4, 10, 7, 26, 1, 1}, {4, 10, 7, 27, 2, 1},
        {4, 10, 7, 46, 3, 1}, {4, 10, 7, 47, 4, 1}, {4, 10, 7, 53, 4, 1}, {4, 10, 7, 54, 4, 2}, {4, 10, 7, 67, 4, 3},
        {4, 10, 7, 68, 4, 4}, {4, 10, 7, 1000, 4, 4}, {4, 10, 7, SIZE_MAX, 4, 4}, {1, 10, 7, 0, 1, 1}, {1, 10, 7, 99, 1, 1},
        {UINT32_MAX, SIZE_MAX, SIZE_MAX, SIZE_MAX, 1, 1}, {UINT32_MAX, 1, 1, SIZE_MAX, UINT32_MAX, UINT32_MAX},
        {3, 0, 0, 0, 3, 3},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        ss_keep keep = ss_keep_plan(rows[i].n, rows[i].a, rows[i].d, rows[i].cache);
        CU_ASSERT_EQUAL(keep.activations, rows[i].activations);
        CU_ASSERT_EQUAL(keep.deltas, rows[i].deltas);
    }
}

/* Several directions at once: the bits of single products, at every level of the cache and in groups of any size. */
static void test_block(void)
{
    setup (*const make[])(void) = {softmax_setup, mlp_setup, cnn_setup};
    enum { K = 5 };
    for (size_t m = 0; m < 3; m++)
        for (uint32_t batch = 9; batch <= 37; batch += 28)
            for (uint32_t variant = 0; variant < 12; variant++) {
                setup s = make[m]();
                ss_hessian_options o = plain_options();
                o.ghost_batch = o.micro_batch = batch;
                o.l2 = variant & 1 ? 0.125 : 0;
                ss_hessian *single = hessian_make(&s, &o);
                o.directions = variant % 6;
                o.cache_bytes = variant / 4 * ss_tape_bytes(s.net, batch, true);
                ss_hessian *block = hessian_make(&s, &o);
                ss_real *v[K], *hv[K], *want = ss_alloc(s.p, sizeof *want);
                for (uint32_t i = 0; i < K; i++) v[i] = random_vector(s.p, i), hv[i] = ss_alloc(s.p, sizeof *hv[i]);
                const ss_real *directions[K] = {v[0], v[1], v[2], v[3], v[4]};
                for (size_t k = 0; k <= K; k += 5 - variant % 3) {
                    for (size_t i = 0; i < K; i++) memset(hv[i], 0, s.p * sizeof *hv[i]);
                    CU_ASSERT_EQUAL(ss_hessian_apply_block(block, k, directions, hv, NULL), 0);
                    for (size_t i = 0; i < K; i++) {
                        ss_hessian_apply(single, v[i], want, NULL);
                        CU_ASSERT((memcmp(hv[i], want, s.p * sizeof *want) == 0) == (i < k));
                    }
                }
                for (size_t i = 0; i < K; i++) ss_free(v[i]), ss_free(hv[i]);
                ss_free(want);
                ss_hessian_destroy(single);
                ss_hessian_destroy(block);
                setup_drop(&s);
            }
}

/* Examples chosen by the operator are those of a data set cut down in the same way. */
static void test_subset(void)
{
    static const char *const subsets[] = {"first", "even"};
    for (size_t i = 0; i < 2; i++) {
        setup s = mlp_setup();
        ss_hessian_options o = plain_options();
        o.examples = 17;
        o.subset = subsets[i];
        ss_real *chosen = product(&s, &o);
        ss_split all = s.data->train, few = all;
        size_t size = (size_t)(s.data->h * s.data->w * s.data->c);
        few.n = 17, few.pixels = ss_alloc(17, size), few.labels = ss_alloc(17, 1);
        for (uint32_t e = 0; e < 17; e++) {
            uint32_t from = i == 0 ? e : e * 37 / 17;
            memcpy(few.pixels + e * size, all.pixels + from * size, size);
            few.labels[e] = all.labels[from];
        }
        s.data->train = few;
        o.examples = 0; /* all of them */
        o.subset = "first";
        ss_real *cut = product(&s, &o);
        CU_ASSERT(memcmp(chosen, cut, s.p * sizeof *cut) == 0);
        s.data->train = all;
        ss_real *whole = product(&s, &o);
        CU_ASSERT(memcmp(chosen, whole, s.p * sizeof *cut) != 0);
        ss_free(few.pixels);
        ss_free(few.labels);
        ss_free(chosen);
        ss_free(cut);
        ss_free(whole);
        setup_drop(&s);
    }
}

static void test_l2(void)
{
    setup s = mlp_setup();
    for (int several = 0; several < 2; several++) {
        ss_hessian_options o = plain_options();
        if (!several) o.micro_batch = 100;
        ss_real *without = product(&s, &o), *v = random_vector(s.p, 1);
        o.l2 = 0.25;
        ss_real *with = product(&s, &o);
        size_t wrong = 0;
        for (size_t i = 0; i < s.p; i++) wrong += with[i] != (ss_real)((double)without[i] + 0.25 * (double)v[i]);
        CU_ASSERT_EQUAL(wrong, 0); /* 0.25 v is exact: one rounding, as written */
        ss_free(without);
        ss_free(with);
        ss_free(v);
    }
    setup_drop(&s);
}

/* ---- stops, errors, memory ------------------------------------------------------------------------------------------ */
static bool stop_after(void *ctx)
{
    int *left = ctx;
    return (*left)-- <= 0;
}

static void test_stop(void)
{
    setup s = mlp_setup();
    ss_hessian_options o = plain_options();
    ss_hessian *h = hessian_make(&s, &o);
    ss_real *v = random_vector(s.p, 1), *hv = ss_alloc(s.p, sizeof *hv);
    int left = 2;
    ss_hessian_set_stop(h, stop_after, &left);
    CU_ASSERT_EQUAL(ss_hessian_apply(h, v, hv, NULL), 0);
    CU_ASSERT_EQUAL(ss_hessian_apply(h, v, hv, NULL), 0);
    CU_ASSERT_EQUAL(ss_hessian_apply(h, v, hv, NULL), 1);
    left = 2;
    const ss_real *in[] = {v, v, v};
    ss_real *out[] = {hv, hv, hv};
    CU_ASSERT_EQUAL(ss_hessian_apply_block(h, 2, in, out, NULL), 0); /* one at a time here: polled for each */
    CU_ASSERT_EQUAL(ss_hessian_apply_block(h, 3, in, out, NULL), 1);
    ss_hessian_set_stop(h, NULL, NULL);
    CU_ASSERT_EQUAL(ss_hessian_apply(h, v, hv, NULL), 0);
    ss_free(v);
    ss_free(hv);
    ss_hessian_destroy(h);
    setup_drop(&s);
}

static void test_bad_options(void)
{
    setup s = mlp_setup();
    const struct { ss_hessian_options o; const char *says; } rows[] = {
        {{.examples = 38, .subset = "first", .batch_norm = "batch", .ghost_batch = 1, .micro_batch = 1}, "38"},
        {{.subset = "last", .batch_norm = "batch", .ghost_batch = 1, .micro_batch = 1}, "\"last\""},
        {{.subset = "", .batch_norm = "batch", .ghost_batch = 1, .micro_batch = 1}, "\"\""},
        {{.subset = "even", .batch_norm = "eval", .ghost_batch = 1, .micro_batch = 1}, "\"eval\""},
        {{.subset = "even", .batch_norm = "batch", .ghost_batch = 0, .micro_batch = 1}, "ghost batch 0"},
        {{.subset = "even", .batch_norm = "batch", .ghost_batch = 1, .micro_batch = 0}, "micro-batch 0"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        ss_error error = {{0}};
        CU_ASSERT_PTR_NULL(ss_hessian_create(s.net, s.data, &rows[i].o, &error));
        CU_ASSERT_PTR_NOT_NULL(strstr(error.text, rows[i].says));
        CU_ASSERT_PTR_NULL(ss_hessian_create(s.net, s.data, &rows[i].o, NULL));
    }
    ss_hessian_options good = plain_options();
    ss_dataset *other = synthetic(5, 4, 1, 3), *more = synthetic(5, 3, 1, 4);
    ss_error error = {{0}};
    CU_ASSERT_PTR_NULL(ss_hessian_create(s.net, other, &good, &error));
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, "3 x 3 x 1"));
    CU_ASSERT_PTR_NULL(ss_hessian_create(s.net, more, &good, &error));
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, "3 classes"));
    ss_dataset_destroy(other);
    ss_dataset_destroy(more);
    ss_hessian_destroy(NULL);
    setup_drop(&s);
}

static void test_memory(void)
{
    setup s = cnn_setup();
    ss_hessian_options o = plain_options();
    o.subset = "even";
    ss_hessian *h = NULL;
    long n = 0;
    for (; !h && n < 100; n++) {
        ss_error error = {{0}};
        ss_alloc_fail_after(n);
        h = ss_hessian_create(s.net, s.data, &o, &error);
        ss_alloc_fail_after(-1);
        if (!h) CU_ASSERT_PTR_NOT_NULL(strstr(error.text, "memory"));
    }
    CU_ASSERT(n > 10 && n < 100);
    /* Once created, nothing allocates. */
    ss_real *v = random_vector(s.p, 1), *hv = ss_alloc(s.p, sizeof *hv);
    ss_alloc_fail_after(0);
    ss_hessian_set(h, s.theta, s.stats);
    CU_ASSERT_EQUAL(ss_hessian_apply(h, v, hv, NULL), 0);
    CU_ASSERT(isfinite(ss_hessian_loss(h, hv)));
    ss_alloc_fail_after(-1);
    ss_free(v);
    ss_free(hv);
    ss_hessian_destroy(h);
    setup_drop(&s);
}

static const ss_case cases[] = {
    {"softmax regression's closed form", test_softmax_regression},
    {"symmetry", test_symmetry},
    {"central differences", test_differences},
    {"scale invariance ahead of batch norm", test_scale_invariance},
    {"micro-batches and ghost batches", test_batches},
    {"running statistics are used where asked", test_statistics_are_used},
    {"cached or not, the same bits", test_cache},
    {"what is kept", test_keep_plan},
    {"several directions", test_block},
    {"subsets", test_subset},
    {"the L2 term", test_l2},
    {"stop", test_stop},
    {"bad options", test_bad_options},
    {"memory", test_memory},
};

SS_SUITE("sharp/hessian", cases)
