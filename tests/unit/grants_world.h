/* SPDX-License-Identifier: MIT */
/* The world of test_grants.c: time, the net, origins with their ledger, and workers. */
#ifndef TESTS_UNIT_GRANTS_WORLD_H
#define TESTS_UNIT_GRANTS_WORLD_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/ipc.h"
#include "common/xalloc.h"
#include "daemon/frontier/host.h"

enum {
    SITES = 300,
    WORKERS = 6,
    SLOTS = 24,
    SHARED = 8,
    URLS = 12,
    PER_ADDRESS = 4,
    IN_FLIGHT = 40
};
enum { POLITE, BRISK, STRICT, PROBE, FREE, JOBS };

#define S(x)       ((int64_t)((x)*1e9))
#define FAULTS_END S(25) /* from then on all goes well */

static const struct pace paces[JOBS] = {
    [POLITE] = {S(1), 1, PER_ADDRESS},
    [BRISK] = {S(.5), 3, PER_ADDRESS},
    [STRICT] = {S(2), 1, 0},
    [PROBE] = {0, 4, PER_ADDRESS},
    [FREE] = {0, 0, 0},
};

struct site {
    int64_t rtt_ns, answer_ns;
    double keep;      /* odds that its server keeps a connection */
    unsigned address; /* index */
    bool job[JOBS];   /* has URLs of it */
    bool reached;     /* and the supervisor knows */
    int64_t last_ns, end_ns;
    int connections, busy;
    int64_t stop_ns, stop_until_ns; /* a worker read 429; how long it is to wait */
    struct host_block saved;        /* what hosts.log has */
    bool is_saved;
};

struct worker {
    bool alive, draining;
    unsigned number; /* of its process */
    unsigned held;
    int64_t up_ns, down_ns; /* the last message each way: they keep their order */
    struct list waiting;
    struct bound bound;
    int open[SITES], idle[SITES], free_idle[SITES];
    int stops[SITES]; /* 429s read that the supervisor does not know of */
};

struct lease {
    struct lease *next; /* of all */
    unsigned site, slot, number, epoch, job;
    uint64_t entry;
    int grant;
    struct pace pace; /* when granted, by the ledger's own reckoning */
    bool reached, told, keep, ended;
    bool stopped;    /* its host is: it must not be sent */
    int64_t sent_ns; /* when it left the worker; 0 not yet */
    int64_t wait_ns; /* its answer is 429 and this Retry-After; 0 it is not */
};

/* Rules that can be left out, to see that this is found. */
enum rule {
    RULE_NONE,
    RULE_STOP_UNSENT, /* what was not sent when 429 is read goes back */
    RULE_STOP_LEASES, /* leases that cross the 429 go back */
    RULE_STOP_OTHERS, /* other workers are told */
    RULE_BLOCK,       /* the supervisor blocks the host */
    RULE_BLOCK_KEPT,  /* and knows it after a restart */
    RULE_COUNT
};

struct event {
    int64_t at_ns;
    uint64_t order;
    void (*what)(const struct event *e);
    struct lease *lease;
    unsigned site, slot, number, epoch;
};

static struct {
    uint64_t random;
    int64_t now;
    struct event *heap;
    size_t count, room;
    uint64_t order;
    unsigned epoch; /* of the supervisor */
    bool up;
    int64_t pump_ns;
    struct hosts hosts;
    struct source jobs[JOBS];
    unsigned held[JOBS];
    bool paused[JOBS], forgotten[JOBS];
    struct site sites[SITES];
    struct worker workers[WORKERS];
    int at_address[SITES + SHARED];
    struct lease *leases;
    bool done[JOBS][SITES][URLS];
    unsigned requests, pumps, deaths, blocks;
    enum rule without;
    char wrong[200]; /* the first violation */
} w;

/* ---- chance, time, events ---- */

static double chance(void)
{
    w.random ^= w.random << 13;
    w.random ^= w.random >> 7;
    w.random ^= w.random << 17;
    return (double)(w.random >> 11) / 9007199254740992.0;
}

static int64_t between(double from, double to)
{
    return S(from + (to - from) * chance());
}

static void wrong(const char *what, unsigned site, int64_t value)
{
    if (!w.wrong[0])
        snprintf(w.wrong, sizeof w.wrong, "%s: site %u at %.3f s (%lld)", what, site,
                 (double)w.now / 1e9, (long long)value);
}

static bool earlier(const struct event *a, const struct event *b)
{
    return a->at_ns != b->at_ns ? a->at_ns < b->at_ns : a->order < b->order;
}

static void at(int64_t at_ns, struct event e)
{
    if (w.count + 1 >= w.room)
        w.heap = xrealloc(w.heap, (w.room = w.room ? w.room * 2 : 4096) * sizeof *w.heap);
    e.at_ns = at_ns;
    e.order = w.order++;
    size_t i = ++w.count;
    for (; i > 1 && earlier(&e, &w.heap[i / 2]); i /= 2)
        w.heap[i] = w.heap[i / 2];
    w.heap[i] = e;
}

static struct event next_event(void)
{
    struct event first = w.heap[1], last = w.heap[w.count--];
    size_t i = 1;
    for (size_t child; (child = i * 2) <= w.count; i = child) {
        child += child < w.count && earlier(&w.heap[child + 1], &w.heap[child]);
        if (earlier(&last, &w.heap[child]))
            break;
        w.heap[i] = w.heap[child];
    }
    w.heap[i] = last;
    return first;
}

static void lease_at(int64_t at_ns, void (*what)(const struct event *e), struct lease *l)
{
    at(at_ns, (struct event){.what = what,
                             .lease = l,
                             .site = l->site,
                             .slot = l->slot,
                             .number = l->number,
                             .epoch = w.epoch});
}

static void site_at(int64_t at_ns, void (*what)(const struct event *e), unsigned site,
                    unsigned slot)
{
    at(at_ns, (struct event){.what = what,
                             .site = site,
                             .slot = slot,
                             .epoch = w.epoch,
                             .number = w.workers[slot].number});
}

/* One way over the net, shorter than LINGER: jitter, one packet in 50 is sent again. */
static int64_t way(unsigned site)
{
    int64_t again = chance() < .02 ? between(.2, .4) : 0;
    return w.now + w.sites[site].rtt_ns / 2 + between(0, .02) + again;
}

static int64_t in_order(int64_t *last_ns)
{
    int64_t t = w.now + between(.0001, .001);
    *last_ns = t > *last_ns ? t : *last_ns;
    return *last_ns;
}

static int64_t to_supervisor(unsigned slot)
{
    return in_order(&w.workers[slot].up_ns);
}

static int64_t to_worker(unsigned slot)
{
    return in_order(&w.workers[slot].down_ns);
}

static bool worker_lives(const struct event *e)
{
    return w.workers[e->slot].alive && w.workers[e->slot].number == e->number;
}

/* ---- the origins and their ledger ---- */

static struct pace pace_of(const struct site *site)
{
    struct pace p = {0};
    for (int j = 0; j < JOBS; j++) {
        if (!site->job[j])
            continue;
        if (paces[j].delay_ns > p.delay_ns)
            p.delay_ns = paces[j].delay_ns;
        if (paces[j].connections && (!p.connections || paces[j].connections < p.connections))
            p.connections = paces[j].connections;
        if (paces[j].per_address)
            p.per_address = paces[j].per_address;
    }
    return p;
}

/* What counted when it was granted, unless a job has gone since. */
static uint32_t most_connections(const struct pace *granted, const struct pace *now)
{
    return granted->connections && now->connections > granted->connections ? now->connections
           : now->connections                                              ? granted->connections
                                                                           : 0;
}

static void origin_opened(const struct event *e)
{
    struct site *site = &w.sites[e->site];
    const struct lease *l = e->lease;
    struct pace p = pace_of(site);
    int most = l->reached ? (int)most_connections(&l->pace, &p) : 1;
    site->connections++;
    w.at_address[site->address]++;
    if (l->grant == GRANT_FREE)
        return;
    if (most && site->connections > most)
        wrong("connections of a host", e->site, site->connections);
    if (l->pace.per_address && w.at_address[site->address] > PER_ADDRESS)
        wrong("connections of an address", e->site, w.at_address[site->address]);
}

static void origin_closed(const struct event *e)
{
    w.sites[e->site].connections--;
    w.at_address[w.sites[e->site].address]--;
}

static void origin_answered(const struct event *e)
{
    struct site *site = &w.sites[e->site];
    site->busy--;
    site->end_ns = w.now;
    if (!e->lease->keep && worker_lives(e)) {
        w.workers[e->slot].open[e->site]--;
        origin_closed(e);
    }
}

static void worker_acked(const struct event *e);
static void worker_answer(const struct event *e);

/* What counted when it was granted, unless a job has gone since. */
static void check_request(const struct lease *l, const struct site *site)
{
    struct pace p = pace_of(site);
    int64_t delay_ns = l->pace.delay_ns < p.delay_ns ? l->pace.delay_ns : p.delay_ns;
    if (delay_ns && w.now - site->last_ns < delay_ns)
        wrong("gap", l->site, w.now - site->last_ns);
    if (delay_ns && l->pace.connections == 1 && p.connections == 1 &&
        (site->busy || w.now - site->end_ns < delay_ns))
        wrong("end to start", l->site, w.now - site->end_ns);
}

/* Without limits other workers are told, which takes its time. */
static void check_stop(const struct lease *l, const struct site *site)
{
    int64_t from_ns = site->stop_ns + (l->grant == GRANT_FREE ? S(.01) : 0);
    if (l->sent_ns > from_ns && l->sent_ns < site->stop_until_ns)
        wrong("inside Retry-After", l->site, site->stop_until_ns - l->sent_ns);
}

static void origin_request(const struct event *e)
{
    struct site *site = &w.sites[e->site];
    struct lease *l = e->lease;
    int64_t answer_ns = w.now + (int64_t)((.5 + chance()) * (double)site->answer_ns);
    check_request(l, site);
    check_stop(l, site);
    if (w.now < FAULTS_END && chance() < .01)
        l->wait_ns = (int64_t)(2 + chance() * 5) * S(1);
    site->last_ns = w.now;
    site->busy++;
    w.requests++;
    l->keep = chance() < site->keep;
    lease_at(way(e->site), worker_acked, l);
    lease_at(answer_ns, origin_answered, l);
    lease_at(way(e->site) - w.now + answer_ns, worker_answer, l);
}

/* ---- workers ---- */

static bool has_room(const struct worker *me)
{
    return me->alive && !me->draining && me->held < SLOTS;
}

static unsigned roomiest(void)
{
    unsigned best = WORKERS;
    for (unsigned i = 0; i < WORKERS; i++)
        if (has_room(&w.workers[i]) &&
            (best == WORKERS || w.workers[i].held < w.workers[best].held))
            best = i;
    return best;
}

static void told_sent(const struct event *e);
static void told_end(const struct event *e);
static void told_unsent(const struct event *e);
static void told_unsent_kept(const struct event *e);
static void told_busy(const struct event *e);
static void told_back(const struct event *e);
static void told_failed(const struct event *e);
static void told_idle_gone(const struct event *e);
static void told_closed(const struct event *e);
static void told_address(const struct event *e);

/* It has a connection; if it must not be sent any more, that is closed. */
static void worker_send(const struct event *e)
{
    if (!worker_lives(e))
        return;
    if (e->lease->stopped) {
        w.workers[e->slot].open[e->site]--;
        site_at(way(e->site), origin_closed, e->site, e->slot);
        if (e->lease->grant != GRANT_FREE)
            site_at(w.now + HOST_LINGER_NS, told_closed, e->site, e->slot);
        lease_at(to_supervisor(e->slot), told_unsent, e->lease);
        return;
    }
    e->lease->sent_ns = w.now;
    lease_at(way(e->site), origin_request, e->lease);
}

static void worker_stop(const struct event *e)
{
    for (struct lease *l = w.leases; l && w.without != RULE_STOP_UNSENT; l = l->next)
        l->stopped |= !l->sent_ns && !l->ended && l->site == e->site && l->slot == e->slot &&
                      l->number == w.workers[e->slot].number;
}

static void worker_heard(const struct event *e)
{
    if (worker_lives(e) && w.workers[e->slot].stops[e->site])
        w.workers[e->slot].stops[e->site]--;
}

/* 429 was read. */
static void worker_busy(const struct event *e)
{
    struct site *site = &w.sites[e->site];
    int64_t until_ns = w.now + e->lease->wait_ns;
    site->stop_ns = w.now;
    if (until_ns > site->stop_until_ns)
        site->stop_until_ns = until_ns;
    w.blocks++;
    w.workers[e->slot].stops[e->site]++;
    worker_stop(e);
    lease_at(to_supervisor(e->slot), told_busy, e->lease);
}

static void worker_refused(const struct event *e)
{
    if (!worker_lives(e))
        return;
    site_at(to_supervisor(e->slot), told_closed, e->site, e->slot);
    lease_at(to_supervisor(e->slot), told_failed, e->lease);
}

static void worker_lease(const struct event *e)
{
    struct worker *me = &w.workers[e->slot];
    int *idle = e->lease->grant == GRANT_FREE ? &me->free_idle[e->site] : &me->idle[e->site];
    if (!worker_lives(e))
        return;
    if (me->stops[e->site] && w.without != RULE_STOP_LEASES) {
        if (e->lease->grant == GRANT_OPEN)
            site_at(to_supervisor(e->slot), told_closed, e->site, e->slot);
        lease_at(to_supervisor(e->slot),
                 e->lease->grant == GRANT_KEPT ? told_unsent_kept : told_unsent, e->lease);
    } else if (e->lease->grant != GRANT_OPEN && *idle) {
        --*idle;
        worker_send(e);
    } else if (e->lease->grant == GRANT_KEPT) {
        lease_at(to_supervisor(e->slot), told_unsent, e->lease);
    } else if (e->lease->grant == GRANT_OPEN && chance() < .03) {
        lease_at(way(e->site), worker_refused, e->lease);
    } else {
        me->open[e->site]++;
        int64_t there_ns = way(e->site);
        lease_at(there_ns, origin_opened, e->lease);
        lease_at(way(e->site) - w.now + there_ns, worker_send, e->lease);
    }
}

static void worker_acked(const struct event *e)
{
    if (worker_lives(e) && e->lease->pace.delay_ns)
        lease_at(to_supervisor(e->slot), told_sent, e->lease);
}

static void close_idle(const struct event *e)
{
    struct worker *me = &w.workers[e->slot];
    int64_t there_ns = way(e->site), linger_ns = w.now + HOST_LINGER_NS;
    int64_t back_ns = way(e->site) - w.now + there_ns;
    me->idle[e->site]--;
    me->open[e->site]--;
    site_at(to_supervisor(e->slot), told_idle_gone, e->site, e->slot);
    site_at(there_ns, origin_closed, e->site, e->slot);
    site_at(back_ns < linger_ns ? back_ns : linger_ns, told_closed, e->site, e->slot);
}

static void worker_idle_end(const struct event *e)
{
    if (worker_lives(e) && w.workers[e->slot].idle[e->site])
        close_idle(e);
}

static void worker_drop(const struct event *e)
{
    struct worker *me = &w.workers[e->slot];
    if (!worker_lives(e))
        return;
    while (me->idle[e->site])
        close_idle(e);
    for (; me->free_idle[e->site]; me->free_idle[e->site]--, me->open[e->site]--)
        site_at(way(e->site), origin_closed, e->site, e->slot);
}

static void worker_answer(const struct event *e)
{
    struct worker *me = &w.workers[e->slot];
    bool is_free = e->lease->grant == GRANT_FREE, closed_first = chance() < .5;
    if (!worker_lives(e))
        return;
    if (e->lease->wait_ns)
        worker_busy(e);
    if (e->lease->keep && is_free)
        me->free_idle[e->site]++;
    else if (e->lease->keep)
        me->idle[e->site]++;
    if (e->lease->keep && !is_free)
        site_at(w.now + S(8), worker_idle_end, e->site, e->slot);
    if (!e->lease->keep && !is_free && closed_first)
        site_at(to_supervisor(e->slot), told_closed, e->site, e->slot);
    lease_at(to_supervisor(e->slot), e->lease->wait_ns ? told_back : told_end, e->lease);
    if (!e->lease->keep && !is_free && !closed_first)
        site_at(to_supervisor(e->slot), told_closed, e->site, e->slot);
}

static void worker_resolve(const struct event *e)
{
    if (worker_lives(e))
        site_at(w.now + between(.005, .3), told_address, e->site, e->slot);
}

#endif
