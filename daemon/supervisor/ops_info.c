/* SPDX-License-Identifier: MIT */
/* The daemon as a whole: status, stats, workers, stop. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "daemon/supervisor/host_json.h"
#include "daemon/supervisor/ops.h"
#include "daemon/supervisor/proc.h"
#include "daemon/supervisor/supervisor.h"

void op_ping(struct request *r)
{
    request_ok(r, json_pack("{sb}", "pong", 1));
}

void op_version(struct request *r)
{
    request_ok(r, json_pack("{ss si}", "version", CRAWLD_VERSION, "proto", 1));
}

static const char *daemon_state(const struct supervisor *s, const char **ret_why)
{
    *ret_why = "";
    if (s->draining)
        return "stopping";
    if (s->recovering)
        return "recovering";
    if (s->disk_low) {
        *ret_why = "disk_reserve";
        return "held";
    }
    return "running";
}

static json_t *jobs_by_state(const struct supervisor *s)
{
    json_t *o = json_object();
    list_each(it, &s->jobs)
    {
        const char *why, *state = job_state(list_of(it, struct job, link), &why);
        json_int_t n = json_integer_value(json_object_get(o, state));
        json_object_set_new(o, state, json_integer(n + 1));
    }
    return o;
}

static int workers_alive(const struct supervisor *s)
{
    int n = 0;
    for (int i = 0; i < s->crew.count; i++)
        n += worker_alive(&s->crew.workers[i]);
    return n;
}

/* Of all processes, and what fetches hold of it. */
static json_t *memory_in_use(const struct supervisor *s)
{
    uint64_t held = 0, max = 0, fetches = 0, rss = proc_usage(getpid()).rss_bytes;
    for (int i = 0; i < s->crew.count; i++) {
        const struct worker *w = &s->crew.workers[i];
        rss += proc_usage(w->pid).rss_bytes;
        held += w->stats->value[STAT_MEMORY_BYTES];
        max += w->stats->value[STAT_MEMORY_MAX];
        fetches += w->stats->value[STAT_LEASES];
    }
    return json_pack("{sI ss sI sI sI so}", "limit_bytes", (json_int_t)s->memory.limit_bytes,
                     "limit_from", s->memory.from, "rss_bytes", (json_int_t)rss,
                     "fetches_limit_bytes", (json_int_t)max, "fetches_bytes", (json_int_t)held,
                     "bytes_per_fetch",
                     fetches ? json_integer((json_int_t)(held / fetches)) : json_null());
}

void op_status(struct request *r)
{
    const struct supervisor *s = r->s;
    const char *why, *state = daemon_state(s, &why);
    struct job_counts sum = jobs_counts(s);
    json_t *o = json_pack(
        "{ss ss si sI s{si si} so so so ss sI so}", "state", state, "why", why, "pid", (int)getpid(),
        "uptime_s", (json_int_t)((clock_mono_ns() - s->start_ns) / NS_PER_S), "workers", "alive",
        workers_alive(s), "wanted", s->crew.count, "jobs", jobs_by_state(s), "counts",
        job_counts_json(&sum), "hosts_blocked", hosts_blocked_json(s), "state_dir", s->options->state_dir, "pages_per_s",
        (json_int_t)(totals_ended(&s->now_totals) - totals_ended(&s->last_totals)), "memory",
        memory_in_use(s));
    if (s->recovering)
        json_object_set_new(o, "recovered_percent", json_integer(supervisor_recovered_percent(s)));
    request_ok(r, o);
}

/* ---- workers ---- */

static json_t *iso(int64_t wall_ns)
{
    char text[CLOCK_ISO_BYTES];
    if (!wall_ns)
        return json_null();
    clock_iso(wall_ns, text);
    return json_string(text);
}

static json_t *worker_json(const struct worker *w)
{
    char name[24];
    struct proc_usage u = proc_usage(w->pid);
    snprintf(name, sizeof name, "worker-%d", w->slot);
    json_t *o = json_pack("{ss si so sb ss so so si sI sI sf}", "name", name, "slot", w->slot,
                          "pid", w->pid ? json_integer(w->pid) : json_null(), "alive",
                          worker_alive(w), "state", worker_state_name(w->state), "exitcode",
                          w->pid || !w->last_pid ? json_null() : json_integer(w->last_exitcode),
                          "started", iso(w->started_wall_ns), "restarts", (int)w->restarts,
                          "in_flight", (json_int_t)w->held_count, "rss_bytes",
                          (json_int_t)u.rss_bytes, "cpu_s", u.cpu_s);
    if (w->last_pid)
        json_object_set_new(o, "last_exit",
                            json_pack("{si si so}", "pid", (int)w->last_pid, "exitcode",
                                      w->last_exitcode, "time", iso(w->last_wall_ns)));
    return o;
}

static json_t *workers_json(const struct supervisor *s)
{
    json_t *items = json_array();
    for (int i = 0; i < s->crew.count; i++)
        json_array_append_new(items, worker_json(&s->crew.workers[i]));
    return items;
}

void op_worker_list(struct request *r)
{
    request_ok(r, json_pack("{so s:n}", "items", workers_json(r->s), "next"));
}

/* ---- stats ---- */

static json_t *by_reason(const struct totals *t)
{
    json_t *o = json_object();
    for (int i = 1; i < REASON_COUNT; i++)
        if (t->by_reason[i])
            json_object_set_new(o, reason_name((enum reason)i),
                                json_integer((json_int_t)t->by_reason[i]));
    return o;
}

static json_t *by_status(const struct totals *t)
{
    json_t *o = json_object();
    for (int i = 1; i < 6; i++) {
        char key[4] = {(char)('0' + i), 'x', 'x', 0};
        json_object_set_new(o, key, json_integer((json_int_t)t->by_status[i]));
    }
    return o;
}

static json_t *finished(const struct totals *t)
{
    json_t *o = json_object();
    for (int i = 0; i < OUTCOME_COUNT; i++)
        json_object_set_new(o, outcome_name((enum outcome)i),
                            json_integer((json_int_t)t->ended[i]));
    return o;
}

/* Fetches in each row of the workers' route, by the names the workers gave. */
static json_t *in_states(const struct supervisor *s)
{
    json_t *o = json_object();
    for (int i = 0; i < s->crew.count; i++) {
        const struct stats_block *b = s->crew.workers[i].stats;
        for (int k = 0; k < STATS_STATES_MAX; k++) {
            char name[STATS_NAME_BYTES];
            snprintf(name, sizeof name, "%.*s", STATS_NAME_BYTES - 1, b->state_name[k]);
            json_int_t n = json_integer_value(json_object_get(o, name)) + (json_int_t)b->in_state[k];
            if (*name)
                json_object_set_new(o, name, json_integer(n));
        }
    }
    return o;
}

static json_t *counters(const struct supervisor *s)
{
    json_t *o = json_object();
    for (int id = 0; id < STAT_COUNT; id++) {
        uint64_t n = 0;
        for (int i = 0; i < s->crew.count; i++) {
            uint64_t own = s->crew.workers[i].stats->value[id];
            if (stat_kind((enum stat_id)id) != STAT_MOST)
                n += own;
            else if (own > n)
                n = own;
        }
        json_object_set_new(o, stat_name((enum stat_id)id), json_integer((json_int_t)n));
    }
    return o;
}

static json_t *memory(const struct supervisor *s)
{
    struct proc_usage u = proc_usage(getpid());
    uint64_t seen = 0, pending = 0;
    list_each(it, &s->jobs)
    {
        const struct job *j = list_of(it, struct job, link);
        if (!j->ledger)
            continue;
        struct ledger_counts c = ledger_counts(j->ledger);
        seen += c.seen_bytes;
        pending += c.pending_bytes;
    }
    return json_pack("{sI sI sI sI sf}", "rss_bytes", (json_int_t)u.rss_bytes, "seen_bytes",
                     (json_int_t)seen, "pending_bytes", (json_int_t)pending, "hosts",
                     (json_int_t)s->hosts.count, "cpu_s", u.cpu_s);
}

void op_stats(struct request *r)
{
    const struct supervisor *s = r->s;
    const struct totals *t = &s->totals, *now = &s->now_totals, *last = &s->last_totals;
    request_ok(
        r, json_pack("{s{sI so so so sI sI sI sI sI sI} s{sI sI sI} so so so so so}", "since_start",
                     "started", (json_int_t)t->started, "finished", finished(t), "by_status",
                     by_status(t), "by_reason", by_reason(t), "bytes_in", (json_int_t)t->bytes_in,
                     "again", (json_int_t)t->again, "retried", (json_int_t)t->retried, "busy", (json_int_t)t->busy, "noconn",
                     (json_int_t)t->noconn, "worker_deaths", (json_int_t)t->worker_deaths,
                     "per_s", "started", (json_int_t)(now->started - last->started), "finished",
                     (json_int_t)(totals_ended(now) - totals_ended(last)), "bytes_in",
                     (json_int_t)(now->bytes_in - last->bytes_in), "in_state", in_states(s), "hosts", hosts_stats_json(s),
                     "counters", counters(s), "supervisor", memory(s), "workers",
                     workers_json(s)));
}

void op_stop(struct request *r)
{
    struct supervisor *s = r->s;
    bool now = request_flag(r, "now");
    request_ok(r, NULL);
    supervisor_stop(s, now);
}
