/* cmd_run.c - the sweep: opens what is needed on every rank, lets the farm carry points and records, says how it ended. */
#include <math.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app.h"
#include "fault.h"
#include "trial.h"

static bool should_stop(void *ctx);

typedef struct sweep {
    ss_job *job;
    ss_study *study;
    char *results;
    char *whole;                  /* rank 0: the results file of which this run computes a slice; NULL: it computes all */
    const char *status_file;      /* rank 0: where scripts read how it ended; NULL: nowhere */
    ss_slice slice;
    char *weights_dir;            /* NULL: no weights are kept */
    bool parallel;                /* other ranks work */
    char checkpoints[4096];       /* the folder of the points in the making */
    bool checkpoint_trouble_told;
    ss_trial trial;
    /* rank 0 */
    ss_store *store;
    ss_queue *queue;
    ss_progress *progress;
    ss_progress_mode mode;
    ss_forecast *forecast;        /* what each point will take */
    size_t n_started;
    bool *done_aside;             /* (n) a slice: the whole has this point; NULL: no slice */
    bool kept_back;               /* points wait that cannot reach a checkpoint in the time left */
    int64_t *attempt;             /* (n) the running attempt's number */
    ss_stop_file stop_file;
    double start_s;
    struct timespec started;      /* when this run began, as files are dated */
    const char *stopped_by;       /* why a stop was asked for; NULL: it was not */
    bool saved;                   /* the results file was rebuilt when the stop began */
    size_t n, n_sliced, n_mine;   /* points; of this slice; of these, what the whole has done aside */
    size_t n_before, n_kept, n_failed, n_diverged;
    ss_error trouble;             /* an error of a callback that cannot return one; "": none */
} sweep;

/* ---- opening: the same on all ranks, each step agreed on ------------------------------------------------------------ */

/* Every rank learns of any rank's failure; rank 0 alone will say it, unless it may be the one that is missing. */
static int agree(bool ok, ss_error *error)
{
    if (ss_farm_agree(ok, error) == 0) return 0;
    if (ss_farm_rank() != 0 && !ss_farm_is_whole()) ss_log(SS_LOG_WARNING, "%s", error->text);
    return -1;
}

/* A slice has a results file of its own. */
static int take_slice(sweep *s, ss_error *error)
{
    if (s->slice.n < 2) return 0;
    s->whole = s->results;
    s->results = ss_slice_path(&s->slice, s->whole, error);
    return s->results ? 0 : -1;
}

static int check_status_file(sweep *s, const char *job_path, ss_error *error)
{
    const char *path = s->status_file;
    s->status_file = NULL;        /* it is not ours to write */
    if (ss_status_file_check(path, job_path, s->results, error) || ss_status_file_check(path, NULL, s->whole, error)) return -1;
    s->status_file = path;
    return 0;
}

/* Rank 0: job and results file. A job that cannot be read gives results their usual name: word of that must not go there. */
static int load_job(sweep *s, const char *path, const char *output, ss_error *error)
{
    ss_error unreadable = {{0}};
    ss_job nameless = {.path = ss_strdup(path)};
    if (!nameless.path) return ss_fail(error, "no memory for %s", path);
    s->job = ss_job_load(path, &unreadable);
    s->results = ss_results_path(s->job ? s->job : &nameless, output, error);
    ss_free(nameless.path);
    bool named = s->results && take_slice(s, error) == 0;
    if (named && check_status_file(s, path, error)) return -1;
    if (!s->job) *error = unreadable;
    if (!s->job || !named) return -1;
    /* Before anything that may wait: scripts take a rank 0 that does not say that it runs for one that hangs. */
    ss_status_file_begin(s->status_file);
    return 0;
}

/* Rank 0's job, path and results file on every rank, whatever they see of the file system. */
static int share_job(sweep *s, const char *path, const char *output, ss_error *error)
{
    unsigned char *bytes = NULL;
    size_t n_bytes = 0;
    bool root = ss_farm_rank() == 0;
    if (root && load_job(s, path, output, error) == 0) {
        const char *const texts[] = {s->job->path, s->job->text, s->results};
        bytes = ss_texts_pack(texts, 3, &n_bytes);
        if (!bytes) ss_fail(error, "no memory for the job's text");
    }
    if (agree(!root || bytes, error) || ss_farm_broadcast(&bytes, &n_bytes, error)) {
        ss_free(bytes);
        return -1;
    }
    bool ok = true;
    if (!root) {
        s->job = ss_job_parse(ss_texts_at(bytes, 1), ss_texts_at(bytes, 0), error);
        s->results = ss_strdup(ss_texts_at(bytes, 2));
        ok = s->job && s->results;
        if (s->job && !s->results) ss_fail(error, "no memory for the name of the results file");
    }
    ss_free(bytes);
    return agree(ok, error);
}

/* Every data set of the job is the same on all ranks: digest and path of each, in the grid's order, are rank 0's. */
static int check_digests(const sweep *s, ss_error *error)
{
    size_t n = ss_study_n_data(s->study), n_bytes = 0;
    bool root = ss_farm_rank() == 0, same = true;
    unsigned char *bytes = NULL;
    const char **mine = ss_alloc(2 * n, sizeof *mine);
    for (size_t i = 0; mine && i < n; i++) {
        mine[2 * i] = ss_study_data_at(s->study, i)->digest;
        mine[2 * i + 1] = ss_study_data_at(s->study, i)->path;
    }
    if (root && mine) bytes = ss_texts_pack(mine, 2 * n, &n_bytes);
    bool ok = mine && (!root || bytes);
    if (!ok) ss_fail(error, "no memory for the digests of %zu data sets", n);
    if (agree(ok, error) || ss_farm_broadcast(&bytes, &n_bytes, error)) goto fail;
    const char *theirs = (const char *)bytes;
    for (size_t i = 0; bytes && same && i < n; i++) {
        const char *path = theirs + strlen(theirs) + 1;
        same = strcmp(mine[2 * i], theirs) == 0;
        if (!same) ss_fail(error, "the data set in %s differs from rank 0's in %s; every node needs the same files",
                           mine[2 * i + 1], path);
        theirs = path + strlen(path) + 1;
    }
    ss_free(mine);
    ss_free(bytes);
    return agree(same, error);
fail:
    ss_free(mine);
    ss_free(bytes);
    return -1;
}

/* What the whole has, before a file is made for a slice of it: whole results that cannot be read leave none behind. */
static int read_whole(sweep *s, ss_error *error)
{
    size_t n_done = 0;
    s->n = ss_grid_count(ss_study_grid(s->study));
    if (!s->whole) return 0;
    if (!(s->done_aside = ss_alloc(s->n, sizeof *s->done_aside))) return ss_fail(error, "no memory for %zu points", s->n);
    return ss_done_mark(s->study, s->whole, s->done_aside, &n_done, error);
}

static int open_store(sweep *s, ss_error *error)
{
    const ss_provenance provenance = ss_study_provenance(s->study, s->parallel ? ss_farm_describe() : "none");
    ss_fault_delay("open");
    if (read_whole(s, error)) return -1;
    s->store = ss_store_open(s->results, s->job, ss_study_grid(s->study), &provenance, error);
    return s->store ? 0 : -1;
}

/* Orders of magnitude are enough to hand out the longest point first; the unit cancels out. */
#define NOMINAL_FLOPS_PER_S 5e9

/* What is finished, in the slice's own results or in the whole's, and what other slices compute. */
static void skip_points(sweep *s)
{
    for (size_t i = 0; i < s->n; i++) {
        bool aside = s->done_aside && s->done_aside[i], finished = ss_store_is_finished(s->store, i);
        bool mine = ss_slice_has(&s->slice, i) && !aside;
        s->n_sliced += ss_slice_has(&s->slice, i);
        s->n_mine += mine;
        s->n_before += mine && finished;
        if (mine && !finished) continue;
        ss_queue_skip(s->queue, i);
        ss_progress_skip(s->progress, i);
    }
}

static int make_queue(sweep *s, ss_error *error)
{
    s->attempt = ss_alloc(s->n, sizeof *s->attempt);
    if (!s->attempt) return ss_fail(error, "no memory for a queue of %zu points", s->n);
    if (ss_stop_file_find(&s->stop_file, s->results, error)) return -1;
    ss_stop_file_drop_old(&s->stop_file, s->started);
    s->forecast = ss_forecast_create(s->study, NOMINAL_FLOPS_PER_S, error);
    if (!s->forecast || ss_forecast_learn_store(s->forecast, s->store, error)) return -1;
    ss_forecast_update(s->forecast, true);
    const double *cost_s = ss_forecast_costs(s->forecast);
    s->queue = ss_queue_create(s->n, cost_s, error);
    if (!s->queue) return -1;
    s->progress = ss_progress_create(s->job, ss_study_grid(s->study), cost_s, s->mode, error);
    if (!s->progress) return -1;
    skip_points(s);
    return 0;
}

/* Where weights go, which the store knows, on every rank. */
static int share_weights_dir(sweep *s, ss_error *error)
{
    char path[4096] = "";
    unsigned char *bytes = NULL;
    size_t n_bytes = 0;
    bool root = ss_farm_rank() == 0, ok = true;
    if (root) {
        ok = !s->job->settings.save_weights || ss_store_weights_path(s->store, 0, path, sizeof path) == 0;
        if (!ok) ss_fail(error, "%s: the name is too long to put weights beside it", s->results);
        char *slash = strrchr(path, '/');
        if (slash) *slash = '\0';
        const char *const texts[] = {path};
        if (ok && !(bytes = ss_texts_pack(texts, 1, &n_bytes))) ok = ss_fail(error, "no memory for a path") == 0;
    }
    if (agree(ok, error) || ss_farm_broadcast(&bytes, &n_bytes, error)) {
        ss_free(bytes);
        return -1;
    }
    s->weights_dir = (char *)bytes;
    return 0;
}

/* Whoever runs trials tells its trial server what they need. */
static int open_crew(sweep *s, ss_error *error)
{
    ss_error why;
    bool works = ss_crew_is_there() && (!s->parallel || ss_farm_rank() > 0);
    bool keeps = ss_checkpoint_folder(s->results, s->checkpoints, sizeof s->checkpoints, &why) == 0;
    if (!keeps) ss_log(SS_LOG_WARNING, "no checkpoints are kept: %s", why.text);
    s->trial = (ss_trial){s->study, s->weights_dir, should_stop, s, keeps ? s->checkpoints : NULL, &s->checkpoint_trouble_told};
    return agree(!works || ss_crew_open(&s->trial, error) == 0, error);
}

static int open_sweep(sweep *s, const ss_arguments *arguments, ss_error *error)
{
    if (share_job(s, arguments->operand, arguments->value[0], error)) return -1;
    ss_farm_expect_work(true);    /* data are read by some of the ranks */
    s->study = ss_crew_study(s->job, error);
    if (agree(s->study != NULL, error) || check_digests(s, error)) return -1;
    ss_farm_expect_work(ss_farm_rank() != 0); /* results are opened by rank 0, for which the others wait */
    bool ok = ss_farm_rank() != 0 || (open_store(s, error) == 0 && make_queue(s, error) == 0);
    if (agree(ok, error)) return -1;
    ss_farm_expect_work(false);
    if (share_weights_dir(s, error)) return -1;
    ss_farm_expect_work(true);    /* a server may have to read the data anew */
    int rc = open_crew(s, error);
    ss_farm_expect_work(false);
    return rc;
}

/* ---- the farm's callbacks -------------------------------------------------------------------------------------------- */

/* Points wait that would not reach a checkpoint in the time left. Every run gives each worker one point all the same, or points
 * longer than a run (they save their state when it stops) would never begin. */
static void keep_back(sweep *s)
{
    double left_s = ss_time_left_s(s->job->time_limit_s, s->start_s);
    size_t n_workers = s->parallel ? (size_t)ss_farm_size() - 1 : 1;
    bool before = s->kept_back;
    s->kept_back = s->n_started >= n_workers
                   && ss_forecast_keep_back(s->forecast, s->queue, left_s, s->job->checkpoint_interval_s);
    if (s->kept_back && !before)
        ss_log(SS_LOG_INFO, "%zu points wait for another run: none would reach its first checkpoint in the %.0f s left",
               ss_queue_waiting(s->queue), left_s);
}

static bool should_stop(void *ctx)
{
    sweep *s = ctx;
    if (ss_farm_rank() != 0) return ss_signal_came() || ss_farm_stop_requested();
    if (!s->parallel) { /* alone, the line moves and the journal is guarded during a trial too */
        ss_progress_tick(s->progress);
        if (!s->trouble.text[0]) ss_store_guard(s->store, &s->trouble);
    }
    if (s->stopped_by) return true;
    if (ss_signal_came())
        s->stopped_by = "by a signal";
    else if (s->job->time_limit_s > 0 && ss_clock_s() - s->start_s > s->job->time_limit_s)
        s->stopped_by = "at its time limit";
    else if (s->kept_back && ss_queue_running(s->queue) == 0)
        s->stopped_by = "before its time limit, which is too near for another point,";
    else if (ss_stop_file_appeared(&s->stop_file))
        s->stopped_by = "by the stop file";
    else if (s->trouble.text[0])
        s->stopped_by = "by an error";
    return s->stopped_by != NULL;
}

static int run(void *ctx, size_t point, ss_record *record, ss_error *error)
{
    const sweep *s = ctx;
    if (ss_crew_is_there()) return ss_crew_run(&s->trial, point, record, error);
    return ss_trial_run(&s->trial, point, record, error);
}

static int started(void *ctx, size_t point, int worker, ss_error *error)
{
    sweep *s = ctx;
    s->n_started++;
    s->attempt[point] = ss_store_attempts(s->store, point) + 1;
    return ss_store_start(s->store, point, worker, error);
}

static int keep(void *ctx, size_t point, const ss_record *record, ss_error *error)
{
    sweep *s = ctx;
    ss_record numbered = *record; /* shares the series; only the worker does not know the attempt */
    numbered.attempts = s->attempt[point];
    if (ss_store_keep(s->store, point, &numbered, error)) return -1;
    s->n_kept++;
    s->n_failed += record->status == SS_FAILED;
    s->n_diverged += record->status == SS_DIVERGED;
    ss_forecast_learn_point(s->forecast, point, &numbered);
    ss_progress_finished(s->progress, point, &numbered);
    return 0;
}

static void idle(void *ctx)
{
    sweep *s = ctx;
    if (ss_forecast_rank(s->forecast, s->queue)) ss_progress_recount(s->progress, ss_forecast_spread(s->forecast));
    keep_back(s);
    ss_progress_tick(s->progress);
    if (s->trouble.text[0]) return; /* it ends the sweep through should_stop */
    /* A stop rebuilds at once: who stops us may not leave time to wait for the busy workers first. */
    bool now = s->stopped_by && !s->saved;
    ss_store_refresh(s->store, now, &s->trouble);
    s->saved = s->saved || now;
}

/* ---- running and closing ------------------------------------------------------------------------------------------------ */

static ss_farm_end run_farm(sweep *s, ss_error *error)
{
    const ss_job *job = s->job;
    const ss_farm_limits limits = {
        .retries = {[SS_STOP_CRASH] = job->crash_retries, [SS_STOP_TIMEOUT] = job->timeout_retries,
                    [SS_STOP_MEMORY] = job->memory_retries},
        .worker_silence_s = job->worker_silence_s, .stop_grace_s = job->stop_grace_s,
    };
    const ss_farm_calls calls = {s, run, started, keep, idle, should_stop, &limits};
    if (ss_farm_rank() != 0) return ss_farm_work(&calls, error);
    return s->parallel ? ss_farm_schedule(s->queue, &calls, error) : ss_farm_serial(s->queue, &calls, error);
}

static void print_summary(const sweep *s, ss_farm_end end)
{
    char took[SS_TIME_BYTES], how[64] = "";
    const ss_printable shown = ss_printable_of(s->results);
    const char *results = shown.text;
    size_t n_failed = s->n_failed, n_finished = s->n_before + s->n_kept - n_failed;
    ss_duration_format(ss_clock_s() - s->start_s, took);
    if (s->n_diverged) snprintf(how, sizeof how, " (%zu of this run diverged)", s->n_diverged);
    if (end == SS_FARM_STOPPED)
        printf("%s: stopped %s after %s with %zu of %zu points finished%s; run the same command again to go on\n", results,
               s->stopped_by ? s->stopped_by : "by a signal", took, n_finished, s->n_mine, how);
    else if (s->n_mine == 0)
        printf("%s: nothing to do: slice %zu/%zu of the %zu %s has %s\n", results, s->slice.i, s->slice.n, s->n,
               s->n == 1 ? "point" : "points", s->n_sliced ? "only points that the whole has finished" : "none of them");
    else if (s->n_kept == 0)
        printf("%s: all %zu points were finished already; see them with `sharpsweep show %s`\n", results, s->n_mine,
               results);
    else if (n_failed)
        printf("%s: %zu of %zu points finished%s, %zu failed in %s; see why with `sharpsweep status %s`, run again to retry\n",
               results, n_finished, s->n_mine, how, n_failed, took, results);
    else
        printf("%s: %zu of %zu points finished%s, %zu of them now in %s; see them with `sharpsweep show %s`\n", results,
               n_finished, s->n_mine, how, s->n_kept, took, results);
}

static bool has_weights(const sweep *s, size_t i)
{
    char path[4096];
    struct stat st;
    return ss_store_weights_path(s->store, i, path, sizeof path) == 0 && stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

/* Weights are written when a point ends: for those that were finished without, say so, and where there are some of that name.
 * Diverged ones have none to keep. */
static void tell_missing_weights(const sweep *s)
{
    size_t n_kept = 0, n_missing = 0, missing = 0;
    char elsewhere[4096] = "";
    for (size_t i = 0; s->job->settings.save_weights && i < s->n; i++) {
        ss_status status = ss_store_status(s->store, i);
        if (status != SS_DONE && status != SS_EPOCH_LIMIT) continue;
        bool there = has_weights(s, i);
        n_kept += there;
        n_missing += !there;
        if (!there) missing = i;
    }
    if (n_missing && ss_store_weights_astray(s->store, missing, elsewhere, sizeof elsewhere) == 0)
        ss_log(SS_LOG_WARNING, "%s: %zu of %zu trained points have no weights file in %s, but %s has them: it was not renamed "
               "along with the results; rename it", s->results, n_missing, n_missing + n_kept, s->weights_dir, elsewhere);
    else if (n_missing)
        ss_log(SS_LOG_WARNING, "%s: %zu of %zu trained points have no weights file in %s: save_weights was off when they were "
               "finished, they could not be written, or the folder was not moved along; another results file (-o) would have "
               "them", s->results, n_missing, n_missing + n_kept, s->weights_dir);
}

/* Rank 0: the last rebuild, the summary, the exit status. */
static int close_sweep(sweep *s, ss_farm_end end, ss_error *error)
{
    ss_error why = {{0}};
    ss_progress_destroy(s->progress);
    s->progress = NULL;
    tell_missing_weights(s);
    ss_fault_delay("close");
    int rc = ss_store_close(s->store, &why);
    s->store = NULL;
    if (s->trouble.text[0] && end != SS_FARM_ERROR) *error = s->trouble;
    else if (rc && end != SS_FARM_ERROR) *error = why;
    if (end == SS_FARM_ERROR || error->text[0]) {
        bool named = end != SS_FARM_ERROR; /* the store names its files, the farm knows none */
        ss_fail_in(error, "%s%sstopped with %zu of %zu points finished", named ? "" : s->results, named ? "" : ": ",
                   s->n_before + s->n_kept - s->n_failed, s->n_mine);
        return SS_EXIT_ERROR;
    }
    ss_stop_file_remove(&s->stop_file); /* it has had its say, or came too late; the next run goes on */
    print_summary(s, end);
    if (end == SS_FARM_STOPPED) return SS_EXIT_STOPPED;
    return s->n_failed ? SS_EXIT_FAILED_POINTS : SS_EXIT_OK;
}

static void sweep_finish(sweep *s)
{
    ss_progress_destroy(s->progress);
    ss_store_close(s->store, NULL);
    ss_queue_destroy(s->queue);
    ss_study_destroy(s->study);
    ss_job_destroy(s->job);
    ss_free(s->results);
    ss_free(s->whole);
    ss_free(s->weights_dir);
    ss_forecast_destroy(s->forecast);
    ss_free(s->attempt);
    ss_free(s->done_aside);
}

static int parse_mode(const char *text, ss_progress_mode *mode, ss_error *error)
{
    static const char *const words[] = {"auto", "live", "plain", "none"}; /* in the enum's order */
    *mode = SS_PROGRESS_AUTO;
    for (size_t i = 0; text && i < 4; i++)
        if (strcmp(text, words[i]) == 0) {
            *mode = (ss_progress_mode)i;
            return 0;
        }
    return text ? ss_fail(error, "--progress %s: one of auto, live, plain, none is expected", text) : 0;
}

/* What handing out has cost rank 0, which is meant to share a core with a worker. */
static void tell_traffic(void)
{
    ss_farm_traffic t = ss_farm_count();
    ss_log(SS_LOG_INFO, "rank 0: %llu messages received and %llu sent, %.0f per second; %.2f s of processor time, %.1f %% of "
           "a core", (unsigned long long)t.n_received, (unsigned long long)t.n_sent,
           (double)(t.n_received + t.n_sent) / t.seconds, t.processor_s, 100 * t.processor_s / t.seconds);
}

static int run_opened(sweep *s, ss_error *error)
{
    if (ss_farm_rank() == 0 && s->n_before < s->n_mine)
        ss_log(SS_LOG_INFO, "%s: %zu of %zu points to do, %d working", s->results, s->n_mine - s->n_before, s->n_mine,
               s->parallel ? ss_farm_size() - 1 : 1);
    ss_farm_end end = run_farm(s, error);
    if (s->parallel && ss_farm_rank() == 0) tell_traffic();
    if (end == SS_FARM_DESERTED) {
        s->stopped_by = "because no worker answers any more,";
        end = SS_FARM_STOPPED;
    }
    if (ss_farm_rank() == 0) return close_sweep(s, end, error);
    /* Rank 0 says how the sweep ended; what only this rank knows is worth a line of the log. */
    if (end == SS_FARM_ERROR && error->text[0]) ss_log(SS_LOG_WARNING, "%s", error->text);
    return SS_EXIT_OK;
}

int ss_cmd_run(const ss_arguments *arguments, ss_error *error)
{
    char who[32];
    sweep s = {.parallel = ss_farm_size() > 1, .start_s = ss_clock_s()};
    clock_gettime(CLOCK_REALTIME, &s.started);
    if (parse_mode(arguments->value[1], &s.mode, error) || ss_slice_parse(arguments->value[2], &s.slice, error))
        return SS_EXIT_USAGE;
    snprintf(who, sizeof who, "rank %d", ss_farm_rank());
    ss_log_configure(SS_LOG_INFO, ss_farm_rank() > 0 ? who : NULL);
    ss_signals_catch();
    ss_signals_endure();
    if (ss_farm_rank() == 0) s.status_file = arguments->value[3];
    int status = open_sweep(&s, arguments, error) ? SS_EXIT_USAGE : run_opened(&s, error);
    if (status == SS_EXIT_USAGE && !ss_farm_is_whole()) status = SS_EXIT_STOPPED; /* nothing is wrong with the job */
    if (ss_farm_rank() == 0)
        ss_status_file_end(s.status_file, status, status == SS_EXIT_STOPPED && s.stopped_by ? s.stopped_by : "");
    sweep_finish(&s);
    return status;
}
