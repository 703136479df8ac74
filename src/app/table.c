/* table.c - aligned columns and CSV fields. */
#include "table.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

int ss_table_init(ss_table *table, size_t n_columns, size_t n_rows, ss_error *error)
{
    *table = (ss_table){.n_columns = n_columns, .n_rows = n_rows};
    table->head = ss_alloc(n_columns, sizeof *table->head);
    table->right = ss_alloc(n_columns, sizeof *table->right);
    table->cell = ss_alloc(n_columns * n_rows, sizeof *table->cell);
    if (table->head && table->right && table->cell) return 0;
    ss_table_finish(table);
    return ss_fail(error, "no memory for a table of %zu rows", n_rows);
}

void ss_table_finish(ss_table *table)
{
    for (size_t i = 0; table->cell && i < table->n_rows * table->n_columns; i++) ss_free(table->cell[i]);
    ss_free(table->cell);
    ss_free(table->head);
    ss_free(table->right);
    *table = (ss_table){0};
}

int ss_table_set(ss_table *table, size_t row, size_t column, ss_error *error, const char *format, ...)
{
    char text[256];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    char *copy = ss_strdup(text);
    if (!copy) return ss_fail(error, "no memory for a table");
    char **cell = &table->cell[row * table->n_columns + column];
    ss_free(*cell);
    *cell = copy;
    return 0;
}

static size_t width_of(const char *text)
{
    return text ? ss_text_columns(ss_printable_of(text).text) : 0;
}

static void print_cell(const char *text, size_t width, bool right, bool last, FILE *out)
{
    const ss_printable shown = ss_printable_of(text);
    size_t pad = width - ss_text_columns(shown.text);
    if (right) fprintf(out, "%*s", (int)pad, "");
    fputs(shown.text, out);
    if (!right && !last) fprintf(out, "%*s", (int)pad, "");
    fputs(last ? "\n" : "  ", out);
}

static size_t column_width(const ss_table *table, size_t column)
{
    size_t width = width_of(table->head[column]);
    for (size_t r = 0; r < table->n_rows; r++) {
        size_t w = width_of(table->cell[r * table->n_columns + column]);
        if (w > width) width = w;
    }
    return width;
}

int ss_table_print(const ss_table *table, FILE *out, ss_error *error)
{
    size_t n = table->n_columns, *width = ss_alloc(n, sizeof *width);
    if (!width) return ss_fail(error, "no memory for a table of %zu columns", n);
    for (size_t c = 0; c < n; c++) width[c] = column_width(table, c);
    for (size_t c = 0; c < n; c++) print_cell(table->head[c], width[c], table->right[c], c + 1 == n, out);
    for (size_t r = 0; r < table->n_rows; r++)
        for (size_t c = 0; c < n; c++) print_cell(table->cell[r * n + c], width[c], table->right[c], c + 1 == n, out);
    ss_free(width);
    return 0;
}

/* -1.5e-3, +2, -inf: what a spreadsheet reads as a number. */
static bool is_number(const char *text)
{
    char *end;
    strtod(text, &end);
    return end > text && *end == '\0' && !strpbrk(text, "xX(");
}

/* A spreadsheet takes what begins so for a formula, which may start programs; behind an apostrophe it is text. */
static bool is_formula(const char *text)
{
    return text[0] && strchr("=+-@\t\r", text[0]) && !is_number(text);
}

/* Nothing to be quoted or escaped: most fields, of which there may be a hundred million. */
static bool is_plain(const char *text)
{
    for (; *text; text++)
        if (*text < 0x20 || *text > 0x7e || *text == '"' || *text == ',') return false;
    return true;
}

void ss_csv_field(const char *text, FILE *out)
{
    char shown[SS_SHOWN_BYTES];
    if (!text) return;
    bool formula = is_formula(text), quoted = formula || strpbrk(text, "\",") != NULL;
    if (!formula && is_plain(text)) {
        fputs(text, out);
        return;
    }
    if (quoted) fputc('"', out);
    if (formula) fputc('\'', out);
    while (*text) {
        if (*text == '"') fputc('"', out);
        text = ss_text_step(text, shown);
        fputs(shown, out);
    }
    if (quoted) fputc('"', out);
}
