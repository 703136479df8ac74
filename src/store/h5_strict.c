/* h5_strict.c - opening what a file holds that may be a stranger's. Nothing leads out of the file, no filter runs that is not
 * HDF5's own, and no shape is believed that the bytes in the file cannot fill. */
#include "h5.h"

#include <string.h>

/* Deflate makes at most 1,032 bytes of one; quadruple precision; HDF5 unpacks a chunk whole. */
enum { MOST_PACKED = 1100, MOST_NUMBER_BYTES = 16, MOST_CHUNK_BYTES = 4 << 20 };

/* 0, or -1; 1: there is nothing of that name. */
static int check_link(hid_t group, const char *name, ss_error *error)
{
    H5L_info_t info;
    if (strchr(name, '/') || name[0] == '\0' || strcmp(name, ".") == 0) return ss_fail(error, "is a path, not a name");
    htri_t there = H5Lexists(group, name, H5P_DEFAULT);
    if (there <= 0) return there == 0 ? 1 : ss_h5_fail(error, "H5Lexists");
    if (H5Lget_info(group, name, &info, H5P_DEFAULT) < 0) return ss_h5_fail(error, "H5Lget_info");
    if (info.type == H5L_TYPE_HARD) return 0;
    return ss_fail(error, "is %s link, and data are read only where they lie in this file itself; copy them into it",
                   info.type == H5L_TYPE_SOFT ? "a soft" : info.type == H5L_TYPE_EXTERNAL ? "an external" : "a user-defined");
}

/* Each filter once, or two of deflate would make 1,032 x 1,032 bytes of one. */
static int check_filters(hid_t plan, ss_error *error)
{
    unsigned seen = 0;
    for (int i = 0; i < H5Pget_nfilters(plan); i++) {
        unsigned flags;
        size_t n_values = 0;
        H5Z_filter_t filter = H5Pget_filter2(plan, (unsigned)i, &flags, &n_values, NULL, 0, NULL, NULL);
        if (filter < 0) return ss_h5_fail(error, "H5Pget_filter2");
        bool known = filter == H5Z_FILTER_DEFLATE || filter == H5Z_FILTER_SHUFFLE || filter == H5Z_FILTER_FLETCHER32;
        if (!known || seen & 1u << filter)
            return ss_fail(error, "is packed by %sfilter %d, and only deflate (gzip), shuffle and fletcher32 are read, each "
                           "once; `h5repack -f GZIP=1` packs it so", known ? "a second " : "", (int)filter);
        seen |= 1u << filter;
    }
    return 0;
}

int ss_h5_check_inside(hid_t set, bool filters, ss_error *error)
{
    hid_t plan = H5Dget_create_plist(set);
    if (plan < 0) return ss_h5_fail(error, "H5Dget_create_plist");
    const char *where = NULL;
    H5D_layout_t layout = H5Pget_layout(plan);
    if (layout == H5D_VIRTUAL) where = "is a virtual dataset";
    else if (H5Pget_external_count(plan) != 0) where = "has external storage";
    else if (layout != H5D_COMPACT && layout != H5D_CONTIGUOUS && layout != H5D_CHUNKED) where = "has an unknown layout";
    int rc = 0;
    if (where) rc = ss_fail(error, "%s, and data are read only where they lie in this file itself; copy them into it", where);
    else if (filters) rc = check_filters(plan, error);
    ss_h5_close(&plan);
    return rc;
}

int ss_h5_open_member(hid_t group, const char *name, H5I_type_t kind, hid_t *object, ss_error *error)
{
    *object = -1;
    int rc = check_link(group, name, error);
    if (rc > 0) return 0;
    if (rc == 0 && (*object = H5Oopen(group, name, H5P_DEFAULT)) < 0) rc = ss_h5_fail(error, "H5Oopen");
    if (rc == 0 && H5Iget_type(*object) != kind)
        rc = ss_fail(error, "is not a %s", kind == H5I_GROUP ? "group" : "dataset");
    if (rc == 0 && kind == H5I_DATASET) rc = ss_h5_check_inside(*object, true, error);
    if (rc == 0) return 0;
    ss_h5_close(object);
    return ss_fail_in(error, "%.200s", name);
}

int ss_h5_check_bytes(hid_t set, ss_error *error)
{
    int rc = -1;
    hid_t plan = -1, type = -1, space = -1;
    hsize_t dim[H5S_MAX_RANK], chunk[H5S_MAX_RANK];
    H5_TRY(plan = H5Dget_create_plist(set));
    H5_TRY(type = H5Dget_type(set));
    H5_TRY(space = H5Dget_space(set));
    size_t size = H5Tget_size(type);
    if (size == 0 || size > MOST_NUMBER_BYTES) { /* HDF5 converts in memory of as many bytes */
        ss_fail(error, "has numbers of %zu bytes, at most %d are expected", size, MOST_NUMBER_BYTES);
        goto done;
    }
    bool chunked = H5Pget_layout(plan) == H5D_CHUNKED;
    int rank = H5Sget_simple_extent_dims(space, dim, NULL);
    H5_TRY(rank);
    if (chunked) H5_TRY(H5Pget_chunk(plan, H5S_MAX_RANK, chunk));
    double all = (double)size, one = all, there = (double)H5Dget_storage_size(set); /* they may overflow integers */
    for (int d = 0; d < rank; d++) all *= (double)dim[d];
    for (int d = 0; chunked && d < rank; d++) one *= (double)chunk[d];
    if (chunked && one > all && one > MOST_CHUNK_BYTES) {
        ss_fail(error, "has chunks of %.0f bytes for data of %.0f bytes; `h5repack -l CONTI` unpacks it", one, all);
        goto done;
    }
    if (all > 0 && one > all) all = one;
    if (all > there * (H5Pget_nfilters(plan) > 0 ? MOST_PACKED : 1)) {
        ss_fail(error, "is said to have %.0f bytes, but the file holds %.0f of them; it is damaged or hollow", all, there);
        goto done;
    }
    rc = 0;
done:
    ss_h5_close(&space);
    ss_h5_close(&type);
    ss_h5_close(&plan);
    return rc;
}

/* ---- texts ---------------------------------------------------------------------------------------------------------- */

typedef struct ss_h5_text { struct ss_h5_text *next; char bytes[]; } ss_h5_text;

static void *take_text(size_t n, void *ctx)
{
    ss_h5_texts *t = ctx;
    ss_h5_text *one = n <= t->most && n <= t->left ? ss_alloc(1, sizeof *one + n) : NULL;
    if (!one) {
        t->refused = n;
        return NULL;
    }
    t->left -= n;
    one->next = t->newest;
    t->newest = one;
    return one->bytes;
}

static void leave_text(void *p, void *ctx)
{
    (void)p;                      /* all go at once */
    (void)ctx;
}

hid_t ss_h5_texts_plan(ss_h5_texts *t, hid_t set, size_t most)
{
    hsize_t n_bytes;
    *t = (ss_h5_texts){.most = most};
    hid_t file = H5Iget_file_id(set), plan = ss_h5_transfer_plan();
    bool ok = H5Fget_filesize(file, &n_bytes) >= 0 && H5Pset_vlen_mem_manager(plan, take_text, t, leave_text, t) >= 0;
    ss_h5_close(&file);
    if (!ok) ss_h5_close(&plan);
    else t->left = n_bytes;
    return plan;
}

int ss_h5_texts_fail(const ss_h5_texts *t, ss_error *error)
{
    if (t->refused > t->most) return ss_fail(error, "a text of %zu bytes, at most %zu are expected", t->refused, t->most);
    return t->refused ? ss_fail(error, "its texts have more bytes than the file; it is damaged") : -1;
}

void ss_h5_texts_free(ss_h5_texts *t)
{
    while (t->newest) {
        ss_h5_text *next = t->newest->next;
        ss_free(t->newest);
        t->newest = next;
    }
}
