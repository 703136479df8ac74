/* point.c - a point's identity: what determines its result, hashed. Every identity key counts, also one that happens not
 * to matter for this point (the widths of a vgg11): a rule that needs no thought is never wrong, and its price is a point
 * computed twice. Only optional keys at their defaults do not count, so that points keep the identity that they had before
 * there were such keys. Where data lies and how fast it is computed (data_dir, threads) does not count; the data's digest
 * does. */
#include "parts.h"

#include <string.h>

/* To be raised whenever the same settings give other numbers than before: old points are then computed anew. */
#define SS_NUMERICS "2"

enum { VALUE_TEXT_BYTES = 512 };

static void add_line(ss_sha256 *h, const char *name, const char *value)
{
    ss_sha256_update(h, name, strlen(name));
    ss_sha256_update(h, "=", 1);
    ss_sha256_update(h, value, strlen(value));
    ss_sha256_update(h, "\n", 1);
}

static void finish_id(ss_sha256 *h, const char *data_digest, char id[SS_ID_BYTES])
{
    char digest[SS_DIGEST_BYTES];
    add_line(h, "data_digest", data_digest);
    add_line(h, "numerics", SS_NUMERICS);
    ss_sha256_finish(h, digest);
    memcpy(id, digest, SS_ID_BYTES - 1);
    id[SS_ID_BYTES - 1] = '\0';
}

/* The value's text as it is hashed; NULL: it does not count. Layers may be of any length. */
static const char *hashed_text(const ss_key *key, const ss_settings *s, char value[VALUE_TEXT_BYTES])
{
    if (key->type == SS_LAYERS) return s->layers ? s->layers : "";
    ss_key_format(key, s, value, VALUE_TEXT_BYTES);
    return key->optional && strcmp(value, key->fallback) == 0 ? NULL : value;
}

void ss_point_identify(const ss_settings *s, const char *data_digest, char id[SS_ID_BYTES])
{
    size_t n;
    const ss_key *key = ss_keys(&n);
    char value[VALUE_TEXT_BYTES];
    ss_sha256 h;
    ss_sha256_init(&h);
    for (size_t i = 0; i < n; i++) {
        const char *text = key[i].identity ? hashed_text(&key[i], s, value) : NULL;
        if (text) add_line(&h, key[i].name, text);
    }
    finish_id(&h, data_digest, id);
}

/* ---- of all points of a grid: neighbours share most of what is hashed ------------------------------------------------- */

/* What is hashed one after the other: lines that all points have, and the line of an axis's key, one for each of its values.
 * Value v's lines are text[begin[v] .. begin[v + 1] - 1]. */
struct part {
    int axis;                     /* -1: the same for all */
    char *text;
    size_t n, capacity;
    uint32_t *begin;              /* (n_values + 1) */
    size_t digit;                 /* of the point that was hashed last */
    ss_sha256 after;              /* its state behind this part */
};

struct ss_identities {
    const ss_grid *grid;
    size_t n_parts, n_valid;      /* of parts whose `after` is that of the last point */
    struct part *part;
};

static int add_text(struct part *p, const char *text)
{
    size_t n = strlen(text);
    if (p->n + n > p->capacity) {
        size_t more = 2 * (p->n + n) + 64;
        char *grown = more < UINT32_MAX ? ss_realloc(p->text, p->capacity, more, 1) : NULL;
        if (!grown) return -1;
        p->text = grown;
        p->capacity = more;
    }
    memcpy(p->text + p->n, text, n);
    p->n += n;
    return 0;
}

static int add_key(struct part *p, const ss_key *key, const ss_settings *s)
{
    char value[VALUE_TEXT_BYTES];
    const char *text = hashed_text(key, s, value);
    if (!text) return 0;
    return add_text(p, key->name) || add_text(p, "=") || add_text(p, text) || add_text(p, "\n") ? -1 : 0;
}

static int fill_axis(struct part *p, const ss_job *job, int axis, int k)
{
    ss_settings s = job->settings;
    const ss_axis *a = &job->axes[axis];
    p->axis = axis;
    p->digit = SIZE_MAX;
    p->begin = ss_alloc((size_t)a->n_values + 1, sizeof *p->begin);
    if (!p->begin) return -1;
    for (int v = 0; v < a->n_values; v++) {
        if (ss_key_parse(a->key[k], a->text[k][v], &s, NULL) || add_key(p, a->key[k], &s)) return -1;
        p->begin[v + 1] = (uint32_t)p->n;
    }
    return 0;
}

/* Which axis has the key, as its *k-th; -1: none. */
static int axis_of(const ss_job *job, const ss_key *key, int *k)
{
    for (int a = 0; a < job->n_axes; a++)
        for (*k = 0; *k < job->axes[a].n_keys; ++*k)
            if (job->axes[a].key[*k] == key) return a;
    return -1;
}

static int fill_parts(ss_identities *ids, const ss_job *job)
{
    size_t n;
    const ss_key *key = ss_keys(&n);
    ids->part = ss_alloc(2 * n + 1, sizeof *ids->part);
    if (!ids->part) return -1;
    for (size_t i = 0; i < n; i++) {
        int k, axis = key[i].identity ? axis_of(job, &key[i], &k) : -1;
        if (!key[i].identity) continue;
        bool goes_on = axis < 0 && ids->n_parts > 0 && ids->part[ids->n_parts - 1].axis < 0;
        struct part *p = &ids->part[goes_on ? ids->n_parts - 1 : ids->n_parts++];
        if (axis < 0) p->axis = -1;
        if (axis < 0 ? add_key(p, &key[i], &job->settings) : fill_axis(p, job, axis, k)) return -1;
    }
    return 0;
}

ss_identities *ss_identities_create(const ss_grid *grid, ss_error *error)
{
    ss_identities *ids = ss_alloc(1, sizeof *ids);
    if (ids) ids->grid = grid;
    if (ids && fill_parts(ids, ss_grid_job(grid)) == 0) return ids;
    ss_identities_destroy(ids);
    ss_fail(error, "out of memory for the points' identities");
    return NULL;
}

void ss_identities_destroy(ss_identities *ids)
{
    if (!ids) return;
    for (size_t i = 0; ids->part && i < ids->n_parts; i++) {
        ss_free(ids->part[i].text);
        ss_free(ids->part[i].begin);
    }
    ss_free(ids->part);
    ss_free(ids);
}

void ss_identities_at(ss_identities *ids, size_t point, const char *data_digest, char id[SS_ID_BYTES])
{
    size_t digit[SS_MAX_AXES], i = 0;
    ss_sha256 h;
    ss_grid_digits(ids->grid, point, digit);
    while (i < ids->n_valid && (ids->part[i].axis < 0 || ids->part[i].digit == digit[ids->part[i].axis])) i++;
    if (i > 0) h = ids->part[i - 1].after;
    else ss_sha256_init(&h);
    for (; i < ids->n_parts; i++) {
        struct part *p = &ids->part[i];
        if (p->axis >= 0) p->digit = digit[p->axis];
        size_t begin = p->axis < 0 ? 0 : p->begin[p->digit], end = p->axis < 0 ? p->n : p->begin[p->digit + 1];
        ss_sha256_update(&h, p->text + begin, end - begin);
        p->after = h;
    }
    ids->n_valid = ids->n_parts;
    finish_id(&h, data_digest, id);
}
