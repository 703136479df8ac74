/* results_write.c - the results file in netCDF-4's shape, rebuilt from the journal in stretches of rows, so that memory
 * does not grow with the sweep. What makes xarray open it: a dimension scale on every dimension of every dataset, order of
 * creation tracked, fill values, variable-length UTF-8 strings, status codes as bytes with flag attributes. */
#include "results.h"

#include <hdf5_hl.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { STRETCH_BYTES = 1 << 20, LARGE_BYTES = 64 * 1024, MAX_CHUNK_ROW = 131072 };

typedef struct writer {
    ss_h5_out out;
    ss_frame *frame;
    const ss_table *table;
    hid_t place[SS_N_PLACES], scale[SS_N_DIMS]; /* the file itself and its groups; dimension scales */
} writer;

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
    H5_TRY(type = ss_cell_type(cell, true));
    H5_TRY(space = H5Screate_simple(rank, dim, NULL));
    H5_TRY(plan = H5Pcreate(H5P_DATASET_CREATE));
    H5_TRY(H5Pset_obj_track_times(plan, 0)); /* equal contents, equal bytes */
    H5_TRY(H5Pset_attr_creation_order(plan, H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED));
    H5_TRY(memory = ss_cell_type(cell, false));
    if (fill) H5_TRY(H5Pset_fill_value(plan, memory, fill));
    if (cell != SS_CELL_TEXT && set_chunks(plan, rank, dim, stretch, H5Tget_size(type), error)) goto done;
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
static int make_scale(writer *w, ss_dim dim, ss_error *error)
{
    int rc = -1;
    const ss_dimension *d = &ss_dimensions[dim];
    size_t n = dim == SS_DIM_POINT ? w->table->n_rows : w->frame->length[dim];
    hsize_t length = n;
    hid_t *set = &w->scale[dim];
    int64_t *value = ss_alloc(n, sizeof *value);
    if (!value) {
        ss_fail(error, "no memory for a dimension of %zu", n);
        goto done;
    }
    for (size_t i = 0; i < n; i++) value[i] = d->first + (int64_t)i;
    if (make_dataset(w->place[d->place], d->name, SS_CELL_INT64, 1, &length, w->frame->capacity, NULL, set, error)) goto done;
    H5_TRY(H5DSset_scale(*set, d->name));
    H5_TRY(H5Dwrite(*set, H5T_NATIVE_INT64, H5S_ALL, H5S_ALL, H5P_DEFAULT, value));
    rc = put_words(*set, d->text, "", error);
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

/* What cells hold where nothing is known; NULL: that cannot be. */
static const void *fill_of(const ss_variable *v)
{
    static const double nan_fill = NAN;
    static const int64_t int_fill = SS_FILL_INT;
    if (v->cell == SS_CELL_REAL) return &nan_fill;
    return v->cell == SS_CELL_INT64 && v->source == SS_FROM_FIELD ? &int_fill : NULL;
}

bool ss_results_writes(const ss_variable *v, const char *attribute)
{
    bool codes = v->source == SS_FROM_SETTING ? v->cell == SS_CELL_INT8 || (v->key && v->key->word) :
                 v->source == SS_FROM_FIELD && (v->field->type == SS_FIELD_STATUS || v->field->type == SS_FIELD_STOP);
    if (strcmp(attribute, "long_name") == 0) return v->text && v->text[0];
    if (strcmp(attribute, "units") == 0) return v->unit && v->unit[0];
    if (strcmp(attribute, "_FillValue") == 0) return fill_of(v) != NULL;
    return codes && (strcmp(attribute, "flag_values") == 0 || strcmp(attribute, "flag_meanings") == 0);
}

static int make_variable(const writer *w, ss_variable *v, ss_error *error)
{
    bool series = v->source == SS_FROM_SERIES;
    hsize_t dim[2] = {w->table->n_rows, w->frame->length[v->dim]};
    int rc = -1;
    if (make_dataset(w->place[v->place], v->name, v->cell, series ? 2 : 1, dim, w->frame->capacity, fill_of(v), &v->set, error))
        goto done;
    H5_TRY(H5DSattach_scale(v->set, w->scale[SS_DIM_POINT], 0));
    if (series) H5_TRY(H5DSattach_scale(v->set, w->scale[v->dim], 1));
    rc = put_words(v->set, v->text, v->unit, error) || put_meanings(v->set, v, error) ? -1 : 0;
done:
    return rc ? ss_fail_in(error, "%s", v->name) : 0;
}

/* Root, history, spectrum: in each its dimensions, then its variables. */
static int make_place(writer *w, ss_place place, ss_error *error)
{
    const ss_frame *f = w->frame;
    if (place == SS_IN_SPECTRUM && f->length[SS_DIM_NODE] == 0) return 0;
    if (place == SS_IN_ROOT) w->place[place] = w->out.file;
    else if (ss_h5_make_group(w->out.file, ss_place_name[place], &w->place[place], error)) return -1;
    for (int dim = 0; dim < SS_N_DIMS; dim++)
        if (ss_dimensions[dim].place == place && make_scale(w, (ss_dim)dim, error)) return -1;
    for (size_t i = 0; i < f->n_variables; i++)
        if (f->variable[i].place == place && make_variable(w, &f->variable[i], error)) return -1;
    return 0;
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
    ss_id_format(h->uuid, uuid);
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

static int write_stretch(const writer *w, ss_error *error)
{
    const ss_frame *f = w->frame;
    for (size_t i = 0; i < f->n_variables; i++) {
        const ss_variable *v = &f->variable[i];
        hid_t type = ss_cell_type(v->cell, false);
        size_t columns = v->source == SS_FROM_SERIES ? f->length[v->dim] : 0;
        int rc = ss_h5_rows(v->set, SS_H5_WRITE, type, H5P_DEFAULT, f->first, f->n, columns, v->data, error);
        ss_h5_close(&type);
        if (rc) return ss_fail_in(error, "%s", v->name);
    }
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

static int prepare(writer *w, const ss_table *t, ss_error *error)
{
    *w = (writer){.out = {.file = -1, .fd = -1}, .table = t};
    for (int p = 0; p < SS_N_PLACES; p++) w->place[p] = -1;
    for (int dim = 0; dim < SS_N_DIMS; dim++) w->scale[dim] = -1;
    w->frame = ss_frame_of_table(t, error);
    if (!w->frame || ss_frame_fit_spectra(w->frame, t, error)) return -1;
    return ss_frame_allocate(w->frame, ss_frame_stretch(w->frame, STRETCH_BYTES, t->n_rows), true, error);
}

static void finish(writer *w)
{
    ss_frame_destroy(w->frame);
    for (int dim = 0; dim < SS_N_DIMS; dim++) ss_h5_close(&w->scale[dim]);
    for (int p = SS_IN_HISTORY; p < SS_N_PLACES; p++) ss_h5_close(&w->place[p]);
}

/* ---- the entries ------------------------------------------------------------------------------------------------ */

typedef struct entries_out { hid_t set; ss_bytes buffer; hsize_t at; } entries_out;

static int flush_entries(entries_out *out, ss_error *error)
{
    size_t n = out->buffer.n;
    if (n == 0) return 0;
    if (ss_h5_rows(out->set, SS_H5_WRITE, H5T_NATIVE_UCHAR, H5P_DEFAULT, out->at, n, 0, out->buffer.p, error)) return -1;
    out->at += n;
    out->buffer.n = 0;
    return 0;
}

static int put_entry(void *ctx, size_t i, const ss_bytes *framed, ss_error *error)
{
    (void)i;
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
    if (ss_h5_make_group(w->out.file, "journal", &group, error)) goto done;
    H5_TRY(space = H5Screate_simple(1, &dim, NULL));
    H5_TRY(plan = H5Pcreate(H5P_DATASET_CREATE));
    H5_TRY(H5Pset_obj_track_times(plan, 0));
    H5_TRY(H5Pset_alloc_time(plan, H5D_ALLOC_TIME_EARLY));
    H5_TRY(out.set = H5Dcreate2(group, "entries", H5T_STD_U8LE, space, H5P_DEFAULT, plan, H5P_DEFAULT));
    H5_TRY(H5DSset_scale(out.set, "entries"));
    if (put_words(out.set, "the sweep's journal entries, from which everything else in this file is made", "", error) ||
        ss_table_emit(w->table, put_entry, &out, error) || flush_entries(&out, error))
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
    if (put_attributes(w, head, error)) return -1;
    for (int place = 0; place < SS_N_PLACES; place++)
        if (make_place(w, (ss_place)place, error)) return -1;
    return write_all_rows(w, error) || write_entries(w, error) ? -1 : 0;
}

int ss_results_write(const char *path, const ss_table *t, const ss_results_head *head, bool carry,
                     int (*ready)(void *ctx, ss_error *error), void *ctx, ss_error *error)
{
    writer w;
    if (t->n_sessions == 0) return ss_fail(error, "%s: there is no whole JOB entry to make it from", path);
    if (ss_h5_begin(error)) return -1;
    int rc = prepare(&w, t, error);
    if (rc == 0) rc = ss_h5_out_create(&w.out, path, error);
    if (rc == 0 && (write_contents(&w, head, error) || (carry && ss_carry_copy(path, w.out.file, t, error)))) {
        ss_h5_out_check(&w.out, error); /* if the disk is full, that is the cause of whatever HDF5 says */
        rc = -1;
    }
    finish(&w);
    if (rc == 0 && ready) rc = ready(ctx, error);
    if (rc == 0) rc = ss_h5_out_commit(&w.out, error);
    ss_h5_out_abandon(&w.out);
    return rc ? ss_fail_in(error, "%s", path) : 0;
}
