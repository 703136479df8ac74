/* forecast.c - what every point of a study will take: the count of its work, its share of max_epochs where a target may
 * end it earlier, the cost model's corrections. Before anything is measured only the order counts; then it is seconds. */
#include <math.h>
#include <string.h>

#include "app.h"
#include "trial.h"

/* A few thousand finished points say all that the model can learn. */
enum { MOST_EARLIER = 4000 };

struct ss_forecast {
    const ss_study *study;
    ss_cost_model *model;
    size_t n;
    double flops_per_s, most_effort;
    float *train_s, *curvature_s; /* (n) before correction */
    double *cost_s;               /* (n) corrected */
};

/* The dearest point up to a target is taken to need all of max_epochs, the others less by the square root of what the way
 * grows with: a guess between none and full proportion, for the corrections to improve on. */
static double expected_share(const ss_forecast *f, const ss_settings *s, const ss_work_size *w)
{
    double effort = ss_cost_effort(s, w);
    return effort > 0 && f->most_effort > 0 ? fmin(1, sqrt(effort / f->most_effort)) : 1;
}

static ss_cost expected(const ss_forecast *f, const ss_settings *s, const ss_work_size *w)
{
    ss_cost cost = ss_cost_predict(s, w, f->flops_per_s);
    cost.train_s *= expected_share(f, s, w);
    return cost;
}

static void correct_all(ss_forecast *f)
{
    for (size_t i = 0; i < f->n; i++) {
        ss_cost c = ss_forecast_point(f, i);
        f->cost_s[i] = c.train_s + c.curvature_s;
    }
}

static void count_work(ss_forecast *f)
{
    ss_settings s;
    for (size_t i = 0; i < f->n; i++) {
        ss_grid_settings(ss_study_grid(f->study), i, &s);
        f->most_effort = fmax(f->most_effort, ss_cost_effort(&s, ss_study_work(f->study, &s)));
    }
    for (size_t i = 0; i < f->n; i++) {
        ss_grid_settings(ss_study_grid(f->study), i, &s);
        ss_cost c = expected(f, &s, ss_study_work(f->study, &s));
        f->train_s[i] = (float)c.train_s;
        f->curvature_s[i] = (float)c.curvature_s;
    }
    correct_all(f);
}

ss_forecast *ss_forecast_create(const ss_study *study, double flops_per_s, ss_error *error)
{
    ss_forecast *f = ss_alloc(1, sizeof *f);
    if (!f) goto fail;
    f->study = study;
    f->flops_per_s = flops_per_s;
    f->n = ss_grid_count(ss_study_grid(study));
    f->model = ss_cost_model_create(ss_study_job(study), NULL);
    f->train_s = ss_alloc(f->n, sizeof *f->train_s);
    f->curvature_s = ss_alloc(f->n, sizeof *f->curvature_s);
    f->cost_s = ss_alloc(f->n, sizeof *f->cost_s);
    if (!f->model || !f->train_s || !f->curvature_s || !f->cost_s) goto fail;
    count_work(f);
    return f;
fail:
    ss_forecast_destroy(f);
    ss_fail(error, "no memory to forecast what the points will take");
    return NULL;
}

void ss_forecast_destroy(ss_forecast *f)
{
    if (!f) return;
    ss_cost_model_destroy(f->model);
    ss_free(f->train_s);
    ss_free(f->curvature_s);
    ss_free(f->cost_s);
    ss_free(f);
}

/* A failed point took what it took to fail; one whose network or data are not this job's has no count to compare with. */
void ss_forecast_learn(ss_forecast *f, const ss_settings *s, const ss_record *record)
{
    const ss_work_size *w = ss_study_find_work(f->study, s);
    if (!w || record->status == SS_FAILED || record->status == SS_PENDING) return;
    ss_cost predicted = expected(f, s, w);
    ss_cost_model_learn(f->model, s, &predicted, record->train_s, record->curvature_s);
}

void ss_forecast_learn_point(ss_forecast *f, size_t point, const ss_record *record)
{
    ss_settings s;
    ss_grid_settings(ss_study_grid(f->study), point, &s);
    ss_forecast_learn(f, &s, record);
}

static void learn_row(void *ctx, const ss_settings *s, const ss_record *record)
{
    ss_forecast_learn(ctx, s, record);
}

int ss_forecast_learn_store(ss_forecast *f, ss_store *store, ss_error *error)
{
    return ss_store_sample(store, MOST_EARLIER, learn_row, f, error);
}

void ss_forecast_learn_results(ss_forecast *f, const ss_results *r)
{
    size_t step = r->n / MOST_EARLIER + 1;
    for (size_t i = 0; i < r->n; i += step) {
        ss_settings s = ss_study_job(f->study)->settings;
        ss_record record;
        if (r->status[i] == SS_PENDING || ss_results_settings(r, i, &s)) continue;
        ss_record_init(&record);
        record.status = r->status[i];
        record.train_s = ss_results_number(r, "train_s", i);
        record.curvature_s = ss_results_number(r, "curvature_s", i);
        ss_forecast_learn(f, &s, &record);
    }
}

ss_forecast *ss_forecast_of(const ss_study *study, const char *results, double flops_per_s, ss_error *error)
{
    ss_forecast *f = ss_forecast_create(study, flops_per_s, error);
    if (!f || !ss_store_exists(results)) return f;
    ss_results *r = ss_results_open(results, error);
    if (r) {
        ss_forecast_learn_results(f, r);
        ss_forecast_update(f, true);
        ss_results_destroy(r);
        return f;
    }
    ss_forecast_destroy(f);
    return NULL;
}

bool ss_forecast_update(ss_forecast *f, bool now)
{
    if (ss_cost_model_count(f->model) == 0 || (!now && !ss_cost_model_is_due(f->model))) return false;
    ss_cost_model_fit(f->model);
    correct_all(f);
    return true;
}

bool ss_forecast_rank(ss_forecast *f, ss_queue *queue)
{
    if (!ss_forecast_update(f, false)) return false;
    ss_queue_rank(queue, f->cost_s); /* no memory: the old order is as good as it was */
    return true;
}

/* Before anything is measured the costs are no seconds yet. What may scatter, does: a deviation's reserve. */
bool ss_forecast_keep_back(const ss_forecast *f, ss_queue *queue, double left_s, double checkpoint_s)
{
    bool enough = (checkpoint_s > 0 && left_s >= checkpoint_s) || ss_cost_model_count(f->model) == 0;
    ss_queue_limit(queue, enough ? INFINITY : left_s / exp(ss_cost_model_spread(f->model)));
    return !enough && ss_queue_waiting(queue) > 0 && !ss_queue_has_next(queue);
}

double ss_forecast_spread(const ss_forecast *f)
{
    return ss_cost_model_sum_spread(f->model, f->n, f->cost_s);
}

const double *ss_forecast_costs(const ss_forecast *f)
{
    return f->cost_s;
}

ss_cost ss_forecast_point(const ss_forecast *f, size_t point)
{
    const ss_cost counted = {.train_s = (double)f->train_s[point], .curvature_s = (double)f->curvature_s[point]};
    return ss_cost_model_correct_point(f->model, ss_study_grid(f->study), point, counted);
}

const ss_cost_model *ss_forecast_model(const ss_forecast *f)
{
    return f->model;
}
