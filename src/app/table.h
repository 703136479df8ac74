/* table.h - text in aligned columns, and as CSV. Private to src/app. */
#ifndef SHARPSWEEP_TABLE_H
#define SHARPSWEEP_TABLE_H

#include <stdio.h>

#include "sharpsweep/base.h"

typedef struct ss_table {
    size_t n_columns, n_rows;
    const char **head;            /* (n_columns) not owned */
    bool *right;                  /* (n_columns) aligned to the right: numbers */
    char **cell;                  /* (n_rows * n_columns) owned; NULL: empty */
} ss_table;

int ss_table_init(ss_table *table, size_t n_columns, size_t n_rows, ss_error *error);
void ss_table_finish(ss_table *table); /* a zeroed table is fine */
int ss_table_set(ss_table *table, size_t row, size_t column, ss_error *error, const char *format, ...)
    __attribute__((format(printf, 5, 6)));
int ss_table_print(const ss_table *table, FILE *out, ss_error *error);
/* One CSV field, quoted where RFC 4180 asks for it; controls as terminals are shown them, so that a row is a line; a formula as
 * text behind an apostrophe. */
void ss_csv_field(const char *text, FILE *out);

#endif
