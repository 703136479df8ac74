/* frame_fill.c - rows of the index and records of the journal become columns. */
#include "frame.h"

#include <math.h>
#include <string.h>

/* Readers of HDF5 insist on UTF-8: whatever is none (an error text cut in the middle of a letter) becomes '?'. */
static void clean_text(char *text)
{
    for (size_t n; *text; text += n ? n : 1)
        if ((n = ss_text_utf8(text)) == 0) *text = '?';
}

uint64_t ss_cell_get(const ss_variable *v, size_t i)
{
    uint64_t bits;
    if (v->cell == SS_CELL_INT8) return (uint64_t)(int64_t)((const int8_t *)v->data)[i];
    memcpy(&bits, (const char *)v->data + i * sizeof bits, sizeof bits);
    return bits;
}

void ss_cell_set(const ss_variable *v, size_t i, uint64_t bits)
{
    if (v->cell == SS_CELL_INT8) ((int8_t *)v->data)[i] = (int8_t)(int64_t)bits;
    else memcpy((char *)v->data + i * sizeof bits, &bits, sizeof bits);
}

static void fill_field(ss_variable *v, size_t i, const ss_row *row, const ss_record *r)
{
    const char *member = (const char *)r + v->field->offset;
    uint64_t bits;
    if (v->cell != SS_CELL_TEXT) {
        memcpy(&bits, member, sizeof bits);
        /* How often a point was tried is known without a record. */
        if (row->offset == 0 && v->field->offset == offsetof(ss_record, attempts)) bits = row->starts;
        ss_cell_set(v, i, bits);
        return;
    }
    char *text = v->chars + i * v->chars_bytes;
    memcpy(text, member, v->chars_bytes);
    text[v->chars_bytes - 1] = '\0';
    clean_text(text);
    ((const char **)v->data)[i] = text;
}

/* A setting's text as its type's number; what this version cannot read is filled. */
static uint64_t parse(ss_variable *v, const char *text)
{
    ss_settings s;
    bool flag;
    if (text && v->parsed_text == text) return v->parsed;
    v->parsed_text = text;
    v->parsed = v->cell == SS_CELL_INT8 ? UINT64_MAX : v->cell == SS_CELL_INT64 ? (uint64_t)INT64_MIN : SS_NAN_BITS;
    if (!text || ss_key_parse(v->key, text, &s, NULL)) return v->parsed;
    memcpy(&flag, (const char *)&s + v->key->offset, sizeof flag);
    if (v->cell == SS_CELL_INT8) v->parsed = flag;
    else memcpy(&v->parsed, (const char *)&s + v->key->offset, sizeof v->parsed);
    return v->parsed;
}

static void fill_setting(ss_variable *v, size_t i, const ss_table *t, const ss_row *row)
{
    const ss_session *s = t->session[row->session];
    const char *text = v->fixed;
    if (v->axis_at >= 0) text = t->words.text[s->value[(size_t)row->value * s->n_axes + (size_t)v->axis_at]];
    if (v->cell == SS_CELL_TEXT) ((const char **)v->data)[i] = text ? text : "";
    else ss_cell_set(v, i, parse(v, text));
}

static void enter_session(ss_frame *f, const ss_table *t, uint32_t session)
{
    const ss_session *s = t->session[session];
    for (size_t k = 0; k < f->n_variables; k++) {
        ss_variable *v = &f->variable[k];
        if (v->source != SS_FROM_SETTING) continue;
        v->axis_at = ss_session_axis(s, v->name);
        v->fixed = v->axis_at < 0 ? ss_session_setting(s, v->name) : NULL;
    }
    f->session = session + 1;
}

/* A record's table, as the dimension of its rows names it; eigenvalues are one of a single column. */
static ss_series series_of(const ss_record *r, ss_dim dim)
{
    if (dim == SS_DIM_K) return (ss_series){.n_rows = r->n_eigenvalues, .n_columns = 1, .value = r->eigenvalue};
    return dim == SS_DIM_EPOCH ? r->history : dim == SS_DIM_CHECK ? r->track : r->spectrum;
}

static void fill_column(const ss_frame *f, const ss_variable *v, size_t i, const ss_record *r)
{
    size_t length = f->length[v->dim];
    double *out = (double *)v->data + i * length;
    const ss_series s = series_of(r, v->dim);
    for (size_t k = 0; k < length; k++)
        out[k] = k < s.n_rows && v->column < s.n_columns ? s.value[k * s.n_columns + v->column] : (double)NAN;
}

static void fill_row(ss_frame *f, size_t i, const ss_table *t, const ss_row *row, const ss_record *r)
{
    if (f->session != row->session + 1) enter_session(f, t, row->session);
    for (size_t k = 0; k < f->n_variables; k++) {
        ss_variable *v = &f->variable[k];
        switch (v->source) {
        case SS_FROM_ID:
            ss_id_format(row->id, v->chars + i * v->chars_bytes);
            ((const char **)v->data)[i] = v->chars + i * v->chars_bytes;
            break;
        case SS_FROM_FIELD: fill_field(v, i, row, r); break;
        case SS_FROM_SETTING: fill_setting(v, i, t, row); break;
        case SS_FROM_COUNT: ss_cell_set(v, i, series_of(r, v->dim).n_rows); break;
        case SS_FROM_SERIES: if (v->data) fill_column(f, v, i, r); break;
        }
    }
}

int ss_frame_fill(ss_frame *f, const ss_table *t, size_t first, size_t n, ss_error *error)
{
    ss_record r;
    f->first = first;
    f->n = n;
    for (size_t i = 0; i < n; i++) {
        const ss_row *row = &t->row[first + i];
        if (ss_table_record(t, row, &r, error)) {
            ss_record_finish(&r);
            return -1;
        }
        fill_row(f, i, t, row, &r);
        ss_record_finish(&r);
    }
    return 0;
}
