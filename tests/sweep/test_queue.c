#include "sharpsweep/sweep.h"

#include <math.h>

#include "../suite.h"

static void hands_out_in_order(void)
{
    ss_queue *q = ss_queue_create(3, NULL, NULL);
    for (int64_t i = 0; i < 3; i++) CU_ASSERT_EQUAL(ss_queue_next(q), i);
    CU_ASSERT_EQUAL(ss_queue_next(q), -1);
    CU_ASSERT_EQUAL(ss_queue_running(q), 3);
    ss_queue_destroy(q);
}

static void longest_first_ties_in_order(void)
{
    const double cost[] = {1, 5, NAN, 5, -2, 7};
    const int64_t expected[] = {5, 1, 3, 0, 2, 4, -1};
    ss_queue *q = ss_queue_create(6, cost, NULL);
    for (size_t i = 0; i < 7; i++) CU_ASSERT_EQUAL(ss_queue_next(q), expected[i]);
    ss_queue_destroy(q);
}

static void lost_goes_first(void)
{
    const double cost[] = {4, 3, 2, 1};
    ss_queue *q = ss_queue_create(4, cost, NULL);
    CU_ASSERT_EQUAL(ss_queue_next(q), 0);
    CU_ASSERT_EQUAL(ss_queue_next(q), 1);
    ss_queue_lost(q, 1);
    ss_queue_lost(q, 0);
    ss_queue_lost(q, 0); /* twice is once */
    CU_ASSERT_EQUAL(ss_queue_waiting(q), 4);
    CU_ASSERT_EQUAL(ss_queue_next(q), 1);
    CU_ASSERT_EQUAL(ss_queue_next(q), 0);
    CU_ASSERT_EQUAL(ss_queue_next(q), 2);
    ss_queue_destroy(q);
}

static void late_record_of_a_lost_point_counts(void)
{
    ss_queue *q = ss_queue_create(2, NULL, NULL);
    CU_ASSERT_EQUAL(ss_queue_next(q), 0);
    ss_queue_lost(q, 0);
    ss_queue_done(q, 0); /* the rank thought dead answers after all */
    CU_ASSERT_EQUAL(ss_queue_finished(q), 1);
    CU_ASSERT_EQUAL(ss_queue_waiting(q), 1);
    CU_ASSERT_EQUAL(ss_queue_next(q), 1);
    CU_ASSERT_EQUAL(ss_queue_next(q), -1);
    ss_queue_done(q, 0);
    ss_queue_lost(q, 0); /* done stays done */
    CU_ASSERT_EQUAL(ss_queue_finished(q), 1);
    CU_ASSERT_EQUAL(ss_queue_next(q), -1);
    ss_queue_destroy(q);
}

static void skipped_is_never_handed_out(void)
{
    ss_queue *q = ss_queue_create(3, NULL, NULL);
    ss_queue_skip(q, 1);
    ss_queue_skip(q, 1);
    CU_ASSERT_EQUAL(ss_queue_finished(q), 1);
    CU_ASSERT_EQUAL(ss_queue_next(q), 0);
    CU_ASSERT_EQUAL(ss_queue_next(q), 2);
    CU_ASSERT_EQUAL(ss_queue_next(q), -1);
    ss_queue_destroy(q);
}

static void empty_queue(void)
{
    ss_queue *q = ss_queue_create(0, NULL, NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(q);
    CU_ASSERT_EQUAL(ss_queue_next(q), -1);
    CU_ASSERT_EQUAL(ss_queue_waiting(q) + ss_queue_running(q) + ss_queue_finished(q), 0);
    ss_queue_destroy(q);
    ss_queue_destroy(NULL);
}

/* ---- exhaustive: every sequence of operations up to a length on a small queue, against a model ---------------------- */
enum { N = 3, N_OPS = 1 + 3 * N, LENGTH = 6 };
enum model_state { WAITING, RUNNING, DONE };

/* The model: states, and the order in which waiting points must come: lost ones first, oldest first, then the others. */
struct model { enum model_state state[N]; int lost[2 * LENGTH], n_lost; };

static int64_t model_next(struct model *m)
{
    int64_t point = -1;
    for (int i = 0; i < m->n_lost && point < 0; i++)
        if (m->state[m->lost[i]] == WAITING) point = m->lost[i];
    for (int i = 0; i < N && point < 0; i++)
        if (m->state[i] == WAITING) point = i;
    if (point < 0) return -1;
    m->state[point] = RUNNING;
    int kept = 0;
    for (int i = 0; i < m->n_lost; i++)
        if (m->lost[i] != point) m->lost[kept++] = m->lost[i];
    m->n_lost = kept;
    return point;
}

static void model_lost(struct model *m, int point)
{
    if (m->state[point] != RUNNING) return;
    m->state[point] = WAITING;
    m->lost[m->n_lost++] = point;
}

/* Applies operation `op` to both and says whether they agree. */
static bool step(ss_queue *q, struct model *m, int op)
{
    size_t point = (size_t)(op - 1) % N, count[3] = {0, 0, 0};
    bool same = true;
    if (op == 0) same = ss_queue_next(q) == model_next(m);
    if (op >= 1 && op <= N) ss_queue_done(q, point);
    if (op > 2 * N) ss_queue_skip(q, point);
    if ((op >= 1 && op <= N) || op > 2 * N) m->state[point] = DONE;
    if (op > N && op <= 2 * N) {
        ss_queue_lost(q, point);
        model_lost(m, (int)point);
    }
    for (int i = 0; i < N; i++) count[m->state[i]]++;
    return same && ss_queue_waiting(q) == count[WAITING] && ss_queue_running(q) == count[RUNNING] &&
           ss_queue_finished(q) == count[DONE];
}

static void every_sequence_agrees_with_the_model(void)
{
    long n_sequences = 1, bad = 0;
    for (int i = 0; i < LENGTH; i++) n_sequences *= N_OPS;
    for (long s = 0; s < n_sequences; s++) {
        ss_queue *q = ss_queue_create(N, NULL, NULL);
        struct model m = {{WAITING, WAITING, WAITING}, {0}, 0};
        long code = s;
        for (int i = 0; i < LENGTH; i++, code /= N_OPS) bad += !step(q, &m, (int)(code % N_OPS));
        ss_queue_destroy(q);
    }
    CU_ASSERT_EQUAL(bad, 0);
}

/* Long random histories: whatever is lost, every point is finished once, and the queue then is empty. */
static void random_histories_finish(void)
{
    enum { POINTS = 50 };
    for (uint64_t seed = 0; seed < 50; seed++) {
        ss_stream random = ss_stream_make(seed, SS_FOR_TEST, 0, 0);
        ss_queue *q = ss_queue_create(POINTS, NULL, NULL);
        int64_t running[POINTS];
        size_t n_running = 0, n_done = 0;
        for (uint64_t i = 0; i < 100000 && n_done < POINTS; i++) {
            uint32_t r = ss_stream_u32(&random, i);
            if (r % 3 == 0 && n_running < 4) {
                int64_t point = ss_queue_next(q);
                if (point >= 0) running[n_running++] = point;
            } else if (n_running) {
                size_t at = (r >> 8) % n_running, point = (size_t)running[at];
                running[at] = running[--n_running];
                if (r % 3 == 1) ss_queue_lost(q, point);
                if (r % 3 != 1) ss_queue_done(q, point);
                n_done += r % 3 != 1;
            }
        }
        CU_ASSERT_EQUAL(n_done, POINTS);
        CU_ASSERT_EQUAL(ss_queue_finished(q), POINTS);
        CU_ASSERT_EQUAL(ss_queue_next(q), -1);
        ss_queue_destroy(q);
    }
}

/* ---- new costs and limits ------------------------------------------------------------------------------------------- */

static void ranked_anew(void)
{
    const double first[] = {5, 4, 3, 2, 1}, second[] = {1, NAN, 3, 9, 5};
    const int64_t expected[] = {1, 3, 4, 2, -1}; /* 1 was lost; 0 runs */
    ss_queue *q = ss_queue_create(5, first, NULL);
    CU_ASSERT_EQUAL(ss_queue_next(q), 0);
    CU_ASSERT_EQUAL(ss_queue_next(q), 1);
    ss_queue_lost(q, 1);
    CU_ASSERT_EQUAL(ss_queue_rank(q, second), 0);
    CU_ASSERT_EQUAL(ss_queue_waiting(q), 4);
    for (size_t i = 0; i < 5; i++) CU_ASSERT_EQUAL(ss_queue_next(q), expected[i]);
    ss_queue_lost(q, 3);
    ss_alloc_fail_after(0);
    CU_ASSERT_EQUAL(ss_queue_rank(q, first), -1);
    ss_alloc_fail_after(-1);
    CU_ASSERT_EQUAL(ss_queue_next(q), 3);
    ss_queue_destroy(q);
}

static void limit_keeps_back(void)
{
    const double cost[] = {8, 1, 4, 4, 2};
    ss_queue *q = ss_queue_create(5, cost, NULL);
    ss_queue_limit(q, 4);
    CU_ASSERT_EQUAL(ss_queue_next(q), 2); /* the longest that fits */
    ss_queue_lost(q, 2);
    ss_queue_limit(q, 1.5);
    CU_ASSERT(ss_queue_has_next(q));
    CU_ASSERT_EQUAL(ss_queue_next(q), 1); /* the lost one does not fit either */
    CU_ASSERT(!ss_queue_has_next(q));
    CU_ASSERT_EQUAL(ss_queue_next(q), -1);
    CU_ASSERT_EQUAL(ss_queue_waiting(q), 4);
    ss_queue_limit(q, INFINITY);
    const int64_t rest[] = {2, 0, 3, 4, -1}; /* all come in the end, each once */
    for (size_t i = 0; i < 5; i++) CU_ASSERT_EQUAL(ss_queue_next(q), rest[i]);
    ss_queue_destroy(q);
}

/* Random histories with losses, new costs and limits: what comes fits, is the longest of those that fit unless it was lost,
 * and every point is finished once. */
static void random_costs_and_limits(void)
{
    enum { POINTS = 40 };
    for (uint64_t seed = 0; seed < 200; seed++) {
        ss_stream random = ss_stream_make(seed, SS_FOR_TEST, 1, 0);
        double cost[POINTS], limit = INFINITY;
        enum model_state state[POINTS] = {WAITING};
        bool lost[POINTS] = {false};
        for (uint64_t i = 0; i < POINTS; i++) cost[i] = (double)(ss_stream_u32(&random, i) % 20);
        ss_queue *q = ss_queue_create(POINTS, cost, NULL);
        long bad = 0;
        for (uint64_t i = POINTS; i < 1500 || ss_queue_finished(q) < POINTS; i++) {
            uint32_t r = ss_stream_u32(&random, i), at = (r >> 8) % POINTS;
            if (i > 1500) limit = INFINITY;
            if (i > 1500 || r % 11 == 0) ss_queue_limit(q, limit = i > 1500 || r % 2 ? INFINITY : (double)(r >> 4 & 15));
            if (r % 7 == 1) {
                for (uint64_t k = 0; k < POINTS; k++)
                    cost[k] = (double)(ss_stream_u32(&random, 1000000 + i * POINTS + k) % 20);
                bad += ss_queue_rank(q, cost) != 0;
            } else if (r % 7 < 4) {
                bool has = ss_queue_has_next(q);
                int64_t point = ss_queue_next(q);
                bad += has != (point >= 0);
                if (point >= 0) bad += state[point] != WAITING || cost[point] > limit;
                for (size_t k = 0; k < POINTS; k++) /* none that waits comes before it */
                    if (state[k] == WAITING && cost[k] <= limit) bad += point < 0 || (!lost[point] && cost[k] > cost[point]);
                if (point >= 0) state[point] = RUNNING;
                if (point >= 0) lost[point] = false;
            } else if (state[at] == RUNNING && r % 7 == 4) {
                ss_queue_lost(q, at);
                state[at] = WAITING;
                lost[at] = true;
            } else if (state[at] == RUNNING) {
                ss_queue_done(q, at);
                state[at] = DONE;
            }
        }
        CU_ASSERT_EQUAL(bad, 0);
        CU_ASSERT_EQUAL(ss_queue_next(q), -1);
        ss_queue_destroy(q);
    }
}

static void memory_gone(void)
{
    ss_error error = {""};
    for (long n = 0; n < 7; n++) {
        ss_alloc_fail_after(n);
        CU_ASSERT_PTR_NULL(ss_queue_create(4, NULL, &error));
        CU_ASSERT_STRING_EQUAL(error.text, "out of memory for a queue of 4 points");
    }
    ss_alloc_fail_after(7);
    ss_queue *q = ss_queue_create(4, NULL, &error);
    ss_alloc_fail_after(-1);
    CU_ASSERT_PTR_NOT_NULL(q);
    ss_queue_destroy(q);
}

static const ss_case cases[] = {
    {"hands out in order", hands_out_in_order},
    {"longest first, ties in order", longest_first_ties_in_order},
    {"lost goes first", lost_goes_first},
    {"late record of a lost point counts", late_record_of_a_lost_point_counts},
    {"skipped is never handed out", skipped_is_never_handed_out},
    {"empty queue", empty_queue},
    {"every sequence agrees with the model", every_sequence_agrees_with_the_model},
    {"random histories finish", random_histories_finish},
    {"ranked anew", ranked_anew},
    {"limit keeps back", limit_keeps_back},
    {"random costs and limits", random_costs_and_limits},
    {"memory gone", memory_gone},
};
SS_SUITE("sweep/queue", cases)
