/* test_file.c - reading, replacing, keeping: what stands under a name is whole at any moment, and nothing of others is lost. */
#include "sharpsweep/base.h"
#include "../suite.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[64], path[128];

static void begin(void)
{
    strcpy(folder, "/tmp/sharpsweep-file-XXXXXX");
    if (!mkdtemp(folder)) abort();
    snprintf(path, sizeof path, "%s/a.h5", folder);
}

static void end(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    CU_ASSERT(system(command) == 0);
}

static int n_names(void)
{
    char command[160];
    int n = -1;
    snprintf(command, sizeof command, "ls -A %s | wc -l", folder);
    FILE *pipe = popen(command, "r");
    if (pipe && fscanf(pipe, "%d", &n) != 1) n = -1;
    if (pipe) pclose(pipe);
    return n;
}

static bool holds(const char *name, const char *text)
{
    unsigned char *bytes;
    size_t n = 0;
    bool same = ss_file_read(name, 1000, &bytes, &n, NULL) == 0 && n == strlen(text) && memcmp(bytes, text, n) == 0;
    ss_free(bytes);
    return same;
}

static void replaces_as_a_whole(void)
{
    ss_replacement r, other;
    ss_error error;
    begin();
    CU_ASSERT(ss_file_replace(path, "old", 3, &error) == 0 && holds(path, "old"));
    CU_ASSERT(ss_replacement_begin(&r, path, &error) == 0 && ss_replacement_begin(&other, path, &error) == 0);
    CU_ASSERT(strcmp(r.temporary, other.temporary) != 0);
    CU_ASSERT(ss_file_write_at(r.fd, "new", 3, 0) == 0 && holds(path, "old"));
    CU_ASSERT(ss_replacement_commit(&r, true, false, &error) == -1 && errno == EEXIST && holds(path, "old"));
    CU_ASSERT(ss_file_write_at(other.fd, "newer", 5, 0) == 0);
    CU_ASSERT(ss_replacement_commit(&other, false, false, &error) == 0 && holds(path, "newer"));
    ss_replacement_abandon(&other);
    CU_ASSERT(n_names() == 1 && holds(path, "newer"));
    end();
}

static mode_t rights(void)
{
    struct stat st;
    return stat(path, &st) ? 0 : st.st_mode & 07777;
}

static void keeps_access_rights(void)
{
    static const mode_t modes[] = {0600, 0640, 0664, 0444, 0755};
    begin();
    mode_t mask = umask(027);
    CU_ASSERT(ss_file_replace(path, "1", 1, NULL) == 0 && rights() == 0640);
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        CU_ASSERT(chmod(path, modes[i]) == 0 && ss_file_replace(path, "2", 1, NULL) == 0 && rights() == modes[i]);
    }
    umask(mask);
    end();
}

static void keeps_under_a_free_name(void)
{
    char one[SS_PATH_BYTES], two[SS_PATH_BYTES];
    ss_error error;
    begin();
    CU_ASSERT(ss_file_replace(path, "1", 1, &error) == 0 && ss_file_keep(path, one, &error) == 0);
    CU_ASSERT(ss_file_replace(path, "2", 1, &error) == 0 && ss_file_keep(path, two, &error) == 0);
    CU_ASSERT(strcmp(one, two) != 0 && holds(one, "1") && holds(two, "2") && holds(path, "2") && n_names() == 3);
    CU_ASSERT(unlink(path) == 0);
    CU_ASSERT(ss_file_keep(path, one, &error) == -1 && strstr(error.text, "No such file") != NULL);
    end();
}

static void refuses_what_is_no_file(void)
{
    unsigned char *bytes;
    size_t n;
    ss_error error;
    begin();
    CU_ASSERT(mkfifo(path, 0600) == 0);
    CU_ASSERT(ss_file_read(path, 10, &bytes, &n, &error) == -1 && strstr(error.text, "is not a regular file"));
    CU_ASSERT(ss_file_open(path, O_RDWR, NULL, &error) == -1 && ss_file_open(folder, O_RDONLY, NULL, &error) == -1);
    CU_ASSERT(unlink(path) == 0 && ss_file_replace(path, "12345678901", 11, &error) == 0);
    CU_ASSERT(ss_file_read(path, 10, &bytes, &n, &error) == -1 && strstr(error.text, "11 bytes"));
    end();
}

#define POINT "0123456789abcdef0123456789abcdef"

/* The number of a process that has ended. */
static long dead_process(void)
{
    pid_t pid = fork();
    if (pid == 0) _exit(0);
    CU_ASSERT(pid > 0 && waitpid(pid, NULL, 0) == pid);
    return (long)pid;
}

/* NAME.HOST.PID-1ENDING in the folder, with what ss_replacement_begin calls this host. */
static void leave(const char *name, long pid, const char *ending)
{
    char host[SS_PATH_BYTES] = "", file[2 * SS_PATH_BYTES], own[32];
    ss_replacement r;
    CU_ASSERT(ss_replacement_begin(&r, path, NULL) == 0);
    strcpy(host, r.temporary + strlen(path) + 1);
    ss_replacement_abandon(&r);
    snprintf(own, sizeof own, ".%ld-", (long)getpid());
    char *rest = strstr(host, own);
    CU_ASSERT(rest != NULL);
    if (rest) *rest = '\0';
    snprintf(file, sizeof file, "%s/%s.%s.%ld-1%s", folder, name, host, pid, ending);
    CU_ASSERT(ss_file_replace(file, "x", 1, NULL) == 0);
}

static void removes_only_its_own_temporaries(void)
{
    static const char *const stays[] = {"a.h5.node1.12-1.tmp", "a.h5.tmp", "a.h5.x.tmp", "a.h5.old.2024-1.tmp", "a.h5.7-1.tmp",
                                        "notes.2024-12.tmp", POINT ".h5.old.2024-1.tmp"};
    enum { STAYS = sizeof stays / sizeof *stays };
    char file[256];
    begin();
    long dead = dead_process(), alive = (long)getpid();
    for (size_t i = 0; i < STAYS; i++) {
        snprintf(file, sizeof file, "%s/%s", folder, stays[i]);
        CU_ASSERT(ss_file_replace(file, "x", 1, NULL) == 0);
    }
    leave("a.h5", alive, ".tmp");
    leave("a.h5", dead, ".tmp.h5");
    leave("a.h5", dead, ".tmp");
    leave("b.h5", dead, ".tmp");
    leave(POINT ".h5", dead, ".tmp");
    CU_ASSERT(n_names() == STAYS + 5);
    ss_file_remove_temporaries(path);
    CU_ASSERT(n_names() == STAYS + 4);
    snprintf(file, sizeof file, "%s/", folder);
    ss_file_remove_temporaries(file);
    CU_ASSERT(n_names() == STAYS + 3);
    for (size_t i = 0; i < STAYS; i++) {
        snprintf(file, sizeof file, "%s/%s", folder, stays[i]);
        CU_ASSERT(access(file, F_OK) == 0);
    }
    end();
}

static void makes_folders_or_none(void)
{
    char deep[600];
    ss_error error;
    begin();
    snprintf(deep, sizeof deep, "%s/x/y/z.h5", folder);
    CU_ASSERT(ss_folder_make(deep, &error) == 0 && ss_file_replace(deep, "z", 1, &error) == 0);
    snprintf(deep, sizeof deep, "%s/u/v/%0300d/a.h5", folder, 1);
    CU_ASSERT(ss_folder_make(deep, &error) == -1 && n_names() == 1);
    snprintf(deep, sizeof deep, "%s/x/w/v/a.h5", folder);
    size_t from = ss_folder_missing(deep);
    CU_ASSERT(ss_folder_make(deep, &error) == 0 && ss_folder_missing(deep) == 0);
    ss_folder_unmake(deep, from);
    CU_ASSERT(ss_folder_missing(deep) == from && n_names() == 1);
    end();
}

/* Two dots in a name are a name; as a folder they may lead only from what is there. */
static void makes_no_folder_to_leave_it(void)
{
    char deep[600], sentence[200];
    ss_error error;
    begin();
    snprintf(sentence, sizeof sentence, ": the folder %s/x does not exist", folder);
    static const char *const refused[] = {"x/../a.h5", "x/y/../../a.h5", "x//../y/a.h5"};
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        snprintf(deep, sizeof deep, "%s/%s", folder, refused[i]);
        CU_ASSERT(ss_folder_make(deep, &error) == -1 && strstr(error.text, sentence) && n_names() == 0);
    }
    snprintf(deep, sizeof deep, "%s/x..y/z../a.h5", folder);
    size_t from = ss_folder_missing(deep);
    CU_ASSERT(ss_folder_make(deep, &error) == 0 && n_names() == 1);
    ss_folder_unmake(deep, from);
    CU_ASSERT(n_names() == 0);
    snprintf(deep, sizeof deep, "%s/../%s/u/a.h5", folder, strrchr(folder, '/') + 1);
    from = ss_folder_missing(deep);
    CU_ASSERT(ss_folder_make(deep, &error) == 0 && n_names() == 1);
    ss_folder_unmake(deep, from);
    CU_ASSERT(n_names() == 0);
    end();
}

static const ss_case cases[] = {
    {"replaces as a whole", replaces_as_a_whole},
    {"keeps access rights", keeps_access_rights},
    {"keeps under a free name", keeps_under_a_free_name},
    {"refuses what is no file", refuses_what_is_no_file},
    {"removes only its own temporaries", removes_only_its_own_temporaries},
    {"makes folders or none", makes_folders_or_none},
    {"makes no folder to leave it", makes_no_folder_to_leave_it},
};
SS_SUITE("file", cases)
