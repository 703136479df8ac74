/* test_state.c - a trainer's state as pieces: read into another trainer it takes the same steps; counters that are none are
 * refused. Whole points with everything in them: tests/app/test_checkpoint.c. */
#include "fixture.h"

#include <string.h>

typedef struct shelf { ss_pieces list; } shelf;

static int read_back(void *ctx, const ss_piece *piece, ss_error *error)
{
    const shelf *s = ctx;
    for (size_t i = 0; i < s->list.n; i++) {
        const ss_piece *p = &s->list.piece[i];
        if (strcmp(p->name, piece->name) != 0) continue;
        if (p->bytes != piece->bytes) return ss_fail(error, "%s has another length", p->name);
        memcpy(piece->data, p->data, p->bytes);
        return 0;
    }
    return ss_fail(error, "no %s", piece->name);
}

static bool same_state(const ss_trainer *a, const ss_trainer *b)
{
    size_t p = a->net->n_params * sizeof(ss_real);
    return memcmp(a->theta, b->theta, p) == 0 && memcmp(a->velocity, b->velocity, p) == 0
        && memcmp(a->stats, b->stats, a->net->n_stats * sizeof(ss_real)) == 0 && a->step == b->step && a->epoch == b->epoch
        && a->batch_loss == b->batch_loss && a->gradient_norm == b->gradient_norm;
}

static void the_same_steps(void)
{
    fixture f = make("mlp", "cross_entropy", true, 0.3);
    ss_train_options o = plain_options();
    o.momentum = 0.9;
    o.max_epochs = 3;
    ss_trainer *a = make_trainer(&f, &o);
    o.seed = 99; /* other weights to begin with */
    ss_trainer *b = make_trainer(&f, &o);
    b->options.seed = a->options.seed;
    ss_train_end end;
    ss_epoch_row last;
    shelf s = {{0}};
    ss_keeper keeper = {.ctx = &s, .read = read_back};
    a->options.max_steps = 5;
    CU_ASSERT(ss_trainer_run(a, NULL, &end, &last, NULL) == 0 && end == SS_TRAIN_MAX_STEPS);
    a->options.max_steps = -1;
    ss_trainer_pieces(a, &s.list);
    CU_ASSERT(!same_state(a, b));
    CU_ASSERT_EQUAL(ss_trainer_restore(b, &keeper, NULL), 0);
    CU_ASSERT(same_state(a, b) && !keeper.refused);
    CU_ASSERT(ss_trainer_run(a, NULL, &end, &last, NULL) == 0 && ss_trainer_run(b, NULL, &end, &last, NULL) == 0);
    CU_ASSERT(same_state(a, b) && b->epoch == 3);
    ss_trainer_destroy(a);
    ss_trainer_destroy(b);
    finish(&f);
}

static void no_counters(void)
{
    static const struct { int64_t epoch, step; bool sound; } c[] = {
        {0, 0, true}, {1, 4, true}, {1, 7, true}, {9, 36, true}, {10, 40, false}, {-1, 0, false}, {0, -1, false}, {0, 4, false},
        {1, 3, false}, {1, 8, false}, {INT64_MIN, 0, false}, {INT64_MAX, INT64_MAX, false}, {0, INT64_MAX, false},
        {0, INT64_MIN, false}, {9, INT64_MIN, false},
    };
    fixture f = make("mlp", "cross_entropy", false, 0);
    ss_train_options o = plain_options();
    o.max_epochs = 9;
    o.batch_size = (f.data->train.n + 3) / 4;
    ss_trainer *a = make_trainer(&f, &o), *b = make_trainer(&f, &o);
    CU_ASSERT_EQUAL(ss_trainer_steps_per_epoch(a), 4);
    for (size_t i = 0; i < sizeof c / sizeof *c; i++) {
        shelf s = {{0}};
        ss_error error = {{0}};
        ss_keeper keeper = {.ctx = &s, .read = read_back};
        a->epoch = c[i].epoch;
        a->step = c[i].step;
        ss_trainer_pieces(a, &s.list);
        int rc = ss_trainer_restore(b, &keeper, &error);
        if ((rc == 0) != c[i].sound)
            fprintf(stderr, "\n    epoch %lld, step %lld\n", (long long)c[i].epoch, (long long)c[i].step);
        CU_ASSERT(rc == (c[i].sound ? 0 : -1) && keeper.refused == !c[i].sound && (error.text[0] != '\0') == !c[i].sound);
    }
    ss_trainer_destroy(a);
    ss_trainer_destroy(b);
    finish(&f);
}

static const ss_case cases[] = {{"the same steps", the_same_steps}, {"counters that are none", no_counters}};
SS_SUITE("train/state", cases)
