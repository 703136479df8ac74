/* The epoch loop: which rule stops it and when, and that stopping anywhere and going on changes no bit. */
#include "fixture.h"

typedef struct witness {
    int epochs, steps;            /* calls of the hooks */
    int stop_at, fail_epoch, fail_step;
    ss_epoch_row row[16];
} witness;

static int on_epoch(void *ctx, ss_trainer *t, const ss_epoch_row *row, ss_error *error)
{
    witness *w = ctx;
    (void)t;
    if (w->epochs < 16) w->row[w->epochs] = *row;
    return ++w->epochs == w->fail_epoch ? ss_fail(error, "no room for epoch %d", w->epochs) : 0;
}

static int on_step(void *ctx, ss_trainer *t, ss_error *error)
{
    witness *w = ctx;
    (void)t;
    return ++w->steps == w->fail_step ? ss_fail(error, "no room for step %d", w->steps) : 0;
}

static bool should_stop(void *ctx)
{
    const witness *w = ctx;
    return w->stop_at > 0 && w->steps > w->stop_at;
}

static ss_train_hooks hooks(witness *w) { return (ss_train_hooks){w, on_epoch, on_step, should_stop}; }

static void table_of_stops(void)
{
    static const struct {
        uint32_t batch;
        int64_t max_epochs, max_steps;
        double accuracy, loss, divergence, lr;
        ss_train_end end;
        int64_t epoch, step;
        int n_rows, n_on_step;
    } c[] = {
        {16, 3, -1, 0, 0, 1e6, 0.1, SS_TRAIN_MAX_EPOCHS, 3, 9, 3, 10},
        {0, 3, -1, 0, 0, 1e6, 0.1, SS_TRAIN_MAX_EPOCHS, 3, 3, 3, 4},
        {16, 0, -1, 0, 0, 1e6, 0.1, SS_TRAIN_MAX_EPOCHS, 0, 0, 0, 1},
        {16, 3, 0, 0, 0, 1e6, 0.1, SS_TRAIN_MAX_STEPS, 0, 0, 0, 1},
        {16, 3, 4, 0, 0, 1e6, 0.1, SS_TRAIN_MAX_STEPS, 1, 4, 2, 5},
        {16, 3, 6, 0, 0, 1e6, 0.1, SS_TRAIN_MAX_STEPS, 2, 6, 2, 7},
        {16, 3, 9, 0, 0, 1e6, 0.1, SS_TRAIN_MAX_EPOCHS, 3, 9, 3, 10},
        {16, 3, 10, 0, 0, 1e6, 0.1, SS_TRAIN_MAX_EPOCHS, 3, 9, 3, 10},
        {16, 3, -1, 1e-9, 0, 1e6, 0.1, SS_TRAIN_ACCURACY, 1, 3, 1, 4},
        {16, 1, -1, 1e-9, 0, 1e6, 0.1, SS_TRAIN_ACCURACY, 1, 3, 1, 4},
        {16, 3, -1, 0, 50, 1e6, 0.1, SS_TRAIN_LOSS, 1, 3, 1, 4},
        {16, 3, -1, 1e-9, 50, 1e6, 0.1, SS_TRAIN_ACCURACY, 1, 3, 1, 4},
        {16, 3, 2, 0, 50, 1e6, 0.1, SS_TRAIN_LOSS, 0, 2, 1, 3},
        {16, 3, -1, 1, 1e-9, 1e6, 1e-6, SS_TRAIN_MAX_EPOCHS, 3, 9, 3, 10},
        {16, 3, -1, 1e-9, 50, 1e-3, 0.1, SS_TRAIN_DIVERGED, 0, 0, 0, 1},
        {16, 3, -1, 1e-9, 0, 1e4, 1e7, SS_TRAIN_DIVERGED, 0, 1, 0, 2},
        {40, 3, -1, 1e-9, 0, 1e4, 1e7, SS_TRAIN_DIVERGED, 1, 1, 1, 1}, /* seen by the evaluation */
    };
    fixture f = make("mlp", "cross_entropy", false, 0);
    for (size_t i = 0; i < sizeof c / sizeof *c; i++) {
        ss_train_options o = plain_options();
        o.batch_size = c[i].batch;
        o.max_epochs = c[i].max_epochs;
        o.max_steps = c[i].max_steps;
        o.target_train_accuracy = c[i].accuracy;
        o.target_train_loss = c[i].loss;
        o.divergence_loss = c[i].divergence;
        o.learning_rate = c[i].lr;
        ss_trainer *t = make_trainer(&f, &o);
        witness w = {0};
        ss_train_hooks h = hooks(&w);
        ss_train_end end = SS_TRAIN_RUNNING;
        ss_epoch_row last;
        CU_ASSERT_EQUAL(ss_trainer_run(t, &h, &end, &last, NULL), 0);
        if (end != c[i].end || t->epoch != c[i].epoch || t->step != c[i].step || w.epochs != c[i].n_rows
            || w.steps != c[i].n_on_step)
            fprintf(stderr, "row %zu: end %d epoch %d step %d rows %d calls %d\n", i, (int)end, (int)t->epoch, (int)t->step,
                    w.epochs, w.steps);
        CU_ASSERT_EQUAL(end, c[i].end);
        CU_ASSERT(t->epoch == c[i].epoch && t->step == c[i].step);
        CU_ASSERT(w.epochs == c[i].n_rows && w.steps == c[i].n_on_step);
        CU_ASSERT(last.step == (double)t->step);
        if (w.epochs > 0) CU_ASSERT(memcmp(&last, &w.row[w.epochs - 1], sizeof last) == 0 || end == SS_TRAIN_DIVERGED);
        ss_trainer_destroy(t);
    }
    finish(&f);
}

/* Of a unit that is 0 a huge weight does not show in the loss, but its gradient overflows. SAM, which needs the norm before
 * it can look further, sees that before the update; SGD's one pass over memory sees it when the weights are no good any more:
 * either way the run has diverged, and its row keeps the finite loss and says how large the gradient was. */
static void a_gradient_that_overflows_is_divergence(void)
{
    static const struct { double rho; int64_t step; } c[] = {{0, 1}, {0.1, 0}};
    const ss_real huge = (ss_real)PICK(3e38, 1.7e308);
    fixture f = make("mlp", "cross_entropy", false, 0);
    for (size_t i = 0; i < sizeof c / sizeof *c; i++) {
        ss_train_options o = plain_options();
        o.sam_rho = c[i].rho;
        o.batch_size = 1;
        ss_trainer *t = make_trainer(&f, &o);
        uint32_t order[N_TRAIN];
        ss_trainer_order(t, 0, order);
        size_t label = f.data->train.labels[order[0]], wrong = (label + 1) % 3;
        ss_real out[3 * 8] = {0}, zero[8 * 16] = {0}, bias[3] = {0};
        for (size_t unit = 0; unit < 8; unit++) out[label * 8 + unit] = -huge, out[wrong * 8 + unit] = huge;
        bias[wrong] = 50;
        CU_ASSERT_EQUAL_FATAL(f.net->n_tensors, 4); /* of PyTorch's order: weight and bias, twice */
        CU_ASSERT_FATAL(f.net->tensor[0].size <= 8 * 16 && f.net->tensor[2].size == 3 * 8);
        ss_net_import(f.net, 0, zero, t->theta);
        ss_net_import(f.net, 1, zero, t->theta);
        ss_net_import(f.net, 2, out, t->theta);
        ss_net_import(f.net, 3, bias, t->theta);
        ss_train_end end = SS_TRAIN_RUNNING;
        ss_epoch_row last;
        CU_ASSERT_EQUAL(ss_trainer_run(t, NULL, &end, &last, NULL), 0);
        CU_ASSERT_EQUAL(end, SS_TRAIN_DIVERGED);
        CU_ASSERT(t->step == c[i].step && t->epoch == 0 && last.step == (double)c[i].step);
        CU_ASSERT(last.train_loss > 10 && last.train_loss <= 50 && !isfinite(last.gradient_norm));
        CU_ASSERT(isnan(last.train_accuracy) && isnan(last.test_loss) && isnan(last.test_accuracy));
        size_t bad = 0;
        for (size_t k = 0; k < f.net->n_params; k++) bad += isfinite(t->theta[k]) ? 0 : 1;
        CU_ASSERT_EQUAL(bad == 0, c[i].step == 0);
        ss_trainer_destroy(t);
    }
    finish(&f);
}

/* Evaluations, and with them rows and targets, come every so many epochs and at the end. */
static void evaluates_every_so_many_epochs(void)
{
    static const struct { int64_t every, max_epochs, max_steps; double loss; int n_rows; double epoch[4]; } c[] = {
        {0, 3, -1, 0, 3, {1, 2, 3}}, {1, 3, -1, 0, 3, {1, 2, 3}},   {2, 4, -1, 0, 2, {2, 4}},   {2, 5, -1, 0, 3, {2, 4, 5}},
        {9, 3, -1, 0, 1, {3}},       {3, 9, 13, 0, 2, {3, 13 / 3.0}}, {3, 9, -1, 50, 1, {3}},   {2, 3, 3, 0, 1, {1}},
    };
    fixture f = make("mlp", "cross_entropy", false, 0);
    ss_train_options o = plain_options();
    o.max_epochs = 5;
    ss_trainer *plain = make_trainer(&f, &o);
    ss_train_end end;
    ss_epoch_row last;
    CU_ASSERT_EQUAL(ss_trainer_run(plain, NULL, &end, &last, NULL), 0);
    for (size_t i = 0; i < sizeof c / sizeof *c; i++) {
        o.evaluate_every_epochs = c[i].every;
        o.max_epochs = c[i].max_epochs;
        o.max_steps = c[i].max_steps;
        o.target_train_loss = c[i].loss;
        ss_trainer *t = make_trainer(&f, &o);
        witness w = {0};
        ss_train_hooks h = hooks(&w);
        CU_ASSERT_EQUAL(ss_trainer_run(t, &h, &end, &last, NULL), 0);
        CU_ASSERT_EQUAL(w.epochs, c[i].n_rows);
        for (int k = 0; k < c[i].n_rows && k < w.epochs; k++) SS_ASSERT_NEAR(w.row[k].epoch, c[i].epoch[k], 1e-12, 0);
        if (t->epoch == 5) CU_ASSERT(same_bits(f.net->n_params, t->theta, plain->theta)); /* looking changes nothing */
        ss_trainer_destroy(t);
    }
    ss_trainer_destroy(plain);
    finish(&f);
}

static void rows_say_where_they_are(void)
{
    fixture f = make("mlp", "cross_entropy", false, 0);
    ss_train_options o = plain_options();
    o.schedule = "step";
    o.step_factor = 0.5;
    o.max_steps = 7;
    ss_trainer *t = make_trainer(&f, &o);
    witness w = {0};
    ss_train_hooks h = hooks(&w);
    ss_train_end end;
    ss_epoch_row last;
    double loss, accuracy;
    CU_ASSERT_EQUAL(ss_trainer_run(t, &h, &end, &last, NULL), 0);
    CU_ASSERT_EQUAL_FATAL(w.epochs, 3);
    static const double step[] = {3, 6, 7}, epoch[] = {1, 2, 7.0 / 3}, lr[] = {0.1, 0.05, 0.025};
    for (int i = 0; i < 3; i++) {
        CU_ASSERT_EQUAL(w.row[i].step, step[i]);
        SS_ASSERT_NEAR(w.row[i].epoch, epoch[i], 1e-12, 0);
        SS_ASSERT_NEAR(w.row[i].learning_rate, lr[i], 1e-12, 0);
        CU_ASSERT(w.row[i].gradient_norm > 0 && w.row[i].train_loss > 0 && w.row[i].test_loss > 0);
    }
    CU_ASSERT(w.row[2].train_loss < w.row[0].train_loss);
    ss_trainer_evaluate(t, &f.data->test, &loss, &accuracy);
    CU_ASSERT(last.test_loss == loss && last.test_accuracy == accuracy);
    ss_trainer_destroy(t);
    finish(&f);
}

static void hooks_can_end_it(void)
{
    static const struct { int fail_epoch, fail_step; const char *text; } c[] = {
        {1, 0, "no room for epoch 1"}, {3, 0, "no room for epoch 3"}, {0, 1, "no room for step 1"},
        {0, 10, "no room for step 10"},
    };
    fixture f = make("mlp", "cross_entropy", false, 0);
    for (size_t i = 0; i < sizeof c / sizeof *c; i++) {
        ss_train_options o = plain_options();
        ss_trainer *t = make_trainer(&f, &o);
        witness w = {.fail_epoch = c[i].fail_epoch, .fail_step = c[i].fail_step};
        ss_train_hooks h = hooks(&w);
        ss_train_end end;
        ss_epoch_row last;
        ss_error error = {""};
        CU_ASSERT_EQUAL(ss_trainer_run(t, &h, &end, &last, &error), -1);
        CU_ASSERT_STRING_EQUAL(error.text, c[i].text);
        ss_trainer_destroy(t);
    }
    finish(&f);
}

static ss_train_options rich_options(void)
{
    ss_train_options o = plain_options();
    o.batch_size = 7;
    o.momentum = 0.9;
    o.nesterov = true;
    o.weight_decay = 1e-3;
    o.sam_rho = 0.05;
    o.sam_m = 3;
    o.schedule = "cosine";
    o.warmup_epochs = 0.5;
    o.ghost_batch = 2;
    o.max_epochs = 4;
    o.evaluate_every_epochs = 2;
    return o;
}

static void same_seed_same_bits(void)
{
    fixture f = make("mlp", "cross_entropy", true, 0.2);
    ss_train_options o = rich_options();
    ss_trainer *t[3];
    ss_epoch_row last[3];
    for (int i = 0; i < 3; i++) {
        ss_train_end end;
        o.seed = i < 2 ? 5 : 6;
        t[i] = make_trainer(&f, &o);
        CU_ASSERT_EQUAL(ss_trainer_run(t[i], NULL, &end, &last[i], NULL), 0);
        CU_ASSERT_EQUAL(end, SS_TRAIN_MAX_EPOCHS);
    }
    CU_ASSERT(same_bits(f.net->n_params, t[0]->theta, t[1]->theta));
    CU_ASSERT(memcmp(&last[0], &last[1], sizeof last[0]) == 0);
    CU_ASSERT(!same_bits(f.net->n_params, t[0]->theta, t[2]->theta));
    for (int i = 0; i < 3; i++) ss_trainer_destroy(t[i]);
    finish(&f);
}

static void copy_state(const ss_trainer *from, ss_trainer *to)
{
    to->epoch = from->epoch;
    to->step = from->step;
    memcpy(to->theta, from->theta, from->net->n_params * sizeof *to->theta);
    memcpy(to->velocity, from->velocity, from->net->n_params * sizeof *to->velocity);
    memcpy(to->stats, from->stats, from->net->n_stats * sizeof *to->stats);
}

/* Interrupted after k steps, its state carried to a fresh trainer that runs to the end: as if never interrupted. */
static void goes_on_bit_for_bit(void)
{
    fixture f = make("mlp", "cross_entropy", true, 0.2);
    ss_train_options o = rich_options();
    ss_train_end end;
    ss_epoch_row whole, last;
    ss_trainer *unbroken = make_trainer(&f, &o);
    CU_ASSERT_EQUAL(ss_trainer_run(unbroken, NULL, &end, &whole, NULL), 0);
    for (int k = 1; k < 24; k++) { /* 6 steps an epoch */
        ss_trainer *a = make_trainer(&f, &o), *b = make_trainer(&f, &o);
        witness w = {.stop_at = k};
        ss_train_hooks h = hooks(&w);
        CU_ASSERT_EQUAL(ss_trainer_run(a, &h, &end, &last, NULL), 0);
        CU_ASSERT_EQUAL(end, SS_TRAIN_INTERRUPTED);
        CU_ASSERT_EQUAL(a->step, k);
        copy_state(a, b);
        ss_trainer_destroy(a);
        CU_ASSERT_EQUAL(ss_trainer_run(b, NULL, &end, &last, NULL), 0);
        CU_ASSERT_EQUAL(end, SS_TRAIN_MAX_EPOCHS);
        CU_ASSERT(same_bits(f.net->n_params, b->theta, unbroken->theta));
        CU_ASSERT(same_bits(f.net->n_stats, b->stats, unbroken->stats));
        CU_ASSERT(memcmp(&last, &whole, sizeof last) == 0);
        ss_trainer_destroy(b);
    }
    ss_trainer_destroy(unbroken);
    finish(&f);
}

/* Saved after the epoch whose evaluation ended the run, it must not train on. */
static void a_finished_trainer_stays_finished(void)
{
    static const struct { double accuracy, loss; int64_t max_epochs, max_steps; } c[] = {
        {1e-9, 0, 9, -1}, {0, 50, 9, -1}, {0, 0, 2, -1}, {0, 0, 9, 6}, {0, 0, 9, 4},
    };
    fixture f = make("mlp", "cross_entropy", true, 0);
    for (size_t i = 0; i < sizeof c / sizeof *c; i++) {
        ss_train_options o = plain_options();
        o.target_train_accuracy = c[i].accuracy;
        o.target_train_loss = c[i].loss;
        o.max_epochs = c[i].max_epochs;
        o.max_steps = c[i].max_steps;
        o.evaluate_every_epochs = 2;
        ss_trainer *a = make_trainer(&f, &o), *b = make_trainer(&f, &o);
        ss_train_end first, second;
        ss_epoch_row row_a, row_b;
        CU_ASSERT_EQUAL(ss_trainer_run(a, NULL, &first, &row_a, NULL), 0);
        copy_state(a, b);
        witness w = {0};
        ss_train_hooks h = hooks(&w);
        CU_ASSERT_EQUAL(ss_trainer_run(b, &h, &second, &row_b, NULL), 0);
        CU_ASSERT_EQUAL(first, second);
        CU_ASSERT(b->step == a->step && b->epoch == a->epoch && w.epochs == 0);
        CU_ASSERT(row_a.train_loss == row_b.train_loss && row_a.test_accuracy == row_b.test_accuracy);
        ss_trainer_destroy(a);
        ss_trainer_destroy(b);
    }
    finish(&f);
}

static void it_learns(void)
{
    fixture f = make("mlp", "cross_entropy", false, 0);
    ss_train_options o = plain_options();
    o.max_epochs = 300;
    o.momentum = 0.9;
    o.target_train_accuracy = 0.99;
    ss_trainer *t = make_trainer(&f, &o);
    ss_train_end end;
    ss_epoch_row last;
    CU_ASSERT_EQUAL(ss_trainer_run(t, NULL, &end, &last, NULL), 0);
    CU_ASSERT_EQUAL(end, SS_TRAIN_ACCURACY);
    CU_ASSERT(last.train_accuracy >= 0.99 && t->epoch < 300);
    ss_trainer_destroy(t);
    finish(&f);
}

static const ss_case cases[] = {
    {"a table of stops", table_of_stops},
    {"a gradient that overflows is divergence", a_gradient_that_overflows_is_divergence},
    {"evaluates every so many epochs", evaluates_every_so_many_epochs}, {"rows say where they are", rows_say_where_they_are},
    {"hooks can end it", hooks_can_end_it}, {"same seed, same bits", same_seed_same_bits},
    {"goes on bit for bit", goes_on_bit_for_bit},
    {"a finished trainer stays finished", a_finished_trainer_stays_finished}, {"it learns", it_learns},
};
SS_SUITE("train/run", cases)
