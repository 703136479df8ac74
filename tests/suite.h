/* suite.h - a CUnit main that fails when an assertion fails (CUnit's run call returns success even then).
 * A test file lists its cases and ends with SS_SUITE("name", cases). */
#ifndef SHARPSWEEP_TESTS_SUITE_H
#define SHARPSWEEP_TESTS_SUITE_H

#include <CUnit/Basic.h>
#include <stdio.h>

typedef struct ss_case { const char *name; CU_TestFunc run; } ss_case;

static int ss_suite_run(const char *name, const ss_case *cases, size_t n)
{
    if (CU_initialize_registry() != CUE_SUCCESS) return 1;
    CU_pSuite suite = CU_add_suite(name, NULL, NULL);
    if (!suite) return 1;
    for (size_t i = 0; i < n; i++)
        if (!CU_add_test(suite, cases[i].name, cases[i].run)) return 1;
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    unsigned asserts = CU_get_number_of_asserts();
    CU_cleanup_registry();
    if (asserts == 0) fprintf(stderr, "%s: no assertion ran\n", name);
    return failures != 0 || asserts == 0;
}

#define SS_SUITE(name, cases) int main(void) { return ss_suite_run(name, cases, sizeof cases / sizeof *cases); }

/* |a - b| <= tol * max(|a|, |b|, floor), and says both values where it does not hold. */
#define SS_ASSERT_NEAR(a, b, tol, floor) do { \
    double a_ = (double)(a), b_ = (double)(b), s_ = a_ < 0 ? -a_ : a_, t_ = b_ < 0 ? -b_ : b_, f_ = (floor); \
    if (t_ > s_) s_ = t_; \
    if (f_ > s_) s_ = f_; \
    double d_ = a_ > b_ ? a_ - b_ : b_ - a_; \
    if (!(d_ <= (tol) * s_)) \
        fprintf(stderr, "\n    %s:%d: %s = %.12g, %s = %.12g, difference %.3g > %.3g\n", __FILE__, __LINE__, #a, a_, #b, b_, \
                d_, (tol) * s_); \
    CU_ASSERT(d_ <= (tol) * s_); \
} while (0)

#endif
