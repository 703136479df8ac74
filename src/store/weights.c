/* weights.c - a network's tensors as PyTorch names and shapes them: one dataset per tensor, dots in names and all. */
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "results.h"
#include "sharpsweep/store.h"

static int write_tensor(hid_t file, const ss_tensor *t, ss_error *error)
{
    int rc = -1;
    hid_t space = -1, set = -1, plan = -1;
    hsize_t dim[SS_MAX_DIMS] = {0};
    if (t->n_dims < 0 || t->n_dims > SS_MAX_DIMS || !t->name[0] || strchr(t->name, '/')) {
        ss_fail(error, "tensor '%s' of %d dimensions cannot be written", t->name, t->n_dims);
        goto done;
    }
    for (int d = 0; d < t->n_dims; d++) dim[d] = t->dim[d];
    H5_TRY(space = t->n_dims ? H5Screate_simple(t->n_dims, dim, NULL) : H5Screate(H5S_SCALAR));
    H5_TRY(plan = H5Pcreate(H5P_DATASET_CREATE));
    H5_TRY(H5Pset_obj_track_times(plan, 0)); /* equal contents, equal bytes */
    H5_TRY(set = H5Dcreate2(file, t->name, H5T_IEEE_F32LE, space, H5P_DEFAULT, plan, H5P_DEFAULT));
    H5_TRY(H5Dwrite(set, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, t->value));
    rc = 0;
done:
    ss_h5_close(&set);
    ss_h5_close(&plan);
    ss_h5_close(&space);
    return rc;
}

static bool says_so(const char *path)
{
    char *schema = NULL;
    hid_t file = -1;
    bool ours = ss_h5_begin(NULL) == 0 && ss_h5_open(path, &file, NULL) == 0 &&
                ss_h5_get_text(file, "schema", &schema, NULL) == 0 && strcmp(schema, "sharpsweep weights") == 0;
    ss_free(schema);
    if (file >= 0) H5Fclose(file);
    return ours;
}

static void ask_there(void *ctx)
{
    says_so(*(const char **)ctx);
}

bool ss_weights_are_ours(const char *path)
{
    uint64_t n_bytes = 0;
    int fd = ss_file_open(path, O_RDONLY, &n_bytes, NULL);
    if (fd < 0) return false;
    close(fd);
    return ss_h5_survives(path, n_bytes, ask_there, &path, NULL) == 0 && says_so(path);
}

/* Weights as we wrote them give way to those of the same point; anything else that has taken the name, or was added, is kept. */
static int keep_strangers(const char *path, ss_error *error)
{
    char kept[SS_PATH_BYTES];
    struct stat st;
    uint64_t n_bytes;
    if (lstat(path, &st) || !S_ISREG(st.st_mode)) return 0; /* a folder refuses to be replaced */
    int fd = ss_file_open(path, O_RDONLY, &n_bytes, NULL);
    bool as_written = fd >= 0 && ss_h5_check_seal(fd, n_bytes, NULL) == 1 && ss_weights_are_ours(path);
    if (fd >= 0) close(fd);
    if (as_written) return 0;
    if (ss_file_keep(path, kept, error)) return -1;
    ss_log(SS_LOG_WARNING, "%s: is not as sharpsweep has written it, and is kept as %s", path, kept);
    return 0;
}

int ss_weights_write(const char *path, size_t n, const ss_tensor *tensor, ss_error *error)
{
    ss_h5_out out;
    if (ss_h5_begin(error) || keep_strangers(path, error)) return -1;
    int rc = ss_h5_out_create(&out, path, error);
    if (rc == 0) rc = ss_h5_put_text(out.file, "schema", "sharpsweep weights", error);
    for (size_t i = 0; rc == 0 && i < n; i++) {
        rc = write_tensor(out.file, &tensor[i], error);
        if (rc == 0) rc = ss_h5_out_check(&out, error);
    }
    if (rc == 0) rc = ss_h5_out_commit(&out, error);
    ss_h5_out_abandon(&out);
    return rc ? ss_fail_in(error, "%s", path) : 0;
}

/* ---- reading: the file may come from anywhere ------------------------------------------------------------------- */

static void shape_text(int n_dims, const hsize_t *dim, char *out, size_t bytes)
{
    size_t used = (size_t)snprintf(out, bytes, "(");
    for (int d = 0; d < n_dims && used < bytes; d++)
        used += (size_t)snprintf(out + used, bytes - used, "%s%llu", d ? "," : "", (unsigned long long)dim[d]);
    if (used < bytes) snprintf(out + used, bytes - used, ")");
}

static int check_shape(hid_t set, const ss_tensor *t, ss_error *error)
{
    hsize_t dim[H5S_MAX_RANK], wanted[SS_MAX_DIMS];
    H5T_class_t class;
    char have_text[128], want_text[128];
    int n_dims = ss_h5_shape(set, &class, dim, error);
    if (n_dims < 0) return -1;
    if (class != H5T_FLOAT) return ss_fail(error, "tensor %s: is not of a floating-point type", t->name);
    bool same = n_dims == t->n_dims;
    for (int d = 0; d < t->n_dims; d++) wanted[d] = t->dim[d];
    for (int d = 0; same && d < n_dims; d++) same = dim[d] == wanted[d];
    if (same) return 0;
    shape_text(n_dims, dim, have_text, sizeof have_text);
    shape_text(t->n_dims, wanted, want_text, sizeof want_text);
    return ss_fail(error, "tensor %s: shape %s, expected %s", t->name, have_text, want_text);
}

static int read_tensor(hid_t file, ss_tensor *t, ss_error *error)
{
    int rc = -1;
    hid_t set = -1;
    if (ss_h5_open_member(file, t->name, H5I_DATASET, &set, error)) return -1;
    if (set < 0) return ss_fail(error, "tensor %s: is missing", t->name);
    if (check_shape(set, t, error)) goto done;
    if (ss_h5_check_bytes(set, error)) {
        ss_fail_in(error, "tensor %s", t->name);
        goto done;
    }
    H5_TRY(H5Dread(set, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, t->value));
    size_t n = 1;
    for (int d = 0; d < t->n_dims; d++) n *= t->dim[d];
    for (size_t i = 0; i < n; i++)
        if (!isfinite(t->value[i])) {
            ss_fail(error, "tensor %s: element %zu is %g", t->name, i, (double)t->value[i]);
            goto done;
        }
    rc = 0;
done:
    ss_h5_close(&set);
    return rc;
}

typedef struct listing { size_t n; const ss_tensor *tensor; char extra[128]; } listing;

/* PyTorch counts batches in `...num_batches_tracked`, which no result depends on. */
static herr_t find_extra(hid_t file, const char *name, const H5L_info_t *info, void *ctx)
{
    static const char counter[] = "num_batches_tracked";
    listing *l = ctx;
    size_t length = strlen(name), n = sizeof counter - 1;
    (void)file;
    (void)info;
    for (size_t i = 0; i < l->n; i++)
        if (strcmp(l->tensor[i].name, name) == 0) return 0;
    if (length >= n && strcmp(name + length - n, counter) == 0) return 0;
    snprintf(l->extra, sizeof l->extra, "%s", name);
    return 1;
}

static int read_tensors(const char *path, size_t n, ss_tensor *tensor, ss_error *error)
{
    int rc = -1;
    hid_t file = -1;
    listing l = {n, tensor, ""};
    if (ss_h5_begin(error) || ss_h5_open(path, &file, error)) return -1;
    for (size_t i = 0; i < n; i++)
        if (read_tensor(file, &tensor[i], error)) goto done;
    herr_t found = H5Literate(file, H5_INDEX_NAME, H5_ITER_INC, NULL, find_extra, &l);
    H5_TRY(found);
    if (found > 0) {
        ss_fail(error, "holds '%s', which this network does not have", l.extra);
        goto done;
    }
    rc = 0;
done:
    if (file >= 0) H5Fclose(file);
    return rc ? ss_fail_in(error, "%s", path) : 0;
}

typedef struct reading { const char *path; size_t n; ss_tensor *tensor; } reading;

static void read_there(void *ctx)
{
    const reading *r = ctx;
    read_tensors(r->path, r->n, r->tensor, NULL);
}

int ss_weights_read(const char *path, size_t n, ss_tensor *tensor, ss_error *error)
{
    reading r = {path, n, tensor};
    uint64_t n_bytes = 0;
    int fd = ss_file_open(path, O_RDONLY, &n_bytes, error);
    if (fd < 0) return -1;
    close(fd);
    return ss_h5_survives(path, n_bytes, read_there, &r, error) ? -1 : read_tensors(path, n, tensor, error);
}
