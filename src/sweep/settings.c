/* settings.c - the keys of a section, one by one, into the job's settings. */
#include "parse.h"

#include <assert.h>
#include <string.h>

size_t ss_key_index(const ss_key *key)
{
    size_t n;
    return (size_t)(key - ss_keys(&n));
}

const ss_key *ss_parse_key(ss_parse *p, const yaml_node_t *node, const char *section)
{
    const char *name = ss_node_name(p, node);
    if (!name) return NULL;
    const ss_key *key = ss_key_find(name);
    const char *near = key ? NULL : ss_key_nearest(name, section);
    const char *where = section ? section : "grid";
    if (key && (!section || strcmp(key->section, section) == 0)) return key;
    if (key)
        ss_parse_fail(p, node->start_mark, "%s: belongs in section %s, not in %s", name, key->section, section);
    else if (near)
        ss_parse_fail(p, node->start_mark, "%.60s: unknown key in section %s; nearest known key is %s", name, where, near);
    else
        ss_parse_fail(p, node->start_mark, "%.60s: unknown key in section %s; jobs/README.md lists all", name, where);
    return NULL;
}

int ss_parse_give(ss_parse *p, const ss_key *key, const yaml_node_t *name)
{
    ss_mark *given = &p->given[ss_key_index(key)];
    if (given->set)
        return ss_parse_fail(p, name->start_mark, "%s: given twice, first on line %zu; keep one", key->name, given->line);
    *given = ss_mark_of(name);
    return 0;
}

static int wrong_kind(ss_parse *p, const ss_key *key, const yaml_node_t *node)
{
    char expected[256];
    ss_key_expected(key, expected, sizeof expected);
    if (ss_node_is_null(node))
        return ss_parse_fail(p, node->start_mark, "%s: has no value; expected %s", key->name, expected);
    if (node->type == YAML_SEQUENCE_NODE && ss_key_is_axis_type(key))
        return ss_parse_fail(p, node->start_mark, "%s: a list; expected %s (several values belong in section grid)",
                             key->name, expected);
    return ss_parse_fail(p, node->start_mark, "%s: %s; expected %s", key->name, ss_node_kind(node), expected);
}

int ss_parse_scalar(ss_parse *p, const ss_key *key, const yaml_node_t *node, ss_settings *s)
{
    if (node->type != YAML_SCALAR_NODE || ss_node_is_null(node)) return wrong_kind(p, key, node);
    const char *text = (const char *)node->data.scalar.value;
    bool quoted = node->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    if (quoted && key->type != SS_CHOICE && key->type != SS_TEXT) {
        char expected[256];
        ss_key_expected(key, expected, sizeof expected);
        return ss_parse_fail(p, node->start_mark, "%s: \"%.60s\" is quoted text; expected %s, without quotes", key->name,
                             text, expected);
    }
    return ss_key_parse(key, text, s, p->error) ? ss_parse_fail_in(p, node->start_mark) : 0;
}

static int parse_widths(ss_parse *p, const ss_key *key, yaml_node_t *node)
{
    ss_settings *s = &p->job->settings, item;
    ss_key width = *key; /* of one item, by way of a setting of its type */
    width.type = SS_INT;
    width.offset = offsetof(ss_settings, seed);
    if (node->type != YAML_SEQUENCE_NODE) return wrong_kind(p, key, node);
    if (ss_node_items(node) > SS_MAX_WIDTHS)
        return ss_parse_fail(p, node->start_mark, "widths: %zu items; expected at most %d", ss_node_items(node),
                             SS_MAX_WIDTHS);
    s->n_widths = 0;
    for (const int *i = node->data.sequence.items.start; i < node->data.sequence.items.top; i++) {
        if (ss_parse_scalar(p, &width, ss_node(p, *i), &item)) return -1;
        s->widths[s->n_widths++] = item.seed;
    }
    return 0;
}

static char *parse_path(ss_parse *p, const ss_key *key, const yaml_node_t *node)
{
    if (node->type != YAML_SCALAR_NODE || ss_node_is_null(node)) {
        wrong_kind(p, key, node);
        return NULL;
    }
    char *path = ss_path_resolve(p->pool, (const char *)node->data.scalar.value, p->path, p->error);
    if (path) return path;
    ss_fail_in(p->error, "%s", key->name);
    ss_parse_fail_in(p, node->start_mark);
    return NULL;
}

/* The job's own numbers go through a setting of the same type, so that they are read by the same rules. */
static const ss_key *stand_in(const ss_key *key, ss_key *copy)
{
    *copy = *key;
    copy->offset = key->type == SS_FLOAT ? offsetof(ss_settings, learning_rate) : offsetof(ss_settings, seed);
    return copy;
}

static void keep_own(ss_parse *p, const ss_key *key, const ss_settings *value)
{
    ss_job *job = p->job;
    const struct { const char *name; double *real; int64_t *count; } places[] = {
        {"seeds", NULL, &p->n_seeds},
        {"progress_s", &job->progress_s, NULL},
        {"time_limit_s", &job->time_limit_s, NULL},
        {"checkpoint_interval_s", &job->checkpoint_interval_s, NULL},
        {"crash_retries", NULL, &job->crash_retries},
        {"timeout_retries", NULL, &job->timeout_retries},
        {"memory_retries", NULL, &job->memory_retries},
        {"trial_memory", NULL, &job->trial_memory},
        {"trial_time_limit_s", &job->trial_time_limit_s, NULL},
        {"trial_silence_s", &job->trial_silence_s, NULL},
        {"worker_silence_s", &job->worker_silence_s, NULL},
        {"stop_grace_s", &job->stop_grace_s, NULL},
    };
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        if (strcmp(key->name, places[i].name) != 0) continue;
        if (places[i].real) *places[i].real = value->learning_rate;
        if (places[i].count) *places[i].count = value->seed;
    }
}

static int parse_own(ss_parse *p, const ss_key *key, const yaml_node_t *node)
{
    ss_key copy;
    ss_settings value;
    if (key->type == SS_TEXT) {
        char *path = parse_path(p, key, node);
        if (path && path[0]) p->job->output = path;
        return path ? 0 : -1;
    }
    if (ss_parse_scalar(p, stand_in(key, &copy), node, &value)) return -1;
    keep_own(p, key, &value);
    return 0;
}

int ss_parse_own_defaults(ss_parse *p)
{
    size_t n;
    const ss_key *key = ss_keys(&n);
    ss_key copy;
    ss_settings value;
    assert(n <= SS_MAX_KEYS);
    for (size_t i = 0; i < n; i++) {
        if (key[i].offset != (size_t)-1 || key[i].type == SS_TEXT) continue;
        if (ss_key_parse(stand_in(&key[i], &copy), key[i].fallback, &value, p->error)) return -1;
        keep_own(p, &key[i], &value);
    }
    return 0;
}

static int parse_value(ss_parse *p, const ss_key *key, yaml_node_t *node)
{
    if (key->offset == (size_t)-1) return parse_own(p, key, node);
    if (key->type == SS_INTS) return parse_widths(p, key, node);
    if (key->type == SS_LAYERS && node->type != YAML_SEQUENCE_NODE) return wrong_kind(p, key, node);
    if (key->type == SS_LAYERS) return ss_parse_layers(p, node);
    if (key->type != SS_TEXT) return ss_parse_scalar(p, key, node, &p->job->settings);
    const char *path = parse_path(p, key, node);
    return path ? ss_key_parse(key, path, &p->job->settings, p->error) : -1;
}

int ss_parse_section(ss_parse *p, const char *section, yaml_node_t *node)
{
    if (ss_node_is_null(node)) return 0; /* every key of it commented out */
    if (node->type != YAML_MAPPING_NODE)
        return ss_parse_fail(p, node->start_mark, "section %s: %s; expected lines of key: value", section,
                             ss_node_kind(node));
    for (const yaml_node_pair_t *pair = node->data.mapping.pairs.start; pair < node->data.mapping.pairs.top; pair++) {
        const yaml_node_t *name = ss_node(p, pair->key);
        const ss_key *key = ss_parse_key(p, name, section);
        if (!key || ss_parse_give(p, key, name) || parse_value(p, key, ss_node(p, pair->value))) return -1;
    }
    return 0;
}
