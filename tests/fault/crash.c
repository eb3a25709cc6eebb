/* SPDX-License-Identifier: MIT */
/* crash [SCHEDULES [FIRST_SEED]] | crash every [SEED]: the ledger under kills, power cuts, full
 * disks and failed syncs. The first form runs random schedules; the second one schedule, with each
 * fault at each of its changing file-system calls. Ends with 1 at the first broken promise. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fault/world.h"

static uint64_t total_calls, total_recoveries;

static void finish(struct world *w)
{
    world_settle(w);
    total_calls += simfs_control.calls;
    total_recoveries += w->recoveries;
    world_free(w);
}

static void schedule(uint64_t seed)
{
    struct world *w = world_new(seed);
    for (uint32_t rounds = 1 + rnd(&w->rnd, 5); rounds; rounds--) {
        if (rnd(&w->rnd, 3) == 0)
            simfs_control.fail_at = simfs_control.calls + 1 + rnd(&w->rnd, 60);
        simfs_control.die_at = simfs_control.calls + 1 + rnd(&w->rnd, 150);
        for (int i = 0; i < 900 && !simfs_control.dead; i++)
            world_event(w);
        world_crash(w, rnd(&w->rnd, 2));
        world_recover(w);
    }
    finish(w);
}

enum fault { KILL, POWER, FAILURE, NONE };

static uint64_t schedule_with(uint64_t seed, enum fault fault, uint64_t at)
{
    struct world *w = world_new(seed);
    uint64_t begin = simfs_control.calls;
    *(fault == FAILURE ? &simfs_control.fail_at : &simfs_control.die_at) = at ? begin + at : 0;
    for (int i = 0; i < 500 && !simfs_control.dead; i++)
        world_event(w);
    uint64_t calls = simfs_control.calls - begin;
    if (simfs_control.dead) {
        world_crash(w, fault == POWER);
        world_recover(w);
    }
    finish(w);
    return calls;
}

static void every_call(uint64_t seed)
{
    uint64_t calls = schedule_with(seed, NONE, 0);
    for (uint64_t at = 1; at <= calls; at++)
        for (enum fault f = KILL; f < NONE; f++)
            schedule_with(seed, f, at);
    printf("every: seed %llu, each of %llu calls killed, powered off and failed\n",
           (unsigned long long)seed, (unsigned long long)calls);
}

int main(int argc, char **argv)
{
    fs_use(&simfs);
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc > 1 && !strcmp(argv[1], "every")) {
        every_call(argc > 2 ? strtoull(argv[2], NULL, 10) : 1);
    } else {
        uint64_t n = argc > 1 ? strtoull(argv[1], NULL, 10) : 300;
        uint64_t first = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
        for (uint64_t seed = first; seed < first + n; seed++)
            schedule(seed);
        printf("random: seeds %llu..%llu\n", (unsigned long long)first,
               (unsigned long long)(first + n - 1));
    }
    printf("%llu calls, %llu recoveries, 0 violations\n", (unsigned long long)total_calls,
           (unsigned long long)total_recoveries);
    return 0;
}
