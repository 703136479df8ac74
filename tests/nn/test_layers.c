/* Single facts of single layers: known values, dropout's masks, running statistics, accuracy, losses' values. */
#include "../suite.h"

#include <math.h>

#include "../../src/nn/layer.h"
#include "nets.h"

static const double tiny = sizeof(ss_real) == sizeof(double) ? 1e-14 : 2e-6;

static void losses_by_hand(void)
{
    static const net_case ce = {"ce", {1, 1, 2}, 3, "cross_entropy", 1, .layer = {LINEAR(3)}};
    static const net_case se = {"se", {1, 1, 2}, 3, "squared_error", 1, .layer = {LINEAR(3)}};
    const net_case *both[] = {&ce, &se};
    for (int i = 0; i < 2; i++) {
        ss_error error;
        fixture f;
        CU_ASSERT_FATAL(fixture_init(&f, both[i], &error) == 0);
        memset(f.theta, 0, f.net->n_params * sizeof *f.theta);
        f.theta[6] = 1, f.theta[7] = 2, f.theta[8] = -1; /* biases are the logits */
        ss_tape_labels(f.tape)[0] = 1;
        double ce_expected = log(exp(1) + exp(2) + exp(-1)) - 2, se_expected = 0.5 * (1 + 1 + 1);
        SS_ASSERT_NEAR(loss_at(&f, f.theta, NULL), i == 0 ? ce_expected : se_expected, tiny, 1);
        fixture_finish(&f);
    }
}

/* Logits of 1e4 neither overflow nor lose the loss; NaN is never a correct prediction. */
static void extreme_logits(void)
{
    static const net_case c = {"ce", {1, 1, 2}, 3, "cross_entropy", 1, .layer = {LINEAR(3)}};
    ss_error error;
    fixture f;
    size_t correct;
    CU_ASSERT_FATAL(fixture_init(&f, &c, &error) == 0);
    memset(f.theta, 0, f.net->n_params * sizeof *f.theta);
    f.theta[6] = 10000, f.theta[7] = -10000;
    ss_tape_labels(f.tape)[0] = 1;
    SS_ASSERT_NEAR(loss_at(&f, f.theta, f.grad), 20000, 1e-7, 1);
    SS_ASSERT_NEAR(f.grad[6], 1, 1e-6, 1);
    f.theta[7] = (ss_real)NAN;
    double loss = ss_net_forward(f.net, &f.pass, f.tape, f.scratch, &correct);
    CU_ASSERT(isnan(loss));
    CU_ASSERT_EQUAL(correct, 0);
    fixture_finish(&f);
}

static const net_case drop = {"dropout", {1, 1, 1000}, 1000, "squared_error", 4,
                              .layer = {LINEAR(1000), {.type = "dropout", .p = 0.3}}};

/* With W = 0, b = 1 the logits are the mask: 0 or 1/(1-p), the right share of zeros, keyed by step and place. */
static void dropout_masks(void)
{
    ss_error error;
    fixture f;
    CU_ASSERT_FATAL(fixture_init(&f, &drop, &error) == 0);
    size_t p = f.net->n_params;
    for (size_t i = 0; i < p; i++) f.theta[i] = i >= p - 1000 ? 1 : 0;
    loss_at(&f, f.theta, NULL);
    ss_real *first = vector(4000);
    memcpy(first, f.tape->logits, 4000 * sizeof *first);
    size_t zeros = 0;
    for (size_t i = 0; i < 4000; i++) {
        zeros += first[i] == 0;
        CU_ASSERT(first[i] == 0 || fabs((double)first[i] - 1 / 0.7) < 1e-6);
    }
    CU_ASSERT(fabs((double)zeros / 4000 - 0.3) < 5 * sqrt(0.21 / 4000));
    CU_ASSERT(memcmp(first, first + 1000, 1000 * sizeof *first) != 0);
    f.pass.first++;                                   /* example i+1 of the batch is now the tape's i */
    f.pass.n = 3;
    loss_at(&f, f.theta, NULL);
    CU_ASSERT(memcmp(first + 1000, f.tape->logits, 3000 * sizeof *first) == 0);
    f.pass.step++;
    loss_at(&f, f.theta, NULL);
    CU_ASSERT(memcmp(first + 1000, f.tape->logits, 3000 * sizeof *first) != 0);
    f.pass.dropout = false;
    loss_at(&f, f.theta, NULL);
    for (size_t i = 0; i < 3000; i++) CU_ASSERT(f.tape->logits[i] == 1);
    ss_free(first);
    fixture_finish(&f);
}

/* 0.9 old + 0.1 new, variance unbiased (n/(n-1)): PyTorch's rule. */
static void running_statistics(void)
{
    static const net_case c = {"bn", {1, 1, 2}, 2, "squared_error", 4, .layer = {LAYER("batch_norm"), LINEAR(2)}};
    ss_error error;
    fixture f;
    CU_ASSERT_FATAL(fixture_init(&f, &c, &error) == 0);
    static const double x[] = {1, 10, 2, 10, 3, 10, 6, 14};
    for (size_t i = 0; i < 8; i++) ss_tape_input(f.tape)[i] = (ss_real)x[i];
    ss_real stats[4] = {1, -1, 2, 3};
    loss_at(&f, f.theta, NULL);
    ss_net_update_stats(f.net, f.tape, 4, stats);
    SS_ASSERT_NEAR(stats[0], 0.9 * 1 + 0.1 * 3, tiny, 1);
    SS_ASSERT_NEAR(stats[1], 0.9 * -1 + 0.1 * 11, tiny, 1);
    SS_ASSERT_NEAR(stats[2], 0.9 * 2 + 0.1 * 14.0 / 3, tiny, 1);
    SS_ASSERT_NEAR(stats[3], 0.9 * 3 + 0.1 * 4, tiny, 1);
    fixture_finish(&f);
}

static void accuracy_counts(void)
{
    static const net_case c = {"id", {1, 1, 3}, 3, "squared_error", 3, .layer = {LINEAR(3)}};
    ss_error error;
    fixture f;
    size_t correct;
    CU_ASSERT_FATAL(fixture_init(&f, &c, &error) == 0);
    for (size_t i = 0; i < 12; i++) f.theta[i] = i < 9 && i % 4 == 0 ? 1 : 0;
    for (size_t i = 0; i < 9; i++) ss_tape_input(f.tape)[i] = (ss_real)(i % 4 == 0 ? 5 : 1);
    ss_tape_labels(f.tape)[0] = 0, ss_tape_labels(f.tape)[1] = 1, ss_tape_labels(f.tape)[2] = 0;
    ss_net_forward(f.net, &f.pass, f.tape, f.scratch, &correct);
    CU_ASSERT_EQUAL(correct, 2);
    fixture_finish(&f);
}

static const ss_case cases[] = {{"losses by hand", losses_by_hand}, {"extreme logits", extreme_logits},
                                {"dropout's masks", dropout_masks}, {"running statistics", running_statistics},
                                {"accuracy", accuracy_counts}};
SS_SUITE("nn layers", cases)
