/* SPDX-License-Identifier: MIT */
/* First in, first out, of 64-bit entries. One entry needs no memory beyond the queue itself, which
 * is what the millions of hosts with one URL have; more are in chunks that grow from 4 to 500: 8
 * bytes an entry for the one host with millions. */
#ifndef FRONTIER_QUEUE_H
#define FRONTIER_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

struct queue_chunk;

/* Embedded; zeroed is empty. */
struct queue {
    union {
        struct queue_chunk *first; /* owned */
        uint64_t one;              /* if `last` says that there is one entry */
    };
    struct queue_chunk *last; /* NULL: empty */
};

static inline bool queue_empty(const struct queue *q)
{
    return !q->last;
}

void queue_push(struct queue *q, uint64_t entry);

/* In front of all others. */
void queue_push_front(struct queue *q, uint64_t entry);

/* The queue must not be empty. */
uint64_t queue_pop(struct queue *q);
uint64_t queue_first(const struct queue *q);

/* How many entries stand before the first whose bits of `mask` are these; -1: none of the first
 * `most`. */
int64_t queue_find(const struct queue *q, uint64_t bits, uint64_t mask, uint64_t most);

/* Entries in it; walks over its chunks. */
uint64_t queue_count(const struct queue *q);

void queue_done(struct queue *q);

#endif
