/* message.c - names of messages and polite waiting, see message.h. */
#include "message.h"

#include <string.h>

const char *const ss_tag_name[SS_N_TAG] = {
    [0] = "none", [SS_TAG_READY] = "READY", [SS_TAG_TASK] = "TASK", [SS_TAG_RESULT] = "RESULT", [SS_TAG_STOP] = "STOP",
};

#define NAP_FIRST_S 1e-4
#define NAP_LAST_S 3e-3

int ss_mpi_fail(ss_error *error, const char *call, int rc)
{
    char text[MPI_MAX_ERROR_STRING] = "unknown MPI error";
    int length = 0;
    MPI_Error_string(rc, text, &length);
    return ss_fail(error, "MPI: %.200s: %s", call, text);
}

void ss_nap_reset(ss_nap *nap)
{
    nap->seconds = NAP_FIRST_S;
}

void ss_nap_take(ss_nap *nap)
{
    if (nap->seconds < NAP_FIRST_S) nap->seconds = NAP_FIRST_S;
    ss_sleep_s(nap->seconds);
    nap->seconds *= 1.3;
    if (nap->seconds > NAP_LAST_S) nap->seconds = NAP_LAST_S;
}

int ss_request_wait_for(MPI_Request *request, double limit_s, ss_error *error)
{
    double start_s = ss_clock_s();
    ss_nap nap = {0};
    for (;;) {
        int complete = 0;
        MPI_TRY(MPI_Test(request, &complete, MPI_STATUS_IGNORE));
        if (complete) return 0;
        if (limit_s >= 0 && ss_clock_s() - start_s > limit_s) return 1;
        ss_nap_take(&nap);
    }
}

int ss_request_wait(MPI_Request *request, ss_error *error)
{
    return ss_request_wait_for(request, -1, error);
}

int ss_message_take(int source, int tag, MPI_Status *status, unsigned char **bytes, size_t *n_bytes, ss_error *error)
{
    MPI_Message message;
    int there = 0, count = 0;
    MPI_TRY(MPI_Improbe(source, tag, ss_farm_comm, &there, &message, status));
    if (!there) return 0;
    MPI_TRY(MPI_Get_count(status, MPI_BYTE, &count));
    unsigned char *buffer = ss_alloc((size_t)count + 1, 1);
    if (!buffer) return ss_fail(error, "no memory for a message of %d bytes from rank %d", count, status->MPI_SOURCE);
    MPI_Request request = MPI_REQUEST_NULL;
    int rc = MPI_Imrecv(buffer, count, MPI_BYTE, &message, &request);
    if (rc != MPI_SUCCESS) {
        ss_free(buffer);
        return ss_mpi_fail(error, "MPI_Imrecv", rc);
    }
    if (ss_request_wait(&request, error)) {
        ss_free(buffer);
        return -1;
    }
    *bytes = buffer;
    *n_bytes = (size_t)count;
    return 1;
}
