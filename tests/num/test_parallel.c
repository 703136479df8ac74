/* Work divided among threads: runs that cover all items once, and the same bits on one, two and three threads. */
#include "suite.h"

#include "fixture.h"

#include <math.h>
#include <stdatomic.h>
#include <string.h>

typedef struct counts { size_t n; unsigned char *seen; atomic_size_t runs, outside; } counts;

static void count(void *ctx, size_t first, size_t items)
{
    counts *c = ctx;
    if (first + items > c->n) c->outside++;
    else for (size_t i = first; i < first + items; i++) c->seen[i]++; /* no two runs share an item */
    c->runs++;
}

static void test_ranges(void)
{
    static const struct { size_t n, size; bool divided; } rows[] = {
        {0, 1, false}, {1, 1, false}, {1, 1 << 20, false}, {1000, 1, false}, {65535, 1, false}, {65536, 1, true}, {100001, 1, true},
        {1000, 64, false}, {1024, 64, true}, {1025, 67, true}, {7, 1 << 20, true}, {100000, 0, false}, {3, 100000, true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (int threads = 1; threads <= 3; threads++) {
            counts c = {.n = rows[i].n, .seen = ss_alloc(rows[i].n, 1)};
            ss_threads_set(threads);
            ss_parallel_ranges(rows[i].n, rows[i].size, count, &c);
            bool divided = rows[i].divided && ss_threads() > 1 && rows[i].n > 1;
            CU_ASSERT(c.outside == 0 && (c.runs > 1) == divided);
            size_t wrong = 0;
            for (size_t k = 0; k < c.n; k++) wrong += c.seen[k] != 1;
            CU_ASSERT_EQUAL(wrong, 0);
            ss_free(c.seen);
        }
    ss_threads_set(1);
}

/* Vectors of N elements that a case reads (in) and writes; ROWS x COLUMNS = IMAGES images of SIDE x SIDE x COLUMNS. */
enum { SIDE = 8, IMAGES = 37, COLUMNS = 67, ROWS = IMAGES * SIDE * SIDE, N = ROWS * COLUMNS, N_IN = 5, N_OUT = 3 };
typedef struct state { ss_real *in[N_IN], *out[N_OUT]; double *sum; uint32_t *place; } state;

static state make(void)
{
    state s;
    for (uint32_t i = 0; i < N_IN; i++) s.in[i] = random_vector(N, i);
    for (uint32_t i = 0; i < N_OUT; i++) s.out[i] = random_vector(N, 10 + i);
    s.sum = ss_alloc(N, sizeof *s.sum);
    s.place = ss_alloc(N, sizeof *s.place);
    return s;
}

static void drop(state *s)
{
    for (size_t i = 0; i < N_IN; i++) ss_free(s->in[i]);
    for (size_t i = 0; i < N_OUT; i++) ss_free(s->out[i]);
    ss_free(s->sum);
    ss_free(s->place);
}

static bool same(const state *a, const state *b)
{
    bool equal = memcmp(a->sum, b->sum, N * sizeof *a->sum) == 0 && memcmp(a->place, b->place, N * sizeof *a->place) == 0;
    for (size_t i = 0; i < N_IN; i++) equal &= memcmp(a->in[i], b->in[i], N * sizeof(ss_real)) == 0;
    for (size_t i = 0; i < N_OUT; i++) equal &= memcmp(a->out[i], b->out[i], N * sizeof(ss_real)) == 0;
    return equal;
}

typedef void work(state *s);

static void compare(work *f)
{
    state one = make(), before = make();
    ss_threads_set(1);
    f(&one);
    CU_ASSERT(!same(&one, &before));
    for (int threads = 2; threads <= 3; threads++) {
        state more = make();
        ss_threads_set(threads);
        f(&more);
        CU_ASSERT(same(&one, &more));
        drop(&more);
    }
    ss_threads_set(1);
    drop(&one);
    drop(&before);
}

static void vectors(state *s)
{
    const ss_descent d = {0.1, 0.9, 0.01, true};
    ss_axpy(N, 0.3, s->in[0], s->out[0]);
    ss_scale(N, 0.7, s->out[1]);
    ss_accumulate(N, s->in[1], s->sum);
    ss_round(N, s->sum, 0.5, s->in[4]);
    ss_ascend(N, s->in[0], 0.1, 0.05, s->in[1], s->out[2]);
    ss_descend(N, &d, s->in[0], s->in[2], s->in[3], s->sum);
}

/* A weight that is not finite is seen whichever run it falls into. */
static void test_finite(void)
{
    const ss_descent d = {0.1, 0.9, 0.01, false};
    static const size_t places[] = {0, N / 2, N - 1};
    for (int threads = 1; threads <= 3; threads++) {
        state s = make();
        double norm;
        ss_threads_set(threads);
        CU_ASSERT(ss_descend(N, &d, s.in[0], s.in[1], s.in[2], &norm) && norm == ss_norm(N, s.in[0]));
        for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
            s.in[1][places[i]] = (ss_real)INFINITY;
            CU_ASSERT(!ss_descend(N, &d, s.in[0], s.in[1], s.in[2], NULL));
            s.in[1][places[i]] = 0;
        }
        drop(&s);
    }
    ss_threads_set(1);
}

static void gates(state *s)
{
    ss_relu(N, s->in[0], s->out[0]);
    ss_relu(N, s->in[1], s->in[1]);
    ss_relu_gate(N, s->in[1], s->in[2], true, s->out[1]);
    ss_relu_gate(N, s->in[1], s->in[2], false, s->in[2]);
    ss_add(N, s->in[0], s->in[3], true, s->out[2]);
    ss_add(N, s->in[0], s->in[3], true, s->in[3]);
    ss_mask(N, s->in[0], s->in[1], true, s->in[4]);
}

static void smooth(state *s)
{
    ss_tanh(N, s->in[0], s->in[1]);
    ss_gelu(N, s->in[0], s->in[2]);
    ss_tanh_slope(&(ss_slope){N, s->in[0], s->in[1], s->in[3], s->in[4], s->in[0], true, s->out[0]});
    ss_gelu_slope(&(ss_slope){N, s->in[0], s->in[2], s->in[3], NULL, NULL, false, s->out[1]});
}

static void columns(state *s)
{
    ss_column_sums(ROWS, COLUMNS, s->in[0], NULL, s->sum);
    ss_column_sums(ROWS, COLUMNS, s->in[0], s->in[1], s->sum + COLUMNS);
    ss_column_moments(ROWS, COLUMNS, s->in[0], s->sum + 2 * COLUMNS, s->sum + 3 * COLUMNS);
    ss_add_row(ROWS, COLUMNS, s->in[0], s->out[0]);
}

static void norm(state *s)
{
    ss_norm_data b = {ROWS, COLUMNS, s->in[0], s->in[1], s->in[2], true};
    ss_norm_forward(&b, s->in[3], s->in[4], s->in[3], s->out[0]);
    ss_norm_forward(&b, s->in[3], s->in[4], b.xhat, s->out[0]);
    ss_norm_sums(&b, true, s->in[3], s->sum, s->sum + COLUMNS);
    ss_norm_second_sums(&b, s->in[3], s->in[4], NULL, s->sum + 2 * COLUMNS);
    ss_norm_second_sums(&b, s->in[3], s->in[4], s->in[0], s->sum + 7 * COLUMNS);
    ss_norm_tangent(&b, s->in[3], NULL, s->out[0]);
    ss_norm_tangent(&b, s->in[3], s->in[4], s->out[1]);
    ss_norm_backward(&b, s->in[3], s->in[4], true, s->out[1]);
    ss_norm_second_backward(&b, s->in[3], s->in[3], s->in[4], s->in[0], true, s->out[2]);
    ss_norm_second_backward(&b, s->in[3], s->in[3], s->in[4], NULL, true, s->out[2]);
}

static void pools(state *s)
{
    const ss_window g = {SIDE, SIDE, COLUMNS, 4, 4, COLUMNS, 3, 2, 1, false};
    ss_max_pool(&g, IMAGES, s->in[0], s->out[0], s->place);
    ss_max_pool_gather(&g, IMAGES, s->in[1], s->place, s->out[1]);
    ss_max_pool_scatter(&g, IMAGES, s->in[2], s->place, 1, s->in[3]);
    ss_max_pool_scatter(&g, IMAGES, s->in[2], s->place, 0, s->in[4]);
    ss_average_pool(&g, IMAGES, s->in[0], s->out[2]);
    ss_average_pool_scatter(&g, IMAGES, s->in[2], 1, s->in[3]);
}

static void test_vectors(void) { compare(vectors); }
static void test_gates(void) { compare(gates); }
static void test_smooth(void) { compare(smooth); }
static void test_columns(void) { compare(columns); }
static void test_norm(void) { compare(norm); }
static void test_pools(void) { compare(pools); }

static const ss_case cases[] = {
    {"runs", test_ranges},
    {"vectors, the same bits on any number of threads", test_vectors},
    {"weights that are not finite are seen on any number of threads", test_finite},
    {"gates and sums likewise", test_gates},
    {"smooth activations likewise", test_smooth},
    {"sums of columns likewise", test_columns},
    {"batch norm likewise", test_norm},
    {"pooling likewise", test_pools},
};

SS_SUITE("num/parallel", cases)
