/* entries.c - reading entries: magic "SSJE", kind, length, CRC-32 over kind, length and payload; payload. Every length is held
 * against the bytes that are there before it is used. */
#include "entries.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { WINDOW_BYTES = 256 * 1024, MOST_WASTE = 16 }; /* of the file's size: bytes made to look like entries end the search */
static const char entry_magic[4] = "SSJE";
#define MAX_PAYLOAD ((uint32_t)1 << 30)

int ss_entries_scratch(ss_entries *e, const char *path, ss_error *error)
{
    *e = (ss_entries){.fd = memfd_create("sharpsweep-entries", MFD_CLOEXEC)};
    snprintf(e->path, sizeof e->path, "%s", path);
    return e->fd >= 0 ? 0 : ss_fail(error, "%s: no memory for its entries: %s", path, strerror(errno));
}

void ss_entries_close(ss_entries *e)
{
    if (e->fd >= 0 && !e->borrowed) close(e->fd);
    ss_free(e->window);
    *e = (ss_entries){.fd = -1};
}

/* Makes n bytes from `at` on available in the window; fewer at the end of the stretch. */
static int load(ss_entries *e, uint64_t at, size_t n, size_t ahead, const unsigned char **p, size_t *got, ss_error *error)
{
    if (at >= e->window_at && at - e->window_at <= e->window_n && e->window_n - (size_t)(at - e->window_at) >= n) {
        *p = e->window + (at - e->window_at);
        *got = n;
        return 0;
    }
    size_t want = n > ahead ? n : ahead;
    if (want > e->end - at) want = (size_t)(e->end - at);
    if (want > e->window_capacity) {
        ss_free(e->window);
        e->window_capacity = e->window_n = 0;
        e->window = ss_alloc(want, 1);
        if (!e->window) return ss_fail(error, "%s: no memory for an entry of %zu bytes", e->path, want);
        e->window_capacity = want;
    }
    int64_t read = ss_file_read_at(e->fd, e->window, want, at);
    if (read < 0) return ss_fail(error, "%s: cannot be read: %s", e->path, strerror(errno));
    e->window_at = at;
    e->window_n = (size_t)read;
    *p = e->window;
    *got = e->window_n < n ? e->window_n : n;
    return 0;
}

static uint32_t entry_crc(uint32_t kind, uint32_t n, const unsigned char *payload)
{
    unsigned char head[8];
    ss_bytes_set_u32(head, kind);
    ss_bytes_set_u32(head + 4, n);
    return ss_crc32(ss_crc32(0, head, sizeof head), payload, n);
}

int ss_entries_read(ss_entries *e, uint64_t offset, ss_entry *entry, ss_error *error)
{
    const unsigned char *p = NULL;
    size_t got = 0;
    if (offset >= e->end) return 0;
    if (load(e, offset, SS_ENTRY_HEAD_BYTES, WINDOW_BYTES, &p, &got, error)) return -1;
    if (got < SS_ENTRY_HEAD_BYTES || memcmp(p, entry_magic, sizeof entry_magic) != 0) return 2;
    uint32_t kind = ss_bytes_get_u32(p + 4), n = ss_bytes_get_u32(p + 8), crc = ss_bytes_get_u32(p + 12);
    size_t whole = SS_ENTRY_HEAD_BYTES + (size_t)n;
    if (n > MAX_PAYLOAD || whole > e->end - offset) return 2;
    if (load(e, offset, whole, 0, &p, &got, error)) return -1;
    if (got < whole || entry_crc(kind, n, p + SS_ENTRY_HEAD_BYTES) != crc) return 2;
    *entry = (ss_entry){kind, n, offset, offset + whole, p + SS_ENTRY_HEAD_BYTES};
    return 1;
}

int ss_entries_find(ss_entries *e, uint64_t from, uint64_t *at, ss_error *error)
{
    const unsigned char *p = NULL;
    size_t got = 0;
    ss_entry entry;
    for (*at = from; *at < e->end;) {
        if (load(e, *at, WINDOW_BYTES, WINDOW_BYTES, &p, &got, error)) return -1;
        const unsigned char *hit = memmem(p, got, entry_magic, sizeof entry_magic);
        if (!hit) {
            if (got < WINDOW_BYTES) return 0;
            *at += got - sizeof entry_magic + 1;
            continue;
        }
        *at += (uint64_t)(hit - p);
        int rc = ss_entries_read(e, *at, &entry, error);
        if (rc < 0 || rc == 1) return rc;
        e->wasted += e->window_n;
        if (e->wasted / MOST_WASTE > e->end) return 0; /* made of beginnings of entries that are none */
        ++*at;
    }
    return 0;
}

int ss_entries_append(ss_entries *e, const ss_bytes *framed, ss_error *error)
{
    if (framed->failed) return ss_fail(error, "%s: no memory for an entry", e->path);
    if (ss_file_write_at(e->fd, framed->p, framed->n, e->end))
        return ss_fail(error, "%s: cannot be written: %s", e->path, strerror(errno));
    e->end += framed->n;
    return 0;
}

void ss_entry_frame(ss_bytes *out, ss_entry_kind kind, const ss_bytes *payload)
{
    uint32_t n = (uint32_t)payload->n;
    out->failed |= payload->failed || payload->n > MAX_PAYLOAD;
    if (out->failed) return;
    ss_bytes_raw(out, entry_magic, sizeof entry_magic);
    ss_bytes_u32(out, kind);
    ss_bytes_u32(out, n);
    ss_bytes_u32(out, entry_crc(kind, n, payload->p));
    ss_bytes_raw(out, payload->p, n);
}
