/* cmd_plan.c - the grid, what is done of it, and what the rest will cost. Runs nothing but a short timing. */
#include <math.h>
#include <unistd.h>

#include "app.h"
#include "table.h"
#include "trial.h"

typedef struct plan {
    ss_job *job;
    ss_study *study;
    char *results;
    size_t n, n_done;
    bool *done;                   /* (n) */
    ss_cost *cost;                /* (n) at most: all of max_epochs */
    ss_forecast *forecast;        /* expected, corrected by what the results file has measured */
    double flops_per_s;
    bool assumed;                 /* it could not be measured */
} plan;

static void plan_finish(plan *p)
{
    ss_study_destroy(p->study);
    ss_job_destroy(p->job);
    ss_free(p->results);
    ss_free(p->done);
    ss_free(p->cost);
    ss_forecast_destroy(p->forecast);
}

static int plan_open(plan *p, const ss_arguments *arguments, ss_error *error)
{
    p->job = ss_job_load(arguments->operand, error);
    if (!p->job) return -1;
    p->results = ss_results_path(p->job, arguments->value[0], error);
    p->study = p->results ? ss_study_create(p->job, error) : NULL;
    if (!p->study) return -1;
    p->n = ss_grid_count(ss_study_grid(p->study));
    p->done = ss_alloc(p->n, sizeof *p->done);
    p->cost = ss_alloc(p->n, sizeof *p->cost);
    if (!p->done || !p->cost) return ss_fail(error, "no memory for %zu points", p->n);
    if (ss_done_check(p->study, p->results, error)) return -1; /* first: a forecast of what would not run is none */
    if (ss_done_mark(p->study, p->results, p->done, &p->n_done, error)) return -1;
    p->flops_per_s = ss_probe_study(p->study, &p->assumed);
    ss_study_costs(p->study, p->flops_per_s, p->cost);
    p->forecast = ss_forecast_of(p->study, p->results, p->flops_per_s, error);
    return p->forecast ? 0 : -1;
}

static void print_axis(const ss_axis *axis)
{
    for (int k = 0; k < axis->n_keys; k++) {
        printf("  %s%-24s %4d  ", k ? "+ " : "  ", axis->key[k]->name, axis->n_values);
        for (int v = 0; v < axis->n_values && v < 12; v++)
            printf("%s%s", v ? ", " : "", ss_printable_of(axis->text[k][v]).text);
        printf("%s\n", axis->n_values > 12 ? ", ..." : "");
    }
}

static void print_grid(const plan *p)
{
    size_t product = 1;
    for (int a = 0; a < p->job->n_axes; a++) product *= (size_t)p->job->axes[a].n_values;
    printf("%s: %zu %s", ss_printable_of(p->job->path).text, p->n, p->n == 1 ? "point" : "points");
    if (product > p->n) printf(" (%zu combinations, %zu excluded)", product, product - p->n);
    printf(", %zu done, %zu to do\n", p->n_done, p->n - p->n_done);
    for (int a = 0; a < p->job->n_axes; a++) print_axis(&p->job->axes[a]);
}

typedef struct total { double train_s, curvature_s, most_s, longest_s; size_t longest, largest; } total;

/* Sums over what is left; left (n) gets its expected seconds and *n_left their number. */
static total sum_costs(const plan *p, double *left, size_t *n_left)
{
    total t = {0};
    *n_left = 0;
    for (size_t i = 0; i < p->n; i++) {
        if (p->done[i]) continue;
        ss_cost c = ss_forecast_point(p->forecast, i);
        double point_s = c.train_s + c.curvature_s;
        left[(*n_left)++] = point_s;
        t.train_s += c.train_s;
        t.curvature_s += c.curvature_s;
        t.most_s += p->cost[i].train_s + p->cost[i].curvature_s;
        if (*n_left == 1 || p->cost[i].memory_bytes > p->cost[t.largest].memory_bytes) t.largest = i;
        if (point_s > t.longest_s) {
            t.longest_s = point_s;
            t.longest = i;
        }
    }
    return t;
}

/* Of the point that needs the most: all of it, and what products with the Hessian keep (see jobs/README.md, Memory). */
static void print_memory(const ss_cost *c)
{
    printf("memory        %.0f MiB per working rank\n", c->memory_bytes / (1 << 20));
    printf("curvature     keeps %.0f MiB between products: ", c->kept_bytes / (1 << 20));
    if (c->deltas >= c->n_batches) printf("activations and deltas\n");
    else if (c->activations >= c->n_batches)
        printf("activations, and deltas of %.0f of %.0f batches (more: curvature_memory)\n", c->deltas, c->n_batches);
    else printf("activations of %.0f of %.0f batches (more: curvature_memory)\n", c->activations, c->n_batches);
}

/* What is to be known of two measures before they are taken: subsets that do not compare with lambda_max (of fewer examples it
 * is larger), and how much of the results spectra will be. */
static void print_measures(const plan *p)
{
    double nodes = 0;
    uint32_t fewest = UINT32_MAX, examples = 0;
    for (size_t i = 0; i < p->n; i++) {
        ss_settings s;
        ss_grid_settings(ss_study_grid(p->study), i, &s);
        uint32_t n_train = ss_study_data(p->study, &s)->train.n, size = ss_model_subset_examples(&s, n_train);
        uint32_t own = s.curvature_examples == SS_WORD ? n_train : (uint32_t)s.curvature_examples;
        if (size < own && size < fewest) fewest = size, examples = own;
        nodes = fmax(nodes, p->cost[i].nodes);
    }
    if (examples)
        printf("warning       lambda_subsets have %u examples and lambda_max %u: of fewer it is larger, so their mean lies above "
               "it;\n              write curvature_examples: %u for an error bar of lambda_max\n", fewest, examples, fewest);
    if (nodes > 0)
        printf("spectra       at most %.0f nodes a point, for %zu points %.2g MiB in the results file and as much in the "
               "journal\n", nodes, p->n, nodes * (double)p->n * 2 * sizeof(double) / (1 << 20));
}

/* "5 min 20 s", nine times in ten from LOW to HIGH. */
static void print_interval(double seconds, double spread)
{
    char text[3][SS_TIME_BYTES];
    double factor = exp(1.645 * spread);
    ss_duration_format(seconds, text[0]);
    ss_duration_format(seconds / factor, text[1]);
    ss_duration_format(seconds * factor, text[2]);
    printf("%s, nine times in ten from %s to %s", text[0], text[1], text[2]);
}

static void print_basis(const plan *p)
{
    const ss_cost_model *model = ss_forecast_model(p->forecast);
    size_t n = ss_cost_model_count(model);
    printf("\nspeed         %.3g GFLOP/s on one core, %s on %s\n", p->flops_per_s / 1e9,
           p->assumed ? "assumed" : "measured with gradients of this job's largest network", ss_printable_of(ss_cpu_name()).text);
    if (n)
        printf("predicted     from the work, corrected by %zu finished %s of %s; one point scatters by a factor of %.2g\n",
               n, n == 1 ? "point" : "points", ss_printable_of(p->results).text, exp(ss_cost_model_spread(model)));
    else
        printf("predicted     from the work alone, and rough: no point has been measured yet (a factor of %.2g either "
               "way)\n", exp(ss_cost_model_spread(model)));
}

static void print_costs(const plan *p, int n_ranks, const total *t, const double *left, size_t n_left)
{
    char text[SS_TIME_BYTES], place[256];
    int n_workers = n_ranks > 1 ? n_ranks - 1 : 1;
    double all_s = t->train_s + t->curvature_s, wall_s = ss_cost_makespan(n_left, left, n_workers);
    print_basis(p);
    printf("core-hours    %.3g expected (training %.0f %%, curvature %.0f %%)", all_s / 3600, 100 * t->train_s / all_s,
           100 * t->curvature_s / all_s);
    if (ss_cost_model_count(ss_forecast_model(p->forecast)) == 0)
        printf("; %.3g if every point needs all of its max_epochs", t->most_s / 3600);
    ss_duration_format(t->longest_s, text);
    ss_point_describe(p->job, ss_study_grid(p->study), t->longest, place, sizeof place);
    printf("\nlongest point %s: point %zu %s\n", text, t->longest, ss_printable_of(place).text);
    print_memory(&p->cost[t->largest]);
    printf("wall time     ");
    print_interval(wall_s, ss_cost_model_sum_spread(ss_forecast_model(p->forecast), n_left, left));
    printf(",\n              on %d %s (%d working, busy %.0f %% of the time)\n", n_ranks, n_ranks == 1 ? "rank" : "ranks",
           n_workers, wall_s > 0 ? 100 * all_s / (wall_s * n_workers) : 100);
}

int ss_cmd_plan(const ss_arguments *arguments, ss_error *error)
{
    plan p = {0};
    double *left = NULL;
    int64_t n_ranks = sysconf(_SC_NPROCESSORS_ONLN);
    int status = SS_EXIT_USAGE;
    if (arguments->value[1] && ss_number_argument("ranks", arguments->value[1], 1, 1000000, &n_ranks, error)) return status;
    if (plan_open(&p, arguments, error)) goto done;
    left = ss_alloc(p.n, sizeof *left);
    if (!left) {
        ss_fail(error, "no memory for %zu points", p.n);
        goto done;
    }
    size_t n_left = 0;
    total t = sum_costs(&p, left, &n_left);
    print_grid(&p);
    if (ss_methods_print(p.study, error)) goto done;
    print_measures(&p);
    if (n_left)
        print_costs(&p, (int)n_ranks, &t, left, n_left);
    else
        printf("\nnothing is left to do: see `sharpsweep show %s`\n", ss_printable_of(p.results).text);
    status = SS_EXIT_OK;
done:
    ss_free(left);
    plan_finish(&p);
    return status;
}
