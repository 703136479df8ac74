/* job.c - a job file, from its path to a checked ss_job. */
#include "parse.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_FILE_BYTES = 1 << 20 };

static const char *const sections[] = {"model", "data", "training", "curvature", "grid", "sweep", NULL};

static int unknown_section(ss_parse *p, const yaml_node_t *node, const char *name)
{
    const ss_key *key = ss_key_find(name);
    const char *near = ss_nearest(name, sections);
    if (key) return ss_parse_fail(p, node->start_mark, "%s: belongs in section %s, not at the top", name, key->section);
    if (strcmp(name, "zip") == 0 || strcmp(name, "exclude") == 0)
        return ss_parse_fail(p, node->start_mark, "%s: belongs in section grid, not at the top", name);
    return ss_parse_fail(p, node->start_mark, "%.60s: unknown section; %s%s", name,
                         near ? "nearest known section is " : "expected model, data, training, curvature, grid or sweep",
                         near ? near : "");
}

static int parse_root_pair(ss_parse *p, const yaml_node_pair_t *pair, ss_mark seen[6], yaml_node_t **exclude)
{
    const yaml_node_t *node = ss_node(p, pair->key);
    const char *name = ss_node_name(p, node);
    if (!name) return -1;
    size_t s = 0;
    while (sections[s] && strcmp(sections[s], name) != 0) s++;
    if (!sections[s]) return unknown_section(p, node, name);
    if (seen[s].set)
        return ss_parse_fail(p, node->start_mark, "section %s: given twice, first on line %zu; join the two", name,
                             seen[s].line);
    seen[s] = ss_mark_of(node);
    yaml_node_t *value = ss_node(p, pair->value);
    return strcmp(name, "grid") == 0 ? ss_parse_grid(p, value, exclude) : ss_parse_section(p, sections[s], value);
}

static int parse_root(ss_parse *p)
{
    yaml_node_t *root = yaml_document_get_root_node(&p->document), *exclude = NULL;
    ss_mark seen[6] = {{0, 0, false}};
    if (!root || ss_node_is_null(root))
        return ss_fail(p->error, "%s: the file is empty; a job needs at least one section, such as `grid:`", p->path);
    if (root->type != YAML_MAPPING_NODE)
        return ss_parse_fail(p, root->start_mark, "%s; expected sections: model, data, training, curvature, grid, sweep",
                             ss_node_kind(root));
    for (const yaml_node_pair_t *pair = root->data.mapping.pairs.start; pair < root->data.mapping.pairs.top; pair++)
        if (parse_root_pair(p, pair, seen, &exclude)) return -1;
    if (ss_parse_seeds(p)) return -1;
    return exclude ? ss_parse_excludes(p, exclude) : 0;
}

/* The place of a key as a mark for messages; false where the file does not mention it. */
static bool place_of(const ss_parse *p, const char *name, yaml_mark_t *mark)
{
    const ss_mark given = p->given[ss_key_index(ss_key_find(name))];
    *mark = (yaml_mark_t){0, given.line - 1, given.column - 1};
    return given.set;
}

static bool network_may_be_layers(const ss_job *job)
{
    for (int a = 0; a < job->n_axes; a++)
        for (int k = 0; k < job->axes[a].n_keys; k++) {
            if (strcmp(job->axes[a].key[k]->name, "network") != 0) continue;
            for (int v = 0; v < job->axes[a].n_values; v++)
                if (strcmp(job->axes[a].text[k][v], "layers") == 0) return true;
            return false;
        }
    return strcmp(job->settings.network, "layers") == 0;
}

/* What nobody wrote must not be refused: defaults too large for a small training set become `full` and `all`. */
static void fit_defaults(ss_parse *p)
{
    static const struct { const char *name; size_t offset; } fitted[] = {
        {"batch_size", offsetof(ss_settings, batch_size)}, {"curvature_examples", offsetof(ss_settings, curvature_examples)},
    };
    int64_t n = ss_train_total(&p->job->settings);
    yaml_mark_t mark;
    for (size_t i = 0; n != SS_WORD && i < sizeof fitted / sizeof *fitted; i++) {
        int64_t *value = (int64_t *)(void *)((char *)&p->job->settings + fitted[i].offset);
        if (!place_of(p, fitted[i].name, &mark) && *value > n) *value = SS_WORD;
    }
}

static int check_layers(ss_parse *p)
{
    yaml_mark_t mark;
    if (!place_of(p, "layers", &mark) || network_may_be_layers(p->job)) return 0;
    return ss_parse_fail(p, mark, "layers: needs `network: layers`, and network is %s", p->job->settings.network);
}

static int check_points(ss_parse *p, const ss_grid *grid)
{
    ss_settings s;
    const char *key = NULL;
    yaml_mark_t mark;
    for (size_t i = 0; i < ss_grid_count(grid); i++) {
        ss_grid_settings(grid, i, &s);
        if (ss_settings_check(&s, &key, p->error) == 0) continue;
        return place_of(p, key, &mark) ? ss_parse_fail_in(p, mark) : ss_fail_in(p->error, "%s", p->path);
    }
    return 0;
}

static int check_grid(ss_parse *p)
{
    ss_grid *grid = ss_grid_create(p->job, p->error);
    if (!grid) return ss_fail_in(p->error, "%s", p->path);
    int rc = 0;
    for (int e = 0; e < p->job->n_excludes && rc == 0; e++)
        if (ss_grid_excluded_by(grid, e) == 0)
            rc = ss_parse_fail(p, (yaml_mark_t){0, p->exclude[e].line - 1, p->exclude[e].column - 1},
                               "exclude: no combination of the grid matches; correct or remove it");
    if (rc == 0) rc = check_points(p, grid);
    ss_grid_destroy(grid);
    return rc;
}

static int fill_job(ss_parse *p, const char *text)
{
    ss_job *job = p->job;
    job->text = ss_pool_strdup(p->pool, text);
    job->path = ss_pool_strdup(p->pool, p->path);
    job->axes = ss_pool_take(p->pool, SS_MAX_AXES, sizeof *job->axes);
    if (!job->text || !job->path || !job->axes) return ss_parse_memory(p);
    if (ss_parse_own_defaults(p) || ss_document_load(p, text)) return -1;
    int rc = parse_root(p);
    yaml_document_delete(&p->document);
    if (rc == 0) fit_defaults(p);
    return rc || check_layers(p) || check_grid(p) ? -1 : 0;
}

ss_job *ss_job_parse(const char *text, const char *path, ss_error *error)
{
    ss_parse p = {.path = path ? path : "job", .error = error, .n_seeds = SS_WORD};
    p.job = ss_alloc(1, sizeof *p.job);
    p.pool = ss_alloc(1, sizeof *p.pool);
    if (!p.job || !p.pool) {
        ss_free(p.job);
        ss_free(p.pool);
        ss_parse_memory(&p);
        return NULL;
    }
    p.job->owned = p.pool;
    ss_settings_default(&p.job->settings);
    if (fill_job(&p, text) == 0) return p.job;
    ss_job_destroy(p.job);
    return NULL;
}

void ss_job_destroy(ss_job *job)
{
    if (!job) return;
    ss_pool *pool = job->owned;
    ss_pool_finish(pool);
    ss_free(pool);
    ss_free(job);
}

bool ss_job_is_axis(const ss_job *job, const ss_key *key)
{
    for (int a = 0; a < job->n_axes; a++)
        for (int k = 0; k < job->axes[a].n_keys; k++)
            if (job->axes[a].key[k] == key) return true;
    return false;
}

static int check_file(FILE *file, const char *path, size_t *n_bytes, ss_error *error)
{
    struct stat info;
    if (fstat(fileno(file), &info)) return ss_fail(error, "%s: cannot be read: %s", path, strerror(errno));
    if (S_ISDIR(info.st_mode)) return ss_fail(error, "%s: a folder; expected a job file (YAML)", path);
    if (!S_ISREG(info.st_mode)) return ss_fail(error, "%s: no regular file; expected a job file (YAML)", path);
    if (info.st_size > MAX_FILE_BYTES)
        return ss_fail(error, "%s: %lld bytes; a job file has at most %d", path, (long long)info.st_size, MAX_FILE_BYTES);
    *n_bytes = (size_t)info.st_size;
    return 0;
}

/* The whole file as one string; NULL and a sentence. */
static char *read_file(FILE *file, const char *path, ss_error *error)
{
    size_t n = 0;
    if (check_file(file, path, &n, error)) return NULL;
    char *text = ss_alloc(n + 1, 1);
    if (!text) {
        ss_fail(error, "%s: out of memory while reading the job", path);
        return NULL;
    }
    size_t got = fread(text, 1, n, file);
    if (got == n && !ferror(file) && strlen(text) == n) return text;
    if (got != n || ferror(file)) {
        ss_fail(error, "%s: only %zu of %zu bytes could be read", path, got, n);
    } else {
        size_t line = 1, zero = strlen(text);
        for (size_t i = 0; i < zero; i++) line += text[i] == '\n';
        ss_fail(error, "%s:%zu: a zero byte; a job file is text (YAML in UTF-8)", path, line);
    }
    ss_free(text);
    return NULL;
}

ss_job *ss_job_load(const char *path, ss_error *error)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe without a writer must not hold us */
    FILE *file = fd >= 0 ? fdopen(fd, "rb") : NULL;
    if (!file) {
        ss_fail(error, "%s: cannot be opened: %s", path, strerror(errno));
        if (fd >= 0) close(fd);
        return NULL;
    }
    char *text = read_file(file, path, error);
    fclose(file);
    ss_job *job = text ? ss_job_parse(text, path, error) : NULL;
    ss_free(text);
    return job;
}
