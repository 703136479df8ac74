/* test_outlook.c - what the store tells of times: measured points for the cost model, running points for `status`. */
#include "fixture.h"

#include "../../src/store/entry.h"

static const char first_job[] = "data: {dataset: synthetic}\ngrid: {learning_rate: [0.1, 0.2, 0.3], batch_size: [8, full]}\n";
static const char second_job[] = "data: {dataset: synthetic}\ngrid: {learning_rate: [0.4, 0.5], batch_size: [8, full]}\n";

typedef struct sampled { size_t n; double rate_sum; size_t n_full; double lambda_sum; } sampled;

static void take(void *ctx, const ss_settings *s, const ss_record *record)
{
    sampled *t = ctx;
    t->n++;
    t->rate_sum += s->learning_rate;
    t->n_full += s->batch_size == SS_WORD;
    t->lambda_sum += record->lambda_max;
}

/* Finished rows of the job at hand and of an earlier one, with their own settings; failed and waiting ones are none. */
static void test_sample(void)
{
    fixture f;
    ss_error error = {{0}};
    sampled t = {0};
    make_folder();
    must_open(&f, first_job);
    must_keep(&f, 0, SS_DONE, 1);
    must_keep(&f, 3, SS_DIVERGED, 2);
    must_keep(&f, 4, SS_FAILED, 3);
    end(&f);
    must_open(&f, second_job);
    must_keep(&f, 2, SS_EPOCH_LIMIT, 4);
    CU_ASSERT_EQUAL(ss_store_sample(f.store, 100, take, &t, &error), 0);
    CU_ASSERT_EQUAL(t.n, 3);
    SS_ASSERT_NEAR(t.rate_sum, 0.1 + 0.2 + 0.5, 1e-12, 0);
    CU_ASSERT_EQUAL(t.n_full, 1);
    SS_ASSERT_NEAR(t.lambda_sum, (1.1 + 2.1 + 4.1) / 3, 1e-12, 0);
    t = (sampled){0};
    CU_ASSERT_EQUAL(ss_store_sample(f.store, 1, take, &t, &error), 0);
    CU_ASSERT_EQUAL(t.n, 1);
    t = (sampled){0};
    CU_ASSERT_EQUAL(ss_store_sample(f.store, 0, take, &t, &error), 0);
    CU_ASSERT(t.n <= 1);
    end(&f);
    remove_folder();
}

static void test_running(void)
{
    fixture f;
    ss_error error = {{0}};
    make_folder();
    must_open(&f, first_job);
    must_keep(&f, 0, SS_DONE, 1);
    CU_ASSERT_EQUAL(ss_store_start(f.store, 1, 7, &error), 0);
    ss_results *r = ss_results_open(results, &error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(r);
    CU_ASSERT(r->running[1] && r->worker[1] == 7 && r->running_s[1] >= 0 && r->running_s[1] < 60);
    CU_ASSERT(!r->running[0] && r->worker[0] == 1 && isnan(r->running_s[0]));
    CU_ASSERT(!r->running[2] && r->worker[2] == -1 && isnan(r->running_s[2]));
    CU_ASSERT(r->session_s >= 0 && r->session_s < 60);
    ss_results_destroy(r);
    end(&f);
    r = ss_results_open(results, &error); /* the writer is gone */
    CU_ASSERT_PTR_NOT_NULL_FATAL(r);
    CU_ASSERT(!r->running[1] && isnan(r->running_s[1]));
    ss_results_destroy(r);
    remove_folder();
}

/* A START entry as the first programs wrote it has no time; cut anywhere else it is none. */
static void test_old_start(void)
{
    ss_start_entry e = {.worker = 3, .count = 2, .time = 1234567890}, back;
    ss_bytes b = {0};
    ss_start_entry_encode(&e, &b);
    CU_ASSERT_EQUAL(ss_start_entry_decode(b.p, b.n, &back), 0);
    CU_ASSERT(back.worker == 3 && back.count == 2 && back.time == 1234567890);
    for (size_t n = 0; n < b.n; n++) {
        int rc = ss_start_entry_decode(b.p, n, &back);
        CU_ASSERT_EQUAL(rc, n == SS_ID_RAW + 8 ? 0 : -1);
        if (rc == 0) CU_ASSERT(back.worker == 3 && back.count == 2 && back.time == 0);
    }
    ss_bytes_finish(&b);
}

static const ss_case cases[] = {
    {"sample", test_sample},
    {"running", test_running},
    {"old start", test_old_start},
};
SS_SUITE("store/outlook", cases)
