/* SPDX-License-Identifier: MIT */
/* How long the loop is away from its events: the time of each turn, from waking up to going to
 * sleep again, goes into the stats block. */
#ifndef WORKER_LAG_H
#define WORKER_LAG_H

#include <ev.h>
#include <stdint.h>

#include "common/stats.h"

#define LAG_SLOW_NS (20 * INT64_C(1000000))

struct lag {
    ev_check woken;
    ev_prepare asleep;
    uint64_t *value; /* borrowed: of the stats block */
    int64_t woken_ns;
};

void lag_start(struct lag *l, struct ev_loop *loop, struct stats_block *stats);
void lag_stop(struct lag *l, struct ev_loop *loop);

#endif
