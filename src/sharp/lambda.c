/* lambda.c - lambda_max, the largest algebraic eigenvalue of the Hessian, at a point and between two iterates. */
#include "sharpsweep/sharp.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "operator.h"

/* The solver's memory is the Hessian's from the first measurement on: nothing is allocated, zeroed and paged in anew. */
static int borrow_work(ss_hessian *h, ss_lanczos_options *options, ss_error *error)
{
    ss_lanczos_work **work = ss_hessian_work(h);
    if (*work && !ss_lanczos_work_fits(*work, ss_hessian_n_params(h), options)) {
        ss_lanczos_work_destroy(*work);
        *work = NULL;
    }
    if (!*work) *work = ss_lanczos_work_create(ss_hessian_n_params(h), options, error);
    options->work = *work;
    return *work ? 0 : -1;
}

/* vector = the sum of the k eigenvectors found: near all of them. */
static void note_vector(const ss_lanczos_result *r, size_t n, ss_warm *warm)
{
    warm->known = true;
    memcpy(warm->vector, r->eigenvector, n * sizeof *warm->vector);
    for (int i = 1; i < r->k; i++) ss_axpy(n, 1, r->eigenvector + (size_t)i * n, warm->vector);
    for (int i = 0; i < r->k; i++) warm->known = warm->known && isfinite(r->eigenvalue[i]);
}

int ss_lambda_track(ss_hessian *h, const ss_real *theta, const ss_real *stats, const ss_lanczos_options *options,
                    uint64_t check, ss_warm *warm, ss_lambda *out, ss_error *error)
{
    size_t n = ss_hessian_n_params(h);
    ss_lanczos_result r = {0};
    ss_lanczos_options o = *options;
    *out = (ss_lambda){0};
    if (warm && !warm->vector) warm->vector = ss_alloc(n, sizeof *warm->vector);
    if (warm && !warm->vector) return ss_fail(error, "no memory for an eigenvector of %zu numbers", n);
    if (borrow_work(h, &o, error) != 0) return -1;
    o.check = check;
    o.start = warm && warm->known ? warm->vector : NULL;
    ss_hessian_set(h, theta, stats);
    int rc = ss_lanczos(ss_hessian_apply, h, n, &o, &r, error);
    if (rc == 0) {
        if (warm) note_vector(&r, n, warm);
        *out = (ss_lambda){.lambda_max = r.eigenvalue[0], .residual = r.residual[0], .upper = r.upper, .hvp_count = r.n_products,
                           .converged = r.converged, .k = r.k, .eigenvalue = r.eigenvalue};
        r.eigenvalue = NULL; /* it is out's now */
    }
    ss_lanczos_finish(&r);
    return rc;
}

int ss_lambda_measure(ss_hessian *h, const ss_real *theta, const ss_real *stats, const ss_lanczos_options *options,
                      ss_lambda *out, ss_error *error)
{
    return ss_lambda_track(h, theta, stats, options, 0, NULL, out, error);
}

void ss_warm_finish(ss_warm *warm)
{
    ss_free(warm->vector);
    *warm = (ss_warm){0};
}

/* point (n) = theta + fraction (next - theta); the ends are the iterates themselves, bit for bit. */
static void interpolate(size_t n, const ss_real *theta, const ss_real *next, double fraction, ss_real *point)
{
    if (fraction == 0 || fraction == 1) {
        memcpy(point, fraction == 0 ? theta : next, n * sizeof *point);
        return;
    }
    for (size_t i = 0; i < n; i++)
        point[i] = (ss_real)((double)theta[i] + fraction * ((double)next[i] - (double)theta[i]));
}

int ss_lambda_measure_between(ss_hessian *h, const ss_real *theta, const ss_real *next, const ss_real *stats, int n,
                              const ss_lanczos_options *options, ss_lambda *out, ss_error *error)
{
    assert(n >= 2);
    size_t p = ss_hessian_n_params(h);
    ss_real *point = ss_alloc(p, sizeof *point);
    ss_lambda best = {0};
    ss_warm warm = {0};
    int64_t hvp_count = 0;
    bool converged = true;
    double upper = -INFINITY;
    int rc = 0;
    *out = (ss_lambda){0};
    if (!point) return ss_fail(error, "no memory for a point of %zu parameters between two iterates", p);
    for (int i = 0; i < n; i++) {
        ss_lambda here;
        double fraction = (double)i / (n - 1);
        interpolate(p, theta, next, fraction, point);
        rc = ss_lambda_track(h, point, stats, options, (uint64_t)i, &warm, &here, error);
        if (rc != 0) break;
        hvp_count += here.hvp_count;
        converged = converged && here.converged;
        if (here.upper > upper || isnan(here.upper)) upper = here.upper; /* NaN stays: no bound holds for all points */
        if (i == 0 || here.lambda_max > best.lambda_max || isnan(best.lambda_max)) { /* a number is above none */
            ss_lambda_finish(&best);
            best = here;
            best.fraction = fraction;
        } else {
            ss_lambda_finish(&here);
        }
    }
    if (rc == 0) {
        *out = best;
        out->hvp_count = hvp_count;
        out->converged = converged;
        out->upper = upper;
    } else {
        ss_lambda_finish(&best);
    }
    ss_warm_finish(&warm);
    ss_free(point);
    return rc;
}

void ss_lambda_finish(ss_lambda *l)
{
    ss_free(l->eigenvalue);
    *l = (ss_lambda){0};
}
