/* SPDX-License-Identifier: MIT */
/* Hosts: their queues, their clocks, and the one answer to "may we ask this host now?".
 *
 * A host is a host name; all ports and schemes share its clock. Each job that has URLs for it has
 * a hostq there. The strictest delay and the fewest connections of the jobs with a hostq there
 * count.
 *
 *      hosts ── host ──┬── hostq (job A) ── URLs of redirects, then FIFO of entries
 *                      └── hostq (job B) ── ...
 *
 * A host stands in at most one place: the ready list, the heap of those that wait for a time, its
 * source's list of stalled ones, its worker's list, its address's list, or nowhere (it is woken by
 * an event: a lease that ends, a connection that closes, an address that arrives).
 *
 * host_next() answers and moves nothing; hosts_pick() moves. */
#ifndef FRONTIER_HOST_H
#define FRONTIER_HOST_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/clock.h"
#include "common/list.h"
#include "common/slab.h"
#include "daemon/frontier/queue.h"

/* No packet is under way for longer: grant protocol 6, 7. */
#define HOST_LINGER_NS NS_PER_S

#define HOST_NAME_MAX_BYTES 255

struct pace {
    int64_t delay_ns;
    uint32_t connections, per_address; /* 0 = no limit */
};

/* The part of a job that hosts know. Embedded in the job. */
struct source {
    struct pace pace;
    bool open;             /* may be leased from now */
    struct list stalled;   /* hosts found ready while it was not open */
    struct list queues;    /* all its hostqs */
    uint64_t queued_count; /* entries in all of them */
};

/* An entry of a queue: a seq, and what is remembered of it between leases. */
#define ENTRY_SEQ_BITS    48
#define ENTRY_SEQ(e)      ((e) & ((UINT64_C(1) << ENTRY_SEQ_BITS) - 1))
#define ENTRY_ATTEMPTS(e) ((unsigned)((e) >> 48) & 0xff) /* made so far */
#define ENTRY_CHARGES(e)  ((unsigned)((e) >> 56) & 0xf)  /* worker deaths it is blamed for */
#define ENTRY(seq, attempts, charges)                                                              \
    ((seq) | (uint64_t)(attempts) << 48 | (uint64_t)(charges) << 56)

/* A URL that is not read from the journal: the target of a redirect. */
struct hop {
    struct list link;
    uint64_t entry;
    char **chain;   /* owned; URLs from the first to the one to ask now */
    unsigned count; /* of chain, >= 1 */
};

struct hostq {
    struct hostq *next;    /* of the same host */
    struct host *host;     /* borrowed */
    struct source *source; /* borrowed */
    struct list link;      /* in source->queues */
    struct list hops;      /* struct hop, asked first */
    struct queue entries;
};

/* All hosts of one address, where a job limits connections to it. */
struct host_group {
    struct host_group *next; /* in the table */
    uint8_t address[16];     /* IPv4 as ::ffff:a.b.c.d */
    uint32_t connections;    /* open, idle ones too */
    int64_t hold_ns;         /* no new one before: those of a dead worker may be under way */
    struct list waiting;     /* hosts that want one more */
    struct list members;
};

enum host_place {
    HOST_NOWHERE,
    HOST_READY,
    HOST_TIMED,
    HOST_STALLED,
    HOST_AT_WORKER,
    HOST_AT_GROUP
};

struct host {
    struct host *next;        /* in the table */
    struct list link;         /* in the list `place` says */
    struct hostq *queues;     /* owned */
    struct host_group *group; /* NULL until the address is known */
    struct list member;       /* in group->members */
    int64_t last_ns;          /* the last fetch: its end, or its SENT */
    int64_t due_ns;           /* when TIMED */
    uint32_t heap_index;      /* when TIMED, from 1 */
    uint32_t id;
    uint32_t free_act;          /* leases under way without limits */
    uint16_t act, unsent;       /* leases under way; of them not yet SENT */
    uint16_t connections, idle; /* counted ones; of them idle */
    int16_t worker;             /* slot it is bound to, -1 none */
    uint8_t place;              /* enum host_place */
    bool known, asked;          /* its address; RESOLVE is under way */
    bool alive;                 /* has been reached */
    bool was_free;              /* leases without limits may have left idle connections */
    uint8_t name_len;
    char name[]; /* lower case, not NUL-terminated */
};

enum host_verdict {
    HOST_NOW,     /* grant it */
    HOST_AT,      /* not before *ret_at_ns */
    HOST_EMPTY,   /* no URL waits */
    HOST_CLOSED,  /* only jobs that may not lease have URLs: *ret_queue is one of theirs */
    HOST_BUSY,    /* a lease under way must end first */
    HOST_FULL,    /* its connections are used up */
    HOST_ADDRESS, /* its address's connections are used up */
    HOST_RESOLVE, /* its address must be asked for first */
    HOST_UNBIND,  /* was without limits: idle connections must be dropped first */
};

struct hosts {
    struct host **table; /* by name */
    struct host **by_id;
    struct host_group **groups;
    uint32_t table_size, count, by_id_size, groups_size, groups_count;
    struct host **heap; /* by due_ns */
    uint32_t heap_count, heap_size;
    struct list ready;
    struct slab queue_slab, hop_slab;
    int64_t start_ns; /* every host counts as fetched LINGER after it */
};

void hosts_init(struct hosts *h, int64_t now_ns);
void hosts_done(struct hosts *h);

/* Finds or makes the host. `address`: 16 bytes if the name is an IP literal, else NULL. */
struct host *hosts_get(struct hosts *h, const char *name, size_t len, const uint8_t *address);

/* NULL if there is none. */
struct host *hosts_find(const struct hosts *h, const char *name, size_t len);
struct host *hosts_by_id(const struct hosts *h, uint32_t id);

/* The job's queue at the host, made if need be. */
struct hostq *host_queue(struct hosts *h, struct host *host, struct source *source);

/* A URL waits here; wakes the host. */
void hosts_push(struct hosts *h, struct hostq *q, uint64_t entry);
void hosts_push_front(struct hosts *h, struct hostq *q, uint64_t entry);
void hosts_push_hop(struct hosts *h, struct hostq *q, struct hop *take_hop);

/* Something about the host has changed: look at it again. */
void hosts_wake(struct hosts *h, struct host *host);

/* Moves those whose time has come to the ready list; when the next comes (INT64_MAX: none). */
int64_t hosts_tick(struct hosts *h, int64_t now_ns);

/* Now, at T, or why not. For HOST_NOW and HOST_CLOSED *ret_queue is the queue it is about. */
enum host_verdict host_next(const struct host *host, int64_t now_ns, int64_t *ret_at_ns,
                            struct hostq **ret_queue);

/* The pace that counts for the host now. */
struct pace host_pace(const struct host *host);
bool pace_free(const struct pace *p);

/* Takes the first host of the ready list that needs something of the caller; the others met on the
 * way go where they have to wait. NULL: none. *ret_what says what is needed:
 *   HOST_NOW      a grant for the head of *ret_queue
 *   HOST_RESOLVE  its address
 *   HOST_UNBIND   all workers must drop their connections to it
 *   HOST_ADDRESS  its worker must drop its idle connections: another host of the address waits
 * The host is in no list then, but for HOST_ADDRESS, where it stays where it is. */
struct host *hosts_pick(struct hosts *h, int64_t now_ns, struct hostq **ret_queue,
                        enum host_verdict *ret_what);

/* Takes the next URL: a hop (owned by the caller) or an entry. */
struct hop *hostq_take(struct hostq *q, uint64_t *ret_entry);
bool hostq_empty(const struct hostq *q);

/* Puts the host at the end of a list of its worker's or its source's. */
void host_park(struct hosts *h, struct host *host, struct list *list, enum host_place place);

/* Wakes all hosts of such a list. */
void hosts_wake_all(struct hosts *h, struct list *list);

/* The address is known now. */
void host_address(struct hosts *h, struct host *host, const uint8_t address[16]);

/* Grants: how the request may travel (enum grant of ipc.h as a number). The counters are moved. */
int host_grant(struct host *host);

/* The request was acknowledged. */
void host_sent(struct hosts *h, struct host *host, int64_t now_ns);

/* What is over with a lease. */
struct host_end {
    int grant;      /* as host_grant() said */
    bool told_sent; /* host_sent() was called for it */
    bool unsent;    /* nothing left the worker: the turn is given back */
    bool kept;      /* its connection stays, idle */
    bool reached;   /* the host answered */
};

/* True: others wait for the address, the connection must be dropped. */
bool host_end(struct hosts *h, struct host *host, const struct host_end *end, int64_t now_ns);

void host_idle_gone(struct hosts *h, struct host *host);
void host_conn_closed(struct hosts *h, struct host *host);

/* Its worker is dead and reaped: `act` of its leases end, its connections count LINGER longer. */
void host_worker_died(struct hosts *h, struct host *host, int64_t now_ns);

/* Forgets the job: its queues are emptied and freed. Calls are bounded: at most `most` queues;
 * true when none is left. */
bool hosts_forget(struct hosts *h, struct source *s, size_t most);

void hop_free(struct hosts *h, struct hop *hop);

#endif
