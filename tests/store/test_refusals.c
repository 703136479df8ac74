/* test_refusals.c - what a run must not lose and must not touch: records that only the results file still holds; pipes,
 * folders and links in the places of files; a disk that fills while a store is opened. */
#include <signal.h>
#include <sys/resource.h>

#include "fixture.h"

#define HEAD "model:\n  network: mlp\n  widths: [8]\ndata:\n  dataset: synthetic\ncurvature:\n  curvature_examples: all\n"
static const char job[] = HEAD "grid:\n  learning_rate: [0.1, 0.2, 0.3]\n  batch_size: [32, full]\n";
static const char wider[] = HEAD "sweep:\n  save_weights: true\ngrid:\n  batch_norm: [false, true]\n"
                                 "  learning_rate: [0.1, 0.2, 0.3]\n  batch_size: [32, full]\n";
static const char other[] = HEAD "training:\n  max_epochs: 3\ngrid:\n  learning_rate: [0.1]\n";

static char lines[8192];

static void listen_to(void *ctx, ss_log_level level, const char *line)
{
    (void)level;
    say(ctx, line);
}

static void copy(const char *from, const char *to)
{
    size_t n;
    unsigned char *p = read_bytes(from, &n);
    write_bytes(to, p, n);
    ss_free(p);
}

/* Opening fails with this sentence and leaves the folder byte for byte as it was; so does the check that `plan` makes, but for
 * what shows only when something is written. */
static void fails(const char *text, const char *expected, bool shows_unwritten)
{
    fixture f;
    ss_error error = {{0}}, why = {{0}};
    char before[SS_DIGEST_BYTES], after[SS_DIGEST_BYTES];
    digest_folder(before);
    begin(&f, text);
    CU_ASSERT(open_store(&f, NULL, &error) == -1);
    ASSERT_TEXT(error.text, expected);
    CU_ASSERT_EQUAL(ss_store_check(results, f.job, f.grid, &provenance, &why), shows_unwritten ? -1 : 0);
    CU_ASSERT_STRING_EQUAL(why.text, shows_unwritten ? error.text : "");
    end(&f);
    digest_folder(after);
    CU_ASSERT_STRING_EQUAL(before, after);
}

static void refused(const char *text, const char *expected)
{
    fails(text, expected, true);
}

/* ---- the journal's lost end ----------------------------------------------------------------------------------------- */

/* A sweep of two jobs, whole; `ends` gets the journal's sizes at which something was just added. */
static size_t run_whole(size_t ends[32])
{
    fixture f;
    struct stat st;
    size_t n = 0;
    ends[n++] = 256;
    for (int turn = 0; turn < 2; turn++) {
        must_open(&f, turn ? wider : job);
        for (size_t i = 0; i < f.n; i++) {
            stat(journal_file, &st);
            ends[n++] = (size_t)st.st_size;
            if (ss_store_is_finished(f.store, i) || i == 4) continue;
            must_keep(&f, i, i == 1 ? SS_FAILED : SS_DONE, 3 + i + 20u * (size_t)turn);
        }
        end(&f);
    }
    return n;
}

static void test_lost_end(void)
{
    size_t ends[32], n_bytes, n;
    char whole[440];
    make_folder();
    n = run_whole(ends);
    snprintf(whole, sizeof whole, "%s/whole.h5", folder);
    copy(results, whole);
    unsigned char *journal = read_bytes(journal_file, &n_bytes);
    for (size_t k = 0; k < 2 * n; k++) {
        size_t kept = ends[k / 2] + (k % 2 ? 9 : 0); /* at an entry's end, or torn inside one */
        if (kept >= n_bytes) continue;
        copy(whole, results);
        write_bytes(journal_file, journal, kept);
        ss_results *live = ss_results_open(results, NULL), *file = open_alone(results, NULL);
        CU_ASSERT_FATAL(live && file && live->n == file->n);
        for (size_t i = 0; i < live->n; i++) CU_ASSERT_EQUAL(live->status[i], file->status[i]);
        ss_results_destroy(live);
        ss_results_destroy(file);
        refused(other, "points of other settings: max_epochs"); /* also with the torn end: it is put back */
        fixture f;
        lines[0] = '\0';
        ss_log_set_sink(listen_to, lines);
        must_open(&f, wider);
        ss_log_set_sink(quiet, NULL);
        ASSERT_TEXT(lines, "results are taken over from ");
        for (size_t i = 0; i < f.n; i++)
            if (i != 1 && i != 4) CU_ASSERT(ss_store_is_finished(f.store, i));
        end(&f);
        assert_same_files(whole, results);
        CU_ASSERT_EQUAL(ss_store_verify(results, false, say, NULL, NULL), 0);
    }
    ss_free(journal);
    remove_folder();
}

/* A power failure may leave the journal's name without its bytes: as good as none. */
static void test_empty_journal(void)
{
    fixture f;
    struct stat st;
    size_t ends[32];
    char whole[440];
    make_folder();
    run_whole(ends);
    snprintf(whole, sizeof whole, "%s/whole.h5", folder);
    copy(results, whole);
    write_bytes(journal_file, (const unsigned char *)"", 0);
    ss_results *live = ss_results_open(results, NULL);
    CU_ASSERT_FATAL(live && live->n == 12);
    ss_results_destroy(live);
    refused(other, "points of other settings: max_epochs"); /* it is empty again then */
    lines[0] = '\0';
    CU_ASSERT_EQUAL(ss_store_verify(results, false, say, lines, NULL), 1);
    ASSERT_TEXT(lines, "is empty (it can be made again from the results file)");
    lines[0] = '\0';
    ss_log_set_sink(listen_to, lines);
    must_open(&f, wider);
    ss_log_set_sink(quiet, NULL);
    ASSERT_TEXT(lines, "is missing or empty and is made again");
    for (size_t i = 0; i < f.n; i++)
        if (i != 1 && i != 4) CU_ASSERT(ss_store_is_finished(f.store, i));
    end(&f);
    assert_same_files(whole, results);
    CU_ASSERT_EQUAL(ss_store_verify(results, false, say, NULL, NULL), 0);
    write_bytes(journal_file, (const unsigned char *)"", 0); /* or made again by hand, or by merging */
    CU_ASSERT_EQUAL(ss_store_verify(results, true, say, NULL, NULL), 1);
    CU_ASSERT_EQUAL(ss_store_verify(results, false, say, NULL, NULL), 0);
    write_bytes(journal_file, (const unsigned char *)"", 0);
    ss_merged merged;
    const char *const in[] = {whole};
    CU_ASSERT_EQUAL(ss_store_merge(results, 1, in, &merged, NULL), 0);
    CU_ASSERT_EQUAL(merged.n_agreed, 10);
    CU_ASSERT_EQUAL(ss_store_verify(results, false, say, NULL, NULL), 0);
    unlink(results);              /* alone it holds nothing: the sweep begins */
    write_bytes(journal_file, (const unsigned char *)"", 0);
    CU_ASSERT_EQUAL(ss_store_verify(results, false, say, NULL, NULL), -1);
    must_open(&f, job);
    must_keep(&f, 2, SS_DONE, 5);
    end(&f);
    CU_ASSERT(stat(journal_file, &st) == 0 && st.st_size > 0);
    CU_ASSERT_EQUAL(ss_store_verify(results, false, say, NULL, NULL), 0);
    remove_folder();
}

/* Nothing to be saved in either: `run` and `verify` both say what to do, and do not send people to each other. */
static void test_both_unreadable(void)
{
    static const char *const journals[] = {"", "no journal", NULL};
    fixture f;
    ss_error error;
    unsigned char zeros[4096] = {0};
    make_folder();
    for (int k = 0; k < 3; k++)
        for (int with_file = 0; with_file < 2; with_file++) {
            if (k == 0 && !with_file) continue; /* an empty journal alone is none */
            unlink(results);
            if (with_file) write_bytes(results, zeros, sizeof zeros);
            const char *text = journals[k];
            write_bytes(journal_file, text ? (const unsigned char *)text : zeros, text ? strlen(text) : sizeof zeros);
            const char *way_out = "away and run the job again";
            refused(job, way_out);
            begin(&f, job);
            CU_ASSERT(open_store(&f, NULL, &error) == -1);
            CU_ASSERT(strstr(error.text, k && !with_file ? journal_file : results) && !strstr(error.text, "verify"));
            if (k && with_file) ASSERT_TEXT(error.text, "move both away");
            end(&f);
            for (int repair = 0; repair < 2; repair++) {
                CU_ASSERT_EQUAL(ss_store_verify(results, repair, say, NULL, &error), -1);
                ASSERT_TEXT(error.text, way_out);
            }
        }
    remove_folder();
}

/* A last entry whose bytes were damaged counts as torn; its record is taken from the file. Nothing lacking: no such line. */
static void test_damaged_last_entry(void)
{
    fixture f;
    size_t n;
    make_folder();
    must_open(&f, job);
    must_keep(&f, 2, SS_DONE, 5);
    end(&f);
    unsigned char *p = read_bytes(journal_file, &n);
    p[n - 3] ^= 8;
    write_bytes(journal_file, p, n);
    ss_free(p);
    lines[0] = '\0';
    ss_log_set_sink(listen_to, lines);
    must_open(&f, job);
    CU_ASSERT(ss_store_is_finished(f.store, 2));
    CU_ASSERT_EQUAL(ss_store_attempts(f.store, 2), 1);
    end(&f);
    ASSERT_TEXT(lines, "1 results are taken over");
    lines[0] = '\0';
    must_open(&f, job);
    end(&f);
    CU_ASSERT_STRING_EQUAL(lines, "");
    remove_folder();
}

static void test_lost_end_unreadable(void)
{
    fixture f;
    struct stat st;
    make_folder();
    must_open(&f, job);
    stat(journal_file, &st);
    must_keep(&f, 2, SS_DONE, 5);
    end(&f);
    CU_ASSERT(truncate(journal_file, st.st_size) == 0);
    hid_t file = H5Fopen(results, H5F_ACC_RDWR, H5P_DEFAULT), set = H5Dopen2(file, "history/n_epochs", H5P_DEFAULT);
    int64_t many[6] = {1000, 1000, 1000, 1000, 1000, 1000};
    CU_ASSERT(H5Dwrite(set, H5T_NATIVE_INT64, H5S_ALL, H5S_ALL, H5P_DEFAULT, many) >= 0);
    H5Dclose(set);
    H5Fclose(file);
    ss_log_set_sink(listen_to, lines);
    must_open(&f, job);
    ss_log_set_sink(quiet, NULL);
    CU_ASSERT(ss_store_is_finished(f.store, 2)); /* its entry in the file is proven by a checksum of its own */
    ASSERT_TEXT(lines, "is kept as ");
    end(&f);
    remove_folder();
}

/* ---- no files where files belong -------------------------------------------------------------------------------------- */

static void test_pipes(void)
{
    fixture f;
    ss_error error;
    ss_tensor t = {"w", 1, {1}, (float[]){0}};
    make_folder();
    alarm(60);                    /* a pipe that is waited for ends the test program */
    must_open(&f, job);
    end(&f);
    unlink(journal_file);
    CU_ASSERT(mkfifo(journal_file, 0600) == 0);
    refused(job, "is not a regular file");
    CU_ASSERT(ss_store_verify(results, false, say, NULL, &error) == -1);
    ASSERT_TEXT(error.text, "is not a regular file");
    ss_results *r = ss_results_open(results, &error); /* the file itself can be shown */
    CU_ASSERT_PTR_NOT_NULL(r);
    ss_results_destroy(r);
    unlink(journal_file);
    unlink(results);
    must_open(&f, job);
    end(&f);
    unlink(results);
    CU_ASSERT(mkfifo(results, 0600) == 0);
    refused(job, "is not a regular file");
    CU_ASSERT(ss_store_verify(results, false, say, NULL, &error) == -1);
    CU_ASSERT(ss_weights_read(results, 1, &t, &error) == -1);
    ASSERT_TEXT(error.text, "is not a regular file");
    unlink(journal_file);
    refused(job, "is not a regular file");
    CU_ASSERT(ss_store_verify(results, false, say, NULL, &error) == -1);
    alarm(0);
    remove_folder();
}

static void test_folders(void)
{
    char path[460], loop[400];
    fixture f;
    make_folder();
    snprintf(path, sizeof path, "%s/results.weights", folder);
    write_bytes(path, "x", 1);
    refused(wider, "results.weights: is not a folder");
    unlink(path);
    CU_ASSERT(symlink("nowhere", path) == 0);
    refused(wider, "results.weights: is not a folder");
    unlink(path);
    CU_ASSERT(mkdir(path, 0700) == 0);
    must_open(&f, wider);
    end(&f);
    snprintf(loop, sizeof loop, "%s/loop.h5", folder);
    CU_ASSERT(symlink("loop.h5", loop) == 0);
    strcpy(results, loop);
    refused(job, "is a symbolic link that leads back to itself");
    ss_error error;
    CU_ASSERT_PTR_NULL(ss_results_open(results, &error));
    ASSERT_TEXT(error.text, "leads back to itself");
    remove_folder();
}

/* A link to what does not exist yet: the target is made, the link stays. */
static void test_dangling_link(void)
{
    fixture f;
    struct stat st;
    char target[440], far[440];
    make_folder();
    snprintf(far, sizeof far, "%s/far", folder);
    CU_ASSERT(mkdir(far, 0700) == 0);
    snprintf(far, sizeof far, "%s/far/two.h5", folder);
    snprintf(target, sizeof target, "%s/far/real.h5", folder);
    CU_ASSERT(symlink("far/two.h5", results) == 0 && symlink("real.h5", far) == 0);
    must_open(&f, job);
    must_keep(&f, 1, SS_DONE, 3);
    end(&f);
    CU_ASSERT(lstat(results, &st) == 0 && S_ISLNK(st.st_mode));
    CU_ASSERT(lstat(target, &st) == 0 && S_ISREG(st.st_mode));
    must_open(&f, job);
    CU_ASSERT(ss_store_is_finished(f.store, 1));
    end(&f);
    CU_ASSERT_EQUAL(ss_store_verify(results, false, say, NULL, NULL), 0);
    remove_folder();
}

/* ---- a full disk ---------------------------------------------------------------------------------------------------- */

/* Whatever the size at which it is full: refused and unchanged, or open. */
static void test_full_disk_while_opening(void)
{
    struct rlimit old, full;
    int n_refused[3] = {0}, n_open = 0;
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    CU_ASSERT(getrlimit(RLIMIT_FSIZE, &old) == 0);
    for (int turn = 0; turn < 3; turn++) /* a new file; an old one; an old one with a torn end, and a lost record */
        for (size_t limit = 300; limit < 300000; limit = limit * 7 / 4) {
            fixture f;
            struct stat st = {0};
            ss_error error = {{0}};
            char before[SS_DIGEST_BYTES], after[SS_DIGEST_BYTES];
            make_folder();
            if (turn) {
                must_open(&f, job);
                must_keep(&f, 2, SS_DONE, 5);
                end(&f);
            }
            if (turn == 2) CU_ASSERT(stat(journal_file, &st) == 0 && truncate(journal_file, st.st_size - 7) == 0);
            if (turn == 2 && limit < (size_t)st.st_size) { /* below, the torn bytes could not be put back */
                remove_folder();
                continue;
            }
            digest_folder(before);
            begin(&f, job);
            full = old;
            full.rlim_cur = limit;
            CU_ASSERT(setrlimit(RLIMIT_FSIZE, &full) == 0);
            int rc = open_store(&f, NULL, &error);
            CU_ASSERT(setrlimit(RLIMIT_FSIZE, &old) == 0);
            digest_folder(after);
            if (rc) {
                ASSERT_TEXT(error.text, "File too large");
                const char *first = strstr(error.text, results);
                CU_ASSERT(first && !strstr(first + 1, results)); /* named once */
                CU_ASSERT_STRING_EQUAL(before, after);
            }
            n_refused[turn] += rc != 0;
            n_open += rc == 0;
            end(&f);
            remove_folder();
        }
    signal(SIGXFSZ, handler);
    CU_ASSERT(n_refused[0] > 1 && n_open > 2);
    CU_ASSERT(n_refused[1] == 0 && n_refused[2] == 0); /* nothing that takes more room until a point is started */
}

/* ---- verify --------------------------------------------------------------------------------------------------------- */

static void verified(const char *expected, int n)
{
    ss_error error = {{0}};
    lines[0] = '\0';
    CU_ASSERT_EQUAL(ss_store_verify(results, false, say, lines, &error), n);
    size_t used = strlen(lines);
    snprintf(lines + used, sizeof lines - used, "%s", error.text);
    ASSERT_TEXT(lines, expected);
    CU_ASSERT(!strstr(lines, "18446744073709551"));
}

static void test_verify(void)
{
    fixture f;
    size_t n;
    make_folder();
    write_bytes(results, "name: job\n", 10);
    verified("is no results file of sharpsweep", -1);
    CU_ASSERT(!strstr(lines, "can be made again"));
    hid_t file = H5Fcreate(results, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    H5Fclose(file);
    verified("no results file of sharpsweep", -1);
    CU_ASSERT(!strstr(lines, "can be made again"));
    unlink(results);
    must_open(&f, job);
    must_keep(&f, 2, SS_DONE, 5);
    end(&f);
    unsigned char *p = read_bytes(journal_file, &n);
    for (size_t kept = 1; kept < 256; kept += 51) { /* 0: see above */
        write_bytes(journal_file, p, kept);
        verified("the header is damaged", 2); /* and what the results file holds is not in it */
    }
    ss_free(p);
    unlink(journal_file);
    file = H5Fopen(results, H5F_ACC_RDWR, H5P_DEFAULT);
    CU_ASSERT(H5Adelete(file, "schema_version") >= 0);
    H5Fclose(file);
    verified("attribute schema_version is missing", -1);
    CU_ASSERT(!strstr(lines, "no results file"));
    remove_folder();
}

static herr_t check_undated(hid_t file, const char *name, const H5O_info_t *info, void *ctx)
{
    (void)file;
    (void)name;
    *(int *)ctx += 1;
    CU_ASSERT(info->mtime == 0 && info->ctime == 0);
    return 0;
}

static void test_undated(void)
{
    fixture f;
    int n = 0;
    make_folder();
    must_open(&f, job);
    end(&f);
    hid_t file = H5Fopen(results, H5F_ACC_RDONLY, H5P_DEFAULT);
    H5Ovisit(file, H5_INDEX_NAME, H5_ITER_INC, check_undated, &n);
    H5Fclose(file);
    CU_ASSERT(n > 60);
    remove_folder();
}

static const ss_case cases[] = {
    {"a journal without its end", test_lost_end}, {"an empty journal", test_empty_journal},
    {"both unreadable", test_both_unreadable}, {"a damaged last entry", test_damaged_last_entry},
    {"a lost end that cannot be read", test_lost_end_unreadable}, {"pipes", test_pipes}, {"folders and loops", test_folders},
    {"a dangling link", test_dangling_link}, {"a full disk while opening", test_full_disk_while_opening},
    {"verify says what it sees", test_verify}, {"objects carry no dates", test_undated},
};
SS_SUITE("refusals", cases)
