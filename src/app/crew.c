/* crew.c - trials in processes of their own: what a rank tells its trial server, what the server and its trials do with it.
 * Everything in texts: rank 0's job reaches ranks that may not see its file. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "app.h"
#include "fault.h"
#include "trial.h"

static ss_supervisor *supervisor; /* the rank's; NULL: trials run in its own process */

/* ---- texts, one after the other --------------------------------------------------------------------------------------- */

unsigned char *ss_texts_pack(const char *const *text, size_t n_texts, size_t *n_bytes)
{
    size_t n = 0;
    for (size_t i = 0; i < n_texts; i++) n += strlen(text[i]) + 1;
    unsigned char *bytes = ss_alloc(n, 1), *at = bytes;
    *n_bytes = n;
    for (size_t i = 0; bytes && i < n_texts; i++) at = (unsigned char *)stpcpy((char *)at, text[i]) + 1;
    return bytes;
}

const char *ss_texts_at(const unsigned char *bytes, size_t k)
{
    const char *at = (const char *)bytes;
    while (k-- > 0) at += strlen(at) + 1;
    return at;
}

/* ---- in the server and its trials -------------------------------------------------------------------------------------- */

enum { JOB_PATH, JOB_TEXT, DATA_PATH, WEIGHTS_DIR, CHECKPOINTS, WHO, N_TEXTS };

static struct {
    ss_job *job;
    ss_study *study;
    unsigned char *texts;
    bool *told;                   /* shared by all trials of the server */
    ss_trial trial;
} crew;

static bool should_stop(void *ctx)
{
    (void)ctx;
    ss_pulse_beat();
    ss_fault_poll();
    return ss_pulse_stop_asked();
}

static ss_study *open_study(const char *data_path, ss_error *error)
{
    ss_study *study = data_path[0] ? ss_study_attach(crew.job, data_path, error) : NULL;
    if (!study && data_path[0]) ss_log(SS_LOG_WARNING, "data are read anew: %s", error->text);
    return study ? study : ss_study_create(crew.job, error);
}

static const char *text_or_null(size_t k)
{
    const char *text = ss_texts_at(crew.texts, k);
    return text[0] ? text : NULL;
}

static int server_open(void *ctx, const unsigned char *bytes, size_t n_bytes, ss_error *error)
{
    (void)ctx;
    size_t n_texts = 0;
    for (size_t i = 0; i < n_bytes; i++) n_texts += bytes[i] == 0;
    if (n_texts != N_TEXTS || bytes[n_bytes - 1] != 0) return ss_fail(error, "%zu texts where %d are expected", n_texts, N_TEXTS);
    crew.texts = ss_alloc(n_bytes, 1);
    if (!crew.texts) return ss_fail(error, "no memory for the job's text");
    memcpy(crew.texts, bytes, n_bytes);
    ss_log_configure(SS_LOG_INFO, text_or_null(WHO));
    crew.job = ss_job_parse(ss_texts_at(bytes, JOB_TEXT), ss_texts_at(bytes, JOB_PATH), error);
    if (!crew.job) return -1;
    crew.study = open_study(ss_texts_at(bytes, DATA_PATH), error);
    if (!crew.study) return -1;
    void *shared = mmap(NULL, sizeof *crew.told, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    crew.told = shared == MAP_FAILED ? NULL : shared;
    crew.trial = (ss_trial){.study = crew.study, .weights_dir = text_or_null(WEIGHTS_DIR), .should_stop = should_stop,
                            .checkpoint_folder = text_or_null(CHECKPOINTS), .checkpoint_trouble_told = crew.told};
    return 0;
}

static int trial_run(void *ctx, size_t point, ss_record *record, ss_error *error)
{
    (void)ctx;
    ss_fault_arm(point);
    int rc = ss_trial_run(&crew.trial, point, record, error);
    if (rc == 0) ss_fault_spoil(record);
    return rc;
}

static const ss_server_calls server_calls = {NULL, server_open, trial_run};

int ss_crew_main(char *const *arguments)
{
    return ss_server_main(arguments, &server_calls);
}

/* ---- in the rank -------------------------------------------------------------------------------------------------------- */

int ss_crew_create(ss_error *error)
{
    supervisor = ss_supervisor_create(&server_calls, SS_CREW_WORD, error);
    return supervisor ? 0 : -1;
}

void ss_crew_destroy(void)
{
    ss_supervisor_destroy(supervisor);
    supervisor = NULL;
}

bool ss_crew_is_there(void)
{
    return supervisor != NULL;
}

static void share(ss_study *study, char *path, size_t path_bytes)
{
    ss_error why;
    path[0] = '\0';
    if (study && ss_study_share(study, path, path_bytes, &why)) ss_log(SS_LOG_WARNING, "%s", why.text);
}

ss_study *ss_crew_study(const ss_job *job, ss_error *error)
{
    char path[64] = "";
    const char *const texts[] = {path};
    unsigned char *bytes = NULL;
    size_t n_bytes = 0;
    ss_error why;
    bool leads = ss_farm_leads_node();
    ss_study *study = leads ? ss_study_create(job, error) : NULL;
    share(study, path, sizeof path);
    if (leads) bytes = ss_texts_pack(texts, 1, &n_bytes);
    if (ss_farm_agree(!leads || (study && bytes), error) || ss_farm_node_broadcast(&bytes, &n_bytes, error)) {
        ss_study_destroy(study);
        return NULL;
    }
    if (!leads && n_bytes > 1) study = ss_study_attach(job, ss_texts_at(bytes, 0), &why);
    if (!leads && !study) {
        study = ss_study_create(job, error);
        share(study, path, sizeof path);
    }
    ss_free(bytes);
    return study;
}

int ss_crew_open(const ss_trial *trial, ss_error *error)
{
    char who[32] = "", data_path[64];
    const ss_job *job = ss_study_job(trial->study);
    size_t n_bytes = 0;
    ss_study_shared_path(trial->study, data_path, sizeof data_path);
    if (ss_farm_rank() > 0) snprintf(who, sizeof who, "rank %d", ss_farm_rank());
    const char *const texts[N_TEXTS] = {
        [JOB_PATH] = job->path, [JOB_TEXT] = job->text, [DATA_PATH] = data_path,
        [WEIGHTS_DIR] = trial->weights_dir ? trial->weights_dir : "",
        [CHECKPOINTS] = trial->checkpoint_folder ? trial->checkpoint_folder : "", [WHO] = who,
    };
    unsigned char *bytes = ss_texts_pack(texts, N_TEXTS, &n_bytes);
    if (!bytes) return ss_fail(error, "no memory for what the trial server is told");
    int rc = ss_supervisor_open(supervisor, bytes, n_bytes, error);
    ss_free(bytes);
    return rc;
}

static double trial_memory_bytes(const ss_job *job)
{
    if (job->trial_memory != SS_WORD) return (double)job->trial_memory;
    double granted = ss_memory_granted_bytes(), left = granted - ss_memory_peak_bytes(); /* this rank takes its part of it */
    return left > granted / 2 ? left : granted / 2;
}

/* Numbers that no sound trial reports with these statuses, unless the point is really so. */
static bool is_strange(const ss_record *r)
{
    bool trained = r->status == SS_DONE || r->status == SS_EPOCH_LIMIT;
    return trained && (!isfinite(r->train_loss) || !isfinite(r->lambda_max));
}

int ss_crew_run(const ss_trial *trial, size_t point, ss_record *record, ss_error *error)
{
    const ss_job *job = ss_study_job(trial->study);
    const ss_trial_limits limits = {trial_memory_bytes(job), job->trial_time_limit_s, job->trial_silence_s, job->stop_grace_s};
    int rc = ss_supervisor_run(supervisor, point, &limits, trial->should_stop, trial->ctx, record, error);
    if (rc != 0 || !is_strange(record)) return rc;
    ss_log(SS_LOG_WARNING, "point %zu ended with train_loss %g and lambda_max %g; it is run once more, to be sure", point,
           record->train_loss, record->lambda_max);
    ss_record_finish(record);
    rc = ss_supervisor_run(supervisor, point, &limits, trial->should_stop, trial->ctx, record, error);
    if (rc == 0 && is_strange(record)) {
        record->status = SS_FAILED; /* what is no number is no result: it is counted, told, and tried again by the next run */
        record->stop_reason = SS_STOP_ERROR;
        snprintf(record->error, sizeof record->error, "train_loss %g and lambda_max %g, twice: not finite (in curvature)",
                 record->train_loss, record->lambda_max);
    }
    return rc;
}
