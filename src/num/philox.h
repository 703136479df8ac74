/* philox.h - inside num's kernels: Philox4x32-10 as ss_philox has it, for PHILOX_BLOCKS counters side by side. */
#ifndef SHARPSWEEP_NUM_PHILOX_H
#define SHARPSWEEP_NUM_PHILOX_H

#include "lanes.h"

enum { PHILOX_BLOCKS = 16 };
typedef struct philox_blocks { uint32_t c[4][PHILOX_BLOCKS]; } philox_blocks; /* number 4 l + j of the stream at c[j][l] */

INLINE void philox(const ss_stream *s, uint64_t first, philox_blocks *out)
{
    uint32_t c0[PHILOX_BLOCKS], c1[PHILOX_BLOCKS], c2[PHILOX_BLOCKS], c3[PHILOX_BLOCKS], k0 = s->key[0], k1 = s->key[1];
    for (size_t l = 0; l < PHILOX_BLOCKS; l++) {
        c0[l] = (uint32_t)(first + l);
        c1[l] = (uint32_t)((first + l) >> 32);
        c2[l] = s->high[0];
        c3[l] = s->high[1];
    }
    for (int round = 0; round < 10; round++, k0 += 0x9E3779B9u, k1 += 0xBB67AE85u)
        for (size_t l = 0; l < PHILOX_BLOCKS; l++) {
            uint64_t p0 = (uint64_t)0xD2511F53u * c0[l], p1 = (uint64_t)0xCD9E8D57u * c2[l];
            c0[l] = (uint32_t)(p1 >> 32) ^ c1[l] ^ k0;
            c1[l] = (uint32_t)p1;
            c2[l] = (uint32_t)(p0 >> 32) ^ c3[l] ^ k1;
            c3[l] = (uint32_t)p0;
        }
    memcpy(out->c[0], c0, sizeof c0);
    memcpy(out->c[1], c1, sizeof c1);
    memcpy(out->c[2], c2, sizeof c2);
    memcpy(out->c[3], c3, sizeof c3);
}

#endif
