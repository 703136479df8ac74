/* hash.c - SHA-256 (FIPS 180-4) for identities and digests, CRC-32 (IEEE 802.3, as zlib's) for journal records. */
#include "hash.h"

#include <string.h>

const uint32_t ss_sha256_constant[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static uint32_t rotate(uint32_t x, int n)
{
    return x >> n | x << (32 - n);
}

/* The message schedule, FIPS 180-4 section 6.2.2 step 1. */
static void expand(const unsigned char *block, uint32_t w[64])
{
    for (int i = 0; i < 16; i++, block += 4)
        w[i] = (uint32_t)block[0] << 24 | (uint32_t)block[1] << 16 | (uint32_t)block[2] << 8 | block[3];
    for (int i = 16; i < 64; i++) {
        uint32_t a = w[i - 15], b = w[i - 2];
        w[i] = w[i - 16] + w[i - 7] + (rotate(a, 7) ^ rotate(a, 18) ^ a >> 3) + (rotate(b, 17) ^ rotate(b, 19) ^ b >> 10);
    }
}

/* Step 3; instead of the working variables a .. h, their places move: variable j of round i is s[(j - i) & 7]. */
static void compress_block(uint32_t state[8], const unsigned char *block)
{
    uint32_t w[64], s[8];
    expand(block, w);
    memcpy(s, state, sizeof s);
    for (int i = 0; i < 64; i += 8)
#pragma GCC unroll 8
        for (int k = 0; k < 8; k++) {
            uint32_t a = s[-k & 7], b = s[(1 - k) & 7], c = s[(2 - k) & 7];
            uint32_t e = s[(4 - k) & 7], f = s[(5 - k) & 7], g = s[(6 - k) & 7];
            uint32_t t1 = s[(7 - k) & 7] + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) + ((e & f) ^ (~e & g)) +
                          ss_sha256_constant[i + k] + w[i + k];
            s[(3 - k) & 7] += t1;
            s[(7 - k) & 7] = t1 + (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
        }
    for (int i = 0; i < 8; i++) state[i] += s[i];
}

void ss_sha256_compress(uint32_t state[8], const unsigned char *block, size_t n_blocks)
{
    for (; n_blocks > 0; n_blocks--, block += 64) compress_block(state, block);
}

static void (*compress)(uint32_t state[8], const unsigned char *block, size_t n_blocks) = ss_sha256_compress;

__attribute__((constructor)) static void choose(void)
{
    if (ss_sha256_has_instructions()) compress = ss_sha256_compress_x86;
}

void ss_sha256_init(ss_sha256 *h)
{
    *h = (ss_sha256){.state = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                               0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19}};
}

void ss_sha256_update(ss_sha256 *h, const void *data, size_t n)
{
    if (n == 0) return; /* data may be NULL then, and memcpy must not see it */
    const unsigned char *at = data;
    size_t held = (size_t)(h->n_bytes % sizeof h->block);
    h->n_bytes += n;
    if (held) {
        size_t room = sizeof h->block - held, part = n < room ? n : room;
        memcpy(h->block + held, at, part);
        if (part < room) return;
        compress(h->state, h->block, 1);
        at += part;
        n -= part;
    }
    compress(h->state, at, n / sizeof h->block);
    at += n - n % sizeof h->block;
    if (n % sizeof h->block) memcpy(h->block, at, n % sizeof h->block);
}

void ss_sha256_finish(ss_sha256 *h, char out[SS_DIGEST_BYTES])
{
    static const unsigned char padding[64] = {0x80};
    uint64_t n_bits = 8 * h->n_bytes;
    size_t held = (size_t)(h->n_bytes % 64);
    ss_sha256_update(h, padding, held < 56 ? 56 - held : 120 - held);
    unsigned char length[8];
    for (int i = 0; i < 8; i++) length[i] = (unsigned char)(n_bits >> (56 - 8 * i));
    ss_sha256_update(h, length, sizeof length);
    for (size_t i = 0; i < 64; i++) out[i] = "0123456789abcdef"[h->state[i / 8] >> (28 - 4 * (i % 8)) & 15];
    out[64] = '\0';
}

/* Eight bytes at a time (Kounavis & Berry, "Novel table lookup-based algorithms for high-performance CRC generation", IEEE
 * Trans. Computers 57, 2008): checkpoints have gigabytes. crc_table[k][b] is what byte b does k bytes further on. */
static uint32_t crc_table[8][256];

__attribute__((constructor)) static void fill_crc_table(void)
{
    for (uint32_t b = 0; b < 256; b++) {
        uint32_t crc = b;
        for (int bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
        crc_table[0][b] = crc;
    }
    for (int k = 1; k < 8; k++)
        for (int b = 0; b < 256; b++) crc_table[k][b] = crc_table[k - 1][b] >> 8 ^ crc_table[0][crc_table[k - 1][b] & 255];
}

uint32_t ss_crc32(uint32_t crc, const void *data, size_t n)
{
    const unsigned char *at = data;
    crc = ~crc;
    for (; n >= 8; n -= 8, at += 8) {
        uint32_t low = crc ^ ((uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24);
        crc = crc_table[7][low & 255] ^ crc_table[6][low >> 8 & 255] ^ crc_table[5][low >> 16 & 255] ^ crc_table[4][low >> 24]
            ^ crc_table[3][at[4]] ^ crc_table[2][at[5]] ^ crc_table[1][at[6]] ^ crc_table[0][at[7]];
    }
    for (; n > 0; n--, at++) crc = crc >> 8 ^ crc_table[0][(crc ^ *at) & 255];
    return ~crc;
}
