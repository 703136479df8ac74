/* error.c - sentences for people: written once where something fails, extended on the way up. */
#include "sharpsweep/base.h"

#include <stdio.h>
#include <string.h>

/* Too long a sentence ends in "..." rather than in half a word that looks whole. */
static void mark_cut(char *text, size_t size, int wanted)
{
    if (wanted >= 0 && (size_t)wanted >= size) memcpy(text + size - 4, "...", 4);
}

/* Values of hostile files stand in sentences: one line, and nothing that a terminal would obey. */
static void make_printable(char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f) *text = '?';
}

int ss_fail(ss_error *error, const char *format, ...)
{
    if (!error) return -1;
    /* By way of a buffer, since an argument may point into error->text. */
    char text[SS_ERROR_BYTES];
    va_list args;
    va_start(args, format);
    int wanted = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (wanted < 0) text[0] = '\0';
    mark_cut(text, sizeof text, wanted);
    make_printable(text);
    memcpy(error->text, text, sizeof text);
    return -1;
}

int ss_fail_in(ss_error *error, const char *format, ...)
{
    if (!error) return -1;
    char context[SS_ERROR_BYTES], text[SS_ERROR_BYTES];
    va_list args;
    va_start(args, format);
    if (vsnprintf(context, sizeof context, format, args) < 0) context[0] = '\0';
    va_end(args);
    mark_cut(text, sizeof text, snprintf(text, sizeof text, "%s: %s", context, error->text));
    make_printable(text);
    memcpy(error->text, text, sizeof text);
    return -1;
}
