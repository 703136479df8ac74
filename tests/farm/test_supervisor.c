/* test_supervisor.c - trials in processes of their own: every way to end, limits, stops, a server that dies; what one costs. */
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sharpsweep/farm.h"

#include "../suite.h"

/* What a point does, by its number. */
enum { FINE, BIG, SEGV, ABORT, FPE, EXIT, KILL, HANG, SPIN, STOP_SELF, EAT, WAIT_FOR_STOP, DEAF, ERROR, KILL_SERVER, STOP_SERVER,
       HALF, WORK, N_DEEDS };

static char opened_with[64];

static int open_server(void *ctx, const unsigned char *bytes, size_t n_bytes, ss_error *error)
{
    (void)ctx;
    if (n_bytes >= sizeof opened_with) return ss_fail(error, "%zu bytes are too many", n_bytes);
    memcpy(opened_with, bytes, n_bytes);
    opened_with[n_bytes] = '\0';
    return 0;
}

static void eat(void)
{
    for (int i = 0; i < 40; i++) {
        char *p = ss_alloc(8 << 20, 1);
        if (p) memset(p, 1, 8 << 20);
        ss_sleep_s(0.02);
    }
}

static void work(void)
{
    for (int i = 0; i < 40; i++) ss_sleep_s(0.02); /* without a beat, in steps that a suspension cannot hide in */
}

static int fill(ss_record *r, size_t n_rows)
{
    double row[32];
    for (size_t i = 0; i < 32; i++) row[i] = (double)i / 3;
    r->status = SS_DONE;
    r->lambda_max = 1.25;
    snprintf(r->host, sizeof r->host, "%s", opened_with);
    for (size_t i = 0; i < n_rows; i++)
        if (ss_series_append(&r->history, row)) return -1;
    return 0;
}

static void die_by(int signal_number)
{
    signal(signal_number, SIG_DFL); /* a sanitizer has its own ideas */
    raise(signal_number);
}

static int run(void *ctx, size_t point, ss_record *record, ss_error *error)
{
    (void)ctx;
    ss_pulse_enter(point == HANG ? SS_PULSE_CURVATURE : SS_PULSE_TRAIN);
    switch (point) {
    case BIG: return fill(record, 100000);
    case SEGV: die_by(SIGSEGV); break;
    case ABORT: die_by(SIGABRT); break;
    case FPE: die_by(SIGFPE); break;
    case EXIT: _exit(7);
    case KILL: raise(SIGKILL); break;
    case HANG: for (;;) ss_sleep_s(1);
    case SPIN: for (;;) ss_pulse_beat();
    case STOP_SELF: raise(SIGSTOP); break;
    case EAT: eat(); break;
    case WAIT_FOR_STOP: while (!ss_pulse_stop_asked()) ss_sleep_s(0.001); return 1;
    case DEAF: for (;;) ss_pulse_beat();
    case ERROR: return ss_fail(error, "the data set is gone");
    case KILL_SERVER: kill(getppid(), SIGKILL); ss_sleep_s(5); break;
    case STOP_SERVER: kill(getppid(), SIGSTOP); break;
    case HALF: _exit(0);          /* a clean end without an answer */
    case WORK: work(); break;
    default: break;
    }
    return fill(record, 3);
}

static const ss_server_calls calls = {NULL, open_server, run};
static const ss_trial_limits unlimited = {.grace_s = 0.2};

static ss_supervisor *start(void)
{
    ss_error error = {{0}};
    ss_supervisor *s = ss_supervisor_create(&calls, NULL, &error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(s);
    CU_ASSERT_EQUAL(ss_supervisor_open(s, (const unsigned char *)"hello", 5, &error), 0);
    return s;
}

static bool after_a_moment(void *ctx)
{
    const double *until_s = ctx;
    return ss_clock_s() > *until_s;
}

static void test_ends(void)
{
    static const struct { size_t point; int64_t status, reason; const char *text; ss_trial_limits limits; } cases[] = {
        {FINE, SS_DONE, SS_STOP_NONE, "", {.grace_s = 0}},
        {BIG, SS_DONE, SS_STOP_NONE, "", {.grace_s = 0}},
        {SEGV, SS_FAILED, SS_STOP_CRASH, "signal 11 (Segmentation fault), in train", {.grace_s = 0}},
        {FINE, SS_DONE, SS_STOP_NONE, "", {.silence_s = 5, .time_s = 5, .memory_bytes = 1e9}},
        {ABORT, SS_FAILED, SS_STOP_CRASH, "signal 6 (Aborted)", {.grace_s = 0}},
        {FPE, SS_FAILED, SS_STOP_CRASH, "signal 8 (Floating point exception)", {.grace_s = 0}},
        {EXIT, SS_FAILED, SS_STOP_CRASH, "status 7 and no answer", {.grace_s = 0}},
        {HALF, SS_FAILED, SS_STOP_CRASH, "status 0 and no answer", {.grace_s = 0}},
        {KILL, SS_FAILED, SS_STOP_CRASH, "signal 9 (Killed)", {.grace_s = 0}},
        {HANG, SS_FAILED, SS_STOP_TIMEOUT, "got nowhere for 0.3 s (trial_silence_s), in curvature", {.silence_s = 0.3}},
        {STOP_SELF, SS_FAILED, SS_STOP_TIMEOUT, "got nowhere for 0.3 s", {.silence_s = 0.3}},
        {SPIN, SS_FAILED, SS_STOP_TIMEOUT, "took longer than the 0.5 s", {.silence_s = 0.3, .time_s = 0.5}},
        {EAT, SS_FAILED, SS_STOP_MEMORY, "more than the 100 MiB", {.memory_bytes = 100 * 1048576.0}},
        {KILL_SERVER, SS_FAILED, SS_STOP_CRASH, "the server of its process ended with signal 9", {.grace_s = 0}},
        {FINE, SS_DONE, SS_STOP_NONE, "", {.grace_s = 0}}, /* by another server, opened with the same bytes */
        {STOP_SERVER, SS_FAILED, SS_STOP_TIMEOUT, "got nowhere", {.silence_s = 0.3}},
        {FINE, SS_DONE, SS_STOP_NONE, "", {.grace_s = 0}},
    };
    ss_supervisor *s = start();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ss_record r;
        ss_error error = {{0}};
        ss_record_init(&r);
        CU_ASSERT_EQUAL(ss_supervisor_run(s, cases[i].point, &cases[i].limits, NULL, NULL, &r, &error), 0);
        if (r.status != cases[i].status || !strstr(r.error, cases[i].text))
            fprintf(stderr, "\n    case %zu: status %lld, %s\n", i, (long long)r.status, r.error);
        CU_ASSERT_EQUAL(r.status, cases[i].status);
        CU_ASSERT(strstr(r.error, cases[i].text) != NULL);
        if (r.status == SS_FAILED) {
            CU_ASSERT_EQUAL(r.stop_reason, cases[i].reason);
            CU_ASSERT(r.finished[0] && r.host[0] && isnan(r.lambda_max) && r.history.n_rows == 0 && r.peak_memory_bytes >= 0);
        } else {
            CU_ASSERT(r.lambda_max == 1.25 && r.history.n_rows == (cases[i].point == BIG ? 100000 : 3));
            CU_ASSERT_STRING_EQUAL(r.host, "hello");
        }
        ss_record_finish(&r);
    }
    ss_supervisor_destroy(s);
    CU_ASSERT(waitpid(-1, NULL, WNOHANG) < 0); /* no child is left, dead or alive */
}

/* A stop reaches the trial; one that does not listen is killed, and that is no failure. */
static void test_stop(void)
{
    static const size_t points[] = {WAIT_FOR_STOP, DEAF, WAIT_FOR_STOP};
    ss_supervisor *s = start();
    for (size_t i = 0; i < sizeof points / sizeof *points; i++) {
        ss_record r;
        ss_error error = {{0}};
        ss_record_init(&r);
        double until_s = ss_clock_s() + 0.1, start_s = ss_clock_s();
        CU_ASSERT_EQUAL(ss_supervisor_run(s, points[i], &unlimited, after_a_moment, &until_s, &r, &error), 1);
        CU_ASSERT(ss_clock_s() - start_s < 5);
        ss_record_finish(&r);
    }
    ss_supervisor_destroy(s);
}

static void test_errors(void)
{
    ss_error error = {{0}};
    ss_record r;
    ss_supervisor *s = start();
    ss_record_init(&r);
    CU_ASSERT_EQUAL(ss_supervisor_run(s, ERROR, &unlimited, NULL, NULL, &r, &error), -1);
    CU_ASSERT_STRING_EQUAL(error.text, "the data set is gone");
    unsigned char bytes[100] = {0};
    CU_ASSERT_EQUAL(ss_supervisor_open(s, bytes, sizeof bytes, &error), -1);
    CU_ASSERT_STRING_EQUAL(error.text, "100 bytes are too many");
    ss_record_finish(&r);
    ss_supervisor_destroy(s);
    ss_supervisor_destroy(NULL);
}

/* What the whole job is suspended for (scontrol suspend stops all its processes at once) is not the trial's time, nor the time
 * that a trial or a server has to end in. */
static void test_suspension(void)
{
    static const struct { ss_trial_limits limits; double stop_after_s; } suspended[] = {
        {{.silence_s = 1.5}, INFINITY}, {{.time_s = 2}, INFINITY}, {{.grace_s = 1.5}, 0.1},
    };
    for (size_t i = 0; i < sizeof suspended / sizeof *suspended; i++) {
        int status = -1;
        pid_t rank = fork();
        if (rank == 0) {
            setpgid(0, 0);        /* server and trial belong to this group */
            ss_record r;
            ss_error error;
            ss_record_init(&r);
            ss_supervisor *s = start();
            double until_s = ss_clock_s() + suspended[i].stop_after_s;
            int rc = ss_supervisor_run(s, WORK, &suspended[i].limits, after_a_moment, &until_s, &r, &error);
            bool good = rc == 0 && r.status == SS_DONE;
            if (!good) fprintf(stderr, "\n    %d: %s\n", rc, r.error);
            ss_supervisor_destroy(s);
            _exit(good ? 0 : 1);
        }
        setpgid(rank, rank);
        ss_sleep_s(0.3);
        kill(-rank, SIGSTOP);
        ss_sleep_s(2.5);
        CU_ASSERT_EQUAL(waitpid(rank, &status, WNOHANG | WUNTRACED), rank);
        CU_ASSERT(WIFSTOPPED(status)); /* in the middle of its trial */
        kill(-rank, SIGCONT);
        CU_ASSERT_EQUAL(waitpid(rank, &status, 0), rank);
        CU_ASSERT(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
}

static bool has_ended(pid_t pid)
{
    for (int i = 0; i < 500 && kill(pid, 0) == 0; i++) {
        while (waitpid(-1, NULL, WNOHANG) > 0) {} /* orphans come to us, the subreaper */
        ss_sleep_s(0.01);
    }
    return kill(pid, 0) != 0;
}

/* A rank that is killed takes its server and its trial along. */
static void test_nothing_outlives_a_rank(void)
{
    int ends[2];
    CU_ASSERT_EQUAL_FATAL(pipe(ends), 0);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    pid_t rank = fork();
    if (rank == 0) {
        ss_error error;
        ss_record r;
        ss_record_init(&r);
        ss_supervisor *s = ss_supervisor_create(&calls, NULL, &error);
        if (!s || ss_supervisor_open(s, (const unsigned char *)"", 1, &error)) _exit(1);
        if (write(ends[1], "r", 1) != 1) _exit(1);
        ss_supervisor_run(s, SPIN, &unlimited, NULL, NULL, &r, &error);
        _exit(0);
    }
    char byte;
    CU_ASSERT_EQUAL(read(ends[0], &byte, 1), 1);
    ss_sleep_s(0.2);
    char path[64];
    pid_t server = 0, trial = 0;
    snprintf(path, sizeof path, "/proc/%ld/task/%ld/children", (long)rank, (long)rank);
    FILE *file = fopen(path, "r");
    CU_ASSERT(file && fscanf(file, "%d", &server) == 1);
    if (file) fclose(file);
    snprintf(path, sizeof path, "/proc/%ld/task/%ld/children", (long)server, (long)server);
    file = fopen(path, "r");
    CU_ASSERT(file && fscanf(file, "%d", &trial) == 1);
    if (file) fclose(file);
    CU_ASSERT_FATAL(server > 0 && trial > 0);
    kill(rank, SIGKILL);
    CU_ASSERT(has_ended(rank) && has_ended(server) && has_ended(trial));
    close(ends[0]);
    close(ends[1]);
}

/* What a process of its own costs a trial: under 10 ms. The best of many, as this machine may be busy with other things. */
static void test_overhead(void)
{
    ss_supervisor *s = start();
    double best_s = INFINITY, sum_s = 0;
    for (int i = 0; i < 100; i++) {
        ss_record r;
        ss_error error;
        ss_record_init(&r);
        double start_s = ss_clock_s();
        CU_ASSERT_EQUAL(ss_supervisor_run(s, FINE, &unlimited, NULL, NULL, &r, &error), 0);
        double took_s = ss_clock_s() - start_s;
        sum_s += took_s;
        if (took_s < best_s) best_s = took_s;
        ss_record_finish(&r);
    }
    fprintf(stderr, "\n    a trial's process costs %.2f ms, %.2f ms on average", 1000 * best_s, 10 * sum_s);
    CU_ASSERT(best_s < 0.01);
    ss_supervisor_destroy(s);
}

static const ss_case cases[] = {
    {"every way to end", test_ends},
    {"stop", test_stop},
    {"suspension of the whole job", test_suspension},
    {"errors", test_errors},
    {"nothing outlives a rank", test_nothing_outlives_a_rank},
    {"overhead", test_overhead},
};
SS_SUITE("farm, trial processes", cases)
