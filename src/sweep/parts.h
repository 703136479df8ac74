/* parts.h - what the files of src/sweep share among themselves; nobody else includes it. */
#ifndef SHARPSWEEP_SWEEP_PARTS_H
#define SHARPSWEEP_SWEEP_PARTS_H

#include "sharpsweep/sweep.h"

enum { SS_VALUE_BYTES = 64, SS_MAX_AXES = 16, SS_MAX_VALUES = 1000000, SS_MAX_ZIP = 8,
       SS_MAX_LAYERS = 1000, SS_MAX_LAYER_DEPTH = 8 };
#define SS_MAX_POINTS 10000000u

/* value.c */
/* What a key takes, in words: "a number greater than 0", "an integer from 1 to 1000000000 (examples), or full". */
void ss_key_expected(const ss_key *key, char *out, size_t out_bytes);
/* Strict decimal; 0, or -1 and why not ("is not a decimal number"). */
int ss_number_parse(const char *text, double *out, const char **why);
int ss_integer_parse(const char *text, int64_t *out, const char **why);
void ss_number_format(double v, char out[SS_VALUE_BYTES]); /* the shortest text that reads back exactly */
bool ss_key_is_axis_type(const ss_key *key); /* may stand in a grid */
size_t ss_key_bytes(const ss_key *key);      /* of an axis key's member */

/* nearest.c: the word of a NULL-terminated list nearest to `name`, NULL if none is near. */
const char *ss_nearest(const char *name, const char *const *words);

/* grid.c */
const ss_job *ss_grid_job(const ss_grid *grid);
void ss_grid_digits(const ss_grid *grid, size_t i, size_t digit[SS_MAX_AXES]); /* which value of each axis the point has */
size_t ss_grid_excluded_by(const ss_grid *grid, int exclude); /* combinations that this exclude matches */

/* reference.c: the sections of a job file that hold keys, and what they are about; a NULL name ends the list */
typedef struct ss_section { const char *name, *text; } ss_section;
extern const ss_section ss_sections[];

/* layers.c: the schema's definitions of a list of layers and of one layer */
void ss_layers_write_schema(FILE *out);

/* check.c: do the settings of a point fit each other? -1, a sentence, and the key to point at. */
int ss_settings_check(const ss_settings *s, const char **key, ss_error *error);

/* cost_measures.c: forward passes of one example that the measures beside lambda_max take each time, a product with the
 * Hessian taking `product`, on the Hessian's examples and batches of training; vectors as long as the parameters that they
 * need besides. */
double ss_cost_measures(const ss_settings *s, double product, double examples, double batch, const ss_work_size *w);
double ss_cost_measure_vectors(const ss_settings *s, double n_parameters);
double ss_cost_nodes(const ss_settings *s, double n_parameters); /* of a point's spectrum, at most */

/* record.c: is any of the column's values a number? */
bool ss_column_is_known(const ss_series *s, size_t c);

/* check.c: training examples, as far as the settings alone tell; SS_WORD: the data set decides. */
int64_t ss_train_total(const ss_settings *s);

#endif
