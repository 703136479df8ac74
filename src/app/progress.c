/* progress.c - what a running sweep tells people, on stderr: on a terminal one line that is drawn over again; elsewhere a
 * plain line per finished point and a summary every progress_s seconds. Results never depend on it. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "app.h"

#define REDRAW_S 0.2
#define NINE_IN_TEN 1.645 /* standard deviations */

enum { AHEAD, BEFORE, NOW };

struct ss_progress {
    const ss_job *job;
    const ss_grid *grid;
    const double *cost;
    size_t n, n_before, n_now, n_failed, n_diverged;
    double cost_left, cost_now, spread;
    unsigned char *over;          /* (n) BEFORE: finished earlier, or not ours; NOW: in this run */
    double start_s, last_line_s;
    bool live, silent;
    char last[640];               /* the last result in words */
};

/* mpirun gives its ranks pipes, but it is our parent, and its own stderr is where our lines end up. */
static bool parent_has_terminal(void)
{
    char link[64], target[64];
    if (!getenv("OMPI_COMM_WORLD_RANK")) return false;
    snprintf(link, sizeof link, "/proc/%ld/fd/2", (long)getppid());
    ssize_t n = readlink(link, target, sizeof target - 1);
    if (n <= 0) return false;
    target[n] = '\0';
    return strncmp(target, "/dev/pts/", 9) == 0 || strncmp(target, "/dev/tty", 8) == 0;
}

static void write_text(const char *text)
{
    size_t n = strlen(text);
    while (n > 0) {
        ssize_t done = write(STDERR_FILENO, text, n);
        if (done <= 0) return;
        text += done;
        n -= (size_t)done;
    }
}

static void clear_line(const ss_progress *p)
{
    if (p->live && !p->silent) write_text("\r\033[K");
}

/* Lines of the log go above the live one. */
static void sink(void *ctx, ss_log_level level, const char *line)
{
    const ss_progress *p = ctx;
    (void)level;
    clear_line(p);
    write_text(line);
    write_text("\n");
}

ss_progress *ss_progress_create(const ss_job *job, const ss_grid *grid, const double *cost, ss_progress_mode mode,
                                ss_error *error)
{
    ss_progress *p = ss_alloc(1, sizeof *p);
    if (p) p->over = ss_alloc(ss_grid_count(grid), sizeof *p->over);
    if (!p || !p->over) {
        ss_free(p);
        ss_fail(error, "no memory for the progress line");
        return NULL;
    }
    p->job = job;
    p->grid = grid;
    p->cost = cost;
    p->n = ss_grid_count(grid);
    ss_progress_recount(p, NAN);
    p->start_s = p->last_line_s = ss_clock_s();
    p->silent = mode == SS_PROGRESS_NONE;
    p->live = mode == SS_PROGRESS_LIVE || (mode == SS_PROGRESS_AUTO && (isatty(STDERR_FILENO) || parent_has_terminal()));
    if (p->live) ss_log_set_sink(sink, p);
    return p;
}

void ss_progress_destroy(ss_progress *p)
{
    if (!p) return;
    clear_line(p);
    if (p->live) ss_log_set_sink(NULL, NULL);
    ss_free(p->over);
    ss_free(p);
}

void ss_progress_recount(ss_progress *p, double spread)
{
    p->cost_left = p->cost_now = 0;
    p->spread = spread;
    for (size_t i = 0; i < p->n; i++) {
        double cost = p->cost ? p->cost[i] : 1;
        if (p->over[i] == AHEAD) p->cost_left += cost;
        if (p->over[i] == NOW) p->cost_now += cost;
    }
}

void ss_progress_skip(ss_progress *p, size_t point)
{
    p->n_before++;
    p->over[point] = BEFORE;
    p->cost_left -= p->cost ? p->cost[point] : 1;
}

/* Remaining cost at the pace of this run: points are handed out longest first, so counting them would mislead. */
double ss_progress_eta_s(const ss_progress *p)
{
    if (p->n_now == 0 || !(p->cost_now > 0)) return NAN;
    double left = p->cost_left > 0 ? p->cost_left : 0;
    return (ss_clock_s() - p->start_s) * left / p->cost_now;
}

void ss_point_describe(const ss_job *job, const ss_grid *grid, size_t point, char *out, size_t out_bytes)
{
    ss_settings s;
    char value[256];
    size_t used = 0;
    ss_grid_settings(grid, point, &s);
    out[0] = '\0';
    for (int a = 0; a < job->n_axes; a++)
        for (int k = 0; k < job->axes[a].n_keys && used < out_bytes; k++) {
            const ss_key *key = job->axes[a].key[k];
            ss_key_format(key, &s, value, sizeof value);
            int n = snprintf(out + used, out_bytes - used, "%s%s=%s", used ? " " : "", key->name, value);
            if (n > 0) used += (size_t)n;
        }
}

/* "lambda_max 12.3, test accuracy 84.1 %" or why there is none. */
static void describe_result(const ss_record *r, char *out, size_t out_bytes)
{
    if (r->status == SS_FAILED)
        snprintf(out, out_bytes, "failed: %s", r->error);
    else if (r->status == SS_DIVERGED)
        snprintf(out, out_bytes, "diverged after %lld steps", (long long)r->steps);
    else
        snprintf(out, out_bytes, "%s, lambda_max %.4g%s, test accuracy %.1f %%", ss_status_name[r->status], r->lambda_max,
                 r->lambda_converged ? "" : " (not converged)", 100 * r->test_accuracy);
}

/* "3 min 05 s (2 min 10 s to 4 min 20 s)": nine times in ten the costs' scatter leaves it there. */
static void describe_eta(const ss_progress *p, char *out, size_t out_bytes)
{
    char eta[SS_TIME_BYTES], low[SS_TIME_BYTES], high[SS_TIME_BYTES];
    double eta_s = ss_progress_eta_s(p);
    ss_duration_format(eta_s, eta);
    snprintf(out, out_bytes, "%s", eta);
    if (!isfinite(eta_s) || !isfinite(p->spread)) return;
    ss_duration_format(eta_s * exp(-NINE_IN_TEN * p->spread), low);
    ss_duration_format(eta_s * exp(NINE_IN_TEN * p->spread), high);
    if (strcmp(low, high) != 0) snprintf(out, out_bytes, "%s (%s to %s)", eta, low, high);
}

static void describe_state(const ss_progress *p, char *out, size_t out_bytes)
{
    char eta[4 * SS_TIME_BYTES], rate[32] = "", trouble[64] = "";
    double elapsed_s = ss_clock_s() - p->start_s;
    describe_eta(p, eta, sizeof eta);
    if (p->n_now && elapsed_s > 0) {
        double per_s = (double)p->n_now / elapsed_s;
        snprintf(rate, sizeof rate, per_s >= 0.5 ? ", %.1f/s" : per_s >= 0.5 / 60 ? ", %.1f/min" : ", %.1f/h",
                 per_s >= 0.5 ? per_s : per_s >= 0.5 / 60 ? per_s * 60 : per_s * 3600);
    }
    if (p->n_failed || p->n_diverged)
        snprintf(trouble, sizeof trouble, ", %zu diverged, %zu failed", p->n_diverged, p->n_failed);
    snprintf(out, out_bytes, "%zu/%zu points%s%s, ETA %s", p->n_before + p->n_now, p->n, trouble, rate, eta);
}

static void draw(ss_progress *p)
{
    char state[256], line[1024], shown[1024];
    struct winsize window = {0};
    int width = ioctl(STDERR_FILENO, TIOCGWINSZ, &window) == 0 && window.ws_col > 20 ? window.ws_col : 160;
    describe_state(p, state, sizeof state);
    snprintf(line, sizeof line, "%s%s%s", state, p->last[0] ? " | " : "", p->last);
    ss_text_show(line, shown, (size_t)width < sizeof shown ? (size_t)width : sizeof shown);
    clear_line(p);
    write_text(shown);
}

/* Which of how many, the point, what came out, what it cost and where: what one greps a night's log for. */
static void log_result(const ss_progress *p, size_t point, const ss_record *r)
{
    char where[128] = "", times[96] = "";
    if (isfinite(r->train_s) && isfinite(r->curvature_s))
        snprintf(times, sizeof times, " (%lld epochs, %.1f s + %.1f s)", (long long)r->epochs, r->train_s, r->curvature_s);
    if (r->host[0]) snprintf(where, sizeof where, " on %s, rank %lld", r->host, (long long)r->worker);
    size_t used = strlen(where);
    if (r->attempts > 1) snprintf(where + used, sizeof where - used, ", attempt %lld", (long long)r->attempts);
    ss_log(r->status == SS_FAILED ? SS_LOG_WARNING : SS_LOG_INFO, "%zu/%zu point %zu %s%s%s", p->n_before + p->n_now, p->n,
           point, p->last, times, where);
}

void ss_progress_finished(ss_progress *p, size_t point, const ss_record *record)
{
    char place[256], result[320];
    p->n_now++;
    p->n_failed += record->status == SS_FAILED;
    p->n_diverged += record->status == SS_DIVERGED;
    if (p->over[point] != NOW) { /* a point that failed may come again */
        p->cost_now += p->cost ? p->cost[point] : 1;
        p->cost_left -= p->cost ? p->cost[point] : 1;
    }
    p->over[point] = NOW;
    ss_point_describe(p->job, p->grid, point, place, sizeof place);
    describe_result(record, result, sizeof result);
    snprintf(p->last, sizeof p->last, "%s: %s", place, result);
    if (p->silent) return;
    if (p->live && record->status != SS_FAILED) return;
    log_result(p, point, record);
}

void ss_progress_tick(ss_progress *p)
{
    double now_s = ss_clock_s();
    if (p->silent || now_s - p->last_line_s < (p->live ? REDRAW_S : p->job->progress_s)) return;
    p->last_line_s = now_s;
    if (p->live) {
        draw(p);
        return;
    }
    char state[256];
    describe_state(p, state, sizeof state);
    ss_log(SS_LOG_INFO, "%s", state);
}
