/* lock.c - one writer per journal. POSIX record locks die with their process and are not inherited over fork, but have one
 * trap: closing any descriptor of the file drops the process's lock. So this process's writers stand in a list, and a
 * reader of the same file in this process borrows the writer's descriptor in place of opening its own. The lock is of the
 * file, not of its name: a journal that somebody deletes takes it along, so the writer puts it back. */
#include "journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NOTE_AT = 32, MAX_WRITERS = 64 };

static struct writer { pid_t process; dev_t dev; ino_t ino; int fd; } writers[MAX_WRITERS];

static struct writer *find_writer(const struct stat *st)
{
    for (int i = 0; i < MAX_WRITERS; i++)
        if (writers[i].process == getpid() && writers[i].dev == st->st_dev && writers[i].ino == st->st_ino)
            return &writers[i];
    return NULL;
}

int ss_lock_borrow(int dirfd, const char *path)
{
    struct stat st;
    if (fstatat(dirfd, path, &st, 0)) return -1;
    struct writer *w = find_writer(&st);
    return w ? w->fd : -1;
}

static struct flock first_byte(void)
{
    return (struct flock){.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1};
}

/* "process 12 on node3 since 2026-11-24T05:57:56Z": the kernel knows the process, the note in the header the rest. */
static int refuse(ss_journal *j, ss_error *error)
{
    char note[SS_NOTE_BYTES + 1] = "";
    struct flock lock = first_byte();
    pid_t holder = fcntl(j->fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK ? lock.l_pid : 0;
    ssize_t n = pread(j->fd, note, SS_NOTE_BYTES, NOTE_AT);
    note[n > 0 ? n : 0] = '\0';
    long noted = 0;
    if (sscanf(note, "process %ld on ", &noted) != 1 || (holder > 0 && noted != holder)) /* another host's number differs */
        snprintf(note, sizeof note, "process %ld", (long)holder);
    return ss_fail(error, "%s: is being written by %s; only one sweep may write a results file: wait for it, or write to "
                   "another file (-o)", j->path, note);
}

int ss_lock_take(ss_journal *j, ss_error *error)
{
    struct stat st;
    struct flock lock = first_byte();
    int slot = 0;
    while (slot < MAX_WRITERS && writers[slot].process == getpid()) slot++;
    if (slot == MAX_WRITERS) return ss_fail(error, "%s: more than %d results files open at once", j->path, MAX_WRITERS);
    if (fcntl(j->fd, F_SETLK, &lock)) {
        if (errno == EACCES || errno == EAGAIN) return refuse(j, error);
        /* Some parallel file systems are mounted without locks. Refusing would make the program useless there. */
        ss_log(SS_LOG_WARNING, "%s: this file system has no locks (%s): make sure that only one sweep writes this file",
               j->path, strerror(errno));
    }
    if (fstat(j->fd, &st)) return ss_fail(error, "%s: %s", j->path, strerror(errno));
    writers[slot] = (struct writer){getpid(), st.st_dev, st.st_ino, j->fd};
    return 0;
}

void ss_lock_note(ss_journal *j)
{
    char note[SS_NOTE_BYTES] = "", host[64] = "unknown host", now[SS_TIME_BYTES];
    gethostname(host, sizeof host - 1);
    ss_time_now(now);
    snprintf(note, sizeof note, "process %ld on %s since %s", (long)getpid(), host, now);
    if (pwrite(j->fd, note, sizeof note, NOTE_AT) != sizeof note)
        ss_log(SS_LOG_WARNING, "%s: cannot note who writes it: %s", j->path, strerror(errno));
}

void ss_lock_forget(const ss_journal *j)
{
    for (int i = 0; i < MAX_WRITERS; i++)
        if (writers[i].process == getpid() && writers[i].fd == j->fd) writers[i] = (struct writer){.fd = -1};
}

bool ss_lock_is_held(const ss_journal *j)
{
    struct stat st;
    struct flock lock = first_byte();
    if (fstat(j->fd, &st)) return false;
    if (find_writer(&st)) return true;
    return fcntl(j->fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

/* Under the journal's name again, with a lock of its own; fails where another run has taken the name. */
static int put_back(ss_journal *j, ss_error *error)
{
    ss_error why = {{0}};
    ss_journal *copy = ss_journal_copy(j, j->uuid, j->path, &why);
    if (!copy) {
        size_t n = strlen(j->path);
        bool named = strncmp(why.text, j->path, n) == 0 && strncmp(why.text + n, ": ", 2) == 0; /* once is enough */
        return ss_fail(error, "%s: was deleted while this run was writing it, and cannot be put back: %s%s", j->path,
                       named ? "it " : "", named ? why.text + n + 2 : why.text);
    }
    int fd = j->fd;
    ss_lock_forget(j);
    j->fd = copy->fd;             /* its place in the list of writers is of the descriptor */
    copy->fd = -1;
    close(fd);
    ss_lock_note(j);
    ss_log(SS_LOG_WARNING, "%s: was deleted while this run was writing it, and is made again; to begin a sweep anew, stop "
           "it first", j->path);
    ss_journal_close(copy);
    return 0;
}

bool ss_lock_is_cut(const ss_journal *j)
{
    struct stat own;
    return fstat(j->fd, &own) == 0 && (uint64_t)own.st_size < j->end;
}

int ss_lock_guard(ss_journal *j, ss_error *error)
{
    struct stat own, named;
    if (fstat(j->fd, &own)) return ss_fail(error, "%s: %s", j->path, strerror(errno));
    if ((uint64_t)own.st_size < j->end)
        return ss_fail(error, "%s: was cut short by somebody else while this run was writing it", j->path);
    if (stat(j->path, &named)) return errno == ENOENT ? put_back(j, error) : ss_fail(error, "%s: %s", j->path, strerror(errno));
    if (named.st_dev == own.st_dev && named.st_ino == own.st_ino) return 0;
    return ss_fail(error, "%s: was replaced by somebody else while this run was writing it; only one sweep may write a results "
                   "file", j->path);
}
