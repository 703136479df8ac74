#include "sharpsweep/sweep.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../suite.h"

static void table_is_whole(void)
{
    size_t n;
    const ss_key *key = ss_keys(&n);
    ss_settings s, t;
    ss_settings_default(&s);
    for (size_t i = 0; i < n; i++) {
        char text[512], again[512];
        CU_ASSERT(key[i].name && key[i].section && key[i].text && key[i].text[0] && key[i].unit && key[i].fallback);
        CU_ASSERT_PTR_EQUAL(ss_key_find(key[i].name), &key[i]);
        if (key[i].offset == (size_t)-1) continue;
        ss_key_format(&key[i], &s, text, sizeof text);
        CU_ASSERT_STRING_EQUAL(text, key[i].fallback); /* defaults stand in canonical form */
        t = s;
        CU_ASSERT_EQUAL(ss_key_parse(&key[i], text, &t, NULL), 0);
        CU_ASSERT(ss_key_equal(&key[i], &s, &t));
        ss_key_format(&key[i], &t, again, sizeof again);
        CU_ASSERT_STRING_EQUAL(text, again);
        CU_ASSERT_EQUAL(key[i].identity, strcmp(key[i].section, "sweep") != 0 && strcmp(key[i].name, "data_dir") != 0);
    }
    CU_ASSERT_PTR_NULL(ss_key_find("learning_rat"));
}

static void some_defaults(void)
{
    ss_settings s;
    ss_settings_default(&s);
    CU_ASSERT_EQUAL(s.learning_rate, 0.1);
    CU_ASSERT_EQUAL(s.batch_size, 128);
    CU_ASSERT_EQUAL(s.sam_m, SS_WORD);
    CU_ASSERT_EQUAL(s.n_widths, 2);
    CU_ASSERT_EQUAL(s.widths[1], 200);
    CU_ASSERT_STRING_EQUAL(s.network, "mlp");
    CU_ASSERT_STRING_EQUAL(s.layers, "");
    CU_ASSERT_EQUAL(s.target_train_accuracy, 0.99);
    CU_ASSERT_EQUAL(s.curvature_tolerance, 1e-3);
}

struct text_case { const char *key, *text, *canonical, *message; }; /* canonical NULL: refused with message */
static const struct text_case texts[] = {
    {"learning_rate", "0.1", "0.1", NULL},
    {"learning_rate", "0.10000000000000001", "0.1", NULL},
    {"learning_rate", "1e-1", "0.1", NULL},
    {"learning_rate", ".5", "0.5", NULL},
    {"learning_rate", "1.", "1", NULL},
    {"learning_rate", "100", "100", NULL},
    {"learning_rate", "1E2", "100", NULL},
    {"learning_rate", "12345678", "12345678", NULL},
    {"learning_rate", "0.00001", "1e-5", NULL},
    {"learning_rate", "1e+20", "1e20", NULL},
    {"learning_rate", "0.30000000000000004", "0.30000000000000004", NULL},
    {"learning_rate", "1e-300", "1e-300", NULL},
    {"weight_decay", "-0", "0", NULL},
    {"weight_decay", "-0.0", "0", NULL},
    {"batch_size", "full", "full", NULL},
    {"batch_size", "1000000000", "1000000000", NULL},
    {"seed", "9007199254740991", "9007199254740991", NULL},
    {"curvature_memory", "auto", "auto", NULL},
    {"curvature_memory", "0", "0", NULL},
    {"curvature_memory", "1000", "1000", NULL},
    {"curvature_memory", "2048", "2K", NULL},
    {"curvature_memory", "512M", "512M", NULL},
    {"curvature_memory", "1024M", "1G", NULL},
    {"curvature_memory", "1.5GiB", "1536M", NULL},
    {"curvature_memory", "2GB", "2G", NULL},
    {"curvature_memory", "1e6K", "1000000K", NULL},
    {"curvature_memory", "2T", "2T", NULL},
    {"curvature_memory", "2 G", NULL, "curvature_memory: '2 G' is not a number of bytes; expected a size such as 512M or 2G"},
    {"curvature_memory", "G", NULL, "'G' is not a number of bytes"},
    {"curvature_memory", "", NULL, "'' is not a number of bytes"},
    {"curvature_memory", "2g", NULL, "'2g' is not a number of bytes"},
    {"curvature_memory", "2Gb", NULL, "'2Gb' is not a number of bytes"},
    {"curvature_memory", "2GiBs", NULL, "'2GiBs' is not a number of bytes"},
    {"curvature_memory", "-1", NULL, "'-1' is not a number of bytes"},
    {"curvature_memory", "full", NULL, "'full' is not a number of bytes"},
    {"curvature_memory", "0.3", NULL, "'0.3' is no whole number of bytes"},
    {"curvature_memory", "2000T", NULL, "'2000T' is too large"},
    {"curvature_memory", "1e300", NULL, "'1e300' is beyond the range"},
    {"batch_norm", "true", "true", NULL},
    {"activation", "tanh", "tanh", NULL},
    {"widths", "[]", "[]", NULL},
    {"widths", "[1,2, 3]", "[1, 2, 3]", NULL},
    {"data_dir", "/a b", "/a b", NULL},
    {"learning_rate", "abc", NULL, "learning_rate: 'abc' is not a decimal number; expected a number greater than 0"},
    {"learning_rate", "", NULL, "'' is not a decimal number"},
    {"learning_rate", "nan", NULL, "'nan' is not a decimal number"},
    {"learning_rate", ".nan", NULL, "'.nan' is not a decimal number"},
    {"learning_rate", "inf", NULL, "'inf' is not a decimal number"},
    {"learning_rate", "0x1p3", NULL, "'0x1p3' is not a decimal number"},
    {"learning_rate", "0.1 ", NULL, "'0.1 ' is not a decimal number"},
    {"learning_rate", "0.1f", NULL, "is not a decimal number"},
    {"learning_rate", "1,5", NULL, "is not a decimal number"},
    {"learning_rate", "1_000", NULL, "is not a decimal number"},
    {"learning_rate", "+1", NULL, "is not a decimal number"},
    {"learning_rate", "00.1", NULL, "is not a decimal number"},
    {"learning_rate", "1e", NULL, "is not a decimal number"},
    {"learning_rate", "1e+", NULL, "is not a decimal number"},
    {"learning_rate", ".", NULL, "is not a decimal number"},
    {"learning_rate", "-", NULL, "is not a decimal number"},
    {"learning_rate", "1e999", NULL, "is beyond the range of double precision"},
    {"learning_rate", "1e-999", NULL, "is beyond the range of double precision"},
    {"learning_rate", "0", NULL, "learning_rate: '0' is too small; expected a number greater than 0"},
    {"learning_rate", "-0.1", NULL, "'-0.1' is too small"},
    {"dropout", "1", NULL, "dropout: '1' is too large; expected a number of at least 0 and less than 1"},
    {"target_train_accuracy", "99", NULL, "'99' is too large; expected a number from 0 to 1"},
    {"batch_size", "0", NULL, "'0' is too small; expected an integer from 1 to 1000000000 (examples), or full"},
    {"batch_size", "-1", NULL, "'-1' is too small"},
    {"batch_size", "all", NULL, "batch_size: 'all' is not a decimal integer"},
    {"batch_size", "64.0", NULL, "'64.0' is not a decimal integer"},
    {"batch_size", "1e3", NULL, "'1e3' is not a decimal integer"},
    {"batch_size", "010", NULL, "'010' is not a decimal integer"},
    {"batch_size", "Full", NULL, "is not a decimal integer"},
    {"max_epochs", "99999999999999999999", NULL, "is beyond the range of 64-bit integers"},
    {"eigenvalues", "65", NULL, "eigenvalues: '65' is too large; expected an integer from 1 to 64 (eigenvalues)"},
    {"batch_norm", "yes", NULL, "batch_norm: 'yes' is a truth value in YAML 1.1 only; expected true or false"},
    {"batch_norm", "OFF", NULL, "is a truth value in YAML 1.1 only"},
    {"batch_norm", "1", NULL, "'1' is not a truth value; expected true or false"},
    {"batch_norm", "True", NULL, "'True' is not a truth value"},
    {"activation", "rleu", NULL, "'rleu' is not known (did you mean relu?); expected one of relu, tanh, gelu"},
    {"activation", "swish", NULL, "activation: 'swish' is not known; expected one of"},
    {"activation", "", NULL, "'' is not known"},
    {"widths", "200", NULL, "'200' is not a list; expected a list of at most 16 integers, each from 1 to 65536 (units)"},
    {"widths", "[1]2]", NULL, "is not a list"},
    {"widths", "[1, x]", NULL, "'x' is not a decimal integer"},
    {"widths", "[0]", NULL, "'0' is too small"},
    {"widths", "[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17]", NULL, "has too many items"},
    {"output", "x.h5", NULL, "output: belongs to the job"},
};

static void texts_are_read_strictly(void)
{
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        const struct text_case *c = &texts[i];
        const ss_key *key = ss_key_find(c->key);
        ss_settings s, before;
        ss_error error = {""};
        char out[512];
        ss_settings_default(&s);
        before = s;
        int rc = ss_key_parse(key, c->text, &s, &error);
        if (!c->canonical) {
            if (!strstr(error.text, c->message)) fprintf(stderr, "\n    %s %s: %s\n", c->key, c->text, error.text);
            CU_ASSERT_PTR_NOT_NULL(strstr(error.text, c->message));
            CU_ASSERT(rc == -1 && ss_key_equal(key, &s, &before));
            continue;
        }
        ss_key_format(key, &s, out, sizeof out);
        if (rc || strcmp(out, c->canonical)) fprintf(stderr, "\n    %s %s: %s %s\n", c->key, c->text, out, error.text);
        CU_ASSERT_EQUAL(rc, 0);
        CU_ASSERT_STRING_EQUAL(out, c->canonical);
    }
}

static void numbers_read_back_exactly(void)
{
    const ss_key *key = ss_key_find("learning_rate");
    ss_stream random = ss_stream_make(3, SS_FOR_TEST, 0, 0);
    ss_settings s, t;
    int bad = 0;
    ss_settings_default(&s);
    t = s;
    for (uint64_t i = 0; i < 20000; i++) {
        char text[64];
        uint64_t bits = (uint64_t)ss_stream_u32(&random, 2 * i) << 32 | ss_stream_u32(&random, 2 * i + 1);
        bits &= ~(1ull << 63);
        memcpy(&s.learning_rate, &bits, sizeof bits);
        if (!isfinite(s.learning_rate) || s.learning_rate == 0) continue;
        ss_key_format(key, &s, text, sizeof text);
        bad += ss_key_parse(key, text, &t, NULL) != 0 || memcmp(&t.learning_rate, &bits, sizeof bits) != 0;
    }
    CU_ASSERT_EQUAL(bad, 0);
}

/* Digits without zeros in front and behind. */
static int digits_of(const char *text)
{
    int n = 0, zeros = 0;
    for (; *text && *text != 'e'; text++) {
        if (*text < '0' || *text > '9' || (n == 0 && *text == '0')) continue;
        zeros = *text == '0' ? zeros + 1 : 0;
        n++;
    }
    return n - zeros;
}

/* With the fewest digits that read back: identities and results files hold these texts. */
static void numbers_are_short(void)
{
    const ss_key *key = ss_key_find("learning_rate");
    ss_stream random = ss_stream_make(5, SS_FOR_TEST, 0, 0);
    ss_settings s;
    int bad = 0;
    ss_settings_default(&s);
    for (uint64_t i = 0; i < 20000; i++) {
        char text[64], tried[64];
        int exponent = (int)(ss_stream_u32(&random, 2 * i) % 640) - 330, least = 0;
        snprintf(tried, sizeof tried, "%.*fe%d", (int)(i % 17), 10 * ss_stream_uniform(&random, 2 * i + 1), i % 3 ? exponent : 0);
        s.learning_rate = strtod(tried, NULL);
        if (!isfinite(s.learning_rate) || s.learning_rate == 0) continue;
        do snprintf(tried, sizeof tried, "%.*e", least++, s.learning_rate);
        while (strtod(tried, NULL) != s.learning_rate);
        ss_key_format(key, &s, text, sizeof text);
        bad += digits_of(text) != digits_of(tried) || strtod(text, NULL) != s.learning_rate;
    }
    CU_ASSERT_EQUAL(bad, 0);
}

static void numbers_for_plots(void)
{
    ss_settings s;
    ss_settings_default(&s);
    s.batch_size = 64;
    CU_ASSERT_EQUAL(ss_key_number(ss_key_find("batch_size"), &s), 64);
    CU_ASSERT_EQUAL(ss_key_number(ss_key_find("learning_rate"), &s), 0.1);
    s.batch_size = SS_WORD;
    CU_ASSERT(isnan(ss_key_number(ss_key_find("batch_size"), &s)));
    CU_ASSERT(isnan(ss_key_number(ss_key_find("network"), &s)));
    CU_ASSERT(isnan(ss_key_number(ss_key_find("output"), &s)));
}

/* What no job can say, a damaged results file can: such numbers have a text too. */
static void numbers_that_are_none(void)
{
    const double numbers[] = {NAN, INFINITY, -INFINITY};
    const char *const words[] = {"nan", "inf", "-inf"};
    const ss_key *key = ss_key_find("learning_rate");
    for (size_t i = 0; i < 3; i++) {
        ss_settings s;
        char text[64];
        ss_settings_default(&s);
        s.learning_rate = numbers[i];
        ss_key_format(key, &s, text, sizeof text);
        CU_ASSERT_STRING_EQUAL(text, words[i]);
    }
}

static void equality_sees_each_key(void)
{
    size_t n;
    const ss_key *key = ss_keys(&n);
    const char *const other[] = {[SS_BOOL] = "", [SS_INT] = "7", [SS_COUNT] = "7", [SS_BYTES] = "7K", [SS_FLOAT] = "0.123", [SS_TEXT] = "/x",
                                 [SS_INTS] = "[7]", [SS_LAYERS] = "relu"};
    for (size_t i = 0; i < n; i++) {
        ss_settings a, b;
        if (key[i].offset == (size_t)-1) continue;
        ss_settings_default(&a);
        b = a;
        const char *text = key[i].type == SS_CHOICE ? key[i].choices[strcmp(key[i].choices[0], key[i].fallback) == 0]
                           : key[i].type == SS_BOOL ? (key[i].fallback[0] == 't' ? "false" : "true") : other[key[i].type];
        CU_ASSERT_EQUAL(ss_key_parse(&key[i], text, &b, NULL), 0);
        for (size_t j = 0; j < n; j++) CU_ASSERT_EQUAL(ss_key_equal(&key[j], &a, &b), i != j);
    }
}

struct near { const char *name, *section, *nearest; };
static const struct near nears[] = {
    {"learning_rat", "training", "learning_rate"}, {"lerning_rate", NULL, "learning_rate"}, {"lr", NULL, "learning_rate"},
    {"bs", NULL, "batch_size"}, {"wd", NULL, "weight_decay"}, {"bn", NULL, "batch_norm"}, {"rho", NULL, "sam_rho"},
    {"epochs", NULL, "max_epochs"}, {"batchsize", NULL, "batch_size"}, {"seeed", "training", "seed"},
    {"seeed", "sweep", "seed"}, {"seedss", "sweep", "seeds"}, {"momentun", NULL, "momentum"}, {"dropuot", NULL, "dropout"},
    {"ouptut", NULL, "output"}, {"xyzzy", NULL, NULL}, {"", NULL, NULL},
    {"a_name_that_is_far_too_long_to_be_the_name_of_any_key_here", NULL, NULL},
};

static void nearest_key(void)
{
    for (size_t i = 0; i < sizeof nears / sizeof *nears; i++) {
        const char *found = ss_key_nearest(nears[i].name, nears[i].section);
        if (strcmp(found ? found : "-", nears[i].nearest ? nears[i].nearest : "-") != 0)
            fprintf(stderr, "\n    %s: %s\n", nears[i].name, found ? found : "-");
        CU_ASSERT_STRING_EQUAL(found ? found : "-", nears[i].nearest ? nears[i].nearest : "-");
    }
}

static const ss_case cases[] = {
    {"table is whole", table_is_whole},
    {"some defaults", some_defaults},
    {"texts are read strictly", texts_are_read_strictly},
    {"numbers read back exactly", numbers_read_back_exactly},
    {"numbers are short", numbers_are_short},
    {"numbers for plots", numbers_for_plots},
    {"numbers that are none", numbers_that_are_none},
    {"equality sees each key", equality_sees_each_key},
    {"nearest key", nearest_key},
};
SS_SUITE("sweep/value", cases)
