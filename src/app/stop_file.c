/* stop_file.c - RESULTS.h5.stop, by which anybody ends a run in order: beside the results as they were named, or, where that
 * is a symbolic link, beside the file itself, whose name other commands give. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app.h"

#define POLL_S 0.5
enum { MOST_BYTES = 4096 };

int ss_stop_file_find(ss_stop_file *f, const char *results, ss_error *error)
{
    char real[SS_PATH_BYTES];
    *f = (ss_stop_file){.polled_s = 0};
    if (ss_store_resolve(results, real, error)) return -1;
    const char *const names[] = {results, real};
    for (size_t i = 0; i < 2; i++) {
        int n = snprintf(f->path[i], sizeof f->path[i], "%s.stop", names[i]);
        if (n < 0 || (size_t)n >= sizeof f->path[i]) return ss_fail(error, "%s: the name is too long for a stop file", names[i]);
    }
    return 0;
}

/* Nothing else than a small plain file: a folder would stop every run for ever, and what somebody else keeps under this name,
 * such as results, is not ours to remove. */
static bool is_there(const char *path, struct stat *file)
{
    static const unsigned char hdf5[8] = {0x89, 'H', 'D', 'F', '\r', '\n', 0x1a, '\n'};
    unsigned char start[8];
    uint64_t n = 0;
    if (lstat(path, file) || !S_ISREG(file->st_mode) || file->st_size > MOST_BYTES) return false;
    if (file->st_size < (off_t)sizeof start) return true;
    int fd = ss_file_open(path, O_RDONLY | O_NOFOLLOW, &n, NULL);
    if (fd < 0) return false;
    int64_t got = ss_file_read_at(fd, start, sizeof start, 0);
    close(fd);
    return n <= MOST_BYTES && got >= 0 && (got < (int64_t)sizeof start || memcmp(start, hdf5, sizeof start) != 0);
}

void ss_stop_file_drop_old(const ss_stop_file *f, struct timespec since)
{
    struct stat file;
    for (size_t i = 0; i < 2; i++) {
        const char *path = f->path[i];
        if (!is_there(path, &file)) continue; /* both names may be one file */
        double age_s = difftime(since.tv_sec, file.st_mtim.tv_sec);
        if (age_s < 0 || (age_s == 0 && file.st_mtim.tv_nsec >= since.tv_nsec)) continue;
        if (unlink(path) == 0)
            ss_log(SS_LOG_WARNING, "%s: older than this run, so not meant for it; removed", path);
        else
            ss_log(SS_LOG_WARNING, "%s: older than this run, but cannot be removed: %s", path, strerror(errno));
    }
}

bool ss_stop_file_appeared(ss_stop_file *f)
{
    struct stat file;
    double now_s = ss_clock_s();
    if (now_s - f->polled_s < POLL_S) return false;
    f->polled_s = now_s;
    return is_there(f->path[0], &file) || is_there(f->path[1], &file);
}

void ss_stop_file_remove(const ss_stop_file *f)
{
    struct stat file;
    for (size_t i = 0; i < 2; i++)
        if (is_there(f->path[i], &file)) unlink(f->path[i]);
}
