/* paths.c - where results go. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

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
