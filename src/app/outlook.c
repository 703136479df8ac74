/* outlook.c - how long will a sweep go on? Told from its results file alone, for `status`: neither the data sets nor the
 * networks are at hand, so that a point's work is counted with one network's size for all. What that leaves out, the cost
 * model learns, for the network is an axis like any other. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "app.h"

enum { MOST_ROWS = 4000 };        /* of each kind; of more, as many evenly chosen ones stand for all */
#define NOMINAL_FLOPS_PER_S 5e9
#define LEAST_LEFT 0.1            /* of a running point that has had its time already */

typedef struct outlook {
    const ss_results *r;
    ss_cost_model *model;
    ss_work_size work;
    double most_effort;
} outlook;

int ss_results_settings(const ss_results *r, size_t row, ss_settings *s)
{
    for (size_t k = 0; k < r->n_columns; k++) {
        const ss_column *c = &r->column[k];
        const ss_key *key = c->is_setting || c->is_axis ? ss_key_find(c->name) : NULL;
        if (!key || key->offset == (size_t)-1 || !c->text[row][0]) continue;
        if (ss_key_parse(key, c->text[row], s, NULL)) return -1;
    }
    return 0;
}

double ss_results_number(const ss_results *r, const char *name, size_t row)
{
    const ss_column *c = ss_results_column(r, name);
    return c && c->number ? c->number[row] : NAN;
}

static bool is_measured(const ss_results *r, size_t i)
{
    return r->status[i] != SS_PENDING && r->status[i] != SS_FAILED;
}

static bool is_ahead(const ss_results *r, size_t i)
{
    return r->running[i] || r->status[i] == SS_PENDING;
}

static size_t step_of(const ss_results *r, bool (*belongs)(const ss_results *r, size_t i), size_t *n)
{
    *n = 0;
    for (size_t i = 0; i < r->n; i++) *n += belongs(r, i);
    return *n / MOST_ROWS + 1;
}

/* Of the measured points: mean number of parameters, which stands for the work per example too; the most examples. */
static void guess_work(outlook *o)
{
    double n = 0, sum = 0;
    o->work = (ss_work_size){.n_train = 1, .n_test = 1, .n_parameters = 1};
    for (size_t i = 0; i < o->r->n; i++) {
        double n_parameters = ss_results_number(o->r, "n_parameters", i), n_train = ss_results_number(o->r, "n_train", i);
        if (!is_measured(o->r, i) || !(n_parameters > 0) || !(n_train > 0)) continue;
        sum += n_parameters;
        n++;
        o->work.n_train = fmax(o->work.n_train, n_train);
        o->work.n_test = fmax(o->work.n_test, ss_results_number(o->r, "n_test", i));
    }
    if (n > 0) o->work.n_parameters = o->work.macs_per_example = sum / n;
}

static ss_cost counted(const outlook *o, const ss_settings *s)
{
    ss_cost cost = ss_cost_predict(s, &o->work, NOMINAL_FLOPS_PER_S);
    double effort = ss_cost_effort(s, &o->work);
    if (effort > 0 && o->most_effort > 0) cost.train_s *= fmin(1, sqrt(effort / o->most_effort));
    return cost;
}

static void learn(outlook *o, const ss_settings *defaults)
{
    size_t n, step = step_of(o->r, is_measured, &n), seen = 0;
    for (int pass = 0; pass < 2; pass++) /* the scale of the efforts first */
        for (size_t i = 0; i < o->r->n; i++) {
            ss_settings s = *defaults;
            if (!is_measured(o->r, i) || seen++ % step || ss_results_settings(o->r, i, &s)) continue;
            o->most_effort = fmax(o->most_effort, pass ? 0 : ss_cost_effort(&s, &o->work));
            ss_cost cost = counted(o, &s);
            if (pass) ss_cost_model_learn(o->model, &s, &cost, ss_results_number(o->r, "train_s", i),
                                          ss_results_number(o->r, "curvature_s", i));
        }
    ss_cost_model_fit(o->model);
}

/* What is left of running and waiting points, in `left` (at least MOST_ROWS); their number, and how many each stands for. */
static size_t gather(const outlook *o, const ss_settings *defaults, double *left, double *stands_for, size_t *n_running)
{
    size_t n, step = step_of(o->r, is_ahead, &n), seen = 0, k = 0;
    *n_running = 0;
    for (size_t i = 0; i < o->r->n; i++) {
        ss_settings s = *defaults;
        *n_running += o->r->running[i];
        if (!is_ahead(o->r, i) || seen++ % step || ss_results_settings(o->r, i, &s)) continue;
        ss_cost c = ss_cost_model_correct(o->model, &s, counted(o, &s));
        double cost_s = c.train_s + c.curvature_s;
        if (isfinite(o->r->running_s[i])) cost_s = fmax(cost_s - o->r->running_s[i], LEAST_LEFT * cost_s);
        left[k++] = cost_s;
    }
    *stands_for = k ? (double)n / (double)k : 0;
    return k;
}

static void look_ahead(outlook *o, const ss_settings *defaults, double *left, ss_outlook *out)
{
    size_t n_running;
    double stands_for, sum = 0, longest = 0;
    size_t n = gather(o, defaults, left, &stands_for, &n_running);
    for (size_t i = 0; i < n; i++) {
        sum += left[i];
        longest = fmax(longest, left[i]);
    }
    out->n_measured = ss_cost_model_count(o->model);
    out->n_workers = n_running;
    out->work_s = sum * stands_for;
    if (o->r->writer_alive) /* none running: it is just between two points */
        out->left_s = fmax(out->work_s / (double)(n_running ? n_running : 1), longest);
    out->spread = ss_cost_model_sum_spread(o->model, n, left);
}

int ss_outlook_make(const ss_results *r, ss_outlook *out, ss_error *error)
{
    outlook o = {.r = r};
    *out = (ss_outlook){.left_s = NAN, .work_s = NAN, .spread = NAN};
    ss_job *job = ss_job_parse(r->job_text, "the results file's job", error);
    double *left = ss_alloc(MOST_ROWS + 1, sizeof *left);
    if (job) o.model = ss_cost_model_create(job, error);
    int rc = !o.model ? -1 : left ? 0 : ss_fail(error, "no memory to look ahead");
    if (rc == 0) {
        guess_work(&o);
        learn(&o, &job->settings);
        if (ss_cost_model_count(o.model)) look_ahead(&o, &job->settings, left, out);
    }
    ss_free(left);
    ss_cost_model_destroy(o.model);
    ss_job_destroy(job);
    return rc;
}
