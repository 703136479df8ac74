/* measures.c - what is measured beside lambda_max, at the end and where curvature is tracked: one measure after the other,
 * between two of which the point is saved. Interrupted within one, the point goes on at its beginning. */
#include "running.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

/* The measures that records and tracked rows have, under the same names. */
#define EACH(X) X(trace) X(trace_error) X(lambda_min) X(lambda_min_residual) X(gauss_newton_lambda_max) \
    X(gauss_newton_residual) X(sam_edge) X(batch_sharpness) X(batch_sharpness_error) X(adaptive_lambda_max) \
    X(adaptive_residual) X(adaptive_sharpness) X(sharpness) X(spherical_sharpness) X(spherical_residual) X(alignment) \
    X(subset_lambda_mean) X(subset_lambda_deviation) X(subset_lambda_residual)

void ss_measures_note(const ss_measures *m, const ss_settings *s, ss_record *record)
{
#define NOTE(name) record->name = m->name;
    EACH(NOTE)
#undef NOTE
    if (isfinite(m->subset_examples)) record->subset_examples = (int64_t)m->subset_examples;
    if (ss_model_measures_any(s)) record->measure_hvp_count = (int64_t)m->hvp_count;
}

static void set_column(double *row, const char *name, double value)
{
    size_t n;
    const ss_field *f = ss_track_fields(&n);
    for (size_t c = 0; c < n; c++)
        if (strcmp(f[c].name, name) == 0) row[c] = value;
}

/* Into a tracked row's columns. */
static void note_row(const ss_measures *m, const ss_settings *s, double *row)
{
#define NOTE(name) set_column(row, #name, m->name);
    EACH(NOTE)
#undef NOTE
    if (s->track_measures && ss_model_measures_any(s)) set_column(row, "measure_hvp_count", m->hvp_count);
}

int ss_measures_note_spectrum(const ss_spectrum *spectrum, ss_record *record, ss_error *error)
{
    for (size_t i = 0; i < spectrum->n; i++)
        if (ss_series_append(&record->spectrum, (double[]){spectrum->eigenvalue[i], spectrum->weight[i]}))
            return ss_fail(error, "no memory for %zu nodes of a spectrum", spectrum->n);
    return 0;
}

/* Measure r->next, and what is known then is saved if it is time. A spectrum goes to the record as soon as there is one. */
static int take_one(ss_running *r, ss_measurer *measurer, const ss_real *eigenvector, ss_error *error)
{
    ss_spectrum spectrum = {0};
    const ss_trainer *t = r->trainer;
    double begin_s = ss_clock_s();
    int rc = ss_measurer_run(measurer, r->next, t->theta, t->stats, eigenvector, &r->measured, &spectrum, error);
    ss_log(SS_LOG_DEBUG, "point %s: %s took %.3f s", r->bookmark.id, ss_measure_name(r->next), ss_clock_s() - begin_s);
    if (rc == 0) rc = ss_measures_note_spectrum(&spectrum, r->record, error);
    ss_spectrum_finish(&spectrum);
    if (rc == 0) r->next++;
    if (rc >= 0) ss_running_offer_measures(r, rc == 1);
    return rc;
}

/* From r->next on all that the options ask for. */
static int take_all(ss_running *r, const ss_measure_options *options, ss_error *error)
{
    const ss_real *eigenvector = r->top.known ? r->top.vector : NULL;
    ss_measurer *measurer = ss_measurer_create(r->hessian, r->net, r->data, options, error);
    int rc = measurer ? 0 : -1;
    if (measurer) ss_measurer_set_stop(measurer, ss_running_should_stop, r);
    while (rc == 0 && r->next < SS_N_MEASURES)
        if (ss_measure_wanted(options, r->next)) rc = take_one(r, measurer, eigenvector, error);
        else r->next++;
    ss_measurer_destroy(measurer);
    return rc;
}

static void begin(ss_running *r, ss_phase phase)
{
    if (r->phase == phase) return; /* gone on with */
    r->phase = phase;
    r->next = 0;
    ss_measures_init(&r->measured);
}

int ss_running_measure(ss_running *r, ss_error *error)
{
    ss_measure_options options = ss_model_measures(&r->settings, r->last.learning_rate, false);
    begin(r, SS_PHASE_MEASURES);
    ss_running_charge(r, &r->measure_s);
    int rc = take_all(r, &options, error);
    ss_running_charge(r, NULL);
    if (rc == 0) ss_measures_note(&r->measured, &r->settings, r->record);
    return rc;
}

int ss_running_measure_row(ss_running *r, ss_error *error)
{
    double lr = r->row[2];
    ss_measure_options options = ss_model_measures(&r->settings, lr, true);
    begin(r, SS_PHASE_TRACK_MEASURES);
    ss_running_charge(r, &r->measure_s);
    int rc = take_all(r, &options, error);
    ss_running_charge(r, &r->curvature_s);
    if (rc == 0) note_row(&r->measured, &r->settings, r->row);
    return rc;
}
