/* queue.c - what next? Pure logic: points are waiting, running or done; the longest waiting one goes first (LPT, Graham
 * 1969: makespan at most 4/3 of the optimum), and what was lost goes before everything, because it is late already.
 * Costs may be given anew while the sweep runs, and a limit keeps back what would not be over in time. */
#include "parts.h"

#include <math.h>
#include <stdlib.h>

enum state { WAITING, RUNNING, DONE };

struct ss_queue {
    size_t n, n_waiting, n_running, n_done;
    unsigned char *state; /* (n) */
    bool *in_ring;        /* (n) it stands in `lost` */
    float *cost;          /* (n) */
    uint32_t *order;      /* (n) by falling cost */
    size_t head;          /* order[0 .. head-1] have been handed out, skipped or left out by a new ranking */
    size_t within;        /* >= head: order[0 .. within-1] are gone or cost more than the limit */
    double limit;
    uint32_t *lost;       /* (n) lost and not handed out again, oldest first; a ring */
    size_t lost_head, n_lost;
};

struct item { float cost; uint32_t point; };

static int by_cost(const void *a, const void *b)
{
    const struct item *x = a, *y = b;
    if (x->cost != y->cost) return x->cost > y->cost ? -1 : 1;
    return x->point < y->point ? -1 : x->point > y->point;
}

/* Sorts all that wait outside the ring to the end of `order`. */
int ss_queue_rank(ss_queue *q, const double *cost)
{
    size_t k = 0;
    struct item *item = ss_alloc(q->n_waiting, sizeof *item);
    if (!item) return -1;
    for (size_t i = 0; i < q->n; i++) {
        bool known = cost && cost[i] == cost[i]; /* NaN has no place in an order: an unknown cost counts as none */
        q->cost[i] = known ? (float)cost[i] : 0;
        if (q->state[i] == WAITING && !q->in_ring[i]) item[k++] = (struct item){q->cost[i], (uint32_t)i};
    }
    qsort(item, k, sizeof *item, by_cost);
    q->head = q->within = q->n - k;
    for (size_t i = 0; i < k; i++) q->order[q->head + i] = item[i].point;
    ss_free(item);
    return 0;
}

ss_queue *ss_queue_create(size_t n_points, const double *cost, ss_error *error)
{
    ss_queue *q = ss_alloc(1, sizeof *q);
    if (!q || n_points > UINT32_MAX) goto fail;
    q->n = q->n_waiting = n_points;
    q->limit = INFINITY;
    q->state = ss_alloc(n_points, sizeof *q->state);
    q->in_ring = ss_alloc(n_points, sizeof *q->in_ring);
    q->cost = ss_alloc(n_points, sizeof *q->cost);
    q->order = ss_alloc(n_points, sizeof *q->order);
    q->lost = ss_alloc(n_points, sizeof *q->lost);
    if (!q->state || !q->in_ring || !q->cost || !q->order || !q->lost || ss_queue_rank(q, cost)) goto fail;
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
    ss_free(q->in_ring);
    ss_free(q->cost);
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

void ss_queue_limit(ss_queue *q, double cost)
{
    if (cost > q->limit) q->within = q->head; /* what was passed over may fit now */
    q->limit = cost;
}

static void push_lost(ss_queue *q, size_t point)
{
    q->in_ring[point] = true;
    q->lost[(q->lost_head + q->n_lost++) % q->n] = (uint32_t)point;
}

static size_t pop_lost(ss_queue *q)
{
    size_t point = q->lost[q->lost_head];
    q->lost_head = (q->lost_head + 1) % q->n;
    q->n_lost--;
    q->in_ring[point] = false;
    return point;
}

/* Turns the ring until a point that may go stands at its front; those beyond the limit keep their order. */
static bool find_lost(ss_queue *q)
{
    for (size_t left = q->n_lost; left > 0; left--) {
        size_t point = q->lost[q->lost_head];
        if (q->state[point] == WAITING && q->cost[point] <= q->limit) return true;
        pop_lost(q);
        if (q->state[point] == WAITING) push_lost(q, point);
    }
    return false;
}

/* Moves `within` to the longest waiting point that the limit allows. */
static bool find_waiting(ss_queue *q)
{
    while (q->head < q->n && q->state[q->order[q->head]] != WAITING) q->head++;
    if (q->within < q->head) q->within = q->head;
    size_t low = q->within, high = q->n; /* costs fall: halve to the first that is within the limit */
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (q->cost[q->order[middle]] <= q->limit)
            high = middle;
        else
            low = middle + 1;
    }
    for (q->within = low; q->within < q->n; q->within++) {
        size_t point = q->order[q->within];
        if (q->state[point] == WAITING && !q->in_ring[point]) return true;
    }
    return false;
}

bool ss_queue_has_next(ss_queue *q)
{
    return find_lost(q) || find_waiting(q);
}

int64_t ss_queue_next(ss_queue *q)
{
    size_t point;
    if (find_lost(q))
        point = pop_lost(q);
    else if (find_waiting(q))
        point = q->order[q->within];
    else
        return -1;
    q->state[point] = RUNNING;
    q->n_waiting--;
    q->n_running++;
    return (int64_t)point;
}

void ss_queue_lost(ss_queue *q, size_t point)
{
    if (q->state[point] != RUNNING) return;
    q->state[point] = WAITING;
    q->n_running--;
    q->n_waiting++;
    if (!q->in_ring[point]) push_lost(q, point); /* at most once, so that n places are enough */
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
