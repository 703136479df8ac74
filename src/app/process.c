/* process.c - other programs, started without a shell: what they print, what they are fed, or instead of us.
 *
 * Every program that sharpsweep starts, and what the current folder, which may be a stranger's, has to say in it: nothing.
 *
 *   program               started by           found                                environment, working folder
 *   python3               report               SHARPSWEEP_PYTHON, PATH, then        `-I`: no PYTHON* variable, no folder of
 *                                              /usr/bin/python3                     the user's or the current one on sys.path;
 *                                                                                   ours, for file names; figures.py leaves it
 *                                                                                   while it imports matplotlib, which reads
 *                                                                                   ./matplotlibrc
 *   findings.py           report               SHARPSWEEP_ANALYSIS, beside us       puts its own folder on sys.path
 *   fc-list               matplotlib           PATH                                 Python's
 *   sinfo                 submit               PATH                                 ours, which names the cluster (SLURM_CONF)
 *   sbatch                submit               PATH                                 ours: both become the job's, as SLURM has it
 *   ourselves             run, curvature       /proc/self/exe (farm/supervisor.c)   ours
 *   squeue, scontrol,     slurm/sweep.sbatch   PATH                                 the job's, and the folder it was submitted in
 *   scancel, mpirun, srun
 *   sharpsweep            slurm's scripts      SWEEP_PROGRAM, PATH, then build/     the job's
 *                                              of the folder it was submitted in:
 *                                              the sources, when submitted by hand
 *   sbatch                array.sh, chain.sh   PATH                                 the caller's
 *   meson, mpirun, us     jobs/quickstart.sh   PATH; build/ of its own sources      the caller's, in the folder of the sources
 *   git                   meson, to build      PATH                                 meson's; never at run time
 *
 * PATH means its absolute folders: here, in every program started from here, and in slurm's scripts. Empty and relative parts,
 * which mean the current folder, are dropped, also from LD_LIBRARY_PATH. A name with a slash is the user's own word and is taken
 * as it stands. There is no pager and no man: `reference` prints. HDF5's plugins are libraries, not programs: no filter is read
 * that would load one. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "app.h"

enum { MOST_ARGUMENTS = 3100 };

/* The absolute folders of a list such as PATH. */
static void keep_absolute(const char *name, const char *fallback)
{
    const char *list = getenv(name), *at = list;
    char *kept = list ? ss_alloc(strlen(list) + 1, 1) : NULL;
    size_t n = 0;
    while (kept && at) {
        size_t length = strcspn(at, ":");
        if (at[0] == '/') {
            if (n) kept[n++] = ':';
            memcpy(kept + n, at, length);
            n += length;
        }
        at = at[length] ? at + length + 1 : NULL;
    }
    if (n) setenv(name, kept, 1);
    else if (fallback) setenv(name, fallback, 1);
    else unsetenv(name);
    ss_free(kept);
}

static void clean_environment(void)
{
    keep_absolute("PATH", "/usr/local/bin:/usr/bin:/bin");
    keep_absolute("LD_LIBRARY_PATH", NULL);
}

static bool is_program(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

/* Where a program lies; false: nowhere. The environment is clean already. */
static bool find(const char *name, char out[SS_PATH_BYTES])
{
    const char *at = getenv("PATH");
    if (strchr(name, '/')) return snprintf(out, SS_PATH_BYTES, "%s", name) < SS_PATH_BYTES;
    while (at) {
        size_t length = strcspn(at, ":");
        int n = snprintf(out, SS_PATH_BYTES, "%.*s/%s", (int)length, at, name);
        if (n < SS_PATH_BYTES && is_program(out)) return true;
        at = at[length] ? at + length + 1 : NULL;
    }
    return false;
}

/* execv's prototype lacks const. Returns only on failure. */
static void become(const char *program, const char *const *argv)
{
    char *arguments[MOST_ARGUMENTS + 1];
    size_t n = 0;
    for (; argv[n] && n < MOST_ARGUMENTS; n++) memcpy(&arguments[n], &argv[n], sizeof arguments[n]);
    arguments[n] = NULL;
    memcpy(arguments, &program, sizeof program); /* Python looks for its modules from there */
    if (argv[n]) errno = E2BIG;
    else execv(program, arguments);
}

/* The child's end of the pipe becomes its descriptor `as`; with `quiet` its errors go nowhere. */
static pid_t start(const char *const *argv, int ends[2], int as, bool quiet)
{
    char program[SS_PATH_BYTES];
    clean_environment();
    if (!find(argv[0], program) || pipe2(ends, O_CLOEXEC)) return -1;
    pid_t pid = fork();
    if (pid == 0) {
        int null = quiet ? open("/dev/null", O_WRONLY) : -1;
        if (null >= 0) dup2(null, STDERR_FILENO);
        dup2(ends[as == STDIN_FILENO ? 0 : 1], as);
        become(program, argv);
        _exit(127);
    }
    close(ends[as == STDIN_FILENO ? 0 : 1]);
    if (pid < 0) close(ends[as == STDIN_FILENO ? 1 : 0]);
    return pid;
}

static int wait_for(pid_t pid)
{
    int status = 0;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR) return -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* Is there something to read, or the end, before the clock says until_s? */
static bool has_said(int fd, double until_s)
{
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    for (;;) {
        double left_s = until_s - ss_clock_s();
        int n = poll(&ready, 1, left_s > 0 ? (int)(1000 * left_s) + 1 : 0);
        if (n > 0) return true;
        if (n == 0 || errno != EINTR) return false;
    }
}

int ss_process_read(const char *const *argv, int limit_s, char *out, size_t out_bytes)
{
    int ends[2];
    size_t used = 0;
    bool late = false;
    double until_s = ss_clock_s() + limit_s;
    out[0] = '\0';
    pid_t pid = start(argv, ends, STDOUT_FILENO, true);
    if (pid < 0) return -1;
    for (;;) {
        char rest[256]; /* read to the end, or the child might wait for us */
        bool full = used + 1 >= out_bytes;
        if ((late = !has_said(ends[0], until_s))) break;
        ssize_t n = read(ends[0], full ? rest : out + used, full ? sizeof rest : out_bytes - 1 - used);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) break;
        if (!full) used += (size_t)n;
    }
    out[used] = '\0';
    close(ends[0]);
    if (late) kill(pid, SIGKILL);
    int status = wait_for(pid);
    return late ? SS_PROCESS_LATE : status;
}

int ss_process_feed(const char *const *argv, const char *text)
{
    int ends[2];
    size_t n = strlen(text);
    pid_t pid = start(argv, ends, STDIN_FILENO, false);
    if (pid < 0) return -1;
    while (n > 0) {
        ssize_t k = write(ends[1], text, n);
        if (k < 0 && errno == EINTR) continue;
        if (k <= 0) break; /* it does not want more: its status says why */
        text += k;
        n -= (size_t)k;
    }
    close(ends[1]);
    return wait_for(pid);
}

int ss_process_become(const char *const *argv, ss_error *error)
{
    char program[SS_PATH_BYTES];
    clean_environment();
    if (!find(argv[0], program)) return ss_fail(error, "%s is in no folder of PATH", argv[0]);
    become(program, argv);
    return ss_fail(error, "%s cannot be started: %s", program, strerror(errno));
}
