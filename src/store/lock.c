/* lock.c - one writer per journal. POSIX record locks die with their process and are not inherited over fork, but have one
 * trap: closing any descriptor of the file drops the process's lock. So this process's writers stand in a list, and a
 * reader of the same file in this process borrows the writer's descriptor in place of opening its own. */
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
    pid_t process = getpid();
    for (int i = 0; i < MAX_WRITERS; i++)
        if (writers[i].process == process && writers[i].dev == st->st_dev && writers[i].ino == st->st_ino)
            return &writers[i];
    return NULL;
}

int ss_lock_borrow(const char *path)
{
    struct stat st;
    if (stat(path, &st)) return -1;
    struct writer *w = find_writer(&st);
    return w ? w->fd : -1;
}

static struct flock first_byte(void)
{
    return (struct flock){.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1};
}

/* "process 12 on node3 since 2026-11-24T05:57:56Z": the kernel knows the process, the note in the header the rest. */
static int refuse(int fd, const char *path, ss_error *error)
{
    char note[SS_NOTE_BYTES + 1] = "";
    struct flock lock = first_byte();
    pid_t holder = fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK ? lock.l_pid : 0;
    int64_t n = ss_file_read_at(fd, note, SS_NOTE_BYTES, NOTE_AT);
    note[n > 0 ? n : 0] = '\0';
    long noted = 0;
    if (sscanf(note, "process %ld on ", &noted) != 1 || (holder > 0 && noted != holder)) /* another host's number differs */
        snprintf(note, sizeof note, "process %ld", (long)holder);
    return ss_fail(error, "%s: is being written by %s; only one sweep may write a results file: wait for it, or write to "
                   "another file (-o)", path, note);
}

int ss_lock_take(int fd, const char *path, ss_error *error)
{
    struct stat st;
    struct flock lock = first_byte();
    int slot = 0;
    while (slot < MAX_WRITERS && writers[slot].process == getpid()) slot++;
    if (slot == MAX_WRITERS) return ss_fail(error, "%s: more than %d results files open at once", path, MAX_WRITERS);
    if (fcntl(fd, F_SETLK, &lock)) {
        if (errno == EACCES || errno == EAGAIN) return refuse(fd, path, error);
        /* Some parallel file systems are mounted without locks. Refusing would make the program useless there. */
        ss_log(SS_LOG_WARNING, "%s: this file system has no locks (%s): make sure that only one sweep writes this file", path,
               strerror(errno));
    }
    if (fstat(fd, &st)) return ss_fail(error, "%s: %s", path, strerror(errno));
    writers[slot] = (struct writer){getpid(), st.st_dev, st.st_ino, fd};
    return 0;
}

void ss_lock_forget(int fd)
{
    for (int i = 0; i < MAX_WRITERS; i++)
        if (writers[i].process == getpid() && writers[i].fd == fd) writers[i] = (struct writer){.fd = -1};
}

bool ss_lock_is_held(int fd)
{
    struct stat st;
    struct flock lock = first_byte();
    if (fstat(fd, &st)) return false;
    if (find_writer(&st)) return true;
    return fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

void ss_lock_describe(char out[SS_NOTE_BYTES])
{
    char host[64] = "unknown host", now[SS_TIME_BYTES];
    gethostname(host, sizeof host - 1);
    ss_time_now(now);
    memset(out, 0, SS_NOTE_BYTES);
    snprintf(out, SS_NOTE_BYTES, "process %ld on %s since %s", (long)getpid(), host, now);
}

int ss_lock_note(int fd, const char note[SS_NOTE_BYTES])
{
    return ss_file_write_at(fd, note, SS_NOTE_BYTES, NOTE_AT);
}

bool ss_lock_is_noted(int fd, const char note[SS_NOTE_BYTES])
{
    char now[SS_NOTE_BYTES];
    /* An error of the disk says nothing about other writers. */
    return ss_file_read_at(fd, now, sizeof now, NOTE_AT) < (int64_t)sizeof now || memcmp(now, note, sizeof now) == 0;
}
