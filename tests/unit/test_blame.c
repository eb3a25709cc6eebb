/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/worker/blame.h"
#include "common/heritage.h"
#include "tests/unit/unit.h"

static void *die_in_thread(void *arg)
{
    raise(*(int *)arg);
    return NULL;
}

static struct stats_block *die(int number, bool in_store_thread)
{
    struct stats_block *stats =
        mmap(NULL, sizeof *stats, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int status;
    pid_t pid = fork();
    if (!pid) {
        pthread_t thread;
        setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
        blame_init(stats);
        stats->blame[THREAD_LOOP] = 11;
        stats->blame[THREAD_STORE] = 22;
        if (!in_store_thread)
            raise(number);
        pthread_create(&thread, NULL, die_in_thread, &number);
        pthread_join(thread, NULL);
        _exit(0);
    }
    waitpid(pid, &status, 0);
    ck_assert(WIFSIGNALED(status));
    ck_assert_int_eq(WTERMSIG(status), number);
    return stats;
}

START_TEST(the_thread_that_dies_names_its_lease)
{
    static const int fatal[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT};
    for (size_t i = 0; i < sizeof fatal / sizeof *fatal; i++) {
        ck_assert_uint_eq(die(fatal[i], false)->guilty, 11);
        ck_assert_uint_eq(die(fatal[i], true)->guilty, 22);
    }
}
END_TEST

START_TEST(a_signal_from_outside_accuses_nobody)
{
    ck_assert_uint_eq(die(SIGKILL, false)->guilty, 0);
}
END_TEST

UNIT_TESTS("blame", the_thread_that_dies_names_its_lease, a_signal_from_outside_accuses_nobody)
