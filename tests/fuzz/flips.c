/* flips.c - flips single bits of a small sweep's results file and journal, each alone and each beside the other, reads and repairs what
 * is left, and compares every row with the original one: what analysis/check_flips.py does with the program, here without starting
 * it, several times faster, so that every bit can have its turn: STEP 1 takes hours, two at once with FIRST 0 and 1 and STEP 2 half.
 *
 *   flips [STEP [FIRST]]    bits FIRST, FIRST + STEP, ... (0, 1, ...: all of them); a line per kind, and at most 10 per kind of fault
 *
 * Alone, at most the row whose entry was hit is lost; beside the other file, none. Each case is a process, for HDF5 may crash. */
#include <signal.h>
#include <sys/wait.h>

#include "sample.h"

enum { WRONG = 1, LOST = 2, UNREPAIRED = 4, SILENT = 8, SIGNALLED = 16, N_FAULTS = 5, MOST_LINES = 10, TIMEOUT_S = 10 };
static const char *const fault_text[N_FAULTS] = {"a wrong value is read", "rows are lost that were not hit", "verify finds faults after --repair",
                                                 "an error without a sentence", "crashes, or takes more than 10 s"};
typedef struct sweep { unsigned char *file, *journal; size_t n_file, n_journal; ss_results *original; } sweep;
typedef struct kind { const char *name; bool in_file, with_other; } kind;
static const kind kinds[] = {{"journal alone", false, false}, {"results file alone", true, false},
                             {"journal beside the file", false, true}, {"results file beside the journal", true, true}};

static void say(void *ctx, const char *line)
{
    (void)ctx;
    (void)line;
}

static int64_t find_row(const ss_results *r, const char *id)
{
    for (size_t i = 0; i < r->n; i++)
        if (strcmp(r->id[i], id) == 0) return (int64_t)i;
    return -1;
}

static bool same_row(const ss_results *a, size_t i, const ss_results *b, size_t k)
{
    if (a->n_columns != b->n_columns) return false;
    for (size_t c = 0; c < a->n_columns; c++) {
        const char *name = a->column[c].name;
        if (strcmp(name, "attempts") == 0 || strcmp(name, "worker") == 0) continue; /* they follow from notes of a start */
        if (strcmp(name, b->column[c].name) != 0 || strcmp(a->column[c].text[i], b->column[c].text[k]) != 0) return false;
    }
    return true;
}

/* Faults; with `hit`, rows must be there, all but the one of this id ("": none may lack). */
static int look(const sweep *s, const char *path, const char *hit)
{
    ss_error error = {{0}};
    int faults = 0;
    ss_results *r = ss_results_open(path, &error), *o = s->original;
    if (!r && !error.text[0]) faults |= SILENT;
    for (size_t i = 0; r && i < r->n; i++) {
        int64_t k = find_row(o, r->id[i]);
        if (k < 0 || (r->status[i] != SS_PENDING && !same_row(r, i, o, (size_t)k))) faults |= WRONG;
    }
    for (size_t k = 0; hit && k < o->n; k++) {
        if (o->status[k] == SS_PENDING || strcmp(o->id[k], hit) == 0) continue;
        int64_t i = r ? find_row(r, o->id[k]) : -1;
        if (i < 0 || r->status[i] == SS_PENDING) faults |= LOST;
    }
    ss_results_destroy(r);
    return faults;
}

/* The point whose DONE entry holds this byte. */
static void row_of(const unsigned char *p, size_t n, size_t byte, char id[SS_ID_BYTES])
{
    id[0] = '\0';
    for (size_t at = 0; at + 36 <= n && at <= byte; at++) {
        if (memcmp(p + at, "SSJE", 4) != 0 || sample_u32(p + at + 4) != 3) continue;
        if (byte >= at + 16 + (size_t)sample_u32(p + at + 8)) continue;
        for (int i = 0; i < 16; i++) snprintf(id + 2 * i, 3, "%02x", p[at + 20 + (size_t)i]);
    }
}

static int try_bit(const sweep *s, const kind *what, size_t bit)
{
    char path[600], journal[640], hit[SS_ID_BYTES];
    ss_error error = {{0}};
    unsigned char *p = what->in_file ? s->file : s->journal;
    size_t n = what->in_file ? s->n_file : s->n_journal;
    row_of(p, n, bit / 8, hit);
    if (what->with_other) hit[0] = '\0';
    p[bit / 8] ^= (unsigned char)(1 << bit % 8);
    scratch_make();
    snprintf(path, sizeof path, "%s/r.h5", scratch_folder);
    snprintf(journal, sizeof journal, "%s.journal", path);
    if (what->in_file || what->with_other) scratch_write("r.h5", s->file, s->n_file);
    if (!what->in_file || what->with_other) scratch_write("r.h5.journal", s->journal, s->n_journal);
    int faults = look(s, path, NULL);
    ss_store_verify(path, false, say, NULL, &error);
    int rc = ss_store_verify(path, true, say, NULL, &error);
    if (rc < 0 && !error.text[0]) faults |= SILENT;
    faults |= look(s, path, hit);
    if (rc >= 0 && ss_store_verify(path, false, say, NULL, &error) != 0) faults |= UNREPAIRED;
    return faults;
}

/* In a process of its own; faults as bits. Its folder is removed here, so that a crash leaves none either. */
static int try_apart(const sweep *s, const kind *what, size_t bit, const char *parent)
{
    int status;
    pid_t child = fork();
    if (child == 0) {
        setenv("TMPDIR", parent, 1);
        sample_limit_memory();
        alarm(TIMEOUT_S);
        signal(SIGTRAP, SIG_DFL);
        _exit(try_bit(s, what, bit));
    }
    if (child < 0 || waitpid(child, &status, 0) < 0) {
        perror("fork");
        exit(1);
    }
    sample_remove_all();
    return WIFEXITED(status) ? WEXITSTATUS(status) : SIGNALLED;
}

static size_t walk(const sweep *s, const kind *what, size_t step, size_t first)
{
    size_t n_bits = 8 * (what->in_file ? s->n_file : s->n_journal), n_cases = 0, count[N_FAULTS] = {0}, sum = 0;
    for (size_t bit = first; bit < n_bits; bit += step, n_cases++) {
        int faults = try_apart(s, what, bit, scratch_folder);
        for (int k = 0; k < N_FAULTS; k++)
            if (faults >> k & 1 && count[k]++ < MOST_LINES)
                printf("%s: byte %zu bit %zu: %s\n", what->name, bit / 8, bit % 8, fault_text[k]);
    }
    printf("%-32s %8zu of %8zu bits", what->name, n_cases, n_bits);
    for (int k = 0; k < N_FAULTS; sum += count[k++])
        if (count[k]) printf("; %zu: %s", count[k], fault_text[k]);
    printf("\n");
    fflush(stdout);
    return sum;
}

int main(int argc, char **argv)
{
    char path[600];
    ss_error error = {{0}};
    sweep s = {0};
    size_t step = argc > 1 ? strtoul(argv[1], NULL, 10) : 1, first = argc > 2 ? strtoul(argv[2], NULL, 10) : 0, faults = 0;
    if (access("/dev/shm", W_OK) == 0 && !getenv("TMPDIR")) setenv("TMPDIR", "/dev/shm", 1);
    scratch_make();
    scratch_silence();
    snprintf(path, sizeof path, "%s/seed.h5", scratch_folder);
    sample_sweep(path);
    s.file = sample_read(path, &s.n_file);
    s.journal = sample_read(scratch_path("seed.h5.journal"), &s.n_journal);
    s.original = ss_results_open(path, &error);
    if (!s.original || step == 0) return 2;
    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) faults += walk(&s, &kinds[k], step, first);
    printf("%zu faults\n", faults);
    ss_results_destroy(s.original);
    ss_free(s.file);
    ss_free(s.journal);
    return faults > 0;
}
