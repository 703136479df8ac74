/* rules.c - what the batch_norm and dropout axes do to a list of layers (the rule itself: nn.h, ss_model_options). */
#include <stdio.h>
#include <string.h>

#include "layer.h"
#include "rules.h"

static bool is(const ss_layer *layer, const char *type) { return !strcmp(layer->type, type); }
static bool is_activation(const ss_layer *l) { return is(l, "relu") || is(l, "tanh") || is(l, "gelu"); }

static bool has(const ss_layers *list, const char *type)
{
    for (size_t i = 0; i < list->n; i++)
        if (is(&list->layer[i], type)) return true;
    return false;
}

static size_t last_linear(const ss_layers *list)
{
    for (size_t i = list->n; i-- > 0;)
        if (is(&list->layer[i], "linear")) return i;
    return list->n;
}

/* "layer1.0.conv2" -> "layer1.0.bn2"; "features." and "" number themselves. */
static void norm_name(const char *name, char out[64])
{
    const char *conv = strstr(name, "conv"), *next;
    while (conv && (next = strstr(conv + 1, "conv"))) conv = next;
    if (conv)
        snprintf(out, 64, "%.*sbn%s", (int)(conv - name), name, conv + 4);
    else
        snprintf(out, 64, "%s", name);
}

static int replace(ss_layers *list, ss_layers *with, int status)
{
    if (status == 0) {
        ss_layers old = *list;
        *list = *with;
        list->exact = old.exact;
        *with = old;
    }
    ss_layers_finish(with);
    return status;
}

int rule_batch_norm(ss_layers *list, ss_error *error)
{
    if (has(list, "batch_norm"))
        return ss_fail(error, "the layers list has batch_norm layers of its own, so batch_norm: true has no place to act; "
                       "remove one or the other");
    bool convolutional = has(list, "conv2d");
    size_t last = last_linear(list);
    ss_layers out = {0};
    int status = 0;
    for (size_t i = 0; i < list->n && status == 0; i++) {
        ss_layer layer = list->layer[i], norm = {.type = "batch_norm"};
        layer.projection_norm = layer.projection;
        status = ss_layers_add(&out, &layer, error);
        if (status || !(convolutional ? is(&layer, "conv2d") : is(&layer, "linear") && i != last)) continue;
        norm_name(layer.name, norm.name);
        status = ss_layers_add(&out, &norm, error);
    }
    return replace(list, &out, status);
}

/* Is layer i the activation of a hidden linear layer? */
static bool ends_hidden(const ss_layers *list, size_t i, size_t last)
{
    if (!is_activation(&list->layer[i]) || i == 0) return false;
    size_t j = i - 1;
    while (j > 0 && is(&list->layer[j], "batch_norm")) j--;
    return is(&list->layer[j], "linear") && j != last;
}

int rule_dropout(ss_layers *list, double p, ss_error *error)
{
    if (has(list, "dropout"))
        return ss_fail(error, "the layers list has dropout layers of its own, so dropout: %g has no place to act; remove one "
                       "or the other", p);
    size_t last = last_linear(list);
    bool hidden = false;
    for (size_t i = 0; i < list->n; i++) hidden |= ends_hidden(list, i, last);
    if (!hidden && last == list->n)
        return ss_fail(error, "dropout: %g acts on linear layers and the layers list has none", p);
    ss_layers out = {0};
    int status = 0;
    for (size_t i = 0; i < list->n && status == 0; i++) {
        const ss_layer *layer = &list->layer[i];
        ss_layer dropout = {.type = "dropout", .p = p};
        snprintf(dropout.name, sizeof dropout.name, "%s", layer->name);
        if (!hidden && i == last) status = ss_layers_add(&out, &dropout, error);
        if (status == 0) status = ss_layers_add(&out, layer, error);
        if (status == 0 && hidden && ends_hidden(list, i, last)) status = ss_layers_add(&out, &dropout, error);
    }
    return replace(list, &out, status);
}
