/* lanczos.c - the largest algebraic eigenvalues of a symmetric operator, each certified by its residual.
 *
 * Thick-restart Lanczos (Wu & Simon, SIAM J. Matrix Anal. Appl. 22, 2000) with full reorthogonalisation, twice. The
 * projected matrix T = V'HV is kept dense, made of the coefficients that orthogonalisation takes out, so that a restart
 * needs no special case: rows 0..p-1 become the p best Ritz vectors, T becomes diag(theta), the residual vector stays the
 * next basis vector, and the next product fills in its couplings. Throughout, H V = V T + beta v_next e_last', so that a
 * Ritz vector u = V s has ||Hu - theta u|| = beta |s_last|: the estimate that says when to stop.
 *
 * The estimate is never what is reported. The certificate is lambda = u'Hu and ||Hu - lambda u|| of the vectors as they are:
 * Hu is the same combination of the products H v as u is of the v, and each H v is, to rounding, what orthogonalisation
 * took it apart into: coefficients of T and beta v_next. So Hu - lambda u is combined from the basis, its norm is taken,
 * and an allowance for rounding (of ss_real, times ||H||) is part of the residual. That costs no product. Where the
 * allowance is not small against the tolerance, and where a vector of the basis is not a product's (the check below), each
 * of the k Ritz vectors is multiplied by H once more instead; k products are held back for that. A pair that fails goes
 * on, with ever longer pauses between certificates, since in float the tolerance may be out of reach.
 *
 * When beta vanishes the basis spans an invariant subspace, and a fresh random vector goes on from there. A Krylov space
 * holds one copy of each eigenvalue, so with k > 1 the certified pairs are put to a check: they are kept, and a fresh start
 * in their complement is run until its own best Ritz value has settled below the k-th. If it brings up another copy, the
 * pairs are certified anew and checked again. With k = 1 the value is right without it. */
#include "lanczos.h"
#include "kernels.h"

#include <assert.h>
#include <float.h>
#include <math.h>
#include <string.h>

#ifdef SS_REAL_DOUBLE
#define EPSILON DBL_EPSILON
#else
#define EPSILON ((double)FLT_EPSILON)
#endif
/* Relative to ||H||: what is left of a vector inside the basis's span; an eigenvalue that is zero to working precision. */
#define BREAKDOWN (8 * EPSILON)
#define ZERO (64 * EPSILON)
/* A warm start: so much of the given vector, and so much of a random one, both of norm 1. */
#define WARM_KEPT 0.9
#define WARM_RANDOM 0.44

typedef ss_solver solver;

static size_t products(const solver *s)
{
    return (size_t)s->result->n_products;
}

static size_t products_left(const solver *s)
{
    size_t max = s->options->max_products < 0 ? 0 : (size_t)s->options->max_products;
    return max > products(s) ? max - products(s) : 0;
}

/* What the recurrence says of a unit vector's product is off by as much: every v, and every H v in its parts, was rounded to
 * ss_real a few times, independently. */
static double rounding(const solver *s)
{
    return 8 * EPSILON * s->norm * sqrt(1 + (double)products(s));
}

/* Certificates need no products of their own: rounding is small against the residuals that are asked for. */
static bool certifies_itself(const solver *s)
{
    return s->recurrent && 10 * rounding(s) <= s->options->tolerance * s->wanted;
}

/* One more product for the basis leaves enough for the certificate of what it then holds. */
static bool can_extend(const solver *s)
{
    size_t reserve = certifies_itself(s) ? 0 : s->m + 1 < s->k ? s->m + 1 : s->k;
    return products_left(s) > reserve;
}

/* What residuals are relative to. */
static double scale(const solver *s, double lambda)
{
    return s->options->by_norm ? s->norm : fabs(lambda);
}

/* ||Hu - lambda u|| small enough, or lambda is zero to working precision. */
static bool small_residual(const solver *s, double residual, double lambda, double tolerance)
{
    double zero = ZERO * s->norm;
    return residual <= tolerance * scale(s, lambda) || (fabs(lambda) <= zero && residual <= zero);
}

static int multiply(solver *s, const ss_real *v, ss_real *hv, ss_error *error)
{
    ss_solver_offer(s, false);
    int rc = s->op(s->ctx, v, hv, error);
    if (rc != 0) {
        ss_solver_offer(s, true); /* nothing has changed but hv, which is not yet part of the state */
        return rc;
    }
    s->result->n_products++;
    double norm = ss_norm(s->n, hv);
    if (!isfinite(norm)) s->broken = true;
    else if (norm > s->norm) s->norm = norm;
    return 0;
}

/* v (n) = the next random vector, of norm 1. */
static void draw(solver *s, ss_real *v)
{
    for (double norm = 0; norm == 0;) { /* a vector of zeros is redrawn */
        ss_stream stream = ss_stream_make(s->options->seed, SS_FOR_LANCZOS, s->options->check, (uint32_t)s->n_fresh++);
        ss_kernel->normals(&stream, s->n, v);
        norm = ss_norm(s->n, v);
        if (norm > 0) ss_scale(s->n, 1 / norm, v);
    }
}

/* Row m = a random unit vector orthogonal to rows 0..m-1. */
static void draw_fresh(solver *s)
{
    ss_real *v = ss_basis_row(&s->basis, s->m);
    for (double left = 0; left < 0.5;) { /* what cancellation left is orthogonalised again */
        if (left == 0) draw(s, v);
        left = ss_basis_orthogonalise(&s->basis, s->m, s->m, v, s->h);
        if (left > 0) ss_scale(s->n, 1 / left, v);
    }
    s->beta = 0;
}

/* Row 0: random, or near the vector that the caller has from the last check. */
static void draw_start(solver *s)
{
    const ss_real *near = s->options->start;
    double size = near ? ss_norm(s->n, near) : 0;
    s->share = 1;
    draw_fresh(s);
    if (!(size > 0 && isfinite(size))) return;
    ss_real *v = ss_basis_row(&s->basis, 0);
    ss_scale(s->n, WARM_RANDOM, v);
    ss_axpy(s->n, WARM_KEPT / size, near, v);
    double norm = ss_norm(s->n, v); /* at least WARM_KEPT - WARM_RANDOM */
    ss_scale(s->n, 1 / norm, v);
    s->share = WARM_RANDOM / norm;
}

/* One product: row m joins the projected matrix, and the next row is what H brings that is new. */
static int extend(solver *s, ss_error *error)
{
    ss_real *next = ss_basis_row(&s->basis, s->m + 1);
    int rc = multiply(s, ss_basis_row(&s->basis, s->m), next, error);
    if (rc != 0 || s->broken) return rc;
    s->beta = ss_basis_orthogonalise(&s->basis, s->m + 1, s->m > s->kept ? s->m - 1 : 0, next, s->h);
    bool exhausted = s->m + 1 == s->n || s->beta <= BREAKDOWN * s->norm;
    if (s->n_fresh == 1 && s->krylov.n == s->m) ss_krylov_add(&s->krylov, s->h[s->m], exhausted ? 0 : s->beta);
    memcpy(s->t + s->m * s->limit, s->h, (s->m + 1) * sizeof *s->h);
    s->below[s->m] = exhausted ? 0 : s->beta;
    s->m++;
    s->current = false;
    if (s->m == s->n) {
        s->spanned = true;
        s->beta = 0;
    } else if (exhausted) {
        draw_fresh(s);
    } else {
        ss_scale(s->n, 1 / s->beta, next);
    }
    return 0;
}

/* Ritz pairs of T: s->theta (m) ascending and s->s (m, m). */
static int solve_projection(solver *s, ss_error *error)
{
    for (size_t i = 0; i < s->m; i++) memcpy(s->s + i * s->m, s->t + i * s->limit, (i + 1) * sizeof *s->s);
    if (ss_eigen_solve(&s->eigen, s->m, s->s, s->theta, error) != 0) return -1;
    double low = fabs(s->theta[0]), high = fabs(s->theta[s->m - 1]);
    if (low > s->norm) s->norm = low;
    if (high > s->norm) s->norm = high;
    s->wanted = s->m < s->k ? 0 : scale(s, high);
    for (size_t i = s->m; i-- > 0 && s->m - i <= s->k;) s->wanted = fmin(s->wanted, scale(s, s->theta[i]));
    return 0;
}

static double ritz_value(const solver *s, size_t i) /* the i-th largest */
{
    return s->theta[s->m - 1 - i];
}

static const double *ritz_vector(const solver *s, size_t i)
{
    return s->s + (s->m - 1 - i) * s->m;
}

static double ritz_residual(const solver *s, size_t i)
{
    return s->beta * fabs(ritz_vector(s, i)[s->m - 1]);
}

/* The k best Ritz pairs have converged by their estimates (with a margin: a failed certificate may cost k products). */
static bool looks_converged(const solver *s)
{
    double margin = certifies_itself(s) ? 0.99 : 0.9;
    if (s->m < s->k) return false;
    for (size_t i = 0; i < s->k; i++)
        if (!small_residual(s, ritz_residual(s, i), ritz_value(s, i), margin * s->options->tolerance)) return false;
    return true;
}

/* The complement of the k pairs holds nothing above them: its best Ritz value is settled, or settled enough below. */
static bool looks_complete(const solver *s)
{
    if (s->spanned) return true;
    if (s->m <= s->k) return false;
    double value = ritz_value(s, s->k), residual = ritz_residual(s, s->k), gap = ritz_value(s, s->k - 1) - value;
    return residual <= 0.01 * gap || small_residual(s, residual, value, s->options->tolerance);
}

/* The certified pairs are still the k best of T. */
static bool same_pairs(const solver *s)
{
    for (size_t i = 0; i < s->k; i++) {
        double change = fabs(ritz_value(s, i) - s->result->eigenvalue[i]);
        if (!small_residual(s, change, s->result->eigenvalue[i], s->options->tolerance)) return false;
    }
    return true;
}

static void swap_pairs(solver *s, size_t i, size_t j)
{
    ss_lanczos_result *r = s->result;
    ss_real *a = r->eigenvector + i * s->n, *b = r->eigenvector + j * s->n;
    double value = r->eigenvalue[i], residual = r->residual[i];
    r->eigenvalue[i] = r->eigenvalue[j], r->residual[i] = r->residual[j];
    r->eigenvalue[j] = value, r->residual[j] = residual;
    for (size_t e = 0; e < s->n; e++) {
        ss_real x = a[e];
        a[e] = b[e];
        b[e] = x;
    }
}

/* Pair i of the result: lambda and ||Hu - lambda u||. *good: within the tolerance. */
static void note_pair(solver *s, size_t i, double lambda, double residual, bool *good)
{
    if (!small_residual(s, residual, lambda, s->options->tolerance)) *good = false;
    s->result->eigenvalue[i] = lambda;
    s->result->residual[i] = residual == 0 ? 0 : residual / scale(s, lambda);
}

/* By one product. */
static int certify_by_product(solver *s, size_t i, const ss_real *u, bool *good, ss_error *error)
{
    ss_real *hu = ss_basis_row(&s->basis, s->limit + 1);
    int rc = multiply(s, u, hu, error);
    if (rc != 0 || s->broken) return rc;
    double lambda = ss_dot(s->n, u, hu) / ss_dot(s->n, u, u);
    double residual2 = 0; /* not by ss_axpy, which would round the small difference of large numbers to ss_real */
    for (size_t e = 0; e < s->n; e++) {
        double d = (double)hu[e] - lambda * (double)u[e];
        residual2 += d * d;
    }
    note_pair(s, i, lambda, sqrt(residual2), good);
    return 0;
}

/* By the products that the basis was made of: u = V y, H V = V_next G, so Hu - lambda u = V_next (G y - lambda y). */
static void certify_by_recurrence(solver *s, size_t i, bool *good)
{
    const double *y = ritz_vector(s, i);
    double *c = s->h, lambda = 0; /* c (m + 1) = G y: T's columns from the diagonal up, and what is below */
    memset(c, 0, (s->m + 1) * sizeof *c);
    for (size_t j = 0; j < s->m; j++) {
        for (size_t r = 0; r <= j; r++) c[r] += s->t[j * s->limit + r] * y[j];
        c[j < s->kept ? s->kept : j + 1] += s->below[j] * y[j];
    }
    for (size_t j = 0; j < s->m; j++) lambda += c[j] * y[j];
    for (size_t j = 0; j < s->m; j++) c[j] -= lambda * y[j];
    ss_real *r = ss_basis_row(&s->basis, s->limit + 1);
    ss_basis_combine(&s->basis, s->m + (c[s->m] != 0), c, r);
    double residual = hypot(ss_norm(s->n, r), rounding(s));
    note_pair(s, i, lambda, residual, good);
}

/* Certifies the best Ritz vectors: k of them, fewer where V has fewer or the limit is too near. Before any product of
 * V the start vector itself stands for the first. Goes on with pair s->pair where a certificate was interrupted, which was
 * one by products: the other kind is made between two of them. */
static int certify(solver *s, ss_error *error)
{
    bool by_recurrence = false;
    if (!s->certifying) {
        size_t found = s->m == 0 ? 1 : s->m < s->k ? s->m : s->k, affordable = products_left(s);
        by_recurrence = s->m > 0 && (certifies_itself(s) || (s->recurrent && affordable < found));
        s->found = by_recurrence || found < affordable ? found : affordable;
        s->good = s->found == s->k;
        s->pair = 0;
        s->certifying = true;
    }
    for (; s->pair < s->found; s->pair++) {
        ss_real *u = s->result->eigenvector + s->pair * s->n;
        if (s->m > 0) ss_basis_combine(&s->basis, s->m, ritz_vector(s, s->pair), u);
        else memcpy(u, ss_basis_row(&s->basis, 0), s->n * sizeof *u);
        ss_scale(s->n, 1 / ss_norm(s->n, u), u);
        int rc = 0;
        if (by_recurrence) certify_by_recurrence(s, s->pair, &s->good);
        else rc = certify_by_product(s, s->pair, u, &s->good, error);
        if (rc != 0 || s->broken) return rc;
        for (size_t j = s->pair; j > 0 && s->result->eigenvalue[j] > s->result->eigenvalue[j - 1]; j--)
            swap_pairs(s, j, j - 1);
    }
    s->certifying = false;
    s->current = true;
    s->certified = s->good;
    if (!s->good) {
        size_t pause = s->k << (s->n_failed < 16 ? s->n_failed : 16);
        s->n_failed++;
        s->next_certificate = products(s) + pause;
    }
    return 0;
}

/* Starts the check of completeness: V = the certified vectors and a fresh one. */
static void start_check(solver *s)
{
    memset(s->t, 0, s->limit * s->limit * sizeof *s->t);
    for (size_t i = 0; i < s->k; i++) {
        memcpy(ss_basis_row(&s->basis, i), s->result->eigenvector + i * s->n, s->n * sizeof(ss_real));
        s->t[i * s->limit + i] = s->result->eigenvalue[i];
    }
    s->m = s->k;
    s->recurrent = false; /* what H makes of these vectors beside lambda u, T does not say */
    s->kept = s->k;
    draw_fresh(s);
}

/* The basis is full: keep its better half. */
static void restart(solver *s)
{
    size_t keep = (s->limit + s->k) / 2;
    ss_basis_rotate(&s->basis, s->m, keep, ritz_vector(s, 0), -(ptrdiff_t)s->m);
    memcpy(ss_basis_row(&s->basis, keep), ss_basis_row(&s->basis, s->m), s->n * sizeof(ss_real));
    memset(s->t, 0, s->limit * s->limit * sizeof *s->t);
    for (size_t i = 0; i < keep; i++) {
        s->t[i * s->limit + i] = ritz_value(s, i);
        s->below[i] = s->beta * ritz_vector(s, i)[s->m - 1];
    }
    s->m = s->kept = keep;
}

/* Solving the projection costs m^3, so a large basis is looked at in strides. */
static bool worth_a_look(const solver *s)
{
    return s->m <= 64 || s->m % (s->m / 32) == 0 || s->m == s->limit || s->spanned || !can_extend(s);
}

/* After a look at the projection: certify what looks converged, start or end the check. *done: nothing is left to do. */
static int judge(solver *s, bool *done, ss_error *error)
{
    *done = false;
    if (!s->certifying) {
        if (!looks_converged(s)) return 0;
        if (s->certified && !looks_complete(s)) return 0;
        if (s->certified && same_pairs(s)) {
            *done = true;
            return 0;
        }
        if (!s->certified && products(s) < s->next_certificate) return 0;
    }
    int rc = certify(s, error);
    if (rc != 0 || s->broken || !s->certified) return rc;
    *done = s->k == 1 || s->spanned || !can_extend(s);
    if (!*done) start_check(s);
    return 0;
}

static int iterate(solver *s, ss_error *error)
{
    ss_keeper *keeper = s->options->keeper;
    if (keeper && keeper->resume) {
        keeper->resume = false;
        if (ss_solver_restore(s, error) != 0) return -1;
    } else {
        draw_start(s);
    }
    while (s->certifying || (!s->spanned && can_extend(s))) { /* certifying: a certificate was interrupted */
        bool done;
        int rc = s->certifying ? 0 : extend(s, error);
        if (rc != 0 || s->broken) return rc;
        if (!s->certifying && !worth_a_look(s)) continue;
        if (s->m > 0 && solve_projection(s, error) != 0) return -1;
        rc = judge(s, &done, error);
        if (rc != 0 || s->broken || done) return rc;
        if (s->m == s->limit && !s->spanned && can_extend(s)) restart(s);
    }
    /* At the limit: the pairs that T has now, unless they are certified already or a check was cut short. */
    if (s->current || (s->certified && (same_pairs(s) || !looks_converged(s)))) return 0;
    return certify(s, error);
}

static int solver_init(solver *s, ss_error *error)
{
    const ss_lanczos_options *o = s->options;
    size_t limit = ss_solver_basis_limit(s->n, o);
    s->limit = limit;
    s->t = ss_alloc(limit * limit, sizeof *s->t);
    s->s = ss_alloc(limit * limit, sizeof *s->s);
    s->theta = ss_alloc(limit, sizeof *s->theta);
    s->h = ss_alloc(limit + 1, sizeof *s->h);
    s->below = ss_alloc(limit, sizeof *s->below);
    if (!s->t || !s->s || !s->theta || !s->h || !s->below)
        return ss_fail(error, "no memory for a projected matrix of %zu x %zu", limit, limit);
    if (ss_eigen_work_init(&s->eigen, limit, error) != 0 || ss_krylov_init(&s->krylov, limit, error) != 0) return -1;
    if (!o->work) return ss_basis_init(&s->basis, s->n, limit + 2, error);
    assert(ss_lanczos_work_fits(o->work, s->n, o));
    s->basis = *ss_lanczos_work_basis(o->work);
    return 0;
}

static void solver_finish(solver *s)
{
    if (!s->options->work) ss_basis_finish(&s->basis);
    ss_eigen_work_finish(&s->eigen);
    ss_krylov_finish(&s->krylov);
    ss_free(s->t);
    ss_free(s->s);
    ss_free(s->theta);
    ss_free(s->h);
    ss_free(s->below);
}

static int result_init(ss_lanczos_result *r, size_t n, size_t k, ss_error *error)
{
    *r = (ss_lanczos_result){.k = (int)k, .upper = NAN, .eigenvalue = ss_alloc(k, sizeof(double)),
                             .residual = ss_alloc(k, sizeof(double))};
    if (n <= SIZE_MAX / k) r->eigenvector = ss_alloc(k * n, sizeof(ss_real));
    if (!r->eigenvalue || !r->residual || !r->eigenvector)
        return ss_fail(error, "no memory for %zu eigenvectors of %zu numbers: lower k", k, n);
    for (size_t i = 0; i < k; i++) r->eigenvalue[i] = r->residual[i] = NAN;
    return 0;
}

/* Where to look for the first eigenvectors of a matrix near this one: the k best Ritz vectors and two more, in equal parts.
 * From the k alone a later solve would settle on them before one that has overtaken them came up from the random part. */
static int note_next(solver *s, ss_real *next, ss_error *error)
{
    double *c = s->h;
    if (s->m == 0) {              /* all that is known is the vector that the only product was spent on */
        memcpy(next, s->result->eigenvector, s->n * sizeof *next);
        return 0;
    }
    if (solve_projection(s, error) != 0) return -1;
    memset(c, 0, s->m * sizeof *c);
    for (size_t i = 0; i < s->k + 2 && i < s->m; i++)
        for (size_t j = 0; j < s->m; j++) c[j] += ritz_vector(s, i)[j];
    ss_basis_combine(&s->basis, s->m, c, next);
    return 0;
}

int ss_lanczos(ss_operator *op, void *ctx, size_t n, const ss_lanczos_options *options, ss_lanczos_result *result,
               ss_error *error)
{
    assert(n >= 1 && options->k >= 1);
    size_t k = (size_t)options->k < n ? (size_t)options->k : n;
    solver s = {.op = op, .ctx = ctx, .n = n, .k = k, .options = options, .result = result, .recurrent = true};
    int rc = result_init(result, n, k, error);
    if (rc == 0) rc = solver_init(&s, error);
    if (rc == 0) rc = iterate(&s, error);
    if (rc == 0 && options->next && !s.broken) rc = note_next(&s, options->next, error);
    if (rc == 0) {
        result->converged = s.certified && !s.broken;
        if (options->risk > 0 && !s.broken) result->upper = ss_krylov_upper(&s.krylov, n, options->risk, s.share);
        for (size_t i = 0; s.broken && i < k; i++) result->eigenvalue[i] = result->residual[i] = NAN;
    } else {
        ss_lanczos_finish(result);
    }
    solver_finish(&s);
    return rc;
}

void ss_lanczos_finish(ss_lanczos_result *result)
{
    ss_free(result->eigenvalue);
    ss_free(result->residual);
    ss_free(result->eigenvector);
    *result = (ss_lanczos_result){0};
}
