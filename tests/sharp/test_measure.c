/* What all measures share: names, wishes, stops, memory, the same bits, and a Hessian left as it was. */
#include "measures.h"

static ss_measure_options everything(void)
{
    ss_measure_options o = measure_options();
    o.trace_probes = 3;
    o.spectrum_probes = 2;
    o.spectrum_steps = 4;
    o.smallest_eigenvalue = o.gauss_newton = o.spherical = o.alignment = o.adaptive = true;
    o.sharpness_rho = o.adaptive_rho = 0.2;
    o.sharpness_m = 8;
    o.sharpness_steps = 2;
    o.batches = 2;
    o.batch_size = 9;
    o.subsets = 2;
    o.learning_rate = 0.1;
    o.sam_rho = 0.05;
    o.lanczos.max_products = 12;
    return o;
}

static void test_wanted(void)
{
    const ss_measure_options none = {0}, all = everything();
    for (int i = 0; i < SS_N_MEASURES; i++) {
        CU_ASSERT(!ss_measure_wanted(&none, i));
        CU_ASSERT(ss_measure_wanted(&all, i));
        for (int j = 0; j < i; j++) CU_ASSERT(strcmp(ss_measure_name(i), ss_measure_name(j)) != 0);
    }
    /* half of what a measure needs is no wish */
    ss_measure_options o = {.spectrum_probes = 1, .sam_rho = 1, .sharpness_m = 5, .sharpness_steps = 3, .subsets = 1,
                            .batch_size = 3};
    for (int i = 0; i < SS_N_MEASURES; i++) CU_ASSERT(!ss_measure_wanted(&o, i));
    o = (ss_measure_options){.spectrum_steps = 1, .learning_rate = 1};
    for (int i = 0; i < SS_N_MEASURES; i++) CU_ASSERT(!ss_measure_wanted(&o, i));
}

/* Every measure has fields of its own, and nobody else's. */
static void test_fields(void)
{
    static const struct { const char *name; int n; size_t field[4]; } table[] = {
        {"trace", 2, {offsetof(ss_measures, trace), offsetof(ss_measures, trace_error)}},
        {"spectrum", 0, {0}},
        {"lambda_min", 2, {offsetof(ss_measures, lambda_min), offsetof(ss_measures, lambda_min_residual)}},
        {"gauss_newton", 2, {offsetof(ss_measures, gauss_newton_lambda_max), offsetof(ss_measures, gauss_newton_residual)}},
        {"sam_edge", 1, {offsetof(ss_measures, sam_edge)}},
        {"batch_sharpness", 2, {offsetof(ss_measures, batch_sharpness), offsetof(ss_measures, batch_sharpness_error)}},
        {"adaptive_lambda_max", 2, {offsetof(ss_measures, adaptive_lambda_max), offsetof(ss_measures, adaptive_residual)}},
        {"adaptive_sharpness", 1, {offsetof(ss_measures, adaptive_sharpness)}},
        {"sharpness", 1, {offsetof(ss_measures, sharpness)}},
        {"spherical_sharpness", 2, {offsetof(ss_measures, spherical_sharpness), offsetof(ss_measures, spherical_residual)}},
        {"alignment", 1, {offsetof(ss_measures, alignment)}},
        {"subsets", 4, {offsetof(ss_measures, subset_lambda_mean), offsetof(ss_measures, subset_lambda_deviation),
                        offsetof(ss_measures, subset_lambda_residual), offsetof(ss_measures, subset_examples)}},
    };
    CU_ASSERT_EQUAL(sizeof table / sizeof *table, SS_N_MEASURES);
    setup s = cnn_setup();
    ss_hessian_options o = plain_options();
    const ss_measure_options mo = everything();
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        ss_measures m = measure(&s, &o, &mo, table[i].name);
        for (size_t at = 0; at < offsetof(ss_measures, hvp_count); at += sizeof(double)) {
            double value;
            bool own = false;
            for (int f = 0; f < table[i].n; f++) own = own || at == table[i].field[f];
            memcpy(&value, (const char *)&m + at, sizeof value);
            if (own != (isfinite(value) != 0)) fprintf(stderr, "\n    %s: field at %zu is %g\n", table[i].name, at, value);
            CU_ASSERT(own ? isfinite(value) != 0 : isnan(value) != 0);
        }
        CU_ASSERT(isfinite(m.hvp_count));
    }
    setup_drop(&s);
}

/* ---- one after the other on one Hessian ---------------------------------------------------------------------------- */
typedef struct bench { setup s; ss_hessian *h; ss_measurer *measurer; ss_measure_options options; } bench;

static bench bench_make(const ss_hessian_options *o)
{
    bench b = {.s = cnn_setup(), .options = everything()};
    b.h = hessian_make(&b.s, o);
    b.measurer = ss_measurer_create(b.h, b.s.net, b.s.data, &b.options, NULL);
    return b;
}

static void bench_drop(bench *b)
{
    ss_measurer_destroy(b->measurer);
    ss_hessian_destroy(b->h);
    setup_drop(&b->s);
}

static int run(bench *b, int i, ss_measures *m, ss_spectrum *x, ss_error *error)
{
    return ss_measurer_run(b->measurer, i, b->s.theta, b->s.stats, NULL, m, x, error);
}

static void run_all(bench *b, ss_measures *m, ss_spectrum *x)
{
    *x = (ss_spectrum){0};
    ss_measures_init(m);
    for (int i = 0; i < SS_N_MEASURES; i++) CU_ASSERT_EQUAL(run(b, i, m, x, NULL), 0);
}

static bool same_spectrum(const ss_spectrum *a, const ss_spectrum *b)
{
    size_t bytes = a->n * sizeof *a->weight;
    if (a->n != b->n || a->n == 0) return a->n == b->n;
    return memcmp(a->eigenvalue, b->eigenvalue, bytes) == 0 && memcmp(a->weight, b->weight, bytes) == 0;
}

/* Order, memory, threads and directions make no difference, nor does what was measured before. */
static void test_bits(void)
{
    static const struct { size_t cache; uint32_t directions; int threads; } table[] = {
        {SIZE_MAX, 1, 1}, {0, 1, 1}, {0, 4, 1}, {20000, 2, 2}, {SIZE_MAX, 3, 2}};
    ss_measures first, m;
    ss_spectrum x, y;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        ss_hessian_options o = plain_options();
        o.cache_bytes = table[i].cache;
        o.directions = table[i].directions;
        ss_threads_set(table[i].threads);
        bench b = bench_make(&o);
        if (i == 0) run_all(&b, &first, &x);
        run_all(&b, &m, &y);
        CU_ASSERT(memcmp(&first, &m, sizeof m) == 0 && same_spectrum(&x, &y));
        ss_spectrum_finish(&y);
        bench_drop(&b);
        ss_threads_set(1);
    }
    ss_hessian_options o = plain_options();
    bench b = bench_make(&o);
    ss_measures_init(&m);
    y = (ss_spectrum){0};
    for (int i = SS_N_MEASURES; i-- > 0;) CU_ASSERT_EQUAL(run(&b, i, &m, &y, NULL), 0);
    CU_ASSERT(memcmp(&first, &m, sizeof m) == 0 && same_spectrum(&x, &y));
    ss_spectrum_finish(&x);
    ss_spectrum_finish(&y);
    bench_drop(&b);
}

/* After every measure the Hessian has its own examples and matrix, at the point. */
static void test_left_as_it_was(void)
{
    ss_hessian_options o = plain_options();
    o.examples = 20;
    bench b = bench_make(&o);
    size_t p = b.s.p;
    ss_real *v = random_vector(p, 1), *before = ss_alloc(p, sizeof *v), *after = ss_alloc(p, sizeof *v);
    ss_real *theta = ss_alloc(p, sizeof *v), *stats = ss_alloc(b.s.net->n_stats, sizeof *v);
    memcpy(theta, b.s.theta, p * sizeof *v);
    memcpy(stats, b.s.stats, b.s.net->n_stats * sizeof *v);
    double loss = ss_hessian_loss(b.h, NULL);
    ss_hessian_apply(b.h, v, before, NULL);
    for (int i = 0; i < SS_N_MEASURES; i++) {
        ss_measures m;
        ss_measures_init(&m);
        CU_ASSERT_EQUAL(run(&b, i, &m, NULL, NULL), 0); /* without a place for the spectrum, too */
        CU_ASSERT_EQUAL(ss_hessian_loss(b.h, NULL), loss);
        ss_hessian_apply(b.h, v, after, NULL);
        CU_ASSERT(memcmp(before, after, p * sizeof *v) == 0);
    }
    CU_ASSERT(memcmp(theta, b.s.theta, p * sizeof *v) == 0 && memcmp(stats, b.s.stats, b.s.net->n_stats * sizeof *v) == 0);
    ss_real *const all[] = {v, before, after, theta, stats};
    for (size_t i = 0; i < 5; i++) ss_free(all[i]);
    bench_drop(&b);
}

/* ---- stops, memory, numbers that are none -------------------------------------------------------------------------- */
static bool stop_after(void *ctx)
{
    int *left = ctx;
    return (*left)-- <= 0;
}

/* Stopped wherever it polls, a measure leaves nothing, and gives the same bits when it is run again. */
static void test_stop(void)
{
    ss_hessian_options o = plain_options();
    bench b = bench_make(&o);
    for (int i = 0; i < SS_N_MEASURES; i++) {
        ss_measures whole, m, kept;
        ss_spectrum x = {0}, y = {0};
        int rc = 1, at = 0;
        ss_measures_init(&whole);
        ss_measures_init(&m);
        kept = m;
        CU_ASSERT_EQUAL(run(&b, i, &whole, &x, NULL), 0);
        for (; rc == 1 && at < 500; at++) {
            int left = at;
            ss_measurer_set_stop(b.measurer, stop_after, &left);
            rc = run(&b, i, &m, &y, NULL);
            CU_ASSERT(rc == 0 || (rc == 1 && memcmp(&m, &kept, sizeof m) == 0 && y.n == 0));
        }
        CU_ASSERT(rc == 0 && at > 1 && at < 500);
        CU_ASSERT(memcmp(&m, &whole, sizeof m) == 0 && same_spectrum(&x, &y));
        ss_spectrum_finish(&x);
        ss_spectrum_finish(&y);
        ss_measurer_set_stop(b.measurer, NULL, NULL);
    }
    bench_drop(&b);
}

static void test_memory(void)
{
    ss_hessian_options o = plain_options();
    o.examples = 4; /* so that batches and parts make it grow */
    for (int i = 0; i < SS_N_MEASURES; i++) {
        int rc = -1;
        long n = 0;
        for (; rc != 0 && n < 100; n++) {
            bench b = bench_make(&o);
            ss_measures m, kept;
            ss_spectrum x = {0};
            ss_error error = {{0}};
            ss_measures_init(&m);
            kept = m;
            ss_alloc_fail_after(n);
            rc = run(&b, i, &m, &x, &error);
            ss_alloc_fail_after(-1);
            if (rc != 0) CU_ASSERT(rc == -1 && memcmp(&m, &kept, sizeof m) == 0 && x.n == 0);
            if (rc != 0) CU_ASSERT(strstr(error.text, "memory") && strstr(error.text, ss_measure_name(i)));
            ss_spectrum_finish(&x);
            bench_drop(&b);
        }
        CU_ASSERT(rc == 0 && n > 1 && n < 100);
    }
    ss_alloc_fail_after(0);
    CU_ASSERT_PTR_NULL(ss_measurer_create(NULL, &(ss_net){0}, NULL, &(ss_measure_options){0}, NULL));
    ss_alloc_fail_after(-1);
}

/* A point that is no number is an outcome: no measure has one there. */
static void test_not_finite(void)
{
    ss_hessian_options o = plain_options();
    bench b = bench_make(&o);
    b.s.theta[b.s.p - 1] = (ss_real)NAN;
    ss_measures m;
    ss_spectrum x;
    run_all(&b, &m, &x);
    CU_ASSERT(x.n == 0 && !x.eigenvalue && !x.weight);
    for (size_t at = 0; at < offsetof(ss_measures, hvp_count); at += sizeof(double)) {
        double value;
        memcpy(&value, (const char *)&m + at, sizeof value);
        if (at == offsetof(ss_measures, subset_examples)) continue; /* a number of examples */
        if (isfinite(value)) fprintf(stderr, "\n    the field at %zu is %g\n", at, value);
        CU_ASSERT(isnan(value));
    }
    bench_drop(&b);
}

static const ss_case cases[] = {
    {"what is wanted", test_wanted},
    {"every measure has its fields", test_fields},
    {"the same bits", test_bits},
    {"the Hessian is left as it was", test_left_as_it_was},
    {"stop", test_stop},
    {"memory", test_memory},
    {"not finite is an outcome", test_not_finite},
};

SS_SUITE("sharp/measure", cases)
