/* cost_model.c - predicted times corrected by measured ones. For training and for curvature alike,
 *
 *   log(actual / predicted) = b0 + sum over the axes of (slope_a x_a + deviation_a[value]) + noise
 *
 * x: the logarithm of an axis's number, scaled to mean 0 and deviation 1 over the axis, so that what was learnt at some
 * values says something about the others; deviation: what the slope does not explain, for axes of few values. Products of
 * powers suit: more epochs at a small learning rate, a slower network, a dearer Hessian product, each by its own factor.
 *
 * Fitted by weighted ridge least squares, one coefficient after the other (backfitting, i.e. Gauss-Seidel on the normal
 * equations; Buja, Hastie and Tibshirani 1989). The ridge counts as observations that say "no correction", so few
 * measurements move little; the weights are Huber's (1964), so that a point on a busy node does not spoil its neighbours. */
#include "parts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { TRAIN, CURVATURE, N_PARTS, MOST_LEVELS = 256, MOST_OBSERVATIONS = 16384, REWEIGHTS = 3, CYCLES = 12, FIRST_FIT = 3 };
static const double ridge_mean = 0.1, ridge_slope = 0.5, ridge_level = 2, huber = 1.345;
static const double least_scale = 0.02; /* of the weights: what is explained to 2 % is not worth telling apart */
static const double prior_spread = 1, prior_weight = 3; /* before anything is measured: a factor of e, worth three points */
static const double least_s = 1e-5;     /* shorter than this, a clock's reading is noise */

struct axis {
    const ss_axis *axis;
    int n_levels;                 /* 0: too many for deviations of their own */
    double *x;                    /* (n_values) */
    double mean, scale;           /* of the logarithms; scale 0: no slope */
    double slope[N_PARTS], *level[N_PARTS]; /* (n_levels) */
};
struct observation {
    double predicted[N_PARTS], actual[N_PARTS];
    float x[SS_MAX_AXES];
    int16_t level[SS_MAX_AXES];   /* -1: none */
};

struct ss_cost_model {
    int n_axes;
    struct axis axis[SS_MAX_AXES];
    double mean[N_PARTS], spread;
    size_t n_learnt, n_fitted, n, capacity;
    struct observation *observation;
    double *residual, *weight, *sum; /* (capacity) while fitting; sum: per level */
};

/* ---- where a point lies ----------------------------------------------------------------------------------------------- */

/* The first key of an axis that has a positive number gives its x; NaN: a word, or no number. */
static double log_of(const ss_axis *axis, const ss_settings *s)
{
    double v = ss_key_number(axis->key[0], s);
    return v > 0 ? log(v) : NAN;
}

static void settings_at(const ss_axis *axis, int v, ss_settings *s)
{
    for (int k = 0; k < axis->n_keys; k++) ss_key_parse(axis->key[k], axis->text[k][v], s, NULL);
}

static int lay_out_axis(struct axis *a, const ss_axis *axis)
{
    double sum = 0, squares = 0, n = 0;
    ss_settings s;
    ss_settings_default(&s);
    a->axis = axis;
    a->n_levels = axis->n_values <= MOST_LEVELS ? axis->n_values : 0;
    a->x = ss_alloc((size_t)axis->n_values, sizeof *a->x);
    for (int part = 0; part < N_PARTS; part++) a->level[part] = ss_alloc((size_t)a->n_levels, sizeof *a->level[part]);
    if (!a->x || !a->level[TRAIN] || !a->level[CURVATURE]) return -1;
    for (int v = 0; v < axis->n_values; v++) {
        settings_at(axis, v, &s);
        a->x[v] = log_of(axis, &s);
        if (isnan(a->x[v])) continue;
        sum += a->x[v];
        squares += a->x[v] * a->x[v];
        n++;
    }
    a->mean = n > 0 ? sum / n : 0;
    a->scale = n > 2 ? sqrt(fmax(0, squares / n - a->mean * a->mean)) : 0;
    for (int v = 0; v < axis->n_values; v++) a->x[v] = a->scale > 0 && !isnan(a->x[v]) ? (a->x[v] - a->mean) / a->scale : 0;
    return 0;
}

static bool has_value(const ss_axis *axis, int v, const ss_settings *s)
{
    ss_settings at = *s;
    settings_at(axis, v, &at);
    for (int k = 0; k < axis->n_keys; k++)
        if (!ss_key_equal(axis->key[k], &at, s)) return false;
    return true;
}

static int level_of(const struct axis *a, const ss_settings *s)
{
    for (int v = 0; v < a->n_levels; v++)
        if (has_value(a->axis, v, s)) return v;
    return -1;
}

static double x_of(const struct axis *a, const ss_settings *s)
{
    double v = a->scale > 0 ? log_of(a->axis, s) : NAN;
    return isnan(v) ? 0 : (v - a->mean) / a->scale;
}

/* ---- life ------------------------------------------------------------------------------------------------------------- */

ss_cost_model *ss_cost_model_create(const ss_job *job, ss_error *error)
{
    ss_cost_model *m = ss_alloc(1, sizeof *m);
    if (!m) goto fail;
    m->spread = prior_spread;
    for (int i = 0; i < job->n_axes; i++) {
        m->n_axes++;
        if (lay_out_axis(&m->axis[i], &job->axes[i])) goto fail;
    }
    m->sum = ss_alloc(2 * MOST_LEVELS, sizeof *m->sum);
    if (!m->sum) goto fail;
    return m;
fail:
    ss_cost_model_destroy(m);
    ss_fail(error, "out of memory for the cost model");
    return NULL;
}

void ss_cost_model_destroy(ss_cost_model *m)
{
    if (!m) return;
    for (int i = 0; i < m->n_axes; i++) {
        ss_free(m->axis[i].x);
        for (int part = 0; part < N_PARTS; part++) ss_free(m->axis[i].level[part]);
    }
    ss_free(m->observation);
    ss_free(m->residual);
    ss_free(m->weight);
    ss_free(m->sum);
    ss_free(m);
}

/* ---- learning --------------------------------------------------------------------------------------------------------- */

static bool has_room(ss_cost_model *m)
{
    if (m->n < m->capacity) return true;
    size_t more = m->capacity ? 2 * m->capacity : 64;
    struct observation *observation = ss_realloc(m->observation, m->capacity, more, sizeof *observation);
    if (observation) m->observation = observation;
    double *residual = ss_realloc(m->residual, m->capacity, more, sizeof *residual);
    if (residual) m->residual = residual;
    double *weight = ss_realloc(m->weight, m->capacity, more, sizeof *weight);
    if (weight) m->weight = weight;
    if (!observation || !residual || !weight) return false;
    m->capacity = more;
    return true;
}

/* Of very many, a uniform sample is kept (Vitter's reservoir, 1985); so is what there is when memory is gone. */
static struct observation *place(ss_cost_model *m)
{
    m->n_learnt++;
    if (m->n < MOST_OBSERVATIONS && has_room(m)) return &m->observation[m->n++];
    ss_stream random = ss_stream_make(m->n_learnt, SS_FOR_PROBE, 0, 0);
    double at = ss_stream_uniform(&random, 0) * (double)m->n_learnt;
    return at < (double)m->n ? &m->observation[(size_t)at] : NULL;
}

void ss_cost_model_learn(ss_cost_model *m, const ss_settings *s, const ss_cost *predicted, double train_s,
                         double curvature_s)
{
    if (!(train_s + curvature_s > least_s) || !(predicted->train_s + predicted->curvature_s > 0)) return;
    struct observation *o = place(m);
    if (!o) return;
    *o = (struct observation){{predicted->train_s, predicted->curvature_s}, {train_s, curvature_s}, {0}, {0}};
    for (int i = 0; i < m->n_axes; i++) {
        o->x[i] = (float)x_of(&m->axis[i], s);
        o->level[i] = (int16_t)level_of(&m->axis[i], s);
    }
}

size_t ss_cost_model_count(const ss_cost_model *m)
{
    return m->n_learnt;
}

/* A quarter more than last time: some fifty fits in a sweep of a million points. */
bool ss_cost_model_is_due(const ss_cost_model *m)
{
    return m->n_learnt >= FIRST_FIT && m->n_learnt >= m->n_fitted + (m->n_fitted + 3) / 4 + (m->n_fitted == 0);
}

/* ---- fitting ---------------------------------------------------------------------------------------------------------- */

static int rising(const void *a, const void *b)
{
    double x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return x < y ? -1 : x > y;
}

/* 1.4826 times the median of |residual|: a normal distribution's standard deviation. `value` is sorted. */
static double robust_scale(size_t n, double *value)
{
    if (n == 0) return 0;
    for (size_t i = 0; i < n; i++) value[i] = fabs(value[i]);
    qsort(value, n, sizeof *value, rising);
    return 1.4826 * (n % 2 ? value[n / 2] : (value[n / 2 - 1] + value[n / 2]) / 2);
}

static bool is_usable(const struct observation *o, int part)
{
    return o->predicted[part] > 0 && o->actual[part] > least_s;
}

static double fitted(const ss_cost_model *m, const struct observation *o, int part)
{
    double sum = m->mean[part];
    for (int i = 0; i < m->n_axes; i++) {
        sum += m->axis[i].slope[part] * (double)o->x[i];
        if (o->level[i] >= 0) sum += m->axis[i].level[part][o->level[i]];
    }
    return sum;
}

static void fit_mean(ss_cost_model *m, int part)
{
    double sum = 0, weight = ridge_mean;
    for (size_t i = 0; i < m->n; i++) {
        sum += m->weight[i] * (m->residual[i] + m->mean[part]);
        weight += m->weight[i];
    }
    double change = sum / weight - m->mean[part];
    m->mean[part] += change;
    for (size_t i = 0; i < m->n; i++) m->residual[i] -= change;
}

static void fit_slope(ss_cost_model *m, int a, int part)
{
    double sum = 0, squares = ridge_slope, *slope = &m->axis[a].slope[part];
    for (size_t i = 0; i < m->n; i++) {
        double x = (double)m->observation[i].x[a];
        sum += m->weight[i] * x * (m->residual[i] + *slope * x);
        squares += m->weight[i] * x * x;
    }
    double change = sum / squares - *slope;
    *slope += change;
    for (size_t i = 0; i < m->n; i++) m->residual[i] -= change * (double)m->observation[i].x[a];
}

static void fit_levels(ss_cost_model *m, int a, int part)
{
    double *level = m->axis[a].level[part], *sum = m->sum, *weight = m->sum + MOST_LEVELS;
    int n_levels = m->axis[a].n_levels;
    for (int v = 0; v < n_levels; v++) {
        sum[v] = 0;
        weight[v] = ridge_level;
    }
    for (size_t i = 0; i < m->n; i++) {
        int v = m->observation[i].level[a];
        if (v < 0) continue;
        sum[v] += m->weight[i] * (m->residual[i] + level[v]);
        weight[v] += m->weight[i];
    }
    for (int v = 0; v < n_levels; v++) {
        sum[v] = sum[v] / weight[v] - level[v]; /* the change */
        level[v] += sum[v];
    }
    for (size_t i = 0; i < m->n; i++)
        if (m->observation[i].level[a] >= 0) m->residual[i] -= sum[m->observation[i].level[a]];
}

/* Residuals of the present coefficients; weight 0 where this part was not measured. */
static void reset_residuals(ss_cost_model *m, int part)
{
    for (size_t i = 0; i < m->n; i++) {
        const struct observation *o = &m->observation[i];
        m->weight[i] = is_usable(o, part);
        m->residual[i] = m->weight[i] > 0 ? log(o->actual[part] / o->predicted[part]) - fitted(m, o, part) : 0;
    }
}

static void reweight(ss_cost_model *m, double *scratch)
{
    size_t k = 0;
    for (size_t i = 0; i < m->n; i++)
        if (m->weight[i] > 0) scratch[k++] = m->residual[i];
    double bound = huber * fmax(robust_scale(k, scratch), least_scale);
    for (size_t i = 0; i < m->n; i++)
        if (m->weight[i] > 0) m->weight[i] = fabs(m->residual[i]) <= bound ? 1 : bound / fabs(m->residual[i]);
}

static void fit_part(ss_cost_model *m, int part, double *scratch)
{
    m->mean[part] = 0;
    for (int a = 0; a < m->n_axes; a++) {
        m->axis[a].slope[part] = 0;
        memset(m->axis[a].level[part], 0, (size_t)m->axis[a].n_levels * sizeof *m->axis[a].level[part]);
    }
    for (int round = 0; round < REWEIGHTS; round++) {
        reset_residuals(m, part);
        if (round) reweight(m, scratch);
        for (int cycle = 0; cycle < CYCLES; cycle++) {
            fit_mean(m, part);
            for (int a = 0; a < m->n_axes; a++) {
                if (m->axis[a].scale > 0) fit_slope(m, a, part);
                fit_levels(m, a, part);
            }
        }
    }
}

/* Of the two parts' sum, for that is what a point takes. Few points fit themselves: the prior counts beside them, and the
 * coefficients that were free are taken off their number. */
static double find_spread(const ss_cost_model *m, double *scratch)
{
    size_t n = 0;
    double n_free = 1;
    for (int a = 0; a < m->n_axes; a++) n_free += (m->axis[a].scale > 0) + 0.5 * fmin(m->axis[a].n_levels, 8);
    for (size_t i = 0; i < m->n; i++) {
        const struct observation *o = &m->observation[i];
        double predicted = 0;
        for (int part = 0; part < N_PARTS; part++) predicted += o->predicted[part] * exp(fitted(m, o, part));
        if (predicted > 0) scratch[n++] = log((o->actual[TRAIN] + o->actual[CURVATURE]) / predicted);
    }
    double scale = robust_scale(n, scratch), count = (double)n;
    double squares = count * scale * scale * count / fmax(count - n_free, 0.25 * count + 1);
    return sqrt((squares + prior_weight * prior_spread * prior_spread * 8 / (8 + count)) / (count + prior_weight));
}

void ss_cost_model_fit(ss_cost_model *m)
{
    double *scratch = ss_alloc(m->n, sizeof *scratch);
    if (!scratch || m->n == 0) { /* memory is gone: the old coefficients are as good as they were */
        ss_free(scratch);
        return;
    }
    for (int part = 0; part < N_PARTS; part++) fit_part(m, part, scratch);
    m->spread = find_spread(m, scratch);
    m->n_fitted = m->n_learnt;
    ss_free(scratch);
}

/* ---- predicting ------------------------------------------------------------------------------------------------------- */

static ss_cost scaled(ss_cost c, const double log_factor[N_PARTS])
{
    c.train_s *= exp(log_factor[TRAIN]);
    c.curvature_s *= exp(log_factor[CURVATURE]);
    return c;
}

ss_cost ss_cost_model_correct(const ss_cost_model *m, const ss_settings *s, ss_cost predicted)
{
    double sum[N_PARTS] = {m->mean[TRAIN], m->mean[CURVATURE]};
    for (int i = 0; i < m->n_axes; i++) {
        const struct axis *a = &m->axis[i];
        double x = x_of(a, s);
        int level = level_of(a, s);
        for (int part = 0; part < N_PARTS; part++) sum[part] += a->slope[part] * x + (level < 0 ? 0 : a->level[part][level]);
    }
    return scaled(predicted, sum);
}

ss_cost ss_cost_model_correct_point(const ss_cost_model *m, const ss_grid *grid, size_t point, ss_cost predicted)
{
    size_t digit[SS_MAX_AXES];
    double sum[N_PARTS] = {m->mean[TRAIN], m->mean[CURVATURE]};
    ss_grid_digits(grid, point, digit);
    for (int i = 0; i < m->n_axes; i++) {
        const struct axis *a = &m->axis[i];
        for (int part = 0; part < N_PARTS; part++)
            sum[part] += a->slope[part] * a->x[digit[i]] + (a->n_levels ? a->level[part][digit[i]] : 0);
    }
    return scaled(predicted, sum);
}

double ss_cost_model_spread(const ss_cost_model *m)
{
    return m->spread;
}

double ss_cost_model_sum_spread(const ss_cost_model *m, size_t n, const double *cost_s)
{
    double sum = 0, squares = 0;
    for (size_t i = 0; i < n; i++) {
        sum += cost_s[i];
        squares += cost_s[i] * cost_s[i];
    }
    if (!(sum > 0)) return 0;
    double own = squares / (sum * sum), common = (1.0 + m->n_axes) / ((double)m->n + 1.0 + m->n_axes);
    return m->spread * sqrt(own + common);
}
