/* precision.c - float against double: built twice. `precision dump FILE` writes loss, gradient and Hv of every network as
 * doubles; `precision compare FLOAT DOUBLE` asks for agreement to 1e-4 (relative, per vector). */
#include <math.h>
#include <stdio.h>

#include "nets.h"

static int write_vector(FILE *out, size_t n, const ss_real *x)
{
    double size = (double)n;
    size_t done = fwrite(&size, sizeof size, 1, out);
    for (size_t i = 0; i < n; i++) {
        double d = (double)x[i];
        done += fwrite(&d, sizeof d, 1, out);
    }
    return done == n + 1 ? 0 : -1;
}

/* The same weights in both precisions: those of float. */
static void round_to_float(size_t n, ss_real *x)
{
    for (size_t i = 0; i < n; i++) x[i] = (ss_real)(float)x[i];
}

static int dump(FILE *out)
{
    int status = 0;
    for (size_t i = 0; i < N_NET_CASES && status == 0; i++) {
        ss_error error;
        fixture f;
        if (fixture_init(&f, &net_cases[i], &error)) {
            fprintf(stderr, "%s: %s\n", net_cases[i].name, error.text);
            return -1;
        }
        size_t p = f.net->n_params, inputs = net_cases[i].batch * (size_t)(f.net->input.h * f.net->input.w * f.net->input.c);
        round_to_float(p, f.theta), round_to_float(p, f.v), round_to_float(inputs, ss_tape_input(f.tape));
        round_to_float(f.net->n_stats, f.stats);
        ss_real loss = (ss_real)loss_at(&f, f.theta, f.grad);
        hessian_product(&f, f.v, f.hv);
        status = write_vector(out, 1, &loss) | write_vector(out, p, f.grad) | write_vector(out, p, f.hv);
        fixture_finish(&f);
    }
    return status;
}

static int compare_vector(FILE *a, FILE *b, const char *net, const char *what)
{
    double n, m, x, y, difference = 0, size = 0;
    if (fread(&n, sizeof n, 1, a) != 1 || fread(&m, sizeof m, 1, b) != 1 || n != m) return -1;
    for (double i = 0; i < n; i++) {
        if (fread(&x, sizeof x, 1, a) != 1 || fread(&y, sizeof y, 1, b) != 1) return -1;
        difference += (x - y) * (x - y);
        size += y * y;
    }
    double error = sqrt(difference / size);
    if (!(error <= 1e-4)) printf("FAIL %s: %s in float is off by %.2g\n", net, what, error);
    return error <= 1e-4 ? 0 : -1;
}

static int compare(FILE *a, FILE *b)
{
    int failures = 0;
    for (size_t i = 0; i < N_NET_CASES; i++) {
        failures += compare_vector(a, b, net_cases[i].name, "loss") != 0;
        failures += compare_vector(a, b, net_cases[i].name, "gradient") != 0;
        failures += compare_vector(a, b, net_cases[i].name, "Hv") != 0;
    }
    printf("%d networks compared, %d failures\n", (int)N_NET_CASES, failures);
    return failures;
}

int main(int argc, char **argv)
{
    FILE *a = argc > 2 ? fopen(argv[2], argc > 3 ? "rb" : "wb") : NULL, *b = argc > 3 ? fopen(argv[3], "rb") : NULL;
    int status = 1;
    if (argc == 3 && a) status = dump(a) != 0;
    if (argc == 4 && a && b) status = compare(a, b) != 0;
    if (a && fclose(a)) status = 1;
    if (b) fclose(b);
    return status;
}
