/* scratch.h - what the fuzz targets share: a folder of their own for inputs that the program reads as files, and the entry
 * point's declaration. libFuzzer calls LLVMFuzzerTestOneInput; without it, replay.c does so for files of a corpus. */
#ifndef SHARPSWEEP_TESTS_FUZZ_SCRATCH_H
#define SHARPSWEEP_TESTS_FUZZ_SCRATCH_H

#include <fcntl.h>
#include <ftw.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sharpsweep/base.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerInitialize(int *argc, char ***argv);

/* A property that must hold whatever the input is; the sanitizers' trap makes the input a finding. */
#define FUZZ_MUST(condition) do { \
    if (!(condition)) { \
        fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition); \
        __builtin_trap(); \
    } \
} while (0)

#define UNUSED __attribute__((unused))

static char scratch_folder[512];

static int scratch_remove_one(const char *path, const struct stat *st, int kind, struct FTW *place)
{
    (void)st;
    (void)kind;
    (void)place;
    return remove(path);
}

static void scratch_remove(void)
{
    if (scratch_folder[0]) nftw(scratch_folder, scratch_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* Below $TMPDIR: run.sh names one in memory. */
static UNUSED void scratch_make(void)
{
    const char *parent = getenv("TMPDIR");
    snprintf(scratch_folder, sizeof scratch_folder, "%s/fuzz-XXXXXX", parent && parent[0] ? parent : "/tmp");
    if (!mkdtemp(scratch_folder)) {
        perror(scratch_folder);
        exit(1);
    }
    atexit(scratch_remove);
}

static UNUSED const char *scratch_path(const char *name)
{
    static char path[1024];
    snprintf(path, sizeof path, "%s/%s", scratch_folder, name);
    return path;
}

static UNUSED void scratch_write(const char *name, const void *data, size_t n)
{
    const char *path = scratch_path(name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, data, n) != (ssize_t)n) {
        perror(path);
        exit(1);
    }
    close(fd);
}

static void scratch_quiet(void *ctx, ss_log_level level, const char *line)
{
    (void)ctx;
    (void)level;
    (void)line;
}

/* The program's warnings about millions of broken inputs say nothing. */
static UNUSED void scratch_silence(void)
{
    ss_log_set_sink(scratch_quiet, NULL);
}

#endif
