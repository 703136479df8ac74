/* join.c - the program's own communicator, and what all ranks do together: broadcast and agree. None of it waits for ever. */
#include "message.h"

#include "awake.h"

#include <assert.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

MPI_Comm ss_farm_comm = MPI_COMM_NULL;
static MPI_Comm node_comm = MPI_COMM_NULL; /* the ranks that share this node's memory */
static int joined_rank, joined_size = 1, node_rank;
static bool missing, work_expected;
static ss_farm_traffic traffic;
static double joined_s, processor_s;

void ss_farm_miss(void)
{
    missing = true;
}

void ss_count_message(bool sent)
{
    if (sent)
        traffic.n_sent++;
    else
        traffic.n_received++;
}

static double used_processor_s(void)
{
    struct rusage used;
    if (getrusage(RUSAGE_SELF, &used)) return 0;
    return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) + 1e-6 * (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec);
}

ss_farm_traffic ss_farm_count(void)
{
    ss_farm_traffic t = traffic;
    t.seconds = ss_clock_s() - joined_s;
    t.processor_s = used_processor_s() - processor_s;
    return t;
}

/* Slow file systems may need more; tests of what happens when a rank is missing do not want to wait so long. */
static double limit_from(const char *text, double usual_s)
{
    double limit_s = text ? strtod(text, NULL) : 0;
    if (!(limit_s > 0)) return usual_s;
    return limit_s < SS_FARM_LONGEST_S ? limit_s : SS_FARM_LONGEST_S;
}

double ss_farm_patience_s(void)
{
    return limit_from(getenv("SHARPSWEEP_TOGETHER_S"), SS_FARM_TOGETHER_S);
}

double ss_farm_opening_s(void)
{
    return limit_from(getenv("SHARPSWEEP_OPEN_S"), SS_FARM_OPENING_S);
}

void ss_farm_expect_work(bool others_work)
{
    work_expected = others_work;
}

const char *ss_farm_limit_name(void)
{
    return work_expected ? "SHARPSWEEP_OPEN_S" : "SHARPSWEEP_TOGETHER_S";
}

double ss_farm_limit_s(void)
{
    return work_expected ? ss_farm_opening_s() : ss_farm_patience_s();
}

int ss_farm_join(ss_error *error)
{
    assert(ss_farm_comm == MPI_COMM_NULL);
    MPI_Comm comm = MPI_COMM_NULL;
    MPI_TRY(MPI_Comm_dup(MPI_COMM_WORLD, &comm));
    ss_farm_comm = comm;
    MPI_TRY(MPI_Comm_set_errhandler(comm, MPI_ERRORS_RETURN));
    MPI_TRY(MPI_Comm_set_name(comm, "sharpsweep"));
    MPI_TRY(MPI_Comm_rank(comm, &joined_rank));
    MPI_TRY(MPI_Comm_size(comm, &joined_size));
    MPI_TRY(MPI_Comm_split_type(comm, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &node_comm));
    MPI_TRY(MPI_Comm_set_errhandler(node_comm, MPI_ERRORS_RETURN));
    MPI_TRY(MPI_Comm_rank(node_comm, &node_rank));
    missing = work_expected = false;
    traffic = (ss_farm_traffic){0};
    joined_s = ss_clock_s();
    processor_s = used_processor_s();
    return 0;
}

/* Rank 0: tells everybody that it is through; it waits for nobody in particular. */
static int dismiss(ss_error *error)
{
    static ss_leave leave;
    leave.missing = missing;
    ss_nap nap = {0};
    ss_awake awake = ss_awake_start();
    double until_s = awake.now_s + SS_FARM_DRAIN_S;
    ss_outgoing *out = ss_alloc((size_t)joined_size, sizeof *out);
    if (!out) return ss_fail(error, "no memory to take leave");
    for (int rank = 1; rank < joined_size; rank++)
        if (ss_outgoing_send(&out[rank], &leave, sizeof leave, rank, SS_TAG_LEAVE, error)) return -1;
    for (int rank = 1; rank < joined_size;) {
        bool sent = false;
        if (ss_outgoing_is_free(&out[rank], &sent, error)) return -1;
        if (!sent && ss_awake_look(&awake) > until_s) return -1; /* the buffers stay */
        if (sent) rank++;
        else ss_nap_take(&nap);
    }
    ss_free(out);
    return 0;
}

/* A worker: waits for rank 0, which may have much to save. */
static int await_leave(ss_error *error)
{
    static ss_inbox inbox;
    ss_nap nap = {0};
    ss_mail *mail = NULL;
    ss_leave leave = {1};
    int rc = 0;
    ss_awake awake = ss_awake_start();
    for (double until_s = awake.now_s + ss_farm_opening_s(); rc == 0 && ss_awake_look(&awake) < until_s;) {
        rc = ss_inbox_take(&inbox, 0, SS_TAG_LEAVE, &mail, error);
        if (rc == 0) ss_nap_take(&nap);
    }
    if (rc <= 0) return -1;
    if (mail->n == sizeof leave) memcpy(&leave, mail->bytes, sizeof leave);
    ss_mail_free(mail);
    return leave.missing ? -1 : 0;
}

bool ss_farm_leave(void)
{
    ss_error why;
    if (ss_farm_comm == MPI_COMM_NULL) return true;
    /* MPI_Finalize spins until everybody is there; waiting here first leaves the cores to whoever still works. */
    if (joined_rank == 0 && dismiss(&why)) missing = true;
    if (joined_rank > 0 && !missing && await_leave(&why)) missing = true;
    if (!missing) {
        MPI_Comm_free(&node_comm);
        MPI_Comm_free(&ss_farm_comm);
    }
    ss_farm_comm = node_comm = MPI_COMM_NULL;
    joined_rank = node_rank = 0;
    joined_size = 1;
    return !missing;
}

bool ss_farm_is_whole(void)
{
    return !missing;
}

bool ss_farm_leads_node(void)
{
    return node_rank == 0;
}

int ss_farm_rank(void)
{
    return joined_rank;
}

int ss_farm_size(void)
{
    return joined_size;
}

const char *ss_farm_describe(void)
{
    static char text[MPI_MAX_LIBRARY_VERSION_STRING];
    int length = 0;
    if (MPI_Get_library_version(text, &length) != MPI_SUCCESS) return "unknown MPI";
    text[strcspn(text, ",\n")] = '\0'; /* Open MPI goes on with the package, the build host, ... */
    return text;
}

static int broadcast_from(MPI_Comm comm, int root, void *data, size_t n, ss_error *error)
{
    unsigned char *bytes = data;
    while (n > 0) {
        int part = n > INT_MAX ? INT_MAX : (int)n;
        MPI_Request request = MPI_REQUEST_NULL;
        MPI_TRY(MPI_Ibcast(bytes, part, MPI_BYTE, root, comm, &request));
        if (ss_request_wait(&request, error)) return -1;
        bytes += part;
        n -= (size_t)part;
    }
    return 0;
}

static int broadcast(MPI_Comm comm, bool root, unsigned char **bytes, size_t *n_bytes, ss_error *error)
{
    static uint64_t n;            /* not on the stack: what never completes may be written to for ever */
    n = root ? *n_bytes : 0;
    if (broadcast_from(comm, 0, &n, sizeof n, error)) return -1;
    unsigned char *buffer = root ? *bytes : ss_alloc((size_t)n + 1, 1);
    ss_error memory = {"no memory for what rank 0 broadcasts"};
    if (ss_farm_agree(buffer != NULL, &memory)) {
        if (!root) ss_free(buffer);
        return ss_fail(error, "%s (%llu bytes)", memory.text, (unsigned long long)n);
    }
    if (broadcast_from(comm, 0, buffer, (size_t)n, error)) return -1; /* the buffer stays, for the same reason */
    *bytes = buffer;
    *n_bytes = (size_t)n;
    return 0;
}

int ss_farm_broadcast(unsigned char **bytes, size_t *n_bytes, ss_error *error)
{
    if (ss_farm_comm == MPI_COMM_NULL || joined_size == 1) return 0;
    return broadcast(ss_farm_comm, joined_rank == 0, bytes, n_bytes, error);
}

int ss_farm_node_broadcast(unsigned char **bytes, size_t *n_bytes, ss_error *error)
{
    if (ss_farm_comm == MPI_COMM_NULL || joined_size == 1) return 0;
    return broadcast(node_comm, node_rank == 0, bytes, n_bytes, error);
}

int ss_farm_agree(bool ok, ss_error *error)
{
    if (ss_farm_comm == MPI_COMM_NULL) return ok ? 0 : -1;
    static int mine, lowest;
    static ss_error why;
    mine = ok ? joined_size : joined_rank;
    lowest = joined_size;
    MPI_Request request = MPI_REQUEST_NULL;
    MPI_TRY(MPI_Iallreduce(&mine, &lowest, 1, MPI_INT, MPI_MIN, ss_farm_comm, &request));
    if (ss_request_wait(&request, error)) return -1;
    if (lowest == joined_size) return 0;
    why = (ss_error){{0}};
    if (lowest == joined_rank) {
        char host[MPI_MAX_PROCESSOR_NAME] = "?";
        int length = 0;
        MPI_Get_processor_name(host, &length);
        if (error) why = *error;
        if (lowest > 0) ss_fail_in(&why, "rank %d (%s)", lowest, host); /* rank 0's sentence needs no address */
    }
    if (broadcast_from(ss_farm_comm, lowest, &why, sizeof why, error)) return -1;
    if (error) *error = why;
    return -1;
}
