/* fuzz_weights.c - the input is a weights file, read as a small network's. HDF5's own parser sees the bytes first: run.sh
 * tells crashes inside libhdf5, which is not ours to mend, from crashes in our code. Of leaks only HDF5's own handles
 * are counted, for libhdf5 forgets memory whenever it refuses a file. */
#include <hdf5.h>
#include <math.h>

#include "scratch.h"
#include "sharpsweep/store.h"

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    scratch_make();
    scratch_silence();
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    float weight[6] = {0}, bias[2] = {0};
    ss_tensor tensor[] = {{"0.weight", 2, {2, 3}, weight}, {"0.bias", 1, {2}, bias}};
    ss_error error = {{0}};
    scratch_write("w.h5", data, n);
    int rc = ss_weights_read(scratch_path("w.h5"), 2, tensor, &error);
    FUZZ_MUST(rc == 0 || error.text[0]);
    for (int i = 0; rc == 0 && i < 6; i++) FUZZ_MUST(isfinite(weight[i]));
    FUZZ_MUST(H5Fget_obj_count((hid_t)H5F_OBJ_ALL, H5F_OBJ_ALL) == 0); /* whatever was opened is closed again */
    return 0;
}
