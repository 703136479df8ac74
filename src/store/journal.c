/* journal.c - the writer's side of the journal.
 *
 *   header   256 bytes: magic "SSJOURN\n", version, uuid, CRC of these; then a note about the writer, outside the CRC
 *   entries  see entries.c
 *
 * A process that is killed leaves at most one entry that is not whole, at the end. The file is opened for appending: where two
 * writers meet because a file system has no locks, neither overwrites the other, and both notice (guard). */
#include "journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

enum { VERSION_AT = 8, UUID_AT = 12, CRC_AT = 28 };
static const char file_magic[8] = "SSJOURN\n";

int ss_journal_path(const char *results, char out[SS_PATH_BYTES], ss_error *error)
{
    int n = snprintf(out, SS_PATH_BYTES, "%s.journal", results);
    if (n > 0 && n < SS_PATH_BYTES) return 0;
    return ss_fail(error, "%.80s...: path of more than %d bytes", results, SS_PATH_BYTES - 1);
}

int ss_journal_header(int fd, uint32_t *version, unsigned char uuid[SS_UUID_BYTES], bool *damaged)
{
    unsigned char h[SS_JOURNAL_HEADER_BYTES] = {0};
    int64_t n = ss_file_read_at(fd, h, sizeof h, 0);
    if (n < 0) return -1;
    if (n == 0 || memcmp(h, file_magic, n < (int64_t)sizeof file_magic ? (size_t)n : sizeof file_magic) != 0) return 0;
    *version = ss_bytes_get_u32(h + VERSION_AT);
    *damaged = n < (int64_t)sizeof h || ss_crc32(0, h, CRC_AT) != ss_bytes_get_u32(h + CRC_AT);
    memcpy(uuid, h + UUID_AT, SS_UUID_BYTES);
    return 1;
}

static ss_journal *new_journal(const char *path, ss_error *error)
{
    ss_journal *j = ss_alloc(1, sizeof *j);
    if (!j) {
        ss_fail(error, "%s: no memory", path);
        return NULL;
    }
    j->e = (ss_entries){.fd = -1, .first = SS_JOURNAL_HEADER_BYTES};
    j->new.fd = -1;
    snprintf(j->e.path, sizeof j->e.path, "%s", path);
    return j;
}

static int write_header(ss_journal *j, ss_error *error)
{
    unsigned char h[SS_JOURNAL_HEADER_BYTES] = {0};
    memcpy(h, file_magic, sizeof file_magic);
    ss_bytes_set_u32(h + VERSION_AT, SS_JOURNAL_VERSION);
    memcpy(h + UUID_AT, j->uuid, SS_UUID_BYTES);
    ss_bytes_set_u32(h + CRC_AT, ss_crc32(0, h, CRC_AT));
    j->e.end = sizeof h;
    if (ss_file_write_at(j->e.fd, h, sizeof h, 0) == 0) return 0;
    return ss_fail(error, "%s: cannot be written: %s", j->e.path, strerror(errno));
}

ss_journal *ss_journal_create(const char *path, const unsigned char *uuid, ss_error *error)
{
    ss_journal *j = new_journal(path, error);
    if (!j) return NULL;
    int rc = 0;
    if (uuid) memcpy(j->uuid, uuid, SS_UUID_BYTES);
    else if (getrandom(j->uuid, SS_UUID_BYTES, 0) != SS_UUID_BYTES) rc = ss_fail(error, "getrandom: %s", strerror(errno));
    if (rc == 0) rc = ss_replacement_begin(&j->new, path, error);
    if (rc == 0) {
        j->e.fd = j->new.fd;
        rc = write_header(j, error) || ss_lock_take(j->e.fd, path, error) ? -1 : 0;
    }
    if (rc == 0) return j;
    ss_journal_close(j);
    return NULL;
}

static int append_only(int fd, bool on)
{
    int flags = fcntl(fd, F_GETFL);
    return flags < 0 ? -1 : fcntl(fd, F_SETFL, on ? flags | O_APPEND : flags & ~O_APPEND);
}

int ss_journal_sync(ss_journal *j, ss_error *error)
{
    if (fsync(j->e.fd)) return ss_fail(error, "%s: fsync: %s", j->e.path, strerror(errno));
    return ss_folder_sync(j->e.path, error);
}

int ss_journal_publish(ss_journal *j, bool replace, ss_error *error)
{
    ss_replacement r = j->new;
    j->new = (ss_replacement){.fd = -1};
    if (ss_replacement_commit(&r, !replace, true, error) == 0) {
        append_only(j->e.fd, true);
        return 0;
    }
    bool taken = errno == EEXIST;
    if (r.fd < 0) { /* else it stands under its name, and only the folder could not be synced */
        ss_lock_forget(j->e.fd);
        j->e.fd = -1;
    }
    if (taken)
        ss_fail(error, "%s: was just made by another process; only one sweep may write a results file", j->e.path);
    return -1;
}

ss_journal *ss_journal_open(const char *path, ss_error *error)
{
    ss_journal *j = new_journal(path, error);
    if (!j) return NULL;
    uint32_t version;
    bool damaged;
    struct stat named;
    if (ss_lock_borrow(path) >= 0)
        ss_fail(error, "%s: is being written by this very process", path);
    else if ((j->e.fd = ss_file_open(path, O_RDWR | O_APPEND, &j->e.end, error)) >= 0 &&
             ss_lock_take(j->e.fd, path, error) == 0) {
        struct stat st; /* measured again: the last writer may have written until just before it gave the lock away */
        if (fstat(j->e.fd, &st) == 0 && stat(path, &named) == 0 && (st.st_ino != named.st_ino || st.st_dev != named.st_dev)) {
            ss_journal_close(j);  /* somebody has put another in its place since it was opened */
            return ss_journal_open(path, error);
        }
        if (fstat(j->e.fd, &st) == 0 && ss_journal_header(j->e.fd, &version, j->uuid, &damaged) >= 0) {
            j->e.end = (uint64_t)st.st_size;
            return j;
        }
        ss_fail(error, "%s: cannot be read: %s", path, strerror(errno));
    }
    ss_journal_close(j);
    return NULL;
}

void ss_journal_close(ss_journal *j)
{
    if (!j) return;
    if (j->e.fd >= 0) ss_lock_forget(j->e.fd);
    if (j->new.temporary[0]) j->e.borrowed = true; /* abandon closes it */
    ss_replacement_abandon(&j->new);
    ss_entries_close(&j->e);
    ss_free(j);
}

/* ---- appending, and noticing others -------------------------------------------------------------------------------- */

static int fail_foreign(const ss_journal *j, const char *what, ss_error *error)
{
    return ss_fail(error, "%s: was %s by somebody else while this run was writing it; only one sweep may write a results file",
                   j->e.path, what);
}

int ss_journal_cut(ss_journal *j, uint64_t end, ss_error *error)
{
    struct stat st;
    if (fstat(j->e.fd, &st)) return ss_fail(error, "%s: %s", j->e.path, strerror(errno));
    if ((uint64_t)st.st_size != j->e.end) return fail_foreign(j, "written", error); /* what is cut must be ours */
    if (ftruncate(j->e.fd, (off_t)end))
        return ss_fail(error, "%s: cannot be cut at %llu: %s", j->e.path, (unsigned long long)end, strerror(errno));
    j->e.end = end;
    j->e.window_n = 0;
    return 0;
}

int ss_journal_append(ss_journal *j, const ss_bytes *framed, bool sync, ss_error *error)
{
    struct stat st;
    uint64_t before = j->e.end;
    if (j->broken) return ss_fail(error, "%s: an earlier write failed; start the sweep again to go on", j->e.path);
    if (ss_entries_append(&j->e, framed, error) == 0 && (!sync || fdatasync(j->e.fd) == 0)) {
        if (fstat(j->e.fd, &st) == 0 && (uint64_t)st.st_size == j->e.end) return 0;
        /* Both are whole, but only one may go on. */
        fail_foreign(j, (uint64_t)st.st_size < j->e.end ? "cut short" : "written", error);
        return SS_JOURNAL_LOST;
    }
    if (framed->failed) return -1;
    ss_fail(error, "%s: cannot be written: %s; what was kept so far is safe", j->e.path, strerror(errno));
    bool ours = fstat(j->e.fd, &st) == 0 && (uint64_t)st.st_size <= before + framed->n;
    j->e.end = ours ? (uint64_t)st.st_size : before; /* as much of it as was written */
    if (!ours || ss_journal_cut(j, before, NULL)) j->broken = true;
    return -1;
}

int ss_journal_guard(ss_journal *j, ss_error *error)
{
    struct stat own, named;
    if (j->new.temporary[0]) return 0;
    if (fstat(j->e.fd, &own)) return ss_fail(error, "%s: %s", j->e.path, strerror(errno));
    if ((uint64_t)own.st_size < j->e.end) return fail_foreign(j, "cut short", error);
    if (stat(j->e.path, &named))
        return errno == ENOENT ? fail_foreign(j, "deleted", error) : ss_fail(error, "%s: %s", j->e.path, strerror(errno));
    if (named.st_dev != own.st_dev || named.st_ino != own.st_ino) return fail_foreign(j, "replaced", error);
    if ((uint64_t)own.st_size > j->e.end || (j->note[0] && !ss_lock_is_noted(j->e.fd, j->note)))
        return fail_foreign(j, "written", error);
    return 0;
}

void ss_journal_note(ss_journal *j)
{
    ss_lock_describe(j->note);
    append_only(j->e.fd, false);
    if (ss_lock_note(j->e.fd, j->note)) {
        ss_log(SS_LOG_WARNING, "%s: cannot note who writes it: %s", j->e.path, strerror(errno));
        j->note[0] = '\0';
    }
    append_only(j->e.fd, true);
}

/* ---- when it is lost -------------------------------------------------------------------------------------------- */

static int copy_entries(const ss_journal *from, ss_journal *to, ss_error *error)
{
    uint32_t crc;
    if (ss_file_copy(from->e.fd, to->e.end, from->e.end - to->e.end, to->e.fd, &crc, error))
        return ss_fail_in(error, "%s", from->e.path);
    to->e.end = from->e.end;
    return 0;
}

int ss_journal_escape(ss_journal *j, const char *results, const ss_bytes *recent, ss_error *error)
{
    char path[SS_PATH_BYTES], stamp[SS_TIME_BYTES];
    struct stat st;
    size_t stem = strlen(results);
    if (stem > 3 && strcmp(results + stem - 3, ".h5") == 0) stem -= 3;
    ss_time_now(stamp);
    for (char *from = stamp, *to = stamp; (*to = *from) != 0; from++) to += *from != '-' && *from != ':';
    if (snprintf(path, sizeof path, "%.*s.kept-%s-%ld.h5.journal", (int)stem, results, stamp, (long)getpid()) >= SS_PATH_BYTES)
        return ss_fail(error, "%.80s...: path of more than %d bytes", results, SS_PATH_BYTES - 1);
    bool cut = fstat(j->e.fd, &st) || (uint64_t)st.st_size < j->e.end;
    ss_journal *copy = ss_journal_create(path, j->uuid, error);
    int rc = !copy ? -1 : cut ? ss_entries_append(&copy->e, recent, error) : copy_entries(j, copy, error);
    if (rc == 0) rc = ss_journal_publish(copy, false, error);
    if (rc == 0) { /* the two change places */
        ss_journal lost = *j;
        *j = *copy;
        *copy = lost;
    }
    ss_journal_close(copy);
    return rc;
}

/* " path", as the shell reads it as one word and the program as no option. */
static void add_word(char *out, size_t out_bytes, const char *path)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_./+=:@%,-";
    size_t n = strlen(out);
    bool quote = path[strspn(path, plain)] != '\0';
    if (n + 8 >= out_bytes) return;
    n += (size_t)snprintf(out + n, out_bytes - n, " %s%s", quote ? "'" : "", path[0] == '-' ? "./" : "");
    for (; *path && n + 8 < out_bytes; path++) {
        bool apostrophe = *path == '\'';
        if (apostrophe) n += (size_t)snprintf(out + n, out_bytes - n, "'\\''");
        else out[n++] = *path;
    }
    snprintf(out + n, out_bytes - n, "%s", quote ? "'" : "");
}

/* What happened, and the command that joins what the results file lacks to it. */
int ss_journal_tell_lost(const ss_journal *j, const char *results, const ss_error *lost, size_t n_recent, ss_error *error)
{
    char command[SS_ERROR_BYTES], path[SS_PATH_BYTES];
    size_t n = strlen(results), stem = n > 3 && strcmp(results + n - 3, ".h5") == 0 ? n - 3 : n;
    snprintf(path, sizeof path, "%.*s.new.h5", (int)stem, results);
    snprintf(command, sizeof command, "sharpsweep merge");
    add_word(command, sizeof command, path);
    add_word(command, sizeof command, results);
    snprintf(path, sizeof path, "%.*s", (int)(strlen(j->e.path) - strlen(".journal")), j->e.path);
    if (strcmp(path, results) == 0) return ss_fail(error, "%s; what this run has finished stands in it", lost->text);
    add_word(command, sizeof command, path);
    return ss_fail(error, "%s; the results file lacks %zu finished points of this run: when no other writes it any more, `%s` "
                   "joins them", lost->text, n_recent, command);
}
