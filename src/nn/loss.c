/* loss.c - losses of one example's logits z (k) with label t, summed over examples:
 *   cross_entropy  log sum exp z - z_t        delta p - e_t       tangent p (tz - p.tz)      p = softmax z
 *   squared_error  1/2 ||z - e_t||^2          delta z - e_t       tangent tz
 * Probabilities are formed in double from differences to the maximum (num). */
#include <string.h>

#include "layer.h"

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
    {"cross_entropy", ss_cross_entropy, ss_cross_entropy_delta, ss_cross_entropy_tangent},
    {"squared_error", squared_error_sum, squared_error_delta, squared_error_tangent},
};

const loss_ops *loss_find(const char *name)
{
    for (size_t i = 0; i < sizeof losses / sizeof *losses; i++)
        if (!strcmp(losses[i].name, name)) return &losses[i];
    return NULL;
}
