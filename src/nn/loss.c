/* loss.c - losses of one example's logits z (k) with label t, summed over examples:
 *   cross_entropy  log sum exp z - z_t        delta p - e_t       tangent p (tz - p.tz)      p = softmax z
 *   squared_error  1/2 ||z - e_t||^2          delta z - e_t       tangent tz
 * Probabilities are formed in double from differences to the maximum. */
#include <math.h>
#include <string.h>

#include "layer.h"

static double max_of(size_t k, const ss_real *z)
{
    double m = (double)z[0];
    for (size_t j = 1; j < k; j++)
        if ((double)z[j] > m || z[j] != z[j]) m = (double)z[j];
    return m;
}

static double exp_sum(size_t k, const ss_real *z, double m)
{
    double s = 0;
    for (size_t j = 0; j < k; j++) s += exp((double)z[j] - m);
    return s;
}

static double cross_entropy_sum(size_t n, size_t k, const ss_real *z, const uint8_t *label)
{
    double total = 0;
    for (size_t i = 0; i < n; i++, z += k) {
        double m = max_of(k, z);
        total += log(exp_sum(k, z, m)) + m - (double)z[label[i]];
    }
    return total;
}

static void cross_entropy_delta(size_t n, size_t k, const ss_real *z, const uint8_t *label, double scale, ss_real *dy)
{
    for (size_t i = 0; i < n; i++, z += k, dy += k) {
        double m = max_of(k, z), s = scale / exp_sum(k, z, m);
        for (size_t j = 0; j < k; j++) dy[j] = (ss_real)(exp((double)z[j] - m) * s - (j == label[i] ? scale : 0));
    }
}

static void cross_entropy_tangent(size_t n, size_t k, const ss_real *z, const ss_real *tz, double scale, ss_real *tdy)
{
    for (size_t i = 0; i < n; i++, z += k, tz += k, tdy += k) {
        double m = max_of(k, z), s = 1 / exp_sum(k, z, m), mean = 0;
        for (size_t j = 0; j < k; j++) mean += exp((double)z[j] - m) * s * (double)tz[j];
        for (size_t j = 0; j < k; j++) tdy[j] = (ss_real)(scale * exp((double)z[j] - m) * s * ((double)tz[j] - mean));
    }
}

static double squared_error_sum(size_t n, size_t k, const ss_real *z, const uint8_t *label)
{
    double total = 0;
    for (size_t i = 0; i < n; i++, z += k)
        for (size_t j = 0; j < k; j++) {
            double d = (double)z[j] - (j == label[i] ? 1 : 0);
            total += 0.5 * d * d;
        }
    return total;
}

static void squared_error_delta(size_t n, size_t k, const ss_real *z, const uint8_t *label, double scale, ss_real *dy)
{
    for (size_t i = 0; i < n; i++, z += k, dy += k)
        for (size_t j = 0; j < k; j++) dy[j] = (ss_real)(scale * ((double)z[j] - (j == label[i] ? 1 : 0)));
}

static void squared_error_tangent(size_t n, size_t k, const ss_real *z, const ss_real *tz, double scale, ss_real *tdy)
{
    (void)z;
    for (size_t i = 0; i < n * k; i++) tdy[i] = (ss_real)(scale * (double)tz[i]);
}

static const loss_ops losses[] = {
    {"cross_entropy", cross_entropy_sum, cross_entropy_delta, cross_entropy_tangent},
    {"squared_error", squared_error_sum, squared_error_delta, squared_error_tangent},
};

const loss_ops *loss_find(const char *name)
{
    for (size_t i = 0; i < sizeof losses / sizeof *losses; i++)
        if (!strcmp(losses[i].name, name)) return &losses[i];
    return NULL;
}
