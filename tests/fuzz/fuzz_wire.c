/* fuzz_wire.c - the input is what a trial server may say to its supervisor, in two pieces (the first byte tells where it is
 * cut); a record in a frame is decoded as the supervisor and rank 0 do. */
#include <sys/socket.h>

#include "scratch.h"
#include "sharpsweep/sweep.h"

#include "../../src/farm/wire.h"

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    return 0;
}

/* Reads all of a frame's bytes, under the sanitizers' eyes. */
static void read_frame(const ss_frame *frame)
{
    ss_record record;
    FUZZ_MUST(frame->kind > 0 && frame->kind < SS_N_FRAME);
    uint32_t sum = ss_crc32(0, frame->bytes, frame->n);
    size_t head = sizeof(ss_ended) + sizeof(ss_answer);
    if (frame->kind != SS_FRAME_ENDED || frame->n < head) {
        FUZZ_MUST(sum == ss_crc32(0, frame->bytes, frame->n));
        return;
    }
    if (ss_record_decode(frame->bytes + head, frame->n - head, &record, NULL) == 0) ss_record_finish(&record);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    int ends[2];
    ss_wire wire;
    ss_frame frame;
    if (n < 1 || n > 60000 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends)) return 0;
    ss_wire_init(&wire, ends[0]);
    const uint8_t *p = data + 1;
    size_t left = n - 1, first = data[0] < left ? data[0] : left;
    FUZZ_MUST(send(ends[1], p, first, MSG_NOSIGNAL) == (ssize_t)first);
    int rc = 1;
    while (rc == 1 && (rc = ss_wire_take(&wire, 0, &frame)) == 1) read_frame(&frame);
    if (rc == 0) {
        FUZZ_MUST(send(ends[1], p + first, left - first, MSG_NOSIGNAL) == (ssize_t)(left - first));
        close(ends[1]);
        ends[1] = -1;
        while ((rc = ss_wire_take(&wire, 0, &frame)) == 1) read_frame(&frame);
        FUZZ_MUST(rc == -1); /* the other end is gone */
    }
    if (ends[1] >= 0) close(ends[1]);
    ss_wire_finish(&wire);
    return 0;
}
