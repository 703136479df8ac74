/* checkpoint.c - the state of a point in the making, as a file that is either whole or refused.
 *
 *   head    "SSCKPT\r\n"  u32 version  u32 byte order  u64 bytes of the file  32 characters of identity  16 of phase
 *           i64 epoch, step, products  f64 train_s, curvature_s  i64 time saved (Unix)  u32 n_pieces  u32 CRC of all before
 *   table   per piece: 24 characters of name, u64 bytes, u32 CRC of its data;  then u32 CRC of the table
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

#include "bytes.h"
#include "h5.h"

enum { VERSION = 1, HEAD_BYTES = 128, ENTRY_BYTES = SS_PIECE_NAME_BYTES + 12, ID_BYTES = SS_ID_BYTES - 1, BLOCK_BYTES = 1 << 18 };
static const char magic[8] = {'S', 'S', 'C', 'K', 'P', 'T', '\r', '\n'};
static const uint32_t order_mark = 0x01020304; /* as this machine's memory has it: pieces are not translated */

typedef struct entry { char name[SS_PIECE_NAME_BYTES]; uint64_t bytes, offset; uint32_t crc; } entry;

struct ss_checkpoint {
    int fd;
    char path[SS_PATH_BYTES];
    ss_checkpoint_head head;
    uint32_t n;
    entry *entry;
};

/* ---- writing ---------------------------------------------------------------------------------------------------- */

static void put_real(ss_bytes *b, double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    ss_bytes_u64(b, bits);
}

static void put_fixed(ss_bytes *b, const char *text, size_t bytes)
{
    char place[64] = {0};
    memcpy(place, text, strnlen(text, bytes));
    ss_bytes_raw(b, place, bytes);
}

static void put_head(ss_bytes *b, const ss_checkpoint_head *head, const ss_pieces *state)
{
    uint64_t bytes = HEAD_BYTES + state->n * ENTRY_BYTES + 4 + ss_pieces_bytes(state);
    ss_bytes_raw(b, magic, sizeof magic);
    ss_bytes_u32(b, VERSION);
    ss_bytes_raw(b, &order_mark, sizeof order_mark);
    ss_bytes_u64(b, bytes);
    put_fixed(b, head->id, ID_BYTES);
    put_fixed(b, head->phase, sizeof head->phase);
    ss_bytes_u64(b, (uint64_t)head->epoch);
    ss_bytes_u64(b, (uint64_t)head->step);
    ss_bytes_u64(b, (uint64_t)head->products);
    put_real(b, head->train_s);
    put_real(b, head->curvature_s);
    ss_bytes_u64(b, (uint64_t)time(NULL));
    ss_bytes_u32(b, (uint32_t)state->n);
    if (!b->failed) ss_bytes_u32(b, ss_crc32(0, b->p, b->n));
}

static void put_table(ss_bytes *b, const ss_pieces *state)
{
    size_t from = b->n;
    for (size_t i = 0; i < state->n; i++) {
        const ss_piece *p = &state->piece[i];
        put_fixed(b, p->name, SS_PIECE_NAME_BYTES);
        ss_bytes_u64(b, p->bytes);
        ss_bytes_u32(b, ss_crc32(0, p->data, p->bytes));
    }
    if (!b->failed) ss_bytes_u32(b, ss_crc32(0, b->p + from, b->n - from));
}

static int write_pieces(ss_replacement *r, const ss_bytes *front, const ss_pieces *state)
{
    uint64_t at = front->n;
    int rc = ss_file_write_at(r->fd, front->p, front->n, 0);
    for (size_t i = 0; rc == 0 && i < state->n; at += state->piece[i].bytes, i++)
        rc = ss_file_write_at(r->fd, state->piece[i].data, state->piece[i].bytes, at);
    return rc;
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
    int rc = front.failed ? ss_fail(error, "%s: no memory for its head", path) : replace_file(path, &front, state, error);
    ss_bytes_finish(&front);
    return rc;
}

/* ---- reading: the file may hold anything ------------------------------------------------------------------------ */

static int read_at(int fd, void *out, size_t n, uint64_t at, ss_error *error)
{
    int64_t got = ss_file_read_at(fd, out, n, at);
    return got == (int64_t)n ? 0 : ss_fail(error, "cannot be read: %s", got < 0 ? strerror(errno) : "its end came early");
}

static double get_real(ss_view *v)
{
    uint64_t bits = ss_view_u64(v);
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* A fixed place of text, into n + 1 characters. */
static void get_fixed(ss_view *v, size_t n, char *out)
{
    const unsigned char *p = ss_view_raw(v, n);
    memcpy(out, p ? (const char *)p : "", p ? n : 0);
    out[p ? n : 0] = '\0';
}

static int parse_head(const unsigned char bytes[HEAD_BYTES], uint64_t size, ss_checkpoint_head *head, uint32_t *n_pieces,
                      ss_error *error)
{
    ss_view v = {bytes, bytes + HEAD_BYTES, false};
    char phase[sizeof head->phase + 1];
    if (memcmp(ss_view_raw(&v, sizeof magic), magic, sizeof magic) != 0)
        return ss_fail(error, "is no checkpoint of sharpsweep");
    uint32_t version = ss_view_u32(&v);
    if (version != VERSION) return ss_fail(error, "has format version %u, expected %d", version, VERSION);
    if (ss_crc32(0, bytes, HEAD_BYTES - 4) != ss_bytes_get_u32(bytes + HEAD_BYTES - 4))
        return ss_fail(error, "is damaged: its head does not have the checksum it was written with");
    if (memcmp(ss_view_raw(&v, 4), &order_mark, 4) != 0)
        return ss_fail(error, "comes from a machine with another byte order");
    uint64_t bytes_said = ss_view_u64(&v);
    if (bytes_said != size)
        return ss_fail(error, "is damaged: it has %llu bytes, expected %llu", (unsigned long long)size,
                       (unsigned long long)bytes_said);
    get_fixed(&v, ID_BYTES, head->id);
    get_fixed(&v, sizeof head->phase, phase);
    phase[sizeof head->phase - 1] = '\0';
    memcpy(head->phase, phase, sizeof head->phase);
    head->epoch = (int64_t)ss_view_u64(&v);
    head->step = (int64_t)ss_view_u64(&v);
    head->products = (int64_t)ss_view_u64(&v);
    head->train_s = get_real(&v);
    head->curvature_s = get_real(&v);
    head->saved_unix_s = (int64_t)ss_view_u64(&v);
    *n_pieces = ss_view_u32(&v);
    return *n_pieces <= SS_MAX_PIECES ? 0 : ss_fail(error, "has %u pieces, expected at most %d", *n_pieces, SS_MAX_PIECES);
}

/* 1 and an open file with its head; 0: there is none; -1. */
static int open_head(const char *path, int *fd, ss_checkpoint_head *head, uint32_t *n_pieces, uint64_t *size, ss_error *error)
{
    unsigned char bytes[HEAD_BYTES];
    if (access(path, F_OK) && (errno == ENOENT || errno == ENOTDIR)) return 0;
    *fd = ss_file_open(path, O_RDONLY, size, error);
    if (*fd < 0) return -1;
    int rc = *size >= HEAD_BYTES ? 0 : ss_fail(error, "is damaged: it has only %llu bytes", (unsigned long long)*size);
    if (rc == 0) rc = read_at(*fd, bytes, sizeof bytes, 0, error);
    if (rc == 0) rc = parse_head(bytes, *size, head, n_pieces, error);
    if (rc == 0) return 1;
    close(*fd);
    return ss_fail_in(error, "%s", path);
}

static int parse_table(ss_checkpoint *c, const unsigned char *bytes, uint64_t size, ss_error *error)
{
    size_t n = (size_t)c->n * ENTRY_BYTES;
    uint64_t at = HEAD_BYTES + n + 4;
    if (ss_crc32(0, bytes, n) != ss_bytes_get_u32(bytes + n))
        return ss_fail(error, "is damaged: its table does not have the checksum it was written with");
    ss_view v = {bytes, bytes + n, false};
    for (uint32_t i = 0; i < c->n; i++) {
        entry *e = &c->entry[i];
        char name[SS_PIECE_NAME_BYTES + 1];
        get_fixed(&v, SS_PIECE_NAME_BYTES, name);
        memcpy(e->name, name, sizeof e->name);
        e->name[sizeof e->name - 1] = '\0';
        e->bytes = ss_view_u64(&v);
        e->crc = ss_view_u32(&v);
        e->offset = at;
        if (e->bytes > size - at) return ss_fail(error, "is damaged: piece %s goes beyond its end", e->name);
        at += e->bytes;
    }
    return at == size ? 0 : ss_fail(error, "is damaged: %llu bytes follow its pieces", (unsigned long long)(size - at));
}

static int read_table(ss_checkpoint *c, uint64_t size, ss_error *error)
{
    size_t n = (size_t)c->n * ENTRY_BYTES + 4;
    if (n > size - HEAD_BYTES) return ss_fail(error, "is damaged: its table goes beyond its end");
    unsigned char *bytes = ss_alloc(n, 1);
    c->entry = ss_alloc(c->n, sizeof *c->entry);
    int rc = bytes && c->entry ? read_at(c->fd, bytes, n, HEAD_BYTES, error) : ss_fail(error, "no memory for its table");
    if (rc == 0) rc = parse_table(c, bytes, size, error);
    ss_free(bytes);
    return rc;
}

/* Before any of it is used: the checksums of all pieces. */
static int check_data(const ss_checkpoint *c, ss_error *error)
{
    unsigned char *block = ss_alloc(BLOCK_BYTES, 1);
    int rc = block ? 0 : ss_fail(error, "no memory for a checksum");
    for (uint32_t i = 0; rc == 0 && i < c->n; i++) {
        const entry *e = &c->entry[i];
        uint32_t crc = 0;
        for (uint64_t done = 0; rc == 0 && done < e->bytes;) {
            size_t n = e->bytes - done < BLOCK_BYTES ? (size_t)(e->bytes - done) : BLOCK_BYTES;
            rc = read_at(c->fd, block, n, e->offset + done, error);
            if (rc == 0) crc = ss_crc32(crc, block, n);
            done += n;
        }
        if (rc == 0 && crc != e->crc)
            rc = ss_fail(error, "is damaged: piece %s does not have the checksum it was written with", e->name);
    }
    ss_free(block);
    return rc;
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
    if (rc == 0) rc = check_data(c, error);
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

static const entry *find(const ss_checkpoint *c, const char *name)
{
    for (uint32_t i = 0; i < c->n; i++)
        if (strcmp(c->entry[i].name, name) == 0) return &c->entry[i];
    return NULL;
}

int64_t ss_checkpoint_bytes(const ss_checkpoint *c, const char *name)
{
    const entry *e = find(c, name);
    return e ? (int64_t)e->bytes : -1;
}

int ss_checkpoint_read(const ss_checkpoint *c, const ss_piece *piece, ss_error *error)
{
    const entry *e = find(c, piece->name);
    if (!e) return ss_fail(error, "%s: has no piece %s", c->path, piece->name);
    if (e->bytes != piece->bytes)
        return ss_fail(error, "%s: piece %s has %llu bytes, expected %zu", c->path, e->name, (unsigned long long)e->bytes,
                       piece->bytes);
    return read_at(c->fd, piece->data, piece->bytes, e->offset, error) ? ss_fail_in(error, "%s", c->path) : 0;
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
