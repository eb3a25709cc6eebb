/* SPDX-License-Identifier: MIT */
/* The handler runs in the thread that failed, on a stack of its own where that thread has one. It
 * stores that thread's cell as guilty and lets the signal kill the process as it would have. */
#include "daemon/worker/blame.h"

#include <signal.h>
#include <unistd.h>

#include "common/heritage.h"

#define STACK_BYTES 65536

static struct {
    struct stats_block *stats;
    pid_t loop_thread;
    _Alignas(64) char stack[STACK_BYTES];
} blame;

static void on_fatal(int number)
{
    int thread = gettid() == blame.loop_thread ? THREAD_LOOP : THREAD_STORE;
    blame.stats->guilty = blame.stats->blame[thread];
    raise(number);
}

void blame_init(struct stats_block *stats)
{
    static const int fatal[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGSYS};
    blame.stats = stats;
    blame.loop_thread = gettid();
    sigaltstack(&(stack_t){.ss_sp = blame.stack, .ss_size = sizeof blame.stack}, NULL);
    struct sigaction a = {.sa_handler = on_fatal,
                          .sa_flags = (int)(SA_ONSTACK | SA_RESETHAND | SA_NODEFER)};
    for (size_t i = 0; i < sizeof fatal / sizeof *fatal; i++)
        sigaction(fatal[i], &a, NULL);
}
