/* SPDX-License-Identifier: MIT */
/* Who may hold how much. Half of a worker's memory is the leases': FETCH_FREE_BYTES for the answer
 * of each. Of the other half larger bodies borrow. */
#ifndef FETCH_MEMORY_H
#define FETCH_MEMORY_H

#include "daemon/fetch/machine.h"

/* How many leases that much memory is enough for; at least 1. */
unsigned memory_slots(uint64_t memory_max);

/* What may wait for the store thread, bytes. */
uint64_t memory_store_max(const struct machine *m);

/* The answer's buffer has grown or was freed. */
void answer_charge(struct machine *m, struct answer *a);

/* Lets go on who waits for memory and now may; tells the supervisor when no lease is wanted, and
 * when some are again. */
void memory_turn(struct machine *m);

/* Once a second: the figures for whoever reads the stats block. */
void memory_beat(struct machine *m);

#endif
