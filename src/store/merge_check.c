/* merge_check.c - may these results stand in one file? The rule is that of resuming (resume.c): identity settings in which
 * they differ must be axes, or two rows would differ in something that no axis shows; and the same settings must have the
 * same identity, or the data or the numerics have changed. */
#include "merge.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_NAMES = 2 * SS_MAX_FILE_AXES };

/* Settings of another version count: who knows what they do. */
static bool is_identity(const char *name)
{
    const ss_key *key = ss_key_find(name);
    return !key || key->identity;
}

/* ---- settings outside the axes ------------------------------------------------------------------------------------ */

static void compare(const ss_merge *m, const ss_inspection *in, const ss_session *ours, const ss_session *theirs,
                    ss_differences *d)
{
    const char *a = ss_base_name(m->origin[m->from[0]]), *b = ss_base_name(in->path);
    for (int both = 0; both < 2; both++) { /* theirs against ours, then what only ours have */
        const ss_session *s = both ? ours : theirs;
        for (uint32_t i = 0; i < s->n_settings; i++) {
            const char *name = s->setting[i];
            if (!is_identity(name) || ss_table_has_axis(m->table, name) || ss_table_has_axis(in->table, name)) continue;
            const char *x = ss_session_setting(ours, name), *y = ss_session_setting(theirs, name);
            if (both ? !y : (!x || strcmp(x, y) != 0)) ss_difference_add(d, name, x, a, y, b);
        }
    }
}

static int check_settings(const ss_merge *m, const ss_inspection *in, ss_error *error)
{
    ss_differences d = {.n = 0};
    const ss_table *t = in->table;
    const ss_session *ours = m->table->session[m->table->row[0].session];
    for (uint32_t i = 0; i < t->n_sessions && d.n == 0; i++)
        if (t->session[i]->n_governed) compare(m, in, ours, t->session[i], &d);
    if (d.n == 0) return 0;
    return ss_fail(error, "%s is of another job: %s; merge results of one job only", in->path, d.text);
}

/* ---- data and numerics ------------------------------------------------------------------------------------------- */

static const char *info(const ss_table *t, size_t row, ss_info which)
{
    return t->session[t->row[row].session]->info[which];
}

static int refuse_data(const ss_merge *m, const ss_inspection *in, size_t ours, size_t theirs, ss_error *error)
{
    const char *a = info(m->table, ours, SS_INFO_DATA_DIGEST), *b = info(in->table, theirs, SS_INFO_DATA_DIGEST);
    if (strcmp(a, b) == 0)
        return ss_fail(error, "%s: the same settings have another identity than in %.200s: they are of sharpsweep %s and %s, "
                       "whose numbers do not go together", in->path, m->origin[m->from[ours]],
                       info(in->table, theirs, SS_INFO_VERSION), info(m->table, ours, SS_INFO_VERSION));
    return ss_fail(error, "%s is of other data: digest %.16s... (from %.200s) there, %.16s... (from %.200s) in %.200s; merge "
                   "results of the same data only", in->path, b, info(in->table, theirs, SS_INFO_DATA_PATH), a,
                   info(m->table, ours, SS_INFO_DATA_PATH), m->origin[m->from[ours]]);
}

/* Without data among the axes, every run of both files had one and the same data set. */
static int check_data(const ss_merge *m, const ss_inspection *in, const char *const *axis, size_t n_axes, ss_error *error)
{
    for (size_t a = 0; a < n_axes; a++) {
        const ss_key *key = ss_key_find(axis[a]);
        if (!key || strcmp(key->section, "data") == 0) return 0;
    }
    if (strcmp(info(m->table, 0, SS_INFO_DATA_DIGEST), info(in->table, 0, SS_INFO_DATA_DIGEST)) == 0) return 0;
    return refuse_data(m, in, 0, 0, error);
}

/* A row by the values of all axes of both files; everything else that counts is equal. */
typedef struct place { char digest[SS_DIGEST_BYTES]; size_t row; } place;

static void locate(const ss_table *t, size_t row, const char *const *axis, size_t n_axes, place *out)
{
    ss_sha256 h;
    ss_sha256_init(&h);
    for (size_t a = 0; a < n_axes; a++) {
        const char *value = ss_table_value(t, &t->row[row], axis[a]);
        if (value) ss_sha256_update(&h, value, strlen(value) + 1);
        else ss_sha256_update(&h, "\1", 2); /* no value: no text begins like that */
    }
    ss_sha256_finish(&h, out->digest);
    out->row = row;
}

static int by_digest(const void *a, const void *b)
{
    return strcmp(((const place *)a)->digest, ((const place *)b)->digest);
}

/* Points of the input that are not in what is merged so far, but whose settings are. */
static int check_identities(const ss_merge *m, const ss_inspection *in, const char *const *axis, size_t n_axes,
                            ss_error *error)
{
    size_t n = m->table->n_rows, i = 0;
    while (i < in->table->n_rows && ss_table_find(m->table, in->table->row[i].id) >= 0) i++;
    if (i == in->table->n_rows) return 0;
    place *known = ss_alloc(n, sizeof *known), here;
    if (!known) return ss_fail(error, "%s: no memory for %zu points", in->path, n);
    for (size_t k = 0; k < n; k++) locate(m->table, k, axis, n_axes, &known[k]);
    qsort(known, n, sizeof *known, by_digest);
    int rc = 0;
    for (; rc == 0 && i < in->table->n_rows; i++) {
        if (ss_table_find(m->table, in->table->row[i].id) >= 0) continue;
        locate(in->table, i, axis, n_axes, &here);
        const place *same = bsearch(&here, known, n, sizeof *known, by_digest);
        if (same) rc = refuse_data(m, in, same->row, i, error);
    }
    ss_free(known);
    return rc;
}

/* The axes of both files that count, in a fixed order. */
static size_t collect_axes(const ss_merge *m, const ss_inspection *in, const char **axis)
{
    size_t n = 0;
    for (uint32_t a = 0; a < m->table->n_axes; a++)
        if (is_identity(m->table->axis[a])) axis[n++] = m->table->axis[a];
    for (uint32_t a = 0; a < in->table->n_axes; a++)
        if (is_identity(in->table->axis[a]) && !ss_table_has_axis(m->table, in->table->axis[a])) axis[n++] = in->table->axis[a];
    return n;
}

int ss_merge_check(const ss_merge *m, const ss_inspection *in, ss_error *error)
{
    const char *axis[MAX_NAMES];
    if (m->table->n_rows == 0) return 0;
    if (check_settings(m, in, error)) return -1;
    size_t n_axes = collect_axes(m, in, axis);
    if (check_data(m, in, axis, n_axes, error)) return -1;
    return check_identities(m, in, axis, n_axes, error);
}
