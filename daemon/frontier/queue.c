/* SPDX-License-Identifier: MIT */
#include "daemon/frontier/queue.h"

#include <stdlib.h>

#include "common/xalloc.h"

#define CHUNK_MAX 500

struct queue_chunk {
    struct queue_chunk *next;
    uint16_t head, len, cap; /* entries: first one, end, room */
    uint64_t entry[];
};

static struct queue_chunk *chunk_new(uint16_t cap)
{
    struct queue_chunk *c = xmalloc(sizeof *c + cap * sizeof *c->entry);
    c->next = NULL;
    c->head = c->len = 0;
    c->cap = cap;
    return c;
}

void queue_push(struct queue *q, uint64_t entry)
{
    if (!q->last || q->last->len == q->last->cap) {
        unsigned cap = q->last ? q->last->cap * 2u : 2;
        struct queue_chunk *c = chunk_new((uint16_t)(cap < CHUNK_MAX ? cap : CHUNK_MAX));
        if (q->last)
            q->last->next = c;
        else
            q->first = c;
        q->last = c;
    }
    q->last->entry[q->last->len++] = entry;
}

void queue_push_front(struct queue *q, uint64_t entry)
{
    if (!q->first || q->first->head == 0) {
        struct queue_chunk *c = chunk_new(2);
        c->head = c->len = c->cap;
        c->next = q->first;
        q->first = c;
        if (!q->last)
            q->last = c;
    }
    q->first->entry[--q->first->head] = entry;
}

uint64_t queue_pop(struct queue *q)
{
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
    return q->first->entry[q->first->head];
}

void queue_done(struct queue *q)
{
    while (!queue_empty(q))
        queue_pop(q);
}
