/* fuzz_journal.c - the input after its first byte is a journal. Bit 0: its entries' checksums are set right first, so that
 * what they say is read. Bit 6: `verify` checks it too, which takes longer than reading. Bits 1 to 5, all of them, for that takes
 * longer still: it is repaired, and then nothing may be wrong with it. */
#include "sample.h"

enum { HEADER_CRC_AT = 28, HEADER_BYTES = 256, REPAIR = 0x3e, CHECK = 0x40 };

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    scratch_make();
    scratch_silence();
    return 0;
}

static void set_checksums(unsigned char *p, size_t n)
{
    if (n < HEADER_BYTES) return;
    sample_set_u32(p + HEADER_CRC_AT, ss_crc32(0, p, HEADER_CRC_AT));
    sample_set_checksums(p + HEADER_BYTES, n - HEADER_BYTES);
}

static void say(void *ctx, const char *line)
{
    (void)ctx;
    FUZZ_MUST(line[0]);
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
    ss_results *r = ss_results_open(results, &error);
    FUZZ_MUST(r || error.text[0]);
    ss_results_destroy(r);
    if (data[0] & CHECK) ss_store_verify(results, false, say, NULL, &error);
    if ((data[0] & REPAIR) == REPAIR && ss_store_verify(results, true, say, NULL, &error) >= 0) {
        FUZZ_MUST(ss_store_verify(results, false, say, NULL, &error) == 0);
        r = ss_results_open(results, &error);
        FUZZ_MUST(r);
        ss_results_destroy(r);
    }
    sample_remove_all();
    return 0;
}
