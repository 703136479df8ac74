/* document.c - from bytes to libyaml's tree. Two passes: events first, which show what the tree hides (explicit tags, a
 * second document, depth, characters behind escapes), then the tree itself, which is then known to be small, shallow and
 * plain. */
#include "parse.h"

#include <stdarg.h>
#include <string.h>

enum { MAX_DEPTH = 32, MAX_ALIASES = 1000 };

int ss_parse_fail(const ss_parse *p, yaml_mark_t mark, const char *format, ...)
{
    char text[SS_ERROR_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return ss_fail(p->error, "%s:%zu:%zu: %s", p->path, mark.line + 1, mark.column + 1, text);
}

int ss_parse_fail_in(const ss_parse *p, yaml_mark_t mark)
{
    return ss_fail_in(p->error, "%s:%zu:%zu", p->path, mark.line + 1, mark.column + 1);
}

int ss_parse_memory(const ss_parse *p)
{
    return ss_fail(p->error, "%s: out of memory while reading the job", p->path);
}

/* Length of the UTF-8 sequence at s, 0 if it is none (RFC 3629: no surrogates, no overlong forms, up to U+10FFFF). */
static size_t utf8_length(const unsigned char *s)
{
    if (s[0] < 0x80) return 1;
    size_t n = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
    if (s[0] < 0xc2 || s[0] > 0xf4) return 0;
    for (size_t i = 1; i < n; i++)
        if ((s[i] & 0xc0) != 0x80) return 0;
    if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f)) return 0;
    if ((s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f)) return 0;
    return n;
}

static bool is_control(unsigned char c)
{
    return (c < 0x20 && !(c == '\t' || c == '\r' || c == '\n')) || c == 0x7f;
}

static int check_bytes(const ss_parse *p, const char *text)
{
    yaml_mark_t mark = {0, 0, 0};
    bool indenting = true;
    for (const unsigned char *s = (const unsigned char *)text; *s;) {
        size_t n = utf8_length(s);
        if (n == 0) return ss_parse_fail(p, mark, "byte 0x%02x is not UTF-8 text; save the file as UTF-8", *s);
        if (*s == '\t' && indenting) return ss_parse_fail(p, mark, "a tab in the indentation; YAML is indented with spaces");
        if (is_control(*s)) return ss_parse_fail(p, mark, "control character 0x%02x; remove it", *s);
        indenting = *s == '\n' || (indenting && *s == ' ');
        mark.column++;
        if (*s == '\n') mark = (yaml_mark_t){0, mark.line + 1, 0};
        s += n;
    }
    return 0;
}

static int syntax_error(const ss_parse *p, const yaml_parser_t *parser)
{
    if (parser->error == YAML_MEMORY_ERROR) return ss_parse_memory(p);
    const char *problem = parser->problem ? parser->problem : "unreadable";
    if (!parser->context) return ss_parse_fail(p, parser->problem_mark, "YAML syntax: %s", problem);
    return ss_parse_fail(p, parser->problem_mark, "YAML syntax: %s (%s, line %zu)", problem, parser->context,
                         parser->context_mark.line + 1);
}

static const char *event_tag(const yaml_event_t *e)
{
    const yaml_char_t *tag = e->type == YAML_SCALAR_EVENT           ? e->data.scalar.tag
                             : e->type == YAML_SEQUENCE_START_EVENT ? e->data.sequence_start.tag
                             : e->type == YAML_MAPPING_START_EVENT  ? e->data.mapping_start.tag : NULL;
    return (const char *)tag;
}

/* What escapes bring into a scalar: cut at a NUL, it would be another value. */
static int survey_scalar(const ss_parse *p, const yaml_event_t *e)
{
    const unsigned char *text = e->data.scalar.value;
    for (size_t i = 0; i < e->data.scalar.length; i++)
        if (is_control(text[i]))
            return ss_parse_fail(p, e->start_mark, "control character 0x%02x (an escape such as \\0); remove it", text[i]);
    return 0;
}

struct survey { int depth, n_documents, n_aliases; };

static int survey_event(const ss_parse *p, const yaml_event_t *e, struct survey *s)
{
    bool opens = e->type == YAML_SEQUENCE_START_EVENT || e->type == YAML_MAPPING_START_EVENT;
    bool closes = e->type == YAML_SEQUENCE_END_EVENT || e->type == YAML_MAPPING_END_EVENT;
    const char *tag = event_tag(e);
    s->depth += opens - closes;
    s->n_documents += e->type == YAML_DOCUMENT_START_EVENT;
    s->n_aliases += e->type == YAML_ALIAS_EVENT;
    if (tag) return ss_parse_fail(p, e->start_mark, "the tag %.60s; a job file has no tags, write the bare value", tag);
    if (s->depth > MAX_DEPTH) return ss_parse_fail(p, e->start_mark, "nested deeper than %d levels", MAX_DEPTH);
    if (s->n_documents > 1) return ss_parse_fail(p, e->start_mark, "a second document; a job file holds one");
    if (s->n_aliases > MAX_ALIASES) return ss_parse_fail(p, e->start_mark, "more than %d aliases", MAX_ALIASES);
    return e->type == YAML_SCALAR_EVENT ? survey_scalar(p, e) : 0;
}

static int open_parser(const ss_parse *p, yaml_parser_t *parser, const char *text)
{
    if (!yaml_parser_initialize(parser)) return ss_parse_memory(p);
    yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(parser, (const unsigned char *)text, strlen(text));
    return 0;
}

static int survey_text(const ss_parse *p, const char *text)
{
    yaml_parser_t parser;
    yaml_event_t event;
    struct survey survey = {0, 0, 0};
    int rc = open_parser(p, &parser, text);
    if (rc) return rc;
    for (bool more = true; more && rc == 0;) {
        if (!yaml_parser_parse(&parser, &event)) {
            rc = syntax_error(p, &parser);
            break;
        }
        more = event.type != YAML_STREAM_END_EVENT;
        rc = survey_event(p, &event, &survey);
        yaml_event_delete(&event);
    }
    yaml_parser_delete(&parser);
    return rc;
}

int ss_document_load(ss_parse *p, const char *text)
{
    yaml_parser_t parser;
    memset(&p->document, 0, sizeof p->document);
    if (strncmp(text, "\xEF\xBB\xBF", 3) == 0) text += 3; /* a byte-order mark, as some editors write it */
    if (check_bytes(p, text) || survey_text(p, text) || open_parser(p, &parser, text)) return -1;
    int rc = yaml_parser_load(&parser, &p->document) ? 0 : syntax_error(p, &parser);
    yaml_parser_delete(&parser);
    return rc;
}

yaml_node_t *ss_node(ss_parse *p, int index)
{
    return yaml_document_get_node(&p->document, index);
}

const char *ss_node_kind(const yaml_node_t *node)
{
    return node->type == YAML_SEQUENCE_NODE ? "a list" : node->type == YAML_MAPPING_NODE ? "a mapping" : "a single value";
}

bool ss_node_is_null(const yaml_node_t *node)
{
    if (node->type != YAML_SCALAR_NODE || node->data.scalar.style != YAML_PLAIN_SCALAR_STYLE) return false;
    const char *text = (const char *)node->data.scalar.value;
    return strcmp(text, "") == 0 || strcmp(text, "~") == 0 || strcmp(text, "null") == 0;
}

const char *ss_node_name(ss_parse *p, const yaml_node_t *node)
{
    if (node->type != YAML_SCALAR_NODE || node->data.scalar.length == 0) {
        ss_parse_fail(p, node->start_mark, "%s where the name of a key was expected",
                      node->type == YAML_SCALAR_NODE ? "nothing" : ss_node_kind(node));
        return NULL;
    }
    const char *name = (const char *)node->data.scalar.value;
    if (strcmp(name, "<<") != 0) return name;
    ss_parse_fail(p, node->start_mark, "merge keys (<<) are left out of job files; write the keys themselves");
    return NULL;
}

size_t ss_node_items(const yaml_node_t *sequence)
{
    return (size_t)(sequence->data.sequence.items.top - sequence->data.sequence.items.start);
}

size_t ss_node_pairs(const yaml_node_t *mapping)
{
    return (size_t)(mapping->data.mapping.pairs.top - mapping->data.mapping.pairs.start);
}

ss_mark ss_mark_of(const yaml_node_t *node)
{
    return (ss_mark){node->start_mark.line + 1, node->start_mark.column + 1, true};
}
