/* inspect.c - what state are the journal and the results file in, and do they belong together? Reads them; writes nothing. */
#include "checkpoint.h"
#include "inspect.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const char *const ss_state_name[SS_N_STATES] = {"absent", "empty", "whole", "torn", "damaged", "foreign", "of another sweep",
                                                "newer", "unreadable"};

static void take_first(void *ctx, const char *line)
{
    ss_error *why = ctx;
    if (!why->text[0]) ss_fail(why, "%s", line);
}

/* ABSENT, EMPTY, UNREADABLE, or WHOLE so far with its bytes in part->entries. */
static ss_state open_part(ss_part *part, const char *path)
{
    struct stat st;
    ss_entries *e = &part->entries;
    if (lstat(path, &st) && (errno == ENOENT || errno == ENOTDIR)) {
        ss_fail(&part->why, "%s: is missing", path);
        return SS_ABSENT;
    }
    snprintf(e->path, sizeof e->path, "%s", path);
    e->fd = ss_lock_borrow(path);
    e->borrowed = e->fd >= 0;
    if (e->borrowed) e->end = fstat(e->fd, &st) == 0 ? (uint64_t)st.st_size : 0;
    else e->fd = ss_file_open(path, O_RDONLY, &e->end, &part->why);
    if (e->fd < 0 && stat(path, &st) && errno == ENOENT) ss_place_fail_link(path, &part->why);
    if (e->fd < 0) return SS_UNREADABLE;
    if (e->end > 0) return SS_WHOLE;
    ss_fail(&part->why, "%s: is empty", path);
    return SS_EMPTY;
}

static bool has_entry(ss_part *part)
{
    uint64_t at;
    return ss_entries_find(&part->entries, part->entries.first, &at, NULL) == 1;
}

/* ---- the journal ------------------------------------------------------------------------------------------------ */

static ss_state read_header(ss_part *part, const char *path)
{
    uint32_t version = 0;
    bool damaged = false;
    int ours = ss_journal_header(part->entries.fd, &version, part->uuid, &damaged);
    if (ours < 0) {
        ss_fail(&part->why, "%s: cannot be read: %s", path, strerror(errno));
        return SS_UNREADABLE;
    }
    if (ours && !damaged && version != SS_JOURNAL_VERSION) {
        ss_fail(&part->why, "%s: has format version %u, this program knows %d; use the newer sharpsweep that made it", path,
                version,
                SS_JOURNAL_VERSION);
        return SS_NEWER;
    }
    part->has_uuid = ours && !damaged;
    part->entries.first = part->has_uuid ? SS_JOURNAL_HEADER_BYTES : 0; /* else wherever an entry is found */
    if (part->has_uuid) return SS_WHOLE;
    if (ours || has_entry(part)) {
        ss_fail(&part->why, "%s: the header is damaged", path);
        return SS_DAMAGED;
    }
    ss_fail(&part->why, "%s: is not a journal of sharpsweep", path);
    return SS_FOREIGN;
}

/* The journal's entries make the table; a damaged one's do not stay in it. */
static int inspect_journal(ss_inspection *in, ss_error *error)
{
    ss_part *part = &in->journal;
    part->state = open_part(part, in->journal_path);
    if (part->state != SS_WHOLE) return 0;
    struct stat st;
    in->writer_alive = ss_lock_is_held(part->entries.fd);
    if (fstat(part->entries.fd, &st) == 0) part->entries.end = (uint64_t)st.st_size; /* with its last words, if it is gone now */
    part->state = read_header(part, in->journal_path);
    if (part->state != SS_WHOLE) return 0;
    in->from_journal = (ss_join){.goes_on = true, .say = take_first, .ctx = &part->why};
    if (!(in->table = ss_table_create(error))) return -1;
    if (ss_table_join(in->table, &part->entries, &in->from_journal, &part->why)) part->state = SS_UNREADABLE;
    else if (in->from_journal.n_faults) part->state = SS_DAMAGED;
    else if (in->from_journal.torn_bytes) {
        part->state = SS_TORN;
        ss_fail(&part->why, "%s: the last %llu bytes are no whole entry: its writer was killed", in->journal_path,
                (unsigned long long)in->from_journal.torn_bytes);
    }
    return 0;
}

/* ---- the results file ------------------------------------------------------------------------------------------- */

/* Contiguous data are read where they lie in the file; others, as h5repack may have made them, through HDF5 into memory. */
static int take_entries(ss_part *part, hid_t set, ss_error *error)
{
    ss_entries copy;
    if (ss_h5_check_bytes(set, error)) return -1;
    haddr_t at = H5Dget_offset(set);
    hsize_t n = H5Dget_storage_size(set);
    if (at != HADDR_UNDEF && at <= part->entries.end && n <= part->entries.end - at) {
        part->entries.first = at;
        part->entries.end = at + n;
        return 0;
    }
    if (ss_entries_scratch(&copy, part->entries.path, error)) return -1;
    int rc = ss_h5_copy_bytes(set, copy.fd, &copy.end, error);
    ss_entries_close(rc ? &copy : &part->entries);
    if (rc == 0) part->entries = copy;
    return rc;
}

/* The file's entries: 1; 0: its version had none; -1. */
static int find_entries(ss_part *part, hid_t file, ss_error *error)
{
    hid_t group = -1, set = -1;
    int rc = ss_h5_open_member(file, "journal", H5I_GROUP, &group, error);
    if (rc == 0 && group >= 0) rc = ss_h5_open_member(group, "entries", H5I_DATASET, &set, error);
    if (rc == 0 && set >= 0) rc = take_entries(part, set, error) ? -1 : 1;
    ss_h5_close(&set);
    ss_h5_close(&group);
    return rc < 0 ? ss_fail_in(error, "%s", part->entries.path) : rc;
}

/* Every entry must make sense and together they must list the file's rows; of a file that no seal vouches for, every column is
 * held against them. */
static int check_entries(ss_part *part, ss_results_file *f, ss_error *error)
{
    ss_join join = {.deep = !part->sealed};
    ss_table *t = ss_table_create(error);
    int rc = t && ss_table_join(t, &part->entries, &join, error) == 0 ? 0 : -1;
    if (rc == 0 && (join.torn_bytes || t->n_rows != f->n))
        rc = ss_fail(error, "%s: its entries are not those of its %zu rows", part->entries.path, f->n);
    if (rc == 0 && !part->sealed && !part->earlier && ss_import_compare(f, t, error))
        rc = ss_fail_in(error, "%s", part->entries.path);
    ss_table_destroy(t);
    return rc;
}

static int import_columns(ss_part *part, ss_results_file *f, ss_error *error)
{
    ss_entries made;
    part->earlier = true;
    if (ss_entries_scratch(&made, part->entries.path, error)) return -1;
    if (ss_import(f, &made, error)) {
        ss_entries_close(&made);
        return ss_fail_in(error, "%s", part->entries.path);
    }
    ss_entries_close(&part->entries);
    part->entries = made;
    return 0;
}

/* Where memory or descriptors ran out, nothing is known of the file. */
static ss_state state_of(ss_part *part, ss_state state, size_t refusals)
{
    ss_error why = part->why;
    if (ss_alloc_refused(0) == refusals) return state;
    ss_fail(&part->why, "%s (memory or descriptors ran out)", why.text);
    return SS_UNREADABLE;
}

static ss_state read_here(ss_part *part, const char *path)
{
    size_t refusals = ss_alloc_refused(0);
    ss_state state;
    ss_results_file *f = ss_results_file_open(part->entries.fd, path, &state, &part->why);
    if (!f) return state_of(part, state, refusals);
    part->n_rows = f->n;
    part->has_uuid = ss_id_pack(f->uuid, part->uuid) == 0;
    int rc = find_entries(part, f->place[SS_IN_ROOT], &part->why);
    bool columns = rc == 0 || (rc > 0 && !part->sealed); /* else the entries say all */
    if (columns && ss_results_file_columns(f, &part->why)) rc = ss_fail_in(&part->why, "%s", path);
    if (rc == 0) rc = import_columns(part, f, &part->why);
    if (rc >= 0) rc = check_entries(part, f, &part->why);
    ss_results_file_close(f);
    return rc ? state_of(part, SS_DAMAGED, refusals) : SS_WHOLE;
}

static void read_there(void *ctx)
{
    ss_part *part = ctx;
    char path[SS_PATH_BYTES];
    strcpy(path, part->entries.path);
    read_here(part, path);
}

static ss_state read_contents(ss_part *part, const char *path)
{
    ss_part copy = *part;         /* its descriptors are the other process's own */
    int rc = ss_h5_survives(path, part->entries.end, read_there, &copy, &part->why);
    if (rc) return rc == SS_H5_NO_TIME ? SS_UNREADABLE : SS_DAMAGED;
    return read_here(part, path);
}

/* No HDF5 file: one whose first bytes were hit holds entries and still looks like one; an archive of results files does not. */
static ss_state tell_strange(ss_part *part, const char *path, const char start[8], const char signature[8])
{
    uint32_t version;
    unsigned char uuid[SS_UUID_BYTES];
    bool damaged;
    int n_same = 0;
    for (int i = 0; i < 8; i++) n_same += start[i] == signature[i];
    if (n_same >= 4 && has_entry(part)) {
        ss_fail(&part->why, "%s: is damaged: it does not begin as an HDF5 file does", path);
        return SS_DAMAGED;
    }
    if (ss_journal_header(part->entries.fd, &version, uuid, &damaged) == 1)
        ss_fail(&part->why, "%s: is a journal of sharpsweep, and the name of the results file is needed", path);
    else
        ss_fail(&part->why, "%s: is not an HDF5 file (%llu bytes), so it is no results file of sharpsweep", path,
                (unsigned long long)part->entries.end);
    return SS_FOREIGN;
}

static void inspect_file(ss_inspection *in)
{
    static const char signature[8] = "\211HDF\r\n\032\n";
    char start[sizeof signature] = "";
    ss_part *part = &in->file;
    part->state = open_part(part, in->path);
    if (part->state != SS_WHOLE) return;
    int sealed = ss_h5_check_seal(part->entries.fd, part->entries.end, &part->why);
    bool is_hdf5 = ss_file_read_at(part->entries.fd, start, sizeof start, 0) == sizeof start &&
                   memcmp(start, signature, sizeof start) == 0;
    part->sealed = sealed == 1;
    if (sealed < 0) {
        ss_fail_in(&part->why, "%s", in->path);
        part->state = sealed == -1 ? SS_DAMAGED : SS_UNREADABLE;
    } else if (!is_hdf5) {
        part->state = tell_strange(part, in->path, start, signature);
    } else {
        part->state = read_contents(part, in->path);
    }
}

/* ---- together --------------------------------------------------------------------------------------------------- */

/* A journal whose header is damaged belongs to a file with which it shares a JOB entry, byte for byte but for the number. */
static bool shares_a_job(ss_part *a, ss_part *b)
{
    ss_join quiet = {.goes_on = true}, other = quiet;
    ss_table *t = ss_table_create(NULL);
    bool shares = t && ss_table_join(t, &a->entries, &quiet, NULL) == 0 && ss_table_join(t, &b->entries, &other, NULL) == 0 &&
                  other.n_same_sessions > 0;
    ss_table_destroy(t);
    return shares;
}

static void check_relation(ss_inspection *in)
{
    ss_part *j = &in->journal, *f = &in->file;
    char a[2 * SS_UUID_BYTES + 1], b[sizeof a];
    bool journal = j->state == SS_WHOLE || j->state == SS_TORN || j->state == SS_DAMAGED;
    if (!journal || (f->state != SS_WHOLE && f->state != SS_DAMAGED)) return;
    if ((f->state == SS_DAMAGED && !has_entry(f)) || (j->state == SS_DAMAGED && !has_entry(j)))
        return; /* nothing says whose it is, and nothing is taken from it */
    if (f->has_uuid && memcmp(j->uuid, f->uuid, SS_UUID_BYTES) == 0) {
        if (f->earlier && !f->sealed && f->state == SS_WHOLE) {
            ss_fail(&f->why, "%s: has neither entries nor a seal, so that nothing proves what it holds", in->path);
            f->state = SS_DAMAGED;
        }
        return;
    }
    if (!(j->has_uuid && f->has_uuid) && shares_a_job(j, f)) return;
    ss_id_format(j->uuid, a);
    ss_id_format(f->uuid, b);
    if (j->has_uuid && f->has_uuid)
        ss_fail(&f->why, "%s: does not belong to the journal beside it (%s, the journal is %s)", in->path, b, a);
    else
        ss_fail(&f->why, "%s: does not belong to the journal beside it: they share no job", in->path);
    f->state = SS_OTHER;
}

static void inspect_folder(const char *path, ss_state *state)
{
    struct stat st;
    if (lstat(path, &st)) *state = SS_ABSENT;
    else if (stat(path, &st) || !S_ISDIR(st.st_mode)) *state = SS_FOREIGN;
    else *state = faccessat(AT_FDCWD, path, W_OK | X_OK, AT_EACCESS) ? SS_UNREADABLE : SS_WHOLE;
}

int ss_inspect(const char *path, ss_inspection *in, ss_error *error)
{
    *in = (ss_inspection){.journal.entries.fd = -1, .file.entries.fd = -1};
    if (ss_store_resolve(path, in->path, error) || ss_journal_path(in->path, in->journal_path, error)) return -1;
    if (ss_weights_folder(in->path, in->weights_path, sizeof in->weights_path) < 0 ||
        ss_checkpoint_folder(in->path, in->checkpoints_path, sizeof in->checkpoints_path, NULL))
        return ss_fail(error, "%s: the name is too long to put weights and checkpoints beside it", path);
    inspect_folder(in->weights_path, &in->weights);
    inspect_folder(in->checkpoints_path, &in->checkpoints);
    if (inspect_journal(in, error)) return -1;
    inspect_file(in);
    check_relation(in);
    return 0;
}

void ss_inspection_finish(ss_inspection *in)
{
    ss_table_destroy(in->table);
    in->table = NULL;
    ss_entries_close(&in->journal.entries);
    ss_entries_close(&in->file.entries);
}
