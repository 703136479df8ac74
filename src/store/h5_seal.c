/* h5_seal.c - the checksum behind the end of an HDF5 file: 8 bytes magic, u64 bytes before it, u32 CRC-32 of these bytes.
 * Whoever changes the file with HDF5 cuts it off, for HDF5 cuts a file at its own end. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bytes.h"
#include "h5.h"

enum { SEAL_BYTES = 20, SIZE_AT = 8, CRC_AT = 16, BLOCK_BYTES = 1 << 18 };
static const char magic[8] = "SSH5SUM\n";

/* CRC of the first n bytes. */
static int checksum(int fd, uint64_t n, uint32_t *crc, ss_error *error)
{
    unsigned char *block = ss_alloc(BLOCK_BYTES, 1);
    if (!block) return ss_fail(error, "no memory for a checksum");
    int rc = 0;
    *crc = 0;
    for (uint64_t at = 0; rc == 0 && at < n;) {
        size_t want = n - at < BLOCK_BYTES ? (size_t)(n - at) : BLOCK_BYTES;
        ssize_t got = pread(fd, block, want, (off_t)at);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) {
            rc = ss_fail(error, "cannot be read: %s", got < 0 ? strerror(errno) : "its end came early");
            break;
        }
        *crc = ss_crc32(*crc, block, (size_t)got);
        at += (uint64_t)got;
    }
    ss_free(block);
    return rc;
}

int ss_h5_seal(int fd, ss_error *error)
{
    struct stat st;
    unsigned char seal[SEAL_BYTES];
    uint32_t crc;
    if (fstat(fd, &st)) return ss_fail(error, "fstat: %s", strerror(errno));
    uint64_t n = (uint64_t)st.st_size;
    if (checksum(fd, n, &crc, error)) return -1;
    memcpy(seal, magic, sizeof magic);
    ss_bytes_set_u32(seal + SIZE_AT, (uint32_t)n);
    ss_bytes_set_u32(seal + SIZE_AT + 4, (uint32_t)(n >> 32));
    ss_bytes_set_u32(seal + CRC_AT, crc);
    ssize_t put = pwrite(fd, seal, sizeof seal, st.st_size);
    if (put != sizeof seal) return ss_fail(error, "cannot be written: %s", strerror(put < 0 ? errno : ENOSPC));
    return 0;
}

int ss_h5_check_seal(const char *path, ss_error *error)
{
    struct stat st;
    unsigned char seal[SEAL_BYTES];
    uint32_t crc = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &st)) {
        ss_fail(error, "%s: %s", path, strerror(errno));
        if (fd >= 0) close(fd);
        return -1;
    }
    int rc = 0;
    if (st.st_size > SEAL_BYTES && pread(fd, seal, sizeof seal, st.st_size - SEAL_BYTES) == SEAL_BYTES &&
        memcmp(seal, magic, sizeof magic) == 0) {
        uint64_t n = ss_bytes_get_u32(seal + SIZE_AT) | (uint64_t)ss_bytes_get_u32(seal + SIZE_AT + 4) << 32;
        bool whole = n == (uint64_t)st.st_size - SEAL_BYTES;
        if (whole) rc = checksum(fd, n, &crc, error);
        if (rc) ss_fail_in(error, "%s", path);
        if (rc == 0 && (!whole || crc != ss_bytes_get_u32(seal + CRC_AT)))
            rc = ss_fail(error, "%s: is damaged: its contents do not have the checksum they were written with", path);
    }
    close(fd);
    return rc;
}
