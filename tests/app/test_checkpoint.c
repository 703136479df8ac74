/* test_checkpoint.c - a point that is interrupted anywhere and goes on ends bit for bit as an unbroken one; a checkpoint that
 * cannot be used is said and the point begins anew; saving keeps to its share of the time. */
#include "../../src/app/bookmark.h"
#include "../../src/app/trial.h"

#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "../suite.h"

#define DATA "data: {dataset: synthetic, synthetic_train: 96, synthetic_test: 32, synthetic_noise: 1}\n"

static const char *const jobs[] = {
    /* everything at once, MLP */
    DATA "model: {network: mlp, widths: [12, 8], batch_norm: true, dropout: 0.3}\n"
    "training: {max_epochs: 5, batch_size: 20, sam_rho: 0.05, momentum: 0.9, nesterov: true, schedule: cosine,"
    " learning_rate: 0.2, weight_decay: 1e-3, target_train_accuracy: 0}\n"
    "curvature: {curvature_examples: 64, eigenvalues: 3, track_every_epochs: 1, track_every_steps: 7}\n",
    /* everything at once, a small CNN; SAM in groups, ghost batches, the study's search between iterates */
    DATA "model: {network: layers, layers: [{conv2d: {units: 4, kernel: 3, padding: 1}}, batch_norm, relu,"
    " {max_pool: {kernel: 4}}, flatten, {linear: {units: 8}}, relu, {dropout: {p: 0.2}}, {linear: {units: 4}}]}\n"
    "training: {max_epochs: 3, batch_size: 24, sam_rho: 0.05, sam_m: 16, momentum: 0.9, ghost_batch: 16,"
    " target_train_accuracy: 0, learning_rate: 0.05}\n"
    "curvature: {curvature_examples: 32, eigenvalues: 2, interpolation_points: 3, curvature_max_hvp: 20,"
    " curvature_tolerance: 0.01}\n",
    /* one part at a time */
    DATA "model: {network: mlp, widths: [12]}\n"
    "training: {max_epochs: 20, batch_size: full, learning_rate: 0.5, target_train_accuracy: 0}\n"
    "curvature: {curvature_examples: 64, track_every_steps: 5}\n",
    DATA "model: {network: mlp, widths: [12], dropout: 0.5}\n"
    "training: {max_epochs: 9, max_steps: 31, evaluate_every_epochs: 3, batch_size: 16, momentum: 0.9,"
    " target_train_accuracy: 0}\n"
    "curvature: {curvature_examples: 64, eigenvalues: 4, curvature_tolerance: 1e-6, curvature_max_hvp: 90}\n",
    /* the preset, with everything */
    "data: {dataset: synthetic, synthetic_train: 32, synthetic_test: 8, synthetic_size: 4}\n"
    "model: {network: cnn, batch_norm: true, dropout: 0.3}\n"
    "training: {max_epochs: 5, batch_size: 16, sam_rho: 0.05, momentum: 0.9, schedule: step, step_epochs: 1,"
    " warmup_epochs: 1, target_train_accuracy: 0}\n"
    "curvature: {curvature_examples: 16, curvature_batch_norm: running, track_every_epochs: 2, curvature_max_hvp: 12}\n",
    /* checks that start from one another's vectors, in training and between iterates */
    DATA "model: {network: mlp, widths: [12, 8]}\n"
    "training: {max_epochs: 3, batch_size: 24, learning_rate: 0.3, momentum: 0.9, target_train_accuracy: 0}\n"
    "curvature: {curvature_examples: 64, eigenvalues: 2, track_every_steps: 3, interpolation_points: 3}\n",
};
enum { WARM_JOB = 5, N_JOBS = sizeof jobs / sizeof *jobs, N_MOMENTS = 20 };

typedef struct bench {
    ss_job *job;
    ss_study *study;
    ss_trial trial;
    char dir[256], folder[300], path[400], id[SS_ID_BYTES];
    long left, polled;            /* polls until a stop is asked for, < 0: never; polls so far */
} bench;

static bool should_stop(void *ctx)
{
    bench *b = ctx;
    b->polled++;
    return b->left >= 0 && b->left-- == 0;
}

static void bench_open(bench *b, const char *text)
{
    ss_error error = {{0}};
    const char *tmp = getenv("TMPDIR");
    *b = (bench){.job = ss_job_parse(text, "job.yaml", &error), .left = -1};
    if (b->job) b->study = ss_study_create(b->job, &error);
    if (!b->study) fprintf(stderr, "\n    %s\n", error.text);
    CU_ASSERT_PTR_NOT_NULL_FATAL(b->study);
    snprintf(b->dir, sizeof b->dir, "%.200s/sharpsweep-checkpoint-XXXXXX", tmp ? tmp : "/tmp");
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(b->dir));
    ss_settings s;
    ss_grid_settings(ss_study_grid(b->study), 0, &s);
    ss_point_identify(&s, ss_study_data(b->study, &s)->digest, b->id);
    snprintf(b->folder, sizeof b->folder, "%s/results.h5.checkpoints", b->dir);
    CU_ASSERT_EQUAL_FATAL(ss_checkpoint_path(b->folder, b->id, b->path, sizeof b->path, &error), 0);
    b->trial = (ss_trial){.study = b->study, .should_stop = should_stop, .ctx = b, .checkpoint_folder = b->folder};
}

static void bench_close(bench *b)
{
    ss_study_destroy(b->study);
    ss_job_destroy(b->job);
    unlink(b->path);
    rmdir(b->folder);
    CU_ASSERT_EQUAL(rmdir(b->dir), 0); /* nothing else was left */
}

/* Runs point 0; a stop is asked for at poll number `stop_at`, < 0: never. */
static int run(bench *b, long stop_at, ss_record *r)
{
    ss_error error = {{0}};
    b->left = stop_at;
    b->polled = 0;
    ss_record_init(r);
    return ss_trial_run(&b->trial, 0, r, &error);
}

static ss_record unbroken(bench *b)
{
    ss_record r;
    b->trial.checkpoint_folder = NULL;
    CU_ASSERT_EQUAL_FATAL(run(b, -1, &r), 0);
    b->trial.checkpoint_folder = b->folder;
    CU_ASSERT(r.status == SS_DONE || r.status == SS_EPOCH_LIMIT);
    return r;
}

static uint64_t seed;
static uint64_t n_drawn;

static long draw(long n)
{
    ss_stream stream = ss_stream_make(seed, SS_FOR_TEST, 0, 0);
    return (long)(ss_stream_uniform(&stream, n_drawn++) * (double)n);
}

static int n_warnings, n_infos;
static char last_warning[1024];

static void count_lines(void *ctx, ss_log_level level, const char *line)
{
    (void)ctx;
    n_warnings += level == SS_LOG_WARNING;
    n_infos += level == SS_LOG_INFO && strstr(line, "goes on from its checkpoint") != NULL;
    if (level == SS_LOG_WARNING) snprintf(last_warning, sizeof last_warning, "%s", line);
}

static void listen_to_log(void)
{
    n_warnings = n_infos = 0;
    last_warning[0] = '\0';
    ss_log_configure(SS_LOG_INFO, NULL);
    ss_log_set_sink(count_lines, NULL);
}

/* Interrupted at the poll `at`, then run to the end. */
static void interrupt_and_go_on(bench *b, const ss_record *whole, size_t job, long at)
{
    ss_record part, r;
    ss_checkpoint_head head;
    CU_ASSERT_EQUAL_FATAL(run(b, at, &part), 1);
    ss_record_finish(&part);
    CU_ASSERT_EQUAL_FATAL(ss_checkpoint_peek(b->path, &head, NULL), 1);
    CU_ASSERT_STRING_EQUAL(head.id, b->id);
    n_infos = 0;
    CU_ASSERT_EQUAL_FATAL(run(b, -1, &r), 0);
    CU_ASSERT_EQUAL(n_infos, 1);
    bool same = ss_record_same(whole, &r);
    if (!same)
        fprintf(stderr, "\n    job %zu, stopped at poll %ld (%s, step %lld, product %lld): another record; %s\n", job, at,
                head.phase, (long long)head.step, (long long)head.products, r.error);
    CU_ASSERT(same);
    CU_ASSERT(r.train_s >= head.train_s && r.curvature_s > head.curvature_s); /* the parts add up */
    CU_ASSERT(head.train_s >= 0 && (head.step == 0 || head.train_s > 0));
    ss_record_finish(&r);
    CU_ASSERT_EQUAL(unlink(b->path), 0);
}

static void random_moments(void)
{
    fprintf(stderr, "\n    seed %llu ", (unsigned long long)seed);
    listen_to_log();
    for (size_t j = 0; j < N_JOBS; j++) {
        bench b;
        bench_open(&b, jobs[j]);
        ss_record whole = unbroken(&b);
        long n_polls = b.polled, n_last = whole.hvp_count; /* the end's measurement polls once per product */
        CU_ASSERT_FATAL(n_last > 3 && n_polls >= n_last + 10);
        for (int i = 0; i < N_MOMENTS; i++) {
            interrupt_and_go_on(&b, &whole, j, draw(n_polls - n_last));          /* in training and its tracking */
            interrupt_and_go_on(&b, &whole, j, n_polls - n_last + draw(n_last)); /* in the last Lanczos */
        }
        ss_record_finish(&whole);
        bench_close(&b);
    }
    CU_ASSERT_EQUAL(n_warnings, 0);
    ss_log_set_sink(NULL, NULL);
}

static bool holds(const bench *b, const char *piece)
{
    ss_checkpoint *c;
    CU_ASSERT_EQUAL_FATAL(ss_checkpoint_open(b->path, b->id, &c, NULL), 1);
    int64_t bytes = ss_checkpoint_bytes(c, piece);
    ss_checkpoint_close(c);
    return bytes > 0;
}

/* Wherever a vector is handed from one check to the next, no moment is left to chance. */
static void every_moment(void)
{
    bench b;
    ss_record part;
    int n_train = 0, n_track = 0, n_between = 0;
    listen_to_log();
    bench_open(&b, jobs[WARM_JOB]);
    ss_record whole = unbroken(&b);
    for (long at = 0, n_polls = b.polled; at < n_polls; at++) {
        ss_checkpoint_head head;
        CU_ASSERT_EQUAL_FATAL(run(&b, at, &part), 1);
        ss_record_finish(&part);
        CU_ASSERT_EQUAL_FATAL(ss_checkpoint_peek(b.path, &head, NULL), 1);
        n_train += strcmp(head.phase, "train") == 0 && holds(&b, "warm");
        n_track += strcmp(head.phase, "track") == 0 && holds(&b, "warm");
        n_between += holds(&b, "between_warm");
        CU_ASSERT_EQUAL(unlink(b.path), 0);
        interrupt_and_go_on(&b, &whole, WARM_JOB, at);
    }
    CU_ASSERT(n_train > 5 && n_track > 10 && n_between > 5 && n_warnings == 0);
    ss_record_finish(&whole);
    bench_close(&b);
    ss_log_set_sink(NULL, NULL);
}

/* Interrupted again and again, some steps or products further each time. */
static void many_times(void)
{
    listen_to_log();
    for (size_t j = 0; j < N_JOBS; j++) {
        bench b;
        bench_open(&b, jobs[j]);
        ss_record whole = unbroken(&b), r;
        int n_parts = 0, rc;
        while ((rc = run(&b, 1 + draw(9), &r)) == 1) {
            ss_record_finish(&r);
            n_parts++;
        }
        CU_ASSERT_EQUAL(rc, 0);
        CU_ASSERT(n_parts > 5 && ss_record_same(&whole, &r));
        ss_record_finish(&r);
        ss_record_finish(&whole);
        bench_close(&b);
    }
    CU_ASSERT_EQUAL(n_warnings, 0);
    ss_log_set_sink(NULL, NULL);
}

/* ---- checkpoints that are not to be gone on from ---------------------------------------------------------------------- */

static void expect_anew(bench *b, const ss_record *whole, const char *sentence)
{
    ss_record r;
    n_warnings = 0;
    CU_ASSERT_EQUAL(run(b, -1, &r), 0);
    if (n_warnings != 1 || !strstr(last_warning, sentence))
        fprintf(stderr, "\n    `%s` expected, %d warnings: %s\n", sentence, n_warnings, last_warning);
    CU_ASSERT_EQUAL(n_warnings, 1);
    CU_ASSERT(strstr(last_warning, "begins anew") && strstr(last_warning, sentence));
    CU_ASSERT(ss_record_same(whole, &r));
    ss_record_finish(&r);
}

static void leave_checkpoint(bench *b, long at)
{
    ss_record part;
    CU_ASSERT_EQUAL_FATAL(run(b, at, &part), 1);
    ss_record_finish(&part);
}

static void damaged(void)
{
    listen_to_log();
    for (size_t j = 0; j < 2; j++) {
        bench b;
        bench_open(&b, jobs[j]);
        ss_record whole = unbroken(&b);
        long n_polls = b.polled;
        for (int i = 0; i < 6; i++) { /* bytes flipped anywhere, files cut anywhere */
            struct stat st;
            unsigned char byte;
            leave_checkpoint(&b, draw(n_polls - 1));
            int fd = open(b.path, O_RDWR);
            CU_ASSERT_FATAL(fd >= 0 && fstat(fd, &st) == 0);
            off_t at = draw((long)st.st_size);
            CU_ASSERT_EQUAL(pread(fd, &byte, 1, at), 1);
            byte ^= (unsigned char)(1 << draw(8));
            if (i % 2) CU_ASSERT_EQUAL(ftruncate(fd, at), 0);
            if (i % 2 == 0) CU_ASSERT_EQUAL(pwrite(fd, &byte, 1, at), 1);
            close(fd);
            expect_anew(&b, &whole, b.path);
        }
        ss_record_finish(&whole);
        bench_close(&b);
    }
    ss_log_set_sink(NULL, NULL);
}

/* Whole files with whole checksums that say what cannot be: pieces of a real one, one of them replaced. */
typedef struct forgery { const char *piece; size_t number; int64_t value; const char *sentence; } forgery;

static void forge(bench *b, const forgery *f)
{
    static const char *const names[] = {
        "epoch", "step", "batch_loss", "gradient_norm", "theta", "stats", "velocity", "point", "point_real", "history", "track",
        "made_on", "lanczos", "lanczos_real", "lanczos_t", "lanczos_below", "lanczos_alpha", "lanczos_beta",
        "lanczos_value", "lanczos_residual", "lanczos_vector", "lanczos_basis", "between", "between_real", "between_eigenvalue", "between_warm", "warm"};
    ss_checkpoint *c;
    ss_pieces list = {0};
    CU_ASSERT_EQUAL_FATAL(ss_checkpoint_open(b->path, b->id, &c, NULL), 1);
    ss_checkpoint_head head = *ss_checkpoint_head_of(c);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        int64_t bytes = ss_checkpoint_bytes(c, names[i]);
        if (bytes < 0) continue;
        ss_piece piece = {names[i], ss_alloc((size_t)bytes, 1), (size_t)bytes};
        CU_ASSERT_EQUAL(ss_checkpoint_read(c, &piece, NULL), 0);
        bool ours = strcmp(names[i], f->piece) == 0;
        if (ours && f->number == SIZE_MAX) piece.bytes = (size_t)f->value; /* another length */
        else if (ours) memcpy((char *)piece.data + 8 * f->number, &f->value, 8);
        ss_pieces_add(&list, piece.name, piece.data, piece.bytes);
    }
    ss_checkpoint_close(c);
    CU_ASSERT_EQUAL(ss_checkpoint_write(b->path, &head, &list, NULL), 0);
    for (size_t i = 0; i < list.n; i++) ss_free(list.piece[i].data);
}

static void forged(void)
{
    static const forgery training[] = {
        {"step", 0, -1, "step -1"}, {"step", 0, 1000000, "step 1000000"}, {"epoch", 0, INT64_MAX, "in epoch 9223372036854775807"},
        {"epoch", 0, -5, "in epoch -5"}, {"theta", SIZE_MAX, 8, "piece theta has 8 bytes"},
        {"velocity", SIZE_MAX, 0, "piece velocity has 0 bytes"}, {"history", SIZE_MAX, 60, "60 bytes of history are no rows"},
        {"track", SIZE_MAX, 8, "8 bytes of track are no rows"}, {"point", 0, 1, "state 1"}, {"point", 1, 3, "phase 3"},
        {"point", 1, -1, "phase -1"}, {"point", 2, 99, "of another program"}, {"point", 3, 7, "7 and 10 columns"},
        {"point", 1, 1, "is not one at which curvature is tracked"}, {"point", 1, 2, "has no piece between"},
        {"point", 6, 1, "piece warm has 0 bytes"},
        {"point_real", 0, -1, "of another program"} /* -1 is a NaN */,
    };
    static const forgery measuring[] = {
        {"lanczos", 0, 1, "state 1 of a Lanczos run"}, {"lanczos", 5, 1 << 20, "contradict each other"},
        {"lanczos_t", 0, -1, "not finite"}, {"lanczos_basis", SIZE_MAX, 4, "piece lanczos_basis has 4 bytes"},
        {"between", 0, 4, "of 3 expected"}, {"between", 1, 3, "point 3 of 3"}, {"between_eigenvalue", SIZE_MAX, 8, "has 8 bytes"},
        {"lanczos", 3, 1, "expected 2 on"}, {"lanczos", 6, 1 << 20, "contradict each other"},
        {"lanczos_real", 3, 0, "contradict each other"} /* a share of nothing */, {"lanczos_below", 0, -1, "not finite"},
        {"between_warm", SIZE_MAX, 8, "piece between_warm has 8 bytes"},
    };
    bench b;
    listen_to_log();
    bench_open(&b, jobs[1]);
    ss_record whole = unbroken(&b);
    long n_polls = b.polled, n_last = whole.hvp_count;
    for (size_t i = 0; i < sizeof training / sizeof *training; i++) {
        leave_checkpoint(&b, (n_polls - n_last) / 2); /* in the middle of training: steps have their polls there */
        forge(&b, &training[i]);
        expect_anew(&b, &whole, training[i].sentence);
    }
    for (size_t i = 0; i < sizeof measuring / sizeof *measuring; i++) {
        leave_checkpoint(&b, n_polls - 3);            /* in the search's last point */
        forge(&b, &measuring[i]);
        expect_anew(&b, &whole, measuring[i].sentence);
    }
    ss_record_finish(&whole);
    bench_close(&b);
    ss_log_set_sink(NULL, NULL);
}

/* Another point's checkpoint under this one's name. */
static void foreign(void)
{
    bench a, b;
    char kept[420];
    listen_to_log();
    bench_open(&a, jobs[2]);
    bench_open(&b, jobs[3]);
    ss_record whole = unbroken(&b);
    leave_checkpoint(&a, 10);
    snprintf(kept, sizeof kept, "%s", a.path);
    CU_ASSERT_EQUAL(mkdir(b.folder, 0777), 0);
    CU_ASSERT_EQUAL(rename(kept, b.path), 0);
    expect_anew(&b, &whole, "belongs to point");
    ss_record_finish(&whole);
    bench_close(&a);
    bench_close(&b);
    ss_log_set_sink(NULL, NULL);
}

/* ---- saving that fails, memory that fails ------------------------------------------------------------------------------ */

static void unwritable(void)
{
    bench b;
    bool told = false;
    listen_to_log();
    bench_open(&b, jobs[0]);
    ss_record whole = unbroken(&b), r;
    b.trial.checkpoint_folder = "/proc/none/here";
    b.trial.checkpoint_trouble_told = &told;
    for (int i = 0; i < 3; i++) {
        CU_ASSERT_EQUAL(run(&b, 10, &r), 1); /* interrupted all the same */
        ss_record_finish(&r);
    }
    CU_ASSERT(told && n_warnings == 1 && strstr(last_warning, "/proc/none/here"));
    CU_ASSERT_EQUAL(run(&b, -1, &r), 0);
    CU_ASSERT(ss_record_same(&whole, &r) && n_warnings == 1);
    ss_record_finish(&r);
    ss_record_finish(&whole);
    bench_close(&b);
    ss_log_set_sink(NULL, NULL);
}

static void memory(void)
{
    bench b;
    listen_to_log();
    bench_open(&b, jobs[1]);
    ss_record whole = unbroken(&b), r;
    long n_polls = b.polled, n = 0;
    bool done = false;
    leave_checkpoint(&b, n_polls - 3);
    for (; !done && n < 3000; n += n < 60 ? 1 : 7) {
        ss_alloc_fail_after(n);
        CU_ASSERT_EQUAL(run(&b, -1, &r), 0);
        ss_alloc_fail_after(-1);
        done = r.status != SS_FAILED;
        if (done) CU_ASSERT(ss_record_same(&whole, &r));
        if (!done) CU_ASSERT(r.error[0] && isnan(r.lambda_max));
        CU_ASSERT_EQUAL(access(b.path, F_OK), 0); /* the next attempt has it */
        ss_record_finish(&r);
    }
    CU_ASSERT(n > 30 && done);
    ss_record_finish(&whole);
    bench_close(&b);
    ss_log_set_sink(NULL, NULL);
}

static void switched_off(void)
{
    char text[2048];
    bench b;
    ss_record r;
    snprintf(text, sizeof text, "%ssweep: {checkpoint_interval_s: 0}\n", jobs[2]);
    bench_open(&b, text);
    CU_ASSERT_EQUAL(run(&b, 5, &r), 1);
    CU_ASSERT_EQUAL(access(b.folder, F_OK), -1);
    ss_record_finish(&r);
    bench_close(&b);
}

/* ---- how often -------------------------------------------------------------------------------------------------------- */

/* What test_bookmark shows of saving's share of the time, measured: a point that is saved as often as it may be. */
static double spent_s, took_s;
static long long n_saved;

static void read_cost(void *ctx, ss_log_level level, const char *line)
{
    (void)ctx;
    const char *at = level == SS_LOG_DEBUG ? strstr(line, " checkpoints in ") : NULL;
    if (!at) return;
    while (at[-1] >= '0' && at[-1] <= '9') at--;
    if (sscanf(at, "%lld checkpoints in %lf of %lf s", &n_saved, &spent_s, &took_s) != 3) n_saved = -1;
}

static void measured_share(void)
{
    bench b;
    ss_record r;
    bench_open(&b, DATA "model: {network: mlp, widths: [64, 64]}\n"
               "training: {max_epochs: 100000, max_steps: 240000, batch_size: 8, target_train_accuracy: 0, momentum: 0.9,"
               " evaluate_every_epochs: 100}\ncurvature: {curvature_examples: 64}\nsweep: {checkpoint_interval_s: 1e-6}\n");
    ss_log_configure(SS_LOG_DEBUG, NULL);
    ss_log_set_sink(read_cost, NULL);
    CU_ASSERT_EQUAL(run(&b, -1, &r), 0);
    ss_log_set_sink(NULL, NULL);
    fprintf(stderr, "\n    %lld checkpoints in %.4f of %.3f s: %.2f %% ", n_saved, spent_s, took_s, 100 * spent_s / took_s);
    CU_ASSERT(n_saved > 0 && took_s > 0.3);
    CU_ASSERT(spent_s <= 0.02 * took_s + spent_s / (double)n_saved); /* the last may have taken longer than foreseen */
    CU_ASSERT_EQUAL(access(b.path, F_OK), 0);
    ss_record_finish(&r);
    bench_close(&b);
}

static const ss_case cases[] = {
    {"20 random moments of training and of Lanczos", random_moments},
    {"every moment of checks that start warm", every_moment},
    {"interrupted many times", many_times},
    {"damaged files", damaged},
    {"forged files", forged},
    {"another point's file", foreign},
    {"a folder that cannot be written", unwritable},
    {"memory", memory},
    {"switched off", switched_off},
    {"measured share of the time", measured_share},
};

int main(void)
{
    const char *given = getenv("SS_SEED");
    seed = given ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);
    return ss_suite_run("app/checkpoint", cases, sizeof cases / sizeof *cases);
}
