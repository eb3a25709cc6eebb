/* SPDX-License-Identifier: MIT */
#include "daemon/supervisor/host_json.h"

#include "common/clock.h"
#include "daemon/supervisor/supervisor.h"

json_t *moment_json(int64_t mono_ns)
{
    char iso[CLOCK_ISO_BYTES];
    if (!mono_ns || mono_ns == BLOCK_FOREVER)
        return json_null();
    clock_iso(mono_ns - clock_mono_ns() + clock_wall_ns(), iso);
    return json_string(iso);
}

/* Why a host that could be asked is not: nobody has room for it, or only till the next turn. */
static const char *why_not_granted(struct supervisor *s, const struct host *host)
{
    if (host->place == HOST_AT_WORKER || !crew_roomiest(s))
        return "workers_full";
    return host->place == HOST_AT_GROUP ? "connections_per_ip" : "next";
}

struct host_standing host_standing(struct supervisor *s, const struct host *host, int64_t now_ns)
{
    struct host_standing st = {.state = "waiting", .rule = ""};
    struct hostq *q = NULL;
    int64_t until_ns;
    if (block_now(host, now_ns, &until_ns) != BLOCK_NONE)
        return (struct host_standing){"blocked", "block", until_ns};
    switch (host_next(host, now_ns, &st.at_ns, &q)) {
    case HOST_EMPTY:
        st.state = host->act || host->free_act ? "active" : "idle";
        return st;
    case HOST_CLOSED:
        st.state = "paused";
        st.rule = "job";
        return st;
    case HOST_AT:
        st.rule = "delay";
        break;
    case HOST_BUSY:
        st.rule = host->asked ? "resolving" : "in_flight";
        break;
    case HOST_FULL:
        st.rule = "connections_per_host";
        break;
    case HOST_ADDRESS:
        st.rule = "connections_per_ip";
        break;
    case HOST_RESOLVE:
    case HOST_UNBIND:
    case HOST_NOW:
        st.rule = why_not_granted(s, host);
        break;
    case HOST_BLOCKED:
    case HOST_GIVE_UP:
        break;
    }
    if (host->act || host->free_act)
        st.state = "active";
    return st;
}

static uint64_t hostq_queued(const struct hostq *q)
{
    return queue_count(&q->entries) + list_count(&q->hops);
}

uint64_t host_queued(const struct host *host)
{
    uint64_t n = 0;
    for (const struct hostq *q = host->queues; q; q = q->next)
        n += hostq_queued(q);
    return n;
}

json_t *host_block_json(const struct host *host)
{
    int64_t now_ns = clock_mono_ns(), until_ns;
    enum block_cause cause = block_now(host, now_ns, &until_ns);
    const struct host_block *b = host->block;
    if (cause == BLOCK_NONE)
        return NULL;
    bool ordered = cause == BLOCK_OPERATOR;
    json_t *o = json_pack(
        "{ss ss so so}", "by", block_cause_name(cause), "why", block_why(b, cause), "since",
        moment_json(ordered ? b->operator_ns : b->begin_ns), "until", moment_json(until_ns));
    if (cause == BLOCK_ANSWER)
        json_object_set_new(o, "retry_after", json_boolean(b->asked));
    if (!ordered)
        json_object_set_new(o, "stopped_since", moment_json(b->since_ns));
    return o;
}

static json_t *jobs_json(const struct host *host)
{
    json_t *jobs = json_array();
    for (const struct hostq *q = host->queues; q; q = q->next)
        json_array_append_new(jobs, json_pack("{ss sI}", "job", job_of(q->source)->spec.name,
                                              "queued", (json_int_t)hostq_queued(q)));
    return jobs;
}

json_t *host_json(struct supervisor *s, const struct host *host, bool full)
{
    struct host_standing st = host_standing(s, host, clock_mono_ns());
    struct pace pace = host_pace(host);
    json_t *block = host_block_json(host);
    json_t *o = json_pack(
        "{ss% ss ss so sI sI sI si so so}", "host", host->name, (size_t)host->name_len, "state",
        st.state, "why", st.rule, "next", moment_json(st.at_ns), "delay_ms",
        (json_int_t)(pace.delay_ns / NS_PER_MS), "queued", (json_int_t)host_queued(host),
        "in_flight", (json_int_t)(host->act + host->free_act), "failures", (int)host->failures,
        "worker", host_bound(host) ? json_integer(host->worker) : json_null(), "blocked",
        block ? block : json_null());
    if (full) {
        json_object_set_new(o, "connections_per_host", json_integer(pace.connections));
        json_object_set_new(o, "connections_per_ip", json_integer(pace.per_address));
        json_object_set_new(o, "connections", json_integer(host->connections));
        json_object_set_new(o, "jobs", jobs_json(host));
    }
    return o;
}

json_t *hosts_blocked_json(const struct supervisor *s)
{
    json_int_t all = 0;
    json_t *o = json_object();
    for (int cause = BLOCK_NONE + 1; cause < BLOCK_CAUSE_COUNT; cause++) {
        json_int_t n = s->hosts.blocked_count[cause];
        all += n;
        json_object_set_new(o, block_cause_name((enum block_cause)cause), json_integer(n));
    }
    json_object_set_new(o, "all", json_integer(all));
    return o;
}

json_t *hosts_stats_json(const struct supervisor *s)
{
    static const enum host_place waiting[] = {HOST_READY, HOST_TIMED, HOST_STALLED, HOST_AT_WORKER,
                                              HOST_AT_GROUP};
    json_int_t waits = 0, blocked = 0;
    for (size_t i = 0; i < sizeof waiting / sizeof *waiting; i++)
        waits += s->hosts.in_place[waiting[i]];
    for (int cause = BLOCK_NONE + 1; cause < BLOCK_CAUSE_COUNT; cause++)
        blocked += s->hosts.blocked_count[cause];
    return json_pack("{sI sI sI}", "active", (json_int_t)s->hosts.active_count, "waiting", waits,
                     "blocked", blocked);
}
