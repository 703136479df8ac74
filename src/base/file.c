/* file.c - opening, reading, writing and replacing files. A replacement is durable in this order: write, fsync, rename, fsync of
 * the folder; at any moment the name leads to the whole old file or to the whole new one. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "sharpsweep/base.h"

#define TEMPORARY ".tmp"
enum { MOST_IO_BYTES = 1 << 30, BLOCK_BYTES = 1 << 18, MOST_NAMES = 1000 };

static int too_long(const char *path, ss_error *error)
{
    return ss_fail(error, "%.80s...: path of more than %d bytes", path, SS_PATH_BYTES - 1);
}

/* ---- reading and writing ---------------------------------------------------------------------------------------- */

int ss_file_open(const char *path, int flags, uint64_t *n_bytes, ss_error *error)
{
    struct stat st;
    int fd = open(path, flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0 && errno == ENXIO) return ss_fail(error, "%s: is not a regular file", path);
    if (fd < 0) return ss_fail(error, "%s: %s", path, strerror(errno));
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
        if (n_bytes) *n_bytes = (uint64_t)st.st_size;
        return fd;
    }
    close(fd);
    return ss_fail(error, "%s: is not a regular file", path);
}

int64_t ss_file_read_at(int fd, void *out, size_t n, uint64_t at)
{
    size_t done = 0;
    while (done < n) {
        size_t want = n - done < MOST_IO_BYTES ? n - done : MOST_IO_BYTES;
        ssize_t got = pread(fd, (char *)out + done, want, (off_t)(at + done));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return -1;
        if (got == 0) break;
        done += (size_t)got;
    }
    return (int64_t)done;
}

int ss_file_write_at(int fd, const void *bytes, size_t n, uint64_t at)
{
    size_t done = 0;
    while (done < n) {
        size_t want = n - done < MOST_IO_BYTES ? n - done : MOST_IO_BYTES;
        ssize_t put = pwrite(fd, (const char *)bytes + done, want, (off_t)(at + done));
        if (put < 0 && errno == EINTR) continue;
        if (put == 0) errno = ENOSPC;
        if (put <= 0) return -1;
        done += (size_t)put;
    }
    return 0;
}

int ss_file_copy(int from, uint64_t at, uint64_t n, int to, uint32_t *crc, ss_error *error)
{
    unsigned char *block = ss_alloc(BLOCK_BYTES, 1);
    if (!block) return ss_fail(error, "no memory for a block of bytes");
    int rc = 0;
    *crc = 0;
    for (uint64_t end = at + n; rc == 0 && at < end;) {
        size_t want = end - at < BLOCK_BYTES ? (size_t)(end - at) : BLOCK_BYTES;
        int64_t got = ss_file_read_at(from, block, want, at);
        if (got != (int64_t)want) rc = ss_fail(error, "cannot be read: %s", got < 0 ? strerror(errno) : "its end came early");
        else if (to >= 0 && ss_file_write_at(to, block, want, at)) rc = ss_fail(error, "cannot be copied: %s", strerror(errno));
        else *crc = ss_crc32(*crc, block, want);
        at += want;
    }
    ss_free(block);
    return rc;
}

int ss_file_read(const char *path, size_t most, unsigned char **bytes, size_t *n, ss_error *error)
{
    uint64_t size = 0;
    *bytes = NULL;
    int fd = ss_file_open(path, O_RDONLY, &size, error);
    if (fd < 0) return -1;
    int rc = size <= most ? 0 : ss_fail(error, "%s: has %llu bytes, expected at most %zu", path, (unsigned long long)size, most);
    if (rc == 0 && !(*bytes = ss_alloc((size_t)size + 1, 1))) rc = ss_fail(error, "%s: no memory for its bytes", path);
    if (rc == 0) {
        int64_t got = ss_file_read_at(fd, *bytes, (size_t)size, 0);
        if (got < 0) rc = ss_fail(error, "%s: cannot be read: %s", path, strerror(errno));
        else *n = (size_t)got;
    }
    close(fd);
    if (rc == 0) return 0;
    ss_free(*bytes);
    *bytes = NULL;
    return -1;
}

/* ---- folders ---------------------------------------------------------------------------------------------------- */

/* "a/b.h5" -> "a", "b.h5" -> ".", "/b.h5" -> "/" */
static int folder_of(const char *path, char out[SS_PATH_BYTES], ss_error *error)
{
    const char *slash = strrchr(path, '/');
    size_t n = slash ? (size_t)(slash - path) : 1;
    if (n >= SS_PATH_BYTES) return too_long(path, error);
    memcpy(out, slash ? path : ".", n);
    out[n] = '\0';
    if (n == 0) strcpy(out, "/");
    return 0;
}

/* Some file systems cannot sync a folder (EINVAL): then a rename is as durable as they make it. */
static int sync_folder(int fd)
{
    return fsync(fd) && errno != EINVAL ? -1 : 0;
}

static int open_folder(const char *path, ss_error *error)
{
    char folder[SS_PATH_BYTES];
    if (folder_of(path, folder, error)) return -1;
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? ss_fail(error, "%s: %s", folder, strerror(errno)) : fd;
}

int ss_folder_sync(const char *path, ss_error *error)
{
    int fd = open_folder(path, error);
    if (fd < 0) return -1;
    int rc = sync_folder(fd) ? ss_fail(error, "%s: its folder cannot be synced: %s", path, strerror(errno)) : 0;
    close(fd);
    return rc;
}

/* The parts of a path that lead to a folder, one longer than the other; 0: there is none after `at`. */
static size_t next_folder(const char *path, size_t at)
{
    const char *slash = path[at] ? strchr(path + at + 1, '/') : NULL;
    return slash ? (size_t)(slash - path) : 0;
}

size_t ss_folder_missing(const char *path)
{
    char folder[SS_PATH_BYTES];
    if (strlen(path) >= sizeof folder) return 0;
    for (size_t n = 0; (n = next_folder(path, n)) != 0;) {
        memcpy(folder, path, n);
        folder[n] = '\0';
        if (access(folder, F_OK)) return n;
    }
    return 0;
}

void ss_folder_unmake(const char *path, size_t from)
{
    char folder[SS_PATH_BYTES];
    if (from == 0 || folder_of(path, folder, NULL)) return;
    for (char *end = folder + strlen(folder); end && (size_t)(end - folder) >= from; end = strrchr(folder, '/')) {
        *end = '\0';
        if (rmdir(folder) && errno != ENOENT && errno != ENAMETOOLONG) return;
    }
}

int ss_folder_make(const char *path, ss_error *error)
{
    char folder[SS_PATH_BYTES];
    size_t from = ss_folder_missing(path);
    if (strlen(path) >= sizeof folder) return too_long(path, error);
    if (from > 0 && strstr(path + from, "/../")) /* of what is made here, none may lead back to what was there before */
        return ss_fail(error, "%s: the folder %.*s does not exist", path, (int)from, path);
    for (size_t n = 0; (n = next_folder(path, n)) != 0;) {
        memcpy(folder, path, n);
        folder[n] = '\0';
        int made = mkdir(folder, 0777);
        if (made ? errno == EEXIST : ss_folder_sync(folder, error) == 0) continue;
        if (made) ss_fail(error, "%s: cannot create the folder: %s", folder, strerror(errno));
        ss_folder_unmake(path, from);
        return -1;
    }
    return 0;
}

/* ---- replacing -------------------------------------------------------------------------------------------------- */

enum { HOST_BYTES = 33 };

/* This host, as names of files have it. */
static void host_name(char out[HOST_BYTES])
{
    char host[64] = "";
    gethostname(host, sizeof host - 1);
    for (char *p = host; *p; p++)
        if (*p == '/') *p = '-';
    snprintf(out, HOST_BYTES, "%.*s", HOST_BYTES - 1, host);
}

/* PATH.HOST.PID-N.tmp: no other process has it, of any host that shares the folder. */
static int temporary_name(const char *path, char out[SS_PATH_BYTES], ss_error *error)
{
    static unsigned count;
    char host[HOST_BYTES];
    host_name(host);
    int n = snprintf(out, SS_PATH_BYTES, "%s.%s.%ld-%u" TEMPORARY, path, host, (long)getpid(), ++count);
    return n < SS_PATH_BYTES ? 0 : too_long(path, error);
}

int ss_replacement_begin(ss_replacement *r, const char *path, ss_error *error)
{
    struct stat old;
    r->fd = -1;
    r->temporary[0] = '\0';
    if (strlen(path) >= sizeof r->path) return too_long(path, error);
    strcpy(r->path, path);
    if (temporary_name(path, r->temporary, error)) return -1;
    bool replaces = lstat(path, &old) == 0 && S_ISREG(old.st_mode);
    mode_t mode = replaces ? old.st_mode & 0777 : 0666;
    unlink(r->temporary); /* of an earlier process of this number, which is dead */
    r->fd = open(r->temporary, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode | S_IRUSR | S_IWUSR);
    if (r->fd < 0) {
        r->temporary[0] = '\0';
        return ss_fail(error, "%s: cannot be made: %s", path, strerror(errno));
    }
    /* Who could read the old file can read the new one, and nobody else; some file systems know no rights. */
    if (replaces && fchmod(r->fd, mode))
        ss_log(SS_LOG_WARNING, "%s: its access rights cannot be kept: %s", path, strerror(errno));
    return 0;
}

/* Fails with EEXIST where `to` is there. */
static int rename_new(const char *from, const char *to)
{
    struct stat st;
    if (link(from, to) == 0) {
        unlink(from);
        return 0;
    }
    if (errno == EEXIST) return -1;
#ifdef SYS_renameat2
    if (syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 1u /* RENAME_NOREPLACE */) == 0) return 0;
    if (errno == EEXIST) return -1;
#endif
    if (lstat(to, &st) == 0) { /* a file system with neither links nor such a rename */
        errno = EEXIST;
        return -1;
    }
    return rename(from, to);
}

static int fail_step(const ss_replacement *r, const char *what, ss_error *error)
{
    return ss_fail(error, "%s: %s: %s", r->path, what, strerror(errno));
}

/* What has its name is done: a folder that cannot be synced afterwards leaves the old file or the new one after a power
 * failure. */
static void sync_name(const ss_replacement *r, int folder)
{
    if (sync_folder(folder))
        ss_log(SS_LOG_WARNING, "%s: its folder cannot be synced: %s; a power failure may still undo the last change", r->path,
               strerror(errno));
}

int ss_replacement_commit(ss_replacement *r, bool new_only, bool keep_open, ss_error *error)
{
    int folder = open_folder(r->path, error), cause = errno;
    int rc = folder < 0 ? -1 : 0;
    if (rc == 0 && fsync(r->fd)) rc = fail_step(r, "fsync", error), cause = errno;
    if (rc == 0 && !keep_open) {
        int fd = r->fd;
        r->fd = -1;
        if (close(fd)) rc = fail_step(r, "close", error);
        cause = errno;
    }
    if (rc == 0 && (new_only ? rename_new(r->temporary, r->path) : rename(r->temporary, r->path))) {
        cause = errno;
        rc = fail_step(r, new_only ? "cannot be made" : "cannot be replaced", error);
    }
    if (rc) ss_replacement_abandon(r);
    r->temporary[0] = '\0';
    if (rc == 0) sync_name(r, folder);
    if (folder >= 0) close(folder);
    errno = cause;
    return rc;
}

void ss_replacement_abandon(ss_replacement *r)
{
    if (r->temporary[0]) {
        if (r->fd >= 0) close(r->fd);
        r->fd = -1;
        unlink(r->temporary);
    }
    r->temporary[0] = '\0';
}

int ss_file_replace(const char *path, const void *bytes, size_t n, ss_error *error)
{
    ss_replacement r;
    if (ss_replacement_begin(&r, path, error)) return -1;
    if (ss_file_write_at(r.fd, bytes, n, 0) == 0) return ss_replacement_commit(&r, false, false, error);
    ss_fail(error, "%s: cannot be written: %s", path, strerror(errno));
    ss_replacement_abandon(&r);
    return -1;
}

/* HOST.PID-N.tmp, exactly as temporary_name writes it on this host for a process that lives no more. */
static bool is_abandoned(const char *tail)
{
    char host[HOST_BYTES], same[128];
    host_name(host);
    size_t n = strlen(host);
    if (strncmp(tail, host, n) != 0 || tail[n] != '.') return false;
    char *end;
    long pid = strtol(tail + n + 1, &end, 10);
    if (pid <= 0 || pid > INT_MAX || *end != '-') return false;
    unsigned long count = strtoul(end + 1, NULL, 10);
    snprintf(same, sizeof same, "%s.%ld-%lu" TEMPORARY, host, pid, count);
    return strcmp(tail, same) == 0 && kill((pid_t)pid, 0) != 0 && errno == ESRCH;
}

/* What follows the name of the file to which a temporary one belongs; base "": ID.h5; NULL: it belongs to another. */
static const char *tail_of(const char *name, const char *base)
{
    enum { ID_DIGITS = 32 };
    size_t n = strlen(base);
    if (n == 0) {
        if (strspn(name, "0123456789abcdef") != ID_DIGITS || strncmp(name + ID_DIGITS, ".h5", 3) != 0) return NULL;
        n = ID_DIGITS + 3;
    } else if (strncmp(name, base, n) != 0) return NULL;
    return name[n] == '.' ? name + n + 1 : NULL;
}

void ss_file_remove_temporaries(const char *path)
{
    char folder[SS_PATH_BYTES], name[SS_PATH_BYTES + 256];
    const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
    DIR *dir = folder_of(path, folder, NULL) ? NULL : opendir(folder);
    for (const struct dirent *e; dir && (e = readdir(dir)) != NULL;) {
        const char *tail = tail_of(e->d_name, base);
        if (!tail || !is_abandoned(tail)) continue;
        snprintf(name, sizeof name, "%s/%s", folder, e->d_name);
        unlink(name);
    }
    if (dir) closedir(dir);
}

/* PATH.kept-TIME, and with -k behind it from the second try on. */
static int kept_name(const char *path, int k, char out[SS_PATH_BYTES], ss_error *error)
{
    char again[16] = "", stamp[32];
    struct tm tm;
    time_t now = time(NULL);
    strftime(stamp, sizeof stamp, "%Y%m%dT%H%M%SZ", gmtime_r(&now, &tm));
    if (k > 1) snprintf(again, sizeof again, "-%d", k);
    if (k > MOST_NAMES) return ss_fail(error, "%s: files are kept under every name of this second", path);
    return snprintf(out, SS_PATH_BYTES, "%s.kept-%s%s", path, stamp, again) < SS_PATH_BYTES ? 0 : too_long(path, error);
}

int ss_file_keep(const char *path, char kept[SS_PATH_BYTES], ss_error *error)
{
    for (int k = 1; kept_name(path, k, kept, error) == 0; k++) {
        if (link(path, kept) == 0 || (errno != EEXIST && rename_new(path, kept) == 0)) {
            if (ss_folder_sync(path, error) == 0) return 0;
            ss_file_unkeep(path, kept);
            return -1;
        }
        if (errno != EEXIST) return ss_fail(error, "%s: cannot be kept as %s: %s", path, kept, strerror(errno));
    }
    return -1;
}

void ss_file_unkeep(const char *path, const char *kept)
{
    struct stat st;
    if (lstat(path, &st) == 0) unlink(kept);
    else rename(kept, path);
}
