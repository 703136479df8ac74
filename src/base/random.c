/* random.c - Philox4x32-10: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC'11.
 * One call maps a 128-bit counter and a 64-bit key to 128 random bits; nothing is remembered between calls. */
#include "sharpsweep/base.h"

#include <math.h>

static const double two_pi = 6.283185307179586476925;

/* Ten rounds; multipliers and Weyl increments are the paper's. */
void ss_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4])
{
    uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];
    uint32_t k0 = key[0], k1 = key[1];
    for (int round = 0; round < 10; round++) {
        uint64_t p0 = (uint64_t)0xD2511F53u * c0, p1 = (uint64_t)0xCD9E8D57u * c2;
        c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
        c1 = (uint32_t)p1;
        c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c3 = (uint32_t)p0;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

/* The 128 bits that name a stream are Philox of (step, purpose, layer) under the seed: a bijection for each seed, so two
 * purposes, steps or layers of one seed never share a stream. */
ss_stream ss_stream_make(uint64_t seed, ss_purpose purpose, uint64_t step, uint32_t layer)
{
    const uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    const uint32_t name[4] = {(uint32_t)step, (uint32_t)(step >> 32), (uint32_t)purpose, layer};
    uint32_t out[4];
    ss_philox(name, key, out);
    return (ss_stream){.key = {out[0], out[1]}, .high = {out[2], out[3]}};
}

void ss_stream_block(const ss_stream *s, uint64_t block, uint32_t out[4])
{
    const uint32_t counter[4] = {(uint32_t)block, (uint32_t)(block >> 32), s->high[0], s->high[1]};
    ss_philox(counter, s->key, out);
}

uint32_t ss_stream_u32(const ss_stream *s, uint64_t i)
{
    uint32_t out[4];
    ss_stream_block(s, i / 4, out);
    return out[i % 4];
}

double ss_stream_uniform(const ss_stream *s, uint64_t i)
{
    return ss_stream_u32(s, i) * 0x1p-32;
}

/* Box & Muller 1958, the cosine half; the first uniform is moved to (0,1] so that its logarithm exists. */
double ss_stream_normal(const ss_stream *s, uint64_t i)
{
    uint32_t out[4];
    ss_stream_block(s, i / 2, out);
    const uint32_t *pair = out + 2 * (i % 2);
    double u = ((double)pair[0] + 1) * 0x1p-32, v = pair[1] * 0x1p-32;
    return sqrt(-2 * log(u)) * cos(two_pi * v);
}

/* The stream's numbers one after the other, four to a block. */
typedef struct draws { const ss_stream *stream; uint64_t next; uint32_t block[4]; } draws;

static uint32_t draw(draws *d)
{
    if (d->next % 4 == 0) ss_stream_block(d->stream, d->next / 4, d->block);
    return d->block[d->next++ % 4];
}

/* Uniform in 0..bound-1 without bias: Lemire, "Fast random integer generation in an interval", 2019. */
static uint32_t draw_below(draws *d, uint32_t bound)
{
    uint64_t product = (uint64_t)draw(d) * bound;
    if ((uint32_t)product < bound) {
        uint32_t reject = (uint32_t)(-bound) % bound;
        while ((uint32_t)product < reject) product = (uint64_t)draw(d) * bound;
    }
    return (uint32_t)(product >> 32);
}

/* Fisher-Yates, inside out: entry i moves to the end and i itself takes a random place. */
void ss_stream_permutation(const ss_stream *s, uint32_t n, uint32_t *out)
{
    draws d = {.stream = s};
    for (uint32_t i = 0; i < n; i++) {
        uint32_t j = draw_below(&d, i + 1);
        out[i] = out[j];
        out[j] = i;
    }
}
