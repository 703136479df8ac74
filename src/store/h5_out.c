/* h5_out.c - the output file and its driver. HDF5's own drivers report a failed write (disk full, quota), after which the
 * library keeps the dirty file open for ever and crashes in its exit handler (1.10.8: SIGSEGV). Here a failed write is
 * remembered, later ones go nowhere, HDF5 closes in peace, and the temporary file is removed. */
#include "h5.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct sink { H5FD_t base; ss_h5_out *out; haddr_t eoa; } sink; /* base first: HDF5 sees only it */

static H5FD_t *sink_open(const char *name, unsigned flags, hid_t fapl, haddr_t maxaddr)
{
    (void)name;
    (void)maxaddr;
    ss_h5_out *const *out = H5Pget_driver_info(fapl);
    if (!out) return NULL;
    sink *s = ss_alloc(1, sizeof *s);
    if (!s) return NULL;
    s->out = *out;
    if (flags & H5F_ACC_TRUNC) {
        if (ftruncate(s->out->fd, 0) && !s->out->failure) s->out->failure = errno;
        s->out->size = 0;
    }
    return &s->base;
}

static herr_t sink_close(H5FD_t *file)
{
    ss_free(file); /* the descriptor is ss_h5_out's */
    return 0;
}

static int sink_compare(const H5FD_t *a, const H5FD_t *b)
{
    const ss_h5_out *x = ((const sink *)(const void *)a)->out, *y = ((const sink *)(const void *)b)->out;
    return x < y ? -1 : x > y;
}

static herr_t sink_query(const H5FD_t *file, unsigned long *flags)
{
    (void)file;
    *flags = H5FD_FEAT_AGGREGATE_METADATA | H5FD_FEAT_ACCUMULATE_METADATA | H5FD_FEAT_DATA_SIEVE |
             H5FD_FEAT_AGGREGATE_SMALLDATA;
    return 0;
}

static haddr_t sink_get_eoa(const H5FD_t *file, H5FD_mem_t type)
{
    (void)type;
    return ((const sink *)(const void *)file)->eoa;
}

static herr_t sink_set_eoa(H5FD_t *file, H5FD_mem_t type, haddr_t addr)
{
    (void)type;
    ((sink *)(void *)file)->eoa = addr;
    return 0;
}

static haddr_t sink_get_eof(const H5FD_t *file, H5FD_mem_t type)
{
    (void)type;
    return ((const sink *)(const void *)file)->out->size;
}

/* Beyond the end, and after a failure, zeros: the file is thrown away in that case. */
static herr_t sink_read(H5FD_t *file, H5FD_mem_t type, hid_t dxpl, haddr_t addr, size_t size, void *buffer)
{
    (void)type;
    (void)dxpl;
    ss_h5_out *out = ((sink *)(void *)file)->out;
    unsigned char *p = buffer;
    while (size > 0) {
        ssize_t n = pread(out->fd, p, size, (off_t)addr);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) break;
        p += n;
        addr += (haddr_t)n;
        size -= (size_t)n;
    }
    memset(p, 0, size);
    return 0;
}

static herr_t sink_write(H5FD_t *file, H5FD_mem_t type, hid_t dxpl, haddr_t addr, size_t size, const void *buffer)
{
    (void)type;
    (void)dxpl;
    ss_h5_out *out = ((sink *)(void *)file)->out;
    const unsigned char *p = buffer;
    if (addr + size > out->size) out->size = addr + size;
    while (size > 0 && !out->failure) {
        ssize_t n = pwrite(out->fd, p, size, (off_t)addr);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) {
            out->failure = n < 0 ? errno : ENOSPC;
            break;
        }
        p += n;
        addr += (haddr_t)n;
        size -= (size_t)n;
    }
    return 0;
}

static herr_t sink_truncate(H5FD_t *file, hid_t dxpl, hbool_t closing)
{
    (void)dxpl;
    (void)closing;
    sink *s = (sink *)(void *)file;
    if (s->out->size == s->eoa || s->out->failure) return 0;
    if (ftruncate(s->out->fd, (off_t)s->eoa)) s->out->failure = errno;
    s->out->size = s->eoa;
    return 0;
}

static const H5FD_class_t sink_class = {
#if H5_VERSION_GE(1, 13, 2)
    .version = H5FD_CLASS_VERSION, .value = (H5FD_class_value_t)600, /* 512 and up are free for applications */
#endif
    .name = "sharpsweep", .maxaddr = (haddr_t)INT64_MAX, .fc_degree = H5F_CLOSE_STRONG, .fapl_size = sizeof(ss_h5_out *),
    .open = sink_open, .close = sink_close, .cmp = sink_compare, .query = sink_query, .get_eoa = sink_get_eoa,
    .set_eoa = sink_set_eoa, .get_eof = sink_get_eof, .read = sink_read, .write = sink_write, .truncate = sink_truncate,
    .fl_map = H5FD_FLMAP_DICHOTOMY,
};

/* Registered once: HDF5 still reads the driver's table after it has dropped a closing file's reference to it. */
static hid_t sink_driver(void)
{
    static hid_t driver = -1;
    if (driver < 0 || H5Iis_valid(driver) <= 0) driver = H5FDregister(&sink_class);
    return driver;
}

static int create_file(ss_h5_out *out, ss_error *error)
{
    int rc = -1;
    hid_t driver = -1, access = -1, create = -1;
    H5_TRY(driver = sink_driver());
    H5_TRY(access = H5Pcreate(H5P_FILE_ACCESS));
    H5_TRY(H5Pset_driver(access, driver, &out));
    H5_TRY(create = H5Pcreate(H5P_FILE_CREATE));
    /* netCDF-4 relies on the order of creation of variables and attributes. */
    H5_TRY(H5Pset_link_creation_order(create, H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED));
    H5_TRY(H5Pset_attr_creation_order(create, H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED));
    H5_TRY(H5Pset_obj_track_times(create, 0)); /* equal contents, equal bytes */
    H5_TRY(out->file = H5Fcreate(out->temporary, H5F_ACC_TRUNC, create, access));
    rc = 0;
done:
    ss_h5_close(&create);
    ss_h5_close(&access);
    return rc;
}

int ss_h5_out_create(ss_h5_out *out, const char *path, ss_error *error)
{
    *out = (ss_h5_out){.file = -1, .fd = -1};
    if (strlen(path) >= sizeof out->path) return ss_fail(error, "%.80s...: path of more than 4095 bytes", path);
    strcpy(out->path, path);
    snprintf(out->temporary, sizeof out->temporary, "%s.tmp", path);
    unlink(out->temporary); /* left by a killed writer */
    out->fd = open(out->temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    const char *slash = strrchr(out->temporary, '/');
    if (out->fd < 0)
        return ss_fail(error, "%s beside it cannot be made: %s", slash ? slash + 1 : out->temporary, strerror(errno));
    if (create_file(out, error) == 0) return 0;
    ss_h5_out_abandon(out);
    return -1;
}

int ss_h5_out_check(const ss_h5_out *out, ss_error *error)
{
    if (!out->failure) return 0;
    return ss_fail(error, "cannot be written: %s; it stays as it was", strerror(out->failure));
}

int ss_h5_out_commit(ss_h5_out *out, ss_error *error)
{
    if (H5Fclose(out->file) < 0) {
        ss_h5_fail(error, "H5Fclose");
        goto failed;
    }
    out->file = -1;
    if (ss_h5_out_check(out, error)) goto failed;
    if (ss_h5_seal(out->fd, error)) goto failed;
    if (fsync(out->fd)) {
        ss_fail(error, "fsync: %s; it stays as it was", strerror(errno));
        goto failed;
    }
    if (close(out->fd)) {
        out->fd = -1;
        ss_fail(error, "close: %s; it stays as it was", strerror(errno));
        goto failed;
    }
    out->fd = -1;
    if (rename(out->temporary, out->path)) {
        ss_fail(error, "cannot be replaced: %s", strerror(errno));
        goto failed;
    }
    out->temporary[0] = '\0';
    return ss_folder_sync(out->path, error);
failed:
    ss_h5_out_abandon(out);
    return -1;
}

void ss_h5_out_abandon(ss_h5_out *out)
{
    if (out->file >= 0) {
        if (!out->failure) out->failure = ECANCELED; /* what is left in HDF5's caches need not reach the disk */
        H5Fclose(out->file);
        out->file = -1;
    }
    if (out->fd >= 0) close(out->fd);
    out->fd = -1;
    if (out->temporary[0]) unlink(out->temporary);
    out->temporary[0] = '\0';
}
