/* fuzz_record.c - the input is a record's bytes, as MPI, a trial's pipe and the journal carry them. What can be read can be
 * written, and reads as the same record. */
#include "scratch.h"
#include "sharpsweep/sweep.h"

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    ss_error error = {{0}};
    ss_record record, again;
    unsigned char *bytes = NULL;
    size_t n_bytes = 0;
    if (ss_record_decode(data, n, &record, &error)) {
        FUZZ_MUST(error.text[0]);
        return 0;
    }
    FUZZ_MUST(ss_record_encode(&record, &bytes, &n_bytes, &error) == 0);
    FUZZ_MUST(ss_record_decode(bytes, n_bytes, &again, &error) == 0);
    FUZZ_MUST(ss_record_same(&record, &again));
    ss_record_finish(&again);
    ss_record_finish(&record);
    ss_free(bytes);
    return 0;
}
