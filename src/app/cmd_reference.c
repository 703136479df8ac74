/* cmd_reference.c - the documents made from the table of keys. */
#include "app.h"

int ss_cmd_reference(const ss_arguments *arguments, ss_error *error)
{
    (void)error;
    if (arguments->value[0])
        ss_job_write_schema(stdout);
    else
        ss_job_write_reference(stdout);
    return SS_EXIT_OK;
}
