/* standardise.c - mean and inverse population deviation of pixel/255 over the training set, per position and channel, per
 * channel, or not at all. Bytes are summed as integers, so that the moments are exact before the one rounding at the end. */
#include "source.h"

#include <math.h>
#include <string.h>

typedef struct moments { uint64_t n, sum, square; } moments;

__extension__ typedef unsigned __int128 wide; /* n * square - sum^2 passes 64 bits for 10^8 pixels of a channel */

/* With bytes p: mean = sum/n / 255, variance = (n sum(p^2) - (sum p)^2) / n^2 / 255^2. */
static void put(ss_dataset *d, size_t i, const moments *m)
{
    wide scatter = (wide)m->n * m->square - (wide)m->sum * m->sum;
    double deviation = sqrt((double)scatter) / (double)m->n / 255;
    d->mean[i] = (ss_real)((double)m->sum / (double)m->n / 255);
    d->inv_std[i] = (ss_real)(deviation > 0 ? 1 / deviation : 1);
}

/* m[i] becomes the moments of pixel i. */
static void sum_up(const ss_split *split, size_t n_pixels, moments *m)
{
    for (uint32_t k = 0; k < split->n; k++) {
        const uint8_t *pixels = split->pixels + k * n_pixels;
        for (size_t i = 0; i < n_pixels; i++) {
            m[i].sum += pixels[i];
            m[i].square += (uint32_t)pixels[i] * pixels[i];
        }
    }
    for (size_t i = 0; i < n_pixels; i++) m[i].n = split->n;
}

static void by_pixel(ss_dataset *d, size_t n_pixels, const moments *m)
{
    for (size_t i = 0; i < n_pixels; i++) put(d, i, &m[i]);
}

static void by_channel(ss_dataset *d, size_t n_pixels, const moments *m)
{
    size_t c = (size_t)d->c;
    for (size_t k = 0; k < c; k++) {
        moments all = {0};
        for (size_t i = k; i < n_pixels; i += c) {
            all.n += m[i].n;
            all.sum += m[i].sum;
            all.square += m[i].square;
        }
        for (size_t i = k; i < n_pixels; i += c) put(d, i, &all);
    }
}

static void by_nothing(ss_dataset *d, size_t n_pixels, const moments *m)
{
    (void)m;
    for (size_t i = 0; i < n_pixels; i++) {
        d->mean[i] = 0;
        d->inv_std[i] = 1;
    }
}

static const struct { const char *name; void (*apply)(ss_dataset *, size_t, const moments *); } rules[] = {
    {"pixel", by_pixel}, {"channel", by_channel}, {"none", by_nothing}};

int ss_standardise(ss_dataset *d, const char *rule, ss_error *error)
{
    size_t n_pixels = (size_t)d->h * (size_t)d->w * (size_t)d->c, r = 0, n_rules = sizeof rules / sizeof *rules;
    if (!rule || !*rule) rule = rules[0].name;
    while (r < n_rules && strcmp(rule, rules[r].name) != 0) r++;
    if (r == n_rules) return ss_fail(error, "standardise is '%s', expected pixel, channel or none", rule);
    d->mean = ss_alloc(n_pixels, sizeof *d->mean);
    d->inv_std = ss_alloc(n_pixels, sizeof *d->inv_std);
    moments *m = ss_alloc(n_pixels, sizeof *m);
    if (!d->mean || !d->inv_std || !m) {
        ss_free(m);
        return ss_fail(error, "out of memory: the standardisation of %zu pixels", n_pixels);
    }
    sum_up(&d->train, n_pixels, m);
    rules[r].apply(d, n_pixels, m);
    ss_free(m);
    return 0;
}
