/* SPDX-License-Identifier: MIT */
/* A binary heap of moments. A timer is embedded in its owner and stands in at most one heap. */
#ifndef SERVERS_TIMERS_H
#define SERVERS_TIMERS_H

#include <stddef.h>
#include <stdint.h>

struct timer {
    int64_t due_ns; /* monotonic */
    size_t place;   /* 1-based index in the heap, 0: not set */
};

struct timers {
    struct timer **heap; /* owned array of borrowed timers, from index 1 */
    size_t count, cap;
};

/* Sets or moves the timer. */
void timers_set(struct timers *t, struct timer *timer, int64_t due_ns);

/* Harmless for a timer that is not set. */
void timers_clear(struct timers *t, struct timer *timer);

/* Takes out and returns a timer due at now_ns, or NULL. */
struct timer *timers_take_due(struct timers *t, int64_t now_ns);

/* Milliseconds until the first one, rounded up; -1: none. */
int timers_wait_ms(const struct timers *t, int64_t now_ns);

void timers_done(struct timers *t);

#endif
