/* main.c - MPI_Init and MPI_Finalize around the program, and only where there are ranks and the command has work for them:
 * outside mpirun and srun no line of MPI runs. */
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app.h"

/* What mpirun (Open MPI, MPICH) and srun (PMI, PMIx) put into the environment of each rank. */
static bool under_launcher(void)
{
    static const char *const names[] = {"OMPI_COMM_WORLD_SIZE", "PMI_RANK", "PMI_SIZE", "PMIX_RANK"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (getenv(names[i])) return true;
    return false;
}

/* Other commands than `run` under mpirun: one answer, not one of every rank. */
static bool is_spare_rank(void)
{
    static const char *const names[] = {"OMPI_COMM_WORLD_RANK", "PMI_RANK", "PMIX_RANK"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *rank = getenv(names[i]);
        if (rank) return strcmp(rank, "0") != 0;
    }
    return false;
}

static bool asks_for_help(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) return true;
    return false;
}

int main(int argc, char **argv)
{
    const ss_command *command = argc > 1 ? ss_command_find(argv[1]) : NULL;
    bool parallel = command && command->parallel && !asks_for_help(argc, argv);
    if (!under_launcher()) return ss_app_main(argc, argv);
    if (!parallel) return is_spare_rank() ? SS_EXIT_OK : ss_app_main(argc, argv);
    ss_error error = {{0}};
    if (MPI_Init(&argc, &argv) != MPI_SUCCESS) {
        fprintf(stderr, "sharpsweep: MPI_Init failed; was the program started by the mpirun of another MPI library?\n");
        return SS_EXIT_ERROR;
    }
    if (ss_farm_join(&error)) {
        fprintf(stderr, "sharpsweep: %s\n", error.text);
        MPI_Abort(MPI_COMM_WORLD, SS_EXIT_ERROR);
    }
    int status = ss_app_main(argc, argv);
    ss_farm_leave();
    MPI_Finalize();
    return status;
}
