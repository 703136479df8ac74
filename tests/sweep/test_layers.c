#include "sharpsweep/sweep.h"

#include <string.h>

#include "../suite.h"

static ss_job *parse(const char *layers, ss_error *error)
{
    char text[8192];
    snprintf(text, sizeof text, "model:\n  network: layers\n  layers: %s\n", layers);
    return ss_job_parse(text, "job.yaml", error);
}

struct good { const char *yaml, *canonical; };
static const struct good goods[] = {
    {"[relu]", "relu"},
    {"[relu, tanh, gelu, batch_norm, flatten, global_avg_pool]", "relu; tanh; gelu; batch_norm; flatten; global_avg_pool"},
    {"[linear: 128]", "linear(units=128,bias=1)"},
    {"[linear: {units: 128, bias: false}]", "linear(units=128,bias=0)"},
    {"[conv2d: {units: 64, kernel: 3, padding: 1}]", "conv2d(units=64,kernel=3,stride=1,padding=1,bias=1)"},
    {"[conv2d: {bias: false, stride: 2, kernel: 1, units: 8}]", "conv2d(units=8,kernel=1,stride=2,padding=0,bias=0)"},
    {"[max_pool: 2]", "max_pool(kernel=2,stride=2,padding=0)"},
    {"[avg_pool: {kernel: 3, stride: 1, padding: 1}]", "avg_pool(kernel=3,stride=1,padding=1)"},
    {"[dropout: 0.5]", "dropout(p=0.5)"},
    {"[dropout: {p: 5e-1}]", "dropout(p=0.5)"},
    {"[relu: , tanh: {}, flatten: null]", "relu; tanh; flatten"},
    {"[residual: {body: [relu]}]", "residual(projection=0); relu; end"},
    {"[residual: {body: [relu, {residual: {body: [tanh], projection: true}}]}, gelu]",
     "residual(projection=0); relu; residual(projection=1); tanh; end; end; gelu"},
    {"\n    - conv2d:\n        units: 3\n        kernel: 5\n    - &r relu\n    - *r",
     "conv2d(units=3,kernel=5,stride=1,padding=0,bias=1); relu; relu"},
};

static void canonical_text(void)
{
    for (size_t i = 0; i < sizeof goods / sizeof *goods; i++) {
        ss_error error = {""};
        ss_job *job = parse(goods[i].yaml, &error);
        if (!job) fprintf(stderr, "\n    %s: %s\n", goods[i].yaml, error.text);
        CU_ASSERT_PTR_NOT_NULL_FATAL(job);
        CU_ASSERT_STRING_EQUAL(job->settings.layers, goods[i].canonical);
        ss_job_destroy(job);
    }
}

struct bad { const char *yaml, *message; };
static const struct bad bads[] = {
    {"relu", "job.yaml:3:11: layers: a single value; expected a list of layers"},
    {"[]", "job.yaml:3:11: layers: an empty list; a network needs a layer"},
    {"[rleu]", "job.yaml:3:12: layers: rleu is no layer type; nearest is relu"},
    {"[convolution_of_some_sort]", "job.yaml:3:12: layers: convolution_of_some_sort is no layer type; jobs/README.md"},
    {"[end]", "job.yaml:3:12: layers: end is no layer type"},
    {"[linear]", "job.yaml:3:12: layers: linear needs units"},
    {"[linear: ]", "job.yaml:3:12: layers: linear needs units"},
    {"[linear: {bias: true}]", "job.yaml:3:12: layers: linear needs units"},
    {"[linear: 0]", "job.yaml:3:20: layers: linear's units: '0' is too small; expected an integer from 1 to 65536 (units)"},
    {"[linear: x]", "job.yaml:3:20: layers: linear's units: 'x' is not a decimal integer"},
    {"[linear: [3]]", "job.yaml:3:20: layers: linear takes its options as {name: value}, not a list"},
    {"[linear: {units: 3, kernel: 2}]", "job.yaml:3:31: layers: linear has no option kernel; it takes units, bias"},
    {"[linear: {units: 3, units: 3}]", "job.yaml:3:31: layers: linear's units is given twice"},
    {"[linear: {units: '3'}]", "job.yaml:3:28: layers: linear's units: \"3\" is quoted text"},
    {"[linear: {units: 3, bias: yes}]", "job.yaml:3:37: layers: linear's bias: 'yes' is a truth value in YAML 1.1 only"},
    {"[conv2d: 3]", "job.yaml:3:20: layers: conv2d takes its options as {name: value}, not a single value"},
    {"[conv2d: {units: 3}]", "job.yaml:3:12: layers: conv2d needs kernel"},
    {"[conv2d: {units: 3, kernel: 3, padding: -1}]", "job.yaml:3:51: layers: conv2d's padding: '-1' is too small"},
    {"[relu: 3]", "job.yaml:3:18: layers: relu takes no options, not a single value"},
    {"[relu: {p: 3}]", "job.yaml:3:19: layers: relu has no option p; it takes none"},
    {"[dropout]", "job.yaml:3:12: layers: dropout needs p"},
    {"[dropout: 1]",
     "job.yaml:3:21: layers: dropout's p: '1' is too large; expected a number of at least 0 and less than 1"},
    {"[residual]", "job.yaml:3:12: layers: residual needs a body"},
    {"[residual: {projection: true}]", "job.yaml:3:12: layers: residual needs a body"},
    {"[residual: {body: []}]", "job.yaml:3:29: layers: residual needs a body"},
    {"[residual: {body: relu}]", "job.yaml:3:29: layers: residual needs a body"},
    {"[residual: {body: [relu], body: [relu]}]", "job.yaml:3:37: layers: residual's body is given twice"},
    {"[residual: {bdy: [relu]}]", "job.yaml:3:23: layers: residual has no option bdy; it takes projection, body"},
    {"[{relu: , tanh: }]", "job.yaml:3:12: layers: a mapping of 2 entries; expected a type"},
    {"[{}]", "job.yaml:3:12: layers: a mapping of 0 entries"},
    {"[[relu]]", "job.yaml:3:12: layers: a list of 1 entries"},
    {"[\"\"]", "job.yaml:3:12: nothing where the name of a key was expected"},
    {"&l [residual: {body: *l}]", "layers: residual blocks nested deeper than 8"},
};

static void bad_lists(void)
{
    for (size_t i = 0; i < sizeof bads / sizeof *bads; i++) {
        ss_error error = {""};
        ss_job *job = parse(bads[i].yaml, &error);
        bool same = !job && strstr(error.text, bads[i].message);
        if (!same) fprintf(stderr, "\n    %s\n    expected %s\n    got %s\n", bads[i].yaml, bads[i].message, error.text);
        CU_ASSERT(same);
        ss_job_destroy(job);
    }
}

/* Aliases multiply: 10 levels of 10 references would be 10^10 layers. */
static void aliases_do_not_explode(void)
{
    char text[8192] = "[&a0 {residual: {body: [relu]}}";
    ss_error error = {""};
    for (int level = 1; level < 8; level++) {
        size_t n = strlen(text);
        n += (size_t)snprintf(text + n, sizeof text - n, ", &a%d {residual: {body: [", level);
        for (int i = 0; i < 10; i++) n += (size_t)snprintf(text + n, sizeof text - n, "%s*a%d", i ? ", " : "", level - 1);
        snprintf(text + n, sizeof text - n, "]}}");
    }
    strcat(text, "]");
    CU_ASSERT_PTR_NULL(parse(text, &error));
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, "layers: more than 1000 layers"));
}

static void read_back(void)
{
    const char *cursor = "conv2d(units=64,kernel=3,stride=2,padding=1,bias=0); dropout(p=0.25); "
                         "residual(projection=1); relu; end";
    ss_layer_text l;
    CU_ASSERT_EQUAL(ss_layer_text_next(&cursor, &l), 1);
    CU_ASSERT_STRING_EQUAL(l.type, "conv2d");
    CU_ASSERT(l.units == 64 && l.kernel == 3 && l.stride == 2 && l.padding == 1 && !l.bias);
    CU_ASSERT_EQUAL(ss_layer_text_next(&cursor, &l), 1);
    CU_ASSERT(strcmp(l.type, "dropout") == 0 && l.p == 0.25);
    CU_ASSERT_EQUAL(ss_layer_text_next(&cursor, &l), 1);
    CU_ASSERT(strcmp(l.type, "residual") == 0 && l.projection);
    CU_ASSERT_EQUAL(ss_layer_text_next(&cursor, &l), 1);
    CU_ASSERT(strcmp(l.type, "relu") == 0 && !l.projection && l.units == 0);
    CU_ASSERT_EQUAL(ss_layer_text_next(&cursor, &l), 1);
    CU_ASSERT_STRING_EQUAL(l.type, "end");
    CU_ASSERT_EQUAL(ss_layer_text_next(&cursor, &l), 0);
    CU_ASSERT_EQUAL(ss_layer_text_next(&cursor, &l), 0);
}

static void foreign_text_is_refused(void)
{
    static const char *const texts[] = {"rleu", "linear(units=3", "linear(unit=3)", "linear(units=x)", "linear(units)",
                                        "linear(units=)", "dropout(p=nan)", "relu(p=0.5)", "linear(kernel=3)", "(",
                                        "a_type_with_a_name_that_is_too_long", "linear(units=3;bias=1)"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        const char *cursor = texts[i];
        ss_layer_text l;
        int rc = ss_layer_text_next(&cursor, &l);
        if (rc != -1) fprintf(stderr, "\n    %s\n", texts[i]);
        CU_ASSERT_EQUAL(rc, -1);
    }
}

static const ss_case cases[] = {
    {"canonical text", canonical_text},
    {"bad lists", bad_lists},
    {"aliases do not explode", aliases_do_not_explode},
    {"read back", read_back},
    {"foreign text is refused", foreign_text_is_refused},
};
SS_SUITE("sweep/layers", cases)
