/* bytes.h - little-endian bytes, written and read with checks: the journal's entries are made of these. */
#ifndef SHARPSWEEP_STORE_BYTES_H
#define SHARPSWEEP_STORE_BYTES_H

#include "sharpsweep/base.h"

typedef struct ss_bytes { unsigned char *p; size_t n, capacity; bool failed; } ss_bytes; /* zeroed = empty */
void ss_bytes_raw(ss_bytes *b, const void *data, size_t n);
void ss_bytes_u8(ss_bytes *b, uint8_t v);
void ss_bytes_u32(ss_bytes *b, uint32_t v);
void ss_bytes_u64(ss_bytes *b, uint64_t v);
void ss_bytes_text(ss_bytes *b, const char *text);   /* u32 length, bytes; NULL is "" */
void ss_bytes_set_u32(unsigned char *p, uint32_t v);
uint32_t ss_bytes_get_u32(const unsigned char *p);
void ss_bytes_finish(ss_bytes *b);

/* A reading position. After a read beyond the end, `bad` is set and everything read is zero or empty. */
typedef struct ss_view { const unsigned char *p, *end; bool bad; } ss_view;
const unsigned char *ss_view_raw(ss_view *v, size_t n); /* NULL when bad */
uint8_t ss_view_u8(ss_view *v);
uint32_t ss_view_u32(ss_view *v);
uint64_t ss_view_u64(ss_view *v);
const char *ss_view_text(ss_view *v, size_t *n);     /* not terminated; free of zero bytes; "" when bad */
size_t ss_view_left(const ss_view *v);

#endif
