/* fuzz_checkpoint.c - the input after its first byte is a checkpoint. Bit 0: its length and checksums are set right
 * first, so that what they guard is read. */
#include "scratch.h"
#include "sharpsweep/store.h"


/* Places in the file, see src/store/checkpoint.c. */
enum { HEAD_BYTES = 128, LENGTH_AT = 16, COUNT_AT = 120, CRC_AT = 124 };
enum { ENTRY_BYTES = 36, ENTRY_LENGTH_AT = 24, ENTRY_CRC_AT = 32 };

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
    if (n < HEAD_BYTES + 4) return;
    size_t n_pieces = ss_bytes_get_u32(p + COUNT_AT), at;
    ss_bytes_set_u32(p + LENGTH_AT, (uint32_t)n);
    ss_bytes_set_u32(p + LENGTH_AT + 4, 0);
    ss_bytes_set_u32(p + CRC_AT, ss_crc32(0, p, CRC_AT));
    if (n_pieces > (n - HEAD_BYTES - 4) / ENTRY_BYTES) return;
    at = HEAD_BYTES + n_pieces * ENTRY_BYTES + 4;
    for (size_t i = 0; i < n_pieces; i++) {
        unsigned char *e = p + HEAD_BYTES + i * ENTRY_BYTES;
        size_t length = ss_bytes_get_u32(e + ENTRY_LENGTH_AT);
        if (length > n - at) break;
        ss_bytes_set_u32(e + ENTRY_CRC_AT, ss_crc32(0, p + at, length));
        at += length;
    }
    ss_bytes_set_u32(p + HEAD_BYTES + n_pieces * ENTRY_BYTES, ss_crc32(0, p + HEAD_BYTES, n_pieces * ENTRY_BYTES));
}

/* A piece that is there can be read whole, and not under another length. */
static void read_pieces(const ss_checkpoint *c)
{
    static const char *const names[] = {"theta", "counters", "history", "", "a name of more than 24 characters"};
    ss_error error = {{0}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        int64_t bytes = ss_checkpoint_bytes(c, names[i]);
        if (bytes < 0 || bytes > 1 << 20) continue;
        unsigned char *data = ss_alloc((size_t)bytes + 1, 1);
        if (!data) continue;
        const ss_piece whole = {names[i], data, (size_t)bytes}, longer = {names[i], data, (size_t)bytes + 1};
        FUZZ_MUST(ss_checkpoint_read(c, &whole, &error) == 0);
        FUZZ_MUST(ss_checkpoint_read(c, &longer, &error) == -1);
        ss_free(data);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    ss_error error = {{0}};
    ss_checkpoint_head head;
    ss_checkpoint *c = NULL;
    if (n < 1) return 0;
    unsigned char *p = ss_alloc(n, 1);
    if (!p) return 0;
    memcpy(p, data + 1, n - 1);
    if (data[0] & 1) set_checksums(p, n - 1);
    scratch_write("x.checkpoint", p, n - 1);
    ss_free(p);
    const char *path = scratch_path("x.checkpoint");
    int peeked = ss_checkpoint_peek(path, &head, &error), opened = ss_checkpoint_open(path, NULL, &c, &error);
    FUZZ_MUST(peeked != 0 && opened != 0); /* it is there */
    FUZZ_MUST(opened < 0 ? error.text[0] != 0 : peeked == 1);
    if (opened == 1) read_pieces(c);
    if (opened == 1) FUZZ_MUST(memchr(ss_checkpoint_head_of(c)->phase, 0, sizeof head.phase));
    ss_checkpoint_close(c);
    return 0;
}
