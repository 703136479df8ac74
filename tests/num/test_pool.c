#include "suite.h"

#include "fixture.h"

#include <math.h>

typedef struct geometry { size_t n; int h, w, c, kernel, stride, padding; } geometry;

static const geometry table[] = {
    {1, 1, 1, 1, 1, 1, 0}, {2, 4, 4, 3, 2, 2, 0}, {2, 5, 7, 3, 2, 2, 0}, {2, 5, 5, 1, 3, 1, 1}, {3, 7, 6, 5, 3, 2, 1},
    {2, 9, 9, 4, 3, 3, 0}, {2, 4, 4, 16, 4, 4, 0}, {2, 6, 5, 3, 5, 1, 2}, {2, 2, 2, 3, 3, 1, 1}, {2, 7, 7, 2, 2, 3, 1},
};
enum { N_GEOMETRIES = sizeof table / sizeof *table };

static ss_window window_of(const geometry *t)
{
    return (ss_window){t->h, t->w, t->c, ss_window_out(t->h, t->kernel, t->stride, t->padding),
                       ss_window_out(t->w, t->kernel, t->stride, t->padding), t->c, t->kernel, t->stride, t->padding, false};
}

static size_t in_size(const ss_window *g) { return (size_t)(g->h * g->w * g->c); }
static size_t out_size(const ss_window *g) { return (size_t)(g->out_h * g->out_w * g->c); }

/* By definition, output `o` of one image: the maximum (first of equals), its place, and the mean with padding as zeros. */
static void reference(const ss_window *g, const ss_real *x, size_t o, double *max, size_t *place, double *mean)
{
    int c = (int)o % g->c, ox = (int)o / g->c % g->out_w, oy = (int)o / g->c / g->out_w;
    *max = -INFINITY, *mean = 0;
    for (int ky = 0; ky < g->kernel; ky++)
        for (int kx = 0; kx < g->kernel; kx++) {
            int iy = oy * g->stride + ky - g->padding, ix = ox * g->stride + kx - g->padding;
            if (iy < 0 || ix < 0 || iy >= g->h || ix >= g->w) continue;
            size_t i = (size_t)((iy * g->w + ix) * g->c + c);
            if ((double)x[i] > *max) *max = (double)x[i], *place = i;
            *mean += (double)x[i];
        }
    *mean /= (double)(g->kernel * g->kernel);
}

static void test_max(void)
{
    for (size_t row = 0; row < N_GEOMETRIES; row++)
        for (int coarse = 0; coarse < 2; coarse++) { /* coarse values tie often; all negative, so that padding could win */
            ss_window g = window_of(&table[row]);
            size_t n = table[row].n, in = in_size(&g), out = out_size(&g);
            ss_real *x = random_vector(n * in, 1), *y = random_vector(n * out, 2);
            uint32_t *argmax = ss_alloc(n * out, sizeof *argmax);
            for (size_t i = 0; i < n * in; i++) x[i] = coarse ? (ss_real)(-1 - fabs(round((double)x[i]))) : x[i];
            ss_max_pool(&g, n, x, y, argmax);
            for (size_t i = 0; i < n; i++)
                for (size_t o = 0; o < out; o++) {
                    double max, mean;
                    size_t place = 0;
                    reference(&g, x + i * in, o, &max, &place, &mean);
                    CU_ASSERT((double)y[i * out + o] == max);
                    CU_ASSERT_EQUAL(argmax[i * out + o], place);
                }
            ss_free(x);
            ss_free(y);
            ss_free(argmax);
        }
}

static void test_max_of_nan(void)
{
    ss_window g = window_of(&(geometry){1, 2, 4, 1, 2, 2, 0});
    ss_real x[] = {1, (ss_real)NAN, 5, 6, 7, 2, 8, 7}, y[2];
    uint32_t argmax[2];
    ss_max_pool(&g, 1, x, y, argmax);
    CU_ASSERT(isnan((double)y[0])); /* stays visible, though 7 comes after it */
    CU_ASSERT_EQUAL(argmax[0], 1);
    CU_ASSERT(y[1] == 8);
    x[0] = (ss_real)NAN;
    ss_max_pool(&g, 1, x, y, argmax);
    CU_ASSERT(isnan((double)y[0]));
}

static void test_max_adjoint(void)
{
    for (size_t row = 0; row < N_GEOMETRIES; row++) {
        ss_window g = window_of(&table[row]);
        size_t n = table[row].n, in = n * in_size(&g), out = n * out_size(&g);
        ss_real *x = random_vector(in, 1), *v = random_vector(in, 2), *dx = random_vector(in, 4);
        ss_real *dy = random_vector(out, 3), *y = random_vector(out, 5), *start = random_vector(in, 4);
        uint32_t *argmax = ss_alloc(out, sizeof *argmax);
        ss_max_pool(&g, n, x, y, argmax);
        ss_max_pool_gather(&g, n, x, argmax, y);
        ss_real *again = random_vector(out, 6);
        uint32_t *argmax_again = ss_alloc(out, sizeof *argmax);
        ss_max_pool(&g, n, x, again, argmax_again);
        for (size_t o = 0; o < out; o++) CU_ASSERT(again[o] == y[o]); /* gathering x gives the maximum itself */
        ss_max_pool_gather(&g, n, v, argmax, y);
        ss_max_pool_scatter(&g, n, dy, argmax, 1, dx);
        ss_axpy(in, -1, start, dx);
        SS_ASSERT_NEAR(ss_dot(out, y, dy), ss_dot(in, v, dx), by_precision(1e-5, 1e-13), 10);
        for (size_t i = 0; i < in; i++) dx[i] = (ss_real)NAN;
        ss_max_pool_scatter(&g, n, dy, argmax, 0, dx);
        SS_ASSERT_NEAR(ss_dot(out, y, dy), ss_dot(in, v, dx), by_precision(1e-6, 1e-13), 10);
        ss_real *const all[] = {x, v, dy, dx, y, start, again};
        for (size_t i = 0; i < sizeof all / sizeof *all; i++) ss_free(all[i]);
        ss_free(argmax);
        ss_free(argmax_again);
    }
}

static void test_average(void)
{
    for (size_t row = 0; row < N_GEOMETRIES; row++) {
        ss_window g = window_of(&table[row]);
        size_t n = table[row].n, in = in_size(&g), out = out_size(&g);
        ss_real *x = random_vector(n * in, 1), *y = random_vector(n * out, 2), *dy = random_vector(n * out, 3);
        ss_real *dx = random_vector(n * in, 4), *start = random_vector(n * in, 4);
        ss_average_pool(&g, n, x, y);
        for (size_t i = 0; i < n; i++)
            for (size_t o = 0; o < out; o++) {
                double max, mean;
                size_t place;
                reference(&g, x + i * in, o, &max, &place, &mean);
                SS_ASSERT_NEAR(y[i * out + o], mean, by_precision(1e-6, 1e-14), 1);
            }
        ss_average_pool_scatter(&g, n, dy, 1, dx);
        ss_axpy(n * in, -1, start, dx);
        SS_ASSERT_NEAR(ss_dot(n * out, y, dy), ss_dot(n * in, x, dx), by_precision(1e-5, 1e-13), 10);
        for (size_t i = 0; i < n * in; i++) dx[i] = (ss_real)NAN;
        ss_average_pool_scatter(&g, n, dy, 0, dx);
        SS_ASSERT_NEAR(ss_dot(n * out, y, dy), ss_dot(n * in, x, dx), by_precision(1e-6, 1e-13), 10);
        ss_real *const all[] = {x, y, dy, dx, start};
        for (size_t i = 0; i < sizeof all / sizeof *all; i++) ss_free(all[i]);
    }
}

static const ss_case cases[] = {
    {"maximum and its place against the definition", test_max},
    {"a NaN wins and stays", test_max_of_nan},
    {"gather and scatter are adjoint", test_max_adjoint},
    {"mean against the definition, and its adjoint", test_average},
};

SS_SUITE("num/pool", cases)
