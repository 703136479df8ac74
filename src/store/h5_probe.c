/* h5_probe.c - reading a file of unknown origin in a process of its own, with limits, before it is read in this one. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "h5.h"

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif

enum { LEAST_S = 20, BYTES_PER_S = 64 << 20, SPARE_BYTES = 256 << 20, SPARE_PER_BYTE = 4 };

/* As much memory again as this process has, and what the file's bytes may need. */
static void limit_memory(uint64_t n_bytes)
{
#ifndef SANITIZED                 /* a sanitizer maps terabytes */
    struct rlimit limit;
    unsigned long long pages = 0;
    FILE *statm = fopen("/proc/self/statm", "r");
    if (statm && fscanf(statm, "%llu", &pages) != 1) pages = 0;
    if (statm) fclose(statm);
    rlim_t most = (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE) + SPARE_BYTES + SPARE_PER_BYTE * (rlim_t)n_bytes;
    if (pages == 0 || getrlimit(RLIMIT_AS, &limit) || (limit.rlim_cur != RLIM_INFINITY && limit.rlim_cur < most)) return;
    limit.rlim_cur = most;
    setrlimit(RLIMIT_AS, &limit);
#else
    (void)n_bytes;
#endif
}

static void read_in_child(uint64_t n_bytes, void (*read)(void *ctx), void *ctx)
{
    const struct rlimit no_core = {0, 0};
    limit_memory(n_bytes);
    setrlimit(RLIMIT_CORE, &no_core);
    alarm((unsigned)(LEAST_S + n_bytes / BYTES_PER_S));
    read(ctx);
    _exit(0);                     /* no exit handlers: they are the parent's */
}

/* Waits for the child, or for a signal that asks us to stop, which ends the child and then has its usual effect: 0, or it. */
static int wait_for(pid_t child, int *status, const sigset_t *awaited)
{
    const struct timespec pause = {0, 200 * 1000 * 1000};
    for (;;) {
        pid_t ended = waitpid(child, status, WNOHANG);
        if (ended == child || (ended < 0 && errno != EINTR)) return 0;
        int came = sigtimedwait(awaited, NULL, &pause);
        if (came <= 0 || came == SIGCHLD) continue;
        kill(child, SIGKILL);
        while (waitpid(child, status, 0) < 0 && errno == EINTR) continue;
        return came;
    }
}

int ss_h5_survives(const char *path, uint64_t n_bytes, void (*read)(void *ctx), void *ctx, ss_error *error)
{
    static const int asks[] = {SIGCHLD, SIGTERM, SIGINT, SIGHUP, SIGUSR1};
    int status = 0;
    sigset_t awaited, before;
    sigemptyset(&awaited);
    for (size_t i = 0; i < sizeof asks / sizeof *asks; i++) sigaddset(&awaited, asks[i]);
    if (sigprocmask(SIG_BLOCK, &awaited, &before)) return 0;
    pid_t child = fork();
    if (child == 0) read_in_child(n_bytes, read, ctx);
    int came = child < 0 ? 0 : wait_for(child, &status, &awaited); /* no process to be had: as if there were no such files */
    sigprocmask(SIG_SETMASK, &before, NULL);
    if (came) {
        raise(came);
        ss_fail(error, "%s: reading it was interrupted by a signal", path);
        return SS_H5_NO_TIME;
    }
    if (WIFEXITED(status)) return 0;
    bool no_time = WTERMSIG(status) == SIGALRM || WTERMSIG(status) == SIGKILL;
    ss_fail(error, "%s: %s", path, no_time ? "HDF5 does not come to an end with it in the time that it has" :
            "is damaged or made to harm: HDF5 crashes on it");
    return no_time ? SS_H5_NO_TIME : -1;
}
