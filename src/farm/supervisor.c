/* supervisor.c - a rank's side of its trials: gives the server a point, watches the trial's pulse, time and memory while it
 * runs, and makes a record of whatever comes of it. */
#include "wire.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "awake.h"
#include "verdict.h"

#define NAP_FIRST_S 0.005
#define NAP_LAST_S 0.1
#define SEND_LIMIT_S 5.0
#define KILL_LIMIT_S 3.0          /* a server that has not buried its trial by then is killed itself */
enum { SOCKET_AT = 198, PAGE_AT = 199, MOST_STARTS = 3 };

extern char **environ;

struct ss_supervisor {
    const ss_server_calls *calls;
    char word[32];                /* "": started by fork */
    pid_t server;                 /* 0: none */
    ss_wire wire;
    int page_fd;
    ss_pulse *page;
    unsigned char *opening;       /* what every server is opened with; NULL: not opened yet */
    size_t n_opening;
};

/* ---- the server's life ----------------------------------------------------------------------------------------------- */

static pid_t spawn_server(const ss_supervisor *s, int socket)
{
    char word[32], parent[24], socket_text[12], page_text[12];
    snprintf(word, sizeof word, "%s", s->word);
    snprintf(parent, sizeof parent, "%ld", (long)getpid());
    snprintf(socket_text, sizeof socket_text, "%d", SOCKET_AT);
    snprintf(page_text, sizeof page_text, "%d", PAGE_AT);
    char name[] = "sharpsweep", *arguments[] = {name, word, socket_text, page_text, parent, NULL};
    posix_spawn_file_actions_t files;
    pid_t pid = -1;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_adddup2(&files, socket, SOCKET_AT);
    posix_spawn_file_actions_adddup2(&files, s->page_fd, PAGE_AT);
    int rc = posix_spawn(&pid, "/proc/self/exe", &files, NULL, arguments, environ);
    posix_spawn_file_actions_destroy(&files);
    if (rc) errno = rc;
    return rc ? -1 : pid;
}

static int start_server(ss_supervisor *s, bool fork_it, ss_error *error)
{
    int ends[2];
    pid_t self = getpid(), pid;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends))
        return ss_fail(error, "no socket for the trial server: %s", strerror(errno));
    pid = fork_it ? fork() : spawn_server(s, ends[1]);
    if (pid == 0) {
        close(ends[0]);
        _exit(ss_server_serve(ends[1], s->page, self, s->calls));
    }
    close(ends[1]);
    if (pid < 0) {
        close(ends[0]);
        return ss_fail(error, "the trial server cannot be started: %s", strerror(errno));
    }
    ss_wire_init(&s->wire, ends[0]);
    s->server = pid;
    return 0;
}

/* Kills the server, if it lives, and with it its trial; says how it ended. */
static int end_server(ss_supervisor *s)
{
    int status = 0;
    if (s->server <= 0) return 0;
    kill(s->server, SIGKILL);
    while (waitpid(s->server, &status, 0) < 0 && errno == EINTR) {}
    ss_wire_finish(&s->wire);
    s->server = 0;
    return status;
}

static int open_server(ss_supervisor *s, ss_error *error)
{
    ss_frame frame;
    ss_opened opened;
    /* It may read data from a slow disk; the other ranks still wait when this one says that it did not get ready. */
    double limit_s = ss_farm_opening_s() / 2;
    ss_awake awake = ss_awake_start();
    if (ss_wire_send(&s->wire, SS_FRAME_OPEN, NULL, 0, s->opening, s->n_opening, limit_s))
        return ss_fail(error, "the trial server takes no orders");
    double until_s = awake.now_s + limit_s;
    int rc = 0;
    while (rc == 0 && ss_awake_look(&awake) < until_s) rc = ss_wire_take(&s->wire, NAP_LAST_S, &frame);
    if (rc == 0)
        return ss_fail(error, "the trial server did not get ready in %.6g s (half of SHARPSWEEP_OPEN_S)", limit_s);
    if (rc < 0 || frame.kind != SS_FRAME_OPENED || frame.n < sizeof opened)
        return ss_fail(error, "the trial server ended before it was ready");
    memcpy(&opened, frame.bytes, sizeof opened);
    if (!opened.failed) return 0;
    return ss_fail(error, "%.*s", (int)(frame.n - sizeof opened), (const char *)frame.bytes + sizeof opened);
}

ss_supervisor *ss_supervisor_create(const ss_server_calls *calls, const char *word, ss_error *error)
{
    ss_supervisor *s = ss_alloc(1, sizeof *s);
    if (!s) {
        ss_fail(error, "no memory for a supervisor");
        return NULL;
    }
    s->calls = calls;
    s->wire.fd = -1;
    snprintf(s->word, sizeof s->word, "%s", word ? word : "");
    s->page_fd = memfd_create("sharpsweep-pulse", MFD_CLOEXEC);
    if (s->page_fd >= 0 && ftruncate(s->page_fd, SS_PAGE_BYTES) == 0) s->page = ss_page_map(s->page_fd);
    if (!s->page) {
        ss_fail(error, "no memory to share with trials: %s", strerror(errno));
    } else if (start_server(s, true, error) == 0) {
        return s;
    }
    ss_supervisor_destroy(s);
    return NULL;
}

void ss_supervisor_destroy(ss_supervisor *s)
{
    if (!s) return;
    end_server(s);
    if (s->page) munmap(s->page, SS_PAGE_BYTES);
    if (s->page_fd >= 0) close(s->page_fd);
    ss_free(s->opening);
    ss_free(s);
}

int ss_supervisor_open(ss_supervisor *s, const unsigned char *bytes, size_t n_bytes, ss_error *error)
{
    ss_free(s->opening);
    s->opening = ss_alloc(n_bytes, 1);
    if (!s->opening) return ss_fail(error, "no memory to open the trial server");
    memcpy(s->opening, bytes, n_bytes);
    s->n_opening = n_bytes;
    return open_server(s, error);
}

/* A server that takes orders; a new one where the old one is gone. */
static int ensure_server(ss_supervisor *s, ss_error *error)
{
    for (int i = 0; s->server <= 0 && i < MOST_STARTS; i++) {
        if (start_server(s, !s->word[0], error)) continue;
        if (open_server(s, error)) end_server(s);
    }
    return s->server > 0 ? 0 : ss_fail_in(error, "trials cannot be run any more");
}

/* ---- one trial ------------------------------------------------------------------------------------------------------- */

/* What is known of the trial that runs. */
typedef struct watch {
    ss_supervisor *s;
    const ss_trial_limits *limits;
    ss_verdict verdict;
    pid_t trial;
    uint64_t beats;
    ss_awake awake;               /* a suspended job's trials cannot get on: that time is not theirs */
    double start_s, beat_s, stop_s, kill_s; /* by that clock; stop_s, kill_s 0: not asked, not killed */
} watch;

static void condemn(watch *w, ss_cause cause, double value)
{
    if (w->kill_s > 0) return;
    w->verdict.cause = cause;
    w->verdict.value = value;
    w->verdict.place = __atomic_load_n(&w->s->page->place, __ATOMIC_RELAXED);
    w->kill_s = w->awake.now_s;
    ss_wire_send(&w->s->wire, SS_FRAME_KILL, NULL, 0, NULL, 0, SEND_LIMIT_S);
}

/* Looks at stop, pulse, time and memory. */
static void look(watch *w, bool stop)
{
    const ss_trial_limits *l = w->limits;
    double now_s = ss_awake_look(&w->awake);
    uint64_t beats = __atomic_load_n(&w->s->page->beats, __ATOMIC_RELAXED);
    if (beats != w->beats) w->beat_s = now_s;
    w->beats = beats;
    if (stop && w->stop_s <= 0) {
        w->stop_s = now_s;
        __atomic_store_n(&w->s->page->stop, 1, __ATOMIC_RELAXED);
    }
    double own_bytes = w->trial > 0 ? ss_process_bytes(w->trial) : 0;
    if (own_bytes > w->verdict.peak_bytes) w->verdict.peak_bytes = own_bytes;
    if (l->memory_bytes > 0 && own_bytes > l->memory_bytes) condemn(w, SS_CAUSE_MEMORY, l->memory_bytes);
    if (l->time_s > 0 && now_s - w->start_s > l->time_s) condemn(w, SS_CAUSE_TIME, l->time_s);
    if (w->stop_s > 0 && now_s - w->stop_s > l->grace_s) condemn(w, SS_CAUSE_STOP, l->grace_s);
    if (l->silence_s > 0 && now_s - w->beat_s > l->silence_s) condemn(w, SS_CAUSE_SILENCE, l->silence_s);
    if (w->kill_s > 0 && now_s - w->kill_s > KILL_LIMIT_S) end_server(w->s); /* it is stopped, or stuck with its trial */
}

/* 1: it has ended and *answer holds what it said; 0: it runs. */
static int hear(watch *w, const ss_frame *frame)
{
    ss_started started;
    ss_ended ended;
    if (frame->kind == SS_FRAME_STARTED && frame->n == sizeof started) {
        memcpy(&started, frame->bytes, sizeof started);
        w->trial = (pid_t)started.trial;
        if (w->trial > 0) return 0;
        w->verdict.cause = SS_CAUSE_FORK;
        return 1;
    }
    if (frame->kind != SS_FRAME_ENDED || frame->n < sizeof ended) return 0;
    memcpy(&ended, frame->bytes, sizeof ended);
    w->verdict.wait_status = ended.wait_status;
    w->verdict.place = ended.place;
    w->verdict.processor_s = ended.user_s + ended.system_s;
    if (ended.peak_bytes > w->verdict.peak_bytes) w->verdict.peak_bytes = ended.peak_bytes;
    return 1;
}

/* What the trial said, if it is whole: 0 and a record, 1: interrupted, -1: an error and its sentence; 2: nothing of use. */
static int read_answer(const ss_frame *frame, ss_record *record, ss_error *error)
{
    ss_answer answer;
    if (frame->kind != SS_FRAME_ENDED || frame->n < sizeof(ss_ended) + sizeof answer) return 2;
    const unsigned char *at = frame->bytes + sizeof(ss_ended);
    size_t n = frame->n - sizeof(ss_ended) - sizeof answer;
    memcpy(&answer, at, sizeof answer);
    at += sizeof answer;
    if (answer.magic != SS_ANSWER_MAGIC || answer.n_bytes != n) return 2;
    if (answer.outcome == 1) return 1;
    if (answer.outcome < 0) return ss_fail(error, "%.*s", (int)n, (const char *)at);
    if (ss_record_decode(at, n, record, NULL) == 0) return 0;
    ss_record_finish(record);
    return 2;
}

/* Waits for the trial's end, watching it: 1 and the last frame, or 0: the server is gone. */
static int wait_for_trial(watch *w, bool (*should_stop)(void *ctx), void *ctx, ss_frame *frame)
{
    double nap_s = NAP_FIRST_S;
    while (w->s->server > 0) {
        int rc = ss_wire_take(&w->s->wire, nap_s, frame);
        if (rc < 0) return 0;
        if (rc > 0 && hear(w, frame)) return 1;
        look(w, should_stop && should_stop(ctx));
        nap_s = nap_s * 1.3 < NAP_LAST_S ? nap_s * 1.3 : NAP_LAST_S;
    }
    return 0;
}

int ss_supervisor_run(ss_supervisor *s, size_t point, const ss_trial_limits *limits, bool (*should_stop)(void *ctx), void *ctx,
                      ss_record *record, ss_error *error)
{
    const ss_order order = {point};
    ss_frame frame = {0};
    if (ensure_server(s, error)) return -1;
    watch w = {.s = s, .limits = limits, .awake = ss_awake_start()};
    w.start_s = w.beat_s = w.awake.now_s;
    w.verdict.n_oom_kills = ss_oom_kills();
    memset(s->page, 0, sizeof *s->page);
    bool taken = ss_wire_send(&s->wire, SS_FRAME_RUN, &order, sizeof order, NULL, 0, SEND_LIMIT_S) == 0;
    bool ended = taken && wait_for_trial(&w, should_stop, ctx, &frame);
    int rc = ended ? read_answer(&frame, record, error) : 2;
    if (!ended) {
        w.verdict.server_status = end_server(s);
        if (w.verdict.cause == SS_CAUSE_NONE) w.verdict.cause = SS_CAUSE_SERVER;
    }
    /* Killed a moment after it had said all: what it said counts. */
    if (rc == 2 && w.verdict.cause == SS_CAUSE_STOP) rc = 1;
    if (rc == 2) {
        w.verdict.seconds = ss_awake_look(&w.awake) - w.start_s;
        ss_verdict_record(&w.verdict, record);
        rc = 0;
    }
    if (rc == 0) record->worker = ss_farm_rank();
    return rc;
}
