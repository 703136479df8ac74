/* frame.c - the list of variables and their memory. */
#include "frame.h"

#include <stdio.h>
#include <string.h>

size_t ss_cell_bytes(ss_cell cell)
{
    static const size_t bytes[SS_N_CELL] = {sizeof(int8_t), sizeof(int64_t), sizeof(double), sizeof(char *)};
    return bytes[cell];
}

/* ---- the list --------------------------------------------------------------------------------------------------- */

static ss_variable *add(ss_frame *f, const char *name, ss_cell cell, ss_source source)
{
    ss_variable *v = &f->variable[f->n_variables++];
    snprintf(v->name, sizeof v->name, "%s", name);
    v->cell = cell;
    v->source = source;
    v->text = v->unit = "";
    return v;
}

static void add_setting(ss_frame *f, const char *name, bool is_axis)
{
    const ss_key *key = ss_key_find(name);
    if (key && key->offset == (size_t)-1) key = NULL;
    ss_cell cell = SS_CELL_TEXT;
    if (key && key->type == SS_BOOL) cell = SS_CELL_INT8;
    if (key && (key->type == SS_INT || key->type == SS_COUNT)) cell = SS_CELL_INT64;
    if (key && key->type == SS_FLOAT) cell = SS_CELL_REAL;
    ss_variable *v = add(f, name, cell, SS_FROM_SETTING);
    v->key = key;
    v->is_axis = is_axis;
    if (key) v->text = key->text;
    if (key) v->unit = key->unit;
}

static void add_field(ss_frame *f, const ss_field *field)
{
    static const ss_cell cell[] = {[SS_FIELD_INT] = SS_CELL_INT64, [SS_FIELD_REAL] = SS_CELL_REAL,
                                   [SS_FIELD_TEXT] = SS_CELL_TEXT, [SS_FIELD_STATUS] = SS_CELL_INT8,
                                   [SS_FIELD_STOP] = SS_CELL_INT8};
    ss_variable *v = add(f, field->name, cell[field->type], SS_FROM_FIELD);
    v->field = field;
    v->text = field->text;
    v->unit = field->unit;
    v->chars_bytes = field->type == SS_FIELD_TEXT ? field->bytes : 0;
}

static void add_count(ss_frame *f, const char *name, size_t at, ss_place place, const char *text)
{
    ss_variable *v = add(f, name, SS_CELL_INT64, SS_FROM_COUNT);
    v->count_at = at;
    v->place = place;
    v->text = text;
}

ss_frame *ss_frame_create(uint32_t n_axes, const char *const *axis, uint32_t n_foreign, const char *const *foreign,
                          ss_error *error)
{
    size_t n_fields, n_keys;
    const ss_field *field = ss_record_fields(&n_fields);
    const ss_key *key = ss_keys(&n_keys);
    ss_frame *f = ss_alloc(1, sizeof *f);
    if (f) f->variable = ss_alloc(n_axes + n_fields + n_keys + n_foreign + 8, sizeof *f->variable);
    if (!f || !f->variable) {
        ss_free(f);
        ss_fail(error, "no memory for the results' columns");
        return NULL;
    }
    ss_variable *id = add(f, "id", SS_CELL_TEXT, SS_FROM_ID);
    id->text = "identity: a hash of everything that determines the result";
    id->chars_bytes = SS_ID_BYTES;
    for (uint32_t a = 0; a < n_axes; a++) add_setting(f, axis[a], true);
    for (size_t i = 0; i < n_fields; i++) add_field(f, &field[i]);
    add_count(f, "n_eigenvalues", offsetof(ss_row, n_eigenvalues), SS_IN_ROOT, "eigenvalues that were measured");
    for (size_t i = 0; i < n_keys; i++) {
        bool is_axis = false;
        for (uint32_t a = 0; a < n_axes; a++) is_axis |= strcmp(axis[a], key[i].name) == 0;
        if (!is_axis && key[i].offset != (size_t)-1) add_setting(f, key[i].name, false);
    }
    for (uint32_t i = 0; i < n_foreign; i++) add_setting(f, foreign[i], false);
    add_count(f, "n_epochs", offsetof(ss_row, n_history), SS_IN_HISTORY, "rows of this point's history");
    add_count(f, "n_checks", offsetof(ss_row, n_track), SS_IN_HISTORY, "rows of this point's lambda_max track");
    add_count(f, "n_nodes", SS_SPECTRUM_COUNT, SS_IN_SPECTRUM, "nodes of this point's spectral density");
    f->history.field = ss_history_fields(&f->history.n_columns);
    f->track.field = ss_track_fields(&f->track.n_columns);
    f->spectrum.field = ss_spectrum_fields(&f->spectrum.n_columns);
    return f;
}

/* Settings that sessions name and this version's table of keys does not (another version wrote them). */
static uint32_t foreign_settings(const ss_table *t, const char **name, uint32_t limit)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < t->n_sessions; i++)
        for (uint32_t s = 0; s < t->session[i]->n_settings; s++) {
            const char *setting = t->session[i]->setting[s];
            bool known = ss_key_find(setting) != NULL;
            for (uint32_t a = 0; a < t->n_axes; a++) known |= strcmp(t->axis[a], setting) == 0;
            for (uint32_t k = 0; k < n; k++) known |= strcmp(name[k], setting) == 0;
            if (!known && n < limit) name[n++] = setting;
        }
    return n;
}

/* Has the setting that asks for this measure ever been used? */
static bool is_asked_for(const ss_table *t, const char *name)
{
    size_t n;
    const ss_key *key = ss_keys(&n);
    bool any = strcmp(name, SS_ANY_MEASURE) == 0, asked = false;
    for (size_t i = 0; i < n && !asked; i++)
        if (any ? key[i].optional : strcmp(key[i].name, name) == 0) asked = ss_table_uses(t, &key[i]);
    return asked;
}

static bool is_wanted(const ss_frame *f, const ss_variable *v, const ss_table *t)
{
    if (v->place == SS_IN_SPECTRUM) return f->spectrum.n_rows > 0;
    if (v->field && v->field->key) return is_asked_for(t, v->field->key);
    return v->is_axis || !v->key || !v->key->optional || ss_table_uses(t, v->key);
}

/* A million points need no columns of nothing, nor of defaults that are as good as not there. */
static void leave_out_unused(ss_frame *f, const ss_table *t)
{
    size_t kept = 0;
    bool tracked = is_asked_for(t, "track_measures");
    for (size_t i = 0; i < f->n_variables; i++)
        if (is_wanted(f, &f->variable[i], t)) f->variable[kept++] = f->variable[i];
    f->n_variables = kept;
    for (size_t c = 0; c < f->track.n_columns; c++) {
        const char *key = f->track.field[c].key;
        f->track.absent[c] = key && !((tracked || strcmp(key, "sam_rho") == 0) && is_asked_for(t, key));
    }
}

/* Is there a record that may hold a spectrum? */
static bool may_have_spectrum(const ss_table *t, const ss_row *row)
{
    const char *probes = ss_table_value(t, row, "spectrum_probes");
    return row->offset != 0 && probes && strcmp(probes, "0") != 0;
}

static bool any_spectrum(const ss_table *t)
{
    size_t i = 0;
    if (!ss_table_uses(t, ss_key_find("spectrum_probes"))) return false;
    while (i < t->n_rows && !may_have_spectrum(t, &t->row[i])) i++;
    return i < t->n_rows;
}

int ss_frame_fit_spectra(ss_frame *f, const ss_table *t, ss_error *error)
{
    ss_record r;
    int rc = 0;
    for (size_t i = 0; rc == 0 && f->spectrum.n_rows > 0 && i < t->n_rows; i++) {
        if (!may_have_spectrum(t, &t->row[i])) continue;
        rc = ss_table_record(t, &t->row[i], &r, error);
        if (rc == 0 && r.spectrum.n_rows > f->spectrum.n_rows) f->spectrum.n_rows = r.spectrum.n_rows;
        ss_record_finish(&r);
    }
    return rc;
}

ss_frame *ss_frame_of_table(const ss_table *t, ss_error *error)
{
    const char *foreign[64];
    uint32_t n_foreign = foreign_settings(t, foreign, 64);
    ss_frame *f = ss_frame_create(t->n_axes, t->axis, n_foreign, foreign, error);
    if (!f) return NULL;
    /* At least one column each, so that no dimension is empty: netCDF takes an empty one for unlimited. */
    f->history.n_rows = f->track.n_rows = f->n_eigenvalues = 1;
    for (size_t i = 0; i < t->n_rows; i++) {
        const ss_row *r = &t->row[i];
        if (r->n_history > f->history.n_rows) f->history.n_rows = r->n_history;
        if (r->n_track > f->track.n_rows) f->track.n_rows = r->n_track;
        if (r->n_eigenvalues > f->n_eigenvalues) f->n_eigenvalues = r->n_eigenvalues;
    }
    f->spectrum.n_rows = any_spectrum(t);
    leave_out_unused(f, t);
    return f;
}

void ss_frame_destroy(ss_frame *f)
{
    if (!f) return;
    for (size_t i = 0; i < f->n_variables; i++) {
        ss_free(f->variable[i].data);
        ss_free(f->variable[i].chars);
    }
    for (size_t c = 0; c < SS_MAX_SERIES_FIELDS; c++) {
        ss_free(f->history.value[c]);
        ss_free(f->track.value[c]);
        ss_free(f->spectrum.value[c]);
    }
    ss_free(f->eigenvalue);
    ss_free(f->variable);
    ss_words_finish(&f->words);
    ss_free(f);
}

ss_variable *ss_frame_find(const ss_frame *f, const char *name)
{
    for (size_t i = 0; i < f->n_variables; i++)
        if (f->variable[i].place == SS_IN_ROOT && strcmp(f->variable[i].name, name) == 0) return &f->variable[i];
    return NULL;
}

size_t ss_frame_row_bytes(const ss_frame *f)
{
    size_t n = f->history.n_rows;
    if (f->track.n_rows > n) n = f->track.n_rows;
    if (f->n_eigenvalues > n) n = f->n_eigenvalues;
    if (f->spectrum.n_rows > n) n = f->spectrum.n_rows;
    return n * sizeof(double);
}

static int allocate_matrices(ss_matrices *m, size_t capacity)
{
    if (m->n_columns > SS_MAX_SERIES_FIELDS || (m->n_rows && capacity > SIZE_MAX / m->n_rows)) return -1;
    for (size_t c = 0; c < m->n_columns; c++)
        if (!m->absent[c] && !(m->value[c] = ss_alloc(capacity * m->n_rows, sizeof(double)))) return -1;
    return 0;
}

int ss_frame_allocate(ss_frame *f, size_t capacity, bool with_series, ss_error *error)
{
    f->capacity = capacity;
    bool ok = true;
    for (size_t i = 0; ok && i < f->n_variables; i++) {
        ss_variable *v = &f->variable[i];
        v->data = ss_alloc(capacity, ss_cell_bytes(v->cell));
        if (v->chars_bytes) v->chars = ss_alloc(capacity, v->chars_bytes);
        ok = v->data && (v->chars || !v->chars_bytes);
    }
    if (with_series) {
        ok = ok && allocate_matrices(&f->history, capacity) == 0 && allocate_matrices(&f->track, capacity) == 0 &&
             allocate_matrices(&f->spectrum, capacity) == 0;
        if (ok) f->eigenvalue = ss_alloc(capacity * f->n_eigenvalues, sizeof(double));
        ok = ok && f->eigenvalue;
    }
    return ok ? 0 : ss_fail(error, "no memory for %zu rows of results", capacity);
}
