/* resume.c - the rule of resuming. A stored point is the same as a grid point if their identities are equal. Every identity
 * setting in which stored points differ from the job must be an axis, of the job or of the file: otherwise two rows would
 * differ in something that no axis shows, and the job is refused with each difference named. So is a job whose data, or a
 * program whose numerics, are not those of a stored point that has such settings. */
#include "resume.h"

#include <stdio.h>
#include <string.h>

const char *ss_base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

int ss_job_axis_keys(const ss_job *job, const ss_key *key[SS_MAX_JOB_KEYS], ss_error *error)
{
    int n = 0;
    for (int a = 0; a < job->n_axes; a++)
        for (int k = 0; k < job->axes[a].n_keys; k++) {
            if (n == SS_MAX_JOB_KEYS) return ss_fail(error, "%s: more than %d axes", ss_base_name(job->path), SS_MAX_JOB_KEYS);
            key[n++] = job->axes[a].key[k];
        }
    return n;
}

const char *ss_setting_text(const ss_key *key, const ss_settings *s, char *buffer, size_t buffer_bytes)
{
    if (key->type == SS_CHOICE || key->type == SS_TEXT || key->type == SS_LAYERS) {
        const char *text;
        memcpy(&text, (const char *)s + key->offset, sizeof text);
        return text ? text : "";
    }
    ss_key_format(key, s, buffer, buffer_bytes);
    return buffer;
}

bool ss_table_has_axis(const ss_table *t, const char *name)
{
    for (uint32_t a = 0; a < t->n_axes; a++)
        if (strcmp(t->axis[a], name) == 0) return true;
    return false;
}

/* ---- settings --------------------------------------------------------------------------------------------------- */

void ss_difference_add(ss_differences *d, const char *name, const char *a, const char *in_a, const char *b, const char *in_b)
{
    enum { SHOWN = 6 };
    if (d->used >= sizeof d->text || d->n > SHOWN) return;
    if (d->n++ == SHOWN) d->used += (size_t)snprintf(d->text + d->used, sizeof d->text - d->used, "; and more");
    else d->used += (size_t)snprintf(d->text + d->used, sizeof d->text - d->used, "%s%s: %.60s in %.60s, %.60s in %.60s",
                                     d->used ? "; " : "", name, a ? a : "nothing", in_a, b ? b : "nothing", in_b);
}

static void compare_settings(const ss_table *t, const ss_session *s, const char *path, const ss_job *job, ss_differences *d)
{
    size_t n;
    char buffer[512];
    const ss_key *key = ss_keys(&n);
    const char *file = ss_base_name(path), *job_name = ss_base_name(job->path ? job->path : "the job");
    for (size_t i = 0; i < n; i++) {
        if (key[i].offset == (size_t)-1 || !key[i].identity || ss_table_has_axis(t, key[i].name)) continue;
        if (ss_job_is_axis(job, &key[i])) continue; /* old points are found by their identity, or stay beside the new */
        const char *old = ss_session_setting(s, key[i].name);
        const char *new = ss_setting_text(&key[i], &job->settings, buffer, sizeof buffer);
        if (!old || strcmp(old, new) != 0) ss_difference_add(d, key[i].name, old, file, new, job_name);
    }
    for (uint32_t i = 0; i < s->n_settings; i++)
        if (!ss_key_find(s->setting[i])) ss_difference_add(d, s->setting[i], s->text[i], file, "unknown", "this version");
}

/* ---- identities ------------------------------------------------------------------------------------------------- */

const char *ss_point_digest(const ss_provenance *p, const ss_settings *s)
{
    const char *digest = p->point_digest ? p->point_digest(p->ctx, s) : p->data_digest;
    return digest ? digest : "";
}

int ss_resume_identify(const ss_grid *grid, const ss_provenance *p, unsigned char *ids, ss_error *error)
{
    ss_settings settings;
    char text[SS_ID_BYTES];
    int rc = 0;
    ss_identities *identities = ss_identities_create(grid, error);
    if (!identities) return -1;
    for (size_t i = 0; i < ss_grid_count(grid) && rc == 0; i++) {
        ss_grid_settings(grid, i, &settings);
        ss_identities_at(identities, i, ss_point_digest(p, &settings), text);
        if (ss_id_pack(text, ids + i * SS_ID_RAW)) rc = ss_fail(error, "point %zu: its identity is not 32 hex digits", i);
    }
    ss_identities_destroy(identities);
    return rc;
}

/* One distinct data section among the grid's points. */
typedef struct section { ss_settings settings; const char *digest; } section;

typedef struct check {
    const ss_resume *r;
    bool *in_grid;                /* (n_rows) a grid point has this identity: nothing has changed */
    bool *sampled;                /* (n_sessions) its numerics have been looked at */
    section *section;
    size_t n_sections;
    ss_settings base;             /* settings of session base_of - 1 */
    uint32_t base_of;
} check;

static bool same_data(const ss_settings *a, const ss_settings *b)
{
    size_t n;
    const ss_key *key = ss_keys(&n);
    for (size_t i = 0; i < n; i++)
        if (key[i].identity && strcmp(key[i].section, "data") == 0 && !ss_key_equal(&key[i], a, b)) return false;
    return true;
}

/* The digest that data of these settings have now; NULL: no grid point uses such data. */
static const char *digest_now(const check *c, const ss_settings *s)
{
    for (size_t i = c->n_sections; i-- > 0;)
        if (same_data(&c->section[i].settings, s)) return c->section[i].digest;
    return NULL;
}

static int collect_sections(check *c, ss_error *error)
{
    ss_settings s;
    for (size_t i = 0; i < ss_grid_count(c->r->grid); i++) {
        ss_grid_settings(c->r->grid, i, &s);
        if (digest_now(c, &s)) continue;
        section *grown = ss_realloc(c->section, c->n_sections, c->n_sections + 1, sizeof *grown);
        if (!grown) return ss_fail(error, "%s: no memory", c->r->path);
        c->section = grown;
        grown[c->n_sections++] = (section){s, ss_point_digest(c->r->provenance, &s)};
    }
    return 0;
}

/* What a session that knows nothing of optional keys left them at. */
static void default_optional(ss_settings *s)
{
    size_t n;
    const ss_key *key = ss_keys(&n);
    for (size_t i = 0; i < n; i++)
        if (key[i].optional) ss_key_parse(&key[i], key[i].fallback, s, NULL);
}

/* Lists are no axes: here they equal the job's, or the settings would differ. */
static int parse_stored(const check *c, const char *name, const char *text, ss_settings *s, ss_error *error)
{
    const ss_key *key = ss_key_find(name);
    if (!key || key->offset == (size_t)-1 || !key->identity || key->type == SS_INTS) return 0;
    return ss_key_parse(key, text, s, error) ? ss_fail_in(error, "%s: a stored point", c->r->path) : 0;
}

/* A row's settings as this version reads them. */
static int stored_settings(check *c, const ss_row *row, ss_settings *s, ss_error *error)
{
    const ss_table *t = c->r->table;
    const ss_session *session = t->session[row->session];
    if (c->base_of != row->session + 1) {
        c->base = c->r->job->settings;
        c->base_of = row->session + 1;
        default_optional(&c->base);
        for (uint32_t i = 0; i < session->n_settings; i++)
            if (parse_stored(c, session->setting[i], session->text[i], &c->base, error)) return -1;
    }
    *s = c->base;
    const uint32_t *word = session->value + (size_t)row->value * session->n_axes;
    for (uint32_t a = 0; a < session->n_axes; a++)
        if (parse_stored(c, session->axis[a], t->words.text[word[a]], s, error)) return -1;
    return 0;
}

static bool gives_identity(const ss_settings *s, const char *digest, const ss_row *row)
{
    char id[SS_ID_BYTES];
    unsigned char raw[SS_ID_RAW];
    ss_point_identify(s, digest, id);
    return ss_id_pack(id, raw) == 0 && memcmp(raw, row->id, SS_ID_RAW) == 0;
}

/* Under which digest does this version give a stored point the identity that it has? That of its record; of a point that
 * has none, one of those its session lists. *known: there was a record to ask. `out` is "" where none does. */
static int digest_then(const check *c, const ss_row *row, const ss_settings *s, char out[SS_DIGEST_BYTES], bool *known,
                       ss_error *error)
{
    ss_record record;
    const char *list = c->r->table->session[row->session]->info[SS_INFO_DATA_DIGEST];
    if (ss_table_record(c->r->table, row, &record, error)) return -1;
    snprintf(out, SS_DIGEST_BYTES, "%s", record.data_digest);
    ss_record_finish(&record);
    *known = out[0] != '\0';
    if (*known && gives_identity(s, out, row)) return 0;
    for (const char *at = list; !*known && *at; at += strspn(at, ", ")) {
        size_t n = strcspn(at, ", ");
        snprintf(out, SS_DIGEST_BYTES, "%.*s", n < SS_DIGEST_BYTES ? (int)n : SS_DIGEST_BYTES - 1, at);
        if (gives_identity(s, out, row)) return 0;
        at += n;
    }
    out[0] = '\0';
    return 0;
}

/* A stored point that is none of the grid's: it may stay beside them if its data are what they were and if this version
 * would give it the identity that it has. Where no grid point uses such data, one point per session tells. */
static int check_row(check *c, const ss_row *row, ss_error *error)
{
    ss_settings s;
    char id[SS_ID_BYTES], then[SS_DIGEST_BYTES];
    bool known;
    const ss_provenance *p = c->r->provenance;
    const ss_session *session = c->r->table->session[row->session];
    if (stored_settings(c, row, &s, error)) return -1;
    const char *now = digest_now(c, &s);
    if (now ? gives_identity(&s, now, row) : c->sampled[row->session]) return 0;
    if (digest_then(c, row, &s, then, &known, error)) return -1;
    ss_id_format(row->id, id);
    if (then[0] && now)
        return ss_fail(error, "%s: the data set has changed since point %s: digest %.16s... then (from %.200s), %.16s... now "
                       "(from %.200s); restore the data, or write to another file (-o)", c->r->path, id, then,
                       session->info[SS_INFO_DATA_PATH], now, p->data_path ? p->data_path : "");
    if (!then[0] && (now || known))
        return ss_fail(error, "%s: point %s is of sharpsweep %s, whose numbers this version does not continue; write to "
                       "another file (-o)", c->r->path, id, session->info[SS_INFO_VERSION]);
    c->sampled[row->session] = true;
    return 0;
}

static int check_identities(check *c, ss_error *error)
{
    const ss_table *t = c->r->table;
    for (size_t i = 0; i < ss_grid_count(c->r->grid); i++) {
        int64_t row = ss_table_find(t, c->r->ids + i * SS_ID_RAW);
        if (row >= 0) c->in_grid[row] = true;
    }
    for (size_t i = 0; i < t->n_rows; i++) {
        if (c->in_grid[i]) continue;
        if (c->n_sections == 0 && collect_sections(c, error)) return -1;
        if (check_row(c, &t->row[i], error)) return -1;
    }
    return 0;
}

/* ---- the rule --------------------------------------------------------------------------------------------------- */

static int check_settings(const ss_resume *r, const ss_session *s, ss_error *error)
{
    ss_differences d = {.n = 0};
    compare_settings(r->table, s, r->path, r->job, &d);
    if (d.n == 0) return 0;
    return ss_fail(error, "%s holds points of other settings: %s; restore them, make an axis of them, or write to another "
                   "file (-o)", r->path, d.text);
}

int ss_resume_check(const ss_resume *r, ss_error *error)
{
    const ss_table *t = r->table;
    check c = {.r = r};
    c.in_grid = ss_alloc(t->n_rows, sizeof *c.in_grid);
    c.sampled = ss_alloc(t->n_sessions, sizeof *c.sampled);
    int rc = c.in_grid && c.sampled ? 0 : ss_fail(error, "%s: no memory", r->path);
    for (uint32_t i = 0; rc == 0 && i < t->n_sessions; i++)
        if (t->session[i]->n_governed) rc = check_settings(r, t->session[i], error);
    if (rc == 0) rc = check_identities(&c, error);
    ss_free(c.in_grid);
    ss_free(c.sampled);
    ss_free(c.section);
    return rc;
}
