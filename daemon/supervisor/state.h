/* SPDX-License-Identifier: MIT */
/* The state directory: its lock, and the jobs found in it at the start. */
#ifndef SUPERVISOR_STATE_H
#define SUPERVISOR_STATE_H

#include "daemon/supervisor/supervisor.h"

/* Makes the directory if need be and locks it for this process and all that inherit the descriptor:
 * the descriptor; -EBUSY if another daemon (or one of its workers) holds it, then *ret_pid is the
 * daemon's; else -errno. */
int state_lock(const char *dir, pid_t *ret_pid);

/* Reads every jobs/NAME/job.json on the disk thread, then makes the jobs and opens those that are
 * not closed; at the end calls `then` on the loop. 0 files is no error. */
void state_load(struct supervisor *s, void (*then)(struct supervisor *s));

/* What stands behind the name of a directory that is no job any more; no job has such a name. */
#define STATE_KEPT    ".KEPT-"
#define STATE_DELETED ".DELETED-"

/* Deletes a directory with all that is in it. On the disk thread. */
void state_remove(const char *dir);

/* `state_dir/jobs/NAME`; the caller frees. */
char *state_job_dir(const struct supervisor *s, const char *name);

#endif
