/* SPDX-License-Identifier: MIT */
/* `last` points at `only` while the entry is kept in the queue itself; a second one moves both into
 * a chunk. Entries are put at the end of the last chunk and, in front, before the head of the
 * first; a chunk made for the front is filled from its end. */
#include "daemon/frontier/queue.h"

#include <stddef.h>
#include <stdlib.h>

#include "common/xalloc.h"

#define CHUNK_FIRST 4
#define CHUNK_MAX   500

struct queue_chunk {
    struct queue_chunk *next;
    uint16_t head, len, cap; /* entries: first one, end, room */
    uint64_t entry[];
};

static struct queue_chunk only; /* never read or written */

static struct queue_chunk *chunk_new(unsigned cap)
{
    if (cap > CHUNK_MAX)
        cap = CHUNK_MAX;
    struct queue_chunk *c = xmalloc(sizeof *c + cap * sizeof *c->entry);
    c->next = NULL;
    c->head = c->len = 0;
    c->cap = (uint16_t)cap;
    return c;
}

static void into_chunk(struct queue *q)
{
    struct queue_chunk *c = chunk_new(CHUNK_FIRST);
    c->entry[c->len++] = q->one;
    q->first = q->last = c;
}

void queue_push(struct queue *q, uint64_t entry)
{
    if (!q->last) {
        q->one = entry;
        q->last = &only;
        return;
    }
    if (q->last == &only)
        into_chunk(q);
    if (q->last->len == q->last->cap) {
        struct queue_chunk *c = chunk_new(q->last->cap * 2u);
        q->last->next = c;
        q->last = c;
    }
    q->last->entry[q->last->len++] = entry;
}

void queue_push_front(struct queue *q, uint64_t entry)
{
    if (!q->last) {
        queue_push(q, entry);
        return;
    }
    if (q->last == &only)
        into_chunk(q);
    if (q->first->head == 0) {
        struct queue_chunk *c = chunk_new(q->first->cap * 2u);
        c->head = c->len = c->cap;
        c->next = q->first;
        q->first = c;
    }
    q->first->entry[--q->first->head] = entry;
}

uint64_t queue_pop(struct queue *q)
{
    if (q->last == &only) {
        q->last = NULL;
        return q->one;
    }
    struct queue_chunk *c = q->first;
    uint64_t entry = c->entry[c->head++];
    if (c->head == c->len) {
        q->first = c->next;
        if (!q->first)
            q->last = NULL;
        free(c);
    }
    return entry;
}

uint64_t queue_first(const struct queue *q)
{
    return q->last == &only ? q->one : q->first->entry[q->first->head];
}

int64_t queue_find(const struct queue *q, uint64_t bits, uint64_t mask, uint64_t most)
{
    uint64_t n = 0;
    if (!q->last || q->last == &only)
        return q->last && most && (q->one & mask) == bits ? 0 : -1;
    for (const struct queue_chunk *c = q->first; c && n < most; c = c->next)
        for (uint16_t i = c->head; i < c->len && n < most; i++, n++)
            if ((c->entry[i] & mask) == bits)
                return (int64_t)n;
    return -1;
}

uint64_t queue_count(const struct queue *q)
{
    if (!q->last || q->last == &only)
        return q->last != NULL;
    uint64_t n = 0;
    for (const struct queue_chunk *c = q->first; c; c = c->next)
        n += (uint64_t)(c->len - c->head);
    return n;
}

void queue_done(struct queue *q)
{
    while (!queue_empty(q))
        queue_pop(q);
}
