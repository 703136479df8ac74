/* join.c - the program's own communicator, and what all ranks do together: broadcast and agree. */
#include "message.h"

#include <assert.h>
#include <limits.h>
#include <string.h>

MPI_Comm ss_farm_comm = MPI_COMM_NULL;
static int joined_rank, joined_size = 1;

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
    return 0;
}

void ss_farm_leave(void)
{
    if (ss_farm_comm == MPI_COMM_NULL) return;
    /* MPI_Finalize spins until everybody is there; waiting here first leaves the cores to whoever still works. */
    MPI_Request request = MPI_REQUEST_NULL;
    if (MPI_Ibarrier(ss_farm_comm, &request) == MPI_SUCCESS) ss_request_wait(&request, NULL);
    MPI_Comm_free(&ss_farm_comm);
    ss_farm_comm = MPI_COMM_NULL;
    joined_rank = 0;
    joined_size = 1;
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

static int broadcast_from(int root, void *data, size_t n, ss_error *error)
{
    unsigned char *bytes = data;
    while (n > 0) {
        int part = n > INT_MAX ? INT_MAX : (int)n;
        MPI_Request request = MPI_REQUEST_NULL;
        MPI_TRY(MPI_Ibcast(bytes, part, MPI_BYTE, root, ss_farm_comm, &request));
        if (ss_request_wait(&request, error)) return -1;
        bytes += part;
        n -= (size_t)part;
    }
    return 0;
}

int ss_farm_broadcast(unsigned char **bytes, size_t *n_bytes, ss_error *error)
{
    if (ss_farm_comm == MPI_COMM_NULL || joined_size == 1) return 0;
    uint64_t n = joined_rank == 0 ? *n_bytes : 0;
    if (broadcast_from(0, &n, sizeof n, error)) return -1;
    unsigned char *buffer = joined_rank == 0 ? *bytes : ss_alloc((size_t)n + 1, 1);
    ss_error memory = {"no memory for what rank 0 broadcasts"};
    if (ss_farm_agree(buffer != NULL, &memory)) {
        if (joined_rank != 0) ss_free(buffer);
        return ss_fail(error, "%s (%llu bytes)", memory.text, (unsigned long long)n);
    }
    if (broadcast_from(0, buffer, (size_t)n, error)) {
        if (joined_rank != 0) ss_free(buffer);
        return -1;
    }
    *bytes = buffer;
    *n_bytes = (size_t)n;
    return 0;
}

int ss_farm_agree(bool ok, ss_error *error)
{
    if (ss_farm_comm == MPI_COMM_NULL) return ok ? 0 : -1;
    int mine = ok ? joined_size : joined_rank, lowest = joined_size;
    MPI_Request request = MPI_REQUEST_NULL;
    MPI_TRY(MPI_Iallreduce(&mine, &lowest, 1, MPI_INT, MPI_MIN, ss_farm_comm, &request));
    if (ss_request_wait(&request, error)) return -1;
    if (lowest == joined_size) return 0;
    ss_error why = {{0}};
    if (lowest == joined_rank) {
        char host[MPI_MAX_PROCESSOR_NAME] = "?";
        int length = 0;
        MPI_Get_processor_name(host, &length);
        if (error) why = *error;
        if (lowest > 0) ss_fail_in(&why, "rank %d (%s)", lowest, host); /* rank 0's sentence needs no address */
    }
    if (broadcast_from(lowest, &why, sizeof why, error)) return -1;
    if (error) *error = why;
    return -1;
}
