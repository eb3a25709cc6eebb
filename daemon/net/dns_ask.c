/* SPDX-License-Identifier: MIT */
/* A and AAAA are asked for at the same time. A name stands in dns' list
 *
 *      asked   till both are answered; every DNS_LATE_NS another server is asked, too
 *      half    when one is answered with addresses, or with "no such name": the other one, which
 *              bad name servers never answer, has only DNS_GRACE_NS more
 *
 * Only names that are not late count as under way. So those whose servers are silent hold up no
 * others, and resolvers that drop what they have no room for are asked less. */
#include "daemon/net/dns_ask.h"

#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/xalloc.h"

#define ASKING       (-1)
#define GROW_ANSWERS 16   /* per name more that may be under way */
#define LATE_SHARE   8    /* one of so many may be late */
#define LATELY       1024 /* names */

struct question {
    struct resolver_query query;
    struct dns_name *name; /* borrowed, owns us */
    int status;            /* enum resolver_status, or ASKING */
};

struct dns_ask {
    struct question question[2]; /* A, AAAA */
    int64_t due_ns;              /* of the list it is in */
    int ttl_s;                   /* the smallest so far */
    bool placed;                 /* counted in asked_count */
};

/* Asks fewer when more than a few are late, but not for every burst of them. */
static void dns_adapt(struct dns *d, bool late)
{
    int64_t now_ns = d->resolver.clock_ns();
    d->late_count += late;
    d->answer_count += !late;
    if (late && d->late_count * LATE_SHARE > d->answer_count &&
        now_ns - d->shrunk_ns > DNS_LATE_NS) {
        d->shrunk_ns = now_ns;
        d->asked_max = d->asked_max / 2 > DNS_ASKED_MIN ? d->asked_max / 2 : DNS_ASKED_MIN;
    } else if (!late && ++d->grown_count >= GROW_ANSWERS && d->asked_max < DNS_ASKED_MAX) {
        d->grown_count = 0;
        d->asked_max++;
    }
    if (d->late_count + d->answer_count >= LATELY) {
        d->late_count /= 2;
        d->answer_count /= 2;
    }
}

static void give_place(struct dns_name *name)
{
    if (name->ask->placed)
        name->dns->asked_count--;
    name->ask->placed = false;
}

static void enter(struct dns_name *name, struct list *list, int64_t wait_ns)
{
    list_del(&name->link);
    list_add_tail(list, &name->link);
    name->ask->due_ns = name->dns->resolver.clock_ns() + wait_ns;
}

/* ---- answers ---- */

/* Servers said what there is; not that they have a trouble. */
static bool is_about_the_name(int status)
{
    return status == RESOLVER_ADDRESSES || status == RESOLVER_NONE || status == RESOLVER_NO_NAME;
}

static bool has(const struct dns_ask *a, int status)
{
    return a->question[0].status == status || a->question[1].status == status;
}

static enum reason reason_of(const struct dns_ask *a)
{
    return has(a, RESOLVER_NO_NAME)   ? REASON_DNS_NOT_FOUND
           : has(a, RESOLVER_ERROR)   ? REASON_DNS_ERROR
           : has(a, RESOLVER_TIMEOUT) ? REASON_DNS_TIMEOUT
                                      : REASON_DNS_NOT_FOUND;
}

/* Addresses of one family are believed no longer than they must be when the other was not told. A
 * time to live above 2^31 is none (RFC 2181, section 8); c-ares gives it as negative. */
static int64_t lifetime_ns(const struct dns_name *name)
{
    const struct dns_ask *a = name->ask;
    int64_t ns = a->ttl_s * NS_PER_S;
    if (!name->count)
        return DNS_TTL_NEGATIVE_NS;
    if (ns < DNS_TTL_MIN_NS || !is_about_the_name(a->question[0].status) ||
        !is_about_the_name(a->question[1].status))
        return DNS_TTL_MIN_NS;
    return ns > DNS_TTL_MAX_NS ? DNS_TTL_MAX_NS : ns;
}

static void take_addrs(struct dns_name *name, int family, const struct resolver_answer *answer)
{
    unsigned n = answer->count, at = family == AF_INET ? 0 : name->count;
    struct addr *v = name->addr = xrealloc(name->addr, (name->count + n) * sizeof *v);
    memmove(v + at + n, v + at, (name->count - at) * sizeof *v);
    memcpy(v + at, answer->addr, n * sizeof *v);
    name->count = (uint8_t)(name->count + n);
    if (answer->ttl_s < name->ask->ttl_s)
        name->ask->ttl_s = answer->ttl_s;
}

void dns_ask_free(struct dns_name *name)
{
    if (!name->ask)
        return;
    for (int i = 0; i < 2; i++)
        resolver_drop(&name->dns->resolver, &name->ask->question[i].query);
    free(name->ask);
    name->ask = NULL;
}

static void ask_end(struct dns_name *name)
{
    enum reason reason = name->count ? REASON_NONE : reason_of(name->ask);
    int64_t ns = lifetime_ns(name);
    list_del(&name->link);
    give_place(name);
    dns_ask_free(name);
    dns_adapt(name->dns, false);
    dns_known(name, reason, ns);
}

static void on_done(struct resolver_query *query, const struct resolver_answer *answer)
{
    struct question *q = list_of(query, struct question, query);
    struct dns_name *name = q->name;
    struct dns_ask *a = name->ask;
    q->status = (int)answer->status;
    if (answer->count)
        take_addrs(name, query->family, answer);
    if (!has(a, ASKING)) {
        ask_end(name);
    } else if (name->count || has(a, RESOLVER_NO_NAME)) {
        give_place(name);
        enter(name, &name->dns->half, DNS_GRACE_NS);
    }
}

/* ---- questions ---- */

void dns_ask(struct dns *d, struct dns_name *name)
{
    static const int families[2] = {AF_INET, AF_INET6};
    struct dns_ask *a = name->ask = xcalloc(1, sizeof *a);
    a->ttl_s = INT32_MAX;
    a->placed = true;
    d->asked_count++;
    enter(name, &d->asked, DNS_LATE_NS);
    for (int i = 0; i < 2; i++) {
        struct question *q = &a->question[i];
        q->name = name;
        q->status = ASKING;
        q->query.name = name->name;
        q->query.family = families[i];
        q->query.done = on_done;
        list_init(&q->query.asks);
    }
    for (int i = 0; i < 2; i++)
        resolver_ask(&d->resolver, &a->question[i].query);
}

static void ask_late(struct dns *d, struct dns_name *name)
{
    if (name->ask->placed)
        dns_adapt(d, true);
    give_place(name);
    enter(name, &d->asked, DNS_LATE_NS);
    dns_name_hold(name);
    for (int i = 0; i < 2; i++)
        if (name->ask && name->ask->question[i].status == ASKING)
            resolver_more(&d->resolver, &name->ask->question[i].query);
    dns_name_drop(name);
}

static struct dns_name *first_due(struct dns *d, struct list *list)
{
    struct dns_name *name = list_of(list->next, struct dns_name, link);
    return !list_empty(list) && name->ask->due_ns <= d->resolver.clock_ns() ? name : NULL;
}

void dns_ask_tick(struct dns *d)
{
    struct dns_name *name;
    resolver_tick(&d->resolver);
    while ((name = first_due(d, &d->asked)))
        ask_late(d, name);
    while ((name = first_due(d, &d->half)))
        ask_end(name);
}

bool dns_ask_busy(const struct dns *d)
{
    return d->resolver.ask_count || !list_empty(&d->asked) || !list_empty(&d->half);
}
