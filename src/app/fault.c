/* fault.c - faults on purpose, see fault.h: what a trial must not do, so that tests see what becomes of it. */
#include "fault.h"

#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app.h"

typedef struct fault {
    char kind[16], phase[16], once[1024];
    long point, after;            /* -1: any */
} fault;

enum { MAX_FAULTS = 16, EATEN_BYTES = 16 << 20, MOST_MEALS = 256 };
static fault armed[MAX_FAULTS];
static int n_armed;
static long n_looks[MAX_FAULTS];
static bool spoilt;

/* One word of WHERE; unknown ones are a mistake in a test, which must not pass for a fault that was survived. */
static bool parse_word(const char *word, fault *f)
{
    if (sscanf(word, "point=%ld", &f->point) == 1 || sscanf(word, "after=%ld", &f->after) == 1) return true;
    return sscanf(word, "phase=%15s", f->phase) == 1 || sscanf(word, "once=%1023s", f->once) == 1;
}

static bool parse(char *text, fault *f)
{
    char *rest = NULL;
    *f = (fault){.point = -1, .after = 1};
    char *at = strchr(text, '@');
    if (at) *at++ = '\0';
    snprintf(f->kind, sizeof f->kind, "%s", text);
    for (char *word = at ? strtok_r(at, ",", &rest) : NULL; word; word = strtok_r(NULL, ",", &rest))
        if (!parse_word(word, f)) return false;
    return true;
}

/* point -1: those that concern no point. */
static void arm(long point)
{
    char text[4096], *rest = NULL;
    const char *all = getenv("SHARPSWEEP_FAULT");
    n_armed = 0;
    if (!all) return;
    snprintf(text, sizeof text, "%s", all);
    for (char *one = strtok_r(text, ";", &rest); one && n_armed < MAX_FAULTS; one = strtok_r(NULL, ";", &rest)) {
        fault f;
        if (!parse(one, &f))
            ss_log(SS_LOG_ERROR, "SHARPSWEEP_FAULT: %s is not understood", one);
        else if (f.point < 0 || f.point == point)
            armed[n_armed++] = f;
    }
}

void ss_fault_arm(size_t point)
{
    memset(n_looks, 0, sizeof n_looks);
    spoilt = false;
    arm((long)point);
}

void ss_fault_delay(const char *phase)
{
    arm(-1);
    for (int i = 0; i < n_armed; i++)
        if (strcmp(armed[i].kind, "slow") == 0 && strcmp(armed[i].phase, phase) == 0) ss_sleep_s((double)armed[i].after);
    n_armed = 0;
}

static void eat(void)
{
    for (int i = 0; i < MOST_MEALS; i++) {
        char *p = ss_alloc(EATEN_BYTES, 1);
        if (p) memset(p, 1, EATEN_BYTES);
        ss_sleep_s(0.005);        /* so that whoever watches can see it */
    }
    abort();                      /* nobody minded 4 GiB */
}

static void loop(bool beating)
{
    for (volatile long i = 0;; i++)
        if (beating) ss_pulse_beat();
}

static void die_by(int signal_number)
{
    signal(signal_number, SIG_DFL); /* a sanitizer has its own ideas */
    raise(signal_number);
}

static void happen(const char *kind)
{
    if (strcmp(kind, "segv") == 0) die_by(SIGSEGV);
    if (strcmp(kind, "abort") == 0) die_by(SIGABRT);
    if (strcmp(kind, "fpe") == 0) die_by(SIGFPE);
    if (strcmp(kind, "exit") == 0) _exit(9);
    if (strcmp(kind, "kill") == 0) raise(SIGKILL);
    if (strcmp(kind, "stop") == 0) raise(SIGSTOP);
    if (strcmp(kind, "hang") == 0) loop(false);
    if (strcmp(kind, "spin") == 0) loop(true);
    if (strcmp(kind, "oom") == 0) eat();
    if (strcmp(kind, "nan") == 0) spoilt = true;
}

void ss_fault_poll(void)
{
    for (int i = 0; i < n_armed; i++) {
        const fault *f = &armed[i];
        if (f->phase[0] && strcmp(f->phase, ss_pulse_name[ss_pulse_where()]) != 0) continue;
        if (++n_looks[i] != f->after) continue;
        if (f->once[0]) {
            int fd = open(f->once, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0666);
            if (fd < 0) continue;
            close(fd);
        }
        happen(f->kind);
    }
}

void ss_fault_spoil(ss_record *record)
{
    if (spoilt) record->lambda_max = record->train_loss = NAN;
}
