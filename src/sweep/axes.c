/* axes.c - section grid: axes as lists and ranges, zip, exclude. */
#include "parse.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The canonical text of a value, so that 0.1 and 1e-1 are one value. */
static char *canonical(ss_parse *p, const ss_key *key, const yaml_node_t *node)
{
    ss_settings s;
    char text[SS_VALUE_BYTES];
    if (ss_parse_scalar(p, key, node, &s)) return NULL;
    ss_key_format(key, &s, text, sizeof text);
    char *copy = ss_pool_strdup(p->pool, text);
    if (!copy) ss_parse_memory(p);
    return copy;
}

struct values { char **text; size_t n; };

static int take_values(ss_parse *p, size_t n, struct values *v)
{
    v->n = n;
    v->text = ss_pool_take(p->pool, n, sizeof *v->text);
    return v->text ? 0 : ss_parse_memory(p);
}

static int read_list(ss_parse *p, const ss_key *key, const yaml_node_t *node, struct values *v)
{
    size_t n = ss_node_items(node);
    if (n == 0) return ss_parse_fail(p, node->start_mark, "%s: an empty list; give at least one value", key->name);
    if (take_values(p, n, v)) return -1;
    for (size_t i = 0; i < n; i++)
        if (!(v->text[i] = canonical(p, key, ss_node(p, node->data.sequence.items.start[i])))) return -1;
    return 0;
}

/* ---- ranges ------------------------------------------------------------------------------------------------------ */
struct range { bool log; double from, to; int64_t count; };

static int range_number(ss_parse *p, const ss_key *key, const yaml_node_t *node, double *out)
{
    const char *why = "is not a decimal number";
    bool plain = node->type == YAML_SCALAR_NODE && node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    const char *text = node->type == YAML_SCALAR_NODE ? (const char *)node->data.scalar.value : ss_node_kind(node);
    if (plain && ss_number_parse(text, out, &why) == 0) return 0;
    return ss_parse_fail(p, node->start_mark, "%s: '%.60s' %s; a range is [from, to, count]", key->name, text, why);
}

static int check_range(ss_parse *p, const ss_key *key, const yaml_node_t *node, const struct range *r, double count)
{
    if (!(count >= 2 && count <= SS_MAX_VALUES && count == floor(count)))
        return ss_parse_fail(p, node->start_mark, "%s: a range of %g values; count must be an integer from 2 to %d",
                             key->name, count, SS_MAX_VALUES);
    if (r->log && !(r->from > 0 && r->to > 0))
        return ss_parse_fail(p, node->start_mark, "%s: a log range from %g to %g; both ends must be greater than 0",
                             key->name, r->from, r->to);
    if (r->from == r->to)
        return ss_parse_fail(p, node->start_mark, "%s: a range from %g to the same value; write the value itself", key->name,
                             r->from);
    return 0;
}

static int read_range_node(ss_parse *p, const ss_key *key, const yaml_node_t *node, struct range *r)
{
    const yaml_node_pair_t *pair = node->data.mapping.pairs.start;
    const char *name = ss_node_pairs(node) == 1 ? ss_node_name(p, ss_node(p, pair->key)) : "";
    double count = 0;
    if (!name) return -1;
    r->log = strcmp(name, "log") == 0;
    if (!r->log && strcmp(name, "linear") != 0)
        return ss_parse_fail(p, node->start_mark, "%s: a mapping; expected {log: [from, to, count]}, "
                             "{linear: [from, to, count]} or a list of values", key->name);
    const yaml_node_t *list = ss_node(p, pair->value);
    if (list->type != YAML_SEQUENCE_NODE || ss_node_items(list) != 3)
        return ss_parse_fail(p, list->start_mark, "%s: expected three numbers, %s: [from, to, count]", key->name, name);
    if (key->type == SS_BOOL || key->type == SS_CHOICE)
        return ss_parse_fail(p, node->start_mark, "%s: a range needs a number's key; write a list of values", key->name);
    const int *item = list->data.sequence.items.start;
    if (range_number(p, key, ss_node(p, item[0]), &r->from) || range_number(p, key, ss_node(p, item[1]), &r->to) ||
        range_number(p, key, ss_node(p, item[2]), &count) || check_range(p, key, list, r, count))
        return -1;
    r->count = (int64_t)count;
    return 0;
}

/* The i-th value, rounded to 12 significant digits: 0.001, 0.01, 0.1 and not 0.010000000000000002. */
static double range_value(const struct range *r, int64_t i)
{
    char text[SS_VALUE_BYTES];
    if (i == 0) return r->from;
    if (i == r->count - 1) return r->to;
    double t = (double)i / (double)(r->count - 1);
    double v = r->log ? exp(log(r->from) + t * (log(r->to) - log(r->from))) : r->from + t * (r->to - r->from);
    /* Cancellation near zero leaves noise that no number of digits of v itself would round away. */
    if (!r->log && fabs(v) < 1e-13 * fmax(fabs(r->from), fabs(r->to))) return 0;
    snprintf(text, sizeof text, "%.12g", v);
    return strtod(text, NULL);
}

static int read_range(ss_parse *p, const ss_key *key, const yaml_node_t *node, struct values *v)
{
    struct range r;
    ss_settings s;
    char text[SS_VALUE_BYTES];
    if (read_range_node(p, key, node, &r) || take_values(p, (size_t)r.count, v)) return -1;
    for (int64_t i = 0; i < r.count; i++) {
        double value = range_value(&r, i);
        if (key->type == SS_FLOAT)
            ss_number_format(value, text);
        else
            snprintf(text, sizeof text, "%.0f", round(value));
        if (ss_key_parse(key, text, &s, p->error)) return ss_parse_fail_in(p, node->start_mark);
        ss_key_format(key, &s, text, sizeof text);
        if (!(v->text[i] = ss_pool_strdup(p->pool, text))) return ss_parse_memory(p);
    }
    return 0;
}

/* ---- axes -------------------------------------------------------------------------------------------------------- */
static int by_text(const void *a, const void *b)
{
    const char *const *x = a, *const *y = b;
    return strcmp(*x, *y);
}

static int check_distinct(ss_parse *p, const ss_key *key, const yaml_node_t *node, const struct values *v)
{
    const char **sorted = ss_alloc(v->n, sizeof *sorted);
    if (!sorted) return ss_parse_memory(p);
    for (size_t i = 0; i < v->n; i++) sorted[i] = v->text[i];
    qsort(sorted, v->n, sizeof *sorted, by_text);
    const char *twice = NULL;
    for (size_t i = 1; i < v->n && !twice; i++)
        if (strcmp(sorted[i - 1], sorted[i]) == 0) twice = sorted[i];
    ss_free(sorted);
    if (!twice) return 0;
    if (node->type == YAML_MAPPING_NODE)
        return ss_parse_fail(p, node->start_mark, "%s: the range gives the value %s twice once rounded; lower its count",
                             key->name, twice);
    size_t at = v->n - 1;
    while (strcmp(v->text[at], twice) != 0) at--;
    const yaml_node_t *item = ss_node(p, node->data.sequence.items.start[at]);
    return ss_parse_fail(p, item->start_mark, "%s: the value %s stands twice in the list", key->name, twice);
}

static int read_values(ss_parse *p, const ss_key *key, yaml_node_t *node, struct values *v)
{
    if (node->type == YAML_MAPPING_NODE)
        return read_range(p, key, node, v) || check_distinct(p, key, node, v) ? -1 : 0;
    if (node->type == YAML_SEQUENCE_NODE)
        return read_list(p, key, node, v) || check_distinct(p, key, node, v) ? -1 : 0;
    if (take_values(p, 1, v)) return -1;
    return (v->text[0] = canonical(p, key, node)) ? 0 : -1;
}

/* A key that may vary from point to point. */
static const ss_key *axis_key(ss_parse *p, const yaml_node_t *name)
{
    const ss_key *key = ss_parse_key(p, name, NULL);
    if (!key) return NULL;
    if (strcmp(key->name, "seeds") == 0) {
        ss_parse_fail(p, name->start_mark, "seeds: belongs in section sweep; in the grid, list the values of seed");
        return NULL;
    }
    if (ss_key_is_axis_type(key)) return key;
    ss_parse_fail(p, name->start_mark, "%s: cannot be an axis; set it once in section %s", key->name, key->section);
    return NULL;
}

static ss_axis *new_axis(ss_parse *p, yaml_mark_t mark)
{
    if (p->job->n_axes == SS_MAX_AXES) {
        ss_parse_fail(p, mark, "more than %d axes", SS_MAX_AXES);
        return NULL;
    }
    return &p->job->axes[p->job->n_axes++];
}

static int add_key(ss_parse *p, ss_axis *axis, const yaml_node_pair_t *pair)
{
    const yaml_node_t *name = ss_node(p, pair->key);
    struct values v;
    const ss_key *key = axis_key(p, name);
    if (!key || ss_parse_give(p, key, name) || read_values(p, key, ss_node(p, pair->value), &v)) return -1;
    if (axis->n_keys > 0 && v.n != (size_t)axis->n_values)
        return ss_parse_fail(p, name->start_mark, "zip: %s has %zu values and %s has %d; zipped axes are of equal length",
                             key->name, v.n, axis->key[0]->name, axis->n_values);
    axis->key[axis->n_keys] = key;
    axis->text[axis->n_keys++] = v.text;
    axis->n_values = (int)v.n;
    return 0;
}

static int parse_zip_group(ss_parse *p, const yaml_node_t *node)
{
    if (node->type != YAML_MAPPING_NODE)
        return ss_parse_fail(p, node->start_mark, "zip: %s; expected axes with their lists, {axis: [...], axis: [...]}",
                             ss_node_kind(node));
    if (ss_node_pairs(node) < 2 || ss_node_pairs(node) > SS_MAX_ZIP)
        return ss_parse_fail(p, node->start_mark, "zip: couples %zu axes; expected 2 to %d", ss_node_pairs(node),
                             SS_MAX_ZIP);
    ss_axis *axis = new_axis(p, node->start_mark);
    if (!axis) return -1;
    for (const yaml_node_pair_t *pair = node->data.mapping.pairs.start; pair < node->data.mapping.pairs.top; pair++)
        if (add_key(p, axis, pair)) return -1;
    return 0;
}

static int parse_zip(ss_parse *p, const yaml_node_t *node)
{
    if (node->type != YAML_SEQUENCE_NODE) return parse_zip_group(p, node);
    if (ss_node_items(node) == 0) return ss_parse_fail(p, node->start_mark, "zip: an empty list; couple two axes");
    for (const int *item = node->data.sequence.items.start; item < node->data.sequence.items.top; item++)
        if (parse_zip_group(p, ss_node(p, *item))) return -1;
    return 0;
}

static int parse_grid_pair(ss_parse *p, const yaml_node_pair_t *pair, yaml_node_t **zip, yaml_node_t **exclude)
{
    const yaml_node_t *node = ss_node(p, pair->key);
    const char *name = ss_node_name(p, node);
    if (!name) return -1;
    yaml_node_t **special = strcmp(name, "zip") == 0 ? zip : strcmp(name, "exclude") == 0 ? exclude : NULL;
    if (!special) {
        ss_axis *axis = new_axis(p, node->start_mark);
        return axis ? add_key(p, axis, pair) : -1;
    }
    if (*special) return ss_parse_fail(p, node->start_mark, "%s: given twice; %s takes a list", name, name);
    *special = ss_node(p, pair->value);
    return special == zip ? parse_zip(p, *zip) : 0;
}

int ss_parse_grid(ss_parse *p, yaml_node_t *node, yaml_node_t **exclude)
{
    yaml_node_t *zip = NULL;
    if (ss_node_is_null(node)) return 0;
    if (node->type != YAML_MAPPING_NODE)
        return ss_parse_fail(p, node->start_mark, "section grid: %s; expected lines of axis: [values]", ss_node_kind(node));
    for (const yaml_node_pair_t *pair = node->data.mapping.pairs.start; pair < node->data.mapping.pairs.top; pair++)
        if (parse_grid_pair(p, pair, &zip, exclude)) return -1;
    return 0;
}

int ss_parse_seeds(ss_parse *p)
{
    const ss_key *seeds = ss_key_find("seeds"), *seed = ss_key_find("seed");
    const ss_mark at = p->given[ss_key_index(seeds)], other = p->given[ss_key_index(seed)];
    struct values v;
    char text[SS_VALUE_BYTES];
    if (p->n_seeds == SS_WORD) return 0;
    const yaml_mark_t mark = {0, at.line - 1, at.column - 1};
    if (other.set)
        return ss_parse_fail(p, mark, "seeds: seed is set too (line %zu); keep one of the two", other.line);
    ss_axis *axis = new_axis(p, mark);
    if (!axis || take_values(p, (size_t)p->n_seeds, &v)) return -1;
    for (size_t i = 0; i < v.n; i++) {
        snprintf(text, sizeof text, "%zu", i);
        if (!(v.text[i] = ss_pool_strdup(p->pool, text))) return ss_parse_memory(p);
    }
    *axis = (ss_axis){.n_keys = 1, .n_values = (int)v.n, .key = {seed}, .text = {v.text}};
    return 0;
}
