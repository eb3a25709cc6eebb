/* SPDX-License-Identifier: MIT */
/* A name is asked for once however many wait for it:
 *
 *      QUEUED ──(fewer than asked_max under way)──▶ ASKED ──dns_known()──▶ KNOWN
 *
 * Known names that nobody uses stand in `unused` in the order of their last use; beyond
 * DNS_NAMES_MAX the ones at its head are freed. A name past its time is forgotten: taken out of its
 * bucket so that the next lookup makes a new one, and freed by its last user. */
#include "daemon/net/dns.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <xxhash.h>

#include "common/xalloc.h"
#include "daemon/net/dns_ask.h"

#define TICK_S          0.1
#define HOSTS_LINES_MAX 10000

enum { QUEUED, ASKED, KNOWN };

/* ---- names ---- */

static struct dns_name *name_new(struct dns *d, const char *host, size_t n, uint64_t hash)
{
    struct dns_name *name = xcalloc(1, sizeof *name + n + 1);
    memcpy(name->name, host, n);
    name->len = (uint8_t)n;
    name->hash = hash;
    name->dns = d;
    list_init(&name->link);
    list_init(&name->waiters);
    list_add_head(&d->bucket[hash % DNS_BUCKETS], &name->bucket);
    return name;
}

static void name_free(struct dns_name *name)
{
    list_del(&name->bucket);
    list_del(&name->link);
    dns_ask_free(name);
    free(name->addr);
    free(name);
}

/* Known names alone. */
static void name_forget(struct dns_name *name)
{
    if (!list_empty(&name->link))
        name->dns->unused_count--;
    list_del(&name->link);
    list_del(&name->bucket);
    if (!name->users)
        name_free(name);
}

void dns_name_hold(struct dns_name *name)
{
    if (name->state == KNOWN && !list_empty(&name->link)) {
        list_del(&name->link);
        name->dns->unused_count--;
    }
    name->users++;
}

void dns_name_drop(struct dns_name *name)
{
    struct dns *d = name->dns;
    if (--name->users || name->state != KNOWN || name->expires_ns == INT64_MAX)
        return;
    if (list_empty(&name->bucket)) {
        name_free(name);
        return;
    }
    list_add_tail(&d->unused, &name->link);
    d->unused_count++;
    while (d->unused_count > DNS_NAMES_MAX)
        name_forget(list_of(d->unused.next, struct dns_name, link));
}

static struct dns_name *name_find(struct dns *d, const char *host, size_t n, uint64_t hash)
{
    list_each(it, &d->bucket[hash % DNS_BUCKETS])
    {
        struct dns_name *name = list_of(it, struct dns_name, bucket);
        if (name->hash == hash && name->len == n && !memcmp(name->name, host, n))
            return name;
    }
    return NULL;
}

static void wake_waiters(struct dns_name *name)
{
    dns_name_hold(name);
    while (!list_empty(&name->waiters)) {
        struct dns_wait *w = list_of(name->waiters.next, struct dns_wait, link);
        list_del(&w->link);
        w->done(w);
    }
    dns_name_drop(name);
}

static void dns_pump(struct dns *d);

void dns_known(struct dns_name *name, enum reason reason, int64_t lifetime_ns)
{
    struct dns *d = name->dns;
    name->reason = (uint8_t)reason;
    name->state = KNOWN;
    name->expires_ns = d->resolver.clock_ns() + lifetime_ns;
    wake_waiters(name);
    dns_pump(d);
}

/* ---- questions ---- */

static void tell_asked(struct dns_name *name)
{
    list_each(it, &name->waiters)
    {
        struct dns_wait *w = list_of(it, struct dns_wait, link);
        if (w->asked)
            w->asked(w);
    }
}

/* An answer may come while its question is asked, so this must not call itself. */
static void dns_pump(struct dns *d)
{
    if (d->pumping)
        return;
    d->pumping = true;
    while (d->asked_count < d->asked_max && d->resolver.ask_count < RESOLVER_ASKS_MAX &&
           !list_empty(&d->queue)) {
        struct dns_name *name = list_of(d->queue.next, struct dns_name, link);
        name->state = ASKED;
        ++*d->queries;
        tell_asked(name);
        dns_ask(d, name);
    }
    if (dns_ask_busy(d) && !ev_is_active(&d->tick))
        ev_timer_again(d->loop, &d->tick);
    d->pumping = false;
}

static void on_tick(struct ev_loop *loop, ev_timer *t, int revents)
{
    struct dns *d = list_of(t, struct dns, tick);
    dns_ask_tick(d);
    dns_pump(d);
    if (!dns_ask_busy(d))
        ev_timer_stop(loop, t);
}

/* ---- names that need no question ---- */

static bool ends_with(const char *s, size_t n, const char *end)
{
    size_t m = strlen(end);
    return n >= m && !strncasecmp(s + n - m, end, m);
}

/* RFC 6761, section 6.3. */
static bool is_localhost(const char *host, size_t n)
{
    return (n == 9 && ends_with(host, n, "localhost")) || ends_with(host, n, ".localhost");
}

/* A name that needs no question is known for ever; it stands in no list but its bucket. */
static void name_settle(struct dns_name *name, const struct addr *addr, uint8_t count)
{
    size_t all = (name->count + count) * sizeof *addr;
    if (name->count + count > DNS_ADDRS_MAX)
        return;
    name->addr = xrealloc(name->addr, all);
    memcpy(name->addr + name->count, addr, count * sizeof *addr);
    name->count = (uint8_t)(name->count + count);
    name->state = KNOWN;
    name->settled = true;
    name->expires_ns = INT64_MAX;
}

/* hosts(5). */
static void hosts_line(struct dns *d, char *line)
{
    struct addr a;
    line[strcspn(line, "#\r\n")] = '\0';
    char *rest, *word = strtok_r(line, " \t", &rest);
    if (!word || addr_parse(word, &a) || addr_is_unspecified(&a))
        return;
    while ((word = strtok_r(NULL, " \t", &rest))) {
        size_t n = strlen(word);
        for (size_t i = 0; i < n; i++)
            if (word[i] >= 'A' && word[i] <= 'Z')
                word[i] = (char)(word[i] + 32);
        if (n > DNS_NAME_BYTES || is_localhost(word, n))
            continue;
        uint64_t hash = XXH3_64bits_withSeed(word, n, d->seed);
        struct dns_name *name = name_find(d, word, n, hash);
        name_settle(name ? name : name_new(d, word, n, hash), &a, 1);
    }
}

static void hosts_load(struct dns *d, const char *path)
{
    char line[1024];
    FILE *f = fopen(path, "re");
    for (int i = 0; f && i < HOSTS_LINES_MAX && fgets(line, sizeof line, f); i++)
        hosts_line(d, line);
    if (f)
        fclose(f);
}

/* ---- lookups ---- */

static void name_begin(struct dns *d, struct dns_name *name)
{
    static const struct addr loopback[2] = {{.family = 4, .ip = {127, 0, 0, 1}},
                                            {.family = 6, .ip = {[15] = 1}}};
    if (is_localhost(name->name, name->len)) {
        name_settle(name, loopback, 2);
        name->expires_ns = d->resolver.clock_ns() + DNS_TTL_MAX_NS;
    } else if (!name->len || name->len > DNS_NAME_BYTES) {
        dns_known(name, REASON_DNS_NOT_FOUND, DNS_TTL_NEGATIVE_NS);
    } else {
        list_add_tail(&d->queue, &name->link);
        dns_pump(d);
    }
}

/* Held for the caller. */
static struct dns_name *name_get(struct dns *d, const char *host, size_t n)
{
    uint64_t hash = XXH3_64bits_withSeed(host, n, d->seed);
    struct dns_name *name = name_find(d, host, n, hash);
    if (name && name->state == KNOWN && name->expires_ns <= d->resolver.clock_ns()) {
        name_forget(name);
        name = NULL;
    }
    if (name) {
        *d->cached += name->state == KNOWN;
        dns_name_hold(name);
        return name;
    }
    name = name_new(d, host, n, hash);
    dns_name_hold(name);
    name_begin(d, name);
    return name;
}

bool dns_lookup(struct dns *d, const char *host, size_t n, struct dns_wait *w)
{
    n -= n && host[n - 1] == '.';
    struct dns_name *name = name_get(d, host, n > DNS_NAME_BYTES ? DNS_NAME_BYTES + 1 : n);
    w->name = name;
    list_init(&w->link);
    if (name->state != KNOWN)
        list_add_tail(&name->waiters, &w->link);
    return name->state == KNOWN;
}

bool dns_is_answered(const struct dns_wait *w)
{
    return w->name->state == KNOWN;
}

bool dns_is_asked(const struct dns_wait *w)
{
    return w->name->state != QUEUED;
}

void dns_release(struct dns *d, struct dns_wait *w)
{
    struct dns_name *name = w->name;
    if (!name)
        return;
    w->name = NULL;
    list_del(&w->link);
    dns_name_drop(name);
}

/* ---- the whole ---- */

int dns_init(struct dns *d, struct ev_loop *loop, const char *servers, uint64_t *queries,
             uint64_t *cached)
{
    *d = (struct dns){.loop = loop, .queries = queries, .cached = cached};
    d->asked_max = DNS_ASKED_BEGIN;
    for (int i = 0; i < DNS_BUCKETS; i++)
        list_init(&d->bucket[i]);
    list_init(&d->queue);
    list_init(&d->asked);
    list_init(&d->half);
    list_init(&d->unused);
    ev_timer_init(&d->tick, on_tick, TICK_S, TICK_S);
    if (getrandom(&d->seed, sizeof d->seed, 0) != sizeof d->seed)
        return -EIO;
    if (!servers)
        hosts_load(d, "/etc/hosts");
    return resolver_init(&d->resolver, loop, servers);
}

void dns_done(struct dns *d)
{
    resolver_done(&d->resolver);
    ev_timer_stop(d->loop, &d->tick);
    for (int i = 0; i < DNS_BUCKETS; i++)
        while (!list_empty(&d->bucket[i]))
            name_free(list_of(d->bucket[i].next, struct dns_name, bucket));
}
