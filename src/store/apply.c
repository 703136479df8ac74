/* apply.c - entries become sessions and rows of the index: those that the writer appends, and those of a whole source that is
 * joined to what the index holds already. */
#include "table.h"

#include <stdio.h>
#include <string.h>

static int no_memory(ss_error *error)
{
    return ss_fail(error, "no memory for the index of the results");
}

static uint32_t key_of(const ss_entry *entry)
{
    return entry->n < 4 ? 0 : ss_crc32(0, entry->payload + 4, entry->n - 4);
}

/* ---- the JOB entry ---------------------------------------------------------------------------------------------- */

static const char *keep_text(ss_table *t, ss_view *v)
{
    size_t n;
    const char *text = ss_view_text(v, &n);
    uint32_t word = ss_words_add(&t->words, text, n);
    return word == SS_NO_WORD ? NULL : t->words.text[word];
}

/* Names become variables of the results file: each once, of our letters, and none that already means something there. */
static bool is_fit(const char *name, const char *const *before, uint32_t n_before)
{
    static const char *const taken[] = {"id", "point", "k", "eigenvalue", "n_eigenvalues", "history", "spectrum", "journal"};
    size_t n, length = strlen(name);
    const ss_field *field = ss_record_fields(&n);
    if (length == 0 || length > 63 || strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") != length) return false;
    for (size_t i = 0; i < n; i++)
        if (strcmp(field[i].name, name) == 0) return false;
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++)
        if (strcmp(taken[i], name) == 0) return false;
    for (uint32_t i = 0; i < n_before; i++)
        if (strcmp(before[i], name) == 0) return false;
    return true;
}

static int decode_session(ss_table *t, ss_view *v, ss_session *s)
{
    s->number = ss_view_u32(v);
    uint32_t n_info = ss_view_u32(v);
    if (v->bad || n_info < SS_INFO_KERNELS || n_info > 256 || s->number == 0 || s->number > INT32_MAX) return 1;
    s->info[SS_INFO_KERNELS] = ""; /* older journals end before it */
    for (uint32_t i = 0; i < n_info; i++) {
        const char *text = keep_text(t, v);
        if (!text) return -1;
        if (i < SS_N_INFO) s->info[i] = text;
    }
    s->n_axes = ss_view_u32(v);
    if (v->bad || s->n_axes > SS_MAX_FILE_AXES) return 1;
    s->axis = ss_alloc(s->n_axes, sizeof *s->axis);
    if (!s->axis) return -1;
    for (uint32_t a = 0; a < s->n_axes; a++) {
        if (!(s->axis[a] = keep_text(t, v))) return -1;
        if (!is_fit(s->axis[a], s->axis, a)) return 1;
    }
    s->n_settings = ss_view_u32(v);
    if (v->bad || s->n_settings > SS_MAX_SETTINGS) return 1;
    s->setting = ss_alloc(s->n_settings, sizeof *s->setting);
    s->text = ss_alloc(s->n_settings, sizeof *s->text);
    if (!s->setting || !s->text) return -1;
    for (uint32_t i = 0; i < s->n_settings; i++) {
        if (!(s->setting[i] = keep_text(t, v)) || !(s->text[i] = keep_text(t, v))) return -1;
        if (!is_fit(s->setting[i], s->setting, i) || ss_session_axis(s, s->setting[i]) >= 0) return 1;
    }
    return v->bad ? 1 : 0;
}

/* Numbers of the entry's own dictionary become numbers of the table's. 0, 1 nonsense, -1 memory. */
static int decode_words(ss_table *t, ss_view *v, uint32_t **map, uint32_t *n)
{
    *map = NULL;
    *n = ss_view_u32(v);
    if (v->bad || *n > ss_view_left(v) / 4) return 1;
    *map = ss_alloc(*n, sizeof **map);
    if (!*map) return -1;
    for (uint32_t i = 0; i < *n; i++) {
        size_t length;
        const char *text = ss_view_text(v, &length);
        if (v->bad) return 1;
        (*map)[i] = ss_words_add(&t->words, text, length);
        if ((*map)[i] == SS_NO_WORD) return -1;
    }
    return 0;
}

/* The file's axes: the newest job's in its order, then those that only older jobs had, as far as there is room. */
static void collect_axes(ss_table *t)
{
    uint32_t n = 0;
    for (uint32_t i = t->n_sessions; i-- > 0;)
        for (uint32_t a = 0; a < t->session[i]->n_axes; a++) {
            uint32_t k = 0;
            while (k < n && strcmp(t->axis[k], t->session[i]->axis[a]) != 0) k++;
            if (k == n && n < SS_MAX_FILE_AXES) t->axis[n++] = t->session[i]->axis[a];
        }
    t->n_axes = n;
}

static int add_points(ss_table *t, ss_view *v, uint32_t session, const uint32_t *map, uint32_t n_words, ss_error *error)
{
    uint32_t word[SS_MAX_FILE_AXES], n_axes = t->session[session]->n_axes;
    while (ss_view_left(v)) {
        const unsigned char *id = ss_view_raw(v, SS_ID_RAW);
        for (uint32_t a = 0; a < n_axes; a++) {
            uint32_t i = ss_view_u32(v);
            word[a] = map[i < n_words ? i : 0];
        }
        if (ss_table_find(t, id) >= 0) continue;
        if (!ss_table_govern(t, id, session, word, error)) return -1;
        t->session[session]->n_listed++;
    }
    return 0;
}

static int check_points(ss_view v, uint32_t n_axes, uint32_t n_words)
{
    uint64_t n = ss_view_u64(&v), bytes = SS_ID_RAW + 4 * (uint64_t)n_axes;
    if (v.bad || n != ss_view_left(&v) / bytes || n * bytes != ss_view_left(&v)) return -1;
    for (uint64_t i = 0; i < n; i++) {
        ss_view_raw(&v, SS_ID_RAW);
        for (uint32_t a = 0; a < n_axes; a++)
            if (ss_view_u32(&v) >= n_words) return -1;
    }
    return 0;
}

/* 0, 1 or -1; the new session is the last one. */
static int add_session(ss_table *t, const ss_entry *entry, uint8_t source, ss_error *error)
{
    ss_view v = {entry->payload, entry->payload + entry->n, false};
    uint32_t *map = NULL, n_words;
    ss_session *s = ss_alloc(1, sizeof *s);
    int rc = s ? decode_session(t, &v, s) : -1;
    if (rc == 0) rc = decode_words(t, &v, &map, &n_words);
    if (rc == 0 && check_points(v, s->n_axes, n_words)) rc = 1;
    ss_session **session = rc ? NULL : ss_realloc(t->session, t->n_sessions, t->n_sessions + 1u, sizeof *session);
    if (rc == 0 && !session) rc = -1;
    if (rc) {
        ss_free(map);
        ss_session_destroy(s);
        return rc < 0 ? no_memory(error) : (ss_fail(error, "a JOB entry does not decode"), 1);
    }
    t->session = session;
    t->session[t->n_sessions++] = s;
    collect_axes(t);
    s->source = source;
    s->offset = entry->offset;
    s->n_bytes = entry->n;
    s->key = key_of(entry);
    ss_view_u64(&v);
    rc = add_points(t, &v, t->n_sessions - 1, map, n_words, error);
    ss_free(map);
    return rc;
}

/* ---- START and DONE --------------------------------------------------------------------------------------------- */

static int apply_start(ss_table *t, const ss_entry *entry, uint8_t source, bool joins, ss_error *error)
{
    ss_start_entry e;
    int64_t at = -1;
    if (ss_start_entry_decode(entry->payload, entry->n, &e) == 0) at = ss_table_find(t, e.id);
    if (at < 0) {
        ss_fail(error, "a START entry does not decode or names a point that no JOB entry lists");
        return 1;
    }
    ss_row *row = &t->row[at];
    uint32_t *starts = joins ? &row->joined : &row->starts;
    *starts = *starts > UINT32_MAX - e.count ? UINT32_MAX : *starts + e.count;
    if (source > 0 && row->starts > 0) return 0; /* what source 0 says of a running point holds */
    row->started_in = source == 0 ? t->n_sessions : 0;
    row->started_at = e.time > UINT32_MAX ? 0 : (uint32_t)e.time;
    row->worker = e.worker;
    return 0;
}

/* Word numbers of a DONE entry's axis values in the order of the session's axes. */
static int done_values(ss_table *t, const ss_session *s, const ss_done_entry *e, uint32_t *word, ss_error *error)
{
    for (uint32_t a = 0; a < s->n_axes; a++) {
        size_t name_n = strlen(s->axis[a]);
        uint32_t i = 0;
        while (i < e->n_axes && !(e->axis_n[i] > name_n && e->axis[i][name_n] == '=' &&
                                  memcmp(e->axis[i], s->axis[a], name_n) == 0)) i++;
        if (i == e->n_axes) {
            ss_fail(error, "a DONE entry has no value of %s", s->axis[a]);
            return 1;
        }
        word[a] = ss_words_add(&t->words, e->axis[i] + name_n + 1, e->axis_n[i] - name_n - 1);
        if (word[a] == SS_NO_WORD) return no_memory(error);
    }
    return 0;
}

static int set_record(ss_table *t, const ss_entry *entry, const ss_done_entry *e, uint32_t session, uint8_t source,
                      ss_error *error)
{
    uint32_t word[SS_MAX_FILE_AXES];
    int rc = done_values(t, t->session[session], e, word, error);
    if (rc) return rc;
    ss_row *row = ss_table_govern(t, e->id, session, word, error);
    if (!row) return -1;
    row->source = source;
    row->offset = entry->offset;
    row->n_bytes = entry->n;
    row->key = key_of(entry);
    row->status = e->status;
    row->n_history = e->n_history;
    row->n_track = e->n_track;
    row->n_eigenvalues = e->n_eigenvalues;
    row->started_in = 0;
    return 0;
}

/* ---- what the writer appends ------------------------------------------------------------------------------------ */

static int64_t session_of(const ss_table *t, uint32_t number)
{
    for (uint32_t i = t->n_sessions; i-- > 0;)
        if (t->session[i]->number == number) return i;
    return -1;
}

int ss_table_apply(ss_table *t, const ss_entry *entry, ss_error *error)
{
    ss_done_entry e;
    if (entry->kind == SS_ENTRY_JOB) return add_session(t, entry, 0, error);
    if (entry->kind == SS_ENTRY_START) return apply_start(t, entry, 0, false, error);
    int64_t session = ss_done_entry_decode(entry->payload, entry->n, &e) ? -1 : session_of(t, e.job);
    if (session >= 0) return set_record(t, entry, &e, (uint32_t)session, 0, error);
    ss_fail(error, "a DONE entry does not decode or names a JOB entry that is missing");
    return 1;
}

/* ---- joining a source ------------------------------------------------------------------------------------------- */

typedef struct joining {
    ss_table *t;
    ss_join *join;
    uint8_t source;
    uint32_t n, capacity;
    struct { uint32_t number, session; } *job; /* (n) of this source: JOB entries and the sessions that they are here */
} joining;

static int64_t job_at(const joining *g, uint32_t number)
{
    for (uint32_t i = g->n; i-- > 0;)
        if (g->job[i].number == number) return i;
    return -1;
}

/* The session that this JOB entry is already, from this source (its copy) or another. */
static int64_t same_session(const joining *g, const ss_entry *entry)
{
    const ss_table *t = g->t;
    for (uint32_t i = t->n_sessions; i-- > 0;)
        if (t->session[i]->key == key_of(entry) && t->session[i]->n_bytes == entry->n &&
            t->session[i]->source != g->source)
            return i;
    return -1;
}

static int join_job(joining *g, const ss_entry *entry, ss_error *error)
{
    uint32_t number = entry->n >= 4 ? ss_bytes_get_u32(entry->payload) : 0;
    int64_t at = job_at(g, number);
    if (at >= 0) { /* its copy */
        const ss_session *s = g->t->session[g->job[at].session];
        if (s->key == key_of(entry) && s->n_bytes == entry->n) return 0;
        ss_fail(error, "JOB entry %u stands there twice and says two things (two writers at once?)", number);
        return 1;
    }
    if (g->n == g->capacity) {
        uint32_t capacity = g->capacity ? 2 * g->capacity : 16;
        void *grown = ss_realloc(g->job, g->capacity, capacity, sizeof *g->job);
        if (!grown) return no_memory(error);
        g->job = grown;
        g->capacity = capacity;
    }
    int64_t same = same_session(g, entry);
    if (same < 0) {
        ss_table *t = g->t;
        uint32_t next = t->n_sessions ? t->session[t->n_sessions - 1]->number + 1 : 1;
        int rc = add_session(t, entry, g->source, error);
        if (rc) return rc;
        same = t->n_sessions - 1;
        if (next > number) t->session[same]->number = next;
        g->join->n_new_sessions += t->session[same]->n_listed > 0;
    } else {
        g->join->n_same_sessions++;
    }
    g->job[g->n].number = number;
    g->job[g->n++].session = (uint32_t)same;
    return 0;
}

/* Does the entry take the place of what the row has? 1, 0, -1. */
static int replaces(const joining *g, size_t at, const ss_entry *entry, const ss_done_entry *e, ss_error *error)
{
    const ss_row *row = &g->t->row[at];
    bool finished = e->status != SS_FAILED;
    if (row->offset == 0) return 1;
    if (row->source == g->source) return finished || !ss_row_is_finished(row);
    if (row->key == key_of(entry) && row->n_bytes == entry->n) {
        g->join->n_same++;
        return 0;
    }
    if (!ss_row_is_finished(row)) return finished || row->joined > row->starts; /* of two that failed, the later one */
    return finished && g->join->both ? g->join->both(g->join->ctx, at, e, error) : 0;
}

static int join_done(joining *g, const ss_entry *entry, ss_error *error)
{
    ss_done_entry e;
    ss_record r;
    if (ss_done_entry_decode(entry->payload, entry->n, &e)) {
        ss_fail(error, "a DONE entry does not decode");
        return 1;
    }
    g->join->n_records++;
    int64_t job = job_at(g, e.job), at = ss_table_find(g->t, e.id);
    int use = at < 0 ? 1 : replaces(g, (size_t)at, entry, &e, error);
    if (use <= 0) return use;
    if (g->join->deep) {
        int bad = ss_record_decode(e.record, e.record_n, &r, error) || ss_record_contradicts(&e, &r, error);
        ss_record_finish(&r);
        if (bad) return 1;
    }
    if (job < 0 && (at < 0 || !g->join->goes_on)) {
        char id[SS_ID_BYTES];
        ss_id_format(e.id, id);
        ss_fail(error, "the DONE entry of point %s belongs to JOB entry %u, which is missing", id, e.job);
        return 1;
    }
    uint32_t session = job >= 0 ? g->job[job].session : g->t->row[at].session; /* another source listed the point */
    int rc = set_record(g->t, entry, &e, session, g->source, error);
    g->join->n_new += rc == 0;
    return rc;
}

static int join_entry(joining *g, const ss_entry *entry, ss_error *error)
{
    switch (entry->kind) {
    case SS_ENTRY_JOB: return join_job(g, entry, error);
    case SS_ENTRY_START: return apply_start(g->t, entry, g->source, true, error);
    case SS_ENTRY_DONE: return join_done(g, entry, error);
    default: ss_fail(error, "an entry of unknown kind %u", entry->kind); return 1;
    }
}

/* A fault is a line, or ends the reading. */
static int tell(const joining *g, const ss_error *why, ss_error *error)
{
    if (!g->join->goes_on) return ss_fail(error, "%s", why->text);
    g->join->n_faults++;
    if (g->join->say) g->join->say(g->join->ctx, why->text);
    return 0;
}

/* No whole entry at *at. Where none follows either, it is the torn end: *at becomes the source's end. */
static int skip_damage(joining *g, uint64_t *at, ss_error *error)
{
    ss_entries *e = g->t->source[g->source];
    ss_error why;
    uint64_t next;
    int found = ss_entries_find(e, *at + 1, &next, error);
    if (found < 0) return -1;
    if (!found) {
        g->join->torn_bytes = e->end - *at;
        *at = e->end;
        return 0;
    }
    ss_fail(&why, "%s: bytes %llu to %llu are damaged%s", e->path, (unsigned long long)*at, (unsigned long long)(next - 1),
            g->join->goes_on ? "" : " (whole entries follow them)");
    if (tell(g, &why, error)) return -1;
    *at = next;
    return 0;
}

static int join_all(joining *g, ss_error *error)
{
    ss_entries *e = g->t->source[g->source];
    ss_error why;
    ss_entry entry;
    for (uint64_t at = g->join->end = e->first;;) {
        int rc = ss_entries_read(e, at, &entry, error);
        if (rc <= 0) return rc;
        if (rc == 2) {
            if (skip_damage(g, &at, error)) return -1;
            continue;
        }
        uint64_t next = entry.next;
        rc = join_entry(g, &entry, &why);
        if (rc < 0) return ss_fail(error, "%s", why.text);
        if (rc > 0) ss_fail_in(&why, "%s: byte %llu", e->path, (unsigned long long)at);
        if (rc > 0 && tell(g, &why, error)) return -1;
        at = g->join->end = next;
    }
}

int ss_table_join(ss_table *t, ss_entries *source, ss_join *join, ss_error *error)
{
    joining g = {.t = t, .join = join, .source = t->n_sources};
    if (t->n_sources == SS_MAX_SOURCES) return ss_fail(error, "%s: more than %d sources at once", source->path, SS_MAX_SOURCES);
    t->source[t->n_sources++] = source;
    int rc = join_all(&g, error);
    for (size_t i = 0; i < t->n_rows; i++) {
        if (g.source == 0) t->row[i].settled = t->row[i].joined;
        if (t->row[i].joined > t->row[i].starts) t->row[i].starts = t->row[i].joined;
        t->row[i].joined = 0;
    }
    ss_free(g.job);
    return rc;
}
