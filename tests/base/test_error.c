/* test_error.c - the sentence, its context, what is too long, and a caller that wants none. */
#include "sharpsweep/base.h"
#include "../suite.h"

#include <string.h>

static void fail_writes(void)
{
    ss_error e;
    CU_ASSERT_EQUAL(ss_fail(&e, "rho is %g, expected at least %d", -1.5, 0), -1);
    CU_ASSERT_STRING_EQUAL(e.text, "rho is -1.5, expected at least 0");
    CU_ASSERT_EQUAL(ss_fail(&e, "x"), -1);
    CU_ASSERT_STRING_EQUAL(e.text, "x");
}

static void context_goes_in_front(void)
{
    ss_error e;
    ss_fail(&e, "bad value");
    CU_ASSERT_EQUAL(ss_fail_in(&e, "point %d", 7), -1);
    ss_fail_in(&e, "job.yaml");
    CU_ASSERT_STRING_EQUAL(e.text, "job.yaml: point 7: bad value");
}

static void own_text_may_be_an_argument(void)
{
    ss_error e;
    ss_fail(&e, "inner");
    ss_fail(&e, "outer (%s)", e.text);
    CU_ASSERT_STRING_EQUAL(e.text, "outer (inner)");
}

static void null_is_fine(void)
{
    CU_ASSERT_EQUAL(ss_fail(NULL, "x %d", 1), -1);
    CU_ASSERT_EQUAL(ss_fail_in(NULL, "x %d", 1), -1);
}

static void too_long_is_marked(void)
{
    char longer[3 * SS_ERROR_BYTES];
    memset(longer, 'a', sizeof longer);
    longer[sizeof longer - 1] = '\0';
    ss_error e;
    ss_fail(&e, "%s", longer);
    CU_ASSERT_EQUAL(strlen(e.text), SS_ERROR_BYTES - 1);
    CU_ASSERT_STRING_EQUAL(e.text + SS_ERROR_BYTES - 5, "a...");
    ss_fail_in(&e, "here");
    CU_ASSERT_EQUAL(strlen(e.text), SS_ERROR_BYTES - 1);
    CU_ASSERT_NSTRING_EQUAL(e.text, "here: aaa", 9);
    CU_ASSERT_STRING_EQUAL(e.text + SS_ERROR_BYTES - 5, "a...");
    ss_fail(&e, "%.*s", SS_ERROR_BYTES - 1, longer);
    CU_ASSERT_STRING_EQUAL(e.text + SS_ERROR_BYTES - 5, "aaaa");
}

/* A hostile value cannot break the line or move the terminal's cursor. */
static void printable(void)
{
    ss_error error;
    ss_fail(&error, "value '%s'", "a\n\x1b[2J\tb\x7f");
    CU_ASSERT_STRING_EQUAL(error.text, "value 'a\\n\\x1b[2J\\tb\\x7f'");
    ss_fail_in(&error, "file\n");
    CU_ASSERT_STRING_EQUAL(error.text, "file\\n: value 'a\\n\\x1b[2J\\tb\\x7f'");
    ss_fail(&error, "\xce\xbb stays");
    CU_ASSERT_STRING_EQUAL(error.text, "\xce\xbb stays");
    /* Cut between two characters, and marked. */
    char longer[2 * SS_ERROR_BYTES] = "";
    for (size_t i = 0; i + 4 < sizeof longer; i += 3) memcpy(longer + i, "\xe2\x82\xac", 4);
    for (int shift = 0; shift < 3; shift++) {
        ss_fail(&error, "%.*s%s", shift, "abc", longer);
        size_t n = strlen(error.text);
        CU_ASSERT(n >= SS_ERROR_BYTES - 4);
        CU_ASSERT_STRING_EQUAL(error.text + n - 6, "\xe2\x82\xac...");
    }
}

static const ss_case cases[] = {
    {"printable", printable},
    {"fail writes the sentence", fail_writes},
    {"context goes in front", context_goes_in_front},
    {"the text may be its own argument", own_text_may_be_an_argument},
    {"no error wanted", null_is_fine},
    {"too long a sentence is marked", too_long_is_marked},
};
SS_SUITE("error", cases)
