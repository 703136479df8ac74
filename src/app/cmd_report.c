/* cmd_report.c - `sharpsweep report`: hands results files to analysis/findings.py, which draws the figures and judges the
 * findings. Python is found, not built in: the sweep itself needs none. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "app.h"
#include "config.h"

enum { MOST_FILES = 1000, PROBE_LIMIT_S = 60 };

/* Where findings.py lies: SHARPSWEEP_ANALYSIS, installed with this program, which may have been moved, or in the sources, for
 * a program in its build folder; last where it was to be installed, because another version may lie there. */
static int find_script(char out[PATH_MAX], ss_error *error)
{
    const char *named = getenv("SHARPSWEEP_ANALYSIS");
    char program[PATH_MAX], *slash;
    ssize_t n = readlink("/proc/self/exe", program, sizeof program - 1);
    program[n > 0 ? n : 0] = '\0';
    if ((slash = strrchr(program, '/'))) *slash = '\0';
    const char *const sources = strcmp(program, SS_BUILD_DIR) == 0 ? SS_SOURCE_DIR "/analysis" : "";
    const char *const folder[] = {named ? named : "", program, sources, program, SS_DATA_DIR "/analysis"};
    static const char *const tail[] = {"", "/../share/sharpsweep/analysis", "", "/../analysis", ""};
    for (size_t i = 0; i < sizeof folder / sizeof *folder; i++) {
        if (!folder[i][0]) continue;
        int length = snprintf(out, PATH_MAX, "%s%s/findings.py", folder[i], tail[i]);
        if (length > 0 && length < PATH_MAX && access(out, R_OK) == 0) return 0;
        if (i == 0) return ss_fail(error, "SHARPSWEEP_ANALYSIS: there is no findings.py in '%s'", named);
    }
    return ss_fail(error, "findings.py is neither in %s/analysis nor beside this program: reinstall, or name its folder in "
                   "SHARPSWEEP_ANALYSIS", SS_DATA_DIR);
}

/* The first Python that has what findings.py imports: SHARPSWEEP_PYTHON alone if it is set, else the one on the PATH, else
 * the system's (a virtual environment often hides a Debian that has everything). matplotlib is not imported but looked for: it
 * reads files of the current folder. */
static const char *find_python(ss_error *error)
{
    const char *named = getenv("SHARPSWEEP_PYTHON");
    const char *const candidates[] = {named ? named : "python3", named ? NULL : "/usr/bin/python3", NULL};
    char said[512], missing[512] = "";
    for (size_t i = 0; candidates[i]; i++) {
        const char *const probe[] = {candidates[i], "-I", "-c",
                                     "import importlib.util, sys\n"
                                     "for name in 'h5py', 'numpy', 'scipy':\n"
                                     "    try: __import__(name)\n"
                                     "    except ImportError: sys.exit(print(name))\n"
                                     "if not importlib.util.find_spec('matplotlib'): print('matplotlib')\n", NULL};
        said[0] = '\0';
        int status = ss_process_read(probe, PROBE_LIMIT_S, said, sizeof said);
        said[strcspn(said, "\n")] = '\0';
        if (status == 0 && !said[0]) return candidates[i];
        size_t at = strlen(missing);
        if (status == 0) snprintf(missing + at, sizeof missing - at, "%s%s lacks %.100s", at ? ", " : "", candidates[i], said);
        else snprintf(missing + at, sizeof missing - at, "%s%s %s", at ? ", " : "", candidates[i],
                      status == SS_PROCESS_LATE ? "has not loaded them within a minute" : "cannot be run");
    }
    ss_fail(error, "the report needs Python 3 with h5py, numpy, scipy and matplotlib: %s; on Debian: apt-get install "
            "python3-h5py python3-scipy python3-matplotlib, or name a Python in SHARPSWEEP_PYTHON, such as that of a virtual "
            "environment (what lies in ~/.local is not used: Python is started isolated)", missing);
    return NULL;
}

/* A file that says less than its journal is made anew where nobody sees it: an open descriptor without a name, which Python
 * inherits and which ends with it. *fd: -1 where the file itself says all. */
static int take_snapshot(const char *path, int *fd, ss_error *error)
{
    char folder[PATH_MAX], to[PATH_MAX + 16];
    const char *place = getenv("TMPDIR");
    *fd = -1;
    if (snprintf(folder, sizeof folder, "%s/sharpsweep.XXXXXX", place && place[0] == '/' ? place : "/tmp") >= (int)sizeof folder)
        return ss_fail(error, "TMPDIR: %.80s...: the name is too long", place);
    if (!mkdtemp(folder)) return ss_fail(error, "%s: cannot be made: %s; name another folder in TMPDIR", folder, strerror(errno));
    snprintf(to, sizeof to, "%s/results.h5", folder);
    int rc = ss_results_snapshot(path, to, error);
    if (rc > 0 && (*fd = open(to, O_RDONLY)) < 0) rc = ss_fail(error, "%s: %s", to, strerror(errno));
    unlink(to);
    rmdir(folder);
    return rc < 0 ? -1 : 0;
}

/* Reads every file as `show` does, which refuses what it refuses; Python then reads what is left of them. */
static size_t add_snapshots(const char **argv, size_t n, const ss_arguments *arguments, ss_error *error)
{
    static char text[MOST_FILES][32];
    int fd;
    for (size_t i = 0; i <= arguments->n_more; i++) {
        if (take_snapshot(i == 0 ? arguments->operand : arguments->more[i - 1], &fd, error)) return 0;
        if (fd < 0) continue;
        snprintf(text[i], sizeof text[i], "%zu:%d", i, fd);
        argv[n++] = "--snapshot";
        argv[n++] = text[i];
    }
    return n;
}

/* Where it gets no more memory, the BLAS of Python's numpy asks for it again for ever: seen at 250 to 320 MiB, not at 400. */
static int check_memory(ss_error *error)
{
    enum { LEAST_MIB = 512 };
    struct rlimit limit;
    if (getrlimit(RLIMIT_AS, &limit) || limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur >> 20 >= LEAST_MIB) return 0;
    return ss_fail(error, "the report needs %d MiB of memory, and the limit (ulimit -v) is %llu MiB; raise it", LEAST_MIB,
                   (unsigned long long)limit.rlim_cur >> 20);
}

int ss_cmd_report(const ss_arguments *arguments, ss_error *error)
{
    char script[PATH_MAX];
    const char *python, *argv[3 * MOST_FILES + 16];
    size_t n = 0;
    setenv("OPENBLAS_NUM_THREADS", "1", 0); /* where memory is short, importing numpy waits for threads that never come */
    setenv("OMP_NUM_THREADS", "1", 0);
    if (check_memory(error)) return SS_EXIT_USAGE;
    if (arguments->n_more >= MOST_FILES)
        return ss_fail(error, "%zu results files: at most %d", arguments->n_more + 1, MOST_FILES), SS_EXIT_USAGE;
    if (find_script(script, error) != 0 || !(python = find_python(error))) return SS_EXIT_USAGE;
    argv[n++] = python;
    argv[n++] = "-I"; /* the current folder may be a stranger's: process.c */
    argv[n++] = "-B"; /* and the folder of findings.py is not ours to write into */
    argv[n++] = script;
    if (arguments->value[0]) argv[n++] = "--output", argv[n++] = arguments->value[0];
    if (arguments->value[1]) argv[n++] = "--accuracy-slack", argv[n++] = arguments->value[1];
    argv[n++] = "--journals-known";
    if ((n = add_snapshots(argv, n, arguments, error)) == 0) return SS_EXIT_USAGE;
    argv[n++] = "--";
    argv[n++] = arguments->operand;
    for (size_t i = 0; i < arguments->n_more; i++) argv[n++] = arguments->more[i];
    argv[n] = NULL;
    fflush(stdout);
    ss_process_become(argv, error); /* from here on this process is the report: its output, its exit status */
    return SS_EXIT_USAGE;
}
