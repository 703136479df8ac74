/* test_lanczos_state.c - a solver that is stopped before any of its products and goes on ends in the same bits; a state that
 * cannot be one is refused. */
#include "suite.h"

#include "fixture.h"

#include <math.h>
#include <string.h>

typedef struct matrix { size_t n; const double *diagonal; int n_products, stop_at; } matrix;

static int multiply(void *ctx, const ss_real *v, ss_real *hv, ss_error *error)
{
    matrix *a = ctx;
    (void)error;
    if (a->n_products + 1 == a->stop_at) {
        for (size_t i = 0; i < a->n; i++) hv[i] = (ss_real)NAN; /* what a product that was given up leaves */
        return 1;
    }
    a->n_products++;
    for (size_t i = 0; i < a->n; i++) hv[i] = (ss_real)(a->diagonal[i] * (double)v[i]);
    return 0;
}

/* A keeper in memory: copies of the last list's pieces. */
typedef struct memory { ss_pieces list; int n_saves, n_last, n_reads; } memory;

static void forget(memory *m)
{
    for (size_t i = 0; i < m->list.n; i++) ss_free(m->list.piece[i].data);
    m->list.n = 0;
}

static void save(void *ctx, const ss_pieces *state, bool last)
{
    memory *m = ctx;
    m->n_saves++;
    m->n_last += last;
    if (!last) return;
    forget(m);
    for (size_t i = 0; i < state->n; i++) {
        ss_piece p = state->piece[i];
        void *copy = ss_alloc(p.bytes, 1);
        memcpy(copy, p.data, p.bytes);
        ss_pieces_add(&m->list, p.name, copy, p.bytes);
    }
}

static int read_back(void *ctx, const ss_piece *piece, ss_error *error)
{
    memory *m = ctx;
    m->n_reads++;
    for (size_t i = 0; i < m->list.n; i++) {
        const ss_piece *p = &m->list.piece[i];
        if (strcmp(p->name, piece->name) != 0) continue;
        if (p->bytes != piece->bytes) return ss_fail(error, "%s has %zu bytes, not %zu", p->name, p->bytes, piece->bytes);
        memcpy(piece->data, p->data, p->bytes);
        return 0;
    }
    return ss_fail(error, "no %s", piece->name);
}

typedef double spectrum(size_t i, size_t n);
static double linear_spectrum(size_t i, size_t n) { (void)n; return (double)i; }
static double clustered(size_t i, size_t n) { return i < 5 ? 10 + 1e-2 * (double)i : (double)i / (double)n; }
static double triple(size_t i, size_t n) { return i < 3 ? 7 : (double)i / (double)n; }
static double twice(size_t i, size_t n) { return i < 2 ? 7 : i < 4 ? 7 - (double)i : 0.1 * (double)i / (double)n; }
static double separated(size_t i, size_t n) { (void)n; return 50 / ((double)i + 1); }
static double identity(size_t i, size_t n) { (void)i; (void)n; return 3; }

static const struct { spectrum *of; size_t n; int k, basis, max_products; double tolerance; } table[] = {
    {linear_spectrum, 1, 1, 0, 10, 1e-3},      /* spanned at once */
    {linear_spectrum, 9, 9, 0, 100, 1e-3},     /* spanned, all pairs wanted */
    {linear_spectrum, 100, 1, 3, 150, 1e-4},   /* many restarts */
    {clustered, 120, 3, 9, 400, 1e-4},         /* restarts and a check of completeness */
    {triple, 60, 4, 0, 300, 1e-4},             /* copies, which rounding brings up in time */
    {twice, 60, 3, 0, 300, 1e-3},              /* a copy that the check brings up: certified anew, by products */
    {identity, 30, 3, 0, 60, 1e-4},            /* breakdowns: fresh vectors */
    {linear_spectrum, 80, 2, 0, 120, 1e-30},   /* nothing ever looks converged */
    {separated, 80, 1, 0, 120, 0},             /* certificates fail, one after the other, until the limit */
    {separated, 80, 4, 10, 120, 0},            /* the same with restarts and several pairs, of which each takes a product */
    {linear_spectrum, 80, 3, 0, 12, 1e-6},     /* certified at the limit */
    {linear_spectrum, 80, 3, 0, 12, 1e-2},     /* the same where certificates need no products: none are held back */
    {linear_spectrum, 80, 1, 0, 1, 1e-6},      /* one product */
};

static ss_lanczos_options options_of(size_t row, ss_keeper *keeper)
{
    double reach = by_precision(4e-9, 8e-18); /* of the estimate, but not of the explicit residual */
    return (ss_lanczos_options){.k = table[row].k, .tolerance = table[row].tolerance > 0 ? table[row].tolerance : reach,
                                .max_products = table[row].max_products, .basis = table[row].basis, .seed = row, .risk = 0.01,
                                .keeper = keeper};
}

static double *make_spectrum(size_t row)
{
    double *d = ss_alloc(table[row].n, sizeof *d);
    for (size_t i = 0; i < table[row].n; i++) d[i] = table[row].of(i, table[row].n);
    return d;
}

static bool same_result(const ss_lanczos_result *a, const ss_lanczos_result *b, size_t n)
{
    size_t k = (size_t)a->k;
    return a->k == b->k && a->n_products == b->n_products && a->converged == b->converged
        && memcmp(&a->upper, &b->upper, sizeof a->upper) == 0 && memcmp(a->eigenvalue, b->eigenvalue, k * sizeof(double)) == 0
        && memcmp(a->residual, b->residual, k * sizeof(double)) == 0
        && memcmp(a->eigenvector, b->eigenvector, k * n * sizeof(ss_real)) == 0;
}

/* What a run is given beside its row: a start vector near the top (NULL: none), and whether it works in a lent basis. */
typedef struct given { ss_real *start; bool borrows; } given;

static int solve(matrix *a, ss_lanczos_options o, const given *g, ss_lanczos_work *work, ss_lanczos_result *r,
                 ss_error *error)
{
    ss_lanczos_work *own = g->borrows && !work ? ss_lanczos_work_create(a->n, &o, error) : NULL;
    o.start = g->start;
    o.work = work ? work : own;
    int rc = ss_lanczos(multiply, a, a->n, &o, r, error);
    ss_lanczos_work_destroy(own);
    return rc;
}

/* In which states it was stopped: with a certificate half made, after a restart, in the check of completeness, in a
 * certificate after it. */
static int n_certifying, n_kept, n_checking, n_anew;

static void note_state(const memory *m)
{
    const int64_t *image = m->list.piece[0].data;
    n_certifying += (image[8] & 8) && image[9] > 0;
    n_kept += (image[8] & 32) && image[6] > 0;
    n_checking += !(image[8] & 32) && (image[8] & 2);
    n_anew += (image[8] & 2) && (image[8] & 8);
}

/* Runs until stopped at the `stride`-th product from where it goes on, again and again, to the end. Returns the stops. */
static int run_in_parts(size_t row, const given *g, const double *diagonal, int first, int stride, ss_lanczos_result *got)
{
    memory m = {0};
    ss_keeper keeper = {.ctx = &m, .save = save, .read = read_back};
    ss_lanczos_options o = options_of(row, &keeper);
    int n_stops = 0, rc = 1;
    for (int at = first; rc == 1; at = stride) {
        matrix a = {.n = table[row].n, .diagonal = diagonal, .stop_at = at};
        ss_error error = {{0}};
        keeper.resume = n_stops > 0;
        rc = solve(&a, o, g, NULL, got, &error); /* a borrowed basis is another one each time */
        if (rc == 1) note_state(&m);
        if (rc < 0) fprintf(stderr, "\n    row %zu, stopped at %d: %s\n", row, at, error.text);
        n_stops += rc == 1;
        CU_ASSERT(rc != 1 || m.n_last == n_stops);
    }
    CU_ASSERT_EQUAL(rc, 0);
    CU_ASSERT(!keeper.refused && !keeper.resume);
    forget(&m);
    return n_stops;
}

static void stop_anywhere(size_t row, const given *g, const double *diagonal)
{
    matrix a = {.n = table[row].n, .diagonal = diagonal};
    ss_lanczos_options o = options_of(row, NULL), other = o;
    ss_lanczos_result whole = {0}, got = {0};
    ss_lanczos_work *work = g->borrows ? ss_lanczos_work_create(a.n, &o, NULL) : NULL;
    other.seed += 100;
    if (g->borrows) { /* the whole run finds another's vectors in its basis, the parts find none */
        CU_ASSERT_EQUAL_FATAL(solve(&a, other, g, work, &got, NULL), 0);
        ss_lanczos_finish(&got);
    }
    CU_ASSERT_EQUAL_FATAL(solve(&a, o, g, work, &whole, NULL), 0);
    for (int at = 1; at <= whole.n_products; at++) { /* once, before each product */
        CU_ASSERT_EQUAL(run_in_parts(row, g, diagonal, at, 0, &got), 1);
        bool same = same_result(&whole, &got, a.n);
        if (!same) fprintf(stderr, "\n    row %zu: stopped before product %d it ends otherwise\n", row, at);
        CU_ASSERT(same);
        ss_lanczos_finish(&got);
    }
    CU_ASSERT_EQUAL(run_in_parts(row, g, diagonal, 2, 2, &got), whole.n_products - 1); /* before every product but the first */
    CU_ASSERT(same_result(&whole, &got, a.n));
    ss_lanczos_finish(&got);
    ss_lanczos_finish(&whole);
    ss_lanczos_work_destroy(work);
}

static void stopped_anywhere(void)
{
    n_certifying = n_kept = n_checking = n_anew = 0;
    for (size_t row = 0; row < sizeof table / sizeof *table; row++) {
        double *diagonal = make_spectrum(row);
        given g = {0};
        stop_anywhere(row, &g, diagonal);
        g = (given){ss_alloc(table[row].n, sizeof *g.start), true};
        for (size_t i = 0; i < table[row].n; i++) g.start[i] = (ss_real)(1 + diagonal[i] * diagonal[i]);
        stop_anywhere(row, &g, diagonal);
        ss_free(g.start);
        ss_free(diagonal);
    }
    bool all = n_certifying > 10 && n_kept > 100 && n_checking > 20 && n_anew > 2;
    if (!all) fprintf(stderr, "\n    %d, %d, %d, %d states of each kind\n", n_certifying, n_kept, n_checking, n_anew);
    CU_ASSERT(all);
}

/* A state that was stopped in the middle of a check, with everything in it. */
static memory some_state(size_t row, const double *diagonal, int at)
{
    memory m = {0};
    ss_keeper keeper = {.ctx = &m, .save = save};
    ss_lanczos_options o = options_of(row, &keeper);
    matrix a = {.n = table[row].n, .diagonal = diagonal, .stop_at = at};
    ss_lanczos_result r = {0};
    CU_ASSERT_EQUAL_FATAL(ss_lanczos(multiply, &a, a.n, &o, &r, NULL), 1);
    CU_ASSERT(m.n_saves == at + 1 && m.list.n > 5); /* offered before every product, too */
    return m;
}

static int go_on(memory *m, size_t row, const double *diagonal, ss_lanczos_options o, bool *refused)
{
    ss_keeper keeper = {.ctx = m, .read = read_back, .resume = true};
    matrix a = {.n = table[row].n, .diagonal = diagonal};
    ss_lanczos_result r = {0};
    ss_error error = {{0}};
    o.keeper = &keeper;
    int rc = ss_lanczos(multiply, &a, a.n, &o, &r, &error);
    CU_ASSERT(rc == 0 || (rc == -1 && error.text[0]));
    *refused = keeper.refused;
    ss_lanczos_finish(&r);
    return rc;
}

/* Whatever number stands in the image: refused, or gone on from, but never out of bounds (sanitizers watch). */
static void hostile_numbers(void)
{
    static const int64_t values[] = {INT64_MIN, -1, 0, 1, 2, 3, 4, 5, 8, 9, 10, 12, 24, 31, 32, 60, 120, 1 << 20, INT64_MAX};
    int n_refused = 0;
    for (int at = 10; at < 60; at += 7) {
        double *diagonal = make_spectrum(4);
        memory m = some_state(4, diagonal, at);
        int64_t *image = m.list.piece[0].data;
        double *real = m.list.piece[1].data;
        bool refused;
        for (size_t i = 0; i < m.list.piece[0].bytes / sizeof *image; i++)
            for (size_t v = 0; v < sizeof values / sizeof *values; v++) {
                int64_t kept = image[i];
                image[i] = values[v];
                go_on(&m, 4, diagonal, options_of(4, NULL), &refused);
                n_refused += refused;
                image[i] = kept;
            }
        for (size_t i = 0; i < m.list.piece[1].bytes / sizeof *real; i++) {
            double kept = real[i];
            real[i] = i % 2 ? NAN : -1;
            CU_ASSERT(go_on(&m, 4, diagonal, options_of(4, NULL), &refused) == -1 && refused);
            real[i] = kept;
        }
        CU_ASSERT(go_on(&m, 4, diagonal, options_of(4, NULL), &refused) == 0 && !refused);
        forget(&m);
        ss_free(diagonal);
    }
    CU_ASSERT(n_refused > 500);
}

static void other_options(void)
{
    double *diagonal = make_spectrum(3);
    memory m = some_state(3, diagonal, 20);
    ss_lanczos_options o = options_of(3, NULL);
    bool refused;
    o.k = 2;
    CU_ASSERT(go_on(&m, 3, diagonal, o, &refused) == -1 && refused);
    o = options_of(3, NULL);
    o.basis = 11;
    CU_ASSERT(go_on(&m, 3, diagonal, o, &refused) == -1 && refused);
    for (size_t i = 0; i < m.list.n; i++) { /* any piece missing or short */
        m.list.piece[i].bytes++;
        CU_ASSERT(go_on(&m, 3, diagonal, options_of(3, NULL), &refused) == -1 && refused);
        m.list.piece[i].bytes--;
    }
    CU_ASSERT(go_on(&m, 3, diagonal, options_of(3, NULL), &refused) == 0 && !refused);
    forget(&m);
    ss_free(diagonal);
}

static const ss_case cases[] = {
    {"stopped before any product", stopped_anywhere},
    {"hostile numbers", hostile_numbers},
    {"other options, missing pieces", other_options},
};
SS_SUITE("num/lanczos_state", cases)
