/* merge_weights.c - weights files of merged results: linked beside the merged file, copied where that is not possible. */
#include "merge.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BUFFER_BYTES = 1 << 16 };

/* 32 hex digits and .h5 */
static bool is_weights_name(const char *name)
{
    char id[SS_ID_BYTES];
    unsigned char raw[SS_ID_RAW];
    size_t n = strlen(name);
    if (n != SS_ID_BYTES - 1 + 3 || strcmp(name + n - 3, ".h5") != 0) return false;
    memcpy(id, name, SS_ID_BYTES - 1);
    id[SS_ID_BYTES - 1] = '\0';
    return ss_id_pack(id, raw) == 0;
}

static int copy_bytes(int from, int to)
{
    char buffer[BUFFER_BYTES];
    for (;;) {
        ssize_t n = read(from, buffer, sizeof buffer);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return n < 0 ? -1 : fsync(to);
        for (ssize_t done = 0; done < n;) {
            ssize_t k = write(to, buffer + done, (size_t)(n - done));
            if (k < 0 && errno != EINTR) return -1;
            if (k > 0) done += k;
        }
    }
}

static int copy_file(const char *from, const char *to, ss_error *error)
{
    char temporary[SS_PATH_BYTES + 80];
    snprintf(temporary, sizeof temporary, "%s.tmp", to);
    int in = open(from, O_RDONLY | O_CLOEXEC), out = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    int rc = in >= 0 && out >= 0 && copy_bytes(in, out) == 0 ? 0 : -1;
    if (out >= 0 && close(out)) rc = -1;
    if (rc == 0) rc = rename(temporary, to);
    if (rc) {
        ss_fail(error, "%s: cannot be copied to %s: %s", from, to, strerror(errno));
        unlink(temporary);
    }
    if (in >= 0) close(in);
    return rc;
}

static int place(const char *from, const char *to, ss_error *error)
{
    struct stat st;
    if (lstat(to, &st) == 0 || link(from, to) == 0) return 0;
    return copy_file(from, to, error); /* another file system, or one without links */
}

int ss_merge_weights(const ss_merge *m, const char *in, ss_error *error)
{
    char resolved[SS_PATH_BYTES], from[SS_PATH_BYTES], to[SS_PATH_BYTES];
    char a[SS_PATH_BYTES + 64], b[SS_PATH_BYTES + 64];
    if (ss_results_resolve(in, resolved, error)) return -1;
    if (strcmp(resolved, m->path) == 0) return 0;
    if (ss_weights_folder(resolved, from, sizeof from) < 0 || ss_weights_folder(m->path, to, sizeof to) < 0)
        return ss_fail(error, "%s: the name is too long to look for weights beside it", in);
    DIR *folder = opendir(from);
    if (!folder) return 0; /* none were kept */
    int rc = mkdir(to, 0777) && errno != EEXIST ? ss_fail(error, "%s: cannot create the folder: %s", to, strerror(errno)) : 0;
    for (const struct dirent *e; rc == 0 && (e = readdir(folder)) != NULL;) {
        if (!is_weights_name(e->d_name)) continue;
        snprintf(a, sizeof a, "%s/%s", from, e->d_name);
        snprintf(b, sizeof b, "%s/%s", to, e->d_name);
        rc = place(a, b, error);
    }
    closedir(folder);
    return rc;
}
