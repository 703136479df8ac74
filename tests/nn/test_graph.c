/* Graphs: what is refused and with which words, allocation failures, numbering of nested layers. */
#include "../suite.h"

#include <string.h>

#include "nets.h"

static void bad_lists(void)
{
    static const struct { ss_shape input; int n_classes; const char *says; ss_layer layer[6]; } table[] = {
        {{1, 1, 7}, 4, "the network has no layers", {{0}}},
        {{1, 1, 7}, 4, "the last layer gives 1x1x5 (height x width x channels) but the data has 4 classes", {LINEAR(5)}},
        {{5, 5, 2}, 4, "layer 1 (linear): linear takes features but its input is 5x5x2", {LINEAR(4)}},
        {{5, 5, 2}, 4, "layer 1 (conv2d): a 7x7 kernel with padding 0 does not fit its input of 5x5x2", {CONV(4, 7, 1, 0)}},
        {{5, 5, 2}, 4, "layer 1 (conv2d): conv2d needs units, kernel, stride >= 1", {CONV(0, 3, 1, 0)}},
        {{5, 5, 2}, 4, "layer 1 (max_pool): a 6x6 window", {POOL("max_pool", 6, 1, 0)}},
        {{5, 5, 2}, 4, "padding <= kernel/2", {POOL("avg_pool", 2, 1, 2)}},
        {{5, 4, 2}, 4, "layer 1 (global_avg_pool): global average pooling takes square images", {LAYER("global_avg_pool")}},
        {{1, 1, 7}, 7, "the network has no parameters to train", {LAYER("relu")}},
        {{1, 1, 7}, 4, "layer 2 (swish): there is no layer of this type", {LINEAR(4), LAYER("swish")}},
        {{1, 1, 7}, 4, "layer 1 (linear): linear needs units >= 1, got 0", {LINEAR(0)}},
        {{1, 1, 7}, 4, "layer 2 (dropout): dropout needs 0 <= p < 1, got 1", {LINEAR(4), {.type = "dropout", .p = 1}}},
        {{1, 1, 7}, 4, "layer 3 (end): the residual block's body gives 1x1x4 but its shortcut 1x1x7",
         {LAYER("residual"), LINEAR(4), LAYER("end")}},
        {{1, 1, 7}, 4, "a residual block is not ended", {LINEAR(4), LAYER("residual"), LINEAR(4)}},
        {{1, 1, 7}, 4, "layer 2 (end): a residual block ends that was never begun", {LINEAR(4), LAYER("end")}},
        {{1, 1, 7}, 4, "layer 3 (end): a residual block needs at least one layer", {LINEAR(4), LAYER("residual"), LAYER("end")}},
    };
    ss_error error;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        ss_layers list = {0};
        for (size_t j = 0; j < 6 && table[i].layer[j].type; j++) ss_layers_add(&list, &table[i].layer[j], &error);
        error.text[0] = 0;
        ss_net *net = ss_net_create(&list, table[i].input, table[i].n_classes, "cross_entropy", &error);
        CU_ASSERT_PTR_NULL(net);
        if (!strstr(error.text, table[i].says)) fprintf(stderr, "\n    expected: %s\n    got: %s\n", table[i].says, error.text);
        CU_ASSERT_PTR_NOT_NULL(strstr(error.text, table[i].says));
        ss_net_destroy(net);
        ss_layers_finish(&list);
    }
    ss_layers none = {0};
    CU_ASSERT_PTR_NULL(ss_net_create(&none, (ss_shape){1, 1, 2}, 2, "hinge", &error));
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, "loss: hinge is not known"));
}

static void nested_names(void)
{
    static const net_case c = {"nested", {4, 4, 3}, 2, "cross_entropy", 2,
                               .layer = {CONV(3, 3, 1, 1), {.type = "residual", .projection = true, .projection_norm = true},
                                         CONV(5, 3, 2, 1), LAYER("batch_norm"), LAYER("end"), LAYER("flatten"), LINEAR(2)}};
    static const char *const expected[] = {"0.weight", "0.bias", "1.body.0.weight", "1.body.0.bias", "1.body.1.weight",
        "1.body.1.bias", "1.body.1.running_mean", "1.body.1.running_var", "1.shortcut.0.weight", "1.shortcut.1.weight",
        "1.shortcut.1.bias", "1.shortcut.1.running_mean", "1.shortcut.1.running_var", "3.weight", "3.bias"};
    ss_error error;
    ss_net *net = net_build(&c, &error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(net);
    CU_ASSERT_EQUAL_FATAL(net->n_tensors, sizeof expected / sizeof *expected);
    for (size_t i = 0; i < net->n_tensors; i++) CU_ASSERT_STRING_EQUAL(net->tensor[i].name, expected[i]);
    ss_net_destroy(net);
}

/* Allocation 0, then 1, then 2 ... fails until a run succeeds: an error each time, never a crash. */
static void memory_gone(void)
{
    ss_error error;
    for (size_t i = 0; i < N_NET_CASES; i++) {
        if (net_cases[i].preset) continue;
        bool built = false;
        for (long k = 0; k < 500 && !built; k++) {
            ss_alloc_fail_after(k);
            ss_net *net = net_build(&net_cases[i], &error);
            ss_tape *tape = net ? ss_tape_create(net, 3, true, &error) : NULL;
            ss_scratch *scratch = tape ? ss_scratch_create(net, 3, true, &error) : NULL;
            ss_alloc_fail_after(-1);
            built = scratch != NULL;
            CU_ASSERT(built || strstr(error.text, "memory"));
            ss_scratch_destroy(scratch);
            ss_tape_destroy(tape);
            ss_net_destroy(net);
        }
        CU_ASSERT(built);
    }
}

static const ss_case cases[] = {{"lists that are refused", bad_lists}, {"names of nested layers", nested_names},
                                {"memory gone", memory_gone}};
SS_SUITE("nn graph", cases)
