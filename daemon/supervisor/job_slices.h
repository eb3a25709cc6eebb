/* SPDX-License-Identifier: MIT */
/* What a job does in slices: making URLs, ending queued ones by a rule, next attempts, opening
 * again after the disk failed. */
#ifndef SUPERVISOR_JOB_SLICES_H
#define SUPERVISOR_JOB_SLICES_H

#include "daemon/supervisor/job.h"

void job_slices_init(struct job *j);

/* The timer runs at the next turn, or after wait_ns. An earlier time wins. */
void job_slices_run(struct job *j);
void job_slices_later(struct job *j, int64_t wait_ns);

/* From now on every queued URL ends with this rule. */
void job_exclude(struct job *j, enum reason reason);

/* Are there URLs the generator has not made yet? */
bool job_generating(const struct job *j);

/* Queues what the cursor had passed and was still open. */
void job_generator_recover(struct job *j);

/* The row of a URL that was never leased. Not counted as waiting. */
void job_row_excluded(struct job *j, uint64_t seq, const char *url, size_t len, enum reason reason,
                      const char *detail);

#endif
