/* test_forgery.c - checkpoints that cannot be gone on from: damaged, forged, another point's. Each is said in one sentence, and
 * the point begins anew. */
#include "interrupted.h"

#include <time.h>

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
        "lanczos_value", "lanczos_residual", "lanczos_vector", "lanczos_basis", "between", "between_real", "between_eigenvalue", "between_warm", "warm",
        "measures", "row", "record", "top"};
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
        {"track", SIZE_MAX, 8, "8 bytes of track are no rows"}, {"point", 0, 1, "state 1"}, {"point", 1, 5, "phase 5"}, {"point", 8, 13, "of another program"},
        {"point", 1, 3, "has no piece measures"}, {"point", 1, 4, "has no piece record"},
        {"point", 1, -1, "phase -1"}, {"point", 2, 99, "of another program"}, {"point", 3, 7, "7 and 30 columns"},
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

/* The same between measures. */
static void forged_measures(void)
{
    static const forgery measures[] = {
        {"record", 0, 0, "damaged record: it does not begin with SSR1"}, {"record", SIZE_MAX, 40, "damaged record"},
        {"measures", SIZE_MAX, 8, "piece measures has 8 bytes"}, {"top", SIZE_MAX, 8, "piece top has 8 bytes"},
        {"point", 8, -1, "of another program"}, {"point_real", 10, -1, "of another program"} /* a NaN */,
    };
    bench b;
    listen_to_log();
    bench_open(&b, jobs[MEASURES_JOB]);
    ss_record whole = unbroken(&b);
    long n_polls = b.polled;
    for (size_t i = 0; i < sizeof measures / sizeof *measures; i++) {
        leave_checkpoint(&b, n_polls - 3);
        forge(&b, &measures[i]);
        expect_anew(&b, &whole, measures[i].sentence);
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

static const ss_case cases[] = {
    {"damaged files", damaged},
    {"forged files", forged},
    {"forged measures", forged_measures},
    {"another point's file", foreign},
};

int main(void)
{
    const char *given = getenv("SS_SEED");
    seed = given ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);
    return ss_suite_run("app/forgery", cases, sizeof cases / sizeof *cases);
}
