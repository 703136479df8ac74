/* frame_fill.c - rows of the index and records of the journal become columns. */
#include "frame.h"

#include <math.h>
#include <string.h>

/* Readers of HDF5 insist on UTF-8: whatever is none (an error text cut in the middle of a letter) becomes '?'. */
static void clean_text(char *text)
{
    unsigned char *p = (unsigned char *)text;
    while (*p) {
        size_t n = *p < 0x80 ? 1 : *p < 0xC2 ? 0 : *p < 0xE0 ? 2 : *p < 0xF0 ? 3 : *p < 0xF5 ? 4 : 0;
        size_t k = 1;
        while (k < n && (p[k] & 0xC0) == 0x80) k++;
        bool surrogate = n == 3 && p[0] == 0xED && p[1] >= 0xA0;
        bool overlong = (n == 3 && p[0] == 0xE0 && p[1] < 0xA0) || (n == 4 && p[0] == 0xF0 && p[1] < 0x90) ||
                        (n == 4 && p[0] == 0xF4 && p[1] >= 0x90);
        if (n == 0 || k < n || surrogate || overlong) {
            *p++ = '?';
            continue;
        }
        p += n;
    }
}

static void fill_field(ss_variable *v, size_t i, const ss_row *row, const ss_record *r)
{
    const char *member = (const char *)r + v->field->offset;
    bool has = row->offset != 0;
    int64_t whole = 0;
    if (v->cell == SS_CELL_INT8 || v->cell == SS_CELL_INT64) memcpy(&whole, member, sizeof whole);
    switch (v->cell) {
    case SS_CELL_INT8:
        ((int8_t *)v->data)[i] = has ? (int8_t)whole : 0;
        return;
    case SS_CELL_INT64:
        /* How often a point was tried is known without a record. */
        if (!has) whole = v->field->offset == offsetof(ss_record, attempts) ? (int64_t)row->starts : SS_FILL_INT;
        ((int64_t *)v->data)[i] = whole;
        return;
    case SS_CELL_REAL: memcpy((double *)v->data + i, member, sizeof(double)); return;
    default: break;
    }
    char *text = v->chars + i * v->chars_bytes;
    memcpy(text, member, v->chars_bytes);
    text[v->chars_bytes - 1] = '\0';
    clean_text(text);
    ((const char **)v->data)[i] = text;
}

/* A setting's text as its type's number; what this version cannot read is filled. */
static void parse(ss_variable *v, const char *text)
{
    ss_settings s;
    if (text && v->parsed_text == text) return;
    v->parsed_text = text;
    bool ok = text && ss_key_parse(v->key, text, &s, NULL) == 0;
    const char *member = (const char *)&s + v->key->offset;
    bool flag = false;
    switch (v->cell) {
    case SS_CELL_INT8:
        if (ok) memcpy(&flag, member, sizeof flag);
        v->parsed.b = ok ? (int8_t)flag : (int8_t)SS_FILL_INT;
        return;
    case SS_CELL_INT64:
        v->parsed.i = INT64_MIN;
        if (ok) memcpy(&v->parsed.i, member, sizeof v->parsed.i);
        return;
    default:
        v->parsed.d = NAN;
        if (ok) memcpy(&v->parsed.d, member, sizeof v->parsed.d);
        return;
    }
}

static void fill_setting(ss_variable *v, size_t i, const ss_table *t, const ss_row *row)
{
    const ss_session *s = t->session[row->session];
    const char *text = v->fixed;
    if (v->axis_at >= 0) text = t->words.text[s->value[(size_t)row->value * s->n_axes + (size_t)v->axis_at]];
    if (v->cell != SS_CELL_TEXT) parse(v, text);
    switch (v->cell) {
    case SS_CELL_INT8: ((int8_t *)v->data)[i] = v->parsed.b; return;
    case SS_CELL_INT64: ((int64_t *)v->data)[i] = v->parsed.i; return;
    case SS_CELL_REAL: ((double *)v->data)[i] = v->parsed.d; return;
    default: ((const char **)v->data)[i] = text ? text : ""; return;
    }
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

static void fill_matrices(ss_matrices *m, size_t i, const ss_series *s)
{
    for (size_t c = 0; c < m->n_columns; c++) {
        if (m->absent[c]) continue;
        double *out = m->value[c] + i * m->n_rows;
        for (size_t k = 0; k < m->n_rows; k++)
            out[k] = k < s->n_rows && c < s->n_columns ? s->value[k * s->n_columns + c] : (double)NAN;
    }
}

static int64_t count_of(const ss_variable *v, const ss_row *row, const ss_record *r)
{
    uint32_t count;
    if (v->count_at == SS_SPECTRUM_COUNT) return (int64_t)r->spectrum.n_rows;
    memcpy(&count, (const char *)row + v->count_at, sizeof count);
    return count;
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
        case SS_FROM_COUNT: ((int64_t *)v->data)[i] = count_of(v, row, r); break;
        }
    }
    if (!f->eigenvalue) return;
    fill_matrices(&f->history, i, &r->history);
    fill_matrices(&f->track, i, &r->track);
    fill_matrices(&f->spectrum, i, &r->spectrum);
    for (size_t k = 0; k < f->n_eigenvalues; k++)
        f->eigenvalue[i * f->n_eigenvalues + k] = k < r->n_eigenvalues ? r->eigenvalue[k] : (double)NAN;
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
