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
 * A host stands in at most one place: the ready list, the heap of those that wait for a time (their
 * delay's, or their block's end), its worker's list, its address's list, or in none: then an event
 * wakes it (a lease that ends, a connection that closes, an address that arrives; when STALLED, a
 * source that opens).
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
#include "daemon/frontier/block.h"
#include "daemon/frontier/heap.h"
#include "daemon/frontier/queue.h"
#include "daemon/frontier/table.h"

/* No packet is under way for longer: grant protocol 6, 7. */
#define HOST_LINGER_NS NS_PER_S

#define HOST_NAME_MAX_BYTES 255

struct pace {
    int64_t delay_ns;
    uint32_t connections, per_address; /* 0 = no limit */
};

/* The part of a job that hosts know. Embedded in the job. */
struct source {
    struct pace pace;       /* set before the first URL, never changed */
    int64_t give_up_ns;     /* what a blocked host is waited for; 0 no limit; set like pace */
    int64_t begun_ns;       /* no URL has waited since before; set like pace */
    bool open;              /* may be leased from now; set by source_open() */
    struct list queues;     /* its hostqs, but for: */
    struct list asleep;     /* hostqs with URLs whose hosts stalled while it was not open */
    struct list awake;      /* in hosts->awake while those are to be looked at */
    struct list given_up;   /* hostqs of which all URLs are to end: host_unavailable */
    uint32_t blocked_count; /* of its hosts that are blocked */
    uint64_t queued_count;  /* entries in all of them */
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
    bool foreign;   /* the one to ask now has another origin than the first */
    bool as_get;    /* a redirect made it a GET */
    bool last;      /* it stopped the host: the others have their turn first */
};

struct hostq {
    struct hostq *next;    /* of the same host */
    struct host *host;     /* borrowed */
    struct source *source; /* borrowed */
    struct list link;      /* in source->queues, ->asleep or, if given_up, ->given_up */
    struct list hops;      /* struct hop, asked first */
    struct queue entries;
    uint32_t pages_count;  /* begun or ended here, for the job's limit of pages per host */
    uint32_t since_s : 31; /* monotonic: its first URL came; 0 not known: with the source */
    uint32_t given_up : 1;
};

/* All hosts of one address, where a job limits connections to it. While hosts wait for it, it is
 * in hosts->roomy, or held, or the first of them has found it full since anything changed. */
struct host_group {
    struct table_node node;
    uint8_t address[16];  /* IPv4 as ::ffff:a.b.c.d */
    uint32_t connections; /* open, idle ones too */
    int64_t held_ns;      /* no new one before: those of a dead worker may be under way; 0 no */
    struct list link;     /* in hosts->roomy or, when held, hosts->held */
    struct list waiting;  /* hosts that want one more, first come first served */
    struct list idle;     /* hosts that have idle ones */
};

enum host_place {
    HOST_NOWHERE,
    HOST_READY,
    HOST_TIMED,
    HOST_BLOCKED_TILL,
    HOST_STALLED,
    HOST_AT_WORKER,
    HOST_AT_GROUP,
};
#define HOST_PLACE_COUNT (HOST_AT_GROUP + 1)

struct host {
    struct table_node node;
    struct list link;         /* in the list `place` says */
    struct hostq *queues;     /* owned */
    struct host_group *group; /* NULL until the address is known */
    struct host_block *block; /* owned; NULL if it was not blocked lately */
    struct list member;       /* in group->idle while `idle` */
    int64_t last_ns;          /* the last SENT, or what counts like it */
    int64_t end_ns;           /* the end of the last exchange; counts with one connection */
    uint32_t heap_index;      /* in hosts->times, when TIMED or BLOCKED_TILL */
    uint32_t id;
    uint32_t free_act;          /* leases under way without limits */
    uint16_t act, unsent;       /* leases under way; of them not yet SENT */
    uint16_t connections, idle; /* counted ones; of them idle */
    int16_t worker;             /* slot it is bound to, -1 none */
    int16_t listed;             /* slot whose struct bound it was last added to, -1 none */
    uint8_t place;              /* enum host_place */
    bool known, asked;          /* its address; RESOLVE is under way */
    bool alive;                 /* has been reached, since it was blocked */
    bool was_free;              /* leases without limits may have left idle connections */
    uint8_t failures;           /* fetches in a row that found no answer; stays at 255 */
    uint8_t name_len;
    char name[]; /* lower case, not NUL-terminated */
};

/* The hosts that have anything under way at one worker, so that its death finds them. Those that
 * have nothing any more, or are another's, are swept out now and then. */
struct bound {
    uint32_t *ids; /* owned */
    uint32_t count, room;
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
    HOST_BLOCKED, /* not before *ret_at_ns: a block */
    HOST_GIVE_UP, /* blocked for too long: the URLs of *ret_queue end */
    HOST_UNBIND,  /* was without limits: idle connections must be dropped first */
};

struct hosts {
    struct table names, groups;
    struct host **by_id; /* owned, and the hosts too */
    uint32_t count, by_id_room;
    uint32_t in_place[HOST_PLACE_COUNT];       /* hosts in each place */
    uint32_t active_count;                     /* hosts with leases under way */
    uint32_t blocked_count[BLOCK_CAUSE_COUNT]; /* hosts blocked, by what blocks longest */
    struct heap times;                         /* hosts that wait for a time */
    struct heap block_times;                   /* blocks that change at a time */
    struct list changed;                       /* blocks that changed since the owner looked */
    uint64_t chance;                           /* for blocks of a length nobody asked for */
    struct list ready;                         /* hosts to be looked at */
    struct list roomy;                         /* groups whose waiting hosts are to be looked at */
    struct list held;                          /* groups by held_ns */
    struct list awake; /* sources whose sleeping hosts are to be looked at */
    struct slab queue_slab, hop_slab;
    int64_t start_ns; /* every host counts as fetched LINGER after it */
};

void hosts_init(struct hosts *h, int64_t now_ns);
void hosts_done(struct hosts *h);

void source_init(struct source *s, const struct pace *pace);

/* The source may be leased from, or may not. Cheap: of the hosts that stalled, no more are looked
 * at than are picked. */
void source_open(struct hosts *h, struct source *s, bool open);

/* One of its hostqs that have URLs, NULL if none has. */
struct hostq *source_busy(struct source *s);

/* Finds or makes the host. `address`: 16 bytes if the name is an IP literal, else NULL. */
struct host *hosts_get(struct hosts *h, const char *name, size_t len, const uint8_t *address);

/* NULL if there is none. */
struct host *hosts_find(const struct hosts *h, const char *name, size_t len);
struct host *hosts_by_id(const struct hosts *h, uint32_t id);

/* The job's queue at the host, made if need be. */
struct hostq *host_queue(struct hosts *h, struct host *host, struct source *source);

/* A URL that was not in a queue before: as hosts_push(), and it has not waited for a blocked host
 * yet.
 */
void hosts_push_new(struct hosts *h, struct hostq *q, uint64_t entry, int64_t now_ns);

/* A URL waits here; wakes the host if it had none that could be asked for. */
void hosts_push(struct hosts *h, struct hostq *q, uint64_t entry);
void hosts_push_front(struct hosts *h, struct hostq *q, uint64_t entry);
void hosts_push_hop(struct hosts *h, struct hostq *q, struct hop *take_hop);

/* Something about the host has changed: look at it again. */
void hosts_wake(struct hosts *h, struct host *host);

/* Moves those whose time has come to the ready list and ends blocks, about a thousand each at most;
 * when the next comes (INT64_MAX: none; in the past: call again). */
int64_t hosts_tick(struct hosts *h, int64_t now_ns);

/* Now, at T, or why not. For HOST_NOW, HOST_CLOSED and HOST_GIVE_UP *ret_queue is the queue it is
 * about. */
enum host_verdict host_next(const struct host *host, int64_t now_ns, int64_t *ret_at_ns,
                            struct hostq **ret_queue);

/* The pace that counts for the host now. */
struct pace host_pace(const struct host *host);
bool pace_free(const struct pace *p);

/* Takes the first host that needs something of the caller; the others met on the way go where they
 * have to wait. *ret_what says what is needed:
 *   HOST_NOW      a grant for the head of *ret_queue: hostq_take(), host_grant(), hosts_wake();
 *                 or host_park(), or hosts_wake() to have it picked again later
 *   HOST_RESOLVE  its address: set `asked`, host_address(); or host_park() or hosts_wake()
 *   HOST_GIVE_UP  the URLs of *ret_queue must be ended: hostq_give_up()
 *   HOST_UNBIND   all workers must drop their connections to it: host_unbound()
 *   HOST_ADDRESS  its worker must drop its idle connections: another host of the address waits
 * The host is in no list then, but for HOST_ADDRESS, where it stays where it is. NULL with
 * HOST_BUSY: not all were looked at, call again soon; NULL with HOST_EMPTY: nothing to do. */
struct host *hosts_pick(struct hosts *h, int64_t now_ns, struct hostq **ret_queue,
                        enum host_verdict *ret_what);

/* Takes the next URL: a hop (owned by the caller) or an entry. */
struct hop *hostq_take(struct hostq *q, uint64_t *ret_entry);
bool hostq_empty(const struct hostq *q);

/* Puts the host at the end of a list of its worker's: HOST_AT_WORKER. */
void host_park(struct hosts *h, struct host *host, struct list *list, enum host_place place);

/* Wakes the first `most` hosts of such a list. A woken host need not take a place at the worker, so
 * wake again while the worker has room and the list is not empty. */
void hosts_wake_some(struct hosts *h, struct list *list, size_t most);
void hosts_wake_all(struct hosts *h, struct list *list);

/* The address is known now. */
void host_address(struct hosts *h, struct host *host, const uint8_t address[16]);

/* The host's next request is this worker's; `bound` is that slot's. */
void host_bind(struct hosts *h, struct host *host, int slot, struct bound *bound);

/* The worker is dead and reaped: host_worker_died() for the hosts that have anything under way there. */
void bound_died(struct hosts *h, struct bound *bound, int slot, int64_t now_ns);
void bound_done(struct bound *bound);

/* Must the host's next request go to host->worker? False: any worker, which it is bound to then. */
bool host_bound(const struct host *host);

/* The queue's URLs are the caller's to end: source_given_up() has them. The host goes on without.
 */
void hostq_give_up(struct hosts *h, struct hostq *q);

/* A queue of the source that was given up and has URLs; NULL: none (any more). */
struct hostq *source_given_up(struct hosts *h, struct source *s);

/* Grants: how the request may travel (enum grant of ipc.h as a number). The counters are moved. */
int host_grant(struct hosts *h, struct host *host);

/* The grant never left the supervisor: as if it had not been given. */
void host_ungrant(struct hosts *h, struct host *host, int grant);

/* All workers were told to drop their connections to it (HOST_UNBIND). */
void host_unbound(struct hosts *h, struct host *host, int64_t now_ns);

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

/* Its worker is dead and reaped: all leases with limits end, its connections count LINGER longer.
 * Leases without limits end by host_end(). */
void host_worker_died(struct hosts *h, struct host *host, int64_t now_ns);

/* Forgets the job, of which no lease is under way: its queues are emptied and freed. Calls are
 * bounded: at most `most` queues; true when none is left. */
bool hosts_forget(struct hosts *h, struct source *s, size_t most);

void hop_free(struct hosts *h, struct hop *hop);

#endif
