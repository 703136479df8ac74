/* Batch norm's passes and column moments, against plain loops in double. */
#include "suite.h"

#include "fixture.h"

#include <math.h>
#include <string.h>

static const size_t sizes[][2] = {{1, 1}, {2, 3}, {7, 5}, {8, 16}, {9, 17}, {32, 200}, {40, 33}, {333, 8}, {100, 64}, {16, 129}};
enum { N_SIZES = sizeof sizes / sizeof *sizes };

static double rounding(void) { return by_precision(2e-7, 2e-15); }

static void check_moments(size_t rows, size_t columns, const ss_real *x)
{
    double *mean = ss_alloc(columns, sizeof *mean), *variance = ss_alloc(columns, sizeof *variance);
    for (size_t j = 0; j < columns; j++) mean[j] = variance[j] = NAN;
    ss_column_moments(rows, columns, x, mean, variance);
    size_t wrong = 0;
    for (size_t j = 0; j < columns; j++) {
        long double sum = 0, square = 0;
        for (size_t i = 0; i < rows; i++) sum += x[i * columns + j];
        sum /= (long double)rows;
        for (size_t i = 0; i < rows; i++) square += (x[i * columns + j] - sum) * (x[i * columns + j] - sum);
        square /= (long double)rows;
        wrong += !(fabsl(mean[j] - sum) <= 1e-13 * (double)sqrtl(square) + 1e-15 * fabs((double)sum));
        wrong += !(fabsl(variance[j] - square) <= 4e-15 * (4 + (double)rows) * (double)square + 1e-30); /* in either */
    }
    CU_ASSERT_EQUAL(wrong, 0);
    ss_free(mean);
    ss_free(variance);
}

/* A column whose mean is thousands of its deviations, one whose first row lies as far out as a row can, and constants. */
static void test_moments(void)
{
    for (size_t s = 0; s < N_SIZES; s++)
        for (int kind = 0; kind < 4; kind++) {
            size_t rows = sizes[s][0], columns = sizes[s][1];
            ss_real *x = random_vector(rows * columns, 1);
            for (size_t e = 0; e < rows * columns; e++) {
                if (kind == 1) x[e] += 5000;
                if (kind == 2) x[e] = (ss_real)(e < columns ? 1e4 : 1e-3 * (double)x[e]);
                if (kind == 3) x[e] = (ss_real)0.1;
            }
            check_moments(rows, columns, x);
            ss_free(x);
        }
    ss_real bad[] = {1, 2, (ss_real)NAN, 4, 5, 6};
    double mean[2], variance[2];
    ss_column_moments(3, 2, bad, mean, variance);
    CU_ASSERT(isnan(mean[0]) && isnan(variance[0]) && isfinite(variance[1])); /* a broken column stays visible */
}

typedef struct fixture {
    ss_norm_data b;
    ss_real *gain, *bias, *x, *dy, *tdy, *tx, *out, *old, *k;
    size_t n;
} fixture;

static fixture make(size_t rows, size_t columns, bool relu)
{
    fixture f = {.n = rows * columns};
    f.gain = random_vector(columns, 1), f.bias = random_vector(columns, 2), f.x = random_vector(f.n, 3);
    f.dy = random_vector(f.n, 4), f.tdy = random_vector(f.n, 5), f.tx = random_vector(f.n, 6);
    f.out = random_vector(f.n, 7), f.old = random_vector(f.n, 7), f.k = random_vector(5 * columns, 8);
    f.b = (ss_norm_data){rows, columns, f.gain, f.bias, random_vector(f.n, 9), relu};
    return f;
}

static void finish(fixture *f)
{
    ss_real *const all[] = {f->gain, f->bias, f->x, f->dy, f->tdy, f->tx, f->out, f->old, f->k, f->b.xhat};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) ss_free(all[i]);
}

/* What reaches element e through the ReLU; too close to its edge, where rounding decides, nothing is to be said: NaN. */
static double passed(const fixture *f, size_t e, ss_real value)
{
    size_t j = e % f->b.columns;
    double y = (double)f->gain[j] * (double)f->b.xhat[e] + (double)f->bias[j];
    if (!f->b.relu) return (double)value;
    return fabs(y) < 1e-5 ? NAN : y > 0 ? (double)value : 0;
}

static bool near(double got, double want, double size)
{
    return want != want || fabs(got - want) <= 20 * rounding() * (1 + size);
}

static void test_forward(void)
{
    for (size_t s = 0; s < N_SIZES; s++)
        for (int kind = 0; kind < 4; kind++) {
            bool relu = kind & 1, in_place = kind >> 1;
            fixture f = make(sizes[s][0], sizes[s][1], relu);
            size_t c = f.b.columns, wrong = 0;
            f.x[f.n - 1] = (ss_real)NAN;
            memcpy(f.b.xhat, f.x, f.n * sizeof *f.x);
            ss_norm_forward(&f.b, f.k, f.k + c, in_place ? f.b.xhat : f.x, f.out);
            for (size_t e = 0; e + 1 < f.n; e++) {
                double h = ((double)f.x[e] - (double)f.k[e % c]) * (double)f.k[c + e % c];
                wrong += !near((double)f.b.xhat[e], h, fabs(h));
                wrong += !near((double)f.out[e], passed(&f, e, f.gain[e % c] * f.b.xhat[e] + f.bias[e % c]), fabs(h));
                wrong += f.b.relu && f.out[e] < 0;
            }
            CU_ASSERT(wrong == 0 && isnan((double)f.out[f.n - 1]));
            finish(&f);
        }
}

/* The gate that the passes backward work out again lets through exactly what forward did. */
static void test_gate(void)
{
    fixture f = make(333, 64, true);
    for (size_t j = 0; j < 64; j++) f.k[j] = f.k[64 + j] = 0, f.k[128 + j] = 1, f.bias[j] = (ss_real)(1e-4 * (double)f.bias[j]);
    ss_norm_forward(&f.b, f.k, f.k + 128, f.x, f.out);
    for (size_t e = 0; e < f.n; e++) f.dy[e] = 1;
    for (size_t e = 0; e < f.n; e += 3) f.b.xhat[e] = -f.bias[e % 64] / f.gain[e % 64]; /* to within rounding on the edge */
    for (size_t e = 0; e < f.n; e++) f.x[e] = f.b.xhat[e];
    ss_norm_forward(&f.b, f.k, f.k + 128, f.x, f.out);
    ss_norm_backward(&f.b, f.k, f.dy, false, f.tdy);
    size_t wrong = 0, open = 0;
    for (size_t e = 0; e < f.n; e++) open += f.out[e] > 0, wrong += (f.out[e] > 0) != (f.tdy[e] != 0);
    CU_ASSERT(wrong == 0 && open > 0 && open < f.n);
    finish(&f);
}

/* sum5[k] down the columns, against double; a column with an element on the ReLU's edge is left out. */
static void check_sums(const fixture *f, const double *sum, bool gate, bool with_tangent)
{
    size_t c = f->b.columns, wrong = 0;
    for (size_t j = 0; j < c; j++) {
        double want[5] = {0}, size = 0;
        for (size_t e = j; e < f->n; e += c) {
            double h = (double)f->b.xhat[e], d = gate ? passed(f, e, f->dy[e]) : (double)f->dy[e], t = passed(f, e, f->tdy[e]);
            double part[] = {d, d * h, t, t * h, d * (double)f->tx[e]};
            for (int k = 0; k < 5; k++) want[k] += part[k], size += fabs(part[k]);
        }
        for (size_t k = 0; k < (with_tangent ? 5 : 2); k++) wrong += !near(sum[k * c + j], want[k], 0.1 * size);
    }
    CU_ASSERT_EQUAL(wrong, 0);
}

static void test_sums(void)
{
    for (size_t s = 0; s < N_SIZES; s++)
        for (int relu = 0; relu < 2; relu++) {
            fixture f = make(sizes[s][0], sizes[s][1], relu);
            size_t c = f.b.columns;
            double *sum = ss_alloc(5 * c, sizeof *sum);
            for (int gate = 0; gate < 2; gate++) {
                for (size_t j = 0; j < 5 * c; j++) sum[j] = NAN;
                ss_norm_sums(&f.b, gate, f.dy, sum, sum + c);
                check_sums(&f, sum, gate, false);
            }
            ss_norm_second_sums(&f.b, f.dy, f.tdy, f.tx, sum);
            check_sums(&f, sum, true, true);
            ss_norm_second_sums(&f.b, f.dy, f.tdy, NULL, sum);
            memset(f.tx, 0, f.n * sizeof *f.tx);
            check_sums(&f, sum, true, true);
            ss_free(sum);
            finish(&f);
        }
}

/* Of a batch as large as they get (1000 images of 32x32): blocks of eight rows are summed in ss_real, their sums in double,
 * so that the error stays within ss_real's rounding of what such a sum is, sqrt(rows) times its terms. */
static void test_long_sums(void)
{
    fixture f = make(1000 * 32 * 32, 2, false);
    double sum[10], few = by_precision(2e-7, 1e-12);
    ss_norm_second_sums(&f.b, f.dy, f.tdy, f.tx, sum);
    for (size_t j = 0; j < 2; j++) {
        double want[5] = {0}, square[5] = {0}, first[4];
        for (size_t e = j; e < f.n; e += 2) {
            double h = (double)f.b.xhat[e], d = (double)f.dy[e], t = (double)f.tdy[e];
            double part[] = {d, d * h, t, t * h, d * (double)f.tx[e]};
            for (int k = 0; k < 5; k++) want[k] += part[k], square[k] += part[k] * part[k];
        }
        for (size_t k = 0; k < 5; k++) SS_ASSERT_NEAR(sum[2 * k + j], want[k], few, sqrt(square[k]));
        ss_norm_sums(&f.b, true, f.dy, first, first + 2);
        for (size_t k = 0; k < 2; k++) SS_ASSERT_NEAR(first[2 * k + j], want[k], few, sqrt(square[k]));
    }
    finish(&f);
}

static void test_passes(void)
{
    for (size_t s = 0; s < N_SIZES; s++)
        for (int kind = 0; kind < 8; kind++) {
            bool relu = kind & 1, add = kind & 2, moves = kind & 4;
            fixture f = make(sizes[s][0], sizes[s][1], relu);
            size_t c = f.b.columns, wrong = 0;
            const ss_real *tx = moves ? f.tx : NULL;
            ss_real *ty = random_vector(f.n, 10), *tdx = random_vector(f.n, 7);
            ss_norm_backward(&f.b, f.k, f.dy, add, f.out);
            ss_norm_tangent(&f.b, f.k, tx, ty);
            ss_norm_second_backward(&f.b, f.k, f.dy, f.tdy, tx, add, tdx);
            for (size_t e = 0; e < f.n; e++) {
                double k[5], h = (double)f.b.xhat[e], d = passed(&f, e, f.dy[e]), t = passed(&f, e, f.tdy[e]);
                for (size_t i = 0; i < 5; i++) k[i] = (double)f.k[i * c + e % c];
                double from = add ? (double)f.old[e] : 0, x = moves ? (double)f.tx[e] : 0, base = k[0] + k[1] * h;
                wrong += !near((double)f.out[e], from + base + k[2] * d, 1);
                wrong += !near((double)ty[e], passed(&f, e, (ss_real)(base + k[2] * x)), 1);
                wrong += !near((double)tdx[e], from + base + k[2] * d + k[3] * t + k[4] * x, 1);
            }
            CU_ASSERT_EQUAL(wrong, 0);
            ss_free(ty);
            ss_free(tdx);
            finish(&f);
        }
}

static const ss_case cases[] = {
    {"mean and variance in one pass", test_moments}, {"forward, in place or not", test_forward},
    {"the gate is forward's", test_gate},            {"sums", test_sums},
    {"sums over a large batch", test_long_sums},      {"backward, tangent, its backward", test_passes},
};

SS_SUITE("num/norm", cases)
