/* convolutions.c - how a network's convolutions are computed, said in words: num chooses by window and examples alone, so that
 * the words hold wherever the pass runs. */
#include <stdio.h>
#include <string.h>

#include "layer.h"

/* The method of node i, NULL where it is no convolution. */
static const char *method_of(const ss_graph *g, int i, size_t n)
{
    return g->node[i].ops == &conv2d_ops ? ss_conv_method(&g->node[i].window, n) : NULL;
}

/* " + 3 winograd" behind what stands in text; false where there is no room. One alone is counted only if it is told. No
 * comma: the text is to stand in CSV files as it is. */
static bool append(size_t count, bool count_one, const char *method, char *text, size_t size)
{
    size_t used = strlen(text);
    const char *plus = used ? " + " : "";
    int n = count > 1 || count_one ? snprintf(text + used, size - used, "%s%zu %s", plus, count, method)
                                   : snprintf(text + used, size - used, "%s%s", plus, method);
    bool fits = n >= 0 && (size_t)n < size - used;
    if (!fits) text[used] = '\0';
    return fits;
}

/* One after the other, equal ones in a row counted. */
static bool in_order(const ss_graph *g, size_t n, char *text, size_t size)
{
    const char *last = NULL;
    size_t count = 0;
    for (int i = 1; i <= g->n_nodes; i++) {
        const char *method = i < g->n_nodes ? method_of(g, i, n) : "end";
        if (!method) continue;
        if (last && strcmp(method, last) != 0) {
            if (!append(count, false, last, text, size)) return false;
            count = 0;
        }
        last = method;
        count++;
    }
    return true;
}

static void totals(const ss_graph *g, size_t n, char *text, size_t size)
{
    for (int i = 1; i < g->n_nodes; i++) {
        const char *method = method_of(g, i, n);
        size_t count = 0;
        bool first = method != NULL;
        for (int j = 1; j < g->n_nodes && method; j++) {
            const char *other = method_of(g, j, n);
            if (!other || strcmp(other, method) != 0) continue;
            first &= j >= i;
            count++;
        }
        if (first) append(count, true, method, text, size);
    }
}

void ss_net_convolutions(const ss_net *net, size_t n, char *text, size_t size)
{
    text[0] = '\0';
    if (in_order(net->graph, n, text, size)) return;
    text[0] = '\0';
    totals(net->graph, n, text, size);
}
