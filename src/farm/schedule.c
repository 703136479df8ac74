/* schedule.c - rank 0: hands points to free workers, takes their records, stops politely.
 *
 * One loop: take what has come, hand out what is waiting, call idle, nap. A stop (asked for, or an error, or an interrupted
 * worker) sends STOP to everybody, takes the answers of the busy ones for at most SS_FARM_DRAIN_S and returns. */
#include "message.h"

#include <assert.h>
#include <string.h>

typedef struct hand {             /* what rank 0 knows of one worker */
    int64_t point;                /* running; -1: none */
    bool ready, told_to_stop;
    ss_task task;                 /* send buffers, alive until their requests complete */
    ss_stop_notice notice;
    MPI_Request task_request, stop_request;
} hand;

typedef struct schedule {
    ss_queue *queue;
    const ss_farm_calls *calls;
    ss_error *error;
    int n_workers, n_busy;
    int32_t number;               /* of this sweep among those of this process */
    hand *worker;                 /* [rank], 0 unused */
    bool stopping;
    ss_farm_end end;
    double stop_s;                /* when stopping began */
} schedule;

static int tell_to_stop(schedule *s, int rank)
{
    ss_error *error = s->error;
    hand *w = &s->worker[rank];
    if (w->told_to_stop) return 0;
    w->told_to_stop = true;
    w->notice.end = (int32_t)s->end;
    MPI_TRY(MPI_Isend(&w->notice, sizeof w->notice, MPI_BYTE, rank, SS_TAG_STOP, ss_farm_comm, &w->stop_request));
    return 0;
}

static int begin_stop(schedule *s, ss_farm_end end)
{
    if (s->end != SS_FARM_ERROR) s->end = end; /* an error outweighs a stop */
    if (s->stopping) return 0;
    s->stopping = true;
    s->stop_s = ss_clock_s();
    for (int rank = 1; rank <= s->n_workers; rank++)
        if (tell_to_stop(s, rank)) return -1;
    return 0;
}

/* An error of a callback or a worker: the first one is the sweep's, later ones only go to the log. */
static int begin_error(schedule *s, const ss_error *why)
{
    if (s->end == SS_FARM_ERROR)
        ss_log(SS_LOG_ERROR, "%s", why->text);
    else
        ss_fail(s->error, "%s", why->text);
    return begin_stop(s, SS_FARM_ERROR);
}

static int keep_record(schedule *s, int rank, size_t point, const unsigned char *bytes, size_t n_bytes)
{
    ss_error why = {{0}};
    ss_record record;
    ss_record_init(&record);
    int rc = ss_record_decode(bytes, n_bytes, &record, &why);
    if (rc) ss_fail_in(&why, "rank %d's record of point %zu", rank, point);
    if (!rc) rc = s->calls->keep(s->calls->ctx, point, &record, &why);
    ss_record_finish(&record);
    if (rc) {
        ss_queue_lost(s->queue, point);
        return begin_error(s, &why);
    }
    ss_queue_done(s->queue, point);
    return 0;
}

static int take_result(schedule *s, int rank, const unsigned char *bytes, size_t n_bytes)
{
    hand *w = &s->worker[rank];
    ss_result head;
    ss_error why = {{0}};
    if (n_bytes >= sizeof head) memcpy(&head, bytes, sizeof head);
    if (n_bytes < sizeof head || head.n_bytes < 0 || (size_t)head.n_bytes != n_bytes - sizeof head || head.point != w->point ||
        head.point < 0) {
        ss_fail(&why, "rank %d answered %zu bytes that do not belong to its point %lld", rank, n_bytes, (long long)w->point);
        return begin_error(s, &why);
    }
    const unsigned char *payload = bytes + sizeof head;
    size_t point = (size_t)head.point;
    w->point = -1;
    w->ready = true;
    s->n_busy--;
    if (head.outcome == SS_OUTCOME_RECORD) return keep_record(s, rank, point, payload, (size_t)head.n_bytes);
    ss_queue_lost(s->queue, point);
    /* Interrupted without our asking: a signal reached that rank alone. It would interrupt every further point as well. */
    if (head.outcome == SS_OUTCOME_INTERRUPTED) return begin_stop(s, SS_FARM_STOPPED);
    ss_fail(&why, "rank %d: %.*s", rank, (int)head.n_bytes, (const char *)payload);
    return begin_error(s, &why);
}

/* A worker is free; one that says so of an earlier sweep, which ended before it was heard, will say so again. */
static void take_ready(schedule *s, int rank, const unsigned char *bytes, size_t n_bytes)
{
    ss_ready ready = {-1};
    if (n_bytes == sizeof ready) memcpy(&ready, bytes, sizeof ready);
    if (ready.sweep == s->number) s->worker[rank].ready = true;
}

/* Takes every message that has come; the number taken, or -1. */
static int take_messages(schedule *s)
{
    int n_taken = 0;
    for (;;) {
        MPI_Status status;
        unsigned char *bytes = NULL;
        size_t n_bytes = 0;
        int tag = s->stopping ? SS_TAG_RESULT : MPI_ANY_TAG;
        int rc = ss_message_take(MPI_ANY_SOURCE, tag, &status, &bytes, &n_bytes, s->error);
        if (rc <= 0) return rc < 0 ? -1 : n_taken;
        n_taken++;
        rc = 0;
        if (status.MPI_TAG == SS_TAG_READY)
            take_ready(s, status.MPI_SOURCE, bytes, n_bytes);
        else if (status.MPI_TAG == SS_TAG_RESULT)
            rc = take_result(s, status.MPI_SOURCE, bytes, n_bytes);
        else
            ss_log(SS_LOG_WARNING, "rank %d sent an unexpected message with tag %d", status.MPI_SOURCE, status.MPI_TAG);
        ss_free(bytes);
        if (rc) return -1;
    }
}

static int hand_out_one(schedule *s, int rank, size_t point)
{
    ss_error *error = s->error, why = {{0}};
    hand *w = &s->worker[rank];
    if (s->calls->started(s->calls->ctx, point, rank, &why)) {
        ss_queue_lost(s->queue, point);
        return begin_error(s, &why);
    }
    w->point = w->task.point = (int64_t)point;
    w->ready = false;
    s->n_busy++;
    MPI_TRY(MPI_Isend(&w->task, sizeof w->task, MPI_BYTE, rank, SS_TAG_TASK, ss_farm_comm, &w->task_request));
    return 0;
}

/* Gives every free worker a point, while there are any; the number handed out, or -1. */
static int hand_out(schedule *s)
{
    int n_handed = 0;
    for (int rank = 1; rank <= s->n_workers && !s->stopping; rank++) {
        ss_error *error = s->error;
        hand *w = &s->worker[rank];
        int sent = 1;
        if (!w->ready) continue;
        MPI_TRY(MPI_Test(&w->task_request, &sent, MPI_STATUS_IGNORE)); /* it was answered, so it was sent */
        if (!sent) continue;
        int64_t point = ss_queue_next(s->queue);
        if (point < 0) break;
        if (hand_out_one(s, rank, (size_t)point)) return -1;
        n_handed++;
    }
    return n_handed;
}

/* Waits for the last sends, and takes back the points of workers that did not answer in time. */
static int finish(schedule *s)
{
    for (int rank = 1; rank <= s->n_workers; rank++) {
        hand *w = &s->worker[rank];
        if (w->point >= 0) {
            ss_log(SS_LOG_WARNING, "rank %d did not answer within %g s; point %lld will be run again", rank, SS_FARM_DRAIN_S,
                   (long long)w->point);
            ss_queue_lost(s->queue, (size_t)w->point);
        }
        if (ss_request_wait_for(&w->task_request, SS_FARM_DRAIN_S, s->error) < 0) return -1;
        if (ss_request_wait_for(&w->stop_request, SS_FARM_DRAIN_S, s->error) < 0) return -1;
    }
    return 0;
}

static bool is_over(const schedule *s)
{
    if (!s->stopping) return false;
    return s->n_busy == 0 || ss_clock_s() - s->stop_s > SS_FARM_DRAIN_S;
}

static int loop(schedule *s)
{
    ss_nap nap = {0};
    while (!is_over(s)) {
        int n_taken = take_messages(s);
        if (n_taken < 0) return -1;
        bool nothing_left = ss_queue_waiting(s->queue) == 0 && s->n_busy == 0;
        if (!s->stopping && nothing_left && begin_stop(s, SS_FARM_COMPLETE)) return -1;
        if (!s->stopping && s->calls->should_stop(s->calls->ctx) && begin_stop(s, SS_FARM_STOPPED)) return -1;
        int n_handed = hand_out(s);
        if (n_handed < 0) return -1;
        s->calls->idle(s->calls->ctx);
        if (n_taken || n_handed)
            ss_nap_reset(&nap);
        else
            ss_nap_take(&nap);
    }
    return finish(s);
}

ss_farm_end ss_farm_schedule(ss_queue *queue, const ss_farm_calls *calls, ss_error *error)
{
    static int32_t n_sweeps;
    ss_error own;
    schedule s = {.queue = queue, .calls = calls, .error = error ? error : &own, .n_workers = ss_farm_size() - 1,
                  .number = n_sweeps++};
    assert(ss_farm_rank() == 0 && s.n_workers >= 1);
    s.worker = ss_alloc((size_t)ss_farm_size(), sizeof *s.worker);
    if (!s.worker) {
        ss_fail(error, "no memory for %d workers", s.n_workers);
        return SS_FARM_ERROR;
    }
    for (int rank = 0; rank <= s.n_workers; rank++) {
        s.worker[rank].point = -1;
        s.worker[rank].task_request = s.worker[rank].stop_request = MPI_REQUEST_NULL;
    }
    int rc = loop(&s);
    /* After an MPI error the send buffers may still be in use: better kept than reused. */
    if (rc) return SS_FARM_ERROR;
    ss_free(s.worker);
    /* The last points may have finished although a stop was on its way. */
    bool complete = ss_queue_waiting(queue) == 0 && ss_queue_running(queue) == 0;
    return s.end == SS_FARM_STOPPED && complete ? SS_FARM_COMPLETE : s.end;
}
