/* queue.c - what next? Pure logic: points are waiting, running or done; the longest waiting one goes first (LPT, Graham
 * 1969: makespan at most 4/3 of the optimum), and what was lost goes before everything, because it is late already. */
#include "parts.h"

#include <stdlib.h>

enum state { WAITING, RUNNING, DONE };

struct ss_queue {
    size_t n, n_waiting, n_running, n_done;
    unsigned char *state; /* (n) */
    size_t *order;        /* (n) by falling cost */
    size_t head;          /* order[0 .. head-1] have been handed out or skipped */
    size_t *lost;         /* (n) lost and not handed out again, oldest first; a ring */
    size_t lost_head, n_lost;
};

struct item { double cost; size_t point; };

static int by_cost(const void *a, const void *b)
{
    const struct item *x = a, *y = b;
    if (x->cost != y->cost) return x->cost > y->cost ? -1 : 1;
    return x->point < y->point ? -1 : x->point > y->point;
}

static int sort_order(ss_queue *q, const double *cost)
{
    struct item *item = ss_alloc(q->n, sizeof *item);
    if (!item) return -1;
    for (size_t i = 0; i < q->n; i++) {
        bool known = cost && cost[i] == cost[i]; /* NaN has no place in an order: an unknown cost counts as none */
        item[i] = (struct item){known ? cost[i] : 0, i};
    }
    qsort(item, q->n, sizeof *item, by_cost);
    for (size_t i = 0; i < q->n; i++) q->order[i] = item[i].point;
    ss_free(item);
    return 0;
}

ss_queue *ss_queue_create(size_t n_points, const double *cost, ss_error *error)
{
    ss_queue *q = ss_alloc(1, sizeof *q);
    if (!q) goto fail;
    q->n = q->n_waiting = n_points;
    q->state = ss_alloc(n_points, sizeof *q->state);
    q->order = ss_alloc(n_points, sizeof *q->order);
    q->lost = ss_alloc(n_points, sizeof *q->lost);
    if (!q->state || !q->order || !q->lost || sort_order(q, cost)) goto fail;
    return q;
fail:
    ss_queue_destroy(q);
    ss_fail(error, "out of memory for a queue of %zu points", n_points);
    return NULL;
}

void ss_queue_destroy(ss_queue *q)
{
    if (!q) return;
    ss_free(q->state);
    ss_free(q->order);
    ss_free(q->lost);
    ss_free(q);
}

static void finish(ss_queue *q, size_t point)
{
    if (q->state[point] == DONE) return;
    if (q->state[point] == RUNNING)
        q->n_running--;
    else
        q->n_waiting--; /* lost, and then its late record came after all */
    q->state[point] = DONE;
    q->n_done++;
}

void ss_queue_skip(ss_queue *q, size_t point)
{
    finish(q, point);
}

void ss_queue_done(ss_queue *q, size_t point)
{
    finish(q, point);
}

static int64_t hand_out(ss_queue *q, size_t point)
{
    q->state[point] = RUNNING;
    q->n_waiting--;
    q->n_running++;
    return (int64_t)point;
}

int64_t ss_queue_next(ss_queue *q)
{
    while (q->n_lost > 0) {
        size_t point = q->lost[q->lost_head];
        q->lost_head = (q->lost_head + 1) % q->n;
        q->n_lost--;
        if (q->state[point] == WAITING) return hand_out(q, point);
    }
    while (q->head < q->n) {
        size_t point = q->order[q->head++];
        if (q->state[point] == WAITING) return hand_out(q, point);
    }
    return -1;
}

void ss_queue_lost(ss_queue *q, size_t point)
{
    if (q->state[point] != RUNNING) return;
    q->state[point] = WAITING;
    q->n_running--;
    q->n_waiting++;
    /* A point stands in the ring at most once: it comes back only after it was handed out from there. */
    q->lost[(q->lost_head + q->n_lost++) % q->n] = point;
}

size_t ss_queue_waiting(const ss_queue *q)
{
    return q->n_waiting;
}

size_t ss_queue_running(const ss_queue *q)
{
    return q->n_running;
}

size_t ss_queue_finished(const ss_queue *q)
{
    return q->n_done;
}
