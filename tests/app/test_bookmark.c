/* test_bookmark.c - when a running point is saved: within a share of the time, and not more often than the interval says. */
#include "../../src/app/bookmark.h"

#include "../suite.h"

/* Whatever a save costs, and however the sizes change, all of it stays within 2 % of the time, give or take one misjudged. */
static void share_of_the_time(void)
{
    static const struct { double fixed_s, bytes_per_s; size_t training, lanczos; } disks[] = {
        {0.002, 1e9, 1 << 16, 1 << 20}, {0.02, 2e8, 80000000, 1000000000}, {0.5, 5e6, 1 << 20, 30000000}, {3, 1e9, 4096, 8192},
    };
    for (size_t d = 0; d < sizeof disks / sizeof *disks; d++) {
        ss_bookmark b;
        CU_ASSERT_EQUAL(ss_bookmark_open(&b, "/tmp/none", "id", 1, NULL, NULL), 0);
        double begin_s = b.began_s, now_s = begin_s, longest_s = 0, spent_s = 0;
        int n = 0;
        for (long step = 0; now_s - begin_s < 20000; step++) {
            size_t bytes = step / 5000 % 2 ? disks[d].lanczos : disks[d].training;
            now_s += 0.25;
            if (!ss_bookmark_is_due(&b, bytes, now_s)) continue;
            double took_s = disks[d].fixed_s + (double)bytes / disks[d].bytes_per_s;
            now_s += took_s;
            spent_s += took_s;
            longest_s = took_s > longest_s ? took_s : longest_s;
            ss_bookmark_charge(&b, bytes, took_s, now_s);
            n++;
            CU_ASSERT(spent_s <= 0.02 * (now_s - begin_s) + longest_s);
        }
        CU_ASSERT(spent_s <= 0.0205 * (now_s - begin_s) && n > 20);
        CU_ASSERT(spent_s >= 0.01 * (now_s - begin_s) || n > 19000); /* nor is the share left unused, unless by the interval */
    }
}

static void the_interval_holds(void)
{
    ss_bookmark b;
    CU_ASSERT_EQUAL(ss_bookmark_open(&b, "/tmp/none", "id", 60, NULL, NULL), 0);
    CU_ASSERT(!ss_bookmark_is_due(&b, 1000, b.began_s + 59) && ss_bookmark_is_due(&b, 1000, b.began_s + 61));
    ss_bookmark_charge(&b, 1000, 0.001, b.began_s + 61);
    CU_ASSERT(!ss_bookmark_is_due(&b, 1000, b.began_s + 120) && ss_bookmark_is_due(&b, 1000, b.began_s + 122));
    CU_ASSERT_EQUAL(ss_bookmark_open(&b, NULL, "id", 60, NULL, NULL), 0);
    CU_ASSERT(!ss_bookmark_is_due(&b, 0, b.began_s + 1e9));
}

static const ss_case cases[] = {
    {"share of the time", share_of_the_time},
    {"the interval holds", the_interval_holds},
};
SS_SUITE("app/bookmark", cases)
