/* results_write.c - the results file in netCDF-4's shape, rebuilt from the journal in stretches of rows, so that memory
 * does not grow with the sweep. What makes xarray open it: a dimension scale on every dimension of every dataset, order of
 * creation tracked, fill values, variable-length UTF-8 strings, status codes as bytes with flag attributes. */
#include "results.h"

#include <hdf5_hl.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { STRETCH_BYTES = 1 << 20, MAX_STRETCH = 8192, LARGE_BYTES = 64 * 1024, MAX_CHUNK_ROW = 131072 };

typedef struct writer {
    ss_h5_out out;
    ss_frame *frame;
    const ss_table *table;
    hid_t group, density;         /* history, spectrum */
    hid_t point, k, epoch, check, node; /* dimension scales */
    hid_t *variable;              /* (frame->n_variables) */
    hid_t history[SS_MAX_SERIES_FIELDS], track[SS_MAX_SERIES_FIELDS], spectrum[SS_MAX_SERIES_FIELDS], eigenvalue;
} writer;

void ss_series_name(const ss_frame *f, const ss_matrices *m, size_t column, char out[64])
{
    const char *name = m->field[column].name;
    /* `epoch` is the dimension; the column of that name gets the record's name for the same thing. */
    if (m == &f->history && strcmp(name, "epoch") == 0) name = "epochs";
    snprintf(out, 64, "%s%s", m == &f->track ? "track_" : "", name);
}

static hid_t cell_type(ss_cell cell, bool in_file)
{
    switch (cell) {
    case SS_CELL_INT8: return H5Tcopy(in_file ? H5T_STD_I8LE : H5T_NATIVE_INT8);
    case SS_CELL_INT64: return H5Tcopy(in_file ? H5T_STD_I64LE : H5T_NATIVE_INT64);
    case SS_CELL_REAL: return H5Tcopy(in_file ? H5T_IEEE_F64LE : H5T_NATIVE_DOUBLE);
    default: return ss_h5_text_type();
    }
}

/* ---- making datasets -------------------------------------------------------------------------------------------- */

static int set_chunks(hid_t plan, int rank, const hsize_t *dim, hsize_t stretch, size_t cell_bytes, ss_error *error)
{
    hsize_t total = cell_bytes, chunk[2];
    for (int d = 0; d < rank; d++) total *= dim[d];
    if (total <= LARGE_BYTES) return 0;
    chunk[0] = dim[0] < stretch ? dim[0] : stretch;
    if (rank > 1) chunk[1] = dim[1] > MAX_CHUNK_ROW ? MAX_CHUNK_ROW : dim[1];
    int rc = -1;
    H5_TRY(H5Pset_chunk(plan, rank, chunk));
    H5_TRY(H5Pset_shuffle(plan));
    if (H5Zfilter_avail(H5Z_FILTER_DEFLATE) > 0) H5_TRY(H5Pset_deflate(plan, 1));
    rc = 0;
done:
    return rc;
}

/* A dataset of rank 1 or 2; fill NULL: none. stretch: rows that are written at once. */
static int make_dataset(hid_t at, const char *name, ss_cell cell, int rank, const hsize_t *dim, hsize_t stretch,
                        const void *fill, hid_t *set, ss_error *error)
{
    int rc = -1;
    hid_t type = -1, memory = -1, space = -1, plan = -1;
    H5_TRY(type = cell_type(cell, true));
    H5_TRY(space = H5Screate_simple(rank, dim, NULL));
    H5_TRY(plan = H5Pcreate(H5P_DATASET_CREATE));
    H5_TRY(H5Pset_obj_track_times(plan, 0)); /* equal contents, equal bytes */
    H5_TRY(H5Pset_attr_creation_order(plan, H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED));
    H5_TRY(memory = cell_type(cell, false));
    if (fill) H5_TRY(H5Pset_fill_value(plan, memory, fill));
    if (cell != SS_CELL_TEXT && set_chunks(plan, rank, dim, stretch, ss_cell_bytes(cell), error)) goto done;
    H5_TRY(*set = H5Dcreate2(at, name, type, space, H5P_DEFAULT, plan, H5P_DEFAULT));
    if (fill && ss_h5_put_number(*set, "_FillValue", memory, 1, fill, error)) goto done;
    rc = 0;
done:
    ss_h5_close(&plan);
    ss_h5_close(&space);
    ss_h5_close(&memory);
    ss_h5_close(&type);
    return rc;
}

static int put_words(hid_t set, const char *text, const char *unit, ss_error *error)
{
    return ss_h5_put_text(set, "long_name", text, error) || ss_h5_put_text(set, "units", unit, error) ? -1 : 0;
}

/* A dimension and its coordinate: first, first+1, ... */
static int make_scale(hid_t at, const char *name, size_t n, int64_t first, const char *text, hid_t *set, ss_error *error)
{
    int rc = -1;
    hsize_t dim = n;
    int64_t *value = ss_alloc(n, sizeof *value);
    if (!value) {
        ss_fail(error, "no memory for a dimension of %zu", n);
        goto done;
    }
    for (size_t i = 0; i < n; i++) value[i] = first + (int64_t)i;
    if (make_dataset(at, name, SS_CELL_INT64, 1, &dim, MAX_STRETCH, NULL, set, error)) goto done;
    H5_TRY(H5DSset_scale(*set, name));
    H5_TRY(H5Dwrite(*set, H5T_NATIVE_INT64, H5S_ALL, H5S_ALL, H5P_DEFAULT, value));
    if (put_words(*set, text, "", error)) goto done;
    rc = 0;
done:
    ss_free(value);
    return rc;
}

static int put_flags(hid_t set, hid_t type, size_t n, const void *value, const char *const *name, ss_error *error)
{
    char text[512] = "";
    size_t used = 0;
    for (size_t i = 0; i < n && used < sizeof text; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%s", i ? " " : "", name[i]);
    return ss_h5_put_number(set, "flag_values", type, n, value, error) || ss_h5_put_text(set, "flag_meanings", text, error)
           ? -1 : 0;
}

static int put_meanings(hid_t set, const ss_variable *v, ss_error *error)
{
    static const int8_t code[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    static const char *const truth[] = {"false", "true"};
    static const int64_t word = SS_WORD;
    if (v->source == SS_FROM_SETTING && v->cell == SS_CELL_INT8)
        return put_flags(set, H5T_NATIVE_INT8, 2, code, truth, error);
    if (v->source == SS_FROM_SETTING && v->key && v->key->word)
        return put_flags(set, H5T_NATIVE_INT64, 1, &word, &v->key->word, error);
    if (v->source != SS_FROM_FIELD) return 0;
    if (v->field->type == SS_FIELD_STATUS)
        return put_flags(set, H5T_NATIVE_INT8, SS_N_STATUS, code, ss_status_name, error);
    if (v->field->type == SS_FIELD_STOP) return put_flags(set, H5T_NATIVE_INT8, SS_N_STOP, code, ss_stop_name, error);
    return 0;
}

static int make_variable(writer *w, size_t i, ss_error *error)
{
    static const double nan_fill = NAN;
    static const int64_t int_fill = SS_FILL_INT;
    const ss_variable *v = &w->frame->variable[i];
    const void *fill = NULL;
    if (v->cell == SS_CELL_REAL) fill = &nan_fill;
    if (v->cell == SS_CELL_INT64 && v->source == SS_FROM_FIELD) fill = &int_fill;
    hsize_t dim = w->table->n_rows;
    hid_t *set = &w->variable[i];
    hid_t at = v->place == SS_IN_HISTORY ? w->group : v->place == SS_IN_SPECTRUM ? w->density : w->out.file;
    int rc = -1;
    if (make_dataset(at, v->name, v->cell, 1, &dim, w->frame->capacity, fill, set, error)) goto done;
    H5_TRY(H5DSattach_scale(*set, w->point, 0));
    if (put_words(*set, v->text, v->unit, error) || put_meanings(*set, v, error)) goto done;
    rc = 0;
done:
    return rc ? ss_fail_in(error, "%s", v->name) : 0;
}

static int make_matrix(writer *w, hid_t at, const char *name, size_t n_columns, hid_t scale, const char *text,
                       const char *unit, hid_t *set, ss_error *error)
{
    static const double nan_fill = NAN;
    hsize_t dim[2] = {w->table->n_rows, n_columns};
    int rc = -1;
    if (make_dataset(at, name, SS_CELL_REAL, 2, dim, w->frame->capacity, &nan_fill, set, error)) goto done;
    H5_TRY(H5DSattach_scale(*set, w->point, 0));
    H5_TRY(H5DSattach_scale(*set, scale, 1));
    rc = put_words(*set, text, unit, error);
done:
    return rc ? ss_fail_in(error, "%s", name) : 0;
}

static int make_series(writer *w, hid_t at, const ss_matrices *m, hid_t scale, hid_t *set, ss_error *error)
{
    char name[64];
    for (size_t c = 0; c < m->n_columns; c++) {
        if (m->absent[c]) continue;
        ss_series_name(w->frame, m, c, name);
        if (make_matrix(w, at, name, m->n_rows, scale, m->field[c].text, m->field[c].unit, &set[c], error)) return -1;
    }
    return 0;
}

static int make_group(const writer *w, const char *name, hid_t *group, ss_error *error)
{
    int rc = -1;
    hid_t plan = -1;
    H5_TRY(plan = H5Pcreate(H5P_GROUP_CREATE));
    H5_TRY(H5Pset_obj_track_times(plan, 0));
    H5_TRY(H5Pset_link_creation_order(plan, H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED));
    H5_TRY(H5Pset_attr_creation_order(plan, H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED));
    H5_TRY(*group = H5Gcreate2(w->out.file, name, H5P_DEFAULT, plan, H5P_DEFAULT));
    rc = 0;
done:
    ss_h5_close(&plan);
    return rc;
}

static int make_counts(writer *w, ss_place place, ss_error *error)
{
    for (size_t i = 0; i < w->frame->n_variables; i++)
        if (w->frame->variable[i].place == place && make_variable(w, i, error)) return -1;
    return 0;
}

static int make_history(writer *w, ss_error *error)
{
    const ss_frame *f = w->frame;
    if (make_group(w, "history", &w->group, error) ||
        make_scale(w->group, "epoch", f->history.n_rows, 1,
                   "number of the evaluation; the epochs completed by then are in `epochs`", &w->epoch, error) ||
        make_scale(w->group, "check", f->track.n_rows, 1, "measurement of lambda_max during training", &w->check, error))
        return -1;
    if (make_counts(w, SS_IN_HISTORY, error)) return -1;
    if (make_series(w, w->group, &f->history, w->epoch, w->history, error)) return -1;
    return make_series(w, w->group, &f->track, w->check, w->track, error);
}

static int make_spectrum(writer *w, ss_error *error)
{
    const ss_matrices *m = &w->frame->spectrum;
    if (m->n_rows == 0) return 0;
    if (make_group(w, "spectrum", &w->density, error) ||
        make_scale(w->density, "node", m->n_rows, 1, "number of the node, probe after probe", &w->node, error))
        return -1;
    if (make_counts(w, SS_IN_SPECTRUM, error)) return -1;
    return make_series(w, w->density, m, w->node, w->spectrum, error);
}

static int make_file(writer *w, ss_error *error)
{
    ss_frame *f = w->frame;
    if (make_scale(w->out.file, "point", w->table->n_rows, 0, "row of this file; a point keeps its row", &w->point, error) ||
        make_scale(w->out.file, "k", f->n_eigenvalues, 1, "rank of the eigenvalue, 1 is the largest", &w->k, error))
        return -1;
    for (size_t i = 0; i < f->n_variables; i++)
        if (f->variable[i].place == SS_IN_ROOT && make_variable(w, i, error)) return -1;
    if (make_matrix(w, w->out.file, "eigenvalue", f->n_eigenvalues, w->k,
                    "largest eigenvalues of the Hessian of the training loss, descending", "1", &w->eigenvalue, error))
        return -1;
    return make_history(w, error) ? -1 : make_spectrum(w, error);
}

/* ---- attributes of the whole ------------------------------------------------------------------------------------ */

static int put_attributes(const writer *w, const ss_results_head *h, ss_error *error)
{
    const ss_table *t = w->table;
    const ss_session *newest = t->session[t->n_sessions - 1];
    static const int64_t version = SS_SCHEMA_VERSION;
    const int64_t journal_bytes = (int64_t)h->journal_bytes;
    char uuid[2 * SS_UUID_BYTES + 1], now[SS_TIME_BYTES], axes[64 * SS_MAX_FILE_AXES] = "";
    size_t used = 0;
    for (uint32_t a = 0; a < t->n_axes && used < sizeof axes; a++)
        used += (size_t)snprintf(axes + used, sizeof axes - used, "%s%s", a ? " " : "", t->axis[a]);
    ss_uuid_format(h->uuid, uuid);
    ss_time_now(now);
    hid_t at = w->out.file;
    if (ss_h5_put_text(at, "schema", SS_SCHEMA_NAME, error) ||
        ss_h5_put_number(at, "schema_version", H5T_NATIVE_INT64, 1, &version, error) ||
        ss_h5_put_text(at, "axes", axes, error) || ss_h5_put_text(at, "created", t->session[0]->info[SS_INFO_TIME], error) ||
        ss_h5_put_text(at, "updated", now, error) || ss_h5_put_text(at, "journal_uuid", uuid, error) ||
        ss_h5_put_number(at, "journal_bytes", H5T_NATIVE_INT64, 1, &journal_bytes, error))
        return -1;
    for (int i = 0; i < SS_N_INFO; i++)
        if (i != SS_INFO_TIME && i != SS_INFO_HOST && ss_h5_put_text(at, ss_info_name[i], newest->info[i], error)) return -1;
    return 0;
}

/* ---- rows ------------------------------------------------------------------------------------------------------- */

/* Rows [first, first+n) of a dataset with `columns` cells per row (0: rank 1). */
static int write_rows(hid_t set, ss_cell cell, size_t first, size_t n, size_t columns, const void *data, ss_error *error)
{
    int rc = -1, rank = columns ? 2 : 1;
    hid_t type = -1, space = -1, memory = -1;
    hsize_t start[2] = {first, 0}, count[2] = {n, columns};
    H5_TRY(type = cell_type(cell, false));
    H5_TRY(space = H5Dget_space(set));
    H5_TRY(H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, count, NULL));
    H5_TRY(memory = H5Screate_simple(rank, count, NULL));
    H5_TRY(H5Dwrite(set, type, memory, space, H5P_DEFAULT, data));
    rc = 0;
done:
    ss_h5_close(&memory);
    ss_h5_close(&space);
    ss_h5_close(&type);
    return rc;
}

static int write_matrices(const ss_matrices *m, const hid_t *set, size_t first, size_t n, ss_error *error)
{
    for (size_t c = 0; c < m->n_columns && m->n_rows > 0; c++)
        if (!m->absent[c] && write_rows(set[c], SS_CELL_REAL, first, n, m->n_rows, m->value[c], error)) return -1;
    return 0;
}

static int write_stretch(const writer *w, ss_error *error)
{
    const ss_frame *f = w->frame;
    for (size_t i = 0; i < f->n_variables; i++)
        if (write_rows(w->variable[i], f->variable[i].cell, f->first, f->n, 0, f->variable[i].data, error))
            return ss_fail_in(error, "%s", f->variable[i].name);
    if (write_rows(w->eigenvalue, SS_CELL_REAL, f->first, f->n, f->n_eigenvalues, f->eigenvalue, error) ||
        write_matrices(&f->history, w->history, f->first, f->n, error) ||
        write_matrices(&f->track, w->track, f->first, f->n, error) ||
        write_matrices(&f->spectrum, w->spectrum, f->first, f->n, error))
        return -1;
    return ss_h5_out_check(&w->out, error);
}

static int write_all_rows(writer *w, ss_error *error)
{
    for (size_t first = 0; first < w->table->n_rows; first += w->frame->capacity) {
        size_t n = w->table->n_rows - first;
        if (n > w->frame->capacity) n = w->frame->capacity;
        if (ss_frame_fill(w->frame, w->table, first, n, error) || write_stretch(w, error)) return -1;
    }
    return 0;
}

static void close_sets(writer *w)
{
    for (size_t i = 0; w->variable && w->frame && i < w->frame->n_variables; i++) ss_h5_close(&w->variable[i]);
    for (size_t c = 0; c < SS_MAX_SERIES_FIELDS; c++) {
        ss_h5_close(&w->history[c]);
        ss_h5_close(&w->track[c]);
        ss_h5_close(&w->spectrum[c]);
    }
    ss_h5_close(&w->eigenvalue);
    ss_h5_close(&w->node);
    ss_h5_close(&w->check);
    ss_h5_close(&w->epoch);
    ss_h5_close(&w->k);
    ss_h5_close(&w->point);
    ss_h5_close(&w->group);
    ss_h5_close(&w->density);
}

static int prepare(writer *w, const ss_table *t, ss_error *error)
{
    *w = (writer){.group = -1, .density = -1, .point = -1, .k = -1, .epoch = -1, .check = -1, .node = -1, .eigenvalue = -1,
                  .table = t};
    w->out = (ss_h5_out){.file = -1, .fd = -1};
    for (size_t c = 0; c < SS_MAX_SERIES_FIELDS; c++) w->history[c] = w->track[c] = w->spectrum[c] = -1;
    w->frame = ss_frame_of_table(t, error);
    if (!w->frame || ss_frame_fit_spectra(w->frame, t, error)) return -1;
    w->variable = ss_alloc(w->frame->n_variables, sizeof *w->variable);
    if (!w->variable) return ss_fail(error, "no memory for the results' columns");
    for (size_t i = 0; i < w->frame->n_variables; i++) w->variable[i] = -1;
    size_t stretch = STRETCH_BYTES / ss_frame_row_bytes(w->frame);
    if (stretch < 1) stretch = 1;
    if (stretch > MAX_STRETCH) stretch = MAX_STRETCH;
    if (stretch > t->n_rows) stretch = t->n_rows;
    return ss_frame_allocate(w->frame, stretch, true, error);
}

/* ---- the entries ------------------------------------------------------------------------------------------------ */

typedef struct entries_out { hid_t set; ss_bytes buffer; hsize_t at; } entries_out;

static int flush_entries(entries_out *out, ss_error *error)
{
    int rc = -1;
    hid_t space = -1, memory = -1;
    hsize_t count = out->buffer.n;
    H5_TRY(space = H5Dget_space(out->set));
    H5_TRY(H5Sselect_hyperslab(space, H5S_SELECT_SET, &out->at, NULL, &count, NULL));
    H5_TRY(memory = H5Screate_simple(1, &count, NULL));
    H5_TRY(H5Dwrite(out->set, H5T_NATIVE_UCHAR, memory, space, H5P_DEFAULT, out->buffer.p));
    out->at += count;
    out->buffer.n = 0;
    rc = 0;
done:
    ss_h5_close(&memory);
    ss_h5_close(&space);
    return rc;
}

static int put_entry(void *ctx, const ss_bytes *framed, ss_error *error)
{
    entries_out *out = ctx;
    ss_bytes_raw(&out->buffer, framed->p, framed->n);
    if (out->buffer.failed) return ss_fail(error, "no memory for the sweep's entries");
    return out->buffer.n < STRETCH_BYTES ? 0 : flush_entries(out, error);
}

/* Contiguous and unfiltered, so that they can be found by their magic even where HDF5 cannot open the file any more; a dimension
 * of its own, as netCDF wants. */
static int write_entries(const writer *w, ss_error *error)
{
    entries_out out = {.set = -1};
    hsize_t dim = ss_table_emit_bytes(w->table);
    hid_t group = -1, space = -1, plan = -1;
    int rc = -1;
    if (make_group(w, "journal", &group, error)) goto done;
    H5_TRY(space = H5Screate_simple(1, &dim, NULL));
    H5_TRY(plan = H5Pcreate(H5P_DATASET_CREATE));
    H5_TRY(H5Pset_obj_track_times(plan, 0));
    H5_TRY(H5Pset_alloc_time(plan, H5D_ALLOC_TIME_EARLY));
    H5_TRY(out.set = H5Dcreate2(group, "entries", H5T_STD_U8LE, space, H5P_DEFAULT, plan, H5P_DEFAULT));
    H5_TRY(H5DSset_scale(out.set, "entries"));
    if (put_words(out.set, "the sweep's journal entries, from which everything else in this file is made", "", error) ||
        ss_table_emit(w->table, put_entry, &out, error) || (out.buffer.n && flush_entries(&out, error)))
        goto done;
    rc = out.at == dim ? 0 : ss_fail(error, "the sweep's entries have changed while they were written");
done:
    ss_bytes_finish(&out.buffer);
    ss_h5_close(&out.set);
    ss_h5_close(&plan);
    ss_h5_close(&space);
    ss_h5_close(&group);
    return rc;
}

static int write_contents(writer *w, const ss_results_head *head, ss_error *error)
{
    return put_attributes(w, head, error) || make_file(w, error) || write_all_rows(w, error) || write_entries(w, error) ? -1 : 0;
}

static int carry_others(const writer *w, const char *path, ss_error *error)
{
    ss_results_others others;
    if (ss_results_carry(path, w->table, &others, error)) return -1;
    int rc = ss_carry_copy(others.list, w->out.file, error);
    ss_results_others_close(&others);
    return rc;
}

int ss_results_write(const char *path, const ss_table *t, const ss_results_head *head, bool carry, ss_error *error)
{
    writer w;
    if (t->n_sessions == 0) return ss_fail(error, "%s: there is no whole JOB entry to make it from", path);
    if (ss_h5_begin(error)) return -1;
    int rc = prepare(&w, t, error);
    if (rc == 0) rc = ss_h5_out_create(&w.out, path, error);
    if (rc == 0 && (write_contents(&w, head, error) || (carry && carry_others(&w, path, error)))) {
        ss_h5_out_check(&w.out, error); /* if the disk is full, that is the cause of whatever HDF5 says */
        rc = -1;
    }
    close_sets(&w);
    if (rc == 0) rc = ss_h5_out_commit(&w.out, error);
    ss_h5_out_abandon(&w.out);
    ss_free(w.variable);
    ss_frame_destroy(w.frame);
    return rc ? ss_fail_in(error, "%s", path) : 0;
}
