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
 * beside an existing results file is made again from it. Keeps pointers to job and grid. */
ss_store *ss_store_open(const char *path, const ss_job *job, const ss_grid *grid, const ss_provenance *provenance,
                        ss_error *error);
bool ss_store_is_finished(const ss_store *store, size_t point); /* done, diverged or epoch_limit; failed ones run again */
ss_status ss_store_status(const ss_store *store, size_t point); /* of its latest record; pending: it has none */
int64_t ss_store_attempts(const ss_store *store, size_t point); /* times it was started before, over all runs */
int ss_store_start(ss_store *store, size_t point, int worker, ss_error *error); /* noted for `status`; not synced */
int ss_store_keep(ss_store *store, size_t point, const ss_record *record, ss_error *error); /* durable on return */
/* Rebuilds the HDF5 file if that keeps rebuilding under 2 % of the time; `now` forces it. */
int ss_store_refresh(ss_store *store, bool now, ss_error *error);
/* RESULTS.weights/ID.h5, a name only; -1: it does not fit. */
int ss_store_weights_path(const ss_store *store, size_t point, char *out, size_t out_bytes);
int ss_store_close(ss_store *store, ss_error *error); /* a last rebuild; frees also on error; NULL is fine */

/* ---- reading results --------------------------------------------------------------------------------------------------
 * A results file as columns, from the HDF5 file alone, or, with `live`, brought up to date from the journal beside it.
 * Never disturbs a writer. */
typedef struct ss_column {
    char name[64], unit[32];
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
    char **id;                    /* (n) */
    char *job_text, *created, *updated, *version, *data_path;
    void *words;                  /* private: what the texts point to */
} ss_results;
ss_results *ss_results_open(const char *path, bool live, ss_error *error);
void ss_results_destroy(ss_results *r);
const ss_column *ss_results_column(const ss_results *r, const char *name); /* NULL if absent */

/* Checks journal and file, each fault a line through `say`. Returns the number of faults found (0: all is well) or -1 when
 * nothing can be read or, with repair, a writer is at work. With repair, cuts a torn tail, keeps a damaged journal aside as
 * RESULTS.h5.journal.damaged, and rebuilds the missing half from the other. */
int ss_store_verify(const char *path, bool repair, void (*say)(void *ctx, const char *line), void *ctx, ss_error *error);

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

const char *ss_store_describe(void); /* "HDF5 1.10.8" */

#endif
