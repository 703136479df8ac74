/* schedule.c - rank 0: hands points to free workers, takes their records, stops politely.
 *
 * One loop: take what has come, look who is silent, hand out what is waiting, call idle, nap. A worker that is not heard for
 * worker_silence_s loses its point to another; if it comes back, its record is taken where the point is not done yet, and it
 * works on. A stop (asked for, or an error, or an interrupted worker) sends STOP to everybody, takes the answers of the busy
 * ones for at most stop_grace_s + SS_FARM_DRAIN_S and returns: nothing here waits for one particular rank. */
#include "message.h"
#include "retry.h"

#include <assert.h>
#include <string.h>

#define LOOK_S 0.05               /* between two looks at who is silent */

typedef struct hand {             /* what rank 0 knows of one worker */
    int64_t point;                /* what it was given and has not answered; -1: nothing */
    bool ready, silent, told_to_stop, gone; /* gone: it said BYE */
    bool robbed;                  /* its point has been given away */
    double heard_s;
    ss_task task;                 /* send buffers, alive until they have left */
    ss_stop_notice notice;
    ss_outgoing outgoing_task, outgoing_stop, outgoing_alive;
} hand;

typedef struct schedule {
    ss_queue *queue;
    ss_retry *retry;
    const ss_farm_calls *calls;
    const ss_farm_limits *limits;
    ss_error *error;
    ss_inbox inbox;
    int n_workers, n_silent;
    int32_t number;               /* of this sweep among those of this process */
    hand *worker;                 /* [rank], 0 unused */
    bool stopping;
    ss_farm_end end;
    double stop_s, looked_s, heard_s; /* when stopping began; the last look; when anybody was heard */
} schedule;

/* ---- stopping -------------------------------------------------------------------------------------------------------- */

static int tell_to_stop(schedule *s, int rank)
{
    hand *w = &s->worker[rank];
    if (w->told_to_stop) return 0;
    w->told_to_stop = true;
    w->notice = (ss_stop_notice){s->number, (int32_t)s->end};
    return ss_outgoing_send(&w->outgoing_stop, &w->notice, sizeof w->notice, rank, SS_TAG_STOP, s->error);
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

/* ---- what comes in --------------------------------------------------------------------------------------------------- */

static int keep(schedule *s, size_t point, const ss_record *record)
{
    ss_error why = {{0}};
    if (s->calls->keep(s->calls->ctx, point, record, &why)) {
        ss_queue_lost(s->queue, point);
        return begin_error(s, &why);
    }
    ss_queue_done(s->queue, point);
    ss_retry_done(s->retry, point);
    return 0;
}

static bool is_process_failure(const ss_record *r)
{
    return r->status == SS_FAILED && r->stop_reason >= SS_STOP_CRASH && r->stop_reason < SS_N_STOP;
}

/* A record of a point that is not done. `late`: the point was given away meanwhile, so that a failure does not count. */
static int judge_record(schedule *s, int rank, size_t point, const ss_record *record, bool late)
{
    if (!is_process_failure(record)) return keep(s, point, record);
    if (late) return 0;
    bool again = ss_retry_again(s->retry, point, record->stop_reason, rank);
    ss_log(SS_LOG_WARNING, "point %zu failed on rank %d (%s): %s; %s", point, rank, record->host, record->error,
           again ? "it will be run again" : "that was its last attempt");
    return again ? 0 : keep(s, point, record);
}

static int take_record(schedule *s, int rank, size_t point, const unsigned char *bytes, size_t n_bytes, bool late)
{
    ss_error why = {{0}};
    ss_record record;
    ss_record_init(&record);
    if (ss_record_decode(bytes, n_bytes, &record, &why)) {
        ss_fail_in(&why, "rank %d's record of point %zu", rank, point);
        if (!late) ss_queue_lost(s->queue, point);
        ss_record_finish(&record);
        return begin_error(s, &why);
    }
    int rc = judge_record(s, rank, point, &record, late);
    ss_record_finish(&record);
    return rc;
}

static int take_result(schedule *s, const ss_mail *mail)
{
    hand *w = &s->worker[mail->source];
    ss_result head = {0};
    ss_error why = {{0}};
    bool whole = mail->n >= sizeof head;
    if (whole) memcpy(&head, mail->bytes, sizeof head);
    if (whole && head.sweep != s->number) return 0; /* of a sweep that is over */
    if (!whole || head.n_bytes < 0 || (size_t)head.n_bytes != mail->n - sizeof head || head.point != w->point || head.point < 0) {
        ss_fail(&why, "rank %d answered %zu bytes that do not belong to its point %lld", mail->source, mail->n,
                (long long)w->point);
        return begin_error(s, &why);
    }
    const unsigned char *payload = mail->bytes + sizeof head;
    size_t point = (size_t)head.point;
    bool late = w->robbed;
    w->point = -1;
    w->ready = true;
    w->robbed = false;
    if (ss_retry_is_done(s->retry, point)) return 0;
    if (head.outcome == SS_OUTCOME_RECORD) return take_record(s, mail->source, point, payload, (size_t)head.n_bytes, late);
    if (!late) ss_queue_lost(s->queue, point);
    /* Interrupted without our asking: a signal reached that rank alone. It would interrupt every further point as well. */
    if (head.outcome == SS_OUTCOME_INTERRUPTED) return late ? 0 : begin_stop(s, SS_FARM_STOPPED);
    ss_fail(&why, "rank %d: %.*s", mail->source, (int)head.n_bytes, (const char *)payload);
    return begin_error(s, &why);
}

static void take_bye(schedule *s, const ss_mail *mail)
{
    ss_ready bye = {-1};
    if (mail->n == sizeof bye) memcpy(&bye, mail->bytes, sizeof bye);
    if (bye.sweep == s->number) s->worker[mail->source].gone = true;
}

/* A worker is free; one that says so of an earlier sweep, which ended before it was heard, will say so again. */
static void take_ready(schedule *s, const ss_mail *mail)
{
    ss_ready ready = {-1};
    if (mail->n == sizeof ready) memcpy(&ready, mail->bytes, sizeof ready);
    if (ready.sweep == s->number) s->worker[mail->source].ready = true;
}

static int take_beat(schedule *s, int rank)
{
    bool is_free = false;
    hand *w = &s->worker[rank];
    if (ss_outgoing_is_free(&w->outgoing_alive, &is_free, s->error)) return -1;
    return is_free ? ss_outgoing_send(&w->outgoing_alive, NULL, 0, rank, SS_TAG_ALIVE, s->error) : 0;
}

static void hear(schedule *s, int rank)
{
    hand *w = &s->worker[rank];
    w->heard_s = s->heard_s = ss_clock_s();
    if (!w->silent) return;
    w->silent = false;
    s->n_silent--;
    ss_log(SS_LOG_INFO, "rank %d is heard again", rank);
}

static int take_mail(schedule *s, const ss_mail *mail)
{
    hear(s, mail->source);
    if (mail->tag == SS_TAG_RESULT) return take_result(s, mail);
    if (mail->tag == SS_TAG_BEAT) return take_beat(s, mail->source);
    if (mail->tag == SS_TAG_READY)
        take_ready(s, mail);
    else if (mail->tag == SS_TAG_BYE)
        take_bye(s, mail);
    else
        ss_log(SS_LOG_WARNING, "rank %d sent an unexpected message with tag %d", mail->source, mail->tag);
    return 0;
}

/* The next message. While stopping READYs are left for the next sweep, and answers go before BYEs. */
static int next_mail(schedule *s, ss_mail **mail)
{
    static const int while_stopping[] = {SS_TAG_RESULT, SS_TAG_BEAT, SS_TAG_BYE};
    if (!s->stopping) return ss_inbox_take(&s->inbox, MPI_ANY_SOURCE, MPI_ANY_TAG, mail, s->error);
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < sizeof while_stopping / sizeof *while_stopping; i++)
        rc = ss_inbox_take(&s->inbox, MPI_ANY_SOURCE, while_stopping[i], mail, s->error);
    return rc;
}

/* Takes every message that has come; the number taken, or -1. */
static int take_messages(schedule *s)
{
    int n_taken = 0;
    for (;;) {
        ss_mail *mail = NULL;
        int rc = next_mail(s, &mail);
        if (rc <= 0) return rc < 0 ? -1 : n_taken;
        n_taken++;
        rc = take_mail(s, mail);
        ss_mail_free(mail);
        if (rc) return -1;
    }
}

/* ---- silence --------------------------------------------------------------------------------------------------------- */

/* Takes a silent worker's point back. It counts as a crash: a point that ends one node after another must stop somewhere. */
static int rob(schedule *s, int rank)
{
    hand *w = &s->worker[rank];
    size_t point = (size_t)w->point;
    w->robbed = true;
    if (ss_retry_is_done(s->retry, point)) return 0;
    if (ss_retry_again(s->retry, point, SS_STOP_CRASH, rank)) return 0;
    ss_record record;
    ss_record_init(&record);
    record.status = SS_FAILED;
    record.stop_reason = SS_STOP_CRASH;
    record.worker = rank;
    ss_time_now(record.finished);
    snprintf(record.error, sizeof record.error, "worker rank %d, and the %lld before it, were not heard for %.6g s "
             "(worker_silence_s) while they ran it", rank,
             (long long)ss_retry_count(s->retry, point, SS_STOP_CRASH) - 1, s->limits->worker_silence_s);
    int rc = keep(s, point, &record);
    ss_record_finish(&record);
    return rc;
}

/* Rank 0 may have been stopped or busy itself: then nobody could be heard, and that is not their fault. */
static void forgive_own_absence(schedule *s, double now_s)
{
    double gap_s = now_s - s->looked_s - LOOK_S;
    if (gap_s < s->limits->worker_silence_s / 4) return;
    s->heard_s += gap_s;
    for (int rank = 1; rank <= s->n_workers; rank++) s->worker[rank].heard_s += gap_s;
}

static int look_for_silence(schedule *s)
{
    double now_s = ss_clock_s(), limit_s = s->limits->worker_silence_s;
    if (now_s - s->looked_s < LOOK_S) return 0;
    forgive_own_absence(s, now_s);
    s->looked_s = now_s;
    for (int rank = 1; rank <= s->n_workers; rank++) {
        hand *w = &s->worker[rank];
        if (w->gone || w->silent || now_s - w->heard_s < limit_s) continue; /* who has said BYE has nothing more to say */
        w->silent = true;
        s->n_silent++;
        bool busy = w->point >= 0 && !w->robbed;
        if (busy)
            ss_log(SS_LOG_WARNING, "rank %d was not heard for %.6g s; its point %lld goes to another", rank, limit_s,
                   (long long)w->point);
        else
            ss_log(SS_LOG_WARNING, "rank %d was not heard for %.6g s", rank, limit_s);
        if (busy && rob(s, rank)) return -1;
    }
    /* They had a second chance. */
    bool deserted = s->n_silent == s->n_workers && now_s - s->heard_s > 2 * limit_s;
    return deserted ? begin_stop(s, SS_FARM_DESERTED) : 0;
}

/* ---- handing out ------------------------------------------------------------------------------------------------------ */

static int hand_out_one(schedule *s, int rank, size_t point)
{
    ss_error why = {{0}};
    hand *w = &s->worker[rank];
    if (s->calls->started(s->calls->ctx, point, rank, &why)) {
        ss_queue_lost(s->queue, point);
        return begin_error(s, &why);
    }
    w->task = (ss_task){(int64_t)point, s->number};
    w->point = (int64_t)point;
    w->ready = false;
    return ss_outgoing_send(&w->outgoing_task, &w->task, sizeof w->task, rank, SS_TAG_TASK, s->error);
}

static bool is_free(const hand *w)
{
    return w->ready && !w->silent;
}

/* First what failed on another rank; what failed on this one only where nothing else waits and nobody else is free. */
static int64_t next_point(schedule *s, int rank)
{
    int n_free = 0;
    int64_t point = ss_retry_next(s->retry, rank, false);
    if (point >= 0) return point;
    point = ss_queue_next(s->queue);
    if (point >= 0 || ss_retry_waiting(s->retry) == 0) return point;
    for (int other = 1; other <= s->n_workers; other++) n_free += is_free(&s->worker[other]);
    return n_free > 1 ? -1 : ss_retry_next(s->retry, rank, true);
}

/* Gives every free worker a point, while there are any; the number handed out, or -1. */
static int hand_out(schedule *s)
{
    int n_handed = 0;
    if (ss_queue_waiting(s->queue) == 0 && ss_retry_waiting(s->retry) == 0) return 0;
    for (int rank = 1; rank <= s->n_workers && !s->stopping; rank++) {
        bool sent = true;
        hand *w = &s->worker[rank];
        if (!is_free(w)) continue;
        if (ss_outgoing_is_free(&w->outgoing_task, &sent, s->error)) return -1; /* it was answered, so it was sent */
        int64_t point = sent ? next_point(s, rank) : -1;
        if (point < 0) continue;
        if (hand_out_one(s, rank, (size_t)point)) return -1;
        n_handed++;
    }
    return n_handed;
}

/* ---- the loop --------------------------------------------------------------------------------------------------------- */

/* Everybody has answered and said BYE, or is silent, or has had the time to. */
static bool is_drained(const schedule *s)
{
    double waited_s = ss_clock_s() - s->stop_s;
    bool busy = false, all_gone = true;
    if (!s->stopping) return false;
    for (int rank = 1; rank <= s->n_workers; rank++) {
        const hand *w = &s->worker[rank];
        busy |= w->point >= 0 && !w->silent;
        all_gone &= w->gone || w->silent;
    }
    return all_gone || waited_s > (busy ? s->limits->stop_grace_s + SS_FARM_DRAIN_S : SS_FARM_DRAIN_S);
}

/* Takes back the points of workers that did not answer in time. Whoever did not say BYE is missing. */
static int finish(schedule *s)
{
    for (int64_t point; (point = ss_retry_next(s->retry, -1, true)) >= 0;) ss_queue_lost(s->queue, (size_t)point);
    for (int rank = 1; rank <= s->n_workers; rank++) {
        hand *w = &s->worker[rank];
        bool task = true, stop = true, alive = true;
        if (w->point >= 0 && !w->robbed) {
            ss_log(SS_LOG_WARNING, "rank %d did not stop in time; its point %lld will be run again", rank, (long long)w->point);
            ss_queue_lost(s->queue, (size_t)w->point);
        }
        if (ss_outgoing_is_free(&w->outgoing_task, &task, s->error) || ss_outgoing_is_free(&w->outgoing_stop, &stop, s->error)
            || ss_outgoing_is_free(&w->outgoing_alive, &alive, s->error))
            return -1;
        if (!w->gone || !task || !stop || !alive) ss_farm_miss();
    }
    return 0;
}

static int loop(schedule *s)
{
    ss_nap nap = {0};
    while (!is_drained(s)) {
        int n_taken = take_messages(s);
        if (n_taken < 0 || look_for_silence(s)) return -1;
        bool nothing_left = ss_queue_waiting(s->queue) == 0 && ss_queue_running(s->queue) == 0;
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

static int begin(schedule *s)
{
    size_t n = ss_queue_waiting(s->queue) + ss_queue_running(s->queue) + ss_queue_finished(s->queue);
    s->worker = ss_alloc((size_t)ss_farm_size(), sizeof *s->worker);
    if (!s->worker) return ss_fail(s->error, "no memory for %d workers", s->n_workers);
    s->retry = ss_retry_create(n, s->limits->retries, s->error);
    s->looked_s = s->heard_s = ss_clock_s();
    for (int rank = 0; rank <= s->n_workers; rank++) {
        hand *w = &s->worker[rank];
        w->point = -1;
        w->heard_s = s->heard_s;
        w->outgoing_task.request = w->outgoing_stop.request = w->outgoing_alive.request = MPI_REQUEST_NULL;
    }
    return s->retry ? 0 : -1;
}

ss_farm_end ss_farm_schedule(ss_queue *queue, const ss_farm_calls *calls, ss_error *error)
{
    static int32_t n_sweeps;
    ss_error own;
    schedule s = {.queue = queue, .calls = calls, .error = error ? error : &own, .n_workers = ss_farm_size() - 1,
                  .limits = calls->limits ? calls->limits : &ss_farm_limits_default, .number = n_sweeps++};
    assert(ss_farm_rank() == 0 && s.n_workers >= 1);
    int rc = begin(&s) || loop(&s) ? -1 : 0;
    ss_retry_destroy(s.retry);
    /* After an MPI error, and where a rank is missing, the send buffers may still be in use: better kept than reused. */
    if (rc) return SS_FARM_ERROR;
    ss_inbox_finish(&s.inbox);
    if (ss_farm_is_whole()) ss_free(s.worker);
    /* The last points may have finished although a stop was on its way. */
    bool complete = ss_queue_waiting(queue) == 0 && ss_queue_running(queue) == 0;
    return s.end != SS_FARM_ERROR && complete ? SS_FARM_COMPLETE : s.end;
}
