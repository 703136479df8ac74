/* paths.c - paths as people write them in a job: ${VAR}, ~/ and relative to the job file. */
#include "parse.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_PATH = 4096 };

struct buffer { char text[MAX_PATH]; size_t n; };

static int append(struct buffer *b, const char *text, size_t n, ss_error *error)
{
    if (n >= MAX_PATH - b->n) return ss_fail(error, "a path longer than %d bytes", MAX_PATH - 1);
    memcpy(b->text + b->n, text, n);
    b->n += n;
    b->text[b->n] = '\0';
    return 0;
}

static int append_variable(struct buffer *b, const char *name, ss_error *error)
{
    if (!name[0]) return ss_fail(error, "${} names no variable");
    const char *value = getenv(name);
    if (!value) return ss_fail(error, "the environment variable %.80s is not set; export it or write the path out", name);
    return append(b, value, strlen(value), error);
}

/* *text points behind "${" and is moved behind "}". */
static int expand_variable(struct buffer *b, const char **text, ss_error *error)
{
    char name[128];
    const char *end = strchr(*text, '}');
    if (!end) return ss_fail(error, "'${%.80s' has no closing brace", *text);
    size_t n = (size_t)(end - *text);
    if (n >= sizeof name) return ss_fail(error, "'${%.80s...' is too long for a variable's name", *text);
    memcpy(name, *text, n);
    name[n] = '\0';
    *text = end + 1;
    return append_variable(b, name, error);
}

static int expand(struct buffer *b, const char *text, ss_error *error)
{
    if (text[0] == '~') {
        if (text[1] && text[1] != '/')
            return ss_fail(error, "'%.80s': only ~ itself is known as a home folder; write the path out", text);
        if (append_variable(b, "HOME", error)) return -1;
        text++;
    }
    while (*text) {
        if (text[0] == '$' && text[1] == '{') {
            text += 2;
            if (expand_variable(b, &text, error)) return -1;
            continue;
        }
        if (text[0] == '$' && (isalpha((unsigned char)text[1]) || text[1] == '_'))
            return ss_fail(error, "'%.80s': variables are written with braces, ${NAME}", text);
        if (append(b, text++, 1, error)) return -1;
    }
    return 0;
}

char *ss_path_resolve(ss_pool *pool, const char *text, const char *job_path, ss_error *error)
{
    struct buffer own = {"", 0}, full = {"", 0};
    const char *slash = strrchr(job_path, '/');
    if (expand(&own, text, error)) return NULL;
    if (own.n && own.text[0] != '/' && slash && append(&full, job_path, (size_t)(slash + 1 - job_path), error)) return NULL;
    if (append(&full, own.text, own.n, error)) return NULL;
    char *path = ss_pool_strdup(pool, full.text);
    if (!path) ss_fail(error, "out of memory for a path");
    return path;
}
