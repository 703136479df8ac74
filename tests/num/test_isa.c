/* AVX2 and AVX-512 give the same bits, kernel by kernel (products: test_gemm). Sizes are no multiples of the lanes. */
#include "suite.h"

#include "../../src/num/kernels.h"
#include "fixture.h"

#include <string.h>

#ifdef SS_HAVE_V4
extern const ss_kernels ss_kernels_v3, ss_kernels_v4;

enum { LONGEST = 5000, N_VECTORS = 10 };
static const size_t lengths[] = {1, 3, 8, 15, 16, 31, 32, 33, 100, 511, 513, 1000, 4999};

/* Inputs, and what a kernel leaves in them and in `sum`: everything is compared. */
typedef struct state { ss_real *v[N_VECTORS]; double sum[LONGEST + 16]; uint32_t place[LONGEST]; bool flag; } state;

static state *make(void)
{
    state *s = ss_alloc(1, sizeof *s);
    for (uint32_t i = 0; i < N_VECTORS; i++) s->v[i] = random_vector(LONGEST, i);
    return s;
}

static void finish(state *s)
{
    for (size_t i = 0; i < N_VECTORS; i++) ss_free(s->v[i]);
    ss_free(s);
}

static bool same(const state *a, const state *b)
{
    bool equal = memcmp(a->sum, b->sum, sizeof a->sum) == 0 && memcmp(a->place, b->place, sizeof a->place) == 0 &&
                 a->flag == b->flag;
    for (size_t i = 0; i < N_VECTORS; i++) equal &= memcmp(a->v[i], b->v[i], LONGEST * sizeof(ss_real)) == 0;
    return equal;
}

typedef void work(const ss_kernels *k, size_t n, state *s);

static void vectors(const ss_kernels *k, size_t n, state *s)
{
    const ss_descent plain = {0.1, 0, 0.01, false}, momentum = {0.1, 0.9, 0.01, false}, nesterov = {0.1, 0.9, 0, true};
    k->dot(n, s->v[0], s->v[1], s->sum);
    k->dot(n, s->v[0], s->v[0], s->sum + 1);
    k->sum_square(n, s->v[0], 0.3, s->v[1], s->sum + 2);
    k->axpy(n, 0.7, s->v[0], s->v[2]);
    k->scale(n, 0.3, s->v[3]);
    k->accumulate(n, s->v[0], s->sum + 16);
    k->round(n, s->sum + 16, 0.1, s->v[4]);
    k->descend(n, &plain, s->v[0], s->v[5], s->v[6], s->sum + 3, &s->flag);
    k->descend(n, &momentum, s->v[0], s->v[5], s->v[6], s->sum + 4, &s->flag);
    k->descend(n, &nesterov, s->v[0], s->v[5], s->v[6], s->sum + 5, &s->flag);
    k->ascend(n, s->v[0], 0.1, 0.05, s->v[5], s->v[7]);
}

static void elements(const ss_kernels *k, size_t n, state *s)
{
    ss_stream stream = ss_stream_make(1, SS_FOR_TEST, 2, 3);
    k->relu(n, s->v[0], s->v[1]);
    k->gate(n, s->v[1], s->v[2], true, s->v[3]);
    k->add(n, s->v[1], s->v[2], true, s->v[4]);
    k->mask(n, s->v[1], s->v[2], true, s->v[5]);
    k->dropout_mask(&stream, 7, n, 1u << 31, 2, s->v[6]);
    k->tanh(n, s->v[0], s->v[7]);
    ss_slope tanh = {n, s->v[0], s->v[7], s->v[2], s->v[1], s->v[3], true, s->v[4]};
    k->tanh_slope(&tanh);
    k->gelu(n, s->v[0], s->v[8]);
    ss_slope gelu = {n, s->v[0], s->v[8], s->v[2], s->v[1], s->v[3], true, s->v[5]};
    k->gelu_slope(&gelu);
}

static void softmax(const ss_kernels *k, size_t n, state *s)
{
    static const size_t classes[] = {1, 3, 10, 100};
    static const uint8_t label[LONGEST];
    for (size_t c = 0; c < 4; c++) {
        size_t rows = n / classes[c];
        k->cross_entropy(rows, classes[c], s->v[0], label, s->sum + c);
        k->cross_entropy_delta(rows, classes[c], s->v[0], label, 0.25, s->v[1 + 2 * c]);
        k->cross_entropy_tangent(rows, classes[c], s->v[0], s->v[2], 0.25, s->v[2 + 2 * c]);
    }
}

static void columns(const ss_kernels *k, size_t n, state *s)
{
    static const size_t widths[] = {1, 7, 16, 33, 200};
    for (size_t w = 0; w < 5 && widths[w] <= n; w++)
        for (int relu = 0; relu < 2; relu++) {
            size_t c = widths[w], rows = n / c;
            ss_norm_data b = {rows, c, s->v[0], s->v[1], s->v[2], relu};
            k->column_sums(rows, c, c, s->v[3], NULL, s->sum);
            k->column_sums(rows, c, c, s->v[3], s->v[4], s->sum + c);
            k->column_moments(rows, c, c, s->v[3], s->sum + 2 * c, s->sum + 3 * c);
            k->norm_forward(&b, s->v[0], s->v[1], s->v[3], s->v[4]);
            k->norm_sums(&b, c, true, s->v[5], s->sum + 4 * c, s->sum + 5 * c);
            k->norm_second_sums(&b, c, s->v[5], s->v[6], s->v[7], s->sum + 6 * c);
            k->norm_backward(&b, s->v[8], s->v[5], true, s->v[9]);
            k->norm_tangent(&b, s->v[8], s->v[7], s->v[4]);
            k->norm_second_backward(&b, s->v[8], s->v[5], s->v[6], s->v[7], true, s->v[9]);
            k->add_row(rows, c, s->v[0], s->v[3]);
        }
}

static void pools(const ss_kernels *k, size_t n, state *s)
{
    static const ss_window windows[] = {{6, 6, 5, 3, 3, 5, 2, 2, 0, false}, {7, 5, 19, 4, 3, 19, 3, 2, 1, false},
                                        {4, 4, 33, 1, 1, 33, 4, 4, 0, false}, {5, 5, 16, 2, 2, 16, 2, 2, 0, false}};
    for (size_t w = 0; w < 4; w++) {
        const ss_window *g = &windows[w];
        size_t images = n / (size_t)(g->h * g->w * g->c);
        k->max_pool(g, images, s->v[0], s->v[1], s->place);
        k->max_pool_gather(g, images, s->v[2], s->place, s->v[3]);
        k->max_pool_scatter(g, images, s->v[4], s->place, w & 1, s->v[5]);
        k->average_pool(g, images, s->v[0], s->v[6]);
        k->average_pool_scatter(g, images, s->v[4], w & 1, s->v[7]);
    }
}

static void compare(work *f)
{
    if (strcmp(ss_kernel->isa, "v4") != 0) {
        printf("SKIP: AVX2 against AVX-512: this processor (or SHARPSWEEP_ISA) gives %s\n", ss_kernel->isa);
        return;
    }
    for (size_t l = 0; l < sizeof lengths / sizeof *lengths; l++) {
        state *a = make(), *b = make(), *before = make();
        f(&ss_kernels_v3, lengths[l], a);
        f(&ss_kernels_v4, lengths[l], b);
        CU_ASSERT(same(a, b));
        CU_ASSERT(lengths[l] < 1000 || !same(a, before));
        finish(a);
        finish(b);
        finish(before);
    }
}

static void test_vectors(void) { compare(vectors); }
static void test_elements(void) { compare(elements); }
static void test_softmax(void) { compare(softmax); }
static void test_columns(void) { compare(columns); }
static void test_pools(void) { compare(pools); }
#else
static void skip(void) { printf("SKIP: AVX2 against AVX-512: this compiler builds neither\n"); }
#define test_vectors skip
#define test_elements skip
#define test_softmax skip
#define test_columns skip
#define test_pools skip
#endif

/* The table is complete, whatever the processor. */
static void test_table(void)
{
    CU_ASSERT(strcmp(ss_kernels_describe(), ss_kernel->isa) == 0);
    CU_ASSERT(strcmp(ss_kernel->isa, "base") == 0 || strcmp(ss_kernel->isa, "v3") == 0 || strcmp(ss_kernel->isa, "v4") == 0);
#define K(name, args) CU_ASSERT(ss_kernel->name != NULL);
#include "../../src/num/kernels.def"
#undef K
}

static const ss_case cases[] = {
    {"the table", test_table},     {"vectors", test_vectors}, {"elements", test_elements},
    {"softmax", test_softmax}, {"columns", test_columns}, {"pools", test_pools},
};

SS_SUITE("num/isa", cases)
