/* SPDX-License-Identifier: MIT */
#include "daemon/frontier/heap.h"

#include <stdlib.h>

#include "common/xalloc.h"

#define ROOM_FIRST 64

void heap_done(struct heap *h)
{
    free(h->v);
    *h = (struct heap){0};
}

static void put(struct heap *h, uint32_t i, struct heap_slot s)
{
    h->v[i] = s;
    *s.index = i;
}

static void up(struct heap *h, uint32_t i, struct heap_slot s)
{
    for (; i > 1 && h->v[i / 2].due_ns > s.due_ns; i /= 2)
        put(h, i, h->v[i / 2]);
    put(h, i, s);
}

static void down(struct heap *h, uint32_t i, struct heap_slot s)
{
    for (uint32_t child; (child = i * 2) <= h->count; i = child) {
        if (child < h->count && h->v[child + 1].due_ns < h->v[child].due_ns)
            child++;
        if (h->v[child].due_ns >= s.due_ns)
            break;
        put(h, i, h->v[child]);
    }
    put(h, i, s);
}

static void place(struct heap *h, uint32_t i, struct heap_slot s)
{
    if (i > 1 && h->v[i / 2].due_ns > s.due_ns)
        up(h, i, s);
    else
        down(h, i, s);
}

void heap_set(struct heap *h, uint32_t *index, int64_t due_ns)
{
    struct heap_slot s = {due_ns, index};
    if (*index) {
        place(h, *index, s);
        return;
    }
    if (h->count + 1 >= h->room) {
        h->room = h->room ? h->room * 2 : ROOM_FIRST;
        h->v = xrealloc(h->v, h->room * sizeof *h->v);
    }
    up(h, ++h->count, s);
}

void heap_remove(struct heap *h, uint32_t *index)
{
    uint32_t i = *index;
    if (!i)
        return;
    struct heap_slot last = h->v[h->count--];
    *index = 0;
    if (last.index != index)
        place(h, i, last);
}
