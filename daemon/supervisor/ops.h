/* SPDX-License-Identifier: MIT */
/* The operations: one function each, in ops_*.c. */
#ifndef SUPERVISOR_OPS_H
#define SUPERVISOR_OPS_H

#include "daemon/supervisor/control.h"

#define OP(name, level, when, handler, arguments) void handler(struct request *r);
#define LATER(name)
#include "daemon/supervisor/ops.def"
#undef OP
#undef LATER

/* Checks op, level, time and arguments, then runs it or refuses. */
void ops_run(struct request *r, const char *op);

/* Jobs that wait for their words; see draft.c. */
void drafts_client_gone(struct supervisor *s, const struct client *c);
void drafts_done(struct supervisor *s);

/* False: refused, as the job is not OPEN. */
bool op_must_be_open(struct request *r);

/* The job as jobs and show give it; a new reference. */
json_t *op_job_json(const struct job *j, bool full);

#endif
