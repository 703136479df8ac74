/* One step of SGD and SAM against their formulas, written out again here. */
#include "fixture.h"

static const double tight = sizeof(ss_real) == sizeof(float) ? 2e-6 : 1e-14;

typedef struct setup { fixture f; ss_trainer *t; size_t p; ss_real *g, *w, *v; } setup;

static setup set_up(bool batch_norm, double dropout, const ss_train_options *o)
{
    setup s = {.f = make("mlp", "cross_entropy", batch_norm, dropout)};
    s.t = make_trainer(&s.f, o);
    s.p = s.f.net->n_params;
    s.g = vector(s.p);
    s.w = vector(s.p);
    s.v = vector(s.p);
    memcpy(s.w, s.t->theta, s.p * sizeof *s.w);
    return s;
}

static void tear_down(setup *s)
{
    ss_trainer_destroy(s->t);
    ss_free(s->g);
    ss_free(s->w);
    ss_free(s->v);
    finish(&s->f);
}

/* The reference update of w and v with gradient g, as torch.optim.SGD documents it. */
static void reference_update(setup *s, const ss_train_options *o)
{
    for (size_t i = 0; i < s->p; i++) {
        double d = (double)s->g[i] + o->weight_decay * (double)s->w[i];
        double v = o->momentum * (double)s->v[i] + d;
        double use = o->momentum == 0 ? d : o->nesterov ? d + o->momentum * v : v;
        s->v[i] = (ss_real)v;
        s->w[i] = (ss_real)((double)s->w[i] - o->learning_rate * use);
    }
}

static void sgd_follows_its_formula(void)
{
    static const struct { double momentum, decay; bool nesterov, batch_norm; double dropout; } c[] = {
        {0, 0, false, false, 0},   {0, 0.1, false, false, 0},  {0.9, 0, false, false, 0.2}, {0.9, 0.1, false, true, 0},
        {0.9, 0, true, false, 0},  {0.5, 0.05, true, true, 0.3},
    };
    for (size_t i = 0; i < sizeof c / sizeof *c; i++) {
        ss_train_options o = plain_options();
        o.momentum = c[i].momentum;
        o.weight_decay = c[i].decay;
        o.nesterov = c[i].nesterov;
        setup s = set_up(c[i].batch_norm, c[i].dropout, &o);
        for (uint32_t k = 0; k < 5; k++) {
            uint32_t index[16];
            for (uint32_t j = 0; j < 16; j++) index[j] = (j * 3 + k * 11) % N_TRAIN;
            double loss = batch_gradient(s.t, s.w, index, 16, s.g);
            reference_update(&s, &o);
            CU_ASSERT_EQUAL(ss_trainer_step(s.t, index, 16), SS_TRAIN_RUNNING);
            SS_ASSERT_NEAR(s.t->batch_loss, loss, 1e-5, 0);
            SS_ASSERT_NEAR(s.t->gradient_norm, ss_norm(s.p, s.g), 1e-4, 0);
            CU_ASSERT(distance(s.p, s.t->theta, s.w) < tight);
            CU_ASSERT_EQUAL(s.t->step, k + 1);
        }
        tear_down(&s);
    }
}

static void rho_of_zero_is_sgd_bit_for_bit(void)
{
    ss_train_options o = plain_options();
    o.momentum = 0.9;
    o.weight_decay = 0.01;
    setup s = set_up(true, 0.2, &o);
    o.sam_rho = 0;
    o.sam_m = 4;
    o.sam_update_statistics_twice = true;
    ss_trainer *sam = make_trainer(&s.f, &o);
    o.sam_rho = 1e-3;
    o.sam_m = 0;
    ss_trainer *near = make_trainer(&s.f, &o);
    for (int k = 0; k < 4; k++) {
        ss_trainer_step(s.t, NULL, 16);
        ss_trainer_step(sam, NULL, 16);
        ss_trainer_step(near, NULL, 16);
    }
    CU_ASSERT(same_bits(s.p, s.t->theta, sam->theta) && same_bits(s.p, s.t->velocity, sam->velocity));
    CU_ASSERT(same_bits(s.f.net->n_stats, s.t->stats, sam->stats));
    double apart = distance(s.p, near->theta, s.t->theta); /* SAM's path runs to SGD as rho goes to 0 */
    CU_ASSERT(apart > 0 && apart < 1e-2);
    ss_trainer_destroy(sam);
    ss_trainer_destroy(near);
    tear_down(&s);
}

/* s->g = SAM's gradient over index[first .. first+n-1] by the formula; dropout is off here but for whole batches. */
static void reference_sam(setup *s, const ss_train_options *o, const uint32_t *index, uint32_t n, ss_real *out)
{
    ss_real *a = vector(s->p), *e = vector(s->p);
    batch_gradient(s->t, s->w, index, n, a);
    double square = 0, decay = o->sam_decay_in_ascent ? o->weight_decay : 0;
    for (size_t i = 0; i < s->p; i++) {
        double d = (double)a[i] + decay * (double)s->w[i];
        square += d * d;
    }
    for (size_t i = 0; i < s->p; i++)
        e[i] = (ss_real)((double)s->w[i] + o->sam_rho * ((double)a[i] + decay * (double)s->w[i]) / (sqrt(square) + 1e-12));
    batch_gradient(s->t, e, index, n, out);
    ss_free(a);
    ss_free(e);
}

static void sam_follows_its_formula(void)
{
    static const struct { double decay, dropout; bool in_ascent, batch_norm; uint32_t m, micro; } c[] = {
        {0, 0, false, false, 0, 1000},     {0.3, 0, false, false, 0, 1000},  {0.3, 0, true, false, 0, 1000},
        {0, 0.4, false, false, 0, 1000},   {0, 0, false, true, 0, 1000},     {0, 0.4, true, true, 0, 5},
        {0.3, 0, true, false, 6, 1000},    {0, 0, false, true, 6, 1000},     {0.3, 0, false, true, 6, 4},
        {0.1, 0, true, false, 1, 1},       {0.1, 0, true, false, 16, 1000},  {0.1, 0, true, false, 99, 7},
    };
    for (size_t i = 0; i < sizeof c / sizeof *c; i++) {
        ss_train_options o = plain_options();
        o.momentum = 0.9;
        o.sam_rho = 0.5;
        o.weight_decay = c[i].decay;
        o.sam_decay_in_ascent = c[i].in_ascent;
        o.sam_m = c[i].m;
        o.micro_batch = o.ghost_batch = c[i].micro;
        setup s = set_up(c[i].batch_norm, c[i].dropout, &o);
        ss_real *part = vector(s.p), *plain = vector(s.p);
        uint32_t m = c[i].m == 0 || c[i].m > 16 ? 16 : c[i].m, index[16];
        for (int k = 0; k < 3; k++) {
            for (uint32_t j = 0; j < 16; j++) index[j] = (j * 9 + 2 + (uint32_t)k) % N_TRAIN;
            double loss = batch_gradient(s.t, s.w, index, 16, plain);
            memset(s.g, 0, s.p * sizeof *s.g);
            for (uint32_t first = 0; first < 16; first += m) {
                uint32_t n = 16 - first < m ? 16 - first : m;
                reference_sam(&s, &o, index + first, n, part);
                ss_axpy(s.p, n / 16.0, part, s.g);
            }
            CU_ASSERT(distance(s.p, s.g, plain) > 1e-3); /* the perturbation does something */
            reference_update(&s, &o);
            CU_ASSERT_EQUAL(ss_trainer_step(s.t, index, 16), SS_TRAIN_RUNNING);
            if (!(distance(s.p, s.t->theta, s.w) < 5 * tight))
                fprintf(stderr, "row %zu step %d: %g\n", i, k, distance(s.p, s.t->theta, s.w));
            CU_ASSERT(distance(s.p, s.t->theta, s.w) < 5 * tight);
            SS_ASSERT_NEAR(s.t->batch_loss, loss, 1e-5, 0);
            SS_ASSERT_NEAR(s.t->gradient_norm, ss_norm(s.p, plain), 1e-4, 0);
        }
        ss_free(part);
        ss_free(plain);
        tear_down(&s);
    }
}

static void m_of_the_batch_is_the_whole_batch(void)
{
    ss_train_options o = plain_options();
    o.sam_rho = 0.2;
    setup s = set_up(true, 0.2, &o);
    o.sam_m = 16;
    ss_trainer *m = make_trainer(&s.f, &o);
    for (int k = 0; k < 4; k++) {
        ss_trainer_step(s.t, NULL, 16);
        ss_trainer_step(m, NULL, 16);
    }
    CU_ASSERT(same_bits(s.p, s.t->theta, m->theta) && same_bits(s.f.net->n_stats, s.t->stats, m->stats));
    ss_trainer_destroy(m);
    tear_down(&s);
}

/* With a learning rate of 0 all that is left of a SAM step is going up and coming back. */
static void sam_restores_the_weights_bit_for_bit(void)
{
    static const uint32_t m[] = {0, 16, 5, 1};
    for (size_t i = 0; i < 4; i++) {
        ss_train_options o = plain_options();
        o.learning_rate = 0;
        o.sam_rho = 3;
        o.sam_m = m[i];
        setup s = set_up(false, 0.2, &o);
        for (int k = 0; k < 10; k++) CU_ASSERT_EQUAL(ss_trainer_step(s.t, NULL, 16), SS_TRAIN_RUNNING);
        CU_ASSERT(same_bits(s.p, s.t->theta, s.w));
        tear_down(&s);
    }
}

/* Running statistics see the first pass alone; with the switch, the second one too. Groups are ghost batches. */
static void statistics_of_sam(void)
{
    static const uint32_t m[] = {0, 8};
    for (size_t i = 0; i < 2; i++) {
        ss_train_options o = plain_options();
        o.ghost_batch = m[i] ? m[i] : 16;
        setup s = set_up(true, 0, &o);
        size_t n = s.f.net->n_stats;
        o.sam_rho = 0.5;
        o.sam_m = m[i];
        ss_trainer *once = make_trainer(&s.f, &o);
        o.sam_update_statistics_twice = true;
        ss_trainer *twice = make_trainer(&s.f, &o);
        ss_trainer_step(s.t, NULL, 16);
        ss_trainer_step(once, NULL, 16);
        ss_trainer_step(twice, NULL, 16);
        CU_ASSERT(n > 0);
        CU_ASSERT(same_bits(n, s.t->stats, once->stats));
        CU_ASSERT(distance(n, twice->stats, once->stats) > 1e-3);
        ss_trainer_destroy(once);
        ss_trainer_destroy(twice);
        tear_down(&s);
    }
}

/* Linear regression that fits exactly: black images of class 0, bias (1, 0, 0). */
static void no_perturbation_where_the_gradient_vanishes(void)
{
    fixture f = make("linear", "squared_error", false, 0);
    memset(f.data->train.pixels, 0, (size_t)N_TRAIN * 16);
    memset(f.data->train.labels, 0, N_TRAIN);
    ss_train_options o = plain_options();
    o.sam_rho = 0.5;
    ss_trainer *t = make_trainer(&f, &o);
    size_t p = f.net->n_params;
    ss_real *w = vector(p);
    for (size_t i = 0; i < p; i++) w[i] = (ss_real)0.25;
    for (size_t i = 0; i < f.net->n_tensors; i++)
        if (f.net->tensor[i].n_dims == 1)
            for (size_t k = 0; k < 3; k++) w[f.net->tensor[i].offset + k] = k == 0;
    memcpy(t->theta, w, p * sizeof *w);
    CU_ASSERT_EQUAL(ss_trainer_step(t, NULL, 16), SS_TRAIN_RUNNING);
    CU_ASSERT(t->gradient_norm == 0 && t->batch_loss == 0);
    CU_ASSERT(same_bits(p, t->theta, w));
    ss_free(w);
    ss_trainer_destroy(t);
    finish(&f);
}

static void divergence_comes_before_the_update(void)
{
    static const struct { double limit, poison, rho; uint32_t m; bool diverges; } c[] = {
        {1e6, 0, 0, 0, false}, {1e6, 0, 0.1, 0, false},  {1e6, 0, 0.1, 4, false}, {1e-3, 0, 0, 0, true},
        {1e-3, 0, 0.1, 0, true}, {1e-3, 0, 0.1, 4, true}, {1e6, NAN, 0, 0, true},  {1e6, NAN, 0.1, 0, true},
        {1e6, NAN, 0.1, 4, true}, {1e6, INFINITY, 0, 0, true}, {HUGE_VAL, NAN, 0, 0, true},
    };
    for (size_t i = 0; i < sizeof c / sizeof *c; i++) {
        ss_train_options o = plain_options();
        o.divergence_loss = c[i].limit;
        o.sam_rho = c[i].rho;
        o.sam_m = c[i].m;
        setup s = set_up(false, 0, &o);
        if (c[i].poison != 0) /* the last bias reaches the loss by any path */
            s.w[s.p - 1] = s.t->theta[s.p - 1] = (ss_real)c[i].poison;
        CU_ASSERT_EQUAL(ss_trainer_step(s.t, NULL, 16), c[i].diverges ? SS_TRAIN_DIVERGED : SS_TRAIN_RUNNING);
        CU_ASSERT_EQUAL(s.t->step, c[i].diverges ? 0 : 1);
        CU_ASSERT_EQUAL(same_bits(s.p, s.t->theta, s.w), c[i].diverges);
        tear_down(&s);
    }
}

static void weights_that_overflow_are_divergence(void)
{
    static const double momentum[] = {0, 0.9};
    for (size_t i = 0; i < 2; i++) {
        ss_train_options o = plain_options();
        o.learning_rate = PICK(3e38, 1.7e308);
        o.momentum = momentum[i];
        o.weight_decay = 1e6;
        setup s = set_up(false, 0, &o);
        CU_ASSERT_EQUAL(ss_trainer_step(s.t, NULL, 16), SS_TRAIN_DIVERGED);
        CU_ASSERT(isfinite(s.t->batch_loss));
        tear_down(&s);
    }
}

static const ss_case cases[] = {
    {"SGD follows its formula", sgd_follows_its_formula},
    {"rho = 0 is SGD bit for bit", rho_of_zero_is_sgd_bit_for_bit},
    {"SAM follows its formula", sam_follows_its_formula},
    {"m = the batch is the whole batch", m_of_the_batch_is_the_whole_batch},
    {"SAM restores the weights bit for bit", sam_restores_the_weights_bit_for_bit},
    {"running statistics under SAM", statistics_of_sam},
    {"no perturbation where the gradient vanishes", no_perturbation_where_the_gradient_vanishes},
    {"divergence comes before the update", divergence_comes_before_the_update},
    {"weights that overflow are divergence", weights_that_overflow_are_divergence},
};
SS_SUITE("train/step", cases)
