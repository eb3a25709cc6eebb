/* SPDX-License-Identifier: MIT */
/* Host names to addresses: a cache in front of the name servers.
 *
 *      dns_lookup(d, host, n, &w)   true: w.name is answered
 *                                   false: w.done(&w) is called later, w.name is answered then
 *      w.name->reason, ->addr[0 .. count)
 *      dns_release(d, &w)           when the addresses are not needed any more; also cancels
 *
 * Several lookups of one name are one question. `localhost` and names under it are answered
 * without asking, and so are those of /etc/hosts when the system's resolver is used. */
#ifndef NET_DNS_H
#define NET_DNS_H

#include <ev.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/list.h"
#include "common/outcome.h"
#include "daemon/net/addr.h"
#include "daemon/net/resolver.h"

#define DNS_TTL_MIN_NS      (60 * INT64_C(1000000000))
#define DNS_TTL_MAX_NS      (6 * 3600 * INT64_C(1000000000))
#define DNS_TTL_NEGATIVE_NS (60 * INT64_C(1000000000))
#define DNS_NAME_BYTES      RESOLVER_NAME_BYTES
#define DNS_ADDRS_MAX       (2 * RESOLVER_ADDRS_MAX)
#define DNS_LATE_NS         (2 * INT64_C(1000000000)) /* then another server is asked, too */
#define DNS_GRACE_NS        (300 * INT64_C(1000000)) /* for the other family, when one is answered */
#define DNS_NAMES_MAX       16384                    /* kept in the cache beyond those in use */
#define DNS_ASKED_MIN       16 /* names that are asked for and not late; more wait */
#define DNS_ASKED_BEGIN     128
#define DNS_ASKED_MAX       1024
#define DNS_BUCKETS         8192

struct dns_name {
    struct list bucket;  /* by hash; not linked: forgotten, lives for its users */
    struct list link;    /* by state: to be asked; of dns' asked or half; unused */
    struct list waiters; /* struct dns_wait */
    struct dns *dns;     /* borrowed */
    struct addr *addr;   /* owned, count of them, IPv4 first */
    struct dns_ask *ask; /* owned; while it is asked for */
    int64_t expires_ns;
    uint64_t hash;
    uint32_t users; /* waits that hold it */
    uint8_t state;  /* place in dns.c */
    uint8_t reason; /* enum reason; REASON_NONE: there are addresses */
    uint8_t count;
    uint8_t first;  /* of addr: to be tried first, where one may be tried at a time */
    uint8_t misses; /* addresses in a row that took no connection then */
    uint8_t len;
    bool settled; /* localhost, or of hosts(5): no name server said it */
    char name[];  /* NUL-terminated */
};

/* One user of a name. Embedded, zeroed. */
struct dns_wait {
    struct list link;
    struct dns_name *name; /* counted; NULL before lookup and after release */
    void (*done)(struct dns_wait *w);
    void (*asked)(struct dns_wait *w); /* it had to wait for its turn, and has it; may be NULL */
};

struct dns {
    struct ev_loop *loop;
    struct resolver resolver;
    struct ev_timer tick; /* runs while questions are under way */
    struct list bucket[DNS_BUCKETS];
    struct list queue;  /* names waiting to be asked */
    struct list asked;  /* names that are asked for, by the time they are late */
    struct list half;   /* names that lack a family they can do without, by the time they do */
    struct list unused; /* answered names nobody uses, least recently used first */
    uint64_t seed;
    unsigned unused_count;
    unsigned asked_count;              /* names that are asked for and not late */
    unsigned asked_max;                /* grows with answers, shrinks when many are late */
    unsigned grown_count;              /* answers since it last grew */
    unsigned late_count, answer_count; /* lately */
    int64_t shrunk_ns;
    bool pumping;
    uint64_t *queries, *cached; /* borrowed counters */
};

/* servers: "host:port" each, separated by commas; NULL for the system's. 0 or -errno. */
int dns_init(struct dns *d, struct ev_loop *loop, const char *servers, uint64_t *queries,
             uint64_t *cached);
void dns_done(struct dns *d); /* no wait may be left */

bool dns_lookup(struct dns *d, const char *host, size_t n, struct dns_wait *w);
bool dns_is_answered(const struct dns_wait *w);

/* False: the question waits for its turn; w.asked(&w) tells when it goes out. */
bool dns_is_asked(const struct dns_wait *w);
void dns_release(struct dns *d, struct dns_wait *w);

#endif
