/* SPDX-License-Identifier: MIT */
/* Free space: below disk_reserve all jobs are held, above it they go on by themselves. */
#ifndef SUPERVISOR_DISK_GUARD_H
#define SUPERVISOR_DISK_GUARD_H

struct supervisor;

/* Once a second; asks the disk thread every fifth time. */
void disk_guard_tick(struct supervisor *s);

/* After the disk thread has ended. */
void disk_guard_done(struct supervisor *s);

#endif
