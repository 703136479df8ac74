/* h5_out.c - our file driver: HDF5 reads and writes descriptors that we opened and checked, and opens nothing by a name of its
 * own. HDF5's own drivers report a failed write (disk full, quota), after which the library keeps the dirty file open for ever
 * and crashes in its exit handler (1.10.8: SIGSEGV). Here a failed write is remembered, later ones go nowhere, HDF5 closes in
 * peace, and the temporary file is removed. */
#include "h5.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct source { ss_h5_out *out; int fd; } source; /* out NULL: for reading */
typedef struct sink { H5FD_t base; ss_h5_out *out; int fd; haddr_t eoa, size; } sink; /* base first: HDF5 sees only it */

static H5FD_t *sink_open(const char *name, unsigned flags, hid_t fapl, haddr_t maxaddr)
{
    (void)name;
    (void)flags;
    (void)maxaddr;
    struct stat st;
    const source *from = H5Pget_driver_info(fapl);
    sink *s = from && fstat(from->fd, &st) == 0 ? ss_alloc(1, sizeof *s) : NULL;
    if (!s) return NULL;
    s->out = from->out;
    s->size = (haddr_t)st.st_size;
    s->fd = fcntl(from->fd, F_DUPFD_CLOEXEC, 0);
    if (s->fd >= 0) return &s->base;
    ss_alloc_refused(1);          /* of descriptors */
    ss_free(s);
    return NULL;
}

static herr_t sink_close(H5FD_t *file)
{
    close(((sink *)(void *)file)->fd);
    ss_free(file);
    return 0;
}

static int sink_compare(const H5FD_t *a, const H5FD_t *b)
{
    return a < b ? -1 : a > b; /* every opening is a file of its own */
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
    return ((const sink *)(const void *)file)->size;
}

/* Beyond the end of an output file, and after a failure, zeros: it is thrown away in that case. */
static herr_t sink_read(H5FD_t *file, H5FD_mem_t type, hid_t dxpl, haddr_t addr, size_t size, void *buffer)
{
    (void)type;
    (void)dxpl;
    const sink *s = (const sink *)(void *)file;
    int64_t got = ss_file_read_at(s->fd, buffer, size, addr);
    if (got == (int64_t)size) return 0;
    if (!s->out) return -1;
    memset((char *)buffer + (got < 0 ? 0 : got), 0, size - (size_t)(got < 0 ? 0 : got));
    return 0;
}

static herr_t sink_write(H5FD_t *file, H5FD_mem_t type, hid_t dxpl, haddr_t addr, size_t size, const void *buffer)
{
    (void)type;
    (void)dxpl;
    sink *s = (sink *)(void *)file;
    if (!s->out) return -1;
    if (addr + size > s->size) s->size = addr + size;
    if (!s->out->failure && ss_file_write_at(s->fd, buffer, size, addr)) s->out->failure = errno;
    return 0;
}

static herr_t sink_truncate(H5FD_t *file, hid_t dxpl, hbool_t closing)
{
    (void)dxpl;
    (void)closing;
    sink *s = (sink *)(void *)file;
    if (!s->out || s->size == s->eoa || s->out->failure) return 0;
    if (ftruncate(s->fd, (off_t)s->eoa)) s->out->failure = errno;
    s->size = s->eoa;
    return 0;
}

static const H5FD_class_t sink_class = {
#if H5_VERSION_GE(1, 13, 2)
    .version = H5FD_CLASS_VERSION, .value = (H5FD_class_value_t)600, /* 512 and up are free for applications */
#endif
    .name = "sharpsweep", .maxaddr = (haddr_t)INT64_MAX, .fc_degree = H5F_CLOSE_STRONG, .fapl_size = sizeof(source),
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

/* How to open what `from` says; to be closed. */
static hid_t access_plan(const source *from)
{
    hid_t plan = H5Pcreate(H5P_FILE_ACCESS), driver = sink_driver();
    if (plan >= 0 && (driver < 0 || H5Pset_driver(plan, driver, from) < 0)) ss_h5_close(&plan);
    return plan;
}

hid_t ss_h5_open_fd(int fd)
{
    hid_t plan = access_plan(&(source){NULL, fd}), file = plan < 0 ? -1 : H5Fopen("results", H5F_ACC_RDONLY, plan);
    ss_h5_close(&plan);
    return file;
}

static int create_file(ss_h5_out *out, ss_error *error)
{
    int rc = -1;
    hid_t access = -1, create = -1;
    H5_TRY(access = access_plan(&(source){out, out->fd}));
    H5_TRY(create = H5Pcreate(H5P_FILE_CREATE));
    /* netCDF-4 relies on the order of creation of variables and attributes. */
    H5_TRY(H5Pset_link_creation_order(create, H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED));
    H5_TRY(H5Pset_attr_creation_order(create, H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED));
    H5_TRY(H5Pset_obj_track_times(create, 0)); /* equal contents, equal bytes */
    H5_TRY(out->file = H5Fcreate("results", H5F_ACC_TRUNC, create, access));
    rc = 0;
done:
    ss_h5_close(&create);
    ss_h5_close(&access);
    return rc;
}

/* base's sentences name the file: here its errno does, so that the caller names it once, and a way out is the same for all. */
int ss_h5_out_create(ss_h5_out *out, const char *path, ss_error *error)
{
    *out = (ss_h5_out){.file = -1, .fd = -1};
    errno = ENAMETOOLONG;         /* the one refusal of `begin` that no system call makes */
    if (ss_replacement_begin(&out->place, path, NULL)) return ss_fail(error, "cannot be made: %s", strerror(errno));
    out->fd = out->place.fd;
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
    int rc = H5Fclose(out->file) < 0 ? ss_h5_fail(error, "H5Fclose") : 0;
    if (rc == 0) {
        out->file = -1;
        rc = ss_h5_out_check(out, error) || ss_h5_seal(out->fd, error) ? -1 : 0;
    }
    if (rc == 0 && ss_replacement_commit(&out->place, false, false, NULL))
        rc = ss_fail(error, "cannot be put in place: %s", strerror(errno));
    ss_h5_out_abandon(out);
    return rc;
}

void ss_h5_out_abandon(ss_h5_out *out)
{
    if (out->file >= 0) {
        if (!out->failure) out->failure = ECANCELED; /* what is left in HDF5's caches need not reach the disk */
        H5Fclose(out->file);
        out->file = -1;
    }
    ss_replacement_abandon(&out->place);
    out->fd = -1;
}
