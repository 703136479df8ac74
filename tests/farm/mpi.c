/* mpi.c - the farm on any number of ranks with trivial trials: every record arrives exactly once and intact; stop,
 * interruption, errors; broadcast and agree. Run by mpirun.sh; rank 0's exit status counts every rank's failures. */
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sharpsweep/farm.h"

enum { N_POINTS = 1000, MAX_RANKS = 64 };

static int n_failures, n_checks;
static const char *scenario;

#define CHECK(condition) do { \
    n_checks++; \
    if (!(condition)) { \
        n_failures++; \
        fprintf(stderr, "%s:%d: rank %d, %s: %s does not hold\n", __FILE__, __LINE__, ss_farm_rank(), scenario, #condition); \
    } \
} while (0)

typedef struct world {
    int stop_after, run_error_at, interrupt_at, keep_error_at; /* -1: never */
    bool slow_after_stop;         /* points take for ever, until a stop is asked for */
    bool mute;                    /* rank 1 says nothing for long during its first point */
    int crash_once_at, crash_at;  /* the trial crashes once on every rank; always */
    int n_crashed;
    ss_farm_limits limits;
    int n_kept, n_started, n_idle, kept[N_POINTS], by_worker[MAX_RANKS];
    double slept_s;
} world;

static world quiet(void)
{
    return (world){.stop_after = -1, .run_error_at = -1, .interrupt_at = -1, .keep_error_at = -1,
                   .crash_once_at = -1, .crash_at = -1, .limits = ss_farm_limits_default};
}

static double truth(size_t point, size_t i)
{
    ss_stream s = ss_stream_make(point, SS_FOR_TEST, 0, 0);
    return ss_stream_normal(&s, i);
}

/* A record whose size differs from point to point: some thousand history rows now and then, beyond any eager limit. */
static int fill(ss_record *r, size_t point)
{
    size_t n_columns = 0, n_rows = point % 50 == 7 ? 3000 : point % 4;
    ss_history_fields(&n_columns);
    double row[32];
    r->status = point % 3 ? SS_DONE : SS_DIVERGED;
    r->lambda_max = truth(point, 0);
    r->hvp_count = (int64_t)point;
    r->worker = ss_farm_rank();
    snprintf(r->error, sizeof r->error, "point %zu", point);
    r->history.n_columns = n_columns;
    for (size_t k = 0; k < n_rows; k++) {
        for (size_t c = 0; c < n_columns; c++) row[c] = truth(point, 1 + k * n_columns + c);
        if (ss_series_append(&r->history, row)) return -1;
    }
    return 0;
}

static int crash(ss_record *record)
{
    record->status = SS_FAILED;
    record->stop_reason = SS_STOP_CRASH;
    snprintf(record->error, sizeof record->error, "signal 11");
    return 0;
}

static int run(void *ctx, size_t point, ss_record *record, ss_error *error)
{
    world *w = ctx;
    if ((int)point == w->crash_at || ((int)point == w->crash_once_at && w->n_crashed++ == 0)) return crash(record);
    if (w->mute && ss_farm_rank() == 1 && w->n_crashed++ == 0) ss_sleep_s(1.2);
    ss_stream s = ss_stream_make(point, SS_FOR_TEST, 1, 0);
    if ((int)point == w->run_error_at) return ss_fail(error, "point %zu: the data set is gone", point);
    if ((int)point == w->interrupt_at) return 1;
    double duration_s = w->mute ? 0.01 : ss_stream_uniform(&s, 0) * 0.002; /* 2.5 s in all: longer than it is mute */
    double start_s = ss_clock_s();
    while (w->slow_after_stop || ss_clock_s() - start_s < duration_s) {
        if (ss_farm_stop_requested()) return 1;
        if (ss_farm_size() == 1 && w->stop_after >= 0 && w->n_kept >= w->stop_after) return 1;
        ss_sleep_s(0.0002);
        if (w->slow_after_stop && point < 50) break;
    }
    return fill(record, point) ? ss_fail(error, "memory") : 0;
}

static int started(void *ctx, size_t point, int worker, ss_error *error)
{
    world *w = ctx;
    (void)error;
    CHECK(point < N_POINTS);
    CHECK(ss_farm_size() == 1 ? worker == 0 : worker >= 1 && worker < ss_farm_size());
    w->n_started++;
    return 0;
}

static int keep(void *ctx, size_t point, const ss_record *record, ss_error *error)
{
    world *w = ctx;
    if ((int)point == w->keep_error_at) return ss_fail(error, "the disk is full");
    if ((int)point == w->crash_at) {
        CHECK(record->status == SS_FAILED && record->stop_reason == SS_STOP_CRASH);
        w->kept[point]++;
        w->n_kept++;
        return 0;
    }
    ss_record expected;
    ss_record_init(&expected);
    CHECK(fill(&expected, point) == 0);
    CHECK(ss_record_same(record, &expected));
    CHECK(record->history.n_rows == expected.history.n_rows);
    ss_record_finish(&expected);
    w->kept[point]++;
    w->n_kept++;
    if (record->worker >= 0 && record->worker < MAX_RANKS) w->by_worker[record->worker]++;
    return 0;
}

static void idle(void *ctx)
{
    world *w = ctx;
    w->n_idle++;
    /* A busy rank 0: meanwhile every worker answers, leaves and comes back for the next sweep. */
    if (w->stop_after >= 0 && w->n_kept >= w->stop_after) ss_sleep_s(0.2);
}

static bool should_stop(void *ctx)
{
    const world *w = ctx;
    return w->stop_after >= 0 && w->n_kept >= w->stop_after;
}

/* Everybody's part of one sweep over the queue (rank 0's). */
static ss_farm_end farm(world *w, ss_queue *queue, ss_error *error)
{
    ss_farm_calls calls = {w, run, started, keep, idle, should_stop, &w->limits};
    *error = (ss_error){{0}};
    if (ss_farm_size() == 1) return ss_farm_serial(queue, &calls, error);
    return ss_farm_rank() == 0 ? ss_farm_schedule(queue, &calls, error) : ss_farm_work(&calls, error);
}

static ss_queue *new_queue(void)
{
    if (ss_farm_rank() != 0) return NULL;
    ss_queue *q = ss_queue_create(N_POINTS, NULL, NULL);
    if (!q) MPI_Abort(MPI_COMM_WORLD, 1);
    return q;
}

static void check_complete(const world *w)
{
    if (ss_farm_rank() != 0) return;
    CHECK(w->n_kept == N_POINTS);
    for (int i = 0; i < N_POINTS; i++) CHECK(w->kept[i] == 1);
}

static void test_complete(void)
{
    scenario = "complete";
    ss_error error;
    world w = quiet();
    ss_queue *q = new_queue();
    CHECK(farm(&w, q, &error) == SS_FARM_COMPLETE);
    check_complete(&w);
    if (ss_farm_rank() == 0) CHECK(w.n_started == N_POINTS && w.n_idle > 0);
    for (int r = 1; ss_farm_rank() == 0 && r < ss_farm_size(); r++) CHECK(w.by_worker[r] > 0); /* nobody starves */
    CHECK(farm(&w, q, &error) == SS_FARM_COMPLETE); /* an empty queue is over at once */
    ss_queue_destroy(q);
}

static void test_stop(void)
{
    scenario = "stop";
    ss_error error;
    world w = quiet();
    ss_queue *q = new_queue();
    w.stop_after = 40;
    w.slow_after_stop = true;
    double start_s = ss_clock_s();
    CHECK(farm(&w, q, &error) == SS_FARM_STOPPED);
    CHECK(ss_clock_s() - start_s < 15); /* far from the drain limit: the busy ones saw STOP */
    if (ss_farm_rank() == 0) {
        CHECK(w.n_kept >= 40 && w.n_kept < N_POINTS);
        CHECK(ss_queue_running(q) == 0);
        CHECK(ss_queue_waiting(q) == (size_t)(N_POINTS - w.n_kept));
    }
    w.stop_after = -1;
    w.slow_after_stop = false;
    CHECK(farm(&w, q, &error) == SS_FARM_COMPLETE); /* and goes on where it stopped */
    check_complete(&w);
    ss_queue_destroy(q);
}

static void test_interrupted_worker(void)
{
    scenario = "a signal reaches one worker";
    ss_error error;
    world w = quiet();
    ss_queue *q = new_queue();
    w.interrupt_at = 100;
    CHECK(farm(&w, q, &error) == SS_FARM_STOPPED);
    if (ss_farm_rank() == 0) CHECK(w.kept[100] == 0 && w.n_kept < N_POINTS && ss_queue_running(q) == 0);
    w.interrupt_at = -1;
    CHECK(farm(&w, q, &error) == SS_FARM_COMPLETE);
    check_complete(&w);
    ss_queue_destroy(q);
}

static void test_errors(void)
{
    ss_error error;
    for (int at_keep = 0; at_keep < 2; at_keep++) {
        scenario = at_keep ? "keep fails" : "a worker fails";
        world w = quiet();
        ss_queue *q = new_queue();
        *(at_keep ? &w.keep_error_at : &w.run_error_at) = 200;
        CHECK(farm(&w, q, &error) == SS_FARM_ERROR);
        const char *why = at_keep ? "the disk is full" : "point 200: the data set is gone";
        if (ss_farm_rank() == 0) {
            CHECK(strstr(error.text, why) != NULL);
            CHECK(at_keep || ss_farm_size() == 1 || strncmp(error.text, "rank ", 5) == 0);
            CHECK(w.kept[200] == 0 && ss_queue_running(q) == 0);
            CHECK(ss_queue_waiting(q) == (size_t)(N_POINTS - w.n_kept));
        }
        ss_queue_destroy(q);
    }
}

/* Failed points are run again so often as the budget says, and then recorded; everything else is as ever. */
static void test_retries(void)
{
    scenario = "retries";
    ss_error error;
    world w = quiet();
    ss_queue *q = new_queue();
    w.crash_once_at = 10;
    w.crash_at = 20;
    w.limits.retries[SS_STOP_CRASH] = MAX_RANKS;
    ss_log_configure(SS_LOG_ERROR, NULL);
    CHECK(farm(&w, q, &error) == SS_FARM_COMPLETE);
    ss_log_configure(SS_LOG_WARNING, NULL);
    check_complete(&w);
    if (ss_farm_rank() == 0) {
        int most = ss_farm_size() > 1 ? ss_farm_size() - 1 : 1; /* point 10 crashes once on each rank that meets it */
        CHECK(w.n_started > N_POINTS + MAX_RANKS && w.n_started <= N_POINTS + MAX_RANKS + most);
        CHECK(ss_queue_running(q) == 0);
    }
    ss_queue_destroy(q);
}

/* A worker that says nothing loses its point; its record is taken once, whoever brings it; then it works on. */
static void test_silence(void)
{
    scenario = "silence";
    ss_error error;
    world w = quiet();
    ss_queue *q = new_queue();
    if (ss_farm_size() < 3) {
        ss_queue_destroy(q);
        return;
    }
    w.mute = true;
    w.limits.worker_silence_s = 0.4;
    w.limits.retries[SS_STOP_CRASH] = 1;
    ss_log_configure(SS_LOG_ERROR, NULL);
    CHECK(farm(&w, q, &error) == SS_FARM_COMPLETE);
    ss_log_configure(SS_LOG_WARNING, NULL);
    check_complete(&w);
    if (ss_farm_rank() == 0) CHECK(w.n_started > N_POINTS);
    CHECK(ss_farm_is_whole()); /* it came back before the end */
    ss_queue_destroy(q);
}

static void test_broadcast(void)
{
    scenario = "broadcast";
    static const size_t sizes[] = {0, 1, 17, 100000, 3000000};
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        size_t n = sizes[k];
        unsigned char *bytes = NULL;
        size_t n_bytes = 0;
        ss_error error = {{0}};
        if (ss_farm_rank() == 0) {
            bytes = ss_alloc(n, 1);
            n_bytes = n;
            for (size_t i = 0; bytes && i < n; i++) bytes[i] = (unsigned char)(i * 31 + k);
        }
        CHECK(ss_farm_broadcast(&bytes, &n_bytes, &error) == 0);
        CHECK(n_bytes == n);
        size_t n_bad = 0;
        for (size_t i = 0; i < n_bytes; i++) n_bad += bytes[i] != (unsigned char)(i * 31 + k);
        CHECK(n_bad == 0);
        ss_free(bytes);
    }
}

static void test_agree(void)
{
    scenario = "agree";
    int size = ss_farm_size(), rank = ss_farm_rank();
    ss_error error = {{0}};
    CHECK(ss_farm_agree(true, &error) == 0);
    for (int bad = 0; bad < size; bad++) {
        error = (ss_error){{0}};
        bool ok = rank < bad; /* `bad` and everybody above it */
        if (!ok) ss_fail(&error, "no file on %d", rank);
        CHECK(ss_farm_agree(ok, &error) == -1);
        char head[32], tail[32];
        snprintf(head, sizeof head, "rank %d (", bad);
        snprintf(tail, sizeof tail, "no file on %d", bad);
        CHECK(strstr(error.text, tail) != NULL);
        CHECK(bad == 0 ? strcmp(error.text, tail) == 0 : strncmp(error.text, head, strlen(head)) == 0);
    }
    CHECK(ss_farm_agree(true, NULL) == 0);
}

int main(int argc, char **argv)
{
    if (MPI_Init(&argc, &argv) != MPI_SUCCESS) return 1;
    ss_error error = {{0}};
    CHECK(ss_farm_join(&error) == 0);
    ss_log_configure(SS_LOG_WARNING, NULL);
    if (ss_farm_rank() == 0) CHECK(strstr(ss_farm_describe(), "MPI") != NULL);
    test_broadcast();
    test_agree();
    test_complete();
    test_stop();
    test_interrupted_worker();
    test_errors();
    test_retries();
    test_silence();
    test_complete(); /* nothing of an unhappy end is left over */
    int mine[2] = {n_failures, n_checks}, all[2] = {0, 0}, rank = ss_farm_rank();
    ss_farm_leave();
    MPI_Reduce(mine, all, 2, MPI_INT, MPI_SUM, 0, MPI_COMM_WORLD);
    MPI_Finalize();
    if (rank == 0) printf("%d checks, %d failures\n", all[1], all[0]);
    return rank == 0 && (all[0] != 0 || all[1] == 0);
}
