/* writer.h - a sweep's results as their one writer has them open: what store.c and session.c share. */
#ifndef SHARPSWEEP_STORE_WRITER_H
#define SHARPSWEEP_STORE_WRITER_H

#include "checkpoint.h"
#include "inspect.h"
#include "resume.h"

struct ss_store {
    char path[SS_PATH_BYTES];
    ss_inspection in;             /* what was there when it was opened; finished once that is written */
    ss_journal *journal, *held;   /* held: the one that it replaces, while it is opened */
    ss_table *table;
    const ss_job *job;
    const ss_grid *grid;
    unsigned char *ids;           /* (n_points, SS_ID_RAW) until opened */
    size_t n_points;
    uint32_t *row;                /* (n_points) of the table */
    int n_keys;
    const ss_key *key[SS_MAX_JOB_KEYS]; /* of the job's axes */
    const char *axis[SS_MAX_JOB_KEYS];
    ss_results_target target;     /* the HDF5 file as it was last seen */
    bool stale;                   /* it lacks something */
    double rebuild_s, rebuilt_s;  /* how long the last rebuild took; when it ended */
    double guarded_s;             /* when the journal was last seen under its name */
    ss_bytes recent;              /* this run's JOB entry and the records that the HDF5 file lacks, framed */
    size_t job_bytes, n_recent;   /* of the JOB entry in it; finished points among the records */
    bool announced;               /* the JOB entry is in the journal */
    ss_error lost;                /* why the journal is not under its name any more; "": it is */
};

/* session.c: the run's JOB entry. It is written at once where it lists points that are new to the file, else when the first
 * point is started: with nothing to do neither file is touched. */
int ss_store_prepare_job(ss_store *s, const ss_provenance *p, ss_error *error);
int ss_store_announce(ss_store *s, ss_error *error);     /* before any other entry */
/* Texts of a grid point's axis values, in `buffer`. */
void ss_store_axis_texts(const ss_store *s, const ss_settings *settings, char buffer[][64], const char *value[]);

#endif
