/* SPDX-License-Identifier: MIT */
/* Questions to name servers: c-ares on the worker's loop, channels of its own for each server.
 *
 *      resolver_ask(r, &q)     q.done(&q, &answer) is called once, perhaps before this returns
 *      resolver_more(r, &q)    the answer takes long: whom else can be asked?
 *      resolver_drop(r, &q)    it is not wanted any more, done is not called
 *
 * A name is asked as it is: no search list, no aliases, no file. */
#ifndef NET_RESOLVER_H
#define NET_RESOLVER_H

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/list.h"
#include "daemon/net/addr.h"

#define RESOLVER_NAME_BYTES  253
#define RESOLVER_SERVERS_MAX 64
#define RESOLVER_ADDRS_MAX   8     /* of an answer; more are not looked at */
#define RESOLVER_ASKS_MAX    16384 /* under way, those nobody waits for included */
#define RESOLVER_SHUN_NS     (30 * INT64_C(1000000000))

struct resolver_server;

enum resolver_status {
    RESOLVER_ADDRESSES, /* there are */
    RESOLVER_NONE,      /* the name has none of this family */
    RESOLVER_NO_NAME,   /* there is no such name */
    RESOLVER_ERROR,     /* the servers have a trouble, of the name or not */
    RESOLVER_TIMEOUT,
};

struct resolver_answer {
    enum resolver_status status;
    unsigned count; /* of addr */
    int ttl_s;      /* the smallest of the records and their aliases */
    struct addr addr[RESOLVER_ADDRS_MAX];
};

/* The addresses of one family of a name. Embedded; name and family are set by the asker. */
struct resolver_query {
    const char *name; /* borrowed; at most RESOLVER_NAME_BYTES, without a last dot */
    int family;       /* AF_INET or AF_INET6 */
    void (*done)(struct resolver_query *q, const struct resolver_answer *answer);
    struct list asks; /* under way, to one server each */
    uint64_t asked;   /* servers asked in this round, as bits */
    unsigned rounds;
    bool refused; /* a server said that it has a trouble */
    bool is_lost; /* no question could be sent */
    int64_t begin_ns;
};

struct resolver {
    struct ev_loop *loop;
    struct resolver_server *server[RESOLVER_SERVERS_MAX]; /* owned, in the order to be asked */
    unsigned server_count;
    unsigned ask_count; /* under way */
    int64_t (*clock_ns)(void);
};

/* servers: "host:port" each, separated by commas; NULL for those of /etc/resolv.conf, or 127.0.0.1
 * where it names none. 0 or -errno; resolver_done() is due in any case. */
int resolver_init(struct resolver *r, struct ev_loop *loop, const char *servers);
void resolver_done(struct resolver *r); /* forgets its queries, done is not called */

void resolver_ask(struct resolver *r, struct resolver_query *q);

/* To be called again and again while the answer takes long. Asks the next server, too; when there
 * is none, what others said of the name is the answer. */
void resolver_more(struct resolver *r, struct resolver_query *q);

void resolver_drop(struct resolver *r, struct resolver_query *q);

/* Repeats what was lost. To be called every 100 ms or so while ask_count is not 0. */
void resolver_tick(struct resolver *r);

#endif
