/* provenance.c - what made the numbers: program, processor, host, memory. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "app.h"
#include "commit.h"
#include "config.h"

const char *ss_version(void)
{
    return SS_VERSION;
}

const char *ss_commit(void)
{
    return SS_COMMIT;
}

const char *ss_cpu_name(void)
{
    static char name[128] = "";
    char line[512];
    if (name[0]) return name;
    snprintf(name, sizeof name, "unknown");
    FILE *file = fopen("/proc/cpuinfo", "r");
    while (file && fgets(line, sizeof line, file)) {
        char *value = strchr(line, ':');
        if (strncmp(line, "model name", 10) != 0 || !value) continue;
        value += 1 + strspn(value + 1, " \t");
        value[strcspn(value, "\n")] = '\0';
        snprintf(name, sizeof name, "%.127s", value);
        break;
    }
    if (file) fclose(file);
    return name;
}

const char *ss_host_name(void)
{
    static char name[64] = "";
    if (!name[0] && gethostname(name, sizeof name - 1)) snprintf(name, sizeof name, "unknown");
    return name;
}

void ss_memory_peak_reset(void)
{
    FILE *file = fopen("/proc/self/clear_refs", "w");
    if (!file) return;
    fputs("5", file);             /* VmHWM := VmRSS, see proc(5) */
    fclose(file);
}

/* VmHWM falls with a reset, ru_maxrss never does. */
double ss_memory_peak_bytes(void)
{
    char line[256];
    double kib = 0;
    struct rusage usage;
    FILE *file = fopen("/proc/self/status", "r");
    while (file && kib <= 0 && fgets(line, sizeof line, file))
        if (sscanf(line, "VmHWM: %lf kB", &kib) != 1) kib = 0;
    if (file) fclose(file);
    if (kib > 0) return kib * 1024.0;
    if (getrusage(RUSAGE_SELF, &usage)) return 0;
    return (double)usage.ru_maxrss * 1024.0;
}
