/* h5_seal.c - the checksum behind the end of an HDF5 file: 8 bytes magic, u64 bytes before it, u32 CRC-32 of these bytes.
 * Whoever changes the file with HDF5 cuts it off, for HDF5 cuts a file at its own end. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

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
        int64_t got = ss_file_read_at(fd, block, want, at);
        if (got != (int64_t)want) rc = ss_fail(error, "cannot be read: %s", got < 0 ? strerror(errno) : "its end came early");
        else *crc = ss_crc32(*crc, block, want);
        at += want;
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
    return ss_file_write_at(fd, seal, sizeof seal, n) ? ss_fail(error, "cannot be written: %s", strerror(errno)) : 0;
}

int ss_h5_check_seal(int fd, uint64_t n_bytes, ss_error *error)
{
    unsigned char seal[SEAL_BYTES];
    uint32_t crc = 0;
    if (n_bytes <= SEAL_BYTES) return 0;
    if (ss_file_read_at(fd, seal, sizeof seal, n_bytes - SEAL_BYTES) != SEAL_BYTES)
        return ss_fail(error, "cannot be read: %s", strerror(errno)), -2;
    if (memcmp(seal, magic, sizeof magic) != 0) return 0;
    uint64_t n = ss_bytes_get_u32(seal + SIZE_AT) | (uint64_t)ss_bytes_get_u32(seal + SIZE_AT + 4) << 32;
    bool whole = n == n_bytes - SEAL_BYTES;
    if (whole && checksum(fd, n, &crc, error)) return -2;
    if (whole && crc == ss_bytes_get_u32(seal + CRC_AT)) return 1;
    return ss_fail(error, "is damaged: its contents do not have the checksum they were written with");
}
