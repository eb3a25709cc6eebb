/* SPDX-License-Identifier: MIT */
/* How much memory the daemon may take, and how it is shared out. */
#ifndef SUPERVISOR_MEMORY_H
#define SUPERVISOR_MEMORY_H

#include <stdbool.h>
#include <stdint.h>

struct memory_plan {
    const char *from;          /* "memory_limit", "cgroup" or "machine" */
    uint64_t limit_bytes;      /* of all processes */
    uint64_t supervisor_bytes; /* frontier and seen sets */
    uint64_t worker_bytes;     /* what the fetches of one worker may hold */
    int workers;
};

/* The least limit of this process's memory cgroups (v1 and v2), from its own up to the root; 0 if
 * there is none. root: prefix of /proc and /sys, "" but in tests. */
uint64_t memory_cgroup_bytes(const char *root);

/* limit_bytes: of the configuration, 0 to find out; workers: 0 for one per core, fewer where
 * memory is short. */
struct memory_plan memory_plan(uint64_t limit_bytes, int workers);

#endif
