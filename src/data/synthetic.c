/* synthetic.c - a data set out of nothing, for tests and examples: every class has a random prototype, an example is its
 * class's prototype plus noise, as bytes. Every byte is a pure function of the options.
 * The bell is the sum of four uniforms (Irwin-Hall) and not Box-Muller, so that no libm's rounding shows in the bytes. */
#include "source.h"

#include <math.h>

enum { MAX_SIZE = 1024, MAX_CHANNELS = 16, MAX_CLASSES = 256 };
static const double centre = 127.5, spread = 32; /* bytes: four deviations fill the range */

/* What the streams are for: the `layer` of ss_stream_make. */
enum { PROTOTYPES, TRAIN_NOISE, TEST_NOISE, TRAIN_LABELS, TEST_LABELS };

/* The i-th number of the stream: mean 0, variance 1 (that of four uniforms is 4/12), within +-2 sqrt(3). */
static double bell(const ss_stream *s, uint64_t i)
{
    uint32_t u[4];
    ss_stream_block(s, i, u);
    double sum = (double)((uint64_t)u[0] + u[1] + u[2] + u[3]) + 2; /* each stands for the middle of its step */
    return (sum * 0x1p-32 - 2) * 1.7320508075688772;
}

static uint8_t to_byte(double x)
{
    return (uint8_t)(x < 0 ? 0 : x > 255 ? 255 : floor(x + 0.5));
}

static int check(const ss_data_options *o, ss_error *error)
{
    if (o->synthetic_train < 1 || o->synthetic_test < 1)
        return ss_fail(error, "synthetic data of %u training and %u test examples, expected at least 1 of each",
                       o->synthetic_train, o->synthetic_test);
    if (o->synthetic_size < 1 || o->synthetic_size > MAX_SIZE)
        return ss_fail(error, "synthetic_size is %d, expected 1 to %d", o->synthetic_size, MAX_SIZE);
    if (o->synthetic_channels < 1 || o->synthetic_channels > MAX_CHANNELS)
        return ss_fail(error, "synthetic_channels is %d, expected 1 to %d", o->synthetic_channels, MAX_CHANNELS);
    if (o->synthetic_classes < 2 || o->synthetic_classes > MAX_CLASSES)
        return ss_fail(error, "synthetic_classes is %d, expected 2 to %d", o->synthetic_classes, MAX_CLASSES);
    if (!(o->synthetic_noise >= 0) || !isfinite(o->synthetic_noise))
        return ss_fail(error, "synthetic_noise is %g, expected a number of at least 0", o->synthetic_noise);
    uint64_t pixels = (uint64_t)o->synthetic_size * (uint64_t)o->synthetic_size * (uint64_t)o->synthetic_channels;
    uint64_t most = o->synthetic_train > o->synthetic_test ? o->synthetic_train : o->synthetic_test;
    if (pixels * most > SS_DATA_LIMIT_BYTES)
        return ss_fail(error, "synthetic data of %u and %u examples of %llu bytes are more than the 4 GiB that are accepted",
                       o->synthetic_train, o->synthetic_test, (unsigned long long)pixels);
    return 0;
}

static void fill(const ss_data_options *o, const double *prototypes, size_t n_pixels, ss_split *split, uint32_t noise_layer,
                 uint32_t label_layer)
{
    ss_stream labels = ss_stream_make(o->synthetic_seed, SS_FOR_SYNTHETIC, 0, label_layer);
    for (uint32_t i = 0; i < split->n; i++) {
        uint64_t class = (uint64_t)ss_stream_u32(&labels, i) * (uint32_t)o->synthetic_classes >> 32;
        const double *prototype = prototypes + class * n_pixels;
        uint8_t *pixels = split->pixels + i * n_pixels;
        ss_stream noise = ss_stream_make(o->synthetic_seed, SS_FOR_SYNTHETIC, i, noise_layer);
        split->labels[i] = (uint8_t)class;
        for (size_t p = 0; p < n_pixels; p++)
            pixels[p] = to_byte(centre + spread * (prototype[p] + o->synthetic_noise * bell(&noise, p)));
    }
}

int ss_synthetic_load(const ss_data_options *o, ss_dataset *d, ss_error *error)
{
    if (check(o, error)) return -1;
    d->h = d->w = o->synthetic_size;
    d->c = o->synthetic_channels;
    d->n_classes = o->synthetic_classes;
    size_t n_pixels = (size_t)d->h * (size_t)d->w * (size_t)d->c, n_classes = (size_t)d->n_classes;
    if (ss_split_alloc(&d->train, o->synthetic_train, n_pixels, error) ||
        ss_split_alloc(&d->test, o->synthetic_test, n_pixels, error))
        return -1;
    double *prototypes = ss_alloc(n_classes * n_pixels, sizeof *prototypes);
    if (!prototypes) return ss_fail(error, "out of memory: %zu prototypes of %zu numbers", n_classes, n_pixels);
    for (size_t k = 0; k < n_classes; k++) {
        ss_stream s = ss_stream_make(o->synthetic_seed, SS_FOR_SYNTHETIC, k, PROTOTYPES);
        for (size_t p = 0; p < n_pixels; p++) prototypes[k * n_pixels + p] = bell(&s, p);
    }
    fill(o, prototypes, n_pixels, &d->train, TRAIN_NOISE, TRAIN_LABELS);
    fill(o, prototypes, n_pixels, &d->test, TEST_NOISE, TEST_LABELS);
    ss_free(prototypes);
    return 0;
}
