/* retry.c - budgets of failed points. Crashes, timeouts and memory are counted apart: a point that hung once and crashed once
 * has used one retry of each. What waits is given to another rank than the one where it failed, if there is a choice. */
#include "retry.h"

#include <limits.h>
#include <string.h>

enum { FIRST = SS_STOP_CRASH, N_REASONS = SS_N_STOP - FIRST };

typedef struct waiting { size_t point; int rank; } waiting;

struct ss_retry {
    size_t n_points;
    int64_t budget[SS_N_STOP];
    unsigned char *count;         /* (n_points, N_REASONS) */
    bool *done;                   /* (n_points) */
    waiting *list;                /* oldest first */
    size_t n, capacity;
};

ss_retry *ss_retry_create(size_t n_points, const int64_t budget[SS_N_STOP], ss_error *error)
{
    ss_retry *r = ss_alloc(1, sizeof *r);
    if (!r) goto fail;
    r->n_points = n_points;
    memcpy(r->budget, budget, sizeof r->budget);
    r->count = ss_alloc(n_points, N_REASONS);
    r->done = ss_alloc(n_points, sizeof *r->done);
    if (r->count && r->done) return r;
fail:
    ss_retry_destroy(r);
    ss_fail(error, "no memory to count the failures of %zu points", n_points);
    return NULL;
}

void ss_retry_destroy(ss_retry *r)
{
    if (!r) return;
    ss_free(r->count);
    ss_free(r->done);
    ss_free(r->list);
    ss_free(r);
}

int64_t ss_retry_count(const ss_retry *r, size_t point, int64_t reason)
{
    return reason >= FIRST && reason < SS_N_STOP ? r->count[point * N_REASONS + (size_t)(reason - FIRST)] : 0;
}

bool ss_retry_again(ss_retry *r, size_t point, int64_t reason, int rank)
{
    if (reason < FIRST || reason >= SS_N_STOP || r->done[point]) return false;
    unsigned char *count = &r->count[point * N_REASONS + (size_t)(reason - FIRST)];
    if (*count < UCHAR_MAX) ++*count;
    if (*count > r->budget[reason]) return false;
    if (r->n == r->capacity) {
        waiting *list = ss_realloc(r->list, r->capacity, 2 * r->capacity + 8, sizeof *list);
        if (!list) return false; /* then it is recorded as what it is now: failed */
        r->list = list;
        r->capacity = 2 * r->capacity + 8;
    }
    r->list[r->n++] = (waiting){point, rank};
    return true;
}

static void take_out(ss_retry *r, size_t i)
{
    memmove(r->list + i, r->list + i + 1, (r->n - i - 1) * sizeof *r->list);
    r->n--;
}

int64_t ss_retry_next(ss_retry *r, int rank, bool anywhere)
{
    for (int pass = 0; pass < 1 + anywhere; pass++)
        for (size_t i = 0; i < r->n; i++) {
            if (pass == 0 && r->list[i].rank == rank) continue;
            int64_t point = (int64_t)r->list[i].point;
            take_out(r, i);
            return point;
        }
    return -1;
}

void ss_retry_done(ss_retry *r, size_t point)
{
    r->done[point] = true;
    for (size_t i = r->n; i-- > 0;)
        if (r->list[i].point == point) take_out(r, i);
}

bool ss_retry_is_done(const ss_retry *r, size_t point)
{
    return r->done[point];
}

size_t ss_retry_waiting(const ss_retry *r)
{
    return r->n;
}
