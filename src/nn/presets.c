/* presets.c - named networks as lists of layers.
 *   mlp       flatten, then (linear, activation) per hidden width, linear to the classes
 *   cnn       conv3x3 32, 32, max-pool 2, conv3x3 64, 64, max-pool 2, linear 128, linear: for 28x28 and 32x32
 *   vgg11     configuration A (Simonyan & Zisserman 2015) for 32x32 with the study's 512-512 classifier and no dropout:
 *             9,750,922 parameters on CIFAR-10; named as torchvision's (features.N, classifier.N)
 *   resnet18  the CIFAR variant (He et al. 2016; 3x3 stem, no max-pool): 11,173,962 parameters with batch norm, where the
 *             convolutions have no bias; named as in the widely used CIFAR code (layer2.0.conv1, layer2.0.shortcut.0) */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "layer.h"
#include "rules.h"

typedef struct builder { ss_layers *list; ss_error *error; int status; } builder;

static void add(builder *b, ss_layer layer)
{
    if (b->status == 0) b->status = ss_layers_add(b->list, &layer, b->error);
}

static ss_layer named(ss_layer layer, const char *format, ...) __attribute__((format(printf, 2, 3)));
static ss_layer named(ss_layer layer, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(layer.name, sizeof layer.name, format, args);
    va_end(args);
    return layer;
}

static ss_layer conv3x3(int units, int stride, bool bias)
{
    return (ss_layer){.type = "conv2d", .units = units, .kernel = 3, .stride = stride, .padding = 1, .bias = bias};
}

static ss_layer linear(int units) { return (ss_layer){.type = "linear", .units = units, .bias = true}; }

static int mlp(builder *b, const ss_model_options *o, int n_classes)
{
    add(b, (ss_layer){.type = "flatten"});
    for (size_t i = 0; i < o->n_widths; i++) {
        if (o->widths[i] < 1 || o->widths[i] > INT32_MAX)
            return ss_fail(b->error, "widths: %lld is not a layer width", (long long)o->widths[i]);
        add(b, linear((int)o->widths[i]));
        add(b, (ss_layer){.type = o->activation});
    }
    add(b, linear(n_classes));
    return b->status;
}

static int cnn(builder *b, const ss_model_options *o, int n_classes)
{
    static const int units[] = {32, 32, 0, 64, 64, 0};
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (units[i] == 0) {
            add(b, (ss_layer){.type = "max_pool", .kernel = 2});
            continue;
        }
        add(b, conv3x3(units[i], 1, true));
        add(b, (ss_layer){.type = o->activation});
    }
    add(b, (ss_layer){.type = "flatten"});
    add(b, linear(128));
    add(b, (ss_layer){.type = o->activation});
    add(b, linear(n_classes));
    return b->status;
}

static int vgg11(builder *b, const ss_model_options *o, int n_classes)
{
    (void)o;
    static const int units[] = {64, 0, 128, 0, 256, 256, 0, 512, 512, 0, 512, 512, 0};
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (units[i] == 0) {
            add(b, (ss_layer){.type = "max_pool", .name = "features.", .kernel = 2});
            continue;
        }
        add(b, named(conv3x3(units[i], 1, true), "features."));
        add(b, (ss_layer){.type = "relu", .name = "features."});
    }
    add(b, (ss_layer){.type = "flatten", .name = "flatten"});
    for (int i = 0; i < 2; i++) {
        add(b, named(linear(512), "classifier."));
        add(b, (ss_layer){.type = "relu", .name = "classifier."});
    }
    add(b, named(linear(n_classes), "classifier."));
    return b->status;
}

static void basic_block(builder *b, int stage, int block, int units, int stride, bool projection, bool bias)
{
    ss_layer residual = {.type = "residual", .projection = projection, .bias = bias};
    snprintf(residual.shortcut_name, sizeof residual.shortcut_name, "layer%d.%d.shortcut", stage, block);
    add(b, named(residual, "layer%d.%d", stage, block));
    add(b, named(conv3x3(units, stride, bias), "layer%d.%d.conv1", stage, block));
    add(b, named((ss_layer){.type = "relu"}, "layer%d.%d.relu1", stage, block));
    add(b, named(conv3x3(units, 1, bias), "layer%d.%d.conv2", stage, block));
    add(b, (ss_layer){.type = "end"});
    add(b, named((ss_layer){.type = "relu"}, "layer%d.%d.relu2", stage, block));
}

static int resnet18(builder *b, const ss_model_options *o, int n_classes)
{
    static const int units[] = {64, 128, 256, 512};
    bool bias = !o->batch_norm;
    add(b, named(conv3x3(64, 1, bias), "conv1"));
    add(b, (ss_layer){.type = "relu", .name = "relu"});
    for (int s = 0; s < 4; s++)
        for (int k = 0; k < 2; k++)
            basic_block(b, s + 1, k, units[s], s > 0 && k == 0 ? 2 : 1, s > 0 && k == 0, bias);
    add(b, (ss_layer){.type = "global_avg_pool", .name = "avgpool"});
    add(b, named(linear(n_classes), "linear"));
    return b->status;
}

static const struct { const char *name; int (*build)(builder *, const ss_model_options *, int n_classes); } presets[] = {
    {"mlp", mlp}, {"cnn", cnn}, {"vgg11", vgg11}, {"resnet18", resnet18},
};

static int build(const ss_model_options *options, int n_classes, ss_layers *list, ss_error *error)
{
    builder b = {list, error, 0};
    for (size_t i = 0; i < sizeof presets / sizeof *presets; i++)
        if (!strcmp(presets[i].name, options->network)) return presets[i].build(&b, options, n_classes);
    if (!strcmp(options->network, "layers")) {
        if (list->n > 0) return 0;
        return ss_fail(error, "network: layers needs a layers list");
    }
    return ss_fail(error, "network: %s is not known; expected mlp, cnn, vgg11, resnet18 or layers", options->network);
}

int ss_model_layers(const ss_model_options *options, int n_classes, ss_layers *list, ss_error *error)
{
    if (build(options, n_classes, list, error)) return -1;
    if (options->batch_norm && rule_batch_norm(list, error)) return -1;
    if (options->dropout > 0 && rule_dropout(list, options->dropout, error)) return -1;
    return 0;
}
