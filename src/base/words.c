/* words.c - a string pool: bump-allocated blocks and an open-addressing table (linear probing, at most half full). */
#include "sharpsweep/base.h"

#include <string.h>

enum { BLOCK_BYTES = 64 * 1024 };

typedef struct ss_words_block { struct ss_words_block *next; size_t used, size; char text[]; } ss_words_block;

static uint64_t hash_text(const char *text, size_t n) /* FNV-1a */
{
    uint64_t h = 14695981039346656037u;
    for (size_t i = 0; i < n; i++) h = (h ^ (unsigned char)text[i]) * 1099511628211u;
    return h;
}

/* The slot that holds the text, or the free one where it would go. */
static uint32_t find_slot(const ss_words *w, const char *text, size_t n)
{
    uint32_t mask = w->n_slots - 1, at = (uint32_t)hash_text(text, n) & mask;
    while (w->slot[at]) {
        const char *have = w->text[w->slot[at] - 1];
        if (strncmp(have, text, n) == 0 && have[n] == '\0') return at;
        at = (at + 1) & mask;
    }
    return at;
}

static int grow(ss_words *w)
{
    if (w->n == w->capacity) {
        uint32_t capacity = w->capacity ? 2 * w->capacity : 64;
        const char **text = ss_realloc((void *)w->text, w->capacity, capacity, sizeof *text);
        if (!text) return -1;
        w->text = text;
        w->capacity = capacity;
    }
    if (2 * (w->n + 1) <= w->n_slots) return 0;
    uint32_t old = w->n_slots;
    uint32_t *slot = ss_alloc(old ? 2 * (size_t)old : 128, sizeof *slot);
    if (!slot) return -1;
    ss_free(w->slot);
    w->slot = slot;
    w->n_slots = old ? 2 * old : 128;
    for (uint32_t i = 0; i < w->n; i++) slot[find_slot(w, w->text[i], strlen(w->text[i]))] = i + 1;
    return 0;
}

static char *take(ss_words *w, size_t n)
{
    ss_words_block *b = w->block;
    if (!b || b->size - b->used < n) {
        size_t size = n > BLOCK_BYTES ? n : BLOCK_BYTES;
        b = ss_alloc(1, sizeof *b + size);
        if (!b) return NULL;
        b->size = size;
        b->next = w->block;
        w->block = b;
    }
    char *p = b->text + b->used;
    b->used += n;
    return p;
}

uint32_t ss_words_add(ss_words *w, const char *text, size_t n)
{
    if (w->n >= UINT32_MAX / 4 || grow(w)) return SS_NO_WORD;
    uint32_t at = find_slot(w, text, n);
    if (w->slot[at]) return w->slot[at] - 1;
    char *copy = take(w, n + 1);
    if (!copy) return SS_NO_WORD;
    memcpy(copy, text, n);
    copy[n] = '\0';
    w->text[w->n] = copy;
    w->slot[at] = ++w->n;
    return w->n - 1;
}

const char *ss_words_keep(ss_words *w, const char *text)
{
    uint32_t i = ss_words_add(w, text, strlen(text));
    return i == SS_NO_WORD ? NULL : w->text[i];
}

void ss_words_finish(ss_words *w)
{
    while (w->block) {
        ss_words_block *next = w->block->next;
        ss_free(w->block);
        w->block = next;
    }
    ss_free((void *)w->text);
    ss_free(w->slot);
    *w = (ss_words){0};
}
