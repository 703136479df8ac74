/* serial.c - the farm of one process: the same queue and the same callbacks, driven by a plain loop. */
#include "sharpsweep/farm.h"

/* Runs one point; *stop is set when it was interrupted. */
static int run_one(ss_queue *queue, const ss_farm_calls *calls, size_t point, bool *stop, ss_error *error)
{
    ss_record record;
    ss_record_init(&record);
    int rc = calls->started(calls->ctx, point, 0, error);
    if (rc == 0) rc = calls->run(calls->ctx, point, &record, error);
    if (rc == 0) rc = calls->keep(calls->ctx, point, &record, error) ? -1 : 0;
    if (rc == 0)
        ss_queue_done(queue, point);
    else
        ss_queue_lost(queue, point);
    *stop = rc == 1;
    ss_record_finish(&record);
    return rc == 0 || rc == 1 ? 0 : -1;
}

ss_farm_end ss_farm_serial(ss_queue *queue, const ss_farm_calls *calls, ss_error *error)
{
    for (;;) {
        if (calls->should_stop(calls->ctx)) return ss_queue_waiting(queue) ? SS_FARM_STOPPED : SS_FARM_COMPLETE;
        int64_t point = ss_queue_next(queue);
        if (point < 0) return SS_FARM_COMPLETE;
        bool stop = false;
        if (run_one(queue, calls, (size_t)point, &stop, error)) return SS_FARM_ERROR;
        if (stop) return SS_FARM_STOPPED;
        calls->idle(calls->ctx);
    }
}
