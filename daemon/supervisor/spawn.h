/* SPDX-License-Identifier: MIT */
/* Making a worker process: a fresh exec of this program with the descriptors of heritage.h. */
#ifndef SUPERVISOR_SPAWN_H
#define SUPERVISOR_SPAWN_H

#include "daemon/supervisor/crew.h"

/* A stats block in a memfd that cannot shrink. Never fails: aborts like memory. */
struct stats_block *spawn_stats(int *ret_fd);

/* Sets pid, ipc and the log watcher's descriptor of the slot. 0 or -errno. */
int spawn_worker(struct worker *w, int lock_fd);

#endif
