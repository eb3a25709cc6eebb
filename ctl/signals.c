/* SPDX-License-Identifier: MIT */
/* Handlers are set without SA_RESTART, so poll, read and nanosleep return. A signal that comes just
 * before one of them sleeps is seen at the end of that sleep: nothing here sleeps longer than a
 * second at a time. */
#include "ctl/signals.h"

#include <signal.h>
#include <stdlib.h>
#include <time.h>

#include "common/clock.h"

static volatile sig_atomic_t count;

static void on_signal(int sig)
{
    (void)sig;
    if (++count > 5)
        _Exit(130);
}

void signals_init(void)
{
    struct sigaction act = {.sa_handler = on_signal};
    sigaction(SIGINT, &act, NULL);
    sigaction(SIGTERM, &act, NULL);
    sigaction(SIGHUP, &act, NULL);
    act.sa_handler = SIG_DFL;
    sigaction(SIGPIPE, &act, NULL);
}

int signals_interrupted(void)
{
    return count;
}

bool signals_sleep_ns(int64_t ns)
{
    struct timespec span = {.tv_sec = ns / NS_PER_S, .tv_nsec = ns % NS_PER_S};
    if (!count)
        nanosleep(&span, NULL);
    return count;
}
