/* words.c - texts in a pool and an open-addressing table of them (linear probing, at most half full). */
#include "sharpsweep/base.h"

#include <string.h>

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

uint32_t ss_words_add(ss_words *w, const char *text, size_t n)
{
    if (w->n >= UINT32_MAX / 4 || grow(w)) return SS_NO_WORD;
    uint32_t at = find_slot(w, text, n);
    if (w->slot[at]) return w->slot[at] - 1;
    char *copy = ss_pool_take(&w->pool, n + 1, 1); /* zeroed: the text ends */
    if (!copy) return SS_NO_WORD;
    memcpy(copy, text, n);
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
    ss_pool_finish(&w->pool);
    ss_free((void *)w->text);
    ss_free(w->slot);
    *w = (ss_words){0};
}
