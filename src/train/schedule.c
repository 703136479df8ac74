/* schedule.c - the learning rate as a pure function of the step. */
#include "sharpsweep/train.h"

#include <assert.h>
#include <math.h>
#include <string.h>

/* Steps that the run takes if nothing stops it before its limits. */
static double total_steps(const ss_train_options *o, int64_t steps_per_epoch)
{
    double by_epochs = (double)o->max_epochs * (double)steps_per_epoch;
    return o->max_steps >= 0 && (double)o->max_steps < by_epochs ? (double)o->max_steps : by_epochs;
}

typedef double factor_fn(const ss_train_options *o, double step, int64_t steps_per_epoch);

static double factor_constant(const ss_train_options *o, double step, int64_t steps_per_epoch)
{
    (void)o;
    (void)step;
    (void)steps_per_epoch;
    return 1;
}

static double factor_step(const ss_train_options *o, double step, int64_t steps_per_epoch)
{
    double length = o->step_epochs * (double)steps_per_epoch;
    if (!(length > 0)) return 1;
    return pow(o->step_factor, floor(step / length + 1e-9)); /* 1e-9: 0.1 epochs of 30 steps are 3 steps, not 3.0000001 */
}

static double factor_cosine(const ss_train_options *o, double step, int64_t steps_per_epoch)
{
    double total = total_steps(o, steps_per_epoch);
    if (!(total > 0) || step >= total) return total > 0 ? 0 : 1;
    return 0.5 * (1 + cos(3.14159265358979323846 * step / total)); /* Loshchilov & Hutter 2017, without restarts */
}

static const struct { const char *name; factor_fn *factor; } schedules[] = {
    {"constant", factor_constant}, {"step", factor_step}, {"cosine", factor_cosine},
};

double ss_learning_rate(const ss_train_options *o, int64_t step, int64_t steps_per_epoch)
{
    size_t i = 0, n = sizeof schedules / sizeof *schedules;
    if (o->schedule)
        while (i < n && strcmp(schedules[i].name, o->schedule) != 0) i++;
    assert(i < n); /* the job's table of choices lets no other word through */
    double rate = o->learning_rate * schedules[i].factor(o, (double)step, steps_per_epoch);
    double warmup = o->warmup_epochs * (double)steps_per_epoch, done = (double)step + 1;
    return done < warmup ? rate * done / warmup : rate;
}
