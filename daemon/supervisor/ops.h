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

/* The request is going away; what was begun for it goes on without. */
void submission_forget_request(struct submission *m);
void paging_forget_request(struct paging *p);
void verify_forget_request(struct verify *v);

/* Runs `crawld` with these words, NULL at the end, as a process of its own; then() gets what it printed
 * as JSON, borrowed, unless the request went away or was refused meanwhile. */
void helper_run(struct request *r, char *const *argv,
                void (*then)(struct request *r, json_t *result));

/* Ends the processes that verify. */
void verifies_done(struct supervisor *s);

/* Jobs that wait for their words; see draft.c. */
void drafts_client_gone(struct supervisor *s, const struct client *c);
void drafts_done(struct supervisor *s);

/* False: refused, as the job is not OPEN. */
bool op_must_be_open(struct request *r);

/* The job as jobs and show give it; a new reference. */
json_t *op_job_json(const struct job *j, bool full);

#endif
