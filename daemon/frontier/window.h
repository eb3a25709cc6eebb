/* SPDX-License-Identifier: MIT */
/* What a ledger knows of a generator's URLs, whatever their number: the cursor (how many were
 * taken), a bit for each of the last 65,536 behind it, and the list of those older ones that are
 * still open ("spilled").
 *
 *      0 ....... spilled, else ended ....... | window: one bit each | cursor   not yet taken */
#ifndef FRONTIER_WINDOW_H
#define FRONTIER_WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifndef WINDOW_SIZE /* smaller in the fault tests; a multiple of 64 */
#define WINDOW_SIZE 65536u
#endif

/* Embedded; zeroed is "no generator". */
struct window {
    uint64_t base;     /* seq of index 0 */
    uint64_t count;    /* seqs reserved; 0: there is no generator */
    uint64_t cursor;   /* indices below were taken */
    uint64_t *closed;  /* owned; WINDOW_SIZE bits by index modulo: ended or spilled */
    uint64_t *spilled; /* owned; rising (index << 1 | ended) */
    size_t spilled_count, spilled_cap, spilled_ended;
};

void window_init(struct window *w, uint64_t base, uint64_t count);
void window_done(struct window *w);

static inline bool window_holds(const struct window *w, uint64_t seq)
{
    return seq - w->base < w->count;
}

bool window_is_open(const struct window *w, uint64_t index);

/* Marks an index as ended; false if it was not open. */
bool window_close(struct window *w, uint64_t index);

/* Marks an open index as spilled; indices come in rising order. */
void window_spill(struct window *w, uint64_t index);

/* The lowest index of the window that is open and falls out of it when the cursor moves to
 * `next`; UINT64_MAX if there is none. It must be spilled before. */
uint64_t window_leaving(const struct window *w, uint64_t next, uint64_t from);

/* Moves the cursor; `next` is between the cursor and count. */
void window_move(struct window *w, uint64_t next);

/* Open indices >= from, rising, at most cap. */
size_t window_list(const struct window *w, uint64_t from, uint64_t *ret_indices, size_t cap);

uint64_t window_open_count(const struct window *w);

#endif
