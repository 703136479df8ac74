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

void ss_session_destroy(ss_session *s)
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
    for (uint32_t i = 0; i < t->n_sessions; i++) ss_session_destroy(t->session[i]);
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

ss_row *ss_table_govern(ss_table *t, const unsigned char *id, uint32_t session, const uint32_t *word, ss_error *error)
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
    else
        t->session[t->row[at].session]->n_governed--;
    s->n_governed++;
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

/* ---- records ---------------------------------------------------------------------------------------------------- */

/* The results file keeps spectra only of points that were to have one (frame.c), and so does everything else. */
static void drop_unasked_spectrum(const ss_table *t, const ss_row *row, ss_record *record)
{
    const char *probes = ss_table_value(t, row, "spectrum_probes");
    if (!probes || strcmp(probes, "0") == 0) record->spectrum.n_rows = 0;
}

int ss_table_record(const ss_table *t, const ss_row *row, ss_record *record, ss_error *error)
{
    ss_entry entry;
    ss_done_entry done;
    ss_record_init(record);
    if (row->offset == 0) return 0;
    ss_entries *e = t->source[row->source];
    int rc = ss_entries_read(e, row->offset, &entry, error);
    if (rc < 0) return -1;
    if (rc != 1 || entry.kind != SS_ENTRY_DONE || ss_done_entry_decode(entry.payload, entry.n, &done) ||
        memcmp(done.id, row->id, SS_ID_RAW) != 0)
        return ss_fail(error, "%s: the entry at byte %llu has changed since it was read; run `sharpsweep verify`", e->path,
                       (unsigned long long)row->offset);
    if (ss_record_decode(done.record, done.record_n, record, error) || ss_record_contradicts(&done, record, error))
        return ss_fail_in(error, "%s: the record at byte %llu", e->path, (unsigned long long)row->offset);
    drop_unasked_spectrum(t, row, record);
    return 0;
}
