/* lanczos_state.c - the solver's state as a keeper sees it. Its numbers go through an image of fixed width; its vectors lie
 * where they are, also in a basis that was lent. Eigenvectors and eigenvalues of T are worked out again from T, which gives
 * the same bits; the vector that a warm start began from is in the basis. */
#include "lanczos.h"

#include <math.h>

/* To be raised with every change of what the state holds or means: older states are then refused. */
enum { STATE_VERSION = 2 };
enum { VERSION, REAL_BYTES, N, K, LIMIT, M, KEPT, N_FRESH, FLAGS, PAIR, FOUND, N_KRYLOV, N_FAILED, NEXT_CERTIFICATE, N_PRODUCTS,
       HAS_PAIRS, N_NUMBERS };
_Static_assert((int)N_NUMBERS == (int)SS_SOLVER_NUMBERS, "the image has a place for each of the solver's numbers");
enum { SPANNED = 1, CERTIFIED = 2, CURRENT = 4, CERTIFYING = 8, GOOD = 16, RECURRENT = 32, ALL_FLAGS = 63 };
enum { BETA, NORM, WANTED, SHARE, N_REALS };
_Static_assert((int)N_REALS == (int)SS_SOLVER_REALS, "and so have those with a fraction");

static void fill_image(ss_solver *s)
{
    int64_t *i = s->image;
    i[VERSION] = STATE_VERSION;
    i[REAL_BYTES] = sizeof(ss_real);
    i[N] = (int64_t)s->n;
    i[K] = (int64_t)s->k;
    i[LIMIT] = (int64_t)s->limit;
    i[M] = (int64_t)s->m;
    i[KEPT] = (int64_t)s->kept;
    i[N_FRESH] = (int64_t)s->n_fresh;
    i[FLAGS] = (s->spanned ? SPANNED : 0) | (s->certified ? CERTIFIED : 0) | (s->current ? CURRENT : 0) |
               (s->certifying ? CERTIFYING : 0) | (s->good ? GOOD : 0) | (s->recurrent ? RECURRENT : 0);
    i[PAIR] = (int64_t)s->pair;
    i[FOUND] = (int64_t)s->found;
    i[N_KRYLOV] = (int64_t)s->krylov.n;
    i[N_FAILED] = (int64_t)s->n_failed;
    i[NEXT_CERTIFICATE] = (int64_t)s->next_certificate;
    i[N_PRODUCTS] = s->result->n_products;
    i[HAS_PAIRS] = s->certifying || s->certified || s->n_failed > 0; /* before any certificate the result is empty */
    s->image_real[BETA] = s->beta;
    s->image_real[NORM] = s->norm;
    s->image_real[WANTED] = s->wanted;
    s->image_real[SHARE] = s->share;
}

static void list_image(ss_solver *s, ss_pieces *list)
{
    ss_pieces_add(list, "lanczos", s->image, sizeof s->image);
    ss_pieces_add(list, "lanczos_real", s->image_real, sizeof s->image_real);
}

static void list_vectors(ss_solver *s, ss_pieces *list)
{
    size_t pairs = s->image[HAS_PAIRS] ? s->k : 0;
    ss_pieces_add(list, "lanczos_t", s->t, s->m * s->limit * sizeof *s->t);
    ss_pieces_add(list, "lanczos_below", s->below, s->m * sizeof *s->below);
    ss_pieces_add(list, "lanczos_alpha", s->krylov.alpha, s->krylov.n * sizeof *s->krylov.alpha);
    ss_pieces_add(list, "lanczos_beta", s->krylov.beta, s->krylov.n * sizeof *s->krylov.beta);
    ss_pieces_add(list, "lanczos_value", s->result->eigenvalue, pairs * sizeof(double));
    ss_pieces_add(list, "lanczos_residual", s->result->residual, pairs * sizeof(double));
    ss_pieces_add(list, "lanczos_vector", s->result->eigenvector, pairs * s->n * sizeof(ss_real));
    ss_pieces_add(list, "lanczos_basis", ss_basis_row(&s->basis, 0), (s->m + 1) * s->n * sizeof(ss_real));
}

void ss_solver_offer(ss_solver *s, bool last)
{
    ss_keeper *keeper = s->options->keeper;
    ss_pieces list = {0};
    if (!keeper || !keeper->save) return;
    fill_image(s);
    list_image(s, &list);
    list_vectors(s, &list);
    keeper->save(keeper->ctx, &list, last);
}

static bool is_size(double value)
{
    return value >= 0 && isfinite(value);
}

static bool within(int64_t value, size_t low, size_t high)
{
    return value >= 0 && (uint64_t)value >= low && (uint64_t)value <= high;
}

/* Numbers from which the solver goes on without leaving its memory, whatever else they say. */
static bool makes_sense(const ss_solver *s)
{
    const int64_t *i = s->image;
    const double *r = s->image_real;
    int max = s->options->max_products;
    bool certifying = i[FLAGS] & CERTIFYING, spanned = i[FLAGS] & SPANNED;
    return within(i[FLAGS], 0, ALL_FLAGS) && within(i[M], 0, s->limit) && within(i[KEPT], 0, (size_t)i[M])
        && (certifying || (!spanned && within(i[M], 0, s->limit - 1)))
        && (!spanned || within(i[M], s->n, s->n)) && (!(i[FLAGS] & CERTIFIED) || within(i[M], s->k, s->limit))
        && within(i[FOUND], 0, i[M] == 0 ? 1 : s->k)
        && (!certifying || (within(i[PAIR], 0, s->k - 1) && i[PAIR] < i[FOUND] && (i[M] == 0 || i[FOUND] <= i[M])))
        && within(i[N_KRYLOV], 0, s->krylov.capacity) && within(i[N_FRESH], 1, INT64_MAX) && within(i[N_FAILED], 0, INT64_MAX)
        && within(i[NEXT_CERTIFICATE], 0, INT64_MAX) && within(i[N_PRODUCTS], 0, max < 0 ? 0 : (size_t)max)
        && within(i[HAS_PAIRS], 0, 1) && (i[HAS_PAIRS] || !(i[FLAGS] & (CERTIFYING | CERTIFIED)))
        && is_size(r[BETA]) && is_size(r[NORM]) && is_size(r[WANTED]) && r[SHARE] > 0 && r[SHARE] <= 1;
}

static void use_image(ss_solver *s)
{
    const int64_t *i = s->image;
    s->m = (size_t)i[M];
    s->kept = (size_t)i[KEPT];
    s->n_fresh = (uint64_t)i[N_FRESH];
    s->spanned = i[FLAGS] & SPANNED;
    s->certified = i[FLAGS] & CERTIFIED;
    s->current = i[FLAGS] & CURRENT;
    s->certifying = i[FLAGS] & CERTIFYING;
    s->good = i[FLAGS] & GOOD;
    s->recurrent = i[FLAGS] & RECURRENT;
    s->pair = (size_t)i[PAIR];
    s->found = (size_t)i[FOUND];
    s->krylov.n = (size_t)i[N_KRYLOV];
    s->n_failed = (size_t)i[N_FAILED];
    s->next_certificate = (size_t)i[NEXT_CERTIFICATE];
    s->result->n_products = (int)i[N_PRODUCTS];
    s->beta = s->image_real[BETA];
    s->norm = s->image_real[NORM];
    s->wanted = s->image_real[WANTED];
    s->share = s->image_real[SHARE];
}

static bool matrix_is_finite(const ss_solver *s)
{
    for (size_t r = 0; r < s->m; r++) {
        if (!isfinite(s->below[r])) return false;
        for (size_t c = 0; c <= r; c++)
            if (!isfinite(s->t[r * s->limit + c])) return false;
    }
    return true;
}

int ss_solver_restore(ss_solver *s, ss_error *error)
{
    ss_keeper *keeper = s->options->keeper;
    const int64_t *i = s->image;
    ss_pieces image = {0}, vectors = {0};
    list_image(s, &image);
    if (ss_keeper_read(keeper, &image, error)) return -1;
    if (i[VERSION] != STATE_VERSION || i[REAL_BYTES] != (int64_t)sizeof(ss_real))
        return ss_keeper_refuse(keeper, error, "state %lld of a Lanczos run in %lld-byte numbers, expected state %d in %d-byte "
                                "ones", (long long)i[VERSION], (long long)i[REAL_BYTES], STATE_VERSION, (int)sizeof(ss_real));
    if (i[N] != (int64_t)s->n || i[K] != (int64_t)s->k || i[LIMIT] != (int64_t)s->limit)
        return ss_keeper_refuse(keeper, error, "a Lanczos run for %lld eigenvalues on %lld numbers with a basis of %lld, "
                                "expected %zu on %zu with %zu", (long long)i[K], (long long)i[N], (long long)i[LIMIT], s->k,
                                s->n, s->limit);
    if (!makes_sense(s))
        return ss_keeper_refuse(keeper, error, "a Lanczos run whose numbers contradict each other (%lld vectors after %lld "
                                "products)", (long long)i[M], (long long)i[N_PRODUCTS]);
    use_image(s);
    list_vectors(s, &vectors);
    if (ss_keeper_read(keeper, &vectors, error)) return -1;
    return matrix_is_finite(s) ? 0 : ss_keeper_refuse(keeper, error, "a Lanczos run whose matrix is not finite");
}
