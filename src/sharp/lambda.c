/* lambda.c - lambda_max, the largest algebraic eigenvalue of the Hessian, at a point and between two iterates. */
#include "sharpsweep/sharp.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "operator.h"

/* The solver's memory is the Hessian's from the first measurement on: nothing is allocated, zeroed and paged in anew. */
int ss_hessian_lend_work(ss_hessian *h, ss_lanczos_options *options, ss_error *error)
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

static int make_room(ss_warm *warm, size_t n, ss_error *error)
{
    if (warm && !warm->vector) warm->vector = ss_alloc(n, sizeof *warm->vector);
    return !warm || warm->vector ? 0 : ss_fail(error, "no memory for an eigenvector of %zu numbers", n);
}

/* Whether every one of the k eigenvalues was found. */
static bool all_found(const ss_lanczos_result *r)
{
    for (int i = 0; i < r->k; i++)
        if (!isfinite(r->eigenvalue[i])) return false;
    return true;
}

int ss_lambda_track(ss_hessian *h, const ss_real *theta, const ss_real *stats, const ss_lanczos_options *options,
                    uint64_t check, ss_warm *warm, ss_warm *top, ss_lambda *out, ss_error *error)
{
    size_t n = ss_hessian_n_params(h);
    ss_lanczos_result r = {0};
    ss_lanczos_options o = *options;
    *out = (ss_lambda){0};
    if (make_room(warm, n, error) != 0 || make_room(top, n, error) != 0 || ss_hessian_lend_work(h, &o, error) != 0) return -1;
    o.check = check;
    o.start = warm && warm->known ? warm->vector : NULL;
    o.next = warm ? warm->vector : NULL;
    ss_hessian_set(h, theta, stats);
    int rc = ss_lanczos(ss_hessian_apply, h, n, &o, &r, error);
    if (rc == 0) {
        if (warm) warm->known = all_found(&r);
        if (top) top->known = all_found(&r);
        if (top) memcpy(top->vector, r.eigenvector, n * sizeof *top->vector);
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
    return ss_lambda_track(h, theta, stats, options, 0, NULL, NULL, out, error);
}

void ss_warm_list(const ss_warm *warm, size_t n, const char *name, ss_pieces *list)
{
    ss_pieces_add(list, name, warm->vector, warm->known ? n * sizeof *warm->vector : 0);
}

int ss_warm_read(ss_warm *warm, size_t n, const char *name, ss_keeper *keeper, ss_error *error)
{
    ss_pieces list = {0};
    if (make_room(warm, n, error) != 0) return -1;
    ss_pieces_add(&list, name, warm->vector, n * sizeof *warm->vector);
    if (ss_keeper_read(keeper, &list, error)) return -1;
    warm->known = true;
    return 0;
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

/* The search between two iterates: what is known of the points before the i-th, and the keeper that sees all of it. */
typedef struct between {
    ss_keeper *outer, inner;
    int n, i;
    size_t p, k;                  /* parameters; eigenvalues per point */
    ss_lambda best;               /* of points 0 .. i-1 */
    int64_t hvp_count;
    bool converged;
    double upper;
    ss_warm warm;                 /* from point i-1 */
    int64_t image[7];
    double image_real[4];
} between;

static void list_between(between *b, ss_pieces *list)
{
    ss_pieces_add(list, "between", b->image, sizeof b->image);
    ss_pieces_add(list, "between_real", b->image_real, sizeof b->image_real);
    ss_pieces_add(list, "between_eigenvalue", b->best.eigenvalue, b->i > 0 ? b->k * sizeof(double) : 0);
    ss_warm_list(&b->warm, b->p, "between_warm", list);
}

static void save_between(void *ctx, const ss_pieces *state, bool last)
{
    between *b = ctx;
    ss_pieces list = *state;
    memcpy(b->image, (int64_t[]){b->n, b->i, b->hvp_count, b->converged, b->best.hvp_count, b->best.converged,
                               b->warm.known}, sizeof b->image);
    memcpy(b->image_real, (double[]){b->upper, b->best.lambda_max, b->best.residual, b->best.fraction}, sizeof b->image_real);
    list_between(b, &list);
    b->outer->save(b->outer->ctx, &list, last);
}

static int read_between(void *ctx, const ss_piece *piece, ss_error *error)
{
    between *b = ctx;
    return b->outer->read(b->outer->ctx, piece, error);
}

/* The points before the one at which the search was interrupted; Lanczos reads that one's state. */
static int restore_between(between *b, ss_error *error)
{
    ss_pieces numbers = {0}, values = {0};
    ss_pieces_add(&numbers, "between", b->image, sizeof b->image);
    ss_pieces_add(&numbers, "between_real", b->image_real, sizeof b->image_real);
    if (ss_keeper_read(b->outer, &numbers, error)) return -1;
    if (b->image[0] != b->n || b->image[1] < 0 || b->image[1] >= b->n || b->image[2] < 0 || b->image[4] < 0)
        return ss_keeper_refuse(b->outer, error, "point %lld of %lld between two iterates, of %d expected",
                                (long long)b->image[1], (long long)b->image[0], b->n);
    b->i = (int)b->image[1];
    b->hvp_count = b->image[2];
    b->converged = b->image[3] != 0;
    b->upper = b->image_real[0];
    b->inner.resume = true;
    if (b->i == 0) return 0;
    b->best = (ss_lambda){.lambda_max = b->image_real[1], .residual = b->image_real[2], .fraction = b->image_real[3],
                          .hvp_count = b->image[4], .converged = b->image[5] != 0, .k = (int)b->k,
                          .eigenvalue = ss_alloc(b->k, sizeof(double))};
    if (!b->best.eigenvalue) return ss_fail(error, "no memory for %zu eigenvalues", b->k);
    ss_pieces_add(&values, "between_eigenvalue", b->best.eigenvalue, b->k * sizeof(double));
    if (ss_keeper_read(b->outer, &values, error)) return -1;
    return b->image[6] ? ss_warm_read(&b->warm, b->p, "between_warm", b->outer, error) : 0;
}

static void add_point(between *b, ss_lambda *here, double fraction)
{
    b->hvp_count += here->hvp_count;
    b->converged = b->converged && here->converged;
    if (here->upper > b->upper || isnan(here->upper)) b->upper = here->upper; /* NaN stays: no bound holds for all points */
    if (b->i == 0 || here->lambda_max > b->best.lambda_max || isnan(b->best.lambda_max)) { /* a number is above none */
        ss_lambda_finish(&b->best);
        b->best = *here;
        b->best.fraction = fraction;
    } else {
        ss_lambda_finish(here);
    }
}

static int search(between *b, ss_hessian *h, const ss_real *theta, const ss_real *next, const ss_real *stats,
                  const ss_lanczos_options *options, ss_real *point, ss_error *error)
{
    for (; b->i < b->n; b->i++) {
        ss_lambda here;
        double fraction = (double)b->i / (b->n - 1);
        interpolate(ss_hessian_n_params(h), theta, next, fraction, point);
        int rc = ss_lambda_track(h, point, stats, options, (uint64_t)b->i, &b->warm, NULL, &here, error);
        if (rc != 0) {
            if (b->inner.refused) b->outer->refused = true;
            return rc;
        }
        add_point(b, &here, fraction);
    }
    return 0;
}

int ss_lambda_measure_between(ss_hessian *h, const ss_real *theta, const ss_real *next, const ss_real *stats, int n,
                              const ss_lanczos_options *options, ss_lambda *out, ss_error *error)
{
    assert(n >= 2);
    size_t p = ss_hessian_n_params(h);
    ss_real *point = ss_alloc(p, sizeof *point);
    between b = {.outer = options->keeper, .n = n, .p = p, .k = (size_t)options->k < p ? (size_t)options->k : p,
                 .converged = true, .upper = -INFINITY};
    ss_lanczos_options inner = *options;
    int rc = 0;
    *out = (ss_lambda){0};
    if (!point) return ss_fail(error, "no memory for a point of %zu parameters between two iterates", p);
    if (b.outer) {
        b.inner = (ss_keeper){.ctx = &b, .save = b.outer->save ? save_between : NULL, .read = read_between};
        inner.keeper = &b.inner;
        if (b.outer->resume) rc = restore_between(&b, error);
        b.outer->resume = false;
    }
    if (rc == 0) rc = search(&b, h, theta, next, stats, &inner, point, error);
    if (rc == 0) {
        *out = b.best;
        out->hvp_count = b.hvp_count;
        out->converged = b.converged;
        out->upper = b.upper;
    } else {
        ss_lambda_finish(&b.best);
    }
    ss_warm_finish(&b.warm);
    ss_free(point);
    return rc;
}

void ss_lambda_finish(ss_lambda *l)
{
    ss_free(l->eigenvalue);
    *l = (ss_lambda){0};
}
