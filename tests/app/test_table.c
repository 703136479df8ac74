/* test_table.c - aligned columns and CSV quoting. */
#include "../../src/app/table.h"

#include <stdlib.h>
#include <string.h>

#include "../suite.h"

static void test_csv(void)
{
    static const struct { const char *text, *field; } cases[] = {
        {"plain", "plain"}, {"", ""}, {"a,b", "\"a,b\""}, {"say \"hi\"", "\"say \"\"hi\"\"\""}, {"two\nlines", "\"two\nlines\""},
        {"cr\r", "\"cr\r\""}, {"semi;colon", "semi;colon"}, {"\"", "\"\"\"\""}, {NULL, ""},
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
