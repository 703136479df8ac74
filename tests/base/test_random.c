/* test_random.c - Philox against the published vectors (Random123's tests/kat_vectors, philox4x32 10), and the streams. */
#include "sharpsweep/base.h"
#include "../suite.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void known_answers(void)
{
    static const struct { uint32_t counter[4], key[2], out[4]; } rows[] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff},
         {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint32_t out[4];
        ss_philox(rows[i].counter, rows[i].key, out);
        CU_ASSERT(memcmp(out, rows[i].out, sizeof out) == 0);
    }
}

static void block_is_four_numbers(void)
{
    ss_stream s = ss_stream_make(7, SS_FOR_TEST, 3, 2);
    for (uint64_t block = 0; block < UINT64_MAX / 4; block = block * 5 + 1) {
        uint32_t out[4];
        ss_stream_block(&s, block, out);
        for (uint64_t i = 0; i < 4; i++) CU_ASSERT_EQUAL(out[i], ss_stream_u32(&s, 4 * block + i));
    }
}

/* Every part of the name matters, and nothing else does. */
static void streams_differ(void)
{
    const ss_stream s[] = {
        ss_stream_make(1, SS_FOR_TEST, 0, 0), ss_stream_make(2, SS_FOR_TEST, 0, 0), ss_stream_make(1, SS_FOR_INIT, 0, 0),
        ss_stream_make(1, SS_FOR_TEST, 1, 0), ss_stream_make(1, SS_FOR_TEST, 0, 1),
        ss_stream_make((uint64_t)1 << 32 | 1, SS_FOR_TEST, 0, 0), ss_stream_make(1, SS_FOR_TEST, (uint64_t)1 << 32, 0),
        ss_stream_make(0, SS_FOR_TEST, 0, 0)};
    size_t n = sizeof s / sizeof *s;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < i; j++) {
            CU_ASSERT(memcmp(&s[i], &s[j], sizeof *s) != 0);
            int same = 0;
            for (uint64_t k = 0; k < 64; k++) same += ss_stream_u32(&s[i], k) == ss_stream_u32(&s[j], k);
            CU_ASSERT_EQUAL(same, 0);
        }
    ss_stream again = ss_stream_make(1, SS_FOR_TEST, 0, 0);
    CU_ASSERT(memcmp(&again, &s[0], sizeof again) == 0);
}

static void uniform_moments(void)
{
    ss_stream s = ss_stream_make(11, SS_FOR_TEST, 0, 0);
    enum { N = 100000, BINS = 20 };
    int bin[BINS] = {0};
    double sum = 0, square = 0;
    for (uint64_t i = 0; i < N; i++) {
        double u = ss_stream_uniform(&s, i);
        CU_ASSERT_FATAL(u >= 0 && u < 1);
        sum += u;
        square += u * u;
        bin[(int)(u * BINS)]++;
    }
    CU_ASSERT(fabs(sum / N - 0.5) < 4 * sqrt(1. / 12 / N));
    CU_ASSERT(fabs(square / N - 1. / 3) < 4 * sqrt(4. / 45 / N));
    double chi2 = 0;
    for (int b = 0; b < BINS; b++) chi2 += (bin[b] - N / BINS) * (double)(bin[b] - N / BINS) / (N / BINS);
    CU_ASSERT(chi2 < 45); /* 19 degrees of freedom: beyond 45 in one of a thousand seeds, and the seed is fixed */
}

static void normal_moments(void)
{
    ss_stream s = ss_stream_make(12, SS_FOR_TEST, 0, 0);
    enum { N = 200000 };
    double m1 = 0, m2 = 0, m3 = 0, m4 = 0, lag = 0, last = 0;
    int beyond2 = 0;
    for (uint64_t i = 0; i < N; i++) {
        double z = ss_stream_normal(&s, i);
        CU_ASSERT_FATAL(isfinite(z) && fabs(z) < 7);
        m1 += z / N, m2 += z * z / N, m3 += z * z * z / N, m4 += z * z * z * z / N, lag += z * last / N;
        beyond2 += fabs(z) > 2;
        last = z;
    }
    double unit = 1 / sqrt(N);
    CU_ASSERT(fabs(m1) < 4 * unit);
    CU_ASSERT(fabs(m2 - 1) < 4 * sqrt(2) * unit);
    CU_ASSERT(fabs(m3) < 4 * sqrt(15) * unit);
    CU_ASSERT(fabs(m4 - 3) < 4 * sqrt(96) * unit);
    CU_ASSERT(fabs(lag) < 4 * unit);
    CU_ASSERT(fabs(beyond2 / (double)N - 0.0455003) < 4 * 0.21 * unit);
}

/* The formula of the header, on the numbers of the stream. */
static void normal_is_box_muller(void)
{
    ss_stream s = ss_stream_make(13, SS_FOR_TEST, 5, 1);
    for (uint64_t i = 0; i < 100; i++) {
        double u = ss_stream_uniform(&s, 2 * i) + 0x1p-32, v = ss_stream_uniform(&s, 2 * i + 1);
        SS_ASSERT_NEAR(ss_stream_normal(&s, i), sqrt(-2 * log(u)) * cos(2 * acos(-1) * v), 1e-14, 1);
    }
}

static void permutation_is_one(void)
{
    for (uint32_t n = 0; n < 300; n = n * 2 + 1) {
        ss_stream s = ss_stream_make(3, SS_FOR_SHUFFLE, n, 0);
        uint32_t out[300] = {0};
        bool seen[300] = {false};
        ss_stream_permutation(&s, n, out);
        for (uint32_t i = 0; i < n; i++) {
            CU_ASSERT_FATAL(out[i] < n);
            CU_ASSERT(!seen[out[i]]);
            seen[out[i]] = true;
        }
        CU_ASSERT_EQUAL(out[n], 0); /* nothing beyond n is touched */
    }
}

/* All 24 orders of 4 come equally often over the epochs. */
static void permutation_is_uniform(void)
{
    enum { N = 24000 };
    int count[256] = {0}, orders = 0;
    for (uint64_t epoch = 0; epoch < N; epoch++) {
        ss_stream s = ss_stream_make(5, SS_FOR_SHUFFLE, epoch, 0);
        uint32_t p[4];
        ss_stream_permutation(&s, 4, p);
        count[p[0] | p[1] << 2 | p[2] << 4 | p[3] << 6]++;
    }
    double chi2 = 0;
    for (int i = 0; i < 256; i++) {
        if (!count[i]) continue;
        orders++;
        chi2 += (count[i] - 1000) * (count[i] - 1000) / 1000.;
    }
    CU_ASSERT_EQUAL(orders, 24);
    CU_ASSERT(chi2 < 50); /* 23 degrees of freedom, 1e-3 at 49.7 */
}

static const ss_case cases[] = {
    {"Philox known answers", known_answers},
    {"a block is four numbers", block_is_four_numbers},
    {"streams differ by each part of their name", streams_differ},
    {"uniform moments and bins", uniform_moments},
    {"normal moments", normal_moments},
    {"normal is Box-Muller", normal_is_box_muller},
    {"a permutation is one", permutation_is_one},
    {"permutations are uniform", permutation_is_uniform},
};
SS_SUITE("random", cases)
