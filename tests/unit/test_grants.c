/* SPDX-License-Identifier: MIT */
/* The real hosts in a simulated world: workers that open, keep and close connections, jitter,
 * packets sent twice, deaths, drains, restarts of the supervisor, jobs that come, pause and go.
 * Origins keep a ledger of what arrives. Checked: every gap, every connection of a host and of an
 * address; that every host with a URL waits for something that will happen; that in the end all
 * URLs are fetched.
 *
 * GRANTS_SEED=n plays one world only. */
#include "tests/unit/grants_world.h"
#include "tests/unit/unit.h"

/* ---- the supervisor ---- */

static void update_job(unsigned j)
{
    bool open = !w.paused[j] && (j != PROBE || w.held[j] < IN_FLIGHT);
    if (open != w.jobs[j].open && !w.forgotten[j])
        source_open(&w.hosts, &w.jobs[j], open);
}

/* The worker for the host's next message; WORKERS: none, it may be parked. */
static unsigned find_worker(struct host *host)
{
    if (host->worker >= 0 && has_room(&w.workers[host->worker]))
        return (unsigned)host->worker;
    if (!host_bound(host))
        return roomiest();
    host_park(&w.hosts, host, &w.workers[host->worker].waiting, HOST_AT_WORKER);
    return WORKERS;
}

static void give(struct host *host, struct hostq *q)
{
    const struct site *site = &w.sites[host->id];
    struct pace p = pace_of(site);
    unsigned slot = pace_free(&p) ? roomiest() : find_worker(host);
    if (slot == WORKERS) {
        if (host->place != HOST_AT_WORKER)
            hosts_wake(&w.hosts, host);
        return;
    }
    struct lease *l = xcalloc(1, sizeof *l);
    ck_assert_ptr_null(hostq_take(q, &l->entry));
    *l = (struct lease){.next = w.leases,
                        .site = host->id,
                        .slot = slot,
                        .epoch = w.epoch,
                        .pace = p,
                        .number = w.workers[slot].number,
                        .job = (unsigned)(q->source - w.jobs),
                        .entry = l->entry,
                        .reached = site->reached};
    w.leases = l;
    if (!pace_free(&p))
        host_bind(&w.hosts, host, (int)slot, &w.workers[slot].bound);
    l->grant = host_grant(&w.hosts, host);
    w.workers[slot].held++;
    w.held[l->job]++;
    update_job(l->job);
    hosts_wake(&w.hosts, host);
    lease_at(to_worker(slot), worker_lease, l);
}

static bool wake_parked(void)
{
    bool woken = false;
    for (unsigned i = 0; i < WORKERS; i++) {
        struct worker *me = &w.workers[i];
        if (has_room(me) && !list_empty(&me->waiting)) {
            hosts_wake_some(&w.hosts, &me->waiting, SLOTS - me->held);
            woken = true;
        }
    }
    return woken;
}

static bool pump_one(void)
{
    struct hostq *q = NULL;
    enum host_verdict what;
    if (roomiest() == WORKERS)
        return false;
    struct host *host = hosts_pick(&w.hosts, w.now, &q, &what);
    if (!host)
        return what == HOST_BUSY;
    if (what == HOST_NOW) {
        give(host, q);
    } else if (what == HOST_RESOLVE) {
        unsigned slot = find_worker(host);
        if (slot == WORKERS)
            return true;
        host_bind(&w.hosts, host, (int)slot, &w.workers[slot].bound);
        host->asked = true;
        site_at(to_worker(slot), worker_resolve, host->id, slot);
    } else if (what == HOST_UNBIND) {
        for (unsigned i = 0; i < WORKERS; i++)
            site_at(to_worker(i), worker_drop, host->id, i);
        host_unbound(&w.hosts, host, w.now);
    } else {
        site_at(to_worker((unsigned)host->worker), worker_drop, host->id, (unsigned)host->worker);
    }
    return true;
}

static unsigned idle_at(const struct host_group *g)
{
    unsigned idle = 0;
    list_each(it, &g->idle) idle += list_of(it, struct host, member)->idle;
    return idle;
}

/* What is this host with URLs waiting for? */
static void check_waits(const struct host *host)
{
    int64_t at_ns;
    struct hostq *q;
    enum host_verdict v = host_next(host, w.now, &at_ns, &q);
    bool fine = v == HOST_EMPTY;
    switch ((enum host_place)host->place) {
    case HOST_NOWHERE:
        if (v == HOST_BUSY || v == HOST_CLOSED)
            fine |= host->act || host->free_act || host->asked;
        if (v == HOST_FULL || v == HOST_CLOSED)
            fine |= host->connections > host->idle;
        break;
    case HOST_READY:
        break;
    case HOST_TIMED:
    case HOST_BLOCKED_TILL:
        fine |= w.hosts.times.v[host->heap_index].index == &host->heap_index;
        break;
    case HOST_STALLED:
        fine |= v == HOST_CLOSED;
        break;
    case HOST_AT_WORKER:
        fine |= host->worker >= 0 && !has_room(&w.workers[host->worker]);
        break;
    case HOST_AT_GROUP:
        fine |= host->group->held_ns > w.now || (host->group->connections >= PER_ADDRESS &&
                                                 idle_at(host->group) < host->group->connections);
        break;
    }
    if (!fine)
        wrong("nothing wakes it", host->id, v * 100 + host->place);
}

static void pump(const struct event *e)
{
    if (!w.up || (e && (e->epoch != w.epoch || e->at_ns != w.pump_ns)))
        return;
    hosts_tick(&w.hosts, w.now);
    while (pump_one() || wake_parked())
        ;
    if (w.pumps++ % 32 == 0 && roomiest() != WORKERS)
        for (uint32_t i = 0; i < w.hosts.count; i++)
            check_waits(w.hosts.by_id[i]);
    int64_t next_ns = hosts_tick(&w.hosts, w.now);
    if (next_ns != INT64_MAX && (next_ns < w.pump_ns || w.pump_ns <= w.now)) {
        w.pump_ns = next_ns > w.now ? next_ns : w.now + 1;
        at(w.pump_ns, (struct event){.what = pump, .epoch = w.epoch});
    }
}

/* Messages come until the process is reaped; those of ended leases are ignored. */
static struct host *heard(const struct event *e)
{
    if (e->epoch != w.epoch || w.workers[e->slot].number != e->number ||
        (e->lease && e->lease->ended))
        return NULL;
    return hosts_by_id(&w.hosts, e->site);
}

static void told_sent(const struct event *e)
{
    struct host *host = heard(e);
    if (!host)
        return;
    e->lease->told = true;
    host_sent(&w.hosts, host, w.now);
    pump(NULL);
}

static void push_back(struct host *host, const struct lease *l)
{
    if (!w.forgotten[l->job])
        hosts_push_front(&w.hosts, host_queue(&w.hosts, host, &w.jobs[l->job]), l->entry);
}

static void ended(const struct event *e, struct host_end end)
{
    struct host *host = heard(e);
    struct lease *l = e->lease;
    if (!host)
        return;
    l->ended = true;
    w.workers[l->slot].held--;
    w.held[l->job]--;
    end.grant = l->grant;
    end.told_sent = l->told;
    w.sites[e->site].reached |= end.reached;
    if (!end.reached || chance() < .05)
        push_back(host, l);
    else
        w.done[l->job][l->site][l->entry] = true;
    if (host_end(&w.hosts, host, &end, w.now))
        site_at(to_worker(e->slot), worker_drop, e->site, e->slot);
    update_job(l->job);
    pump(NULL);
}

static void told_end(const struct event *e)
{
    struct host *host = heard(e);
    if (host)
        block_answered(&w.hosts, host, w.now);
    ended(e, (struct host_end){.kept = e->lease->keep, .reached = true});
}

/* hosts.log has it some milliseconds later. */
static void saved(const struct event *e)
{
    const struct host *host = heard(e);
    if (!host || !host->block)
        return;
    w.sites[e->site].saved = *host->block;
    w.sites[e->site].is_saved = true;
}

static void told_busy(const struct event *e)
{
    struct host *host = heard(e);
    if (!host)
        return;
    site_at(to_worker(e->slot), worker_heard, e->site, e->slot);
    if (w.without != RULE_BLOCK)
        block_busy(&w.hosts, host, 429, (uint32_t)(e->lease->wait_ns / NS_PER_S), w.now);
    for (unsigned i = 0; i < WORKERS; i++)
        if (i != e->slot && e->lease->grant == GRANT_FREE && w.without != RULE_STOP_OTHERS)
            site_at(to_worker(i), worker_stop, e->site, i);
    site_at(w.now + S(.01), saved, e->site, e->slot);
}

static void told_back(const struct event *e)
{
    ended(e, (struct host_end){.kept = e->lease->keep});
}

static void told_unsent_kept(const struct event *e)
{
    ended(e, (struct host_end){.unsent = true, .kept = true});
}

static void told_unsent(const struct event *e)
{
    ended(e, (struct host_end){.unsent = true});
}

static void told_failed(const struct event *e)
{
    ended(e, (struct host_end){0});
}

static void told_idle_gone(const struct event *e)
{
    struct host *host = heard(e);
    if (host && host->worker == (int)e->slot)
        host_idle_gone(&w.hosts, host);
}

static void told_closed(const struct event *e)
{
    struct host *host = heard(e);
    if (!host || host->worker != (int)e->slot)
        return;
    host_conn_closed(&w.hosts, host);
    pump(NULL);
}

static void told_address(const struct event *e)
{
    struct host *host = heard(e);
    uint8_t address[16] = {
        [14] = (uint8_t)(w.sites[e->site].address >> 8), [15] = (uint8_t)w.sites[e->site].address};
    if (!host || host->worker != (int)e->slot || !host->asked)
        return;
    host_address(&w.hosts, host, address);
    pump(NULL);
}

/* ---- what goes wrong, and who comes and goes ---- */

static void drop_connections(struct worker *me)
{
    for (unsigned i = 0; i < SITES; i++)
        for (me->idle[i] = me->free_idle[i] = 0; me->open[i]; me->open[i]--)
            site_at(way(i), origin_closed, i, 0);
}

static void reaped(const struct event *e)
{
    struct worker *me = &w.workers[e->slot];
    if (e->epoch != w.epoch)
        return;
    for (struct lease *l = w.leases; l; l = l->next) {
        if (l->ended || l->slot != e->slot || l->number != e->number || l->epoch != w.epoch)
            continue;
        struct host *host = hosts_by_id(&w.hosts, l->site);
        struct host_end end = {.grant = GRANT_FREE};
        l->ended = true;
        w.held[l->job]--;
        update_job(l->job);
        if (l->grant == GRANT_FREE)
            host_end(&w.hosts, host, &end, w.now);
        push_back(host, l);
    }
    bound_died(&w.hosts, &me->bound, (int)e->slot, w.now);
    hosts_wake_all(&w.hosts, &me->waiting);
    me->held = 0;
    memset(me->stops, 0, sizeof me->stops);
    me->number++;
    me->draining = false;
    me->alive = true;
    pump(NULL);
}

static void die(unsigned slot)
{
    struct worker *me = &w.workers[slot];
    me->alive = false;
    w.deaths++;
    drop_connections(me);
    site_at(w.now + S(.02), reaped, 0, slot);
}

/* Dies like others, but only when all its leases are over. */
static void drained(const struct event *e)
{
    if (!worker_lives(e) || e->epoch != w.epoch)
        return;
    if (w.workers[e->slot].held)
        site_at(w.now + S(.1), drained, 0, e->slot);
    else
        die(e->slot);
}

static void worker_fault(const struct event *e)
{
    unsigned slot = (unsigned)(chance() * WORKERS);
    if (w.now > FAULTS_END)
        return;
    at(w.now + between(.5, 3), (struct event){.what = worker_fault});
    if (!w.up || !w.workers[slot].alive || w.workers[slot].draining)
        return;
    w.workers[slot].draining = chance() < .4;
    if (w.workers[slot].draining)
        site_at(w.now, drained, 0, slot);
    else
        die(slot);
}

static void push_urls(unsigned site, unsigned job)
{
    char name[24];
    struct host *host =
        hosts_get(&w.hosts, name, (size_t)snprintf(name, sizeof name, "%u", site), NULL);
    struct hostq *q = host_queue(&w.hosts, host, &w.jobs[job]);
    w.sites[site].job[job] = true;
    for (uint64_t i = 0; i < URLS; i++)
        if (!w.done[job][site][i])
            hosts_push(&w.hosts, q, i);
}

static void supervisor_start(const struct event *e)
{
    w.up = true;
    w.pump_ns = 0;
    hosts_init(&w.hosts, w.now);
    memset(w.held, 0, sizeof w.held);
    for (unsigned j = 0; j < JOBS; j++) {
        source_init(&w.jobs[j], &paces[j]);
        update_job(j);
    }
    for (unsigned i = 0; i < WORKERS; i++) {
        struct worker *me = &w.workers[i];
        list_init(&me->waiting);
        bound_done(&me->bound);
        me->alive = true;
        me->draining = false;
        me->number++;
        me->held = 0;
        memset(me->stops, 0, sizeof me->stops);
    }
    for (unsigned i = 0; i < SITES; i++) {
        char name[24];
        hosts_get(&w.hosts, name, (size_t)snprintf(name, sizeof name, "%u", i), NULL);
        struct site *site = &w.sites[i];
        site->reached = false;
        if (site->is_saved && w.without != RULE_BLOCK_KEPT)
            block_restore(&w.hosts, hosts_by_id(&w.hosts, i), &site->saved, w.now);
        if (!site->is_saved || site->saved.until_ns < site->stop_until_ns)
            site->stop_until_ns = 0; /* forgotten: the supervisor died before it was written */
        for (unsigned j = 0; j < JOBS; j++)
            if (w.sites[i].job[j])
                push_urls(i, j);
    }
    pump(NULL);
}

static void supervisor_dies(const struct event *e)
{
    if (w.up)
        hosts_done(&w.hosts);
    w.up = false;
    w.epoch++;
    for (unsigned i = 0; i < WORKERS; i++) {
        w.workers[i].alive = false;
        drop_connections(&w.workers[i]);
    }
    at(w.now + S(.1), (struct event){.what = supervisor_start});
}

static void pause_or_resume(const struct event *e)
{
    unsigned j = (unsigned)(chance() * JOBS);
    if (w.now < FAULTS_END)
        at(w.now + between(.1, 1), (struct event){.what = pause_or_resume});
    for (unsigned i = 0; i < JOBS; i++)
        if (!w.forgotten[i])
            w.paused[i] = w.now < FAULTS_END && (i == j ? !w.paused[i] : w.paused[i]);
    for (unsigned i = 0; w.up && i < JOBS; i++)
        update_job(i);
    pump(NULL);
}

/* e->site is the job. */
static void job_comes(const struct event *e)
{
    unsigned step = e->site == STRICT ? 4 : 20;
    for (unsigned i = step == 4 ? 1 : 8; i < SITES; i += step)
        push_urls(i, e->site);
    pump(NULL);
}

static void strict_goes(const struct event *e)
{
    w.paused[STRICT] = true;
    if (!w.up || w.held[STRICT]) {
        if (w.up)
            source_open(&w.hosts, &w.jobs[STRICT], false);
        at(w.now + S(.05), (struct event){.what = strict_goes});
        return;
    }
    w.forgotten[STRICT] = true;
    for (unsigned i = 0; i < SITES; i++)
        w.sites[i].job[STRICT] = false;
    while (!hosts_forget(&w.hosts, &w.jobs[STRICT], 7))
        pump(NULL);
    pump(NULL);
}

static void world_init(uint64_t seed)
{
    memset(&w, 0, sizeof w);
    w.random = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    for (unsigned i = 0; i < SITES; i++) {
        struct site *site = &w.sites[i];
        site->rtt_ns = between(.005, .2);
        site->answer_ns = between(.01, i % 10 == 8 ? 4 : .4);
        site->keep = i % 3 ? .8 : .1;
        site->last_ns = site->end_ns = -S(100);
        site->address = i % 3 || i % 10 == 8 ? SHARED + i : i / 3 % SHARED;
        site->job[POLITE] = i % 10 < 3 || i % 10 == 9;
        site->job[BRISK] = i % 10 >= 3 && i % 10 < 6;
        site->job[PROBE] = i % 10 == 6 || i % 10 == 7 || i % 10 == 9;
        site->job[FREE] = i % 10 == 8;
    }
    supervisor_start(NULL);
    at(S(2), (struct event){.what = job_comes, .site = STRICT});
    at(S(5), (struct event){.what = job_comes, .site = BRISK});
    at(S(3), (struct event){.what = worker_fault});
    at(S(1), (struct event){.what = pause_or_resume});
    at(S(9), (struct event){.what = supervisor_dies});
    at(S(15), (struct event){.what = strict_goes});
    at(S(20), (struct event){.what = supervisor_dies});
}

static void world_done(void)
{
    for (struct lease *l = w.leases, *next; l; l = next) {
        next = l->next;
        free(l);
    }
    for (unsigned i = 0; i < WORKERS; i++)
        bound_done(&w.workers[i].bound);
    hosts_done(&w.hosts);
    free(w.heap);
}

static unsigned urls_left(void)
{
    unsigned left = 0;
    for (unsigned j = 0; j < JOBS; j++)
        for (unsigned i = 0; i < SITES; i++)
            for (unsigned k = 0; w.sites[i].job[j] && k < URLS; k++)
                left += !w.done[j][i][k];
    return left;
}

/* True: nothing was wrong. */
static bool play(uint64_t seed, enum rule without)
{
    int64_t last_ns = 0;
    world_init(seed);
    w.without = without;
    while (w.count && !w.wrong[0] && w.now < S(300)) {
        struct event e = next_event();
        w.now = e.at_ns;
        unsigned before = w.requests;
        e.what(&e);
        if (w.requests != before)
            last_ns = w.now;
    }
    if (without) {
        bool fine = !w.wrong[0];
        world_done();
        return fine;
    }
    unsigned left = urls_left();
    printf("seed %llu: %u requests, the last at %.1f s, %u worker deaths, %u blocks, %llu events, "
           "%u URLs left\n",
           (unsigned long long)seed, w.requests, (double)last_ns / 1e9, w.deaths, w.blocks,
           (unsigned long long)w.order, left);
    ck_assert_msg(!w.wrong[0], "seed %llu: %s", (unsigned long long)seed, w.wrong);
    ck_assert_msg(!left, "seed %llu: %u URLs stall", (unsigned long long)seed, left);
    for (uint32_t i = 0; i < w.hosts.count; i++) {
        const struct host *host = w.hosts.by_id[i];
        ck_assert_uint_eq(host->act + host->unsent + host->free_act, 0);
        ck_assert_uint_eq(host->connections, 0);
    }
    world_done();
    return true;
}

START_TEST(no_gap_no_connection_and_no_turn_is_lost)
{
    const char *seed = getenv("GRANTS_SEED");
    if (seed)
        play(strtoull(seed, NULL, 10), RULE_NONE);
    for (uint64_t i = 1; !seed && i <= 24; i++)
        play(i, RULE_NONE);
}
END_TEST

START_TEST(no_rule_about_429_can_be_left_out)
{
    for (int rule = RULE_NONE + 1; rule < RULE_COUNT; rule++) {
        uint64_t seed = 1;
        while (seed <= 40 && play(seed, (enum rule)rule))
            seed++;
        printf("without rule %d: seed %llu\n", rule, (unsigned long long)seed);
        ck_assert_msg(seed <= 40, "nothing goes wrong without rule %d", rule);
    }
}
END_TEST

UNIT_TESTS("grants", no_gap_no_connection_and_no_turn_is_lost, no_rule_about_429_can_be_left_out)
