/* test_serial.c - the farm of one process: order, stop, interruption, errors of every callback. */
#include "sharpsweep/farm.h"

#include <stdlib.h>
#include <string.h>

#include "../suite.h"

enum { N = 20 };

typedef struct world {
    int n_started, n_run, n_kept, n_idle;
    int stop_after, interrupt_at, run_error_at, keep_error_at, start_error_at; /* -1: never */
    int kept[N];
} world;

static world quiet(void)
{
    return (world){.stop_after = -1, .interrupt_at = -1, .run_error_at = -1, .keep_error_at = -1, .start_error_at = -1};
}

static int run(void *ctx, size_t point, ss_record *record, ss_error *error)
{
    world *w = ctx;
    w->n_run++;
    if ((int)point == w->interrupt_at) return 1;
    if ((int)point == w->run_error_at) return ss_fail(error, "the data set is gone");
    record->status = SS_DONE;
    record->lambda_max = (double)point * 1.5;
    return 0;
}

static int started(void *ctx, size_t point, int worker, ss_error *error)
{
    world *w = ctx;
    CU_ASSERT_EQUAL(worker, 0);
    w->n_started++;
    return (int)point == w->start_error_at ? ss_fail(error, "cannot note the start") : 0;
}

static int keep(void *ctx, size_t point, const ss_record *record, ss_error *error)
{
    world *w = ctx;
    if ((int)point == w->keep_error_at) return ss_fail(error, "the disk is full");
    w->n_kept++;
    w->kept[point]++;
    CU_ASSERT(record->lambda_max == (double)point * 1.5);
    return 0;
}

static void idle(void *ctx)
{
    ((world *)ctx)->n_idle++;
}

static bool should_stop(void *ctx)
{
    const world *w = ctx;
    return w->stop_after >= 0 && w->n_kept >= w->stop_after;
}

static ss_farm_end farm(world *w, ss_queue *q, ss_error *error)
{
    ss_farm_calls calls = {w, run, started, keep, idle, should_stop, NULL};
    return ss_farm_serial(q, &calls, error);
}

static void test_complete(void)
{
    world w = quiet();
    ss_error error = {{0}};
    ss_queue *q = ss_queue_create(N, NULL, &error);
    ss_queue_skip(q, 3);
    CU_ASSERT_EQUAL(farm(&w, q, &error), SS_FARM_COMPLETE);
    CU_ASSERT_EQUAL(w.n_kept, N - 1);
    CU_ASSERT_EQUAL(w.kept[3], 0);
    CU_ASSERT_EQUAL(w.n_idle, N - 1);
    for (int i = 0; i < N; i++) CU_ASSERT(i == 3 || w.kept[i] == 1);
    CU_ASSERT_EQUAL(farm(&w, q, &error), SS_FARM_COMPLETE); /* nothing left */
    CU_ASSERT_EQUAL(w.n_run, N - 1);
    ss_queue_destroy(q);
}

static void test_ends(void)
{
    static const struct { const char *what; int stop_after, interrupt_at, run_error_at, keep_error_at, start_error_at, kept;
                          ss_farm_end end; const char *text; } cases[] = {
        {"stop at once", 0, -1, -1, -1, -1, 0, SS_FARM_STOPPED, ""},
        {"stop in the middle", 7, -1, -1, -1, -1, 7, SS_FARM_STOPPED, ""},
        {"stop after the last", N, -1, -1, -1, -1, N, SS_FARM_COMPLETE, ""},
        {"interrupted", -1, 5, -1, -1, -1, 5, SS_FARM_STOPPED, ""},
        {"run fails", -1, -1, 4, -1, -1, 4, SS_FARM_ERROR, "the data set is gone"},
        {"keep fails", -1, -1, -1, 6, -1, 6, SS_FARM_ERROR, "the disk is full"},
        {"started fails", -1, -1, -1, -1, 2, 2, SS_FARM_ERROR, "cannot note the start"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        world w = quiet();
        w.stop_after = cases[i].stop_after;
        w.interrupt_at = cases[i].interrupt_at;
        w.run_error_at = cases[i].run_error_at;
        w.keep_error_at = cases[i].keep_error_at;
        w.start_error_at = cases[i].start_error_at;
        ss_error error = {{0}};
        ss_queue *q = ss_queue_create(N, NULL, &error);
        CU_ASSERT_EQUAL(farm(&w, q, &error), cases[i].end);
        CU_ASSERT_STRING_EQUAL(error.text, cases[i].text);
        CU_ASSERT_EQUAL(w.n_kept, cases[i].kept);
        CU_ASSERT_EQUAL(ss_queue_running(q), 0); /* what did not finish waits again */
        CU_ASSERT_EQUAL(ss_queue_waiting(q), (size_t)(N - cases[i].kept));
        world rest = quiet();
        CU_ASSERT_EQUAL(farm(&rest, q, &error), SS_FARM_COMPLETE);
        CU_ASSERT_EQUAL(rest.n_kept, N - cases[i].kept);
        ss_queue_destroy(q);
    }
}

static void test_no_farm(void)
{
    CU_ASSERT_EQUAL(ss_farm_rank(), 0);
    CU_ASSERT_EQUAL(ss_farm_size(), 1);
    CU_ASSERT_FALSE(ss_farm_stop_requested());
    ss_error error = {"why"};
    unsigned char *bytes = NULL;
    size_t n = 0;
    CU_ASSERT_EQUAL(ss_farm_agree(true, &error), 0);
    CU_ASSERT_EQUAL(ss_farm_agree(false, &error), -1);
    CU_ASSERT_STRING_EQUAL(error.text, "why");
    CU_ASSERT_EQUAL(ss_farm_broadcast(&bytes, &n, &error), 0);
    ss_farm_leave(); /* harmless */
}

static const ss_case cases[] = {
    {"complete", test_complete},
    {"every way to end", test_ends},
    {"without MPI", test_no_farm},
};
SS_SUITE("farm, serial", cases)
