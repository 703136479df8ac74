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
    int rc = -1;
    if (ss_h5_get_text(f->file, "schema", &schema, error) || ss_h5_get_int(f->file, "schema_version", &version, error))
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
    if (ss_h5_get_text(f->file, "axes", &f->axes_text, error) || ss_h5_get_text(f->file, "created", &f->created, error) ||
        ss_h5_get_text(f->file, "updated", &f->updated, error) || ss_h5_get_text(f->file, "journal_uuid", &f->uuid, error))
        goto done;
    for (int i = 0; i < SS_N_INFO; i++)
        if (ss_h5_get_text(f->file, ss_info_name[i], &f->info[i], error)) goto done;
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
    int rc = -1;
    hid_t type = -1, space = -1;
    hsize_t have[2] = {0, 0};
    if (ss_h5_open_member(at, name, H5I_DATASET, set, error)) return -1;
    if (*set < 0) return 0;
    H5_TRY(type = H5Dget_type(*set));
    H5_TRY(space = H5Dget_space(*set));
    bool fits = H5Tget_class(type) == wanted[cell] && H5Sget_simple_extent_ndims(space) == rank &&
                (cell != SS_CELL_TEXT || H5Tis_variable_str(type) > 0) &&
                H5Sget_simple_extent_dims(space, have, NULL) == rank;
    for (int d = 0; fits && d < rank; d++) fits = dim[d] == 0 || dim[d] == have[d];
    if (!fits) {
        ss_fail(error, "variable %s does not have the type or the shape that the schema says", name);
        goto done;
    }
    if (ss_h5_check_bytes(*set, error)) {
        ss_fail_in(error, "variable %s", name);
        goto done;
    }
    memcpy(dim, have, (size_t)rank * sizeof *have);
    rc = 0;
done:
    if (rc) ss_h5_close(set);
    ss_h5_close(&space);
    ss_h5_close(&type);
    return rc;
}

static int open_variables(ss_results_file *f, ss_error *error)
{
    f->variable = ss_alloc(f->frame->n_variables, sizeof *f->variable);
    if (!f->variable) return ss_fail(error, "no memory for its columns");
    for (size_t i = 0; i < f->frame->n_variables; i++) f->variable[i] = -1;
    for (size_t i = 0; i < f->frame->n_variables; i++) {
        const ss_variable *v = &f->frame->variable[i];
        if (v->place == SS_IN_ROOT && ss_frame_find(f->frame, v->name) != v)
            return ss_fail(error, "attribute axes names %s, which is no setting, or twice", v->name);
    }
    for (size_t i = 0; i < f->frame->n_variables; i++) {
        ss_variable *v = &f->frame->variable[i];
        hid_t at = v->place == SS_IN_HISTORY ? f->group : v->place == SS_IN_SPECTRUM ? f->density : f->file;
        hsize_t dim[2] = {f->n, 0};
        if (at >= 0 && open_set(at, v->name, v->cell, 1, dim, &f->variable[i], error)) return -1;
        bool needed = v->source == SS_FROM_ID || v->is_axis || strcmp(v->name, "status") == 0;
        if (needed && f->variable[i] < 0) return ss_fail(error, "variable %s is missing", v->name);
    }
    return 0;
}

static int open_matrix(ss_results_file *f, hid_t at, const char *name, size_t *n_rows, hid_t *set, ss_error *error)
{
    hsize_t dim[2] = {f->n, *n_rows};
    if (open_set(at, name, SS_CELL_REAL, 2, dim, set, error)) return -1;
    if (*set < 0) return 0;
    if (dim[1] == 0) return ss_fail(error, "variable %s has no columns; expected at least 1", name);
    *n_rows = dim[1];
    return 0;
}

static int open_series(ss_results_file *f, hid_t at, ss_matrices *m, hid_t *set, ss_error *error)
{
    char name[64];
    for (size_t c = 0; c < m->n_columns; c++) {
        ss_series_name(f->frame, m, c, name);
        if (at >= 0 && open_matrix(f, at, name, &m->n_rows, &set[c], error)) return -1;
        m->absent[c] = set[c] < 0;
    }
    if (m->n_rows == 0) m->n_rows = 1;
    return 0;
}

/* Each may claim the same bytes: together they cannot have more than the file. */
static int check_together(const ss_results_file *f, hsize_t n_bytes, ss_error *error)
{
    double all = f->eigenvalue < 0 ? 0 : (double)H5Dget_storage_size(f->eigenvalue);
    for (size_t i = 0; i < f->frame->n_variables; i++)
        if (f->variable[i] >= 0) all += (double)H5Dget_storage_size(f->variable[i]);
    const hid_t *const series[] = {f->history, f->track, f->spectrum};
    for (int s = 0; s < 3; s++)
        for (size_t c = 0; c < SS_MAX_SERIES_FIELDS; c++)
            if (series[s][c] >= 0) all += (double)H5Dget_storage_size(series[s][c]);
    if (all <= (double)n_bytes) return 0;
    return ss_fail(error, "its variables are said to have %.0f bytes, the file has %llu; it is damaged", all,
                   (unsigned long long)n_bytes);
}

static int open_rows(ss_results_file *f, hsize_t n_bytes, ss_error *error)
{
    hid_t point = -1;
    hsize_t dim[2] = {0, 0};
    if (open_set(f->file, "point", SS_CELL_INT64, 1, dim, &point, error)) return -1;
    if (point < 0) return ss_fail(error, "dimension point is missing");
    ss_h5_close(&point);
    f->n = dim[0];
    if (f->n == 0 || f->n > MAX_ROWS)
        return ss_fail(error, "has %zu rows; expected 1 to %d", f->n, MAX_ROWS);
    if (f->n > n_bytes / ROW_BYTES)
        return ss_fail(error, "has %zu rows, but %llu bytes cannot hold their ids; it is damaged", f->n,
                       (unsigned long long)n_bytes);
    return 0;
}

static int open_contents(ss_results_file *f, bool with_series, ss_error *error)
{
    hsize_t n_bytes;
    if (H5Fget_filesize(f->file, &n_bytes) < 0) return ss_h5_fail(error, "H5Fget_filesize");
    if (open_rows(f, n_bytes, error) || ss_h5_open_member(f->file, "history", H5I_GROUP, &f->group, error) ||
        ss_h5_open_member(f->file, "spectrum", H5I_GROUP, &f->density, error))
        return -1;
    f->frame = ss_frame_create(f->n_axes, f->axis, 0, NULL, error);
    if (!f->frame || open_variables(f, error)) return -1;
    if (with_series &&
        (open_matrix(f, f->file, "eigenvalue", &f->frame->n_eigenvalues, &f->eigenvalue, error) ||
         open_series(f, f->group, &f->frame->history, f->history, error) ||
         open_series(f, f->group, &f->frame->track, f->track, error) ||
         open_series(f, f->density, &f->frame->spectrum, f->spectrum, error)))
        return -1;
    if (f->frame->n_eigenvalues == 0) f->frame->n_eigenvalues = 1;
    return check_together(f, n_bytes, error);
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
    f->file = f->group = f->density = f->eigenvalue = -1;
    for (size_t c = 0; c < SS_MAX_SERIES_FIELDS; c++) f->history[c] = f->track[c] = f->spectrum[c] = -1;
    f->file = ss_h5_open_fd(fd);
    if (f->file < 0) ss_h5_fail(error, "H5Fopen"), ss_fail_in(error, "is damaged or cut short");
    else if (read_attributes(f, state, error) == 0 && open_contents(f, true, error) == 0) return f;
    ss_fail_in(error, "%s", path);
    ss_results_file_close(f);
    return NULL;
}

void ss_results_file_close(ss_results_file *f)
{
    if (!f) return;
    for (size_t i = 0; f->variable && i < f->frame->n_variables; i++) ss_h5_close(&f->variable[i]);
    for (size_t c = 0; c < SS_MAX_SERIES_FIELDS; c++) {
        ss_h5_close(&f->history[c]);
        ss_h5_close(&f->track[c]);
        ss_h5_close(&f->spectrum[c]);
    }
    ss_h5_close(&f->eigenvalue);
    ss_h5_close(&f->density);
    ss_h5_close(&f->group);
    if (f->file >= 0) H5Fclose(f->file);
    for (int i = 0; i < SS_N_INFO; i++) ss_free(f->info[i]);
    ss_free(f->axes_text);
    ss_free(f->created);
    ss_free(f->updated);
    ss_free(f->uuid);
    ss_free(f->variable);
    ss_frame_destroy(f->frame);
    ss_free(f);
}

/* ---- rows ------------------------------------------------------------------------------------------------------- */

static int read_rows(hid_t set, hid_t type, hid_t plan, size_t first, size_t n, size_t columns, void *data, ss_error *error)
{
    int rc = -1;
    hid_t space = -1, memory = -1;
    hsize_t start[2] = {first, 0}, count[2] = {n, columns};
    H5_TRY(space = H5Dget_space(set));
    H5_TRY(H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, count, NULL));
    H5_TRY(memory = H5Screate_simple(columns ? 2 : 1, count, NULL));
    H5_TRY(H5Dread(set, type, memory, space, plan, data));
    rc = 0;
done:
    ss_h5_close(&memory);
    ss_h5_close(&space);
    return rc;
}

static int read_texts(ss_results_file *f, hid_t set, size_t most, size_t first, size_t n, const char **out, ss_error *error)
{
    int rc = -1;
    hid_t file_type = -1, type = -1, plan = -1;
    ss_h5_texts t;
    H5_TRY(plan = ss_h5_texts_plan(&t, set, most));
    H5_TRY(file_type = H5Dget_type(set));
    H5_TRY(type = ss_h5_text_type());
    H5_TRY(H5Tset_cset(type, H5Tget_cset(file_type)));
    if (read_rows(set, type, plan, first, n, 0, out, error)) {
        ss_h5_texts_fail(&t, error);
        goto done;
    }
    rc = 0;
    for (size_t i = 0; i < n; i++) {
        out[i] = ss_words_keep(&f->frame->words, out[i] ? out[i] : "");
        if (!out[i]) rc = ss_fail(error, "no memory for %zu texts", n);
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
    for (size_t i = 0; i < n; i++) switch (v->cell) {
        case SS_CELL_INT8: ((int8_t *)v->data)[i] = 0; break;
        case SS_CELL_INT64: ((int64_t *)v->data)[i] = v->source == SS_FROM_COUNT ? 0 : SS_FILL_INT; break;
        case SS_CELL_REAL: ((double *)v->data)[i] = NAN; break;
        default: ((const char **)v->data)[i] = "";
        }
}

static int read_variable(ss_results_file *f, size_t i, size_t first, size_t n, ss_error *error)
{
    ss_variable *v = &f->frame->variable[i];
    hid_t set = f->variable[i];
    if (set < 0) {
        fill_missing(v, n);
        return 0;
    }
    switch (v->cell) {
    case SS_CELL_INT8: return read_rows(set, H5T_NATIVE_INT8, H5P_DEFAULT, first, n, 0, v->data, error);
    case SS_CELL_INT64: return read_rows(set, H5T_NATIVE_INT64, H5P_DEFAULT, first, n, 0, v->data, error);
    case SS_CELL_REAL: return read_rows(set, H5T_NATIVE_DOUBLE, H5P_DEFAULT, first, n, 0, v->data, error);
    default:
        return read_texts(f, set, v->source == SS_FROM_SETTING ? SETTING_BYTES : FIELD_BYTES, first, n, v->data, error);
    }
}

static int read_matrix(hid_t set, size_t first, size_t n, size_t columns, double *out, ss_error *error)
{
    if (set >= 0) return read_rows(set, H5T_NATIVE_DOUBLE, H5P_DEFAULT, first, n, columns, out, error);
    for (size_t i = 0; i < n * columns; i++) out[i] = NAN;
    return 0;
}

static int read_matrices(const hid_t *set, size_t first, size_t n, const ss_matrices *m, ss_error *error)
{
    for (size_t c = 0; c < m->n_columns; c++)
        if (!m->absent[c] && read_matrix(set[c], first, n, m->n_rows, m->value[c], error)) return -1;
    return 0;
}

int ss_results_file_read(ss_results_file *f, size_t first, size_t n, ss_error *error)
{
    ss_frame *frame = f->frame;
    ss_words_finish(&frame->words);
    frame->first = first;
    frame->n = n;
    for (size_t i = 0; i < frame->n_variables; i++)
        if (read_variable(f, i, first, n, error)) return ss_fail_in(error, "%s", frame->variable[i].name);
    if (!frame->eigenvalue) return 0;
    if (read_matrix(f->eigenvalue, first, n, frame->n_eigenvalues, frame->eigenvalue, error)) return -1;
    return read_matrices(f->history, first, n, &frame->history, error) ||
           read_matrices(f->track, first, n, &frame->track, error) ||
           read_matrices(f->spectrum, first, n, &frame->spectrum, error) ? -1 : 0;
}
