/* paths.c - where results go, and word of how a run ended. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app.h"

char *ss_results_path(const ss_job *job, const char *option, ss_error *error)
{
    char *path = NULL;
    if (option || (job->output && job->output[0])) {
        path = ss_strdup(option ? option : job->output);
    } else {
        const char *slash = strrchr(job->path, '/'), *name = slash ? slash + 1 : job->path, *dot = strrchr(name, '.');
        size_t stem = dot && dot > name ? (size_t)(dot - job->path) : strlen(job->path);
        path = ss_alloc(stem + 4, 1);
        if (path) {
            memcpy(path, job->path, stem);
            memcpy(path + stem, ".h5", 4);
        }
    }
    if (!path) {
        ss_fail(error, "no memory for the name of the results file");
    } else if (!path[0]) {
        ss_fail(error, "-o \"\": the name of a results file is expected, such as -o results.h5");
        ss_free(path);
        path = NULL;
    }
    return path;
}

int ss_make_folder_of(const char *path, ss_error *error)
{
    char *folder = ss_strdup(path);
    int rc = folder ? 0 : ss_fail(error, "no memory for %s", path);
    for (char *at = folder; rc == 0 && (at = strchr(at + 1, '/')) != NULL;) {
        *at = '\0';
        if (mkdir(folder, 0777) && errno != EEXIST)
            rc = ss_fail(error, "%s: cannot create the folder: %s", folder, strerror(errno));
        *at = '/';
    }
    ss_free(folder);
    return rc;
}

static void write_status(const char *path, const char *line)
{
    char temporary[4096 + 64];
    if (!path) return;
    int n = snprintf(temporary, sizeof temporary, "%.4096s.%ld.tmp", path, (long)getpid());
    FILE *file = n > 0 ? fopen(temporary, "w") : NULL;
    bool good = file && fputs(line, file) >= 0;
    if (file) good = fclose(file) == 0 && good;
    if (good && rename(temporary, path) == 0) return;
    ss_log(SS_LOG_WARNING, "%s: cannot be written, so that a batch script will not learn of this run's end: %s", path,
           strerror(errno));
    unlink(temporary);
}

void ss_status_file_begin(const char *path)
{
    char line[256];
    snprintf(line, sizeof line, "running %ld %.200s\n", (long)getpid(), ss_host_name());
    write_status(path, line);
}

void ss_status_file_end(const char *path, int status, const char *why)
{
    char line[256];
    snprintf(line, sizeof line, "%d %.200s\n", status, why);
    write_status(path, line);
}
