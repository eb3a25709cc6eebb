/* SPDX-License-Identifier: MIT */
#include "tests/servers/timers.h"

#include <stdlib.h>

#include "common/clock.h"
#include "common/xalloc.h"

static void put(struct timers *t, size_t place, struct timer *timer)
{
    t->heap[place] = timer;
    timer->place = place;
}

static void sift_up(struct timers *t, size_t i, struct timer *timer)
{
    for (; i > 1 && t->heap[i / 2]->due_ns > timer->due_ns; i /= 2)
        put(t, i, t->heap[i / 2]);
    put(t, i, timer);
}

static void sift_down(struct timers *t, size_t i, struct timer *timer)
{
    for (size_t child; (child = 2 * i) <= t->count; i = child) {
        if (child < t->count && t->heap[child + 1]->due_ns < t->heap[child]->due_ns)
            child++;
        if (t->heap[child]->due_ns >= timer->due_ns)
            break;
        put(t, i, t->heap[child]);
    }
    put(t, i, timer);
}

void timers_set(struct timers *t, struct timer *timer, int64_t due_ns)
{
    timers_clear(t, timer);
    timer->due_ns = due_ns;
    if (t->count + 2 > t->cap) {
        t->cap = t->cap ? t->cap * 2 : 64;
        t->heap = xrealloc(t->heap, t->cap * sizeof *t->heap);
    }
    sift_up(t, ++t->count, timer);
}

void timers_clear(struct timers *t, struct timer *timer)
{
    size_t hole = timer->place;
    if (!hole)
        return;
    timer->place = 0;
    struct timer *last = t->heap[t->count--];
    if (last == timer)
        return;
    if (hole > 1 && t->heap[hole / 2]->due_ns > last->due_ns)
        sift_up(t, hole, last);
    else
        sift_down(t, hole, last);
}

struct timer *timers_take_due(struct timers *t, int64_t now_ns)
{
    if (!t->count || t->heap[1]->due_ns > now_ns)
        return NULL;
    struct timer *first = t->heap[1];
    timers_clear(t, first);
    return first;
}

int timers_wait_ms(const struct timers *t, int64_t now_ns)
{
    if (!t->count)
        return -1;
    int64_t left_ns = t->heap[1]->due_ns - now_ns;
    return left_ns <= 0 ? 0 : (int)((left_ns + NS_PER_MS - 1) / NS_PER_MS);
}

void timers_done(struct timers *t)
{
    free(t->heap);
    *t = (struct timers){0};
}
