/* test_hash.c - SHA-256 against FIPS 180-4's examples and sha256sum, CRC-32 against the catalogue's check value. */
#include "../suite.h"

#include <stdlib.h>
#include <string.h>

#include "../../src/base/hash.h"

static const struct { const char *text; size_t repeat; const char *digest; } rows[] = {
    {"", 1, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
    {"abc", 1, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
    {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 1,
     "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    {"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu", 1,
     "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"},
    {"a", 1000000, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"}};

static void digests(void)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        ss_sha256 h;
        char out[SS_DIGEST_BYTES];
        ss_sha256_init(&h);
        for (size_t k = 0; k < rows[i].repeat; k++) ss_sha256_update(&h, rows[i].text, strlen(rows[i].text));
        ss_sha256_finish(&h, out);
        CU_ASSERT_STRING_EQUAL(out, rows[i].digest);
    }
    ss_sha256 h;
    char out[SS_DIGEST_BYTES];
    ss_sha256_init(&h);
    ss_sha256_update(&h, NULL, 0);
    ss_sha256_finish(&h, out);
    CU_ASSERT_STRING_EQUAL(out, rows[0].digest);
}

/* The processor's own instructions do what the C does. */
static void instructions(void)
{
    unsigned char data[64 * 20];
    for (size_t i = 0; i < sizeof data; i++) data[i] = (unsigned char)(i * i * 31 + i / 7);
    for (size_t n = 0; n <= 20 && ss_sha256_has_instructions(); n++) {
        uint32_t a[8] = {1, 0x80000000u, 3, 0xffffffffu, 5, 6, 7, 8}, b[8];
        memcpy(b, a, sizeof b);
        ss_sha256_compress(a, data, n);
        ss_sha256_compress_x86(b, data, n);
        CU_ASSERT_EQUAL(memcmp(a, b, sizeof a), 0);
    }
}

/* However the bytes are cut, the digest is that of the whole; all lengths around the block and padding borders. */
static void pieces(void)
{
    unsigned char data[300];
    for (size_t i = 0; i < sizeof data; i++) data[i] = (unsigned char)(i * 37 + 11);
    for (size_t n = 0; n <= sizeof data; n++) {
        char whole[SS_DIGEST_BYTES], cut[SS_DIGEST_BYTES];
        ss_sha256 h;
        ss_sha256_init(&h);
        ss_sha256_update(&h, data, n);
        ss_sha256_finish(&h, whole);
        ss_sha256_init(&h);
        for (size_t at = 0, part = 1; at < n; at += part, part = part * 3 % 97) {
            if (part > n - at) part = n - at;
            ss_sha256_update(&h, data + at, part);
        }
        ss_sha256_finish(&h, cut);
        CU_ASSERT_STRING_EQUAL(whole, cut);
    }
}

static void crc(void)
{
    CU_ASSERT_EQUAL(ss_crc32(0, "123456789", 9), 0xcbf43926u);
    CU_ASSERT_EQUAL(ss_crc32(0, "", 0), 0);
    CU_ASSERT_EQUAL(ss_crc32(0, "The quick brown fox jumps over the lazy dog", 43), 0x414fa339u);
    CU_ASSERT_EQUAL(ss_crc32(ss_crc32(0, "1234", 4), "56789", 5), 0xcbf43926u);
    for (size_t cut = 0; cut <= 43; cut++) /* wherever it is cut: the fast part takes eight bytes at a time */
        CU_ASSERT_EQUAL(ss_crc32(ss_crc32(0, "The quick brown fox jumps over the lazy dog", cut),
                                 &"The quick brown fox jumps over the lazy dog"[cut], 43 - cut), 0x414fa339u);
    unsigned char data[64] = {0};
    uint32_t clean = ss_crc32(0, data, sizeof data);
    for (size_t bit = 0; bit < 8 * sizeof data; bit++) {
        data[bit / 8] = (unsigned char)(1 << bit % 8);
        CU_ASSERT_NOT_EQUAL(ss_crc32(0, data, sizeof data), clean);
        data[bit / 8] = 0;
    }
}

static const ss_case cases[] = {
    {"SHA-256 known answers", digests},
    {"SHA-256 in pieces", pieces},
    {"SHA-256's instructions", instructions},
    {"CRC-32", crc},
};
SS_SUITE("hash", cases)
