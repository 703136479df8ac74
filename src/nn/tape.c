/* tape.c - every buffer of the passes, sized once. The same layout function measures and then hands out. */
#include <assert.h>

#include "layer.h"

static size_t n_nodes(const ss_net *net) { return (size_t)net->graph->n_nodes; }

static void layout_tape(const ss_net *net, size_t capacity, ss_tape *t)
{
    ss_arena *arena = &t->arena;
    bool real = arena->base != NULL;
    size_t nodes = n_nodes(net);
    t->y = ss_arena_take(arena, nodes, sizeof *t->y);
    t->saved = ss_arena_take(arena, nodes, sizeof *t->saved);
    t->stat = ss_arena_take(arena, nodes, sizeof *t->stat);
    t->label = ss_arena_take(arena, capacity, 1);
    for (size_t i = 0; i < nodes; i++) {
        const ss_node *d = &net->graph->node[i];
        ss_real *y = d->in_place ? real ? t->y[d->in[0]] : NULL : ss_arena_take(arena, capacity * d->size, sizeof *y);
        size_t saved = d->ops && d->ops->saved_bytes ? d->ops->saved_bytes(d, capacity) : 0;
        void *kept = saved ? ss_arena_take(arena, saved, 1) : NULL;
        double *stat = d->ops && d->ops->keeps_stat ? ss_arena_take(arena, 3 * (size_t)d->shape.c, sizeof *stat) : NULL;
        if (!real) continue;
        t->y[i] = y;
        t->saved[i] = kept;
        t->stat[i] = stat;
    }
}

static void layout_deltas(const ss_net *net, size_t capacity, ss_deltas *s)
{
    bool real = s->arena.base != NULL;
    size_t nodes = n_nodes(net);
    s->dy = ss_arena_take(&s->arena, nodes, sizeof *s->dy);
    for (size_t i = 0; i < nodes; i++) {
        const ss_node *d = &net->graph->node[i];
        ss_real *dy = NULL;
        if (d->in_place) dy = real ? s->dy[d->in[0]] : NULL;
        else if (!d->constant) dy = ss_arena_take(&s->arena, capacity * d->size, sizeof *dy);
        if (real) s->dy[i] = dy;
    }
}

size_t ss_tape_bytes(const ss_net *net, size_t capacity, bool with_backward)
{
    ss_tape t = {0};
    layout_tape(net, capacity, &t);
    return t.arena.used + (with_backward ? ss_deltas_bytes(net, capacity) : 0);
}

size_t ss_deltas_bytes(const ss_net *net, size_t capacity)
{
    ss_deltas s = {0};
    layout_deltas(net, capacity, &s);
    return s.arena.used;
}

static void say_no_memory(const char *what, size_t capacity, size_t bytes, ss_error *error)
{
    ss_fail(error, "out of memory for the %s of %zu examples (%.1f MiB); use a smaller micro_batch or ghost_batch", what,
            capacity, (double)bytes / 1048576);
}

ss_tape *ss_tape_create(const ss_net *net, size_t capacity, bool with_backward, ss_error *error)
{
    size_t bytes = ss_tape_bytes(net, capacity, false);
    ss_tape *t = ss_alloc(1, sizeof *t);
    if (!t || ss_arena_init(&t->arena, bytes, NULL)) {
        say_no_memory("activations", capacity, bytes, error);
        ss_tape_destroy(t);
        return NULL;
    }
    t->capacity = capacity;
    layout_tape(net, capacity, t);
    if (!with_backward) return t;
    t->own = ss_deltas_create(net, capacity, error);
    if (t->own) {
        ss_tape_attach(t, t->own);
        return t;
    }
    ss_tape_destroy(t);
    return NULL;
}

void ss_tape_destroy(ss_tape *tape)
{
    if (!tape) return;
    ss_arena_finish(&tape->arena);
    ss_deltas_destroy(tape->own);
    ss_free(tape);
}

ss_deltas *ss_deltas_create(const ss_net *net, size_t capacity, ss_error *error)
{
    size_t bytes = ss_deltas_bytes(net, capacity);
    ss_deltas *s = ss_alloc(1, sizeof *s);
    if (!s || ss_arena_init(&s->arena, bytes, NULL)) {
        say_no_memory("deltas", capacity, bytes, error);
        ss_deltas_destroy(s);
        return NULL;
    }
    s->capacity = capacity;
    layout_deltas(net, capacity, s);
    return s;
}

void ss_deltas_destroy(ss_deltas *deltas)
{
    if (deltas) ss_arena_finish(&deltas->arena);
    ss_free(deltas);
}

void ss_tape_attach(ss_tape *tape, const ss_deltas *deltas)
{
    assert(deltas->capacity >= tape->capacity);
    tape->dy = deltas->dy;
}

ss_real *ss_tape_input(ss_tape *tape) { return tape->y[0]; }
uint8_t *ss_tape_labels(ss_tape *tape) { return tape->label; }

static void layout_scratch(const ss_net *net, size_t capacity, bool with_tangents, ss_scratch *s)
{
    ss_arena *arena = &s->arena;
    bool real = arena->base != NULL;
    size_t nodes = n_nodes(net);
    s->ty = ss_arena_take(arena, nodes, sizeof *s->ty);
    s->tdy = ss_arena_take(arena, nodes, sizeof *s->tdy);
    s->tstat = ss_arena_take(arena, nodes, sizeof *s->tstat);
    s->work = ss_arena_take(arena, net->graph->work, sizeof *s->work);
    s->sums = ss_arena_take(arena, SUMS_PER_CHANNEL * net->graph->max_c, sizeof *s->sums);
    for (size_t i = 0; with_tangents && i < nodes; i++) {
        const ss_node *d = &net->graph->node[i];
        if (d->constant) continue;
        ss_real *ty = NULL, *tdy = NULL;
        if (d->in_place && real) {
            ty = s->ty[d->in[0]];
            tdy = s->tdy[d->in[0]];
        } else if (!d->in_place) {
            ty = ss_arena_take(arena, capacity * d->size, sizeof *ty);
            tdy = ss_arena_take(arena, capacity * d->size, sizeof *tdy);
        }
        double *tstat = d->ops->keeps_stat ? ss_arena_take(arena, 2 * (size_t)d->shape.c, sizeof *tstat) : NULL;
        if (!real) continue;
        s->ty[i] = ty;
        s->tdy[i] = tdy;
        s->tstat[i] = tstat;
    }
}

size_t ss_scratch_bytes(const ss_net *net, size_t capacity, bool with_tangents)
{
    ss_scratch s = {0};
    layout_scratch(net, capacity, with_tangents, &s);
    return s.arena.used;
}

ss_scratch *ss_scratch_create(const ss_net *net, size_t capacity, bool with_tangents, ss_error *error)
{
    size_t bytes = ss_scratch_bytes(net, capacity, with_tangents);
    ss_scratch *s = ss_alloc(1, sizeof *s);
    if (!s || ss_arena_init(&s->arena, bytes, NULL)) {
        ss_fail(error, "out of memory for scratch space of %zu examples (%.1f MiB); use a smaller micro_batch or "
                "ghost_batch", capacity, (double)bytes / 1048576);
        ss_scratch_destroy(s);
        return NULL;
    }
    layout_scratch(net, capacity, with_tangents, s);
    return s;
}

void ss_scratch_destroy(ss_scratch *scratch)
{
    if (scratch) ss_arena_finish(&scratch->arena);
    ss_free(scratch);
}
