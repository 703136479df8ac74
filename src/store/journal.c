/* journal.c - the file of entries.
 *
 *   header   256 bytes: magic "SSJOURN\n", version, uuid, CRC of these; then a note about the writer, outside the CRC
 *   entry    magic "SSJE", kind, length, CRC over kind, length and payload; payload
 *
 * A process that is killed leaves at most one entry that is not whole, at the end: it is cut when the next writer opens.
 * Anything broken that is followed by a whole entry is damage that no kill explains, and is refused. */
#include "journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "h5.h"

enum { HEADER_BYTES = 256, VERSION_AT = 8, UUID_AT = 12, CRC_AT = 28, ENTRY_BYTES = 16, WINDOW_BYTES = 256 * 1024 };
static const char file_magic[8] = "SSJOURN\n";
static const char entry_magic[4] = "SSJE";
#define MAX_PAYLOAD ((uint32_t)1 << 30)

uint64_t ss_journal_first(void)
{
    return HEADER_BYTES;
}

int ss_journal_path(const char *results, char out[SS_PATH_BYTES], ss_error *error)
{
    int n = snprintf(out, SS_PATH_BYTES, "%s.journal", results);
    if (n > 0 && n < SS_PATH_BYTES) return 0;
    return ss_fail(error, "%.80s...: path of more than %d bytes", results, SS_PATH_BYTES - 1);
}

/* Makes bytes [at, at+n) of the file available in the window; fewer at the end of the file. */
static int load(ss_journal *j, uint64_t at, size_t n, size_t ahead, const unsigned char **p, size_t *got, ss_error *error)
{
    if (at >= j->window_at && at - j->window_at <= j->window_n && j->window_n - (size_t)(at - j->window_at) >= n) {
        *p = j->window + (at - j->window_at);
        *got = n;
        return 0;
    }
    size_t want = n > ahead ? n : ahead;
    if (want > j->window_capacity) {
        ss_free(j->window);
        j->window_capacity = 0;
        j->window = ss_alloc(want, 1);
        if (!j->window) return ss_fail(error, "%s: no memory for an entry of %zu bytes", j->path, want);
        j->window_capacity = want;
    }
    j->window_at = at;
    j->window_n = 0;
    while (j->window_n < want && at + j->window_n < j->end) {
        size_t left = want - j->window_n;
        if (left > j->end - at - j->window_n) left = (size_t)(j->end - at - j->window_n);
        ssize_t k = pread(j->fd, j->window + j->window_n, left, (off_t)(at + j->window_n));
        if (k < 0 && errno == EINTR) continue;
        if (k < 0) return ss_fail(error, "%s: cannot be read: %s", j->path, strerror(errno));
        if (k == 0) break;
        j->window_n += (size_t)k;
    }
    *p = j->window;
    *got = j->window_n < n ? j->window_n : n;
    return 0;
}

static uint32_t entry_crc(uint32_t kind, uint32_t n, const unsigned char *payload)
{
    unsigned char head[8];
    ss_bytes_set_u32(head, kind);
    ss_bytes_set_u32(head + 4, n);
    return ss_crc32(ss_crc32(0, head, sizeof head), payload, n);
}

int ss_journal_read(ss_journal *j, uint64_t offset, ss_entry *entry, ss_error *error)
{
    const unsigned char *p;
    size_t got;
    if (offset >= j->end) return 0; /* beyond it where a file is cut short in its header */
    if (load(j, offset, ENTRY_BYTES, WINDOW_BYTES, &p, &got, error)) return -1;
    if (got < ENTRY_BYTES || memcmp(p, entry_magic, sizeof entry_magic) != 0) return 2;
    uint32_t kind = ss_bytes_get_u32(p + 4), n = ss_bytes_get_u32(p + 8), crc = ss_bytes_get_u32(p + 12);
    if (n > MAX_PAYLOAD || offset + ENTRY_BYTES + n > j->end) return 2;
    if (load(j, offset, ENTRY_BYTES + (size_t)n, 0, &p, &got, error)) return -1;
    if (got < ENTRY_BYTES + (size_t)n || entry_crc(kind, n, p + ENTRY_BYTES) != crc) return 2;
    *entry = (ss_entry){kind, n, offset, offset + ENTRY_BYTES + n, p + ENTRY_BYTES};
    return 1;
}

uint64_t ss_journal_find(ss_journal *j, uint64_t from, ss_error *error)
{
    const unsigned char *p = NULL;
    size_t got = 0;
    ss_entry entry;
    for (uint64_t at = from; at < j->end;) {
        if (load(j, at, WINDOW_BYTES, WINDOW_BYTES, &p, &got, error)) return UINT64_MAX;
        const unsigned char *hit = memmem(p, got, entry_magic, sizeof entry_magic);
        if (!hit) {
            if (got < WINDOW_BYTES) return 0;
            at += got - sizeof entry_magic + 1;
            continue;
        }
        at += (uint64_t)(hit - p);
        int rc = ss_journal_read(j, at, &entry, error);
        if (rc < 0) return UINT64_MAX;
        if (rc == 1) return at;
        at++;
    }
    return 0;
}

static int write_all(int fd, const unsigned char *p, size_t n, uint64_t at)
{
    while (n > 0) {
        ssize_t k = pwrite(fd, p, n, (off_t)at);
        if (k < 0 && errno == EINTR) continue;
        if (k <= 0) {
            if (k == 0) errno = ENOSPC;
            return -1;
        }
        p += k;
        at += (uint64_t)k;
        n -= (size_t)k;
    }
    return 0;
}

int ss_journal_cut(ss_journal *j, uint64_t end, ss_error *error)
{
    if (ftruncate(j->fd, (off_t)end)) return ss_fail(error, "%s: cannot be cut at %llu: %s", j->path,
                                                     (unsigned long long)end, strerror(errno));
    j->end = end;
    j->window_n = 0;
    return 0;
}

int ss_journal_append(ss_journal *j, ss_entry_kind kind, const ss_bytes *payload, bool sync, ss_error *error)
{
    if (j->broken) return ss_fail(error, "%s: an earlier write failed; start the sweep again to go on", j->path);
    if (payload->failed) return ss_fail(error, "%s: no memory for an entry", j->path);
    if (payload->n > MAX_PAYLOAD)
        return ss_fail(error, "%s: an entry of %zu bytes is more than %u; split the grid", j->path, payload->n, MAX_PAYLOAD);
    size_t n = ENTRY_BYTES + payload->n;
    unsigned char *entry = ss_alloc(n, 1);
    if (!entry) return ss_fail(error, "%s: no memory for an entry of %zu bytes", j->path, n);
    memcpy(entry, entry_magic, sizeof entry_magic);
    ss_bytes_set_u32(entry + 4, kind);
    ss_bytes_set_u32(entry + 8, (uint32_t)payload->n);
    if (payload->n) memcpy(entry + ENTRY_BYTES, payload->p, payload->n);
    ss_bytes_set_u32(entry + 12, entry_crc(kind, (uint32_t)payload->n, entry + ENTRY_BYTES));
    int rc = write_all(j->fd, entry, n, j->end);
    if (rc == 0 && sync) rc = fdatasync(j->fd);
    ss_free(entry);
    if (rc) {
        ss_fail(error, "%s: cannot be written: %s; what was kept so far is safe", j->path, strerror(errno));
        if (ss_journal_cut(j, j->end, NULL)) j->broken = true;
        return -1;
    }
    j->end += n;
    return 0;
}

int ss_journal_remember(ss_journal *j, uint64_t whole, ss_journal_mark *mark, ss_error *error)
{
    size_t n = whole < j->end ? (size_t)(j->end - whole) : 0, got = 0;
    *mark = (ss_journal_mark){.whole = whole, .n = n, .torn = ss_alloc(n, 1)};
    if (!mark->torn) return ss_fail(error, "%s: no memory for the %zu bytes at its end", j->path, n);
    while (got < n) {
        ssize_t k = pread(j->fd, mark->torn + got, n - got, (off_t)(whole + got));
        if (k < 0 && errno == EINTR) continue;
        if (k <= 0) {
            ss_free(mark->torn);
            return ss_fail(error, "%s: cannot be read: %s", j->path, k < 0 ? strerror(errno) : "it became shorter");
        }
        got += (size_t)k;
    }
    return 0;
}

void ss_journal_forget(ss_journal_mark *mark)
{
    ss_free(mark->torn);
    mark->torn = NULL;
}

void ss_journal_restore(ss_journal *j, const ss_journal_mark *mark)
{
    if (ss_journal_cut(j, mark->whole, NULL) || write_all(j->fd, mark->torn, mark->n, mark->whole)) return;
    j->end = mark->whole + mark->n;
}

static ss_journal *new_journal(const char *path, ss_error *error)
{
    ss_journal *j = ss_alloc(1, sizeof *j);
    if (!j) {
        ss_fail(error, "%s: no memory", path);
        return NULL;
    }
    j->fd = -1;
    snprintf(j->path, sizeof j->path, "%s", path);
    return j;
}

static int write_header(ss_journal *j, ss_error *error)
{
    unsigned char h[HEADER_BYTES] = {0};
    memcpy(h, file_magic, sizeof file_magic);
    ss_bytes_set_u32(h + VERSION_AT, SS_JOURNAL_VERSION);
    memcpy(h + UUID_AT, j->uuid, SS_UUID_BYTES);
    ss_bytes_set_u32(h + CRC_AT, ss_crc32(0, h, CRC_AT));
    if (write_all(j->fd, h, sizeof h, 0)) return ss_fail(error, "%s: cannot be written: %s", j->path, strerror(errno));
    j->end = HEADER_BYTES;
    return 0;
}

static int name_it(ss_journal *j, const unsigned char *uuid, ss_error *error)
{
    if (uuid)
        memcpy(j->uuid, uuid, SS_UUID_BYTES);
    else if (getrandom(j->uuid, SS_UUID_BYTES, 0) != SS_UUID_BYTES)
        return ss_fail(error, "getrandom: %s", strerror(errno));
    return 0;
}

ss_journal *ss_journal_create(const char *path, const unsigned char *uuid, ss_error *error)
{
    ss_journal *j = new_journal("", error);
    if (!j) return NULL;
    j->writable = true;
    if (snprintf(j->path, sizeof j->path, "%s.%ld.new", path, (long)getpid()) >= SS_PATH_BYTES) {
        ss_fail(error, "%.80s...: path of more than %d bytes", path, SS_PATH_BYTES - 1);
        goto failed;
    }
    if (name_it(j, uuid, error)) goto failed;
    unlink(j->path); /* left by a killed process that had our number */
    j->fd = open(j->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (j->fd < 0) {
        ss_fail(error, "%s: cannot be made: %s", path, strerror(errno));
        goto failed;
    }
    if (write_header(j, error) || ss_lock_take(j, error)) goto failed;
    return j;
failed:
    ss_journal_close(j);
    return NULL;
}

/* An empty file of the journal's name may be another process's that is about to begin it (see revive): whoever has its lock
 * is first. Returns a descriptor that holds it until it is closed, or -1. */
static int hold_empty(const char *path, ss_error *error)
{
    struct flock first = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1};
    struct stat st;
    int fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return ss_fail(error, "%s: %s", path, strerror(errno));
    bool taken = fcntl(fd, F_SETLK, &first) && (errno == EACCES || errno == EAGAIN); /* else: a file system without locks */
    if (!taken && fstat(fd, &st) == 0 && st.st_size == 0) return fd;
    close(fd);
    return ss_fail(error, "%s: was just begun by another process; only one sweep may write a results file", path);
}

/* A link fails where the name is taken, so that of two processes that both begin a sweep one loses cleanly. */
int ss_journal_publish(ss_journal *j, bool replace, ss_error *error)
{
    char path[SS_PATH_BYTES];
    snprintf(path, sizeof path, "%s", j->path);
    char *dot = strrchr(path, '.'); /* .new */
    if (dot) *dot = '\0';
    dot = strrchr(path, '.');       /* .PID */
    if (dot) *dot = '\0';
    if (fsync(j->fd)) return ss_fail(error, "%s: fsync: %s", path, strerror(errno));
    int rc = 0, empty = -1;
    if (access(path, F_OK) == 0 && !ss_journal_exists(path) && (empty = hold_empty(path, error)) < 0) return -1;
    replace = replace || empty >= 0;
    if (!replace && link(j->path, path) == 0)
        unlink(j->path);
    else if (!replace && errno == EEXIST && ss_place_is_dangling(path))
        rc = ss_place_fail_link(path, error);
    else if (!replace && errno == EEXIST)
        rc = ss_fail(error, "%s: was just made by another process; only one sweep may write a results file", path);
    else if ((!replace && access(path, F_OK) == 0) || rename(j->path, path)) /* also: file systems without links */
        rc = ss_fail(error, "%s: cannot be made: %s", path, strerror(errno));
    if (empty >= 0) close(empty);
    if (rc) return -1;
    strcpy(j->path, path);
    return ss_folder_sync(path, error);
}

static int copy_entries(const ss_journal *from, ss_journal *to, const char *path, ss_error *error)
{
    unsigned char bytes[16384];
    while (to->end < from->end) {
        size_t left = from->end - to->end < sizeof bytes ? (size_t)(from->end - to->end) : sizeof bytes;
        ssize_t n = pread(from->fd, bytes, left, (off_t)to->end);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return ss_fail(error, "%s: cannot be copied: %s", from->path, n == 0 ? "it was cut" : strerror(errno));
        if (write_all(to->fd, bytes, (size_t)n, to->end))
            return ss_fail(error, "%s: cannot be written: %s", path, strerror(errno));
        to->end += (uint64_t)n;
    }
    return 0;
}

ss_journal *ss_journal_copy(const ss_journal *j, const unsigned char *uuid, const char *path, ss_error *error)
{
    ss_journal *copy = ss_journal_create(path, uuid, error);
    if (copy && copy_entries(j, copy, path, error) == 0 && ss_journal_publish(copy, false, error) == 0) return copy;
    ss_journal_close(copy);
    return NULL;
}

static ss_journal_state read_header(ss_journal *j, ss_error *error)
{
    unsigned char h[HEADER_BYTES];
    ssize_t n = pread(j->fd, h, sizeof h, 0);
    if (n < 0) {
        ss_fail(error, "%s: cannot be read: %s", j->path, strerror(errno));
        return SS_JOURNAL_HANDS_OFF;
    }
    if (n != sizeof h || memcmp(h, file_magic, sizeof file_magic) != 0) {
        ss_fail(error, "%s: is not a journal of sharpsweep, or its header is damaged; see what `sharpsweep verify` says, or "
                "write to another file (-o)", j->path);
        return SS_JOURNAL_BAD_HEADER;
    }
    if (ss_crc32(0, h, CRC_AT) != ss_bytes_get_u32(h + CRC_AT)) {
        ss_fail(error, "%s: the header is damaged; run `sharpsweep verify --repair`", j->path);
        return SS_JOURNAL_BAD_HEADER;
    }
    uint32_t version = ss_bytes_get_u32(h + VERSION_AT);
    if (version != SS_JOURNAL_VERSION) {
        ss_fail(error, "%s: has format version %u, this program knows %d; use the newer sharpsweep that made it", j->path,
                version, SS_JOURNAL_VERSION);
        return SS_JOURNAL_HANDS_OFF;
    }
    memcpy(j->uuid, h + UUID_AT, SS_UUID_BYTES);
    return SS_JOURNAL_OURS;
}

static int measure(ss_journal *j, ss_error *error)
{
    struct stat st;
    if (fstat(j->fd, &st)) return ss_fail(error, "%s: %s", j->path, strerror(errno));
    if (!S_ISREG(st.st_mode)) return ss_fail(error, "%s: is not a regular file", j->path);
    j->end = (uint64_t)st.st_size;
    return 0;
}

/* Not blocking: a pipe of that name would wait for its other end before we can see that it is none of ours. */
static int open_file(ss_journal *j, ss_error *error)
{
    int own = ss_lock_borrow(AT_FDCWD, j->path);
    if (own >= 0 && j->writable) return ss_fail(error, "%s: is being written by this very process", j->path);
    j->borrowed = own >= 0;
    j->fd = own >= 0 ? own : open(j->path, (j->writable ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NONBLOCK);
    return j->fd < 0 ? ss_fail(error, "%s: %s", j->path, strerror(errno)) : measure(j, error);
}

ss_journal *ss_journal_open(const char *path, bool writable, ss_error *error)
{
    ss_journal *j = new_journal(path, error);
    if (!j) return NULL;
    j->writable = writable;
    if (open_file(j, error) == 0 && read_header(j, error) == SS_JOURNAL_OURS) {
        if (!writable) return j;
        /* Measured again: the last writer may have written until just before it gave the lock away. */
        if (ss_lock_take(j, error) == 0 && measure(j, error) == 0) return j;
    }
    ss_journal_close(j);
    return NULL;
}

int ss_journal_is_held(ss_journal *j, ss_error *error)
{
    return ss_lock_is_held(j) ? 1 : measure(j, error);
}

ss_journal *ss_journal_scratch(ss_error *error)
{
    ss_journal *j = new_journal("journal in memory", error);
    if (!j) return NULL;
    j->fd = memfd_create("sharpsweep-journal", MFD_CLOEXEC);
    if (j->fd >= 0 && write_header(j, error) == 0) return j;
    if (j->fd < 0) ss_fail(error, "no memory for a journal: %s", strerror(errno));
    ss_journal_close(j);
    return NULL;
}

bool ss_journal_exists(const char *path)
{
    struct stat st;
    if (access(path, F_OK)) return false;
    return stat(path, &st) || !S_ISREG(st.st_mode) || st.st_size > 0;
}

ss_journal *ss_journal_revive(const char *path, const unsigned char *uuid, ss_error *error)
{
    ss_journal *j = new_journal(path, error);
    if (!j) return NULL;
    j->writable = true;
    int rc = name_it(j, uuid, error) || open_file(j, error) || ss_lock_take(j, error) || measure(j, error) ? -1 : 0;
    struct stat own, named;       /* by now another file may have been renamed to its place, see publish */
    bool ours = rc == 0 && fstat(j->fd, &own) == 0 && stat(path, &named) == 0 && own.st_ino == named.st_ino
                && own.st_dev == named.st_dev;
    if (rc == 0 && (j->end > 0 || !ours))
        rc = ss_fail(error, "%s: was just begun by another process; only one sweep may write a results file", path);
    if (rc == 0 && write_header(j, error) == 0) return j;
    ss_journal_close(j);
    return NULL;
}

ss_journal *ss_journal_salvage(const char *path, ss_error *error)
{
    ss_journal *j = new_journal(path, error);
    if (j && open_file(j, error) == 0) {
        read_header(j, NULL);
        return j;
    }
    ss_journal_close(j);
    return NULL;
}

ss_journal_state ss_journal_peek(const char *path, ss_error *error)
{
    bool named = access(path, F_OK) == 0;
    if (named ? !ss_journal_exists(path) : errno == ENOENT) {
        ss_fail(error, "%s: is %s", path, named ? "empty" : "missing");
        return SS_JOURNAL_MISSING;
    }
    ss_journal *j = new_journal(path, error);
    ss_journal_state state = j && open_file(j, error) == 0 ? read_header(j, error) : SS_JOURNAL_HANDS_OFF;
    ss_journal_close(j);
    return state;
}

void ss_journal_close(ss_journal *j)
{
    if (!j) return;
    if (j->writable && j->fd >= 0) ss_lock_forget(j);
    if (j->fd >= 0 && !j->borrowed) close(j->fd);
    size_t n = strlen(j->path);
    if (j->writable && n > 4 && strcmp(j->path + n - 4, ".new") == 0) unlink(j->path);
    ss_free(j->window);
    ss_free(j);
}
