/* parse.h - the state of reading one job file, shared by the files that read its parts. */
#ifndef SHARPSWEEP_SWEEP_PARSE_H
#define SHARPSWEEP_SWEEP_PARSE_H

#include <yaml.h>

#include "parts.h"

enum { SS_MAX_KEYS = 96, SS_MAX_EXCLUDES = 1000 };

typedef struct ss_mark { size_t line, column; bool set; } ss_mark; /* counted from 1 */

typedef struct ss_parse {
    const char *path;
    ss_job *job;
    ss_pool *pool;
    yaml_document_t document;
    ss_mark given[SS_MAX_KEYS];   /* where each key of the table was given */
    ss_mark *exclude;             /* (n_excludes) */
    int64_t n_seeds;              /* or SS_WORD */
    ss_error *error;
} ss_parse;

/* document.c */
/* Checks bytes, syntax and what our YAML leaves out (tags, several documents), then loads the tree. */
int ss_document_load(ss_parse *p, const char *text);
/* "PATH:LINE:COLUMN: sentence"; always -1. */
int ss_parse_fail(const ss_parse *p, yaml_mark_t mark, const char *format, ...) __attribute__((format(printf, 3, 4)));
int ss_parse_fail_in(const ss_parse *p, yaml_mark_t mark); /* puts the place before the sentence that is there; -1 */
int ss_parse_memory(const ss_parse *p);                    /* "out of memory"; -1 */
yaml_node_t *ss_node(ss_parse *p, int index);
const char *ss_node_kind(const yaml_node_t *node);         /* "a list", "a mapping", "the value" */
bool ss_node_is_null(const yaml_node_t *node);             /* nothing, ~ or null */
/* The text of a scalar that is a mapping's key; NULL and an error where it is none, empty or a merge key. */
const char *ss_node_name(ss_parse *p, const yaml_node_t *node);
size_t ss_node_items(const yaml_node_t *sequence);
size_t ss_node_pairs(const yaml_node_t *mapping);
ss_mark ss_mark_of(const yaml_node_t *node);

/* settings.c: a scalar's value into s; checks that numbers and truth values are not quoted. */
int ss_parse_scalar(ss_parse *p, const ss_key *key, const yaml_node_t *node, ss_settings *s);
int ss_parse_section(ss_parse *p, const char *section, yaml_node_t *node);
size_t ss_key_index(const ss_key *key);
int ss_parse_own_defaults(ss_parse *p);
/* Key of a section or of the grid, by its name node; NULL and an error if unknown, or of another section than `section`
 * (NULL: any). */
const ss_key *ss_parse_key(ss_parse *p, const yaml_node_t *name, const char *section);
/* Notes where a key is given; -1 if it was given before. */
int ss_parse_give(ss_parse *p, const ss_key *key, const yaml_node_t *name);

/* axes.c */
int ss_parse_grid(ss_parse *p, yaml_node_t *node, yaml_node_t **exclude); /* exclude: its node or NULL, for later */
int ss_parse_seeds(ss_parse *p);
int ss_parse_excludes(ss_parse *p, yaml_node_t *node);

/* layers.c: the list into p->job->settings.layers */
int ss_parse_layers(ss_parse *p, yaml_node_t *node);

/* paths.c: ${VAR} and ~ expanded, relative to the job file's folder. NULL and a sentence without place. */
char *ss_path_resolve(ss_pool *pool, const char *text, const char *job_path, ss_error *error);

#endif
