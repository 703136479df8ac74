/* fuzz_journal.c - the input after its first byte is a journal. Bit 0: its entries' checksums are set right first, so that
 * what they say is read. Bit 6: `status` reads it and `verify` checks it, which takes ten times as long as the writer's own
 * reading. Bits 1 to 5, all of them, for that takes longer still: it is repaired, and then nothing may be wrong with it. */
#include "scratch.h"
#include "sharpsweep/store.h"

#include "../../src/store/table.h"

enum { ENTRY_BYTES = 16, HEADER_CRC_AT = 28, REPAIR = 0x3e, CHECK = 0x40 };

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    scratch_make();
    scratch_silence();
    return 0;
}

/* Header and every entry that its lengths lead to. */
static void set_checksums(unsigned char *p, size_t n)
{
    size_t at = (size_t)ss_journal_first();
    if (n < at) return;
    ss_bytes_set_u32(p + HEADER_CRC_AT, ss_crc32(0, p, HEADER_CRC_AT));
    while (n - at >= ENTRY_BYTES) {
        size_t length = ss_bytes_get_u32(p + at + 8);
        if (length > n - at - ENTRY_BYTES) return;
        uint32_t crc = ss_crc32(ss_crc32(0, p + at + 4, 8), p + at + ENTRY_BYTES, length);
        ss_bytes_set_u32(p + at + 12, crc);
        at += ENTRY_BYTES + length;
    }
}

static void say(void *ctx, const char *line)
{
    (void)ctx;
    FUZZ_MUST(line[0]);
}

/* As the writer and `status` read it. */
static void read_journal(const char *path)
{
    ss_error error = {{0}};
    ss_replay replay = {0};
    ss_journal *j = ss_journal_open(path, false, &error);
    ss_table *t = j ? ss_table_create(&error) : NULL;
    if (t && ss_table_replay(t, j, &replay, NULL, NULL, &error) == 0)
        for (size_t i = 0; i < t->n_rows; i++) {
            ss_record record;
            ss_record_init(&record);
            ss_table_value(t, &t->row[i], "learning_rate");
            ss_table_record(t, j, &t->row[i], &record, &error);
            ss_record_finish(&record);
        }
    ss_table_destroy(t);
    ss_journal_close(j);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    char results[600];
    ss_error error = {{0}};
    if (n < 1) return 0;
    unsigned char *p = ss_alloc(n, 1);
    if (!p) return 0;
    memcpy(p, data + 1, n - 1);
    if (data[0] & 1) set_checksums(p, n - 1);
    scratch_write("r.h5.journal", p, n - 1);
    ss_free(p);
    snprintf(results, sizeof results, "%s/r.h5", scratch_folder);
    read_journal(scratch_path("r.h5.journal"));
    if (data[0] & CHECK) {
        ss_results_destroy(ss_results_open(results, true, &error));
        ss_store_verify(results, false, say, NULL, &error);
    }
    if ((data[0] & REPAIR) == REPAIR && ss_store_verify(results, true, say, NULL, &error) >= 0) {
        FUZZ_MUST(ss_store_verify(results, false, say, NULL, &error) == 0);
        ss_results *r = ss_results_open(results, true, &error);
        FUZZ_MUST(r);
        ss_results_destroy(r);
    }
    unlink(results);
    unlink(scratch_path("r.h5.journal"));
    unlink(scratch_path("r.h5.journal.damaged"));
    return 0;
}
