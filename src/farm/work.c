/* work.c - every rank but 0: asks for points, runs them, answers, until it is told to stop or rank 0 is gone. */
#include "message.h"

#include <limits.h>
#include <string.h>

/* A look at the network costs under a microsecond, but training steps of tiny networks cost not much more. */
#define POLL_S 1e-3

static struct {                   /* of the sweep that is going on */
    bool stop_seen, root_gone;
    int32_t number;
    double silence_s, polled_s, beat_s, heard_s;
    ss_outgoing beat;
} now = {.beat = {MPI_REQUEST_NULL}};

/* Rank 0 was heard at this time. */
static void hear_root(double at_s)
{
    now.heard_s = at_s;
}

/* Takes what rank 0 says only to be heard. */
static int take_alive(ss_inbox *inbox, ss_error *error)
{
    ss_mail *mail = NULL;
    int rc;
    while ((rc = ss_inbox_take(inbox, 0, SS_TAG_ALIVE, &mail, error)) == 1) {
        hear_root(ss_clock_s());
        ss_mail_free(mail);
    }
    return rc;
}

static int beat(double at_s, ss_error *error)
{
    bool is_free = false;
    if (at_s - now.beat_s < now.silence_s / SS_BEATS_PER_SILENCE) return 0;
    if (ss_outgoing_is_free(&now.beat, &is_free, error) || !is_free) return is_free ? -1 : 0;
    now.beat_s = at_s;
    return ss_outgoing_send(&now.beat, NULL, 0, 0, SS_TAG_BEAT, error);
}

/* Tells rank 0 that we live, and looks whether it does. An error of MPI is not told here: what is sent next will meet it. */
static void poll_root(void)
{
    static ss_inbox inbox;
    ss_error why;
    double at_s = ss_clock_s();
    if (at_s - now.polled_s < POLL_S) return;
    double gap_s = at_s - now.polled_s;
    if (now.polled_s > 0 && gap_s > now.silence_s / 4) now.heard_s += gap_s; /* it was us who were away */
    now.polled_s = at_s;
    if (beat(at_s, &why) || take_alive(&inbox, &why)) return;
    if (at_s - now.heard_s < SS_ROOT_SILENCES * now.silence_s || now.root_gone) return;
    ss_log(SS_LOG_WARNING, "rank 0 was not heard for %.6g s; this rank ends", SS_ROOT_SILENCES * now.silence_s);
    now.root_gone = true;
    ss_farm_miss();
}

bool ss_farm_stop_requested(void)
{
    if (ss_farm_comm == MPI_COMM_NULL || ss_farm_rank() == 0) return false;
    double before_s = now.polled_s;
    poll_root();
    if (now.stop_seen || now.root_gone || now.polled_s == before_s) return now.stop_seen || now.root_gone;
    int there = 0;
    /* The notice itself stays for ss_farm_work to take. */
    if (MPI_Iprobe(0, SS_TAG_STOP, ss_farm_comm, &there, MPI_STATUS_IGNORE) == MPI_SUCCESS && there) now.stop_seen = true;
    return now.stop_seen;
}

/* Sends header and payload as one message. Rank 0 may have given up on us while it drained (and a large message waits for
 * its receiver), hence the limit once a stop is on its way. */
static int send_result(size_t point, ss_outcome outcome, const void *payload, size_t n_bytes, ss_error *error)
{
    ss_outgoing out = {MPI_REQUEST_NULL};
    ss_nap nap = {0};
    if (n_bytes > INT_MAX - sizeof(ss_result))
        return ss_fail(error, "the record of point %zu has %zu bytes, more than a message carries", point, n_bytes);
    ss_result head = {(int64_t)point, now.number, (int32_t)outcome, (int32_t)n_bytes};
    unsigned char *bytes = ss_alloc(sizeof head + n_bytes, 1);
    if (!bytes) return ss_fail(error, "no memory to send the %zu bytes of point %zu's record", n_bytes, point);
    memcpy(bytes, &head, sizeof head);
    if (n_bytes) memcpy(bytes + sizeof head, payload, n_bytes);
    bool sent = false;
    double stop_s = 0;
    int rc = ss_outgoing_send(&out, bytes, sizeof head + n_bytes, 0, SS_TAG_RESULT, error);
    if (rc) ss_free(bytes);
    while (rc == 0) {
        rc = ss_outgoing_is_free(&out, &sent, error);
        if (rc || sent) break;
        if (ss_farm_stop_requested() && stop_s <= 0) stop_s = ss_clock_s();
        if (now.root_gone || (stop_s > 0 && ss_clock_s() - stop_s > 2 * SS_FARM_DRAIN_S)) {
            ss_log(SS_LOG_WARNING, "rank 0 did not take the result of point %zu; it will be run again", point);
            return 0; /* the buffer stays: MPI may still read it */
        }
        ss_nap_take(&nap);
    }
    if (sent) ss_free(bytes);
    return rc;
}

static int send_error(size_t point, const ss_error *why)
{
    return send_result(point, SS_OUTCOME_ERROR, why->text, strlen(why->text), NULL);
}

/* 0, or -1 when rank 0 was told (or cannot be told) that this worker is of no further use. */
static int run_task(const ss_farm_calls *calls, size_t point, ss_error *error)
{
    unsigned char *bytes = NULL;
    size_t n_bytes = 0;
    ss_record record;
    ss_record_init(&record);
    int rc = ss_farm_stop_requested() ? 1 : calls->run(calls->ctx, point, &record, error);
    if (rc == 0) rc = ss_record_encode(&record, &bytes, &n_bytes, error);
    if (rc == 0)
        rc = send_result(point, SS_OUTCOME_RECORD, bytes, n_bytes, error);
    else if (rc == 1)
        rc = send_result(point, SS_OUTCOME_INTERRUPTED, NULL, 0, error);
    if (rc < 0) send_error(point, error);
    ss_free(bytes);
    ss_record_finish(&record);
    return rc;
}

/* Waits for rank 0's next word without spinning: 1 and *mail, 0: rank 0 is gone, -1: an error. */
static int next_message(ss_inbox *inbox, ss_mail **mail, ss_error *error)
{
    ss_nap nap = {0};
    for (;;) {
        /* First what may come at any time, or it would stand in the way. */
        if (take_alive(inbox, error)) return -1;
        int rc = ss_inbox_take(inbox, 0, MPI_ANY_TAG, mail, error);
        if (rc < 0) return -1;
        if (rc > 0) hear_root(ss_clock_s());
        if (rc > 0 && (*mail)->tag != SS_TAG_ALIVE) return 1;
        if (rc > 0) {
            ss_mail_free(*mail);
            continue;
        }
        poll_root();
        if (now.root_gone) return 0;
        ss_nap_take(&nap);
    }
}

/* READY or BYE. */
static int say(ss_tag tag, ss_error *error)
{
    ss_nap nap = {0};
    static ss_ready ready;
    ss_outgoing out = {MPI_REQUEST_NULL};
    ready.sweep = now.number;
    bool sent = false;
    if (ss_outgoing_send(&out, &ready, sizeof ready, 0, tag, error)) return -1;
    while (!sent && !now.root_gone) {
        if (ss_outgoing_is_free(&out, &sent, error)) return -1;
        poll_root();
        if (!sent) ss_nap_take(&nap);
    }
    return 0;
}

static void begin(const ss_farm_calls *calls)
{
    static int32_t n_sweeps;
    now.number = n_sweeps++;
    now.stop_seen = now.root_gone = false;
    now.silence_s = (calls->limits ? calls->limits : &ss_farm_limits_default)->worker_silence_s;
    now.heard_s = ss_clock_s();
    now.polled_s = now.beat_s = 0;
}

/* A task or a stop: 0 and go on, 1 and *end, -1. */
static int obey(const ss_farm_calls *calls, const ss_mail *mail, bool *broken, ss_farm_end *end, ss_error *error)
{
    ss_task task;
    ss_stop_notice notice;
    if (mail->tag == SS_TAG_STOP && mail->n == sizeof notice) {
        memcpy(&notice, mail->bytes, sizeof notice);
        if (notice.sweep != now.number) return 0; /* of a sweep that we have left */
        if (say(SS_TAG_BYE, error)) return -1;
        *end = *broken ? SS_FARM_ERROR : (ss_farm_end)notice.end;
        return 1;
    }
    if (mail->tag != SS_TAG_TASK || mail->n != sizeof task)
        return ss_fail(error, "rank 0 sent %zu bytes with tag %d, which is no task", mail->n, mail->tag);
    memcpy(&task, mail->bytes, sizeof task);
    if (task.sweep != now.number || task.point < 0) return 0;
    if (run_task(calls, (size_t)task.point, error)) *broken = true;
    return 0;
}

ss_farm_end ss_farm_work(const ss_farm_calls *calls, ss_error *error)
{
    ss_error own;
    ss_inbox inbox = {0};
    ss_farm_end end = SS_FARM_ERROR;
    bool broken = false; /* an error was reported: only STOP can follow */
    if (!error) error = &own;
    begin(calls);
    if (say(SS_TAG_READY, error)) return SS_FARM_ERROR;
    for (;;) {
        ss_mail *mail = NULL;
        int rc = next_message(&inbox, &mail, error);
        if (rc == 0) ss_fail(error, "rank 0 is gone");
        if (rc <= 0) return SS_FARM_ERROR;
        rc = obey(calls, mail, &broken, &end, error);
        ss_mail_free(mail);
        if (rc) return rc < 0 ? SS_FARM_ERROR : end;
    }
}
