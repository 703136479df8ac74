/* Learning rates against a table worked out by hand. */
#include "fixture.h"

static void table_of_rates(void)
{
    static const struct {
        const char *schedule;
        double step_epochs, factor, warmup;
        int64_t max_epochs, max_steps, step, per_epoch;
        double expected;
    } c[] = {
        {"constant", 1, 1, 0, 5, -1, 0, 10, 2.0},     {"constant", 1, 1, 0, 5, -1, 999, 10, 2.0},
        {"constant", 1, 1, 2, 5, -1, 0, 10, 0.1},     {"constant", 1, 1, 2, 5, -1, 9, 10, 1.0},
        {"constant", 1, 1, 2, 5, -1, 19, 10, 2.0},    {"constant", 1, 1, 2, 5, -1, 20, 10, 2.0},
        {"constant", 1, 1, 0.5, 5, -1, 1, 10, 0.8},   {"constant", 1, 1, 1, 5, -1, 0, 1, 2.0},
        {"step", 2, 0.1, 0, 9, -1, 0, 10, 2.0},       {"step", 2, 0.1, 0, 9, -1, 19, 10, 2.0},
        {"step", 2, 0.1, 0, 9, -1, 20, 10, 0.2},      {"step", 2, 0.1, 0, 9, -1, 59, 10, 0.02},
        {"step", 2, 0.1, 0, 9, -1, 60, 10, 0.002},    {"step", 0.1, 0.5, 0, 9, -1, 8, 30, 0.5},
        {"step", 0.1, 0.5, 0, 9, -1, 9, 30, 0.25},    {"step", 1, 0.5, 1, 9, -1, 10, 10, 1.0},
        {"step", 3, 1, 0, 9, -1, 80, 10, 2.0},        {"cosine", 1, 1, 0, 4, -1, 0, 10, 2.0},
        {"cosine", 1, 1, 0, 4, -1, 20, 10, 1.0},      {"cosine", 1, 1, 0, 4, -1, 10, 10, 1.7071067811865475},
        {"cosine", 1, 1, 0, 4, -1, 40, 10, 0.0},      {"cosine", 1, 1, 0, 4, 20, 10, 10, 1.0},
        {"cosine", 1, 1, 0, 4, 200, 20, 10, 1.0},     {"cosine", 1, 1, 4, 4, -1, 19, 10, 0.5392295478637217},
    };
    for (size_t i = 0; i < sizeof c / sizeof *c; i++) {
        ss_train_options o = plain_options();
        o.learning_rate = 2;
        o.schedule = c[i].schedule;
        o.step_epochs = c[i].step_epochs;
        o.step_factor = c[i].factor;
        o.warmup_epochs = c[i].warmup;
        o.max_epochs = c[i].max_epochs;
        o.max_steps = c[i].max_steps;
        double got = ss_learning_rate(&o, c[i].step, c[i].per_epoch);
        if (!(fabs(got - c[i].expected) <= 1e-12)) fprintf(stderr, "row %zu: ", i);
        SS_ASSERT_NEAR(got, c[i].expected, 1e-12, 1);
    }
}

static void cosine_falls_all_the_way(void)
{
    ss_train_options o = plain_options();
    o.schedule = "cosine";
    o.max_epochs = 7;
    double before = 1e9;
    for (int64_t step = 0; step < 7 * 13; step++) {
        double now = ss_learning_rate(&o, step, 13);
        CU_ASSERT(now < before && now > 0);
        before = now;
    }
}

static const ss_case cases[] = {
    {"a table of rates", table_of_rates}, {"cosine falls at every step and stays positive", cosine_falls_all_the_way},
};
SS_SUITE("train/schedule", cases)
