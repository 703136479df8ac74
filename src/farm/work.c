/* work.c - every rank but 0: asks for points, runs them, answers, until it is told to stop. */
#include "message.h"

#include <limits.h>
#include <string.h>

/* A look at the network costs under a microsecond, but training steps of tiny networks cost not much more. */
#define STOP_POLL_S 1e-3

static bool stop_seen;
static double stop_polled_s;

bool ss_farm_stop_requested(void)
{
    if (stop_seen || ss_farm_comm == MPI_COMM_NULL || ss_farm_rank() == 0) return stop_seen;
    double now_s = ss_clock_s();
    if (now_s - stop_polled_s < STOP_POLL_S) return false;
    stop_polled_s = now_s;
    int there = 0;
    /* The notice itself stays for ss_farm_work to take. */
    if (MPI_Iprobe(0, SS_TAG_STOP, ss_farm_comm, &there, MPI_STATUS_IGNORE) == MPI_SUCCESS && there) stop_seen = true;
    return stop_seen;
}

/* Sends header and payload as one message. Rank 0 may have given up on us while it drained (and a large message waits for
 * its receiver), hence the limit once a stop is on its way. */
static int send_result(size_t point, ss_outcome outcome, const void *payload, size_t n_bytes, ss_error *error)
{
    if (n_bytes > INT_MAX - sizeof(ss_result))
        return ss_fail(error, "the record of point %zu has %zu bytes, more than a message carries", point, n_bytes);
    ss_result head = {(int64_t)point, (int32_t)outcome, (int32_t)n_bytes};
    unsigned char *bytes = ss_alloc(sizeof head + n_bytes, 1);
    if (!bytes) return ss_fail(error, "no memory to send the %zu bytes of point %zu's record", n_bytes, point);
    memcpy(bytes, &head, sizeof head);
    if (n_bytes) memcpy(bytes + sizeof head, payload, n_bytes);
    MPI_Request request = MPI_REQUEST_NULL;
    int rc = MPI_Isend(bytes, (int)(sizeof head + n_bytes), MPI_BYTE, 0, SS_TAG_RESULT, ss_farm_comm, &request);
    if (rc != MPI_SUCCESS) {
        ss_free(bytes);
        return ss_mpi_fail(error, "MPI_Isend", rc);
    }
    do
        rc = ss_request_wait_for(&request, SS_FARM_DRAIN_S, error);
    while (rc == 1 && !ss_farm_stop_requested());
    if (rc == 1) {
        ss_log(SS_LOG_WARNING, "rank 0 did not take the result of point %zu; it will be run again", point);
        return 0; /* the buffer stays: MPI may still read it */
    }
    ss_free(bytes);
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

/* Waits for rank 0's next word without spinning. */
static int next_message(MPI_Status *status, unsigned char **bytes, size_t *n_bytes, ss_error *error)
{
    ss_nap nap = {0};
    int rc;
    while ((rc = ss_message_take(0, MPI_ANY_TAG, status, bytes, n_bytes, error)) == 0) ss_nap_take(&nap);
    return rc < 0 ? -1 : 0;
}

static int say_ready(ss_error *error)
{
    MPI_Request request = MPI_REQUEST_NULL;
    static int32_t n_sweeps;
    ss_ready ready = {n_sweeps++};
    MPI_TRY(MPI_Isend(&ready, sizeof ready, MPI_BYTE, 0, SS_TAG_READY, ss_farm_comm, &request));
    return ss_request_wait(&request, error);
}

ss_farm_end ss_farm_work(const ss_farm_calls *calls, ss_error *error)
{
    ss_error own;
    if (!error) error = &own;
    stop_seen = false;
    bool broken = false; /* an error was reported: only STOP can follow */
    if (say_ready(error)) return SS_FARM_ERROR;
    for (;;) {
        MPI_Status status;
        unsigned char *bytes = NULL;
        size_t n_bytes = 0;
        if (next_message(&status, &bytes, &n_bytes, error)) return SS_FARM_ERROR;
        if (status.MPI_TAG == SS_TAG_STOP && n_bytes == sizeof(ss_stop_notice)) {
            ss_stop_notice notice;
            memcpy(&notice, bytes, sizeof notice);
            ss_free(bytes);
            return broken ? SS_FARM_ERROR : (ss_farm_end)notice.end;
        }
        ss_task task = {-1};
        if (status.MPI_TAG == SS_TAG_TASK && n_bytes == sizeof task) memcpy(&task, bytes, sizeof task);
        ss_free(bytes);
        if (task.point < 0) {
            ss_fail(error, "rank 0 sent %zu bytes with tag %d, which is no task", n_bytes, status.MPI_TAG);
            return SS_FARM_ERROR;
        }
        if (run_task(calls, (size_t)task.point, error)) broken = true;
    }
}
