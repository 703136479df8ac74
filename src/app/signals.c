/* signals.c - SIGINT, SIGTERM, SIGHUP (a lost terminal) and SIGUSR1 set one flag; whoever works looks at it between two steps.
 * The handler of SIGINT serves once: a second Ctrl-C ends the program at once, which the journal survives. That nobody reads
 * what is written is an error of that write; a pipe that is full and stays so does not keep the program from ending. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "app.h"

static volatile sig_atomic_t came;

static int nowhere = -1;          /* /dev/null */

/* A write that waits there is begun again after the signal, and then ends. */
static void let_go(int stream)
{
    enum { PATIENCE_MS = 1000 };
    struct pollfd p = {.fd = stream, .events = POLLOUT};
    if (nowhere >= 0 && poll(&p, 1, PATIENCE_MS) == 0) dup2(nowhere, stream);
}

static void note(int signal_number)
{
    int before = errno;
    (void)signal_number;
    came = 1;
    let_go(STDOUT_FILENO);
    let_go(STDERR_FILENO);
    errno = before;
}

void ss_signals_catch(void)
{
    static const int caught[] = {SIGINT, SIGTERM, SIGHUP, SIGUSR1};
    if (nowhere < 0) nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    for (size_t i = 0; i < sizeof caught / sizeof *caught; i++) {
        struct sigaction action;
        if (caught[i] == SIGHUP && sigaction(SIGHUP, NULL, &action) == 0 && action.sa_handler == SIG_IGN) continue; /* nohup */
        memset(&action, 0, sizeof action);
        action.sa_handler = note;
        action.sa_flags = SA_RESTART;
        if (caught[i] == SIGINT) action.sa_flags |= (int)SA_RESETHAND;
        sigemptyset(&action.sa_mask);
        sigaction(caught[i], &action, NULL);
    }
}

void ss_signals_endure(void)
{
    signal(SIGPIPE, SIG_IGN);
}

bool ss_signal_came(void)
{
    return came != 0;
}
