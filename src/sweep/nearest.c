/* nearest.c - what did the writer mean? Optimal string alignment distance (Damerau-Levenshtein without repeated edits),
 * then the two ways in which people shorten names: initials ("lr") and one of the words ("rho"). */
#include "parts.h"

#include <string.h>

enum { MAX_NAME = 40 };

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t distance(const char *a, const char *b)
{
    size_t n = strlen(a), m = strlen(b), d[3][MAX_NAME + 1];
    if (n > MAX_NAME || m > MAX_NAME) return MAX_NAME;
    for (size_t j = 0; j <= m; j++) d[0][j] = j;
    for (size_t i = 1; i <= n; i++) {
        size_t *row = d[i % 3], *up = d[(i - 1) % 3], *up2 = d[(i + 1) % 3];
        row[0] = i;
        for (size_t j = 1; j <= m; j++) {
            row[j] = least(least(up[j], row[j - 1]) + 1, up[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) row[j] = least(row[j], up2[j - 2] + 1);
        }
    }
    return d[n % 3][m];
}

/* "lr" for "learning_rate" */
static bool is_initials(const char *name, const char *word)
{
    for (const char *p = word; p; p = strchr(p, '_')) {
        if (p != word) p++;
        if (*name++ != *p) return false;
    }
    return *name == '\0';
}

/* 0 is the same word; SIZE_MAX: nothing alike. Initials and contained words come after every small misspelling. */
static size_t unlikeness(const char *name, const char *word)
{
    size_t n = strlen(name), d = distance(name, word);
    size_t allowed = n <= 3 ? 1 : n <= 5 ? 2 : n / 3;
    if (d <= allowed) return d;
    if (is_initials(name, word)) return MAX_NAME;
    if (n >= 3 && strstr(word, name)) return MAX_NAME + strlen(word);
    return SIZE_MAX;
}

const char *ss_nearest(const char *name, const char *const *words)
{
    const char *best = NULL;
    size_t least_unlike = SIZE_MAX;
    for (size_t i = 0; words[i]; i++) {
        size_t u = unlikeness(name, words[i]);
        if (u < least_unlike) {
            least_unlike = u;
            best = words[i];
        }
    }
    return best;
}

const char *ss_key_nearest(const char *name, const char *section)
{
    const char *best = NULL;
    size_t n, least_unlike = SIZE_MAX;
    const ss_key *key = ss_keys(&n);
    for (size_t i = 0; i < n; i++) {
        size_t u = unlikeness(name, key[i].name);
        bool home = section && strcmp(section, key[i].section) == 0;
        if (u == SIZE_MAX) continue;
        u = 2 * u + !home; /* among equals, the section's own key */
        if (u < least_unlike) {
            least_unlike = u;
            best = key[i].name;
        }
    }
    return best;
}
