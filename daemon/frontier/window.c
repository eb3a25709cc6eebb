/* SPDX-License-Identifier: MIT */
/* The window is a ring of bits. Moving the cursor clears the bits of the indices that come in;
 * what falls out is either ended or was spilled before, so its bit is not missed. A row that
 * waits for its COMMIT closes its index at once, which is why it is never spilled. */
#include "daemon/frontier/window.h"

#include <stdlib.h>
#include <string.h>

#include "common/xalloc.h"

#define WORDS (WINDOW_SIZE / 64)

void window_init(struct window *w, uint64_t base, uint64_t count)
{
    window_done(w);
    w->base = base;
    w->count = count;
    w->closed = xcalloc(WORDS, sizeof *w->closed);
}

void window_done(struct window *w)
{
    free(w->closed);
    free(w->spilled);
    *w = (struct window){0};
}

static uint64_t window_begin(const struct window *w)
{
    return w->cursor > WINDOW_SIZE ? w->cursor - WINDOW_SIZE : 0;
}

static bool in_window(const struct window *w, uint64_t index)
{
    return index < w->cursor && index >= window_begin(w);
}

static bool is_closed(const struct window *w, uint64_t index)
{
    return w->closed[index % WINDOW_SIZE / 64] >> (index % 64) & 1;
}

static void set_closed(struct window *w, uint64_t index)
{
    w->closed[index % WINDOW_SIZE / 64] |= UINT64_C(1) << (index % 64);
}

/* The first spilled entry whose index is >= index. */
static size_t spilled_find(const struct window *w, uint64_t index)
{
    size_t low = 0, high = w->spilled_count;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (w->spilled[mid] >> 1 < index)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

static void spilled_squeeze(struct window *w)
{
    size_t n = 0;
    for (size_t i = 0; i < w->spilled_count; i++)
        if (!(w->spilled[i] & 1))
            w->spilled[n++] = w->spilled[i];
    w->spilled_count = n;
    w->spilled_ended = 0;
}

static bool spilled_close(struct window *w, uint64_t index)
{
    size_t i = spilled_find(w, index);
    if (i == w->spilled_count || w->spilled[i] != index << 1)
        return false;
    w->spilled[i] |= 1;
    if (++w->spilled_ended > 64 && w->spilled_ended > w->spilled_count / 2)
        spilled_squeeze(w);
    return true;
}

bool window_is_open(const struct window *w, uint64_t index)
{
    size_t i = spilled_find(w, index);
    return (i < w->spilled_count && w->spilled[i] == index << 1) ||
           (in_window(w, index) && !is_closed(w, index));
}

bool window_close(struct window *w, uint64_t index)
{
    if (spilled_close(w, index))
        return true;
    if (!in_window(w, index) || is_closed(w, index))
        return false;
    set_closed(w, index);
    return true;
}

void window_spill(struct window *w, uint64_t index)
{
    if (w->spilled_count == w->spilled_cap) {
        w->spilled_cap = w->spilled_cap ? w->spilled_cap * 2 : 64;
        w->spilled = xrealloc(w->spilled, w->spilled_cap * sizeof *w->spilled);
    }
    w->spilled[w->spilled_count++] = index << 1;
    if (in_window(w, index))
        set_closed(w, index);
}

uint64_t window_leaving(const struct window *w, uint64_t next, uint64_t from)
{
    uint64_t end = next > WINDOW_SIZE ? next - WINDOW_SIZE : 0;
    uint64_t i = from > window_begin(w) ? from : window_begin(w);
    for (; i < end && i < w->cursor; i++)
        if (!is_closed(w, i))
            return i;
    return UINT64_MAX;
}

void window_move(struct window *w, uint64_t next)
{
    if (next - w->cursor >= WINDOW_SIZE)
        memset(w->closed, 0, WORDS * sizeof *w->closed);
    else
        for (uint64_t i = w->cursor; i < next; i++)
            w->closed[i % WINDOW_SIZE / 64] &= ~(UINT64_C(1) << (i % 64));
    w->cursor = next;
}

size_t window_list(const struct window *w, uint64_t from, uint64_t *ret_indices, size_t cap)
{
    size_t n = 0;
    for (size_t i = spilled_find(w, from); i < w->spilled_count && n < cap; i++)
        if (!(w->spilled[i] & 1))
            ret_indices[n++] = w->spilled[i] >> 1;
    uint64_t i = from > window_begin(w) ? from : window_begin(w);
    for (; i < w->cursor && n < cap; i++)
        if (!is_closed(w, i))
            ret_indices[n++] = i;
    return n;
}

uint64_t window_open_count(const struct window *w)
{
    uint64_t n = w->spilled_count - w->spilled_ended;
    for (uint64_t i = window_begin(w); i < w->cursor; i++)
        n += !is_closed(w, i);
    return n;
}
