/* SPDX-License-Identifier: MIT */
/* Waiting until jobs are somewhere, with progress on stderr. */
#ifndef CTL_WAIT_H
#define CTL_WAIT_H

#include <jansson.h>
#include <stdint.h>

#include "ctl/client.h"

enum wait_for { WAIT_DONE, WAIT_IDLE, WAIT_PAUSED };

/* jobs: names. timeout_ns: 0 = for ever. interval_ms: longest pause between two looks. 0, or the
 * exit code of a complaint: EXIT_FAILED if a job can no longer get there, EXIT_TIMEOUT. */
int wait_jobs(struct client *client, int count, char *const *jobs, enum wait_for what,
              int64_t timeout_ns, int interval_ms);

/* Where a job (the result of job.show) stands: 1 there, 0 not yet, -1 never. */
int wait_verdict(const json_t *job, enum wait_for what);

#endif
