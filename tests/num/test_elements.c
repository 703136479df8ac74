/* The vectorised functions of single elements, softmax and the optimiser's steps, against plain loops in long double. */
#include "suite.h"

#include "fixture.h"

#include <math.h>
#include <string.h>

static const size_t lengths[] = {1, 2, 7, 8, 9, 15, 16, 17, 31, 33, 100, 511, 512, 513, 1000, 4099};
enum { N_LENGTHS = sizeof lengths / sizeof *lengths };

static bool equal(double a, double b) { return a == b || (a != a && b != b); }

/* ---- ReLU, sums, masks ---- */
static void test_relu(void)
{
    for (size_t l = 0; l < N_LENGTHS; l++) {
        size_t n = lengths[l], wrong = 0;
        ss_real *x = random_vector(n, 1), *in = random_vector(n, 2), *out = random_vector(n, 3), *old = random_vector(n, 3);
        ss_real *y = random_vector(n, 4);
        x[n / 2] = (ss_real)NAN;
        x[n - 1] = n > 1 ? 0 : x[0];
        ss_relu(n, x, y);
        for (size_t i = 0; i < n; i++) wrong += !equal((double)y[i], x[i] > 0 || x[i] != x[i] ? (double)x[i] : 0);
        ss_relu_gate(n, y, in, true, out);
        for (size_t i = 0; i < n; i++) wrong += out[i] != (y[i] > 0 ? old[i] + in[i] : old[i]);
        ss_relu_gate(n, y, in, false, out);
        for (size_t i = 0; i < n; i++) wrong += out[i] != (y[i] > 0 ? in[i] : 0); /* a NaN lets nothing through */
        ss_relu_gate(n, y, in, false, in);
        wrong += memcmp(in, out, n * sizeof *in) != 0;
        ss_relu(n, x, x);
        for (size_t i = 0; i < n; i++) wrong += !equal((double)x[i], (double)y[i]);
        CU_ASSERT_EQUAL(wrong, 0);
        ss_real *const all[] = {x, in, out, old, y};
        for (size_t i = 0; i < 5; i++) ss_free(all[i]);
    }
}

static void test_sums_and_masks(void)
{
    for (size_t l = 0; l < N_LENGTHS; l++) {
        size_t n = lengths[l], wrong = 0;
        ss_real *a = random_vector(n, 1), *b = random_vector(n, 2), *y = random_vector(n, 3), *old = random_vector(n, 3);
        ss_add(n, a, b, false, y);
        for (size_t i = 0; i < n; i++) wrong += y[i] != a[i] + b[i];
        ss_add(n, a, b, true, y);
        for (size_t i = 0; i < n; i++) wrong += y[i] != (a[i] + b[i] > 0 ? a[i] + b[i] : 0);
        memcpy(y, old, n * sizeof *y);
        ss_add(n, a, y, false, y);
        for (size_t i = 0; i < n; i++) wrong += y[i] != a[i] + old[i];
        memcpy(y, old, n * sizeof *y);
        ss_add(n, a, y, true, y);
        for (size_t i = 0; i < n; i++) wrong += y[i] != (a[i] + old[i] > 0 ? a[i] + old[i] : 0);
        ss_mask(n, a, b, false, y);
        for (size_t i = 0; i < n; i++) wrong += y[i] != a[i] * b[i];
        memcpy(y, old, n * sizeof *y);
        ss_mask(n, a, b, true, y);
        for (size_t i = 0; i < n; i++)
            wrong += !(fabs((double)y[i] - ((double)old[i] + (double)a[i] * (double)b[i])) <= by_precision(1e-6, 1e-15) *
                       (fabs((double)old[i]) + fabs((double)a[i] * (double)b[i])));
        CU_ASSERT_EQUAL(wrong, 0);
        ss_real *const all[] = {a, b, y, old};
        for (size_t i = 0; i < 4; i++) ss_free(all[i]);
    }
}

/* Number for number what the stream gives one by one. */
static void test_dropout_mask(void)
{
    const ss_stream stream = ss_stream_make(3, SS_FOR_DROPOUT, 17, 2);
    static const double share[] = {0, 0.2, 0.5, 0.999};
    for (size_t l = 0; l < N_LENGTHS; l++)
        for (size_t s = 0; s < 4; s++) {
            size_t n = lengths[l], wrong = 0;
            uint64_t first = s == 3 ? 0xFFFFFFF0u : 5 * s; /* the counter's low word overflows on the way */
            ss_real *mask = random_vector(n + 1, 1), after = mask[n], keep = (ss_real)(1 / (1 - share[s]));
            ss_dropout_mask(&stream, first, n, share[s], mask);
            for (size_t i = 0; i < n; i++) {
                uint32_t u[4];
                ss_stream_block(&stream, first + i / 4, u);
                wrong += mask[i] != ((double)u[i % 4] < share[s] * 4294967296.0 - 1 ? 0 : keep) &&
                         fabs((double)u[i % 4] - share[s] * 4294967296.0) > 1;
            }
            CU_ASSERT_EQUAL(wrong, 0);
            CU_ASSERT(mask[n] == after);
            ss_free(mask);
        }
}

/* ---- tanh and GELU ---- */
/* Normal numbers of many sizes, and what is special. */
static ss_real *arguments(size_t n)
{
    static const double special[] = {0, -0.0, 1e-30, -1e-30, 1e-8, 0.1732, 0.34, 0.35, -0.6, 1, 9, -9, 20, -20, 40, -50, 800, -800,
                                     INFINITY, -INFINITY, NAN};
    static const double size[] = {1e-4, 0.1, 1, 3, 10};
    ss_real *x = random_vector(n, 5);
    for (size_t i = 0; i < n; i++) x[i] = (ss_real)(size[i % 5] * (double)x[i]);
    for (size_t i = 0; i < sizeof special / sizeof *special && i < n; i++) x[i] = (ss_real)special[i];
    return x;
}

/* y against the exact value: within `units` of the last place (or of the smallest normal number's). */
static bool near(ss_real y, long double exact, double units)
{
    if (isnan(exact) || isinf(exact)) return equal((double)y, (double)exact);
    long double place = fabsl(exact) * (long double)by_precision(0x1p-23, 0x1p-52), least = by_precision(0x1p-126, 0x1p-1022);
    return fabsl((long double)y - exact) <= (long double)units * (place > least ? place : least);
}

static long double exact_gelu(long double x) { return x < -200 ? 0 : x * 0.5L * erfcl(-x / sqrtl(2)); }

static void test_smooth(void)
{
    for (size_t l = 0; l < N_LENGTHS; l++) {
        size_t n = lengths[l], wrong = 0;
        ss_real *x = arguments(n), *y = random_vector(n + 1, 1), after = y[n];
        ss_tanh(n, x, y);
        for (size_t i = 0; i < n; i++) wrong += !near(y[i], tanhl((long double)x[i]), by_precision(0.501, 4));
        for (size_t i = 0; i < n; i++) wrong += signbit((double)x[i]) != signbit((double)y[i]) && x[i] == x[i];
        ss_gelu(n, x, y); /* in double, erfc(z)'s relative error grows with z^2 */
        for (size_t i = 0; i < n; i++)
            wrong += !isinf((double)x[i]) && !near(y[i], exact_gelu((long double)x[i]),
                                                   by_precision(0.51, 8 + (double)x[i] * (double)x[i]));
        CU_ASSERT_EQUAL(wrong, 0);
        CU_ASSERT(y[n] == after);
        ss_free(x);
        ss_free(y);
    }
}

/* First and second derivative of f in long double, by formula. */
static void exact_slopes(bool gelu, long double x, long double *first, long double *second)
{
    long double t = tanhl(x), density = expl(-x * x / 2) / sqrtl(2 * acosl(-1)), cumulative = erfcl(-x / sqrtl(2)) / 2;
    *first = gelu ? cumulative + x * density : 1 - t * t;
    *second = gelu ? density * (2 - x * x) : -2 * t * (1 - t * t);
}

static void test_slopes(void)
{
    for (size_t l = 0; l < N_LENGTHS; l++)
        for (int gelu = 0; gelu < 2; gelu++)
            for (int kind = 0; kind < 4; kind++) {
                size_t n = lengths[l], wrong = 0;
                bool curved = kind & 1, add = kind >> 1;
                ss_real *x = random_vector(n, 1), *y = random_vector(n, 2), *a = random_vector(n, 3), *b = random_vector(n, 4);
                ss_real *c = random_vector(n, 5), *out = random_vector(n, 6), *old = random_vector(n, 6);
                (gelu ? ss_gelu : ss_tanh)(n, x, y);
                ss_slope s = {n, x, y, a, curved ? b : NULL, curved ? c : NULL, add, out};
                (gelu ? ss_gelu_slope : ss_tanh_slope)(&s);
                for (size_t i = 0; i < n; i++) {
                    long double first, second;
                    exact_slopes(gelu, (long double)x[i], &first, &second);
                    long double want = (add ? (long double)old[i] : 0) + first * a[i] + (curved ? second * b[i] * c[i] : 0);
                    wrong += !(fabsl((long double)out[i] - want) <= (long double)by_precision(2e-6, 1e-14));
                }
                CU_ASSERT_EQUAL(wrong, 0);
                ss_real *const all[] = {x, y, a, b, c, out, old};
                for (size_t i = 0; i < 7; i++) ss_free(all[i]);
            }
}

/* ---- softmax ---- */
static void check_softmax(size_t n, size_t k, const ss_real *z, const uint8_t *label, const ss_real *tz)
{
    ss_real *dy = random_vector(n * k, 8), *tdy = random_vector(n * k, 9);
    long double total = 0, size = 0;
    size_t wrong = 0;
    double loss = ss_cross_entropy(n, k, z, label);
    ss_cross_entropy_delta(n, k, z, label, 0.5, dy);
    ss_cross_entropy_tangent(n, k, z, tz, 0.5, tdy);
    for (size_t i = 0; i < n; i++) {
        long double max = -INFINITY, sum = 0, mean = 0;
        for (size_t j = 0; j < k; j++) max = fmaxl(max, z[i * k + j]);
        for (size_t j = 0; j < k; j++) sum += expl(z[i * k + j] - max);
        for (size_t j = 0; j < k; j++) mean += expl(z[i * k + j] - max) / sum * tz[i * k + j];
        total += logl(sum) + max - z[i * k + label[i]];
        size += fabsl(max) + fabsl((long double)z[i * k + label[i]]);
        for (size_t j = 0; j < k; j++) {
            long double p = expl(z[i * k + j] - max) / sum, room = (long double)by_precision(1e-7, 1e-14);
            wrong += !(fabsl((long double)dy[i * k + j] - 0.5L * (p - (j == label[i]))) <= room);
            wrong += !(fabsl((long double)tdy[i * k + j] - 0.5L * p * (tz[i * k + j] - mean)) <= room * 10);
        }
    }
    CU_ASSERT_EQUAL(wrong, 0);
    SS_ASSERT_NEAR(loss, total, 1e-14, (double)size);
    ss_free(dy);
    ss_free(tdy);
}

static void test_softmax(void)
{
    static const size_t sizes[][2] = {{1, 1}, {1, 2}, {3, 10}, {32, 10}, {102, 10}, {103, 10}, {205, 10}, {11, 100}, {5, 256}, {2, 1000}};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
        for (int scale = 0; scale < 2; scale++) {
            size_t n = sizes[s][0], k = sizes[s][1];
            ss_real *z = random_vector(n * k, 6), *tz = random_vector(n * k, 7);
            uint8_t *label = ss_alloc(n, 1);
            for (size_t i = 0; i < n; i++) label[i] = (uint8_t)((i * 7) % k);
            for (size_t i = 0; i < n * k; i++) z[i] *= scale ? 1000 : 3; /* far from what exp can represent */
            check_softmax(n, k, z, label, tz);
            z[n * k / 2] = (ss_real)NAN;
            CU_ASSERT(isnan(ss_cross_entropy(n, k, z, label)));
            ss_free(z);
            ss_free(tz);
            ss_free(label);
        }
}

/* ---- the optimiser ---- */
static void plain_step(size_t n, const ss_descent *d, const ss_real *g, ss_real *w, ss_real *v)
{
    ss_real lr = (ss_real)d->learning_rate, beta = (ss_real)d->momentum, decay = (ss_real)d->weight_decay;
    for (size_t i = 0; i < n; i++) {
        ss_real step = g[i] + decay * w[i];
        if (beta != 0) {
            v[i] = beta * v[i] + step;
            step = d->nesterov ? step + beta * v[i] : v[i];
        }
        w[i] -= lr * step;
    }
}

static void test_descent(void)
{
    static const ss_descent kinds[] = {{0.1, 0, 0, false}, {0.1, 0, 0.3, false}, {0.1, 0.9, 0.01, false}, {0.1, 0.9, 0.01, true}};
    for (size_t l = 0; l < N_LENGTHS; l++)
        for (size_t k = 0; k < 4; k++) {
            size_t n = lengths[l], wrong = 0;
            ss_real *g = random_vector(n, 1), *w = random_vector(n, 2), *v = random_vector(n, 3);
            ss_real *w2 = random_vector(n, 2), *v2 = random_vector(n, 3);
            double norm;
            CU_ASSERT(ss_descend(n, &kinds[k], g, w, kinds[k].momentum != 0 ? v : NULL, n % 2 ? NULL : &norm));
            CU_ASSERT(n % 2 || norm == ss_norm(n, g));
            plain_step(n, &kinds[k], g, w2, v2);
            for (size_t i = 0; i < n; i++) {
                wrong += !(fabs((double)w[i] - (double)w2[i]) <= by_precision(1e-6, 1e-15));
                wrong += !(fabs((double)v[i] - (double)v2[i]) <= by_precision(1e-6, 2e-15));
            }
            CU_ASSERT_EQUAL(wrong, 0);
            w[n / 3] = k % 2 ? (ss_real)NAN : (ss_real)INFINITY;
            CU_ASSERT(!ss_descend(n, &kinds[k], g, w, v, &norm) && isfinite(norm));
            g[n - 1] = (ss_real)INFINITY;
            CU_ASSERT(!ss_descend(n, &kinds[k], g, w2, v, &norm) && !isfinite(norm));
            ss_real *const all[] = {g, w, v, w2, v2};
            for (size_t i = 0; i < 5; i++) ss_free(all[i]);
        }
}

static void test_ascent(void)
{
    for (size_t l = 0; l < N_LENGTHS; l++) {
        size_t n = lengths[l], wrong = 0;
        ss_real *g = random_vector(n, 1), *w = random_vector(n, 2), *before = random_vector(n, 2), *out = random_vector(n, 3);
        double square = 0;
        for (size_t i = 0; i < n; i++) square += pow((double)g[i] + 0.3 * (double)w[i], 2);
        SS_ASSERT_NEAR(ss_norm_sum(n, g, 0.3, w), sqrt(square), 1e-14, 1e-300);
        ss_ascend(n, g, 0.3, 0.05, w, out);
        for (size_t i = 0; i < n; i++) {
            double want = (double)w[i] + 0.05 * ((double)g[i] + 0.3 * (double)w[i]);
            wrong += !(fabs((double)out[i] - want) <= by_precision(2e-7, 4e-16) * (1 + fabs((double)w[i])));
        }
        ss_ascend(n, g, 0, 0, w, out); /* no perturbation: the same bits */
        CU_ASSERT(wrong == 0 && memcmp(out, before, n * sizeof *out) == 0 && memcmp(w, before, n * sizeof *w) == 0);
        ss_real *const all[] = {g, w, before, out};
        for (size_t i = 0; i < 4; i++) ss_free(all[i]);
    }
}

static const ss_case cases[] = {
    {"ReLU and its gate", test_relu},
    {"sums and masks", test_sums_and_masks},
    {"dropout's mask is the stream's", test_dropout_mask},
    {"tanh and GELU against long double", test_smooth},
    {"their derivatives", test_slopes},
    {"softmax and cross-entropy against long double", test_softmax},
    {"a step of gradient descent", test_descent},
    {"where SAM looks", test_ascent},
};

SS_SUITE("num/elements", cases)
