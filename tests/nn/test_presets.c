/* Presets: parameter counts known from elsewhere, PyTorch's names and shapes, what the axes do. */
#include "../suite.h"

#include <string.h>

#include "sharpsweep/nn.h"

static const int64_t f4_widths[] = {256, 256};

static ss_net *build(const char *network, bool batch_norm, double dropout, ss_shape input, int n_classes, ss_error *error)
{
    ss_model_options o = {network, "relu", f4_widths, 2, batch_norm, dropout, "cross_entropy"};
    ss_layers list = {0};
    ss_net *net = NULL;
    if (ss_model_layers(&o, n_classes, &list, error) == 0) net = ss_net_create(&list, input, n_classes, "cross_entropy", error);
    ss_layers_finish(&list);
    return net;
}

static const ss_shape cifar = {32, 32, 3}, mnist = {28, 28, 1};

static void counts(void)
{
    static const struct { const char *network; bool batch_norm; ss_shape input; size_t n_params, n_stats; } table[] = {
        {"vgg11", false, {32, 32, 3}, 9750922, 0},              /* PROTOCOL: the study's */
        {"vgg11", true, {32, 32, 3}, 9750922 + 5504, 5504},
        {"resnet18", true, {32, 32, 3}, 11173962, 9600},        /* the CIFAR ResNet-18 */
        {"resnet18", false, {32, 32, 3}, 11173962 - 9600 + 4800, 0}, /* biases for scales and shifts */
        {"mlp", false, {28, 28, 1}, 269322, 0},                 /* PROTOCOL: F4 */
        {"mlp", true, {28, 28, 1}, 269322 + 1024, 1024},
        {"cnn", false, {28, 28, 1}, 320 + 9248 + 18496 + 36928 + 3136 * 128 + 128 + 1290, 0},
        {"cnn", true, {32, 32, 3}, 896 + 9248 + 18496 + 36928 + 4096 * 128 + 128 + 1290 + 384, 384},
    };
    ss_error error;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        ss_net *net = build(table[i].network, table[i].batch_norm, 0, table[i].input, 10, &error);
        CU_ASSERT_PTR_NOT_NULL_FATAL(net);
        CU_ASSERT_EQUAL(net->n_params, table[i].n_params);
        CU_ASSERT_EQUAL(net->n_stats, table[i].n_stats);
        CU_ASSERT_EQUAL(net->has_batch_norm, table[i].batch_norm);
        ss_net_destroy(net);
    }
}

/* Multiply-accumulates by hand: VGG-11's convolutions on 32x32, then 512-512-512-10. */
static void work(void)
{
    ss_error error;
    ss_net *net = build("vgg11", false, 0, cifar, 10, &error);
    double conv = 1024.0 * 64 * 27 + 256.0 * 128 * 576 + 64.0 * 256 * 1152 + 64.0 * 256 * 2304 + 16.0 * 512 * 2304 +
                  16.0 * 512 * 4608 + 4.0 * 512 * 4608 + 4.0 * 512 * 4608;
    CU_ASSERT_EQUAL(net->macs_per_example, conv + 2 * 512 * 512 + 5120);
    ss_net_destroy(net);
}

static void expect_names(const char *network, bool batch_norm, double dropout, ss_shape input, const char *const *names)
{
    ss_error error;
    ss_net *net = build(network, batch_norm, dropout, input, 10, &error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(net);
    for (; *names; names++) {
        bool found = false;
        for (size_t i = 0; i < net->n_tensors; i++) found |= !strcmp(net->tensor[i].name, *names);
        if (!found) fprintf(stderr, "\n    %s has no tensor %s\n", network, *names);
        CU_ASSERT(found);
    }
    ss_net_destroy(net);
}

static void names(void)
{
    expect_names("mlp", false, 0, mnist, (const char *[]){"1.weight", "1.bias", "3.weight", "5.weight", "5.bias", NULL});
    expect_names("mlp", true, 0, mnist, (const char *[]){"1.weight", "2.running_mean", "4.weight", "5.weight", "7.bias", NULL});
    expect_names("mlp", false, 0.5, mnist, (const char *[]){"1.weight", "4.weight", "7.weight", NULL});
    expect_names("cnn", true, 0, mnist, (const char *[]){"0.weight", "1.running_var", "3.weight", "7.weight", "10.weight",
                                                       "11.weight", "15.weight", "17.bias", NULL});
    expect_names("vgg11", false, 0, cifar, (const char *[]){"features.0.weight", "features.3.bias", "features.18.weight",
                                                          "classifier.0.weight", "classifier.4.bias", NULL});
    expect_names("vgg11", true, 0, cifar, (const char *[]){"features.1.running_mean", "features.4.weight", "features.26.weight",
                                                         "classifier.2.weight", NULL});
    expect_names("resnet18", true, 0, cifar, (const char *[]){"conv1.weight", "bn1.weight", "layer1.0.conv1.weight",
                 "layer1.0.bn2.running_var", "layer2.0.shortcut.0.weight", "layer2.0.shortcut.1.running_mean",
                 "layer4.1.conv2.weight", "linear.bias", NULL});
}

static void shapes(void)
{
    ss_error error;
    ss_net *net = build("vgg11", false, 0, cifar, 10, &error);
    const ss_param *p = &net->tensor[0];
    CU_ASSERT(p->n_dims == 4 && p->dim[0] == 64 && p->dim[1] == 3 && p->dim[2] == 3 && p->dim[3] == 3);
    p = &net->tensor[net->n_tensors - 2];
    CU_ASSERT(p->n_dims == 2 && p->dim[0] == 10 && p->dim[1] == 512);
    ss_net_destroy(net);
}

static void impossible(void)
{
    static const struct { const char *network; ss_shape input; const char *says; } table[] = {
        {"vgg11", {28, 28, 1}, "does not fit its input of 1x1x512"},
        {"cnn", {3, 3, 1}, "does not fit its input"},
        {"alexnet", {32, 32, 3}, "network: alexnet is not known; expected mlp, cnn, vgg11, resnet18 or layers"},
        {"layers", {32, 32, 3}, "needs a layers list"},
        {"resnet18", {32, 24, 3}, "global average pooling takes square images"},
    };
    ss_error error;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        ss_net *net = build(table[i].network, false, 0, table[i].input, 10, &error);
        CU_ASSERT_PTR_NULL(net);
        if (!strstr(error.text, table[i].says)) fprintf(stderr, "\n    got: %s\n", error.text);
        CU_ASSERT_PTR_NOT_NULL(strstr(error.text, table[i].says));
        ss_net_destroy(net);
    }
}

/* How convolutions are computed, by num's rule: Winograd where there are channels, position by position where images are
 * tiny and enough of them. */
static void convolutions(void)
{
    static const struct { const char *network; ss_shape input; size_t n, size; const char *text; } table[] = {
        {"mlp", {28, 28, 1}, 32, 256, ""},
        {"cnn", {28, 28, 1}, 32, 256, "im2col + 3 winograd"},
        {"vgg11", {32, 32, 3}, 64, 256, "im2col + 5 winograd + 2 position"},
        {"vgg11", {32, 32, 3}, 4, 256, "im2col + 5 winograd + 2 im2col"},
        {"vgg11", {32, 32, 3}, 64, 33, "im2col + 5 winograd + 2 position"},
        {"vgg11", {32, 32, 3}, 4, 30, "3 im2col + 5 winograd"},  /* what does not fit is summed up */
        {"resnet18", {32, 32, 3}, 64, 64, "6 im2col + 13 winograd + 1 position"},
        {"resnet18", {32, 32, 3}, 64, 12, "6 im2col"},           /* or as much of it as there is room for */
    };
    ss_error error;
    char text[256];
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        ss_net *net = build(table[i].network, i & 1, 0, table[i].input, 10, &error);
        CU_ASSERT_PTR_NOT_NULL_FATAL(net);
        memset(text, 'x', sizeof text);
        ss_net_convolutions(net, table[i].n, text, table[i].size);
        CU_ASSERT_STRING_EQUAL(text, table[i].text);
        if (strcmp(text, table[i].text) != 0) fprintf(stderr, "\n    %s: %s\n", table[i].network, text);
        ss_net_destroy(net);
    }
}

static const ss_case cases[] = {{"parameter counts", counts}, {"how convolutions are computed", convolutions}, {"multiply-accumulates", work}, {"PyTorch's names", names},
                                {"PyTorch's shapes", shapes}, {"what does not fit", impossible}};
SS_SUITE("nn presets", cases)
