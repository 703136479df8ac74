/* place.c - where data sets lie: the folder a job names; else below $SHARPSWEEP_DATA; else where the distribution's
 * package puts it. */
#include "source.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int ss_place_join(char path[SS_SOURCE_BYTES], const char *folder, const char *name, ss_error *error)
{
    int n = snprintf(path, SS_SOURCE_BYTES, "%s/%s", folder, name);
    if (n < 0 || n >= SS_SOURCE_BYTES)
        return ss_fail(error, "the path of '%s' is %d bytes long, expected fewer than %d", name, n, SS_SOURCE_BYTES);
    return 0;
}

int ss_place_size(const char *path, uint64_t *n_bytes, ss_error *error)
{
    struct stat s;
    if (stat(path, &s)) return ss_fail(error, "'%s': %s", path, strerror(errno));
    if (S_ISDIR(s.st_mode)) return ss_fail(error, "'%s' is a directory, expected a file", path);
    if (!S_ISREG(s.st_mode)) return ss_fail(error, "'%s' is not a regular file", path);
    *n_bytes = (uint64_t)s.st_size;
    return 0;
}

bool ss_place_has(const char *folder, const char *name)
{
    char path[SS_SOURCE_BYTES];
    struct stat s;
    return ss_place_join(path, folder, name, NULL) == 0 && stat(path, &s) == 0;
}

static bool holds(const ss_loader *loader, const char *folder)
{
    char zipped[128];
    if (ss_place_has(folder, loader->first_file)) return true;
    snprintf(zipped, sizeof zipped, "%s.gz", loader->first_file);
    return loader->gzip && ss_place_has(folder, zipped);
}

static int take(ss_dataset *d, const char *folder, ss_error *error)
{
    size_t n = strlen(folder);
    if (n >= sizeof d->path)
        return ss_fail(error, "the data folder's path is %zu bytes long, expected fewer than %zu", n, sizeof d->path);
    memcpy(d->path, folder, n + 1);
    return 0;
}

/* The job names the folder: nowhere else is looked at. */
static int find_named(const ss_loader *loader, const char *dir, ss_dataset *d, ss_error *error)
{
    struct stat s;
    if (take(d, dir, error)) return -1;
    if (stat(dir, &s))
        return ss_fail(error, "data folder '%s': %s; expected the files of %s (%s)", dir, strerror(errno), loader->name,
                       loader->advice);
    if (!S_ISDIR(s.st_mode))
        return ss_fail(error, "data folder '%s' is a file, expected the folder that holds the files of %s", dir,
                       loader->name);
    if (!holds(loader, dir))
        return ss_fail(error, "data folder '%s' holds no %s%s, expected the files of %s (%s)", dir, loader->first_file,
                       loader->gzip ? " (or .gz)" : "", loader->name, loader->advice);
    return 0;
}

int ss_place_find(const ss_loader *loader, const char *dir, ss_dataset *d, ss_error *error)
{
    if (!loader->first_file) return take(d, loader->name, error);
    if (dir && *dir) return find_named(loader, dir, d, error);
    if (!loader->usual_folder)
        return ss_fail(error, "the data set '%s' needs its folder (dir): %s", loader->name, loader->advice);

    const char *root = getenv("SHARPSWEEP_DATA");
    char below[SS_SOURCE_BYTES], looked[3 * SS_SOURCE_BYTES];
    size_t at = 0;
    if (root && *root) {
        if (ss_place_join(below, root, loader->usual_folder, error)) return -1;
        if (holds(loader, below)) return take(d, below, error);
        if (holds(loader, root)) return take(d, root, error);
        at = (size_t)snprintf(looked, sizeof looked, "in '%s' and '%s'", below, root);
    } else {
        at = (size_t)snprintf(looked, sizeof looked, "below $SHARPSWEEP_DATA, which is not set");
    }
    if (loader->system_folder) {
        if (holds(loader, loader->system_folder)) return take(d, loader->system_folder, error);
        snprintf(looked + at, sizeof looked - at, " and in '%s'", loader->system_folder);
    }
    return ss_fail(error, "the data set '%s' was not found (looked for %s %s): %s, or set SHARPSWEEP_DATA to the folder "
                   "that holds %s, or name the folder itself (dir)", loader->name, loader->first_file, looked,
                   loader->advice, loader->usual_folder);
}
