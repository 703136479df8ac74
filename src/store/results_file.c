/* results_file.c - an existing results file. It may be foreign, cut short or made to harm: types, ranks and sizes are
 * looked at before anything is read, and nothing is believed because of a name alone. */
#include "inspect.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_ROWS = 50000000, ROW_BYTES = 32, SETTING_BYTES = 65536, FIELD_BYTES = 256 }; /* a row has an id of its own; texts */

static int read_attributes(ss_results_file *f, ss_state *state, ss_error *error)
{
    char *schema = NULL;
    int64_t version = 0;
    hid_t at = f->place[SS_IN_ROOT];
    int rc = -1;
    if (ss_h5_get_text(at, "schema", &schema, error) || ss_h5_get_int(at, "schema_version", &version, error))
        goto done;
    *state = SS_FOREIGN;
    if (strcmp(schema, SS_SCHEMA_NAME) == 0 && version < 1) {
        ss_fail(error, "calls itself results of sharpsweep, but its attribute schema_version is missing or not positive; it "
                "is damaged, or was made by another program");
        goto done;
    }
    if (strcmp(schema, SS_SCHEMA_NAME) != 0) {
        ss_fail(error, "is an HDF5 file, but no results file of sharpsweep (attribute schema is '%.40s')", schema);
        goto done;
    }
    if (version > SS_SCHEMA_VERSION) {
        *state = SS_NEWER;
        ss_fail(error, "has schema version %lld, this program knows %d; use the newer sharpsweep that made it",
                (long long)version, SS_SCHEMA_VERSION);
        goto done;
    }
    *state = SS_DAMAGED;
    if (ss_h5_get_text(at, "axes", &f->axes_text, error) || ss_h5_get_text(at, "created", &f->created, error) ||
        ss_h5_get_text(at, "journal_uuid", &f->uuid, error))
        goto done;
    for (int i = 0; i < SS_N_INFO; i++)
        if (ss_h5_get_text(at, ss_info_name[i], &f->info[i], error)) goto done;
    for (char *save, *p = strtok_r(f->axes_text, " ", &save); p; p = strtok_r(NULL, " ", &save)) {
        if (f->n_axes == SS_MAX_FILE_AXES || strlen(p) > 63) {
            ss_fail(error, "attribute axes is damaged");
            goto done;
        }
        f->axis[f->n_axes++] = p;
    }
    rc = 0;
done:
    ss_free(schema);
    return rc;
}

/* Opens a dataset of the wanted kind; *set stays -1 where there is none of that name. dim: in, 0 = any; out. */
static int open_set(hid_t at, const char *name, ss_cell cell, int rank, hsize_t dim[2], hid_t *set, ss_error *error)
{
    static const H5T_class_t wanted[SS_N_CELL] = {H5T_INTEGER, H5T_INTEGER, H5T_FLOAT, H5T_STRING};
    hsize_t have[H5S_MAX_RANK];
    H5T_class_t class;
    if (ss_h5_open_member(at, name, H5I_DATASET, set, error)) return -1;
    if (*set < 0) return 0;
    bool fits = ss_h5_shape(*set, &class, have, error) == rank && class == wanted[cell];
    for (int d = 0; fits && d < rank; d++) fits = dim[d] == 0 || dim[d] == have[d];
    int rc = fits ? 0 : ss_fail(error, "variable %s does not have the type or the shape that the schema says", name);
    if (rc == 0 && ss_h5_check_bytes(*set, error)) rc = ss_fail_in(error, "variable %s", name);
    if (rc == 0) memcpy(dim, have, (size_t)rank * sizeof *have);
    else ss_h5_close(set);
    return rc;
}

/* Axes come from an attribute: each is a setting of its own. */
static int check_axes(const ss_frame *f, ss_error *error)
{
    for (size_t i = 0; i < f->n_variables; i++) {
        const ss_variable *v = &f->variable[i];
        if (v->place == SS_IN_ROOT && ss_frame_find(f, v->place, v->name) != v)
            return ss_fail(error, "attribute axes names %s, which is no setting, or twice", v->name);
    }
    return 0;
}

static int open_variable(const ss_results_file *f, ss_variable *v, ss_error *error)
{
    hid_t at = f->place[v->place];
    bool series = v->source == SS_FROM_SERIES, needed = v->source == SS_FROM_ID || v->is_axis || strcmp(v->name, "status") == 0;
    hsize_t dim[2] = {f->n, series ? f->frame->length[v->dim] : 0};
    if (at >= 0 && open_set(at, v->name, v->cell, series ? 2 : 1, dim, &v->set, error)) return -1;
    if (v->set < 0) return needed ? ss_fail(error, "variable %s is missing", v->name) : 0;
    if (!series) return 0;
    if (dim[1] == 0) return ss_fail(error, "variable %s has no columns; expected at least 1", v->name);
    f->frame->length[v->dim] = dim[1];
    return 0;
}

/* Each may claim the same bytes: together they cannot have more than the file. */
static int check_together(const ss_frame *f, hsize_t n_bytes, ss_error *error)
{
    double all = 0;
    for (size_t i = 0; i < f->n_variables; i++)
        if (f->variable[i].set >= 0) all += (double)H5Dget_storage_size(f->variable[i].set);
    if (all <= (double)n_bytes) return 0;
    return ss_fail(error, "its variables are said to have %.0f bytes, the file has %llu; it is damaged", all,
                   (unsigned long long)n_bytes);
}

static int open_rows(ss_results_file *f, ss_error *error)
{
    hid_t point = -1;
    hsize_t dim[2] = {0, 0};
    if (H5Fget_filesize(f->place[SS_IN_ROOT], &f->n_bytes) < 0) return ss_h5_fail(error, "H5Fget_filesize");
    if (open_set(f->place[SS_IN_ROOT], "point", SS_CELL_INT64, 1, dim, &point, error)) return -1;
    if (point < 0) return ss_fail(error, "dimension point is missing");
    ss_h5_close(&point);
    f->n = dim[0];
    if (f->n == 0 || f->n > MAX_ROWS)
        return ss_fail(error, "has %zu rows; expected 1 to %d", f->n, MAX_ROWS);
    if (f->n > f->n_bytes / ROW_BYTES)
        return ss_fail(error, "has %zu rows, but %llu bytes cannot hold their ids; it is damaged", f->n,
                       (unsigned long long)f->n_bytes);
    return 0;
}

/* Series that the file does not have need no memory. */
static void drop_missing(ss_frame *f)
{
    size_t kept = 0;
    for (size_t i = 0; i < f->n_variables; i++)
        if (f->variable[i].source != SS_FROM_SERIES || f->variable[i].set >= 0) f->variable[kept++] = f->variable[i];
    f->n_variables = kept;
}

int ss_results_file_columns(ss_results_file *f, ss_error *error)
{
    hid_t root = f->place[SS_IN_ROOT];
    for (int p = SS_IN_HISTORY; p < SS_N_PLACES; p++)
        if (ss_h5_open_member(root, ss_place_name[p], H5I_GROUP, &f->place[p], error)) return -1;
    f->frame = ss_frame_create(f->n_axes, f->axis, 0, NULL, error);
    if (!f->frame || check_axes(f->frame, error)) return -1;
    for (size_t i = 0; i < f->frame->n_variables; i++)
        if (open_variable(f, &f->frame->variable[i], error)) return -1;
    for (int dim = 0; dim < SS_N_DIMS; dim++)
        if (f->frame->length[dim] == 0) f->frame->length[dim] = 1;
    drop_missing(f->frame);
    return check_together(f->frame, f->n_bytes, error);
}

ss_results_file *ss_results_file_open(int fd, const char *path, ss_state *state, ss_error *error)
{
    *state = SS_DAMAGED;
    if (ss_h5_begin(error)) return NULL;
    ss_results_file *f = ss_alloc(1, sizeof *f);
    if (!f) {
        ss_fail(error, "%s: no memory", path);
        return NULL;
    }
    for (int p = 0; p < SS_N_PLACES; p++) f->place[p] = -1;
    f->place[SS_IN_ROOT] = ss_h5_open_fd(fd);
    if (f->place[SS_IN_ROOT] < 0) ss_h5_fail(error, "H5Fopen"), ss_fail_in(error, "is damaged or cut short");
    else if (read_attributes(f, state, error) == 0 && open_rows(f, error) == 0) return f;
    ss_fail_in(error, "%s", path);
    ss_results_file_close(f);
    return NULL;
}

void ss_results_file_close(ss_results_file *f)
{
    if (!f) return;
    ss_frame_destroy(f->frame);
    for (int p = SS_N_PLACES - 1; p > SS_IN_ROOT; p--) ss_h5_close(&f->place[p]);
    if (f->place[SS_IN_ROOT] >= 0) H5Fclose(f->place[SS_IN_ROOT]);
    for (int i = 0; i < SS_N_INFO; i++) ss_free(f->info[i]);
    ss_free(f->axes_text);
    ss_free(f->created);
    ss_free(f->uuid);
    ss_free(f);
}

/* ---- rows ------------------------------------------------------------------------------------------------------- */

hid_t ss_cell_type(ss_cell cell, bool in_file)
{
    switch (cell) {
    case SS_CELL_INT8: return H5Tcopy(in_file ? H5T_STD_I8LE : H5T_NATIVE_INT8);
    case SS_CELL_INT64: return H5Tcopy(in_file ? H5T_STD_I64LE : H5T_NATIVE_INT64);
    case SS_CELL_REAL: return H5Tcopy(in_file ? H5T_IEEE_F64LE : H5T_NATIVE_DOUBLE);
    default: return ss_h5_text_type();
    }
}

static int read_texts(ss_frame *f, const ss_variable *v, ss_error *error)
{
    const char **out = v->data;
    int rc = -1;
    hid_t file_type = -1, type = -1, plan = -1;
    ss_h5_texts t;
    H5_TRY(plan = ss_h5_texts_plan(&t, v->set, v->source == SS_FROM_SETTING ? SETTING_BYTES : FIELD_BYTES));
    H5_TRY(file_type = H5Dget_type(v->set));
    H5_TRY(type = ss_h5_text_type());
    H5_TRY(H5Tset_cset(type, H5Tget_cset(file_type)));
    if (ss_h5_rows(v->set, SS_H5_READ, type, plan, f->first, f->n, 0, out, error)) {
        ss_h5_texts_fail(&t, error);
        goto done;
    }
    rc = 0;
    for (size_t i = 0; i < f->n; i++) {
        out[i] = ss_words_keep(&f->words, out[i] ? out[i] : "");
        if (!out[i]) rc = ss_fail(error, "no memory for %zu texts", f->n);
    }
done:
    ss_h5_texts_free(&t);
    ss_h5_close(&type);
    ss_h5_close(&file_type);
    ss_h5_close(&plan);
    return rc;
}

/* A variable that the file lacks reads as if nothing were known. */
static void fill_missing(ss_variable *v, size_t n)
{
    uint64_t bits = v->cell == SS_CELL_REAL ? SS_NAN_BITS : (uint64_t)SS_FILL_INT;
    if (v->source == SS_FROM_COUNT || v->cell == SS_CELL_INT8) bits = 0;
    for (size_t i = 0; i < n; i++)
        if (v->cell == SS_CELL_TEXT) ((const char **)v->data)[i] = "";
        else ss_cell_set(v, i, bits);
}

static int read_variable(ss_frame *f, ss_variable *v, ss_error *error)
{
    size_t columns = v->source == SS_FROM_SERIES ? f->length[v->dim] : 0;
    if (v->set < 0) fill_missing(v, f->n);
    if (v->set < 0) return 0;
    if (v->cell == SS_CELL_TEXT) return read_texts(f, v, error);
    hid_t type = ss_cell_type(v->cell, false);
    int rc = ss_h5_rows(v->set, SS_H5_READ, type, H5P_DEFAULT, f->first, f->n, columns, v->data, error);
    ss_h5_close(&type);
    return rc;
}

int ss_results_file_read(ss_results_file *f, size_t first, size_t n, ss_error *error)
{
    ss_frame *frame = f->frame;
    ss_words_finish(&frame->words);
    frame->first = first;
    frame->n = n;
    for (size_t i = 0; i < frame->n_variables; i++)
        if (read_variable(frame, &frame->variable[i], error)) return ss_fail_in(error, "%s", frame->variable[i].name);
    return 0;
}
