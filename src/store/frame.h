/* frame.h - a stretch of rows as columns: what is written to the HDF5 file, read from it, and shown to people. One list of
 * variables serves all three; it comes from the tables of keys and record fields. */
#ifndef SHARPSWEEP_STORE_FRAME_H
#define SHARPSWEEP_STORE_FRAME_H

#include "h5.h"
#include "table.h"

enum { SS_FILL_INT = SS_UNKNOWN, SS_MAX_SERIES_FIELDS = 32 };
#define SS_NAN_BITS 0x7FF8000000000000u

typedef enum ss_cell { SS_CELL_INT8, SS_CELL_INT64, SS_CELL_REAL, SS_CELL_TEXT, SS_N_CELL } ss_cell;
typedef enum ss_place { SS_IN_ROOT, SS_IN_HISTORY, SS_IN_SPECTRUM, SS_N_PLACES } ss_place; /* in which group of the file */
extern const char *const ss_place_name[SS_N_PLACES];
typedef enum ss_source { SS_FROM_ID, SS_FROM_FIELD, SS_FROM_SETTING, SS_FROM_COUNT, SS_FROM_SERIES } ss_source;

/* Every variable has the dimension point; series (of the record's tables, and of eigenvalues) have a second one, of which each
 * point has as many rows as the dimension's count says. */
typedef enum ss_dim { SS_DIM_POINT, SS_DIM_K, SS_DIM_EPOCH, SS_DIM_CHECK, SS_DIM_NODE, SS_N_DIMS } ss_dim;
typedef struct ss_dimension {
    const char *name; ss_place place;
    int64_t first;                /* coordinate */
    const char *text, *count, *count_text;
} ss_dimension;
extern const ss_dimension ss_dimensions[SS_N_DIMS];

typedef struct ss_variable {
    char name[64];
    ss_cell cell;
    ss_source source;
    ss_place place;
    ss_dim dim;                   /* the second one of a series, the one that a count counts */
    bool is_axis;
    const ss_field *field;        /* of the record, or of its series; NULL: eigenvalues */
    size_t column;                /* of its series */
    const ss_key *key;            /* SS_FROM_SETTING; NULL: a key of another version, kept as text */
    const char *text, *unit;      /* for people */
    hid_t set;                    /* in the file that is read or written; -1: it is not there */
    void *data;                   /* (capacity) int8_t, int64_t, double or const char *; a series: (capacity, length) */
    char *chars; size_t chars_bytes; /* (capacity, chars_bytes) where data points to, for texts of records */
    int axis_at; const char *fixed;  /* in the session at hand: its axis number, or its text */
    const char *parsed_text; uint64_t parsed; /* the last text that was parsed; its cell */
} ss_variable;

typedef struct ss_frame {
    size_t n_variables, capacity, first, n; /* rows first .. first+n-1 are here */
    ss_variable *variable;
    size_t length[SS_N_DIMS];     /* but of point; node: 0 where no point has a spectrum */
    uint32_t session;             /* 1 + the session that axis_at and fixed are of */
    ss_words words;               /* texts read from a file */
} ss_frame;

/* All variables there can be, in the file's order. `foreign`: settings that the keys of this version do not cover. */
ss_frame *ss_frame_create(uint32_t n_axes, const char *const *axis, uint32_t n_foreign, const char *const *foreign,
                          ss_error *error);
ss_frame *ss_frame_complete(const ss_table *t, ss_error *error); /* of this table's sweep */
/* With the table's largest series, and without what its jobs have never asked for: measures, optional settings. */
ss_frame *ss_frame_of_table(const ss_table *t, ss_error *error);
/* The same for spectra, whose lengths the records alone say: the index's entries are what they were before there were any, so
 * that earlier programs read them. */
int ss_frame_fit_spectra(ss_frame *f, const ss_table *t, ss_error *error);
void ss_frame_destroy(ss_frame *f);
int ss_frame_allocate(ss_frame *f, size_t capacity, bool with_series, ss_error *error);
size_t ss_frame_stretch(const ss_frame *f, size_t bytes, size_t n_rows); /* rows whose widest series takes so many bytes */
int ss_frame_fill(ss_frame *f, const ss_table *t, size_t first, size_t n, ss_error *error);
bool ss_results_writes(const ss_variable *v, const char *attribute); /* results_write.c: is it an attribute of this variable? */
ss_variable *ss_frame_find(const ss_frame *f, ss_place place, const char *name); /* NULL: it has none */
/* A cell that is a number, as its 64 bits: of an int64_t, to which an int8_t is widened, or of a double. */
uint64_t ss_cell_get(const ss_variable *v, size_t i);
void ss_cell_set(const ss_variable *v, size_t i, uint64_t bits);
/* A cell as people write it; "" where a record is missing. */
void ss_frame_text(const ss_variable *v, size_t i, bool has_record, char *out, size_t out_bytes);
double ss_frame_number(const ss_variable *v, size_t i);  /* NaN for words and texts */

#endif
