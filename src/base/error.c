/* error.c - sentences for people: written once where something fails, extended on the way up. */
#include "sharpsweep/base.h"

#include <stdio.h>

/* Longer than a sentence may be: what does not fit in here is cut all the same. */
enum { RAW_BYTES = 2 * SS_ERROR_BYTES };

/* Values of hostile files stand in sentences: one line, and nothing that a terminal would obey. */
int ss_fail(ss_error *error, const char *format, ...)
{
    if (!error) return -1;
    /* By way of a buffer, since an argument may point into error->text. */
    char text[RAW_BYTES];
    va_list args;
    va_start(args, format);
    if (vsnprintf(text, sizeof text, format, args) < 0) text[0] = '\0';
    va_end(args);
    ss_text_show(text, error->text, sizeof error->text);
    return -1;
}

int ss_fail_in(ss_error *error, const char *format, ...)
{
    if (!error) return -1;
    char context[SS_ERROR_BYTES], text[RAW_BYTES + 4];
    va_list args;
    va_start(args, format);
    if (vsnprintf(context, sizeof context, format, args) < 0) context[0] = '\0';
    va_end(args);
    snprintf(text, sizeof text, "%s: %s", context, error->text);
    ss_text_show(text, error->text, sizeof error->text);
    return -1;
}
