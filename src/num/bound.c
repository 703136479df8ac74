/* bound.c - van Dorsselaer, Hochstenbach & van der Vorst, "Computing probabilistic bounds for extreme eigenvalues of
 * symmetric matrices with the Lanczos method", SIAM J. Matrix Anal. Appl. 22 (2000).
 *
 * After k steps from the unit vector v, the next Lanczos vector is p_k(H) v with
 *     p_0 = 1,   beta_{j+1} p_{j+1}(t) = (t - alpha_{j+1}) p_j(t) - beta_j p_{j-1}(t),
 * and has norm 1. If gamma is v's component along the top eigenvector, |p_k(lambda_max)| |gamma| <= 1. Above its largest
 * root, the largest Ritz value, p_k increases; so where |gamma| >= delta, lambda_max is at most the t there with
 * p_k(t) = 1/delta. For v uniform on the sphere of R^n the density of gamma is c (1 - x^2)^((n-3)/2),
 * c = Gamma(n/2) / (sqrt(pi) Gamma((n-1)/2)), at most c for n >= 3: P(|gamma| < delta) <= 2 c delta = risk.
 *
 * A warm start (a u + b z) / r, with u any unit vector, z uniform on the sphere and drawn after u and the operator were
 * fixed, r the norm that came out: gamma = (a <u,x> + b <z,x>) / r for the top eigenvector x, and |gamma| < delta b / r
 * means that <z,x> lies in an interval of length 2 delta. Wherever that interval is, its probability is at most 2 c delta,
 * given u: so with probability >= 1 - risk, |gamma| >= delta b / r. The bound holds as before with delta times the share
 * b / r; as p_k grows geometrically, that costs little. What it needs is a new z for every check. */
#include "bound.h"

#include <assert.h>
#include <math.h>

int ss_krylov_init(ss_krylov *k, size_t capacity, ss_error *error)
{
    *k = (ss_krylov){.capacity = capacity, .alpha = ss_alloc(capacity, sizeof *k->alpha),
                     .beta = ss_alloc(capacity, sizeof *k->beta)};
    return k->alpha && k->beta ? 0 : ss_fail(error, "no memory for the coefficients of %zu Lanczos steps", capacity);
}

void ss_krylov_finish(ss_krylov *k)
{
    ss_free(k->alpha);
    ss_free(k->beta);
    *k = (ss_krylov){0};
}

void ss_krylov_add(ss_krylov *k, double alpha, double beta)
{
    if (k->n == k->capacity) return;
    k->alpha[k->n] = alpha;
    k->beta[k->n++] = beta;
}

/* delta such that z's component lies within delta of 0 (all: of any place) with probability at most risk. */
static double smallest_component(size_t n, double risk, bool anywhere)
{
    const double pi = acos(-1);
    if (n == 1) return 1;         /* +-1: no interval shorter than 2 holds both */
    if (n == 2) return anywhere ? 0.5 * (1 - cos(pi * risk)) : sin(pi / 2 * risk); /* densest at +-1 */
    double half = (double)n / 2, log_c = lgamma(half) - lgamma(half - 0.5) - 0.5 * log(pi);
    return 0.5 * risk * exp(-log_c);
}

/* Is t at or below the largest root of p_k, or p_k(t) < target? All p_j(t) are positive exactly above the largest root of
 * p_k (Sturm), so the first that is not says so. */
static bool is_below(const ss_krylov *k, double t, double target)
{
    double before = 0, now = 1;
    for (size_t j = 0; j < k->n; j++) {
        double after = ((t - k->alpha[j]) * now - (j > 0 ? k->beta[j - 1] : 0) * before) / k->beta[j];
        if (!(after > 0)) return true;
        if (isinf(after)) return false;
        before = now;
        now = after;
    }
    return now < target;
}

/* Exhausted: the Krylov space holds every eigenvalue that v has a component of, and the largest is T's own. */
static double largest_ritz_value(const ss_krylov *k, double low, double high)
{
    for (int i = 0; i < 200 && high - low > 0; i++) {
        double t = 0.5 * (low + high), pivot = 1;
        bool below = false;
        for (size_t j = 0; j < k->n && !below; j++) {
            double b = j > 0 ? k->beta[j - 1] : 0;
            pivot = t - k->alpha[j] - (j > 0 ? b * b / pivot : 0);
            below = !(pivot > 0);
        }
        if (t == low || t == high) break;
        *(below ? &low : &high) = t;
    }
    return high;
}

double ss_krylov_upper(const ss_krylov *k, size_t n, double risk, double share)
{
    assert(risk > 0 && risk < 1);
    if (k->n == 0) return NAN;
    double low = -INFINITY, high = -INFINITY; /* Gershgorin bounds the Ritz values from above, alpha from below */
    for (size_t j = 0; j < k->n; j++) {
        double left = j > 0 ? k->beta[j - 1] : 0, right = j + 1 < k->n ? k->beta[j] : 0;
        if (k->alpha[j] > low) low = k->alpha[j];
        if (k->alpha[j] + left + right > high) high = k->alpha[j] + left + right;
    }
    if (k->beta[k->n - 1] == 0) return largest_ritz_value(k, low, high);
    double target = 1 / (share * smallest_component(n, risk, share < 1)), step = high - low + k->beta[k->n - 1];
    while (is_below(k, high, target)) {
        high += step;
        step *= 2;
    }
    for (int i = 0; i < 200; i++) {
        double t = 0.5 * (low + high);
        if (t == low || t == high) break;
        *(is_below(k, t, target) ? &low : &high) = t;
    }
    return high;
}
