/* elements.c - activations, sums and masks element by element, in ranges that threads may share; the loops are in
 * kernel_elementwise.c and kernel_smooth.c. */
#include "kernels.h"

typedef struct operands { const ss_real *a, *b; ss_real *out; bool flag; } operands;

static void relu_range(void *ctx, size_t i, size_t n)
{
    const operands *o = ctx;
    ss_kernel->relu(n, o->a + i, o->out + i);
}

void ss_relu(size_t n, const ss_real *x, ss_real *y)
{
    ss_parallel_ranges(n, 1, relu_range, &(operands){.a = x, .out = y});
}

static void gate_range(void *ctx, size_t i, size_t n)
{
    const operands *o = ctx;
    ss_kernel->gate(n, o->a + i, o->b + i, o->flag, o->out + i);
}

void ss_relu_gate(size_t n, const ss_real *y, const ss_real *in, bool add, ss_real *out)
{
    ss_parallel_ranges(n, 1, gate_range, &(operands){y, in, out, add});
}

static void add_range(void *ctx, size_t i, size_t n)
{
    const operands *o = ctx;
    ss_kernel->add(n, o->a + i, o->b + i, o->flag, o->out + i);
}

void ss_add(size_t n, const ss_real *a, const ss_real *b, bool relu, ss_real *y)
{
    ss_parallel_ranges(n, 1, add_range, &(operands){a, b, y, relu});
}

static void mask_range(void *ctx, size_t i, size_t n)
{
    const operands *o = ctx;
    ss_kernel->mask(n, o->a + i, o->b + i, o->flag, o->out + i);
}

void ss_mask(size_t n, const ss_real *mask, const ss_real *in, bool add, ss_real *out)
{
    ss_parallel_ranges(n, 1, mask_range, &(operands){mask, in, out, add});
}

void ss_dropout_mask(const ss_stream *stream, uint64_t first, size_t n, double p, ss_real *mask)
{
    ss_kernel->dropout_mask(stream, first, n, (uint64_t)(p * 4294967296.0), (ss_real)(1 / (1 - p)), mask);
}

/* ---- smooth activations --------------------------------------------------------------------------------- */
static void tanh_range(void *ctx, size_t i, size_t n)
{
    const operands *o = ctx;
    ss_kernel->tanh(n, o->a + i, o->out + i);
}

void ss_tanh(size_t n, const ss_real *x, ss_real *y)
{
    ss_parallel_ranges(n, 1, tanh_range, &(operands){.a = x, .out = y});
}

static void gelu_range(void *ctx, size_t i, size_t n)
{
    const operands *o = ctx;
    ss_kernel->gelu(n, o->a + i, o->out + i);
}

void ss_gelu(size_t n, const ss_real *x, ss_real *y)
{
    ss_parallel_ranges(n, 1, gelu_range, &(operands){.a = x, .out = y});
}

/* Elements i .. i+n-1 of a slope. */
static ss_slope part_of(const ss_slope *s, size_t i, size_t n)
{
    ss_slope part = *s;
    part.n = n, part.x += i, part.y += i, part.a += i, part.out += i;
    if (s->b) part.b += i, part.c += i;
    return part;
}

static void tanh_slope_range(void *ctx, size_t i, size_t n)
{
    ss_slope part = part_of(ctx, i, n);
    ss_kernel->tanh_slope(&part);
}

static void gelu_slope_range(void *ctx, size_t i, size_t n)
{
    ss_slope part = part_of(ctx, i, n);
    ss_kernel->gelu_slope(&part);
}

static void run_slope(const ss_slope *s, void (*range)(void *ctx, size_t i, size_t n))
{
    ss_slope copy = *s;
    ss_parallel_ranges(s->n, 1, range, &copy);
}

void ss_tanh_slope(const ss_slope *s) { run_slope(s, tanh_slope_range); }
void ss_gelu_slope(const ss_slope *s) { run_slope(s, gelu_slope_range); }

/* ---- losses --------------------------------------------------------------------------------------------- */
double ss_cross_entropy(size_t n, size_t k, const ss_real *z, const uint8_t *label)
{
    double total;
    ss_kernel->cross_entropy(n, k, z, label, &total);
    return total;
}

void ss_cross_entropy_delta(size_t n, size_t k, const ss_real *z, const uint8_t *label, double scale, ss_real *dy)
{
    ss_kernel->cross_entropy_delta(n, k, z, label, scale, dy);
}

void ss_cross_entropy_tangent(size_t n, size_t k, const ss_real *z, const ss_real *tz, double scale, ss_real *tdy)
{
    ss_kernel->cross_entropy_tangent(n, k, z, tz, scale, tdy);
}
