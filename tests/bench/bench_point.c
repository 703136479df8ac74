/* bench_point.c - lambda_max and a training path from given weights, as a job file describes them, for a partner that does
 * the same in PyTorch (analysis/bench_lambda.py, bench_accuracy.py).
 *
 *   bench_point JOB.yaml WEIGHTS.h5
 *
 * prints "parameters N" and answers each line of standard input with a line:
 *   lambda TOLERANCE    CPU seconds, lambda_max, residual, upper bound, products, converged (0|1); everything the point
 *                       needs is computed anew each time
 *   path STEPS          the loss of the batch before each of STEPS steps from WEIGHTS, then loss and accuracy of the
 *                       training set after them. Step k takes examples (k B + i) mod n: an order that anyone can follow */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../../src/app/app.h"
#include "../../src/app/trial.h"

typedef struct bench {
    ss_job *job;
    ss_study *study;
    ss_settings settings;
    const ss_dataset *data;
    ss_net *net;
    ss_trainer *trainer;          /* made for each path: velocity starts at 0 */
    ss_hessian *hessian;
    const char *weights;
    ss_real *theta, *stats;       /* as in the weights file */
} bench;

static double cpu_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int open_bench(bench *b, const char *job, ss_error *error)
{
    b->job = ss_job_load(job, error);
    b->study = b->job ? ss_study_create(b->job, error) : NULL;
    if (!b->study) return -1;
    ss_grid_settings(ss_study_grid(b->study), 0, &b->settings);
    b->data = ss_study_data(b->study, &b->settings);
    b->net = ss_model_create(&b->settings, b->data, error);
    if (!b->net) return -1;
    b->theta = ss_alloc(b->net->n_params, sizeof *b->theta);
    b->stats = ss_alloc(b->net->n_stats, sizeof *b->stats);
    if (!b->theta || !b->stats) return ss_fail(error, "no memory for %zu weights", b->net->n_params);
    if (ss_weights_load(b->net, b->weights, b->theta, b->stats, error)) return -1;
    ss_hessian_options options = ss_model_hessian(&b->settings, b->data->train.n, ss_memory_share_bytes());
    b->hessian = ss_hessian_create(b->net, b->data, &options, error);
    return b->hessian ? 0 : -1;
}

static void close_bench(bench *b)
{
    ss_hessian_destroy(b->hessian);
    ss_net_destroy(b->net);
    ss_study_destroy(b->study);
    ss_job_destroy(b->job);
    ss_free(b->theta);
    ss_free(b->stats);
}

static int answer_lambda(bench *b, double tolerance, ss_error *error)
{
    ss_lambda lambda = {0};
    ss_lanczos_options options = ss_model_lanczos(&b->settings);
    options.tolerance = tolerance;
    double start = cpu_s();
    if (ss_lambda_measure(b->hessian, b->theta, b->stats, &options, &lambda, error)) return -1;
    printf("%.6f %.10g %.4g %.10g %lld %d\n", cpu_s() - start, lambda.lambda_max, lambda.residual, lambda.upper,
           (long long)lambda.hvp_count, lambda.converged);
    ss_lambda_finish(&lambda);
    return 0;
}

static int answer_path(bench *b, int64_t n_steps, ss_error *error)
{
    ss_train_options options = ss_model_training(&b->settings);
    uint32_t n = b->data->train.n, batch = options.batch_size == 0 || options.batch_size > n ? n : options.batch_size;
    uint32_t *index = ss_alloc(batch, sizeof *index);
    ss_trainer *t = ss_trainer_create(b->net, b->data, &options, error);
    int rc = index && t ? 0 : -1;
    if (t) {
        memcpy(t->theta, b->theta, b->net->n_params * sizeof *t->theta);
        if (b->net->n_stats) memcpy(t->stats, b->stats, b->net->n_stats * sizeof *t->stats);
    }
    for (int64_t k = 0; rc == 0 && k < n_steps; k++) {
        for (uint32_t i = 0; i < batch; i++) index[i] = (uint32_t)((uint64_t)(k * (int64_t)batch + i) % n);
        ss_trainer_step(t, index, batch);
        printf("%.9g ", t->batch_loss);
    }
    if (rc == 0) {
        double loss, accuracy;
        ss_trainer_evaluate(t, &b->data->train, &loss, &accuracy);
        printf("%.9g %.9g\n", loss, accuracy);
    }
    ss_trainer_destroy(t);
    ss_free(index);
    return rc;
}

static int serve(bench *b, ss_error *error)
{
    char line[128];
    printf("parameters %zu\n", b->net->n_params);
    for (fflush(stdout); fgets(line, sizeof line, stdin); fflush(stdout)) {
        char *word = strtok(line, " \n"), *number = strtok(NULL, " \n");
        double value = number ? strtod(number, NULL) : 0;
        int rc = -1;
        if (word && strcmp(word, "lambda") == 0 && value > 0)
            rc = answer_lambda(b, value, error);
        else if (word && strcmp(word, "path") == 0 && value >= 1)
            rc = answer_path(b, (int64_t)value, error);
        else
            ss_fail(error, "`%s %s` is not a question; ask `lambda TOLERANCE` or `path STEPS`", word ? word : "",
                    number ? number : "");
        if (rc) return -1;
    }
    return 0;
}

int main(int argc, char **argv)
{
    ss_error error = {""};
    if (argc != 3) {
        fprintf(stderr, "usage: %s JOB.yaml WEIGHTS.h5\n", argv[0]);
        return 2;
    }
    bench b = {.weights = argv[2]};
    ss_threads_set(1);
    int rc = open_bench(&b, argv[1], &error);
    if (rc == 0) rc = serve(&b, &error);
    if (rc) fprintf(stderr, "bench_point: %s\n", error.text);
    close_bench(&b);
    return rc ? 1 : 0;
}
