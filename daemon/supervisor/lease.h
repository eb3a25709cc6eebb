/* SPDX-License-Identifier: MIT */
/* Leases: the right of a worker to fetch one URL once. From the hosts' queues to a worker and back.
 *
 *    hosts_pick ─▶ begin ─▶ READING (text from the journal) ─▶ OUT (at the worker)
 *                                                                │ DONE    row put
 *                                                                │ AGAIN   head of the target's host
 *                                                                │ RETRY   waits, then its host's queue
 *                                                                └ BACK, NOCONN, WFAIL, death: back at once
 *
 * A lease ends only by the worker's word or by its reaped death. */
#ifndef SUPERVISOR_LEASE_H
#define SUPERVISOR_LEASE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/ipc.h"
#include "common/list.h"
#include "daemon/frontier/ledger.h"

struct supervisor;
struct worker;
struct job;

enum lease_state {
    LEASE_READING, /* its text is being read */
    LEASE_OUT,     /* at the worker */
    LEASE_LOST,    /* READING, and its worker died or its job failed meanwhile */
};

struct lease {
    uint64_t id;
    uint64_t entry;         /* of the hosts' queues */
    struct list at_worker;  /* in worker->leases */
    struct list of_job;     /* in job->leases */
    struct list reading;    /* in job->reading */
    struct job *job;        /* borrowed */
    struct host *host;      /* borrowed */
    struct hostq *queue;    /* borrowed; where it came from */
    struct worker *worker;  /* borrowed; NULL: no worker (an exclusion) */
    struct hop *hop;        /* owned; NULL if it is asked for by its own URL */
    char *url;              /* owned; the URL given; NULL while READING or if hop */
    uint32_t url_len;
    uint8_t state;          /* enum lease_state */
    uint8_t grant;          /* enum grant */
    uint8_t exclude;        /* enum reason: it is to end with this rule; NONE: a fetch */
    bool told_sent;
    bool busy;              /* answered 429 or 503 */
    bool counts;            /* its row is a page */
    int64_t begun_ns;
};

struct leases {
    struct lease **table; /* by the low half of the id */
    uint32_t *generation; /* the high half */
    uint32_t *free;       /* indices free */
    uint32_t size, free_count;
};

void leases_done(struct leases *l);

/* Grants what may be granted now; at most about 5 ms. Returns when it should be called again
 * (mono ns; 0: at once; INT64_MAX: after news only). */
int64_t leases_pump(struct supervisor *s);

/* Ends up to `most` queued URLs of the job by job->exclude. True when none is left queued. */
bool leases_exclude(struct job *j, unsigned most);

/* Ends up to `most` URLs of hosts that were given up. True when there are no more. */
bool leases_give_up(struct job *j, unsigned most);

/* ops.read: texts for the first leases of job->reading. */
void leases_texts(struct job *j, const struct ledger_url *urls, size_t count);

/* NULL if it is no lease of this worker (any more), or its job has failed. */
struct lease *lease_find(struct supervisor *s, const struct worker *w, uint64_t id);

/* No attempt comes after this one: whatever the worker says is the result. */
bool lease_is_last(const struct lease *l);

/* The worker's word. `end` is checked by the caller for its lengths only. */
void lease_sent(struct lease *l);
void lease_done(struct lease *l, const struct ipc_end *end);
void lease_again(struct lease *l, const struct ipc_end *end);
void lease_retry(struct lease *l, const struct ipc_end *end);
void lease_busy(struct lease *l, unsigned status, uint32_t retry_after_s);
void lease_stopped(struct lease *l, const struct ipc_end *end);
void lease_noconn(struct lease *l, const struct ipc_end *end);
void lease_wfail(struct lease *l, const struct ipc_end *end);

/* After its death was reaped: all its leases go back; `guilty` (0 nobody) is charged. */
void leases_of_dead(struct worker *w, uint64_t guilty);

/* The job has failed: forgets up to `most` of its leases; nothing goes back, it will be read again
 * from disk. True when none is left. */
bool leases_forget(struct job *j, size_t most);

#endif
