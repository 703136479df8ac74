/* pieces.c - states as lists of named stretches of memory, and reading them back. */
#include "sharpsweep/base.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

void ss_pieces_add(ss_pieces *list, const char *name, const void *data, size_t bytes)
{
    assert(list->n < SS_MAX_PIECES && strlen(name) < SS_PIECE_NAME_BYTES);
    ss_piece *piece = &list->piece[list->n++];
    piece->name = name;
    memcpy(&piece->data, &data, sizeof data); /* the one list serves both ways: what only saves does not write */
    piece->bytes = bytes;
}

size_t ss_pieces_bytes(const ss_pieces *list)
{
    size_t sum = 0;
    for (size_t i = 0; i < list->n; i++) sum += list->piece[i].bytes;
    return sum;
}

int ss_keeper_read(ss_keeper *keeper, const ss_pieces *state, ss_error *error)
{
    for (size_t i = 0; i < state->n; i++)
        if (keeper->read(keeper->ctx, &state->piece[i], error)) {
            keeper->refused = true;
            return -1;
        }
    return 0;
}

int ss_keeper_refuse(ss_keeper *keeper, ss_error *error, const char *format, ...)
{
    keeper->refused = true;
    if (!error) return -1;
    va_list args;
    va_start(args, format);
    vsnprintf(error->text, sizeof error->text, format, args);
    va_end(args);
    return -1;
}
