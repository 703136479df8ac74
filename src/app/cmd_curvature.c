/* cmd_curvature.c - lambda_max, the measures that the job asks for, and losses of given weights, without training. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "app.h"
#include "trial.h"

typedef struct subject {
    ss_job *job;
    ss_study *study;
    ss_settings settings;
    const ss_dataset *data;
    ss_net *net;
    ss_trainer *trainer;
    ss_hessian *hessian;
    ss_lambda lambda;
    ss_warm top;                  /* its eigenvector, if a measure needs it */
    ss_measures measured;
    ss_record record;             /* the measures in the words of results files */
} subject;

static void subject_finish(subject *s)
{
    ss_record_finish(&s->record);
    ss_warm_finish(&s->top);
    ss_lambda_finish(&s->lambda);
    ss_hessian_destroy(s->hessian);
    ss_trainer_destroy(s->trainer);
    ss_net_destroy(s->net);
    ss_study_destroy(s->study);
    ss_job_destroy(s->job);
}

static int choose_point(subject *s, const char *point_text, ss_error *error)
{
    size_t n = ss_grid_count(ss_study_grid(s->study));
    int64_t point = 0;
    if (!point_text && n > 1)
        return ss_fail(error, "%s has %zu points; choose whose settings to use with --point N, 0 to %zu", s->job->path, n, n - 1);
    if (point_text && ss_number_argument("point", point_text, 0, (int64_t)n - 1, &point, error)) return -1;
    ss_grid_settings(ss_study_grid(s->study), (size_t)point, &s->settings);
    return 0;
}

static int subject_open(subject *s, const ss_arguments *arguments, ss_error *error)
{
    s->job = ss_job_load(arguments->operand, error);
    if (!s->job) return -1;
    s->study = ss_study_create(s->job, error);
    if (!s->study || choose_point(s, arguments->value[1], error)) return -1;
    if (s->settings.interpolation_points >= 2) /* the next iterate needs the optimiser's state, which weights do not hold */
        ss_log(SS_LOG_WARNING, "interpolation_points %lld has no meaning for a weights file: measured at the weights themselves",
               (long long)s->settings.interpolation_points);
    s->settings.interpolation_points = 0;
    s->data = ss_study_data(s->study, &s->settings);
    s->net = ss_model_create(&s->settings, s->data, error);
    if (!s->net) return -1;
    ss_train_options training = ss_model_training(&s->settings);
    s->trainer = ss_trainer_create(s->net, s->data, &training, error);
    if (!s->trainer) return -1;
    if (ss_weights_load(s->net, arguments->value[0], s->trainer->theta, s->trainer->stats, error)) return -1;
    ss_hessian_options hessian = ss_model_hessian(&s->settings, s->data->train.n, ss_memory_share_bytes());
    s->hessian = ss_hessian_create(s->net, s->data, &hessian, error);
    return s->hessian ? 0 : -1;
}

static bool signal_came(void *ctx)
{
    (void)ctx;
    return ss_signal_came();
}

/* All that the job asks for, one after the other. */
static int measure_more(subject *s, ss_error *error)
{
    const ss_measure_options options = ss_model_measures(&s->settings, s->settings.learning_rate, false);
    ss_spectrum spectrum = {0};
    ss_measurer *measurer = ss_measurer_create(s->hessian, s->net, s->data, &options, error);
    int rc = measurer ? 0 : -1;
    ss_measures_init(&s->measured);
    if (measurer) ss_measurer_set_stop(measurer, signal_came, NULL);
    for (int i = 0; rc == 0 && i < SS_N_MEASURES; i++)
        if (ss_measure_wanted(&options, i))
            rc = ss_measurer_run(measurer, i, s->trainer->theta, s->trainer->stats, s->top.known ? s->top.vector : NULL,
                                 &s->measured, &spectrum, error);
    if (rc == 0) rc = ss_measures_note_spectrum(&spectrum, &s->record, error);
    if (rc == 0) ss_measures_note(&s->measured, &s->settings, &s->record);
    ss_spectrum_finish(&spectrum);
    ss_measurer_destroy(measurer);
    return rc;
}

/* Under the names of the results file, those that were asked for. */
static void print_measures(const ss_record *r)
{
    size_t n;
    const ss_field *f = ss_record_fields(&n);
    for (size_t i = 0; i < n; i++) {
        const char *member = (const char *)r + f[i].offset;
        double real;
        if (!f[i].key || f[i].type != SS_FIELD_REAL) continue;
        memcpy(&real, member, sizeof real);
        if (!isnan(real)) printf("%-23s %.9g\n", f[i].name, real);
    }
    if (r->measure_hvp_count != SS_UNKNOWN) printf("%-23s %lld\n", "measure_hvp_count", (long long)r->measure_hvp_count);
    if (r->spectrum.n_rows) printf("%-23s %-23s\n", "spectrum_eigenvalue", "spectrum_weight");
    for (size_t i = 0; i < r->spectrum.n_rows; i++)
        printf("%-23.9g %-23.9g\n", r->spectrum.value[2 * i], r->spectrum.value[2 * i + 1]);
}

static void print_measured(const subject *s)
{
    double train_loss, train_accuracy, test_loss, test_accuracy;
    ss_trainer_evaluate(s->trainer, &s->data->train, &train_loss, &train_accuracy);
    ss_trainer_evaluate(s->trainer, &s->data->test, &test_loss, &test_accuracy);
    printf("lambda_max        %.9g\n", s->lambda.lambda_max);
    printf("lambda_residual   %.3g\n", s->lambda.residual);
    printf("lambda_upper      %.9g\n", s->lambda.upper);
    printf("lambda_converged  %s\n", s->lambda.converged ? "yes" : "no");
    printf("hvp_count         %lld\n", (long long)s->lambda.hvp_count);
    printf("eigenvalue       ");
    for (int k = 0; k < s->lambda.k; k++) printf(" %.9g", s->lambda.eigenvalue[k]);
    printf("\ntrain_loss        %.9g\ntrain_accuracy    %.6g\ntest_loss         %.9g\ntest_accuracy     %.6g\n", train_loss,
           train_accuracy, test_loss, test_accuracy);
    print_measures(&s->record);
}

int ss_cmd_curvature(const ss_arguments *arguments, ss_error *error)
{
    subject s = {0};
    ss_record_init(&s.record);
    int status = SS_EXIT_USAGE;
    if (!arguments->value[0]) {
        ss_fail(error, "curvature needs --weights FILE");
        return status;
    }
    if (subject_open(&s, arguments, error) == 0) {
        ss_threads_set(ss_model_threads(&s.settings));
        ss_signals_catch();
        ss_hessian_set_stop(s.hessian, signal_came, NULL);
        int rc = ss_measure(s.trainer, &s.settings, s.hessian, NULL, &s.top, &s.lambda, error);
        if (rc == 0) rc = measure_more(&s, error);
        status = rc == 0 ? SS_EXIT_OK : rc == 1 ? SS_EXIT_STOPPED : SS_EXIT_ERROR;
        if (rc == 1) ss_fail(error, "stopped before all was measured");
        if (rc == 0) print_measured(&s);
        if (rc == 0 && isnan(s.lambda.lambda_max)) {
            ss_fail(error, "%s: the Hessian of these weights is not finite; no lambda_max", arguments->value[0]);
            status = SS_EXIT_ERROR;
        }
    }
    subject_finish(&s);
    return status;
}
