/* methods.c - how a point's convolutions are computed: what its record keeps and `plan` says. The rule is num's and reads
 * windows and examples per pass; here is how many examples a point's passes take. */
#include <stdio.h>
#include <string.h>

#include "app.h"
#include "trial.h"

enum { TOTALS_BYTES = 64, MOST_LINES = 12 };

void ss_methods_describe(const ss_net *net, const ss_settings *s, uint32_t n_train, char text[SS_METHODS_BYTES])
{
    static const char between[] = "; curvature: ";
    char curvature[SS_METHODS_BYTES];
    bool norm = net->has_batch_norm;
    ss_net_convolutions(net, ss_model_training_pass(s, n_train, norm), text, SS_METHODS_BYTES - sizeof between - TOTALS_BYTES);
    ss_net_convolutions(net, ss_model_curvature_pass(s, n_train, norm), curvature, sizeof curvature);
    if (strcmp(curvature, text) == 0) return;
    size_t used = strlen(text), left = SS_METHODS_BYTES - used - strlen(between);
    strcpy(text + used, between);
    ss_net_convolutions(net, ss_model_curvature_pass(s, n_train, norm), text + used + strlen(between), left);
}

/* What decides about a point's methods, with batch norm and without; and what came of it. */
typedef struct line {
    const ss_work_size *network;
    uint32_t pass[4];
    char text[SS_METHODS_BYTES];
    char name[32];
    uint32_t from, to;            /* examples of the training passes that it holds for */
} line;

static line line_of(const ss_study *study, const ss_settings *s)
{
    uint32_t n = ss_study_data(study, s)->train.n;
    line l = {.network = ss_study_work(study, s),
              .pass = {ss_model_training_pass(s, n, false), ss_model_training_pass(s, n, true),
                       ss_model_curvature_pass(s, n, false), ss_model_curvature_pass(s, n, true)}};
    return l;
}

static bool same_passes(const line *a, const line *b)
{
    return a->network == b->network && memcmp(a->pass, b->pass, sizeof a->pass) == 0;
}

static int describe(const ss_study *study, const ss_settings *s, line *l, ss_error *error)
{
    const ss_dataset *data = ss_study_data(study, s);
    ss_net *net = ss_model_create(s, data, error);
    if (!net) return -1;
    snprintf(l->name, sizeof l->name, "%s", s->network);
    ss_methods_describe(net, s, data->train.n, l->text);
    l->from = l->to = l->pass[net->has_batch_norm];
    ss_net_destroy(net);
    return 0;
}

/* All points' distinct passes, each described once. *list is to be freed, also after an error. */
static int collect(const ss_study *study, line **list, size_t *n, ss_error *error)
{
    const ss_grid *grid = ss_study_grid(study);
    for (size_t i = 0; i < ss_grid_count(grid); i++) {
        ss_settings s;
        ss_grid_settings(grid, i, &s);
        line l = line_of(study, &s);
        size_t k = 0;
        while (k < *n && !same_passes(&(*list)[k], &l)) k++;
        if (k < *n) continue;
        line *grown = ss_realloc(*list, *n, *n + 1, sizeof *grown);
        if (!grown) return ss_fail(error, "no memory for a list of networks");
        *list = grown;
        if (describe(study, &s, &l, error)) return -1;
        grown[(*n)++] = l;
    }
    return 0;
}

/* Lines that say the same of the same kind of network become one; those without convolutions go. Returns how many are left. */
static size_t join(line *list, size_t n)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        size_t k = 0;
        while (k < kept && (strcmp(list[k].name, list[i].name) != 0 || strcmp(list[k].text, list[i].text) != 0)) k++;
        if (k < kept) {
            if (list[i].from < list[k].from) list[k].from = list[i].from;
            if (list[i].to > list[k].to) list[k].to = list[i].to;
        } else if (list[i].text[0])
            list[kept++] = list[i];
    }
    return kept;
}

int ss_methods_print(const ss_study *study, ss_error *error)
{
    line *list = NULL;
    size_t n = 0;
    int rc = collect(study, &list, &n, error);
    n = rc ? 0 : join(list, n);
    if (n) printf("\n");
    for (size_t i = 0; i < n && i < MOST_LINES; i++) {
        printf("%-14s%s, passes of %u", i ? "" : "convolutions", list[i].name, list[i].from);
        if (list[i].to > list[i].from) printf(" to %u", list[i].to);
        printf(" examples: %s\n", list[i].text);
    }
    if (n > MOST_LINES) printf("              and %zu more kinds\n", n - MOST_LINES);
    ss_free(list);
    return rc;
}
