/* serial.c - the farm of one process: the same queue and the same callbacks, driven by a plain loop. */
#include "sharpsweep/farm.h"

#include "retry.h"

const ss_farm_limits ss_farm_limits_default = {.worker_silence_s = 30, .stop_grace_s = 20};

typedef struct serial { ss_queue *queue; ss_retry *retry; const ss_farm_calls *calls; bool stop; } serial;

static bool is_to_be_run_again(serial *s, size_t point, const ss_record *record)
{
    if (record->status != SS_FAILED || !ss_retry_again(s->retry, point, record->stop_reason, 0)) return false;
    ss_log(SS_LOG_WARNING, "point %zu failed: %s; it will be run again", point, record->error);
    return true;
}

/* Runs one point; s->stop is set when it was interrupted. */
static int run_one(serial *s, size_t point, ss_error *error)
{
    const ss_farm_calls *calls = s->calls;
    ss_record record;
    ss_record_init(&record);
    int rc = calls->started(calls->ctx, point, 0, error);
    if (rc == 0) rc = calls->run(calls->ctx, point, &record, error);
    bool again = rc == 0 && is_to_be_run_again(s, point, &record);
    if (rc == 0 && !again) rc = calls->keep(calls->ctx, point, &record, error) ? -1 : 0;
    if (rc != 0)
        ss_queue_lost(s->queue, point);
    else if (!again)
        ss_queue_done(s->queue, point);
    s->stop = rc == 1;
    ss_record_finish(&record);
    return rc == 0 || rc == 1 ? 0 : -1;
}

static ss_farm_end loop(serial *s, ss_error *error)
{
    for (;;) {
        bool any = ss_queue_waiting(s->queue) > 0 || ss_retry_waiting(s->retry) > 0;
        if (s->calls->should_stop(s->calls->ctx)) return any ? SS_FARM_STOPPED : SS_FARM_COMPLETE;
        int64_t point = ss_queue_next(s->queue);
        if (point < 0) point = ss_retry_next(s->retry, 0, true);
        if (point < 0) return any ? SS_FARM_STOPPED : SS_FARM_COMPLETE; /* a limit keeps the rest back */
        if (run_one(s, (size_t)point, error)) return SS_FARM_ERROR;
        if (s->stop) return SS_FARM_STOPPED;
        s->calls->idle(s->calls->ctx);
    }
}

ss_farm_end ss_farm_serial(ss_queue *queue, const ss_farm_calls *calls, ss_error *error)
{
    const ss_farm_limits *limits = calls->limits ? calls->limits : &ss_farm_limits_default;
    size_t n = ss_queue_waiting(queue) + ss_queue_running(queue) + ss_queue_finished(queue);
    serial s = {queue, ss_retry_create(n, limits->retries, error), calls, false};
    if (!s.retry) return SS_FARM_ERROR;
    ss_farm_end end = loop(&s, error);
    for (int64_t point; (point = ss_retry_next(s.retry, 0, true)) >= 0;) ss_queue_lost(queue, (size_t)point);
    ss_retry_destroy(s.retry);
    return end;
}
