/* fuzz_results.c - the input after its first byte is a results file without a checksum, as h5py leaves one, so that HDF5 reads
 * whatever it says. Bit 0: the checksums of journal entries inside are set right first. Bit 1: the file is sealed, too, as if we
 * had written it. Bits 2 to 4, all of them: it is repaired, then read again; bit 5: it is merged. HDF5's own parser sees the bytes
 * first: run.sh tells crashes inside libhdf5 from crashes in our code. */
#include <hdf5.h>

#include "sample.h"

enum { REPAIR = 0x1c, MERGE = 0x20, SEAL_BYTES = 20 };

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    scratch_make();
    scratch_silence();
    sample_limit_memory();
    return 0;
}

static void say(void *ctx, const char *line)
{
    (void)ctx;
    FUZZ_MUST(line[0]);
}

static void seal(unsigned char *p, size_t n)
{
    memcpy(p + n, "SSH5SUM\n", 8);
    sample_set_u32(p + n + 8, (uint32_t)n);
    sample_set_u32(p + n + 12, 0);
    sample_set_u32(p + n + 16, ss_crc32(0, p, n));
}

static void read_results(const char *path)
{
    ss_error error = {{0}};
    ss_results *r = ss_results_open(path, &error);
    FUZZ_MUST(r || error.text[0]);
    for (size_t c = 0; r && c < r->n_columns; c++)
        for (size_t i = 0; i < r->n; i++) FUZZ_MUST(r->column[c].text[i]);
    ss_results_destroy(r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    char path[600], out[600];
    ss_error error = {{0}};
    if (n < 1) return 0;
    unsigned char *p = ss_alloc(n + SEAL_BYTES, 1);
    if (!p) return 0;
    memcpy(p, data + 1, n - 1);
    if (data[0] & 1) sample_set_checksums(p, n - 1);
    if (data[0] & 2) seal(p, n - 1);
    scratch_write("r.h5", p, n - 1 + (data[0] & 2 ? SEAL_BYTES : 0));
    ss_free(p);
    snprintf(path, sizeof path, "%s/r.h5", scratch_folder);
    snprintf(out, sizeof out, "%s/m.h5", scratch_folder);
    read_results(path);
    ss_store_verify(path, false, say, NULL, &error);
    if (data[0] & MERGE) {
        const char *in[] = {path};
        ss_merged merged;
        if (ss_store_merge(out, 1, in, &merged, &error) == 0) FUZZ_MUST(ss_store_verify(out, false, say, NULL, &error) == 0);
    }
    if ((data[0] & REPAIR) == REPAIR && ss_store_verify(path, true, say, NULL, &error) >= 0) {
        FUZZ_MUST(ss_store_verify(path, false, say, NULL, &error) == 0);
        read_results(path);
    }
    FUZZ_MUST(H5Fget_obj_count((hid_t)H5F_OBJ_ALL, H5F_OBJ_ALL) == 0); /* whatever was opened is closed again */
    sample_check_memory();
    sample_remove_all();
    return 0;
}
