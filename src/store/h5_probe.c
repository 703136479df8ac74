/* h5_probe.c - reading a file of unknown origin in a process of its own, with limits, before it is read in this one. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
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

int ss_h5_survives(const char *path, uint64_t n_bytes, void (*read)(void *ctx), void *ctx, ss_error *error)
{
    int status = 0;
    const struct rlimit no_core = {0, 0};
    pid_t child = fork();
    if (child == 0) {
        limit_memory(n_bytes);
        setrlimit(RLIMIT_CORE, &no_core);
        alarm((unsigned)(LEAST_S + n_bytes / BYTES_PER_S));
        read(ctx);
        _exit(0);                 /* no exit handlers: they are the parent's */
    }
    if (child < 0) return 0;      /* no process to be had: as if there were no such files */
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR) return 0;
    if (WIFEXITED(status)) return 0;
    bool no_time = WTERMSIG(status) == SIGALRM || WTERMSIG(status) == SIGKILL;
    ss_fail(error, "%s: %s", path, no_time ? "HDF5 does not come to an end with it in the time that it has" :
            "is damaged or made to harm: HDF5 crashes on it");
    return no_time ? SS_H5_NO_TIME : -1;
}
