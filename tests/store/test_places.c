/* test_places.c - results that cannot be written where they shall be, which `plan` says as `run` does; and two processes at one
 * journal at the same moment. */
#include "fixture.h"

#include "../../src/store/journal.h"

static const char job[] = "data:\n  dataset: synthetic\ngrid:\n  learning_rate: [0.1, 0.2, 0.3]\n  batch_size: [32, full]\n";

static void copy(const char *from, const char *to)
{
    size_t n;
    unsigned char *p = read_bytes(from, &n);
    write_bytes(to, p, n);
    ss_free(p);
}

/* Opening and the check that `plan` makes fail with this sentence and change nothing. */
static void refused(const char *expected)
{
    fixture f;
    ss_error error = {{0}}, why = {{0}};
    char before[SS_DIGEST_BYTES], after[SS_DIGEST_BYTES];
    digest_folder(before);
    begin(&f, job);
    CU_ASSERT(open_store(&f, NULL, &error) == -1);
    ASSERT_TEXT(error.text, expected);
    CU_ASSERT(ss_store_check(results, f.job, f.grid, &provenance, &why) == -1);
    CU_ASSERT_STRING_EQUAL(why.text, error.text);
    end(&f);
    digest_folder(after);
    CU_ASSERT_STRING_EQUAL(before, after);
}

static void test_dangling_places(void)
{
    char path[460];
    fixture f;
    for (int has_file = 0; has_file < 2; has_file++) {
        make_folder();
        if (has_file) must_open(&f, job);
        if (has_file) end(&f);
        unlink(journal_file);
        CU_ASSERT(symlink("/nowhere/at/all", journal_file) == 0);
        refused("results.h5.journal: is a symbolic link that leads to nothing; remove it, or bring back what it leads to");
        unlink(journal_file);
        must_open(&f, job);
        end(&f);
        remove_folder();
    }
    make_folder();
    CU_ASSERT(symlink("nowhere/two.h5", results) == 0);
    refused("results.h5: is a symbolic link into ");
    snprintf(path, sizeof path, "%s/nowhere", folder);
    CU_ASSERT(mkdir(path, 0700) == 0);
    must_open(&f, job);
    end(&f);
    snprintf(path, sizeof path, "%s/away", folder);
    CU_ASSERT(symlink("/nowhere/at/all", path) == 0);
    snprintf(results, sizeof results, "%s/away/results.h5", folder);
    refused("/away: is a symbolic link that leads to nothing");
    snprintf(results, sizeof results, "%s/away/too/results.h5", folder);
    refused("/away: is a symbolic link that leads to nothing");
    unlink(path);
    write_bytes(path, "x", 1);
    snprintf(results, sizeof results, "%s/away/results.h5", folder);
    refused("/away is not a folder");
    remove_folder();
}

/* As somebody who may not write there; root always may. */
static void refused_to_others(const char *expected)
{
    int status;
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        if (getuid() == 0 && (setgid(65534) || setuid(65534))) _exit(2);
        refused(expected);
        fflush(NULL);
        _exit(CU_get_number_of_failures() ? 1 : 0);
    }
    CU_ASSERT(waitpid(child, &status, 0) == child && status == 0);
}

static void test_unwritable_places(void)
{
    fixture f;
    make_folder();
    CU_ASSERT(chmod(folder, 0555) == 0);
    refused_to_others("results.h5: cannot be made in the folder ");
    CU_ASSERT(chmod(folder, 0755) == 0);
    must_open(&f, job);
    end(&f);
    CU_ASSERT(chmod(journal_file, 0666) == 0 && chmod(folder, 0555) == 0);
    refused_to_others(": Permission denied; write to another file (-o)");
    CU_ASSERT(chmod(journal_file, 0444) == 0 && chmod(folder, 0777) == 0);
    refused_to_others("results.h5.journal: cannot be written: Permission denied");
    remove_folder();
}

/* ---- another process is about to begin an empty journal -------------------------------------------------------------------- */

/* A child takes the lock of the journal and waits, as one that revives it does before its header is written. */
static pid_t hold_journal(int *end_it)
{
    int ready[2], over[2];
    char byte = 0;
    CU_ASSERT_FATAL(pipe(ready) == 0 && pipe(over) == 0);
    pid_t child = fork();
    if (child == 0) {
        struct flock first = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1};
        int fd = open(journal_file, O_RDWR);
        close(over[1]);
        byte = fd >= 0 && fcntl(fd, F_SETLK, &first) == 0;
        _exit(write(ready[1], &byte, 1) == 1 && byte && read(over[0], &byte, 1) == 0 ? 0 : 1);
    }
    CU_ASSERT_FATAL(read(ready[0], &byte, 1) == 1 && byte == 1);
    close(ready[0]);
    close(ready[1]);
    close(over[0]);
    *end_it = over[1];
    return child;
}

static void test_empty_journal_is_taken(void)
{
    fixture f;
    ss_error error;
    ss_merged merged;
    struct stat before, after;
    int status, over;
    char whole[440];
    make_folder();
    must_open(&f, job);
    must_keep(&f, 2, SS_DONE, 5);
    end(&f);
    snprintf(whole, sizeof whole, "%s/whole.h5", folder);
    copy(results, whole);
    write_bytes(journal_file, "", 0);
    CU_ASSERT(stat(journal_file, &before) == 0);
    pid_t child = hold_journal(&over);
    CU_ASSERT(ss_store_merge(results, 1, (const char *const[]){whole}, &merged, &error) == -1);
    ASSERT_TEXT(error.text, "is being written by process");
    CU_ASSERT(ss_store_verify(results, true, say, NULL, &error) == -1);
    ASSERT_TEXT(error.text, "is being written by process");
    begin(&f, job);
    CU_ASSERT(open_store(&f, NULL, &error) == -1);
    end(&f);
    CU_ASSERT(stat(journal_file, &after) == 0 && after.st_ino == before.st_ino && after.st_size == 0);
    close(over);
    CU_ASSERT(waitpid(child, &status, 0) == child && status == 0);
    CU_ASSERT(ss_store_merge(results, 1, (const char *const[]){whole}, &merged, &error) == 0);
    CU_ASSERT_EQUAL(ss_store_verify(results, false, say, NULL, NULL), 0);
    remove_folder();
}

static const ss_case cases[] = {
    {"dangling places", test_dangling_places},
    {"unwritable places", test_unwritable_places},
    {"an empty journal that is taken", test_empty_journal_is_taken},
};
SS_SUITE("places", cases)
