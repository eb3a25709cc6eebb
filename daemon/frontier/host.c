/* SPDX-License-Identifier: MIT */
/* The clocks. "The grant protocol" of the design, rules 1 to 9, for hosts with a delay or a limit
 * of connections; hosts without either are always HOST_NOW and nothing is counted for them.
 *
 * The clock keeps the time of the last fetch, and `last + delay` is computed when granting, so that
 * a stricter job counts at once. With one connection the last fetch is the end of the last
 * exchange, with more it is its SENT, and only one request may be unSENT at a time. */
#include "daemon/frontier/host.h"

#include "common/ipc.h"

bool pace_free(const struct pace *p)
{
    return !p->delay_ns && !p->connections && !p->per_address;
}

static uint32_t fewest(uint32_t a, uint32_t b)
{
    return !a ? b : !b ? a : a < b ? a : b;
}

struct pace host_pace(const struct host *host)
{
    struct pace p = {0};
    for (const struct hostq *q = host->queues; q; q = q->next) {
        if (q->source->pace.delay_ns > p.delay_ns)
            p.delay_ns = q->source->pace.delay_ns;
        p.connections = fewest(p.connections, q->source->pace.connections);
        p.per_address = fewest(p.per_address, q->source->pace.per_address);
    }
    return p;
}

bool hostq_empty(const struct hostq *q)
{
    return list_empty(&q->hops) && queue_empty(&q->entries);
}

/* The queue whose turn it is: the first open one with a URL; else a closed one with a URL. */
static enum host_verdict find_queue(const struct host *host, struct hostq **ret_queue)
{
    struct hostq *closed = NULL;
    for (struct hostq *q = host->queues; q; q = q->next) {
        if (hostq_empty(q))
            continue;
        if (q->source->open) {
            *ret_queue = q;
            return HOST_NOW;
        }
        closed = q;
    }
    if (!closed)
        return HOST_EMPTY;
    *ret_queue = closed;
    return HOST_CLOSED;
}

/* Connections of the host and its address: is there one for the next request? */
static enum host_verdict find_connection(const struct host *host, const struct pace *p,
                                         uint32_t most, int64_t now_ns, int64_t *ret_at_ns)
{
    if (p->per_address && !host->known)
        return host->asked ? HOST_BUSY : HOST_RESOLVE;
    if (host->idle)
        return HOST_NOW;
    if (most && host->connections >= most)
        return HOST_FULL;
    const struct host_group *g = host->group;
    if (g && p->per_address && g->connections >= p->per_address)
        return HOST_ADDRESS;
    if (g && g->hold_ns > now_ns) {
        *ret_at_ns = g->hold_ns;
        return HOST_AT;
    }
    return HOST_NOW;
}

enum host_verdict host_next(const struct host *host, int64_t now_ns, int64_t *ret_at_ns,
                            struct hostq **ret_queue)
{
    enum host_verdict v = find_queue(host, ret_queue);
    if (v != HOST_NOW)
        return v;
    struct pace p = host_pace(host);
    if (pace_free(&p))
        return HOST_NOW;
    if (host->free_act)
        return HOST_BUSY;
    if (host->was_free)
        return HOST_UNBIND;
    if (host->last_ns + p.delay_ns > now_ns) {
        *ret_at_ns = host->last_ns + p.delay_ns;
        return HOST_AT;
    }
    uint32_t most = host->alive ? p.connections : 1;
    if (most && host->act >= most)
        return HOST_BUSY;
    if (p.delay_ns && host->unsent)
        return HOST_BUSY;
    return find_connection(host, &p, most, now_ns, ret_at_ns);
}

int host_grant(struct host *host)
{
    struct pace p = host_pace(host);
    if (pace_free(&p)) {
        host->free_act++;
        host->was_free = true;
        return GRANT_FREE;
    }
    host->act++;
    host->unsent++;
    if (host->idle) {
        host->idle--;
        return GRANT_KEPT;
    }
    host->connections++;
    if (host->group)
        host->group->connections++;
    return GRANT_OPEN;
}

static void mark(struct host *host, int64_t t_ns)
{
    if (t_ns > host->last_ns)
        host->last_ns = t_ns;
}

void host_sent(struct hosts *h, struct host *host, int64_t now_ns)
{
    if (!host->unsent)
        return;
    host->unsent--;
    mark(host, now_ns);
    hosts_wake(h, host);
}

bool host_end(struct hosts *h, struct host *host, const struct host_end *end, int64_t now_ns)
{
    bool drop = false;
    host->alive |= end->reached;
    if (end->grant == GRANT_FREE) {
        host->free_act--;
        mark(host, now_ns);
    } else {
        host->act--;
        if (!end->told_sent && host->unsent)
            host->unsent--;
        if (!end->unsent && (!end->told_sent || host_pace(host).connections == 1))
            mark(host, now_ns);
        if (end->kept) {
            drop = host->group && !list_empty(&host->group->waiting);
            host->idle += !drop;
        }
    }
    hosts_wake(h, host);
    return drop;
}

void host_idle_gone(struct hosts *h, struct host *host)
{
    if (host->idle)
        host->idle--;
    hosts_wake(h, host);
}

static void wake_first(struct hosts *h, struct host_group *g)
{
    if (g && !list_empty(&g->waiting))
        hosts_wake(h, list_of(g->waiting.next, struct host, link));
}

void host_conn_closed(struct hosts *h, struct host *host)
{
    if (host->connections)
        host->connections--;
    if (host->group && host->group->connections)
        host->group->connections--;
    if (host->idle > host->connections)
        host->idle = host->connections;
    wake_first(h, host->group);
    hosts_wake(h, host);
}

void host_worker_died(struct hosts *h, struct host *host, int64_t now_ns)
{
    mark(host, now_ns + HOST_LINGER_NS);
    if (host->group) {
        host->group->connections -= host->connections;
        if (host->connections)
            host->group->hold_ns = now_ns + HOST_LINGER_NS;
        wake_first(h, host->group);
    }
    host->act = host->unsent = host->connections = host->idle = 0;
    host->worker = -1;
    host->asked = false;
    hosts_wake(h, host);
}
