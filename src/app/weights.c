/* weights.c - parameters and running statistics of a network, as tensors of a weights file. */
#include "trial.h"

#include <stdio.h>
#include <string.h>

#include "sharpsweep/store.h"

/* Tensors with room for their values, taken from one arena. */
static ss_tensor *make_tensors(const ss_net *net, float **values, ss_error *error)
{
    ss_tensor *tensor = ss_alloc(net->n_tensors, sizeof *tensor);
    *values = ss_alloc(net->n_params + net->n_stats, sizeof **values);
    if (!tensor || !*values) {
        ss_free(tensor);
        ss_free(*values);
        ss_fail(error, "no memory for %zu weights", net->n_params + net->n_stats);
        return NULL;
    }
    float *at = *values;
    for (size_t i = 0; i < net->n_tensors; i++) {
        const ss_param *p = &net->tensor[i];
        snprintf(tensor[i].name, sizeof tensor[i].name, "%s", p->name);
        tensor[i].n_dims = p->n_dims;
        memcpy(tensor[i].dim, p->dim, sizeof p->dim);
        tensor[i].value = at;
        at += p->size;
    }
    return tensor;
}

int ss_weights_save(const ss_net *net, const ss_real *theta, const ss_real *stats, const char *path, ss_error *error)
{
    float *values = NULL;
    ss_tensor *tensor = make_tensors(net, &values, error);
    if (!tensor) return -1;
    for (size_t i = 0; i < net->n_tensors; i++)
        ss_net_export(net, i, net->tensor[i].is_stat ? stats : theta, tensor[i].value);
    int rc = ss_weights_write(path, net->n_tensors, tensor, error);
    ss_free(tensor);
    ss_free(values);
    return rc;
}

static bool is_variance(const ss_param *p)
{
    size_t n = strlen(p->name), m = strlen(".running_var");
    return p->is_stat && n >= m && strcmp(p->name + n - m, ".running_var") == 0;
}

static int check_variance(const char *path, const ss_tensor *tensor, size_t n, ss_error *error)
{
    for (size_t i = 0; i < n; i++)
        if (tensor->value[i] < 0)
            return ss_fail(error, "%s: %s[%zu] is %g, and a variance is not negative", path, tensor->name, i,
                           (double)tensor->value[i]);
    return 0;
}

int ss_weights_load(const ss_net *net, const char *path, ss_real *theta, ss_real *stats, ss_error *error)
{
    float *values = NULL;
    ss_tensor *tensor = make_tensors(net, &values, error);
    if (!tensor) return -1;
    int rc = ss_weights_read(path, net->n_tensors, tensor, error);
    for (size_t i = 0; rc == 0 && i < net->n_tensors; i++)
        if (is_variance(&net->tensor[i])) rc = check_variance(path, &tensor[i], net->tensor[i].size, error);
    for (size_t i = 0; rc == 0 && i < net->n_tensors; i++)
        ss_net_import(net, i, tensor[i].value, net->tensor[i].is_stat ? stats : theta);
    ss_free(tensor);
    ss_free(values);
    return rc;
}
