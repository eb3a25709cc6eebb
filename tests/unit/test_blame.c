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

static void raise_in_thread(int number)
{
    pthread_t thread;
    pthread_create(&thread, NULL, die_in_thread, &number);
    pthread_join(thread, NULL);
}

/* By whom the signal is sent. */
enum sender { LOOP_THREAD, STORE_THREAD, OUTSIDE };

/* A process whose cells name these leases dies of the signal; its block then. */
static struct stats_block *die(int number, enum sender sender, uint64_t loop, uint64_t store)
{
    struct stats_block *stats =
        mmap(NULL, sizeof *stats, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int status, ready[2];
    char byte;
    ck_assert_int_eq(pipe(ready), 0);
    pid_t pid = fork();
    if (!pid) {
        setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
        blame_init(stats);
        stats->blame[THREAD_LOOP] = loop;
        stats->blame[THREAD_STORE] = store;
        if (sender == LOOP_THREAD)
            raise(number);
        else if (sender == STORE_THREAD)
            raise_in_thread(number);
        close(ready[1]);
        pause();
        _exit(0);
    }
    close(ready[1]);
    if (sender == OUTSIDE) {
        ck_assert_int_eq(read(ready[0], &byte, 1), 0);
        kill(pid, number);
    }
    close(ready[0]);
    waitpid(pid, &status, 0);
    ck_assert(WIFSIGNALED(status));
    ck_assert_int_eq(WTERMSIG(status), number);
    return stats;
}

START_TEST(the_thread_that_dies_names_its_lease)
{
    static const int fatal[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT};
    for (size_t i = 0; i < sizeof fatal / sizeof *fatal; i++) {
        ck_assert_uint_eq(die(fatal[i], LOOP_THREAD, 11, 22)->guilty, 11);
        ck_assert_uint_eq(die(fatal[i], STORE_THREAD, 11, 22)->guilty, 22);
    }
}
END_TEST

START_TEST(a_thread_that_dies_between_steps_accuses_nobody)
{
    ck_assert_uint_eq(die(SIGSEGV, LOOP_THREAD, 0, 22)->guilty, STATS_NOBODY);
    ck_assert_uint_eq(die(SIGABRT, STORE_THREAD, 11, 0)->guilty, STATS_NOBODY);
}
END_TEST

START_TEST(a_signal_from_outside_accuses_nobody)
{
    ck_assert_uint_eq(die(SIGKILL, OUTSIDE, 11, 22)->guilty, 0);
    ck_assert_uint_eq(die(SIGSEGV, OUTSIDE, 11, 22)->guilty, STATS_NOBODY);
    ck_assert_uint_eq(die(SIGABRT, OUTSIDE, 11, 22)->guilty, STATS_NOBODY);
}
END_TEST

UNIT_TESTS("blame", the_thread_that_dies_names_its_lease,
           a_thread_that_dies_between_steps_accuses_nobody, a_signal_from_outside_accuses_nobody)
