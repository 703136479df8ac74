/* layers.c - a job's list of layers: from YAML to canonical text and back, layer by layer. One table of types and options;
 * the types are named as nn's, and their meaning is nn's alone. */
#include "parse.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum option_bit { UNITS = 1, KERNEL = 2, STRIDE = 4, PADDING = 8, BIAS = 16, PROJECTION = 32, P = 64 };

struct type { const char *name; int options, required; const char *shorthand; };
static const struct type types[] = {
    {"linear", UNITS | BIAS, UNITS, "units"},
    {"conv2d", UNITS | KERNEL | STRIDE | PADDING | BIAS, UNITS | KERNEL, NULL},
    {"batch_norm", 0, 0, NULL},
    {"relu", 0, 0, NULL},
    {"tanh", 0, 0, NULL},
    {"gelu", 0, 0, NULL},
    {"max_pool", KERNEL | STRIDE | PADDING, KERNEL, "kernel"},
    {"avg_pool", KERNEL | STRIDE | PADDING, KERNEL, "kernel"},
    {"global_avg_pool", 0, 0, NULL},
    {"dropout", P, P, "p"},
    {"flatten", 0, 0, NULL},
    {"residual", PROJECTION, 0, NULL}, /* and body, which is no option but the layers up to `end` */
    {"end", 0, 0, NULL},               /* canonical text only */
};
enum { N_TYPES = sizeof types / sizeof *types, N_YAML_TYPES = N_TYPES - 1 };

struct option { const char *name; int bit; ss_type type; size_t offset; double min, max; bool open_max; const char *unit; };
static const struct option options[] = {
    {"units", UNITS, SS_INT, offsetof(ss_layer_text, units), 1, 65536, false, "units"},
    {"kernel", KERNEL, SS_INT, offsetof(ss_layer_text, kernel), 1, 512, false, "pixels"},
    {"stride", STRIDE, SS_INT, offsetof(ss_layer_text, stride), 1, 512, false, "pixels"},
    {"padding", PADDING, SS_INT, offsetof(ss_layer_text, padding), 0, 512, false, "pixels"},
    {"bias", BIAS, SS_BOOL, offsetof(ss_layer_text, bias), 0, 0, false, ""},
    {"projection", PROJECTION, SS_BOOL, offsetof(ss_layer_text, projection), 0, 0, false, ""},
    {"p", P, SS_FLOAT, offsetof(ss_layer_text, p), 0, 1, true, "1"},
};
enum { N_OPTIONS = sizeof options / sizeof *options };

static const struct type *find_type(const char *name, size_t n_types)
{
    for (size_t i = 0; i < n_types; i++)
        if (strcmp(types[i].name, name) == 0) return &types[i];
    return NULL;
}

static const struct option *find_option(const char *name, int allowed)
{
    for (size_t i = 0; i < N_OPTIONS; i++)
        if ((options[i].bit & allowed) && strcmp(options[i].name, name) == 0) return &options[i];
    return NULL;
}

static void set_defaults(ss_layer_text *layer, const struct type *type)
{
    *layer = (ss_layer_text){.bias = (type->options & BIAS) != 0};
    snprintf(layer->type, sizeof layer->type, "%s", type->name);
}

/* ---- canonical text ------------------------------------------------------------------------------------------------ */
static void write_layer(FILE *out, const struct type *type, const ss_layer_text *layer)
{
    const char *between = "(";
    char number[SS_VALUE_BYTES];
    fprintf(out, "%s", type->name);
    for (size_t i = 0; i < N_OPTIONS; i++) {
        if (!(options[i].bit & type->options)) continue;
        const char *from = (const char *)layer + options[i].offset;
        int64_t integer = 0;
        double real = 0;
        if (options[i].type == SS_FLOAT) memcpy(&real, from, sizeof real);
        if (options[i].type == SS_INT) memcpy(&integer, from, sizeof integer);
        if (options[i].type == SS_BOOL) integer = *(const bool *)(const void *)from;
        ss_number_format(real, number);
        if (options[i].type != SS_FLOAT) snprintf(number, sizeof number, "%lld", (long long)integer);
        fprintf(out, "%s%s=%s", between, options[i].name, number);
        between = ",";
    }
    if (type->options) fprintf(out, ")");
}

/* "name=value" at *cursor into the layer, and past a comma. */
static int read_option(const char **cursor, const struct type *type, ss_layer_text *layer)
{
    char name[24], text[SS_VALUE_BYTES];
    const char *why;
    size_t n = strcspn(*cursor, "=,);"), m = 0;
    if ((*cursor)[n] != '=' || n >= sizeof name) return -1;
    memcpy(name, *cursor, n);
    name[n] = '\0';
    *cursor += n + 1;
    m = strcspn(*cursor, ",);");
    const struct option *o = find_option(name, type->options);
    if (!o || m >= sizeof text) return -1;
    memcpy(text, *cursor, m);
    text[m] = '\0';
    *cursor += m + ((*cursor)[m] == ',');
    char *to = (char *)layer + o->offset;
    double real;
    int64_t integer;
    if (o->type == SS_FLOAT) {
        if (ss_number_parse(text, &real, &why)) return -1;
        memcpy(to, &real, sizeof real);
        return 0;
    }
    if (ss_integer_parse(text, &integer, &why)) return -1;
    if (o->type == SS_BOOL)
        *(bool *)(void *)to = integer != 0;
    else
        memcpy(to, &integer, sizeof integer);
    return 0;
}

int ss_layer_text_next(const char **cursor, ss_layer_text *layer)
{
    char name[sizeof layer->type];
    *cursor += strspn(*cursor, " ;");
    if (!**cursor) return 0;
    size_t n = strcspn(*cursor, "(;");
    if (n >= sizeof name) return -1;
    memcpy(name, *cursor, n);
    name[n] = '\0';
    const struct type *type = find_type(name, N_TYPES);
    if (!type) return -1;
    set_defaults(layer, type);
    *cursor += n;
    if (**cursor != '(') return 1;
    ++*cursor;
    while (**cursor && **cursor != ')')
        if (read_option(cursor, type, layer)) return -1;
    if (**cursor != ')') return -1;
    ++*cursor;
    return 1;
}

/* ---- from YAML ----------------------------------------------------------------------------------------------------- */
struct writer { FILE *out; int n_layers; };

static int fail_type(ss_parse *p, const yaml_node_t *node, const char *name)
{
    const char *words[N_YAML_TYPES + 1] = {NULL};
    for (size_t i = 0; i < N_YAML_TYPES; i++) words[i] = types[i].name;
    const char *near = ss_nearest(name, words);
    if (near) return ss_parse_fail(p, node->start_mark, "layers: %.60s is no layer type; nearest is %s", name, near);
    return ss_parse_fail(p, node->start_mark, "layers: %.60s is no layer type; jobs/README.md lists them", name);
}

static int fail_option(ss_parse *p, const yaml_node_t *node, const struct type *type, const char *name)
{
    char list[128] = "";
    for (size_t i = 0, n = 0; i < N_OPTIONS; i++)
        if (options[i].bit & type->options)
            n += (size_t)snprintf(list + n, sizeof list - n, "%s%s", n ? ", " : "", options[i].name);
    bool block = strcmp(type->name, "residual") == 0;
    return ss_parse_fail(p, node->start_mark, "layers: %s has no option %.60s; it takes %s%s", type->name, name,
                         list[0] ? list : "none", block ? ", body" : "");
}

/* An option's value through a key of its type, so that all values of a job are read by the same rules. */
static int parse_option(ss_parse *p, const struct type *type, const struct option *o, const yaml_node_t *node,
                        ss_layer_text *layer)
{
    ss_settings s;
    char name[64];
    snprintf(name, sizeof name, "layers: %s's %s", type->name, o->name);
    ss_key key = {.name = name, .section = "model", .type = o->type, .min = o->min, .max = o->max, .open_max = o->open_max,
                  .unit = o->unit};
    key.offset = o->type == SS_FLOAT ? offsetof(ss_settings, dropout)
                 : o->type == SS_INT ? offsetof(ss_settings, seed) : offsetof(ss_settings, batch_norm);
    if (ss_parse_scalar(p, &key, node, &s)) return -1;
    memcpy((char *)layer + o->offset, (const char *)&s + key.offset, ss_key_bytes(&key));
    return 0;
}

static int parse_list(ss_parse *p, const yaml_node_t *node, struct writer *w, int depth);

static int parse_options(ss_parse *p, const struct type *type, yaml_node_t *node, ss_layer_text *layer, int *given,
                         yaml_node_t **body)
{
    bool block = strcmp(type->name, "residual") == 0;
    for (const yaml_node_pair_t *pair = node->data.mapping.pairs.start; pair < node->data.mapping.pairs.top; pair++) {
        const yaml_node_t *key = ss_node(p, pair->key);
        const char *name = ss_node_name(p, key);
        if (!name) return -1;
        bool is_body = block && strcmp(name, "body") == 0;
        const struct option *o = is_body ? NULL : find_option(name, type->options);
        if (!o && !is_body) return fail_option(p, key, type, name);
        if (o ? (*given & o->bit) != 0 : *body != NULL)
            return ss_parse_fail(p, key->start_mark, "layers: %s's %s is given twice", type->name, name);
        if (is_body) {
            *body = ss_node(p, pair->value);
            continue;
        }
        *given |= o->bit;
        if (parse_option(p, type, o, ss_node(p, pair->value), layer)) return -1;
    }
    return 0;
}

static int parse_body(ss_parse *p, const yaml_node_t *at, const yaml_node_t *body, struct writer *w, int depth)
{
    if (!body || body->type != YAML_SEQUENCE_NODE || ss_node_items(body) == 0)
        return ss_parse_fail(p, (body ? body : at)->start_mark, "layers: residual needs a body, a list of layers");
    fprintf(w->out, "; ");
    if (parse_list(p, body, w, depth + 1)) return -1;
    fprintf(w->out, "; end");
    return 0;
}

/* A layer of a type with its value: options, a shorthand, or nothing (NULL). */
static int parse_layer(ss_parse *p, const struct type *type, const yaml_node_t *at, yaml_node_t *value, struct writer *w,
                       int depth)
{
    ss_layer_text layer;
    int given = 0;
    yaml_node_t *body = NULL;
    set_defaults(&layer, type);
    if (value && value->type == YAML_MAPPING_NODE) {
        if (parse_options(p, type, value, &layer, &given, &body)) return -1;
    } else if (value && !ss_node_is_null(value)) {
        if (!type->shorthand || value->type != YAML_SCALAR_NODE)
            return ss_parse_fail(p, value->start_mark, "layers: %s takes %s, not %s", type->name,
                                 type->options ? "its options as {name: value}" : "no options", ss_node_kind(value));
        const struct option *o = find_option(type->shorthand, type->options);
        given = o->bit;
        if (parse_option(p, type, o, value, &layer)) return -1;
    }
    for (size_t i = 0; i < N_OPTIONS; i++)
        if (options[i].bit & type->required & ~given)
            return ss_parse_fail(p, at->start_mark, "layers: %s needs %s", type->name, options[i].name);
    if (!(given & STRIDE)) layer.stride = type->options & UNITS ? 1 : layer.kernel; /* pools tile, convolutions slide */
    if (w->n_layers++ == SS_MAX_LAYERS)
        return ss_parse_fail(p, at->start_mark, "layers: more than %d layers", SS_MAX_LAYERS);
    write_layer(w->out, type, &layer);
    return strcmp(type->name, "residual") == 0 ? parse_body(p, at, body, w, depth) : 0;
}

static int parse_entry(ss_parse *p, yaml_node_t *node, struct writer *w, int depth)
{
    const yaml_node_t *at = node;
    yaml_node_t *value = NULL;
    if (node->type == YAML_MAPPING_NODE && ss_node_pairs(node) == 1) {
        at = ss_node(p, node->data.mapping.pairs.start->key);
        value = ss_node(p, node->data.mapping.pairs.start->value);
    } else if (node->type != YAML_SCALAR_NODE) {
        return ss_parse_fail(p, node->start_mark, "layers: %s of %zu entries; expected a type, or one type with its options",
                             ss_node_kind(node),
                             node->type == YAML_MAPPING_NODE ? ss_node_pairs(node) : ss_node_items(node));
    }
    const char *name = ss_node_name(p, at);
    if (!name) return -1;
    const struct type *type = find_type(name, N_YAML_TYPES);
    return type ? parse_layer(p, type, at, value, w, depth) : fail_type(p, at, name);
}

static int parse_list(ss_parse *p, const yaml_node_t *node, struct writer *w, int depth)
{
    if (depth > SS_MAX_LAYER_DEPTH)
        return ss_parse_fail(p, node->start_mark, "layers: residual blocks nested deeper than %d", SS_MAX_LAYER_DEPTH);
    for (const int *item = node->data.sequence.items.start; item < node->data.sequence.items.top; item++) {
        if (item > node->data.sequence.items.start) fprintf(w->out, "; ");
        if (parse_entry(p, ss_node(p, *item), w, depth)) return -1;
    }
    return 0;
}

int ss_parse_layers(ss_parse *p, yaml_node_t *node)
{
    char *text = NULL;
    size_t n_bytes = 0;
    struct writer w = {open_memstream(&text, &n_bytes), 0};
    if (!w.out) return ss_parse_memory(p);
    int rc = ss_node_items(node) ? parse_list(p, node, &w, 1)
                                 : ss_parse_fail(p, node->start_mark, "layers: an empty list; a network needs a layer");
    bool failed = ferror(w.out) != 0;
    if ((fclose(w.out) || failed) && rc == 0) rc = ss_parse_memory(p);
    if (rc == 0 && !(p->job->settings.layers = ss_pool_strdup(p->pool, text))) rc = ss_parse_memory(p);
    free(text);
    return rc;
}

/* ---- JSON Schema --------------------------------------------------------------------------------------------------- */
static void write_schema_value(FILE *out, const struct option *o)
{
    char bound[SS_VALUE_BYTES];
    if (o->type == SS_BOOL) {
        fprintf(out, "{\"type\": \"boolean\"}");
        return;
    }
    ss_number_format(o->max, bound);
    fprintf(out, "{\"type\": \"%s\", \"minimum\": %g, \"%s\": %s}", o->type == SS_FLOAT ? "number" : "integer", o->min,
            o->open_max ? "exclusiveMaximum" : "maximum", bound);
}

static void write_schema_type(FILE *out, const struct type *type)
{
    const char *before = "";
    bool block = strcmp(type->name, "residual") == 0;
    fprintf(out, "        \"%s\": {\"anyOf\": [", type->name);
    if (type->shorthand) write_schema_value(out, find_option(type->shorthand, type->options));
    if (!type->required && !block) fprintf(out, "{\"type\": \"null\"}");
    fprintf(out, "%s{\"type\": \"object\", \"additionalProperties\": false, \"properties\": {",
            type->shorthand || (!type->required && !block) ? ", " : "");
    for (size_t i = 0; i < N_OPTIONS; i++) {
        if (!(options[i].bit & type->options)) continue;
        fprintf(out, "%s\"%s\": ", before, options[i].name);
        write_schema_value(out, &options[i]);
        before = ", ";
    }
    fprintf(out, "%s}, \"required\": [", block ? ", \"body\": {\"$ref\": \"#/definitions/layers\"}" : "");
    before = "";
    for (size_t i = 0; i < N_OPTIONS; i++) {
        if (!(options[i].bit & type->required)) continue;
        fprintf(out, "%s\"%s\"", before, options[i].name);
        before = ", ";
    }
    fprintf(out, "%s]}]}", block ? "\"body\"" : "");
}

void ss_layers_write_schema(FILE *out)
{
    const char *before = "";
    fprintf(out, "    \"layers\": {\"type\": \"array\", \"minItems\": 1, "
                 "\"items\": {\"$ref\": \"#/definitions/layer\"}},\n"
                 "    \"layer\": {\"anyOf\": [\n      {\"enum\": [");
    for (size_t i = 0; i < N_YAML_TYPES; i++) {
        if (types[i].required || strcmp(types[i].name, "residual") == 0) continue;
        fprintf(out, "%s\"%s\"", before, types[i].name);
        before = ", ";
    }
    fprintf(out, "]},\n      {\"type\": \"object\", \"additionalProperties\": false, \"minProperties\": 1, "
                 "\"maxProperties\": 1, \"properties\": {\n");
    for (size_t i = 0; i < N_YAML_TYPES; i++) {
        write_schema_type(out, &types[i]);
        fprintf(out, "%s\n", i + 1 < N_YAML_TYPES ? "," : "");
    }
    fprintf(out, "      }}\n    ]}\n");
}
