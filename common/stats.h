/* SPDX-License-Identifier: MIT */
/* The block of memory through which a worker is watched: counters, states, blame. It is a memfd
 * made by the supervisor, has one writer, outlives a crash and decides nothing but blame. */
#ifndef COMMON_STATS_H
#define COMMON_STATS_H

#include <stdint.h>

enum stat_id {
#define STAT(symbol, ...) STAT_##symbol,
#include "common/stats.def"
#undef STAT
    STAT_COUNT
};

enum stat_kind { STAT_COUNTER, STAT_GAUGE, STAT_MOST };

#define STATS_STATES_MAX 16 /* rows of the fetch route */
#define STATS_NAME_BYTES 16 /* with its NUL */
#define STATS_NOBODY     UINT64_MAX

struct stats_block {
    uint64_t value[STAT_COUNT];
    uint64_t in_state[STATS_STATES_MAX]; /* fetches in each row of the route */
    char state_name[STATS_STATES_MAX]
                   [STATS_NAME_BYTES]; /* "resolve"; written once; empty: no row */
    uint64_t blame[2];                 /* lease each thread steps, 0 between steps */
    uint64_t guilty; /* set by the fatal-signal handler: a lease, or STATS_NOBODY; else 0 */
};

/* Name and kind of a counter; `id` must be in range. */
const char *stat_name(enum stat_id id);
enum stat_kind stat_kind(enum stat_id id);

#endif
