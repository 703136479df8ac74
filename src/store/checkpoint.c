/* checkpoint.c - the state of a point in the making, as a file that is either whole or refused.
 *
 *   head    see below; the byte order's mark is 01020304 in that of the machine, for nothing is translated
 *   table   per piece an entry; then u32 CRC of the table
 *   data    the pieces, one after the other, to the end of the file, as they lay in memory
 *
 * Written under a temporary name, synced, renamed, the folder synced: what stands under the name is a whole file or the one
 * before it. Everything is checked before anything is believed, lengths against the file's size before they are used. */
#include "checkpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { VERSION = 1, ORDER_MARK = 0x01020304 };
static const char magic[8] = {'S', 'S', 'C', 'K', 'P', 'T', '\r', '\n'};

/* As they lie in the file; texts are filled up with zeros. */
typedef struct file_head {
    char magic[8];
    uint32_t version, order;
    uint64_t bytes;               /* of the file */
    char id[SS_ID_BYTES - 1], phase[16];
    int64_t epoch, step, products;
    double train_s, curvature_s;
    int64_t saved_unix_s;
    uint32_t n, crc;              /* pieces; CRC of all before */
} file_head;
typedef struct file_entry { char name[SS_PIECE_NAME_BYTES]; uint32_t bytes[2], crc; } file_entry; /* bytes: low, high */
_Static_assert(sizeof(file_head) == 128 && sizeof(file_entry) == 36, "nothing is padded");

struct ss_checkpoint {
    int fd;
    char path[SS_PATH_BYTES];
    ss_checkpoint_head head;
    uint32_t n;
    file_entry *entry;            /* behind the last one the CRC of all */
};

/* ---- writing ---------------------------------------------------------------------------------------------------- */

static void put_head(ss_bytes *b, const ss_checkpoint_head *head, const ss_pieces *state)
{
    file_head h = {.version = VERSION, .order = ORDER_MARK, .epoch = head->epoch, .step = head->step, .products = head->products,
                   .train_s = head->train_s, .curvature_s = head->curvature_s, .saved_unix_s = (int64_t)time(NULL),
                   .n = (uint32_t)state->n};
    h.bytes = sizeof h + state->n * sizeof(file_entry) + sizeof h.crc + ss_pieces_bytes(state);
    memcpy(h.magic, magic, sizeof magic);
    memcpy(h.id, head->id, strnlen(head->id, sizeof h.id));
    memcpy(h.phase, head->phase, strnlen(head->phase, sizeof h.phase));
    h.crc = ss_crc32(0, &h, sizeof h - sizeof h.crc);
    ss_bytes_raw(b, &h, sizeof h);
}

static void put_table(ss_bytes *b, const ss_pieces *state)
{
    uint32_t crc = 0;
    for (size_t i = 0; i < state->n; i++) {
        const ss_piece *p = &state->piece[i];
        file_entry e = {.bytes = {(uint32_t)p->bytes, (uint32_t)((uint64_t)p->bytes >> 32)}};
        e.crc = ss_crc32(0, p->data, p->bytes);
        memcpy(e.name, p->name, strnlen(p->name, sizeof e.name));
        crc = ss_crc32(crc, &e, sizeof e);
        ss_bytes_raw(b, &e, sizeof e);
    }
    ss_bytes_raw(b, &crc, sizeof crc);
}

static int write_pieces(ss_replacement *r, const ss_bytes *front, const ss_pieces *state)
{
    uint64_t at = front->n;
    int rc = ss_file_write_at(r->fd, front->p, front->n, 0);
    for (size_t i = 0; rc == 0 && i < state->n; at += state->piece[i].bytes, i++)
        rc = ss_file_write_at(r->fd, state->piece[i].data, state->piece[i].bytes, at);
    return rc;
}

/* A state of the same point gives way; anything else that has taken the name is kept. */
static int keep_strangers(const char *path, const char *id, ss_error *error)
{
    ss_checkpoint_head head;
    char kept[SS_PATH_BYTES];
    int there = ss_checkpoint_peek(path, &head, NULL);
    if (there == 0 || (there == 1 && strcmp(head.id, id) == 0)) return 0;
    if (ss_file_keep(path, kept, error)) return -1;
    ss_log(SS_LOG_WARNING, "%s: is no checkpoint of this point, and is kept as %s", path, kept);
    return 0;
}

static int replace_file(const char *path, const ss_bytes *front, const ss_pieces *state, ss_error *error)
{
    ss_replacement r;
    if (ss_folder_make(path, error) || ss_replacement_begin(&r, path, error)) return -1;
    if (write_pieces(&r, front, state) == 0) return ss_replacement_commit(&r, false, false, error);
    ss_fail(error, "%s: cannot be written: %s", path, strerror(errno));
    ss_replacement_abandon(&r);
    return -1;
}

int ss_checkpoint_write(const char *path, const ss_checkpoint_head *head, const ss_pieces *state, ss_error *error)
{
    ss_bytes front = {0};
    put_head(&front, head, state);
    put_table(&front, state);
    int rc = keep_strangers(path, head->id, error);
    if (rc == 0 && front.failed) rc = ss_fail(error, "%s: no memory for its head", path);
    if (rc == 0) rc = replace_file(path, &front, state, error);
    ss_bytes_finish(&front);
    return rc;
}

/* ---- reading: the file may hold anything ------------------------------------------------------------------------ */

static int read_at(int fd, void *out, size_t n, uint64_t at, ss_error *error)
{
    int64_t got = ss_file_read_at(fd, out, n, at);
    return got == (int64_t)n ? 0 : ss_fail(error, "cannot be read: %s", got < 0 ? strerror(errno) : "its end came early");
}

static int parse_head(const file_head *h, uint64_t size, ss_checkpoint_head *head, ss_error *error)
{
    if (memcmp(h->magic, magic, sizeof magic) != 0) return ss_fail(error, "is no checkpoint of sharpsweep");
    if (h->version != VERSION) return ss_fail(error, "has format version %u, expected %d", h->version, VERSION);
    if (ss_crc32(0, h, sizeof *h - sizeof h->crc) != h->crc)
        return ss_fail(error, "is damaged: its head does not have the checksum it was written with");
    if (h->order != ORDER_MARK) return ss_fail(error, "comes from a machine with another byte order");
    if (h->bytes != size)
        return ss_fail(error, "is damaged: it has %llu bytes, expected %llu", (unsigned long long)size,
                       (unsigned long long)h->bytes);
    if (h->n > SS_MAX_PIECES) return ss_fail(error, "has %u pieces, expected at most %d", h->n, SS_MAX_PIECES);
    *head = (ss_checkpoint_head){.epoch = h->epoch, .step = h->step, .products = h->products, .train_s = h->train_s,
                                 .curvature_s = h->curvature_s, .saved_unix_s = h->saved_unix_s};
    memcpy(head->id, h->id, sizeof h->id);
    memcpy(head->phase, h->phase, sizeof h->phase - 1);
    return 0;
}

/* 1 and an open file with its head; 0: there is none; -1. */
static int open_head(const char *path, int *fd, ss_checkpoint_head *head, uint32_t *n_pieces, uint64_t *size, ss_error *error)
{
    file_head h;
    if (access(path, F_OK) && (errno == ENOENT || errno == ENOTDIR)) return 0;
    *fd = ss_file_open(path, O_RDONLY, size, error);
    if (*fd < 0) return -1;
    int rc = *size >= sizeof h ? 0 : ss_fail(error, "is damaged: it has only %llu bytes", (unsigned long long)*size);
    if (rc == 0) rc = read_at(*fd, &h, sizeof h, 0, error);
    if (rc == 0) rc = parse_head(&h, *size, head, error);
    if (rc == 0) {
        *n_pieces = h.n;
        return 1;
    }
    close(*fd);
    return ss_fail_in(error, "%s", path);
}

static uint64_t bytes_of(const file_entry *e)
{
    return e->bytes[0] | (uint64_t)e->bytes[1] << 32;
}

static uint64_t data_at(const ss_checkpoint *c)
{
    return sizeof(file_head) + c->n * sizeof(file_entry) + sizeof(uint32_t);
}

/* Before any of it is used: the table, and the checksums of all pieces. */
static int check_pieces(ss_checkpoint *c, uint64_t size, ss_error *error)
{
    uint64_t at = data_at(c);
    uint32_t crc;
    memcpy(&crc, c->entry + c->n, sizeof crc);
    if (crc != ss_crc32(0, c->entry, c->n * sizeof *c->entry))
        return ss_fail(error, "is damaged: its table does not have the checksum it was written with");
    for (uint32_t i = 0; i < c->n; i++) {
        file_entry *e = &c->entry[i];
        e->name[sizeof e->name - 1] = '\0';
        if (bytes_of(e) > size - at) return ss_fail(error, "is damaged: piece %s goes beyond its end", e->name);
        if (ss_file_copy(c->fd, at, bytes_of(e), -1, &crc, error)) return -1;
        if (crc != e->crc) return ss_fail(error, "is damaged: piece %s does not have the checksum it was written with", e->name);
        at += bytes_of(e);
    }
    return at == size ? 0 : ss_fail(error, "is damaged: %llu bytes follow its pieces", (unsigned long long)(size - at));
}

static int read_table(ss_checkpoint *c, uint64_t size, ss_error *error)
{
    if (data_at(c) > size) return ss_fail(error, "is damaged: its table goes beyond its end");
    c->entry = ss_alloc(c->n + 1u, sizeof *c->entry);
    if (!c->entry) return ss_fail(error, "no memory for its table");
    if (read_at(c->fd, c->entry, (size_t)(data_at(c) - sizeof(file_head)), sizeof(file_head), error)) return -1;
    return check_pieces(c, size, error);
}

int ss_checkpoint_open(const char *path, const char *id, ss_checkpoint **out, ss_error *error)
{
    uint64_t size = 0;
    ss_checkpoint *c = ss_alloc(1, sizeof *c);
    *out = NULL;
    if (!c) return ss_fail(error, "%s: no memory", path);
    int rc = open_head(path, &c->fd, &c->head, &c->n, &size, error);
    if (rc != 1) {
        ss_free(c);
        return rc;
    }
    snprintf(c->path, sizeof c->path, "%s", path);
    rc = 0;
    if (id && strcmp(id, c->head.id) != 0) rc = ss_fail(error, "belongs to point %s, not to %s", c->head.id, id);
    if (rc == 0) rc = read_table(c, size, error);
    if (rc == 0) {
        *out = c;
        return 1;
    }
    ss_checkpoint_close(c);
    return ss_fail_in(error, "%s", path);
}

const ss_checkpoint_head *ss_checkpoint_head_of(const ss_checkpoint *c)
{
    return &c->head;
}

static const file_entry *find(const ss_checkpoint *c, const char *name, uint64_t *at)
{
    *at = data_at(c);
    for (uint32_t i = 0; i < c->n; *at += bytes_of(&c->entry[i++]))
        if (strcmp(c->entry[i].name, name) == 0) return &c->entry[i];
    return NULL;
}

int64_t ss_checkpoint_bytes(const ss_checkpoint *c, const char *name)
{
    uint64_t at;
    const file_entry *e = find(c, name, &at);
    return e ? (int64_t)bytes_of(e) : -1;
}

int ss_checkpoint_read(const ss_checkpoint *c, const ss_piece *piece, ss_error *error)
{
    uint64_t at;
    const file_entry *e = find(c, piece->name, &at);
    if (!e) return ss_fail(error, "%s: has no piece %s", c->path, piece->name);
    if (bytes_of(e) != piece->bytes)
        return ss_fail(error, "%s: piece %s has %llu bytes, expected %zu", c->path, e->name, (unsigned long long)bytes_of(e),
                       piece->bytes);
    return read_at(c->fd, piece->data, piece->bytes, at, error) ? ss_fail_in(error, "%s", c->path) : 0;
}

void ss_checkpoint_close(ss_checkpoint *c)
{
    if (!c) return;
    close(c->fd);
    ss_free(c->entry);
    ss_free(c);
}

int ss_checkpoint_peek(const char *path, ss_checkpoint_head *head, ss_error *error)
{
    int fd;
    uint32_t n_pieces;
    uint64_t size;
    int rc = open_head(path, &fd, head, &n_pieces, &size, error);
    if (rc == 1) close(fd);
    return rc;
}
