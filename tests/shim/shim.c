/* shim.c - a library for LD_PRELOAD that stands between a program and the file system: calls fail as they do on a broken disk, the
 * clock jumps, locks do not work, and what was done to which file is logged in its order. Only for tests. Environment:
 *
 *   SHIM_FAIL   rules OP:ACTION:N:PATTERN joined by ";"
 *               OP       open read write sync rename link unlink truncate mkdir lock, or any (all but read and lock)
 *               ACTION   an errno by name (EIO ENOSPC EDQUOT ENOLCK EACCES EROFS EPERM), SHORT (half of the bytes), or
 *                        KILL (SIGKILL before the call)
 *               N        the N-th matching call, of all processes together; N+: that one and all later ones
 *               PATTERN  of the absolute path, as fnmatch has it; "*" also matches "/"
 *   SHIM_STATE  file that holds the counts, for programs that are started by others (mpirun); without it forks share them
 *   SHIM_LOG    file to which each call on a path like SHIM_PATHS (default: every path) is appended:
 *               PID OP PATH|PATH2|BYTES|RESULT, where RESULT is ok, an errno's number, or what the rule did
 *   SHIM_CLOCK  jumps SECONDS@AFTER joined by ";": from AFTER seconds after the start on the wall clock is SECONDS off */
#undef _FILE_OFFSET_BITS /* or open would be the name of open64 here */
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { MOST_RULES = 8, MOST_JUMPS = 8, SHORTENED = -1 };
static const char *const op_names[] = {"open", "read", "write", "sync", "rename", "link", "unlink", "truncate", "mkdir", "lock", "any"};
enum { OPEN, READ, WRITE, SYNC, RENAME, LINK, UNLINK, TRUNCATE, MKDIR, LOCK, ANY, N_OPS };
static const struct { const char *name; int code; } actions[] = {
    {"EIO", EIO}, {"ENOSPC", ENOSPC}, {"EDQUOT", EDQUOT}, {"ENOLCK", ENOLCK}, {"EACCES", EACCES}, {"EROFS", EROFS},
    {"EPERM", EPERM}, {"SHORT", SHORTENED}, {"KILL", INT_MAX}};
static const int n_actions = sizeof actions / sizeof actions[0];

typedef struct rule { int op, action; long n; bool later; char pattern[PATH_MAX]; } rule;
typedef struct shared { long count[MOST_RULES]; double start; } shared;
static rule rules[MOST_RULES];
static struct { double seconds, after; } jump[MOST_JUMPS];
static int n_rules, n_jumps, log_fd = -1;
static const char *paths = "*";
static shared own, *state = &own;

static double monotonic(void)
{
    struct timespec t;
    syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void refuse(const char *what)
{
    static const char text[] = "shim: cannot understand ";
    syscall(SYS_write, 2, text, sizeof text - 1);
    syscall(SYS_write, 2, what, strlen(what));
    syscall(SYS_write, 2, "\n", 1);
    _exit(125);
}

static void read_rule(char *text)
{
    rule *r = &rules[n_rules];
    char op[16], action[16], plus[2] = "";
    int at = 0;
    if (sscanf(text, "%15[a-z]:%15[A-Z]:%ld%1[+]:%n", op, action, &r->n, plus, &at) < 4 || at == 0)
        if (sscanf(text, "%15[a-z]:%15[A-Z]:%ld:%n", op, action, &r->n, &at) < 3 || at == 0) refuse(text);
    r->later = plus[0] == '+';
    for (r->op = 0; r->op < N_OPS && strcmp(op, op_names[r->op]) != 0;) r->op++;
    for (int i = 0; i < n_actions; i++)
        if (strcmp(action, actions[i].name) == 0) r->action = actions[i].code;
    if (r->op == N_OPS || r->action == 0 || ++n_rules == MOST_RULES) refuse(text);
    snprintf(r->pattern, sizeof r->pattern, "%s", text + at);
}

static void each_part(const char *name, void (*take)(char *part))
{
    static char copy[4 * PATH_MAX];
    char *rest;
    const char *text = getenv(name);
    if (!text) return;
    snprintf(copy, sizeof copy, "%s", text);
    for (char *part = strtok_r(copy, ";", &rest); part; part = strtok_r(NULL, ";", &rest)) take(part);
}

static void read_jump(char *text)
{
    if (n_jumps == MOST_JUMPS || sscanf(text, "%lf@%lf", &jump[n_jumps].seconds, &jump[n_jumps].after) != 2) refuse(text);
    n_jumps++;
}

static void share_state(const char *path)
{
    int fd = path ? (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CREAT | O_CLOEXEC, 0666) : -1;
    if (path && (fd < 0 || syscall(SYS_ftruncate, fd, sizeof *state))) refuse(path);
    void *p = mmap(NULL, sizeof *state, PROT_READ | PROT_WRITE, MAP_SHARED | (fd < 0 ? MAP_ANONYMOUS : 0), fd, 0);
    if (p == MAP_FAILED) refuse("SHIM_STATE");
    if (fd >= 0) syscall(SYS_close, fd);
    state = p;
    if (state->start <= 0) state->start = monotonic();
}

/* At a high number: it stays free of what a program opens. */
static void open_log(const char *path)
{
    int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (fd < 0) refuse(path);
    log_fd = (int)syscall(SYS_fcntl, fd, F_DUPFD_CLOEXEC, 700);
    if (log_fd < 0) refuse(path);
    syscall(SYS_close, fd);
}

__attribute__((constructor)) static void begin(void)
{
    const char *log = getenv("SHIM_LOG");
    each_part("SHIM_FAIL", read_rule);
    each_part("SHIM_CLOCK", read_jump);
    share_state(getenv("SHIM_STATE"));
    if (getenv("SHIM_PATHS")) paths = getenv("SHIM_PATHS");
    if (log) open_log(log);
}

/* ---- which call, and what becomes of it -------------------------------------------------------------------------- */

typedef struct call { int op; char path[PATH_MAX], other[PATH_MAX]; long bytes; int action; } call;

static void absolute(int folder, const char *path, char out[PATH_MAX])
{
    char at[PATH_MAX] = "", link[64];
    if (path[0] != '/') {
        snprintf(link, sizeof link, folder == AT_FDCWD ? "/proc/self/cwd" : "/proc/self/fd/%d", folder);
        long n = syscall(SYS_readlinkat, AT_FDCWD, link, at, sizeof at - 1);
        at[n > 0 ? n : 0] = '\0';
    }
    if (snprintf(out, PATH_MAX, "%s%s%s", at, at[0] ? "/" : "", path) >= PATH_MAX) out[0] = '\0';
}

/* A file made under one name and linked to another is "NAME (deleted)" for the kernel once the first is gone: the last links. */
static struct { char from[PATH_MAX], to[PATH_MAX]; } linked[8];
static unsigned n_linked;

static void path_of(int fd, char out[PATH_MAX])
{
    static const char gone[] = " (deleted)";
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    long n = syscall(SYS_readlinkat, AT_FDCWD, link, out, PATH_MAX - 1);
    out[n > 0 ? n : 0] = '\0';
    size_t tail = sizeof gone - 1, length = strlen(out);
    if (length <= tail || strcmp(out + length - tail, gone) != 0) return;
    for (size_t i = 0; i < sizeof linked / sizeof linked[0]; i++)
        if (strlen(linked[i].from) == length - tail && strncmp(linked[i].from, out, length - tail) == 0) {
            memcpy(out, linked[i].to, PATH_MAX);
            return;
        }
}

/* Programs close every descriptor that they do not know: then it is opened again. */
static void append(const char *line, size_t n)
{
    const char *log = getenv("SHIM_LOG");
    if (syscall(SYS_write, log_fd, line, n) == (long)n || errno != EBADF || !log) return;
    open_log(log);
    syscall(SYS_write, log_fd, line, n);
}

static void note(const call *c, const char *result)
{
    char line[2 * PATH_MAX + 100];
    if (log_fd < 0 || (fnmatch(paths, c->path, 0) != 0 && fnmatch(paths, c->other, 0) != 0)) return;
    int n = snprintf(line, sizeof line, "%ld %s %s|%s|%ld|%s\n", (long)getpid(), op_names[c->op], c->path, c->other, c->bytes, result);
    if (n > 0 && (size_t)n < sizeof line) append(line, (size_t)n);
}

/* Counts the call for every rule; the first rule whose turn it is decides. */
static void decide(call *c)
{
    for (int i = 0; i < n_rules; i++) {
        const rule *r = &rules[i];
        if (r->op != c->op && (r->op != ANY || c->op == READ || c->op == LOCK)) continue;
        if (fnmatch(r->pattern, c->path, 0) != 0 && (!c->other[0] || fnmatch(r->pattern, c->other, 0) != 0)) continue;
        long k = __atomic_add_fetch(&state->count[i], 1, __ATOMIC_SEQ_CST);
        if ((k == r->n || (r->later && k > r->n)) && !c->action) c->action = r->action;
    }
    if (c->action != INT_MAX) return;
    note(c, "KILL");
    syscall(SYS_kill, getpid(), SIGKILL);
}

static call on_path(int op, int folder, const char *path, int other_folder, const char *other)
{
    call c = {.op = op};
    int saved = errno;
    absolute(folder, path, c.path);
    if (other) absolute(other_folder, other, c.other);
    decide(&c);
    errno = saved;
    return c;
}

static call on_file(int op, int fd, size_t bytes)
{
    call c = {.op = op, .bytes = (long)bytes};
    if (n_rules == 0 && log_fd < 0) return c;
    int saved = errno;
    path_of(fd, c.path);
    decide(&c);
    errno = saved;
    return c;
}

/* The result, logged; -1 and errno where the rule says so: `real` was not called then. */
static long done(const call *c, long result)
{
    char text[32] = "ok";
    int saved = errno;
    if (log_fd >= 0) {
        if (result < 0) snprintf(text, sizeof text, "%d", saved);
        if (c->action == SHORTENED) snprintf(text, sizeof text, "SHORT");
        note(c, text);
        errno = saved;
    }
    return result;
}

static long failed(const call *c)
{
    errno = c->action;
    return done(c, -1);
}

#define FAILS(c) ((c).action > 0)
static size_t some(const call *c, size_t n)
{
    return c->action == SHORTENED && n > 1 ? n / 2 : n;
}

/* ---- the calls ------------------------------------------------------------------------------------------------------ */

static int open_at(int folder, const char *path, int flags, mode_t mode)
{
    call c = on_path(OPEN, folder, path, 0, NULL);
    if (FAILS(c)) return (int)failed(&c);
    c.bytes = flags & O_ACCMODE;
    return (int)done(&c, syscall(SYS_openat, folder, path, flags, mode));
}

#define MODE_ARGUMENT(flags) \
    mode_t mode = 0; \
    if ((flags) & (O_CREAT | O_TMPFILE)) { \
        va_list list; \
        va_start(list, flags); \
        mode = va_arg(list, mode_t); \
        va_end(list); \
    }

int open(const char *path, int flags, ...)
{
    MODE_ARGUMENT(flags)
    return open_at(AT_FDCWD, path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
    MODE_ARGUMENT(flags)
    return open_at(AT_FDCWD, path, flags, mode);
}

int openat(int folder, const char *path, int flags, ...)
{
    MODE_ARGUMENT(flags)
    return open_at(folder, path, flags, mode);
}

int openat64(int folder, const char *path, int flags, ...)
{
    MODE_ARGUMENT(flags)
    return open_at(folder, path, flags, mode);
}

static long transfer(long number, int op, int fd, long p, size_t n, off_t at)
{
    call c = on_file(op, fd, n);
    if (FAILS(c)) return failed(&c);
    return done(&c, syscall(number, fd, p, some(&c, n), at));
}

ssize_t read(int fd, void *p, size_t n) { return transfer(SYS_read, READ, fd, (long)p, n, 0); }
ssize_t pread(int fd, void *p, size_t n, off_t at) { return transfer(SYS_pread64, READ, fd, (long)p, n, at); }
ssize_t pread64(int fd, void *p, size_t n, off64_t at) { return transfer(SYS_pread64, READ, fd, (long)p, n, at); }
ssize_t write(int fd, const void *p, size_t n) { return transfer(SYS_write, WRITE, fd, (long)p, n, 0); }
ssize_t pwrite(int fd, const void *p, size_t n, off_t at) { return transfer(SYS_pwrite64, WRITE, fd, (long)p, n, at); }
ssize_t pwrite64(int fd, const void *p, size_t n, off64_t at) { return transfer(SYS_pwrite64, WRITE, fd, (long)p, n, at); }

static int change(long number, int op, int fd, long argument)
{
    call c = on_file(op, fd, (size_t)argument);
    return (int)(FAILS(c) ? failed(&c) : done(&c, syscall(number, fd, argument)));
}

int fsync(int fd) { return change(SYS_fsync, SYNC, fd, 0); }
int fdatasync(int fd) { return change(SYS_fdatasync, SYNC, fd, 0); }
int ftruncate(int fd, off_t n) { return change(SYS_ftruncate, TRUNCATE, fd, n); }
int ftruncate64(int fd, off64_t n) { return change(SYS_ftruncate, TRUNCATE, fd, n); }

/* Of a full disk: it returns the errno. */
int posix_fallocate64(int fd, off64_t at, off64_t n)
{
    int saved = errno;
    call c = on_file(WRITE, fd, (size_t)n);
    long rc = FAILS(c) ? failed(&c) : done(&c, syscall(SYS_fallocate, fd, 0, at, n));
    int why = rc ? errno : 0;
    errno = saved;
    return why;
}

static int rename_at(int from, const char *a, int to, const char *b)
{
    call c = on_path(RENAME, from, a, to, b);
    return (int)(FAILS(c) ? failed(&c) : done(&c, syscall(SYS_renameat2, from, a, to, b, 0)));
}

static int link_at(int from, const char *a, int to, const char *b, int flags)
{
    call c = on_path(LINK, from, a, to, b);
    if (FAILS(c)) return (int)failed(&c);
    long rc = done(&c, syscall(SYS_linkat, from, a, to, b, flags));
    if (rc == 0) {
        memcpy(linked[n_linked % 8].from, c.path, PATH_MAX);
        memcpy(linked[n_linked++ % 8].to, c.other, PATH_MAX);
    }
    return (int)rc;
}

static int unlink_at(int folder, const char *path, int flags)
{
    call c = on_path(UNLINK, folder, path, 0, NULL);
    return (int)(FAILS(c) ? failed(&c) : done(&c, syscall(SYS_unlinkat, folder, path, flags)));
}

int rename(const char *a, const char *b) { return rename_at(AT_FDCWD, a, AT_FDCWD, b); }
int renameat(int from, const char *a, int to, const char *b) { return rename_at(from, a, to, b); }
int link(const char *a, const char *b) { return link_at(AT_FDCWD, a, AT_FDCWD, b, 0); }
int linkat(int from, const char *a, int to, const char *b, int flags) { return link_at(from, a, to, b, flags); }
int unlink(const char *path) { return unlink_at(AT_FDCWD, path, 0); }
int unlinkat(int folder, const char *path, int flags) { return unlink_at(folder, path, flags); }
int rmdir(const char *path) { return unlink_at(AT_FDCWD, path, AT_REMOVEDIR); }

int mkdir(const char *path, mode_t mode)
{
    call c = on_path(MKDIR, AT_FDCWD, path, 0, NULL);
    return (int)(FAILS(c) ? failed(&c) : done(&c, syscall(SYS_mkdirat, AT_FDCWD, path, mode)));
}

static int control(int fd, int command, void *argument)
{
    if (command != F_SETLK && command != F_SETLKW && command != F_OFD_SETLK && command != F_OFD_SETLKW &&
        command != F_GETLK && command != F_OFD_GETLK) return (int)syscall(SYS_fcntl, fd, command, argument);
    call c = on_file(LOCK, fd, 0);
    return (int)(FAILS(c) ? failed(&c) : done(&c, syscall(SYS_fcntl, fd, command, argument)));
}

/* Their third argument is an int or a pointer; both come in the same register. */
#define ARGUMENT(after) \
    va_list list; \
    va_start(list, after); \
    void *argument = va_arg(list, void *); \
    va_end(list);

int fcntl(int fd, int command, ...)
{
    ARGUMENT(command)
    return control(fd, command, argument);
}

int fcntl64(int fd, int command, ...)
{
    ARGUMENT(command)
    return control(fd, command, argument);
}

int flock(int fd, int operation);
int flock(int fd, int operation)
{
    call c = on_file(LOCK, fd, 0);
    return (int)(FAILS(c) ? failed(&c) : done(&c, syscall(SYS_flock, fd, operation)));
}

/* ---- the clock ------------------------------------------------------------------------------------------------------ */

static double offset(void)
{
    double seconds = 0, now = n_jumps ? monotonic() - state->start : 0;
    for (int i = 0; i < n_jumps; i++)
        if (now >= jump[i].after) seconds = jump[i].seconds;
    return seconds;
}

int clock_gettime(clockid_t clock, struct timespec *t)
{
    int rc = (int)syscall(SYS_clock_gettime, clock, t);
    if (rc == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) t->tv_sec += (time_t)offset();
    return rc;
}

time_t time(time_t *out)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    if (out) *out = t.tv_sec;
    return t.tv_sec;
}

int gettimeofday(struct timeval *restrict t, void *restrict zone)
{
    struct timespec now;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &now);
    t->tv_sec = now.tv_sec;
    t->tv_usec = now.tv_nsec / 1000;
    return 0;
}
