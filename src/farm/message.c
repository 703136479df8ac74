/* message.c - names of messages, polite waiting, messages that come and go in the background; see message.h. */
#include "message.h"

#include "awake.h"

#include <limits.h>
#include <string.h>

const char *const ss_tag_name[SS_N_TAG] = {
    [0] = "none", [SS_TAG_READY] = "READY", [SS_TAG_TASK] = "TASK", [SS_TAG_RESULT] = "RESULT", [SS_TAG_STOP] = "STOP",
    [SS_TAG_BEAT] = "BEAT", [SS_TAG_ALIVE] = "ALIVE", [SS_TAG_BYE] = "BYE",
    [SS_TAG_LEAVE] = "LEAVE",
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

int ss_request_wait(MPI_Request *request, ss_error *error)
{
    double limit_s = ss_farm_limit_s();
    ss_awake awake = ss_awake_start();
    double until_s = awake.now_s + limit_s;
    ss_nap nap = {0};
    for (;;) {
        int complete = 0;
        MPI_TRY(MPI_Test(request, &complete, MPI_STATUS_IGNORE));
        if (complete) return 0;
        if (ss_awake_look(&awake) > until_s) {
            ss_farm_miss();
            return ss_fail(error, "not all ranks answered within %.6g s; was one of them killed? Run the same command again "
                           "(where this takes so long, with a larger %s)", limit_s, ss_farm_limit_name());
        }
        ss_nap_take(&nap);
    }
}

int ss_outgoing_is_free(ss_outgoing *o, bool *is_free, ss_error *error)
{
    int complete = 1;
    if (o->request != MPI_REQUEST_NULL) MPI_TRY(MPI_Test(&o->request, &complete, MPI_STATUS_IGNORE));
    *is_free = complete != 0;
    return 0;
}

int ss_outgoing_send(ss_outgoing *o, const void *data, size_t n, int rank, ss_tag tag, ss_error *error)
{
    if (n > INT_MAX) return ss_fail(error, "%zu bytes are more than a message carries", n);
    MPI_TRY(MPI_Isend(data, (int)n, MPI_BYTE, rank, (int)tag, ss_farm_comm, &o->request));
    ss_count_message(true);
    return 0;
}

void ss_mail_free(ss_mail *mail)
{
    if (!mail) return;
    ss_free(mail->bytes);
    ss_free(mail);
}

/* Begins to receive the next message that matches: 1, 0: there is none. */
static int begin(ss_inbox *inbox, int source, int tag, ss_error *error)
{
    MPI_Message message;
    MPI_Status status;
    int there = 0, count = 0;
    MPI_TRY(MPI_Improbe(source, tag, ss_farm_comm, &there, &message, &status));
    if (!there) return 0;
    MPI_TRY(MPI_Get_count(&status, MPI_BYTE, &count));
    ss_mail *mail = ss_alloc(1, sizeof *mail);
    if (mail) mail->bytes = ss_alloc((size_t)count + 1, 1);
    if (!mail || !mail->bytes) {
        ss_mail_free(mail);
        return ss_fail(error, "no memory for a message of %d bytes from rank %d", count, status.MPI_SOURCE);
    }
    mail->source = status.MPI_SOURCE;
    mail->tag = status.MPI_TAG;
    mail->n = (size_t)count;
    int rc = MPI_Imrecv(mail->bytes, count, MPI_BYTE, &message, &mail->request);
    if (rc != MPI_SUCCESS) {
        ss_mail_free(mail);
        return ss_mpi_fail(error, "MPI_Imrecv", rc);
    }
    ss_mail **end = &inbox->first;
    while (*end) end = &(*end)->next;
    *end = mail;
    return 1;
}

/* The oldest message that is whole by now. */
static int finished(ss_inbox *inbox, ss_mail **mail, ss_error *error)
{
    for (ss_mail **at = &inbox->first; *at; at = &(*at)->next) {
        int complete = 0;
        MPI_TRY(MPI_Test(&(*at)->request, &complete, MPI_STATUS_IGNORE));
        if (!complete) continue;
        *mail = *at;
        *at = (*at)->next;
        ss_count_message(false);
        return 1;
    }
    return 0;
}

int ss_inbox_take(ss_inbox *inbox, int source, int tag, ss_mail **mail, ss_error *error)
{
    for (;;) {
        int rc = finished(inbox, mail, error);
        if (rc) return rc;
        rc = begin(inbox, source, tag, error);
        if (rc <= 0) return rc;
    }
}

void ss_inbox_finish(ss_inbox *inbox)
{
    inbox->first = NULL;
}
