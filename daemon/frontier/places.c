/* SPDX-License-Identifier: MIT */
/* Where hosts wait, and the walk that takes them from there: hosts_pick().
 *
 *      roomy group ─▶ its first waiting host ─┐
 *      ready list  ─▶ its first ──────────────┴▶ host_next() ─▶ to the caller, or where it has to
 * wait ▲ └── one sleeping host of an open source for each host looked at
 *
 * A host that is in no list has something under way that will wake it. */
#include "common/xalloc.h"
#include "daemon/frontier/hosts_impl.h"

#define PICK_MOST 64   /* hosts looked at in one call */
#define TICK_MOST 1024 /* hosts moved in one call */

/* ---- the heap, by due_ns; index 0 is not used ---- */

static void heap_set(struct hosts *h, uint32_t i, struct host_timer t)
{
    h->heap[i] = t;
    t.host->heap_index = i;
}

static void heap_up(struct hosts *h, uint32_t i, struct host_timer t)
{
    for (; i > 1 && h->heap[i / 2].due_ns > t.due_ns; i /= 2)
        heap_set(h, i, h->heap[i / 2]);
    heap_set(h, i, t);
}

static void heap_down(struct hosts *h, uint32_t i, struct host_timer t)
{
    for (uint32_t child; (child = i * 2) <= h->heap_count; i = child) {
        if (child < h->heap_count && h->heap[child + 1].due_ns < h->heap[child].due_ns)
            child++;
        if (h->heap[child].due_ns >= t.due_ns)
            break;
        heap_set(h, i, h->heap[child]);
    }
    heap_set(h, i, t);
}

static void heap_add(struct hosts *h, struct host_timer t)
{
    if (h->heap_count + 1 >= h->heap_room) {
        h->heap_room = h->heap_room ? h->heap_room * 2 : 64;
        h->heap = xrealloc(h->heap, h->heap_room * sizeof *h->heap);
    }
    heap_up(h, ++h->heap_count, t);
}

static void heap_remove(struct hosts *h, struct host *host)
{
    uint32_t i = host->heap_index;
    struct host_timer last = h->heap[h->heap_count--];
    host->heap_index = 0;
    if (last.host == host)
        return;
    if (i > 1 && h->heap[i / 2].due_ns > last.due_ns)
        heap_up(h, i, last);
    else
        heap_down(h, i, last);
}

/* ---- moving ---- */

void host_move(struct hosts *h, struct host *host, enum host_place place, struct list *list)
{
    enum host_place from = host->place;
    if (from == HOST_TIMED)
        heap_remove(h, host);
    list_del(&host->link);
    host->place = (uint8_t)place;
    if (list)
        list_add_tail(list, &host->link);
    if (from == HOST_AT_GROUP)
        group_look(h, host->group);
}

void host_move_timed(struct hosts *h, struct host *host, int64_t due_ns)
{
    host_move(h, host, HOST_TIMED, NULL);
    heap_add(h, (struct host_timer){due_ns, host});
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
    for (unsigned n = 0; n < TICK_MOST && h->heap_count && h->heap[1].due_ns <= now_ns; n++)
        host_move(h, h->heap[1].host, HOST_READY, &h->ready);
    int64_t group_ns = groups_tick(h, now_ns);
    int64_t host_ns = h->heap_count ? h->heap[1].due_ns : INT64_MAX;
    return group_ns < host_ns ? group_ns : host_ns;
}

/* ---- sources that open and close ---- */

void source_init(struct source *s, const struct pace *pace)
{
    *s = (struct source){.pace = *pace};
    list_init(&s->queues);
    list_init(&s->asleep);
    list_init(&s->awake);
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
        struct list *from = list_empty(&s->asleep) ? &s->queues : &s->asleep;
        struct hostq *q = list_of(from->next, struct hostq, link);
        if (!hostq_empty(q))
            return q;
        list_del(&q->link);
        list_add_tail(&s->queues, &q->link);
    }
    return NULL;
}

/* All its queues with URLs are of closed sources; whichever opens first wakes it. */
static void fall_asleep(struct hosts *h, struct host *host)
{
    host_move(h, host, HOST_STALLED, NULL);
    for (struct hostq *q = host->queues; q; q = q->next) {
        if (hostq_empty(q))
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
        host_move(h, host, HOST_NOWHERE, NULL);
        return host;
    case HOST_AT:
        host_move_timed(h, host, at_ns);
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
