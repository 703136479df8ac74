/* carry.c - a walk over a results file that tells ours from a user's, by names. It is made three times: all is checked before
 * anything is written; then things and attributes are copied, last their dimensions are attached. */
#include "carry.h"

#include <fcntl.h>
#include <hdf5_hl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { MOST = 4096, MOST_PATH = 256, STOP = 1 };
#define ELSEWHERE "; move it to a file of its own"

typedef enum step { CHECK, COPY, ATTACH } step;
typedef struct walk {
    hid_t old, file;              /* file: that is made anew */
    step step;
    ss_frame *ours, *written;     /* all variables that we know; those of this sweep, or NULL where the file may have more */
    size_t n_rows, n;             /* n: of a user's objects and attributes */
    char at[MOST_PATH];           /* where the walk is; "": in the root */
    ss_error *error;
} walk;
typedef struct thing { walk *w; const char *path; bool ours; hid_t id; } thing;

/* ---- what is ours ------------------------------------------------------------------------------------------------ */

static bool is_in(const char *names, const char *name) /* separated by blanks */
{
    char word[MOST_PATH + 2];
    snprintf(word, sizeof word, " %s ", name);
    return strchr(name, ' ') == NULL && strstr(names, word) != NULL;
}

static bool is_at(ss_place place, const char *name, const char *path)
{
    size_t n = strlen(ss_place_name[place]);
    if (n == 0) return strcmp(name, path) == 0;
    return strncmp(path, ss_place_name[place], n) == 0 && path[n] == '/' && strcmp(path + n + 1, name) == 0;
}

static const ss_variable *our_variable(const ss_frame *f, const char *path)
{
    for (size_t i = 0; i < f->n_variables; i++)
        if (is_at(f->variable[i].place, f->variable[i].name, path)) return &f->variable[i];
    return NULL;
}

static bool is_ours(const ss_frame *f, const char *path)
{
    if (is_in(" history spectrum journal journal/entries ", path)) return true;
    for (int d = 0; d < SS_N_DIMS; d++)
        if (is_at(ss_dimensions[d].place, ss_dimensions[d].name, path)) return true;
    return our_variable(f, path) != NULL;
}

/* Ours, or of HDF5's and netCDF's bookkeeping, which is made anew. */
static bool is_made_anew(const thing *o, const char *name)
{
    if (is_in(" DIMENSION_LIST REFERENCE_LIST ", name) || strncmp(name, "_Netcdf4", 8) == 0) return true;
    if (!o->ours) return false;
    const ss_variable *v = our_variable(o->w->ours, o->path);
    if (v && ss_results_writes(v, name)) return true;
    if (H5Iget_type(o->id) == H5I_DATASET) return is_in(v ? " CLASS NAME " : " CLASS NAME long_name ", name);
    for (int i = 0; i < SS_N_INFO; i++)
        if (o->path[0] == '\0' && i != SS_INFO_TIME && i != SS_INFO_HOST && strcmp(ss_info_name[i], name) == 0) return true;
    return o->path[0] == '\0' && is_in(" schema schema_version axes created updated journal_uuid journal_bytes ", name);
}

/* ---- checking ------------------------------------------------------------------------------------------------------- */

static bool has_one_name(hid_t id)
{
    H5O_info_t info;
#if H5_VERSION_GE(1, 12, 0)
    return H5Oget_info3(id, &info, H5O_INFO_BASIC) >= 0 && info.rc == 1;
#else
    return H5Oget_info(id, &info) >= 0 && info.rc == 1;
#endif
}

static int check_set(hid_t set, ss_error *error)
{
    hid_t type = H5Dget_type(set), space = H5Dget_space(set);
    bool text = H5Tis_variable_str(type) > 0, is_plain = H5Tget_class(type) == H5T_STRING;
    int rc = ss_h5_check_inside(set, text, error); /* all else is copied packed as it is */
    if (rc == 0 && text && H5Sget_simple_extent_npoints(space) > 0) rc = ss_h5_check_bytes(set, error);
    if (rc == 0 && H5Tdetect_class(type, H5T_REFERENCE) != 0)
        rc = ss_fail(error, "holds references to objects, which will lie elsewhere" ELSEWHERE);
    if (rc == 0 && !is_plain && (H5Tdetect_class(type, H5T_VLEN) || H5Tdetect_class(type, H5T_STRING)))
        rc = ss_fail(error, "holds texts or lists inside other values" ELSEWHERE);
    if (rc == 0 && H5DSis_scale(set) > 0 && H5Sget_simple_extent_ndims(space) > 1)
        rc = ss_fail(error, "is a coordinate of several dimensions, which cannot be carried over" ELSEWHERE);
    ss_h5_close(&space);
    ss_h5_close(&type);
    return rc;
}

static int check_thing(const thing *o, ss_error *error)
{
    H5I_type_t type = H5Iget_type(o->id);
    if (o->path[0] == '\0') return 0;
    if (o->w->n > MOST) return ss_fail(error, "more than %d objects and attributes are too much to carry over" ELSEWHERE, MOST);
    if (!has_one_name(o->id)) return ss_fail(error, "has a second name, which cannot be carried over; copy its data instead");
    if (type == H5I_GROUP) return 0;
    if (type != H5I_DATASET) return ss_fail(error, "is neither a group nor a variable" ELSEWHERE);
    if (o->ours && o->w->written && our_variable(o->w->ours, o->path) && !our_variable(o->w->written, o->path))
        return ss_fail(error, "has a name that is the program's own, and this sweep has no such variable; rename it");
    return o->ours ? 0 : check_set(o->id, error); /* what is called like ours was held against the entries (inspect.c) */
}

static int check_attribute(hid_t at, const char *name, ss_error *error)
{
    hid_t attribute = H5Aopen(at, name, H5P_DEFAULT), type = H5Aget_type(attribute);
    htri_t refers = H5Tdetect_class(type, H5T_REFERENCE);
    ss_h5_close(&type);
    ss_h5_close(&attribute);
    return refers ? ss_fail(error, "attribute %.100s refers to objects, which will lie elsewhere" ELSEWHERE, name) : 0;
}

/* ---- copying -------------------------------------------------------------------------------------------------------- */

/* Value by value: H5Ocopy of HDF5 1.10 leaves the fill value of texts in the old file. */
static int copy_texts(const thing *o, hid_t type, ss_error *error)
{
    int rc = -1;
    hid_t to = -1, made_as = -1, space = -1, plan = -1;
    char **value = NULL;
    ss_h5_texts texts;
    H5_TRY(plan = ss_h5_texts_plan(&texts, o->id, SIZE_MAX));
    H5_TRY(made_as = H5Dget_create_plist(o->id));
    H5_TRY(space = H5Dget_space(o->id));
    if (!(value = ss_alloc((size_t)H5Sget_simple_extent_npoints(space), sizeof *value))) {
        ss_fail(error, "no memory for its values");
        goto done;
    }
    H5_TRY(H5Dread(o->id, type, H5S_ALL, H5S_ALL, plan, value));
    H5_TRY(to = H5Dcreate2(o->w->file, o->path, type, space, H5P_DEFAULT, made_as, H5P_DEFAULT));
    H5_TRY(H5Dwrite(to, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, value));
    rc = 0;
done:
    if (rc) ss_h5_texts_fail(&texts, error);
    ss_h5_texts_free(&texts);
    ss_free(value);
    ss_h5_close(&space);
    ss_h5_close(&made_as);
    ss_h5_close(&plan);
    ss_h5_close(&to);
    return rc;
}

/* Attributes follow, for dimension lists would lead to addresses of the old file. */
static int copy_thing(const thing *o, ss_error *error)
{
    int rc = -1;
    hid_t plan = -1, group = -1, type = -1;
    if (H5Iget_type(o->id) == H5I_GROUP) {
        rc = ss_h5_make_group(o->w->file, o->path, &group, error);
        goto done;
    }
    H5_TRY(type = H5Dget_type(o->id));
    if (H5Tis_variable_str(type) > 0) {
        rc = copy_texts(o, type, error);
        goto done;
    }
    H5_TRY(plan = H5Pcreate(H5P_OBJECT_COPY));
    H5_TRY(H5Pset_copy_object(plan, H5O_COPY_WITHOUT_ATTR_FLAG));
    H5_TRY(H5Ocopy(o->w->old, o->path, o->w->file, o->path, plan, H5P_DEFAULT));
    rc = 0;
done:
    ss_h5_close(&type);
    ss_h5_close(&group);
    ss_h5_close(&plan);
    return rc;
}

static int copy_attribute(const thing *o, const char *name, ss_error *error)
{
    int rc = -1;
    hid_t attribute = -1, to = -1, copy = -1, type = -1, space = -1;
    void *value = NULL;
    H5_TRY(to = H5Oopen(o->w->file, o->path[0] ? o->path : "/", H5P_DEFAULT));
    H5_TRY(attribute = H5Aopen(o->id, name, H5P_DEFAULT));
    H5_TRY(space = H5Aget_space(attribute));
    H5_TRY(type = H5Aget_type(attribute));
    if (!(value = ss_alloc((size_t)H5Sget_simple_extent_npoints(space), H5Tget_size(type)))) {
        ss_fail(error, "no memory for its value");
        goto done;
    }
    H5_TRY(H5Aread(attribute, type, value));
    H5_TRY(copy = H5Acreate2(to, name, type, space, H5P_DEFAULT, H5P_DEFAULT));
    H5_TRY(H5Awrite(copy, type, value));
    H5_TRY(H5Dvlen_reclaim(type, space, H5P_DEFAULT, value));
    rc = 0;
done:
    ss_free(value);
    ss_h5_close(&copy);
    ss_h5_close(&type);
    ss_h5_close(&space);
    ss_h5_close(&attribute);
    ss_h5_close(&to);
    return rc ? ss_fail_in(error, "attribute %.100s", name) : 0;
}

/* ---- dimensions ----------------------------------------------------------------------------------------------------- */

/* Rows are known before a sweep goes on, the lengths of histories and spectra are not. */
static int check_scale(const thing *o, const char *scale, hsize_t length, ss_error *error)
{
    if (!is_ours(o->w->ours, scale) || (strcmp(scale, "point") == 0 && length == o->w->n_rows)) return 0;
    if (strcmp(scale, "point") != 0)
        return ss_fail(error, "has the dimension %.100s, whose length may change" ELSEWHERE, scale);
    return ss_fail(error, "has %llu values along point, and the file is to have %zu rows" ELSEWHERE, (unsigned long long)length,
                   o->w->n_rows);
}

static int attach(const thing *o, const char *name, unsigned dim, ss_error *error)
{
    hid_t set = H5Dopen2(o->w->file, o->path, H5P_DEFAULT), scale = H5Dopen2(o->w->file, name, H5P_DEFAULT);
    int rc = set < 0 || scale < 0 || H5DSattach_scale(set, scale, dim) < 0 ? ss_h5_fail(error, "H5DSattach_scale") : 0;
    ss_h5_close(&scale);
    ss_h5_close(&set);
    return rc;
}

/* A dimension list holds, for each dimension, the addresses of its scales. */
static int each_scale(const thing *o, ss_error *error)
{
    int rc = -1;
    hid_t space = -1, attribute = -1, of_attribute = -1, type = -1;
    hsize_t length[H5S_MAX_RANK];
    hvl_t list[H5S_MAX_RANK];
    char scale[MOST_PATH + 1];
    if (H5Iget_type(o->id) != H5I_DATASET || H5Aexists(o->id, "DIMENSION_LIST") <= 0) return 0;
    H5_TRY(space = H5Dget_space(o->id));
    H5_TRY(attribute = H5Aopen(o->id, "DIMENSION_LIST", H5P_DEFAULT));
    H5_TRY(of_attribute = H5Aget_space(attribute));
    H5_TRY(type = H5Tvlen_create(H5T_STD_REF_OBJ));
    int rank = H5Sget_simple_extent_dims(space, length, NULL);
    if (H5Sget_simple_extent_npoints(of_attribute) != rank) {
        ss_fail(error, "has a dimension list of another length than its shape; it is damaged");
        goto done;
    }
    H5_TRY(H5Aread(attribute, type, list));
    rc = 0;
    for (int d = 0; d < rank; d++)
        for (size_t k = 0; rc == 0 && k < list[d].len; k++) {
            ssize_t n = H5Rget_name(o->id, H5R_OBJECT, (const hobj_ref_t *)list[d].p + k, scale, sizeof scale);
            if (n <= 1 || n >= (ssize_t)sizeof scale) rc = ss_fail(error, "has a dimension whose scale is not in the file");
            else if (o->w->step == CHECK) rc = check_scale(o, scale + 1, length[d], error);
            else rc = attach(o, scale, (unsigned)d, error);
        }
    H5Dvlen_reclaim(type, of_attribute, H5P_DEFAULT, list);
done:
    ss_h5_close(&type);
    ss_h5_close(&of_attribute);
    ss_h5_close(&attribute);
    ss_h5_close(&space);
    return rc;
}

/* ---- the walk ------------------------------------------------------------------------------------------------------- */

static herr_t visit_attribute(hid_t at, const char *name, const H5A_info_t *info, void *ctx)
{
    const thing *o = ctx;
    (void)info;
    if (is_made_anew(o, name)) return 0;
    o->w->n++;
    return (o->w->step == CHECK ? check_attribute(at, name, o->w->error) : copy_attribute(o, name, o->w->error)) ? STOP : 0;
}

static herr_t visit_link(hid_t group, const char *name, const H5L_info_t *info, void *ctx);

/* Does the new file lack it? A user's object, or a group of ours that this sweep does not write. */
static bool is_lacking(const thing *o)
{
    return !o->ours || (H5Iget_type(o->id) == H5I_GROUP && o->path[0] && H5Lexists(o->w->file, o->path, H5P_DEFAULT) <= 0);
}

static int walk_thing(thing *o)
{
    walk *w = o->w;
    herr_t rc = 0;
    w->n += !o->ours;
    if (w->step == CHECK && check_thing(o, w->error)) return -1;
    if (w->step == COPY && is_lacking(o) && copy_thing(o, w->error)) return -1;
    if (w->step != COPY && !o->ours && each_scale(o, w->error)) return -1;
    if (w->step != ATTACH) rc = H5Aiterate2(o->id, H5_INDEX_NAME, H5_ITER_INC, NULL, visit_attribute, o);
    if (rc == 0 && H5Iget_type(o->id) != H5I_DATASET) rc = H5Literate(o->id, H5_INDEX_NAME, H5_ITER_INC, NULL, visit_link, o);
    return rc < 0 ? ss_h5_fail(w->error, "H5Literate") : rc ? -1 : 0;
}

static herr_t visit_link(hid_t group, const char *name, const H5L_info_t *info, void *ctx)
{
    const thing *in = ctx;
    walk *w = in->w;
    char path[MOST_PATH];
    int rc = -1, n = snprintf(path, sizeof path, "%s%s%s", in->path, in->path[0] ? "/" : "", name);
    thing o = {w, path, in->ours && is_ours(w->ours, path), -1};
    strcpy(w->at, path);
    if (n >= (int)sizeof path) ss_fail(w->error, "lies too deep in groups" ELSEWHERE);
    else if (info->type != H5L_TYPE_HARD) ss_fail(w->error, "is a link that is no hard one; copy its data instead");
    else if ((o.id = H5Oopen(group, name, H5P_DEFAULT)) < 0) ss_h5_fail(w->error, "H5Oopen");
    else rc = walk_thing(&o);
    ss_h5_close(&o.id);
    return rc ? STOP : 0;
}

static int walk_all(walk *w, const char *path, const ss_table *t, bool strict, step first, step last)
{
    int rc = -1, fd = ss_file_open(path, O_RDONLY, NULL, w->error);
    if (fd >= 0 && ss_h5_begin(w->error) == 0 && (w->old = ss_h5_open_fd(fd)) < 0) ss_h5_fail(w->error, "H5Fopen");
    if (fd >= 0) close(fd);
    w->ours = w->old < 0 ? NULL : ss_frame_complete(t, w->error);
    w->written = w->ours && strict ? ss_frame_of_table(t, w->error) : NULL;
    thing root = {w, "", true, w->ours && (w->written || !strict) ? H5Oopen(w->old, "/", H5P_DEFAULT) : -1};
    if (root.id >= 0) rc = 0;
    for (w->step = first; rc == 0 && w->step <= last; w->step++) {
        w->at[0] = '\0';
        rc = walk_thing(&root);
    }
    ss_h5_close(&root.id);
    ss_frame_destroy(w->ours);
    ss_frame_destroy(w->written);
    if (w->old >= 0) H5Fclose(w->old);
    return rc && w->at[0] ? ss_fail_in(w->error, "%.200s", w->at) : rc;
}

int ss_carry_check(const char *path, const ss_table *t, size_t n_rows, bool strict, size_t *n, ss_error *error)
{
    walk w = {.old = -1, .file = -1, .n_rows = n_rows, .error = error};
    int rc = walk_all(&w, path, t, strict, CHECK, CHECK);
    if (n) *n = w.n;
    return rc;
}

int ss_carry_copy(const char *path, hid_t file, const ss_table *t, ss_error *error)
{
    walk w = {.old = -1, .file = file, .n_rows = t->n_rows, .error = error};
    if (walk_all(&w, path, t, false, CHECK, ATTACH) == 0) return 0; /* checked again: it may not be the file that was */
    return ss_fail_in(error, "what was added cannot be carried over to the file made anew");
}
