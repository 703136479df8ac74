/* test_retry.c - budgets of failed points: each reason counted apart, another rank preferred, finished points forgotten. */
#include "../../src/farm/retry.h"

#include "../suite.h"

static ss_retry *make(int64_t crash, int64_t timeout, int64_t memory)
{
    ss_error error = {{0}};
    const int64_t budget[SS_N_STOP] = {[SS_STOP_CRASH] = crash, [SS_STOP_TIMEOUT] = timeout, [SS_STOP_MEMORY] = memory};
    ss_retry *r = ss_retry_create(10, budget, &error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(r);
    return r;
}

static void test_budgets(void)
{
    static const struct { int64_t reason; bool again; } story[] = {
        {SS_STOP_CRASH, true}, {SS_STOP_TIMEOUT, true}, {SS_STOP_CRASH, true}, {SS_STOP_MEMORY, false},
        {SS_STOP_CRASH, false}, {SS_STOP_TIMEOUT, false}, {SS_STOP_ERROR, false}, {SS_STOP_NONE, false}, {-1, false},
        {SS_N_STOP, false},
    };
    ss_retry *r = make(2, 1, 0);
    for (size_t i = 0; i < sizeof story / sizeof *story; i++) {
        CU_ASSERT_EQUAL(ss_retry_again(r, 4, story[i].reason, 1), story[i].again);
        CU_ASSERT_EQUAL(ss_retry_waiting(r), story[i].again);
        CU_ASSERT_EQUAL(ss_retry_next(r, 2, false), story[i].again ? 4 : -1);
    }
    CU_ASSERT(ss_retry_count(r, 4, SS_STOP_CRASH) == 3 && ss_retry_count(r, 4, SS_STOP_TIMEOUT) == 2);
    CU_ASSERT(ss_retry_count(r, 4, SS_STOP_MEMORY) == 1 && ss_retry_count(r, 5, SS_STOP_CRASH) == 0);
    CU_ASSERT(ss_retry_again(r, 5, SS_STOP_CRASH, 1)); /* another point has a budget of its own */
    for (int i = 0; i < 1000; i++) ss_retry_again(r, 4, SS_STOP_CRASH, 1);
    CU_ASSERT_FALSE(ss_retry_again(r, 4, SS_STOP_CRASH, 1)); /* a count never wraps */
    ss_retry_destroy(r);
}

static void test_elsewhere(void)
{
    ss_retry *r = make(9, 9, 9);
    CU_ASSERT_EQUAL(ss_retry_next(r, 1, true), -1);
    CU_ASSERT(ss_retry_again(r, 3, SS_STOP_CRASH, 1));
    CU_ASSERT(ss_retry_again(r, 7, SS_STOP_MEMORY, 2));
    CU_ASSERT(ss_retry_again(r, 8, SS_STOP_TIMEOUT, 1));
    CU_ASSERT_EQUAL(ss_retry_next(r, 1, false), 7);
    CU_ASSERT_EQUAL(ss_retry_next(r, 1, false), -1); /* both others failed there */
    CU_ASSERT_EQUAL(ss_retry_next(r, 1, true), 3);   /* oldest first */
    CU_ASSERT_EQUAL(ss_retry_next(r, 2, false), 8);
    CU_ASSERT_EQUAL(ss_retry_waiting(r), 0);
    ss_retry_destroy(r);
}

static void test_done(void)
{
    ss_retry *r = make(9, 9, 9);
    CU_ASSERT(ss_retry_again(r, 3, SS_STOP_CRASH, 1));
    CU_ASSERT(ss_retry_again(r, 4, SS_STOP_CRASH, 1));
    CU_ASSERT_FALSE(ss_retry_is_done(r, 3));
    ss_retry_done(r, 3);                             /* its late record came after all */
    CU_ASSERT(ss_retry_is_done(r, 3) && !ss_retry_is_done(r, 4));
    CU_ASSERT_FALSE(ss_retry_again(r, 3, SS_STOP_CRASH, 1));
    CU_ASSERT_EQUAL(ss_retry_next(r, 2, true), 4);
    CU_ASSERT_EQUAL(ss_retry_next(r, 2, true), -1);
    ss_retry_destroy(r);
    ss_retry_destroy(NULL);
}

static void test_memory(void)
{
    const int64_t budget[SS_N_STOP] = {[SS_STOP_CRASH] = 1};
    for (long n = 0;; n++) {
        ss_error error = {{0}};
        ss_alloc_fail_after(n);
        ss_retry *r = ss_retry_create(5, budget, &error);
        bool again = r && ss_retry_again(r, 1, SS_STOP_CRASH, 0);
        ss_alloc_fail_after(-1);
        if (!r) CU_ASSERT(error.text[0] != '\0');
        if (r) CU_ASSERT_EQUAL(ss_retry_waiting(r), again);
        ss_retry_destroy(r);
        if (again) break;
        CU_ASSERT_FATAL(n < 100);
    }
}

static const ss_case cases[] = {
    {"budgets", test_budgets},
    {"elsewhere", test_elsewhere},
    {"done", test_done},
    {"memory", test_memory},
};
SS_SUITE("farm, retries", cases)
