/* test_rescue.c - somebody deletes, replaces or cuts the journal that a run holds: it is put back, or what the run had finished
 * is kept under another name and joined by the command that the run prints. */
#include "fixture.h"

static const char job[] = "model:\n  network: mlp\n  widths: [8]\ndata:\n  dataset: synthetic\ncurvature:\n"
                          "  curvature_examples: all\ngrid:\n"
                          "  learning_rate: [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]\n  seed: [0, 1]\n";

static double wanted_lambda(size_t seed)
{
    return ((double)seed + 0.1) / 3;
}

static size_t count_status(const ss_results *r, int64_t status)
{
    size_t n = 0;
    for (size_t i = 0; i < r->n; i++) n += r->status[i] == status;
    return n;
}

static bool is_taken(void)
{
    fixture f;
    ss_error error = {{0}};
    int status;
    pid_t child = fork();
    if (child == 0) {
        begin(&f, job);
        bool taken = open_store(&f, NULL, &error) != 0 && strstr(error.text, "is being written by process") != NULL;
        _exit(taken ? 0 : 1);
    }
    return waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void test_deleted_journal(void)
{
    fixture f;
    ss_error error;
    make_folder();
    must_open(&f, job);
    must_keep(&f, 0, SS_DONE, 3);
    for (size_t how = 0; how < 3; how++) {
        CU_ASSERT(unlink(journal_file) == 0);
        if (how == 0) must_keep(&f, 1, SS_DONE, 4);
        if (how == 1) CU_ASSERT(ss_store_start(f.store, 2, 1, &error) == 0);
        if (how == 2) CU_ASSERT(ss_store_refresh(f.store, true, &error) == 0);
        CU_ASSERT(is_taken());    /* the lock is there again, as is all that was written */
    }
    CU_ASSERT(unlink(journal_file) == 0);
    double until_s = ss_clock_s() + 10;
    while (access(journal_file, F_OK) && ss_clock_s() < until_s) {
        CU_ASSERT(ss_store_guard(f.store, &error) == 0);
        usleep(10000);
    }
    CU_ASSERT(is_taken());
    end(&f);
    must_open(&f, job);
    CU_ASSERT(ss_store_is_finished(f.store, 0) && ss_store_is_finished(f.store, 1) && !ss_store_is_finished(f.store, 2));
    end(&f);
    CU_ASSERT_EQUAL(ss_store_verify(results, false, say, NULL, NULL), 0);
    remove_folder();
}

/* The command between backticks, given to the shell's words: what it would do. Its target's name is put into `joined`. */
static int do_printed_merge(const char *text, char joined[440], ss_merged *merged)
{
    char words[SS_ERROR_BYTES];
    const char *in[8], *from = strchr(text, '`'), *to = from ? strchr(from + 1, '`') : NULL;
    size_t n = 0;
    CU_ASSERT_FATAL(to != NULL);
    snprintf(words, sizeof words, "%.*s", (int)(to - from - 1), from + 1);
    for (char *w = strtok(words, " "); w && n < 8; w = strtok(NULL, " ")) in[n++] = w;
    CU_ASSERT_FATAL(n == 5 && strcmp(in[0], "sharpsweep") == 0 && strcmp(in[1], "merge") == 0);
    snprintf(joined, 440, "%s", in[2]);
    ss_error error = {{0}};
    int rc = ss_store_merge(in[2], n - 3, in + 3, merged, &error);
    if (rc) fprintf(stderr, "\n    %s\n", error.text);
    return rc;
}

enum { BY_RUN, BY_COPY, BY_CUT, BY_CUT_TO_HEADER, BY_LONG_CUT, N_WAYS };

/* Somebody takes the journal of a run that holds it: what is on the disk at its name is older from then on. */
static void take_away(int how, const unsigned char *older, size_t n_older)
{
    fixture g;
    ss_error error;
    int status;
    if (how == BY_CUT) CU_ASSERT(truncate(journal_file, 300) == 0);
    if (how == BY_CUT_TO_HEADER) CU_ASSERT(truncate(journal_file, 256) == 0);
    if (how == BY_LONG_CUT) CU_ASSERT(truncate(journal_file, (off_t)n_older + 20) == 0);
    if (how == BY_CUT || how == BY_CUT_TO_HEADER || how == BY_LONG_CUT) return;
    CU_ASSERT(unlink(journal_file) == 0);
    if (how == BY_COPY) write_bytes(journal_file, older, n_older);
    if (how == BY_COPY) return;
    pid_t child = fork();
    if (child == 0) {
        begin(&g, job);
        if (open_store(&g, NULL, &error) == 0) must_keep(&g, 1, SS_DONE, 4);
        _exit(CU_get_number_of_failures() ? 1 : 0);
    }
    CU_ASSERT(waitpid(child, &status, 0) == child && status == 0);
}

/* Another run has begun on the same results before the first noticed, or the journal was replaced or cut: the first writes
 * nothing there any more, and everything that it had finished comes back by the command that it prints. */
static void test_replaced_journal(void)
{
    for (int how = 0; how < N_WAYS; how++) {
        fixture f;
        ss_error error;
        char joined[440], said[80];
        size_t n_older, n_now, n_then;
        ss_merged merged;
        make_folder();
        must_open(&f, job);
        must_keep(&f, 0, SS_DONE, 3);
        CU_ASSERT(ss_store_refresh(f.store, true, &error) == 0);
        unsigned char *older = read_bytes(journal_file, &n_older);
        must_keep(&f, 4, SS_DONE, 7); /* the results file lacks these */
        must_keep(&f, 5, SS_EPOCH_LIMIT, 8);
        must_keep(&f, 6, SS_FAILED, 9);
        take_away(how, older, n_older);
        unsigned char *now = read_bytes(journal_file, &n_now);
        for (int again = 0; again < 2; again++) {
            ss_record r;
            make_record(&r, SS_DONE, 5 + (size_t)again);
            CU_ASSERT(ss_store_keep(f.store, 2 + (size_t)again, &r, &error) == -1);
            ss_record_finish(&r);
            ASSERT_TEXT(error.text, how >= BY_CUT ? "was cut short by somebody else" : "was replaced by somebody else");
            snprintf(said, sizeof said, "the results file lacks %d finished points of this run", 3 + again);
            ASSERT_TEXT(error.text, said);
        }
        CU_ASSERT(ss_store_start(f.store, 2, 1, &error) == -1);
        CU_ASSERT(ss_store_refresh(f.store, true, &error) == -1);
        CU_ASSERT(ss_store_close(f.store, &error) == -1);
        ASSERT_TEXT(error.text, said);
        f.store = NULL;
        end(&f);
        unsigned char *then = read_bytes(journal_file, &n_then);
        CU_ASSERT(n_then == n_now && memcmp(now, then, n_now) == 0);
        CU_ASSERT_FATAL(do_printed_merge(error.text, joined, &merged) == 0);
        CU_ASSERT_EQUAL(merged.n_points, 12);
        CU_ASSERT_EQUAL(merged.n_finished, how == BY_RUN ? 6 : 5);
        CU_ASSERT_EQUAL(merged.n_failed, 1);
        CU_ASSERT_EQUAL(ss_store_verify(joined, false, say, NULL, NULL), 0);
        ss_results *all = ss_results_open(joined, true, NULL);
        CU_ASSERT_PTR_NOT_NULL_FATAL(all);
        const size_t seed[] = {3, 0, 5, 6, 7, 8};
        for (size_t i = 0; i < 6; i++)
            if (seed[i]) SS_ASSERT_NEAR(ss_results_column(all, "lambda_max")->number[i], wanted_lambda(seed[i]), 1e-15, 0);
        ss_results_destroy(all);
        ss_free(older);
        ss_free(now);
        ss_free(then);
        remove_folder();
    }
}

/* A deleted journal that cannot be put back, for a folder stands where it would be written: with nobody else there, the results
 * file takes everything. */
static void test_unwritable_journal(void)
{
    for (int blocked = 1; blocked <= 2; blocked++) { /* the journal's name; that of the rescued one too */
        fixture f;
        ss_error error;
        char folders[2][500];
        make_folder();
        must_open(&f, job);
        must_keep(&f, 0, SS_DONE, 3);
        snprintf(folders[0], sizeof folders[0], "%s.%ld.new", journal_file, (long)getpid());
        snprintf(folders[1], sizeof folders[1], "%s/results.rescued-%ld.h5.journal.%ld.new", folder, (long)getpid(),
                 (long)getpid());
        for (int i = 0; i < blocked; i++) CU_ASSERT(mkdir(folders[i], 0700) == 0);
        CU_ASSERT(unlink(journal_file) == 0);
        CU_ASSERT(ss_store_refresh(f.store, true, &error) == -1);
        ASSERT_TEXT(error.text, "was deleted while this run was writing it, and cannot be put back: it cannot be made: ");
        ASSERT_TEXT(error.text, blocked == 1 ? "the results file lacks 0 finished points" : "lacks no finished point");
        CU_ASSERT(ss_store_close(f.store, &error) == -1);
        f.store = NULL;
        end(&f);
        for (int i = 0; i < blocked; i++) rmdir(folders[i]);
        ss_results *file = ss_results_open(results, false, NULL);
        CU_ASSERT_PTR_NOT_NULL_FATAL(file);
        CU_ASSERT_EQUAL(count_status(file, SS_DONE), 1);
        ss_results_destroy(file);
        must_open(&f, job);
        CU_ASSERT(ss_store_is_finished(f.store, 0));
        end(&f);
        remove_folder();
    }
}

static const ss_case cases[] = {
    {"a deleted journal", test_deleted_journal},
    {"a replaced journal", test_replaced_journal},
    {"a journal that cannot be put back", test_unwritable_journal},
};
SS_SUITE("rescue", cases)
