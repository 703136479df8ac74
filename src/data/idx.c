/* idx.c - MNIST's format, plain or gzipped: two zero bytes, the element type (0x08: unsigned byte), the number of
 * dimensions, each dimension as 4 big-endian bytes, then the elements (http://yann.lecun.com/exdb/mnist/).
 * A file is believed only as far as its bytes reach: the header is checked against the file's size before memory is
 * taken, and no more is unpacked than the header announces. */
#include "source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

enum { UNSIGNED_BYTE = 8, MAX_SIDE = 16384, MAX_DIMS = 3 };

/* Deflate expands by at most 1032 (zlib's "Technical details"); a gzip header costs more than the slack gives. */
enum { MAX_EXPANSION = 1032 };

typedef struct idx_file {
    gzFile gz;                                        /* reads plain files as they are */
    char path[SS_SOURCE_BYTES];
    uint64_t size;                                    /* of the file on disk, bytes */
    uint32_t dim[MAX_DIMS];
    int n_dims;
} idx_file;

static int open_file(idx_file *f, const char *folder, const char *name, ss_error *error)
{
    char zipped[64];
    snprintf(zipped, sizeof zipped, "%s.gz", name);
    if (!ss_place_has(folder, name) && !ss_place_has(folder, zipped))
        return ss_fail(error, "'%s' holds neither %s nor %s", folder, name, zipped);
    if (ss_place_join(f->path, folder, ss_place_has(folder, name) ? name : zipped, error)) return -1;
    if (ss_place_size(f->path, &f->size, error)) return -1;
    int fd = ss_file_open(f->path, O_RDONLY, NULL, error);
    if (fd < 0) return -1;
    errno = 0;
    f->gz = gzdopen(fd, "rb");
    if (!f->gz) close(fd);
    if (!f->gz) return ss_fail(error, "'%s' cannot be opened: %s", f->path, errno ? strerror(errno) : "out of memory");
    gzbuffer(f->gz, 1 << 17);
    return 0;
}

/* Reads up to n bytes; *got < n at the file's end. */
static int read_up_to(idx_file *f, void *out, uint64_t n, uint64_t *got, ss_error *error)
{
    unsigned char *at = out;
    int part = 1;
    for (*got = 0; *got < n && part > 0; *got += (uint64_t)(part > 0 ? part : 0)) {
        uint64_t left = n - *got;
        part = gzread(f->gz, at + *got, left < 1 << 30 ? (unsigned)left : 1u << 30);
    }
    int status = Z_OK;
    const char *text = gzerror(f->gz, &status);
    if (status == Z_BUF_ERROR)
        return ss_fail(error, "'%s' ends in the middle of its gzip stream: it is truncated; fetch it again", f->path);
    if (status == Z_ERRNO) return ss_fail(error, "'%s' cannot be read: %s", f->path, strerror(errno));
    if (status != Z_OK) {
        const char *colon = strstr(text, ">: "); /* zlib begins with its name of the descriptor */
        if (strncmp(text, "<fd:", 4) == 0 && colon) text = colon + 3;
        return ss_fail(error, "'%s' is a corrupt gzip file (zlib: %s); fetch it again", f->path, text);
    }
    return 0;
}

static int read_exactly(idx_file *f, void *out, uint64_t n, ss_error *error)
{
    uint64_t got;
    if (read_up_to(f, out, n, &got, error)) return -1;
    if (got < n)
        return ss_fail(error, "'%s' announces %llu bytes of elements, but only %llu follow: it is truncated; fetch it again",
                       f->path, (unsigned long long)n, (unsigned long long)got);
    return 0;
}

static int check_magic(const idx_file *f, const unsigned char *m, int n_dims, ss_error *error)
{
    if (m[0] || m[1])
        return ss_fail(error, "'%s' starts with bytes %02x %02x %02x %02x, expected 00 00 08 %02x: it is not an IDX file",
                       f->path, m[0], m[1], m[2], m[3], (unsigned)n_dims);
    if (m[2] != UNSIGNED_BYTE)
        return ss_fail(error, "'%s' holds elements of IDX type 0x%02x, expected unsigned bytes (0x08)", f->path, m[2]);
    if (m[3] != n_dims)
        return ss_fail(error, "'%s': the number of dimensions is %u, expected %d (%s)", f->path, m[3], n_dims,
                       n_dims == 3 ? "images: number, height, width" : "labels: number");
    return 0;
}

static int read_header(idx_file *f, int n_dims, ss_error *error)
{
    unsigned char head[4 + 4 * MAX_DIMS];
    uint64_t n = 4 + 4 * (uint64_t)n_dims, got;
    if (read_up_to(f, head, n, &got, error)) return -1;
    if (got >= 4 && check_magic(f, head, n_dims, error)) return -1;
    if (got < n)
        return ss_fail(error, "'%s' holds %llu bytes, expected an IDX header of %llu: it is truncated; fetch it again",
                       f->path, (unsigned long long)got, (unsigned long long)n);
    f->n_dims = n_dims;
    for (int i = 0; i < n_dims; i++) {
        const unsigned char *b = head + 4 + 4 * i;
        f->dim[i] = (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
    }
    return 0;
}

/* What the dimensions announce, against the limit and against what a file of this size can hold. */
static int check_dims(const idx_file *f, uint64_t *n_bytes, ss_error *error)
{
    if (f->dim[0] == 0) return ss_fail(error, "'%s' holds no examples (its first dimension is 0)", f->path);
    *n_bytes = f->dim[0];
    for (int i = 1; i < f->n_dims; i++) {
        if (f->dim[i] == 0 || f->dim[i] > MAX_SIDE)
            return ss_fail(error, "'%s' holds images of %u x %u pixels, expected 1 to %d each way", f->path, f->dim[1],
                           f->dim[2], MAX_SIDE);
        *n_bytes *= f->dim[i]; /* below 2^32 * 2^14 * 2^14 */
    }
    if (*n_bytes > SS_DATA_LIMIT_BYTES)
        return ss_fail(error, "'%s' announces %llu bytes, more than the 4 GiB that are accepted", f->path,
                       (unsigned long long)*n_bytes);
    bool plain = gzdirect(f->gz);
    uint64_t header = 4 + 4 * (uint64_t)f->n_dims;
    uint64_t most = plain ? f->size - header : f->size * MAX_EXPANSION;
    if (*n_bytes > most)
        return ss_fail(error, "'%s' announces %llu bytes of elements, but only %llu %s: it is truncated; fetch it again",
                       f->path, (unsigned long long)*n_bytes, (unsigned long long)most,
                       plain ? "follow" : "can come out of its compressed bytes");
    return 0;
}

/* Nothing may follow. This also makes zlib check the sum at the end of a gzip stream. */
static int check_end(idx_file *f, uint64_t n_bytes, ss_error *error)
{
    unsigned char more;
    uint64_t got;
    if (read_up_to(f, &more, 1, &got, error)) return -1;
    if (got)
        return ss_fail(error, "'%s' holds more than the %llu bytes of elements it announces: header and contents disagree",
                       f->path, (unsigned long long)n_bytes);
    return 0;
}

static int read_images(const char *name, ss_dataset *d, ss_split *split, ss_error *error)
{
    idx_file f = {0};
    int rc = -1;
    uint64_t n_bytes;
    if (open_file(&f, d->path, name, error) || read_header(&f, 3, error) || check_dims(&f, &n_bytes, error)) goto done;
    if (d->h && (f.dim[1] != (uint32_t)d->h || f.dim[2] != (uint32_t)d->w)) {
        ss_fail(error, "'%s' holds images of %u x %u pixels, expected %d x %d as in the training file", f.path, f.dim[1],
                f.dim[2], d->h, d->w);
        goto done;
    }
    d->h = (int)f.dim[1];
    d->w = (int)f.dim[2];
    d->c = 1;
    if (ss_split_alloc(split, f.dim[0], (size_t)f.dim[1] * f.dim[2], error)) goto done;
    if (read_exactly(&f, split->pixels, n_bytes, error) || check_end(&f, n_bytes, error)) goto done;
    rc = 0;
done:
    if (f.gz) gzclose_r(f.gz);
    return rc;
}

/* Where the number of classes is known beforehand. */
static int check_labels(const idx_file *f, const ss_dataset *d, const ss_split *split, ss_error *error)
{
    for (uint32_t i = 0; d->n_classes && i < split->n; i++)
        if (split->labels[i] >= d->n_classes)
            return ss_fail(error, "'%s': label %u of example %u is outside 0 to %d: it is damaged or another data set",
                           f->path, (unsigned)split->labels[i], i, d->n_classes - 1);
    return 0;
}

static int read_labels(const char *name, const ss_dataset *d, ss_split *split, ss_error *error)
{
    idx_file f = {0};
    int rc = -1;
    uint64_t n_bytes;
    if (open_file(&f, d->path, name, error) || read_header(&f, 1, error) || check_dims(&f, &n_bytes, error)) goto done;
    if (f.dim[0] != split->n) {
        ss_fail(error, "'%s' holds %u labels, but its images file holds %u images", f.path, f.dim[0], split->n);
        goto done;
    }
    if (read_exactly(&f, split->labels, n_bytes, error) || check_end(&f, n_bytes, error)) goto done;
    if (check_labels(&f, d, split, error)) goto done;
    rc = 0;
done:
    if (f.gz) gzclose_r(f.gz);
    return rc;
}

static int read_all(ss_dataset *d, ss_error *error)
{
    if (read_images("train-images-idx3-ubyte", d, &d->train, error) ||
        read_labels("train-labels-idx1-ubyte", d, &d->train, error) ||
        read_images("t10k-images-idx3-ubyte", d, &d->test, error) ||
        read_labels("t10k-labels-idx1-ubyte", d, &d->test, error))
        return -1;
    return 0;
}

static int max_label(const ss_split *split)
{
    int max = 0;
    for (uint32_t i = 0; i < split->n; i++)
        if (split->labels[i] > max) max = split->labels[i];
    return max;
}

/* An unknown set has as many classes as its labels say. */
int ss_idx_load(const ss_data_options *options, ss_dataset *d, ss_error *error)
{
    (void)options;
    if (read_all(d, error)) return -1;
    int train = max_label(&d->train), test = max_label(&d->test);
    d->n_classes = (train > test ? train : test) + 1;
    if (d->n_classes < 2) return ss_fail(error, "'%s': all labels are 0, expected at least two classes", d->path);
    return 0;
}

int ss_fashion_load(const ss_data_options *options, ss_dataset *d, ss_error *error)
{
    (void)options;
    d->n_classes = 10;
    if (read_all(d, error)) return -1;
    if (d->h != 28 || d->w != 28)
        return ss_fail(error, "'%s' holds images of %d x %d pixels, expected Fashion-MNIST's 28 x 28; other sets in this "
                       "format load as 'idx'", d->path, d->h, d->w);
    return 0;
}
