/* excludes.c - the grid's `exclude`: combinations of axis values that are no points. */
#include "parse.h"

#include <string.h>

/* The values of a key's axis, *n of them; NULL: the key is no axis. */
static char **axis_values(const ss_job *job, const ss_key *key, int *n)
{
    for (int a = 0; a < job->n_axes; a++)
        for (int k = 0; k < job->axes[a].n_keys; k++)
            if (job->axes[a].key[k] == key) {
                *n = job->axes[a].n_values;
                return job->axes[a].text[k];
            }
    return NULL;
}

static char *exclude_value(ss_parse *p, const ss_key *key, const yaml_node_t *node)
{
    ss_settings s;
    char text[SS_VALUE_BYTES];
    int n = 0;
    char **value = axis_values(p->job, key, &n);
    if (ss_parse_scalar(p, key, node, &s)) return NULL;
    ss_key_format(key, &s, text, sizeof text);
    for (int v = 0; v < n; v++)
        if (strcmp(value[v], text) == 0) return value[v];
    ss_parse_fail(p, node->start_mark, "exclude: %s is no value of the axis %s, which runs from %s to %s", text, key->name,
                  value[0], value[n - 1]);
    return NULL;
}

static int exclude_values(ss_parse *p, const ss_key *key, yaml_node_t *node, ss_exclude *x)
{
    bool list = node->type == YAML_SEQUENCE_NODE;
    size_t n = list ? ss_node_items(node) : 1;
    if (n == 0) return ss_parse_fail(p, node->start_mark, "exclude: an empty list for %s; name a value", key->name);
    char **text = ss_pool_take(p->pool, n, sizeof *text);
    if (!text) return ss_parse_memory(p);
    for (size_t i = 0; i < n; i++) {
        const yaml_node_t *item = list ? ss_node(p, node->data.sequence.items.start[i]) : node;
        if (!(text[i] = exclude_value(p, key, item))) return -1;
    }
    x->key[x->n_keys] = key;
    x->text[x->n_keys] = text;
    x->n_texts[x->n_keys++] = (int)n;
    return 0;
}

static int parse_exclude_pair(ss_parse *p, const yaml_node_pair_t *pair, ss_exclude *x)
{
    int n;
    const yaml_node_t *name = ss_node(p, pair->key);
    const ss_key *key = ss_parse_key(p, name, NULL);
    if (!key) return -1;
    if (!axis_values(p->job, key, &n))
        return ss_parse_fail(p, name->start_mark, "exclude: %s is no axis of this grid", key->name);
    for (int e = 0; e < x->n_keys; e++)
        if (x->key[e] == key)
            return ss_parse_fail(p, name->start_mark, "exclude: %s stands twice; give its values as a list", key->name);
    return exclude_values(p, key, ss_node(p, pair->value), x);
}

static int parse_exclude(ss_parse *p, const yaml_node_t *node)
{
    if (node->type != YAML_MAPPING_NODE || ss_node_pairs(node) == 0 || ss_node_pairs(node) > SS_MAX_ZIP)
        return ss_parse_fail(p, node->start_mark, "exclude: expected mappings of 1 to %d axes, {axis: value, axis: [value]}",
                             SS_MAX_ZIP);
    ss_exclude *x = &p->job->excludes[p->job->n_excludes];
    for (const yaml_node_pair_t *pair = node->data.mapping.pairs.start; pair < node->data.mapping.pairs.top; pair++)
        if (parse_exclude_pair(p, pair, x)) return -1;
    p->exclude[p->job->n_excludes++] = ss_mark_of(node);
    return 0;
}

int ss_parse_excludes(ss_parse *p, yaml_node_t *node)
{
    bool list = node->type == YAML_SEQUENCE_NODE;
    size_t n = list ? ss_node_items(node) : 1;
    if (n == 0 || n > SS_MAX_EXCLUDES)
        return ss_parse_fail(p, node->start_mark, "exclude: a list of %zu items; expected 1 to %d", n, SS_MAX_EXCLUDES);
    p->job->excludes = ss_pool_take(p->pool, n, sizeof *p->job->excludes);
    p->exclude = ss_pool_take(p->pool, n, sizeof *p->exclude);
    if (!p->job->excludes || !p->exclude) return ss_parse_memory(p);
    for (size_t i = 0; i < n; i++)
        if (parse_exclude(p, list ? ss_node(p, node->data.sequence.items.start[i]) : node)) return -1;
    return 0;
}
