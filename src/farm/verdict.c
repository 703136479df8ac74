/* verdict.c - from a wait status and what was measured to a reason and a sentence. */
#include "verdict.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

double ss_process_bytes(pid_t pid)
{
    char path[64];
    double resident = 0, shared = 0;
    snprintf(path, sizeof path, "/proc/%ld/statm", (long)pid);
    FILE *file = fopen(path, "re");
    if (!file) return 0;
    int n = fscanf(file, "%*f %lf %lf", &resident, &shared);
    fclose(file);
    return n == 2 && resident > shared ? (resident - shared) * (double)sysconf(_SC_PAGESIZE) : 0;
}

/* Processes that the kernel killed for want of memory, in this machine's life; proc(5), since Linux 4.13. */
long ss_oom_kills(void)
{
    char line[128];
    long n = -1;
    FILE *file = fopen("/proc/vmstat", "re");
    while (file && n < 0 && fgets(line, sizeof line, file))
        if (sscanf(line, "oom_kill %ld", &n) != 1) n = -1;
    if (file) fclose(file);
    return n;
}

static int64_t reason_of(const ss_verdict *v)
{
    switch (v->cause) {
    case SS_CAUSE_MEMORY: return SS_STOP_MEMORY;
    case SS_CAUSE_TIME:
    case SS_CAUSE_SILENCE: return SS_STOP_TIMEOUT;
    default: break;
    }
    int status = v->cause == SS_CAUSE_SERVER ? v->server_status : v->wait_status;
    bool killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    return killed && v->n_oom_kills >= 0 && ss_oom_kills() > v->n_oom_kills ? SS_STOP_MEMORY : SS_STOP_CRASH;
}

static void describe_status(int status, char *out, size_t n)
{
    if (WIFSIGNALED(status))
        snprintf(out, n, "signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
    else
        snprintf(out, n, "status %d and no answer", WEXITSTATUS(status));
}

static void describe(const ss_verdict *v, int64_t reason, char *out, size_t n)
{
    char how[96];
    bool known = v->place >= 0 && v->place < SS_N_PULSE;
    const char *place = known ? ss_pulse_name[v->place] : "?";
    describe_status(v->cause == SS_CAUSE_SERVER ? v->server_status : v->wait_status, how, sizeof how);
    const char *oom = reason == SS_STOP_MEMORY ? ", by the kernel, out of memory" : "";
    if (v->cause == SS_CAUSE_MEMORY)
        snprintf(out, n, "took more than the %.0f MiB of memory that a trial may (trial_memory), in %s", v->value / 1048576,
                 place);
    else if (v->cause == SS_CAUSE_TIME)
        snprintf(out, n, "took longer than the %.6g s that a trial may (trial_time_limit_s), in %s", v->value, place);
    else if (v->cause == SS_CAUSE_SILENCE)
        snprintf(out, n, "got nowhere for %.6g s (trial_silence_s), in %s", v->value, place);
    else if (v->cause == SS_CAUSE_FORK)
        snprintf(out, n, "no process could be started for it");
    else if (v->cause == SS_CAUSE_SERVER)
        snprintf(out, n, "the server of its process ended with %s%s", how, oom);
    else
        snprintf(out, n, "its process ended with %s%s, in %s", how, oom, place);
}

void ss_verdict_record(const ss_verdict *v, ss_record *record)
{
    char what[192];
    ss_record_finish(record);
    record->status = SS_FAILED;
    record->stop_reason = reason_of(v);
    record->peak_memory_bytes = v->peak_bytes;
    record->worker = ss_farm_rank();
    if (gethostname(record->host, sizeof record->host - 1)) record->host[0] = '\0';
    ss_time_now(record->finished);
    describe(v, record->stop_reason, what, sizeof what);
    snprintf(record->error, sizeof record->error, "%s (%.1f s, %.1f s of processor, %.0f MiB)", what, v->seconds,
             v->processor_s, v->peak_bytes / 1048576);
}
