/* paths.c - where results go, and word of how a run ended. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app.h"

/* Beside the file stand NAME.journal and, while either is replaced, a temporary file of its own name (base/file.c); below
 * NAME.checkpoints one file per point, of 32 digits. */
enum { TEMPORARY_BYTES = 60, BESIDE_BYTES = sizeof ".journal" - 1 + TEMPORARY_BYTES,
       BELOW_BYTES = sizeof ".checkpoints/" - 1 + SS_ID_BYTES + 8 + TEMPORARY_BYTES };

int ss_results_check(const char *path, ss_error *error)
{
    struct stat info;
    size_t n = strlen(path);
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    if (n == 0) return ss_fail(error, "-o \"\": the name of a results file is expected, such as -o results.h5");
    if (!name[0])
        return ss_fail(error, "%s: names a folder; the name of a results file is expected, such as %sresults.h5", path, path);
    if (stat(path, &info) == 0 && S_ISDIR(info.st_mode))
        return ss_fail(error, "%s: is a folder; the name of a results file is expected, such as %s/results.h5", path, path);
    if (strlen(name) + BESIDE_BYTES > NAME_MAX)
        return ss_fail(error, "%.80s...: a name of %zu bytes, too long for the files beside it; at most %d are possible", path,
                       strlen(name), NAME_MAX - BESIDE_BYTES);
    if (n + BELOW_BYTES >= PATH_MAX)
        return ss_fail(error, "%.80s...: a path of %zu bytes, too long for the files below it; at most %d are possible", path, n,
                       PATH_MAX - BELOW_BYTES - 1);
    return 0;
}

char *ss_results_path(const ss_job *job, const char *option, ss_error *error)
{
    char *path = NULL;
    if (option || (job->output && job->output[0])) {
        path = ss_strdup(option ? option : job->output);
    } else {
        const char *slash = strrchr(job->path, '/'), *name = slash ? slash + 1 : job->path, *dot = strrchr(name, '.');
        size_t stem = dot && dot > name ? (size_t)(dot - job->path) : strlen(job->path);
        path = ss_alloc(stem + 4, 1);
        if (path) {
            memcpy(path, job->path, stem);
            memcpy(path + stem, ".h5", 4);
        }
    }
    if (!path) {
        ss_fail(error, "no memory for the name of the results file");
    } else if (ss_results_check(path, error)) {
        ss_free(path);
        path = NULL;
    }
    return path;
}

/* The one name of a file that may not exist yet; false: its folder does not either. */
static bool resolve(const char *path, char out[PATH_MAX])
{
    char folder[PATH_MAX], real[PATH_MAX];
    if (realpath(path, out)) return true;
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    int n = slash ? snprintf(folder, sizeof folder, "%.*s", (int)(name - path), path) : snprintf(folder, sizeof folder, ".");
    if (n < 0 || n >= PATH_MAX || !realpath(folder, real)) return false;
    n = snprintf(out, PATH_MAX, "%s/%s", strcmp(real, "/") == 0 ? "" : real, name);
    return n > 0 && n < PATH_MAX;
}

static int check_apart(const char *path, const char *other, const char *ending, ss_error *error)
{
    char one[PATH_MAX], name[PATH_MAX], two[PATH_MAX];
    int n = snprintf(name, sizeof name, "%s%s", other, ending);
    if (n < 0 || n >= PATH_MAX || !resolve(path, one) || !resolve(name, two) || strcmp(one, two) != 0) return 0;
    return ss_fail(error, "--status-file %s: would overwrite %s; name another file", path, name);
}

/* Nobody's, or word of an earlier run: "running 123 host" or "75 by a signal". */
static bool is_word(const char *path)
{
    char text[512];
    struct stat info;
    if (stat(path, &info)) return true; /* writing will tell why, if it is more than absence */
    if (!S_ISREG(info.st_mode)) return false;
    FILE *file = fopen(path, "r");
    size_t n = file ? fread(text, 1, sizeof text - 1, file) : 0;
    if (!file || fclose(file) || n == sizeof text - 1 || memchr(text, '\0', n)) return false;
    text[n] = '\0';
    const char *number = strncmp(text, "running ", 8) == 0 ? text + 8 : text, *end = strchr(text, '\n');
    size_t n_digits = strspn(number, "0123456789");
    return n == 0 || (n_digits > 0 && number[n_digits] == ' ' && end == text + n - 1);
}

int ss_status_file_check(const char *path, const char *job, const char *results, ss_error *error)
{
    static const char *const endings[] = {"", ".journal", ".stop"};
    char real[SS_PATH_BYTES] = "";
    if (!path) return 0;
    if (job && check_apart(path, job, "", error)) return -1;
    if (results && ss_store_resolve(results, real, error)) return -1;
    for (size_t i = 0; results && i < sizeof endings / sizeof *endings; i++)
        if (check_apart(path, results, endings[i], error) || check_apart(path, real, endings[i], error)) return -1;
    return is_word(path) ? 0 : ss_fail(error, "--status-file %s: exists and is no word of a run's end; name another file", path);
}

static void write_status(const char *path, const char *line)
{
    ss_error why;
    if (!path) return;
    if (!is_word(path)) {
        ss_log(SS_LOG_WARNING, "--status-file %s: has become a file of something else, which is left alone", path);
        return;
    }
    if (ss_file_replace(path, line, strlen(line), &why) == 0) return;
    ss_log(SS_LOG_WARNING, "%s, so that a batch script will not learn of this run's end", why.text);
}

void ss_status_file_begin(const char *path)
{
    char line[256];
    snprintf(line, sizeof line, "running %ld %.200s\n", (long)getpid(), ss_printable_of(ss_host_name()).text);
    write_status(path, line);
}

void ss_status_file_end(const char *path, int status, const char *why)
{
    char line[256];
    snprintf(line, sizeof line, "%d %.200s\n", status, ss_printable_of(why).text);
    write_status(path, line);
}
