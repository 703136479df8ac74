/* Initial weights: bounds, moments, repeatability; tensors in PyTorch's element order and back. */
#include "../suite.h"

#include <math.h>

#include "nets.h"

static ss_net *vgg(ss_error *error)
{
    static const net_case c = {"vgg", {32, 32, 3}, 10, "cross_entropy", 1, .preset = "vgg11", .batch_norm = true};
    return net_build(&c, error);
}

static void moments(const ss_param *p, const ss_real *vector, double *mean, double *deviation, double *largest)
{
    double s = 0, q = 0, m = 0;
    for (size_t e = 0; e < p->size; e++) {
        double x = (double)vector[p->offset + e];
        s += x;
        q += x * x;
        if (fabs(x) > m) m = fabs(x);
    }
    *mean = s / (double)p->size;
    *deviation = sqrt(q / (double)p->size - *mean * *mean);
    *largest = m;
}

static void check_scheme(const char *scheme)
{
    ss_error error;
    ss_net *net = vgg(&error);
    ss_real *theta = vector(net->n_params), *stats = vector(net->n_stats);
    ss_net_init(net, scheme, 5, theta, stats);
    bool study = !strcmp(scheme, "study");
    for (size_t i = 0; i < net->n_tensors; i++) {
        const ss_param *p = &net->tensor[i];
        double mean, deviation, largest, n = sqrt((double)p->size);
        moments(p, p->is_stat ? stats : theta, &mean, &deviation, &largest);
        if (p->n_dims == 4 && study) {               /* N(0, 2/(k^2 out)) */
            double sigma = sqrt(2 / (9.0 * (double)p->dim[0]));
            CU_ASSERT(fabs(mean) < 5 * sigma / n);
            CU_ASSERT(fabs(deviation / sigma - 1) < 5 / n);
        } else if (p->n_dims >= 2) {                 /* U(+-1/sqrt(fan_in)) */
            double bound = 1 / sqrt((double)p->size / (double)p->dim[0]);
            CU_ASSERT(largest <= bound * (1 + 1e-6) && largest > 0.95 * bound);
            CU_ASSERT(fabs(mean) < 5 * bound / n);
            CU_ASSERT(fabs(deviation / (bound / sqrt(3)) - 1) < 5 / n);
        } else if (p->is_stat) {
            CU_ASSERT(mean == (strstr(p->name, "var") ? 1 : 0) && deviation == 0);
        }
    }
    const ss_param *conv_bias = &net->tensor[1];
    double mean, deviation, largest;
    moments(conv_bias, theta, &mean, &deviation, &largest);
    CU_ASSERT(study ? largest == 0 : largest > 0);
    ss_free(theta), ss_free(stats);
    ss_net_destroy(net);
}

static void pytorch(void) { check_scheme("pytorch"); }
static void study(void) { check_scheme("study"); }

static void seeds(void)
{
    ss_error error;
    ss_net *net = vgg(&error);
    size_t p = net->n_params;
    ss_real *a = vector(p), *b = vector(p), *stats = vector(net->n_stats);
    ss_net_init(net, "pytorch", 5, a, stats);
    ss_net_init(net, "pytorch", 5, b, stats);
    CU_ASSERT(memcmp(a, b, p * sizeof *a) == 0);
    ss_net_init(net, "pytorch", 6, b, stats);
    CU_ASSERT(a[0] != b[0] && a[p - 20] != b[p - 20]);
    ss_free(a), ss_free(b), ss_free(stats);
    ss_net_destroy(net);
}

static void export_import(void)
{
    ss_error error;
    ss_net *net = vgg(&error);
    size_t n = net->n_params;
    ss_real *a = vector(n), *b = vector(n), *torch = vector(n);
    random_vector(n, 8, 1, a);
    for (size_t i = 0; i < net->n_tensors; i++) {
        if (net->tensor[i].is_stat) continue;
        ss_net_export(net, i, a, torch);
        ss_net_import(net, i, torch, b);
        const ss_param *p = &net->tensor[i];
        if (p->n_dims == 4) {       /* torch[o][c][y][x] is ours[y][x][c][o] */
            size_t o = 2, c = 1, y = 2, x = 0, in = p->dim[1];
            CU_ASSERT(torch[((o * in + c) * 3 + y) * 3 + x] == a[p->offset + ((y * 3 + x) * in + c) * p->dim[0] + o]);
        }
    }
    CU_ASSERT(memcmp(a, b, n * sizeof *a) == 0);
    ss_free(a), ss_free(b), ss_free(torch);
    ss_net_destroy(net);
}

static const ss_case cases[] = {{"PyTorch's defaults", pytorch}, {"the study's", study}, {"seeds", seeds},
                                {"PyTorch's element order", export_import}};
SS_SUITE("nn init", cases)
