/* Evaluation: eval mode, mean over examples, whatever the chunks. */
#include "fixture.h"

static void zero_weights_guess(void)
{
    fixture f = make("mlp", "cross_entropy", false, 0.5);
    ss_train_options o = plain_options();
    ss_trainer *t = make_trainer(&f, &o);
    memset(t->theta, 0, f.net->n_params * sizeof *t->theta);
    t->theta[f.net->n_params - 2] = 1; /* last bias: class 1 always wins */
    double loss, accuracy, expected = 0;
    size_t ones = 0;
    for (uint32_t i = 0; i < f.data->train.n; i++) {
        ones += f.data->train.labels[i] == 1;
        expected += log(2 + exp(1)) - (f.data->train.labels[i] == 1);
    }
    ss_trainer_evaluate(t, &f.data->train, &loss, &accuracy);
    SS_ASSERT_NEAR(loss, expected / f.data->train.n, PICK(1e-6, 1e-13), 0);
    SS_ASSERT_NEAR(accuracy, (double)ones / f.data->train.n, 1e-15, 0);
    CU_ASSERT(ones > 0 && ones < f.data->train.n);
    ss_trainer_destroy(t);
    finish(&f);
}

static void chunks_do_not_matter(void)
{
    static const uint32_t micro[] = {1, 7, 39, 40, 1000, 0};
    fixture f = make("mlp", "cross_entropy", true, 0.5);
    ss_train_options o = plain_options();
    double loss = 0, accuracy = 0;
    for (size_t i = 0; i < sizeof micro / sizeof *micro; i++) {
        o.micro_batch = micro[i];
        ss_trainer *t = make_trainer(&f, &o);
        double l, a;
        ss_trainer_evaluate(t, &f.data->train, &l, &a);
        if (i > 0) SS_ASSERT_NEAR(l, loss, PICK(1e-6, 1e-14), 0);
        if (i > 0) CU_ASSERT_EQUAL(a, accuracy);
        loss = l;
        accuracy = a;
        ss_trainer_destroy(t);
    }
    finish(&f);
}

/* Eval mode reads the running statistics and writes nothing. */
static void uses_running_statistics(void)
{
    fixture f = make("mlp", "cross_entropy", true, 0.5);
    ss_train_options o = plain_options();
    ss_trainer *t = make_trainer(&f, &o);
    double before, after, accuracy;
    ss_trainer_step(t, NULL, 16);
    ss_real *stats = vector(f.net->n_stats);
    memcpy(stats, t->stats, f.net->n_stats * sizeof *stats);
    ss_trainer_evaluate(t, &f.data->test, &before, &accuracy);
    CU_ASSERT(same_bits(f.net->n_stats, stats, t->stats));
    CU_ASSERT_EQUAL(t->step, 1);
    for (size_t i = 0; i < f.net->n_stats; i++) t->stats[i] *= 2;
    ss_trainer_evaluate(t, &f.data->test, &after, &accuracy);
    CU_ASSERT(fabs(before - after) > 1e-4);
    ss_free(stats);
    ss_trainer_destroy(t);
    finish(&f);
}

static void an_empty_split_is_nan(void)
{
    fixture f = make("mlp", "cross_entropy", false, 0);
    ss_train_options o = plain_options();
    ss_trainer *t = make_trainer(&f, &o);
    ss_split empty = f.data->test;
    double loss = 0, accuracy = 0;
    empty.n = 0;
    ss_trainer_evaluate(t, &empty, &loss, &accuracy);
    CU_ASSERT(isnan(loss) && isnan(accuracy));
    ss_trainer_destroy(t);
    finish(&f);
}

static const ss_case cases[] = {
    {"constant logits", zero_weights_guess}, {"chunks do not matter", chunks_do_not_matter},
    {"uses running statistics, writes nothing", uses_running_statistics}, {"an empty split is NaN", an_empty_split_is_nan},
};
SS_SUITE("train/evaluate", cases)
