#include "suite.h"

#include "../../src/num/kernels.h"
#include "fixture.h"

#include <math.h>
#include <string.h>

typedef struct geometry { size_t n; int h, w, c, out_c, kernel, stride, padding; } geometry;

static const geometry table[] = {
    {1, 1, 1, 1, 1, 1, 1, 0}, {3, 5, 4, 1, 2, 1, 1, 0}, {2, 6, 5, 3, 4, 1, 2, 0}, {2, 5, 5, 3, 4, 1, 1, 1},
    {2, 4, 4, 5, 3, 2, 1, 0}, {2, 5, 7, 3, 4, 2, 2, 0}, {3, 5, 6, 1, 5, 2, 2, 1}, {2, 7, 7, 3, 5, 3, 1, 0},
    {3, 8, 8, 3, 5, 3, 1, 1}, {2, 9, 7, 5, 3, 3, 2, 1}, {2, 10, 11, 1, 3, 3, 3, 1}, {1, 3, 3, 3, 2, 3, 1, 0},
    {4, 3, 3, 5, 7, 3, 2, 0}, {2, 8, 9, 3, 4, 5, 1, 2}, {2, 9, 9, 3, 4, 5, 2, 2}, {2, 11, 7, 1, 4, 5, 3, 0},
    {2, 2, 2, 3, 4, 5, 1, 2}, {1, 1, 1, 3, 4, 3, 1, 1}, {2, 3, 3, 2, 2, 2, 1, 3}, {2, 1, 9, 3, 2, 1, 3, 0},
    {2, 4, 5, 30, 6, 3, 1, 1}, /* runs long enough for memcpy */
    {300, 6, 6, 24, 3, 3, 1, 1}, /* several tiles, the last one short, most of them across images */
    {5, 2, 2, 64, 3, 3, 1, 1},
    /* position by position: every tap, some only in the padding, inputs that no window reads, many examples */
    {9, 2, 2, 32, 48, 3, 1, 1}, {8, 1, 1, 64, 16, 3, 1, 1}, {40, 3, 2, 64, 33, 3, 2, 1}, {200, 3, 3, 48, 17, 3, 1, 1},
    {8, 4, 3, 64, 7, 2, 3, 0}, {8, 2, 3, 96, 40, 5, 1, 3}, {33, 6, 6, 64, 20, 3, 2, 1},
    /* by Winograd's algorithm: whole tiles, cut ones, every padding, several groups, blocks of weights */
    {8, 8, 8, 16, 16, 3, 1, 1}, {6, 9, 7, 32, 16, 3, 1, 1}, {9, 10, 10, 16, 32, 3, 1, 0}, {4, 9, 9, 16, 16, 3, 1, 2},
    {33, 6, 6, 16, 48, 3, 1, 1}, {40, 4, 4, 64, 64, 3, 1, 1}, {5, 28, 28, 32, 32, 3, 1, 1},
    {20, 4, 4, 144, 80, 3, 1, 1}, {6, 6, 9, 80, 144, 3, 1, 0}, {100, 4, 4, 288, 16, 3, 1, 1}, {16, 4, 4, 512, 48, 3, 1, 1}, {20, 5, 4, 32, 160, 3, 1, 2},
};
enum { N_GEOMETRIES = sizeof table / sizeof *table };

static ss_window window_of(const geometry *t)
{
    return (ss_window){t->h, t->w, t->c, ss_window_out(t->h, t->kernel, t->stride, t->padding),
                       ss_window_out(t->w, t->kernel, t->stride, t->padding), t->out_c, t->kernel, t->stride, t->padding, false};
}

/* Everything one convolution has: x, weight, y and a gradient of each. */
typedef struct setup {
    ss_window g;
    size_t n, n_x, n_y, n_weight;
    ss_real *x, *y, *weight, *dx, *dy, *dweight, *work;
    double *want;
} setup;

static setup make(const geometry *t)
{
    setup s = {.g = window_of(t), .n = t->n};
    s.n_x = s.n * (size_t)(t->h * t->w * t->c);
    s.n_y = s.n * (size_t)(s.g.out_h * s.g.out_w * t->out_c);
    s.n_weight = (size_t)(t->kernel * t->kernel * t->c * t->out_c);
    s.x = random_vector(s.n_x, 1), s.dx = random_vector(s.n_x, 2);
    s.y = random_vector(s.n_y, 3), s.dy = random_vector(s.n_y, 4);
    s.weight = random_vector(s.n_weight, 5), s.dweight = random_vector(s.n_weight, 6);
    s.work = random_vector(ss_conv_work(&s.g), 7); /* its contents must not matter */
    s.want = ss_alloc(s.n_x + s.n_y + s.n_weight, sizeof *s.want);
    return s;
}

static void drop(setup *s)
{
    ss_real *const all[] = {s->x, s->y, s->weight, s->dx, s->dy, s->dweight, s->work};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) ss_free(all[i]);
    ss_free(s->want);
}

/* Calls `visit` for every multiplication of the convolution, by its definition. */
typedef void visitor(setup *s, size_t x, size_t weight, size_t y);

static void each_product(setup *s, visitor *visit)
{
    const ss_window *g = &s->g;
    for (size_t i = 0; i < s->n; i++)
        for (int oy = 0; oy < g->out_h; oy++)
            for (int ox = 0; ox < g->out_w; ox++)
                for (int o = 0; o < g->out_c; o++)
                    for (int ky = 0; ky < g->kernel; ky++)
                        for (int kx = 0; kx < g->kernel; kx++)
                            for (int c = 0; c < g->c; c++) {
                                int iy = oy * g->stride + ky - g->padding, ix = ox * g->stride + kx - g->padding;
                                if (iy < 0 || ix < 0 || iy >= g->h || ix >= g->w) continue;
                                visit(s, i * (size_t)(g->h * g->w * g->c) + (size_t)((iy * g->w + ix) * g->c + c),
                                      (size_t)(((ky * g->kernel + kx) * g->c + c) * g->out_c + o),
                                      i * (size_t)(g->out_h * g->out_w * g->out_c) +
                                          (size_t)((oy * g->out_w + ox) * g->out_c + o));
                            }
}

static void visit_forward(setup *s, size_t x, size_t weight, size_t y)
{
    s->want[y] += (double)s->x[x] * (double)s->weight[weight];
}

static void visit_data(setup *s, size_t x, size_t weight, size_t y)
{
    s->want[x] += (double)s->dy[y] * (double)s->weight[weight];
}

static void visit_weight(setup *s, size_t x, size_t weight, size_t y)
{
    s->want[weight] += (double)s->x[x] * (double)s->dy[y];
}

static void begin(setup *s, size_t n, double beta, ss_real *target)
{
    for (size_t i = 0; i < n; i++) {
        s->want[i] = beta == 0 ? 0 : beta * (double)target[i];
        if (beta == 0) target[i] = (ss_real)NAN;
    }
}

static void compare(const setup *s, size_t n, const ss_real *got, size_t row)
{
    double worst = 0, size = 1;
    for (size_t i = 0; i < n; i++) {
        double d = fabs((double)got[i] - s->want[i]);
        if (!(d <= worst)) worst = d;
        size = fmax(size, fabs(s->want[i]));
    }
    bool good = worst <= by_precision(1e-5, 1e-13) * size;
    if (!good) fprintf(stderr, "\n    geometry %zu: off by %g of %g\n", row, worst, size);
    CU_ASSERT(good);
}

/* The factors of a second term: other numbers, of other sizes. */
static setup make_second(const geometry *t)
{
    setup s = make(t);
    ss_free(s.x), ss_free(s.dy), ss_free(s.weight);
    s.x = random_vector(s.n_x, 8), s.dy = random_vector(s.n_y, 9), s.weight = random_vector(s.n_weight, 10);
    ss_scale(s.n_x, 0.5, s.x), ss_scale(s.n_y, 2, s.dy), ss_scale(s.n_weight, -1.5, s.weight);
    return s;
}

static void factors_of(const setup *s, const setup *second, ss_factors f[2])
{
    f[0] = (ss_factors){s->x, s->weight, s->dy};
    f[1] = (ss_factors){second->x, second->weight, second->dy};
}

/* What `visit` adds for `second`, too. */
static void add_wanted(setup *s, setup *second, size_t n, visitor *visit)
{
    for (size_t i = 0; i < n; i++) second->want[i] = 0;
    each_product(second, visit);
    for (size_t i = 0; i < n; i++) s->want[i] += second->want[i];
}

static void test_forward(void)
{
    for (size_t row = 0; row < N_GEOMETRIES; row++)
        for (size_t terms = 1; terms <= 2; terms++) {
            setup s = make(&table[row]), second = make_second(&table[row]);
            ss_factors f[2];
            factors_of(&s, &second, f);
            begin(&s, s.n_y, 0, s.y);
            each_product(&s, visit_forward);
            if (terms == 2) add_wanted(&s, &second, s.n_y, visit_forward);
            const ss_real *bias = terms == 1 && row % 2 ? s.dweight : NULL; /* any numbers */
            for (size_t i = 0; bias && i < s.n_y; i++) s.want[i] += (double)bias[i % (size_t)s.g.out_c];
            ss_conv_forward(&s.g, s.n, terms, f, bias, s.y, s.work);
            compare(&s, s.n_y, s.y, row);
            drop(&s);
            drop(&second);
        }
}

static void test_backward_data(void)
{
    for (size_t row = 0; row < N_GEOMETRIES; row++)
        for (int beta = 0; beta < 2; beta++) {
            setup s = make(&table[row]), second = make_second(&table[row]);
            ss_factors f[2];
            factors_of(&s, &second, f);
            begin(&s, s.n_x, beta, s.dx);
            each_product(&s, visit_data);
            bool two = (row + (size_t)beta) % 2 == 0;
            if (two) {
                for (size_t i = 0; i < s.n_x; i++) second.want[i] = 0;
                add_wanted(&s, &second, s.n_x, visit_data);
            }
            ss_conv_backward_data(&s.g, s.n, two ? 2 : 1, f, beta, s.dx, s.work);
            compare(&s, s.n_x, s.dx, row);
            drop(&s);
            drop(&second);
        }
}

static void test_backward_weight(void)
{
    for (size_t row = 0; row < N_GEOMETRIES; row++)
        for (size_t terms = 1; terms <= 2; terms++) {
            setup s = make(&table[row]), second = make_second(&table[row]);
            ss_factors f[2];
            factors_of(&s, &second, f);
            begin(&s, s.n_weight, 0, s.dweight);
            each_product(&s, visit_weight);
            if (terms == 2) add_wanted(&s, &second, s.n_weight, visit_weight);
            ss_conv_backward_weight(&s.g, s.n, terms, f, s.dweight, s.work);
            compare(&s, s.n_weight, s.dweight, row);
            drop(&s);
            drop(&second);
        }
}

/* All three passes, one term each. */
static void run_all(setup *s, size_t n)
{
    ss_factors f = {s->x, s->weight, s->dy};
    ss_conv_forward(&s->g, n, 1, &f, NULL, s->y, s->work);
    ss_conv_backward_data(&s->g, n, 1, &f, 0, s->dx, s->work);
    ss_conv_backward_weight(&s->g, n, 1, &f, s->dweight, s->work);
}

/* <conv(x, w), dy> = <x, conv^T(dy, w)> = <w, dw(x, dy)>: the three kernels are one trilinear form. */
static void test_adjoint(void)
{
    for (size_t row = 0; row < N_GEOMETRIES; row++) {
        setup s = make(&table[row]);
        run_all(&s, s.n);
        double form = ss_dot(s.n_y, s.y, s.dy), size = ss_norm(s.n_y, s.y) * ss_norm(s.n_y, s.dy);
        SS_ASSERT_NEAR(form, ss_dot(s.n_x, s.x, s.dx), by_precision(1e-5, 1e-13), size);
        SS_ASSERT_NEAR(form, ss_dot(s.n_weight, s.weight, s.dweight), by_precision(1e-5, 1e-13), size);
        drop(&s);
    }
}

static bool same_bits(const setup *s, const setup *t)
{
    return memcmp(s->y, t->y, s->n_y * sizeof *s->y) == 0 && memcmp(s->dx, t->dx, s->n_x * sizeof *s->dx) == 0 &&
           memcmp(s->dweight, t->dweight, s->n_weight * sizeof *s->dweight) == 0;
}

/* Whatever stood in `work` and in the results before, and for any number of threads. */
static void test_same_bits(void)
{
    for (size_t row = 0; row < N_GEOMETRIES; row++) {
        setup s = make(&table[row]), t = make(&table[row]);
        for (size_t i = 0; i < ss_conv_work(&t.g); i++) t.work[i] = (ss_real)NAN;
        for (size_t i = 0; i < t.n_y; i++) t.y[i] = (ss_real)NAN;
        for (size_t i = 0; i < t.n_x; i++) t.dx[i] = (ss_real)NAN;
        for (size_t i = 0; i < t.n_weight; i++) t.dweight[i] = (ss_real)NAN;
        run_all(&s, s.n);
        ss_threads_set(3);
        run_all(&t, t.n);
        ss_threads_set(1);
        CU_ASSERT(same_bits(&s, &t));
        drop(&s);
        drop(&t);
    }
}

/* v3 and v4 differ in their vectors' width alone. */
static void test_same_bits_by_isa(void)
{
    const ss_kernels *list[3], *chosen = ss_kernel;
    size_t n = ss_kernels_list(list);
    for (size_t row = 0; n == 3 && row < N_GEOMETRIES; row++) {
        setup s = make(&table[row]), t = make(&table[row]);
        ss_kernel = list[0];
        run_all(&s, s.n);
        ss_kernel = list[1];
        run_all(&t, t.n);
        ss_kernel = chosen;
        bool same = same_bits(&s, &t);
        if (!same) fprintf(stderr, "\n    geometry %zu: v4 and v3 differ\n", row);
        CU_ASSERT(same);
        drop(&s);
        drop(&t);
    }
}

static void test_empty_batch(void)
{
    static const geometry some[] = {{8, 8, 8, 3, 5, 3, 1, 1}, {8, 8, 8, 16, 16, 3, 1, 1}, {8, 2, 2, 32, 32, 3, 1, 1}};
    for (size_t row = 0; row < sizeof some / sizeof *some; row++) {
        setup s = make(&some[row]);
        run_all(&s, 0);
        for (size_t i = 0; i < s.n_weight; i++) CU_ASSERT(s.dweight[i] == 0); /* the gradient of no example */
        drop(&s);
    }
}

/* A kernel that fits one way but not the other, so that there are output lines of no position: no convolution at all. */
static void test_no_position(void)
{
    static const geometry none[] = {{2, 8, 2, 3, 4, 3, 1, 0}, {2, 2, 8, 3, 4, 3, 1, 0}, {9, 8, 2, 16, 16, 3, 1, 0},
                                    {9, 2, 8, 16, 16, 3, 1, 0}, {2, 4, 1, 3, 4, 2, 2, 0}};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        for (int exact = 0; exact < 2; exact++) {
            setup s = make(&none[i]);
            s.g.exact = exact;
            CU_ASSERT_EQUAL(s.n_y, 0);
            run_all(&s, s.n);
            for (size_t j = 0; j < s.n_x; j++) CU_ASSERT(s.dx[j] == 0);
            for (size_t j = 0; j < s.n_weight; j++) CU_ASSERT(s.dweight[j] == 0);
            drop(&s);
        }
}

static void test_window_out(void)
{
    static const int rows[][5] = { /* size, kernel, stride, padding, out */
        {28, 3, 1, 1, 28}, {28, 3, 1, 0, 26}, {28, 2, 2, 0, 14}, {7, 2, 2, 0, 3}, {32, 3, 2, 1, 16}, {1, 1, 1, 0, 1},
        {1, 3, 1, 1, 1}, {2, 3, 1, 0, 0}, {1, 2, 1, 0, 0}, {5, 5, 3, 0, 1}, {6, 5, 3, 1, 2}, {0, 1, 1, 0, 0},
        {4, 7, 1, 1, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        CU_ASSERT_EQUAL(ss_window_out(rows[i][0], rows[i][1], rows[i][2], rows[i][3]), rows[i][4]);
}

static void test_work_is_bounded(void)
{
    /* vgg11's and resnet18's layers: 40 MB at most, whatever the batch. */
    static const geometry layers[] = {
        {1, 32, 32, 3, 64, 3, 1, 1}, {1, 16, 16, 64, 128, 3, 1, 1}, {1, 8, 8, 128, 256, 3, 1, 1},
        {1, 4, 4, 256, 512, 3, 1, 1}, {1, 2, 2, 512, 512, 3, 1, 1}, {1, 32, 32, 64, 128, 3, 2, 1},
        {1, 32, 32, 64, 128, 1, 2, 0},
    };
    for (size_t i = 0; i < sizeof layers / sizeof *layers; i++) {
        ss_window g = window_of(&layers[i]);
        CU_ASSERT(ss_conv_work(&g) > 0);
        CU_ASSERT(ss_conv_work(&g) * sizeof(ss_real) <= 40 << 20);
        g.exact = true;
        CU_ASSERT(ss_conv_work(&g) * sizeof(ss_real) <= 10 << 20);
    }
    ss_window plain = window_of(&(geometry){1, 8, 8, 16, 32, 1, 1, 0});
    CU_ASSERT_EQUAL(ss_conv_work(&plain), 0);
}

/* The rule, and that `exact` keeps to im2col and gives the same numbers but for rounding. */
static void test_rule(void)
{
    static const struct { geometry g; const char *method; } rules[] = {
        {{8, 8, 8, 16, 16, 3, 1, 1}, "winograd"},   {{1, 4, 4, 16, 16, 3, 1, 1}, "im2col"},
        {{99, 8, 8, 3, 16, 3, 1, 1}, "im2col"},     {{99, 8, 8, 16, 16, 3, 2, 1}, "im2col"},
        {{99, 8, 8, 16, 16, 5, 1, 2}, "im2col"},    {{99, 2, 2, 64, 64, 3, 1, 1}, "position"},
        {{32, 4, 4, 16, 16, 3, 1, 1}, "winograd"},  {{7, 2, 2, 64, 64, 3, 1, 1}, "im2col"},
        {{8, 28, 28, 32, 64, 3, 1, 1}, "winograd"}, {{32, 32, 32, 64, 64, 3, 1, 1}, "winograd"},
        {{32, 2, 2, 512, 512, 3, 1, 1}, "position"}, {{32, 4, 4, 512, 512, 3, 1, 1}, "winograd"},
    };
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        ss_window g = window_of(&rules[i].g);
        CU_ASSERT_STRING_EQUAL(ss_conv_method(&g, rules[i].g.n), rules[i].method);
        g.exact = true;
        CU_ASSERT_STRING_EQUAL(ss_conv_method(&g, rules[i].g.n), "im2col");
    }
    setup s = make(&rules[8].g), t = make(&rules[8].g);
    t.g.exact = true;
    run_all(&s, s.n);
    run_all(&t, t.n);
    CU_ASSERT(memcmp(s.y, t.y, s.n_y * sizeof *s.y) != 0);
    for (size_t i = 0; i < s.n_y; i++) t.y[i] -= s.y[i];
    CU_ASSERT(ss_norm(s.n_y, t.y) <= by_precision(3e-6, 1e-14) * ss_norm(s.n_y, s.y));
    drop(&s);
    drop(&t);
}

static const ss_case cases[] = {
    {"output sizes", test_window_out},
    {"forward against the definition", test_forward},
    {"data gradient against the definition", test_backward_data},
    {"weight gradient against the definition", test_backward_weight},
    {"adjoint identities", test_adjoint},
    {"same input, same bits, any number of threads", test_same_bits},
    {"v3 and v4: the same bits", test_same_bits_by_isa},
    {"no examples", test_empty_batch},
    {"no output position", test_no_position},
    {"work is bounded", test_work_is_bounded},
    {"which method when", test_rule},
};

SS_SUITE("num/conv", cases)
