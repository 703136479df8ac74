/* fuzz_frame.c - rows as columns: the input patches the journal of a whole sweep, whose checksums are then set right, so that counts
 * and texts lie that no checksum gives away. It is read as `show` and `status` do; then, where byte 0 has both bits, its sweep
 * goes on (0 and 1), it is repaired (2 and 3), merged (4 and 5), which takes longer, and what that leaves is read: all that goes through src/store/frame.h. The rest of the
 * input is a row of patches of 6 bytes: an entry's number and kind of patch, u16 where, and what; see patch. Memory is bounded
 * whatever the counts say. */
#include "sample.h"

enum { MOST_ENTRIES = 64, PATCH_BYTES = 6, FIRST_AT = 256, GO_ON = 3, REPAIR = 12, MERGE = 48 };

static unsigned char *whole;
static size_t n_whole;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    char path[600];
    (void)argc;
    (void)argv;
    scratch_make();
    scratch_silence();
    sample_limit_memory();
    snprintf(path, sizeof path, "%s/seed.h5", scratch_folder);
    sample_sweep(path);
    whole = sample_read(scratch_path("seed.h5.journal"), &n_whole);
    sample_remove_all();
    return 0;
}

static void say(void *ctx, const char *line)
{
    (void)ctx;
    FUZZ_MUST(line[0]);
}

static size_t find_entries(const unsigned char *p, size_t n, size_t at[MOST_ENTRIES])
{
    size_t count = 0;
    for (size_t i = FIRST_AT; i + 16 <= n && count < MOST_ENTRIES; i += 16 + sample_u32(p + i + 8)) at[count++] = i;
    return count;
}

/* Byte 0: entry (6 bits), kind of patch (2 bits): one byte, a u32 that is small or huge, an entry that is doubled, bytes that go. */
static size_t patch(unsigned char *p, size_t n, size_t capacity, const uint8_t *what)
{
    static const uint32_t huge[] = {0, 1, 2, 255, 65536, 50000000, 0x7fffffff, 0xffffffff};
    size_t at[MOST_ENTRIES], count = find_entries(p, n, at);
    if (count == 0) return n;
    size_t first = at[(what[0] & 63) % count], length = sample_u32(p + first + 8), end = first + 16 + length;
    if (end > n) return n;
    size_t offset = first + 16 + (length ? (what[1] | (size_t)what[2] << 8) % length : 0);
    switch (what[0] >> 6) {
    case 0: p[offset] = what[3]; return n;
    case 1:
        if (offset + 4 <= end) sample_set_u32(p + offset, what[3] < 8 ? huge[what[3]] : sample_u32(what + 2));
        return n;
    case 2:
        if (n + 16 + length > capacity) return n;
        memmove(p + end + 16 + length, p + end, n - end);
        memcpy(p + end, p + first, 16 + length);
        return n + 16 + length;
    default: { /* the rest of the file moves up, and the entry's length says so */
        size_t gone = what[3] % 16 + 1u;
        if (offset + gone > end) return n;
        memmove(p + offset, p + offset + gone, n - offset - gone);
        sample_set_u32(p + first + 8, (uint32_t)(length - gone));
        return n - gone;
    }
    }
}

static void read_results(const char *path)
{
    ss_error error = {{0}};
    ss_results *r = ss_results_open(path, &error);
    FUZZ_MUST(r || error.text[0]);
    for (size_t c = 0; r && c < r->n_columns; c++)
        for (size_t i = 0; i < r->n; i++) FUZZ_MUST(r->column[c].text[i]);
    ss_results_destroy(r);
}

static void go_on(const char *path)
{
    ss_error error = {{0}};
    ss_job *job = sample_job();
    ss_grid *grid = ss_grid_create(job, &error);
    ss_store *store = ss_store_open(path, job, grid, &sample_provenance, &error);
    if (store && ss_store_close(store, &error) == 0) {
        FUZZ_MUST(ss_store_verify(path, false, say, NULL, &error) == 0);
        read_results(path);
    }
    ss_grid_destroy(grid);
    ss_job_destroy(job);
}

static void repair(const char *path)
{
    ss_error error = {{0}};
    if (ss_store_verify(path, true, say, NULL, &error) < 0) return;
    FUZZ_MUST(ss_store_verify(path, false, say, NULL, &error) == 0);
    read_results(path);
}

static void merge(const char *path, const char *out)
{
    const char *in[] = {path};
    ss_error error = {{0}};
    ss_merged merged;
    if (ss_store_merge(out, 1, in, &merged, &error)) return;
    FUZZ_MUST(ss_store_verify(out, false, say, NULL, &error) == 0);
    read_results(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    char path[600], out[600];
    ss_error error = {{0}};
    if (n < 1) return 0;
    size_t n_patches = (n - 1) / PATCH_BYTES < 8 ? (n - 1) / PATCH_BYTES : 8, capacity = 4 * n_whole, size = n_whole;
    unsigned char *p = ss_alloc(capacity, 1);
    if (!p) return 0;
    memcpy(p, whole, n_whole);
    for (size_t i = 0; i < n_patches; i++) size = patch(p, size, capacity, data + 1 + i * PATCH_BYTES);
    sample_set_checksums(p + FIRST_AT, size - FIRST_AT);
    scratch_write("r.h5.journal", p, size);
    ss_free(p);
    snprintf(path, sizeof path, "%s/r.h5", scratch_folder);
    snprintf(out, sizeof out, "%s/m.h5", scratch_folder);
    read_results(path);
    ss_store_verify(path, false, say, NULL, &error);
    if ((data[0] & MERGE) == MERGE) merge(path, out);
    if ((data[0] & GO_ON) == GO_ON) go_on(path);
    if ((data[0] & REPAIR) == REPAIR) repair(path);
    sample_check_memory();
    sample_remove_all();
    return 0;
}
