/* process.c - other programs, started without a shell: what they print, or what they are fed. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "app.h"

/* The child's end of the pipe becomes its descriptor `as`; with `quiet` its errors go nowhere. */
static pid_t start(const char *const *argv, int ends[2], int as, bool quiet)
{
    if (pipe2(ends, O_CLOEXEC)) return -1;
    pid_t pid = fork();
    if (pid == 0) {
        int null = quiet ? open("/dev/null", O_WRONLY) : -1;
        if (null >= 0) dup2(null, STDERR_FILENO);
        dup2(ends[as == STDIN_FILENO ? 0 : 1], as);
        char *arguments[32];
        size_t n = 0;
        for (; argv[n] && n < 31; n++) memcpy(&arguments[n], &argv[n], sizeof arguments[n]); /* execvp's prototype lacks const */
        arguments[n] = NULL;
        execvp(arguments[0], arguments);
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

int ss_process_read(const char *const *argv, char *out, size_t out_bytes)
{
    int ends[2];
    size_t used = 0;
    out[0] = '\0';
    pid_t pid = start(argv, ends, STDOUT_FILENO, true);
    if (pid < 0) return -1;
    for (;;) {
        char rest[256]; /* read to the end, or the child might wait for us */
        bool full = used + 1 >= out_bytes;
        ssize_t n = read(ends[0], full ? rest : out + used, full ? sizeof rest : out_bytes - 1 - used);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) break;
        if (!full) used += (size_t)n;
    }
    out[used] = '\0';
    close(ends[0]);
    return wait_for(pid);
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
