/* reference.c - the documents made from the key table: jobs/README.md's reference and the JSON Schema that editors use
 * (draft-07, which the YAML language servers read). */
#include "parts.h"

#include <math.h>
#include <string.h>

const ss_section ss_sections[] = {
    {"model", "The network and its loss."},
    {"data", "The data set, which part of it, and how pixels become numbers."},
    {"training", "SGD or SAM, and when to stop."},
    {"curvature", "How lambda_max is measured."},
    {"sweep", "The run itself. None of these is part of a point's identity: they may change between runs."},
    {NULL, NULL},
};

static const char *type_name(const ss_key *key)
{
    static const char *const name[] = {
        [SS_BOOL] = "true or false", [SS_INT] = "integer", [SS_COUNT] = "integer or word",
        [SS_BYTES] = "size or word", [SS_FLOAT] = "number",
        [SS_CHOICE] = "word", [SS_TEXT] = "path", [SS_INTS] = "list of integers", [SS_LAYERS] = "list of layers"};
    return name[key->type];
}

static void write_bound(FILE *out, double v)
{
    char text[SS_VALUE_BYTES];
    ss_number_format(v, text);
    fprintf(out, "%s", text);
}

static void write_range(FILE *out, const ss_key *key)
{
    if (key->type == SS_CHOICE) {
        for (size_t i = 0; key->choices[i]; i++) fprintf(out, "%s`%s`", i ? ", " : "", key->choices[i]);
        return;
    }
    if (key->type == SS_BOOL || key->type == SS_TEXT || key->type == SS_LAYERS) return;
    bool closed = !key->open_min && !key->open_max;
    fprintf(out, "%s", closed ? "" : key->open_min ? "> " : ">= ");
    write_bound(out, key->min);
    if (isfinite(key->max)) {
        fprintf(out, "%s", closed ? " .. " : key->open_max ? ", < " : ", <= ");
        write_bound(out, key->max);
    }
    if (key->word) fprintf(out, ", `%s`", key->word);
}

static void write_row(FILE *out, const ss_key *key)
{
    bool pure = !key->unit[0] || strcmp(key->unit, "1") == 0;
    fprintf(out, "| `%s` | %s | ", key->name, type_name(key));
    if (key->fallback[0]) fprintf(out, "`%s` ", key->fallback);
    fprintf(out, "| ");
    write_range(out, key);
    fprintf(out, " | %s | ", pure ? "" : key->unit);
    for (const char *c = key->text; *c; c++) fprintf(out, "%s%c", *c == '|' ? "\\" : "", *c); /* a bar would end the cell */
    fprintf(out, " |\n");
}

void ss_job_write_reference(FILE *out)
{
    size_t n;
    const ss_key *key = ss_keys(&n);
    for (const ss_section *section = ss_sections; section->name; section++) {
        fprintf(out, "### %s\n\n%s\n\n", section->name, section->text);
        fprintf(out, "| key | type | default | range | unit | meaning |\n|---|---|---|---|---|---|\n");
        for (size_t i = 0; i < n; i++)
            if (strcmp(key[i].section, section->name) == 0) write_row(out, &key[i]);
        fprintf(out, "\n");
    }
}

/* ---- JSON Schema --------------------------------------------------------------------------------------------------- */
static void write_string(FILE *out, const char *text)
{
    fputc('"', out);
    for (; *text; text++) {
        if (*text == '"' || *text == '\\') fputc('\\', out);
        fputc(*text, out);
    }
    fputc('"', out);
}

static void write_limits(FILE *out, const ss_key *key)
{
    fprintf(out, ", \"%s\": ", key->open_min ? "exclusiveMinimum" : "minimum");
    write_bound(out, key->min);
    if (!isfinite(key->max)) return;
    fprintf(out, ", \"%s\": ", key->open_max ? "exclusiveMaximum" : "maximum");
    write_bound(out, key->max);
}

static void write_number(FILE *out, const ss_key *key)
{
    fprintf(out, "{\"type\": \"%s\"", key->type == SS_FLOAT ? "number" : "integer");
    write_limits(out, key);
    fprintf(out, "}");
}

/* The schema of one value. */
static void write_value(FILE *out, const ss_key *key)
{
    switch (key->type) {
    case SS_BOOL: fprintf(out, "{\"type\": \"boolean\"}"); return;
    case SS_TEXT: fprintf(out, "{\"type\": \"string\"}"); return;
    case SS_LAYERS: fprintf(out, "{\"$ref\": \"#/definitions/layers\"}"); return;
    case SS_CHOICE:
        fprintf(out, "{\"enum\": [");
        for (size_t i = 0; key->choices[i]; i++) {
            fprintf(out, "%s", i ? ", " : "");
            write_string(out, key->choices[i]);
        }
        fprintf(out, "]}");
        return;
    case SS_INTS:
        fprintf(out, "{\"type\": \"array\", \"maxItems\": %d, \"items\": ", SS_MAX_WIDTHS);
        write_number(out, key);
        fprintf(out, "}");
        return;
    case SS_BYTES:
        fprintf(out, "{\"anyOf\": [{\"const\": \"%s\"}, {\"type\": \"integer\"", key->word);
        write_limits(out, key);
        fprintf(out, "}, {\"type\": \"string\", \"pattern\": \"^[0-9.]+[KMGT](i?B)?$\"}]}");
        return;
    default: break;
    }
    if (key->word) fprintf(out, "{\"anyOf\": [{\"const\": \"%s\"}, ", key->word);
    write_number(out, key);
    if (key->word) fprintf(out, "]}");
}

static void write_property(FILE *out, const ss_key *key, const char *before)
{
    bool pure = !key->unit[0] || strcmp(key->unit, "1") == 0;
    char text[512];
    snprintf(text, sizeof text, "%s%s%s%s. Default: %s", key->text, pure ? "" : " (", pure ? "" : key->unit, pure ? "" : ")",
             key->fallback[0] ? key->fallback : "none");
    fprintf(out, "%s        ", before);
    write_string(out, key->name);
    fprintf(out, ": {\"description\": ");
    write_string(out, text);
    fprintf(out, ", \"allOf\": [");
    write_value(out, key);
    fprintf(out, "]}");
}

static void write_section(FILE *out, const ss_section *section)
{
    size_t n;
    const ss_key *key = ss_keys(&n);
    const char *before = "\n";
    fprintf(out, "    \"%s\": {\n      \"description\": ", section->name);
    write_string(out, section->text);
    fprintf(out, ",\n      \"type\": [\"object\", \"null\"],\n      \"additionalProperties\": false,\n"
                 "      \"properties\": {");
    for (size_t i = 0; i < n; i++) {
        if (strcmp(key[i].section, section->name) != 0) continue;
        write_property(out, &key[i], before);
        before = ",\n";
    }
    fprintf(out, "\n      }\n    }");
}

/* One property per axis key: a value, a list of values or, on an axis, a range. */
static void write_axis_keys(FILE *out, const char *indent, bool ranges)
{
    size_t n;
    const ss_key *key = ss_keys(&n);
    const char *before = "\n";
    for (size_t i = 0; i < n; i++) {
        if (!ss_key_is_axis_type(&key[i])) continue;
        bool numeric = key[i].type == SS_INT || key[i].type == SS_COUNT || key[i].type == SS_FLOAT;
        fprintf(out, "%s%s\"%s\": {\"anyOf\": [", before, indent, key[i].name);
        write_value(out, &key[i]);
        fprintf(out, ", {\"type\": \"array\", \"minItems\": 1, \"uniqueItems\": true, \"items\": ");
        write_value(out, &key[i]);
        fprintf(out, "}%s]}", ranges && numeric ? ", {\"$ref\": \"#/definitions/range\"}" : "");
        before = ",\n";
    }
}

static void write_grid(FILE *out)
{
    fprintf(out, "    \"grid\": {\n      \"description\": \"Axes: every combination of their values is a point.\",\n"
                 "      \"type\": [\"object\", \"null\"],\n      \"additionalProperties\": false,\n      \"properties\": {\n"
                 "        \"zip\": {\"description\": \"Axes that move together, of equal length.\", \"anyOf\": [\n"
                 "          {\"$ref\": \"#/definitions/zip\"},\n"
                 "          {\"type\": \"array\", \"minItems\": 1, \"items\": {\"$ref\": \"#/definitions/zip\"}}]},\n"
                 "        \"exclude\": {\"description\": \"Combinations that are no points.\", \"anyOf\": [\n"
                 "          {\"$ref\": \"#/definitions/exclude\"},\n"
                 "          {\"type\": \"array\", \"minItems\": 1, \"items\": {\"$ref\": \"#/definitions/exclude\"}}]},");
    write_axis_keys(out, "        ", true);
    fprintf(out, "\n      }\n    }");
}

static void write_definitions(FILE *out)
{
    fprintf(out, "  \"definitions\": {\n"
                 "    \"three\": {\"type\": \"array\", \"minItems\": 3, \"maxItems\": 3, "
                 "\"items\": {\"type\": \"number\"}},\n"
                 "    \"range\": {\n      \"description\": \"[from, to, count], both ends included.\",\n"
                 "      \"type\": \"object\", \"additionalProperties\": false, \"minProperties\": 1, \"maxProperties\": 1,\n"
                 "      \"properties\": {\"log\": {\"$ref\": \"#/definitions/three\"}, "
                 "\"linear\": {\"$ref\": \"#/definitions/three\"}}\n    },\n");
    fprintf(out, "    \"zip\": {\n      \"type\": \"object\", \"additionalProperties\": false, \"minProperties\": 2, "
                 "\"maxProperties\": %d,\n      \"properties\": {", SS_MAX_ZIP);
    write_axis_keys(out, "        ", true);
    fprintf(out, "\n      }\n    },\n    \"exclude\": {\n      \"type\": \"object\", \"additionalProperties\": false, "
                 "\"minProperties\": 1, \"maxProperties\": %d,\n      \"properties\": {", SS_MAX_ZIP);
    write_axis_keys(out, "        ", false);
    fprintf(out, "\n      }\n    },\n");
    ss_layers_write_schema(out);
    fprintf(out, "  }\n");
}

void ss_job_write_schema(FILE *out)
{
    fprintf(out, "{\n  \"$schema\": \"http://json-schema.org/draft-07/schema#\",\n  \"title\": \"sharpsweep job\",\n"
                 "  \"type\": \"object\",\n  \"additionalProperties\": false,\n  \"minProperties\": 1,\n"
                 "  \"properties\": {\n");
    for (const ss_section *section = ss_sections; section->name; section++) {
        write_section(out, section);
        fprintf(out, ",\n");
    }
    write_grid(out);
    fprintf(out, "\n  },\n");
    write_definitions(out);
    fprintf(out, "}\n");
}
