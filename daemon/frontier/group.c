/* SPDX-License-Identifier: MIT */
/* Addresses. Hosts that find one full wait in its line and keep their place there; whatever might
 * have made room (a connection closed, the first of the line left) puts the group into
 * hosts->roomy, and hosts_pick() then looks at the first of the line until that finds no room. New
 * hosts join the line if there is one. */
#include <string.h>
#include <xxhash.h>

#include "common/xalloc.h"
#include "daemon/frontier/hosts_impl.h"

struct host_group *group_get(struct hosts *h, const uint8_t address[16])
{
    uint64_t hash = XXH3_64bits_withSeed(address, 16, h->groups.seed);
    struct table_node *node = table_chain(&h->groups, hash);
    while (node && memcmp(((struct host_group *)node)->address, address, 16))
        node = node->next;
    if (node)
        return (struct host_group *)node;
    struct host_group *g = xcalloc(1, sizeof *g);
    memcpy(g->address, address, 16);
    list_init(&g->link);
    list_init(&g->waiting);
    list_init(&g->idle);
    table_add(&h->groups, &g->node);
    return g;
}

void group_look(struct hosts *h, struct host_group *g)
{
    if (g && !g->held_ns && list_empty(&g->link) && !list_empty(&g->waiting))
        list_add_tail(&h->roomy, &g->link);
}

void group_seen(struct host_group *g)
{
    if (!g->held_ns)
        list_del(&g->link);
}

void group_hold(struct hosts *h, struct host_group *g, int64_t until_ns)
{
    g->held_ns = until_ns;
    list_del(&g->link);
    list_add_tail(&h->held, &g->link);
}

int64_t groups_tick(struct hosts *h, int64_t now_ns)
{
    while (!list_empty(&h->held)) {
        struct host_group *g = list_of(h->held.next, struct host_group, link);
        if (g->held_ns > now_ns)
            return g->held_ns;
        g->held_ns = 0;
        list_del(&g->link);
        group_look(h, g);
    }
    return INT64_MAX;
}

struct host *groups_first(struct hosts *h)
{
    while (!list_empty(&h->roomy)) {
        struct host_group *g = list_of(h->roomy.next, struct host_group, link);
        if (!list_empty(&g->waiting))
            return list_of(g->waiting.next, struct host, link);
        list_del(&g->link);
    }
    return NULL;
}

struct host *group_idle(const struct host_group *g)
{
    return list_empty(&g->idle) ? NULL : list_of(g->idle.next, struct host, member);
}

bool group_others_wait(const struct host *host)
{
    const struct host_group *g = host->group;
    if (!g || list_empty(&g->waiting))
        return false;
    return g->waiting.next != &host->link || g->waiting.prev != &host->link;
}

void host_set_idle(struct host *host, unsigned idle)
{
    host->idle = (uint16_t)idle;
    if (!idle)
        list_del(&host->member);
    else if (host->group && list_empty(&host->member))
        list_add_tail(&host->group->idle, &host->member);
}

void host_address(struct hosts *h, struct host *host, const uint8_t address[16])
{
    struct host_group *g = group_get(h, address), *old = host->group;
    host->asked = false;
    host->known = true;
    if (old != g) {
        if (host->place == HOST_AT_GROUP)
            host_move(h, host, HOST_READY, &h->ready);
        if (old)
            old->connections -= host->connections;
        group_look(h, old);
        g->connections += host->connections;
        list_del(&host->member);
        host->group = g;
        host_set_idle(host, host->idle);
    }
    hosts_wake(h, host);
}
