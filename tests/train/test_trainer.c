/* A trainer's life: sizes, order of the examples, initial weights, memory running out. */
#include "fixture.h"

static void steps_per_epoch(void)
{
    static const struct { uint32_t batch; size_t steps; } c[] = {
        {0, 1}, {1, 40}, {7, 6}, {10, 4}, {16, 3}, {39, 2}, {40, 1}, {41, 1}, {100000, 1},
    };
    fixture f = make("mlp", "cross_entropy", false, 0);
    for (size_t i = 0; i < sizeof c / sizeof *c; i++) {
        ss_train_options o = plain_options();
        o.batch_size = c[i].batch;
        ss_trainer *t = make_trainer(&f, &o);
        CU_ASSERT_EQUAL(ss_trainer_steps_per_epoch(t), c[i].steps);
        ss_trainer_destroy(t);
    }
    finish(&f);
}

static void order_is_a_permutation_of_seed_and_epoch(void)
{
    fixture f = make("mlp", "cross_entropy", false, 0);
    ss_train_options o = plain_options();
    ss_trainer *t = make_trainer(&f, &o);
    o.seed = 6;
    ss_trainer *other = make_trainer(&f, &o);
    uint32_t a[N_TRAIN], b[N_TRAIN];
    for (int64_t epoch = 0; epoch < 5; epoch++) {
        bool seen[N_TRAIN] = {false};
        ss_trainer_order(t, epoch, a);
        for (int i = 0; i < N_TRAIN; i++) {
            CU_ASSERT(a[i] < N_TRAIN && !seen[a[i]]);
            seen[a[i]] = true;
        }
        ss_trainer_order(t, epoch, b);
        CU_ASSERT(memcmp(a, b, sizeof a) == 0);
        ss_trainer_order(t, epoch + 1, b);
        CU_ASSERT(memcmp(a, b, sizeof a) != 0);
        ss_trainer_order(other, epoch, b);
        CU_ASSERT(memcmp(a, b, sizeof a) != 0);
    }
    ss_trainer_destroy(t);
    ss_trainer_destroy(other);
    finish(&f);
}

static void full_batches_keep_the_order(void)
{
    static const uint32_t batch[] = {0, N_TRAIN, N_TRAIN + 1};
    fixture f = make("mlp", "cross_entropy", false, 0);
    for (size_t i = 0; i < 3; i++) {
        ss_train_options o = plain_options();
        o.batch_size = batch[i];
        ss_trainer *t = make_trainer(&f, &o);
        uint32_t order[N_TRAIN];
        ss_trainer_order(t, 3, order);
        for (uint32_t k = 0; k < N_TRAIN; k++) CU_ASSERT_EQUAL(order[k], k);
        ss_trainer_destroy(t);
    }
    finish(&f);
}

static void starts_from_the_network_s_initial_weights(void)
{
    fixture f = make("mlp", "cross_entropy", true, 0);
    size_t p = f.net->n_params;
    ss_real *theta = vector(p), *stats = vector(f.net->n_stats), *zero = vector(p);
    ss_train_options o = plain_options();
    static const char *const scheme[] = {NULL, "pytorch", "study"};
    for (size_t i = 0; i < 3; i++) {
        o.init = scheme[i];
        ss_trainer *t = make_trainer(&f, &o);
        ss_net_init(f.net, scheme[i] ? scheme[i] : "pytorch", o.seed, theta, stats);
        CU_ASSERT(same_bits(p, theta, t->theta));
        CU_ASSERT(same_bits(f.net->n_stats, stats, t->stats));
        CU_ASSERT(same_bits(p, zero, t->velocity));
        CU_ASSERT(t->epoch == 0 && t->step == 0);
        ss_trainer_destroy(t);
    }
    ss_free(theta);
    ss_free(stats);
    ss_free(zero);
    finish(&f);
}

/* Allocation 0, then 1, then 2 ... fails until a create succeeds; each failure is an error with a sentence. */
static void survives_every_failed_allocation(void)
{
    fixture f = make("mlp", "cross_entropy", true, 0.1);
    ss_train_options o = plain_options();
    o.sam_rho = 0.1;
    o.sam_m = 8;
    o.ghost_batch = 4;
    ss_trainer *t = NULL;
    long n = 0;
    for (; !t && n < 1000; n++) {
        ss_error error = {""};
        ss_alloc_fail_after(n);
        t = ss_trainer_create(f.net, f.data, &o, &error);
        ss_alloc_fail_after(-1);
        CU_ASSERT(t || error.text[0] != '\0');
    }
    CU_ASSERT_PTR_NOT_NULL(t);
    CU_ASSERT(n > 10);
    ss_trainer_destroy(t);
    ss_trainer_destroy(NULL);
    finish(&f);
}

/* Everything is sized by create: with no allocation left, steps and evaluations still run. */
static void steps_do_not_allocate(void)
{
    static const struct { double rho; uint32_t m; } c[] = {{0, 0}, {0.1, 0}, {0.1, 5}};
    fixture f = make("mlp", "cross_entropy", true, 0.1);
    for (size_t i = 0; i < 3; i++) {
        ss_train_options o = plain_options();
        o.ghost_batch = 4;
        o.sam_rho = c[i].rho;
        o.sam_m = c[i].m;
        ss_trainer *t = make_trainer(&f, &o);
        ss_train_end end = SS_TRAIN_RUNNING;
        ss_epoch_row last;
        ss_alloc_fail_after(0);
        CU_ASSERT_EQUAL(ss_trainer_run(t, NULL, &end, &last, NULL), 0);
        ss_alloc_fail_after(-1);
        CU_ASSERT_EQUAL(end, SS_TRAIN_MAX_EPOCHS);
        CU_ASSERT(isfinite(last.train_loss));
        ss_trainer_destroy(t);
    }
    finish(&f);
}

static const ss_case cases[] = {
    {"steps per epoch", steps_per_epoch},
    {"the order is a permutation keyed by seed and epoch", order_is_a_permutation_of_seed_and_epoch},
    {"full batches keep the order", full_batches_keep_the_order},
    {"starts from the network's initial weights", starts_from_the_network_s_initial_weights},
    {"survives every failed allocation", survives_every_failed_allocation},
    {"steps do not allocate", steps_do_not_allocate},
};
SS_SUITE("train/trainer", cases)
