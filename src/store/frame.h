/* frame.h - a stretch of rows as columns: what is written to the HDF5 file, read from it, and shown to people. One list of
 * variables serves all three; it comes from the tables of keys and record fields. */
#ifndef SHARPSWEEP_STORE_FRAME_H
#define SHARPSWEEP_STORE_FRAME_H

#include "table.h"

enum { SS_FILL_INT = SS_UNKNOWN, SS_MAX_SERIES_FIELDS = 32 };

typedef enum ss_cell { SS_CELL_INT8, SS_CELL_INT64, SS_CELL_REAL, SS_CELL_TEXT, SS_N_CELL } ss_cell;
typedef enum ss_place { SS_IN_ROOT, SS_IN_HISTORY, SS_IN_SPECTRUM } ss_place; /* in which group of the file */
typedef enum ss_source { SS_FROM_ID, SS_FROM_FIELD, SS_FROM_SETTING, SS_FROM_COUNT } ss_source;
#define SS_SPECTRUM_COUNT SIZE_MAX /* of the record's nodes, which the index does not know */
size_t ss_cell_bytes(ss_cell cell);

typedef struct ss_variable {
    char name[64];
    ss_cell cell;
    ss_source source;
    ss_place place;
    bool is_axis;
    const ss_field *field;        /* SS_FROM_FIELD */
    const ss_key *key;            /* SS_FROM_SETTING; NULL: a key of another version, kept as text */
    size_t count_at;              /* SS_FROM_COUNT: member of ss_row, or SS_SPECTRUM_COUNT */
    const char *text, *unit;      /* for people */
    void *data;                   /* (capacity) int8_t, int64_t, double or const char * */
    char *chars; size_t chars_bytes; /* (capacity, chars_bytes) where data points to, for texts of records */
    int axis_at; const char *fixed;  /* in the session at hand: its axis number, or its text */
    const char *parsed_text; union { int8_t b; int64_t i; double d; } parsed; /* the last text that was parsed */
} ss_variable;

/* One of the tables per point, (n_columns) fields as matrices (capacity, n_rows), NaN padded. */
typedef struct ss_matrices {
    size_t n_columns, n_rows;
    const ss_field *field;
    bool absent[SS_MAX_SERIES_FIELDS]; /* columns that the file is not to have */
    double *value[SS_MAX_SERIES_FIELDS];
} ss_matrices;

typedef struct ss_frame {
    size_t n_variables, capacity, first, n; /* rows first .. first+n-1 are here */
    ss_variable *variable;
    ss_matrices history, track, spectrum; /* spectrum: n_rows 0 where no point has one */
    size_t n_eigenvalues;
    double *eigenvalue;           /* (capacity, n_eigenvalues) */
    uint32_t session;             /* 1 + the session that axis_at and fixed are of */
    ss_words words;               /* texts read from a file */
} ss_frame;

/* Variables in the file's order: id, axes, record fields, counts, other settings. `names` are the settings' names that keys
 * of this version do not cover and the axes; see frame.c. */
ss_frame *ss_frame_create(uint32_t n_axes, const char *const *axis, uint32_t n_foreign, const char *const *foreign,
                          ss_error *error);
/* With the table's largest series, and without what its jobs have never asked for: measures, optional settings. */
ss_frame *ss_frame_of_table(const ss_table *t, ss_error *error);
/* The same for spectra, whose lengths the records alone say: the index's entries are what they were before there were any, so
 * that earlier programs read them. */
int ss_frame_fit_spectra(ss_frame *f, const ss_table *t, ss_error *error);
void ss_frame_destroy(ss_frame *f);
int ss_frame_allocate(ss_frame *f, size_t capacity, bool with_series, ss_error *error);
size_t ss_frame_row_bytes(const ss_frame *f);            /* of the widest matrix */
int ss_frame_fill(ss_frame *f, const ss_table *t, size_t first, size_t n, ss_error *error);
ss_variable *ss_frame_find(const ss_frame *f, const char *name); /* outside the group; NULL */
/* A cell as people write it; "" where a record is missing. */
void ss_frame_text(const ss_variable *v, size_t i, bool has_record, char *out, size_t out_bytes);
double ss_frame_number(const ss_variable *v, size_t i);  /* NaN for words and texts */

#endif
