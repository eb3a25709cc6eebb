/* SPDX-License-Identifier: MIT */
/* A binary heap of times. A member embeds its index, 0 while it is in no heap; list_of() leads from
 * the index to the member. */
#ifndef FRONTIER_HEAP_H
#define FRONTIER_HEAP_H

#include <stdint.h>

struct heap {
    struct heap_slot {
        int64_t due_ns;
        uint32_t *index; /* borrowed: the member's */
    } * v;               /* owned; by due_ns, from 1 */
    uint32_t count, room;
};

void heap_done(struct heap *h);

/* Puts the member in, or moves it to another time. */
void heap_set(struct heap *h, uint32_t *index, int64_t due_ns);

/* Takes it out, if it is in. */
void heap_remove(struct heap *h, uint32_t *index);

/* When the first is due; INT64_MAX if there is none. */
static inline int64_t heap_due(const struct heap *h)
{
    return h->count ? h->v[1].due_ns : INT64_MAX;
}

/* Of the first; the heap must not be empty. */
static inline uint32_t *heap_first(const struct heap *h)
{
    return h->v[1].index;
}

#endif
