/* SPDX-License-Identifier: MIT */
/* A handshake is milliseconds of CPU, so two things are bounded. How many are under way: a server
 * gives up on a client that goes silent because it has five thousand others to answer. And how long
 * the loop is away with them: SECURE_TURN_NS per turn, first come first served; whoever had no turn
 * is not watched meanwhile, so that waiting costs nothing.
 *
 * Slots follow what was measured. When handshakes took most of a second's CPU, there are as many as
 * would have been finished in a whole second; when they took little and some waited all the same,
 * the net is slow and there are twice as many.
 *
 *      vanguard of an origin ──┬── first one ──▶ session known: all follow
 *                              └── it failed ──▶ the next go ahead, twice as many */
#include "daemon/fetch/secure.h"

#include <stdlib.h>

#include "common/clock.h"
#include "common/xalloc.h"
#include "daemon/fetch/machine.h"

#define SATURATED_NS (NS_PER_S / 2) /* of CPU in a second */

int secures_init(struct secures *s, const char *ca_file)
{
    slab_init(&s->slab, sizeof(struct secure));
    list_init(&s->waiting);
    list_init(&s->ready);
    for (int i = 0; i < SECURE_BUCKETS; i++)
        list_init(&s->vanguards[i]);
    s->slots = SECURE_SLOTS_INIT;
    s->since_ns = clock_mono_ns();
    return tls_new(ca_file, &s->tls);
}

void secures_done(struct secures *s)
{
    tls_free(s->tls);
    slab_done(&s->slab);
}

struct secure *secure_new(struct fetch *f)
{
    struct secure *s = slab_get(&f->machine->secures.slab);
    s->fetch = f;
    list_init(&s->link);
    return s;
}

static struct secures *all_of(const struct secure *s)
{
    return &s->fetch->machine->secures;
}

static void wait_in(struct secure *s, struct list *where)
{
    fetch_stop_clock(s->fetch);
    s->stopped_ns = clock_mono_ns();
    list_add_tail(where, &s->link);
}

static void queue_up(struct secure *s, struct list *where)
{
    wait_in(s, where);
    s->queued = true;
    all_of(s)->waiting_count++;
}

static void leave_queue(struct secure *s)
{
    list_del(&s->link);
    all_of(s)->waiting_count -= s->queued;
    s->queued = false;
}

/* It waits no longer. */
static void go_on(struct secure *s)
{
    leave_queue(s);
    if (s->stopped_ns)
        fetch_go_clock(s->fetch, s->stopped_ns);
    s->stopped_ns = 0;
}

/* ---- the first of an origin ---- */

static struct vanguard *find_vanguard(struct secures *all, uint64_t origin)
{
    list_each(it, &all->vanguards[origin % SECURE_BUCKETS])
    {
        struct vanguard *v = list_of(it, struct vanguard, bucket);
        if (v->origin == origin)
            return v;
    }
    struct vanguard *v = xcalloc(1, sizeof *v);
    v->origin = origin;
    v->most = 1;
    list_init(&v->followers);
    list_add_head(&all->vanguards[origin % SECURE_BUCKETS], &v->bucket);
    return v;
}

/* True: it may go, ahead of the others or because there is nothing to wait for. */
static bool go_ahead(struct secure *s)
{
    struct secures *all = all_of(s);
    uint64_t origin = s->fetch->origin;
    if (s->vanguard || tls_known(all->tls, origin) != TLS_UNKNOWN)
        return true;
    struct vanguard *v = find_vanguard(all, origin);
    if (v->count < v->most) {
        v->count++;
        s->vanguard = v;
        return true;
    }
    queue_up(s, &v->followers);
    return false;
}

/* Followers queue up for slots: all, or as many as may go ahead now. */
static void let_follow(struct secures *all, struct vanguard *v, bool everyone)
{
    while (!list_empty(&v->followers) && (everyone || v->count < v->most)) {
        struct secure *s = list_of(v->followers.next, struct secure, link);
        list_del(&s->link);
        list_add_tail(&all->waiting, &s->link);
        if (everyone)
            continue;
        s->vanguard = v;
        v->count++;
    }
}

/* It does not go ahead any more. */
static void leave_vanguard(struct secure *s)
{
    struct secures *all = all_of(s);
    struct vanguard *v = s->vanguard;
    if (!v)
        return;
    bool known = tls_known(all->tls, v->origin) != TLS_UNKNOWN;
    s->vanguard = NULL;
    v->count--;
    if (!known)
        v->most = v->most < SECURE_SLOTS_MAX ? 2 * v->most : v->most;
    let_follow(all, v, known);
    if (v->count || !list_empty(&v->followers))
        return;
    list_del(&v->bucket);
    free(v);
}

/* ---- slots ---- */

/* Idle connections make room. One may always go, else nothing would ever be given back. */
static bool has_memory(struct machine *m)
{
    const struct secures *all = &m->secures;
    while (all->busy + tls_count(all->tls)) {
        uint64_t coming = (uint64_t)(all->busy + 1) * TLS_CONN_BYTES;
        if (machine_memory(m) + coming <= m->conf.memory_max)
            return true;
        if (!pool_evict_secure(&m->pool))
            return false;
    }
    return true;
}

static bool take_slot(struct secure *s)
{
    struct secures *all = all_of(s);
    if (all->busy >= all->slots) {
        all->short_of_slots = true;
        return false;
    }
    if (!has_memory(s->fetch->machine))
        return false;
    s->slot = true;
    all->busy++;
    return true;
}

static void give_back_slot(struct secure *s)
{
    struct secures *all = all_of(s);
    if (!s->slot)
        return;
    s->slot = false;
    all->busy--;
    all->finished_count++;
}

bool secure_may_connect(struct secure *s)
{
    struct secures *all = all_of(s);
    if (s->slot)
        return true;
    if (!list_empty(&s->link) || !go_ahead(s))
        return false;
    if (list_empty(&all->waiting) && take_slot(s))
        return true;
    queue_up(s, &all->waiting);
    return false;
}

/* The first of those that wait: a connection that fell free serves as well as a slot. */
static bool let_on(struct machine *m)
{
    struct secures *all = &m->secures;
    struct secure *s = list_of(all->waiting.next, struct secure, link);
    struct fetch *f = s->fetch;
    bool kept = fetch_take_kept(f);
    if (!kept && !take_slot(s))
        return false;
    go_on(s);
    if (kept)
        fetch_detour(f, FETCH_SEND);
    else
        machine_drive(f);
    return true;
}

void secures_measure(struct machine *m)
{
    struct secures *all = &m->secures;
    int64_t now_ns = clock_mono_ns(), span_ns = now_ns - all->since_ns;
    uint64_t slots = all->slots;
    if (all->used_ns >= SATURATED_NS * span_ns / NS_PER_S && all->used_ns)
        slots = (uint64_t)all->finished_count * NS_PER_S / (uint64_t)all->used_ns;
    else if (all->short_of_slots)
        slots *= 2;
    all->slots = (unsigned)(slots < SECURE_SLOTS_MIN   ? SECURE_SLOTS_MIN
                            : slots > SECURE_SLOTS_MAX ? SECURE_SLOTS_MAX
                                                       : slots);
    all->since_ns = now_ns;
    all->used_ns = 0;
    all->finished_count = 0;
    all->short_of_slots = false;
    m->stats->value[STAT_TLS_SLOTS] = all->slots;
    m->stats->value[STAT_TLS_OPEN] = tls_count(all->tls);
    m->stats->value[STAT_TLS_WAITING] = all->waiting_count;
}

/* ---- turns ---- */

bool secure_is_turn(const struct secure *s)
{
    return s->fetch->machine->secures.turn == s;
}

void secure_want_turn(struct secure *s)
{
    if (!list_empty(&s->link))
        return;
    conn_pause(s->fetch->conn, s->fetch->machine->loop);
    wait_in(s, &all_of(s)->ready);
}

void secure_rest(struct secure *s)
{
    list_del(&s->link);
}

void secure_let_conn(struct secure *s)
{
    const struct tls_conn *tls = s->fetch->conn->tls;
    secure_rest(s);
    if (tls && !tls_info(tls)->version)
        s->fetch->machine->stats->value[STAT_TLS_FAILED]++;
}

/* True: more could go on now. */
static bool let_some_on(struct machine *m)
{
    struct secures *all = &m->secures;
    if (list_empty(&all->waiting))
        return false;
    int64_t end_ns = clock_mono_ns() + SECURE_TURN_NS / 2;
    while (!list_empty(&all->waiting)) {
        if (clock_mono_ns() >= end_ns)
            return true;
        if (!let_on(m))
            return false;
    }
    return false;
}

/* True: some had no turn. */
static bool give_turns(struct machine *m)
{
    struct secures *all = &m->secures;
    if (list_empty(&all->ready))
        return false;
    all->turn_end_ns = clock_mono_ns() + SECURE_TURN_NS;
    while (!list_empty(&all->ready)) {
        if (clock_mono_ns() >= all->turn_end_ns)
            return true;
        struct secure *s = list_of(all->ready.next, struct secure, link);
        go_on(s);
        conn_resume(s->fetch->conn, m->loop);
        all->turn = s;
        machine_drive(s->fetch);
        all->turn = NULL;
    }
    return false;
}

bool secures_turn(struct machine *m)
{
    bool more = let_some_on(m);
    return give_turns(m) || more;
}

void secure_shaken(struct secure *s)
{
    struct fetch *f = s->fetch;
    s->shaken_us = fetch_us(f);
    s->tls = *tls_info(f->conn->tls);
    f->machine->stats->value[s->tls.resumed ? STAT_TLS_RESUMED : STAT_TLS_FULL]++;
    give_back_slot(s);
    if (tls_known(all_of(s)->tls, f->origin) != TLS_UNKNOWN)
        leave_vanguard(s);
}

void secure_heard(struct secure *s, bool answered)
{
    struct secures *all = all_of(s);
    struct fetch *f = s->fetch;
    if (s->vanguard && answered && tls_known(all->tls, f->origin) == TLS_UNKNOWN)
        tls_no_session(all->tls, f->origin);
    if (s->vanguard && tls_known(all->tls, f->origin) != TLS_UNKNOWN)
        leave_vanguard(s);
    if (conn_pending(f->conn) && list_empty(&s->link))
        list_add_tail(&all->ready, &s->link);
}

void secure_free(struct secure *s)
{
    if (!s)
        return;
    struct secures *all = all_of(s);
    if (all->turn == s)
        all->turn = NULL;
    leave_queue(s);
    give_back_slot(s);
    leave_vanguard(s);
    slab_put(&all->slab, s);
}
