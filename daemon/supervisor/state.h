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

/* `state_dir/jobs/NAME`; the caller frees. */
char *state_job_dir(const struct supervisor *s, const char *name);

#endif
