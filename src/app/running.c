/* running.c - a running point's checkpoint: the trainer, the record's curves so far, what a tracked check hands to the next,
 * how training ended if it has, and the measurement that is going on. A tracked measurement is saved with the trainer before
 * the step that comes after it; resumed, the trainer arrives at the same step and the measurement goes on. */
#include "running.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "app.h"

/* To be raised with every change of what the pieces below mean; SS_NUMERICS changes every point's identity anyway. */
enum { STATE_VERSION = 3, MADE_ON_BYTES = 512 };
enum { VERSION, PHASE, END, N_HISTORY_COLUMNS, N_TRACK_COLUMNS, PRODUCTS, HAS_WARM, HAS_TOP, NEXT };
static const char *const phase_name[SS_N_PHASES] = {"train", "track", "curvature", "track_measures", "measures"};

bool ss_running_should_stop(void *running)
{
    const ss_trial *trial = ((const ss_running *)running)->trial;
    return trial->should_stop && trial->should_stop(trial->ctx);
}

void ss_running_charge(ss_running *r, double *account)
{
    double now_s = ss_clock_s();
    if (r->account) *r->account += now_s - r->mark_s;
    r->account = account;
    r->mark_s = now_s;
}

bool ss_running_is_tracked(const ss_running *r)
{
    const ss_trainer *t = r->trainer;
    const ss_series *track = &r->record->track;
    int64_t every_steps = r->settings.track_every_steps, every_epochs = r->settings.track_every_epochs;
    bool border = t->step == t->epoch * (int64_t)ss_trainer_steps_per_epoch(t);
    if (track->n_rows > 0 && track->value[(track->n_rows - 1) * track->n_columns + 1] == (double)t->step)
        return false; /* it has been: the trainer was saved after its row */
    return (every_steps > 0 && t->step % every_steps == 0) || (every_epochs > 0 && border && t->epoch % every_epochs == 0);
}

/* What results depend on by rounding, beside the point's identity. Not on the number of threads, nor on which of the kernels'
 * instruction sets with FMA it is. */
static void describe_machine(char out[MADE_ON_BYTES])
{
    bool fma = strcmp(ss_kernels_describe(), "base") != 0;
    memset(out, 0, MADE_ON_BYTES);
    snprintf(out, MADE_ON_BYTES, "%s, %s, kernels %s FMA", ss_cpu_name(), ss_blas_describe(), fma ? "with" : "without");
}

/* ---- saving ----------------------------------------------------------------------------------------------------- */

static void fill_image(ss_running *r)
{
    memcpy(r->image, (int64_t[]){STATE_VERSION, r->phase, r->end, (int64_t)r->record->history.n_columns,
                                 (int64_t)r->record->track.n_columns, r->products, r->warm.known, r->top.known, r->next},
           sizeof r->image);
    const ss_epoch_row *l = &r->last;
    memcpy(r->image_real, (double[]){r->train_s, r->curvature_s, l->epoch, l->step, l->learning_rate, l->train_loss,
                                     l->train_accuracy, l->test_loss, l->test_accuracy, l->gradient_norm, r->measure_s},
           sizeof r->image_real);
}

static void list_image(ss_running *r, ss_pieces *list)
{
    ss_pieces_add(list, "point", r->image, sizeof r->image);
    ss_pieces_add(list, "point_real", r->image_real, sizeof r->image_real);
}

static void list_series(ss_pieces *list, const char *name, const ss_series *s)
{
    ss_pieces_add(list, name, s->value, s->n_rows * s->n_columns * sizeof *s->value);
}

/* The measures so far, and the row that they will be in. */
static void list_measures(ss_running *r, ss_pieces *list)
{
    ss_pieces_add(list, "measures", &r->measured, sizeof r->measured);
    if (r->phase == SS_PHASE_TRACK_MEASURES) ss_pieces_add(list, "row", r->row, sizeof r->row);
}

/* With the pieces of a measurement in `list`, if one is going on. */
static void save(ss_running *r, ss_pieces *list, bool last)
{
    char made_on[MADE_ON_BYTES];
    const ss_trainer *t = r->trainer;
    if (!r->bookmark.path[0]) return;
    ss_trainer_pieces(r->trainer, list);
    list_image(r, list);
    list_series(list, "history", &r->record->history);
    list_series(list, "track", &r->record->track);
    ss_warm_list(&r->warm, r->net->n_params, "warm", list);
    if (!last && !ss_bookmark_is_due(&r->bookmark, ss_pieces_bytes(list) + sizeof made_on, ss_clock_s())) return;
    describe_machine(made_on);
    ss_pieces_add(list, "made_on", made_on, sizeof made_on);
    ss_running_charge(r, r->account);
    fill_image(r);
    ss_checkpoint_head head = {.epoch = t->epoch, .step = t->step, .products = r->products, .train_s = r->train_s,
                               .curvature_s = r->curvature_s + r->measure_s};
    snprintf(head.id, sizeof head.id, "%s", r->bookmark.id);
    snprintf(head.phase, sizeof head.phase, "%s", phase_name[r->phase]);
    ss_bookmark_save(&r->bookmark, &head, list);
}

void ss_running_offer(ss_running *r, bool last)
{
    ss_pieces list = {0};
    r->phase = SS_PHASE_TRAIN;
    save(r, &list, last);
}

/* Of the record, what is known beside its curves: they have their own pieces. */
static int encode_rest(const ss_record *record, unsigned char **bytes, size_t *n, ss_error *error)
{
    ss_record rest = *record;     /* nothing of it is freed */
    rest.history.n_rows = rest.track.n_rows = 0;
    return ss_record_encode(&rest, bytes, n, error);
}

void ss_running_offer_measures(ss_running *r, bool last)
{
    ss_pieces list = {0};
    ss_error why;
    unsigned char *bytes = NULL;
    size_t n = 0;
    if (!r->bookmark.path[0]) return;
    list_measures(r, &list);
    if (r->phase == SS_PHASE_MEASURES && encode_rest(r->record, &bytes, &n, &why)) {
        ss_log(SS_LOG_WARNING, "point %s is not saved: %s", r->bookmark.id, why.text);
        return;                   /* the next offer may find memory; the checkpoint before stays */
    }
    if (bytes) ss_pieces_add(&list, "record", bytes, n);
    ss_warm_list(&r->top, r->net->n_params, "top", &list);
    save(r, &list, last);
    ss_free(bytes);
}

static void save_measurement(void *ctx, const ss_pieces *state, bool last)
{
    ss_running *r = ctx;
    ss_pieces list = *state;
    ss_running_leave(r);          /* all has been read: a file that is replaced now need not stay on the disk */
    if (last && r->products > 0) r->products--; /* the one that was given up */
    save(r, &list, last);
    if (!last) r->products++; /* the one that comes now */
}

/* ---- going on --------------------------------------------------------------------------------------------------- */

static int read_piece(void *ctx, const ss_piece *piece, ss_error *error)
{
    return ss_checkpoint_read(((const ss_running *)ctx)->source, piece, error);
}

ss_keeper *ss_running_keeper(ss_running *r)
{
    if (!r->bookmark.path[0]) return NULL;
    if (!r->keeper.resume) r->products = 0;
    r->keeper.ctx = r;
    r->keeper.save = save_measurement;
    r->keeper.read = read_piece;
    return &r->keeper;
}

static int read_series(ss_running *r, const char *name, ss_series *s, ss_error *error)
{
    ss_pieces list = {0};
    int64_t bytes = ss_checkpoint_bytes(r->source, name);
    size_t row_bytes = s->n_columns * sizeof *s->value;
    if (bytes < 0 || (uint64_t)bytes % row_bytes) /* no more than the file has, which was checked */
        return ss_keeper_refuse(&r->keeper, error, "%s: %lld bytes of %s are no rows of %zu numbers", r->bookmark.path,
                                (long long)bytes, name, s->n_columns);
    ss_free(s->value);
    s->n_rows = s->capacity = (size_t)bytes / row_bytes;
    s->value = ss_alloc(s->capacity, row_bytes);
    if (!s->value) return ss_fail(error, "no memory for %zu rows of %s", s->n_rows, name);
    ss_pieces_add(&list, name, s->value, (size_t)bytes);
    return ss_keeper_read(&r->keeper, &list, error);
}

/* What was known at the end beside the curves; how often the point was begun, this attempt knows better. */
static int read_rest(ss_running *r, ss_error *error)
{
    ss_pieces list = {0};
    ss_record rest;
    int64_t bytes = ss_checkpoint_bytes(r->source, "record"), attempts = r->record->attempts;
    if (bytes < 0) return ss_keeper_refuse(&r->keeper, error, "%s: has no piece record", r->bookmark.path);
    unsigned char *data = ss_alloc((size_t)bytes, 1);
    if (!data) return ss_fail(error, "no memory for a record of %lld bytes", (long long)bytes);
    ss_pieces_add(&list, "record", data, (size_t)bytes);
    int rc = ss_keeper_read(&r->keeper, &list, error);
    if (rc == 0 && ss_record_decode(data, (size_t)bytes, &rest, error)) {
        rc = -1;
        r->keeper.refused = true;
    }
    ss_free(data);
    if (rc) return -1;
    ss_record_finish(r->record);
    *r->record = rest;
    r->record->attempts = attempts;
    return 0;
}

static int read_measures(ss_running *r, ss_error *error)
{
    ss_pieces list = {0};
    if (r->phase == SS_PHASE_MEASURES && read_rest(r, error)) return -1;
    list_measures(r, &list);
    if (ss_keeper_read(&r->keeper, &list, error)) return -1;
    return r->image[HAS_TOP] ? ss_warm_read(&r->top, r->net->n_params, "top", &r->keeper, error) : 0;
}

static int use_image(ss_running *r, ss_error *error)
{
    const int64_t *i = r->image;
    const double *v = r->image_real;
    bool sound = i[VERSION] == STATE_VERSION && i[PHASE] >= 0 && i[PHASE] < SS_N_PHASES && i[END] >= SS_TRAIN_RUNNING
              && i[END] <= SS_TRAIN_INTERRUPTED && i[N_HISTORY_COLUMNS] == (int64_t)r->record->history.n_columns
              && i[N_TRACK_COLUMNS] == (int64_t)r->record->track.n_columns && i[NEXT] >= 0 && i[NEXT] <= SS_N_MEASURES
              && v[0] >= 0 && v[1] >= 0 && v[10] >= 0;
    if (!sound)
        return ss_keeper_refuse(&r->keeper, error, "%s: is of another program: state %lld, phase %lld, %lld and %lld columns",
                                r->bookmark.path, (long long)i[VERSION], (long long)i[PHASE],
                                (long long)i[N_HISTORY_COLUMNS], (long long)i[N_TRACK_COLUMNS]);
    r->phase = (ss_phase)i[PHASE];
    r->end = (ss_train_end)i[END];
    r->products = i[PRODUCTS];
    r->next = (int)i[NEXT];
    r->train_s = v[0];
    r->curvature_s = v[1];
    r->measure_s = v[10];
    r->last = (ss_epoch_row){v[2], v[3], v[4], v[5], v[6], v[7], v[8], v[9]};
    return 0;
}

static int restore(ss_running *r, ss_error *error)
{
    ss_pieces image = {0};
    list_image(r, &image);
    if (ss_keeper_read(&r->keeper, &image, error) || use_image(r, error)) return -1;
    if (ss_trainer_restore(r->trainer, &r->keeper, error)) return -1;
    bool measuring = r->phase == SS_PHASE_TRACK_MEASURES || r->phase == SS_PHASE_MEASURES, training = r->phase == SS_PHASE_TRAIN;
    if (measuring && read_measures(r, error)) return -1;
    if (read_series(r, "history", &r->record->history, error) || read_series(r, "track", &r->record->track, error)) return -1;
    if (r->image[HAS_WARM] && ss_warm_read(&r->warm, r->net->n_params, "warm", &r->keeper, error)) return -1;
    if ((r->phase == SS_PHASE_TRACK || r->phase == SS_PHASE_TRACK_MEASURES) && !ss_running_is_tracked(r))
        return ss_keeper_refuse(&r->keeper, error, "%s: step %lld is not one at which curvature is tracked", r->bookmark.path,
                                (long long)r->trainer->step);
    r->keeper.resume = !training && !measuring;
    return 0;
}

/* That it goes on, and whether on another kind of machine: then by rounding the bits may not be an unbroken run's. */
static void tell(const ss_running *r)
{
    const ss_checkpoint_head *head = ss_checkpoint_head_of(r->source);
    char here[MADE_ON_BYTES], there[MADE_ON_BYTES] = "", age[SS_TIME_BYTES];
    ss_error why;
    const ss_piece piece = {"made_on", there, sizeof there};
    ss_duration_format(difftime(time(NULL), (time_t)head->saved_unix_s), age);
    ss_log(SS_LOG_INFO, "point %s goes on from its checkpoint of %s ago: %s, epoch %lld, step %lld", head->id, age, head->phase,
           (long long)head->epoch, (long long)head->step);
    describe_machine(here);
    if (ss_checkpoint_read(r->source, &piece, &why)) return;
    there[sizeof there - 1] = '\0';
    if (strcmp(here, there) != 0)
        ss_log(SS_LOG_WARNING, "point %s was begun on another kind of machine, so that its numbers may differ from an unbroken "
               "run's by rounding: %s there, %s here", head->id, there, here);
}

int ss_running_resume(ss_running *r, ss_error *error)
{
    if (!r->bookmark.path[0]) return 0;
    r->keeper = (ss_keeper){.ctx = r, .read = read_piece};
    int rc = ss_checkpoint_open(r->bookmark.path, r->bookmark.id, &r->source, error);
    if (rc == 0) return 0;
    if (rc < 0) {
        r->keeper.refused = true;
        return -1;
    }
    if (restore(r, error)) return -1;
    tell(r);
    if (!r->keeper.resume) ss_running_leave(r);
    return 0;
}

void ss_running_leave(ss_running *r)
{
    ss_checkpoint_close(r->source);
    r->source = NULL;
}
