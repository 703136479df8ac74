/* record.c - what one trial reports: the tables of its fields, from which columns, CSV, log lines and the schema come. */
#include "parts.h"

#include <math.h>
#include <string.h>

const char *const ss_status_name[SS_N_STATUS] = {"pending", "done", "diverged", "epoch_limit", "failed"};
const char *const ss_stop_name[SS_N_STOP] = {"none", "train_accuracy", "train_loss", "max_epochs", "max_steps", "diverged",
                                             "error", "crash", "timeout", "memory"};

#define AT(m) .name = #m, .offset = offsetof(ss_record, m)
#define REAL(m, u, t) {AT(m), .type = SS_FIELD_REAL, .unit = u, .text = t}
#define INT(m, u, t) {AT(m), .type = SS_FIELD_INT, .unit = u, .text = t}
#define OWN_REAL(m, u, t) {AT(m), .type = SS_FIELD_REAL, .incidental = true, .unit = u, .text = t}
#define OWN_INT(m, u, t) {AT(m), .type = SS_FIELD_INT, .incidental = true, .unit = u, .text = t}
#define TEXT(m, own, t) {AT(m), .type = SS_FIELD_TEXT, .bytes = sizeof((ss_record *)0)->m, .incidental = own, .unit = "", \
                         .text = t}

/* What is measured beside lambda_max, at the end and where it is tracked: name, key that asks for it, text. */
#define MEASURES(X) \
    X(trace, "trace_probes", "trace of the Hessian: mean of v'Hv over random signs v") \
    X(trace_error, "trace_probes", "standard error of trace over its probes") \
    X(lambda_min, "smallest_eigenvalue", "smallest algebraic eigenvalue of the Hessian") \
    X(lambda_min_residual, "smallest_eigenvalue", "||Hu - lambda u|| of lambda_min over the largest |eigenvalue|, for it may " \
      "lie at 0") \
    X(gauss_newton_lambda_max, "gauss_newton", "largest eigenvalue of the Gauss-Newton matrix J' (d2 loss / d logits2) J") \
    X(gauss_newton_residual, "gauss_newton", "relative residual of gauss_newton_lambda_max") \
    X(adaptive_lambda_max, "adaptive_eigenvalue", "largest eigenvalue of diag|w| H diag|w|") \
    X(adaptive_residual, "adaptive_eigenvalue", "relative residual of adaptive_lambda_max") \
    X(spherical_sharpness, "spherical_eigenvalue", "||w||^2 lambda_max of H's block of the weights ahead of batch norms") \
    X(spherical_residual, "spherical_eigenvalue", "relative residual of spherical_sharpness") \
    X(subset_lambda_mean, "lambda_subsets", "mean of lambda_max over disjoint subsets of subset_examples, fewer of which " \
      "have a larger lambda_max") \
    X(subset_lambda_deviation, "lambda_subsets", "sample standard deviation of lambda_max over these subsets") \
    X(subset_lambda_residual, "lambda_subsets", "largest relative residual of lambda_max over these subsets") \
    X(sharpness, "sharpness_rho", "largest rise of the loss found within sharpness_rho of the weights") \
    X(adaptive_sharpness, "adaptive_rho", "largest rise of the loss found within adaptive_rho in units of |w|") \
    X(batch_sharpness, "batch_sharpness_batches", "mean of g'Hg / ||g||^2 over batches, g and H of each batch") \
    X(batch_sharpness_error, "batch_sharpness_batches", "standard error of batch_sharpness over its batches") \
    X(alignment, "gradient_alignment", "|g'u| / ||g||: the gradient's part along the eigenvector u of lambda_max") \
    X(sam_edge, "sam_rho", "SAM's edge for lambda_max: (||g|| / 2 rho)(sqrt(1 + 8 rho / (lr ||g||)) - 1), with the learning " \
      "rate that is in lr_lambda_max")
#define MEASURE(m, k, t) {AT(m), .type = SS_FIELD_REAL, .key = k, .unit = "1", .text = t},
#define TRACKED(m, k, t) {.name = #m, .type = SS_FIELD_REAL, .offset = COLUMN_##m, .key = k, .unit = "1", .text = t},
#define NUMBER(m, k, t) COLUMN_##m,
enum { LAST_PLAIN_COLUMN = 9, MEASURES(NUMBER) COLUMN_measure_hvp_count }; /* of tracked rows */

static const ss_field record_fields[] = {
    {AT(status), .type = SS_FIELD_STATUS, .unit = "", .text = "how the point ended"},
    {AT(stop_reason), .type = SS_FIELD_STOP, .unit = "", .text = "which rule ended training"},
    REAL(lambda_max, "1", "largest algebraic eigenvalue of the Hessian of the training loss"),
    REAL(lambda_residual, "1", "||Hu - lambda u|| / |lambda| with ||u|| = 1: an eigenvalue lies so near, relatively"),
    REAL(lambda_upper, "1", "no eigenvalue is larger, but for a probability of curvature_risk over start vectors"),
    INT(lambda_converged, "", "1: the residual is within curvature_tolerance; 0: it is not"),
    REAL(lr_lambda_max, "1", "learning rate of the last step times lambda_max; 2 is the edge of stability of plain GD"),
    REAL(lambda_fraction, "1", "where between the last iterate (0) and the next one (1) lambda_max was found"),
    INT(hvp_count, "products", "Hessian-vector products spent on lambda_max"),
    INT(curvature_n_examples, "examples", "training examples that the Hessian's loss was averaged over"),
    INT(curvature_ghost_examples, "examples", "ghost batch whose statistics the Hessian used; 0: no batch statistics"),
    MEASURES(MEASURE)
    {AT(subset_examples), .type = SS_FIELD_INT, .key = "lambda_subsets", .unit = "examples",
     .text = "training examples in each of these subsets"},
    {AT(measure_hvp_count), .type = SS_FIELD_INT, .key = SS_ANY_MEASURE, .unit = "products",
     .text = "products with the Hessian or the Gauss-Newton matrix that the measures took"},
    REAL(train_loss, "1", "mean loss over the training subset, in eval mode, at the end"),
    REAL(train_accuracy, "1", "fraction of the training subset classified correctly at the end"),
    REAL(test_loss, "1", "mean loss over the test subset at the end"),
    REAL(test_accuracy, "1", "fraction of the test subset classified correctly at the end"),
    REAL(gradient_norm, "1", "Euclidean norm of the last step's gradient"),
    INT(epochs, "epochs", "epochs completed"),
    INT(steps, "steps", "steps taken"),
    INT(n_parameters, "parameters", "trained parameters of the network"),
    INT(n_train, "examples", "training examples that were used"),
    INT(n_test, "examples", "test examples that were used"),
    TEXT(data_digest, false, "SHA-256 of the data set that was used, standardisation included"),
    TEXT(convolutions, true, "how each convolution was computed, in the network's order, in whole passes of training; then of "
                             "curvature where that differs"),
    OWN_REAL(train_s, "s", "time spent on training and evaluation"),
    OWN_REAL(curvature_s, "s", "time spent on curvature"),
    {AT(measure_s), .type = SS_FIELD_REAL, .incidental = true, .key = SS_ANY_MEASURE, .unit = "s",
     .text = "part of curvature_s that went to measures other than lambda_max"},
    OWN_REAL(peak_memory_bytes, "bytes", "largest resident memory of the process while it ran the point"),
    OWN_INT(n_threads, "threads", "threads the trial ran on; its results do not depend on them"),
    OWN_INT(attempts, "attempts", "how often the point was started"),
    OWN_INT(worker, "rank", "rank that ran the point"),
    TEXT(host, true, "machine that ran the point"),
    TEXT(finished, true, "when the point ended, UTC"),
    TEXT(error, false, "what went wrong: why a failed point failed, why a finished one has no weights file"),
};

#define COLUMN(i, n, u, t) {.name = n, .type = SS_FIELD_REAL, .offset = i, .unit = u, .text = t}

static const ss_field history_fields[] = {
    COLUMN(0, "epoch", "epochs", "epochs completed"),
    COLUMN(1, "step", "steps", "steps taken"),
    COLUMN(2, "learning_rate", "1", "learning rate of the epoch's last step"),
    COLUMN(3, "train_loss", "1", "mean loss over the training subset, in eval mode"),
    COLUMN(4, "train_accuracy", "1", "fraction of the training subset classified correctly"),
    COLUMN(5, "test_loss", "1", "mean loss over the test subset"),
    COLUMN(6, "test_accuracy", "1", "fraction of the test subset classified correctly"),
    COLUMN(7, "gradient_norm", "1", "Euclidean norm of the last step's gradient"),
};

static const ss_field track_fields[] = {
    COLUMN(0, "epoch", "epochs", "epochs completed"),
    COLUMN(1, "step", "steps", "steps taken"),
    COLUMN(2, "learning_rate", "1", "learning rate of the next step"),
    COLUMN(3, "lambda_max", "1", "largest algebraic eigenvalue of the Hessian of the training loss"),
    COLUMN(4, "lambda_residual", "1", "||Hu - lambda u|| / |lambda| with ||u|| = 1"),
    COLUMN(5, "lambda_converged", "", "1: the residual is within curvature_tolerance"),
    COLUMN(6, "hvp_count", "products", "Hessian-vector products spent"),
    COLUMN(7, "lr_lambda_max", "1", "learning rate of the next step times lambda_max"),
    COLUMN(8, "loss", "1", "mean loss over the Hessian's examples"),
    COLUMN(9, "gradient_norm", "1", "Euclidean norm of that loss's gradient"),
    MEASURES(TRACKED)
    {.name = "measure_hvp_count", .type = SS_FIELD_REAL, .offset = COLUMN_measure_hvp_count, .key = SS_ANY_MEASURE,
     .unit = "products", .text = "products with the Hessian or the Gauss-Newton matrix that these measures took"},
};

static const ss_field spectrum_fields[] = {
    COLUMN(0, "eigenvalue", "1", "node of the density of the Hessian's eigenvalues"),
    COLUMN(1, "weight", "1", "fraction of the eigenvalues that the node stands for; a point's weights sum to 1"),
};

#define N_OF(table) (sizeof(table) / sizeof *(table))
_Static_assert(N_OF(record_fields) <= 8 * sizeof ((ss_record *)0)->absent, "every field has its bit");

const ss_field *ss_record_fields(size_t *n)
{
    *n = N_OF(record_fields);
    return record_fields;
}

const ss_field *ss_history_fields(size_t *n)
{
    *n = N_OF(history_fields);
    return history_fields;
}

const ss_field *ss_track_fields(size_t *n)
{
    *n = N_OF(track_fields);
    return track_fields;
}

const ss_field *ss_spectrum_fields(size_t *n)
{
    *n = N_OF(spectrum_fields);
    return spectrum_fields;
}

void ss_record_init(ss_record *r)
{
    static const double unknown = NAN;
    static const int64_t unknown_count = SS_UNKNOWN;
    memset(r, 0, sizeof *r);
    for (size_t i = 0; i < N_OF(record_fields); i++) {
        char *member = (char *)r + record_fields[i].offset;
        if (record_fields[i].type == SS_FIELD_REAL) memcpy(member, &unknown, sizeof unknown);
        if (record_fields[i].type == SS_FIELD_INT) memcpy(member, &unknown_count, sizeof unknown_count);
    }
    r->attempts = 0;
    r->history.n_columns = N_OF(history_fields);
    r->track.n_columns = N_OF(track_fields);
    r->spectrum.n_columns = N_OF(spectrum_fields);
}

void ss_record_finish(ss_record *r)
{
    ss_free(r->eigenvalue);
    ss_free(r->history.value);
    ss_free(r->track.value);
    ss_free(r->spectrum.value);
    ss_record_init(r);
}

int ss_series_append(ss_series *s, const double *row)
{
    if (s->n_rows == s->capacity) {
        size_t capacity = s->capacity ? 2 * s->capacity : 16;
        double *value = ss_realloc(s->value, s->capacity * s->n_columns, capacity * s->n_columns, sizeof *value);
        if (!value) return -1;
        s->value = value;
        s->capacity = capacity;
    }
    memcpy(s->value + s->n_rows++ * s->n_columns, row, s->n_columns * sizeof *row);
    return 0;
}

bool ss_column_is_known(const ss_series *s, size_t c)
{
    for (size_t i = 0; i < s->n_rows; i++)
        if (!isnan(s->value[i * s->n_columns + c])) return true;
    return false;
}

/* Bit for bit, except that every NaN says the same: unknown. */
static bool same_reals(size_t n, const double *a, const double *b)
{
    for (size_t i = 0; i < n; i++)
        if (memcmp(&a[i], &b[i], sizeof *a) != 0 && !(isnan(a[i]) && isnan(b[i]))) return false;
    return true;
}

static bool same_series(const ss_series *a, const ss_series *b)
{
    return a->n_rows == b->n_rows && a->n_columns == b->n_columns &&
           same_reals(a->n_rows * a->n_columns, a->value, b->value);
}

static bool same_field(const ss_field *f, const ss_record *a, const ss_record *b)
{
    const char *p = (const char *)a + f->offset, *q = (const char *)b + f->offset;
    double x, y;
    switch (f->type) {
    case SS_FIELD_TEXT: return strncmp(p, q, f->bytes) == 0;
    case SS_FIELD_REAL:
        memcpy(&x, p, sizeof x);
        memcpy(&y, q, sizeof y);
        return same_reals(1, &x, &y);
    default: return memcmp(p, q, sizeof(int64_t)) == 0;
    }
}

bool ss_record_same(const ss_record *a, const ss_record *b)
{
    for (size_t i = 0; i < N_OF(record_fields); i++)
        if (!record_fields[i].incidental && !same_field(&record_fields[i], a, b)) return false;
    return a->n_eigenvalues == b->n_eigenvalues && same_reals(a->n_eigenvalues, a->eigenvalue, b->eigenvalue) &&
           same_series(&a->history, &b->history) && same_series(&a->track, &b->track) &&
           same_series(&a->spectrum, &b->spectrum);
}

/* ---- records of two programs ------------------------------------------------------------------------------------------ */

static bool is_absent(const ss_record *r, size_t i)
{
    return r->absent[i / 64] >> (i % 64) & 1;
}

/* Fields that are no measure's are always in a record's bytes: an earlier program did not know one that is not. */
static bool is_earlier(const ss_record *r)
{
    for (size_t i = 0; i < N_OF(record_fields); i++)
        if (!record_fields[i].key && is_absent(r, i)) return true;
    return false;
}

/* Did r's program not know field i? A measure's are left out where they are NaN, too: then another of the same measure, or the
 * record's age, must say so. */
static bool is_unheard_of(const ss_record *r, size_t i)
{
    const char *key = record_fields[i].key;
    bool told = !key || is_earlier(r);
    if (!is_absent(r, i)) return false;
    for (size_t k = 0; key && k < N_OF(record_fields) && !told; k++)
        told = record_fields[k].key && strcmp(record_fields[k].key, key) == 0 && !is_absent(r, k);
    return told;
}

/* The same of a column of the track. */
static bool is_column_unheard_of(const ss_record *r, size_t c)
{
    const char *key = track_fields[c].key;
    bool told = is_earlier(r);
    if (!key || ss_column_is_known(&r->track, c)) return false;
    for (size_t k = 0; k < N_OF(track_fields) && !told; k++)
        told = track_fields[k].key && strcmp(track_fields[k].key, key) == 0 && ss_column_is_known(&r->track, k);
    return told;
}

bool ss_record_field_agrees(const ss_field *f, const ss_record *a, const ss_record *b)
{
    size_t i = (size_t)(f - record_fields);
    return f->incidental || same_field(f, a, b) || is_unheard_of(a, i) || is_unheard_of(b, i);
}

static bool column_agrees(const ss_record *a, const ss_record *b, size_t c)
{
    if (is_column_unheard_of(a, c) || is_column_unheard_of(b, c)) return true;
    for (size_t i = c; i < a->track.n_rows * a->track.n_columns; i += a->track.n_columns)
        if (!same_reals(1, &a->track.value[i], &b->track.value[i])) return false;
    return true;
}

bool ss_record_agrees(const ss_record *a, const ss_record *b)
{
    for (size_t i = 0; i < N_OF(record_fields); i++)
        if (!ss_record_field_agrees(&record_fields[i], a, b)) return false;
    if (a->track.n_rows != b->track.n_rows) return false;
    for (size_t c = 0; c < N_OF(track_fields); c++)
        if (!column_agrees(a, b, c)) return false;
    return a->n_eigenvalues == b->n_eigenvalues && same_reals(a->n_eigenvalues, a->eigenvalue, b->eigenvalue) &&
           same_series(&a->history, &b->history) && same_series(&a->spectrum, &b->spectrum);
}

bool ss_record_lacks(const ss_record *a, const ss_record *b)
{
    for (size_t i = 0; i < N_OF(record_fields); i++)
        if (is_unheard_of(a, i) && !is_absent(b, i)) return true;
    for (size_t c = 0; c < N_OF(track_fields); c++)
        if (is_column_unheard_of(a, c) && ss_column_is_known(&b->track, c)) return true;
    return false;
}
