/* SPDX-License-Identifier: MIT */
/* Linear hashing. With n chains, 2^k < n <= 2^(k+1), a hash belongs to the chain of its low k+1
 * bits if that exists yet, else of its low k bits. Adding chain n means to split chain n - 2^k. */
#include "daemon/frontier/table.h"

#include <stdlib.h>

#include "common/xalloc.h"

#define ROOM_FIRST 64

void table_init(struct table *t, uint64_t (*hash)(const struct table_node *node, uint64_t seed),
                uint64_t seed)
{
    *t = (struct table){.hash = hash, .seed = seed};
}

void table_done(struct table *t)
{
    free(t->chains);
    t->chains = NULL;
    t->count = t->room = 0;
}

static uint32_t chain_of(uint64_t hash, uint32_t count)
{
    uint32_t mask = count > 1 ? UINT32_MAX >> __builtin_clz(count - 1) : 0;
    uint32_t i = (uint32_t)hash & mask;
    return i < count ? i : i & (mask >> 1);
}

static void add_chain(struct table *t)
{
    if (t->count == t->room) {
        t->room = t->room ? t->room * 2 : ROOM_FIRST;
        t->chains = xrealloc(t->chains, t->room * sizeof(struct table_node *));
    }
    uint32_t added = t->count++;
    t->chains[added] = NULL;
    if (!added)
        return;
    struct table_node **p = &t->chains[added & ~(UINT32_C(1) << (31 - __builtin_clz(added)))];
    while (*p) {
        struct table_node *node = *p;
        if (chain_of(t->hash(node, t->seed), t->count) != added) {
            p = &node->next;
            continue;
        }
        *p = node->next;
        node->next = t->chains[added];
        t->chains[added] = node;
    }
}

void table_add(struct table *t, struct table_node *node)
{
    add_chain(t);
    struct table_node **chain = &t->chains[chain_of(t->hash(node, t->seed), t->count)];
    node->next = *chain;
    *chain = node;
}

struct table_node *table_chain(const struct table *t, uint64_t hash)
{
    return t->count ? t->chains[chain_of(hash, t->count)] : NULL;
}
