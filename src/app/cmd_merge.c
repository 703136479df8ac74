/* cmd_merge.c - joins the results files of one sweep's slices. */
#include "app.h"

int ss_cmd_merge(const ss_arguments *arguments, ss_error *error)
{
    ss_merged m = {0};
    const char *out = arguments->operand;
    if (arguments->n_more == 0) {
        ss_fail(error, "merge needs the files to be joined: sharpsweep merge %s SLICE.h5...", out);
        return SS_EXIT_USAGE;
    }
    const char *const *in = (const char *const *)arguments->more;
    if (ss_results_check(out, error)) return SS_EXIT_USAGE;
    int rc = ss_store_merge(out, arguments->n_more, in, &m, error);
    if (rc) return rc == SS_MERGED_IN_PART ? SS_EXIT_ERROR : SS_EXIT_USAGE;
    size_t n_left = m.n_points - m.n_finished - m.n_failed;
    printf("%s: %zu of %zu points finished", ss_printable_of(out).text, m.n_finished, m.n_points);
    if (m.n_failed) printf(", %zu failed", m.n_failed);
    if (n_left) printf(", %zu not yet run", n_left);
    printf(", from %zu %s", arguments->n_more, arguments->n_more == 1 ? "file" : "files");
    if (m.n_agreed) printf("; %zu stood in more than one and agreed", m.n_agreed);
    printf("\n");
    if (n_left) return SS_EXIT_STOPPED;
    return m.n_failed ? SS_EXIT_FAILED_POINTS : SS_EXIT_OK;
}
