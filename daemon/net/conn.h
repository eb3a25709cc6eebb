/* SPDX-License-Identifier: MIT */
/* One TCP connection, with or without TLS: the narrow waist between fetches and the network.
 * Whoever holds it sets `ready`; it is called when what was wanted (reading, from conn_open on also
 * the connect's end) has come.
 *
 *      conn_open ▸ ready: conn_connected ▸ conn_write, conn_read ... ▸ conn_close
 *                                  └▸ conn_secure ▸ conn_shake ... ▸┘
 *
 * The watcher stays registered for reading over the whole life; writing is tried first and waited
 * for only when the kernel takes no more. */
#ifndef NET_CONN_H
#define NET_CONN_H

#include <ev.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/list.h"
#include "daemon/net/addr.h"
#include "daemon/net/tls.h"

struct conn {
    ev_io io;
    struct tls_conn *tls; /* owned; NULL: plain */
    struct list link;     /* of the pool: its idle or its lingering ones */
    struct list bucket;   /* of the pool: idle ones by origin */
    void *owner;          /* borrowed: the fetch on it, or the pool */
    void (*ready)(struct conn *c);
    uint64_t origin;  /* fingerprint of scheme, host and port */
    int64_t since_ns; /* idle or lingering since */
    uint32_t host;    /* the supervisor's number of the host */
    uint16_t port;
    bool limited;     /* the supervisor counts this host's connections */
    bool reused;      /* carried a whole exchange before */
    uint8_t kind;     /* enum pool_kind, while idle */
    bool woken;       /* the watcher saw something not yet looked at */
    bool peer_closed; /* the peer's end was seen */
    struct addr peer;
};

/* Begins to connect c (zeroed but for origin, host, port, limited, owner and ready) to a; source
 * may be NULL. 0 or -errno with nothing open. */
int conn_open(struct conn *c, struct ev_loop *loop, const struct addr *a,
              const struct addr *source);

/* How the connect ended: 0, -EINPROGRESS (not yet) or another -errno. From then on readable is
 * waited for. */
int conn_connected(struct conn *c, struct ev_loop *loop);

/* From now on everything goes through TLS, the handshake first. 0 or -EINVAL. */
int conn_secure(struct conn *c, struct tls *t, const struct tls_peer *peer);

/* tls_shake(); `ready` is called for what it wants. */
enum tls_verdict conn_shake(struct conn *c, struct ev_loop *loop, int64_t until_ns);

/* Bytes read, 0 at the peer's end, -EAGAIN or another -errno; with TLS also TLS_CUT and TLS_BROKEN.
 * One read per wake-up of the watcher: without one it is -EAGAIN at once. */
ssize_t conn_read(struct conn *c, void *p, size_t n);

/* There is something to be read that no wake-up will tell of. */
static inline bool conn_pending(const struct conn *c)
{
    return c->tls && tls_pending(c->tls);
}

/* Nothing has come that nobody asked for: another exchange may follow. */
bool conn_quiet(struct conn *c);

/* Bytes written, -EAGAIN or another -errno. After -EAGAIN the same bytes must come again. */
ssize_t conn_write(struct conn *c, const void *p, size_t n);

/* Waits for writable (true) or, as usual, readable. */
void conn_want_write(struct conn *c, struct ev_loop *loop, bool write);

/* Stops and starts to wait. */
void conn_pause(struct conn *c, struct ev_loop *loop);
void conn_resume(struct conn *c, struct ev_loop *loop);

/* Has the peer's kernel acknowledged all that was written? */
bool conn_acknowledged(const struct conn *c);

/* Says our end; the peer's may still come. */
void conn_shutdown(struct conn *c);

void conn_close(struct conn *c, struct ev_loop *loop);

#endif
