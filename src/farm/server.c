/* server.c - the trial server: a process that holds what trials need and forks one per point, so that no trial's end is
 * anybody else's. It reads what the trial writes, reaps it, and reports; it computes nothing itself. */
#include "wire.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define SEND_LIMIT_S 600.0 /* the supervisor may be stopped for a while; when it is dead the kernel ends us */

typedef struct server {
    ss_wire wire;
    ss_pulse *page;
    const ss_server_calls *calls;
    int deaths;                   /* signalfd of SIGCHLD */
    pid_t trial;                  /* 0: none runs */
    int pipe;                     /* what it writes; -1: none */
    unsigned char *said;
    size_t n_said, capacity;
} server;

ss_pulse *ss_page_map(int fd)
{
    void *p = mmap(NULL, SS_PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    return p == MAP_FAILED ? NULL : p;
}

/* Ends with its parent, whatever ends that. */
static bool bind_to(long parent)
{
    return prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && (long)getppid() == parent;
}

/* ---- the trial's process --------------------------------------------------------------------------------------------- */

static int write_all(int fd, const void *data, size_t n)
{
    const unsigned char *p = data;
    while (n > 0) {
        ssize_t k = write(fd, p, n);
        if (k < 0 && errno == EINTR) continue;
        if (k <= 0) return -1;
        p += k;
        n -= (size_t)k;
    }
    return 0;
}

static int answer(int fd, int outcome, const void *bytes, size_t n)
{
    const ss_answer head = {outcome, SS_ANSWER_MAGIC, n};
    return write_all(fd, &head, sizeof head) || write_all(fd, bytes, n) ? -1 : 0;
}

/* Where memory runs out, the kernel shall end the trial and not a rank, which has more to lose. */
static void offer_to_oom_killer(void)
{
    int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (fd < 0) return;
    if (write(fd, "600", 3) < 0) ss_log(SS_LOG_DEBUG, "oom_score_adj: %s", strerror(errno));
    close(fd);
}

static int run_trial(const server *v, size_t point, int pipe)
{
    ss_error why = {{0}};
    ss_record record;
    unsigned char *bytes = NULL;
    size_t n_bytes = 0;
    offer_to_oom_killer();
    ss_pulse_share(v->page);
    ss_record_init(&record);
    int rc = v->calls->run(v->calls->ctx, point, &record, &why);
    if (rc == 0 && ss_record_encode(&record, &bytes, &n_bytes, &why)) rc = -1;
    ss_record_finish(&record);
    if (rc < 0)
        rc = answer(pipe, -1, why.text, strlen(why.text));
    else
        rc = answer(pipe, rc, bytes, n_bytes);
    ss_free(bytes);
    return rc ? 1 : 0;
}

/* ---- the server ------------------------------------------------------------------------------------------------------ */

static int start_trial(server *v, size_t point)
{
    int ends[2];
    pid_t self = getpid();
    if (pipe2(ends, O_CLOEXEC)) return -1;
    pid_t pid = fork();
    if (pid == 0) {
        sigset_t none;
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        if (!bind_to(self)) _exit(1);
        prctl(PR_SET_NAME, "ss-trial");
        close(ends[0]);
        close(v->deaths);
        ss_wire_finish(&v->wire);
        int status = run_trial(v, point, ends[1]);
        _exit(status);            /* not exit: the buffers and handlers are the server's */
    }
    close(ends[1]);
    if (pid < 0) {
        close(ends[0]);
        return -1;
    }
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    v->trial = pid;
    v->pipe = ends[0];
    v->n_said = 0;
    return 0;
}

/* Reads what the trial has written up to now; closes the pipe at its end. */
static void listen_to_trial(server *v)
{
    enum { STEP = 1 << 16 };
    while (v->pipe >= 0) {
        if (v->capacity - v->n_said < STEP) {
            size_t capacity = 2 * v->capacity + STEP;
            unsigned char *said = ss_realloc(v->said, v->capacity, capacity, 1);
            if (!said) break;     /* what is missing makes the answer unreadable, which is then what is reported */
            v->said = said;
            v->capacity = capacity;
        }
        ssize_t k = read(v->pipe, v->said + v->n_said, v->capacity - v->n_said);
        if (k > 0) {
            v->n_said += (size_t)k;
            continue;
        }
        if (k < 0 && errno == EINTR) continue;
        if (k < 0 && errno == EAGAIN) return;
        break;
    }
    if (v->pipe >= 0) close(v->pipe);
    v->pipe = -1;
}

static int reap_trial(server *v)
{
    int status = 0;
    struct rusage used;
    pid_t pid = v->trial ? wait4(v->trial, &status, WNOHANG, &used) : 0;
    if (pid <= 0) return 0;
    listen_to_trial(v);
    if (v->pipe >= 0) close(v->pipe);
    v->pipe = -1;
    v->trial = 0;
    ss_ended ended = {status, __atomic_load_n(&v->page->place, __ATOMIC_RELAXED),
                      (double)used.ru_utime.tv_sec + 1e-6 * (double)used.ru_utime.tv_usec,
                      (double)used.ru_stime.tv_sec + 1e-6 * (double)used.ru_stime.tv_usec, (double)used.ru_maxrss * 1024.0};
    return ss_wire_send(&v->wire, SS_FRAME_ENDED, &ended, sizeof ended, v->said, v->n_said, SEND_LIMIT_S);
}

static int obey(server *v, const ss_frame *frame)
{
    ss_error why = {{0}};
    if (frame->kind == SS_FRAME_OPEN) {
        ss_opened opened = {v->calls->open(v->calls->ctx, frame->bytes, frame->n, &why) != 0};
        return ss_wire_send(&v->wire, SS_FRAME_OPENED, &opened, sizeof opened, why.text, strlen(why.text), SEND_LIMIT_S);
    }
    ss_order order;
    if (frame->kind == SS_FRAME_RUN && frame->n == sizeof order && !v->trial) {
        memcpy(&order, frame->bytes, sizeof order);
        ss_started started = {start_trial(v, (size_t)order.point) ? -1 : (int64_t)v->trial};
        return ss_wire_send(&v->wire, SS_FRAME_STARTED, &started, sizeof started, NULL, 0, SEND_LIMIT_S);
    }
    if (frame->kind == SS_FRAME_KILL) {
        if (v->trial) kill(v->trial, SIGKILL); /* not reaped yet, so nobody else has its number */
        return 0;
    }
    return -1;
}

/* Waits for whatever is next: an order, the trial's words, its end. */
static int serve_once(server *v)
{
    struct pollfd p[3] = {{v->wire.fd, POLLIN, 0}, {v->deaths, POLLIN, 0}, {v->pipe, POLLIN, 0}};
    if (poll(p, v->pipe >= 0 ? 3 : 2, -1) < 0) return errno == EINTR ? 0 : -1;
    if (v->pipe >= 0 && p[2].revents) listen_to_trial(v);
    if (p[1].revents) {
        struct signalfd_siginfo info;
        while (read(v->deaths, &info, sizeof info) > 0) {}
    }
    if (reap_trial(v)) return -1;
    if (!p[0].revents) return 0;
    ss_frame frame;
    int rc;
    while ((rc = ss_wire_take(&v->wire, 0, &frame)) == 1)
        if (obey(v, &frame)) return -1;
    return rc;
}

int ss_server_serve(int fd, ss_pulse *page, long parent, const ss_server_calls *calls)
{
    static const int ignored[] = {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2, SIGPIPE, SIGXFSZ};
    server v = {.page = page, .calls = calls, .pipe = -1};
    sigset_t deaths;
    if (!bind_to(parent)) return 1;
    prctl(PR_SET_NAME, "ss-server");
    for (int other = 3; other < 1024; other++) /* what the rank had open, the launcher's sockets and its network included */
        if (other != fd) close(other);
    /* These reach the whole group of processes, and the supervisor decides what they mean; or they are errors of a write. */
    for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++) signal(ignored[i], SIG_IGN);
    sigemptyset(&deaths);
    sigaddset(&deaths, SIGCHLD);
    sigprocmask(SIG_BLOCK, &deaths, NULL);
    v.deaths = signalfd(-1, &deaths, SFD_CLOEXEC | SFD_NONBLOCK);
    if (v.deaths < 0) return 1;
    ss_wire_init(&v.wire, fd);
    while (serve_once(&v) == 0) {}
    if (v.trial) kill(v.trial, SIGKILL);
    while (v.trial && waitpid(v.trial, NULL, 0) < 0 && errno == EINTR) {}
    ss_free(v.said);
    ss_wire_finish(&v.wire);
    close(v.deaths);
    return 0;
}

int ss_server_main(char *const *arguments, const ss_server_calls *calls)
{
    long number[3] = {-1, -1, -1}; /* socket, page, parent */
    for (int i = 0; i < 3 && arguments[i]; i++) number[i] = strtol(arguments[i], NULL, 10);
    if (number[0] < 3 || number[1] < 3 || number[2] < 1) return 2;
    ss_pulse *page = ss_page_map((int)number[1]);
    return page ? ss_server_serve((int)number[0], page, number[2], calls) : 1;
}
