/* study.h - what a study is made of. Private to study.c and share.c. */
#ifndef SHARPSWEEP_STUDY_H
#define SHARPSWEEP_STUDY_H

#include "trial.h"

/* One distinct data section, and the first point that has it. */
typedef struct ss_bank { ss_settings settings; ss_dataset *data; size_t point; } ss_bank;
/* One distinct network on one bank. */
typedef struct ss_network_size { ss_settings settings; size_t bank; ss_work_size work; bool norms_features; } ss_network_size;

struct ss_study {
    const ss_job *job;
    ss_grid *grid;
    size_t n_banks, n_shapes;
    ss_bank *bank;
    ss_network_size *shape;
    char *digests, *paths;        /* of all banks, joined by ", " */
    const ss_key **varying[2];    /* (n_varying) the grid's axes in section data, and in section model */
    size_t n_varying[2];
    void *mapping;                /* what the banks' data point into; NULL: memory of their own */
    size_t mapping_bytes;
    int mapping_fd;               /* 0: none (it is never standard input's) */
};

int ss_study_list_varying(ss_study *study, ss_error *error); /* before anything is asked of points */
int ss_study_join_banks(ss_study *study, ss_error *error);

#endif
