/* value.c - one setting's value: text to number and back, ranges, comparison. Numbers are strict decimal, so that what a
 * job file says and what is recorded cannot differ by a reader's guess (octal, hexadecimal, "1_000", "nan"). */
#include "parts.h"

#include <ctype.h>
#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const void *member(const ss_key *key, const ss_settings *s)
{
    return (const char *)s + key->offset;
}

static void store(const ss_key *key, ss_settings *s, const void *value, size_t bytes)
{
    memcpy((char *)s + key->offset, value, bytes);
}

static const char *skip_digits(const char *p)
{
    while (isdigit((unsigned char)*p)) p++;
    return p;
}

/* -? digits [. digits] [e [+-] digits], with digits on at least one side of the point. */
static bool is_decimal(const char *text)
{
    const char *p = text + (*text == '-');
    const char *whole = p;
    p = skip_digits(p);
    ptrdiff_t n_digits = p - whole;
    if (n_digits > 1 && *whole == '0') return false;
    if (*p == '.') {
        const char *fraction = ++p;
        p = skip_digits(p);
        n_digits += p - fraction;
    }
    if (n_digits == 0) return false;
    if (*p == 'e' || *p == 'E') {
        p++;
        if (*p == '+' || *p == '-') p++;
        const char *exponent = p;
        p = skip_digits(p);
        if (p == exponent) return false;
    }
    return *p == '\0';
}

int ss_number_parse(const char *text, double *out, const char **why)
{
    *why = "is not a decimal number";
    if (!is_decimal(text)) return -1;
    errno = 0;
    double v = strtod(text, NULL);
    *why = "is beyond the range of double precision";
    if (!isfinite(v) || (errno == ERANGE && v == 0)) return -1;
    *out = v == 0 ? 0.0 : v; /* no negative zero: 0 and -0 are one value */
    return 0;
}

int ss_integer_parse(const char *text, int64_t *out, const char **why)
{
    const char *digits = text + (*text == '-');
    *why = "is not a decimal integer";
    if (!isdigit((unsigned char)*digits) || *skip_digits(digits) != '\0') return -1;
    if (digits[0] == '0' && digits[1] != '\0') return -1;
    errno = 0;
    long long v = strtoll(text, NULL, 10);
    *why = "is beyond the range of 64-bit integers";
    if (errno == ERANGE) return -1;
    *out = v;
    return 0;
}

static const char byte_units[] = "KMGT"; /* powers of 1024, as Slurm's and Docker's */

static int bytes_parse(const char *text, int64_t *out, const char **why)
{
    char number[SS_VALUE_BYTES];
    size_t n = strcspn(text, byte_units);
    const char *unit = text + n, *found = *unit ? strchr(byte_units, *unit) : NULL;
    double v, factor = found ? ldexp(1, 10 * (int)(found - byte_units + 1)) : 1;
    *why = "is not a number of bytes";
    if (n >= sizeof number || text[0] == '-') return -1;
    if (found && unit[1] && strcmp(unit + 1, "B") != 0 && strcmp(unit + 1, "iB") != 0) return -1;
    memcpy(number, text, n);
    number[n] = '\0';
    const char *reason;
    if (ss_number_parse(number, &v, &reason)) return -1;
    *why = "is beyond the range of 64-bit integers";
    if (v * factor >= 0x1p62) return -1;
    *why = "is no whole number of bytes";
    *out = (int64_t)(v * factor);
    return (double)*out == v * factor ? 0 : -1;
}

static void bytes_format(int64_t v, char out[SS_VALUE_BYTES])
{
    int unit = 0;
    for (; unit < 4 && v != 0 && v % 1024 == 0; unit++) v /= 1024;
    if (unit) snprintf(out, SS_VALUE_BYTES, "%lld%c", (long long)v, byte_units[unit - 1]);
    else snprintf(out, SS_VALUE_BYTES, "%lld", (long long)v);
}

/* The fewest digits that read back exactly. 15 always show a number that was written with as many or fewer (DBL_DIG), so that
 * only zeros at the end are to go, but for subnormal numbers, which have fewer. `out` is scratch. */
static int digits_of(double v, char out[SS_VALUE_BYTES])
{
    int digits = fabs(v) < DBL_MIN ? 1 : DBL_DIG;
    for (; digits < 17; digits++) {
        snprintf(out, SS_VALUE_BYTES, "%.*e", digits - 1, v);
        if (strtod(out, NULL) == v) break;
    }
    if (digits != DBL_DIG || fabs(v) < DBL_MIN) return digits;
    const char *e = strchr(out, 'e');
    while (digits > 1 && *--e == '0') digits--;
    return digits;
}

void ss_number_format(double v, char out[SS_VALUE_BYTES])
{
    if (!isfinite(v)) { /* no digits to count; only a results file can bring one here */
        snprintf(out, SS_VALUE_BYTES, "%s", isnan(v) ? "nan" : v > 0 ? "inf" : "-inf");
        return;
    }
    if (fabs(v) < 1e15 && v == (double)(int64_t)v && (v != 0 || !signbit(v))) { /* most are integers */
        snprintf(out, SS_VALUE_BYTES, "%lld", (long long)v);
        return;
    }
    int digits = digits_of(v, out);
    /* %g writes 100 with one digit as 1e+02: give it the digits that a plain integer needs. */
    int exponent = v == 0 ? 0 : (int)floor(log10(fabs(v)));
    if (exponent >= 0 && exponent < 15 && digits < exponent + 2) digits = exponent + 2;
    snprintf(out, SS_VALUE_BYTES, "%.*g", digits, v);
    char *e = strchr(out, 'e');
    if (!e) return;
    char *from = e + 1, *to = e + 1; /* 1e-05 -> 1e-5, 1e+20 -> 1e20 */
    if (*from == '-') to++;
    from++;
    while (*from == '0' && from[1]) from++;
    memmove(to, from, strlen(from) + 1);
}

static void expected_number(const ss_key *k, char *out, size_t bytes)
{
    char lo[SS_VALUE_BYTES], hi[SS_VALUE_BYTES];
    ss_number_format(k->min, lo);
    ss_number_format(isfinite(k->max) ? k->max : 0, hi);
    const char *noun = k->type == SS_FLOAT ? "a number"
                       : k->type == SS_INTS ? "a list of at most 16 integers, each" : "an integer";
    bool unitless = !k->unit[0] || strcmp(k->unit, "1") == 0;
    int n;
    if (!isfinite(k->max))
        n = snprintf(out, bytes, "%s %s %s", noun, k->open_min ? "greater than" : "of at least", lo);
    else if (k->open_min || k->open_max)
        n = snprintf(out, bytes, "%s %s %s and %s %s", noun, k->open_min ? "greater than" : "of at least", lo,
                     k->open_max ? "less than" : "at most", hi);
    else
        n = snprintf(out, bytes, "%s from %s to %s", noun, lo, hi);
    if (!unitless && n > 0 && (size_t)n < bytes) n += snprintf(out + n, bytes - (size_t)n, " (%s)", k->unit);
    if (k->word && n > 0 && (size_t)n < bytes) snprintf(out + n, bytes - (size_t)n, ", or %s", k->word);
}

void ss_key_expected(const ss_key *key, char *out, size_t out_bytes)
{
    switch (key->type) {
    case SS_BOOL: snprintf(out, out_bytes, "true or false"); return;
    case SS_TEXT: snprintf(out, out_bytes, "a path"); return;
    case SS_LAYERS: snprintf(out, out_bytes, "a list of layers"); return;
    case SS_BYTES: snprintf(out, out_bytes, "a size such as 512M or 2G (K, M, G, T) or in bytes, or %s", key->word); return;
    case SS_CHOICE: {
        size_t n = (size_t)snprintf(out, out_bytes, "one of ");
        for (size_t i = 0; key->choices[i] && n < out_bytes; i++)
            n += (size_t)snprintf(out + n, out_bytes - n, "%s%s", i ? ", " : "", key->choices[i]);
        return;
    }
    default: expected_number(key, out, out_bytes); return;
    }
}

static int refuse(const ss_key *key, const char *text, const char *why, ss_error *error)
{
    char expected[256];
    ss_key_expected(key, expected, sizeof expected);
    return ss_fail(error, "%s: '%.80s' %s; expected %s", key->name, text, why, expected);
}

static int check_range(const ss_key *key, const char *text, double v, ss_error *error)
{
    if (v < key->min || (key->open_min && v <= key->min)) return refuse(key, text, "is too small", error);
    if (v > key->max || (key->open_max && v >= key->max)) return refuse(key, text, "is too large", error);
    return 0;
}

static int parse_bool(const ss_key *key, const char *text, ss_settings *s, ss_error *error)
{
    static const char *const lookalikes[] = {"yes", "no", "on", "off", "y", "n", NULL};
    bool v = strcmp(text, "true") == 0;
    if (!v && strcmp(text, "false") != 0) {
        for (size_t i = 0; lookalikes[i]; i++)
            if (strcasecmp(text, lookalikes[i]) == 0) return refuse(key, text, "is a truth value in YAML 1.1 only", error);
        return refuse(key, text, "is not a truth value", error);
    }
    store(key, s, &v, sizeof v);
    return 0;
}

static int parse_integer(const ss_key *key, const char *text, ss_settings *s, ss_error *error)
{
    int64_t v = SS_WORD;
    const char *why;
    if (!key->word || strcmp(text, key->word) != 0) {
        if (ss_integer_parse(text, &v, &why)) return refuse(key, text, why, error);
        if (check_range(key, text, (double)v, error)) return -1;
    }
    store(key, s, &v, sizeof v);
    return 0;
}

static int parse_bytes(const ss_key *key, const char *text, ss_settings *s, ss_error *error)
{
    int64_t v = SS_WORD;
    const char *why;
    if (strcmp(text, key->word) != 0) {
        if (bytes_parse(text, &v, &why)) return refuse(key, text, why, error);
        if (check_range(key, text, (double)v, error)) return -1;
    }
    store(key, s, &v, sizeof v);
    return 0;
}

static int parse_float(const ss_key *key, const char *text, ss_settings *s, ss_error *error)
{
    double v;
    const char *why;
    if (ss_number_parse(text, &v, &why)) return refuse(key, text, why, error);
    if (check_range(key, text, v, error)) return -1;
    store(key, s, &v, sizeof v);
    return 0;
}

static int parse_choice(const ss_key *key, const char *text, ss_settings *s, ss_error *error)
{
    for (size_t i = 0; key->choices[i]; i++)
        if (strcmp(key->choices[i], text) == 0) {
            store(key, s, &key->choices[i], sizeof key->choices[i]);
            return 0;
        }
    const char *near = ss_nearest(text, key->choices);
    if (!near) return refuse(key, text, "is not known", error);
    char why[128];
    snprintf(why, sizeof why, "is not known (did you mean %s?)", near);
    return refuse(key, text, why, error);
}

/* "[200, 200]", as ss_key_format writes it. */
static int parse_ints(const ss_key *key, const char *text, ss_settings *s, ss_error *error)
{
    size_t length = strlen(text), n = 0;
    char item[SS_VALUE_BYTES];
    if (length < 2 || text[0] != '[' || text[length - 1] != ']') return refuse(key, text, "is not a list", error);
    ss_settings out = *s;
    for (const char *p = text + 1; *p != ']';) {
        p += strspn(p, " ");
        const char *end = p + strcspn(p, ",]");
        size_t bytes = (size_t)(end - p);
        const char *why = "has an item that is no integer";
        if (n == SS_MAX_WIDTHS) return refuse(key, text, "has too many items", error);
        if (bytes >= sizeof item) return refuse(key, text, why, error);
        memcpy(item, p, bytes);
        item[bytes] = '\0';
        if (ss_integer_parse(item, &out.widths[n], &why)) return refuse(key, item, why, error);
        if (check_range(key, item, (double)out.widths[n], error)) return -1;
        if (*end == ']' && end[1] != '\0') return refuse(key, text, "is not a list", error);
        n++;
        p = *end == ',' ? end + 1 : end;
    }
    out.n_widths = (int64_t)n;
    *s = out;
    return 0;
}

int ss_key_parse(const ss_key *key, const char *text, ss_settings *s, ss_error *error)
{
    if (key->offset == (size_t)-1) return ss_fail(error, "%s: belongs to the job, not to a point's settings", key->name);
    switch (key->type) {
    case SS_BOOL: return parse_bool(key, text, s, error);
    case SS_INT:
    case SS_COUNT: return parse_integer(key, text, s, error);
    case SS_BYTES: return parse_bytes(key, text, s, error);
    case SS_FLOAT: return parse_float(key, text, s, error);
    case SS_CHOICE: return parse_choice(key, text, s, error);
    case SS_INTS: return parse_ints(key, text, s, error);
    case SS_TEXT:
    case SS_LAYERS: store(key, s, &text, sizeof text); return 0;
    }
    return -1;
}

static int64_t get_int(const ss_key *key, const ss_settings *s)
{
    int64_t v;
    memcpy(&v, member(key, s), sizeof v);
    return v;
}

static double get_float(const ss_key *key, const ss_settings *s)
{
    double v;
    memcpy(&v, member(key, s), sizeof v);
    return v;
}

static const char *get_text(const ss_key *key, const ss_settings *s)
{
    const char *v;
    memcpy(&v, member(key, s), sizeof v);
    return v ? v : "";
}

static bool get_bool(const ss_key *key, const ss_settings *s)
{
    bool v;
    memcpy(&v, member(key, s), sizeof v);
    return v;
}

static void format_ints(const ss_settings *s, char *out, size_t bytes)
{
    size_t n = (size_t)snprintf(out, bytes, "[");
    for (int64_t i = 0; i < s->n_widths && n < bytes; i++)
        n += (size_t)snprintf(out + n, bytes - n, "%s%lld", i ? ", " : "", (long long)s->widths[i]);
    if (n < bytes) snprintf(out + n, bytes - n, "]");
}

void ss_key_format(const ss_key *key, const ss_settings *s, char *out, size_t out_bytes)
{
    char number[SS_VALUE_BYTES];
    out[0] = '\0';
    if (key->offset == (size_t)-1) return;
    switch (key->type) {
    case SS_BOOL: snprintf(out, out_bytes, "%s", get_bool(key, s) ? "true" : "false"); return;
    case SS_INT:
    case SS_COUNT:
        if (key->word && get_int(key, s) == SS_WORD)
            snprintf(out, out_bytes, "%s", key->word);
        else
            snprintf(out, out_bytes, "%lld", (long long)get_int(key, s));
        return;
    case SS_BYTES:
        if (get_int(key, s) != SS_WORD) bytes_format(get_int(key, s), number);
        snprintf(out, out_bytes, "%s", get_int(key, s) == SS_WORD ? key->word : number);
        return;
    case SS_FLOAT:
        ss_number_format(get_float(key, s), number);
        snprintf(out, out_bytes, "%s", number);
        return;
    case SS_INTS: format_ints(s, out, out_bytes); return;
    case SS_CHOICE:
    case SS_TEXT:
    case SS_LAYERS: snprintf(out, out_bytes, "%s", get_text(key, s)); return;
    }
}

bool ss_key_equal(const ss_key *key, const ss_settings *a, const ss_settings *b)
{
    if (key->offset == (size_t)-1) return true;
    switch (key->type) {
    case SS_BOOL: return get_bool(key, a) == get_bool(key, b);
    case SS_INT:
    case SS_COUNT:
    case SS_BYTES: return get_int(key, a) == get_int(key, b);
    case SS_FLOAT: return get_float(key, a) == get_float(key, b);
    case SS_INTS:
        return a->n_widths == b->n_widths && memcmp(a->widths, b->widths, (size_t)a->n_widths * sizeof *a->widths) == 0;
    case SS_CHOICE:
    case SS_TEXT:
    case SS_LAYERS: return strcmp(get_text(key, a), get_text(key, b)) == 0;
    }
    return false;
}

double ss_key_number(const ss_key *key, const ss_settings *s)
{
    if (key->offset == (size_t)-1) return NAN;
    if (key->type == SS_FLOAT) return get_float(key, s);
    if (key->type != SS_INT && key->type != SS_COUNT && key->type != SS_BYTES) return NAN;
    int64_t v = get_int(key, s);
    return key->word && v == SS_WORD ? (double)NAN : (double)v;
}

bool ss_key_is_axis_type(const ss_key *key)
{
    bool is_scalar = key->type != SS_TEXT && key->type != SS_INTS && key->type != SS_LAYERS;
    return key->offset != (size_t)-1 && key->identity && is_scalar;
}

size_t ss_key_bytes(const ss_key *key)
{
    switch (key->type) {
    case SS_BOOL: return sizeof(bool);
    case SS_FLOAT: return sizeof(double);
    case SS_CHOICE: return sizeof(const char *);
    default: return sizeof(int64_t);
    }
}
