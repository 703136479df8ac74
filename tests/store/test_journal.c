/* test_journal.c - what can happen to a journal: cut anywhere, flipped bits, killed and competing writers, a full disk. */
#include <errno.h>
#include <signal.h>
#include <sys/resource.h>

#include "fixture.h"

static const char job[] = "model:\n  network: mlp\n  widths: [8]\ndata:\n  dataset: synthetic\ncurvature:\n"
                          "  curvature_examples: all\ngrid:\n"
                          "  learning_rate: [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]\n  seed: [0, 1]\n";

static size_t size_of(const char *path)
{
    struct stat st;
    return stat(path, &st) ? 0 : (size_t)st.st_size;
}

/* The journal after each of n records; sizes gets n + 1 entries. */
static void write_journal(size_t n, size_t *sizes)
{
    fixture f;
    must_open(&f, job);
    sizes[0] = size_of(journal_file);
    for (size_t i = 0; i < n; i++) {
        must_keep(&f, i, SS_DONE, i + 3);
        sizes[i + 1] = size_of(journal_file);
    }
    end(&f);
}

static double wanted_lambda(size_t seed)
{
    return ((double)seed + 0.1) / 3;
}

/* Points that are done, after a check that each holds what was kept for it. */
static size_t count_done(const ss_results *r)
{
    size_t n = 0;
    const ss_column *lambda = ss_results_column(r, "lambda_max");
    for (size_t i = 0; i < r->n; i++) {
        if (r->status[i] == SS_PENDING) continue;
        CU_ASSERT_EQUAL(lambda->number[i], wanted_lambda(i + 3));
        n++;
    }
    return n;
}

static size_t records_within(const size_t *sizes, size_t n, size_t bytes)
{
    size_t whole = 0;
    while (whole < n && sizes[whole + 1] <= bytes) whole++;
    return whole;
}

static void test_cut_anywhere(void)
{
    enum { N = 4 };
    size_t sizes[N + 1], n;
    fixture f;
    make_folder();
    write_journal(N, sizes);
    unsigned char *p = read_bytes(journal_file, &n);
    unlink(results); /* so that the journal alone has to answer */
    for (size_t cut = sizes[N - 2]; cut <= sizes[N]; cut++) {
        write_bytes(journal_file, p, cut);
        ss_results *r = ss_results_open(results, NULL); /* a reader tolerates it and changes nothing */
        CU_ASSERT_PTR_NOT_NULL_FATAL(r);
        CU_ASSERT_EQUAL(count_done(r), records_within(sizes, N, cut));
        ss_results_destroy(r);
        CU_ASSERT_EQUAL(size_of(journal_file), cut);
        if ((cut - sizes[N - 2]) % 41) continue;
        must_open(&f, job);
        size_t n_finished = 0;
        for (size_t i = 0; i < f.n; i++) n_finished += ss_store_is_finished(f.store, i);
        CU_ASSERT_EQUAL(n_finished, records_within(sizes, N, cut));
        must_keep(&f, 5, SS_DONE, 8);
        end(&f);
        CU_ASSERT_EQUAL(ss_store_verify(results, false, say, NULL, NULL), 0);
        unlink(results);
    }
    ss_free(p);
    remove_folder();
}

/* One bit, anywhere: refused with a way out, or (in the last entry) cut as torn, or (in the note) harmless. */
static void test_flipped_bits(void)
{
    enum { N = 4, NOTE_FROM = 32, NOTE_TO = 256 };
    size_t sizes[N + 1], n;
    ss_error error;
    make_folder();
    write_journal(N, sizes);
    unsigned char *p = read_bytes(journal_file, &n);
    unlink(results);
    size_t n_refused = 0;
    for (size_t at = 0; at < n; at += at < 400 || at > sizes[N - 1] ? 1 : 13) {
        p[at] ^= (unsigned char)(1u << at % 8);
        write_bytes(journal_file, p, n);
        error.text[0] = '\0';
        ss_results *r = ss_results_open(results, &error);
        if (!r) {
            CU_ASSERT(strstr(error.text, "sharpsweep verify") || strstr(error.text, "format version"));
            CU_ASSERT(at < NOTE_FROM || at >= NOTE_TO);
            n_refused++;
        } else {
            size_t n_done = count_done(r);
            bool in_note = at >= NOTE_FROM && at < NOTE_TO, in_last = at >= sizes[N - 1];
            CU_ASSERT(n_done == N ? in_note || in_last : n_done == N - 1 && in_last);
        }
        ss_results_destroy(r);
        p[at] ^= (unsigned char)(1u << at % 8);
    }
    CU_ASSERT(n_refused > 100);
    ss_free(p);
    remove_folder();
}

static void test_damage_is_refused_and_repaired(void)
{
    enum { N = 6 };
    size_t sizes[N + 1], n, n_file;
    char lines[8192];
    ss_error error;
    for (int with_file = 0; with_file < 2; with_file++) {
        make_folder();
        write_journal(N, sizes);
        unsigned char *p = read_bytes(journal_file, &n), *file = read_bytes(results, &n_file);
        const size_t where[] = {10, 300, sizes[0] - 20, sizes[1] + 200, sizes[N - 1] + 200};
        for (size_t k = 0; k < sizeof where / sizeof *where; k++) {
            bool in_job = where[k] < sizes[0] && where[k] > 256, in_header = where[k] < 256;
            if (in_job && !with_file) continue; /* then nothing tells the points' settings */
            write_bytes(results, file, n_file);
            p[where[k]] ^= 0x10;
            write_bytes(journal_file, p, n);
            p[where[k]] ^= 0x10;
            if (!with_file) unlink(results);
            fixture f;
            begin(&f, job);
            if (where[k] < sizes[N - 1]) {
                CU_ASSERT(open_store(&f, NULL, &error) == -1);
                ASSERT_TEXT(error.text, "verify");
                CU_ASSERT_EQUAL(size_of(journal_file), n);
            }
            end(&f);
            lines[0] = '\0';
            CU_ASSERT(ss_store_verify(results, false, say, lines, NULL) > 0);
            CU_ASSERT(lines[0] != '\0');
            CU_ASSERT(ss_store_verify(results, true, say, NULL, NULL) > 0);
            CU_ASSERT_EQUAL(ss_store_verify(results, false, say, NULL, NULL), 0);
            CU_ASSERT(forget_kept() >= 1); /* the old journal, and nothing else is lost */
            ss_results *r = ss_results_open(results, NULL);
            CU_ASSERT_PTR_NOT_NULL_FATAL(r);
            CU_ASSERT_EQUAL(r->n, 12);
            CU_ASSERT_EQUAL(count_done(r), with_file || in_header ? N : N - 1);
            ss_results_destroy(r);
            must_open(&f, job); /* and the sweep goes on */
            CU_ASSERT(ss_store_is_finished(f.store, 0));
            end(&f);
            forget_kept();
        }
        ss_free(p);
        ss_free(file);
        remove_folder();
    }
}

/* ---- killed writers --------------------------------------------------------------------------------------------- */

/* Keeps every point again and again, says so down the pipe, rebuilds the HDF5 file each time. */
static void child_writer(int out, size_t round)
{
    fixture f;
    ss_error error;
    begin(&f, job);
    if (open_store(&f, NULL, &error)) _exit(1);
    for (size_t i = 0;; i++) {
        size_t point = (i + round) % f.n;
        if (keep(&f, point, SS_DONE, point + 3, &error)) _exit(1);
        unsigned char told = (unsigned char)point;
        if (write(out, &told, 1) != 1) _exit(1);
        if (ss_store_refresh(f.store, true, &error)) _exit(1);
    }
}

static void test_killed_writers(void)
{
    enum { ROUNDS = 40 };
    bool kept[12] = {false};
    ss_stream random = ss_stream_make(7, SS_FOR_TEST, (uint64_t)getpid(), 0);
    make_folder();
    for (size_t round = 0; round < ROUNDS; round++) {
        int ends[2], status;
        CU_ASSERT_FATAL(pipe(ends) == 0);
        pid_t child = fork();
        if (child == 0) child_writer(ends[1], round);
        close(ends[1]);
        unsigned char told;
        if (round % 2 && read(ends[0], &told, 1) == 1) kept[told] = true; /* half of them while the sweep is under way */
        ss_sleep_s(0.001 + 0.06 * ss_stream_uniform(&random, round));
        kill(child, SIGKILL);
        CU_ASSERT(waitpid(child, &status, 0) == child && WIFSIGNALED(status));
        while (read(ends[0], &told, 1) == 1) kept[told] = true;
        close(ends[0]);
        ss_results *r = access(results, F_OK) ? NULL : open_alone(results, NULL);
        CU_ASSERT(r || access(results, F_OK)); /* if it is there, it opens */
        ss_results_destroy(r);
        r = access(journal_file, F_OK) ? NULL : ss_results_open(results, NULL);
        CU_ASSERT(r || access(journal_file, F_OK));
        if (r) {
            count_done(r);
            CU_ASSERT(!r->writer_alive);
            for (size_t i = 0; i < 12; i++) CU_ASSERT(!kept[i] || r->status[i] == SS_DONE);
        }
        ss_results_destroy(r);
    }
    fixture f;
    must_open(&f, job);
    for (size_t i = 0; i < f.n; i++) CU_ASSERT(!kept[i] || ss_store_is_finished(f.store, i));
    end(&f);
    CU_ASSERT_EQUAL(ss_store_verify(results, false, say, NULL, NULL), 0);
    size_t n_kept = 0;
    for (size_t i = 0; i < 12; i++) n_kept += kept[i];
    CU_ASSERT(n_kept > 0); /* the children did get to write */
    remove_folder();
}

/* ---- two writers ------------------------------------------------------------------------------------------------ */

static void test_two_writers(void)
{
    fixture f, g;
    ss_error error;
    char before[SS_DIGEST_BYTES], after[SS_DIGEST_BYTES], host[64] = "", holder[128];
    int ready[2], status;
    char byte;
    make_folder();
    CU_ASSERT_FATAL(pipe(ready) == 0);
    pid_t child = fork();
    if (child == 0) {
        begin(&f, job);
        if (open_store(&f, NULL, &error) || write(ready[1], "x", 1) != 1) _exit(1);
        for (;;) pause();
    }
    close(ready[1]);
    CU_ASSERT(read(ready[0], &byte, 1) == 1);
    close(ready[0]);
    gethostname(host, sizeof host - 1);
    snprintf(holder, sizeof holder, "is being written by process %ld on %s since 20", (long)child, host);
    digest_folder(before);
    begin(&f, job);
    CU_ASSERT(open_store(&f, NULL, &error) == -1);
    ASSERT_TEXT(error.text, holder);
    CU_ASSERT(ss_store_verify(results, true, say, NULL, &error) == -1); /* nor does repair interfere */
    ASSERT_TEXT(error.text, holder);
    CU_ASSERT_EQUAL(ss_store_verify(results, false, say, NULL, NULL), 0);
    ss_results *r = ss_results_open(results, NULL);
    CU_ASSERT(r && r->writer_alive);
    ss_results_destroy(r);
    digest_folder(after);
    CU_ASSERT_STRING_EQUAL(before, after);
    kill(child, SIGKILL);
    CU_ASSERT(waitpid(child, &status, 0) == child);
    CU_ASSERT(open_store(&f, NULL, &error) == 0); /* the lock died with its process */
    begin(&g, job);
    CU_ASSERT(open_store(&g, NULL, &error) == -1);
    ASSERT_TEXT(error.text, "by this very process");
    end(&g);
    must_keep(&f, 0, SS_DONE, 3);
    end(&f);
    remove_folder();
}

/* ---- a full disk ------------------------------------------------------------------------------------------------ */

/* In a child that no file of more than `limit` bytes may be written in: nothing crashes, the old file stays. */
static void test_full_disk(void)
{
    int n_fine = 0, n_file_full = 0;
    for (size_t limit = 6000; limit < 400000; limit = limit * 5 / 4) {
        fixture f;
        ss_error error;
        int status;
        make_folder();
        must_open(&f, job);
        must_keep(&f, 0, SS_DONE, 3);
        end(&f);
        pid_t child = fork();
        if (child == 0) {
            struct rlimit full = {limit, limit};
            signal(SIGXFSZ, SIG_IGN);
            setrlimit(RLIMIT_FSIZE, &full);
            begin(&f, job);
            int code = 0;
            if (open_store(&f, NULL, &error)) {
                code = strstr(error.text, "File too large") ? 20 : 1;
            } else {
                for (size_t i = 1; code == 0 && i < f.n; i++)
                    if (keep(&f, i, SS_DONE, i + 3, &error)) code = strstr(error.text, "File too large") ? 10 : 1;
                if (ss_store_close(f.store, &error)) code = strstr(error.text, "File too large") ? 20 : 1;
            }
            exit(code); /* through HDF5's exit handler */
        }
        CU_ASSERT(waitpid(child, &status, 0) == child && WIFEXITED(status));
        int code = WEXITSTATUS(status);
        CU_ASSERT(code == 0 || code == 10 || code == 20);
        n_fine += code == 0;
        n_file_full += code == 20;
        if (code == 20) { /* a whole file, and no half-written one beside it */
            ss_results *alone = open_alone(results, &error);
            CU_ASSERT(alone && alone->n == 12);
            ss_results_destroy(alone);
            CU_ASSERT_EQUAL(n_files(), 2);
        }
        must_open(&f, job); /* there is room again */
        CU_ASSERT(ss_store_is_finished(f.store, 0));
        end(&f);
        CU_ASSERT_EQUAL(ss_store_verify(results, false, say, NULL, NULL), 0);
        remove_folder();
    }
    CU_ASSERT(n_file_full > 0 && n_fine > 0);
}

/* A journal that cannot grow: the record is refused, what was kept before is safe, in the same process too. */
static void test_full_journal(void)
{
    fixture f;
    ss_error error;
    struct rlimit old, full;
    make_folder();
    must_open(&f, job);
    must_keep(&f, 0, SS_DONE, 3);
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    CU_ASSERT(getrlimit(RLIMIT_FSIZE, &old) == 0);
    full = old;
    full.rlim_cur = size_of(journal_file) + 100; /* in the middle of an entry */
    CU_ASSERT(setrlimit(RLIMIT_FSIZE, &full) == 0);
    CU_ASSERT(keep(&f, 1, SS_DONE, 4, &error) == -1);
    ASSERT_TEXT(error.text, "File too large");
    CU_ASSERT(!ss_store_is_finished(f.store, 1));
    CU_ASSERT(setrlimit(RLIMIT_FSIZE, &old) == 0);
    signal(SIGXFSZ, handler);
    must_keep(&f, 1, SS_DONE, 4);
    end(&f);
    CU_ASSERT_EQUAL(ss_store_verify(results, false, say, NULL, NULL), 0);
    ss_results *r = open_alone(results, NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(r);
    CU_ASSERT_EQUAL(count_done(r), 2);
    ss_results_destroy(r);
    remove_folder();
}

static const ss_case cases[] = {
    {"cut anywhere", test_cut_anywhere}, {"flipped bits", test_flipped_bits},
    {"damage: refused, repaired", test_damage_is_refused_and_repaired}, {"killed writers", test_killed_writers},
    {"two writers", test_two_writers}, {"full disk", test_full_disk}, {"full journal", test_full_journal},
};
SS_SUITE("journal", cases)
