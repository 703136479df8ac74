/* resume.h - may this job go on with these results? */
#ifndef SHARPSWEEP_STORE_RESUME_H
#define SHARPSWEEP_STORE_RESUME_H

#include "results.h"
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
/* -1 and every difference, where stored points were made under other settings, data or numerics. */
int ss_resume_check(const ss_resume *r, ss_error *error);

/* What merge_check.c needs of the rule. */
const char *ss_base_name(const char *path);
bool ss_table_has_axis(const ss_table *t, const char *name);
typedef struct ss_differences { char text[SS_ERROR_BYTES]; size_t used; int n; } ss_differences; /* zeroed: none */
/* "max_epochs: 10 in results.h5, 20 in job.yaml"; NULL is "nothing". */
void ss_difference_add(ss_differences *d, const char *name, const char *a, const char *in_a, const char *b, const char *in_b);

#endif
