/* SPDX-License-Identifier: MIT */
/* What a worker keeps of a job: its specification and what follows from it. */
#ifndef FETCH_JOB_H
#define FETCH_JOB_H

#include <stdbool.h>
#include <stdint.h>

#include "common/list.h"
#include "common/spec.h"
#include "daemon/net/request.h"

/* One for each time a row of the route may name; INT64_MAX when there is no limit. */
struct job_limits {
    int64_t dns_ns, connect_ns, tls_ns, first_byte_ns, idle_ns, total_ns, none_ns;
    int64_t rate_ns; /* of an answer, rate_bytes must come in each span of so long */
    uint64_t rate_bytes;
};

struct job {
    struct list link; /* by number */
    uint32_t number;
    uint32_t lease_count;
    bool gone; /* no lease will come any more: freed with its last one */
    struct job_spec spec;
    struct job_limits limits;
    struct request request;       /* all but target, host and credentials; borrows from spec */
    struct request_field *fields; /* owned; those any origin may see come first */
    size_t public_count;          /* of fields: those */
};

#define JOBS_BUCKETS 64

struct jobs {
    struct list bucket[JOBS_BUCKETS];
};

void jobs_init(struct jobs *jobs);
void jobs_done(struct jobs *jobs);

/* NULL if there is none. */
struct job *jobs_find(struct jobs *jobs, uint32_t number);

/* text: the specification as JSON. 0 or -EINVAL. */
int jobs_add(struct jobs *jobs, uint32_t number, const char *text, size_t len,
             const char *user_agent, struct job **ret_job);
void job_free(struct job *j);

#endif
