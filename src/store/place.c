/* place.c - can results be written where they shall be? Found before anything runs, and by those who only plan it. Whatever is
 * missing may be made later; what is there must take files. */
#include "resume.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_link(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0 && S_ISLNK(st.st_mode);
}

static bool is_there(const char *path)
{
    return access(path, F_OK) == 0;
}

static bool may(const char *path, int what)
{
    return faccessat(AT_FDCWD, path, what, AT_EACCESS) == 0;
}

/* "a/b/c.h5" -> "a/b" -> "a" -> "." */
static void go_up(char *path)
{
    char *slash = strrchr(path, '/');
    if (!slash) strcpy(path, ".");
    else if (slash == path) path[1] = '\0';
    else *slash = '\0';
}

int ss_place_fail_link(const char *path, ss_error *error)
{
    return ss_fail(error, "%s: is a symbolic link that leads to nothing; remove it, or bring back what it leads to", path);
}

static bool is_dangling(const char *path)
{
    return is_link(path) && !is_there(path);
}

static int check_folder(const char *real, ss_error *error)
{
    char folder[SS_PATH_BYTES];
    struct stat st;
    snprintf(folder, sizeof folder, "%s", real);
    do {
        go_up(folder);
        if (is_dangling(folder)) return ss_place_fail_link(folder, error);
    } while (!is_there(folder) && errno == ENOENT && strcmp(folder, ".") != 0 && strcmp(folder, "/") != 0);
    if (stat(folder, &st) == 0 && !S_ISDIR(st.st_mode))
        return ss_fail(error, "%s: cannot be made, because %s is not a folder; write to another file (-o)", real, folder);
    if (!may(folder, W_OK | X_OK))
        return ss_fail(error, "%s: cannot be made in the folder %s: %s; write to another file (-o)", real, folder,
                       strerror(errno));
    return 0;
}

int ss_place_check(const char *path, const char *real, ss_error *error)
{
    char journal[SS_PATH_BYTES], folder[SS_PATH_BYTES];
    if (ss_journal_path(real, journal, error)) return -1;
    snprintf(folder, sizeof folder, "%s", real);
    go_up(folder);
    if (is_link(path) && !is_there(folder))
        return ss_fail(error, "%s: is a symbolic link into %s, a folder that does not exist; make it, or write to another file "
                       "(-o)", path, folder);
    if (is_dangling(journal)) return ss_place_fail_link(journal, error);
    if (is_there(journal) && !may(journal, W_OK))
        return ss_fail(error, "%s: cannot be written: %s; write to another file (-o)", journal, strerror(errno));
    return check_folder(real, error);
}

int ss_place_astray(const char *results, const char *ending, const char *name, char out[SS_PATH_BYTES])
{
    char folder[SS_PATH_BYTES], path[SS_PATH_BYTES + 256];
    int n = -1;
    snprintf(folder, sizeof folder, "%s", results);
    go_up(folder);
    DIR *dir = opendir(folder);
    for (const struct dirent *e; dir && n < 0 && (e = readdir(dir)) != NULL;) {
        size_t length = strlen(e->d_name), tail = strlen(ending);
        if (length <= tail || strcmp(e->d_name + length - tail, ending) != 0) continue;
        snprintf(path, sizeof path, "%s/%s/%s", folder, e->d_name, name);
        if (is_there(path)) n = snprintf(out, SS_PATH_BYTES, "%s/%s", folder, e->d_name);
    }
    if (dir) closedir(dir);
    return n < 0 || n >= SS_PATH_BYTES ? -1 : 0;
}
