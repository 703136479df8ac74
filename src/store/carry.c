/* carry.c - a walk over a results file that tells ours from a user's, and copies the latter. Objects are known by their address
 * in the file, by which dimension lists name scales too, so that nothing is followed that was not checked. */
#include "carry.h"

#include <hdf5_hl.h>
#include <stdio.h>
#include <string.h>

#include "entry.h"
#include "sharpsweep/sweep.h"

enum { MOST = 4096, MOST_DEPTH = 32, MOST_PATH = 1024, MOST_ATTRIBUTE_BYTES = 1 << 20, STOP = 1, STRETCH = 4096 };
#define ELSEWHERE "; move it to a file of its own"

typedef struct thing { char *path; hobj_ref_t address; H5I_type_t type; bool ours, has_texts; } thing;
typedef struct label { size_t of; char *text; } label; /* an attribute to be copied, or another path of a thing of theirs */
typedef struct attachment { size_t set, scale; unsigned dim; hsize_t length; } attachment; /* of a dataset of theirs */

struct ss_carry {
    hid_t old;
    bool (*is_setting)(const void *ctx, const char *name);
    const void *ctx;
    bool named;                   /* the sentence of the failure has its path already */
    size_t n_things, n_attributes, n_links, n_attachments;
    thing thing[MOST];
    label attribute[MOST], link[MOST];
    attachment attachment[MOST];
};

/* An object on the way: what lies at `path` ("": the root), and whether those in it are to be listed that are not ours. */
typedef struct walk { ss_carry *c; const char *path; int depth; bool ours, strangers; ss_error *error; } walk;

/* ---- what is ours ------------------------------------------------------------------------------------------------ */

static bool is_field(const ss_field *(*fields)(size_t *), const char *name)
{
    size_t n;
    const ss_field *f = fields(&n);
    for (size_t i = 0; i < n; i++)
        if (strcmp(f[i].name, name) == 0) return true;
    return false;
}

static bool is_in(const char *const *list, size_t n, const char *name)
{
    size_t i = 0;
    while (i < n && strcmp(list[i], name) != 0) i++;
    return i < n;
}

#define IS_IN(list, name) is_in(list, sizeof(list) / sizeof *(list), name)

static bool is_group(const char *path)
{
    static const char *const group[] = {"history", "spectrum", "journal"};
    return IS_IN(group, path);
}

/* By its name; *optional: in files of some jobs only. */
static bool is_ours(const ss_carry *c, const char *path, bool *optional)
{
    static const char *const fixed[] = {"id", "point", "k", "eigenvalue", "n_eigenvalues", "history/epoch", "history/check",
                                        "history/epochs", "history/n_epochs", "history/n_checks", "spectrum/node",
                                        "spectrum/n_nodes", "journal/entries"};
    const ss_key *key = ss_key_find(path);
    *optional = false;
    if (is_group(path) || IS_IN(fixed, path) || c->is_setting(c->ctx, path)) return true;
    *optional = true;
    if (strncmp(path, "history/track_", 14) == 0) return is_field(ss_track_fields, path + 14);
    if (strncmp(path, "history/", 8) == 0) return is_field(ss_history_fields, path + 8);
    if (strncmp(path, "spectrum/", 9) == 0) return is_field(ss_spectrum_fields, path + 9);
    return is_field(ss_record_fields, path) || (key && key->offset != (size_t)-1);
}

/* Ours, or of HDF5's and netCDF's bookkeeping, which is made anew. */
static bool is_made_anew(const thing *o, const char *name)
{
    static const char *const of_set[] = {"CLASS", "NAME", "long_name", "units", "flag_values", "flag_meanings", "_FillValue"};
    static const char *const of_root[] = {"schema", "schema_version", "axes", "created", "updated", "journal_uuid",
                                          "journal_bytes"};
    static const char *const of_scales[] = {"DIMENSION_LIST", "REFERENCE_LIST"};
    if (IS_IN(of_scales, name) || strncmp(name, "_Netcdf4", 8) == 0) return true;
    if (!o->ours) return false;
    if (o->type == H5I_DATASET) return IS_IN(of_set, name);
    return strcmp(o->path, "/") == 0 && (IS_IN(of_root, name) || is_in(ss_info_name, SS_N_INFO, name));
}

/* ---- the walk ------------------------------------------------------------------------------------------------------- */

static const thing *find(const ss_carry *c, hobj_ref_t address)
{
    size_t i = 0;
    while (i < c->n_things && c->thing[i].address != address) i++;
    return i < c->n_things ? &c->thing[i] : NULL;
}

static int fail_number(ss_error *error)
{
    return ss_fail(error, "more than %d objects or attributes are too much to carry over" ELSEWHERE, MOST);
}

static int add_label(label *list, size_t *n, size_t of, const char *text, ss_error *error)
{
    if (*n == MOST) return fail_number(error);
    list[*n] = (label){of, ss_strdup(text)};
    if (!list[*n].text) return ss_fail(error, "no memory for a list of names");
    (*n)++;
    return 0;
}

/* Of the newest thing. */
static herr_t visit_attribute(hid_t at, const char *name, const H5A_info_t *info, void *ctx)
{
    const walk *w = ctx;
    ss_carry *c = w->c;
    if (is_made_anew(&c->thing[c->n_things - 1], name)) return 0;
    hid_t attribute = H5Aopen(at, name, H5P_DEFAULT), type = H5Aget_type(attribute);
    htri_t refers = H5Tdetect_class(type, H5T_REFERENCE);
    ss_h5_close(&type);
    ss_h5_close(&attribute);
    int rc;
    if (refers) rc = ss_fail(w->error, "attribute %.100s refers to objects, which will lie elsewhere" ELSEWHERE, name);
    else if (info->data_size > MOST_ATTRIBUTE_BYTES) rc = ss_fail(w->error, "attribute %.100s is large" ELSEWHERE, name);
    else rc = add_label(c->attribute, &c->n_attributes, c->n_things - 1, name, w->error);
    return rc ? STOP : 0;
}

static int check_their_set(hid_t set, bool *has_texts, ss_error *error)
{
    int rc = -1;
    hid_t type = -1, space = -1;
    H5_TRY(type = H5Dget_type(set));
    *has_texts = H5Tdetect_class(type, H5T_VLEN) != 0 || H5Tdetect_class(type, H5T_STRING) != 0;
    if (ss_h5_check_inside(set, *has_texts, error)) goto done; /* all else is copied packed as it is */
    H5_TRY(space = H5Dget_space(set));
    if (H5Tdetect_class(type, H5T_REFERENCE) != 0)
        ss_fail(error, "holds references to objects, which will lie elsewhere" ELSEWHERE);
    else if (H5DSis_scale(set) > 0 && H5Sget_simple_extent_ndims(space) > 1)
        ss_fail(error, "is a coordinate of several dimensions, which cannot be carried over" ELSEWHERE);
    else
        rc = 0;
done:
    ss_h5_close(&space);
    ss_h5_close(&type);
    return rc;
}

static int check_ours(const char *path, hid_t id, bool optional, ss_error *error)
{
    if (H5Iget_type(id) == (is_group(path) ? H5I_GROUP : H5I_DATASET) && (!optional || H5Aexists(id, "long_name") > 0)) return 0;
    return ss_fail(error, "has a name that the program needs; rename it");
}

static int walk_group(const walk *w, hid_t group);

/* Adds an object with its attributes, and what is in it. */
static int walk_object(const walk *w, hid_t id, bool optional)
{
    ss_carry *c = w->c;
    thing o = {.type = H5Iget_type(id), .ours = w->ours};
    if (H5Rcreate(&o.address, id, ".", H5R_OBJECT, -1) < 0) return ss_h5_fail(w->error, "H5Rcreate");
    const thing *seen = find(c, o.address);
    if (seen && seen->ours && !w->ours)
        return ss_fail(w->error, "is another name of %.200s, which is made anew; copy its data instead", seen->path);
    if (seen) return w->ours ? 0 : add_label(c->link, &c->n_links, (size_t)(seen - c->thing), w->path, w->error);
    if (w->ours && w->path[0] && check_ours(w->path, id, optional, w->error)) return -1;
    if (!w->ours && o.type == H5I_DATASET && check_their_set(id, &o.has_texts, w->error)) return -1;
    if (c->n_things == MOST) return fail_number(w->error);
    if (!(o.path = ss_strdup(w->path[0] ? w->path : "/"))) return ss_fail(w->error, "no memory for its name");
    c->thing[c->n_things++] = o;
    herr_t rc = H5Aiterate2(id, H5_INDEX_NAME, H5_ITER_INC, NULL, visit_attribute, (void *)(uintptr_t)w);
    if (rc) return rc == STOP ? -1 : ss_h5_fail(w->error, "H5Aiterate2");
    return o.type == H5I_GROUP ? walk_group(w, id) : 0;
}

static herr_t visit_link(hid_t group, const char *name, const H5L_info_t *info, void *ctx)
{
    const walk *w = ctx;
    char path[MOST_PATH];
    bool optional = false;
    int n = snprintf(path, sizeof path, "%s%s%s", w->path, w->path[0] ? "/" : "", name), rc = -1;
    bool ours = w->ours && is_ours(w->c, path, &optional);
    if (w->ours && ours == w->strangers && !(ours && is_group(path))) return 0; /* the other pass's */
    const walk next = {w->c, path, w->depth + 1, ours, w->strangers, w->error};
    hid_t id = -1;
    w->c->named = false;
    if (n >= (int)sizeof path || next.depth > MOST_DEPTH) ss_fail(w->error, "lies too deep in groups" ELSEWHERE);
    else if (info->type != H5L_TYPE_HARD) ss_fail(w->error, "is a link that is no hard one; copy its data instead");
    else if ((id = H5Oopen(group, name, H5P_DEFAULT)) < 0) ss_h5_fail(w->error, "H5Oopen");
    else rc = ours && w->strangers ? walk_group(&next, id) : walk_object(&next, id, optional);
    ss_h5_close(&id);
    if (rc && !w->c->named) ss_fail_in(w->error, "%.200s", path);
    w->c->named = true;
    return rc ? STOP : 0;
}

static int walk_group(const walk *w, hid_t group)
{
    herr_t rc = H5Literate(group, H5_INDEX_NAME, H5_ITER_INC, NULL, visit_link, (void *)(uintptr_t)w);
    if (rc < 0) w->c->named = false;
    return rc < 0 ? ss_h5_fail(w->error, "H5Literate") : rc ? -1 : 0;
}

/* ---- dimensions ----------------------------------------------------------------------------------------------------- */

static int add_scale(ss_carry *c, size_t set, unsigned dim, hsize_t length, hobj_ref_t address, ss_error *error)
{
    const thing *scale = find(c, address);
    if (!scale || H5Aexists_by_name(c->old, scale->path, "CLASS", H5P_DEFAULT) <= 0)
        return ss_fail(error, "has a dimension whose scale is not in the file; it is damaged");
    if (c->n_attachments == MOST) return fail_number(error);
    c->attachment[c->n_attachments++] = (attachment){set, (size_t)(scale - c->thing), dim, length};
    return 0;
}

/* A dimension list holds, for each dimension, the addresses of its scales. */
static int list_scales(ss_carry *c, size_t i, ss_error *error)
{
    int rc = -1;
    hid_t set = -1, space = -1, attribute = -1, of_attribute = -1, type = -1;
    hsize_t length[H5S_MAX_RANK];
    hvl_t list[H5S_MAX_RANK];
    H5_TRY(set = H5Oopen(c->old, c->thing[i].path, H5P_DEFAULT));
    htri_t there = H5Aexists(set, "DIMENSION_LIST");
    H5_TRY(there);
    if (there == 0) rc = 0;
    if (there == 0) goto done;
    H5_TRY(space = H5Dget_space(set));
    H5_TRY(attribute = H5Aopen(set, "DIMENSION_LIST", H5P_DEFAULT));
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
        for (size_t k = 0; rc == 0 && k < list[d].len; k++)
            rc = add_scale(c, i, (unsigned)d, length[d], ((const hobj_ref_t *)list[d].p)[k], error);
    H5Dvlen_reclaim(type, of_attribute, H5P_DEFAULT, list);
done:
    ss_h5_close(&type);
    ss_h5_close(&of_attribute);
    ss_h5_close(&attribute);
    ss_h5_close(&space);
    ss_h5_close(&set);
    return rc ? ss_fail_in(error, "%.200s", c->thing[i].path) : 0;
}

ss_carry *ss_carry_list(hid_t old, bool (*is_setting)(const void *ctx, const char *name), const void *ctx, ss_error *error)
{
    ss_carry *c = ss_alloc(1, sizeof *c);
    if (!c) {
        ss_fail(error, "no memory for the list of what a user added");
        return NULL;
    }
    c->old = old;
    c->is_setting = is_setting;
    c->ctx = ctx;
    hid_t root = H5Oopen(old, "/", H5P_DEFAULT);
    const walk ours = {c, "", 0, true, false, error}, theirs = {c, "", 0, true, true, error};
    int rc = root < 0 ? ss_h5_fail(error, "H5Oopen") : walk_object(&ours, root, false) || walk_group(&theirs, root) ? -1 : 0;
    for (size_t i = 0; rc == 0 && i < c->n_things; i++)
        if (!c->thing[i].ours && c->thing[i].type == H5I_DATASET) rc = list_scales(c, i, error);
    ss_h5_close(&root);
    if (rc == 0) return c;
    ss_carry_free(c);
    return NULL;
}

size_t ss_carry_count(const ss_carry *c)
{
    size_t n = c->n_attributes + c->n_links;
    for (size_t i = 0; i < c->n_things; i++) n += !c->thing[i].ours;
    return n;
}

/* Rows are known before a sweep goes on, the lengths of histories and spectra are not. */
int ss_carry_check(const ss_carry *c, size_t n_rows, ss_error *error)
{
    for (size_t i = 0; i < c->n_attachments; i++) {
        const attachment *a = &c->attachment[i];
        const thing *scale = &c->thing[a->scale], *set = &c->thing[a->set];
        if (!scale->ours || (strcmp(scale->path, "point") == 0 && a->length == n_rows)) continue;
        if (strcmp(scale->path, "point") != 0)
            return ss_fail(error, "%.200s: has the dimension %.100s, whose length may change" ELSEWHERE, set->path, scale->path);
        return ss_fail(error, "%.200s: has %llu values along point, and the file is to have %zu rows" ELSEWHERE, set->path,
                       (unsigned long long)a->length, n_rows);
    }
    return 0;
}

/* ---- copying -------------------------------------------------------------------------------------------------------- */

static int copy_texts(hid_t from, hid_t to, ss_error *error)
{
    int rc = -1;
    hid_t type = -1, space = -1, part = -1, plan = -1;
    hsize_t dim[H5S_MAX_RANK] = {1}, start[H5S_MAX_RANK] = {0};
    void *value = NULL;
    ss_h5_texts texts;
    H5_TRY(plan = ss_h5_texts_plan(&texts, from, SIZE_MAX));
    H5_TRY(type = H5Dget_type(from));
    H5_TRY(space = H5Dget_space(from));
    int rank = H5Sget_simple_extent_dims(space, dim, NULL);
    H5_TRY(rank);
    hsize_t all = (hsize_t)H5Sget_simple_extent_npoints(space), n_rows = all ? dim[0] : 0, row = all ? all / n_rows : 1;
    hsize_t stretch = row < STRETCH ? STRETCH / row : 1;
    if (!(value = ss_alloc(row * stretch, H5Tget_size(type)))) {
        ss_fail(error, "no memory for its values");
        goto done;
    }
    for (; start[0] < n_rows; start[0] += dim[0]) {
        dim[0] = n_rows - start[0] < stretch ? n_rows - start[0] : stretch;
        if (rank) H5_TRY(H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, dim, NULL));
        H5_TRY(part = rank ? H5Screate_simple(rank, dim, NULL) : H5Screate(H5S_SCALAR));
        H5_TRY(H5Dread(from, type, part, space, plan, value));
        H5_TRY(H5Dwrite(to, type, part, space, H5P_DEFAULT, value));
        ss_h5_texts_free(&texts);
        ss_h5_close(&part);
    }
    rc = 0;
done:
    if (rc) ss_h5_texts_fail(&texts, error);
    ss_h5_texts_free(&texts);
    ss_free(value);
    ss_h5_close(&part);
    ss_h5_close(&space);
    ss_h5_close(&type);
    ss_h5_close(&plan);
    return rc;
}

/* Value by value: H5Ocopy of HDF5 1.10 leaves the fill value of texts in the old file. */
static int copy_text_set(hid_t file, hid_t old, const thing *o, ss_error *error)
{
    int rc = -1;
    hid_t from = -1, to = -1, plan = -1, named = -1, type = -1, space = -1;
    H5_TRY(from = H5Dopen2(old, o->path, H5P_DEFAULT));
    H5_TRY(plan = H5Dget_create_plist(from));
    H5_TRY(named = H5Dget_type(from));
    H5_TRY(type = H5Tcopy(named)); /* a named one belongs to its file */
    H5_TRY(space = H5Dget_space(from));
    H5_TRY(to = H5Dcreate2(file, o->path, type, space, H5P_DEFAULT, plan, H5P_DEFAULT));
    rc = copy_texts(from, to, error);
done:
    ss_h5_close(&space);
    ss_h5_close(&type);
    ss_h5_close(&named);
    ss_h5_close(&plan);
    ss_h5_close(&to);
    ss_h5_close(&from);
    return rc;
}

/* A group like ours, or a dataset; attributes follow, for dimension lists would lead to addresses of the old file. */
static int copy_thing(hid_t file, hid_t old, const thing *o, ss_error *error)
{
    int rc = -1;
    hid_t plan = -1, group = -1;
    if (o->has_texts) return copy_text_set(file, old, o, error);
    H5_TRY(plan = H5Pcreate(o->type == H5I_GROUP ? H5P_GROUP_CREATE : H5P_OBJECT_COPY));
    if (o->type == H5I_GROUP) {
        H5_TRY(H5Pset_link_creation_order(plan, H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED));
        H5_TRY(H5Pset_attr_creation_order(plan, H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED));
        H5_TRY(group = H5Gcreate2(file, o->path, H5P_DEFAULT, plan, H5P_DEFAULT));
    } else {
        H5_TRY(H5Pset_copy_object(plan, H5O_COPY_WITHOUT_ATTR_FLAG));
        H5_TRY(H5Ocopy(old, o->path, file, o->path, plan, H5P_DEFAULT));
    }
    rc = 0;
done:
    ss_h5_close(&group);
    ss_h5_close(&plan);
    return rc;
}

static int attach(const ss_carry *c, hid_t file, const attachment *a, ss_error *error)
{
    int rc = -1;
    hid_t set = -1, scale = -1;
    H5_TRY(set = H5Dopen2(file, c->thing[a->set].path, H5P_DEFAULT));
    H5_TRY(scale = H5Dopen2(file, c->thing[a->scale].path, H5P_DEFAULT));
    H5_TRY(H5DSattach_scale(set, scale, a->dim));
    rc = 0;
done:
    ss_h5_close(&scale);
    ss_h5_close(&set);
    return rc;
}

static int copy_value(hid_t from, hid_t to, const char *name, ss_error *error)
{
    int rc = -1;
    hid_t attribute = -1, copy = -1, type = -1, kind = -1, space = -1;
    void *value = NULL;
    H5_TRY(attribute = H5Aopen(from, name, H5P_DEFAULT));
    H5_TRY(space = H5Aget_space(attribute));
    H5_TRY(kind = H5Aget_type(attribute));
    H5_TRY(type = H5Tcopy(kind)); /* a named one belongs to its file */
    if (!(value = ss_alloc((size_t)H5Sget_simple_extent_npoints(space), H5Tget_size(type)))) {
        ss_fail(error, "no memory for its value");
        goto done;
    }
    H5_TRY(H5Aread(attribute, type, value));
    H5_TRY(copy = H5Acreate2(to, name, type, space, H5P_DEFAULT, H5P_DEFAULT));
    H5_TRY(H5Awrite(copy, type, value));
    rc = 0;
done:
    if (value && attribute >= 0) H5Dvlen_reclaim(type, space, H5P_DEFAULT, value);
    ss_free(value);
    ss_h5_close(&copy);
    ss_h5_close(&type);
    ss_h5_close(&kind);
    ss_h5_close(&space);
    ss_h5_close(&attribute);
    return rc ? ss_fail_in(error, "attribute %.100s", name) : 0;
}

static int copy_attribute(const ss_carry *c, hid_t file, const label *a, ss_error *error)
{
    int rc = -1;
    hid_t from = -1, to = -1;
    H5_TRY(from = H5Oopen(c->old, c->thing[a->of].path, H5P_DEFAULT));
    H5_TRY(to = H5Oopen(file, c->thing[a->of].path, H5P_DEFAULT));
    rc = copy_value(from, to, a->text, error);
done:
    ss_h5_close(&to);
    ss_h5_close(&from);
    return rc;
}

int ss_carry_copy(const ss_carry *c, hid_t file, ss_error *error)
{
    int rc = 0;
    const char *at = "";
    for (size_t i = 0; rc == 0 && i < c->n_things; i++) { /* groups come before what is in them */
        at = c->thing[i].path;
        if (!c->thing[i].ours) rc = copy_thing(file, c->old, &c->thing[i], error);
    }
    for (size_t i = 0; rc == 0 && i < c->n_links; i++) {
        at = c->link[i].text;
        if (H5Lcreate_hard(file, c->thing[c->link[i].of].path, file, at, H5P_DEFAULT, H5P_DEFAULT) < 0)
            rc = ss_h5_fail(error, "H5Lcreate_hard");
    }
    for (size_t i = 0; rc == 0 && i < c->n_attributes; i++) {
        at = c->thing[c->attribute[i].of].path;
        rc = copy_attribute(c, file, &c->attribute[i], error);
    }
    for (size_t i = 0; rc == 0 && i < c->n_attachments; i++) {
        at = c->thing[c->attachment[i].set].path;
        rc = attach(c, file, &c->attachment[i], error);
    }
    return rc ? ss_fail_in(error, "%.200s: cannot be carried over to the file made anew", at) : 0;
}

void ss_carry_free(ss_carry *c)
{
    if (!c) return;
    for (size_t i = 0; i < c->n_things; i++) ss_free(c->thing[i].path);
    for (size_t i = 0; i < c->n_attributes; i++) ss_free(c->attribute[i].text);
    for (size_t i = 0; i < c->n_links; i++) ss_free(c->link[i].text);
    ss_free(c);
}
