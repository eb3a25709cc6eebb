/* SPDX-License-Identifier: MIT */
/* First in, first out, of 64-bit entries, in chunks that grow from 2 to 500: small for the
 * millions of hosts with one URL, 8 bytes an entry for the one host with millions. */
#ifndef FRONTIER_QUEUE_H
#define FRONTIER_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

struct queue_chunk;

struct queue {
    struct queue_chunk *first, *last; /* owned */
};

static inline bool queue_empty(const struct queue *q)
{
    return !q->first;
}

void queue_push(struct queue *q, uint64_t entry);

/* In front of all others. */
void queue_push_front(struct queue *q, uint64_t entry);

/* The queue must not be empty. */
uint64_t queue_pop(struct queue *q);
uint64_t queue_first(const struct queue *q);

void queue_done(struct queue *q);

#endif
