/* test_table.c - aligned columns and CSV quoting. */
#include "../../src/app/table.h"

#include <stdlib.h>
#include <string.h>

#include "../suite.h"

static void test_csv(void)
{
    static const struct { const char *text, *field; } cases[] = {
        {"plain", "plain"}, {"", ""}, {"a,b", "\"a,b\""}, {"say \"hi\"", "\"say \"\"hi\"\"\""}, {"two\nlines", "two\\nlines"},
        {"cr\r", "cr\\x0d"}, {"semi;colon", "semi;colon"}, {"\"", "\"\"\"\""}, {NULL, ""},
        {"\x1b[2J,\xff", "\"\\x1b[2J,\\xff\""},
        {"\xce\xbb", "\xce\xbb"},
        /* what a spreadsheet would run, and numbers that only look like it */
        {"=1+1", "\"'=1+1\""}, {"@x", "\"'@x\""}, {"+1 2", "\"'+1 2\""}, {"-cmd|' /C calc'!A0", "\"'-cmd|' /C calc'!A0\""},
        {"=HYPERLINK(\"x\",1)", "\"'=HYPERLINK(\"\"x\"\",1)\""}, {"\t=1", "\"'\\t=1\""}, {"\r=1", "\"'\\x0d=1\""}, {"-", "\"'-\""},
        {"-1.5e-3", "-1.5e-3"}, {"+2", "+2"}, {"-0.25", "-0.25"}, {"-inf", "-inf"}, {"1e-5", "1e-5"}, {"-1e5+A1", "\"'-1e5+A1\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *text = NULL;
        size_t n = 0;
        FILE *out = open_memstream(&text, &n);
        CU_ASSERT_PTR_NOT_NULL_FATAL(out);
        ss_csv_field(cases[i].text, out);
        fclose(out);
        CU_ASSERT_STRING_EQUAL(text, cases[i].field);
        free(text);
    }
}

static void test_columns(void)
{
    ss_table table;
    ss_error error = {{0}};
    char *text = NULL;
    size_t n = 0;
    FILE *out = open_memstream(&text, &n);
    CU_ASSERT_PTR_NOT_NULL_FATAL(out);
    CU_ASSERT_EQUAL_FATAL(ss_table_init(&table, 3, 2, &error), 0);
    table.head[0] = "n";
    table.head[1] = "name";
    table.head[2] = "last";
    table.right[0] = true;
    CU_ASSERT_EQUAL(ss_table_set(&table, 0, 0, &error, "%d", 7), 0);
    CU_ASSERT_EQUAL(ss_table_set(&table, 1, 0, &error, "%d", 1234), 0);
    CU_ASSERT_EQUAL(ss_table_set(&table, 0, 1, &error, "\xce\xbb"), 0); /* one character of two bytes */
    CU_ASSERT_EQUAL(ss_table_set(&table, 0, 1, &error, "\xce\xbb%s", "x"), 0); /* again: replaced */
    CU_ASSERT_EQUAL(ss_table_set(&table, 1, 2, &error, "end"), 0);
    CU_ASSERT_EQUAL(ss_table_print(&table, out, &error), 0);
    fclose(out);
    CU_ASSERT_STRING_EQUAL(text, "   n  name  last\n"
                                 "   7  \xce\xbbx    \n"
                                 "1234        end\n");
    free(text);
    CU_ASSERT_EQUAL(ss_table_set(&table, 0, 1, &error, "\x1b[7m"), 0); /* escaped, and as wide as that makes it */
    CU_ASSERT_EQUAL(ss_table_set(&table, 1, 1, &error, "\xe5\xad\xa6"), 0); /* one character in two columns */
    table.head[2] = "la\nst";
    CU_ASSERT_PTR_NOT_NULL_FATAL(out = open_memstream(&text, &n));
    CU_ASSERT_EQUAL(ss_table_print(&table, out, &error), 0);
    fclose(out);
    CU_ASSERT_STRING_EQUAL(text, "   n  name     la\\nst\n"
                                 "   7  \\x1b[7m  \n"
                                 "1234  \xe5\xad\xa6       end\n");
    free(text);
    ss_table_finish(&table);
    ss_table_finish(&table); /* a zeroed one is fine */
}

static void test_memory(void)
{
    for (long n = 0; n < 3; n++) {
        ss_table table;
        ss_error error = {{0}};
        ss_alloc_fail_after(n);
        CU_ASSERT_EQUAL(ss_table_init(&table, 2, 2, &error), -1);
        ss_alloc_fail_after(-1);
        CU_ASSERT_STRING_EQUAL(error.text, "no memory for a table of 2 rows");
    }
}

static const ss_case cases[] = {{"csv", test_csv}, {"columns", test_columns}, {"memory", test_memory}};
SS_SUITE("app, table", cases)
