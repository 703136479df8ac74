/* share.c - the data sets of a study in memory without a name in any file system (memfd), which the other ranks of the node
 * and the trial servers map from /proc: one copy per node, gone with the last process that maps it, whatever dies. It is
 * mapped read-only, so that no trial can damage it.
 *
 * image: image_head, n_banks times image_bank, then the arrays, each at a multiple of 64 bytes. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "study.h"

enum { N_ARRAYS = 6, ALIGN = 64, DIR_BYTES = 1024 };
static const char image_magic[8] = "SSDATA1\n";

typedef struct image_head { char magic[8]; uint64_t n_banks, n_bytes; } image_head;
typedef struct image_bank {
    uint64_t point;               /* the first that uses it */
    char data_dir[DIR_BYTES];     /* as its maker's job names it: the one data key that is not the same on all ranks for sure */
    ss_dataset data;              /* pointers mean nothing */
    uint64_t at[N_ARRAYS], n_bytes[N_ARRAYS]; /* train pixels, labels, test pixels, labels, mean, inv_std */
} image_bank;

static void array_sizes(const ss_dataset *d, uint64_t n_bytes[N_ARRAYS])
{
    uint64_t image = (uint64_t)d->h * (uint64_t)d->w * (uint64_t)d->c;
    const uint64_t sizes[N_ARRAYS] = {d->train.n * image, d->train.n, d->test.n * image, d->test.n, image * sizeof(ss_real),
                                      image * sizeof(ss_real)};
    memcpy(n_bytes, sizes, sizeof sizes);
}

static uint64_t rounded(uint64_t n)
{
    return (n + ALIGN - 1) / ALIGN * ALIGN;
}

/* Lays the banks out; the bytes of the whole image. */
static uint64_t lay_out(const ss_study *study, image_bank *banks)
{
    uint64_t at = rounded(sizeof(image_head) + study->n_banks * sizeof *banks);
    for (size_t i = 0; i < study->n_banks; i++) {
        const ss_dataset *d = study->bank[i].data;
        banks[i].point = study->bank[i].point;
        banks[i].data = *d;
        snprintf(banks[i].data_dir, DIR_BYTES, "%s", study->bank[i].settings.data_dir);
        array_sizes(d, banks[i].n_bytes);
        for (int k = 0; k < N_ARRAYS; k++) {
            banks[i].at[k] = at;
            at += rounded(banks[i].n_bytes[k]);
        }
    }
    return at;
}

static void fill(const ss_study *study, const image_bank *banks, unsigned char *image, uint64_t n_bytes)
{
    image_head head = {.n_banks = study->n_banks, .n_bytes = n_bytes};
    memcpy(head.magic, image_magic, sizeof head.magic);
    memcpy(image, &head, sizeof head);
    memcpy(image + sizeof head, banks, study->n_banks * sizeof *banks);
    for (size_t i = 0; i < study->n_banks; i++) {
        const ss_dataset *d = study->bank[i].data;
        const void *const arrays[N_ARRAYS] = {d->train.pixels, d->train.labels, d->test.pixels, d->test.labels, d->mean,
                                              d->inv_std};
        for (int k = 0; k < N_ARRAYS; k++) memcpy(image + banks[i].at[k], arrays[k], banks[i].n_bytes[k]);
    }
}

/* A memfd with the image, or -1. */
static int make_image(const ss_study *study, size_t *n_bytes, ss_error *error)
{
    image_bank *banks = ss_alloc(study->n_banks, sizeof *banks);
    if (!banks) return ss_fail(error, "no memory for the layout of %zu data sets", study->n_banks);
    uint64_t n = lay_out(study, banks);
    int fd = memfd_create("sharpsweep-data", MFD_CLOEXEC);
    /* posix_fallocate: what does not fit is said here, and not by SIGBUS while it is filled. */
    int rc = fd < 0 ? errno : posix_fallocate(fd, 0, (off_t)n);
    void *image = rc ? MAP_FAILED : mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (image == MAP_FAILED) {
        if (!rc) rc = errno;
        if (fd >= 0) close(fd);
        ss_free(banks);
        return ss_fail(error, "%llu bytes to share among processes were not to be had: %s", (unsigned long long)n, strerror(rc));
    }
    fill(study, banks, image, n);
    munmap(image, n);
    ss_free(banks);
    *n_bytes = n;
    return fd;
}

/* ---- using an image -------------------------------------------------------------------------------------------------- */

/* One bank's data set, pointing into the image; NULL: memory. */
static ss_dataset *view(const image_bank *bank, unsigned char *image)
{
    ss_dataset *d = ss_alloc(1, sizeof *d);
    if (!d) return NULL;
    *d = bank->data;
    d->train.pixels = image + bank->at[0];
    d->train.labels = image + bank->at[1];
    d->test.pixels = image + bank->at[2];
    d->test.labels = image + bank->at[3];
    d->mean = (ss_real *)(void *)(image + bank->at[4]);
    d->inv_std = (ss_real *)(void *)(image + bank->at[5]);
    return d;
}

static bool is_sound(const image_bank *bank, const ss_study *study, size_t n_bytes)
{
    uint64_t sizes[N_ARRAYS];
    array_sizes(&bank->data, sizes);
    if (bank->point >= ss_grid_count(study->grid) || memcmp(sizes, bank->n_bytes, sizeof sizes) != 0) return false;
    for (int k = 0; k < N_ARRAYS; k++)
        if (bank->at[k] > n_bytes || sizes[k] > n_bytes - bank->at[k]) return false;
    return true;
}

/* Maps an image: NULL, or its bytes. */
static unsigned char *map_image(int fd, size_t *n_bytes)
{
    struct stat file;
    image_head head;
    if (fstat(fd, &file) || pread(fd, &head, sizeof head, 0) != sizeof head) return NULL;
    bool ours = memcmp(head.magic, image_magic, sizeof head.magic) == 0 && (uint64_t)file.st_size == head.n_bytes;
    *n_bytes = (size_t)file.st_size;
    if (!ours || head.n_banks > (head.n_bytes - sizeof head) / sizeof(image_bank)) return NULL;
    void *image = mmap(NULL, *n_bytes, PROT_READ, MAP_SHARED, fd, 0);
    return image == MAP_FAILED ? NULL : image;
}

static int add_views(ss_study *study, ss_error *error)
{
    unsigned char *image = study->mapping;
    image_head head;
    memcpy(&head, image, sizeof head);
    study->bank = ss_alloc((size_t)head.n_banks, sizeof *study->bank);
    image_bank *bank = ss_alloc(1, sizeof *bank);
    int rc = study->bank && bank ? 0 : ss_fail(error, "no memory for %llu data sets", (unsigned long long)head.n_banks);
    for (size_t i = 0; rc == 0 && i < head.n_banks; i++) {
        ss_bank *b = &study->bank[i];
        memcpy(bank, image + sizeof head + i * sizeof *bank, sizeof *bank);
        if (!is_sound(bank, study, study->mapping_bytes)) {
            rc = ss_fail(error, "the shared data set %zu is not one of this job's", i);
            break;
        }
        b->point = (size_t)bank->point;
        ss_grid_settings(study->grid, b->point, &b->settings);
        if (strncmp(b->settings.data_dir, bank->data_dir, DIR_BYTES) != 0)
            rc = ss_fail(error, "data_dir is %s here and %s where the data are shared", b->settings.data_dir, bank->data_dir);
        if (rc == 0 && !(b->data = view(bank, image))) rc = ss_fail(error, "no memory for data set %zu", i);
        if (rc == 0) study->n_banks++;
    }
    ss_free(bank);
    return rc;
}

ss_study *ss_study_attach(const ss_job *job, const char *path, ss_error *error)
{
    ss_study *study = ss_alloc(1, sizeof *study);
    if (!study) {
        ss_fail(error, "no memory for the job");
        return NULL;
    }
    study->job = job;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        ss_fail(error, "%s: the shared data sets cannot be opened: %s", path, strerror(errno));
        goto fail;
    }
    study->mapping_fd = fd;
    study->mapping = map_image(fd, &study->mapping_bytes);
    if (!study->mapping) {
        ss_fail(error, "%s: no image of data sets", path);
        goto fail;
    }
    study->grid = ss_grid_create(job, error);
    bool ok = study->grid && ss_study_list_varying(study, error) == 0;
    if (ok && add_views(study, error) == 0 && ss_study_join_banks(study, error) == 0) return study;
fail:
    ss_study_destroy(study);
    return NULL;
}

int ss_study_share(ss_study *study, char *path, size_t path_bytes, ss_error *error)
{
    size_t n_bytes = 0;
    int fd = make_image(study, &n_bytes, error);
    if (fd < 0) return -1;
    ss_dataset **views = ss_alloc(study->n_banks, sizeof *views);
    unsigned char *image = map_image(fd, &n_bytes);
    image_bank *bank = ss_alloc(1, sizeof *bank);
    bool ok = views && image && bank;
    for (size_t i = 0; ok && i < study->n_banks; i++) {
        memcpy(bank, image + sizeof(image_head) + i * sizeof *bank, sizeof *bank);
        ok = (views[i] = view(bank, image)) != NULL;
    }
    if (ok) {
        for (size_t i = 0; i < study->n_banks; i++) {
            ss_dataset_destroy(study->bank[i].data);
            study->bank[i].data = views[i];
        }
        study->mapping = image;
        study->mapping_bytes = n_bytes;
        study->mapping_fd = fd;
        ss_study_shared_path(study, path, path_bytes);
    } else {
        for (size_t i = 0; views && i < study->n_banks; i++) ss_free(views[i]);
        if (image) munmap(image, n_bytes);
        close(fd);
        ss_fail(error, "no memory to share %zu data sets", study->n_banks);
    }
    ss_free(bank);
    ss_free(views);
    return ok ? 0 : -1;
}

void ss_study_shared_path(const ss_study *study, char *path, size_t path_bytes)
{
    path[0] = '\0';
    if (study->mapping) snprintf(path, path_bytes, "/proc/%ld/fd/%d", (long)getpid(), study->mapping_fd);
}
