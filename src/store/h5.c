/* h5.c - errors, attributes and strings of HDF5. */
#include "h5.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_ATTRIBUTE_BYTES = 16 << 20 };

/* The innermost entry of HDF5's error stack tells the cause, the outer ones only who passed it on. */
static herr_t innermost(unsigned n, const H5E_error2_t *e, void *ctx)
{
    (void)n;
    snprintf(ctx, 256, "%s", e->desc ? e->desc : "");
    if (e->maj_num == H5E_RESOURCE) ss_alloc_refused(1);
    return 0;
}

int ss_h5_fail(ss_error *error, const char *call)
{
    char reason[256] = "";
    const char *name = strstr(call, "H5");
    if (!name) name = call;
    size_t n = 0;
    while (isalnum((unsigned char)name[n]) || name[n] == '_') n++;
    H5Ewalk2(H5E_DEFAULT, H5E_WALK_DOWNWARD, innermost, reason); /* from the API function inwards: the last one stays */
    for (char *p = reason; *p; p++)
        if (iscntrl((unsigned char)*p)) *p = ' ';
    return ss_fail(error, "%.*s: %s", (int)n, name, reason[0] ? reason : "failed");
}

int ss_h5_begin(ss_error *error)
{
    H5dont_atexit();              /* it crashes there on what it could not close for lack of memory; we close all of ours */
    if (H5open() < 0) return ss_fail(error, "H5open: the HDF5 library does not start");
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    H5PLset_loading_state(0);     /* no code of others: filters that are not HDF5's own are refused by name */
    return 0;
}

void ss_h5_close(hid_t *id)
{
    if (*id >= 0) H5Idec_ref(*id);
    *id = -1;
}

const char *ss_h5_version(void)
{
    static char text[48];
    unsigned major = 0, minor = 0, release = 0;
    H5get_libversion(&major, &minor, &release);
    snprintf(text, sizeof text, "HDF5 %u.%u.%u", major, minor, release);
    return text;
}

hid_t ss_h5_text_type(void)
{
    hid_t type = H5Tcopy(H5T_C_S1);
    if (type >= 0 && (H5Tset_size(type, H5T_VARIABLE) < 0 || H5Tset_cset(type, H5T_CSET_UTF8) < 0)) ss_h5_close(&type);
    return type;
}

static int put(hid_t at, const char *name, hid_t type, hid_t space, const void *value, ss_error *error)
{
    int rc = -1;
    hid_t attribute = -1;
    H5_TRY(attribute = H5Acreate2(at, name, type, space, H5P_DEFAULT, H5P_DEFAULT));
    H5_TRY(H5Awrite(attribute, type, value));
    rc = 0;
done:
    ss_h5_close(&attribute);
    ss_h5_close(&space);
    return rc;
}

int ss_h5_put_text(hid_t at, const char *name, const char *text, ss_error *error)
{
    if (!text || !text[0]) return 0;
    hid_t type = ss_h5_text_type();
    int rc = put(at, name, type, H5Screate(H5S_SCALAR), &text, error);
    ss_h5_close(&type);
    return rc;
}

int ss_h5_put_number(hid_t at, const char *name, hid_t type, size_t n, const void *value, ss_error *error)
{
    const hsize_t dim = n;
    return put(at, name, type, H5Screate_simple(1, &dim, NULL), value, error);
}

/* An attribute of one value of this class; both stay -1 where there is none of that name. */
static int open_attribute(hid_t at, const char *name, H5T_class_t class, hid_t *attribute, hid_t *type, ss_error *error)
{
    htri_t there = H5Aexists(at, name);
    if (there <= 0) return there < 0 ? ss_h5_fail(error, "H5Aexists") : 0;
    *attribute = H5Aopen(at, name, H5P_DEFAULT);
    *type = H5Aget_type(*attribute);
    hid_t space = H5Aget_space(*attribute);
    bool fits = H5Tget_class(*type) == class && H5Sget_simple_extent_npoints(space) == 1 &&
                (class != H5T_INTEGER || H5Tget_size(*type) <= sizeof(int64_t));
    ss_h5_close(&space);
    if (fits) return 0;
    return ss_fail(error, "attribute %s is not one %s", name, class == H5T_STRING ? "text" : "integer of at most 64 bits");
}

int ss_h5_get_text(hid_t at, const char *name, char **text, ss_error *error)
{
    int rc = -1;
    char *value = NULL;
    hid_t attribute = -1, type = -1, memory = -1;
    *text = NULL;
    if (open_attribute(at, name, H5T_STRING, &attribute, &type, error)) goto done;
    if (attribute < 0) {
        *text = ss_strdup("");
    } else if (H5Tis_variable_str(type) > 0) {
        H5_TRY(memory = ss_h5_text_type());
        H5_TRY(H5Tset_cset(memory, H5Tget_cset(type)));
        H5_TRY(H5Aread(attribute, memory, &value));
        *text = ss_strdup(value ? value : "");
        free(value); /* HDF5's own, made by malloc */
    } else {
        size_t n = H5Tget_size(type);
        *text = n <= MAX_ATTRIBUTE_BYTES ? ss_alloc(n + 1, 1) : NULL;
        if (*text) H5_TRY(H5Aread(attribute, type, *text));
    }
    rc = *text ? 0 : ss_fail(error, "attribute %s: no memory for its text", name);
done:
    if (rc) {
        ss_free(*text);
        *text = NULL;
    }
    ss_h5_close(&memory);
    ss_h5_close(&type);
    ss_h5_close(&attribute);
    return rc;
}

int ss_h5_get_int(hid_t at, const char *name, int64_t *value, ss_error *error)
{
    int rc = -1;
    hid_t attribute = -1, type = -1;
    if (open_attribute(at, name, H5T_INTEGER, &attribute, &type, error)) goto done;
    if (attribute >= 0) H5_TRY(H5Aread(attribute, H5T_NATIVE_INT64, value));
    rc = 0;
done:
    ss_h5_close(&type);
    ss_h5_close(&attribute);
    return rc;
}

/* HDF5 says little of use about a file that is none: look first, where it looks for its signature. */
static bool is_hdf5(int fd, uint64_t n_bytes)
{
    static const char signature[] = "\x89HDF\r\n\x1a\n";
    char start[8] = "";
    for (uint64_t at = 0; at + sizeof start <= n_bytes; at = at ? 2 * at : 512)
        if (ss_file_read_at(fd, start, sizeof start, at) == sizeof start && memcmp(start, signature, 8) == 0) return true;
    return false;
}

int ss_h5_open(const char *path, hid_t *file, ss_error *error)
{
    uint64_t n_bytes;
    int rc = -1, fd = ss_file_open(path, O_RDONLY, &n_bytes, error);
    if (fd < 0) return -1;
    if (!is_hdf5(fd, n_bytes)) {
        ss_fail(error, "%s: is not an HDF5 file (%llu bytes)", path, (unsigned long long)n_bytes);
        rc = SS_H5_FOREIGN;
    } else if (ss_h5_check_seal(fd, n_bytes, error) < 0) {
        ss_fail_in(error, "%s", path);
    } else if ((*file = ss_h5_open_fd(fd)) < 0) {
        ss_h5_fail(error, "H5Fopen");
        ss_fail_in(error, "%s: is damaged or cut short (%llu bytes)", path, (unsigned long long)n_bytes);
    } else {
        rc = 0;
    }
    close(fd);
    return rc;
}

int ss_h5_shape(hid_t set, H5T_class_t *class, hsize_t dim[H5S_MAX_RANK], ss_error *error)
{
    hid_t type = H5Dget_type(set), space = H5Dget_space(set);
    *class = H5Tget_class(type);
    if (*class == H5T_STRING && H5Tis_variable_str(type) <= 0) *class = H5T_NO_CLASS;
    int rank = H5Sget_simple_extent_dims(space, dim, NULL);
    ss_h5_close(&space);
    ss_h5_close(&type);
    return rank < 0 ? ss_h5_fail(error, "H5Sget_simple_extent_dims") : rank;
}

int ss_h5_make_group(hid_t at, const char *name, hid_t *group, ss_error *error)
{
    int rc = -1;
    hid_t plan = -1;
    H5_TRY(plan = H5Pcreate(H5P_GROUP_CREATE));
    H5_TRY(H5Pset_obj_track_times(plan, 0));
    H5_TRY(H5Pset_link_creation_order(plan, H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED));
    H5_TRY(H5Pset_attr_creation_order(plan, H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED));
    H5_TRY(*group = H5Gcreate2(at, name, H5P_DEFAULT, plan, H5P_DEFAULT));
    rc = 0;
done:
    ss_h5_close(&plan);
    return rc;
}

/* HDF5 clears two buffers for every read or write that converts values, of 1 MiB each unless told otherwise: a small file's
 * columns would take longer to clear than to write. */
hid_t ss_h5_transfer_plan(void)
{
    enum { BUFFER_BYTES = 1 << 16 };
    hid_t plan = H5Pcreate(H5P_DATASET_XFER);
    if (plan >= 0 && H5Pset_buffer(plan, BUFFER_BYTES, NULL, NULL) < 0) ss_h5_close(&plan);
    return plan;
}

int ss_h5_rows(hid_t set, ss_h5_way way, hid_t type, hid_t plan, size_t first, size_t n, size_t columns, void *data,
               ss_error *error)
{
    int rc = -1;
    hid_t space = -1, memory = -1, own = -1;
    hsize_t start[2] = {first, 0}, count[2] = {n, columns};
    if (plan == H5P_DEFAULT) H5_TRY(plan = own = ss_h5_transfer_plan());
    H5_TRY(space = H5Dget_space(set));
    H5_TRY(H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, count, NULL));
    H5_TRY(memory = H5Screate_simple(columns ? 2 : 1, count, NULL));
    if (way == SS_H5_READ) H5_TRY(H5Dread(set, type, memory, space, plan, data));
    else H5_TRY(H5Dwrite(set, type, memory, space, plan, data));
    rc = 0;
done:
    ss_h5_close(&own);
    ss_h5_close(&memory);
    ss_h5_close(&space);
    return rc;
}

int ss_h5_copy_bytes(hid_t set, int fd, uint64_t *n, ss_error *error)
{
    enum { BLOCK_BYTES = 1 << 20 };
    int rc = 0;
    unsigned char *block = ss_alloc(BLOCK_BYTES, 1);
    hid_t space = H5Dget_space(set);
    hssize_t total = H5Sget_simple_extent_ndims(space) == 1 ? H5Sget_simple_extent_npoints(space) : 0;
    ss_h5_close(&space);
    *n = 0;
    if (!block) return ss_fail(error, "no memory for a block of bytes");
    for (size_t count; rc == 0 && *n < (uint64_t)total; *n += count) {
        count = (uint64_t)total - *n < BLOCK_BYTES ? (size_t)((uint64_t)total - *n) : BLOCK_BYTES;
        rc = ss_h5_rows(set, SS_H5_READ, H5T_NATIVE_UCHAR, H5P_DEFAULT, *n, count, 0, block, error);
        if (rc == 0 && ss_file_write_at(fd, block, count, *n))
            rc = ss_fail(error, "no memory for its bytes: %s", strerror(errno));
    }
    ss_free(block);
    return rc;
}
