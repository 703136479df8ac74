/* spectrum.c - the density of H's eigenvalues by stochastic Lanczos quadrature (Ubaru, Chen & Saad 2017; Ghorbani, Krishnan
 * & Xiao 2019): the nodes and weights of num's quadrature from vectors of random signs, those of the trace's probes, one
 * probe after the other. Weights sum to 1; n times the sum of weight * eigenvalue is Hutchinson's estimate with the same
 * probes. */
#include "measurer.h"

#include <string.h>

/* To the end of `to`: both columns, or neither. */
static int append(ss_spectrum *to, const ss_spectrum *from, ss_error *error)
{
    size_t n = to->n + from->n;
    double *eigenvalue = ss_alloc(n, sizeof *eigenvalue), *weight = ss_alloc(n, sizeof *weight);
    if (!eigenvalue || !weight) {
        ss_free(eigenvalue);
        ss_free(weight);
        return ss_fail(error, "no memory for a spectrum of %zu nodes", n);
    }
    if (to->n > 0) memcpy(eigenvalue, to->eigenvalue, to->n * sizeof *eigenvalue);
    if (to->n > 0) memcpy(weight, to->weight, to->n * sizeof *weight);
    memcpy(eigenvalue + to->n, from->eigenvalue, from->n * sizeof *eigenvalue);
    memcpy(weight + to->n, from->weight, from->n * sizeof *weight);
    ss_spectrum_finish(to);
    *to = (ss_spectrum){n, eigenvalue, weight};
    return 0;
}

/* All probes, or none where a product of one was not finite. */
static int probe(ss_measurer *m, ss_real *z, ss_spectrum *s, ss_error *error)
{
    int n_probes = m->options.spectrum_probes;
    for (int i = 0; i < n_probes; i++) {
        size_t found;
        ss_measurer_signs(m, i, z);
        int rc = ss_lanczos_quadrature(ss_measurer_apply, m, m->n, z, (size_t)m->options.spectrum_steps,
                                       s->eigenvalue + s->n, s->weight + s->n, &found, error);
        if (rc != 0) return rc;
        if (found == 0) {
            s->n = 0;
            return 0;
        }
        for (size_t j = s->n; j < s->n + found; j++) s->weight[j] /= n_probes;
        s->n += found;
    }
    return 0;
}

int ss_measure_spectrum(ss_measurer *m, ss_measures *out, ss_error *error)
{
    (void)out;
    size_t steps = (size_t)m->options.spectrum_steps < m->n ? (size_t)m->options.spectrum_steps : m->n;
    size_t most = (size_t)m->options.spectrum_probes * steps;
    ss_spectrum s = {0, ss_alloc(most, sizeof(double)), ss_alloc(most, sizeof(double))};
    ss_real *z = ss_measurer_vector(m, error);
    int rc = z ? 0 : -1;
    if (rc == 0 && (!s.eigenvalue || !s.weight)) rc = ss_fail(error, "no memory for a spectrum of %zu nodes", most);
    if (rc == 0) rc = probe(m, z, &s, error);
    if (rc == 0 && m->spectrum && s.n > 0) rc = append(m->spectrum, &s, error);
    ss_free(z);
    ss_spectrum_finish(&s);
    return rc;
}
