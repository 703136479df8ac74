/* pool.c - many small strings and arrays that live and die together. */
#include "sharpsweep/base.h"

#include <string.h>

enum { BLOCK_BYTES = 16384, ALIGN = 16 };

struct ss_pool_block {
    struct ss_pool_block *next;
    size_t used, size;
    _Alignas(ALIGN) unsigned char data[];
};

void *ss_pool_take(ss_pool *pool, size_t n, size_t size)
{
    if (size && n > (SIZE_MAX / 2 - BLOCK_BYTES) / size) return NULL;
    size_t bytes = (n * size + ALIGN - 1) / ALIGN * ALIGN;
    struct ss_pool_block *b = pool->head;
    if (!b || b->size - b->used < bytes) {
        size_t room = bytes > BLOCK_BYTES ? bytes : BLOCK_BYTES;
        b = ss_alloc(1, sizeof *b + room);
        if (!b) return NULL;
        b->size = room;
        b->next = pool->head;
        pool->head = b;
    }
    void *p = b->data + b->used;
    b->used += bytes;
    return p;
}

char *ss_pool_strdup(ss_pool *pool, const char *text)
{
    size_t bytes = strlen(text) + 1;
    char *copy = ss_pool_take(pool, bytes, 1);
    if (copy) memcpy(copy, text, bytes);
    return copy;
}

void ss_pool_finish(ss_pool *pool)
{
    while (pool->head) {
        struct ss_pool_block *next = pool->head->next;
        ss_free(pool->head);
        pool->head = next;
    }
}
