/* merge_weights.c - weights files of merged results: linked beside the merged file, copied where that is not possible. */
#include "merge.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_weights_name(const char *name)
{
    unsigned char id[SS_ID_RAW];
    const char *rest = ss_id_read(name, id);
    return rest && strcmp(rest, ".h5") == 0;
}

static int copy_file(const char *from, const char *to, ss_error *error)
{
    ss_replacement r;
    uint64_t size = 0;
    uint32_t crc;
    int in = ss_file_open(from, O_RDONLY | O_NOFOLLOW, &size, error);
    if (in < 0) return -1;
    int rc = ss_replacement_begin(&r, to, error);
    if (rc == 0) {
        if (ss_file_copy(in, 0, size, r.fd, &crc, error)) rc = ss_fail_in(error, "%s", from);
        else rc = ss_replacement_commit(&r, true, false, error);
        ss_replacement_abandon(&r);
    }
    close(in);
    return rc;
}

static int place(const char *from, const char *to, ss_error *error)
{
    struct stat st, there;
    char kept[SS_PATH_BYTES];
    if (lstat(from, &st)) return ss_fail(error, "%s: %s", from, strerror(errno));
    if (!S_ISREG(st.st_mode)) return ss_fail(error, "%s: is not a regular file; copy the weights that it leads to there", from);
    if (lstat(to, &there) == 0 && S_ISREG(there.st_mode) && ss_weights_are_ours(to)) return 0;
    if (lstat(to, &there) == 0) {
        if (!S_ISREG(there.st_mode)) return ss_fail(error, "%s: is in the way of weights; move it away", to);
        if (ss_file_keep(to, kept, error)) return -1;
        if (unlink(to) && errno != ENOENT) return ss_fail(error, "%s: %s", to, strerror(errno));
        ss_log(SS_LOG_WARNING, "%s: is no weights file of sharpsweep, and is kept as %s", to, kept);
    }
    if (link(from, to) == 0) return 0;
    return copy_file(from, to, error); /* another file system, or one without links */
}

int ss_merge_weights(const char *target, const char *in, ss_error *error)
{
    char resolved[SS_PATH_BYTES], from[SS_PATH_BYTES], to[SS_PATH_BYTES];
    char a[SS_PATH_BYTES + 256], b[SS_PATH_BYTES + 256];
    if (ss_store_resolve(in, resolved, error)) return -1;
    if (strcmp(resolved, target) == 0) return 0;
    if (ss_weights_folder(resolved, from, sizeof from) < 0 || ss_weights_folder(target, to, sizeof to) < 0)
        return ss_fail(error, "%s: the name is too long to look for weights beside it", in);
    DIR *folder = opendir(from);
    if (!folder && errno == ENOENT) return 0; /* none were kept */
    if (!folder) return ss_fail(error, "%s: its weights cannot be read: %s", from, strerror(errno));
    snprintf(b, sizeof b, "%s/", to);
    int rc = ss_folder_make(b, error);
    for (const struct dirent *e; rc == 0 && (e = readdir(folder)) != NULL;) {
        if (!is_weights_name(e->d_name)) continue;
        snprintf(a, sizeof a, "%s/%s", from, e->d_name);
        snprintf(b, sizeof b, "%s/%s", to, e->d_name);
        rc = place(a, b, error);
    }
    snprintf(b, sizeof b, "%s/", to);
    if (rc == 0) rc = ss_folder_sync(b, error); /* of the links, all at once */
    closedir(folder);
    return rc;
}
