/* trial.c - one point of the grid from settings to record: network, training, curvature, weights.
 * What happens to a point is an outcome in its record; only an interruption leaves none. */
#include "running.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "app.h"

typedef ss_running run;

static int make_hessian(run *r, ss_error *error)
{
    if (r->hessian) return 0;
    ss_hessian_options options = ss_model_hessian(&r->settings, r->data->train.n, ss_memory_share_bytes());
    r->hessian = ss_hessian_create(r->net, r->data, &options, error);
    if (!r->hessian) return -1;
    ss_hessian_set_stop(r->hessian, ss_running_should_stop, r);
    ss_keep kept = ss_hessian_kept(r->hessian);
    ss_log(SS_LOG_DEBUG, "point %s: curvature keeps the activations of %u batches, the deltas of %u", r->bookmark.id,
           kept.activations, kept.deltas);
    uint32_t examples = options.examples ? options.examples : r->data->train.n;
    bool statistics = r->net->has_batch_norm && strcmp(options.batch_norm, "batch") == 0;
    r->record->curvature_n_examples = examples;
    r->record->curvature_ghost_examples = !statistics ? 0 : options.ghost_batch < examples ? options.ghost_batch : examples;
    return 0;
}

/* 1 from the floors below means interrupted; inside the trainer's hooks that travels as an error with a flag beside it. */
static int interrupt(run *r)
{
    r->interrupted = true;
    return -1;
}

/* lambda_max and what belongs to it into r->row; measures are still unknown. */
static int track_lambda(run *r, ss_error *error)
{
    ss_trainer *t = r->trainer;
    ss_lambda lambda = {0};
    ss_lanczos_options lanczos = ss_model_lanczos(&r->settings);
    lanczos.risk = 0;             /* no bound is recorded of tracked checks */
    lanczos.keeper = ss_running_keeper(r);
    bool wanted = r->settings.track_measures && r->settings.gradient_alignment && r->settings.eigenvalues == 1;
    int rc = ss_lambda_track(r->hessian, t->theta, t->stats, &lanczos, (uint64_t)t->step, &r->warm, wanted ? &r->top : NULL,
                             &lambda, error);
    if (rc == 0) {
        int64_t per_epoch = (int64_t)ss_trainer_steps_per_epoch(t);
        double lr = ss_learning_rate(&t->options, t->step > 0 ? t->step - 1 : 0, per_epoch); /* of the last step */
        double loss = ss_hessian_loss(r->hessian, r->grad);
        double row[] = {(double)t->step / (double)per_epoch, (double)t->step, lr, lambda.lambda_max, lambda.residual,
                        lambda.converged, (double)lambda.hvp_count, lr * lambda.lambda_max, loss,
                        ss_norm(r->net->n_params, r->grad)};
        assert(r->record->track.n_columns <= SS_MAX_TRACK_COLUMNS);
        for (size_t c = 0; c < SS_MAX_TRACK_COLUMNS; c++) r->row[c] = NAN;
        memcpy(r->row, row, sizeof row);
    }
    ss_lambda_finish(&lambda);
    return rc;
}

static int track_row(run *r, ss_error *error)
{
    if (make_hessian(r, error)) return -1;
    int rc = r->phase == SS_PHASE_TRACK_MEASURES ? 0 : track_lambda(r, error); /* or it goes on behind it */
    if (rc == 0) rc = ss_running_measure_row(r, error);
    if (rc == 0 && ss_series_append(&r->record->track, r->row)) rc = ss_fail(error, "no memory for tracked curvature");
    return rc == 1 ? interrupt(r) : rc;
}

static int track(run *r, ss_error *error)
{
    if (r->phase != SS_PHASE_TRACK_MEASURES) r->phase = SS_PHASE_TRACK;
    ss_pulse_enter(SS_PULSE_CURVATURE);
    ss_running_charge(r, &r->curvature_s);
    int rc = track_row(r, error);
    ss_running_charge(r, &r->train_s);
    ss_pulse_enter(SS_PULSE_TRAIN);
    return rc;
}

/* Before each step and after the last: the end of an epoch is the start of the next. */
static int on_step(void *ctx, ss_trainer *t, ss_error *error)
{
    run *r = ctx;
    (void)t;
    if (ss_running_is_tracked(r) && track(r, error)) return -1;
    ss_running_offer(r, false);
    return 0;
}

static int on_epoch(void *ctx, ss_trainer *t, const ss_epoch_row *row, ss_error *error)
{
    run *r = ctx;
    double values[] = {row->epoch, row->step, row->learning_rate, row->train_loss, row->train_accuracy,
                       row->test_loss, row->test_accuracy, row->gradient_norm};
    (void)t;
    return ss_series_append(&r->record->history, values) ? ss_fail(error, "no memory for the history") : 0;
}

static void note_end(run *r)
{
    static const struct { int64_t status, reason; } ends[] = {
        [SS_TRAIN_RUNNING] = {SS_FAILED, SS_STOP_ERROR},
        [SS_TRAIN_ACCURACY] = {SS_DONE, SS_STOP_TRAIN_ACCURACY},
        [SS_TRAIN_LOSS] = {SS_DONE, SS_STOP_TRAIN_LOSS},
        [SS_TRAIN_MAX_EPOCHS] = {SS_EPOCH_LIMIT, SS_STOP_MAX_EPOCHS},
        [SS_TRAIN_MAX_STEPS] = {SS_EPOCH_LIMIT, SS_STOP_MAX_STEPS},
        [SS_TRAIN_DIVERGED] = {SS_DIVERGED, SS_STOP_DIVERGED},
        [SS_TRAIN_INTERRUPTED] = {SS_PENDING, SS_STOP_NONE},
    };
    bool has_target = r->settings.target_train_accuracy > 0 || r->settings.target_train_loss > 0;
    const ss_epoch_row *last = &r->last;
    ss_record *record = r->record;
    record->status = ends[r->end].status;
    record->stop_reason = ends[r->end].reason;
    if (record->status == SS_EPOCH_LIMIT && !has_target) record->status = SS_DONE; /* a limit alone is what was asked for */
    record->train_loss = last->train_loss;
    record->train_accuracy = last->train_accuracy;
    record->test_loss = last->test_loss;
    record->test_accuracy = last->test_accuracy;
    record->gradient_norm = last->gradient_norm;
    record->epochs = r->trainer->epoch;
    record->steps = r->trainer->step;
}

static int prepare(run *r, ss_error *error)
{
    ss_train_options options = ss_model_training(&r->settings);
    r->net = ss_model_create(&r->settings, r->data, error);
    if (!r->net) return -1;
    r->record->n_parameters = (int64_t)r->net->n_params;
    r->trainer = ss_trainer_create(r->net, r->data, &options, error);
    r->grad = ss_alloc(r->net->n_params, sizeof *r->grad);
    if (!r->trainer) return -1;
    return r->grad ? 0 : ss_fail(error, "no memory for a gradient of %zu numbers", r->net->n_params);
}

static int train(run *r, ss_error *error)
{
    ss_train_hooks hooks = {r, on_epoch, on_step, ss_running_should_stop};
    ss_running_charge(r, &r->train_s);
    ss_pulse_enter(SS_PULSE_TRAIN);
    int rc = ss_trainer_run(r->trainer, &hooks, &r->end, &r->last, error);
    ss_running_charge(r, NULL);
    if (rc || r->end != SS_TRAIN_INTERRUPTED) return rc;
    ss_running_offer(r, true);
    return interrupt(r);
}

static int measure(run *r, ss_error *error)
{
    ss_lambda lambda = {0};
    ss_record *record = r->record;
    r->phase = SS_PHASE_CURVATURE;
    ss_pulse_enter(SS_PULSE_CURVATURE);
    ss_running_charge(r, &r->curvature_s);
    if (make_hessian(r, error)) return -1;
    int rc = ss_measure(r->trainer, &r->settings, r->hessian, ss_running_keeper(r), &r->top, &lambda, error);
    ss_running_charge(r, NULL);
    if (rc == 0) {
        record->lambda_max = lambda.lambda_max;
        record->lambda_residual = lambda.residual;
        record->lambda_upper = lambda.upper;
        record->lambda_fraction = lambda.fraction;
        record->lambda_converged = lambda.converged;
        record->hvp_count = lambda.hvp_count;
        record->lr_lambda_max = r->last.learning_rate * lambda.lambda_max;
        record->n_eigenvalues = (size_t)lambda.k;
        record->eigenvalue = lambda.eigenvalue; /* the record owns them now */
        lambda.eigenvalue = NULL;
    }
    ss_lambda_finish(&lambda);
    return rc == 1 ? interrupt(r) : rc;
}

/* What comes after lambda_max; gone on with, the Hessian is still to be made. */
static int measure_more(run *r, ss_error *error)
{
    ss_pulse_enter(SS_PULSE_CURVATURE);
    if (make_hessian(r, error)) return -1;
    int rc = ss_running_measure(r, error);
    return rc == 1 ? interrupt(r) : rc;
}

static int save_weights(run *r, ss_error *error)
{
    if (!r->settings.save_weights || !r->trial->weights_dir) return 0;
    ss_pulse_enter(SS_PULSE_SAVE);
    char id[SS_ID_BYTES], path[4096];
    ss_point_identify(&r->settings, r->data->digest, id);
    int n = snprintf(path, sizeof path, "%s/%s.h5", r->trial->weights_dir, id);
    if (n < 0 || (size_t)n >= sizeof path) return ss_fail(error, "%s: the path is too long", r->trial->weights_dir);
    if (ss_folder_make(path, error)) return -1;
    return ss_weights_save(r->net, r->trainer->theta, r->trainer->stats, path, error);
}

/* The numbers are whole without the weights: the record keeps them and says what is missing. */
static void note_unsaved(run *r, const ss_error *why)
{
    ss_log(SS_LOG_WARNING, "the weights of a finished point are not kept: %s", why->text);
    snprintf(r->record->error, sizeof r->record->error, "%.*s", (int)sizeof r->record->error - 1, why->text);
}

static int run_point(run *r, bool resume, ss_error *error)
{
    if (prepare(r, error) || (resume && ss_running_resume(r, error))) return -1;
    bool trained = r->phase == SS_PHASE_CURVATURE || r->phase == SS_PHASE_MEASURES;
    if (!trained && train(r, error)) return -1;
    bool usable = r->end != SS_TRAIN_DIVERGED; /* of weights that are not finite there is nothing to measure or to keep */
    if (usable && r->phase != SS_PHASE_MEASURES && measure(r, error)) return -1;
    if (usable && measure_more(r, error)) return -1;
    note_end(r);
    if (usable && save_weights(r, error)) note_unsaved(r, error);
    return 0;
}

static void run_finish(run *r)
{
    ss_running_leave(r);
    ss_hessian_destroy(r->hessian);
    ss_warm_finish(&r->warm);
    ss_warm_finish(&r->top);
    ss_trainer_destroy(r->trainer);
    ss_net_destroy(r->net);
    ss_free(r->grad);
}

/* What was read from a checkpoint is not to be gone on from: as if there had been none. It stays until it is replaced. */
static void begin_anew(run *r, const ss_error *why)
{
    ss_log(SS_LOG_WARNING, "point %s begins anew: its checkpoint is not used: %s", r->bookmark.id, why->text);
    run_finish(r);
    ss_record_finish(r->record);
    *r = (run){.trial = r->trial, .settings = r->settings, .data = r->data, .record = r->record, .bookmark = r->bookmark};
}

static int run_from_checkpoint(run *r, ss_error *error)
{
    char id[SS_ID_BYTES];
    const ss_trial *trial = r->trial;
    ss_point_identify(&r->settings, r->data->digest, id);
    if (ss_bookmark_open(&r->bookmark, trial->checkpoint_folder, id, ss_study_job(trial->study)->checkpoint_interval_s,
                         trial->checkpoint_trouble_told, error))
        return -1;
    int rc = run_point(r, true, error);
    if (rc && r->keeper.refused) {
        begin_anew(r, error);
        rc = run_point(r, false, error);
    }
    const ss_bookmark *b = &r->bookmark;
    ss_log(SS_LOG_DEBUG, "point %s: %lld checkpoints in %.3f of %.3f s", id, (long long)b->n_saved, b->spent_s,
           ss_clock_s() - b->began_s);
    return rc;
}

/* What the point ran on, also where it failed. */
static void note_means(const run *r)
{
    ss_record *record = r->record;
    record->n_train = r->data->train.n;
    record->n_test = r->data->test.n;
    snprintf(record->data_digest, sizeof record->data_digest, "%s", r->data->digest);
    if (r->net) ss_methods_describe(r->net, &r->settings, r->data->train.n, record->convolutions);
    record->train_s = r->train_s;
    record->curvature_s = r->curvature_s + r->measure_s;
    if (record->measure_hvp_count != SS_UNKNOWN) record->measure_s = r->measure_s;
    record->peak_memory_bytes = ss_memory_peak_bytes();
    record->n_threads = ss_model_threads(&r->settings);
    record->worker = ss_farm_rank();
    snprintf(record->host, sizeof record->host, "%s", ss_host_name());
    ss_time_now(record->finished);
}

/* A record that says what went wrong, and nothing that might be taken for a result. */
static void note_failure(ss_record *record, const ss_error *why)
{
    ss_record_finish(record);
    record->status = SS_FAILED;
    record->stop_reason = SS_STOP_ERROR;
    snprintf(record->error, sizeof record->error, "%.*s", (int)sizeof record->error - 1, why->text);
}

int ss_trial_run(const ss_trial *trial, size_t point, ss_record *record, ss_error *error)
{
    ss_error why = {{0}};
    run r = {.trial = trial, .record = record};
    (void)error;                  /* nothing here concerns the whole sweep: the data are in memory */
    ss_grid_settings(ss_study_grid(trial->study), point, &r.settings);
    r.data = ss_study_data(trial->study, &r.settings);
    ss_threads_set(ss_model_threads(&r.settings));
    ss_memory_peak_reset();
    int rc = run_from_checkpoint(&r, &why);
    if (rc && r.interrupted) {
        run_finish(&r);
        return 1;
    }
    if (rc) note_failure(record, &why);
    note_means(&r);
    run_finish(&r);
    return 0;
}
