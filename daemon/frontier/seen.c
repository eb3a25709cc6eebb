/* SPDX-License-Identifier: MIT */
/* 2,048 shards, chosen by the print's top bits, each an open-addressed table with linear probing.
 * A shard grows by half when 85 % full, alone: so 200 million URLs cost at most one growth of
 * 100,000 prints at a time. A print's place rises with the print ((print bits) * cap >> 32), so
 * that growing reads and writes memory in order. */
#include "daemon/frontier/seen.h"

#include <stdlib.h>
#include <xxhash.h>

#include "common/xalloc.h"

#define SHARD_BITS  11
#define SHARD_COUNT (1u << SHARD_BITS)
#define SHARD_FIRST 8 /* slots of a new shard */

static struct seen_shard *shard_of(const struct seen *s, uint64_t print)
{
    return &s->shards[print >> (64 - SHARD_BITS)];
}

static uint32_t place_of(uint64_t print, uint32_t cap)
{
    uint64_t bits = (print >> (32 - SHARD_BITS)) & UINT32_MAX;
    return (uint32_t)((bits * cap) >> 32);
}

static bool shard_put(struct seen_shard *h, uint64_t print)
{
    uint32_t i = place_of(print, h->cap);
    while (h->slots[i]) {
        if (h->slots[i] == print)
            return false;
        if (++i == h->cap)
            i = 0;
    }
    h->slots[i] = print;
    h->used++;
    return true;
}

static void shard_grow(struct seen *s, struct seen_shard *h)
{
    struct seen_shard bigger = {.cap = h->cap ? h->cap + h->cap / 2 : SHARD_FIRST};
    bigger.slots = xcalloc(bigger.cap, sizeof *bigger.slots);
    for (uint32_t i = 0; i < h->cap; i++)
        if (h->slots[i])
            shard_put(&bigger, h->slots[i]);
    s->bytes += (uint64_t)(bigger.cap - h->cap) * sizeof *h->slots;
    free(h->slots);
    *h = bigger;
}

void seen_done(struct seen *s)
{
    for (uint32_t i = 0; s->shards && i < SHARD_COUNT; i++)
        free(s->shards[i].slots);
    free(s->shards);
    *s = (struct seen){0};
}

uint64_t seen_print(const uint8_t secret[SEEN_SECRET_BYTES], const void *text, size_t len)
{
    uint64_t print = XXH3_64bits_withSecret(text, len, secret, SEEN_SECRET_BYTES);
    return print ? print : 1;
}

bool seen_add(struct seen *s, uint64_t print)
{
    if (!s->shards) {
        s->shards = xcalloc(SHARD_COUNT, sizeof *s->shards);
        s->bytes = SHARD_COUNT * sizeof *s->shards;
    }
    struct seen_shard *h = shard_of(s, print);
    if ((uint64_t)(h->used + 1) * 20 > (uint64_t)h->cap * 17)
        shard_grow(s, h);
    bool added = shard_put(h, print);
    s->count += added;
    return added;
}

bool seen_has(const struct seen *s, uint64_t print)
{
    if (!s->shards)
        return false;
    const struct seen_shard *h = shard_of(s, print);
    if (!h->cap)
        return false;
    for (uint32_t i = place_of(print, h->cap); h->slots[i]; i = i + 1 == h->cap ? 0 : i + 1)
        if (h->slots[i] == print)
            return true;
    return false;
}
