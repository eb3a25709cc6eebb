/* SPDX-License-Identifier: MIT */
/* The clocks. "The grant protocol" of the design, rules 1 to 9, for hosts with a delay or a limit
 * of connections; hosts without either are always HOST_NOW and nothing is counted for them.
 *
 * The clock keeps the time of the last fetch, and `last + delay` is computed when granting, so that
 * a stricter job counts at once. With one connection the last fetch is the end of the last
 * exchange, with more it is its SENT, and only one request may be unSENT at a time; both times are
 * kept, as a job that comes may change which one counts. */
#include "common/ipc.h"
#include "daemon/frontier/hosts_impl.h"

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

bool host_bound(const struct host *host)
{
    return host->worker >= 0 && (host->connections || host->act || host->asked);
}

/* The queue whose turn it is: the first open one with a URL; else a closed one with a URL. */
static enum host_verdict find_queue(const struct host *host, struct hostq **ret_queue)
{
    struct hostq *closed = NULL;
    for (struct hostq *q = host->queues; q; q = q->next) {
        if (hostq_empty(q) || q->given_up)
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

/* Has the address room for one more? A host that comes stands behind those that wait already. */
static bool group_full(const struct host *host, const struct pace *p, int64_t now_ns)
{
    const struct host_group *g = host->group;
    if (!p->per_address)
        return false;
    return g->connections >= p->per_address || g->held_ns > now_ns ||
           (host->place != HOST_AT_GROUP && !list_empty(&g->waiting));
}

/* Connections of the host and its address: is there one for the next request? */
static enum host_verdict find_connection(const struct host *host, const struct pace *p,
                                         uint32_t most, int64_t now_ns)
{
    if (p->per_address && !host->known)
        return host->asked ? HOST_BUSY : HOST_RESOLVE;
    if (host->idle)
        return HOST_NOW;
    if (host->connections >= most)
        return HOST_FULL;
    return group_full(host, p, now_ns) ? HOST_ADDRESS : HOST_NOW;
}

static int64_t last_fetch(const struct host *host, const struct pace *p)
{
    return p->connections == 1 && host->end_ns > host->last_ns ? host->end_ns : host->last_ns;
}

static int64_t latest(int64_t a, int64_t b, int64_t c)
{
    int64_t most = a > b ? a : b;
    return most > c ? most : c;
}

/* Which of its jobs' patience with the block is over, or will be before it ends? */
static enum host_verdict find_blocked(const struct host *host, int64_t now_ns, int64_t *ret_at_ns,
                                      struct hostq **ret_queue)
{
    int64_t since_ns = block_since(host, now_ns);
    for (struct hostq *q = host->queues; q; q = q->next) {
        const struct source *s = q->source;
        if (hostq_empty(q) || q->given_up || !s->open || !s->give_up_ns)
            continue;
        int64_t end_ns = latest(since_ns, s->begun_ns, q->since_s * NS_PER_S);
        end_ns = s->give_up_ns < INT64_MAX - end_ns ? end_ns + s->give_up_ns : INT64_MAX;
        if (end_ns <= now_ns) {
            *ret_queue = q;
            return HOST_GIVE_UP;
        }
        if (end_ns < *ret_at_ns)
            *ret_at_ns = end_ns;
    }
    return HOST_BLOCKED;
}

/* A host whose block is over gets one request, until it answers. */
static bool on_trial(const struct host *host)
{
    return host->block && !host->alive && (host->free_act || host->act);
}

enum host_verdict host_next(const struct host *host, int64_t now_ns, int64_t *ret_at_ns,
                            struct hostq **ret_queue)
{
    enum host_verdict v = find_queue(host, ret_queue);
    if (v != HOST_NOW)
        return v;
    if (block_now(host, now_ns, ret_at_ns) != BLOCK_NONE)
        return find_blocked(host, now_ns, ret_at_ns, ret_queue);
    if (on_trial(host))
        return HOST_BUSY;
    struct pace p = host_pace(host);
    if (pace_free(&p))
        return HOST_NOW;
    if (host->free_act)
        return HOST_BUSY;
    if (host->was_free)
        return HOST_UNBIND;
    int64_t at_ns = last_fetch(host, &p) + p.delay_ns;
    if (at_ns > now_ns) {
        *ret_at_ns = at_ns;
        return HOST_AT;
    }
    uint32_t most = host->alive ? fewest(p.connections, UINT16_MAX) : 1;
    if (host->act >= most || (p.delay_ns && host->unsent))
        return HOST_BUSY;
    return find_connection(host, &p, most, now_ns);
}

static bool is_active(const struct host *host)
{
    return host->act || host->free_act;
}

int host_grant(struct hosts *h, struct host *host)
{
    struct pace p = host_pace(host);
    h->active_count += !is_active(host);
    if (pace_free(&p)) {
        host->free_act++;
        host->was_free = true;
        return GRANT_FREE;
    }
    host->act++;
    host->unsent++;
    if (host->idle) {
        host_set_idle(host, host->idle - 1u);
        return GRANT_KEPT;
    }
    host->connections++;
    if (host->group)
        host->group->connections++;
    return GRANT_OPEN;
}

/* A connection of the host is no more. */
static void uncount(struct hosts *h, struct host *host)
{
    if (!host->connections)
        return;
    host->connections--;
    if (host->group)
        host->group->connections--;
    if (host->idle > host->connections)
        host_set_idle(host, host->connections);
    group_look(h, host->group);
}

void host_ungrant(struct hosts *h, struct host *host, int grant)
{
    if (grant == GRANT_FREE) {
        host->free_act--;
    } else {
        host->act--;
        if (host->unsent)
            host->unsent--;
        if (grant == GRANT_KEPT)
            host_set_idle(host, host->idle + 1u);
        else
            uncount(h, host);
    }
    h->active_count -= !is_active(host);
    hosts_wake(h, host);
}

static void mark(struct host *host, int64_t t_ns)
{
    if (t_ns > host->last_ns)
        host->last_ns = t_ns;
}

void host_unbound(struct hosts *h, struct host *host, int64_t now_ns)
{
    host->was_free = false;
    host_set_idle(host, 0);
    mark(host, now_ns + HOST_LINGER_NS);
    hosts_wake(h, host);
}

void host_sent(struct hosts *h, struct host *host, int64_t now_ns)
{
    if (!host->unsent)
        return;
    host->unsent--;
    mark(host, now_ns);
    hosts_wake(h, host);
}

/* The connection of a lease with limits that ended stays. True: no, it must be dropped. */
static bool keep(struct host *host)
{
    if (group_others_wait(host))
        return true;
    if (host->idle < host->connections)
        host_set_idle(host, host->idle + 1u);
    return false;
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
        if (!end->unsent)
            host->end_ns = now_ns;
        if (!end->unsent && !end->told_sent)
            mark(host, now_ns);
        drop = end->kept && keep(host);
    }
    h->active_count -= !is_active(host);
    hosts_wake(h, host);
    return drop;
}

void host_idle_gone(struct hosts *h, struct host *host)
{
    if (host->idle)
        host_set_idle(host, host->idle - 1u);
    hosts_wake(h, host);
}

void host_conn_closed(struct hosts *h, struct host *host)
{
    uncount(h, host);
    hosts_wake(h, host);
}

void host_worker_died(struct hosts *h, struct host *host, int64_t now_ns)
{
    mark(host, now_ns + HOST_LINGER_NS);
    host_set_idle(host, 0);
    if (host->group && host->connections) {
        host->group->connections -= host->connections;
        group_hold(h, host->group, now_ns + HOST_LINGER_NS);
    }
    h->active_count -= host->act && !host->free_act;
    host->act = host->unsent = host->connections = 0;
    host->worker = -1;
    host->asked = false;
    hosts_wake(h, host);
}
