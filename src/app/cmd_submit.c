/* cmd_submit.c - a sweep as a SLURM job whose ranks, memory and time fit what `plan` predicts. */
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app.h"
#include "submit.h"
#include "trial.h"

/* As the commands' table lists them. */
enum { OUTPUT, NODES, RANKS, TIME, PARTITION, ACCOUNT, QOS, MODULES, LAUNCHER, DRY_RUN };

#define TIME_RESERVE 1.25             /* at least: predictions are those of an idle node */
#define MEMORY_RESERVE 1.25
#define NINE_IN_TEN 1.282             /* standard deviations: of ten, nine lie below */
enum { START_MINUTES = 10, LEAST_MINUTES = 3, LONGEST_MINUTES = 24 * 60, RANK_MIB = 256 /* MPI and the program itself */ };

typedef struct work {                 /* what is left to do */
    ss_job *job;
    ss_study *study;
    char *results;
    size_t n_left;
    double *left_s;                   /* (n_left) */
    double longest_s, memory_bytes;
    double spread;                    /* relative standard deviation of the sum of left_s */
    size_t n_measured;                /* points that the prediction was corrected by */
    int64_t threads;
} work;

typedef struct site {                 /* of a node */
    int64_t cores, mib, minutes;      /* 0 MiB: nobody counts it; 0 minutes: no limit */
    bool known;
} site;

static void work_finish(work *w)
{
    ss_study_destroy(w->study);
    ss_job_destroy(w->job);
    ss_free(w->results);
    ss_free(w->left_s);
}

/* Of the points left: their time as `plan` predicts it, their memory at most. */
static void gather(work *w, const ss_forecast *f, const ss_cost *most, const bool *done)
{
    w->threads = 1;
    for (size_t i = 0; i < ss_grid_count(ss_study_grid(w->study)); i++) {
        ss_settings s;
        if (done[i]) continue;
        ss_grid_settings(ss_study_grid(w->study), i, &s);
        ss_cost expected = ss_forecast_point(f, i);
        double point_s = expected.train_s + expected.curvature_s;
        w->left_s[w->n_left++] = point_s;
        if (point_s > w->longest_s) w->longest_s = point_s;
        if (most[i].memory_bytes > w->memory_bytes) w->memory_bytes = most[i].memory_bytes;
        if (s.threads > w->threads) w->threads = s.threads;
    }
    w->n_measured = ss_cost_model_count(ss_forecast_model(f));
    w->spread = ss_cost_model_sum_spread(ss_forecast_model(f), w->n_left, w->left_s);
}

static int predict(work *w, ss_cost *most, const bool *done, ss_error *error)
{
    bool assumed;
    double flops_per_s = ss_probe_study(w->study, &assumed);
    ss_forecast *f = ss_forecast_of(w->study, w->results, flops_per_s, error);
    if (!f) return -1;
    ss_study_costs(w->study, flops_per_s, most);
    gather(w, f, most, done);
    ss_forecast_destroy(f);
    return 0;
}

static int work_open(work *w, const ss_arguments *arguments, ss_error *error)
{
    w->job = ss_job_load(arguments->operand, error);
    if (w->job) w->results = ss_results_path(w->job, arguments->value[OUTPUT], error);
    if (w->results) w->study = ss_study_create(w->job, error);
    if (!w->study) return -1;
    size_t n = ss_grid_count(ss_study_grid(w->study)), n_done = 0;
    bool *done = ss_alloc(n, sizeof *done);
    ss_cost *cost = ss_alloc(n, sizeof *cost);
    w->left_s = ss_alloc(n, sizeof *w->left_s);
    int rc = done && cost && w->left_s ? 0 : ss_fail(error, "no memory for %zu points", n);
    if (rc == 0) rc = ss_done_check(w->study, w->results, error);
    if (rc == 0) rc = ss_done_mark(w->study, w->results, done, &n_done, error);
    if (rc == 0) rc = predict(w, cost, done, error);
    ss_free(done);
    ss_free(cost);
    return rc;
}

enum { SINFO_LIMIT_S = 600 }; /* it gives up by itself, but a busy controller may take minutes */

/* What SLURM says of the smallest node of the partition, or of the default one, which it marks with a star; this machine's
 * cores where there is no SLURM. */
static site ask_site(const char *partition)
{
    char out[4096], *rest = out, *line;
    const char *argv[] = {"sinfo", "-h", "-o", "%P %c %m %l", partition ? "-p" : NULL, partition, NULL};
    site s = {sysconf(_SC_NPROCESSORS_ONLN), 0, 0, false};
    if (ss_process_read(argv, SINFO_LIMIT_S, out, sizeof out) != 0) return s;
    while ((line = strsep(&rest, "\n")) != NULL) {
        char name[256], cores_text[32], mib_text[32], limit[64];
        int64_t minutes = 0;
        if (sscanf(line, "%255s %31s %31s %63s", name, cores_text, mib_text, limit) != 4) continue; /* "main* 64+ 192000+ 1-00" */
        if (!partition && !strchr(name, '*')) continue;
        long long cores = strtoll(cores_text, NULL, 10), mib = strtoll(mib_text, NULL, 10);
        if (cores < 1) continue;
        if (ss_slurm_minutes(limit, &minutes, NULL)) minutes = 0; /* infinite */
        if (!s.known || cores < s.cores) s.cores = cores;
        if (!s.known || mib < s.mib) s.mib = mib > 1 ? mib : 0; /* 1 is what SLURM says where it was told nothing */
        if (minutes > 0 && (s.minutes == 0 || minutes < s.minutes)) s.minutes = minutes;
        s.known = true;
    }
    return s;
}

/* By what the predicted time is multiplied, so that one in six sweeps or fewer need more. */
static double reserve(const work *w)
{
    return fmax(TIME_RESERVE, exp(w->spread));
}

/* The fewest workers that are done in time; all that are of use where none are. */
static int64_t workers_within(const work *w, double time_s, int64_t most)
{
    int64_t low = 1, high = most;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (ss_cost_makespan(w->n_left, w->left_s, (int)middle) <= time_s) high = middle;
        else low = middle + 1;
    }
    return low;
}

/* How many ranks go on a node, by its cores and its memory. */
static int fit_node(const work *w, const site *place, ss_submission *s, int64_t *per_node, ss_error *error)
{
    int64_t mib = (int64_t)ceil(w->memory_bytes / (1 << 20) * MEMORY_RESERVE) + RANK_MIB;
    *per_node = place->cores / w->threads > 0 ? place->cores / w->threads : 1;
    s->rank_mib = mib;
    if (!place->mib) return 0;
    if (mib > place->mib)
        return ss_fail(error, "a rank needs %lld MiB, a node has %lld: choose a partition with larger nodes (--partition)",
                       (long long)mib, (long long)place->mib);
    if (place->mib / mib < *per_node) *per_node = place->mib / mib;
    s->memory_mib = mib;
    return 0;
}

static int fit(const work *w, const site *place, ss_submission *s, ss_error *error)
{
    int64_t per_node;
    s->threads = w->threads;
    if (fit_node(w, place, s, &per_node, error)) return -1;
    int64_t most = per_node * (s->n_nodes ? s->n_nodes : 1);
    if (most > (int64_t)w->n_left) most = (int64_t)w->n_left;
    bool in_time = s->minutes && !s->n_nodes;
    if (!s->n_workers) s->n_workers = in_time ? workers_within(w, (double)s->minutes * 60 / reserve(w), most) : most;
    if (s->n_workers > (int64_t)w->n_left)
        return ss_fail(error, "--ranks %lld: only %zu %s left, and a rank works on one at a time; ask for fewer, or leave the "
                       "choice to submit", (long long)s->n_workers, w->n_left, w->n_left == 1 ? "point is" : "points are");
    if (s->n_nodes > s->n_workers)
        return ss_fail(error, "--nodes %lld: only %lld ranks have work; ask for fewer nodes, or --ranks", (long long)s->n_nodes,
                       (long long)s->n_workers);
    if (!s->minutes) {
        double need_s = ss_cost_makespan(w->n_left, w->left_s, (int)s->n_workers) * reserve(w);
        int64_t longest = place->minutes ? place->minutes : LONGEST_MINUTES;
        s->minutes = need_s / 60 + START_MINUTES < (double)longest ? (int64_t)ceil(need_s / 60) + START_MINUTES : longest;
    }
    if (s->minutes < LEAST_MINUTES)
        return ss_fail(error, "a time limit of %lld min is too short: SLURM may ask the sweep to stop a minute early, and it "
                       "has to begin and to save within the rest; at least %d are needed (--time, --partition)",
                       (long long)s->minutes, LEAST_MINUTES);
    /* A quarter of a short job, 5 minutes of a long one, to stop in: SLURM's signal may be a minute early. */
    s->stop_s = s->minutes >= 20 ? 300 : s->minutes * 60 / 4;
    return 0;
}

static void explain(const work *w, const ss_submission *s, const site *place, FILE *out)
{
    char wall[SS_TIME_BYTES], most[SS_TIME_BYTES], longest[SS_TIME_BYTES], limit[SS_TIME_BYTES];
    double need_s = ss_cost_makespan(w->n_left, w->left_s, (int)s->n_workers);
    ss_duration_format(need_s, wall);
    ss_duration_format(need_s * exp(NINE_IN_TEN * w->spread), most);
    ss_duration_format(w->longest_s, longest);
    ss_duration_format((double)s->minutes * 60, limit);
    fprintf(out, "# %zu points left on %lld working ranks: about %s, nine times in ten less than %s; longest point %s\n",
            w->n_left, (long long)s->n_workers, wall, most, longest);
    fprintf(out, "# (by this machine's speed, corrected by %zu finished points)\n", w->n_measured);
    fprintf(out, "# %lld MiB per rank, time limit %s%s\n", (long long)s->rank_mib, limit,
            need_s > (double)(s->minutes * 60 - s->stop_s) ? "; what does not fit in is done after a requeue" : "");
    if (!place->known) fprintf(out, "# no answer from sinfo: nodes are taken to have %lld cores\n", (long long)place->cores);
}

static int absolute(const char *path, char out[PATH_MAX], ss_error *error)
{
    char folder[PATH_MAX];
    if (path[0] == '/') {
        if (snprintf(out, PATH_MAX, "%s", path) < PATH_MAX) return 0;
    } else if (getcwd(folder, sizeof folder) && snprintf(out, PATH_MAX, "%s/%s", folder, path) < PATH_MAX) {
        return 0;
    }
    return ss_fail(error, "%.80s...: path of more than %d bytes", path, PATH_MAX - 1);
}

static int hand_over(const char *script, ss_error *error)
{
    const char *argv[] = {"sbatch", NULL};
    fflush(stdout);
    int status = ss_process_feed(argv, script);
    if (status == 0) return SS_EXIT_OK;
    if (status == 127 || status < 0)
        ss_fail(error, "sbatch cannot be started: run this on a login node of the cluster, or see the script with --dry-run");
    else
        ss_fail(error, "sbatch refused the script with status %d; its reason stands above", status);
    return SS_EXIT_USAGE;
}

static int check_launcher(const char *launcher, ss_error *error)
{
    static const char *const known[] = {"auto", "mpirun", "srun", "none"};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (!launcher || strcmp(launcher, known[i]) == 0) return 0;
    return ss_fail(error, "--launcher %s: one of auto, mpirun, srun, none is expected", launcher);
}

/* What the command line says; 0 and NULL where it says nothing. */
static int read_options(const ss_arguments *arguments, ss_submission *s, ss_error *error)
{
    const char *const *value = arguments->value;
    *s = (ss_submission){.partition = value[PARTITION], .account = value[ACCOUNT], .qos = value[QOS],
                         .modules = value[MODULES], .launcher = value[LAUNCHER]};
    if (value[NODES] && ss_number_argument("nodes", value[NODES], 1, 100000, &s->n_nodes, error)) return -1;
    if (value[RANKS] && ss_number_argument("ranks", value[RANKS], 1, 1000000, &s->n_workers, error)) return -1;
    if (value[TIME] && ss_slurm_minutes(value[TIME], &s->minutes, error)) return -1;
    return check_launcher(s->launcher, error) || ss_submission_check(s, error) ? -1 : 0;
}

static int write_script(const work *w, const char *job_path, ss_submission *s, char **script, ss_error *error)
{
    static char job[PATH_MAX], results[PATH_MAX], program[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", program, sizeof program - 1);
    if (n <= 0) return ss_fail(error, "/proc/self/exe cannot be read");
    if (absolute(job_path, job, error) || absolute(w->results, results, error)) return -1;
    s->program = program;
    s->job = job;
    s->results = results;
    s->name = strrchr(job, '/') + 1;
    site place = ask_site(s->partition);
    if (fit(w, &place, s, error)) return -1;
    *script = ss_submission_script(s, error);
    if (*script) explain(w, s, &place, stderr);
    return *script ? 0 : -1;
}

int ss_cmd_submit(const ss_arguments *arguments, ss_error *error)
{
    work w = {0};
    ss_submission s;
    char *script = NULL;
    int status = SS_EXIT_USAGE;
    if (read_options(arguments, &s, error) || work_open(&w, arguments, error)) goto done;
    if (w.n_left == 0) {
        printf("%s: nothing is left to do; see `sharpsweep show`\n", ss_printable_of(w.results).text);
        status = SS_EXIT_OK;
        goto done;
    }
    if (write_script(&w, arguments->operand, &s, &script, error)) goto done;
    fputs(script, stdout);
    status = arguments->value[DRY_RUN] ? SS_EXIT_OK : hand_over(script, error);
done:
    ss_free(script);
    work_finish(&w);
    return status;
}
