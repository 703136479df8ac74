/* table.c - the index: rows by identity (open addressing; identities are hashes already), sessions, values as words. */
#include "table.h"

#include <stdio.h>
#include <string.h>

ss_table *ss_table_create(ss_error *error)
{
    ss_table *t = ss_alloc(1, sizeof *t);
    if (!t) ss_fail(error, "no memory for the index of the results");
    return t;
}

static void session_destroy(ss_session *s)
{
    if (!s) return;
    ss_free((void *)s->axis);
    ss_free((void *)s->setting);
    ss_free((void *)s->text);
    ss_free(s->value);
    ss_free(s);
}

void ss_table_destroy(ss_table *t)
{
    if (!t) return;
    for (uint32_t i = 0; i < t->n_sessions; i++) session_destroy(t->session[i]);
    ss_free(t->session);
    ss_free(t->row);
    ss_free(t->slot);
    ss_words_finish(&t->words);
    ss_free(t);
}

static int no_memory(ss_error *error)
{
    return ss_fail(error, "no memory for the index of the results");
}

/* ---- rows ------------------------------------------------------------------------------------------------------- */

static size_t find_slot(const ss_table *t, const unsigned char *id)
{
    uint64_t h;
    memcpy(&h, id, sizeof h);
    size_t mask = t->n_slots - 1, at = (size_t)(h ^ h >> 29) & mask;
    while (t->slot[at] && memcmp(t->row[t->slot[at] - 1].id, id, SS_ID_RAW) != 0) at = (at + 1) & mask;
    return at;
}

int64_t ss_table_find(const ss_table *t, const unsigned char id[SS_ID_RAW])
{
    if (t->n_slots == 0) return -1;
    return (int64_t)t->slot[find_slot(t, id)] - 1;
}

static int grow_rows(ss_table *t)
{
    if (t->n_rows == t->row_capacity) {
        size_t capacity = t->row_capacity ? t->row_capacity + t->row_capacity / 2 : 256;
        ss_row *row = ss_realloc(t->row, t->row_capacity, capacity, sizeof *row);
        if (!row) return -1;
        t->row = row;
        t->row_capacity = capacity;
    }
    if (2 * (t->n_rows + 1) <= t->n_slots) return 0;
    size_t n_slots = t->n_slots ? 2 * t->n_slots : 1024;
    uint32_t *slot = ss_alloc(n_slots, sizeof *slot);
    if (!slot) return -1;
    ss_free(t->slot);
    t->slot = slot;
    t->n_slots = n_slots;
    for (size_t i = 0; i < t->n_rows; i++) slot[find_slot(t, t->row[i].id)] = (uint32_t)(i + 1);
    return 0;
}

static int add_values(ss_session *s, const uint32_t *word)
{
    if (s->n_values == s->capacity) {
        size_t capacity = s->capacity ? s->capacity + s->capacity / 2 : 64;
        uint32_t *value = ss_realloc(s->value, s->capacity * s->n_axes, capacity * s->n_axes, sizeof *value);
        if (!value) return -1;
        s->value = value;
        s->capacity = capacity;
    }
    if (s->n_axes) memcpy(s->value + s->n_values * s->n_axes, word, s->n_axes * sizeof *word);
    s->n_values++;
    return 0;
}

/* The row of this identity, made where there is none, governed by the session with these values from now on. */
static ss_row *govern(ss_table *t, const unsigned char *id, uint32_t session, const uint32_t *word, ss_error *error)
{
    int64_t at = ss_table_find(t, id);
    if (at >= 0 && t->row[at].session == session) return &t->row[at];
    if (at < 0 && (t->n_rows >= UINT32_MAX / 2 || grow_rows(t))) {
        no_memory(error);
        return NULL;
    }
    ss_session *s = t->session[session];
    if (add_values(s, word)) {
        no_memory(error);
        return NULL;
    }
    if (at < 0) {
        size_t slot = find_slot(t, id);
        at = (int64_t)t->n_rows++;
        t->slot[slot] = (uint32_t)t->n_rows;
        t->row[at] = (ss_row){0};
        memcpy(t->row[at].id, id, SS_ID_RAW);
    }
    t->row[at].session = session;
    t->row[at].value = (uint32_t)(s->n_values - 1);
    return &t->row[at];
}

bool ss_row_is_running(const ss_table *t, const ss_row *row)
{
    return row->started_in && row->started_in == t->n_sessions;
}

bool ss_row_is_finished(const ss_row *row)
{
    return row->status == SS_DONE || row->status == SS_DIVERGED || row->status == SS_EPOCH_LIMIT;
}

/* ---- settings --------------------------------------------------------------------------------------------------- */

int ss_session_axis(const ss_session *s, const char *name)
{
    for (uint32_t a = 0; a < s->n_axes; a++)
        if (strcmp(s->axis[a], name) == 0) return (int)a;
    return -1;
}

const char *ss_session_setting(const ss_session *s, const char *name)
{
    for (uint32_t i = 0; i < s->n_settings; i++)
        if (strcmp(s->setting[i], name) == 0) return s->text[i];
    const ss_key *key = ss_key_find(name);
    return key && key->optional ? key->fallback : NULL;
}

bool ss_table_uses(const ss_table *t, const ss_key *key)
{
    for (uint32_t i = 0; i < t->n_sessions; i++) {
        const char *text = ss_session_setting(t->session[i], key->name);
        if (ss_session_axis(t->session[i], key->name) >= 0 || (text && strcmp(text, key->fallback) != 0)) return true;
    }
    return false;
}

const char *ss_table_value(const ss_table *t, const ss_row *row, const char *name)
{
    const ss_session *s = t->session[row->session];
    int a = ss_session_axis(s, name);
    if (a < 0) return ss_session_setting(s, name);
    return t->words.text[s->value[(size_t)row->value * s->n_axes + (size_t)a]];
}

/* ---- the JOB entry ---------------------------------------------------------------------------------------------- */

static const char *keep_text(ss_table *t, ss_view *v)
{
    size_t n;
    const char *text = ss_view_text(v, &n);
    uint32_t word = ss_words_add(&t->words, text, n);
    return word == SS_NO_WORD ? NULL : t->words.text[word];
}

static int bad_job(ss_session *s, ss_error *error)
{
    session_destroy(s);
    ss_fail(error, "a JOB entry does not decode");
    return 1;
}

static int decode_session(ss_table *t, ss_view *v, ss_session *s)
{
    s->number = ss_view_u32(v);
    uint32_t n_info = ss_view_u32(v);
    if (v->bad || n_info < SS_INFO_KERNELS || n_info > 256 || s->number == 0) return 1;
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
    for (uint32_t a = 0; a < s->n_axes; a++)
        if (!(s->axis[a] = keep_text(t, v))) return -1;
    s->n_settings = ss_view_u32(v);
    if (v->bad || s->n_settings > SS_MAX_SETTINGS) return 1;
    s->setting = ss_alloc(s->n_settings, sizeof *s->setting);
    s->text = ss_alloc(s->n_settings, sizeof *s->text);
    if (!s->setting || !s->text) return -1;
    for (uint32_t i = 0; i < s->n_settings; i++)
        if (!(s->setting[i] = keep_text(t, v)) || !(s->text[i] = keep_text(t, v))) return -1;
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

/* The file's axes: the newest job's in its order, then those that only older jobs had. */
static int collect_axes(ss_table *t)
{
    uint32_t n = 0;
    for (uint32_t i = t->n_sessions; i-- > 0;)
        for (uint32_t a = 0; a < t->session[i]->n_axes; a++) {
            uint32_t k = 0;
            while (k < n && strcmp(t->axis[k], t->session[i]->axis[a]) != 0) k++;
            if (k < n) continue;
            if (n == SS_MAX_FILE_AXES) return -1;
            t->axis[n++] = t->session[i]->axis[a];
        }
    t->n_axes = n;
    return 0;
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
        if (ss_table_find(t, id) < 0 && !govern(t, id, session, word, error)) return -1;
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

static int apply_job(ss_table *t, const ss_entry *entry, ss_error *error)
{
    ss_view v = {entry->payload, entry->payload + entry->n, false};
    uint32_t *map = NULL, n_words;
    ss_session *s = ss_alloc(1, sizeof *s);
    if (!s) return no_memory(error);
    int rc = decode_session(t, &v, s);
    if (rc == 0) rc = decode_words(t, &v, &map, &n_words);
    if (rc == 0 && check_points(v, s->n_axes, n_words)) rc = 1;
    ss_session **session = rc ? NULL : ss_realloc(t->session, t->n_sessions, t->n_sessions + 1u, sizeof *session);
    if (rc == 0 && !session) rc = -1;
    if (rc) {
        ss_free(map);
        if (rc > 0) return bad_job(s, error);
        session_destroy(s);
        return no_memory(error);
    }
    t->session = session;
    t->session[t->n_sessions++] = s;
    if (collect_axes(t)) {
        t->n_sessions--;
        collect_axes(t);
        ss_free(map);
        return bad_job(s, error);
    }
    ss_view_u64(&v);
    rc = add_points(t, &v, t->n_sessions - 1, map, n_words, error);
    ss_free(map);
    return rc;
}

/* ---- START and DONE --------------------------------------------------------------------------------------------- */

static int apply_start(ss_table *t, const ss_entry *entry, ss_error *error)
{
    ss_start_entry e;
    int64_t at = -1;
    if (ss_start_entry_decode(entry->payload, entry->n, &e) == 0) at = ss_table_find(t, e.id);
    if (at < 0) {
        ss_fail(error, "a START entry does not decode or names a point that no JOB entry lists");
        return 1;
    }
    ss_row *row = &t->row[at];
    row->starts = row->starts > UINT32_MAX - e.count ? UINT32_MAX : row->starts + e.count;
    row->started_in = t->n_sessions;
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

static int apply_done(ss_table *t, const ss_entry *entry, ss_error *error)
{
    ss_done_entry e;
    uint32_t word[SS_MAX_FILE_AXES];
    if (ss_done_entry_decode(entry->payload, entry->n, &e)) {
        ss_fail(error, "a DONE entry does not decode");
        return 1;
    }
    uint32_t session = t->n_sessions;
    while (session > 0 && t->session[session - 1]->number != e.job) session--;
    if (session == 0) {
        ss_fail(error, "a DONE entry belongs to JOB entry %u, which is missing", e.job);
        return 1;
    }
    session--;
    int rc = done_values(t, t->session[session], &e, word, error);
    if (rc) return rc;
    ss_row *row = govern(t, e.id, session, word, error);
    if (!row) return -1;
    row->offset = entry->offset;
    row->status = e.status;
    row->n_history = e.n_history;
    row->n_track = e.n_track;
    row->n_eigenvalues = e.n_eigenvalues;
    row->started_in = 0;
    return 0;
}

int ss_table_apply(ss_table *t, const ss_entry *entry, ss_error *error)
{
    switch (entry->kind) {
    case SS_ENTRY_JOB: return apply_job(t, entry, error);
    case SS_ENTRY_START: return apply_start(t, entry, error);
    case SS_ENTRY_DONE: return apply_done(t, entry, error);
    default:
        ss_fail(error, "an entry of unknown kind %u", entry->kind);
        return 1;
    }
}

int ss_table_append(ss_table *t, ss_journal *j, ss_entry_kind kind, const ss_bytes *payload, bool sync, ss_error *error)
{
    ss_entry entry = {kind, (uint32_t)payload->n, j->end, 0, payload->p};
    if (ss_journal_append(j, kind, payload, sync, error)) return -1;
    entry.next = j->end;
    return ss_table_apply(t, &entry, error) ? -1 : 0;
}

/* The results file keeps spectra only of points that were to have one (frame.c), and so does everything else. */
static void drop_unasked_spectrum(const ss_table *t, const ss_row *row, ss_record *record)
{
    const char *probes = ss_table_value(t, row, "spectrum_probes");
    if (!probes || strcmp(probes, "0") == 0) record->spectrum.n_rows = 0;
}

int ss_table_record(const ss_table *t, ss_journal *j, const ss_row *row, ss_record *record, ss_error *error)
{
    ss_entry entry;
    ss_done_entry done;
    ss_record_init(record);
    if (row->offset == 0) return 0;
    int rc = ss_journal_read(j, row->offset, &entry, error);
    if (rc < 0) return -1;
    if (rc != 1 || entry.kind != SS_ENTRY_DONE || ss_done_entry_decode(entry.payload, entry.n, &done) ||
        memcmp(done.id, row->id, SS_ID_RAW) != 0)
        return ss_fail(error, "%s: the entry at byte %llu has changed since it was read; run `sharpsweep verify`", j->path,
                       (unsigned long long)row->offset);
    if (ss_record_decode(done.record, done.record_n, record, error))
        return ss_fail_in(error, "%s: the record at byte %llu", j->path, (unsigned long long)row->offset);
    drop_unasked_spectrum(t, row, record);
    return 0;
}
