/* resume.c - the rule of resuming. A stored point is the same as a grid point if their identities are equal. Every identity
 * setting in which stored points differ from the job must be an axis, of the job or of the file: otherwise two rows would
 * differ in something that no axis shows, and the job is refused with each difference named. */
#include "resume.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

int ss_job_axis_keys(const ss_job *job, const ss_key *key[SS_MAX_JOB_KEYS], ss_error *error)
{
    int n = 0;
    for (int a = 0; a < job->n_axes; a++)
        for (int k = 0; k < job->axes[a].n_keys; k++) {
            if (n == SS_MAX_JOB_KEYS) return ss_fail(error, "%s: more than %d axes", base_name(job->path), SS_MAX_JOB_KEYS);
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

static bool is_file_axis(const ss_table *t, const char *name)
{
    for (uint32_t a = 0; a < t->n_axes; a++)
        if (strcmp(t->axis[a], name) == 0) return true;
    return false;
}

/* ---- settings --------------------------------------------------------------------------------------------------- */

enum { SHOWN = 6 };
typedef struct differences { char text[SS_ERROR_BYTES]; size_t used; int n; } differences;

static void add_difference(differences *d, const char *name, const char *old, const char *file, const char *new,
                           const char *job)
{
    if (d->n++ >= SHOWN || d->used >= sizeof d->text) return;
    d->used += (size_t)snprintf(d->text + d->used, sizeof d->text - d->used, "%s%s: %.60s in %.60s, %.60s in %.60s",
                                d->used ? "; " : "", name, old, file, new, job);
}

static void compare_settings(const ss_table *t, const ss_session *s, const char *path, const ss_job *job, differences *d)
{
    size_t n;
    char buffer[512];
    const ss_key *key = ss_keys(&n);
    const char *file = base_name(path), *job_name = base_name(job->path ? job->path : "the job");
    for (size_t i = 0; i < n; i++) {
        if (key[i].offset == (size_t)-1 || !key[i].identity || is_file_axis(t, key[i].name)) continue;
        if (ss_job_is_axis(job, &key[i])) continue; /* old points are found by their identity, or stay beside the new */
        const char *old = ss_session_setting(s, key[i].name);
        const char *new = ss_setting_text(&key[i], &job->settings, buffer, sizeof buffer);
        if (!old || strcmp(old, new) != 0) add_difference(d, key[i].name, old ? old : "nothing", file, new, job_name);
    }
    for (uint32_t i = 0; i < s->n_settings; i++)
        if (!ss_key_find(s->setting[i])) add_difference(d, s->setting[i], s->text[i], file, "unknown", "this version");
}

/* ---- identities ------------------------------------------------------------------------------------------------- */

/* Does this version of the program give a stored point the identity that it has? */
static int check_identity(const ss_table *t, const ss_row *row, const char *path, const ss_job *job, const char *digest,
                          ss_error *error)
{
    size_t n;
    const ss_key *key = ss_keys(&n);
    ss_settings s = job->settings;
    char id[SS_ID_BYTES], stored[SS_ID_BYTES];
    for (size_t i = 0; i < n; i++) {
        if (key[i].offset == (size_t)-1 || !key[i].identity) continue;
        const char *text = ss_table_value(t, row, key[i].name);
        /* Lists are no axes: here they equal the job's, or the settings would differ. */
        if (!text || key[i].type == SS_INTS) continue;
        if (ss_key_parse(&key[i], text, &s, error)) return ss_fail_in(error, "%s: a stored point", path);
    }
    ss_point_identify(&s, digest, id);
    ss_id_format(row->id, stored);
    if (strcmp(id, stored) == 0) return 0;
    return ss_fail(error, "%s: point %s was computed by sharpsweep %s, whose numbers this version does not continue (it "
                   "would be %s here); write to another file (-o)", path, stored,
                   t->session[row->session]->info[SS_INFO_VERSION], id);
}

static int check_data(const ss_session *s, const char *path, const ss_provenance *p, ss_error *error)
{
    const char *old = s->info[SS_INFO_DATA_DIGEST], *new = p->data_digest ? p->data_digest : "";
    if (strcmp(old, new) == 0) return 0;
    return ss_fail(error, "%s: the data set has changed: digest %.16s... in %s (from %.200s), %.16s... now (from %.200s); "
                   "restore the data, or write to another file (-o)", path, old, base_name(path), s->info[SS_INFO_DATA_PATH],
                   new, p->data_path ? p->data_path : "");
}

static int check_session(const ss_table *t, const ss_row *row, const char *path, const ss_job *job, const ss_provenance *p,
                         ss_error *error)
{
    const ss_session *s = t->session[row->session];
    differences d = {.n = 0};
    compare_settings(t, s, path, job, &d);
    if (d.n > 0)
        return ss_fail(error, "%s holds points of other settings: %s%s; restore them, make an axis of them, or write to "
                       "another file (-o)", path, d.text, d.n > SHOWN ? "; and more" : "");
    if (check_data(s, path, p, error)) return -1;
    return check_identity(t, row, path, job, s->info[SS_INFO_DATA_DIGEST], error);
}

int ss_resume_check(const ss_table *t, const char *path, const ss_job *job, const ss_provenance *p, ss_error *error)
{
    bool *seen = ss_alloc(t->n_sessions, sizeof *seen);
    int rc = seen ? 0 : ss_fail(error, "%s: no memory", path);
    for (size_t i = 0; rc == 0 && i < t->n_rows; i++) {
        if (seen[t->row[i].session]) continue;
        seen[t->row[i].session] = true;
        rc = check_session(t, &t->row[i], path, job, p, error);
    }
    ss_free(seen);
    return rc;
}

int ss_resume_check_file(const char *path, const ss_journal *j, ss_error *error)
{
    hid_t file = -1;
    ss_error why;
    char uuid[2 * SS_UUID_BYTES + 1];
    if (access(path, F_OK) != 0) return 0;
    if (ss_h5_begin(error)) return -1;
    if (ss_h5_open(path, &file, &why)) {
        ss_log(SS_LOG_WARNING, "%s; it is made anew from its journal", why.text);
        return 0;
    }
    H5Fclose(file);
    ss_results_file *f = ss_results_file_open(path, false, error);
    if (!f) return -1;
    ss_uuid_format(j->uuid, uuid);
    int rc = 0;
    if (strcmp(f->uuid, uuid) != 0)
        rc = ss_fail(error, "%s: does not belong to the journal beside it (%s, the journal is %s); move one of them away",
                     path, f->uuid, uuid);
    ss_results_file_close(f);
    return rc;
}
