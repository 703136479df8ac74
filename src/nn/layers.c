/* layers.c - the table of layer types, and lists of layers. */
#include <string.h>

#include "layer.h"

static const layer_ops *const table[] = {
    &linear_ops, &conv2d_ops, &batch_norm_ops, &relu_ops, &tanh_ops, &gelu_ops, &max_pool_ops, &avg_pool_ops,
    &global_avg_pool_ops, &dropout_ops, &flatten_ops,
};

const char *const *ss_layer_types(void)
{
    static const char *const names[] = {"linear", "conv2d", "batch_norm", "relu", "tanh", "gelu", "max_pool", "avg_pool",
                                        "global_avg_pool", "dropout", "flatten", "residual", NULL};
    return names;
}

const layer_ops *layer_find(const char *type)
{
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (!strcmp(table[i]->type, type)) return table[i];
    return NULL;
}

int ss_layers_add(ss_layers *list, const ss_layer *layer, ss_error *error)
{
    if (list->n == list->capacity) {
        size_t capacity = list->capacity ? 2 * list->capacity : 16;
        ss_layer *grown = ss_realloc(list->layer, list->capacity, capacity, sizeof *grown);
        if (!grown) return ss_fail(error, "out of memory for a list of %zu layers", capacity);
        list->layer = grown;
        list->capacity = capacity;
    }
    list->layer[list->n++] = *layer;
    return 0;
}

void ss_layers_finish(ss_layers *list)
{
    ss_free(list->layer);
    *list = (ss_layers){0};
}
