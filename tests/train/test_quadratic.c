/* A linear layer with squared error is a quadratic whose Hessian is known: for each class the second moments of (x, 1).
 * On it gradient descent and its momentum variants are stable exactly up to their edges, and SAM ends in a 2-cycle on the
 * top eigenvector whose amplitude is known (Long & Bartlett 2023; Bartlett, Long & Bousquet 2023). */
#include "fixture.h"
#include "lapack.h"

enum { PIXELS = 16, D = PIXELS + 1 };

/* Largest eigenvalue of the second moments, from LAPACK. */
static double dense_lambda(const ss_dataset *data)
{
    ss_real x[N_TRAIN * PIXELS];
    uint8_t label[N_TRAIN];
    double a[D * D] = {0}, w[D];
    ss_dataset_batch(data, &data->train, NULL, 0, N_TRAIN, x, label);
    for (int e = 0; e < N_TRAIN; e++)
        for (int i = 0; i < D; i++)
            for (int j = 0; j < D; j++) {
                double xi = i < PIXELS ? (double)x[e * PIXELS + i] : 1, xj = j < PIXELS ? (double)x[e * PIXELS + j] : 1;
                a[i * D + j] += xi * xj / N_TRAIN;
            }
    CU_ASSERT_EQUAL_FATAL(lapack_eigen(D, a, w), 0);
    return w[D - 1];
}

static ss_train_options full_batch(double learning_rate)
{
    ss_train_options o = plain_options();
    o.batch_size = 0;
    o.learning_rate = learning_rate;
    o.divergence_loss = 1e12;
    return o;
}

/* Loss after 400 full-batch steps over the loss at the start. */
static double growth(const fixture *f, const ss_train_options *o)
{
    ss_trainer *t = make_trainer(f, o);
    double first = 0;
    for (int i = 0; i < 400; i++) {
        if (ss_trainer_step(t, NULL, N_TRAIN) != SS_TRAIN_RUNNING) break;
        if (i == 0) first = t->batch_loss;
    }
    double ratio = t->batch_loss / first;
    ss_trainer_destroy(t);
    return ratio;
}

/* lr lambda at the edge: 2; 2 + 2 beta (Polyak); (2 + 2 beta) / (1 + 2 beta) (Nesterov) (Cohen et al. 2021, appendix B). */
static void edges_of_stability(void)
{
    static const struct { double momentum; bool nesterov; double edge; } c[] = {
        {0, false, 2}, {0.5, false, 3}, {0.9, false, 3.8}, {0.5, true, 1.5}, {0.9, true, 3.8 / 2.8},
    };
    fixture f = make("linear", "squared_error", false, 0);
    double lambda = dense_lambda(f.data);
    for (size_t i = 0; i < sizeof c / sizeof *c; i++) {
        ss_train_options o = full_batch(0.97 * c[i].edge / lambda);
        o.momentum = c[i].momentum;
        o.nesterov = c[i].nesterov;
        double below = growth(&f, &o);
        o.learning_rate = 1.03 * c[i].edge / lambda;
        double above = growth(&f, &o);
        if (!(below < 1 && above > 10)) fprintf(stderr, "row %zu: %g below the edge, %g above\n", i, below, above);
        CU_ASSERT(below < 1);
        CU_ASSERT(above > 10);
    }
    finish(&f);
}

/* Weight decay adds its own curvature: the edge is at lr (lambda + decay) = 2. */
static void weight_decay_moves_the_edge(void)
{
    fixture f = make("linear", "squared_error", false, 0);
    double lambda = dense_lambda(f.data), decay = 0.5 * lambda;
    ss_train_options o = full_batch(1.94 / lambda);
    CU_ASSERT(growth(&f, &o) < 1);
    o.weight_decay = decay;
    CU_ASSERT(growth(&f, &o) > 10);
    o.learning_rate = 1.94 / (lambda + decay);
    CU_ASSERT(growth(&f, &o) < 2);
    finish(&f);
}

typedef struct cycle { double amplitude, gradient, turn; } cycle;

/* Where SAM ends: half the distance of two iterates, the gradient's norm there, and cos of the angle of one step to the
 * next. */
static cycle find_cycle(const fixture *f, const ss_train_options *o)
{
    ss_trainer *t = make_trainer(f, o);
    size_t p = f->net->n_params;
    ss_real *a = vector(p), *b = vector(p), *c = vector(p);
    for (int i = 0; i < 6000; i++) CU_ASSERT_EQUAL_FATAL(ss_trainer_step(t, NULL, N_TRAIN), SS_TRAIN_RUNNING);
    memcpy(a, t->theta, p * sizeof *a);
    ss_trainer_step(t, NULL, N_TRAIN);
    memcpy(b, t->theta, p * sizeof *b);
    ss_trainer_step(t, NULL, N_TRAIN);
    memcpy(c, t->theta, p * sizeof *c);
    ss_axpy(p, -1, b, a); /* a - b */
    ss_axpy(p, -1, b, c); /* c - b */
    cycle result = {.amplitude = ss_norm(p, a) / 2, .gradient = t->gradient_norm,
                    .turn = ss_dot(p, a, c) / (ss_norm(p, a) * ss_norm(p, c))};
    ss_free(a);
    ss_free(b);
    ss_free(c);
    ss_trainer_destroy(t);
    return result;
}

static void sam_ends_in_a_2_cycle(void)
{
    static const struct { double lr_lambda, rho; } c[] = {{0.5, 0.1}, {1.0, 0.05}, {1.5, 0.2}};
    fixture f = make("linear", "squared_error", false, 0);
    double lambda = dense_lambda(f.data), tolerance = PICK(2e-3, 1e-4);
    for (size_t i = 0; i < sizeof c / sizeof *c; i++) {
        double lr = c[i].lr_lambda / lambda, rho = c[i].rho;
        ss_train_options o = full_batch(lr);
        o.sam_rho = rho;
        cycle got = find_cycle(&f, &o);
        double edge = got.gradient / (2 * rho) * (sqrt(1 + 8 * rho / (lr * got.gradient)) - 1);
        SS_ASSERT_NEAR(got.amplitude, lr * lambda * rho / (2 - lr * lambda), tolerance, 0);
        SS_ASSERT_NEAR(got.gradient, lambda * got.amplitude, tolerance, 0);
        SS_ASSERT_NEAR(edge, lambda, tolerance, 0);
        SS_ASSERT_NEAR(got.turn, 1, tolerance, 0); /* back where it came from */
    }
    finish(&f);
}

static const ss_case cases[] = {
    {"edges of stability: plain, Polyak, Nesterov", edges_of_stability},
    {"weight decay moves the edge", weight_decay_moves_the_edge},
    {"SAM ends in a 2-cycle on the top eigenvector", sam_ends_in_a_2_cycle},
};
SS_SUITE("train/quadratic", cases)
