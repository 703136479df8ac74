/* cmd_show.c - results as a readable table, or all of them as CSV. */
#include <math.h>
#include <string.h>

#include "app.h"
#include "table.h"

/* After the axes, as far as the file has them; `digits` of %g, 0: as it is written in the file; negative: decimals. */
static const struct { const char *name, *head; int digits; } shown[] = {
    {"status", "status", 0},          {"lambda_max", "lambda_max", 5},      {"lambda_residual", "residual", 2},
    {"lambda_converged", "converged", 0}, {"train_accuracy", "train_acc", 4}, {"test_accuracy", "test_acc", 4},
    {"epochs", "epochs", 0},          {"train_s", "train_s", -2},
    /* FIRST_MEASURE and on */
    {"lambda_min", "lambda_min", 4},  {"gauss_newton_lambda_max", "gauss_newton", 4}, {"trace", "trace", 4},
    {"trace_error", "+-", 2},         {"sam_edge", "sam_edge", 4},      {"sharpness", "sharpness", 4},
    {"adaptive_sharpness", "adaptive", 4}, {"adaptive_lambda_max", "adaptive_lambda", 4},
    {"spherical_sharpness", "spherical", 4}, {"batch_sharpness", "batch_sharp", 4}, {"batch_sharpness_error", "+-", 2},
    {"alignment", "alignment", 3},    {"subset_lambda_mean", "subset_lambda", 4}, {"subset_lambda_deviation", "+-", 2},
};
enum { N_SHOWN = sizeof shown / sizeof *shown, FIRST_MEASURE = 8 };

static int fill_axes(const ss_results *r, ss_table *table, ss_error *error)
{
    size_t c = 0;
    for (size_t k = 0; k < r->n_columns; k++) {
        const ss_column *column = &r->column[k];
        if (!column->is_axis) continue;
        table->head[c] = column->name;
        table->right[c] = column->number != NULL;
        for (size_t i = 0; i < r->n; i++)
            if (ss_table_set(table, i, c, error, "%s", column->text[i])) return -1;
        c++;
    }
    return 0;
}

static int fill_cell(const ss_results *r, size_t i, size_t k, const ss_column *column, ss_table *table, size_t c,
                     ss_error *error)
{
    bool pending = r->status[i] == SS_PENDING;
    if (strcmp(column->name, "status") == 0 && pending)
        return ss_table_set(table, i, c, error, "%s", r->running[i] ? "running" : "pending");
    if (pending) return 0;
    if (strcmp(column->name, "lambda_converged") == 0) {
        bool measured = column->text[i][0] && (r->status[i] == SS_DONE || r->status[i] == SS_EPOCH_LIMIT);
        return measured ? ss_table_set(table, i, c, error, "%s", strcmp(column->text[i], "0") == 0 ? "no" : "yes") : 0;
    }
    if (shown[k].digits && column->number) {
        double v = column->number[i];
        if (isnan(v)) return 0;
        if (shown[k].digits < 0) return ss_table_set(table, i, c, error, "%.*f", -shown[k].digits, v);
        return ss_table_set(table, i, c, error, "%.*g", shown[k].digits, v);
    }
    return ss_table_set(table, i, c, error, "%s", column->text[i]);
}

/* Column k of the list; NULL where the file has none, or it is a measure that no point has. */
static const ss_column *column_to_show(const ss_results *r, size_t k)
{
    const ss_column *column = ss_results_column(r, shown[k].name);
    bool known = k < FIRST_MEASURE;
    for (size_t i = 0; column && i < r->n && !known; i++) known = column->number && !isnan(column->number[i]);
    return known ? column : NULL;
}

static int show_table(const ss_results *r, ss_error *error)
{
    ss_table table = {0};
    size_t n_axes = 0, n_shown = 0, c;
    int rc = -1;
    for (size_t k = 0; k < r->n_columns; k++) n_axes += r->column[k].is_axis;
    for (size_t k = 0; k < N_SHOWN; k++) n_shown += column_to_show(r, k) != NULL;
    if (ss_table_init(&table, n_axes + n_shown, r->n, error)) return -1;
    if (fill_axes(r, &table, error)) goto done;
    c = n_axes;
    for (size_t k = 0; k < N_SHOWN; k++) {
        const ss_column *column = column_to_show(r, k);
        if (!column) continue;
        table.head[c] = shown[k].head;
        table.right[c] = k > 0;
        for (size_t i = 0; i < r->n; i++)
            if (fill_cell(r, i, k, column, &table, c, error)) goto done;
        c++;
    }
    rc = ss_table_print(&table, stdout, error);
done:
    ss_table_finish(&table);
    return rc;
}

static void show_csv(const ss_results *r)
{
    printf("id");
    for (size_t k = 0; k < r->n_columns; k++) {
        putchar(',');
        ss_csv_field(r->column[k].name, stdout);
    }
    putchar('\n');
    for (size_t i = 0; i < r->n; i++) {
        ss_csv_field(r->id[i], stdout);
        for (size_t k = 0; k < r->n_columns; k++) {
            const ss_column *column = &r->column[k];
            putchar(',');
            /* A number that is not known is an empty field, which every reader takes for missing. */
            bool unknown = column->number && isnan(column->number[i]) && strcmp(column->text[i], "nan") == 0;
            if (!unknown) ss_csv_field(column->text[i], stdout);
        }
        putchar('\n');
    }
}

int ss_cmd_show(const ss_arguments *arguments, ss_error *error)
{
    ss_results *r = ss_results_open(arguments->operand, error);
    if (!r) return SS_EXIT_USAGE;
    int rc = 0;
    if (arguments->value[0])
        show_csv(r);
    else
        rc = show_table(r, error);
    ss_results_destroy(r);
    return rc ? SS_EXIT_ERROR : SS_EXIT_OK;
}
