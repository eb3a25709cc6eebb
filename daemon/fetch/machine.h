/* SPDX-License-Identifier: MIT */
/* The fetch machine of a worker: all its fetches, and what they share.
 *
 *      machine_init ▸ machine_job, machine_file, machine_lease ... ▸ machine_revoke ▸ machine_done
 *
 * What ends a lease is appended to `uplink`; the owner flushes it. */
#ifndef FETCH_MACHINE_H
#define FETCH_MACHINE_H

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/ipc.h"
#include "common/list.h"
#include "common/slab.h"
#include "common/stats.h"
#include "common/url.h"
#include "daemon/fetch/fetch.h"
#include "daemon/fetch/job.h"
#include "daemon/fetch/route.h"
#include "daemon/fetch/secure.h"
#include "daemon/fetch/wheel.h"
#include "daemon/net/dns.h"
#include "daemon/net/policy.h"
#include "daemon/net/pool.h"
#include "daemon/store/store.h"

#define MACHINE_READ_BYTES   (128 << 10) /* of a body per turn */
#define MACHINE_TAIL_BYTES   4096        /* of a row */
#define MACHINE_DECODE_BYTES (128 << 10) /* of bodies and text per turn */

/* What a machine is told once. Borrowed texts live as long as it does. */
struct machine_conf {
    int number; /* the worker's */
    const char *user_agent, *contact;
    const char *dns_servers; /* "host:port,…"; NULL: the system's */
    const char *ca_file;     /* NULL: the system's */
    struct addr source;      /* family 0: the system chooses */
    unsigned open_max;       /* connections */
    unsigned slots;          /* leases at once */
    uint64_t memory_max;     /* bytes fetches may hold: memory.h */
    int receive_bytes;       /* of a socket's receive buffer; 0: the system's */
};

/* A host whose BUSY the supervisor does not know yet. */
struct machine_stop {
    struct list link; /* of machine_host.stops */
    uint32_t host, busy_count;
};

#define MACHINE_HOSTS 2048

/* Hosts whose number has the same remainder. */
struct machine_host {
    struct list fetches, stops;
};

/* The one decoder: the first fetch of DECODE has it until its text is over. */
struct decode {
    struct text *text;            /* owned */
    struct body body;             /* of the fetch's answer, once more */
    struct body_span in, payload; /* of its response: not yet looked at; not yet decoded */
    bool last;                    /* no payload follows */
    size_t turn_bytes;            /* still free in this turn */
};

struct machine {
    struct ev_loop *loop;
    struct ipc *uplink;        /* borrowed */
    struct stats_block *stats; /* borrowed */
    struct store *store;       /* owned */
    struct machine_conf conf;
    struct policy policy; /* filled by the owner before the first lease */
    struct dns dns;
    struct pool pool;
    struct wheel wheel;
    struct decode decode;
    struct jobs jobs;
    struct secures secures;
    struct ev_idle hurry; /* runs while something can go on without an event */
    struct slab fetches, answers;
    struct list row[FETCH_STATE_COUNT]; /* the fetches in it */
    struct list full;                   /* of STORE: wait till the store's queue has room */
    struct list poor;                   /* of BODY: wait till there is memory */
    uint64_t memory_bytes;              /* charged to fetches: at most conf.memory_max */
    uint64_t beyond_bytes;              /* of these, what answers hold beyond FETCH_FREE_BYTES */
    bool shut;                          /* said that no lease is wanted now */
    unsigned lease_count;
    struct machine_host hosts[MACHINE_HOSTS];
    uint64_t seed;               /* of origins */
    struct url url, target;      /* scratch: a fetch's, a redirect's */
    struct buf request, tail;    /* scratch */
    struct head_fields fields;   /* scratch of head_parse */
    struct body_span rest;       /* of `in`, from HEAD to BODY; p NULL: none */
    char in[MACHINE_READ_BYTES]; /* what was just read */
};

/* 0 or -errno. */
int machine_init(struct machine *m, struct ev_loop *loop, struct ipc *uplink,
                 struct stats_block *stats, const struct machine_conf *conf);
void machine_done(struct machine *m);

/* text: the specification. 0 or -EINVAL. */
int machine_job(struct machine *m, uint32_t number, const char *text, size_t len);
void machine_job_gone(struct machine *m, uint32_t number);

/* Begins the fetch, or says at once how the lease ends. -EPROTO: no lease as it should be. */
int machine_lease(struct machine *m, const struct ipc_lease *lease);

/* take_fd: of the job's next file. */
void machine_file(struct machine *m, const struct ipc_file *file, int take_fd);

/* Drops the job's leases, records and files; REVOKED follows. */
void machine_revoke(struct machine *m, uint32_t number);

void machine_stops_init(struct machine *m);
void machine_stops_done(struct machine *m);

/* Sends nothing of what there is for the host. */
void machine_stop(struct machine *m, uint32_t host);

/* The supervisor knows of one BUSY of the host. */
void machine_heard(struct machine *m, uint32_t host);

/* Is nothing to be sent to the host? */
bool machine_stopped(const struct machine *m, uint32_t host);

/* The one driver: lets the fetch go on, with its lease in the blame cell. */
void machine_drive(struct fetch *f);

/* Lets go on what waits for memory, the store or the decoder. To be called once per turn of the
 * loop, before the uplink is flushed. */
void machine_turn(struct machine *m);

/* Memory that answers and connections with TLS take now. */
uint64_t machine_memory(const struct machine *m);

/* DECODE's, for the machine. A turn of the loop: true if it should not sleep behind it. */
void decode_init(struct machine *m);
bool decode_turn(struct machine *m);
void decode_done(struct machine *m);

/* To be called once a second. */
void machine_beat(struct machine *m);

#endif
