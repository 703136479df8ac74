/* bytes.c - little-endian bytes, written and read with checks. */
#include "sharpsweep/base.h"

#include <string.h>

void ss_bytes_raw(ss_bytes *b, const void *data, size_t n)
{
    if (b->failed || n == 0) return;
    if (n > b->capacity - b->n) {
        size_t capacity = b->capacity ? b->capacity : 512;
        while (capacity - b->n < n && capacity <= SIZE_MAX / 2) capacity *= 2;
        unsigned char *p = ss_realloc(b->p, b->capacity, capacity, 1);
        if (!p) {
            b->failed = true;
            return;
        }
        b->p = p;
        b->capacity = capacity;
    }
    memcpy(b->p + b->n, data, n);
    b->n += n;
}

void ss_bytes_u8(ss_bytes *b, uint8_t v)
{
    ss_bytes_raw(b, &v, 1);
}

void ss_bytes_set_u32(unsigned char *p, uint32_t v)
{
    for (int i = 0; i < 4; i++) p[i] = (unsigned char)(v >> (8 * i));
}

uint32_t ss_bytes_get_u32(const unsigned char *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

void ss_bytes_u32(ss_bytes *b, uint32_t v)
{
    unsigned char p[4];
    ss_bytes_set_u32(p, v);
    ss_bytes_raw(b, p, sizeof p);
}

void ss_bytes_u64(ss_bytes *b, uint64_t v)
{
    ss_bytes_u32(b, (uint32_t)v);
    ss_bytes_u32(b, (uint32_t)(v >> 32));
}

void ss_bytes_text(ss_bytes *b, const char *text)
{
    size_t n = text ? strlen(text) : 0;
    if (n > UINT32_MAX) {
        b->failed = true;
        return;
    }
    ss_bytes_u32(b, (uint32_t)n);
    ss_bytes_raw(b, text, n);
}

void ss_bytes_finish(ss_bytes *b)
{
    ss_free(b->p);
    *b = (ss_bytes){0};
}

size_t ss_view_left(const ss_view *v)
{
    return v->bad ? 0 : (size_t)(v->end - v->p);
}

const unsigned char *ss_view_raw(ss_view *v, size_t n)
{
    if (n > ss_view_left(v)) v->bad = true;
    if (v->bad) return NULL;
    const unsigned char *p = v->p;
    v->p += n;
    return p;
}

uint8_t ss_view_u8(ss_view *v)
{
    const unsigned char *p = ss_view_raw(v, 1);
    return p ? *p : 0;
}

uint32_t ss_view_u32(ss_view *v)
{
    const unsigned char *p = ss_view_raw(v, 4);
    return p ? ss_bytes_get_u32(p) : 0;
}

uint64_t ss_view_u64(ss_view *v)
{
    uint64_t low = ss_view_u32(v);
    return low | (uint64_t)ss_view_u32(v) << 32;
}

const char *ss_view_text(ss_view *v, size_t *n)
{
    *n = ss_view_u32(v);
    const unsigned char *p = ss_view_raw(v, *n);
    if (p && memchr(p, 0, *n)) v->bad = true;
    if (!p || v->bad) *n = 0;
    return p && !v->bad ? (const char *)p : "";
}
