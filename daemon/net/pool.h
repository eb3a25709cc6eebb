/* SPDX-License-Identifier: MIT */
/* The connections of a worker: memory and count of all, the idle ones by origin, the lingering
 * ones of limited hosts.
 *
 *      pool_open ──▶ (a fetch) ──pool_keep──▶ idle ──pool_take──▶ (a fetch)
 *                        │                      │ peer's end, time, need of descriptors
 *                    pool_drop                  ▼ `idle_gone`
 *                        └──────▶ closed, or lingering first ──▶ `closed`
 *
 * A host is limited when the supervisor counts its connections; only for those `idle_gone` and
 * `closed` are told. A closed connection of such a host lingers: it ends when the peer's end was
 * seen or POOL_LINGER_NS passed.
 *
 * Idle connections are kept for POOL_IDLE_NS, as many as there are descriptors. But a lone one - of
 * a host without limits, after its first exchange, and the only idle one of its origin - is kept
 * for POOL_LONE_NS, and there are at most POOL_LONE_MAX: many names asked once hold no descriptors.
 * One with TLS holds 40 KiB and can be resumed cheaply: for POOL_SECURE_NS, at most
 * POOL_SECURE_MAX. */
#ifndef NET_POOL_H
#define NET_POOL_H

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/list.h"
#include "common/slab.h"
#include "daemon/net/conn.h"

#define POOL_IDLE_NS    (30 * INT64_C(1000000000))
#define POOL_LONE_NS    (2 * INT64_C(1000000000)) /* what comes next comes at once */
#define POOL_LONE_MAX   1024
#define POOL_SECURE_NS  (10 * INT64_C(1000000000))
#define POOL_SECURE_MAX 1024
#define POOL_LINGER_NS  INT64_C(1000000000)
#define POOL_BUCKETS    4096

struct pool_ops {
    void (*idle_gone)(void *owner, uint32_t host);
    void (*closed)(void *owner, uint32_t host);
};

/* What is idle, in the order in which it makes room for others. */
enum pool_kind { POOL_LONE, POOL_SECURE, POOL_PLAIN, POOL_KINDS };

struct pool {
    struct ev_loop *loop;
    const struct pool_ops *ops;
    void *owner;
    const struct addr *source; /* borrowed; NULL: the system chooses */
    struct slab conns;
    struct list bucket[POOL_BUCKETS];            /* idle ones by origin */
    struct list idle[POOL_KINDS];                /* longest idle first */
    struct list lingering;                       /* oldest first */
    unsigned idle_count, kind_count[POOL_KINDS]; /* of all; of each kind */
    unsigned open_count;                         /* descriptors held */
    unsigned open_max;                           /* as many may be */
    int receive_bytes;                           /* of a socket's receive buffer; 0: the system's */
};

void pool_init(struct pool *p, struct ev_loop *loop, const struct pool_ops *ops, void *owner);
void pool_done(struct pool *p); /* none may be with a fetch */

/* What a new connection is for. */
struct pool_origin {
    uint64_t origin;
    uint32_t host;
    uint16_t port;
    bool limited;
};

/* Begins a connection; closes the longest idle one when descriptors are short. 0, or -errno
 * (-EMFILE: none can be had now). */
int pool_open(struct pool *p, const struct pool_origin *o, const struct addr *a,
              struct conn **ret_conn);

/* An idle connection of that origin, the last used first, or NULL. */
struct conn *pool_take(struct pool *p, uint64_t origin);

/* The exchange is over and another may follow on it. */
void pool_keep(struct pool *p, struct conn *c, int64_t now_ns);

/* It was connected and will not be used again. */
void pool_drop(struct pool *p, struct conn *c, int64_t now_ns);

/* It never came to be: closed at once, nothing told. */
void pool_abort(struct pool *p, struct conn *c);

/* Closes the longest idle connection with TLS. False: there is none. */
bool pool_evict_secure(struct pool *p);

/* Closes all idle connections of that host. */
void pool_drop_idle(struct pool *p, uint32_t host, int64_t now_ns);

/* To be called once a second or so. */
void pool_sweep(struct pool *p, int64_t now_ns);

#endif
