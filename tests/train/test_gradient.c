/* The batch gradient: accumulated from micro-batches or ghost batches it is what its definition says. */
#include "fixture.h"

static void index_range(uint32_t *index, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) index[i] = (i * 7 + 3) % N_TRAIN;
}

/* Without coupling of examples, any micro-batch gives the gradient of one pass, dropout masks included. */
static void micro_batches_do_not_matter(void)
{
    static const uint32_t micro[] = {1, 3, 8, 16, 39, 40, 41, 0};
    for (int dropout = 0; dropout < 2; dropout++) {
        fixture f = make("mlp", "cross_entropy", false, dropout ? 0.4 : 0);
        size_t p = f.net->n_params;
        ss_real *whole = vector(p), *parts = vector(p);
        uint32_t index[N_TRAIN];
        index_range(index, N_TRAIN);
        ss_train_options o = plain_options();
        o.batch_size = 0;
        ss_trainer *t = make_trainer(&f, &o);
        double loss = batch_gradient(t, t->theta, index, N_TRAIN, whole);
        for (size_t i = 0; i < sizeof micro / sizeof *micro; i++) {
            o.micro_batch = micro[i];
            ss_trainer *u = make_trainer(&f, &o);
            double again = batch_gradient(u, u->theta, index, N_TRAIN, parts);
            SS_ASSERT_NEAR(again, loss, PICK(1e-6, 1e-14), 0);
            CU_ASSERT(distance(p, parts, whole) < PICK(1e-6, 1e-14));
            ss_trainer_destroy(u);
        }
        ss_trainer_destroy(t);
        ss_free(whole);
        ss_free(parts);
        finish(&f);
    }
}

/* Examples weigh the same whatever pass they come in: 40 = 16 + 16 + 8 ghost batches. */
static void ghost_batches_weigh_by_examples(void)
{
    fixture f = make("mlp", "cross_entropy", true, 0);
    size_t p = f.net->n_params;
    ss_real *whole = vector(p), *part = vector(p), *mean = vector(p);
    uint32_t index[N_TRAIN];
    index_range(index, N_TRAIN);
    ss_train_options o = plain_options();
    o.batch_size = 0;
    ss_trainer *big = make_trainer(&f, &o);
    o.ghost_batch = 16;
    ss_trainer *t = make_trainer(&f, &o);
    double loss = batch_gradient(t, t->theta, index, N_TRAIN, whole), expected = 0;
    for (uint32_t first = 0; first < N_TRAIN; first += 16) {
        uint32_t n = N_TRAIN - first < 16 ? N_TRAIN - first : 16;
        expected += batch_gradient(t, t->theta, index + first, n, part) * n / N_TRAIN;
        ss_axpy(p, (double)n / N_TRAIN, part, mean);
    }
    SS_ASSERT_NEAR(loss, expected, PICK(1e-6, 1e-14), 0);
    CU_ASSERT(distance(p, whole, mean) < PICK(1e-6, 1e-14));
    batch_gradient(big, big->theta, index, N_TRAIN, part);
    CU_ASSERT(distance(p, whole, part) > 1e-3); /* other statistics, another function */
    ss_trainer_destroy(t);
    ss_trainer_destroy(big);
    ss_free(whole);
    ss_free(part);
    ss_free(mean);
    finish(&f);
}

/* With SAM's m, a ghost batch ends where its group ends: m = 10, ghost 8 is 8 + 2, four times. */
static void ghost_batches_stay_in_their_group(void)
{
    fixture f = make("mlp", "cross_entropy", true, 0);
    size_t p = f.net->n_params;
    ss_real *whole = vector(p), *part = vector(p), *mean = vector(p);
    uint32_t index[N_TRAIN];
    index_range(index, N_TRAIN);
    ss_train_options o = plain_options();
    o.batch_size = 0;
    o.ghost_batch = 8;
    o.sam_rho = 0.1;
    o.sam_m = 10;
    ss_trainer *t = make_trainer(&f, &o);
    batch_gradient(t, t->theta, index, N_TRAIN, whole);
    for (uint32_t first = 0; first < N_TRAIN; first += first % 10 == 0 ? 8 : 2) {
        uint32_t n = first % 10 == 0 ? 8 : 2;
        batch_gradient(t, t->theta, index + first, n, part);
        ss_axpy(p, (double)n / N_TRAIN, part, mean);
    }
    CU_ASSERT(distance(p, whole, mean) < PICK(1e-6, 1e-14));
    ss_trainer_destroy(t);
    ss_free(whole);
    ss_free(part);
    ss_free(mean);
    finish(&f);
}

static void agrees_with_differences_of_the_loss(void)
{
    fixture f = make("mlp", "cross_entropy", true, 0.3);
    size_t p = f.net->n_params;
    ss_real *g = vector(p), *w = vector(p), *unused = vector(p);
    ss_train_options o = plain_options();
    o.ghost_batch = 6;
    ss_trainer *t = make_trainer(&f, &o);
    double h = PICK(1e-2, 1e-5);
    batch_gradient(t, t->theta, NULL, 16, g);
    for (size_t i = 0; i < p; i += 5) {
        memcpy(w, t->theta, p * sizeof *w);
        w[i] = (ss_real)((double)t->theta[i] + h);
        double up = batch_gradient(t, w, NULL, 16, unused);
        w[i] = (ss_real)((double)t->theta[i] - h);
        double down = batch_gradient(t, w, NULL, 16, unused);
        SS_ASSERT_NEAR((up - down) / (2 * h), g[i], PICK(2e-2, 1e-7), PICK(1e-2, 1e-2));
    }
    ss_trainer_destroy(t);
    ss_free(g);
    ss_free(w);
    ss_free(unused);
    finish(&f);
}

static void changes_nothing(void)
{
    fixture f = make("mlp", "cross_entropy", true, 0.3);
    size_t p = f.net->n_params;
    ss_real *theta = vector(p), *stats = vector(f.net->n_stats), *g = vector(p), *again = vector(p);
    ss_train_options o = plain_options();
    o.ghost_batch = 5;
    ss_trainer *t = make_trainer(&f, &o);
    ss_trainer_step(t, NULL, 16);
    memcpy(theta, t->theta, p * sizeof *theta);
    memcpy(stats, t->stats, f.net->n_stats * sizeof *stats);
    double loss = t->batch_loss;
    CU_ASSERT(batch_gradient(t, t->theta, NULL, 16, g) > 0);
    CU_ASSERT(same_bits(p, theta, t->theta) && same_bits(f.net->n_stats, stats, t->stats));
    CU_ASSERT(t->step == 1 && t->batch_loss == loss);
    batch_gradient(t, t->theta, NULL, 16, again);
    CU_ASSERT(same_bits(p, g, again));
    t->step = 2; /* other masks */
    batch_gradient(t, t->theta, NULL, 16, again);
    CU_ASSERT(distance(p, g, again) > 1e-3);
    ss_trainer_destroy(t);
    ss_free(theta);
    ss_free(stats);
    ss_free(g);
    ss_free(again);
    finish(&f);
}

static const ss_case cases[] = {
    {"micro-batches do not matter", micro_batches_do_not_matter},
    {"ghost batches weigh by their examples", ghost_batches_weigh_by_examples},
    {"ghost batches stay in their group", ghost_batches_stay_in_their_group},
    {"agrees with differences of the loss", agrees_with_differences_of_the_loss},
    {"changes nothing, and is a function of the step", changes_nothing},
};
SS_SUITE("train/gradient", cases)
