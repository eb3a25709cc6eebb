/* SPDX-License-Identifier: MIT */
/* The collection of hosts: two hash tables (names, addresses), a heap of those that wait for a
 * time, the ready list, and the one function that moves a host from place to place. */
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "common/xalloc.h"
#include "daemon/frontier/host.h"

#define TABLE_FIRST 1024

void hosts_init(struct hosts *h, int64_t now_ns)
{
    *h = (struct hosts){.start_ns = now_ns};
    list_init(&h->ready);
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
    list_each_safe(it, next, &q->hops) hop_free(h, list_of(it, struct hop, link));
    queue_done(&q->entries);
}

void hosts_done(struct hosts *h)
{
    for (uint32_t i = 0; i < h->count; i++) {
        struct host *host = h->by_id[i];
        for (struct hostq *q = host->queues; q; q = q->next)
            hostq_clear(h, q);
        free(host);
    }
    for (uint32_t i = 0; i < h->groups_size; i++)
        for (struct host_group *g = h->groups[i], *next; g; g = next) {
            next = g->next;
            free(g);
        }
    free(h->groups);
    free(h->table);
    free(h->by_id);
    free(h->heap);
    slab_done(&h->queue_slab);
    slab_done(&h->hop_slab);
    *h = (struct hosts){0};
}

/* ---- the heap, by due_ns; index 0 is not used ---- */

static void heap_set(struct hosts *h, uint32_t i, struct host *host)
{
    h->heap[i] = host;
    host->heap_index = i;
}

static void heap_up(struct hosts *h, uint32_t i, struct host *host)
{
    for (; i > 1 && h->heap[i / 2]->due_ns > host->due_ns; i /= 2)
        heap_set(h, i, h->heap[i / 2]);
    heap_set(h, i, host);
}

static void heap_down(struct hosts *h, uint32_t i, struct host *host)
{
    for (uint32_t child; (child = i * 2) <= h->heap_count; i = child) {
        if (child < h->heap_count && h->heap[child + 1]->due_ns < h->heap[child]->due_ns)
            child++;
        if (h->heap[child]->due_ns >= host->due_ns)
            break;
        heap_set(h, i, h->heap[child]);
    }
    heap_set(h, i, host);
}

static void heap_add(struct hosts *h, struct host *host)
{
    if (h->heap_count + 1 >= h->heap_size) {
        h->heap_size = h->heap_size ? h->heap_size * 2 : 64;
        h->heap = xrealloc(h->heap, h->heap_size * sizeof *h->heap);
    }
    heap_up(h, ++h->heap_count, host);
}

static void heap_remove(struct hosts *h, struct host *host)
{
    uint32_t i = host->heap_index;
    struct host *last = h->heap[h->heap_count--];
    host->heap_index = 0;
    if (last == host)
        return;
    if (i > 1 && h->heap[i / 2]->due_ns > last->due_ns)
        heap_up(h, i, last);
    else
        heap_down(h, i, last);
}

/* ---- places ---- */

/* The one function that moves a host. `list` NULL: HOST_NOWHERE or HOST_TIMED. */
static void move(struct hosts *h, struct host *host, enum host_place place, struct list *list)
{
    if (host->place == HOST_TIMED)
        heap_remove(h, host);
    list_del(&host->link);
    host->place = (uint8_t)place;
    if (place == HOST_TIMED)
        heap_add(h, host);
    else if (list)
        list_add_tail(list, &host->link);
}

void hosts_wake(struct hosts *h, struct host *host)
{
    if (host->place != HOST_READY && host->queues)
        move(h, host, HOST_READY, &h->ready);
}

void hosts_wake_all(struct hosts *h, struct list *list)
{
    while (!list_empty(list))
        move(h, list_of(list->next, struct host, link), HOST_READY, &h->ready);
}

void host_park(struct hosts *h, struct host *host, struct list *list, enum host_place place)
{
    move(h, host, place, list);
}

int64_t hosts_tick(struct hosts *h, int64_t now_ns)
{
    while (h->heap_count && h->heap[1]->due_ns <= now_ns)
        move(h, h->heap[1], HOST_READY, &h->ready);
    return h->heap_count ? h->heap[1]->due_ns : INT64_MAX;
}

/* A host of the full address that could give an idle connection away. */
static struct host *idle_member(struct host *host)
{
    list_each(it, &host->group->members)
    {
        struct host *other = list_of(it, struct host, member);
        if (other != host && other->idle)
            return other;
    }
    return NULL;
}

struct host *hosts_pick(struct hosts *h, int64_t now_ns, struct hostq **ret_queue,
                        enum host_verdict *ret_what)
{
    while (!list_empty(&h->ready)) {
        struct host *host = list_of(h->ready.next, struct host, link), *other;
        int64_t at_ns = 0;
        enum host_verdict v = host_next(host, now_ns, &at_ns, ret_queue);
        *ret_what = v;
        switch (v) {
        case HOST_NOW:
        case HOST_RESOLVE:
        case HOST_UNBIND:
            move(h, host, HOST_NOWHERE, NULL);
            return host;
        case HOST_AT:
            host->due_ns = at_ns;
            move(h, host, HOST_TIMED, NULL);
            break;
        case HOST_CLOSED:
            move(h, host, HOST_STALLED, &(*ret_queue)->source->stalled);
            break;
        case HOST_ADDRESS:
            move(h, host, HOST_AT_GROUP, &host->group->waiting);
            other = idle_member(host);
            if (other) {
                other->idle = 0;
                return other;
            }
            break;
        case HOST_EMPTY:
        case HOST_BUSY:
        case HOST_FULL:
            move(h, host, HOST_NOWHERE, NULL);
            break;
        }
    }
    return NULL;
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
    return q;
}

void hosts_push(struct hosts *h, struct hostq *q, uint64_t entry)
{
    queue_push(&q->entries, entry);
    q->source->queued_count++;
    hosts_wake(h, q->host);
}

void hosts_push_front(struct hosts *h, struct hostq *q, uint64_t entry)
{
    queue_push_front(&q->entries, entry);
    q->source->queued_count++;
    hosts_wake(h, q->host);
}

void hosts_push_hop(struct hosts *h, struct hostq *q, struct hop *take_hop)
{
    list_add_tail(&q->hops, &take_hop->link);
    q->source->queued_count++;
    hosts_wake(h, q->host);
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
    q->source->queued_count--;
    if (q->next)
        rotate(q);
    if (list_empty(&q->hops)) {
        *ret_entry = queue_pop(&q->entries);
        return NULL;
    }
    struct hop *hop = list_of(q->hops.next, struct hop, link);
    list_del(&hop->link);
    *ret_entry = hop->entry;
    return hop;
}

bool hosts_forget(struct hosts *h, struct source *s, size_t most)
{
    while (most-- && !list_empty(&s->queues)) {
        struct hostq *q = list_of(s->queues.next, struct hostq, link), **p = &q->host->queues;
        struct host *host = q->host;
        while (*p != q)
            p = &(*p)->next;
        *p = q->next;
        list_del(&q->link);
        hostq_clear(h, q);
        slab_put(&h->queue_slab, q);
        if (host->place == HOST_STALLED)
            move(h, host, HOST_NOWHERE, NULL);
        hosts_wake(h, host);
    }
    return list_empty(&s->queues);
}

/* ---- tables ---- */

static void table_grow(struct hosts *h)
{
    uint32_t size = h->table_size ? h->table_size * 2 : TABLE_FIRST;
    struct host **table = xcalloc(size, sizeof *table);
    for (uint32_t i = 0; i < h->count; i++) {
        struct host *host = h->by_id[i];
        struct host **slot = &table[XXH3_64bits(host->name, host->name_len) & (size - 1)];
        host->next = *slot;
        *slot = host;
    }
    free(h->table);
    h->table = table;
    h->table_size = size;
}

struct host *hosts_find(const struct hosts *h, const char *name, size_t len)
{
    if (!h->table_size)
        return NULL;
    struct host *host = h->table[XXH3_64bits(name, len) & (h->table_size - 1)];
    while (host && (host->name_len != len || memcmp(host->name, name, len)))
        host = host->next;
    return host;
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
    if (h->count == h->by_id_size) {
        h->by_id_size = h->by_id_size ? h->by_id_size * 2 : TABLE_FIRST;
        h->by_id = xrealloc(h->by_id, h->by_id_size * sizeof *h->by_id);
    }
    host = xcalloc(1, sizeof *host + len);
    host->id = h->count;
    host->worker = -1;
    host->last_ns = h->start_ns + HOST_LINGER_NS;
    host->name_len = (uint8_t)len;
    memcpy(host->name, name, len);
    list_init(&host->link);
    list_init(&host->member);
    h->by_id[h->count++] = host;
    if (h->count > h->table_size)
        table_grow(h);
    else {
        struct host **slot = &h->table[XXH3_64bits(name, len) & (h->table_size - 1)];
        host->next = *slot;
        *slot = host;
    }
    if (address)
        host_address(h, host, address);
    return host;
}

static void groups_grow(struct hosts *h)
{
    uint32_t size = h->groups_size ? h->groups_size * 2 : TABLE_FIRST;
    struct host_group **groups = xcalloc(size, sizeof *groups);
    for (uint32_t i = 0; i < h->groups_size; i++)
        for (struct host_group *g = h->groups[i], *next; g; g = next) {
            next = g->next;
            struct host_group **slot = &groups[XXH3_64bits(g->address, 16) & (size - 1)];
            g->next = *slot;
            *slot = g;
        }
    free(h->groups);
    h->groups = groups;
    h->groups_size = size;
}

void host_address(struct hosts *h, struct host *host, const uint8_t address[16])
{
    host->asked = false;
    host->known = true;
    if (h->groups_count >= h->groups_size)
        groups_grow(h);
    struct host_group **slot = &h->groups[XXH3_64bits(address, 16) & (h->groups_size - 1)];
    struct host_group *g = *slot;
    while (g && memcmp(g->address, address, 16))
        g = g->next;
    if (!g) {
        g = xcalloc(1, sizeof *g);
        memcpy(g->address, address, 16);
        list_init(&g->waiting);
        list_init(&g->members);
        g->next = *slot;
        *slot = g;
        h->groups_count++;
    }
    if (host->group != g) {
        if (host->group)
            host->group->connections -= host->connections;
        g->connections += host->connections;
        list_del(&host->member);
        list_add_tail(&g->members, &host->member);
        host->group = g;
    }
    hosts_wake(h, host);
}
