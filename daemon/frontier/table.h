/* SPDX-License-Identifier: MIT */
/* A hash table of objects that carry their link: `struct table_node` is their first member. It
 * grows by one chain per object added, so no addition is ever long. Nothing is taken out. */
#ifndef FRONTIER_TABLE_H
#define FRONTIER_TABLE_H

#include <stdint.h>

struct table_node {
    struct table_node *next; /* of the same chain */
};

struct table {
    struct table_node **chains; /* owned; the nodes are not */
    uint32_t count, room;       /* chains used; allocated */
    uint64_t (*hash)(const struct table_node *node, uint64_t seed);
    uint64_t seed;
};

/* seed: random where strangers choose what is hashed. */
void table_init(struct table *t, uint64_t (*hash)(const struct table_node *node, uint64_t seed),
                uint64_t seed);
void table_done(struct table *t);

void table_add(struct table *t, struct table_node *node);

/* The first node of the chain in which nodes of this hash are; NULL if it is empty. */
struct table_node *table_chain(const struct table *t, uint64_t hash);

#endif
