/* SPDX-License-Identifier: MIT */
/* Blocks and the rest of the daemon: hosts.log, and workers that hold leases of a host that was
 * blocked. */
#ifndef SUPERVISOR_BLOCKS_H
#define SUPERVISOR_BLOCKS_H

#include "daemon/supervisor/job.h"

struct supervisor;
struct blocks;
struct host;
struct worker;

/* Reads hosts.log, then calls `then`; nothing may be granted before. */
void blocks_load(struct supervisor *s, void (*then)(struct supervisor *s));
void blocks_done(struct supervisor *s);

/* Of hosts.log. */
const char *blocks_path(const struct supervisor *s);

/* Once a turn of the loop: what changed goes to the disk. */
void blocks_flush(struct supervisor *s);

/* Tells w when all that changed so far is on disk, or could not be written; cancel by list_del().
 */
void blocks_wait(struct supervisor *s, struct job_wait *w);

/* All workers but this (NULL: all) give back what they have not sent to the host. */
void blocks_stop(struct supervisor *s, const struct host *host, const struct worker *but);

#endif
