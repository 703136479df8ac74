/* memory.c - how much memory this process may take: the least of what the machine has, what its control groups and
 * resource limits allow and what Slurm granted, shared with the other ranks on the host. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "app.h"

static double least(double a, double b) { return a < b ? a : b; }

/* A positive number from the environment, or 0. */
static double from_environment(const char *name)
{
    const char *text = getenv(name);
    double value = text ? strtod(text, NULL) : 0;
    return value > 0 ? value : 0;
}

/* Ranks on this host, as mpirun or srun tell their children; 1 outside them. */
static double ranks_on_host(void)
{
    static const char *const names[] = {"OMPI_COMM_WORLD_LOCAL_SIZE", "MPI_LOCALNRANKS", "SLURM_NTASKS_PER_NODE"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        double n = from_environment(names[i]);
        if (n >= 1) return n;
    }
    return 1;
}

/* The number in a control group's file; infinite for "max", a missing file or version 1's "no limit". */
static double group_limit(const char *path)
{
    double limit = HUGE_VAL;
    FILE *file = fopen(path, "r");
    if (!file) return limit;
    if (fscanf(file, "%lf", &limit) != 1 || limit <= 0) limit = HUGE_VAL;
    fclose(file);
    return limit;
}

/* The tightest limit from this process's control group (version 2: "0::/a/b" in /proc/self/cgroup) up to the root. */
static double cgroup_limit(void)
{
    char line[2048], path[4096];
    double limit = least(group_limit("/sys/fs/cgroup/memory.max"), group_limit("/sys/fs/cgroup/memory/memory.limit_in_bytes"));
    FILE *file = fopen("/proc/self/cgroup", "r");
    while (file && fgets(line, sizeof line, file)) {
        if (strncmp(line, "0::", 3) != 0) continue;
        line[strcspn(line, "\n")] = '\0';
        for (char *group = line + 3, *slash; *group; *slash = '\0') {
            snprintf(path, sizeof path, "/sys/fs/cgroup%s/memory.max", group);
            limit = least(limit, group_limit(path));
            if (!(slash = strrchr(group, '/')) || slash == group) break;
        }
    }
    if (file) fclose(file);
    return limit;
}

/* What Slurm granted on this host (in MiB, per node or per CPU); infinite outside it. */
static double slurm_limit(void)
{
    double node = from_environment("SLURM_MEM_PER_NODE"), cpu = from_environment("SLURM_MEM_PER_CPU");
    double cpus = from_environment("SLURM_CPUS_ON_NODE");
    if (node > 0) return node * 1048576;
    return cpu > 0 && cpus > 0 ? cpu * cpus * 1048576 : HUGE_VAL;
}

double ss_memory_share_bytes(void)
{
    double machine = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE);
    double host = least(machine, least(cgroup_limit(), slurm_limit())), share = host / ranks_on_host();
    struct rlimit own;
    if (getrlimit(RLIMIT_AS, &own) == 0 && own.rlim_cur != RLIM_INFINITY) share = least(share, (double)own.rlim_cur);
    return share;
}

double ss_memory_granted_bytes(void)
{
    double host = least(cgroup_limit(), slurm_limit()), machine = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE);
    return host < machine ? host / ranks_on_host() : 0;
}
