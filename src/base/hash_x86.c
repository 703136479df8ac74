/* hash_x86.c - SHA-256 by the instructions that x86 processors have for it since 2017 (Gulley et al., "Intel SHA Extensions",
 * 2013): some ten times as fast, which counts where a grid has a million points or a data set hundreds of megabytes. */
#include "hash.h"

#ifdef __x86_64__
#include <cpuid.h>
#include <immintrin.h>

#define WITH_SHA __attribute__((target("sha,sse4.1,ssse3")))

bool ss_sha256_has_instructions(void)
{
    unsigned a, b, c, d;
    bool has_sse = __get_cpuid(1, &a, &b, &c, &d) && (c & bit_SSSE3) && (c & bit_SSE4_1);
    return has_sse && __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & 1u << 29);
}

/* Sixteen times four rounds. The instructions hold the working variables as abef and cdgh; w[i % 4] are the schedule's words
 * 4 i .. 4 i + 3. */
WITH_SHA static inline void four_rounds(int i, __m128i w[4], __m128i *abef, __m128i *cdgh)
{
    if (i >= 4) {
        __m128i seven_back = _mm_alignr_epi8(w[(i + 3) & 3], w[(i + 2) & 3], 4);
        __m128i sixteen_back = _mm_sha256msg1_epu32(w[i & 3], w[(i + 1) & 3]);
        w[i & 3] = _mm_sha256msg2_epu32(_mm_add_epi32(sixteen_back, seven_back), w[(i + 3) & 3]);
    }
    __m128i k = _mm_loadu_si128((const __m128i *)(const void *)&ss_sha256_constant[4 * i]), sum = _mm_add_epi32(w[i & 3], k);
    *cdgh = _mm_sha256rnds2_epu32(*cdgh, *abef, sum);
    *abef = _mm_sha256rnds2_epu32(*abef, *cdgh, _mm_shuffle_epi32(sum, 0x0e));
}

WITH_SHA void ss_sha256_compress_x86(uint32_t state[8], const unsigned char *block, size_t n_blocks)
{
    const __m128i big_endian = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
    __m128i *place = (__m128i *)(void *)state;
    __m128i cdab = _mm_shuffle_epi32(_mm_loadu_si128(place), 0xb1), efgh = _mm_shuffle_epi32(_mm_loadu_si128(place + 1), 0x1b);
    __m128i abef = _mm_alignr_epi8(cdab, efgh, 8), cdgh = _mm_blend_epi16(efgh, cdab, 0xf0);
    for (; n_blocks > 0; n_blocks--, block += 64) {
        __m128i w[4], abef_before = abef, cdgh_before = cdgh;
        for (int i = 0; i < 4; i++)
            w[i] = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(const void *)block + i), big_endian);
#pragma GCC unroll 16
        for (int i = 0; i < 16; i++) four_rounds(i, w, &abef, &cdgh);
        abef = _mm_add_epi32(abef, abef_before);
        cdgh = _mm_add_epi32(cdgh, cdgh_before);
    }
    __m128i feba = _mm_shuffle_epi32(abef, 0x1b), dchg = _mm_shuffle_epi32(cdgh, 0xb1);
    _mm_storeu_si128(place, _mm_blend_epi16(feba, dchg, 0xf0));
    _mm_storeu_si128(place + 1, _mm_alignr_epi8(dchg, feba, 8));
}
#else
bool ss_sha256_has_instructions(void)
{
    return false;
}

void ss_sha256_compress_x86(uint32_t state[8], const unsigned char *block, size_t n_blocks)
{
    ss_sha256_compress(state, block, n_blocks);
}
#endif
