/* resume.h - may this job go on with these results? */
#ifndef SHARPSWEEP_STORE_RESUME_H
#define SHARPSWEEP_STORE_RESUME_H

#include "results.h"
#include "verify.h"
#include "sharpsweep/store.h"

enum { SS_MAX_JOB_KEYS = SS_MAX_FILE_AXES };

/* The keys of a job's axes, zipped ones flattened, in the job's order. Their number, -1: too many. */
int ss_job_axis_keys(const ss_job *job, const ss_key *key[SS_MAX_JOB_KEYS], ss_error *error);
/* A setting's text; from the settings' own string or put into `buffer`. */
const char *ss_setting_text(const ss_key *key, const ss_settings *s, char *buffer, size_t buffer_bytes);
/* The digest of the data set that a grid point of these settings uses. */
const char *ss_point_digest(const ss_provenance *p, const ss_settings *s);

/* Every grid point's identity, of its settings and of the data set that it uses, into ids (count of grid, SS_ID_RAW). */
int ss_resume_identify(const ss_grid *grid, const ss_provenance *p, unsigned char *ids, ss_error *error);

typedef struct ss_resume {
    const ss_table *table;
    const char *path;
    const ss_job *job;
    const ss_grid *grid;
    const ss_provenance *provenance;
    const unsigned char *ids;     /* (count of grid, SS_ID_RAW) */
} ss_resume;
/* -1 and every difference, where stored points were made under other settings, data or numerics. Records are read from j. */
int ss_resume_check(const ss_resume *r, ss_journal *j, ss_error *error);
/* The HDF5 file beside a journal: 0 ours or unreadable (then it is made anew), -1: must not be overwritten. n_lacking: rows
 * of it that the journal has lost. */
int ss_resume_check_file(const char *path, const ss_table *t, const ss_journal *j, size_t *n_lacking, ss_error *error);
/* The sentence of an import that failed, of those rows; -1. */
int ss_resume_fail_lost(const char *journal_path, size_t n_lacking, ss_error *error);
/* A folder that exists but cannot take the weights is found before anything runs; one that does not exist is made later. */
int ss_resume_check_weights(const char *path, const ss_job *job, ss_error *error);
/* place.c: can results be written at `path`, which leads to `real`? -1: a link that leads to nothing, no right to. */
int ss_place_check(const char *path, const char *real, ss_error *error);

#endif
