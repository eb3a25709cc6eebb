/* SPDX-License-Identifier: MIT */
/* Where hosts wait, and the walk that takes them from there: hosts_pick().
 *
 *      roomy group ─▶ its first waiting host ─┐
 *      ready list  ─▶ its first ──────────────┴▶ host_next() ─▶ to the caller, or where it has to
 * wait ▲ └── one sleeping host of an open source for each host looked at
 *
 * A host that is in no list has something under way that will wake it. */
#include "daemon/frontier/hosts_impl.h"

#define PICK_MOST 64   /* hosts looked at in one call */
#define TICK_MOST 1024 /* hosts moved in one call */

/* ---- moving ---- */

void host_move(struct hosts *h, struct host *host, enum host_place place, struct list *list)
{
    enum host_place from = host->place;
    heap_remove(&h->times, &host->heap_index);
    list_del(&host->link);
    h->in_place[from]--;
    h->in_place[place]++;
    host->place = (uint8_t)place;
    if (list)
        list_add_tail(list, &host->link);
    if (from == HOST_AT_GROUP)
        group_look(h, host->group);
}

void host_move_timed(struct hosts *h, struct host *host, enum host_place place, int64_t due_ns)
{
    host_move(h, host, place, NULL);
    heap_set(&h->times, &host->heap_index, due_ns);
}

/* One in its address's line keeps its place there, unless it has got a connection to go on with. */
void hosts_wake(struct hosts *h, struct host *host)
{
    if (host->place == HOST_READY || !host->queues || (host->place == HOST_AT_GROUP && !host->idle))
        return;
    host_move(h, host, HOST_READY, &h->ready);
}

void hosts_wake_some(struct hosts *h, struct list *list, size_t most)
{
    for (; most && !list_empty(list); most--)
        host_move(h, list_of(list->next, struct host, link), HOST_READY, &h->ready);
}

void hosts_wake_all(struct hosts *h, struct list *list)
{
    hosts_wake_some(h, list, SIZE_MAX);
}

void host_park(struct hosts *h, struct host *host, struct list *list, enum host_place place)
{
    host_move(h, host, place, list);
}

int64_t hosts_tick(struct hosts *h, int64_t now_ns)
{
    for (unsigned n = 0; n < TICK_MOST && heap_due(&h->times) <= now_ns; n++)
        host_move(h, list_of(heap_first(&h->times), struct host, heap_index), HOST_READY,
                  &h->ready);
    int64_t group_ns = groups_tick(h, now_ns), block_ns = blocks_tick(h, now_ns);
    int64_t host_ns = heap_due(&h->times);
    host_ns = group_ns < host_ns ? group_ns : host_ns;
    return block_ns < host_ns ? block_ns : host_ns;
}

/* ---- sources that open and close ---- */

void source_init(struct source *s, const struct pace *pace)
{
    *s = (struct source){.pace = *pace};
    list_init(&s->queues);
    list_init(&s->asleep);
    list_init(&s->awake);
    list_init(&s->given_up);
}

void source_open(struct hosts *h, struct source *s, bool open)
{
    s->open = open;
    list_del(&s->awake);
    if (open && !list_empty(&s->asleep))
        list_add_tail(&h->awake, &s->awake);
}

struct hostq *source_busy(struct source *s)
{
    while (s->queued_count) {
        struct list *from = !list_empty(&s->given_up) ? &s->given_up
                            : !list_empty(&s->asleep) ? &s->asleep
                                                      : &s->queues;
        struct hostq *q = list_of(from->next, struct hostq, link);
        if (!hostq_empty(q))
            return q;
        q->given_up = false;
        list_del(&q->link);
        list_add_tail(&s->queues, &q->link);
    }
    return NULL;
}

void hostq_give_up(struct hosts *h, struct hostq *q)
{
    q->given_up = true;
    list_del(&q->link);
    list_add_tail(&q->source->given_up, &q->link);
    hosts_wake(h, q->host);
}

struct hostq *source_given_up(struct hosts *h, struct source *s)
{
    while (!list_empty(&s->given_up)) {
        struct hostq *q = list_of(s->given_up.next, struct hostq, link);
        if (!hostq_empty(q))
            return q;
        q->given_up = false;
        list_del(&q->link);
        list_add_tail(&s->queues, &q->link);
        hosts_wake(h, q->host);
    }
    return NULL;
}

/* All its queues with URLs are of closed sources; whichever opens first wakes it. */
static void fall_asleep(struct hosts *h, struct host *host)
{
    host_move(h, host, HOST_STALLED, NULL);
    for (struct hostq *q = host->queues; q; q = q->next) {
        if (hostq_empty(q) || q->given_up)
            continue;
        list_del(&q->link);
        list_add_tail(&q->source->asleep, &q->link);
    }
}

static void wake_sleeper(struct hosts *h)
{
    struct source *s = list_of(h->awake.next, struct source, awake);
    list_del(&s->awake);
    if (list_empty(&s->asleep))
        return;
    struct hostq *q = list_of(s->asleep.next, struct hostq, link);
    list_del(&q->link);
    list_add_tail(&s->queues, &q->link);
    if (q->host->place == HOST_STALLED)
        hosts_wake(h, q->host);
    list_add_tail(&h->awake, &s->awake);
}

/* ---- picking ---- */

/* Its address is full: into the line, or it stays there. */
static struct host *wait_for_group(struct hosts *h, struct host *host)
{
    struct host_group *g = host->group;
    if (host->place == HOST_AT_GROUP)
        group_seen(g);
    else
        host_move(h, host, HOST_AT_GROUP, &g->waiting);
    struct host *other = g->held_ns ? NULL : group_idle(g);
    if (other)
        host_set_idle(other, 0);
    return other;
}

/* The host that needs something of the caller, if so. */
static struct host *settle(struct hosts *h, struct host *host, int64_t now_ns,
                           struct hostq **ret_queue, enum host_verdict *ret_what)
{
    int64_t at_ns = 0;
    *ret_what = host_next(host, now_ns, &at_ns, ret_queue);
    switch (*ret_what) {
    case HOST_NOW:
    case HOST_RESOLVE:
    case HOST_UNBIND:
    case HOST_GIVE_UP:
        host_move(h, host, HOST_NOWHERE, NULL);
        return host;
    case HOST_AT:
        host_move_timed(h, host, HOST_TIMED, at_ns);
        return NULL;
    case HOST_BLOCKED:
        host_move_timed(h, host, HOST_BLOCKED_TILL, at_ns);
        return NULL;
    case HOST_CLOSED:
        fall_asleep(h, host);
        return NULL;
    case HOST_ADDRESS:
        return wait_for_group(h, host);
    case HOST_EMPTY:
    case HOST_BUSY:
    case HOST_FULL:
        break;
    }
    host_move(h, host, HOST_NOWHERE, NULL);
    return NULL;
}

struct host *hosts_pick(struct hosts *h, int64_t now_ns, struct hostq **ret_queue,
                        enum host_verdict *ret_what)
{
    for (unsigned n = 0; n < PICK_MOST; n++) {
        if (!list_empty(&h->awake))
            wake_sleeper(h);
        struct host *host = groups_first(h);
        if (!host && !list_empty(&h->ready))
            host = list_of(h->ready.next, struct host, link);
        if (host)
            host = settle(h, host, now_ns, ret_queue, ret_what);
        else if (list_empty(&h->awake)) {
            *ret_what = HOST_EMPTY;
            return NULL;
        }
        if (host)
            return host;
    }
    *ret_what = HOST_BUSY;
    return NULL;
}
