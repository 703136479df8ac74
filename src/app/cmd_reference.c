/* cmd_reference.c - the documents made from the tables of keys and commands. */
#include "app.h"
#include "manual.h"

/* As the commands' table lists them. */
enum { SCHEMA, MAN, COMPLETION };

int ss_cmd_reference(const ss_arguments *arguments, ss_error *error)
{
    const char *const *value = arguments->value;
    if ((value[SCHEMA] != NULL) + (value[MAN] != NULL) + (value[COMPLETION] != NULL) > 1)
        return ss_fail(error, "--schema, --man and --completion are given together: one document at a time"), SS_EXIT_USAGE;
    if (value[MAN]) return ss_manual_write(value[MAN], stdout, error) ? SS_EXIT_USAGE : SS_EXIT_OK;
    if (value[COMPLETION]) ss_completion_write(stdout);
    else if (value[SCHEMA]) ss_job_write_schema(stdout);
    else ss_job_write_reference(stdout);
    return SS_EXIT_OK;
}
