/* wire.c - frames over a stream socket, with limits on every wait: the other process may be stopped, stuck or dead. */
#include "wire.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

typedef struct head { uint32_t magic, kind; uint64_t n; } head;
#define FRAME_MAGIC 0x46575353u
#define MAX_FRAME ((uint64_t)1 << 33)

void ss_wire_init(ss_wire *w, int fd)
{
    *w = (ss_wire){.fd = fd};
    int flags = fcntl(fd, F_GETFL);
    if (flags >= 0) fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

void ss_wire_finish(ss_wire *w)
{
    if (w->fd >= 0) close(w->fd);
    ss_free(w->bytes);
    *w = (ss_wire){.fd = -1};
}

static int wait_ready(int fd, short events, double wait_s)
{
    struct pollfd p = {.fd = fd, .events = events};
    int rc = poll(&p, 1, wait_s > 0 ? (int)(wait_s * 1000 + 0.999) : 0);
    return rc < 0 ? (errno == EINTR ? 0 : -1) : rc;
}

static int send_all(int fd, const unsigned char *p, size_t n, double until_s)
{
    while (n > 0) {
        ssize_t k = send(fd, p, n, MSG_NOSIGNAL);
        if (k > 0) {
            p += k;
            n -= (size_t)k;
            continue;
        }
        if (k < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) return -1;
        double left_s = until_s - ss_clock_s();
        if (left_s <= 0 || wait_ready(fd, POLLOUT, left_s) < 0) return -1;
    }
    return 0;
}

int ss_wire_send(ss_wire *w, ss_frame_kind kind, const void *first, size_t n_first, const void *body, size_t n_body,
                 double limit_s)
{
    const head h = {FRAME_MAGIC, (uint32_t)kind, n_first + n_body};
    double until_s = ss_clock_s() + limit_s;
    if (w->fd < 0 || send_all(w->fd, (const unsigned char *)&h, sizeof h, until_s)) return -1;
    if (n_first && send_all(w->fd, first, n_first, until_s)) return -1;
    return n_body && send_all(w->fd, body, n_body, until_s) ? -1 : 0;
}

/* Is a whole frame there? 1 and *frame, 0, or -1: nonsense. */
static int next_frame(ss_wire *w, ss_frame *frame)
{
    head h;
    if (w->n - w->taken < sizeof h) return 0;
    memcpy(&h, w->bytes + w->taken, sizeof h);
    if (h.magic != FRAME_MAGIC || h.kind == 0 || h.kind >= SS_N_FRAME || h.n > MAX_FRAME) return -1;
    if (w->n - w->taken - sizeof h < h.n) return 0;
    *frame = (ss_frame){h.kind, w->bytes + w->taken + sizeof h, (size_t)h.n};
    w->taken += sizeof h + (size_t)h.n;
    return 1;
}

/* Reads what has come: 1, 0: nothing, -1: the end, or no memory. */
static int read_more(ss_wire *w)
{
    enum { STEP = 1 << 16 };
    if (w->taken > 0) {
        memmove(w->bytes, w->bytes + w->taken, w->n - w->taken);
        w->n -= w->taken;
        w->taken = 0;
    }
    if (w->capacity - w->n < STEP) {
        size_t capacity = 2 * w->capacity + STEP;
        unsigned char *bytes = ss_realloc(w->bytes, w->capacity, capacity, 1);
        if (!bytes) return -1;
        w->bytes = bytes;
        w->capacity = capacity;
    }
    ssize_t k = recv(w->fd, w->bytes + w->n, w->capacity - w->n, 0);
    if (k > 0) w->n += (size_t)k;
    if (k < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) return 0;
    return k > 0 ? 1 : -1;
}

int ss_wire_take(ss_wire *w, double wait_s, ss_frame *frame)
{
    double until_s = ss_clock_s() + wait_s;
    if (w->fd < 0) return -1;
    for (;;) {
        int rc = next_frame(w, frame);
        if (rc) return rc;
        rc = read_more(w);
        if (rc < 0) return -1;
        if (rc > 0) continue;
        double left_s = until_s - ss_clock_s();
        if (left_s <= 0) return 0;
        rc = wait_ready(w->fd, POLLIN, left_s);
        if (rc <= 0) return rc;
    }
}
