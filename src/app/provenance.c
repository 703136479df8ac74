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

/* Ranks on this host, as mpirun or srun tell their children; 1 outside them. */
static long ranks_on_host(void)
{
    static const char *const names[] = {"OMPI_COMM_WORLD_LOCAL_SIZE", "MPI_LOCALNRANKS", "SLURM_NTASKS_PER_NODE"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *text = getenv(names[i]);
        long n = text ? strtol(text, NULL, 10) : 0;
        if (n > 0) return n;
    }
    return 1;
}

double ss_memory_share_bytes(void)
{
    double pages = (double)sysconf(_SC_PHYS_PAGES), page_bytes = (double)sysconf(_SC_PAGESIZE);
    return pages * page_bytes / (double)ranks_on_host();
}

double ss_memory_peak_bytes(void)
{
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage)) return 0;
    return (double)usage.ru_maxrss * 1024.0;
}
