#include "sharpsweep/sweep.h"

#include <stdlib.h>
#include <string.h>

#include "../suite.h"
#include "sweep/source_dir.h"

static char *write_document(void (*write)(FILE *))
{
    char *text = NULL;
    size_t n = 0;
    FILE *out = open_memstream(&text, &n);
    CU_ASSERT_PTR_NOT_NULL_FATAL(out);
    write(out);
    fclose(out);
    return text;
}

static char *read_document(const char *name)
{
    char path[1024];
    static char text[1 << 20];
    snprintf(path, sizeof path, "%s/jobs/%s", SS_SOURCE_DIR, name);
    FILE *file = fopen(path, "rb");
    if (!file) fprintf(stderr, "\n    no %s\n", path);
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    size_t n = fread(text, 1, sizeof text - 1, file);
    text[n] = '\0';
    fclose(file);
    return text;
}

/* With SS_UPDATE set in the environment, the document is written anew: the way to bring it up to date. */
static void update(const char *name, const char *before, const char *text, const char *after)
{
    char path[1024];
    if (!getenv("SS_UPDATE")) {
        fprintf(stderr, "\n    jobs/%s is behind the key table; run this test with SS_UPDATE=1\n", name);
        return;
    }
    snprintf(path, sizeof path, "%s/jobs/%s", SS_SOURCE_DIR, name);
    FILE *file = fopen(path, "wb");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    fprintf(file, "%s%s%s", before, text, after);
    fclose(file);
}

static void schema_is_up_to_date(void)
{
    char *expected = write_document(ss_job_write_schema);
    bool same = strcmp(read_document("schema.json"), expected) == 0;
    if (!same) update("schema.json", "", expected, "");
    CU_ASSERT(same);
    free(expected);
}

static void reference_is_up_to_date(void)
{
    static const char open[] = "<!-- reference -->\n", close[] = "<!-- /reference -->";
    char *expected = write_document(ss_job_write_reference), *text = read_document("README.md");
    char *begin = strstr(text, open), *end = strstr(text, close);
    CU_ASSERT_FATAL(begin && end && begin < end);
    begin += strlen(open);
    bool same = (size_t)(end - begin) == strlen(expected) && strncmp(begin, expected, strlen(expected)) == 0;
    if (!same) {
        char *rest = ss_strdup(end);
        *begin = '\0';
        update("README.md", text, expected, rest);
        ss_free(rest);
    }
    CU_ASSERT(same);
    free(expected);
}

static void every_key_is_in_both(void)
{
    char *reference = write_document(ss_job_write_reference), *schema = write_document(ss_job_write_schema);
    size_t n;
    const ss_key *key = ss_keys(&n);
    for (size_t i = 0; i < n; i++) {
        char row[128];
        snprintf(row, sizeof row, "\n| `%s` | ", key[i].name);
        CU_ASSERT_PTR_NOT_NULL(strstr(reference, row));
        snprintf(row, sizeof row, "        \"%s\": {\"description\": ", key[i].name);
        CU_ASSERT_PTR_NOT_NULL(strstr(schema, row));
    }
    free(reference);
    free(schema);
}

/* Every ```yaml block of the guide is a job that parses. */
static void examples_of_the_guide_parse(void)
{
    int n = 0;
    for (char *p = read_document("README.md"); (p = strstr(p, "```yaml\n")); n++) {
        char *end = strstr(p += 8, "```");
        CU_ASSERT_PTR_NOT_NULL_FATAL(end);
        ss_error error = {""};
        *end = '\0';
        ss_job *job = ss_job_parse(p, "README.md", &error);
        if (!job) fprintf(stderr, "\n    %s: %s\n", p, error.text);
        CU_ASSERT_PTR_NOT_NULL(job);
        ss_job_destroy(job);
        p = end + 3;
    }
    CU_ASSERT(n >= 3);
}

static const ss_case cases[] = {
    {"schema is up to date", schema_is_up_to_date},
    {"reference is up to date", reference_is_up_to_date},
    {"every key is in both", every_key_is_in_both},
    {"examples of the guide parse", examples_of_the_guide_parse},
};
SS_SUITE("sweep/reference", cases)
