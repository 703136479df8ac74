/* check.c - do the settings of one point fit each other? Each rule is one row; the sentence names keys, values and a way
 * out. What needs the data set or the network's shape is checked by app, before anything runs. */
#include "parts.h"

#include <string.h>

int64_t ss_train_total(const ss_settings *s)
{
    if (s->train_examples != SS_WORD) return s->train_examples;
    return strcmp(s->dataset, "synthetic") == 0 ? s->synthetic_train : SS_WORD;
}

static int check_examples(const ss_settings *s, const char **key, ss_error *error)
{
    int64_t n = ss_train_total(s);
    const char *of = s->train_examples != SS_WORD ? "train_examples" : "synthetic_train";
    bool synthetic = strcmp(s->dataset, "synthetic") == 0;
    *key = "train_examples";
    if (synthetic && s->train_examples > s->synthetic_train)
        return ss_fail(error, "train_examples %lld is more than synthetic_train %lld; raise the latter, or write all",
                       (long long)s->train_examples, (long long)s->synthetic_train);
    *key = "test_examples";
    if (synthetic && s->test_examples > s->synthetic_test)
        return ss_fail(error, "test_examples %lld is more than synthetic_test %lld; raise the latter, or write all",
                       (long long)s->test_examples, (long long)s->synthetic_test);
    *key = "curvature_examples";
    if (n != SS_WORD && s->curvature_examples > n)
        return ss_fail(error, "curvature_examples %lld is more than %s %lld; lower it, or write curvature_examples: all",
                       (long long)s->curvature_examples, of, (long long)n);
    return 0;
}

static int check_training(const ss_settings *s, const char **key, ss_error *error)
{
    char a[SS_VALUE_BYTES];
    *key = "nesterov";
    if (s->nesterov && s->momentum == 0)
        return ss_fail(error, "nesterov: true needs a momentum greater than 0, and momentum is 0");
    *key = "warmup_epochs";
    if (s->warmup_epochs > (double)s->max_epochs) {
        ss_number_format(s->warmup_epochs, a); /* millions of points do not fail */
        return ss_fail(error, "warmup_epochs %s is more than max_epochs %lld; the warm-up would not end", a,
                       (long long)s->max_epochs);
    }
    *key = "batch_size";
    if (ss_train_total(s) != SS_WORD && s->batch_size > ss_train_total(s))
        return ss_fail(error, "batch_size %lld is more than the %lld training examples; lower it, or write batch_size: full",
                       (long long)s->batch_size, (long long)ss_train_total(s));
    *key = "sam_m";
    if (s->sam_rho > 0 && s->batch_size != SS_WORD && s->sam_m > s->batch_size)
        return ss_fail(error, "sam_m %lld is more than batch_size %lld; lower it, or write sam_m: batch", (long long)s->sam_m,
                       (long long)s->batch_size);
    *key = "network";
    if (strcmp(s->network, "layers") == 0 && !s->layers[0])
        return ss_fail(error, "network: layers needs the list `layers:` in section model");
    return 0;
}

static int check_curvature(const ss_settings *s, const char **key, ss_error *error)
{
    *key = "interpolation_points";
    if (s->interpolation_points == 1)
        return ss_fail(error, "interpolation_points 1 interpolates nothing; expected 0 (the final iterate) or 2 and more");
    *key = "eigenvalues";
    if (s->eigenvalues > s->curvature_max_hvp)
        return ss_fail(error, "eigenvalues %lld is more than curvature_max_hvp %lld; each needs a product at least",
                       (long long)s->eigenvalues, (long long)s->curvature_max_hvp);
    return 0;
}

/* Batches of the whole training set are one, and batch sharpness has no error then; else each of so many must be there. */
int ss_batches_check(const ss_settings *s, int64_t n_train, ss_error *error)
{
    if (s->batch_sharpness_batches == 0 || n_train == SS_WORD || s->batch_size == SS_WORD || s->batch_size >= n_train ||
        s->batch_sharpness_batches <= n_train / s->batch_size)
        return 0;
    return ss_fail(error, "batch_sharpness_batches %lld is more than the %lld whole batches of batch_size %lld that %lld "
                   "training examples make; lower it, or zip it with batch_size", (long long)s->batch_sharpness_batches,
                   (long long)(n_train / s->batch_size), (long long)s->batch_size, (long long)n_train);
}

/* What is certain to fail; whether the network has layers ahead of batch norms, only the network knows. */
static int check_measures(const ss_settings *s, const char **key, ss_error *error)
{
    int64_t examples = s->curvature_examples == SS_WORD ? ss_train_total(s) : s->curvature_examples, n = ss_train_total(s);
    *key = "trace_probes";
    if (s->trace_probes == 1)
        return ss_fail(error, "trace_probes 1 has no standard error; expected 0 (no trace) or 2 and more");
    *key = "batch_sharpness_batches";
    if (s->batch_sharpness_batches == 1)
        return ss_fail(error, "batch_sharpness_batches 1 has no standard error; expected 0 (not measured) or 2 and more");
    if (ss_batches_check(s, n, error)) return -1;
    *key = "sharpness_m";
    if ((s->sharpness_rho > 0 || s->adaptive_rho > 0) && examples != SS_WORD && s->sharpness_m > examples)
        return ss_fail(error, "sharpness_m %lld is more than the %lld examples of the Hessian; lower it, or write "
                       "sharpness_m: all", (long long)s->sharpness_m, (long long)examples);
    *key = "lambda_subsets";
    if (n != SS_WORD && s->lambda_subsets > n)
        return ss_fail(error, "lambda_subsets %lld is more than the %lld training examples; each needs one at least",
                       (long long)s->lambda_subsets, (long long)n);
    *key = "spherical_eigenvalue";
    if (s->spherical_eigenvalue && strcmp(s->curvature_batch_norm, "batch") != 0)
        return ss_fail(error, "spherical_eigenvalue needs curvature_batch_norm: batch; with running statistics the loss does "
                       "see the length of the weights");
    if (s->spherical_eigenvalue && !s->batch_norm && strcmp(s->network, "layers") != 0)
        return ss_fail(error, "spherical_eigenvalue needs batch_norm: true; without it no weights are scale-invariant");
    return 0;
}

/* Measures of a track that there is not. */
static int check_tracking(const ss_settings *s, const char **key, ss_error *error)
{
    *key = "track_measures";
    if (s->track_measures && s->track_every_epochs == SS_WORD && s->track_every_steps == SS_WORD)
        return ss_fail(error, "track_measures: true needs track_every_epochs or track_every_steps; nothing is tracked");
    return 0;
}

int ss_settings_check(const ss_settings *s, const char **key, ss_error *error)
{
    return check_examples(s, key, error) || check_training(s, key, error) || check_curvature(s, key, error) ||
           check_measures(s, key, error) || check_tracking(s, key, error) ? -1 : 0;
}
