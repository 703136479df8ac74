/* measure.c - the table of measures, and what all of them share: a measurer's life, its random signs, means and errors. */
#include "measurer.h"

#include <assert.h>
#include <math.h>

typedef struct row {
    const char *name;
    bool (*wanted)(const ss_measure_options *o);
    ss_measure_run *run;
} row;

static bool trace(const ss_measure_options *o) { return o->trace_probes > 0; }
static bool spectrum(const ss_measure_options *o) { return o->spectrum_probes > 0 && o->spectrum_steps > 0; }
static bool lambda_min(const ss_measure_options *o) { return o->smallest_eigenvalue; }
static bool gauss_newton(const ss_measure_options *o) { return o->gauss_newton; }
static bool sam_edge(const ss_measure_options *o) { return o->sam_rho > 0 && o->learning_rate > 0; }
static bool batch_sharpness(const ss_measure_options *o) { return o->batches > 0; }
static bool adaptive(const ss_measure_options *o) { return o->adaptive; }
static bool adaptive_sharpness(const ss_measure_options *o) { return o->adaptive_rho > 0; }
static bool sharpness(const ss_measure_options *o) { return o->sharpness_rho > 0; }
static bool spherical(const ss_measure_options *o) { return o->spherical; }
static bool alignment(const ss_measure_options *o) { return o->alignment; }
static bool subsets(const ss_measure_options *o) { return o->subsets >= 2; }

static const row rows[] = {
    {"trace", trace, ss_measure_trace},
    {"spectrum", spectrum, ss_measure_spectrum},
    {"lambda_min", lambda_min, ss_measure_lambda_min},
    {"gauss_newton", gauss_newton, ss_measure_gauss_newton},
    {"sam_edge", sam_edge, ss_measure_sam_edge},
    {"batch_sharpness", batch_sharpness, ss_measure_batch_sharpness},
    {"adaptive_lambda_max", adaptive, ss_measure_adaptive},
    {"adaptive_sharpness", adaptive_sharpness, ss_measure_adaptive_sharpness},
    {"sharpness", sharpness, ss_measure_sharpness},
    {"spherical_sharpness", spherical, ss_measure_spherical},
    {"alignment", alignment, ss_measure_alignment},
    {"subsets", subsets, ss_measure_subsets},
};
_Static_assert(sizeof rows / sizeof *rows == SS_N_MEASURES, "every measure has its row");

const char *ss_measure_name(int i)
{
    assert(i >= 0 && i < SS_N_MEASURES);
    return rows[i].name;
}

bool ss_measure_wanted(const ss_measure_options *o, int i)
{
    assert(i >= 0 && i < SS_N_MEASURES);
    return rows[i].wanted(o);
}

void ss_measures_init(ss_measures *m)
{
    *m = (ss_measures){NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, 0};
}
_Static_assert(sizeof(ss_measures) == 21 * sizeof(double), "every field is set");

ss_measurer *ss_measurer_create(ss_hessian *h, const ss_net *net, const ss_dataset *data, const ss_measure_options *options,
                                ss_error *error)
{
    ss_measurer *m = ss_alloc(1, sizeof *m);
    if (!m) {
        ss_fail(error, "no memory for the measures");
        return NULL;
    }
    *m = (ss_measurer){.h = h, .net = net, .data = data, .options = *options, .n = net->n_params};
    return m;
}

void ss_measurer_destroy(ss_measurer *m)
{
    ss_free(m);
}

void ss_measurer_set_stop(ss_measurer *m, bool (*should_stop)(void *ctx), void *ctx)
{
    m->should_stop = should_stop;
    m->stop_ctx = ctx;
    ss_hessian_set_stop(m->h, should_stop, ctx);
}

bool ss_measurer_stopped(const ss_measurer *m)
{
    return m->should_stop && m->should_stop(m->stop_ctx);
}

int ss_measurer_apply(void *ctx, const ss_real *v, ss_real *hv, ss_error *error)
{
    ss_measurer *m = ctx;
    int rc = ss_hessian_apply(m->h, v, hv, error);
    if (rc == 0) m->n_products++;
    return rc;
}

ss_real *ss_measurer_vector(const ss_measurer *m, ss_error *error)
{
    ss_real *x = ss_alloc(m->n, sizeof *x);
    if (!x) ss_fail(error, "no memory for a vector of %zu numbers", m->n);
    return x;
}

void ss_measurer_signs(const ss_measurer *m, int i, ss_real *z)
{
    enum { BITS = 128 };
    ss_stream stream = ss_stream_make(m->options.seed, SS_FOR_PROBE, 1, (uint32_t)i);
    uint32_t block[4] = {0};
    for (size_t j = 0; j < m->n; j++) {
        if (j % BITS == 0) ss_stream_block(&stream, j / BITS, block);
        z[j] = block[j % BITS / 32] >> (j % 32) & 1 ? 1 : -1;
    }
}

void ss_mean_error(size_t n, const double *x, double *mean, double *error)
{
    double sum = 0, squares = 0;
    for (size_t i = 0; i < n; i++) sum += x[i];
    *mean = sum / (double)n;
    for (size_t i = 0; i < n; i++) squares += (x[i] - *mean) * (x[i] - *mean);
    *error = n > 1 ? sqrt(squares / (double)(n - 1) / (double)n) : (double)NAN;
}

int ss_measurer_run(ss_measurer *m, int i, const ss_real *theta, const ss_real *stats, const ss_real *eigenvector,
                    ss_measures *out, ss_spectrum *spectrum_out, ss_error *error)
{
    assert(i >= 0 && i < SS_N_MEASURES);
    ss_measures now = *out;
    m->theta = theta;
    m->stats = stats;
    m->eigenvector = eigenvector;
    m->spectrum = spectrum_out;
    m->n_products = 0;
    ss_hessian_set(m->h, theta, stats);
    int rc = rows[i].run(m, &now, error);
    ss_hessian_set_matrix(m->h, SS_HESSIAN);
    if (ss_hessian_select(m->h, NULL, 0, error) != 0) rc = -1;
    ss_hessian_set(m->h, theta, stats);
    if (rc != 0) return rc == -1 ? ss_fail_in(error, "%s", rows[i].name) : rc;
    now.hvp_count += m->n_products;
    *out = now;
    return 0;
}

void ss_spectrum_finish(ss_spectrum *s)
{
    ss_free(s->eigenvalue);
    ss_free(s->weight);
    *s = (ss_spectrum){0};
}
