/* sweep.h - floor 1: the job file, the grid, points and their identity, the record; queue.h, its second half: the queue and
 * the cost model. Pure logic: no MPI, no HDF5, no network. The only folder that includes yaml.h. */
#ifndef SHARPSWEEP_SWEEP_H
#define SHARPSWEEP_SWEEP_H

#include <stdio.h>

#include "sharpsweep/base.h"

/* ---- settings: everything that a point's run is told ------------------------------------------------------------
 * One row of the key table (ss_keys, src/sweep/keys.c) per member: name, section, type, default, range, unit, text. The
 * member, the YAML key, the HDF5 variable and the axis of a plot all have the key's name. Counts that also take a word
 * (full, all, none, auto) hold SS_WORD for it. Choices point at the table's own strings: compare with strcmp or ==. */
enum { SS_WORD = -1, SS_UNKNOWN = -1 /* an integer of a record */, SS_MAX_WIDTHS = 16, SS_ID_BYTES = 33 };

typedef struct ss_settings {
    /* model */
    const char *network;          /* mlp | cnn | vgg11 | resnet18 | layers */
    const char *activation;       /* relu | tanh | gelu (mlp, cnn) */
    int64_t widths[SS_MAX_WIDTHS]; int64_t n_widths; /* mlp: hidden widths */
    const char *layers;           /* network: layers - canonical text of the list, see ss_layer_text; owned by the job */
    bool batch_norm;
    double dropout;
    const char *init, *loss, *numerics; /* auto | pytorch | study; cross_entropy | squared_error; fast | exact */
    /* data */
    const char *dataset;
    const char *data_dir;         /* "" = search; owned by the job; not part of the identity (the digest is) */
    int64_t train_examples, test_examples;   /* or `all` */
    const char *train_subset, *test_subset;  /* first | even */
    const char *standardise;      /* pixel | channel | none */
    int64_t synthetic_train, synthetic_test, synthetic_size, synthetic_channels, synthetic_classes, synthetic_seed;
    double synthetic_noise;
    /* training */
    double learning_rate;
    int64_t batch_size;           /* or `full` */
    double momentum, weight_decay;
    bool nesterov;
    const char *schedule;         /* constant | step | cosine */
    double step_epochs, step_factor, warmup_epochs;
    double sam_rho;
    int64_t sam_m;                /* examples per perturbation, or `batch` */
    bool sam_decay_in_ascent, sam_update_statistics_twice;
    int64_t ghost_batch, micro_batch;
    int64_t max_epochs, max_steps, evaluate_every_epochs; /* max_steps or `none` */
    double target_train_accuracy, target_train_loss; /* 0: no such target */
    double divergence_loss;
    int64_t seed;
    /* curvature */
    int64_t curvature_examples;   /* or `all` */
    const char *curvature_subset, *curvature_batch_norm; /* first | even; batch | running */
    int64_t curvature_ghost_batch;           /* or `auto`: min(batch_size, ghost_batch) */
    bool curvature_weight_decay;  /* include the L2 term: + weight_decay I */
    double curvature_tolerance, curvature_risk;
    int64_t curvature_max_hvp, eigenvalues, curvature_seed;
    int64_t interpolation_points; /* 0: at the final iterate; n >= 2: maximum over n points to the next iterate */
    int64_t track_every_epochs, track_every_steps; /* or `none` */
    /* curvature: what is measured beside lambda_max (measure.h); 0, false, none: not */
    int64_t trace_probes, spectrum_probes, spectrum_steps, batch_sharpness_batches, lambda_subsets; /* the last: or `none` */
    bool smallest_eigenvalue, gauss_newton, adaptive_eigenvalue, spherical_eigenvalue, gradient_alignment, track_measures;
    double sharpness_rho, adaptive_rho;
    int64_t sharpness_m, sharpness_steps; /* sharpness_m or `all` */
    /* sweep: not part of the identity */
    int64_t threads, curvature_memory; /* a number, bytes; or `auto` */
    bool save_weights;
} ss_settings;
typedef enum ss_type { SS_BOOL, SS_INT, SS_COUNT, SS_BYTES, SS_FLOAT, SS_CHOICE, SS_TEXT, SS_INTS, SS_LAYERS } ss_type;
typedef struct ss_key {
    const char *name, *section;
    ss_type type;
    size_t offset;                /* into ss_settings; (size_t)-1: the job's own (output, seeds, ...) */
    const char *fallback;         /* the default as one would write it in YAML */
    const char *word;             /* SS_COUNT, SS_BYTES: the word it takes beside numbers */
    const char *const *choices;   /* SS_CHOICE: NULL-terminated */
    double min, max; bool open_min, open_max; /* open: the bound itself is excluded */
    bool identity;                /* part of what determines a point's result */
    bool optional;                /* at its default as if there were no such key: no part of the identity, no column in files
                                     whose jobs all leave it there, and not missed in older ones */
    const char *unit, *text;
} ss_key;
const ss_key *ss_keys(size_t *n), *ss_key_find(const char *name); /* NULL if unknown */
const char *ss_key_nearest(const char *name, const char *section); /* by edit distance, NULL if nothing is near */
/* A setting's value as text, as one would write it in YAML ("%.17g" shortened to what reads back exactly). */
void ss_key_format(const ss_key *key, const ss_settings *s, char *out, size_t out_bytes);
/* From such a text. Of SS_TEXT and SS_LAYERS, `text` itself is kept as it is and must outlive s. */
int ss_key_parse(const ss_key *key, const char *text, ss_settings *s, ss_error *error);
bool ss_key_equal(const ss_key *key, const ss_settings *a, const ss_settings *b);
double ss_key_number(const ss_key *key, const ss_settings *s); /* numeric types; words: NaN; others NaN */
void ss_settings_default(ss_settings *s);
int ss_batches_check(const ss_settings *s, int64_t n_train, ss_error *error); /* are batch_sharpness_batches there? 0, -1 */

/* ---- job: a parsed file ------------------------------------------------------------------------------------------ */
typedef struct ss_axis {          /* one axis, or several coupled by zip, with the same number of values */
    int n_keys, n_values;
    const ss_key *key[8];
    char **text[8];               /* [key][value] canonical text, see ss_key_parse */
} ss_axis;
typedef struct ss_exclude { int n_keys; const ss_key *key[8]; char **text[8]; int n_texts[8]; } ss_exclude;

typedef struct ss_job {
    char *text, *path;            /* the file's text and name, kept for the results file */
    ss_settings settings;         /* of every key that is not an axis */
    char *output;                 /* results file, relative to the job file resolved; NULL: not given */
    double progress_s, time_limit_s, checkpoint_interval_s; /* sweep: between plain lines; 0: no limit; 0: none */
    /* sweep: what becomes of trials and workers that fail */
    int64_t crash_retries, timeout_retries, memory_retries, trial_memory; /* bytes, or `auto` */
    double trial_time_limit_s, trial_silence_s, worker_silence_s, stop_grace_s; /* the first two: 0 is none */
    int n_axes, n_excludes;
    ss_axis *axes;                /* in file order; the last varies fastest; `seeds: n` appends seed = 0..n-1 */
    ss_exclude *excludes;
    void *owned;                  /* strings that settings point to */
} ss_job;

ss_job *ss_job_load(const char *path, ss_error *error); /* any fault: "job.yaml:12:5: learning_rat: unknown key in ..." */
ss_job *ss_job_parse(const char *text, const char *path, ss_error *error);
void ss_job_destroy(ss_job *job);
bool ss_job_is_axis(const ss_job *job, const ss_key *key);
/* The documents made from the table: jobs/README.md's reference, the editors' JSON Schema, the manual page's list of keys. */
void ss_job_write_reference(FILE *out);
void ss_job_write_schema(FILE *out);
void ss_job_write_manual(FILE *out);
void ss_manual_write_text(FILE *out, const char *text); /* plain text with `words` as lines of mdoc(7) */

/* ---- layers: one entry of a job's `layers:` list, in the words of jobs/README.md ----------------------------------- */
typedef struct ss_layer_text {    /* canonical text: "conv2d(units=64,kernel=3,stride=1,padding=1,bias=1); relu; ..." with
                                     residual(projection=0|1) ... end around a residual block's body */
    char type[24];
    int64_t units, kernel, stride, padding; /* kernel 0: not given */
    bool bias, projection;
    double p;                     /* dropout */
} ss_layer_text;
/* Reads the next layer of the canonical text from *cursor; 1 and *layer, 0 at the end, -1 where it is no canonical text. */
int ss_layer_text_next(const char **cursor, ss_layer_text *layer);

/* ---- grid: i -> settings ------------------------------------------------------------------------------------------ */
typedef struct ss_grid ss_grid;
ss_grid *ss_grid_create(const ss_job *job, ss_error *error); /* keeps a pointer to job; error: no point left */
void ss_grid_destroy(ss_grid *grid);
size_t ss_grid_count(const ss_grid *grid);
void ss_grid_settings(const ss_grid *grid, size_t i, ss_settings *out);
/* A point's identity: 32 hex digits, a hash of every identity key's name and value, the data digest and the version of
 * our numerics (SS_NUMERICS in src/sweep/point.c). */
void ss_point_identify(const ss_settings *s, const char *data_digest, char id[SS_ID_BYTES]);

/* ---- record: what one trial reports ------------------------------------------------------------------------------ */
typedef enum ss_status { SS_PENDING, SS_DONE, SS_DIVERGED, SS_EPOCH_LIMIT, SS_FAILED, SS_N_STATUS } ss_status;
typedef enum ss_stop { SS_STOP_NONE, SS_STOP_TRAIN_ACCURACY, SS_STOP_TRAIN_LOSS, SS_STOP_MAX_EPOCHS, SS_STOP_MAX_STEPS,
                       SS_STOP_DIVERGED, SS_STOP_ERROR,
                       SS_STOP_CRASH, SS_STOP_TIMEOUT, SS_STOP_MEMORY, /* of the trial's process */ SS_N_STOP } ss_stop;
extern const char *const ss_status_name[SS_N_STATUS];
extern const char *const ss_stop_name[SS_N_STOP];

typedef struct ss_series {        /* a small table: n_rows rows of n_columns doubles, row after row */
    size_t n_rows, n_columns, capacity;
    double *value;
} ss_series;
int ss_series_append(ss_series *s, const double *row);  /* 0, -1: memory */
typedef struct ss_record {        /* see ss_record_fields; starts as NaN, SS_UNKNOWN, "" (ss_record_init), attempts as 0 */
    int64_t status, stop_reason;
    double lambda_max, lambda_residual, lambda_upper, lr_lambda_max, lambda_fraction;
    int64_t lambda_converged, hvp_count, curvature_n_examples, curvature_ghost_examples;
    double trace, trace_error, lambda_min, lambda_min_residual, gauss_newton_lambda_max, gauss_newton_residual, alignment;
    double adaptive_lambda_max, adaptive_residual, spherical_sharpness, spherical_residual, subset_lambda_mean, sharpness,
        subset_lambda_deviation, subset_lambda_residual, adaptive_sharpness, batch_sharpness, batch_sharpness_error, sam_edge;
    int64_t subset_examples, measure_hvp_count; double measure_s;
    double train_loss, train_accuracy, test_loss, test_accuracy, gradient_norm;
    int64_t epochs, steps, n_parameters, n_train, n_test;
    double train_s, curvature_s, peak_memory_bytes; int64_t n_threads, attempts, worker;
    char host[64], finished[SS_TIME_BYTES], error[256], data_digest[SS_DIGEST_BYTES], convolutions[256];
    size_t n_eigenvalues; double *eigenvalue;           /* descending */
    uint64_t absent[2];           /* bit i: the bytes that it was decoded from had no field i; those not known stay left out */
    ss_series history;            /* per epoch, columns ss_history_fields */
    ss_series track;              /* lambda_max during training, columns ss_track_fields */
    ss_series spectrum;           /* nodes of the spectral density, columns ss_spectrum_fields */
} ss_record;

#define SS_ANY_MEASURE "*"
typedef enum ss_field_type { SS_FIELD_INT, SS_FIELD_REAL, SS_FIELD_TEXT, SS_FIELD_STATUS, SS_FIELD_STOP } ss_field_type;
typedef struct ss_field {
    const char *name; ss_field_type type; size_t offset, bytes; /* bytes: of a TEXT's array */
    bool incidental;              /* times, hosts: may differ between two runs of the same point */
    const char *key;              /* of a measure: the setting that asks for it (SS_ANY_MEASURE: any optional one). Left out of
                                     records' bytes where not known, of files that have not used the setting. NULL: never */
    const char *unit, *text;
} ss_field;
const ss_field *ss_record_fields(size_t *n);
const ss_field *ss_history_fields(size_t *n), *ss_track_fields(size_t *n), *ss_spectrum_fields(size_t *n); /* offset: column */
void ss_record_init(ss_record *r), ss_record_finish(ss_record *r);
/* Self-describing bytes (named, typed fields): what MPI carries and the journal stores. Decode ignores unknown fields and
 * leaves missing ones as ss_record_init does; any inconsistency of the bytes is an error, never a crash. */
int ss_record_encode(const ss_record *r, unsigned char **bytes, size_t *n_bytes, ss_error *error); /* ss_free *bytes */
int ss_record_decode(const unsigned char *bytes, size_t n_bytes, ss_record *r, ss_error *error);
bool ss_record_same(const ss_record *a, const ss_record *b); /* bit for bit, incidental fields aside */
/* The same of records of two programs: what one's program did not know yet may be anything in the other.
 * lacks: has b fields or columns that a's program did not know? */
bool ss_record_agrees(const ss_record *a, const ss_record *b), ss_record_lacks(const ss_record *a, const ss_record *b);
bool ss_record_field_agrees(const ss_field *f, const ss_record *a, const ss_record *b);

#include "sharpsweep/queue.h" /* the other half of src/sweep: what is next, and what will it cost */

#endif
