/* store.h - floor 2: everything that lies on disk: the journal (the truth), the HDF5 results file (always whole, made
 * from the journal), weights files. The only folder that includes hdf5.h. See analysis/SCHEMA.md for the file's layout. */
#ifndef SHARPSWEEP_STORE_H
#define SHARPSWEEP_STORE_H

#include "sharpsweep/base.h"
#include "sharpsweep/sweep.h"

/* ---- writing a sweep ------------------------------------------------------------------------------------------------
 * RESULTS.h5 is rebuilt under a temporary name, fsynced, renamed. RESULTS.h5.journal is append-only: one write and one
 * fdatasync per finished point, CRC per entry, a torn tail is cut when it is opened. One writer at a time (a lock on the
 * journal that dies with its process). */
typedef struct ss_store ss_store;

typedef struct ss_provenance {    /* becomes root attributes */
    const char *version, *commit, *mpi, *blas, *kernels, *cpu;
    const char *data_path, *data_digest; /* of all data sets of the job, joined by ", " */
    /* The digest of the data set that a grid point uses; NULL: data_digest, for every point. */
    const char *(*point_digest)(const void *ctx, const ss_settings *s);
    const void *ctx;
} ss_provenance;

/* Opens or creates the results of this job. Adds grid points that the file does not know, keeps all that it knows.
 * Refuses (error, nothing changed): a second writer; a file that is not ours or of a newer schema; a job whose settings
 * outside the axes differ from the file's, each difference named "max_epochs: 10 in results.h5, 20 in job.yaml"; data that
 * have changed since a point of the same settings was stored; points of another version of our numerics. A missing journal
 * beside an existing results file is made again from it; folders that lead to it are made. Keeps pointers to job and grid. */
ss_store *ss_store_open(const char *path, const ss_job *job, const ss_grid *grid, const ss_provenance *provenance,
                        ss_error *error);
/* -1 and the same sentence where open would refuse this job because of what the results hold or where they lie; touches
 * nothing. */
int ss_store_check(const char *path, const ss_job *job, const ss_grid *grid, const ss_provenance *provenance, ss_error *error);
bool ss_store_exists(const char *path); /* a results file, or a journal alone */
/* The file itself that a name means, which may be a link to it; journal and weights lie beside the file. */
int ss_store_resolve(const char *path, char out[SS_PATH_BYTES], ss_error *error);
bool ss_store_is_finished(const ss_store *store, size_t point); /* done, diverged or epoch_limit; failed ones run again */
ss_status ss_store_status(const ss_store *store, size_t point); /* of its latest record; pending: it has none */
int64_t ss_store_attempts(const ss_store *store, size_t point); /* times it was started before, over all runs */
int ss_store_start(ss_store *store, size_t point, int worker, ss_error *error); /* noted for `status`; not synced */
int ss_store_keep(ss_store *store, size_t point, const ss_record *record, ss_error *error); /* durable on return */
/* Finished rows of the file, of whatever job, at most `most` of them and evenly chosen: their settings and records, which live
 * until `take` returns. */
int ss_store_sample(ss_store *store, size_t most, void (*take)(void *ctx, const ss_settings *s, const ss_record *record),
                    void *ctx, ss_error *error);
/* For whoever writes nothing for a while (start, keep and refresh do it too): -1 where somebody else has deleted, replaced, cut
 * or written the journal. All that was finished is then in a journal of its own, and the error names the `sharpsweep merge`
 * that joins it to the results. Cheap. */
int ss_store_guard(ss_store *store, ss_error *error);
/* Rebuilds the HDF5 file if that keeps rebuilding under 2 % of the time; `now` forces it. */
int ss_store_refresh(ss_store *store, bool now, ss_error *error);
/* RESULTS.weights/ID.h5, a name only; -1: it does not fit. */
int ss_store_weights_path(const ss_store *store, size_t point, char *out, size_t out_bytes);
/* A folder beside the results, of another name, that has the point's weights file: it was not renamed along. 0, -1: none. */
int ss_store_weights_astray(const ss_store *store, size_t point, char *out, size_t out_bytes);
int ss_store_close(ss_store *store, ss_error *error); /* a last rebuild; frees also on error; NULL is fine */

/* ---- reading results --------------------------------------------------------------------------------------------------
 * A sweep as columns, from its journal and its HDF5 file, whichever of them knows more. Never disturbs a writer. */
typedef struct ss_column {
    char name[64];
    bool is_setting, is_axis;
    double *number;               /* (n) or NULL */
    char **text;                  /* (n): the value as people write it ("full", "relu", "done"); always there */
} ss_column;
typedef struct ss_results {
    size_t n, n_columns;
    ss_column *column;            /* axes first, then the record's fields, then the other settings */
    int64_t *status;              /* (n) ss_status */
    bool *running;                /* (n) started, not finished, and a writer holds the lock */
    bool writer_alive;
    double *finished_age_s;       /* (n) seconds since it finished, NaN where it has not */
    double *running_s;            /* (n) seconds since it was started, NaN where it does not run or that is not known */
    int64_t *worker;              /* (n) that it was started on last; -1: not known */
    double session_s;             /* seconds since the latest run began; NaN: not known */
    char **id;                    /* (n) */
    char *job_text;
    void *words;                  /* private: what the texts point to */
} ss_results;
ss_results *ss_results_open(const char *path, ss_error *error);
/* For programs that read the HDF5 file alone: 0 it says all that is known; 1 it does not (or is missing), and `to` was written,
 * which does; -1: refused, as by open. */
int ss_results_snapshot(const char *path, const char *to, ss_error *error);
void ss_results_destroy(ss_results *r);
const ss_column *ss_results_column(const ss_results *r, const char *name); /* NULL if absent */

/* Checks journal, file and checkpoints, each fault a line through `say`. Returns the number of faults found (0: all is well) or
 * -1 when nothing can be read or, with repair, a writer is at work. Repair joins every result that journal and file can prove
 * into both; what was damaged is kept as NAME.kept-TIME, and each point whose result is given up is a line. -2: in part, the
 * file but not the journal. */
int ss_store_verify(const char *path, bool repair, void (*say)(void *ctx, const char *line), void *ctx, ss_error *error);

/* Joins results files of one job and the same data (slices of its grid, computed by several allocations) into `out`, made
 * anew or, where it is there already, with its own points first. Refused, nothing changed: other settings outside the axes or
 * other data (the difference is shown), a file that is being written, a finished point with two different results. Weights
 * files come along. Of a file whose journal has lost its end, both are read. */
typedef struct ss_merged {
    size_t n_points, n_finished, n_failed;
    size_t n_agreed;              /* finished in more than one file */
} ss_merged;
enum { SS_MERGED_IN_PART = -2 }; /* the results are in place, but not the journal, or not all weights beside them */
int ss_store_merge(const char *out, size_t n, const char *const *in, ss_merged *result, ss_error *error);

/* ---- weights files ----------------------------------------------------------------------------------------------------
 * HDF5, one float dataset per tensor, named and shaped as PyTorch's state dict ("features.0.weight" (out,in,kh,kw)). */
enum { SS_MAX_DIMS = 4 };
typedef struct ss_tensor {
    char name[96];
    int n_dims;
    size_t dim[SS_MAX_DIMS];
    float *value;                 /* product of dims, C order; owned by the caller */
} ss_tensor;
int ss_weights_write(const char *path, size_t n, const ss_tensor *tensor, ss_error *error); /* atomic */
/* Fills value of every tensor, whose name and shape must be in the file; extra datasets are an error too, except
 * PyTorch's num_batches_tracked. Float and double files are both read. */
int ss_weights_read(const char *path, size_t n, ss_tensor *tensor, ss_error *error);

/* ---- checkpoints ------------------------------------------------------------------------------------------------------
 * The state of a point in the making, RESULTS.h5.checkpoints/ID.checkpoint: named pieces with checksums, replaced as a whole.
 * Format: src/store/checkpoint.c. The store removes a point's when it has kept its finished record. */
typedef struct ss_checkpoint_head { /* how far the point is; cheap to read, whatever the size of the rest */
    char id[SS_ID_BYTES], phase[16]; /* "train", "track" (curvature during training), "curvature" (at the end) */
    int64_t epoch, step;          /* completed */
    int64_t products;             /* Hessian-vector products of the measurement that is going on */
    double train_s, curvature_s;  /* spent so far, over all attempts that led here */
    int64_t saved_unix_s;         /* set by ss_checkpoint_write */
} ss_checkpoint_head;
int ss_checkpoint_folder(const char *results, char *out, size_t out_bytes, ss_error *error);
int ss_checkpoint_path(const char *folder, const char *id, char *out, size_t out_bytes, ss_error *error);
/* Durable on return; -1: what stood there before still does. Makes the folder. */
int ss_checkpoint_write(const char *path, const ss_checkpoint_head *head, const ss_pieces *state, ss_error *error);
/* How far is it? 1 and *head, 0: there is none, -1: unusable and why. Only the head's own checksum is checked. */
int ss_checkpoint_peek(const char *path, ss_checkpoint_head *head, ss_error *error);
/* 1 and *c: whole, every checksum right, of the point `id` (NULL: any); 0: there is none; -1: unusable and why. */
typedef struct ss_checkpoint ss_checkpoint;
int ss_checkpoint_open(const char *path, const char *id, ss_checkpoint **c, ss_error *error);
const ss_checkpoint_head *ss_checkpoint_head_of(const ss_checkpoint *c);
int64_t ss_checkpoint_bytes(const ss_checkpoint *c, const char *name); /* of a piece; -1: it has none of that name */
int ss_checkpoint_read(const ss_checkpoint *c, const ss_piece *piece, ss_error *error); /* of exactly piece->bytes */
void ss_checkpoint_close(ss_checkpoint *c);

#endif
