/* replay.c - a main for builds without libFuzzer: runs a target on every file of the folders and files it is given, so that
 * each past finding stays a test of the ordinary suite. */
#include <dirent.h>
#include <stdbool.h>
#include <sys/stat.h>

#include "scratch.h"

static bool replay_file(const char *path)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st)) {
        perror(path);
        return false;
    }
    size_t n = (size_t)st.st_size;
    uint8_t *data = malloc(n ? n : 1); /* of exactly this size, so that reading beyond it is seen */
    bool ok = data && read(fd, data, n) == (ssize_t)n;
    if (ok) LLVMFuzzerTestOneInput(data, n);
    free(data);
    close(fd);
    return ok;
}

static int replay_folder(const char *path)
{
    int n = 0;
    char name[2048];
    DIR *folder = opendir(path);
    for (const struct dirent *e; folder && (e = readdir(folder));) {
        if (e->d_name[0] == '.') continue;
        snprintf(name, sizeof name, "%s/%s", path, e->d_name);
        if (!replay_file(name)) exit(1);
        n++;
    }
    if (folder) closedir(folder);
    return n;
}

int main(int argc, char **argv)
{
    int n = 0;
    LLVMFuzzerInitialize(&argc, &argv);
    for (int i = 1; i < argc; i++) {
        struct stat st;
        bool is_folder = stat(argv[i], &st) == 0 && S_ISDIR(st.st_mode);
        if (is_folder)
            n += replay_folder(argv[i]);
        else if (replay_file(argv[i]))
            n++;
        else
            return 1;
    }
    printf("%d inputs replayed\n", n);
    return n == 0; /* a corpus that is not there tests nothing */
}
