/* h5.h - HDF5 wrapped once: calls that name themselves when they fail, a file driver that survives a full disk, and the
 * few shapes of attribute and dataset that we use. */
#ifndef SHARPSWEEP_STORE_H5_H
#define SHARPSWEEP_STORE_H5_H

#include <hdf5.h>

#include "sharpsweep/base.h"

/* HDF5 calls return a negative number on failure; `call` may assign an id on the way. Needs `error` and `done:`. */
#define H5_TRY(call) do { if ((call) < 0) { ss_h5_fail(error, #call); goto done; } } while (0)

int ss_h5_fail(ss_error *error, const char *call); /* "H5Dwrite: REASON"; always -1 */
int ss_h5_begin(ss_error *error);        /* before the first call of every public function: quiet */
void ss_h5_close(hid_t *id);             /* any kind of id; sets it to -1; negative is fine */
const char *ss_h5_version(void);         /* "HDF5 1.10.8" */

/* ---- an output file: under a temporary name, complete and synced before it takes its place -------------------------
 * HDF5 1.10 crashes at exit after a write that failed. So its bytes go through a driver of ours that accepts
 * everything, and remembers the first failure: check ss_h5_out_ok between steps, ss_h5_out_commit decides. */
typedef struct ss_h5_out {
    hid_t file;
    int fd, failure;              /* fd: place's; failure: errno of the first write that failed */
    ss_replacement place;
} ss_h5_out;
/* Errors do not name the file: the caller does, once. */
int ss_h5_out_create(ss_h5_out *out, const char *path, ss_error *error);
int ss_h5_out_check(const ss_h5_out *out, ss_error *error);
int ss_h5_out_commit(ss_h5_out *out, ss_error *error); /* close, seal, put in place; on failure abandoned */
void ss_h5_out_abandon(ss_h5_out *out);  /* the file at `path` stays as it was; after commit: nothing */

/* A file of ours ends in a checksum of itself, which HDF5 does not see (it lies behind the end that HDF5 knows): HDF5 1.10
 * crashes on some damaged files, so damage is to be found before it looks. Files without one, as from h5py, are fine. */
int ss_h5_seal(int fd, ss_error *error);
int ss_h5_check_seal(int fd, uint64_t n_bytes, ss_error *error); /* 1: it fits, 0: there is none, -1: it does not fit,
                                                                      -2: the file cannot be read */

/* ---- attributes and strings ------------------------------------------------------------------------------------------ */
hid_t ss_h5_text_type(void);             /* variable-length UTF-8; to be closed */
int ss_h5_put_text(hid_t at, const char *name, const char *text, ss_error *error); /* nothing for NULL or "" */
int ss_h5_put_number(hid_t at, const char *name, hid_t type, size_t n, const void *value, ss_error *error);
/* 0 and *text (ss_free), "" where it is missing; -1: it is there and is no text. */
int ss_h5_get_text(hid_t at, const char *name, char **text, ss_error *error);
int ss_h5_get_int(hid_t at, const char *name, int64_t *value, ss_error *error); /* missing: value unchanged */
/* Opens an existing file for reading: 0 and *file, or one sentence: -1, or SS_H5_FOREIGN where it is not HDF5 at all. */
enum { SS_H5_FOREIGN = -2 };
hid_t ss_h5_open_fd(int fd);             /* for reading, whatever has become of its name; fd stays the caller's */
int ss_h5_open(const char *path, hid_t *file, ss_error *error);
/* The rank of a dataset, or -1; its shape and class (texts of fixed length: none, for we have no such). */
int ss_h5_shape(hid_t set, H5T_class_t *class, hsize_t dim[H5S_MAX_RANK], ss_error *error);
int ss_h5_make_group(hid_t at, const char *name, hid_t *group, ss_error *error); /* as netCDF-4 wants them */
hid_t ss_h5_transfer_plan(void);         /* for H5Dread and H5Dwrite; to be closed; negative: no memory */
/* Rows [first, first + n) of a dataset of `columns` cells each (0: it has one dimension), from or into `data`. */
typedef enum ss_h5_way { SS_H5_READ, SS_H5_WRITE } ss_h5_way;
int ss_h5_rows(hid_t set, ss_h5_way way, hid_t type, hid_t plan, size_t first, size_t n, size_t columns, void *data,
               ss_error *error);
/* HDF5 1.10 crashes on some files that are made to harm, hangs on others and takes as much memory as they say: `read` reads the
 * file in a process of its own first. -1 and a sentence where that process crashed, SS_H5_NO_TIME where it was slow (a slow
 * file system) or killed; what it found is found again here. */
enum { SS_H5_NO_TIME = -2 };
int ss_h5_survives(const char *path, uint64_t n_bytes, void (*read)(void *ctx), void *ctx, ss_error *error);
int ss_h5_copy_bytes(hid_t set, int fd, uint64_t *n, ss_error *error); /* a dataset of one row of bytes, into a file */

/* ---- h5_strict.c: what a file holds that may be a stranger's ---------------------------------------------------------- */
/* What `group` holds under this name, by a hard link, of this kind (H5I_DATASET, H5I_GROUP), its data in this file itself, packed
 * by nothing but deflate: 0 and *object, -1 where there is no such name. */
int ss_h5_open_member(hid_t group, const char *name, H5I_type_t kind, hid_t *object, ss_error *error);
/* Of a dataset opened otherwise, before anything else is asked of it: the extent of a virtual one opens files. */
int ss_h5_check_inside(hid_t set, bool filters, ss_error *error);
int ss_h5_check_bytes(hid_t set, ss_error *error); /* before memory is taken for it: can its bytes fill its shape? */
/* Memory for the texts that are read with `plan` (to be closed): as many rows as they like may point to one long text, but
 * whoever wrote the file wrote every text, so that together they are no more than its bytes. */
typedef struct ss_h5_texts { struct ss_h5_text *newest; size_t most, left, refused; } ss_h5_texts;
hid_t ss_h5_texts_plan(ss_h5_texts *t, hid_t set, size_t most); /* most: bytes of one */
int ss_h5_texts_fail(const ss_h5_texts *t, ss_error *error); /* always -1, with a sentence where a text was the reason */
void ss_h5_texts_free(ss_h5_texts *t);   /* those that were read; `left` stays */

#endif
