/* slice.c - a part of a grid, so that several allocations share one sweep: slice i/n has every point whose index, written to
 * base n, has digits that add up to i - 1 (mod n). Any n neighbours that begin at a multiple of n then fall into n different
 * slices, as with plain dealing, but no axis of n values deals one slice all its cheap values and another all its dear ones. */
#include <stdlib.h>
#include <string.h>

#include "app.h"

enum { MOST_SLICES = 100000 };

int ss_slice_parse(const char *text, ss_slice *out, ss_error *error)
{
    char *end = NULL;
    *out = (ss_slice){1, 1};
    if (!text) return 0;
    bool digits = text[0] >= '0' && text[0] <= '9';
    long long i = digits ? strtoll(text, &end, 10) : 0;
    bool slash = digits && end[0] == '/' && end[1] >= '0' && end[1] <= '9';
    long long n = slash ? strtoll(end + 1, &end, 10) : 0;
    if (!slash || *end || n < 1 || n > MOST_SLICES || i < 1 || i > n)
        return ss_fail(error, "--slice %s: I/N is expected, slice I of N, such as 1/4 to 4/4 (at most %d slices)", text,
                       MOST_SLICES);
    *out = (ss_slice){(size_t)i, (size_t)n};
    return 0;
}

bool ss_slice_has(const ss_slice *slice, size_t point)
{
    size_t sum = 0;
    if (slice->n < 2) return true;
    for (; point > 0; point /= slice->n) sum += point % slice->n;
    return sum % slice->n == slice->i - 1;
}

char *ss_slice_path(const ss_slice *slice, const char *results, ss_error *error)
{
    size_t n = strlen(results), stem = n > 3 && strcmp(results + n - 3, ".h5") == 0 ? n - 3 : n, bytes = n + 64;
    char *path = ss_alloc(bytes, 1);
    if (!path)
        ss_fail(error, "no memory for the name of a slice");
    else if (slice->n < 2)
        memcpy(path, results, n);
    else
        snprintf(path, bytes, "%.*s.slice-%zu-of-%zu%s", (int)stem, results, slice->i, slice->n, results + stem);
    if (!path || ss_results_check(path, error) == 0) return path;
    ss_free(path);
    return NULL;
}
