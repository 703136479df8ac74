/* bench_kernels.c - GFLOP/s of the matrix product and of the convolution's three passes, by the shapes of our networks.
 * Operations are counted as those of direct convolution and plain multiplication, whatever algorithm runs.
 *
 *   bench_kernels             prints a table (medians over rounds), both peaks first
 *   bench_kernels serve       answers each line of standard input with the seconds of one call:
 *     gemm|sgemm TA TB M N K            ss_gemm or OpenBLAS's, C = op(A) op(B); TA, TB: n or t
 *     conv PASS EXACT SIZE C OUT_C N [TERMS]   3x3, padding 1, stride 1; PASS: forward | data | weight; EXACT 0 | 1;
 *                                       TERMS 2: as a product with the Hessian needs it. The method's name follows
 * Only num.h's public calls are used. One block of calls lasts BLOCK_S. */
#include <cblas.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sharpsweep/num.h"

static const double BLOCK_S = 0.05;
enum { MAX_ROUNDS = 100 };

typedef struct kernel {
    char what[8];                 /* gemm, sgemm, conv */
    char pass[8];                 /* conv */
    ss_transpose ta, tb;
    size_t m, n, k;               /* gemm; conv: n images */
    ss_window g;
    int terms;
    ss_real *a, *b, *c, *work;    /* conv: x, weight and y or dy, each with room for its terms */
} kernel;

static double cpu_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double flops(const kernel *t)
{
    if (strcmp(t->what, "conv") != 0) return 2.0 * (double)t->m * (double)t->n * (double)t->k;
    return 2.0 * 9 * t->g.h * t->g.w * t->g.c * t->g.out_c * (double)t->n * t->terms;
}

/* ---- setting up -------------------------------------------------------------------------------------------------- */
/* Uniform in [-1/2, 1/2), by a linear congruence: quickly made, and no value slows a multiplication. */
static ss_real *make_values(size_t n, uint32_t state)
{
    ss_real *x = ss_alloc(n, sizeof *x);
    for (size_t i = 0; x && i < n; i++) {
        state = state * 1664525u + 1013904223u;
        x[i] = (ss_real)(state >> 8) / (1 << 24) - (ss_real)0.5;
    }
    return x;
}

static size_t x_size(const kernel *t) { return (size_t)t->g.h * (size_t)t->g.w * (size_t)t->g.c * t->n; }
static size_t y_size(const kernel *t) { return (size_t)t->g.h * (size_t)t->g.w * (size_t)t->g.out_c * t->n; }
static size_t w_size(const kernel *t) { return 9 * (size_t)t->g.c * (size_t)t->g.out_c; }

static int make_buffers(kernel *t)
{
    bool conv = strcmp(t->what, "conv") == 0;
    size_t terms = (size_t)t->terms;
    t->a = make_values(conv ? terms * x_size(t) : t->m * t->k, 1);
    t->b = make_values(conv ? terms * w_size(t) : t->k * t->n, 2);
    t->c = make_values(conv ? terms * y_size(t) : t->m * t->n, 3);
    t->work = conv ? ss_alloc(ss_conv_work(&t->g), sizeof *t->work) : NULL;
    return t->a && t->b && t->c && (t->work || !conv) ? 0 : -1;
}

static void drop_buffers(kernel *t)
{
    ss_free(t->a);
    ss_free(t->b);
    ss_free(t->c);
    ss_free(t->work);
}

/* ---- what is measured -------------------------------------------------------------------------------------------- */
static void run_gemm(const kernel *t)
{
    size_t lda = t->ta == SS_TRANSPOSE ? t->m : t->k, ldb = t->tb == SS_TRANSPOSE ? t->k : t->n;
    ss_gemm(t->ta, t->tb, t->m, t->n, t->k, 1, t->a, lda, t->b, ldb, 0, t->c, t->n);
}

static void run_sgemm(const kernel *t)
{
    int m = (int)t->m, n = (int)t->n, k = (int)t->k;
    cblas_sgemm(CblasRowMajor, t->ta == SS_TRANSPOSE ? CblasTrans : CblasNoTrans,
                t->tb == SS_TRANSPOSE ? CblasTrans : CblasNoTrans, m, n, k, 1, (const float *)t->a,
                t->ta == SS_TRANSPOSE ? m : k, (const float *)t->b, t->tb == SS_TRANSPOSE ? k : n, 0, (float *)t->c, n);
}

static void run_conv(const kernel *t)
{
    size_t terms = (size_t)t->terms;
    ss_factors f[2] = {{t->a, t->b, t->c}, {0}};
    if (terms == 2) f[1] = (ss_factors){t->a + x_size(t), t->b + w_size(t), t->c + y_size(t)};
    if (strcmp(t->pass, "forward") == 0)
        ss_conv_forward(&t->g, t->n, terms, f, NULL, t->c, t->work);
    else if (strcmp(t->pass, "data") == 0)
        ss_conv_backward_data(&t->g, t->n, terms, f, 0, t->a, t->work);
    else
        ss_conv_backward_weight(&t->g, t->n, terms, f, t->b, t->work);
}

static void run(const kernel *t)
{
    if (strcmp(t->what, "gemm") == 0)
        run_gemm(t);
    else if (strcmp(t->what, "sgemm") == 0)
        run_sgemm(t);
    else
        run_conv(t);
}

/* Seconds per call of one block; the call that warms up is not counted. */
static double run_block(const kernel *t)
{
    run(t);
    double start = cpu_s(), now;
    int n = 0;
    do {
        run(t);
        n++;
        now = cpu_s();
    } while (now - start < BLOCK_S);
    return (now - start) / n;
}

/* ---- reading a kernel's description ------------------------------------------------------------------------------ */
static int parse(const char *line, kernel *t)
{
    char ta, tb;
    int exact, size, c, out_c, images;
    *t = (kernel){.terms = 1};
    if (sscanf(line, "conv %7s %d %d %d %d %d %d", t->pass, &exact, &size, &c, &out_c, &images, &t->terms) >= 6) {
        if (size < 1 || c < 1 || out_c < 1 || images < 1 || t->terms < 1 || t->terms > 2) return -1;
        if (strcmp(t->pass, "forward") != 0 && strcmp(t->pass, "data") != 0 && strcmp(t->pass, "weight") != 0) return -1;
        strcpy(t->what, "conv");
        t->n = (size_t)images;
        t->g = (ss_window){size, size, c, size, size, out_c, 3, 1, 1, exact != 0};
        return 0;
    }
    if (sscanf(line, "%7s %c %c %zu %zu %zu", t->what, &ta, &tb, &t->m, &t->n, &t->k) != 6) return -1;
    if (strcmp(t->what, "gemm") != 0 && strcmp(t->what, "sgemm") != 0) return -1;
    t->ta = ta == 't' ? SS_TRANSPOSE : SS_NO_TRANSPOSE;
    t->tb = tb == 't' ? SS_TRANSPOSE : SS_NO_TRANSPOSE;
    return t->m && t->n && t->k ? 0 : -1;
}

/* ---- the two ways to run ----------------------------------------------------------------------------------------- */
static int serve(void)
{
    char line[256];
    while (fgets(line, sizeof line, stdin)) {
        kernel t;
        if (parse(line, &t)) {
            fprintf(stderr, "bench_kernels: not a kernel: %s", line);
            return 1;
        }
        if (make_buffers(&t)) {
            fprintf(stderr, "bench_kernels: no memory for %s", line);
            return 1;
        }
        printf("%.9g %s\n", run_block(&t), strcmp(t.what, "conv") == 0 ? ss_conv_method(&t.g, t.n) : "");
        fflush(stdout);
        drop_buffers(&t);
    }
    return 0;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static int run_alone(int rounds)
{
    static const char *const lines[] = {
        "gemm n n 1024 1024 1024", "sgemm n n 1024 1024 1024", "gemm n t 32 200 784", "sgemm n t 32 200 784",
        "gemm t n 200 784 32", "sgemm t n 200 784 32", "gemm n n 128 200 200", "sgemm n n 128 200 200",
        "conv forward 0 28 1 32 32", "conv weight 0 28 1 32 32", "conv forward 0 32 3 64 32", "conv weight 0 32 3 64 32",
        "conv forward 0 28 32 32 32", "conv data 0 28 32 32 32", "conv weight 0 28 32 32 32",
        "conv forward 0 32 64 64 8", "conv data 0 32 64 64 8", "conv weight 0 32 64 64 8",
        "conv forward 0 8 256 256 32", "conv data 0 8 256 256 32", "conv weight 0 8 256 256 32",
        "conv forward 0 4 512 512 32", "conv data 0 4 512 512 32", "conv weight 0 4 512 512 32",
        "conv forward 0 28 32 32 32 2", "conv data 0 28 32 32 32 2", "conv weight 0 28 32 32 32 2",
    };
    enum { N_LINES = sizeof lines / sizeof *lines };
    static double s[N_LINES][MAX_ROUNDS];
    kernel t = {0};
    for (int r = 0; r < rounds; r++)
        for (int i = 0; i < N_LINES; i++) {
            if (parse(lines[i], &t) || make_buffers(&t)) return 1;
            s[i][r] = run_block(&t);
            drop_buffers(&t);
        }
    for (int i = 0; i < N_LINES; i++) {
        if (parse(lines[i], &t)) return 1;
        qsort(s[i], (size_t)rounds, sizeof(double), ascending);
        printf("%-28s %8.1f GFLOP/s\n", lines[i], flops(&t) / s[i][rounds / 2] / 1e9);
    }
    return 0;
}

int main(int argc, char **argv)
{
    ss_threads_set(1);
    return argc > 1 && strcmp(argv[1], "serve") == 0 ? serve() : run_alone(5);
}
