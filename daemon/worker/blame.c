/* SPDX-License-Identifier: MIT */
/* The handler runs in the thread that failed, on a stack of its own where that thread has one. It
 * stores that thread's cell as guilty and lets the signal kill the process as it would have. A
 * thread that failed between two steps, and one that somebody else sent the signal to, accuse
 * nobody. */
#include "daemon/worker/blame.h"

#include <signal.h>
#include <stdbool.h>
#include <unistd.h>

#include "common/heritage.h"

#define STACK_BYTES 65536

static struct {
    struct stats_block *stats;
    pid_t loop_thread;
    _Alignas(64) char stack[STACK_BYTES];
} blame;

static void on_fatal(int number, siginfo_t *info, void *context)
{
    int thread = gettid() == blame.loop_thread ? THREAD_LOOP : THREAD_STORE;
    bool own_fault = info->si_code > 0 || info->si_pid == getpid();
    uint64_t lease = own_fault ? blame.stats->blame[thread] : 0;
    blame.stats->guilty = lease ? lease : STATS_NOBODY;
    raise(number);
}

void blame_init(struct stats_block *stats)
{
    static const int fatal[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGSYS};
    blame.stats = stats;
    blame.loop_thread = gettid();
    sigaltstack(&(stack_t){.ss_sp = blame.stack, .ss_size = sizeof blame.stack}, NULL);
    struct sigaction a = {.sa_sigaction = on_fatal,
                          .sa_flags = (int)(SA_SIGINFO | SA_ONSTACK | SA_RESETHAND | SA_NODEFER)};
    for (size_t i = 0; i < sizeof fatal / sizeof *fatal; i++)
        sigaction(fatal[i], &a, NULL);
}
