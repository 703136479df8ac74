/* cmd_verify.c - checks a results file and its journal, and repairs them. */
#include "app.h"

static void say(void *ctx, const char *line)
{
    (void)ctx;
    printf("%s\n", ss_printable_of(line).text);
}

int ss_cmd_verify(const ss_arguments *arguments, ss_error *error)
{
    const char *path = arguments->operand;
    bool repair = arguments->value[0] != NULL;
    int n_faults = ss_store_verify(path, repair, say, NULL, error);
    if (n_faults < 0) return n_faults == -1 ? SS_EXIT_USAGE : SS_EXIT_ERROR;
    if (n_faults == 0) {
        printf("%s: no fault found\n", ss_printable_of(path).text);
        return SS_EXIT_OK;
    }
    printf("%s: %d %s %s\n", ss_printable_of(path).text, n_faults, n_faults == 1 ? "fault" : "faults",
           repair ? "repaired" : "found; `sharpsweep verify --repair` repairs");
    return repair ? SS_EXIT_OK : SS_EXIT_USAGE;
}
