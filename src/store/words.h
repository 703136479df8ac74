/* words.h - texts kept once each, for the store's index: a million rows share a few hundred axis values. Texts never move
 * and live until the pool is finished; equal texts have equal numbers and equal addresses. */
#ifndef SHARPSWEEP_STORE_WORDS_H
#define SHARPSWEEP_STORE_WORDS_H

#include "sharpsweep/base.h"

#define SS_NO_WORD UINT32_MAX

typedef struct ss_words {         /* zeroed = empty */
    uint32_t n, capacity, n_slots;
    const char **text;            /* (n) */
    uint32_t *slot;               /* (n_slots) 1 + number, 0 free; n_slots is a power of 2 */
    struct ss_words_block *block;
} ss_words;

uint32_t ss_words_add(ss_words *w, const char *text, size_t n); /* its number; SS_NO_WORD: memory is gone */
uint32_t ss_words_find(const ss_words *w, const char *text);    /* SS_NO_WORD: unknown */
const char *ss_words_keep(ss_words *w, const char *text);       /* its only copy; NULL: memory is gone */
void ss_words_finish(ss_words *w);

#endif
