/* grid.c - from a point's number to its settings: mixed-radix digits over the axes, the last axis fastest, less the
 * combinations that `exclude` drops. Values are parsed once; a point is then a few copies. */
#include "parts.h"

#include <assert.h>
#include <string.h>

struct column { const ss_key *key; unsigned char *value; size_t bytes; }; /* value (n_values, bytes) */

struct ss_grid {
    const ss_job *job;
    size_t n_points, n_combinations;
    uint32_t *combination; /* (n_points); NULL: nothing is excluded, the point's number itself */
    struct column *column[SS_MAX_AXES]; /* [axis][its key] */
    size_t *n_matches;     /* (n_excludes) */
    bool **match;          /* (n_excludes * n_axes) of (n_values): may this value be part of the combination? */
};

static int fill_column(struct column *c, const ss_axis *axis, int k, ss_error *error)
{
    ss_settings s;
    memset(&s, 0, sizeof s);
    c->key = axis->key[k];
    c->bytes = ss_key_bytes(c->key);
    c->value = ss_alloc((size_t)axis->n_values, c->bytes);
    if (!c->value) return ss_fail(error, "out of memory for an axis of %d values", axis->n_values);
    for (int v = 0; v < axis->n_values; v++) {
        if (ss_key_parse(c->key, axis->text[k][v], &s, error)) return -1;
        memcpy(c->value + (size_t)v * c->bytes, (const char *)&s + c->key->offset, c->bytes);
    }
    return 0;
}

static int fill_columns(ss_grid *g, ss_error *error)
{
    for (int a = 0; a < g->job->n_axes; a++) {
        const ss_axis *axis = &g->job->axes[a];
        g->column[a] = ss_alloc((size_t)axis->n_keys, sizeof *g->column[a]);
        if (!g->column[a]) return ss_fail(error, "out of memory for the grid");
        for (int k = 0; k < axis->n_keys; k++)
            if (fill_column(&g->column[a][k], axis, k, error)) return -1;
    }
    return 0;
}

static int count_combinations(ss_grid *g, ss_error *error)
{
    g->n_combinations = 1;
    for (int a = 0; a < g->job->n_axes; a++) {
        size_t n = (size_t)g->job->axes[a].n_values;
        if (n > SS_MAX_POINTS / g->n_combinations)
            return ss_fail(error, "the grid has more than %u combinations; use fewer or shorter axes", SS_MAX_POINTS);
        g->n_combinations *= n;
    }
    return 0;
}

static bool has_text(char *const *texts, int n, const char *text)
{
    for (int i = 0; i < n; i++)
        if (strcmp(texts[i], text) == 0) return true;
    return false;
}

/* match[v]: the axis's value v has, for each key of the exclude on this axis, one of the exclude's values. */
static bool *match_axis(const ss_exclude *x, const ss_axis *axis)
{
    bool *match = ss_alloc((size_t)axis->n_values, sizeof *match);
    if (!match) return NULL;
    for (int v = 0; v < axis->n_values; v++) {
        match[v] = true;
        for (int k = 0; k < axis->n_keys; k++)
            for (int e = 0; e < x->n_keys; e++)
                if (x->key[e] == axis->key[k] && !has_text(x->text[e], x->n_texts[e], axis->text[k][v])) match[v] = false;
    }
    return match;
}

static int fill_matches(ss_grid *g, ss_error *error)
{
    size_t n_axes = (size_t)g->job->n_axes, n_excludes = (size_t)g->job->n_excludes;
    g->n_matches = ss_alloc(n_excludes, sizeof *g->n_matches);
    g->match = ss_alloc(n_excludes * n_axes, sizeof *g->match);
    if (!g->n_matches || !g->match) return ss_fail(error, "out of memory for the grid's excludes");
    for (size_t e = 0; e < n_excludes; e++)
        for (size_t a = 0; a < n_axes; a++) {
            bool *match = match_axis(&g->job->excludes[e], &g->job->axes[a]);
            if (!match) return ss_fail(error, "out of memory for the grid's excludes");
            g->match[e * n_axes + a] = match;
        }
    return 0;
}

static void digits(const ss_grid *g, size_t combination, size_t digit[SS_MAX_AXES])
{
    for (int a = g->job->n_axes - 1; a >= 0; a--) {
        size_t n = (size_t)g->job->axes[a].n_values;
        digit[a] = combination % n;
        combination /= n;
    }
}

/* Every matching exclude counts the combination, so that one whose combinations are dropped already is no mistake. */
static bool is_excluded(ss_grid *g, const size_t digit[SS_MAX_AXES])
{
    bool excluded = false;
    size_t n_axes = (size_t)g->job->n_axes;
    for (size_t e = 0; e < (size_t)g->job->n_excludes; e++) {
        bool all = true;
        for (size_t a = 0; a < n_axes && all; a++) all = g->match[e * n_axes + a][digit[a]];
        g->n_matches[e] += all;
        excluded |= all;
    }
    return excluded;
}

static int list_points(ss_grid *g, ss_error *error)
{
    size_t digit[SS_MAX_AXES];
    g->n_points = g->n_combinations;
    if (g->job->n_excludes == 0) return 0;
    if (fill_matches(g, error)) return -1;
    g->combination = ss_alloc(g->n_combinations, sizeof *g->combination);
    if (!g->combination) return ss_fail(error, "out of memory for a grid of %zu combinations", g->n_combinations);
    g->n_points = 0;
    for (size_t c = 0; c < g->n_combinations; c++) {
        digits(g, c, digit);
        if (!is_excluded(g, digit)) g->combination[g->n_points++] = (uint32_t)c;
    }
    if (g->n_points == 0) return ss_fail(error, "the grid's excludes leave no point of %zu", g->n_combinations);
    return 0;
}

ss_grid *ss_grid_create(const ss_job *job, ss_error *error)
{
    assert(job->n_axes <= SS_MAX_AXES);
    ss_grid *g = ss_alloc(1, sizeof *g);
    if (!g) {
        ss_fail(error, "out of memory for the grid");
        return NULL;
    }
    g->job = job;
    if (count_combinations(g, error) || fill_columns(g, error) || list_points(g, error)) {
        ss_grid_destroy(g);
        return NULL;
    }
    return g;
}

void ss_grid_destroy(ss_grid *grid)
{
    if (!grid) return;
    for (int a = 0; a < grid->job->n_axes; a++) {
        for (int k = 0; grid->column[a] && k < grid->job->axes[a].n_keys; k++) ss_free(grid->column[a][k].value);
        ss_free(grid->column[a]);
    }
    for (int i = 0; grid->match && i < grid->job->n_excludes * grid->job->n_axes; i++) ss_free(grid->match[i]);
    ss_free(grid->match);
    ss_free(grid->n_matches);
    ss_free(grid->combination);
    ss_free(grid);
}

const ss_job *ss_grid_job(const ss_grid *grid)
{
    return grid->job;
}

size_t ss_grid_count(const ss_grid *grid)
{
    return grid->n_points;
}

size_t ss_grid_excluded_by(const ss_grid *grid, int exclude)
{
    return grid->n_matches[exclude];
}

void ss_grid_digits(const ss_grid *grid, size_t i, size_t digit[SS_MAX_AXES])
{
    assert(i < grid->n_points);
    digits(grid, grid->combination ? grid->combination[i] : i, digit);
}

void ss_grid_settings(const ss_grid *grid, size_t i, ss_settings *out)
{
    size_t digit[SS_MAX_AXES];
    ss_grid_digits(grid, i, digit);
    *out = grid->job->settings;
    for (int a = 0; a < grid->job->n_axes; a++)
        for (int k = 0; k < grid->job->axes[a].n_keys; k++) {
            const struct column *c = &grid->column[a][k];
            memcpy((char *)out + c->key->offset, c->value + digit[a] * c->bytes, c->bytes);
        }
}
