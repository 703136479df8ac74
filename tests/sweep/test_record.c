#include "sharpsweep/sweep.h"

#include <math.h>
#include <string.h>

#include "../suite.h"

static void fill(ss_record *r)
{
    ss_record_init(r);
    r->status = SS_DONE;
    r->stop_reason = SS_STOP_TRAIN_ACCURACY;
    r->lambda_max = 0.1;
    r->lambda_residual = 1e-310; /* denormal */
    r->hvp_count = -5000000000;
    r->train_loss = -0.0;
    r->test_loss = INFINITY;
    r->epochs = INT64_MAX;
    r->train_s = 1.5;
    r->worker = 3;
    snprintf(r->host, sizeof r->host, "node-17");
    snprintf(r->error, sizeof r->error, "λ: naïve \"quote\"; tab\t.");
    r->n_eigenvalues = 3;
    r->eigenvalue = ss_alloc(3, sizeof *r->eigenvalue);
    for (int i = 0; i < 3; i++) r->eigenvalue[i] = 3.25 - i;
    r->trace = 17.5; /* other measures stay unknown */
    r->measure_hvp_count = 40;
    double row[32];
    for (int e = 0; e < 9; e++) CU_ASSERT_EQUAL(ss_series_append(&r->spectrum, (double[]){e - 2.5, 1 / 9.0}), 0);
    for (int e = 0; e < 40; e++) {
        for (int c = 0; c < 32; c++) row[c] = c == 3 ? (double)NAN : e + c / 16.0;
        CU_ASSERT_EQUAL(ss_series_append(&r->history, row), 0);
        if (e % 3 == 0) CU_ASSERT_EQUAL(ss_series_append(&r->track, row), 0);
    }
}

static void tables_describe_the_struct(void)
{
    size_t n, n_history, n_track;
    const ss_field *f = ss_record_fields(&n), *history = ss_history_fields(&n_history), *track = ss_track_fields(&n_track);
    for (size_t i = 0; i < n; i++) {
        CU_ASSERT(f[i].text[0] && f[i].unit && f[i].offset < sizeof(ss_record));
        for (size_t j = 0; j < i; j++) CU_ASSERT(strcmp(f[i].name, f[j].name) != 0);
        CU_ASSERT((f[i].type == SS_FIELD_TEXT) == (f[i].bytes > 0));
    }
    for (size_t i = 0; i < n_history; i++) CU_ASSERT_EQUAL(history[i].offset, i);
    for (size_t i = 0; i < n_track; i++) CU_ASSERT_EQUAL(track[i].offset, i);
    for (int i = 0; i < SS_N_STATUS; i++) CU_ASSERT_PTR_NOT_NULL(ss_status_name[i]);
    for (int i = 0; i < SS_N_STOP; i++) CU_ASSERT_PTR_NOT_NULL(ss_stop_name[i]);
    CU_ASSERT_STRING_EQUAL(ss_status_name[SS_EPOCH_LIMIT], "epoch_limit");
    CU_ASSERT_STRING_EQUAL(ss_stop_name[SS_STOP_ERROR], "error");
}

static void starts_unknown(void)
{
    ss_record r;
    ss_record_init(&r);
    size_t n, n_integers = 0;
    const ss_field *f = ss_record_fields(&n);
    CU_ASSERT(isnan(r.lambda_max) && isnan(r.train_s) && isnan(r.peak_memory_bytes) && isnan(r.lambda_fraction));
    for (size_t i = 0; i < n; i++) { /* 0 would read as measured: not converged, no product spent */
        int64_t v;
        if (f[i].type != SS_FIELD_INT || strcmp(f[i].name, "attempts") == 0) continue;
        memcpy(&v, (const char *)&r + f[i].offset, sizeof v);
        CU_ASSERT_EQUAL(v, SS_UNKNOWN);
        n_integers++;
    }
    CU_ASSERT_EQUAL(n_integers, 13);
    CU_ASSERT_EQUAL(r.attempts, 0);
    CU_ASSERT_STRING_EQUAL(r.data_digest, "");
    CU_ASSERT_EQUAL(r.status, SS_PENDING);
    CU_ASSERT_EQUAL(r.history.n_columns, 8);
    ss_record_finish(&r);
}

static void round_trip(void)
{
    ss_record a, b;
    unsigned char *bytes, *again;
    size_t n, m;
    fill(&a);
    CU_ASSERT_EQUAL_FATAL(ss_record_encode(&a, &bytes, &n, NULL), 0);
    CU_ASSERT_EQUAL_FATAL(ss_record_decode(bytes, n, &b, NULL), 0);
    CU_ASSERT(ss_record_same(&a, &b));
    CU_ASSERT(signbit(b.train_loss) && b.lambda_residual == 1e-310 && isinf(b.test_loss) && isnan(b.test_accuracy));
    CU_ASSERT_EQUAL(b.hvp_count, -5000000000);
    CU_ASSERT_EQUAL(b.epochs, INT64_MAX);
    CU_ASSERT_STRING_EQUAL(b.error, a.error);
    CU_ASSERT_STRING_EQUAL(b.host, "node-17");
    CU_ASSERT_EQUAL(b.history.n_rows, 40);
    CU_ASSERT_EQUAL(b.track.n_rows, 14);
    CU_ASSERT_EQUAL(b.eigenvalue[2], 1.25);
    CU_ASSERT(b.trace == 17.5 && b.measure_hvp_count == 40 && isnan(b.trace_error) && isnan(b.sam_edge));
    CU_ASSERT(b.spectrum.n_rows == 9 && b.spectrum.value[2 * 8] == 5.5);
    CU_ASSERT_EQUAL_FATAL(ss_record_encode(&b, &again, &m, NULL), 0);
    CU_ASSERT(n == m && memcmp(bytes, again, n) == 0);
    ss_free(bytes);
    ss_free(again);
    ss_record_finish(&a);
    ss_record_finish(&b);
}

static bool has(const unsigned char *bytes, size_t n, const char *word)
{
    return memmem(bytes, n, word, strlen(word)) != NULL;
}

/* A million points without measures take no more room than before there were any; so do columns of tracked rows. */
static void unknown_measures_take_no_bytes(void)
{
    size_t n, n_before, n_fields, n_track, trace = 0, edge = 0;
    unsigned char *bytes, *before;
    ss_record a, b;
    double row[32];
    const ss_field *f = ss_record_fields(&n_fields), *track = ss_track_fields(&n_track);
    for (size_t c = 0; c < 32; c++) row[c] = c < n_track && track[c].key ? (double)NAN : 1;
    for (size_t c = 0; c < n_track; c++) {
        if (strcmp(track[c].name, "trace") == 0) trace = c;
        if (strcmp(track[c].name, "sam_edge") == 0) edge = c;
    }
    ss_record_init(&a);
    CU_ASSERT_EQUAL(ss_series_append(&a.track, row), 0);
    CU_ASSERT_EQUAL_FATAL(ss_record_encode(&a, &before, &n_before, NULL), 0);
    for (size_t i = 0; i < n_fields; i++) CU_ASSERT_EQUAL(has(before, n_before, f[i].name), f[i].key == NULL);
    CU_ASSERT(!has(before, n_before, "spectrum"));
    row[edge] = 0.5;
    CU_ASSERT_EQUAL(ss_series_append(&a.track, row), 0);
    CU_ASSERT_EQUAL_FATAL(ss_record_encode(&a, &bytes, &n, NULL), 0);
    CU_ASSERT(n == n_before + 8 * 10 + 1 + strlen("sam_edge") + 2 * 8 && has(bytes, n, "sam_edge"));
    CU_ASSERT_EQUAL_FATAL(ss_record_decode(bytes, n, &b, NULL), 0);
    CU_ASSERT(ss_record_same(&a, &b) && isnan(b.track.value[edge]) && b.track.value[n_track + edge] == 0.5);
    CU_ASSERT(isnan(b.track.value[n_track + trace]));
    ss_free(bytes);
    ss_free(before);
    ss_record_finish(&a);
    ss_record_finish(&b);
}

/* Keys and fields are columns of one file. */
static void names_do_not_clash(void)
{
    size_t n_fields, n_keys;
    const ss_field *f = ss_record_fields(&n_fields);
    const ss_key *key = ss_keys(&n_keys);
    for (size_t i = 0; i < n_fields; i++) {
        CU_ASSERT_PTR_NULL(ss_key_find(f[i].name));
        bool known = !f[i].key || strcmp(f[i].key, SS_ANY_MEASURE) == 0 || ss_key_find(f[i].key);
        CU_ASSERT(known);
    }
    for (size_t k = 0; k < n_keys; k++) CU_ASSERT(!key[k].optional || key[k].identity);
}

static void same_looks_past_incidental_fields(void)
{
    ss_record a, b;
    fill(&a);
    fill(&b);
    b.train_s = 99;
    b.worker = 1;
    b.attempts = 7;
    b.n_threads = 4;
    snprintf(b.host, sizeof b.host, "elsewhere");
    CU_ASSERT(ss_record_same(&a, &b));
    b.lambda_max = nextafter(b.lambda_max, 1);
    CU_ASSERT_FALSE(ss_record_same(&a, &b));
    b.lambda_max = a.lambda_max;
    snprintf(b.data_digest, sizeof b.data_digest, "another");
    CU_ASSERT_FALSE(ss_record_same(&a, &b));
    b.data_digest[0] = '\0';
    b.train_loss = 0.0; /* -0 and 0 differ in a bit */
    CU_ASSERT_FALSE(ss_record_same(&a, &b));
    b.train_loss = a.train_loss;
    b.history.value[17] += 1;
    CU_ASSERT_FALSE(ss_record_same(&a, &b));
    b.history.value[17] -= 1;
    CU_ASSERT(ss_record_same(&a, &b));
    b.track.n_rows--;
    CU_ASSERT_FALSE(ss_record_same(&a, &b));
    b.track.n_rows++;
    b.spectrum.value[1] = 0.5;
    CU_ASSERT_FALSE(ss_record_same(&a, &b));
    b.spectrum.value[1] = a.spectrum.value[1];
    b.measure_hvp_count++;
    CU_ASSERT_FALSE(ss_record_same(&a, &b));
    b.measure_hvp_count--;
    CU_ASSERT(ss_record_same(&a, &b));
    b.eigenvalue[1] = NAN;
    CU_ASSERT_FALSE(ss_record_same(&a, &b));
    ss_record_finish(&a);
    ss_record_finish(&b);
}

static void truncated_at_every_byte(void)
{
    ss_record a, b;
    unsigned char *bytes;
    size_t n, accepted = 0;
    fill(&a);
    CU_ASSERT_EQUAL_FATAL(ss_record_encode(&a, &bytes, &n, NULL), 0);
    for (size_t cut = 0; cut < n; cut++) {
        ss_error error = {""};
        unsigned char *part = ss_alloc(cut, 1); /* of its own, so that reading past its end is seen */
        memcpy(part, bytes, cut);
        accepted += ss_record_decode(part, cut, &b, &error) == 0;
        CU_ASSERT(strncmp(error.text, "damaged record: ", 16) == 0);
        ss_free(part);
    }
    CU_ASSERT_EQUAL(accepted, 0);
    ss_free(bytes);
    ss_record_finish(&a);
}

static void flipped_bits_never_crash(void)
{
    ss_record a, b;
    unsigned char *bytes;
    size_t n, refused = 0;
    fill(&a);
    CU_ASSERT_EQUAL_FATAL(ss_record_encode(&a, &bytes, &n, NULL), 0);
    ss_stream random = ss_stream_make(1, SS_FOR_TEST, 0, 0);
    for (uint64_t i = 0; i < 20000; i++) {
        uint32_t r = ss_stream_u32(&random, i), range = i % 2 ? (uint32_t)n : 1200; /* half of them among the heads */
        size_t at = r / 8 % range;
        bytes[at] ^= (unsigned char)(1u << r % 8);
        refused += ss_record_decode(bytes, n, &b, NULL) != 0;
        ss_record_finish(&b);
        bytes[at] ^= (unsigned char)(1u << r % 8);
    }
    CU_ASSERT(refused > 1000); /* flips in numbers are not seen here: the journal's CRC is for those */
    CU_ASSERT_EQUAL(ss_record_decode(bytes, n, &b, NULL), 0);
    CU_ASSERT(ss_record_same(&a, &b));
    ss_free(bytes);
    ss_record_finish(&a);
    ss_record_finish(&b);
}

/* ---- records by hand ----------------------------------------------------------------------------------------------- */
struct bytes { unsigned char b[2048]; size_t n; };

static void add(struct bytes *s, const void *p, size_t n)
{
    memcpy(s->b + s->n, p, n);
    s->n += n;
}

static void add_u32(struct bytes *s, uint32_t v)
{
    unsigned char b[4] = {(unsigned char)v, (unsigned char)(v >> 8), (unsigned char)(v >> 16), (unsigned char)(v >> 24)};
    add(s, b, 4);
}

static void add_name(struct bytes *s, const char *name)
{
    unsigned char n = (unsigned char)strlen(name);
    add(s, &n, 1);
    add(s, name, n);
}

static void begin(struct bytes *s, uint32_t n_fields)
{
    s->n = 0;
    add(s, "SSR1", 4);
    add_u32(s, n_fields);
}

static void add_field(struct bytes *s, unsigned char kind, const char *name, const void *payload, uint32_t n)
{
    add(s, &kind, 1);
    add_name(s, name);
    add_u32(s, n);
    add(s, payload, n);
}

static void unknown_fields_are_skipped(void)
{
    struct bytes s;
    ss_record r;
    double v = 2.5;
    begin(&s, 4);
    add_field(&s, 2, "of_the_future", &v, 8);
    add_field(&s, 77, "of_a_new_kind", "xyz", 3);
    add_field(&s, 2, "lambda_max", &v, 8);
    add_field(&s, 3, "host", "h", 1);
    CU_ASSERT_EQUAL_FATAL(ss_record_decode(s.b, s.n, &r, NULL), 0);
    CU_ASSERT_EQUAL(r.lambda_max, 2.5);
    CU_ASSERT_STRING_EQUAL(r.host, "h");
    CU_ASSERT(isnan(r.train_loss) && r.hvp_count == SS_UNKNOWN); /* a field that is missing stays unknown */
    CU_ASSERT_EQUAL(r.history.n_rows, 0);
    ss_record_finish(&r);
}

static void columns_are_found_by_name(void)
{
    struct bytes s, table = {{0}, 0};
    ss_record r;
    double rows[] = {7, 1, 0.5, 8, 2, 0.25};
    add_u32(&table, 3);
    add_name(&table, "of_the_future");
    add_name(&table, "epoch");
    add_name(&table, "train_loss");
    add_u32(&table, 2);
    add(&table, rows, sizeof rows);
    begin(&s, 1);
    add_field(&s, 5, "history", table.b, (uint32_t)table.n);
    CU_ASSERT_EQUAL_FATAL(ss_record_decode(s.b, s.n, &r, NULL), 0);
    CU_ASSERT_EQUAL_FATAL(r.history.n_rows, 2);
    CU_ASSERT_EQUAL(r.history.value[0], 1);
    CU_ASSERT(isnan(r.history.value[1]));
    CU_ASSERT_EQUAL(r.history.value[8 + 3], 0.25);
    ss_record_finish(&r);
}

struct bad {
    const char *what;
    unsigned char kind;
    const char *name;
    unsigned char payload[12];
    uint32_t n;
    int times;
    const char *message;
};
static const struct bad bads[] = {
    {"status beyond the list", 1, "status", {5}, 8, 1, "field status has a code that is not known"},
    {"negative status", 1, "status", {255, 255, 255, 255, 255, 255, 255, 255}, 8, 1, "field status has a code"},
    {"stop beyond the list", 1, "stop_reason", {SS_N_STOP}, 8, 1, "field stop_reason has a code"},
    {"real as integer", 1, "lambda_max", {0}, 8, 1, "field lambda_max has another type"},
    {"text as real", 2, "host", {0}, 8, 1, "field host has another type"},
    {"short integer", 1, "epochs", {0}, 4, 1, "field epochs is not 8 bytes long"},
    {"zero in text", 3, "host", {'a', 0, 'b'}, 3, 1, "field host holds a zero byte"},
    {"twice", 1, "epochs", {0}, 8, 2, "field epochs comes twice"},
    {"eigenvalues of half a number", 4, "eigenvalue", {0}, 12, 1, "field eigenvalue is no list of numbers"},
    {"eigenvalues of another kind", 1, "eigenvalue", {0}, 8, 1, "field eigenvalue is no list of numbers"},
    {"table of another kind", 4, "history", {0}, 8, 1, "field history is no table"},
    {"table of no size", 5, "history", {0}, 2, 1, "field history is no table"},
    {"table of too many columns", 5, "track", {1, 1}, 4, 1, "field track is no table"},
    {"rows of no columns", 5, "track", {0, 0, 0, 0, 9}, 8, 1, "field track has a size"},
    {"bytes after a table", 5, "track", {0}, 12, 1, "field track has a size"},
    {"kind 0", 0, "epochs", {0}, 8, 1, "field 1 of 1 is cut off"},
    {"no name", 1, "", {0}, 8, 1, "field 1 of 1 is cut off"},
};

static void inconsistencies_are_refused(void)
{
    for (size_t i = 0; i < sizeof bads / sizeof *bads; i++) {
        struct bytes s;
        ss_record r;
        ss_error error = {""};
        begin(&s, (uint32_t)bads[i].times);
        for (int t = 0; t < bads[i].times; t++) add_field(&s, bads[i].kind, bads[i].name, bads[i].payload, bads[i].n);
        CU_ASSERT_EQUAL(ss_record_decode(s.b, s.n, &r, &error), -1);
        if (!strstr(error.text, bads[i].message)) fprintf(stderr, "\n    %s: %s\n", bads[i].what, error.text);
        CU_ASSERT_PTR_NOT_NULL(strstr(error.text, bads[i].message));
    }
}

static void text_too_long_and_tail(void)
{
    struct bytes s;
    ss_record r;
    ss_error error = {""};
    char text[300];
    memset(text, 'x', sizeof text);
    begin(&s, 1);
    add_field(&s, 3, "host", text, 64);
    CU_ASSERT_EQUAL(ss_record_decode(s.b, s.n, &r, &error), -1);
    CU_ASSERT_STRING_EQUAL(error.text, "damaged record: field host is longer than its place");
    begin(&s, 1);
    add_field(&s, 3, "host", text, 63);
    CU_ASSERT_EQUAL(ss_record_decode(s.b, s.n, &r, &error), 0);
    CU_ASSERT_EQUAL(strlen(r.host), 63);
    ss_record_finish(&r);
    add(&s, "z", 1);
    CU_ASSERT_EQUAL(ss_record_decode(s.b, s.n, &r, &error), -1);
    CU_ASSERT_STRING_EQUAL(error.text, "damaged record: 1 bytes after its end");
    CU_ASSERT_EQUAL(ss_record_decode((const unsigned char *)"SSR2....", 8, &r, &error), -1);
    CU_ASSERT_STRING_EQUAL(error.text, "damaged record: it does not begin with SSR1");
    CU_ASSERT_EQUAL(ss_record_decode(NULL, 0, &r, NULL), -1);
}

static void memory_gone(void)
{
    ss_record a, b;
    unsigned char *bytes;
    size_t n;
    int rc = -1;
    fill(&a);
    ss_alloc_fail_after(0);
    CU_ASSERT_EQUAL(ss_record_encode(&a, &bytes, &n, NULL), -1);
    CU_ASSERT_PTR_NULL(bytes);
    ss_alloc_fail_after(-1);
    CU_ASSERT_EQUAL_FATAL(ss_record_encode(&a, &bytes, &n, NULL), 0);
    long tries = 0;
    for (; rc != 0 && tries < 10; tries++) {
        ss_alloc_fail_after(tries);
        rc = ss_record_decode(bytes, n, &b, NULL);
        ss_alloc_fail_after(-1);
        ss_record_finish(&b);
    }
    CU_ASSERT_EQUAL(tries, 5); /* eigenvalues, history, track */
    ss_alloc_fail_after(0);
    ss_series s = {.n_columns = 1};
    double row = 0;
    CU_ASSERT_EQUAL(ss_series_append(&s, &row), -1);
    ss_alloc_fail_after(-1);
    ss_free(bytes);
    ss_record_finish(&a);
}

static const ss_case cases[] = {
    {"tables describe the struct", tables_describe_the_struct},
    {"starts unknown", starts_unknown},
    {"round trip", round_trip},
    {"unknown measures take no bytes", unknown_measures_take_no_bytes},
    {"names do not clash", names_do_not_clash},
    {"same looks past incidental fields", same_looks_past_incidental_fields},
    {"truncated at every byte", truncated_at_every_byte},
    {"flipped bits never crash", flipped_bits_never_crash},
    {"unknown fields are skipped", unknown_fields_are_skipped},
    {"columns are found by name", columns_are_found_by_name},
    {"inconsistencies are refused", inconsistencies_are_refused},
    {"text too long, bytes after the end", text_too_long_and_tail},
    {"memory gone", memory_gone},
};
SS_SUITE("sweep/record", cases)
