/* fuzz_job.c - the input is a job file: parsed, laid out as a grid, every kind of setting read back as text. */
#include "scratch.h"
#include "sharpsweep/sweep.h"

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    scratch_silence();
    return 0;
}

/* What a key prints, it must read again as the same value. */
static void read_back(const ss_settings *s)
{
    size_t n;
    const ss_key *key = ss_keys(&n);
    char text[512];
    ss_error error = {{0}};
    for (size_t i = 0; i < n; i++) {
        ss_settings back;
        if (key[i].offset == (size_t)-1 || key[i].type == SS_TEXT || key[i].type == SS_LAYERS) continue;
        ss_settings_default(&back);
        ss_key_format(&key[i], s, text, sizeof text);
        FUZZ_MUST(ss_key_parse(&key[i], text, &back, &error) == 0);
        FUZZ_MUST(ss_key_equal(&key[i], s, &back));
    }
}

static void walk_layers(const char *text)
{
    ss_layer_text layer;
    int rc = 0;
    while (text && (rc = ss_layer_text_next(&text, &layer)) > 0) {}
    FUZZ_MUST(rc == 0); /* canonical text is what the parser makes */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static const ss_work_size work = {1e6, 1e5, 1e3, 400, 1000, 100, 1e6, 1e6, 800, 1e6, 32};
    ss_error error = {{0}};
    char *text = ss_alloc(n + 1, 1), id[SS_ID_BYTES];
    if (!text) return 0;
    memcpy(text, data, n);
    ss_job *job = ss_job_parse(text, "fuzz.yaml", &error);
    FUZZ_MUST(job || error.text[0]);
    ss_grid *grid = job ? ss_grid_create(job, &error) : NULL;
    size_t n_points = grid ? ss_grid_count(grid) : 0, step = n_points / 7 + 1;
    for (size_t i = 0; i < n_points; i += step) {
        ss_settings s;
        ss_grid_settings(grid, i, &s);
        read_back(&s);
        walk_layers(s.layers && s.layers[0] ? s.layers : NULL);
        ss_point_identify(&s, "digest", id);
        ss_cost cost = ss_cost_predict(&s, &work, 1e9);
        FUZZ_MUST(cost.train_s >= 0 && cost.curvature_s >= 0 && cost.memory_bytes > 0);
    }
    ss_grid_destroy(grid);
    ss_job_destroy(job);
    ss_free(text);
    return 0;
}
