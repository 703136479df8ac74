/* frame.c - the list of variables and their memory. */
#include "frame.h"

#include <stdio.h>
#include <string.h>

const char *const ss_place_name[SS_N_PLACES] = {"", "history", "spectrum"};

const ss_dimension ss_dimensions[SS_N_DIMS] = {
    {"point", SS_IN_ROOT, 0, "row of this file; a point keeps its row", NULL, NULL},
    {"k", SS_IN_ROOT, 1, "rank of the eigenvalue, 1 is the largest", "n_eigenvalues", "eigenvalues that were measured"},
    {"epoch", SS_IN_HISTORY, 1, "number of the evaluation; the epochs completed by then are in `epochs`", "n_epochs",
     "rows of this point's history"},
    {"check", SS_IN_HISTORY, 1, "measurement of lambda_max during training", "n_checks", "rows of this point's lambda_max track"},
    {"node", SS_IN_SPECTRUM, 1, "number of the node, probe after probe", "n_nodes", "nodes of this point's spectral density"},
};

enum { MAX_STRETCH = 8192 };

/* ---- the list --------------------------------------------------------------------------------------------------- */

static ss_variable *add(ss_frame *f, const char *name, ss_cell cell, ss_source source)
{
    ss_variable *v = &f->variable[f->n_variables++];
    snprintf(v->name, sizeof v->name, "%s", name);
    v->cell = cell;
    v->source = source;
    v->set = -1;
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

static void add_count(ss_frame *f, ss_dim dim)
{
    ss_variable *v = add(f, ss_dimensions[dim].count, SS_CELL_INT64, SS_FROM_COUNT);
    v->dim = dim;
    v->place = ss_dimensions[dim].place;
    v->text = ss_dimensions[dim].count_text;
}

static ss_variable *add_column(ss_frame *f, const char *name, ss_dim dim)
{
    ss_variable *v = add(f, name, SS_CELL_REAL, SS_FROM_SERIES);
    v->dim = dim;
    v->place = ss_dimensions[dim].place;
    return v;
}

/* A track's columns are told apart from the epochs' by "track_"; the column `epoch`, whose name is the dimension's, gets the
 * record's name for the same thing. */
static void add_series(ss_frame *f, const ss_field *(*fields)(size_t *), ss_dim dim)
{
    size_t n;
    char name[64];
    const ss_field *field = fields(&n);
    for (size_t c = 0; c < n && c < SS_MAX_SERIES_FIELDS; c++) {
        bool clash = dim == SS_DIM_EPOCH && strcmp(field[c].name, "epoch") == 0;
        snprintf(name, sizeof name, "%s%s", dim == SS_DIM_CHECK ? "track_" : "", clash ? "epochs" : field[c].name);
        ss_variable *v = add_column(f, name, dim);
        v->field = &field[c];
        v->column = c;
        v->text = field[c].text;
        v->unit = field[c].unit;
    }
}

ss_frame *ss_frame_create(uint32_t n_axes, const char *const *axis, uint32_t n_foreign, const char *const *foreign,
                          ss_error *error)
{
    size_t n_fields, n_keys;
    const ss_field *field = ss_record_fields(&n_fields);
    const ss_key *key = ss_keys(&n_keys);
    ss_frame *f = ss_alloc(1, sizeof *f);
    if (f) f->variable = ss_alloc(n_axes + n_fields + n_keys + n_foreign + 8 + 3 * SS_MAX_SERIES_FIELDS, sizeof *f->variable);
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
    add_count(f, SS_DIM_K);
    for (size_t i = 0; i < n_keys; i++) {
        bool is_axis = false;
        for (uint32_t a = 0; a < n_axes; a++) is_axis |= strcmp(axis[a], key[i].name) == 0;
        if (!is_axis && key[i].offset != (size_t)-1) add_setting(f, key[i].name, false);
    }
    for (uint32_t i = 0; i < n_foreign; i++) add_setting(f, foreign[i], false);
    ss_variable *eigenvalue = add_column(f, "eigenvalue", SS_DIM_K);
    eigenvalue->text = "largest eigenvalues of the Hessian of the training loss, descending";
    eigenvalue->unit = "1";
    for (int dim = SS_DIM_EPOCH; dim < SS_N_DIMS; dim++) add_count(f, (ss_dim)dim);
    add_series(f, ss_history_fields, SS_DIM_EPOCH);
    add_series(f, ss_track_fields, SS_DIM_CHECK);
    add_series(f, ss_spectrum_fields, SS_DIM_NODE);
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

/* A million points need no columns of nothing, nor of defaults that are as good as not there. */
static bool is_wanted(const ss_frame *f, const ss_variable *v, const ss_table *t, bool tracked)
{
    if (v->place == SS_IN_SPECTRUM) return f->length[SS_DIM_NODE] > 0;
    if (v->dim == SS_DIM_CHECK && v->field && v->field->key && !tracked && strcmp(v->field->key, "sam_rho") != 0) return false;
    if (v->field && v->field->key) return is_asked_for(t, v->field->key);
    return v->is_axis || !v->key || !v->key->optional || ss_table_uses(t, v->key);
}

static void leave_out_unused(ss_frame *f, const ss_table *t)
{
    size_t kept = 0;
    bool tracked = is_asked_for(t, "track_measures");
    for (size_t i = 0; i < f->n_variables; i++)
        if (is_wanted(f, &f->variable[i], t, tracked)) f->variable[kept++] = f->variable[i];
    f->n_variables = kept;
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

static void stretch(ss_frame *f, ss_dim dim, size_t n)
{
    if (n > f->length[dim]) f->length[dim] = n;
}

int ss_frame_fit_spectra(ss_frame *f, const ss_table *t, ss_error *error)
{
    ss_record r;
    int rc = 0;
    for (size_t i = 0; rc == 0 && f->length[SS_DIM_NODE] > 0 && i < t->n_rows; i++) {
        if (!may_have_spectrum(t, &t->row[i])) continue;
        rc = ss_table_record(t, &t->row[i], &r, error);
        if (rc == 0) stretch(f, SS_DIM_NODE, r.spectrum.n_rows);
        ss_record_finish(&r);
    }
    return rc;
}

ss_frame *ss_frame_complete(const ss_table *t, ss_error *error)
{
    const char *foreign[64];
    return ss_frame_create(t->n_axes, t->axis, foreign_settings(t, foreign, 64), foreign, error);
}

ss_frame *ss_frame_of_table(const ss_table *t, ss_error *error)
{
    ss_frame *f = ss_frame_complete(t, error);
    if (!f) return NULL;
    /* At least one column each, so that no dimension is empty: netCDF takes an empty one for unlimited. */
    for (int dim = 0; dim < SS_N_DIMS; dim++) f->length[dim] = dim != SS_DIM_NODE || any_spectrum(t);
    for (size_t i = 0; i < t->n_rows; i++) {
        stretch(f, SS_DIM_K, t->row[i].n_eigenvalues);
        stretch(f, SS_DIM_EPOCH, t->row[i].n_history);
        stretch(f, SS_DIM_CHECK, t->row[i].n_track);
    }
    leave_out_unused(f, t);
    return f;
}

void ss_frame_destroy(ss_frame *f)
{
    if (!f) return;
    for (size_t i = 0; i < f->n_variables; i++) {
        ss_h5_close(&f->variable[i].set);
        ss_free(f->variable[i].data);
        ss_free(f->variable[i].chars);
    }
    ss_free(f->variable);
    ss_words_finish(&f->words);
    ss_free(f);
}

ss_variable *ss_frame_find(const ss_frame *f, ss_place place, const char *name)
{
    for (size_t i = 0; i < f->n_variables; i++)
        if (f->variable[i].place == place && strcmp(f->variable[i].name, name) == 0) return &f->variable[i];
    return NULL;
}

size_t ss_frame_stretch(const ss_frame *f, size_t bytes, size_t n_rows)
{
    size_t widest = 1;
    for (int dim = SS_DIM_K; dim < SS_N_DIMS; dim++)
        if (f->length[dim] > widest) widest = f->length[dim];
    size_t n = bytes / sizeof(double) / widest;
    if (n > MAX_STRETCH) n = MAX_STRETCH;
    if (n > n_rows) n = n_rows;
    return n ? n : 1;
}

int ss_frame_allocate(ss_frame *f, size_t capacity, bool with_series, ss_error *error)
{
    static const size_t bytes[SS_N_CELL] = {sizeof(int8_t), sizeof(int64_t), sizeof(double), sizeof(char *)};
    f->capacity = capacity;
    for (size_t i = 0; i < f->n_variables; i++) {
        ss_variable *v = &f->variable[i];
        bool series = v->source == SS_FROM_SERIES;
        if (series && !with_series) continue;
        v->data = ss_alloc(capacity, bytes[v->cell] * (series ? f->length[v->dim] : 1));
        if (v->chars_bytes) v->chars = ss_alloc(capacity, v->chars_bytes);
        if (!v->data || (v->chars_bytes && !v->chars)) return ss_fail(error, "no memory for %zu rows of results", capacity);
    }
    return 0;
}
