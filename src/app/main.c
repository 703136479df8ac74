/* main.c - MPI_Init and MPI_Finalize around the program, and only where there are ranks and the command has work for them:
 * outside mpirun and srun no line of MPI runs. Before all that, the process from which trials are forked. */
#include <fcntl.h>
#include <mpi.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app.h"
#include "trial.h"

/* What mpirun (Open MPI, MPICH) and srun (PMI, PMIx) put into the environment of each rank. */
static bool under_launcher(void)
{
    static const char *const names[] = {"OMPI_COMM_WORLD_SIZE", "PMI_RANK", "PMI_SIZE", "PMIX_RANK"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (getenv(names[i])) return true;
    return false;
}

/* The number that the launcher gave this rank, before MPI_Init; NULL: it gave none. */
static const char *launcher_rank(void)
{
    static const char *const names[] = {"OMPI_COMM_WORLD_RANK", "PMI_RANK", "PMIX_RANK"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *rank = getenv(names[i]);
        if (rank) return rank;
    }
    return NULL;
}

/* Other commands than `run` under mpirun: one answer, not one of every rank. */
static bool is_spare_rank(void)
{
    const char *rank = launcher_rank();
    return rank && strcmp(rank, "0") != 0;
}

static bool has_argument(int argc, char **argv, const char *word)
{
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], word) == 0) return true;
    return false;
}

static bool asks_for_help(int argc, char **argv)
{
    return has_argument(argc, argv, "--help") || has_argument(argc, argv, "-h");
}

/* ---- the end: a rank that has died must not keep the others ------------------------------------------------------------ */

/* How long MPI_Finalize may wait for ranks that have said that they leave. */
enum { FINALIZE_LIMIT_S = 20 };
static volatile int final_status = SS_EXIT_STOPPED;
static char alone_text[512];      /* what to say where not all ranks arrive, made while there is time to */

static void give_up(int signal_number)
{
    (void)signal_number;
    _exit(final_status);
}

/* Every rank that has come says so: those that are missing in the log are the ones that died. */
static void give_up_waiting(int signal_number)
{
    (void)signal_number;
    if (write(STDERR_FILENO, alone_text, strlen(alone_text)) < 0) _exit(SS_EXIT_STOPPED); /* nobody listens */
    _exit(SS_EXIT_STOPPED);
}

/* MPI_Init waits for ranks that never come, for ever. */
static void limit_waiting(void)
{
    const char *rank = launcher_rank();
    snprintf(alone_text, sizeof alone_text, "sharpsweep: not all ranks arrived within %.0f s (rank %.20s on %.99s did); one has "
             "died while starting, or the nodes do not reach each other; run the same command again\n", ss_farm_patience_s(),
             rank ? ss_printable_of(rank).text : "?", ss_printable_of(ss_host_name()).text);
    signal(SIGALRM, give_up_waiting);
    alarm((unsigned)ss_farm_patience_s() + 1);
}

static int leave(int status)
{
    bool orphan = ss_farm_rank() > 0 && !ss_farm_is_whole(); /* rank 0 is gone: nobody else says that the sweep is not through */
    final_status = orphan ? SS_EXIT_STOPPED : status;
    bool root = ss_farm_rank() == 0, whole = ss_farm_leave();
    fflush(NULL);
    signal(SIGALRM, give_up);
    alarm(FINALIZE_LIMIT_S);
    if (!whole) { /* MPI_Finalize would wait for the missing rank for ever, and mpirun for one that is merely stopped */
        if (root) MPI_Abort(MPI_COMM_WORLD, final_status);
        _exit(final_status);
    }
    MPI_Finalize();
    alarm(0);
    return status;
}

static int run_parallel(int argc, char **argv)
{
    ss_error error = {{0}};
    limit_waiting();
    if (MPI_Init(&argc, &argv) != MPI_SUCCESS) {
        fprintf(stderr, "sharpsweep: MPI_Init failed; was the program started by the mpirun of another MPI library?\n");
        return SS_EXIT_ERROR;
    }
    if (ss_farm_join(&error)) {
        fprintf(stderr, "sharpsweep: %s\n", ss_printable_of(error.text).text);
        MPI_Abort(MPI_COMM_WORLD, SS_EXIT_ERROR);
    }
    alarm(0);
    int status = ss_app_main(argc, argv);
    ss_crew_destroy();
    return leave(status);
}

/* A file or a socket that took the place of a closed standard stream would get what is written there. */
static void open_standard_streams(void)
{
    for (int fd = 0; fd <= 2; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd ? O_WRONLY : O_RDONLY) != fd) _exit(SS_EXIT_ERROR);
}

int main(int argc, char **argv)
{
    open_standard_streams();
    signal(SIGXFSZ, SIG_IGN);     /* a limit on files (ulimit -f) is a write that fails (EFBIG), with a sentence; of trials too */
    if (argc > 2 && strcmp(argv[1], SS_CREW_WORD) == 0) return ss_crew_main(argv + 2);
    const ss_command *command = argc > 1 ? ss_command_find(argv[1]) : NULL;
    bool parallel = command && command->parallel && !asks_for_help(argc, argv);
    ss_error error = {{0}};
    if (parallel && !has_argument(argc, argv, "--in-process") && ss_crew_create(&error)) {
        fprintf(stderr, "sharpsweep: %s\n", ss_printable_of(error.text).text);
        return SS_EXIT_ERROR;
    }
    if (parallel && under_launcher()) return run_parallel(argc, argv);
    if (!parallel && under_launcher() && is_spare_rank()) return SS_EXIT_OK;
    int status = ss_app_main(argc, argv);
    ss_crew_destroy();
    return status;
}
