/* codec.c - a record as bytes, for MPI and the journal. Little-endian, self-describing:
 *
 *   record  "SSR1"  u32 n_fields  field*
 *   field   u8 kind  u8 name length  name  u32 payload bytes  payload
 *   kind 1  i64     2  f64     3  text without final zero     4  f64*
 *   kind 5  table: u32 n_columns, (u8 length, name)*, u32 n_rows, f64 row after row
 *
 * Columns and fields are found by name, so that a journal of an older or newer program stays readable. Measures that are not
 * known, columns of which no value is, a spectrum without nodes, and what an earlier program's record had not, are left out. */
#include "parts.h"

#include <math.h>
#include <string.h>

enum { KIND_INT = 1, KIND_REAL, KIND_TEXT, KIND_REALS, KIND_TABLE, MAX_COLUMNS = 256 };
static const unsigned char magic[4] = {'S', 'S', 'R', '1'};

/* ---- writing: the same code measures (bytes == NULL) and writes */
struct writer { unsigned char *bytes; size_t n; };

static void put(struct writer *w, const void *data, size_t n)
{
    if (w->bytes && n) memcpy(w->bytes + w->n, data, n);
    w->n += n;
}

static void put_u8(struct writer *w, size_t v)
{
    unsigned char b = (unsigned char)v;
    put(w, &b, 1);
}

static void put_u32(struct writer *w, size_t v)
{
    unsigned char b[4];
    for (int i = 0; i < 4; i++) b[i] = (unsigned char)(v >> (8 * i));
    put(w, b, 4);
}

static void put_u64(struct writer *w, uint64_t v)
{
    unsigned char b[8];
    for (int i = 0; i < 8; i++) b[i] = (unsigned char)(v >> (8 * i));
    put(w, b, 8);
}

static void put_reals(struct writer *w, size_t n, const double *v)
{
    for (size_t i = 0; i < n; i++) {
        uint64_t bits;
        memcpy(&bits, &v[i], sizeof bits);
        put_u64(w, bits);
    }
}

static void put_head(struct writer *w, int kind, const char *name, size_t payload_bytes)
{
    size_t n = strlen(name);
    put_u8(w, (size_t)kind);
    put_u8(w, n);
    put(w, name, n);
    put_u32(w, payload_bytes);
}

static void put_field(struct writer *w, const ss_field *f, const ss_record *r)
{
    const char *p = (const char *)r + f->offset;
    uint64_t bits;
    if (f->type == SS_FIELD_TEXT) {
        size_t n = strnlen(p, f->bytes);
        put_head(w, KIND_TEXT, f->name, n);
        put(w, p, n);
        return;
    }
    put_head(w, f->type == SS_FIELD_REAL ? KIND_REAL : KIND_INT, f->name, 8);
    memcpy(&bits, p, sizeof bits);
    put_u64(w, bits);
}

static void put_table(struct writer *w, const char *name, const ss_series *s, const ss_field *columns)
{
    size_t kept[MAX_COLUMNS], n = 0, bytes = 8;
    for (size_t c = 0; c < s->n_columns; c++) {
        if (columns[c].key && !ss_column_is_known(s, c)) continue;
        kept[n++] = c;
        bytes += 1 + strlen(columns[c].name) + 8 * s->n_rows;
    }
    put_head(w, KIND_TABLE, name, bytes);
    put_u32(w, n);
    for (size_t k = 0; k < n; k++) {
        put_u8(w, strlen(columns[kept[k]].name));
        put(w, columns[kept[k]].name, strlen(columns[kept[k]].name));
    }
    put_u32(w, s->n_rows);
    for (size_t i = 0; i < s->n_rows; i++)
        for (size_t k = 0; k < n; k++) put_reals(w, 1, &s->value[i * s->n_columns + kept[k]]);
}

static bool is_known(const ss_field *f, const ss_record *r)
{
    const char *p = (const char *)r + f->offset;
    double real;
    int64_t whole;
    if (f->type == SS_FIELD_TEXT) return *p != 0;
    memcpy(&real, p, sizeof real);
    memcpy(&whole, p, sizeof whole);
    return f->type == SS_FIELD_REAL ? !isnan(real) : whole != SS_UNKNOWN;
}

/* Field i of the table f. */
static bool is_left_out(const ss_field *f, size_t i, const ss_record *r)
{
    bool absent = r->absent[i / 64] >> (i % 64) & 1;
    return (f[i].key || absent) && !is_known(&f[i], r);
}

static void put_record(struct writer *w, const ss_record *r)
{
    size_t n, n_columns, n_left_out = 0;
    const ss_field *f = ss_record_fields(&n);
    for (size_t i = 0; i < n; i++) n_left_out += is_left_out(f, i, r);
    put(w, magic, sizeof magic);
    put_u32(w, n - n_left_out + 3 + (r->spectrum.n_rows > 0));
    for (size_t i = 0; i < n; i++)
        if (!is_left_out(f, i, r)) put_field(w, &f[i], r);
    put_head(w, KIND_REALS, "eigenvalue", 8 * r->n_eigenvalues);
    put_reals(w, r->n_eigenvalues, r->eigenvalue);
    put_table(w, "history", &r->history, ss_history_fields(&n_columns));
    put_table(w, "track", &r->track, ss_track_fields(&n_columns));
    if (r->spectrum.n_rows) put_table(w, "spectrum", &r->spectrum, ss_spectrum_fields(&n_columns));
}

int ss_record_encode(const ss_record *r, unsigned char **bytes, size_t *n_bytes, ss_error *error)
{
    struct writer w = {NULL, 0};
    *bytes = NULL;
    put_record(&w, r);
    if (w.n > UINT32_MAX) return ss_fail(error, "a record of %zu bytes is too long; track less often", w.n);
    w.bytes = ss_alloc(w.n, 1);
    if (!w.bytes) return ss_fail(error, "out of memory for a record of %zu bytes", w.n);
    w.n = 0;
    put_record(&w, r);
    *bytes = w.bytes;
    *n_bytes = w.n;
    return 0;
}

/* ---- reading: `bad` sticks, and everything read after it is zero */
struct reader { const unsigned char *p; size_t left; bool bad; };

static const unsigned char *take(struct reader *in, size_t n)
{
    static const unsigned char zeros[8];
    if (in->bad || n > in->left) {
        in->bad = true;
        return zeros;
    }
    const unsigned char *p = in->p;
    in->p += n;
    in->left -= n;
    return p;
}

static uint64_t get_bits(struct reader *in, int n_bytes)
{
    const unsigned char *b = take(in, (size_t)n_bytes);
    uint64_t v = 0;
    for (int i = 0; i < n_bytes; i++) v |= (uint64_t)b[i] << (8 * i);
    return v;
}

static double get_real(struct reader *in)
{
    uint64_t bits = get_bits(in, 8);
    double v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

/* A name of 1..63 bytes without zeros. */
static void get_name(struct reader *in, char name[64])
{
    size_t n = (size_t)get_bits(in, 1);
    name[0] = '\0';
    if (n == 0 || n > 63) in->bad = true;
    const unsigned char *p = take(in, in->bad ? 0 : n);
    if (in->bad) return;
    memcpy(name, p, n);
    name[n] = '\0';
    if (strlen(name) != n) in->bad = true;
}

static int wrong(ss_error *error, const char *name, const char *what)
{
    return ss_fail(error, "damaged record: field %s %s", name, what);
}

static int read_text(struct reader *in, const ss_field *f, char *out, ss_error *error)
{
    size_t n = in->left;
    if (n >= f->bytes) return wrong(error, f->name, "is longer than its place");
    const unsigned char *p = take(in, n);
    if (memchr(p, 0, n)) return wrong(error, f->name, "holds a zero byte");
    memset(out, 0, f->bytes);
    memcpy(out, p, n);
    return 0;
}

static int read_field(struct reader *in, int kind, const ss_field *f, ss_record *r, ss_error *error)
{
    char *to = (char *)r + f->offset;
    int expected = f->type == SS_FIELD_TEXT ? KIND_TEXT : f->type == SS_FIELD_REAL ? KIND_REAL : KIND_INT;
    if (kind != expected) return wrong(error, f->name, "has another type");
    if (kind == KIND_TEXT) return read_text(in, f, to, error);
    if (in->left != 8) return wrong(error, f->name, "is not 8 bytes long");
    uint64_t bits = get_bits(in, 8);
    uint64_t end = f->type == SS_FIELD_STATUS ? SS_N_STATUS : SS_N_STOP;
    if ((f->type == SS_FIELD_STATUS || f->type == SS_FIELD_STOP) && bits >= end)
        return wrong(error, f->name, "has a code that is not known");
    memcpy(to, &bits, sizeof bits);
    return 0;
}

static int read_eigenvalues(struct reader *in, int kind, ss_record *r, ss_error *error)
{
    if (kind != KIND_REALS || in->left % 8) return wrong(error, "eigenvalue", "is no list of numbers");
    size_t n = in->left / 8;
    double *v = ss_alloc(n, sizeof *v);
    if (!v) return ss_fail(error, "out of memory for %zu eigenvalues", n);
    for (size_t i = 0; i < n; i++) v[i] = get_real(in);
    r->eigenvalue = v;
    r->n_eigenvalues = n;
    return 0;
}

static size_t column_of(const char *name, const ss_field *columns, size_t n)
{
    for (size_t c = 0; c < n; c++)
        if (strcmp(columns[c].name, name) == 0) return c;
    return SIZE_MAX;
}

static int read_table(struct reader *in, int kind, const char *name, const ss_field *columns, ss_series *s, ss_error *error)
{
    size_t place[MAX_COLUMNS], n_columns = kind == KIND_TABLE ? (size_t)get_bits(in, 4) : 0;
    if (kind != KIND_TABLE || in->bad || n_columns > MAX_COLUMNS) return wrong(error, name, "is no table");
    for (size_t c = 0; c < n_columns; c++) {
        char column[64];
        get_name(in, column);
        place[c] = column_of(column, columns, s->n_columns);
        for (size_t b = 0; b < c; b++)
            if (place[c] != SIZE_MAX && place[b] == place[c]) return wrong(error, name, "has the same column twice");
    }
    size_t n_rows = (size_t)get_bits(in, 4);
    if (in->bad || (n_columns == 0 && n_rows) || 8 * n_rows * n_columns != in->left)
        return wrong(error, name, "has a size that its rows do not give");
    s->value = ss_alloc(n_rows * s->n_columns, sizeof *s->value);
    if (!s->value) return ss_fail(error, "out of memory for %zu rows of %s", n_rows, name);
    s->n_rows = s->capacity = n_rows;
    for (size_t i = 0; i < n_rows * s->n_columns; i++) s->value[i] = NAN;
    for (size_t i = 0; i < n_rows; i++)
        for (size_t c = 0; c < n_columns; c++) {
            double v = get_real(in);
            if (place[c] != SIZE_MAX) s->value[i * s->n_columns + place[c]] = v;
        }
    return 0;
}

enum { MAX_FIELDS = 4096, MAX_KNOWN = 128 };

/* One field's payload, to where its name says; `seen` guards against a name that comes twice. */
static int read_named(struct reader *in, int kind, const char *name, ss_record *r, bool *seen, ss_error *error)
{
    size_t n, unused, known;
    const ss_field *f = ss_record_fields(&n);
    known = column_of(name, f, n);
    if (known == SIZE_MAX && strcmp(name, "eigenvalue") == 0) known = n;
    if (known == SIZE_MAX && strcmp(name, "history") == 0) known = n + 1;
    if (known == SIZE_MAX && strcmp(name, "track") == 0) known = n + 2;
    if (known == SIZE_MAX && strcmp(name, "spectrum") == 0) known = n + 3;
    if (known == SIZE_MAX) return 0; /* a newer program's */
    if (seen[known]) return wrong(error, name, "comes twice");
    seen[known] = true;
    if (known < n) return read_field(in, kind, &f[known], r, error);
    if (known == n) return read_eigenvalues(in, kind, r, error);
    if (known == n + 1) return read_table(in, kind, name, ss_history_fields(&unused), &r->history, error);
    if (known == n + 2) return read_table(in, kind, name, ss_track_fields(&unused), &r->track, error);
    return read_table(in, kind, name, ss_spectrum_fields(&unused), &r->spectrum, error);
}

static int read_record(struct reader *in, ss_record *r, ss_error *error)
{
    bool seen[MAX_KNOWN] = {false};
    if (memcmp(take(in, sizeof magic), magic, sizeof magic) != 0) /* where nothing is left, take gives zeros */
        return ss_fail(error, "damaged record: it does not begin with SSR1");
    size_t n_fields = (size_t)get_bits(in, 4);
    if (in->bad || n_fields > MAX_FIELDS) return ss_fail(error, "damaged record: the number of its fields is wrong");
    for (size_t i = 0; i < n_fields; i++) {
        char name[64];
        int kind = (int)get_bits(in, 1);
        get_name(in, name);
        size_t bytes = (size_t)get_bits(in, 4);
        struct reader payload = {take(in, bytes), bytes, false};
        if (in->bad || kind == 0) return ss_fail(error, "damaged record: field %zu of %zu is cut off", i + 1, n_fields);
        if (read_named(&payload, kind, name, r, seen, error)) return -1;
    }
    size_t n;
    ss_record_fields(&n);
    for (size_t i = 0; i < n; i++) r->absent[i / 64] |= (uint64_t)!seen[i] << (i % 64);
    return in->left ? ss_fail(error, "damaged record: %zu bytes after its end", in->left) : 0;
}

int ss_record_decode(const unsigned char *bytes, size_t n_bytes, ss_record *r, ss_error *error)
{
    struct reader in = {bytes, n_bytes, false};
    ss_record_init(r);
    if (read_record(&in, r, error) == 0) return 0;
    ss_record_finish(r);
    return -1;
}
