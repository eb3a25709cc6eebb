/* SPDX-License-Identifier: MIT */
/* The collection of hosts and their queues. Hosts are found by name and, in messages, by number;
 * they are never forgotten while the daemon runs, for the clock's sake. */
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <xxhash.h>

#include "common/xalloc.h"
#include "daemon/frontier/hosts_impl.h"

#define BY_ID_FIRST 1024
#define BOUND_FIRST 1024

static uint64_t name_hash(const struct table_node *node, uint64_t seed)
{
    const struct host *host = (const struct host *)node;
    return XXH3_64bits_withSeed(host->name, host->name_len, seed);
}

static uint64_t address_hash(const struct table_node *node, uint64_t seed)
{
    return XXH3_64bits_withSeed(((const struct host_group *)node)->address, 16, seed);
}

void hosts_init(struct hosts *h, int64_t now_ns)
{
    uint64_t seed = (uint64_t)now_ns;
    if (getrandom(&seed, sizeof seed, 0) < 0)
        seed ^= (uintptr_t)h;
    *h = (struct hosts){.start_ns = now_ns};
    table_init(&h->names, name_hash, seed);
    table_init(&h->groups, address_hash, seed);
    list_init(&h->ready);
    list_init(&h->roomy);
    list_init(&h->held);
    list_init(&h->awake);
    list_init(&h->changed);
    h->chance = seed;
    slab_init(&h->queue_slab, sizeof(struct hostq));
    slab_init(&h->hop_slab, sizeof(struct hop));
}

void hop_free(struct hosts *h, struct hop *hop)
{
    if (!hop)
        return;
    for (unsigned i = 0; i < hop->count; i++)
        free(hop->chain[i]);
    free(hop->chain);
    slab_put(&h->hop_slab, hop);
}

static void hostq_clear(struct hosts *h, struct hostq *q)
{
    while (!list_empty(&q->hops)) {
        struct hop *hop = list_of(q->hops.next, struct hop, link);
        list_del(&hop->link);
        hop_free(h, hop);
    }
    queue_done(&q->entries);
}

void hosts_done(struct hosts *h)
{
    for (uint32_t i = 0; i < h->count; i++) {
        struct host *host = h->by_id[i];
        for (struct hostq *q = host->queues; q; q = q->next)
            hostq_clear(h, q);
        free(host->block);
        free(host);
    }
    for (uint32_t i = 0; i < h->groups.count; i++)
        for (struct table_node *g = h->groups.chains[i], *next; g; g = next) {
            next = g->next;
            free(g);
        }
    table_done(&h->names);
    table_done(&h->groups);
    free(h->by_id);
    heap_done(&h->times);
    heap_done(&h->block_times);
    slab_done(&h->queue_slab);
    slab_done(&h->hop_slab);
    *h = (struct hosts){0};
}

/* ---- queues ---- */

struct hostq *host_queue(struct hosts *h, struct host *host, struct source *source)
{
    for (struct hostq *q = host->queues; q; q = q->next)
        if (q->source == source)
            return q;
    struct hostq *q = slab_get(&h->queue_slab);
    q->host = host;
    q->source = source;
    list_init(&q->hops);
    list_add_tail(&source->queues, &q->link);
    q->next = host->queues;
    host->queues = q;
    source->blocked_count += host->block && host->block->counted != BLOCK_NONE;
    return q;
}

/* A host that waits for something has URLs already: one more changes nothing, but that a job which
 * comes may give a blocked host up earlier. */
static void pushed(struct hosts *h, struct hostq *q, bool first)
{
    enum host_place place = q->host->place;
    q->source->queued_count++;
    if (place == HOST_NOWHERE || place == HOST_STALLED || (place == HOST_BLOCKED_TILL && first))
        hosts_wake(h, q->host);
}

void hosts_push_new(struct hosts *h, struct hostq *q, uint64_t entry, int64_t now_ns)
{
    if (hostq_empty(q))
        q->since_s = (uint32_t)(now_ns / NS_PER_S) & INT32_MAX;
    hosts_push(h, q, entry);
}

void hosts_push(struct hosts *h, struct hostq *q, uint64_t entry)
{
    bool first = hostq_empty(q);
    queue_push(&q->entries, entry);
    pushed(h, q, first);
}

void hosts_push_front(struct hosts *h, struct hostq *q, uint64_t entry)
{
    bool first = hostq_empty(q);
    queue_push_front(&q->entries, entry);
    pushed(h, q, first);
}

void hosts_push_hop(struct hosts *h, struct hostq *q, struct hop *take_hop)
{
    bool first = hostq_empty(q);
    list_add_tail(&q->hops, &take_hop->link);
    pushed(h, q, first);
}

/* The next job's turn. */
static void rotate(struct hostq *q)
{
    struct hostq **p = &q->host->queues;
    while (*p != q)
        p = &(*p)->next;
    *p = q->next;
    while (*p)
        p = &(*p)->next;
    *p = q;
    q->next = NULL;
}

struct hop *hostq_take(struct hostq *q, uint64_t *ret_entry)
{
    struct hop *hop = list_of(q->hops.next, struct hop, link);
    q->source->queued_count--;
    if (q->next)
        rotate(q);
    if (list_empty(&q->hops) || (hop->last && !queue_empty(&q->entries))) {
        *ret_entry = queue_pop(&q->entries);
        return NULL;
    }
    list_del(&hop->link);
    *ret_entry = hop->entry;
    return hop;
}

/* Without this job the host may have other limits, or nothing left to wait for. */
static void hostq_forget(struct hosts *h, struct hostq *q)
{
    struct host *host = q->host;
    struct hostq **p = &host->queues;
    while (*p != q)
        p = &(*p)->next;
    *p = q->next;
    list_del(&q->link);
    q->source->blocked_count -= host->block && host->block->counted != BLOCK_NONE;
    hostq_clear(h, q);
    slab_put(&h->queue_slab, q);
    if (host->queues)
        host_move(h, host, HOST_READY, &h->ready);
    else
        host_move(h, host, HOST_NOWHERE, NULL);
}

bool hosts_forget(struct hosts *h, struct source *s, size_t most)
{
    for (; most; most--) {
        struct list *from = !list_empty(&s->given_up) ? &s->given_up
                            : !list_empty(&s->asleep) ? &s->asleep
                                                      : &s->queues;
        if (list_empty(from))
            break;
        hostq_forget(h, list_of(from->next, struct hostq, link));
    }
    if (!list_empty(&s->given_up) || !list_empty(&s->asleep) || !list_empty(&s->queues))
        return false;
    list_del(&s->awake);
    s->queued_count = 0;
    return true;
}

/* ---- finding ---- */

struct host *hosts_find(const struct hosts *h, const char *name, size_t len)
{
    struct table_node *node =
        table_chain(&h->names, XXH3_64bits_withSeed(name, len, h->names.seed));
    for (; node; node = node->next) {
        struct host *host = (struct host *)node;
        if (host->name_len == len && !memcmp(host->name, name, len))
            return host;
    }
    return NULL;
}

struct host *hosts_by_id(const struct hosts *h, uint32_t id)
{
    return id < h->count ? h->by_id[id] : NULL;
}

struct host *hosts_get(struct hosts *h, const char *name, size_t len, const uint8_t *address)
{
    if (len > HOST_NAME_MAX_BYTES)
        len = HOST_NAME_MAX_BYTES;
    struct host *host = hosts_find(h, name, len);
    if (host)
        return host;
    if (h->count == h->by_id_room) {
        h->by_id_room = h->by_id_room ? h->by_id_room * 2 : BY_ID_FIRST;
        h->by_id = xrealloc(h->by_id, h->by_id_room * sizeof *h->by_id);
    }
    size_t bytes = offsetof(struct host, name) + len;
    host = xcalloc(1, bytes > sizeof *host ? bytes : sizeof *host);
    host->id = h->count;
    host->worker = host->listed = -1;
    host->last_ns = h->start_ns + HOST_LINGER_NS;
    host->name_len = (uint8_t)len;
    memcpy(host->name, name, len);
    list_init(&host->link);
    list_init(&host->member);
    h->in_place[HOST_NOWHERE]++;
    h->by_id[h->count++] = host;
    table_add(&h->names, &host->node);
    if (address)
        host_address(h, host, address);
    return host;
}

/* ---- bound to a worker ---- */

/* Those that stay are at most as many as a worker has leases and connections. One that was another
 * worker's meanwhile may be there twice: `listed` is -1 from its first time on. */
static void bound_sweep(struct hosts *h, struct bound *b, int slot)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < b->count; i++) {
        struct host *host = h->by_id[b->ids[i]];
        if (host->listed != slot)
            continue;
        if (host->worker == slot && host_bound(host))
            b->ids[kept++] = host->id;
        host->listed = -1;
    }
    for (b->count = 0; b->count < kept; b->count++)
        h->by_id[b->ids[b->count]]->listed = (int16_t)slot;
}

void host_bind(struct hosts *h, struct host *host, int slot, struct bound *b)
{
    host->worker = (int16_t)slot;
    if (host->listed == slot)
        return;
    if (b->count == b->room) {
        bound_sweep(h, b, slot);
        if (b->count >= b->room / 2) {
            b->room = b->room ? b->room * 2 : BOUND_FIRST;
            b->ids = xrealloc(b->ids, b->room * sizeof *b->ids);
        }
    }
    host->listed = (int16_t)slot;
    b->ids[b->count++] = host->id;
}

void bound_died(struct hosts *h, struct bound *b, int slot, int64_t now_ns)
{
    for (uint32_t i = 0; i < b->count; i++) {
        struct host *host = h->by_id[b->ids[i]];
        if (host->listed == slot)
            host->listed = -1;
        if (host->worker == slot && host_bound(host))
            host_worker_died(h, host, now_ns);
    }
    b->count = 0;
}

void bound_done(struct bound *b)
{
    free(b->ids);
    *b = (struct bound){0};
}
