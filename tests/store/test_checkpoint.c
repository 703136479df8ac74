/* test_checkpoint.c - checkpoints: whole or refused, whatever bytes stand there; replaced at once; gone when of no use. */
#include "fixture.h"

#include <errno.h>
#include <sys/mount.h>
#include <time.h>

enum { HEAD = 128, ENTRY = 36 };
static const char *const id = "00112233445566778899aabbccddeeff";

typedef struct state { double number[3]; char text[11]; } state;

static void list_state(state *s, ss_pieces *list)
{
    list->n = 0;
    ss_pieces_add(list, "number", s->number, sizeof s->number);
    ss_pieces_add(list, "nothing", NULL, 0);
    ss_pieces_add(list, "text", s->text, sizeof s->text);
}

static ss_checkpoint_head some_head(void)
{
    ss_checkpoint_head head = {.phase = "curvature", .epoch = 3, .step = 1234567890123, .products = 17, .train_s = 1.25,
                               .curvature_s = 0.5};
    strcpy(head.id, id);
    return head;
}

static void place(char path[600])
{
    char checkpoints[500];
    CU_ASSERT_EQUAL(ss_checkpoint_folder(results, checkpoints, sizeof checkpoints, NULL), 0);
    CU_ASSERT_EQUAL(ss_checkpoint_path(checkpoints, id, path, 600, NULL), 0);
}

static void save_some(const char *path)
{
    state s = {{1, -2.5, 1e300}, "0123456789"};
    ss_pieces list;
    ss_error error = {{0}};
    ss_checkpoint_head head = some_head();
    list_state(&s, &list);
    int rc = ss_checkpoint_write(path, &head, &list, &error);
    if (rc) fprintf(stderr, "\n    %s\n", error.text);
    CU_ASSERT_EQUAL_FATAL(rc, 0);
}

static void round_trip(void)
{
    char path[600];
    ss_checkpoint *c;
    ss_checkpoint_head head;
    ss_error error = {{0}};
    make_folder();
    place(path);
    ASSERT_TEXT(path, "results.h5.checkpoints/00112233445566778899aabbccddeeff.checkpoint");
    CU_ASSERT(ss_checkpoint_open(path, id, &c, &error) == 0 && c == NULL);
    CU_ASSERT_EQUAL(ss_checkpoint_peek(path, &head, &error), 0);
    time_t before = time(NULL);
    save_some(path);
    save_some(path); /* replaces */
    CU_ASSERT_EQUAL(ss_checkpoint_peek(path, &head, &error), 1);
    CU_ASSERT(strcmp(head.id, id) == 0 && strcmp(head.phase, "curvature") == 0 && head.epoch == 3 && head.step == 1234567890123);
    CU_ASSERT(head.products == 17 && head.train_s == 1.25 && head.curvature_s == 0.5);
    CU_ASSERT(head.saved_unix_s >= before && head.saved_unix_s <= time(NULL));
    CU_ASSERT_EQUAL_FATAL(ss_checkpoint_open(path, id, &c, &error), 1);
    state got = {{0}, ""};
    ss_pieces list;
    list_state(&got, &list);
    for (size_t i = 0; i < list.n; i++) CU_ASSERT_EQUAL(ss_checkpoint_read(c, &list.piece[i], &error), 0);
    CU_ASSERT(got.number[0] == 1 && got.number[1] == -2.5 && got.number[2] == 1e300 && strcmp(got.text, "0123456789") == 0);
    CU_ASSERT(ss_checkpoint_bytes(c, "text") == 11 && ss_checkpoint_bytes(c, "nothing") == 0);
    CU_ASSERT_EQUAL(ss_checkpoint_bytes(c, "x"), -1);
    ss_piece wrong = {"text", got.text, 10}, none = {"x", got.text, 1};
    CU_ASSERT_EQUAL(ss_checkpoint_read(c, &wrong, &error), -1);
    ASSERT_TEXT(error.text, "piece text has 11 bytes, expected 10");
    CU_ASSERT_EQUAL(ss_checkpoint_read(c, &none, &error), -1);
    ASSERT_TEXT(error.text, "has no piece x");
    ss_checkpoint_close(c);
    CU_ASSERT_EQUAL(ss_checkpoint_open(path, "ffffffffffffffffffffffffffffffff", &c, &error), -1);
    ASSERT_TEXT(error.text, "belongs to point 0011");
    struct dirent **entry;
    char checkpoints[500];
    ss_checkpoint_folder(results, checkpoints, sizeof checkpoints, NULL);
    int n = scandir(checkpoints, &entry, NULL, alphasort);
    CU_ASSERT_EQUAL(n, 3); /* ., .. and the file: nothing temporary is left */
    while (n-- > 0) free(entry[n]);
    free(entry);
    remove_folder();
}

/* Opens and reads everything of a file that must not be believed: refused, with a sentence that names it. */
static void expect_refused(const char *path, const char *part)
{
    ss_checkpoint *c;
    ss_error error = {{0}};
    int rc = ss_checkpoint_open(path, id, &c, &error);
    CU_ASSERT_EQUAL(rc, -1);
    CU_ASSERT_PTR_NULL(c);
    ASSERT_TEXT(error.text, path);
    ASSERT_TEXT(error.text, part);
    ss_checkpoint_close(c);
}

static void every_truncation(void)
{
    char path[600];
    size_t n;
    ss_checkpoint_head head;
    make_folder();
    place(path);
    save_some(path);
    unsigned char *bytes = read_bytes(path, &n);
    CU_ASSERT_FATAL(n == HEAD + 3 * ENTRY + 4 + 24 + 11);
    for (size_t k = 0; k < n; k++) {
        write_bytes(path, bytes, k);
        expect_refused(path, "is damaged");
        CU_ASSERT_EQUAL(ss_checkpoint_peek(path, &head, NULL), -1);
    }
    unsigned char *longer = ss_alloc(n + 1, 1);
    memcpy(longer, bytes, n);
    write_bytes(path, longer, n + 1);
    expect_refused(path, "is damaged: it has");
    ss_free(longer);
    ss_free(bytes);
    remove_folder();
}

static void every_flip(void)
{
    char path[600];
    size_t n;
    make_folder();
    place(path);
    save_some(path);
    unsigned char *bytes = read_bytes(path, &n);
    for (size_t k = 0; k < n; k++)
        for (int bit = 0; bit < 8; bit++) {
            bytes[k] ^= (unsigned char)(1 << bit);
            write_bytes(path, bytes, n);
            expect_refused(path, k < 8 ? "is no checkpoint" : k < 12 ? "has format version" : "is damaged");
            bytes[k] ^= (unsigned char)(1 << bit);
        }
    ss_free(bytes);
    remove_folder();
}

static void set_u32(unsigned char *p, uint32_t v)
{
    for (int i = 0; i < 4; i++) p[i] = (unsigned char)(v >> (8 * i));
}

static void set_u64(unsigned char *p, uint64_t v)
{
    set_u32(p, (uint32_t)v);
    set_u32(p + 4, (uint32_t)(v >> 32));
}

/* Checksums that are right for lengths and counts that are not. */
static void hostile_sizes(void)
{
    static const uint64_t sizes[] = {0, 1, 23, 25, 35, 1 << 20, UINT32_MAX, (uint64_t)1 << 40, INT64_MAX, UINT64_MAX - 10,
                                     UINT64_MAX};
    static const uint32_t counts[] = {0, 1, 2, 4, 48, 49, 1000, 1 << 26, UINT32_MAX};
    char path[600];
    size_t n;
    make_folder();
    place(path);
    save_some(path);
    unsigned char *bytes = read_bytes(path, &n), *copy = ss_alloc(n, 1);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (size_t e = 0; e < 3; e++) {
            memcpy(copy, bytes, n);
            set_u64(copy + HEAD + e * ENTRY + 24, sizes[i]);
            set_u32(copy + HEAD + 3 * ENTRY, ss_crc32(0, copy + HEAD, 3 * ENTRY));
            write_bytes(path, copy, n);
            if (!(e == 1 && sizes[i] == 0)) expect_refused(path, "is damaged"); /* that one is true */
        }
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        memcpy(copy, bytes, n);
        set_u32(copy + HEAD - 8, counts[i]);
        set_u32(copy + HEAD - 4, ss_crc32(0, copy, HEAD - 4));
        size_t table = (size_t)(counts[i] < 4 ? counts[i] : 0) * ENTRY;
        set_u32(copy + HEAD + table, ss_crc32(0, copy + HEAD, table));
        write_bytes(path, copy, n);
        expect_refused(path, counts[i] <= 48 ? "is damaged" : "pieces, expected at most 48");
    }
    memcpy(copy, bytes, n);
    memset(copy + HEAD, 'x', 24); /* a name that nothing ends */
    set_u32(copy + HEAD + 3 * ENTRY, ss_crc32(0, copy + HEAD, 3 * ENTRY));
    write_bytes(path, copy, n);
    ss_checkpoint *c;
    CU_ASSERT_EQUAL(ss_checkpoint_open(path, id, &c, NULL), 1);
    CU_ASSERT_EQUAL(ss_checkpoint_bytes(c, "number"), -1);
    ss_checkpoint_close(c);
    ss_free(bytes);
    ss_free(copy);
    remove_folder();
}

static void foreign(void)
{
    char path[600], target[640];
    size_t n;
    make_folder();
    place(path);
    save_some(path);
    unsigned char *bytes = read_bytes(path, &n);
    bytes[8] = 2;
    set_u32(bytes + HEAD - 4, ss_crc32(0, bytes, HEAD - 4));
    write_bytes(path, bytes, n);
    expect_refused(path, "has format version 2, expected 1");
    bytes[8] = 1;
    for (int i = 0; i < 2; i++) {
        unsigned char byte = bytes[12 + i];
        bytes[12 + i] = bytes[15 - i];
        bytes[15 - i] = byte;
    }
    set_u32(bytes + HEAD - 4, ss_crc32(0, bytes, HEAD - 4));
    write_bytes(path, bytes, n);
    expect_refused(path, "another byte order");
    ss_free(bytes);
    unlink(path);
    CU_ASSERT_EQUAL(mkdir(path, 0777), 0);
    expect_refused(path, "is not a regular file");
    CU_ASSERT_EQUAL(rmdir(path), 0);
    CU_ASSERT_EQUAL(mkfifo(path, 0666), 0); /* a pipe must not hold us */
    expect_refused(path, "is not a regular file");
    unlink(path);
    snprintf(target, sizeof target, "%s.itself", path);
    CU_ASSERT_EQUAL(symlink(path, path), 0);
    expect_refused(path, "Too many levels of symbolic links");
    remove_folder();
}

/* A child that does nothing but save, killed anywhere: what stands there is always whole. */
static void killed_writers(void)
{
    enum { N = 30, BYTES = 1 << 20 };
    char path[600];
    make_folder();
    place(path);
    save_some(path);
    for (int i = 0; i < N; i++) {
        pid_t child = fork();
        if (child == 0) {
            unsigned char *data = ss_alloc(BYTES, 1);
            ss_checkpoint_head head = some_head();
            for (int k = 0;; k++) {
                ss_pieces list = {0};
                memset(data, k, BYTES);
                ss_pieces_add(&list, "data", data, BYTES);
                ss_checkpoint_write(path, &head, &list, NULL);
            }
        }
        ss_sleep_s(0.002 + 0.0015 * i);
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        ss_checkpoint *c;
        ss_error error = {{0}};
        int rc = ss_checkpoint_open(path, id, &c, &error);
        if (rc != 1) fprintf(stderr, "\n    %s\n", error.text);
        CU_ASSERT_EQUAL(rc, 1);
        ss_checkpoint_close(c);
    }
    remove_folder();
}

/* On a file system that is full: an error that says so, the checkpoint before it still whole, nothing else left there. */
static void disk_full(void)
{
    char path[600], mounted[300], full[700];
    make_folder();
    snprintf(mounted, sizeof mounted, "%s/small", folder);
    CU_ASSERT_EQUAL(mkdir(mounted, 0777), 0);
    if (mount("none", mounted, "tmpfs", 0, "size=256k")) {
        fprintf(stderr, "\n    skipped: disk full: no tmpfs can be mounted here (%s) ", strerror(errno));
        CU_ASSERT(errno == EPERM || errno == EACCES || errno == ENODEV);
        remove_folder();
        return;
    }
    snprintf(full, sizeof full, "%s/results.h5.checkpoints", mounted);
    CU_ASSERT_EQUAL(ss_checkpoint_path(full, id, path, sizeof path, NULL), 0);
    save_some(path);
    size_t n = 1 << 20;
    ss_pieces list = {0};
    ss_error error = {{0}};
    ss_checkpoint_head head = some_head();
    void *data = ss_alloc(n, 1);
    ss_pieces_add(&list, "data", data, n);
    for (int i = 0; i < 3; i++) {
        CU_ASSERT_EQUAL(ss_checkpoint_write(path, &head, &list, &error), -1);
        ASSERT_TEXT(error.text, "No space left");
        ASSERT_TEXT(error.text, path);
    }
    ss_checkpoint *c;
    CU_ASSERT_EQUAL(ss_checkpoint_open(path, id, &c, &error), 1);
    CU_ASSERT_EQUAL(ss_checkpoint_bytes(c, "text"), 11);
    ss_checkpoint_close(c);
    CU_ASSERT(unlink(path) == 0 && rmdir(full) == 0); /* empty: the unfinished one is gone */
    ss_free(data);
    CU_ASSERT_EQUAL(umount(mounted), 0);
    remove_folder();
}

/* ---- the store's part ------------------------------------------------------------------------------------------------- */

/* The checkpoint of grid point i, made by an interrupted trial. */
static void leave(fixture *f, size_t i, char path[600])
{
    ss_settings settings;
    char text[SS_ID_BYTES], checkpoints[500];
    ss_checkpoint_head head = some_head();
    ss_pieces none = {0};
    ss_grid_settings(f->grid, i, &settings);
    ss_point_identify(&settings, provenance.data_digest, text);
    strcpy(head.id, text);
    ss_checkpoint_folder(results, checkpoints, sizeof checkpoints, NULL);
    CU_ASSERT_EQUAL(ss_checkpoint_path(checkpoints, text, path, 600, NULL), 0);
    CU_ASSERT_EQUAL(ss_checkpoint_write(path, &head, &none, NULL), 0);
}

static bool there(const char *path)
{
    return access(path, F_OK) == 0;
}

static void gone_with_its_point(void)
{
    fixture f;
    char done[600], failed[600], waiting[600], strange[600], temporary[700], checkpoints[500];
    make_folder();
    ss_checkpoint_folder(results, checkpoints, sizeof checkpoints, NULL);
    must_open(&f, "grid: {learning_rate: [0.1, 0.2, 0.3]}\n");
    leave(&f, 0, done);
    leave(&f, 1, failed);
    leave(&f, 2, waiting);
    must_keep(&f, 0, SS_DONE, 1);
    must_keep(&f, 1, SS_FAILED, 2);
    CU_ASSERT(!there(done) && there(failed) && there(waiting)); /* a failed point may go on with more memory or time */
    end(&f);
    place(strange);
    save_some(strange);                                         /* of a point that this file never had */
    snprintf(temporary, sizeof temporary, "%s.node.123.new", waiting);
    write_bytes(temporary, "torn", 4);
    must_open(&f, "grid: {learning_rate: [0.1, 0.2, 0.3]}\n");
    leave(&f, 0, done);                                         /* a killed run may have left it */
    CU_ASSERT(!there(temporary) && there(failed) && there(waiting) && there(strange));
    end(&f);
    must_open(&f, "grid: {learning_rate: [0.1]}\n");           /* two points are no longer in the grid */
    CU_ASSERT(!there(done) && there(failed) && there(waiting) && there(strange));
    end(&f);
    must_open(&f, "grid: {learning_rate: [0.1, 0.2, 0.3]}\n");
    must_keep(&f, 1, SS_EPOCH_LIMIT, 3);
    must_keep(&f, 2, SS_DIVERGED, 4);
    CU_ASSERT(!there(failed) && !there(waiting) && there(checkpoints));
    unlink(strange);
    end(&f);
    CU_ASSERT(!there(checkpoints)); /* nothing is left of it */
    remove_folder();
}

static void verified(void)
{
    fixture f;
    char first[600], second[600], strange[600], text[8192] = "";
    make_folder();
    must_open(&f, "grid: {learning_rate: [0.1, 0.2]}\n");
    leave(&f, 0, first);
    leave(&f, 1, second);
    end(&f);
    CU_ASSERT_EQUAL(ss_store_verify(results, false, say, text, NULL), 0);
    CU_ASSERT_STRING_EQUAL(text, "");
    place(strange);
    save_some(strange);
    CU_ASSERT_EQUAL(ss_store_verify(results, false, say, text, NULL), 0); /* said, but no fault */
    ASSERT_TEXT(text, "1 checkpoints (");
    ASSERT_TEXT(text, "does not know; no fault");
    CU_ASSERT_EQUAL(truncate(second, 100), 0);
    text[0] = '\0';
    CU_ASSERT_EQUAL(ss_store_verify(results, false, say, text, NULL), 1);
    ASSERT_TEXT(text, second);
    ASSERT_TEXT(text, "would begin anew");
    CU_ASSERT(there(second));
    text[0] = '\0';
    CU_ASSERT_EQUAL(ss_store_verify(results, true, say, text, NULL), 1);
    ASSERT_TEXT(text, "kept aside, its point begins anew");
    CU_ASSERT(!there(second) && there(first) && there(strange));
    CU_ASSERT(strstr(text, "made anew") == NULL); /* the results themselves are whole and are left alone */
    CU_ASSERT_EQUAL(ss_store_verify(results, false, say, NULL, NULL), 0);
    remove_folder();
}

static const ss_case cases[] = {
    {"round trip", round_trip},
    {"every truncation", every_truncation},
    {"every flipped bit", every_flip},
    {"hostile sizes", hostile_sizes},
    {"foreign files", foreign},
    {"killed writers", killed_writers},
    {"disk full", disk_full},
    {"gone with its point", gone_with_its_point},
    {"verified", verified},
};
SS_SUITE("store/checkpoint", cases)
