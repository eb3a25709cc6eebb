/* SPDX-License-Identifier: MIT */
/* Last words: a fatal signal names the lease whose step the dying thread was in. */
#ifndef WORKER_BLAME_H
#define WORKER_BLAME_H

#include "common/stats.h"

/* To be called once, on the loop's thread; the block must stay mapped. */
void blame_init(struct stats_block *stats);

#endif
