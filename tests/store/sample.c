/* sample.c - writes a results file for other programs to read: every status, histories, measures, spectra, a word as batch size, an axis of
 * every type. Usage: store_sample RESULTS.h5 [N]: N seeds per setting, so that columns are large enough for chunks; most
 * points then stay pending. */
#include "fixture.h"

static const char job[] =
    "model:\n  network: mlp\n  widths: [8, 4]\ndata:\n  dataset: synthetic\ncurvature:\n  curvature_examples: all\n"
    "  eigenvalues: 3\n  trace_probes: 2\n  spectrum_probes: 2\n  spectrum_steps: 3\n  track_every_epochs: 1\n"
    "  track_measures: true\ngrid:\n  learning_rate: [0.1, 1e-3]\n  batch_size: [32, full]\n  batch_norm: [false, true]\n"
    "  activation: [relu, gelu]\n  seed: {linear: [0, %d, %d]}\n";

int main(int argc, char **argv)
{
    char text[1024];
    (void)ss_suite_run; /* the fixture brings it; this is no suite */
    int n = argc > 2 ? atoi(argv[2]) : 2;
    if (argc < 2 || n < 2) return 2;
    snprintf(text, sizeof text, job, n - 1, n);
    snprintf(results, sizeof results, "%s", argv[1]);
    fixture f;
    ss_error error;
    with_measures = true;
    begin(&f, text);
    if (open_store(&f, NULL, &error)) {
        fprintf(stderr, "%s\n", error.text);
        return 1;
    }
    static const ss_status status[] = {SS_DONE, SS_DIVERGED, SS_EPOCH_LIMIT, SS_FAILED, SS_DONE};
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < f.n && i < 500; i++)
        if (i % 6 != 5) rc = keep(&f, i, status[i % 6], i, &error);
    if (rc == 0) rc = ss_store_close(f.store, &error);
    if (rc) fprintf(stderr, "%s\n", error.text);
    ss_grid_destroy(f.grid);
    ss_job_destroy(f.job);
    return rc ? 1 : 0;
}
