/* norm.c - sums down the columns of a matrix, and batch norm's passes; the loops are in kernel_norm.c. Sums may be shared
 * among threads by columns, each of which keeps its order of additions, the rest by rows. */
#include "kernels.h"

#include <assert.h>

/* Columns of one piece of a sum: a whole number of vectors, and enough to read of every row. */
enum { PIECE_COLUMNS = 32 };

/* A matrix to be summed down its columns: by pieces where there is more than one thread and enough to do. */
typedef struct sums {
    ss_norm_data data;            /* rows and columns; batch norm's also what else it has */
    bool gate;
    const ss_real *x, *y, *z;
    double *out, *second;
    void (*sum)(const struct sums *part, size_t ld);
} sums;

static const ss_real *from(const ss_real *x, size_t j) { return x ? x + j : NULL; }

static void columns_of(void *ctx, size_t first, size_t pieces)
{
    const sums *all = ctx;
    size_t j = first * PIECE_COLUMNS, columns = pieces * PIECE_COLUMNS;
    sums part = *all;
    ss_norm_data *d = &part.data;
    d->columns = all->data.columns - j < columns ? all->data.columns - j : columns;
    d->gain = from(d->gain, j), d->bias = from(d->bias, j);
    if (d->xhat) d->xhat += j;
    part.x = from(part.x, j), part.y = from(part.y, j), part.z = from(part.z, j);
    part.out += j;
    if (part.second) part.second += j;
    part.sum(&part, all->data.columns);
}

static void run_sums(sums s)
{
    ss_parallel_ranges((s.data.columns + PIECE_COLUMNS - 1) / PIECE_COLUMNS, s.data.rows * PIECE_COLUMNS, columns_of, &s);
}

static void column_sums(const sums *s, size_t ld)
{
    ss_kernel->column_sums(s->data.rows, s->data.columns, ld, s->x, s->y, s->out);
}

void ss_column_sums(size_t rows, size_t columns, const ss_real *x, const ss_real *y, double *sum)
{
    run_sums((sums){.data = {.rows = rows, .columns = columns}, .x = x, .y = y, .out = sum, .sum = column_sums});
}

static void column_moments(const sums *s, size_t ld)
{
    ss_kernel->column_moments(s->data.rows, s->data.columns, ld, s->x, s->out, s->second);
}

void ss_column_moments(size_t rows, size_t columns, const ss_real *x, double *mean, double *variance)
{
    assert(rows > 0);
    run_sums((sums){.data = {.rows = rows, .columns = columns}, .x = x, .out = mean, .second = variance, .sum = column_moments});
}

static void norm_sums(const sums *s, size_t ld)
{
    ss_kernel->norm_sums(&s->data, ld, s->gate, s->x, s->out, s->second);
}

void ss_norm_sums(const ss_norm_data *b, bool gate, const ss_real *dy, double *sum, double *sum_xhat)
{
    run_sums((sums){.data = *b, .gate = gate && b->relu, .x = dy, .out = sum, .second = sum_xhat, .sum = norm_sums});
}

static void norm_second_sums(const sums *s, size_t ld)
{
    ss_kernel->norm_second_sums(&s->data, ld, s->x, s->y, s->z, s->out);
}

void ss_norm_second_sums(const ss_norm_data *b, const ss_real *dy, const ss_real *tdy, const ss_real *tx, double *sum5)
{
    run_sums((sums){.data = *b, .x = dy, .y = tdy, .z = tx, .out = sum5, .sum = norm_second_sums});
}

/* ---- by rows -------------------------------------------------------------------------------------------- */
typedef struct passes {
    ss_norm_data data;
    const ss_real *k, *scale;     /* per column */
    const ss_real *x, *y, *z;     /* per element */
    bool add;
    ss_real *out;
    void (*pass)(const struct passes *part);
} passes;

static void rows_of(void *ctx, size_t first, size_t rows)
{
    const passes *all = ctx;
    size_t e = first * all->data.columns;
    passes part = *all;
    part.data.rows = rows;
    if (part.data.xhat) part.data.xhat += e;
    part.x = from(part.x, e), part.y = from(part.y, e), part.z = from(part.z, e);
    part.out += e;
    part.pass(&part);
}

static void run_passes(passes p)
{
    ss_parallel_ranges(p.data.rows, p.data.columns, rows_of, &p);
}

static void add_row(const passes *p) { ss_kernel->add_row(p->data.rows, p->data.columns, p->k, p->out); }

void ss_add_row(size_t rows, size_t columns, const ss_real *b, ss_real *y)
{
    run_passes((passes){.data = {.rows = rows, .columns = columns}, .k = b, .out = y, .pass = add_row});
}

static void forward(const passes *p) { ss_kernel->norm_forward(&p->data, p->k, p->scale, p->x, p->out); }

void ss_norm_forward(const ss_norm_data *b, const ss_real *mean, const ss_real *scale, const ss_real *x, ss_real *y)
{
    run_passes((passes){.data = *b, .k = mean, .scale = scale, .x = x, .out = y, .pass = forward});
}

static void backward(const passes *p) { ss_kernel->norm_backward(&p->data, p->k, p->x, p->add, p->out); }

void ss_norm_backward(const ss_norm_data *b, const ss_real *k, const ss_real *dy, bool add, ss_real *dx)
{
    run_passes((passes){.data = *b, .k = k, .x = dy, .add = add, .out = dx, .pass = backward});
}

static void tangent(const passes *p) { ss_kernel->norm_tangent(&p->data, p->k, p->x, p->out); }

void ss_norm_tangent(const ss_norm_data *b, const ss_real *k, const ss_real *tx, ss_real *ty)
{
    run_passes((passes){.data = *b, .k = k, .x = tx, .out = ty, .pass = tangent});
}

static void second_backward(const passes *p)
{
    ss_kernel->norm_second_backward(&p->data, p->k, p->x, p->y, p->z, p->add, p->out);
}

void ss_norm_second_backward(const ss_norm_data *b, const ss_real *k, const ss_real *dy, const ss_real *tdy,
                             const ss_real *tx, bool add, ss_real *tdx)
{
    run_passes((passes){.data = *b, .k = k, .x = dy, .y = tdy, .z = tx, .add = add, .out = tdx, .pass = second_backward});
}
