/* Other examples for a Hessian that is there already: the bits of one made for them. */
#include "measures.h"

typedef struct answer { double loss; ss_real *g, *hv; } answer;

static answer ask(ss_hessian *h, const setup *s)
{
    answer a = {.g = ss_alloc(s->p, sizeof(ss_real)), .hv = ss_alloc(s->p, sizeof(ss_real))};
    ss_real *v = random_vector(s->p, 1);
    ss_hessian_apply(h, v, a.hv, NULL);
    a.loss = ss_hessian_loss(h, a.g);
    ss_free(v);
    return a;
}

/* Frees both. */
static bool same(const setup *s, answer a, answer b)
{
    size_t bytes = s->p * sizeof *a.g;
    bool equal = a.loss == b.loss && memcmp(a.g, b.g, bytes) == 0 && memcmp(a.hv, b.hv, bytes) == 0;
    ss_real *const all[] = {a.g, a.hv, b.g, b.hv};
    for (size_t i = 0; i < 4; i++) ss_free(all[i]);
    return equal;
}

static answer ask_anew(const setup *s, const ss_hessian_options *o, const uint32_t *index, uint32_t n)
{
    ss_dataset data = part_of(s->data, index, n);
    setup part = *s;
    part.data = &data;
    ss_hessian_options all = *o;
    all.examples = 0;
    ss_hessian *h = hessian_make(&part, &all);
    answer a = ask(h, &part);
    ss_hessian_destroy(h);
    part_drop(&data);
    return a;
}

/* One Hessian goes through selections smaller and larger than its own, in batches smaller and larger than any before. */
static void test_bits(void)
{
    static const uint32_t sizes[] = {3, 37, 1, 16, 10, 20, 11, 37, 5};
    setup (*const make[])(void) = {mlp_setup, cnn_setup};
    const size_t caches[] = {0, 30000, SIZE_MAX};
    for (size_t i = 0; i < 2; i++)
        for (size_t c = 0; c < 3; c++)
            for (uint32_t own = 4; own <= 37; own += 33) {
                setup s = make[i]();
                ss_hessian_options o = plain_options();
                o.cache_bytes = caches[c];
                o.examples = own;
                o.subset = own == 4 ? "even" : "first";
                ss_hessian *h = hessian_make(&s, &o);
                answer first = ask(h, &s);
                uint32_t index[37];
                ss_stream stream = ss_stream_make(1, SS_FOR_TEST, 0, (uint32_t)i);
                ss_stream_permutation(&stream, 37, index);
                for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
                    uint32_t *given = ss_alloc(sizes[k], sizeof *given);
                    memcpy(given, index, sizes[k] * sizeof *given);
                    CU_ASSERT_EQUAL(ss_hessian_select(h, given, sizes[k], NULL), 0);
                    ss_free(given); /* it is copied */
                    CU_ASSERT(same(&s, ask(h, &s), ask_anew(&s, &o, index, sizes[k])));
                }
                CU_ASSERT_EQUAL(ss_hessian_select(h, NULL, 0, NULL), 0);
                CU_ASSERT(same(&s, first, ask(h, &s)));
                ss_hessian_destroy(h);
                setup_drop(&s);
            }
}

/* Several directions at once over a selection in more batches than the Hessian's own. */
static void test_block(void)
{
    setup s = cnn_setup();
    ss_hessian_options o = plain_options();
    o.examples = 5;
    o.ghost_batch = 6;
    o.directions = 3;
    ss_hessian *h = hessian_make(&s, &o);
    uint32_t index[37];
    for (uint32_t i = 0; i < 37; i++) index[i] = 36 - i;
    CU_ASSERT_EQUAL(ss_hessian_select(h, index, 37, NULL), 0);
    ss_real *v[4], *hv[4], *one = ss_alloc(s.p, sizeof *one);
    for (uint32_t i = 0; i < 4; i++) v[i] = random_vector(s.p, 10 + i), hv[i] = ss_alloc(s.p, sizeof(ss_real));
    CU_ASSERT_EQUAL(ss_hessian_apply_block(h, 4, (const ss_real *const *)v, hv, NULL), 0);
    for (size_t i = 0; i < 4; i++) {
        CU_ASSERT_EQUAL(ss_hessian_apply(h, v[i], one, NULL), 0);
        CU_ASSERT(memcmp(one, hv[i], s.p * sizeof *one) == 0);
        ss_free(v[i]);
        ss_free(hv[i]);
    }
    ss_free(one);
    ss_hessian_destroy(h);
    setup_drop(&s);
}

/* The Gauss-Newton product needs no backward pass at the point, and leaves the Hessian's as it was. */
static void test_matrix(void)
{
    const size_t caches[] = {0, SIZE_MAX};
    setup s = cnn_setup();
    ss_real *gv[2], *v = random_vector(s.p, 1);
    for (size_t c = 0; c < 2; c++) {
        ss_hessian_options o = plain_options();
        o.cache_bytes = caches[c];
        o.l2 = 0.1;
        ss_hessian *h = hessian_make(&s, &o);
        gv[c] = ss_alloc(s.p, sizeof(ss_real));
        ss_hessian_set_matrix(h, SS_GAUSS_NEWTON);
        ss_hessian_apply(h, v, gv[c], NULL);
        ss_hessian_set_matrix(h, SS_HESSIAN);
        answer after = ask(h, &s);
        CU_ASSERT(distance(s.p, after.hv, gv[c]) > 0.01 * ss_norm(s.p, gv[c]));
        ss_hessian *fresh = hessian_make(&s, &o);
        CU_ASSERT(same(&s, after, ask(fresh, &s)));
        ss_hessian_destroy(fresh);
        ss_hessian_destroy(h);
    }
    CU_ASSERT(memcmp(gv[0], gv[1], s.p * sizeof *v) == 0);
    ss_free(gv[0]);
    ss_free(gv[1]);
    ss_free(v);
    setup_drop(&s);
}

/* Without memory for it the Hessian goes on with what it had. */
static void test_memory(void)
{
    setup s = cnn_setup();
    ss_hessian_options o = plain_options();
    uint32_t index[37];
    for (uint32_t i = 0; i < 37; i++) index[i] = i;
    o.examples = 4;
    int rc = -1;
    long n = 0;
    for (; rc != 0 && n < 60; n++) {
        ss_error error = {{0}};
        ss_hessian *h = hessian_make(&s, &o);
        answer before = ask(h, &s);
        ss_alloc_fail_after(n);
        rc = ss_hessian_select(h, index, 37, &error);
        ss_alloc_fail_after(-1);
        if (rc != 0) CU_ASSERT(rc == -1 && strstr(error.text, "memory"));
        CU_ASSERT(same(&s, before, ask(h, &s)) == (rc != 0));
        CU_ASSERT_EQUAL(ss_hessian_select(h, index, 37, NULL), 0);
        CU_ASSERT(same(&s, ask(h, &s), ask_anew(&s, &o, index, 37)));
        ss_hessian_destroy(h);
    }
    CU_ASSERT(n > 8 && n < 60);
    setup_drop(&s);
}

static const ss_case cases[] = {
    {"the bits of a Hessian made for them", test_bits},
    {"several directions", test_block},
    {"the Gauss-Newton matrix, and back", test_matrix},
    {"memory", test_memory},
};

SS_SUITE("sharp/select", cases)
